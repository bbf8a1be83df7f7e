//! The compiled contracts. `build.mjs` makes them from `solidity`, and checks that they are so made.

use zkinfer_verifier::SrsDigest;

/// ABI and creation code of `ZkinferVerifier`, as JSON.
pub const VERIFIER: &str = include_str!("../artifacts/ZkinferVerifier.json");

/// ABI and creation code of `ZkinferEscrow`, as JSON.
pub const ESCROW: &str = include_str!("../artifacts/ZkinferEscrow.json");

/// ABI and creation code of `ZkinferOpening`, as JSON.
pub const OPENING: &str = include_str!("../artifacts/ZkinferOpening.json");

fn bytecode(artifact: &str) -> &str {
    let (_, rest) = artifact.split_once("\"bytecode\": \"").unwrap_or_default();
    let (code, _) = rest.split_once('"').unwrap_or_default();
    code
}

/// The creation code of the verifier for keys of one trusted setup, in hexadecimal digits.
#[must_use]
pub fn creation_code(srs: SrsDigest) -> String {
    format!("{}{srs}", bytecode(VERIFIER))
}

/// The creation code of `ZkinferOpening`, without its arguments.
pub(crate) fn opening_code() -> &'static str {
    bytecode(OPENING)
}

/// The creation code of an escrow that believes the verifier, and what opens commitments, at these
/// addresses, in hexadecimal digits.
#[must_use]
pub fn escrow_creation_code(verifier: [u8; 20], opening: [u8; 20]) -> String {
    let word = |address: [u8; 20]| -> String {
        let digits: String = address.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{digits:0>64}")
    };
    format!("{}{}{}", bytecode(ESCROW), word(verifier), word(opening))
}
