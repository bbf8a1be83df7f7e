//! The operators of sets 1 and 3: leaves are nodes.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::super::error::ImportError;
use super::super::importer::Importer;
use super::super::node::OnnxNode;
use super::attributes::{
    Child, Ensemble, FileBranch, Mode, Transform, Weight, finite, ints, reals, target, target_count,
};

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
) -> Result<(Vec<Range<usize>>, Vec<Weight>), ImportError> {
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
