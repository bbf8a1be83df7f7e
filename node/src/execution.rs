//! The digest of a whole run: a Merkle root over its tensors.
//!
//! A leaf is Keccak-256 of the byte `00`, the tensor's index and its number of elements in 64 bits
//! each, and its elements in 64 bits each, big-endian. A node is Keccak-256 of the byte `01` and its
//! two children. A tree of n > 1 leaves has the largest power of two below n on its left. No leaf is
//! promoted or repeated. A root does not say how many leaves it has: who checks a path must know.

use zkinfer::verifier::keccak256;

use crate::encoding::Hex;

/// What shows that a tensor is one of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// Index of the tensor.
    pub index: usize,
    /// How many tensors the run has.
    pub count: usize,
    /// The other children on the way from the leaf to the root.
    pub path: Vec<[u8; 32]>,
}

/// The root over all tensors of a run.
#[must_use]
pub fn execution_root(values: &[Vec<i64>]) -> Hex<32> {
    Hex(tree_root(&leaves(values)))
}

/// The root over leaves; of none, Keccak-256 of nothing.
#[must_use]
pub fn tree_root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => keccak256(&[]),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(left_count(leaves.len()));
            parent(&tree_root(left), &tree_root(right))
        }
    }
}

impl Inclusion {
    /// The way of one tensor to the root; `None` where the run has no such tensor.
    #[must_use]
    pub fn new(values: &[Vec<i64>], index: usize) -> Option<Self> {
        let count = values.len();
        (index < count).then(|| Self { index, count, path: path(&leaves(values), index) })
    }

    /// Whether a run of this root has this tensor at the index.
    #[must_use]
    pub fn shows(&self, tensor: &[i64], root: &Hex<32>) -> bool {
        let computed = ascend(leaf(self.index, tensor), self.index, self.count, &self.path);
        computed == Some(root.0)
    }
}

fn leaves(values: &[Vec<i64>]) -> Vec<[u8; 32]> {
    values.iter().enumerate().map(|(index, tensor)| leaf(index, tensor)).collect()
}

fn leaf(index: usize, tensor: &[i64]) -> [u8; 32] {
    let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX).to_be_bytes();
    let elements: Vec<u8> = tensor.iter().flat_map(|value| value.to_be_bytes()).collect();
    keccak256(&[&[0], &wide(index), &wide(tensor.len()), &elements])
}

fn parent(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    keccak256(&[&[1], left, right])
}

/// The largest power of two below `count`, which is above one.
fn left_count(count: usize) -> usize {
    count.next_power_of_two() / 2
}

/// From the leaf's own level up.
fn path(leaves: &[[u8; 32]], index: usize) -> Vec<[u8; 32]> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let middle = left_count(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut below, beside) = if index < middle {
        (path(left, index), tree_root(right))
    } else {
        (path(right, index - middle), tree_root(left))
    };
    below.push(beside);
    below
}

/// The root that a leaf leads to; `None` for a path of another length than the tree's.
fn ascend(leaf: [u8; 32], index: usize, count: usize, path: &[[u8; 32]]) -> Option<[u8; 32]> {
    if index >= count {
        return None;
    }
    if count == 1 {
        return path.is_empty().then_some(leaf);
    }
    let (beside, below) = path.split_last()?;
    let middle = left_count(count);
    if index < middle {
        Some(parent(&ascend(leaf, index, middle, below)?, beside))
    } else {
        Some(parent(beside, &ascend(leaf, index - middle, count - middle, below)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(count: i64) -> Vec<Vec<i64>> {
        (0..count).map(|tensor| (0..=tensor).map(|element| element - tensor).collect()).collect()
    }

    /// The shape of the tree is stated, not whatever a library does.
    #[test]
    fn five_and_seven_leaves_have_the_stated_shape() {
        let l = leaves(&run(7));
        let two = |i: usize| parent(&l[i], &l[i + 1]);
        let four = parent(&two(0), &two(2));
        assert_eq!(tree_root(&l[..5]), parent(&four, &l[4]));
        assert_eq!(tree_root(&l), parent(&four, &parent(&two(4), &l[6])));
        assert_eq!(tree_root(&[]), keccak256(&[]));
        let vectors = [
            (5, "ca48766e3a441b3ca6695601e773f0763da8dbbba436490d729f0fa425659a69"),
            (7, "2eb3fe78643d12a153762a4f9c381ba3ee96f1f321c051fee6fbcfc162945b67"),
        ];
        for (count, expected) in vectors {
            assert_eq!(execution_root(&run(count)).to_string(), expected);
        }
    }
}
