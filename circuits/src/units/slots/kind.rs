//! How accumulators become outputs, and which nodes have any.

use zkinfer_models::{
    Graph, QuantizedGraph,
    graph::{Node, Op},
    quantized::{QuantizedOp, Requant},
};

use crate::{challenges::MAX_LAYERS, contraction::Contraction, error::PlanError};

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

/// The requantization of a node and the shape of its accumulators, if it has any.
pub(super) fn accumulators(graph: &QuantizedGraph, node: usize) -> Option<(&Requant, [usize; 3])> {
    match &graph.nodes[node].op {
        QuantizedOp::Affine(affine) => {
            let view = &affine.output;
            Some((&affine.requant, [view.channels, view.height, view.width]))
        }
        QuantizedOp::Mul(mul) => Some((&mul.requant, [mul.a_elements.len(), 1, 1])),
        QuantizedOp::Contract(contract) => {
            let product = Contraction::new(contract);
            let shape = [product.channels(), product.heads(), product.positions()];
            Some((&contract.requant, shape))
        }
        QuantizedOp::Normalize(op) => {
            let groups = graph.tensors[op.input.0].len() / op.size;
            Some((&op.requant, [op.size, 1, groups]))
        }
        QuantizedOp::Alias(_)
        | QuantizedOp::MaxPool(_)
        | QuantizedOp::Softmax(_)
        | QuantizedOp::Forest(_) => None,
    }
}

/// Whether a key has challenges for all layers of a model, which is known before it is quantized.
///
/// # Errors
/// [`PlanError::TooManyLayers`].
pub fn check_layers(graph: &Graph) -> Result<(), PlanError> {
    let has_accumulators = |node: &&Node| {
        matches!(node.op, Op::Affine(_) | Op::Mul(_) | Op::Contract(_) | Op::Normalize(_))
    };
    let layers = graph.nodes().iter().filter(has_accumulators).count();
    match layers > MAX_LAYERS {
        true => Err(PlanError::TooManyLayers { layers, limit: MAX_LAYERS }),
        false => Ok(()),
    }
}

/// Nodes that have accumulators.
pub(crate) fn layer_count(graph: &QuantizedGraph) -> usize {
    (0..graph.nodes.len()).filter(|&node| accumulators(graph, node).is_some()).count()
}
