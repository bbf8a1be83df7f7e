//! What the attributes of the three operators say, in one form.

use super::super::constant::Constant;
use super::super::error::ImportError;
use super::super::importer::Importer;
use super::super::node::{OnnxNode, Value};
use crate::activation::Activation;

macro_rules! nodes {
    ($($more:literal),* $(,)?) => {
        &[
            "base_values",
            "base_values_as_tensor",
            "nodes_falsenodeids",
            "nodes_featureids",
            "nodes_hitrates",
            "nodes_hitrates_as_tensor",
            "nodes_missing_value_tracks_true",
            "nodes_modes",
            "nodes_nodeids",
            "nodes_treeids",
            "nodes_truenodeids",
            "nodes_values",
            "nodes_values_as_tensor",
            "post_transform",
            $($more),*
        ]
    };
}

pub(super) const CLASSIFIER: &[&str] = nodes![
    "class_ids",
    "class_nodeids",
    "class_treeids",
    "class_weights",
    "class_weights_as_tensor",
    "classlabels_int64s",
    "classlabels_strings",
];

pub(super) const REGRESSOR: &[&str] = nodes![
    "aggregate_function",
    "n_targets",
    "target_ids",
    "target_nodeids",
    "target_treeids",
    "target_weights",
    "target_weights_as_tensor",
];

pub(super) const ENSEMBLE: &[&str] = &[
    "aggregate_function",
    "leaf_targetids",
    "leaf_weights",
    "membership_values",
    "n_targets",
    "nodes_falseleafs",
    "nodes_falsenodeids",
    "nodes_featureids",
    "nodes_hitrates",
    "nodes_missing_value_tracks_true",
    "nodes_modes",
    "nodes_splits",
    "nodes_trueleafs",
    "nodes_truenodeids",
    "post_transform",
    "tree_roots",
];

/// A condition of a branch.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mode {
    AtMost,
    Below,
    AtLeast,
    Above,
    Equal,
    Unequal,
    /// Of these numbers.
    Member(Vec<f64>),
}

/// A branch as the file has it; children are branches, or leaves where the flag says so.
#[derive(Clone, Debug)]
pub(super) struct FileBranch {
    pub(super) mode: Mode,
    pub(super) feature: i64,
    pub(super) value: f64,
    pub(super) when_true: Child,
    pub(super) when_false: Child,
}

/// An index into all branches or all leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Child {
    Branch(usize),
    Leaf(usize),
}

/// What a leaf adds to a target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weight {
    pub(super) target: usize,
    pub(super) value: f64,
}

/// What becomes of the scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transform {
    None,
    Logistic,
    Softmax,
}

/// An ensemble of any of the three operators.
#[derive(Clone, Debug)]
pub(super) struct Ensemble {
    pub(super) branches: Vec<FileBranch>,
    /// For each leaf the range of its weights.
    pub(super) leaves: Vec<std::ops::Range<usize>>,
    pub(super) weights: Vec<Weight>,
    pub(super) roots: Vec<Child>,
    pub(super) targets: usize,
    pub(super) base: Vec<f64>,
    pub(super) transform: Transform,
}

impl Ensemble {
    /// A base value for each target.
    pub(super) fn base_or_zero(&self, node: &OnnxNode<'_>) -> Result<Vec<f64>, ImportError> {
        match self.base.len() {
            0 => Ok(vec![0.0; self.targets]),
            given if given == self.targets => Ok(self.base.clone()),
            _ => Err(node.wrong_attribute("base_values", "one for each target")),
        }
    }
}

impl Transform {
    /// What text of the attribute says.
    pub(super) fn of(node: &OnnxNode<'_>) -> Result<Self, ImportError> {
        match node.text("post_transform")? {
            None | Some(b"NONE") => Ok(Self::None),
            Some(b"LOGISTIC") => Ok(Self::Logistic),
            Some(b"SOFTMAX") => Ok(Self::Softmax),
            Some(_) => Err(unknown_transform(node)),
        }
    }

    /// The scores of each sample after it.
    pub(super) fn apply(
        self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        scores: Value,
    ) -> Result<Value, ImportError> {
        match self {
            Self::None => Ok(scores),
            Self::Logistic => importer.apply(node, &scores, Activation::Sigmoid),
            Self::Softmax => importer.softmax_of_rows(node, scores),
        }
    }
}

pub(super) fn unknown_transform(node: &OnnxNode<'_>) -> ImportError {
    node.unsupported("this post_transform; only NONE, LOGISTIC and SOFTMAX")
}

/// How the values of all trees become one for each target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

/// How the trees are brought together.
pub(super) fn aggregate(node: &OnnxNode<'_>) -> Result<Aggregate, ImportError> {
    const EXPECTED: &str = "AVERAGE, SUM, MIN or MAX";
    if node.op() == "TreeEnsemble" {
        return match node.int("aggregate_function")? {
            Some(0) => Ok(Aggregate::Average),
            None | Some(1) => Ok(Aggregate::Sum),
            Some(2) => Ok(Aggregate::Min),
            Some(3) => Ok(Aggregate::Max),
            Some(_) => Err(node.wrong_attribute("aggregate_function", EXPECTED)),
        };
    }
    match node.text("aggregate_function")? {
        Some(b"AVERAGE") => Ok(Aggregate::Average),
        None | Some(b"SUM") => Ok(Aggregate::Sum),
        Some(b"MIN") => Ok(Aggregate::Min),
        Some(b"MAX") => Ok(Aggregate::Max),
        Some(_) => Err(node.wrong_attribute("aggregate_function", EXPECTED)),
    }
}

/// Numbers of an attribute, or of its other form, a tensor.
pub(super) fn reals(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    list: Option<&'static str>,
    tensor: &'static str,
) -> Result<Vec<f64>, ImportError> {
    if let Some(list) = list
        && let Some(given) = node.floats(list)?
    {
        node.has_no_effect(&[tensor]);
        return Ok(given.iter().copied().map(f64::from).collect());
    }
    match node.tensor_attribute(tensor)? {
        Some(proto) => Ok(Constant::decode(proto, &node.name, &mut importer.budget)?.to_reals()),
        None => Ok(Vec::new()),
    }
}

/// A list of as many integers as there are nodes.
pub(super) fn ints<'a>(
    node: &OnnxNode<'a>,
    name: &'static str,
    len: usize,
) -> Result<&'a [i64], ImportError> {
    let given = node.ints(name)?.unwrap_or_default();
    if given.len() == len {
        return Ok(given);
    }
    Err(node.wrong_attribute(name, "as long as the other lists of its kind"))
}

pub(super) fn target_count(node: &OnnxNode<'_>) -> Result<usize, ImportError> {
    let targets = node.int("n_targets")?.unwrap_or(1);
    let targets = usize::try_from(targets).ok().filter(|targets| (1..1 << 16).contains(targets));
    targets.ok_or_else(|| node.wrong_attribute("n_targets", "from 1 to 65535"))
}

/// A target by its number, of so many.
pub(super) fn target(
    node: &OnnxNode<'_>,
    name: &'static str,
    id: i64,
    targets: usize,
) -> Result<usize, ImportError> {
    let target = usize::try_from(id).ok().filter(|&target| target < targets);
    target.ok_or_else(|| node.wrong_attribute(name, "targets or classes that there are"))
}

pub(super) fn finite(
    node: &OnnxNode<'_>,
    mut values: impl Iterator<Item = f64>,
) -> Result<(), ImportError> {
    if values.all(f64::is_finite) {
        return Ok(());
    }
    Err(node.wrong_attribute("weights", "finite"))
}
