//! Keys and proofs: from a circuit plan and an execution to a proof that has passed the verifier.
//!
//! The way through the crate: an [`Srs`] (development, imported, or from a file), then a
//! [`Setup`] of a `CircuitPlan` (the circuit's key and the self-contained verifying key), then
//! [`Setup::prove`] with a [`Backend`], which gives a `ProofFile`.
//!
//! What it is not: it does not decide which SRS is to be trusted or which proof is to be paid;
//! that is the verifier's and its caller's part. Nothing here reads the statement from the
//! environment.

mod backend;
mod circuit_key;
pub mod engine;
mod export;
pub mod files;
mod kernels;
mod prove;
mod setup;
mod srs;
mod statement;

pub use backend::{Backend, Cpu, Reference, Task, halo2_verify};
pub use circuit_key::CircuitKey;
pub use engine::{AdvicePhases, EngineCircuit, EngineKey, EngineOptions, ProofTranscript, Stage};
pub use export::{ExportError, KeyMetadata, export_key, export_srs};
pub use kernels::Instructions;
#[doc(hidden)]
pub use kernels::measure;
pub use prove::{ProveError, Proven};
pub use setup::{ModelIdentity, Setup, SetupError};
pub use srs::{
    CacheEvent, CachedSrs, Ceremony, MAX_K, PtauError, PtauPoint, Srs, SrsCache, SrsError,
};
pub use statement::{Inference, draw_blinding};
