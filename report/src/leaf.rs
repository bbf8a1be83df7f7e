//! Where a claim is among those of its proof.

use std::fmt;

use serde::Serialize;
use zkinfer::verifier::{Commitment, ProofFile, VerifyingKey};

/// The place of a claim of a proof of several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeafReport {
    /// Index of the claim, from 0 on.
    pub index: u32,
    /// How many claims the proof is about, as the key says.
    pub claims: u32,
    /// The root of all claims, the same in the files of one proof; `None` where the file's path leads
    /// to none.
    pub root: Option<String>,
}

impl LeafReport {
    /// What a file says under this key; `None` where its proof is about one claim.
    #[must_use]
    pub fn new(key: &VerifyingKey, file: &ProofFile) -> Option<Self> {
        let claims = key.parts().layout.claims;
        let leaf = file.leaf.as_ref()?;
        let root =
            leaf.root(&file.claim, claims).map(|root| Commitment::from_scalar(root).to_string());
        Some(Self { index: leaf.index, claims, root })
    }
}

impl fmt::Display for LeafReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, claims, root: _ } = self;
        write!(f, "claim {index} of {claims} in one proof (counted from 0), without the others")
    }
}
