//! Several claims in one proof.
//!
//! The only public value of such a proof is the root of a [tree](Tree) over its claims, all of whose
//! inputs and outputs are committed. Whoever knows one claim and its path checks it without seeing
//! the others.

use alloc::vec::Vec;

use ark_bn254::Fr;

pub use crate::tree::{Tree, leaf_capacity};
use crate::{
    claim::InferenceClaim,
    error::VerifyError,
    key::VerifyingKey,
    proof::Proof,
    srs::SrsPolicy,
    verify::{Checked, VerifiedInference, check_claim, trust},
};

/// Checks that `proof` proves all `claims`, in their order, under a key of as many claims.
///
/// # Errors
/// The first check that fails, in the order of the variants of [`VerifyError`].
pub fn verify_joint(
    key: &VerifyingKey,
    claims: &[InferenceClaim],
    proof: &Proof,
    policy: SrsPolicy,
) -> Result<Vec<VerifiedInference>, VerifyError> {
    check_key(key)?;
    let (expected, got) = (claim_count(key), claims.len());
    if expected != got {
        return Err(VerifyError::ClaimCount { expected, got });
    }
    let trusted = trust(key, policy)?;
    claims.iter().try_for_each(|claim| check_claim(key, claim))?;
    let root = Tree::default().root(claims).ok_or(VerifyError::ClaimCount { expected, got })?;
    Checked::of(key, &[root], proof, trusted)?.pairing(key)?;
    Ok(claims.iter().map(|claim| VerifiedInference::new(key, claim, trusted)).collect())
}

/// The place of a claim among those of its proof. With it, the claim is checked without the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Index of the claim, from 0 on.
    pub index: u32,
    /// The siblings of its leaf on the way to the root, the lowest first.
    pub path: Vec<Fr>,
}

impl Leaf {
    /// The places of all claims, in their order; `None` for no claims, or where one shows its
    /// values.
    #[must_use]
    pub fn of_all(claims: &[InferenceClaim]) -> Option<Vec<Self>> {
        let leaf = |(index, path)| Some(Self { index: u32::try_from(index).ok()?, path });
        Tree::default().paths(claims)?.into_iter().enumerate().map(leaf).collect()
    }

    /// The root of the tree over `claims` claims of which `claim` is the one at this place; `None`
    /// where there is no such place, or the claim shows its values.
    #[must_use]
    pub fn root(&self, claim: &InferenceClaim, claims: u32) -> Option<Fr> {
        let tree = Tree::default();
        let (index, claims) = (usize::try_from(self.index).ok()?, usize::try_from(claims).ok()?);
        tree.climb(tree.leaf(index, claim)?, index, claims, &self.path)
    }
}

/// Checks that `proof` proves `claim`, which is the one at this place. The same claim may be proven
/// at another place too.
///
/// # Errors
/// The first check that fails, in the order of the variants of [`VerifyError`].
pub fn verify_leaf(
    key: &VerifyingKey,
    claim: &InferenceClaim,
    leaf: &Leaf,
    proof: &Proof,
    policy: SrsPolicy,
) -> Result<VerifiedInference, VerifyError> {
    check_leaf(key, claim, leaf, proof, policy)?.finish(key, claim)
}

/// Checks everything but the pairing.
pub(crate) fn check_leaf(
    key: &VerifyingKey,
    claim: &InferenceClaim,
    leaf: &Leaf,
    proof: &Proof,
    policy: SrsPolicy,
) -> Result<Checked, VerifyError> {
    check_key(key)?;
    let trusted = trust(key, policy)?;
    check_claim(key, claim)?;
    let index = usize::try_from(leaf.index).unwrap_or(usize::MAX);
    let refused = VerifyError::Path { claims: claim_count(key), index };
    let root = leaf.root(claim, key.parts().layout.claims).ok_or(refused)?;
    Checked::of(key, &[root], proof, trusted)
}

fn check_key(key: &VerifyingKey) -> Result<(), VerifyError> {
    if !key.parts().boundaries.is_empty() {
        return Err(VerifyError::Part);
    }
    if claim_count(key) == 1 { Err(VerifyError::Single) } else { Ok(()) }
}

fn claim_count(key: &VerifyingKey) -> usize {
    usize::try_from(key.parts().layout.claims).unwrap_or(usize::MAX)
}
