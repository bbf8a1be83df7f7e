//! Max pools that need no rows of their own: the layer before them states only its maxima.
//!
//! Requantization never decreases, so the largest output of a window is the output of its largest
//! accumulator. A row of slots then holds one output for a whole window, and by how much the other
//! accumulators fall short of the largest.

use std::{collections::HashMap, sync::Arc};

use halo2_proofs::{halo2curves::bn256::Fr, plonk::Expression};
use zkinfer_models::{
    QuantizedGraph,
    quantized::{Affine, MaxPool, QuantizedOp, TensorId},
};

use super::kind::{PADDING, RequantKind};
use crate::{
    chain::{Monomial, monomial::Lattice},
    integers::index,
};

/// Rows and columns of a window.
pub(crate) const WINDOW: [usize; 2] = [2, 2];

/// Positions of a window.
pub(crate) const POSITIONS: usize = WINDOW[0] * WINDOW[1];

/// What the weight of a window's first position is multiplied with at each position.
pub(crate) const POSITION_WEIGHTS: [Monomial; POSITIONS] = [
    Monomial::new(0, 0, 0),
    Monomial::new(0, 0, 1),
    Monomial::new(0, 1, 0),
    Monomial::new(0, 1, 1),
];

/// [`POSITION_WEIGHTS`] as expressions.
pub(crate) fn position_weights(lattice: &Lattice<Expression<Fr>>) -> [Expression<Fr>; POSITIONS] {
    POSITION_WEIGHTS.map(|monomial| monomial.expression(lattice))
}

/// A max pool over windows of a layer's outputs, none of which is read elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pooling {
    /// The layer's node.
    pub(crate) layer: usize,
    /// The pool's node.
    pub(crate) pool: usize,
    /// The pool's output.
    pub(crate) output: TensorId,
    /// For the first element of a window the pool's output element, [`PADDING`] for all others.
    pub(crate) maxima: Arc<[u32]>,
}

/// The pools of a graph that layers can take over.
pub(crate) fn poolings(
    graph: &QuantizedGraph,
    kind: impl Fn(usize) -> Option<RequantKind>,
) -> Vec<Pooling> {
    let found = graph.nodes.iter().enumerate().filter_map(|(pool, node)| {
        let QuantizedOp::MaxPool(op) = &node.op else { return None };
        let layer = graph.nodes.iter().position(|n| n.output == op.input)?;
        let QuantizedOp::Affine(affine) = &graph.nodes[layer].op else { return None };
        let narrow = matches!(kind(layer), Some(RequantKind::Clamp | RequantKind::Table));
        if !narrow || !never_decreases(affine) || readers(graph, op.input) != 1 {
            return None;
        }
        let maxima = maxima(affine, op, graph.tensors[op.input.0].len())?;
        Some(Pooling { layer, pool, output: node.output, maxima })
    });
    found.collect()
}

/// Whether larger accumulators have no smaller outputs, those at positions beyond the image, which
/// are the bias, included.
fn never_decreases(affine: &Affine) -> bool {
    let requant = &affine.requant;
    let bounds = requant.acc_lo..=requant.acc_hi;
    affine.shifts.is_empty()
        && affine.bias.iter().all(|bias| bounds.contains(bias))
        && requant.table.as_ref().is_none_or(|table| table.is_sorted())
}

/// How often a tensor is read: by nodes, or as an output.
fn readers(graph: &QuantizedGraph, tensor: TensorId) -> usize {
    let read = graph.nodes.iter().flat_map(|node| node.op.inputs());
    read.chain(graph.outputs.iter().copied()).filter(|&read| read == tensor).count()
}

/// [`Pooling::maxima`], if every window of the pool is one of the layer's, and no two are the same.
fn maxima(affine: &Affine, pool: &MaxPool, elements: usize) -> Option<Arc<[u32]>> {
    let view = &affine.output;
    let mut firsts = HashMap::new();
    for channel in 0..view.channels {
        for row in (WINDOW[0] - 1..view.height).step_by(WINDOW[0]) {
            for column in (WINDOW[1] - 1..view.width).step_by(WINDOW[1]) {
                let [above, left] = [row + 1 - WINDOW[0], column + 1 - WINDOW[1]];
                let mut window = [[above, left], [above, column], [row, left], [row, column]]
                    .map(|[row, column]| view.index(channel, row, column));
                let first = window[0];
                window.sort_unstable();
                firsts.insert(window, first);
            }
        }
    }
    let mut maxima = vec![PADDING; elements];
    for (element, window) in pool.windows.iter().enumerate() {
        let mut window: [usize; POSITIONS] = window.try_into().ok()?;
        window.sort_unstable();
        maxima[firsts.remove(&window)?] = index(element);
    }
    Some(maxima.into())
}
