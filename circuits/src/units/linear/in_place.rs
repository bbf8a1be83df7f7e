//! Tensors that are read in the rows in which slots state them.
//!
//! Where the slots of a row are the positions of one channel, their sum `Σ ρ^lane·q` is the channel's
//! evaluation: nothing is gathered, and no cell is copied. The row after weighs it. So the rows of
//! such a tensor are rows of the linear unit, too, one for one, and all that is read elsewhere follows
//! behind them.

use std::collections::HashMap;

use zkinfer_models::{
    QuantizedGraph,
    quantized::{Affine, ConvTerm, ImageView, QuantizedOp, TensorId},
};

use super::{
    conv,
    rows::{Builder, LinearRow, weighed},
    windows::Channel,
};
use crate::units::slots::Layer;

/// Where slots state a tensor, a row to a channel.
struct Stated<'a> {
    first_row: usize,
    view: &'a ImageView,
}

/// The tensors whose rows of slots have one channel each.
fn stated(layers: &[Layer]) -> HashMap<TensorId, Stated<'_>> {
    let mut first_row = 1;
    let mut found = HashMap::new();
    for layer in layers {
        if layer.abreast > 1 {
            found.insert(layer.output, Stated { first_row, view: &layer.view });
        }
        first_row += layer.row_count();
    }
    found
}

/// Whether two images are the same elements, each of one line.
fn is_same_line(a: &ImageView, b: &ImageView) -> bool {
    let [a_channel, _, a_column] = a.strides;
    let [b_channel, _, b_column] = b.strides;
    let sizes = |view: &ImageView| [view.channels, view.height, view.width];
    sizes(a) == sizes(b)
        && a.height == 1
        && (a.offset, a_channel, a_column) == (b.offset, b_channel, b_column)
}

/// Whether every output sees all channels at its own position.
fn is_of_positions(affine: &Affine, term: &ConvTerm) -> bool {
    let sizes = |view: &ImageView| [view.height, view.width];
    sizes(&term.view) == sizes(&affine.output)
        && term.groups == 1
        && (term.kernel_size, term.stride, term.padding) == ([1, 1], [1, 1], [0, 0])
}

impl Builder {
    /// Lays out what is read where slots state it. A tensor is read so once.
    pub(super) fn place_stated(&mut self, graph: &QuantizedGraph, layers: &[Layer]) {
        let mut stated = stated(layers);
        let mut last = 0;
        for siblings in layers.chunk_by(Layer::is_beside) {
            let QuantizedOp::Affine(affine) = &graph.nodes[siblings[0].node].op else { continue };
            for image in &conv::sub_images(affine) {
                let term = &affine.terms[image.term];
                let weights: Vec<_> =
                    siblings.iter().filter_map(|of| weighed(graph, of, image.term)).collect();
                let channel = |index| Channel { weights: &weights, term, image, index };
                let is_one_row = *channel(0).blocks(self.columns).end() == 0;
                let fits = |tensor: &Stated<'_>| is_same_line(tensor.view, &term.view);
                let here = stated.get(&term.input).filter(|tensor| fits(tensor));
                if here.is_none() || !is_one_row || !is_of_positions(affine, term) {
                    continue;
                }
                let Some(Stated { first_row, .. }) = stated.remove(&term.input) else { continue };
                last = last.max(first_row + term.view.channels);
                (0..term.view.channels)
                    .for_each(|index| self.weigh_in_place(first_row + index, &channel(index)));
                self.in_place.push((siblings[0].index, image.term));
            }
        }
        let terms = self.in_place.len();
        self.layout.is_in_place = terms > 0;
        self.layout.has_windows |= terms > 0;
        self.layout.is_all_in_place = is_all_in_place(graph, layers, terms);
        self.layout.row_count = self.layout.row_count.max(last + 1);
    }

    /// Reads a channel in a row of slots, and weighs it in the row after.
    fn weigh_in_place(&mut self, row: usize, channel: &Channel<'_>) {
        if !self.keep {
            return;
        }
        let weights = self.weights_of(channel, [0, 0], 0);
        let rows = &mut self.layout.rows;
        rows.resize(rows.len().max(row + 2), LinearRow::default());
        rows[row].layer = Some(channel.weights[0].0.challenge);
        rows[row].in_place = true;
        rows[row + 1].weights = Some(weights);
    }
}

/// Whether no output of a layer whose positions lie abreast is read but in place: each is read once,
/// by so many terms, and none is an output of the model.
fn is_all_in_place(graph: &QuantizedGraph, layers: &[Layer], terms: usize) -> bool {
    let stated = stated(layers);
    let read = graph.nodes.iter().flat_map(|node| node.op.inputs());
    let is_stated = |tensor: &TensorId| stated.contains_key(tensor);
    let readers = read.chain(graph.outputs.iter().copied()).filter(is_stated).count();
    !stated.is_empty() && readers == terms
}
