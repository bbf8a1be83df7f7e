//! Linear layers after linear layers become one.

use super::super::{Affine, Draft, Node, Op, Term, Window};
use super::Context;
use crate::activation::Activation;
use crate::tensor::{ImageView, TensorId};
use crate::view::View;

impl Draft {
    /// A sum of scaled tensors takes over a layer that only it reads: batch normalization and
    /// bias after a convolution, or a residual addition.
    pub(super) fn merge_producer(&mut self, position: usize, context: &Context<'_>) -> bool {
        let Op::Affine(sum) = &self.nodes[position].op else { return false };
        let merged = (0..sum.terms.len()).find_map(|term| {
            let layer = self.layer_behind(sum.terms[term].input, context)?;
            let Op::Affine(producer) = &self.nodes[layer].op else { return None };
            Some((layer, merge(sum, term, producer)?))
        });
        let Some((layer, merged)) = merged else { return false };
        self.nodes[position].op = Op::Affine(merged);
        self.nodes.remove(layer);
        true
    }

    /// The position of the linear layer that alone gives the elements of `id`, in their order.
    pub(super) fn layer_behind(&self, id: TensorId, context: &Context<'_>) -> Option<usize> {
        let position = self.behind_identities(id, context)?;
        match &self.nodes[position].op {
            Op::Affine(affine) if affine.activation == Activation::Identity => Some(position),
            _ => None,
        }
    }

    /// The position of the operation that alone gives the elements of `id`, in their order.
    pub(super) fn behind_identities(&self, id: TensorId, context: &Context<'_>) -> Option<usize> {
        let position = context.sole_producer(id)?;
        match &self.nodes[position].op {
            Op::Alias(alias)
                if alias.elements == View::in_order(self.tensors[alias.input.0].len()) =>
            {
                self.behind_identities(alias.input, context)
            }
            _ => Some(position),
        }
    }

    /// Layers take over the scaling and shifting of what they read, where all readers can:
    /// `(x − mean) / deviation` before the first convolution, scale and shift of a normalization.
    pub(super) fn fold_scaling(&mut self, position: usize) -> bool {
        let Node { op: Op::Affine(scaling), output, .. } = &self.nodes[position] else {
            return false;
        };
        if !is_scaling(scaling) || self.outputs.contains(output) {
            return false;
        }
        let readers = (position + 1..self.nodes.len())
            .filter(|&reader| self.nodes[reader].op.inputs().contains(output));
        let folded = readers.map(|reader| match &self.nodes[reader].op {
            Op::Affine(layer) => Some((reader, fold(layer, *output, scaling)?)),
            _ => None,
        });
        let Some(folded) = folded.collect::<Option<Vec<_>>>() else { return false };
        for (reader, layer) in folded {
            self.nodes[reader].op = Op::Affine(layer);
        }
        self.nodes.remove(position);
        true
    }
}

/// Whether a layer multiplies each element of one tensor with the number of its channel, and shifts
/// it.
fn is_scaling(layer: &Affine) -> bool {
    let [term] = &layer.terms[..] else { return false };
    layer.activation == Activation::Identity && is_pointwise(term, &layer.output)
}

/// Whether output `(c, i, j)` reads exactly pixel `(c, i, j)` of the same flat position.
pub(super) fn is_pointwise(term: &Term, output: &ImageView) -> bool {
    term.window == Window::pixel(output.channels) && term.view == *output
}

/// `sum` with its pointwise term replaced by the terms of `producer`.
fn merge(sum: &Affine, term: usize, producer: &Affine) -> Option<Affine> {
    if !is_pointwise(&sum.terms[term], &sum.output) {
        return None;
    }
    if sum.output == producer.output {
        return Some(replaced(sum.clone(), term, producer));
    }
    match review(sum, &producer.output) {
        Some(sum) => Some(replaced(sum, term, producer)),
        None => Some(replaced(sum.clone(), term, &review(producer, &sum.output)?)),
    }
}

/// `merged` with one of its terms replaced by those of `producer`, whose channels are its own.
fn replaced(mut merged: Affine, term: usize, producer: &Affine) -> Affine {
    let scale = merged.terms.remove(term).kernel;
    for (channel, bias) in merged.bias.iter_mut().enumerate() {
        *bias += scale[channel] * producer.bias[channel];
    }
    let scaled = producer.terms.iter().map(|inner| {
        let per_channel = inner.kernel.len() / scale.len();
        let mut inner = inner.clone();
        for (position, weight) in inner.kernel.iter_mut().enumerate() {
            *weight *= scale[position / per_channel];
        }
        inner
    });
    merged.terms.splice(term..term, scaled);
    merged
}

