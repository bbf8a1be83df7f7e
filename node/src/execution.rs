//! The digest of a whole run: a Merkle root over its tensors, in the order in which they come about.
//!
//! Step 0, 1, … of a run are its inputs, in the order of the graph, and then the outputs of its
//! operations, in their order. A leaf is SHA-256 of the byte `00`, the step and the tensor's number
//! of elements in 64 bits each, and its elements in 64 bits each, big-endian. A node is SHA-256 of
//! the byte `01` and its two children. A tree of n > 1 leaves has the largest power of two below n on
//! its left. No leaf is promoted or repeated. The root of a run is SHA-256 of the byte `02`, the
//! number of leaves in 64 bits, and the tree's topmost node; so a run has one number of steps, and
//! each of its tensors one place. Processors have instructions for SHA-256, and an answer waits for
//! the digest of every tensor.

use sha2::{Digest, Sha256};
use zkinfer::models::{
    QuantizedGraph, RunError, execute,
    quantized::{QuantizedNode, QuantizedOp, TensorId},
};

use crate::encoding::Hex;

/// What comes about at one step of a run.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// An input of the model, by its place among them.
    Input(usize),
    /// The output of an operation.
    Operation(&'a QuantizedNode),
}

/// How many steps every run of a graph has.
#[must_use]
pub fn step_count(graph: &QuantizedGraph) -> usize {
    graph.inputs.len() + graph.nodes.len()
}

/// What comes about at a step; `None` beyond the last one.
#[must_use]
pub fn step_of(graph: &QuantizedGraph, step: usize) -> Option<Step<'_>> {
    match step.checked_sub(graph.inputs.len()) {
        None => Some(Step::Input(step)),
        Some(position) => graph.nodes.get(position).map(Step::Operation),
    }
}

/// The tensors that an operation reads.
pub(crate) fn reads(op: &QuantizedOp) -> Vec<TensorId> {
    op.inputs()
}

/// The output of one operation, from the tensors that `reads` names, in their order.
///
/// # Errors
/// Tensors of another number or length, or beyond their bounds.
pub fn run_operation(
    graph: &QuantizedGraph,
    node: &QuantizedNode,
    read: &[Vec<i64>],
) -> Result<Vec<i64>, RunError> {
    let (mut inputs, mut values) = (Vec::new(), Vec::new());
    for (id, value) in reads(&node.op).into_iter().zip(read) {
        if !inputs.contains(&id) {
            inputs.push(id);
            values.push(value.clone());
        }
    }
    // A model of one operation.
    let (tensors, outputs, nodes) = (graph.tensors.clone(), vec![node.output], vec![node.clone()]);
    let mut run = execute(&QuantizedGraph { tensors, inputs, outputs, nodes }, &values)?;
    Ok(std::mem::take(&mut run.values[node.output.0]))
}

/// The tensors in the order in which they come about.
pub(crate) fn tensors(graph: &QuantizedGraph) -> impl Iterator<Item = TensorId> {
    graph.inputs.iter().copied().chain(graph.nodes.iter().map(|node| node.output))
}

/// The digests of all tensors of a run, in the order of its steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace(Vec<[u8; 32]>);

impl Trace {
    /// The trace of a run of a graph, from the values of its tensors.
    #[must_use]
    pub fn of(graph: &QuantizedGraph, values: &[Vec<i64>]) -> Self {
        Self::from_tensors(tensors(graph).map(|id| values[id.0].as_slice()))
    }

    /// The trace of tensors in the order of their steps.
    pub fn from_tensors<'a>(tensors: impl IntoIterator<Item = &'a [i64]>) -> Self {
        Self(tensors.into_iter().enumerate().map(|(step, tensor)| leaf(step, tensor)).collect())
    }

    /// The trace that somebody else gives, as digests.
    #[must_use]
    pub fn from_digests(digests: &[Hex<32>]) -> Self {
        Self(digests.iter().map(|digest| digest.0).collect())
    }

    /// The digest of each tensor.
    #[must_use]
    pub fn digests(&self) -> Vec<Hex<32>> {
        self.0.iter().copied().map(Hex).collect()
    }

    /// The one digest of the run.
    #[must_use]
    pub fn root(&self) -> Hex<32> {
        Hex(run_root(self.0.len(), &tree_root(&self.0)))
    }

    /// The first step at which two traces differ, if they do; where one ends, the other differs.
    #[must_use]
    pub fn first_difference(&self, other: &Self) -> Option<usize> {
        let common = self.0.iter().zip(&other.0).position(|(one, other)| one != other);
        let shorter = self.0.len().min(other.0.len());
        common.or((self.0.len() != other.0.len()).then_some(shorter))
    }

    /// What shows that this trace has its digest at a step; `None` where it has no such step.
    #[must_use]
    pub fn inclusion(&self, step: usize) -> Option<Inclusion> {
        let digest = Hex(*self.0.get(step)?);
        let path = path(&self.0, step).into_iter().map(Hex).collect();
        Some(Inclusion { step, count: self.0.len(), digest, path })
    }
}

