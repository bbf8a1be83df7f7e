//! How accumulators become outputs, and which nodes have any.

use zkinfer_models::{
    Graph, QuantizedGraph,
    graph::{Node, Op},
    quantized::{ImageView, QuantizedNode, QuantizedOp, Requant},
};

use crate::{challenges::MAX_LAYERS, error::PlanError};

/// No element: a padding channel whose accumulator is 0.
pub(super) const PADDING: u32 = u32::MAX;

/// How a layer's accumulators become outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RequantKind {
    /// Clamped to `clamp_bits`; the output is the clamped value.
    Clamp,
    /// Clamped to the entries of a table; the output is looked up: an activation, or the value
    /// itself where its range is none that limbs can have.
    Table,
    /// Never clamped, `WIDE_BITS` bits.
    Wide,
}

/// Largest value after clamping, counted from the smallest.
pub(super) fn span(requant: &Requant) -> i64 {
    i64::from(requant.hi) - i64::from(requant.lo)
}

/// The output for a rounded accumulator.
pub(super) fn output(requant: &Requant, rounded: i64) -> i32 {
    let clamped = rounded.clamp(requant.lo.into(), requant.hi.into()) - i64::from(requant.lo);
    match &requant.table {
        None => requant.lo + i32::try_from(clamped).expect("a span has at most 17 bits"),
        Some(table) => table[usize::try_from(clamped).expect("it is clamped to at least `lo`")],
    }
}

/// How a node's accumulators lie on the lattice of the slot weights: those of a linear layer as its
/// output does, those of a relation as `of_relation` says, all others as channels in order, with a
/// position for each of `steps` nodes that it stands for.
pub(super) fn lattice(
    graph: &QuantizedGraph,
    (node, steps): (&QuantizedNode, usize),
    of_relation: impl Fn(&QuantizedOp, usize) -> Option<ImageView>,
) -> ImageView {
    let len = graph.tensors[node.output.0].len();
    let in_order = || {
        let (channels, width) = (len / steps, steps);
        ImageView { channels, height: 1, width, strides: [1, 0, channels], offset: 0 }
    };
    match &node.op {
        QuantizedOp::Affine(affine) => affine.output.clone(),
        op => of_relation(op, len).unwrap_or_else(in_order),
    }
}

/// Whether a key has challenges for all layers of a model, which is known before it is quantized.
///
/// # Errors
/// [`PlanError::TooManyLayers`].
pub fn check_layers(graph: &Graph) -> Result<(), PlanError> {
    let has_accumulators =
        |node: &&Node| node.op.activation().is_some() || matches!(node.op, Op::Coded(_));
    // Steps of a recurrent cell have one layer.
    let firsts = graph.nodes().iter().zip(graph.alike()).enumerate();
    let firsts = firsts.filter(|(place, (_, first))| place == first).map(|(_, (node, _))| node);
    let layers = firsts.filter(has_accumulators).count();
    match layers > MAX_LAYERS {
        true => Err(PlanError::TooManyLayers { layers, limit: MAX_LAYERS }),
        false => Ok(()),
    }
}

/// Nodes that have accumulators.
pub(crate) fn layer_count(graph: &QuantizedGraph) -> usize {
    graph.nodes.iter().filter(|node| node.op.requant().is_some()).count()
}
