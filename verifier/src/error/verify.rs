//! Why a proof, a part or values are refused.

use thiserror::Error;

use crate::{
    digest::{KeyDigest, SrsDigest},
    side::Visibility,
};

/// Why a proof is refused: the first check that fails, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The key is of a part of a model: see [`verify_part`](crate::verify_part).
    #[error("the key is of a part of a model, which proves nothing alone")]
    Part,
    /// The key is of a whole model and has no boundaries.
    #[error("the key is of a whole model, not of a part")]
    Whole,
    /// A proof under this key is about several claims: see [`joint`](crate::joint).
    #[error("a proof under this key is about {claims} claims together")]
    Joint {
        /// How many.
        claims: u32,
    },
    /// A proof under this key is about one claim.
    #[error("a proof under this key is about one claim")]
    Single,
    /// Another number of claims than a proof under this key is about.
    #[error("{got} claims, a proof under this key is about {expected}")]
    ClaimCount {
        /// What the key prescribes.
        expected: usize,
        /// How many were given.
        got: usize,
    },
    /// The path does not lead from this claim to the root.
    #[error("no path from claim {index} to the root of {claims} claims")]
    Path {
        /// How many claims a proof under this key is about.
        claims: usize,
        /// Index of the claim.
        index: usize,
    },
    /// The key stands on the development setup and the policy does not allow it.
    #[error("the key uses the insecure development SRS")]
    InsecureDevSrs,
    /// The key stands on a setup that the policy does not name.
    #[error("the key uses the SRS {srs}, which is not trusted")]
    UntrustedSrs {
        /// Digest of its \[τ\]₂.
        srs: SrsDigest,
    },
    /// The expected claim is about another model than the key.
    #[error("the claim is about model {expected}, the key is {got}")]
    Model {
        /// The claim's model.
        expected: KeyDigest,
        /// The key's digest.
        got: KeyDigest,
    },
    /// The claim shows an input that the key commits to, or the other way round.
    #[error("the claim's input is {got}, the key's {expected}")]
    InputVisibility {
        /// What the key prescribes.
        expected: Visibility,
        /// What the claim has.
        got: Visibility,
    },
    /// The claim shows an output that the key commits to, or the other way round.
    #[error("the claim's output is {got}, the key's {expected}")]
    OutputVisibility {
        /// What the key prescribes.
        expected: Visibility,
        /// What the claim has.
        got: Visibility,
    },
    /// The number of input elements is not the model's.
    #[error("{got} input elements, the model takes {expected}")]
    InputLength {
        /// What the model takes.
        expected: usize,
        /// What the claim has.
        got: usize,
    },
    /// The number of output elements is not the model's.
    #[error("{got} output elements, the model gives {expected}")]
    OutputLength {
        /// What the model gives.
        expected: usize,
        /// What the claim has.
        got: usize,
    },
    /// An input element outside the model's bounds; the circuit relies on this check.
    #[error("input element {index} is {value}, outside {lo}..={hi}")]
    InputRange {
        /// Flat index.
        index: usize,
        /// The element.
        value: i64,
        /// Lower bound.
        lo: i64,
        /// Upper bound.
        hi: i64,
    },
    /// An output element outside the model's bounds; the circuit relies on this check.
    #[error("output element {index} is {value}, outside {lo}..={hi}")]
    OutputRange {
        /// Flat index.
        index: usize,
        /// The element.
        value: i64,
        /// Lower bound.
        lo: i64,
        /// Upper bound.
        hi: i64,
    },
    /// The proof has not exactly the length that the key prescribes.
    #[error("the proof has {got} bytes instead of {expected}")]
    ProofLength {
        /// What the key prescribes.
        expected: usize,
        /// The length of the proof.
        got: usize,
    },
    /// A point of the proof is off the curve or not spelled canonically.
    #[error("element {element} of the proof is no point of the curve")]
    Point {
        /// Which 32 bytes of the proof, counted from 0.
        element: usize,
    },
    /// A point of the proof is at infinity where no honest prover puts it.
    #[error("element {element} of the proof is the point at infinity")]
    Infinity {
        /// Which 32 bytes of the proof, counted from 0.
        element: usize,
    },
    /// A scalar of the proof is at or above the modulus.
    #[error("element {element} of the proof is no canonical scalar")]
    Scalar {
        /// Which 32 bytes of the proof, counted from 0.
        element: usize,
    },
    /// A challenge fell on a root of a polynomial that is divided by. For a given statement this
    /// happens with probability below 2⁻²²⁰.
    #[error("a challenge is degenerate")]
    Challenge,
    /// The last check: commitments, evaluations, gates and permutation do not belong together, or
    /// the proof is about another key, input, output or job. The quotient identity is part of it:
    /// its value is computed from the evaluations and opened with them.
    #[error("the pairing check fails")]
    Pairing,
    /// The key contradicts itself. No [`VerifyingKey`](crate::VerifyingKey) does.
    #[error("the verifying key contradicts itself")]
    MalformedKey,
}

impl VerifyError {
    /// A word for programs; it never changes its meaning, while texts may.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Part => "part",
            Self::Whole => "whole",
            Self::Joint { .. } => "joint",
            Self::Single => "single",
            Self::ClaimCount { .. } => "claim-count",
            Self::Path { .. } => "path",
            Self::InsecureDevSrs => "insecure-srs",
            Self::UntrustedSrs { .. } => "untrusted-srs",
            Self::Model { .. } => "key",
            Self::InputVisibility { .. } => "input-visibility",
            Self::OutputVisibility { .. } => "output-visibility",
            Self::InputLength { .. } => "input-length",
            Self::OutputLength { .. } => "output-length",
            Self::InputRange { .. } => "input-range",
            Self::OutputRange { .. } => "output-range",
            Self::ProofLength { .. } => "proof-length",
            Self::Point { .. } => "proof-point",
            Self::Infinity { .. } => "proof-infinity",
            Self::Scalar { .. } => "proof-scalar",
            Self::Challenge => "challenge",
            Self::Pairing => "pairing",
            Self::MalformedKey => "malformed-key",
        }
    }
}

/// Why one part of a model is not continued by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PartError {
    /// The parts stand on different trusted setups, or have different numbers of rows.
    #[error("the parts have different trusted setups or numbers of rows")]
    Setup,
    /// One part gives another number of boundaries than the other takes.
    #[error("one part gives {expected} boundaries, the next takes {got}")]
    Count {
        /// Given.
        expected: usize,
        /// Taken.
        got: usize,
    },
    /// The parts do not agree on what the cells of a boundary mean.
    #[error("boundary {index} has another layout in the next part")]
    Layout {
        /// Position among the boundaries between the two.
        index: usize,
    },
    /// The boundary holds other values, or is blinded in another way.
    #[error("boundary {index} is committed to otherwise in the next part")]
    Commitment {
        /// Position among the boundaries between the two.
        index: usize,
    },
}

/// Why there is no commitment to some values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommitmentError {
    /// The number of values is not that of the tensors' elements.
    #[error("{got} values for {expected} elements")]
    Length {
        /// Elements of the tensors.
        expected: usize,
        /// Values given.
        got: usize,
    },
    /// A value outside its tensor's bounds.
    #[error("value {index} is {value}, outside {lo}..={hi}")]
    Range {
        /// Flat index.
        index: usize,
        /// The value.
        value: i64,
        /// Lower bound.
        lo: i64,
        /// Upper bound.
        hi: i64,
    },
}
