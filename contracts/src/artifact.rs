//! The compiled contracts. `build.mjs` makes them from `solidity`, and checks that they are so made.

use zkinfer_verifier::SrsDigest;

/// ABI and creation code of `ZkinferVerifier`, as JSON.
pub const VERIFIER: &str = include_str!("../artifacts/ZkinferVerifier.json");

/// The creation code of the verifier for keys of one trusted setup, in hexadecimal digits.
///
/// # Panics
/// Never: the artifact is part of the crate, and a test reads it.
#[must_use]
pub fn creation_code(srs: SrsDigest) -> String {
    let (_, rest) = VERIFIER.split_once("\"bytecode\": \"").unwrap_or_default();
    let (code, _) = rest.split_once('"').unwrap_or_default();
    format!("{code}{srs}")
}
