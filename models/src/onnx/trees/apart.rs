//! The operator of set 5: leaves are apart from branches.

use super::super::constant::{Constant, Data};
use super::super::error::ImportError;
use super::super::importer::Importer;
use super::super::node::OnnxNode;
use super::attributes::{
    Child, Ensemble, FileBranch, Mode, Transform, Weight, finite, ints, reals, target,
    target_count, unknown_transform,
};

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
