//! Digests of files, as keys and reports name them.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha3::{Digest as _, Keccak256};

/// Keccak-256 of an ONNX file's bytes.
#[must_use]
pub fn model_digest(bytes: &[u8]) -> [u8; 32] {
    keccak256(&[bytes])
}

/// Keccak-256 of the concatenation of `parts`.
pub(crate) fn keccak256(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = Keccak256::new();
    parts.iter().for_each(|part| state.update(part));
    state.finalize().into()
}

/// A digest that is written as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HexDigest(pub [u8; 32]);

impl std::fmt::Display for HexDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for HexDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HexDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(Self).ok_or_else(|| D::Error::custom("expected 64 hexadecimal digits"))
    }
}

fn parse(text: &str) -> Option<[u8; 32]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let bytes = pairs.iter().map(|&[high, low]| Some(nibble(high)? << 4 | nibble(low)?));
    bytes.collect::<Option<Vec<u8>>>()?.try_into().ok()
}
