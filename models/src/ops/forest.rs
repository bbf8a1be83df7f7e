//! Decision trees: what the leaf that each tree reaches says.

mod quantize;

use serde::{Deserialize, Serialize};

use super::form::{Computed, IntegerForm, Quantizes, Reads, RealForm, Requirement, Runs};
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::quantizer::form::Role;
use crate::quantizer::{Format, Layer, Quantizer};
use crate::tensor::{QuantizedTensor, TensorId};

/// Each tree is walked from its root to a leaf; the output is the values of these leaves, one tree
/// after the other.
///
/// Numbers are real ones in a model, integers in a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forest<T> {
    /// The tensor that is read.
    pub input: TensorId,
    /// The trees.
    pub trees: Vec<Tree<T>>,
}

/// A binary tree. Every branch and leaf is below exactly one branch, or the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree<T> {
    /// Where the walk begins.
    pub root: Next,
    /// The branches.
    pub branches: Vec<Branch<T>>,
    /// The values of each leaf, the same number in all.
    pub leaves: Vec<Vec<T>>,
}

/// A comparison: `input[element] ≤ threshold` leads to `low`, anything else to `high`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch<T> {
    /// The flat index of the element that is compared.
    pub element: usize,
    /// What it is compared with.
    pub threshold: T,
    /// Where elements up to the threshold lead.
    pub low: Next,
    /// Where larger elements lead.
    pub high: Next,
}

/// Where a walk goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Next {
    /// To this branch.
    Branch(usize),
    /// To this leaf, where it ends.
    Leaf(usize),
}

impl<T: Copy + PartialOrd> Tree<T> {
    /// How many values a leaf has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.leaves.first().map_or(0, Vec::len)
    }

    /// The leaf that a walk over these elements reaches.
    #[must_use]
    pub fn leaf(&self, input: &[T]) -> usize {
        let mut at = self.root;
        loop {
            match at {
                Next::Leaf(leaf) => return leaf,
                Next::Branch(branch) => {
                    let Branch { element, threshold, low, high } = self.branches[branch];
                    at = if input[element] <= threshold { low } else { high };
                }
            }
        }
    }
}

impl<T: Copy + PartialOrd> Forest<T> {
    /// How many values all trees together give.
    #[must_use]
    pub fn width(&self) -> usize {
        self.trees.iter().map(Tree::width).sum()
    }

    fn walk(&self, values: &[Vec<T>]) -> Computed<T> {
        let input = &values[self.input.0];
        let leaf = |tree: &Tree<T>| tree.leaves[tree.leaf(input)].clone();
        Computed::plain(self.trees.iter().flat_map(leaf).collect())
    }

    /// Smallest and largest value of any leaf.
    fn bounds(&self) -> Option<(T, T)> {
        let values = self.trees.iter().flat_map(|tree| tree.leaves.iter().flatten().copied());
        values.fold(None, |bounds, value| match bounds {
            None => Some((value, value)),
            Some((lo, hi)) => {
                Some((if value < lo { value } else { lo }, if value > hi { value } else { hi }))
            }
        })
    }
}

impl Reads for Forest<f64> {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }

    fn inputs_mut(&mut self) -> Vec<&mut TensorId> {
        vec![&mut self.input]
    }
}

impl RealForm for Forest<f64> {
    fn requirement(&self) -> Requirement {
        Requirement::Precision
    }

    fn run(&self, values: &[Vec<f64>], _: usize) -> Computed<f64> {
        self.walk(values)
    }

    fn range(&self, _: &[Range]) -> Range {
        let (lo, hi) = self.bounds().unwrap_or((0.0, 0.0));
        Range { lo, hi }
    }
}

impl Quantizes for Forest<f64> {
    type Integer = Forest<i64>;

    fn quantize(
        &self,
        quantizer: &Quantizer<'_>,
        _: Layer<'_>,
        _: Role,
    ) -> Result<(Self::Integer, Format), QuantizeError> {
        Ok(quantizer.forest(self))
    }
}

impl IntegerForm for Forest<i64> {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }

    fn run(&self, _: &[QuantizedTensor], values: &[Vec<i64>], _: TensorId) -> Computed<i64> {
        self.walk(values)
    }

    fn repeat(&mut self, runs: Runs<'_>) {
        let len = runs.len(self.input);
        let of_run = |run: usize| {
            let shifted = move |tree: &Tree<i64>| {
                let branch = |branch: &Branch<i64>| Branch {
                    element: run * len + branch.element,
                    ..branch.clone()
                };
                Tree { branches: tree.branches.iter().map(branch).collect(), ..tree.clone() }
            };
            self.trees.iter().map(shifted)
        };
        self.trees = (0..runs.count).flat_map(of_run).collect();
    }
}
