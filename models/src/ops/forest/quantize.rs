//! Trees in integers: thresholds in units of what they are compared with, branches that no element
//! in range takes left out.

use super::{Branch, Forest, Next, Tree};
use crate::numbers::{integer, power_of_two, real};
use crate::quantizer::{Format, Quantizer};
use crate::tensor::QuantizedTensor;

/// Bits of the sum of the largest values of all trees: as fine as a sum in single precision, and
/// coarse enough for every form of the layers that add them up.
const SUM_OF_LEAVES_BITS: u32 = 22;

impl Quantizer<'_> {
    /// The integer form of a forest, and the format of its values.
    pub(super) fn forest(&self, forest: &Forest<f64>) -> (Forest<i64>, Format) {
        let input = &self.tensors[forest.input.0];
        let scale = scale(forest);
        let trees = forest.trees.iter().map(|tree| Pruned::of(tree, input).integers(scale));
        let forest = Forest { input: forest.input, trees: trees.collect() };
        let (lo, hi) = forest.bounds().unwrap_or((0, 0));
        (forest, Format { scale, lo, hi })
    }
}

/// The real number that one unit of a leaf's value stands for.
fn scale(forest: &Forest<f64>) -> f64 {
    let largest = |tree: &Tree<f64>| {
        tree.leaves.iter().flatten().fold(0.0, |largest: f64, value| largest.max(value.abs()))
    };
    let sum: f64 = forest.trees.iter().map(largest).sum();
    if sum > 0.0 { sum / real(power_of_two(SUM_OF_LEAVES_BITS)) } else { 1.0 }
}

/// The part of a tree that elements in range can reach.
struct Pruned<'a> {
    tree: &'a Tree<f64>,
    input: &'a QuantizedTensor,
    /// The branches that are left, and the place of each among them.
    branches: Vec<usize>,
    places: Vec<Option<usize>>,
}

impl<'a> Pruned<'a> {
    fn of(tree: &'a Tree<f64>, input: &'a QuantizedTensor) -> Self {
        let places = vec![None; tree.branches.len()];
        let mut pruned = Self { tree, input, branches: Vec::new(), places };
        let mut pending = vec![tree.root];
        while let Some(next) = pending.pop() {
            if let Next::Branch(branch) = pruned.resolved(next)
                && pruned.places[branch].is_none()
            {
                pruned.places[branch] = Some(pruned.branches.len());
                pruned.branches.push(branch);
                pending.extend([tree.branches[branch].high, tree.branches[branch].low]);
            }
        }
        pruned
    }

    /// A threshold in units of the element: the largest integer that an element up to it becomes.
    fn units(&self, branch: &Branch<f64>) -> f64 {
        let units = branch.threshold / self.input.scale_of(branch.element);
        // Zero is above every negative threshold, however small.
        if units < 0.0 { (units + 0.5).floor().min(-1.0) } else { (units + 0.5).floor() }
    }

    /// Past branches that go one way whatever the element.
    fn resolved(&self, mut next: Next) -> Next {
        while let Next::Branch(at) = next {
            let branch = &self.tree.branches[at];
            let threshold = self.units(branch);
            if threshold < real(self.input.lo) {
                next = branch.high;
            } else if threshold >= real(self.input.hi) {
                next = branch.low;
            } else {
                break;
            }
        }
        next
    }

    fn place(&self, next: Next) -> Next {
        match self.resolved(next) {
            Next::Branch(branch) => Next::Branch(self.places[branch].unwrap_or(0)),
            leaf @ Next::Leaf(_) => leaf,
        }
    }

    fn integers(&self, scale: f64) -> Tree<i64> {
        let branch = |&at: &usize| {
            let branch = &self.tree.branches[at];
            let threshold = integer(self.units(branch));
            let (low, high) = (self.place(branch.low), self.place(branch.high));
            Branch { element: branch.element, threshold, low, high }
        };
        let leaf = |values: &Vec<f64>| {
            values.iter().map(|value| integer((value / scale).round())).collect()
        };
        Tree {
            root: self.place(self.tree.root),
            branches: self.branches.iter().map(branch).collect(),
            leaves: self.tree.leaves.iter().map(leaf).collect(),
        }
    }
}
