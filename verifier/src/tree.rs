//! The tree over the claims of one proof.
//!
//! A leaf is the Poseidon sponge over the claim's index, the two public values of its binding, the
//! commitment to its inputs and that to its outputs. A node is the Poseidon hash of its two children.
//! The left subtree of a node has the largest power of two of leaves that is smaller than all of the
//! node's (the shape of RFC 6962), so a lone node goes up unhashed.

use alloc::vec::Vec;

use ark_bn254::Fr;
use ark_ff::{PrimeField, Zero};

use crate::{
    claim::{ClaimedValues, InferenceClaim},
    poseidon::Poseidon,
};

/// Separates leaves from every other use of the sponge; fills the capacity's upper bytes.
const DOMAIN: &[u8; 16] = b"zkinfer.claims.1";

/// What the capacity of a leaf's sponge begins with.
#[must_use]
pub fn leaf_capacity() -> Fr {
    Fr::from_be_bytes_mod_order(DOMAIN)
}

/// The hash of the tree; its constants are drawn once.
#[derive(Clone, Debug, Default)]
pub struct Tree(Poseidon);

impl Tree {
    /// The root of the tree over `claims`; `None` for no claims, or where one shows its values.
    #[must_use]
    pub fn root(&self, claims: &[InferenceClaim]) -> Option<Fr> {
        self.root_of(&self.leaves(claims)?)
    }

    /// For each claim the siblings of its leaf on the way to the root, the lowest first; `None` for no
    /// claims, or where one shows its values.
    #[must_use]
    pub fn paths(&self, claims: &[InferenceClaim]) -> Option<Vec<Vec<Fr>>> {
        let leaves = self.leaves(claims)?;
        let mut paths = alloc::vec![Vec::new(); leaves.len()];
        self.gather(&leaves, &mut paths)?;
        Some(paths)
    }

    /// The root above some leaves, each of whose paths gets its siblings below that root.
    fn gather(&self, leaves: &[Fr], paths: &mut [Vec<Fr>]) -> Option<Fr> {
        if let [only] = leaves {
            return Some(*only);
        }
        let middle = left_leaves(leaves.len());
        let (left, right) = leaves.split_at_checked(middle)?;
        let (of_left, of_right) = paths.split_at_mut_checked(middle)?;
        let (left, right) = (self.gather(left, of_left)?, self.gather(right, of_right)?);
        of_left.iter_mut().for_each(|path| path.push(right));
        of_right.iter_mut().for_each(|path| path.push(left));
        Some(self.node(left, right))
    }

    fn leaves(&self, claims: &[InferenceClaim]) -> Option<Vec<Fr>> {
        claims.iter().enumerate().map(|(index, claim)| self.leaf(index, claim)).collect()
    }

    /// The leaf of a claim; `None` where it shows its values.
    pub(crate) fn leaf(&self, index: usize, claim: &InferenceClaim) -> Option<Fr> {
        let committed = |values: &ClaimedValues| match values {
            ClaimedValues::Committed(commitment) => Some(commitment.to_scalar()),
            ClaimedValues::Public(_) => None,
        };
        let [low, high] = claim.binding.limbs().map(Fr::from);
        let index = Fr::from(u64::try_from(index).ok()?);
        let elements = [index, low, high, committed(&claim.input)?, committed(&claim.output)?];
        Some(self.0.sponge(leaf_capacity(), &elements))
    }

    /// The first element of the permutation of `[0, left, right]`.
    fn node(&self, left: Fr, right: Fr) -> Fr {
        let [hash, _, _] = self.0.permute([Fr::zero(), left, right]);
        hash
    }

    fn root_of(&self, nodes: &[Fr]) -> Option<Fr> {
        match nodes {
            [] => None,
            [only] => Some(*only),
            _ => {
                let (left, right) = nodes.split_at_checked(left_leaves(nodes.len()))?;
                Some(self.node(self.root_of(left)?, self.root_of(right)?))
            }
        }
    }

