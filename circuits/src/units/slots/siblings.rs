//! Layers that read the same at the same positions: queries, keys and values of an attention, the
//! gates of a recurrent cell.
//!
//! They have one challenge, and the packs of one follow those of the other, as if they were channels
//! of one layer. So what they read is read once, and weighed with the weights of all.

use zkinfer_models::{
    QuantizedGraph,
    quantized::{Affine, ConvTerm, QuantizedOp},
};

use super::{kind::RequantKind, rows::Layer};

/// Whether two layers may have one challenge.
pub(super) fn read_the_same(graph: &QuantizedGraph, a: &Layer, b: &Layer) -> bool {
    let [QuantizedOp::Affine(first), QuantizedOp::Affine(second)] =
        [a, b].map(|layer| &graph.nodes[layer.node].op)
    else {
        return false;
    };
    let is_plain = |layer: &Layer| layer.kind != RequantKind::Wide && layer.pooling.is_none();
    let positions = |affine: &Affine| [affine.output.height, affine.output.width];
    // A layer of one position has more weights than reads.
    is_plain(a)
        && is_plain(b)
        && positions(first) != [1, 1]
        && positions(first) == positions(second)
        && first.terms.len() == second.terms.len()
        && first.terms.iter().zip(&second.terms).all(|(a, b)| read_alike(a, b))
}

/// Whether two terms see the same windows of the same channels, each of which all outputs weigh.
fn read_alike(a: &ConvTerm, b: &ConvTerm) -> bool {
    [a.groups, b.groups] == [1, 1]
        && a.input == b.input
        && a.view == b.view
        && a.kernel_size == b.kernel_size
        && a.stride == b.stride
        && a.dilation == b.dilation
        && a.padding == b.padding
}
