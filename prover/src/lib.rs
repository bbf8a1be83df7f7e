//! Keys and proofs: from a circuit plan and an execution to a proof that has passed the verifier.
//!
//! The way through the crate: an [`Srs`] (development, imported, or from a file), then a
//! [`Setup`] of a `CircuitPlan` (the circuit's key and the self-contained verifying key), then
//! [`Setup::prove`] on the [`Device`] of the setup, which gives a `ProofFile`.
//!
//! What it is not: it does not decide which SRS is to be trusted or which proof is to be paid;
//! that is the verifier's and its caller's part. Nothing here reads the statement from the
//! environment.

mod export;
pub mod files;
mod part;
mod prove;
pub mod reference;
mod setup;
mod srs;
mod statement;

pub use export::{ExportError, KeyMetadata, export_key, export_srs};
pub use part::{BoundaryBlinding, PartBlinding, boundary_commitments};
pub use prove::{ProveError, Proven, ProvenJointly, prove_circuit};
pub use setup::{ModelIdentity, Setup, SetupError};
pub use srs::{
    CacheEvent, CachedSrs, Ceremony, MAX_K, PtauError, PtauPoint, Srs, SrsCache, SrsError,
};
pub use statement::{Inference, draw_blinding};
pub use zkinfer_circuits::{BOUNDARY_BLINDING, PROOFS_A_SIDE};
pub use zkinfer_engine::{CpuOptions, Device, EngineError, Instructions, Stage};