/// What shows that a run has a tensor at a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The step.
    pub step: usize,
    /// How many steps the run has.
    pub count: usize,
    /// The digest of the tensor.
    pub digest: Hex<32>,
    /// The other children on the way from the leaf to the root.
    pub path: Vec<Hex<32>>,
}

impl Inclusion {
    /// Whether a run of this root has this many steps, and this digest at this one.
    #[must_use]
    pub fn holds(&self, root: &Hex<32>) -> bool {
        let Self { step, count, digest, path } = self;
        let path: Vec<[u8; 32]> = path.iter().map(|beside| beside.0).collect();
        let top = ascend(digest.0, *step, *count, &path);
        top.is_some_and(|top| run_root(*count, &top) == root.0)
    }

    /// Whether the digest is that of these elements.
    #[must_use]
    pub fn is_of(&self, tensor: &[i64]) -> bool {
        leaf(self.step, tensor) == self.digest.0
    }
}

/// The topmost node of a tree over leaves; of none, Keccak-256 of nothing.
#[must_use]
pub fn tree_root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => sha256(&[]),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(left_count(leaves.len()));
            parent(&tree_root(left), &tree_root(right))
        }
    }
}

fn wide(number: usize) -> [u8; 8] {
    u64::try_from(number).unwrap_or(u64::MAX).to_be_bytes()
}

fn leaf(step: usize, tensor: &[i64]) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(tensor.len().saturating_mul(8).saturating_add(17));
    bytes.push(0);
    bytes.extend(wide(step));
    bytes.extend(wide(tensor.len()));
    tensor.iter().for_each(|value| bytes.extend_from_slice(&value.to_be_bytes()));
    sha256(&[&bytes])
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let hashed = parts.iter().fold(Sha256::new(), |hashed, part| hashed.chain_update(part));
    hashed.finalize().into()
}

fn run_root(count: usize, top: &[u8; 32]) -> [u8; 32] {
    sha256(&[&[2], &wide(count), top])
}

fn parent(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256(&[&[1], left, right])
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
    // Half of a count that no tree has is refused before it is used.
    let middle = count.checked_next_power_of_two()? / 2;
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

    fn trace(count: i64) -> Trace {
        Trace::from_tensors(run(count).iter().map(Vec::as_slice))
    }

    /// The shape of the tree is stated, not whatever a library does.
    #[test]
    fn five_and_seven_leaves_have_the_stated_shape() {
        let Trace(l) = trace(7);
        let two = |i: usize| parent(&l[i], &l[i + 1]);
        let four = parent(&two(0), &two(2));
        assert_eq!(tree_root(&l[..5]), parent(&four, &l[4]));
        assert_eq!(tree_root(&l), parent(&four, &parent(&two(4), &l[6])));
        assert_eq!(tree_root(&[]), sha256(&[]));
        let vectors = [
            (5, "d72675fd5c87eacffc5eeca4fa189766a393ae87574a6cade95ddd93d033695b"),
            (7, "05188c91637db34591ce8c671f571bf3602c98fe348ae93f62c3e36803a559ce"),
        ];
        for (count, expected) in vectors {
            assert_eq!(trace(count).root().to_string(), expected);
        }
    }

    #[test]
    fn a_tensor_is_shown_at_its_own_place_of_a_run_of_its_own_length() {
        for count in 1..=9 {
            let (values, trace) = (run(count), trace(count));
            let root = trace.root();
            for (step, tensor) in values.iter().enumerate() {
                let shown = trace.inclusion(step).unwrap();
                assert!(shown.holds(&root) && shown.is_of(tensor));
                let mut other = tensor.clone();
                other[0] += 1;
                assert!(!shown.is_of(&other));
                for (step, count) in [(step + 1, values.len()), (step, values.len() + 1)] {
                    let moved = Inclusion { step, count, ..shown.clone() };
                    assert!(!moved.holds(&root), "at {step} of {count}");
                }
                let shorter = Inclusion { count: values.len() - 1, ..shown.clone() };
                assert!(!shorter.holds(&root));
                let path = [shown.path.clone(), vec![Hex([0; 32])]].concat();
                assert!(!Inclusion { path, ..shown }.holds(&root));
            }
            assert_eq!(trace.inclusion(values.len()), None);
        }
    }

    #[test]
    fn traces_are_compared_to_the_first_step_that_differs() {
        let mut values = run(6);
        assert_eq!(trace(6).first_difference(&trace(6)), None);
        assert_eq!(trace(6).first_difference(&trace(4)), Some(4));
        values[2][1] += 1;
        values[5][0] += 1;
        let other = Trace::from_tensors(values.iter().map(Vec::as_slice));
        assert_eq!(trace(6).first_difference(&other), Some(2));
    }
}
