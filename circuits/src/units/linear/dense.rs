//! The rows of dense layers: several inputs to a row, each beside its share of the weights.
//!
//! | reads | evaluation | weights |
//! |---|---|---|
//! | `x_0 … x_(i−1)` | `d·α^k`, the same in many rows | `i` shares, each of packs `k, k + 1, …` of one input |

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use zkinfer_models::{
    QuantizedGraph,
    quantized::{Affine, ConvTerm, QuantizedOp},
};

use super::{
    columns::share,
    rows::{Builder, LinearRow},
};
use crate::{
    chain::Monomial,
    integers::{index, int},
    units::slots::Layer,
};

/// Whether a term reads each of its channels at one position only, and for all outputs.
pub(super) fn is_dense(affine: &Affine, term: &ConvTerm) -> bool {
    let sizes = [affine.output.height, affine.output.width, term.view.height, term.view.width];
    sizes == [1; 4] && term.kernel_size == [1, 1] && term.padding == [0, 0] && term.groups == 1
}

/// How many inputs to a row give the fewest rows of dense layers: the fewest of equals, 0 without
/// dense layers.
pub(super) fn inputs_to_row(
    graph: &QuantizedGraph,
    layers: &[Layer],
    lanes: usize,
    columns: usize,
) -> usize {
    let terms = layers.iter().flat_map(|layer| {
        let affine = match &graph.nodes[layer.node].op {
            QuantizedOp::Affine(affine) => Some(affine),
            _ => None,
        };
        affine.into_iter().flat_map(move |affine| {
            let terms = affine.terms.iter().filter(|term| is_dense(affine, term));
            terms.map(|term| (term.view.channels, packs(layer)))
        })
    });
    let terms: Vec<_> = terms.collect();
    let rows = |&inputs: &usize| {
        let of_term = |&(channels, packs): &(usize, usize)| {
            channels.div_ceil(inputs) * packs.div_ceil(share(columns, inputs))
        };
        terms.iter().map(of_term).sum::<usize>()
    };
    let best = (1..=lanes.min(columns)).min_by_key(rows);
    best.filter(|_| !terms.is_empty()).unwrap_or(0)
}

/// Packs of a layer's output channels.
fn packs(layer: &Layer) -> usize {
    layer.packing.place(layer.view.channels - 1).0 + 1
}

impl Builder {
    /// Weighs every input with every pack: shares of packs one after another, under each all inputs.
    pub(super) fn dense(&mut self, layer: &Layer, term: &ConvTerm) {
        let inputs = self.layout.dense_inputs;
        let share = share(self.columns, inputs);
        let channels: Vec<usize> = (0..term.view.channels).collect();
        self.start_weight(layer.challenge);
        let mut before = None;
        for block in 0..packs(layer).div_ceil(share) {
            for channels in channels.chunks(inputs) {
                if let Some(before) = before.replace(block) {
                    self.step(Monomial::new(int((block - before) * share), 0, 0));
                }
                let element =
                    |&channel: &usize| Some((term.input, index(term.view.index(channel, 0, 0))));
                let reads = self.block(channels.iter().map(element));
                let weights = self.dense_weights(layer, term, channels, block * share);
                if let Some(last) = self.layout.rows.last_mut() {
                    *last = LinearRow { reads, weights, dense: true, ..*last };
                }
            }
        }
        // The next layer must not read on a row whose lanes are taken.
        self.push(LinearRow::default());
    }

    /// The shares of some inputs, each of the packs from `first` on.
    fn dense_weights(
        &mut self,
        layer: &Layer,
        term: &ConvTerm,
        channels: &[usize],
        first: usize,
    ) -> Option<u32> {
        if !self.keep {
            return None;
        }
        let share = share(self.columns, self.layout.dense_inputs);
        let packing = layer.packing;
        let start = self.layout.weights.len();
        for &input in channels {
            let weight = |output: usize| {
                if output < layer.view.channels {
                    term.kernel[output * term.view.channels + input]
                } else {
                    0
                }
            };
            let packed = |pack| {
                let outputs = (0..packing.size()).map(|digit| packing.channel(pack, digit));
                packing.pack(outputs.map(|output| output.map_or(0, weight)))
            };
            self.layout.weights.extend((first..first + share).map(packed));
        }
        self.layout.weights.resize(start + self.columns, Fr::ZERO);
        Some(index(start / self.columns))
    }
}
