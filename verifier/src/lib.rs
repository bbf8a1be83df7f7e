//! Verification of zkinfer proofs, to embed where money depends on the answer.
//!
//! A proof says: *the model behind this verifying key, run under zkinfer's integer semantics on
//! this input, gives this output; the proof was made for this job and pays this payee.*
//!
//! A caller reads a key and a proof, says what he expects, and gets evidence or a reason:
//!
//! ```
//! # #[cfg(feature = "json")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors"))?;
//! use zkinfer_verifier::{Expectation, ProofFile, SrsPolicy, VerifyingKey};
//!
//! let key = VerifyingKey::decode(&std::fs::read("digits_mlp.zkvk")?)?;
//! let file = ProofFile::decode(&std::fs::read("digits_mlp-1.zkproof")?)?;
//!
//! // What the buyer ordered. The rest is taken from the proof, so pay only for what is said here.
//! let expected = Expectation {
//!     job_id: Some(file.claim.binding.job_id),
//!     payee: Some(file.claim.binding.payee),
//!     input: Some(file.claim.input.clone()),
//!     valid_at: Some(1_700_000_000),
//!     ..Expectation::new(&key)
//! };
//! for mismatch in file.check_claim(&expected) {
//!     println!("{}: {mismatch}", mismatch.code());
//! }
//! // A real buyer allows ceremonies only: `SrsPolicy::CeremonyOnly`.
//! let evidence = file.verify(&expected, SrsPolicy::AllowInsecureDev)?;
//! for output in evidence.outputs().expect("this key shows its outputs") {
//!     println!("{} {:?}: {:?}", output.name, output.shape, output.values);
//! }
//!
//! // The same proof pays nobody else.
//! let thief = Expectation { payee: Some([0x66; 20]), ..expected };
//! let refused = file.verify(&thief, SrsPolicy::AllowInsecureDev).unwrap_err();
//! assert_eq!(refused.code(), "payee");
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "json"))]
//! # fn main() {}
//! ```
//!
//! [`verify`] is the check itself, of a [`Proof`] and an [`InferenceClaim`] that the caller holds;
//! it alone makes a [`VerifiedInference`]. [`verify_batch`] does the same for many proofs at the
//! price of one pairing. The crate is total: it returns for every input, never panics, and its
//! memory is bounded by the key and the claim.
//!
//! A claim may hold a [`Commitment`] to its inputs or outputs instead of the values, where the key says
//! so; an [`Opening`] shows them to whoever has it.
//!
//! It builds without `std`, and gives the same answers on a 32-bit machine: no 64-bit number becomes
//! a `usize` but by a checked conversion, and lengths that do not fit are refused like any others
//! beyond their limit.
//!
//! What it is not: it reads no clock ([`JobBinding::expired`] is told the time), draws no
//! randomness, and does not decide which models or payees are good.
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
#[cfg(feature = "std")]
extern crate std;

#[cfg(test)]
mod absorption;
mod batch;
mod boundary;
mod bytes;
pub mod checks;
mod claim;
mod classes;
pub mod commitment;
mod constraint_system;
mod curve;
mod digest;
mod domain;
mod endomorphism;
mod expectation;
mod expression;
mod gates;
#[cfg(feature = "json")]
mod hex;
pub mod joint;
mod key;
mod layout;
#[cfg(feature = "json")]
mod manifest_file;
mod msm;
mod opening_plan;
#[cfg(feature = "json")]
mod openings;
mod part;
mod parts;
mod permutation;
mod placement;
pub mod poseidon;
mod proof;
#[cfg(feature = "json")]
mod proof_file;
mod real;
mod shplonk;
mod side;
mod srs;
mod strength;
mod time;
mod transcript;
mod tree;
mod vanishing;
mod verify;

mod error;

pub use ark_bn254::{Fr, G1Affine, G2Affine};
pub use batch::{BatchItem, verify_batch};
pub use boundary::Boundary;
pub use claim::{ClaimedValues, InferenceClaim, JobBinding};
pub use classes::Classes;
pub use commitment::{Blinding, Commitment, Opening};
pub use constraint_system::{Column, ConstraintSystem, CurrentRow, MAX_CHALLENGES, Query};
pub use curve::{
    coordinates, decode_g2, decode_point, decode_scalar, encode_g2, encode_point, encode_scalar,
    scalar_from_digest,
};
pub use digest::{Digest, KeyDigest, SrsDigest, keccak256};
pub use error::{CommitmentError, KeyError, PartError, VerifyError};
pub use expectation::{Expectation, Mismatch, Rejection};
pub use expression::{Expression, ExpressionError, Instruction};
pub use joint::{Leaf, verify_joint, verify_leaf};
pub use key::{KeyFormat, KeyParts, VerifyingKey};
pub use layout::{InstanceLayout, TensorLayout, is_hidden};
#[cfg(feature = "json")]
pub use manifest_file::ManifestError;
pub use opening_plan::{Evaluations, Group, Opened, OpenedCommitment, OpeningPlan};
#[cfg(feature = "json")]
pub use openings::{OpeningError, Openings};
pub use part::{VerifiedPart, boundary_layout, verify_part};
pub use parts::{MAX_PARTS, Manifest, PartProof, PartsError, VerifiedParts};
pub use placement::{Block, Placement};
pub use proof::Proof;
#[cfg(feature = "json")]
pub use proof_file::{ProofFile, ProofFileError};
pub use real::{QuantizeError, Quantized, RealTensor};
pub use side::{Side, Visibility};
pub use srs::{INSECURE_DEV, SrsId, SrsPolicy, SrsTrust};
pub use strength::Strength;
pub use time::UnixTime;
pub use verify::{VerifiedInference, verify};
