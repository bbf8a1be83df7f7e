//! Why there are no data or no calldata.

use thiserror::Error;

/// Why a key or a proof has no form on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ContractError {
    /// The key is of a part of a model.
    #[error(
        "the contract checks keys of whole models only: proofs of parts show nothing one by one; \
         `verify --manifest` checks all of them together, and an escrow of zkinfer-settlement pays"
    )]
    Statement,
    /// The key is of several claims in a proof, the proof file of one claim alone, or the other way
    /// round.
    #[error("the key is for proofs of {claims} claims, which the proof file is not of")]
    Place {
        /// What the key prescribes.
        claims: u32,
    },
    /// The key contradicts itself. No [`VerifyingKey`](zkinfer_verifier::VerifyingKey) does.
    #[error("the key contradicts itself")]
    Key,
    /// The data are larger than a contract may be.
    #[error("the data of the key have {got} bytes, at most {limit} fit a contract")]
    Size {
        /// The limit.
        limit: usize,
        /// The size.
        got: usize,
    },
    /// The claim is not one under the key: other lengths, visibility or bounds.
    #[error("the claim does not fit the key")]
    Claim,
    /// The proof has not the length that the key prescribes.
    #[error("the proof has {got} bytes instead of {expected}")]
    ProofLength {
        /// What the key prescribes.
        expected: usize,
        /// The length of the proof.
        got: usize,
    },
    /// A point of the proof is off the curve or not spelled canonically, so it has no coordinates.
    #[error("element {element} of the proof is no point of the curve")]
    Point {
        /// Which 32 bytes of the proof, counted from 0.
        element: usize,
    },
}
