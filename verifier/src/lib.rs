//! Verification of zkinfer proofs, to embed where money depends on the answer.
//!
//! A proof says: *the model behind this verifying key, run under zkinfer's integer semantics on
//! this input, gives this output; the proof was made for this job and pays this payee.*
//!
//! A caller needs four names. [`VerifyingKey::decode`] reads a `.zkvk` file. [`InferenceClaim`] is
//! what the caller expects. [`verify`] checks a [`Proof`] of it, and alone makes a
//! [`VerifiedInference`]; [`verify_batch`] does the same for many proofs at the price of one
//! pairing. The crate is total: it returns for every input, never panics, and its memory is
//! bounded by the key and the claim.
//!
//! A claim may hold a [`Commitment`] to its inputs or outputs instead of the values, where the key says
//! so; an [`Opening`] shows them to whoever has it.
//!
//! It builds without `std`, and gives the same answers on a 32-bit machine: no 64-bit number becomes
//! a `usize` but by a checked conversion, and lengths that do not fit are refused like any others
//! beyond their limit.
//!
//! What it is not: it reads no clock (whether a job has expired is for settlement to decide),
//! draws no randomness, and does not decide which models or payees are good.
//!
//! The proof is a standard halo2-axiom SHPLONK proof over BN254 with a Keccak-256 transcript,
//! preceded by the digest of the key; halo2's own verifier accepts the same bytes.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used,
        clippy::wildcard_enum_match_arm
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate self as zkinfer_verifier;

#[cfg(test)]
mod absorption;
mod batch;
mod bytes;
mod claim;
pub mod commitment;
mod constraint_system;
mod curve;
mod digest;
mod domain;
mod endomorphism;
mod expression;
mod gates;
#[cfg(feature = "json")]
mod hex;
mod key;
mod layout;
mod msm;
mod opening_plan;
#[cfg(feature = "json")]
mod openings;
mod permutation;
pub mod poseidon;
mod proof;
#[cfg(feature = "json")]
mod proof_file;
mod shplonk;
mod srs;
mod transcript;
mod vanishing;
mod verify;

mod error;

pub use ark_bn254::{Fr, G1Affine, G2Affine};
pub use batch::{BatchItem, verify_batch};
pub use claim::{ClaimedValues, InferenceClaim, JobBinding};
pub use commitment::{Blinding, Commitment, Opening};
pub use constraint_system::{Column, ConstraintSystem, Query};
pub use curve::{
    decode_g2, decode_point, decode_scalar, encode_g2, encode_point, encode_scalar,
    scalar_from_digest,
};
pub use digest::{Digest, KeyDigest, SrsDigest, keccak256};
pub use error::{CommitmentError, KeyError, VerifyError};
#[cfg(feature = "json")]
pub use error::{OpeningError, ProofFileError};
pub use expression::{Expression, ExpressionError, Instruction};
pub use key::{KeyParts, VerifyingKey};
pub use layout::{InstanceLayout, TensorLayout, Visibility};
#[cfg(feature = "json")]
pub use openings::Openings;
pub use proof::Proof;
#[cfg(feature = "json")]
pub use proof_file::ProofFile;
pub use srs::{INSECURE_DEV, SrsId, SrsPolicy, SrsTrust};
pub use verify::{VerifiedInference, verify};
