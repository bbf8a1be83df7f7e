//! Why a model cannot be split, or its parts are not what they should be.

use std::{fmt, path::PathBuf};

use thiserror::Error;
use zkinfer_prover::PROOFS_A_SIDE;
use zkinfer_verifier::{Digest, KeyDigest, ManifestError, SrsDigest};

/// Why a model cannot be split, or a part of it cannot be proven.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SplitError {
    /// A file is no manifest of parts.
    #[error("cannot use {} as a manifest of parts", .path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ManifestError,
    },
    /// Another manifest lies where this one belongs.
    #[error("{} is the manifest of other parts", .path.display())]
    AnotherManifest {
        /// The file.
        path: PathBuf,
    },
    /// Parts of another model.
    #[error("the manifest is of the ONNX file {expected}, this one is {got}")]
    AnotherModel {
        /// The digest in the manifest.
        expected: Digest,
        /// The digest of the model.
        got: Digest,
    },
    /// A key that is not that of its part.
    #[error("{} is the key {got}, the manifest has {expected} there", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The digest in the manifest.
        expected: KeyDigest,
        /// The digest of the key.
        got: KeyDigest,
    },
    /// More parts than layers, or none.
    #[error("the model cannot be split into {count} parts: it has fewer layers")]
    TooMany {
        /// Parts asked for.
        count: u32,
    },
    /// A part that there is not.
    #[error("there is no part {index}: the {count} parts are counted from 0")]
    NoSuchPart {
        /// The part.
        index: usize,
        /// Parts of the manifest.
        count: usize,
    },
    /// Parts of proofs of several claims.
    #[error("a proof of several claims is about a whole model: parts are proven one by one")]
    Joint,
    /// Settings of a part where those of the whole model are asked for.
    #[error(
        "the settings are of part {index} of {count}: it is proven with its manifest and links alone"
    )]
    SettingsOfPart {
        /// The part.
        index: u32,
        /// Parts of the model.
        count: u32,
    },
    /// Settings of a whole model where those of a part belong.
    #[error("{} is of the whole model, not of a part of it", .path.display())]
    SettingsOfWhole {
        /// The file.
        path: PathBuf,
    },
    /// Settings of another part than the one that is asked for.
    #[error("{} is of part {index} of {count}, not of the part that is asked for", .path.display())]
    SettingsOfAnotherPart {
        /// The file.
        path: PathBuf,
        /// The part that it is of.
        index: u32,
        /// Parts of its model.
        count: u32,
    },
    /// An input that a part does not take, or none for the part that does.
    #[error("{}", if *wanted {
        "the first part is proven on the input of the model, which is not given"
    } else {
        "a part behind the first takes what its link holds, and no other input"
    })]
    Input {
        /// The part.
        index: usize,
        /// Whether it takes an input.
        wanted: bool,
    },
    /// Integers that a part cannot take: too few of them, or too many.
    #[error("the part takes {expected} integers, {got} are given")]
    Taken {
        /// How many it takes.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// Another trusted setup than that of the parts.
    #[error("the parts are under the setup {expected}, this one is {got}")]
    Srs {
        /// Of the parts' keys.
        expected: SrsDigest,
        /// Of the setup at hand.
        got: SrsDigest,
    },
    /// A link that does not serve.
    #[error("{}: {fault}", .path.display())]
    Link {
        /// The file.
        path: PathBuf,
        /// Why not.
        fault: LinkFault,
    },
}

/// What is wrong with a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkFault {
    /// There is no such file.
    Missing,
    /// There is such a file already, of this run or another.
    Exists,
    /// It is no link, or of another format.
    Malformed,
    /// It belongs to other parts.
    OfOtherParts,
    /// It holds another number of values or columns than the boundary has.
    Size,
    /// It holds other values than the part before it gives.
    OtherValues,
    /// It has blinded as many proofs of the part as it may.
    UsedUp {
        /// The part.
        part: usize,
    },
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no such link of a run of the model"),
            Self::Exists => f.write_str("it is already there"),
            Self::Malformed => f.write_str("it is no link, or of another version"),
            Self::OfOtherParts => f.write_str("it belongs to another manifest or another place"),
            Self::Size => f.write_str("it holds more or fewer values than go between these parts"),
            Self::OtherValues => {
                f.write_str("it holds other values than this part gives: it is of another input")
            }
            Self::UsedUp { part } => write!(
                f,
                "it has blinded {PROOFS_A_SIDE} proofs of part {part}; make new links, with which \
                 both parts are proven again"
            ),
        }
    }
}
