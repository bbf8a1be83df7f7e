//! What opens the commitments of a claim, and the `.zkopening` file that carries it to whoever may
//! know the values.

use alloc::{format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    claim::{ClaimedValues, InferenceClaim},
    commitment::{Blinding, Commitment, Opening},
    digest::{Digest, KeyDigest},
    error::CommitmentError,
    hex::{ONE_SPELLING, array, hex},
    key::VerifyingKey,
    layout::TensorLayout,
};

/// The version of the file format. A change that moves a byte or the meaning of one changes it.
const VERSION: u32 = 1;
/// Larger files are refused unread.
const MAX_BYTES: usize = 1 << 26;

/// Openings of committed inputs and outputs under one key. Secret: who reads this knows the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Openings {
    /// The key whose tensors the values are of.
    pub key: KeyDigest,
    /// Of the inputs, where they are committed to.
    pub input: Option<Opening>,
    /// Of the outputs, where they are committed to.
    pub output: Option<Opening>,
}

impl Openings {
    /// Whether these open every commitment of `claim` that they are about. Whether the claim is
    /// true is for [`verify`](crate::verify).
    ///
    /// # Errors
    /// [`OpeningError::Key`], [`OpeningError::Values`], [`OpeningError::Public`] or
    /// [`OpeningError::Commitment`].
    pub fn check(&self, key: &VerifyingKey, claim: &InferenceClaim) -> Result<(), OpeningError> {
        let (expected, got) = (key.digest(), self.key);
        if expected != got {
            return Err(OpeningError::Key { expected, got });
        }
        let layout = &key.parts().layout;
        opens("input", self.input.as_ref(), &layout.inputs, &claim.input)?;
        opens("output", self.output.as_ref(), &layout.outputs, &claim.output)
    }

    /// Decodes a file. Any byte string is either refused or the encoding of exactly one content.
    ///
    /// # Errors
    /// [`OpeningError`], the first check that fails.
    pub fn decode(bytes: &[u8]) -> Result<Self, OpeningError> {
        let got = bytes.len();
        if got > MAX_BYTES {
            return Err(OpeningError::TooLarge { limit: MAX_BYTES, got });
        }
        let wire: Wire = serde_json::from_slice(bytes)
            .map_err(|error| OpeningError::Json { line: error.line(), column: error.column() })?;
        let Wire { format, key, input, output } = wire;
        if format != VERSION {
            return Err(OpeningError::Version { got: format });
        }
        let openings = Self {
            key: KeyDigest(Digest(array(&key).ok_or(OpeningError::Hex { field: "key" })?)),
            input: input.map(|opening| opening.decode("input.blinding")).transpose()?,
            output: output.map(|opening| opening.decode("output.blinding")).transpose()?,
        };
        let canonical = openings.encode().as_bytes() == bytes;
        if canonical { Ok(openings) } else { Err(OpeningError::NotCanonical) }
    }

    /// The text of the file: one line of JSON without spaces, and a newline.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { key, input, output } = self;
        let wire = Wire {
            format: VERSION,
            key: format!("{key}"),
            input: input.as_ref().map(WireOpening::new),
            output: output.as_ref().map(WireOpening::new),
        };
        // Serializing strings and integers into memory cannot fail; an empty line is no such file.
        let mut text = serde_json::to_string(&wire).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Why a `.zkopening` file is refused, or does not open a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpeningError {
    /// The file is larger than any such file.
    #[error("{got} bytes, at most {limit} allowed")]
    TooLarge {
        /// The limit.
        limit: usize,
        /// The size.
        got: usize,
    },
    /// Not JSON, or not the JSON of an opening.
    #[error("line {line}, column {column}: not an opening file")]
    Json {
        /// Where, counted from 1.
        line: usize,
        /// Where, counted from 1.
        column: usize,
    },
    /// A version that this crate does not read.
    #[error("unsupported opening file version {got}")]
    Version {
        /// The version of the file.
        got: u32,
    },
    /// A field that is not the right number of lowercase hexadecimal digits, or no field element.
    #[error("field {field} is not hexadecimal of the right length or size")]
    Hex {
        /// Which field.
        field: &'static str,
    },
    /// The same content has another, canonical spelling.
    #[error("the opening file was reformatted: {}", ONE_SPELLING)]
    NotCanonical,
    /// The opening is under another key.
    #[error("an opening under key {got}, not {expected}")]
    Key {
        /// The key at hand.
        expected: KeyDigest,
        /// The key that the opening names.
        got: KeyDigest,
    },
    /// The values are not values of the key's tensors.
    #[error("the opened {side} does not fit the key: {source}")]
    Values {
        /// `"input"` or `"output"`.
        side: &'static str,
        /// What is wrong with them.
        source: CommitmentError,
    },
    /// The claim shows what is opened.
    #[error("the claim's {side} is public, there is nothing to open")]
    Public {
        /// `"input"` or `"output"`.
        side: &'static str,
    },
    /// The opening is of other values, or of another blinding.
    #[error("the opening is of {side} {got}, the claim is about {expected}")]
    Commitment {
        /// `"input"` or `"output"`.
        side: &'static str,
        /// The claim's commitment.
        expected: Commitment,
        /// What the opening commits to.
        got: Commitment,
    },
}

fn opens(
    side: &'static str,
    opening: Option<&Opening>,
    tensors: &[TensorLayout],
    claimed: &ClaimedValues,
) -> Result<(), OpeningError> {
    let Some(opening) = opening else {
        return Ok(());
    };
    let ClaimedValues::Committed(expected) = *claimed else {
        return Err(OpeningError::Public { side });
    };
    let got =
        opening.commitment(tensors).map_err(|source| OpeningError::Values { side, source })?;
    if expected == got { Ok(()) } else { Err(OpeningError::Commitment { side, expected, got }) }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: u32,
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<WireOpening>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<WireOpening>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireOpening {
    blinding: String,
    values: Vec<i64>,
}

impl WireOpening {
    fn new(opening: &Opening) -> Self {
        Self { blinding: hex(&opening.blinding.to_bytes()), values: opening.values.clone() }
    }

    fn decode(self, field: &'static str) -> Result<Opening, OpeningError> {
        let blinding = array(&self.blinding).and_then(|bytes| Blinding::from_bytes(&bytes));
        let blinding = blinding.ok_or(OpeningError::Hex { field })?;
        Ok(Opening { values: self.values, blinding })
    }
}
