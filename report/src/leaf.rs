//! Where a claim is among those of its proof.

use std::fmt;

use serde::Serialize;
use zkinfer::verifier::{ProofFile, VerifyingKey};

/// The place of a claim of a proof of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LeafReport {
    /// Index of the claim, from 0 on.
    pub index: u32,
    /// How many claims the proof is about, as the key says.
    pub claims: u32,
}

impl LeafReport {
    /// What a file says under this key; `None` where its proof is about one claim.
    #[must_use]
    pub fn new(key: &VerifyingKey, file: &ProofFile) -> Option<Self> {
        let claims = key.parts().layout.claims;
        file.leaf.as_ref().map(|leaf| Self { index: leaf.index, claims })
    }
}

impl fmt::Display for LeafReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, claims } = self;
        write!(f, "claim {index} of {claims} in one proof (counted from 0), without the others")
    }
}