/// The same sum with the channels of `view`, of terms that are pointwise or a part of a
/// concatenation; `None` where a weight or bias differs within one of them.
fn review(sum: &Affine, view: &ImageView) -> Option<Affine> {
    let is_either = |term| is_pointwise(term, &sum.output) || is_part(term, &sum.output);
    if !sum.terms.iter().all(is_either) {
        return None;
    }
    let channels = channel_of_element(&sum.output);
    let terms = sum.terms.iter().map(|term| {
        if !is_pointwise(term, &sum.output) {
            return part_of_channels(term, &sum.output, view);
        }
        let kernel = regroup(&term.kernel, &channels, view)?;
        let window = Window::pixel(view.channels);
        Some(Term { input: term.input, view: view.clone(), window, kernel })
    });
    Some(Affine {
        terms: terms.collect::<Option<_>>()?,
        bias: regroup(&sum.bias, &channels, view)?,
        output: view.clone(),
        activation: sum.activation,
    })
}

/// Whether a term is a part of a concatenation: rows of one channel that are moved down.
fn is_part(term: &Term, output: &ImageView) -> bool {
    let [start, left] = term.window.padding;
    let pixel = Window { padding: [start, left], ..Window::pixel(1) };
    let rows = ImageView { height: term.view.height, ..output.clone() };
    output.channels == 1
        && term.window == pixel
        && left == 0
        && ImageView { strides: output.strides, ..term.view.clone() } == rows
        && term.view.strides[1..] == output.strides[1..]
        && start + term.view.height <= output.height
}

/// A part of a concatenation whose rows are channels of `view`; `None` where they are not, or where
/// the kernel of all channels would have more weights than the result has elements.
fn part_of_channels(term: &Term, output: &ImageView, view: &ImageView) -> Option<Term> {
    let pixels = view.height * view.width;
    let lies_alike = view.strides == [output.strides[1], view.width, 1]
        && output.strides[2] == 1
        && [view.channels, pixels, view.offset] == [output.height, output.width, output.offset];
    let (channels, inputs, start) = (view.channels, term.view.height, term.window.padding[0]);
    if !lies_alike || inputs > pixels {
        return None;
    }
    let mut kernel = vec![0.0; channels * inputs];
    for input in 0..inputs {
        kernel[(start + input) * inputs + input] = term.kernel[0];
    }
    let view = ImageView { channels: inputs, ..view.clone() };
    Some(Term { input: term.input, view, window: Window::pixel(1), kernel })
}

/// For each flat position of a tensor that `view` covers, its channel.
pub(super) fn channel_of_element(view: &ImageView) -> Vec<usize> {
    let mut channels = vec![0; view.channels * view.height * view.width];
    for channel in 0..view.channels {
        for i in 0..view.height {
            for j in 0..view.width {
                channels[view.index(channel, i, j)] = channel;
            }
        }
    }
    channels
}

/// Values given per channel of each element, now per channel of `view`.
fn regroup(values: &[f64], channel_of: &[usize], view: &ImageView) -> Option<Vec<f64>> {
    let pixels = (0..view.height).flat_map(|i| (0..view.width).map(move |j| (i, j)));
    (0..view.channels)
        .map(|channel| {
            let first = values[channel_of[view.index(channel, 0, 0)]];
            let same = |(i, j)| values[channel_of[view.index(channel, i, j)]] == first;
            pixels.clone().all(same).then_some(first)
        })
        .collect()
}

/// `layer` with `scaling`, which gives the tensor `scaled`, folded in wherever that is read.
fn fold(layer: &Affine, scaled: TensorId, scaling: &Affine) -> Option<Affine> {
    let terms = (0..layer.terms.len()).filter(|&term| layer.terms[term].input == scaled);
    terms.into_iter().try_fold(layer.clone(), |layer, term| fold_into(layer, term, scaling))
}

fn fold_into(mut layer: Affine, term: usize, scaling: &Affine) -> Option<Affine> {
    let outer = &layer.terms[term];
    let channels = channel_of_element(&scaling.output);
    let scale = regroup(&scaling.terms[0].kernel, &channels, &outer.view)?;
    let shift = regroup(&scaling.bias, &channels, &outer.view)?;
    let patches = crate::ops::affine::patches::Patches {
        view: &outer.view,
        window: outer.window,
        rows: layer.output.height,
        columns: layer.output.width,
    };
    if shift.iter().any(|&shift| shift != 0.0) && patches.touches_padding() {
        return None;
    }
    let [height, width] = outer.window.kernel_size;
    let inputs = outer.view.channels / outer.window.groups;
    let outputs = layer.output.channels / outer.window.groups;
    let folded = &mut layer.terms[term];
    folded.input = scaling.terms[0].input;
    for (position, weight) in folded.kernel.iter_mut().enumerate() {
        let output = position / (inputs * height * width);
        let channel = output / outputs * inputs + position / (height * width) % inputs;
        layer.bias[output] += *weight * shift[channel];
        *weight *= scale[channel];
    }
    Some(layer)
}
