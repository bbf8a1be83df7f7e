//! What can be wrong with an SRS or its file.

use std::{fmt, io};

use thiserror::Error;

/// Why an SRS could not be made, read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SrsError {
    /// A circuit needs more powers of τ than there are.
    #[error(
        "2^{requested_k} powers of τ are needed, the SRS has 2^{available_k}; import a larger one"
    )]
    TooFewPowers {
        /// What was asked for.
        requested_k: u32,
        /// The largest that would be possible.
        available_k: u32,
    },
    /// No SRS can be that large on this curve.
    #[error("k = {k} is above {}, the largest that the scalar field allows", super::MAX_K)]
    TooLarge {
        /// What was asked for.
        k: u32,
    },
    /// A file without content.
    #[error("the SRS file is empty")]
    Empty,
    /// The file does not begin as an SRS file of this version.
    #[error("not a zkinfer SRS file of this version; `.ptau` files are read by `srs import`")]
    Magic,
    /// The file ends early or has bytes left over.
    #[error("the SRS file for k = {k} must have {expected} bytes")]
    Length {
        /// The file's own `k`.
        k: u32,
        /// The size that follows from it.
        expected: u64,
    },
    /// The points are not the ones that were written.
    #[error("the SRS file is damaged: its digest does not match its points")]
    Digest,
    /// A point is not canonical or not on the curve.
    #[error("point {index} of the SRS file is not a point of the group")]
    Point {
        /// Position in the file.
        index: u64,
    },
    /// Nobody has contributed to the secret.
    #[error(
        "the SRS file is of a ceremony without a contribution: τ is 1, anybody can forge proofs"
    )]
    NoContribution,
    /// The points are no powers of the τ of `[τ]₂`, or the Lagrange basis is not theirs.
    #[error("the SRS file is not consistent: its points do not belong to its [τ]₂")]
    Inconsistent,
    /// A well-formed file of another SRS.
    #[error("the SRS file holds {found} for k = {found_k}, not {expected} for k = {expected_k}")]
    Other {
        /// The ceremony that is wanted.
        expected: super::Ceremony,
        /// The `k` that is wanted.
        expected_k: u32,
        /// The ceremony in the file.
        found: super::Ceremony,
        /// The `k` in the file.
        found_k: u32,
    },
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A point of a `.ptau` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PtauPoint {
    /// `[τ^i]₁`.
    TauG1(u64),
    /// `[τ^i]₂`.
    TauG2(u64),
}

impl fmt::Display for PtauPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TauG1(index) => write!(f, "[τ^{index}]₁"),
            Self::TauG2(index) => write!(f, "[τ^{index}]₂"),
        }
    }
}

/// Why a `.ptau` file was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PtauError {
    /// A file without content.
    #[error("the file is empty")]
    Empty,
    /// The file ends before its list of sections begins.
    #[error("the file is cut short: it has {length} bytes")]
    Cut {
        /// Bytes of the file.
        length: u64,
    },
    /// The file does not begin with `ptau`.
    #[error("not a .ptau file: it begins with {got:02x?}, not with \"ptau\"")]
    Magic {
        /// The first four bytes.
        got: [u8; 4],
    },
    /// A version other than 1.
    #[error(".ptau version {got} is not supported, only version 1")]
    Version {
        /// What the file says.
        got: u32,
    },
    /// A section reaches beyond the end of the file.
    #[error(
        "the file is cut short: section {id} claims {length} bytes, {remaining} are left in the file"
    )]
    Truncated {
        /// The section.
        id: u32,
        /// The length it claims.
        length: u64,
        /// What there is.
        remaining: u64,
    },
    /// The file ends within the list of sections.
    #[error("the file is cut short: it ends where section {index} of {count} should begin")]
    TruncatedTable {
        /// Sections found so far.
        index: u32,
        /// Sections announced.
        count: u32,
    },
    /// A section that is needed occurs twice.
    #[error("section {id} occurs twice")]
    Duplicate {
        /// The section.
        id: u32,
    },
    /// A section that is needed is not there.
    #[error("section {id} is missing")]
    Missing {
        /// The section.
        id: u32,
    },
    /// A section has not the size that the header implies.
    #[error("section {id} has {got} bytes, the header implies {expected}")]
    SectionSize {
        /// The section.
        id: u32,
        /// From the header.
        expected: u64,
        /// In the file.
        got: u64,
    },
    /// The header's length is not what its field takes.
    #[error("section 1, the header, is malformed")]
    Header,
    /// Powers of another curve than BN254.
    #[error(
        "the powers are of {}, not of BN254 (also called bn128, alt_bn128)",
        if *is_bls12_381 { "the curve BLS12-381".to_owned() }
        else { format!("another curve, over a field of {} bits", width * 8) }
    )]
    Curve {
        /// Whether it is BLS12-381.
        is_bls12_381: bool,
        /// Bytes of an element of its base field.
        width: u64,
    },
    /// Nobody has contributed to the secret.
    #[error(
        "nobody has contributed to this ceremony: its secret τ is 1, so anybody can forge proofs; \
         take the file of a finished ceremony"
    )]
    NoContribution,
    /// A size that no ceremony on this curve can have.
    #[error("the header says 2^{power} powers, at most 2^{} are possible", super::MAX_K)]
    Power {
        /// What the header says.
        power: u32,
    },
    /// More powers are wanted than the file holds.
    #[error("2^{requested_k} powers of τ are needed, the file serves up to 2^{available_k}")]
    TooFewPowers {
        /// What was asked for.
        requested_k: u32,
        /// The largest that the file serves.
        available_k: u32,
    },
    /// A coordinate is not below the field's modulus.
    #[error("a coordinate of {point} is not below the modulus")]
    NonCanonical {
        /// Which point.
        point: PtauPoint,
    },
    /// A point does not satisfy the curve equation.
    #[error("{point} is not on the curve")]
    OffCurve {
        /// Which point.
        point: PtauPoint,
    },
    /// A point is the identity.
    #[error("{point} is the point at infinity")]
    Identity {
        /// Which point.
        point: PtauPoint,
    },
    /// A point of G2 is on the curve but outside the prime-order group.
    #[error("{point} is not in the prime-order subgroup")]
    Subgroup {
        /// Which point.
        point: PtauPoint,
    },
    /// The powers do not begin with the generator.
    #[error("{point} is not the generator")]
    Generator {
        /// Which point.
        point: PtauPoint,
    },
    /// Neighbouring powers do not differ by the factor τ of `[τ]₂`.
    #[error("the powers from [τ^{first}]₁ to [τ^{last}]₁ are not successive powers of one τ")]
    Ratio {
        /// First power of the group that fails the pairing check.
        first: u64,
        /// Last power of the group.
        last: u64,
    },
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}
