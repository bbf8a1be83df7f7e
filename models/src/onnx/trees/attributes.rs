//! What the attributes of the three operators say, in one form.

use std::collections::{HashMap, HashSet};

use super::super::constant::{Constant, Data};
use super::super::error::ImportError;
use super::super::importer::Importer;
use super::super::node::{OnnxNode, Value};
use super::Aggregate;
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
    fn of(node: &OnnxNode<'_>) -> Result<Self, ImportError> {
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

fn unknown_transform(node: &OnnxNode<'_>) -> ImportError {
    node.unsupported("this post_transform; only NONE, LOGISTIC and SOFTMAX")
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
fn reals(
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
fn ints<'a>(node: &OnnxNode<'a>, name: &'static str, len: usize) -> Result<&'a [i64], ImportError> {
    let given = node.ints(name)?.unwrap_or_default();
    if given.len() == len {
        return Ok(given);
    }
    Err(node.wrong_attribute(name, "as long as the other lists of its kind"))
}

pub(super) fn classifier(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    classes: usize,
) -> Result<Ensemble, ImportError> {
    let names = ["class_treeids", "class_nodeids", "class_ids"];
    by_nodes(node, importer, classes, names, ["class_weights", "class_weights_as_tensor"])
}

pub(super) fn regressor(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<Ensemble, ImportError> {
    let targets = target_count(node)?;
    let names = ["target_treeids", "target_nodeids", "target_ids"];
    by_nodes(node, importer, targets, names, ["target_weights", "target_weights_as_tensor"])
}

fn target_count(node: &OnnxNode<'_>) -> Result<usize, ImportError> {
    let targets = node.int("n_targets")?.unwrap_or(1);
    let targets = usize::try_from(targets).ok().filter(|targets| (1..1 << 16).contains(targets));
    targets.ok_or_else(|| node.wrong_attribute("n_targets", "from 1 to 65535"))
}

/// The nodes of the operators of sets 1 and 3, leaves among them.
struct Nodes<'a> {
    modes: &'a [Vec<u8>],
    trees: &'a [i64],
    ids: &'a [i64],
    features: &'a [i64],
    if_true: &'a [i64],
    if_false: &'a [i64],
    values: Vec<f64>,
}

impl<'a> Nodes<'a> {
    fn read(node: &OnnxNode<'a>, importer: &mut Importer) -> Result<Self, ImportError> {
        // No number in a proof is missing, and how often a branch was taken does not matter.
        node.has_no_effect(&[
            "nodes_missing_value_tracks_true",
            "nodes_hitrates",
            "nodes_hitrates_as_tensor",
        ]);
        let modes = node.texts("nodes_modes")?.unwrap_or_default();
        let list = |name| ints(node, name, modes.len());
        let values = reals(node, importer, Some("nodes_values"), "nodes_values_as_tensor")?;
        if values.len() != modes.len() {
            return Err(node.wrong_attribute("nodes_values", "one for each node"));
        }
        Ok(Self {
            modes,
            trees: list("nodes_treeids")?,
            ids: list("nodes_nodeids")?,
            features: list("nodes_featureids")?,
            if_true: list("nodes_truenodeids")?,
            if_false: list("nodes_falsenodeids")?,
            values,
        })
    }

    fn is_leaf(&self, at: usize) -> bool {
        self.modes[at].as_slice() == b"LEAF"
    }

    /// Which branch or leaf each node is, by tree and number, and how many leaves there are.
    fn places(&self, node: &OnnxNode<'_>) -> Result<(Places, usize), ImportError> {
        let mut places = Places::new();
        let (mut branches, mut leaves) = (0, 0);
        for at in 0..self.modes.len() {
            let child = if self.is_leaf(at) {
                leaves += 1;
                Child::Leaf(leaves - 1)
            } else {
                branches += 1;
                Child::Branch(branches - 1)
            };
            if places.insert((self.trees[at], self.ids[at]), child).is_some() {
                return Err(node.wrong_attribute("nodes_nodeids", "different within a tree"));
            }
        }
        Ok((places, leaves))
    }

    fn branches(
        &self,
        node: &OnnxNode<'_>,
        places: &Places,
    ) -> Result<Vec<FileBranch>, ImportError> {
        let child = |name: &'static str, at: usize, ids: &[i64]| {
            let child = places.get(&(self.trees[at], ids[at])).copied();
            child.ok_or_else(|| node.wrong_attribute(name, "nodes of the same tree"))
        };
        let branch = |at: usize| {
            Ok(FileBranch {
                mode: mode_named(node, &self.modes[at])?,
                feature: self.features[at],
                value: self.values[at],
                when_true: child("nodes_truenodeids", at, self.if_true)?,
                when_false: child("nodes_falsenodeids", at, self.if_false)?,
            })
        };
        (0..self.modes.len()).filter(|&at| !self.is_leaf(at)).map(branch).collect()
    }

    /// The node of each tree that is no other's child.
    fn roots(
        &self,
        node: &OnnxNode<'_>,
        places: &Places,
        branches: &[FileBranch],
    ) -> Result<Vec<Child>, ImportError> {
        let children = branches.iter().flat_map(|branch| [branch.when_true, branch.when_false]);
        let children: HashSet<Child> = children.collect();
        let nodes = self.trees.iter().zip(self.ids);
        let found = nodes.map(|(&tree, &id)| (tree, places[&(tree, id)]));
        let roots: Vec<(i64, Child)> =
            found.filter(|(_, child)| !children.contains(child)).collect();
        let with_root: HashSet<i64> = roots.iter().map(|(tree, _)| *tree).collect();
        let all: HashSet<i64> = self.trees.iter().copied().collect();
        if roots.is_empty() || roots.len() != with_root.len() || with_root != all {
            return Err(node.wrong_attribute("nodes_nodeids", "one root in each tree"));
        }
        Ok(roots.into_iter().map(|(_, root)| root).collect())
    }
}

/// The operators of sets 1 and 3: leaves are nodes.
fn by_nodes(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    targets: usize,
    names: [&'static str; 3],
    [weights, weights_tensor]: [&'static str; 2],
) -> Result<Ensemble, ImportError> {
    let nodes = Nodes::read(node, importer)?;
    let (places, leaves) = nodes.places(node)?;
    let branches = nodes.branches(node, &places)?;
    let roots = nodes.roots(node, &places, &branches)?;
    let base = reals(node, importer, Some("base_values"), "base_values_as_tensor")?;
    finite(node, base.iter().copied())?;
    let values = reals(node, importer, Some(weights), weights_tensor)?;
    let (leaves, weights) = leaf_weights(node, &places, leaves, targets, names, &values)?;
    let transform = Transform::of(node)?;
    Ok(Ensemble { branches, leaves, weights, roots, targets, base, transform })
}

/// Branches and leaves by tree and number.
type Places = HashMap<(i64, i64), Child>;

fn mode_named(node: &OnnxNode<'_>, mode: &[u8]) -> Result<Mode, ImportError> {
    match mode {
        b"BRANCH_LEQ" => Ok(Mode::AtMost),
        b"BRANCH_LT" => Ok(Mode::Below),
        b"BRANCH_GTE" => Ok(Mode::AtLeast),
        b"BRANCH_GT" => Ok(Mode::Above),
        b"BRANCH_EQ" => Ok(Mode::Equal),
        b"BRANCH_NEQ" => Ok(Mode::Unequal),
        _ => Err(node.wrong_attribute("nodes_modes", "LEAF, or BRANCH_ and a comparison")),
    }
}

/// For each leaf the range of its weights, and all weights.
fn leaf_weights(
    node: &OnnxNode<'_>,
    places: &Places,
    leaves: usize,
    targets: usize,
    [trees, nodes, ids]: [&'static str; 3],
    values: &[f64],
) -> Result<(Vec<std::ops::Range<usize>>, Vec<Weight>), ImportError> {
    let len = values.len();
    let [tree_ids, node_ids, target_ids] =
        [ints(node, trees, len)?, ints(node, nodes, len)?, ints(node, ids, len)?];
    let mut of_leaf = vec![Vec::new(); leaves];
    for (at, &value) in values.iter().enumerate() {
        let Some(&Child::Leaf(leaf)) = places.get(&(tree_ids[at], node_ids[at])) else {
            return Err(node.wrong_attribute(nodes, "leaves of the trees"));
        };
        of_leaf[leaf].push(Weight { target: target(node, ids, target_ids[at], targets)?, value });
    }
    let mut weights = Vec::new();
    let ranges = of_leaf.into_iter().map(|of_leaf| {
        let start = weights.len();
        weights.extend(of_leaf);
        start..weights.len()
    });
    let ranges = ranges.collect();
    finite(node, weights.iter().map(|weight: &Weight| weight.value))?;
    Ok((ranges, weights))
}

fn target(
    node: &OnnxNode<'_>,
    name: &'static str,
    id: i64,
    targets: usize,
) -> Result<usize, ImportError> {
    let target = usize::try_from(id).ok().filter(|&target| target < targets);
    target.ok_or_else(|| node.wrong_attribute(name, "targets or classes that there are"))
}

fn finite(node: &OnnxNode<'_>, mut values: impl Iterator<Item = f64>) -> Result<(), ImportError> {
    if values.all(f64::is_finite) {
        return Ok(());
    }
    Err(node.wrong_attribute("weights", "finite"))
}

/// The operator of set 5: leaves are apart, with one weight each.
pub(super) fn ensemble(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<Ensemble, ImportError> {
    node.has_no_effect(&["nodes_missing_value_tracks_true", "nodes_hitrates"]);
    let targets = target_count(node)?;
    let values = reals(node, importer, None, "leaf_weights")?;
    let target_ids = ints(node, "leaf_targetids", values.len())?;
    finite(node, values.iter().copied())?;
    let weight = |(&value, &id): (&f64, &i64)| {
        Ok(Weight { target: target(node, "leaf_targetids", id, targets)?, value })
    };
    let weights = values.iter().zip(target_ids).map(weight);
    let weights = weights.collect::<Result<Vec<_>, ImportError>>()?;
    let branches = branches_apart(node, importer, weights.len())?;
    let given = node.ints("tree_roots")?.unwrap_or_default();
    let sizes = [branches.len(), weights.len()];
    let roots = given.iter().map(|&id| child_apart(node, "tree_roots", id, false, sizes));
    let roots = roots.collect::<Result<Vec<_>, _>>()?;
    if roots.is_empty() {
        return Err(node.wrong_attribute("tree_roots", "one or more"));
    }
    let leaves = (0..weights.len()).map(|leaf| leaf..leaf + 1).collect();
    let transform = match node.int("post_transform")? {
        None | Some(0) => Transform::None,
        Some(1) => Transform::Softmax,
        Some(2) => Transform::Logistic,
        Some(_) => return Err(unknown_transform(node)),
    };
    Ok(Ensemble { branches, leaves, weights, roots, targets, base: Vec::new(), transform })
}

/// A branch or leaf by its number, of so many branches and leaves.
fn child_apart(
    node: &OnnxNode<'_>,
    name: &'static str,
    id: i64,
    is_leaf: bool,
    sizes: [usize; 2],
) -> Result<Child, ImportError> {
    let place = usize::try_from(id).ok().filter(|&place| place < sizes[usize::from(is_leaf)]);
    let place =
        place.ok_or_else(|| node.wrong_attribute(name, "nodes or leaves that there are"))?;
    Ok(if is_leaf { Child::Leaf(place) } else { Child::Branch(place) })
}

/// The branches of set 5.
fn branches_apart(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    leaves: usize,
) -> Result<Vec<FileBranch>, ImportError> {
    let modes = match node.tensor_attribute("nodes_modes")? {
        Some(proto) => Constant::decode(proto, &node.name, &mut importer.budget)?.data,
        None => Data::Integer(Vec::new()),
    };
    let Data::Integer(modes) = modes else {
        return Err(node.wrong_attribute("nodes_modes", "integers"));
    };
    let (len, sizes) = (modes.len(), [modes.len(), leaves]);
    let features = ints(node, "nodes_featureids", len)?;
    let values = reals(node, importer, None, "nodes_splits")?;
    if values.len() != len {
        return Err(node.wrong_attribute("nodes_splits", "one for each node"));
    }
    let ways = [
        ("nodes_truenodeids", ints(node, "nodes_trueleafs", len)?),
        ("nodes_falsenodeids", ints(node, "nodes_falseleafs", len)?),
    ];
    let ids = [ints(node, ways[0].0, len)?, ints(node, ways[1].0, len)?];
    let child = |way: usize, at: usize| {
        let (name, is_leaf) = ways[way];
        child_apart(node, name, ids[way][at], is_leaf[at] != 0, sizes)
    };
    let mut sets = member_sets(node, importer)?.into_iter();
    let mut branch = |at: usize| {
        Ok(FileBranch {
            mode: mode_numbered(node, modes[at], &mut sets)?,
            feature: features[at],
            value: values[at],
            when_true: child(0, at)?,
            when_false: child(1, at)?,
        })
    };
    (0..len).map(&mut branch).collect()
}

fn mode_numbered(
    node: &OnnxNode<'_>,
    mode: i64,
    sets: &mut impl Iterator<Item = Vec<f64>>,
) -> Result<Mode, ImportError> {
    match mode {
        0 => Ok(Mode::AtMost),
        1 => Ok(Mode::Below),
        2 => Ok(Mode::AtLeast),
        3 => Ok(Mode::Above),
        4 => Ok(Mode::Equal),
        5 => Ok(Mode::Unequal),
        6 => sets.next().map(Mode::Member).ok_or_else(|| {
            node.wrong_attribute("membership_values", "a set for each node that asks for one")
        }),
        _ => Err(node.wrong_attribute("nodes_modes", "from 0 to 6")),
    }
}

/// The sets of the nodes that ask for a member, each ended by NaN in the file.
fn member_sets(node: &OnnxNode<'_>, importer: &mut Importer) -> Result<Vec<Vec<f64>>, ImportError> {
    let Some(proto) = node.tensor_attribute("membership_values")? else { return Ok(Vec::new()) };
    let values = Constant::decode_with_nan(proto, &node.name, &mut importer.budget)?.to_reals();
    let sets = values.split(|value| value.is_nan()).map(<[f64]>::to_vec);
    Ok(sets.collect())
}
