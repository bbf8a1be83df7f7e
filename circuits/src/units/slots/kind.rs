//! How accumulators become outputs, and which nodes have any.

use zkinfer_models::{
    QuantizedGraph,
    quantized::{QuantizedOp, Requant},
};

/// No element: a padding channel whose accumulator is 0.
pub(super) const PADDING: u32 = u32::MAX;

/// How a layer's accumulators become outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RequantKind {
    /// Clamped to `clamp_bits`; the output is the clamped value.
    Clamp,
    /// Clamped to `table_bits`; the output is looked up.
    Table,
    /// Never clamped, `WIDE_BITS` bits.
    Wide,
}

/// The requantization of a node and the shape of its accumulators, if it has any.
pub(super) fn accumulators(graph: &QuantizedGraph, node: usize) -> Option<(&Requant, [usize; 3])> {
    match &graph.nodes[node].op {
        QuantizedOp::Affine(affine) => {
            let view = &affine.output;
            Some((&affine.requant, [view.channels, view.height, view.width]))
        }
        QuantizedOp::Mul(mul) => Some((&mul.requant, [mul.a_index.len(), 1, 1])),
        QuantizedOp::Alias(_) | QuantizedOp::MaxPool(_) | QuantizedOp::Softmax(_) => None,
    }
}