    /// The root above leaf `index` of `leaves`; `None` unless the path is as long as it must be.
    pub(crate) fn climb(&self, leaf: Fr, index: usize, leaves: usize, path: &[Fr]) -> Option<Fr> {
        if index >= leaves {
            return None;
        }
        let Some((&sibling, below)) = path.split_last() else {
            return (leaves == 1).then_some(leaf);
        };
        if leaves == 1 {
            return None;
        }
        let left = left_leaves(leaves);
        match index.checked_sub(left) {
            None => Some(self.node(self.climb(leaf, index, left, below)?, sibling)),
            Some(index) => {
                let right = self.climb(leaf, index, leaves.checked_sub(left)?, below)?;
                Some(self.node(sibling, right))
            }
        }
    }
}

/// The largest power of two below `leaves`, of which there are at least two.
fn left_leaves(leaves: usize) -> usize {
    leaves.div_ceil(2).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use ark_ff::MontFp;

    use super::*;
    use crate::{
        claim::JobBinding,
        commitment::Commitment,
        digest::{Digest, KeyDigest},
    };

    fn claims(count: u64) -> Vec<InferenceClaim> {
        let committed = |seed| ClaimedValues::Committed(Commitment::from_scalar(Fr::from(seed)));
        let claim = |index: u64| InferenceClaim {
            model: KeyDigest(Digest([1; 32])),
            input: committed(100 + index),
            output: committed(200 + index),
            binding: JobBinding { nonce: index, ..JobBinding::NONE },
        };
        (0..count).map(claim).collect()
    }

    #[test]
    fn every_leaf_of_every_tree_has_its_path_and_no_other() {
        let tree = Tree::default();
        for count in [1, 2, 3, 5, 7, 8] {
            let claims = claims(count);
            let root = tree.root(&claims).unwrap();
            let paths = tree.paths(&claims).unwrap();
            for (index, (claim, path)) in claims.iter().zip(paths).enumerate() {
                let leaf = tree.leaf(index, claim).unwrap();
                let climb = |index, path: &[Fr]| tree.climb(leaf, index, claims.len(), path);
                assert_eq!(climb(index, &path), Some(root), "{index} of {count}");
                for other in (0..=claims.len()).filter(|&other| other != index) {
                    assert_ne!(climb(other, &path), Some(root), "{index} as {other} of {count}");
                }
                let longer = [&path[..], &[root]].concat();
                assert_eq!(climb(index, &longer), None);
                if let Some((_, shorter)) = path.split_last() {
                    assert_eq!(climb(index, shorter), None);
                }
            }
        }
        assert_eq!((tree.root(&[]), tree.paths(&[])), (None, None));
    }

    /// Each node is hashed once for all paths: one by one they would take minutes.
    #[test]
    fn many_claims_have_their_places_at_once() {
        let (tree, claims) = (Tree::default(), claims(1_000));
        let (root, paths) = (tree.root(&claims), tree.paths(&claims).unwrap());
        for index in [0, 1, 511, 512, 999] {
            let leaf = tree.leaf(index, &claims[index]).unwrap();
            assert_eq!(tree.climb(leaf, index, claims.len(), &paths[index]), root, "{index}");
        }
    }

    /// A lone node goes up unhashed: of five leaves, the last is a child of the root.
    #[test]
    fn the_tree_has_the_documented_shape() {
        let tree = Tree::default();
        let claims = claims(5);
        let leaves = tree.leaves(&claims).unwrap();
        let four = tree.root_of(&leaves[..4]).unwrap();
        let halves = tree.node(tree.node(leaves[0], leaves[1]), tree.node(leaves[2], leaves[3]));
        assert_eq!(four, halves);
        assert_eq!(tree.root(&claims).unwrap(), tree.node(four, leaves[4]));
        assert_eq!(tree.paths(&claims).unwrap()[4], [four]);
        let seven = self::claims(7);
        let leaves = tree.leaves(&seven).unwrap();
        let pair = |left: usize| tree.node(leaves[left], leaves[left + 1]);
        let halves = [tree.node(pair(0), pair(2)), tree.node(pair(4), leaves[6])];
        assert_eq!(tree.root(&seven).unwrap(), tree.node(halves[0], halves[1]));
        let one_two =
            MontFp!("7853200120776062878684798364095072458815029376092732009249414926327459813530");
        assert_eq!(tree.node(Fr::from(1), Fr::from(2)), one_two, "circomlib's Poseidon(2)");
    }
}
