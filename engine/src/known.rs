//! What is known of a key before it is made, so that it need not be computed again.

use std::io::{Read, Write};

use halo2_proofs::halo2curves::bn256::G1Affine;

/// What an earlier key of the same circuit has found.
///
/// Nobody believes it. Where the commitments are not those of the circuit's columns, or what was
/// kept are not multiples of the SRS, proofs do not verify: whoever uses it verifies every proof
/// against a key that he has from elsewhere.
#[derive(Clone, Copy, Default)]
#[expect(missing_debug_implementations, reason = "how things are kept is the caller's")]
pub struct Known<'a> {
    /// The commitments of the key.
    pub commitments: Option<&'a KeyCommitments>,
    /// Where tables of multiples of the SRS are kept: of this SRS and this many rows, and of nothing
    /// else.
    pub store: Option<&'a dyn Store>,
}

/// The commitments of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCommitments {
    /// To the fixed columns, in order.
    pub fixed: Vec<G1Affine>,
    /// To the columns of the permutation argument.
    pub permutation: Vec<G1Affine>,
}

/// Keeps what takes time to make, by name.
pub trait Store: Sync {
    /// What was kept under this name.
    fn read(&self, name: &str) -> Option<Box<dyn Read + '_>>;
    /// Keeps what `write` writes. A store that cannot is no error: it is made again.
    fn write(&self, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> std::io::Result<()>);
}
