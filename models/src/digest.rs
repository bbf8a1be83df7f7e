//! The name of a model file in a key.

use sha3::{Digest as _, Keccak256};

/// Keccak-256 of an ONNX file's bytes.
#[must_use]
pub fn model_digest(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}
