//! The file of a manifest: one JSON object, spelled in one way only.

use alloc::{format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    digest::{Digest, KeyDigest},
    hex::{ONE_SPELLING, array},
    parts::{MAX_PARTS, Manifest},
};

/// The version of the format: a change that moves a byte or the meaning of one makes a new one.
const FORMAT: u32 = 1;
/// Larger files are refused unread.
const MAX_BYTES: usize = 1 << 17;

/// Why bytes are no manifest of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// More bytes than a manifest has.
    #[error("{got} bytes, at most {limit} allowed")]
    TooLarge {
        /// The limit.
        limit: usize,
        /// The size.
        got: usize,
    },
    /// Not JSON, or not the JSON of a manifest.
    #[error("line {line}, column {column}: not a manifest of parts")]
    Json {
        /// Where, counted from 1.
        line: usize,
        /// Where, counted from 1.
        column: usize,
    },
    /// A version that this crate does not read.
    #[error("unsupported manifest version {got}")]
    Version {
        /// The version of the file.
        got: u32,
    },
    /// Fewer than two parts, or more than there may be.
    #[error("a manifest of {got} parts: from 2 to {limit} needed")]
    Size {
        /// The limit.
        limit: usize,
        /// How many it has.
        got: usize,
    },
    /// A field that is not the right number of lowercase hexadecimal digits.
    #[error("field {field} is not hexadecimal of the right length")]
    Hex {
        /// Which field.
        field: &'static str,
    },
    /// The same content has another, canonical spelling.
    #[error("the manifest was reformatted: {}", ONE_SPELLING)]
    NotCanonical,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: u32,
    model: String,
    parts: Vec<String>,
}

impl Manifest {
    /// Decodes a file. Any byte string is either refused or the encoding of exactly one manifest.
    ///
    /// # Errors
    /// [`ManifestError`], the first check that fails.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let got = bytes.len();
        if got > MAX_BYTES {
            return Err(ManifestError::TooLarge { limit: MAX_BYTES, got });
        }
        let Wire { format, model, parts } = serde_json::from_slice(bytes)
            .map_err(|error| ManifestError::Json { line: error.line(), column: error.column() })?;
        if format != FORMAT {
            return Err(ManifestError::Version { got: format });
        }
        let got = parts.len();
        if !(2..=MAX_PARTS).contains(&got) {
            return Err(ManifestError::Size { limit: MAX_PARTS, got });
        }
        let digest = |text: &String| Some(KeyDigest(Digest(array(text)?)));
        let refused = |field| ManifestError::Hex { field };
        let manifest = Self {
            model: Digest(array(&model).ok_or(refused("model"))?),
            parts: parts.iter().map(digest).collect::<Option<_>>().ok_or(refused("parts"))?,
        };
        if manifest.encode().as_bytes() == bytes {
            Ok(manifest)
        } else {
            Err(ManifestError::NotCanonical)
        }
    }

    /// The text of the file: one line of JSON without spaces, and a newline.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { model, parts } = self;
        let parts = parts.iter().map(|digest| format!("{digest}")).collect();
        let wire = Wire { format: FORMAT, model: format!("{model}"), parts };
        // Serializing strings and integers into memory cannot fail; an empty line is no manifest.
        let mut text = serde_json::to_string(&wire).unwrap_or_default();
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let parts = [2, 3].map(|byte| KeyDigest(Digest([byte; 32]))).to_vec();
        Manifest { model: Digest([1; 32]), parts }
    }

    #[test]
    fn every_manifest_has_one_spelling() {
        let text = manifest().encode();
        assert_eq!(Manifest::decode(text.as_bytes()), Ok(manifest()));
        let decode = |text: &str| Manifest::decode(text.as_bytes()).unwrap_err();
        for other in [text.trim_end(), &text.replace(':', ": "), &format!(" {text}")] {
            assert_eq!(decode(other), ManifestError::NotCanonical, "{other}");
        }
        let other = text.replace("\"format\":1", "\"format\":2");
        assert_eq!(decode(&other), ManifestError::Version { got: 2 });
        for (field, other) in [("model", "\"01"), ("parts", "\"02")] {
            let wrong = text.replacen(other, "\"0z", 1);
            assert_eq!(decode(&wrong), ManifestError::Hex { field });
            assert_eq!(decode(&text.replacen(other, "\"", 1)), ManifestError::Hex { field });
        }
        let third = format!(",\"{}\"]", "03".repeat(32));
        assert_eq!(
            decode(&text.replace(&third, "]")),
            ManifestError::Size { limit: MAX_PARTS, got: 1 }
        );
        let json = ManifestError::Json { line: 1, column: 0 };
        for wrong in ["", "{", "[1]", &text.replace("parts", "part"), &text.replace('1', "1.5")] {
            let found = decode(wrong);
            assert_eq!(core::mem::discriminant(&found), core::mem::discriminant(&json), "{wrong}");
        }
        let long = " ".repeat(MAX_BYTES + 1);
        assert_eq!(decode(&long), ManifestError::TooLarge { limit: MAX_BYTES, got: long.len() });
    }

    #[test]
    fn the_root_is_of_everything_in_its_order() {
        let changes: [fn(&mut Manifest); 4] = [
            |of| of.model = Digest([9; 32]),
            |of| of.parts.swap(0, 1),
            |of| of.parts.push(KeyDigest(Digest([4; 32]))),
            |of| of.parts.truncate(1),
        ];
        let honest = manifest().root();
        for change in changes {
            let mut other = manifest();
            change(&mut other);
            assert_ne!(other.root(), honest, "{other:?}");
        }
    }
}
