//! Layers that shift every element by a number of its own, as layers of few channels.

use super::{ConvTerm, QuantizedAffine};
use crate::tensor::ImageView;

/// So many channels or more: requantized values of neighbouring channels lie side by side.
const LEAST_CHANNELS: usize = 16;

/// A layer with a channel for every element that does the same to all of them but for the bias, as
/// when places are added to embedded words, with the last dimensions of `shape` as channels. The
/// bias then is [`QuantizedAffine::shifts`]; results are the same, and a circuit reads the elements
/// of a channel together. Other layers stay as they are.
pub(super) fn regrouped(layer: QuantizedAffine, shape: &[usize]) -> QuantizedAffine {
    let len = layer.bias.len();
    let mut products = shape.iter().rev().scan(1, |product, size| {
        *product *= size;
        Some(*product)
    });
    let Some(channels) = products.find(|&product| product >= LEAST_CHANNELS) else { return layer };
    let is_alike = is_flat(&layer.output, len)
        && layer.output.strides[0] == 1
        && layer.output.offset == 0
        && layer.terms.iter().all(|term| is_uniform(term, len));
    if channels >= len || !len.is_multiple_of(channels) || !is_alike {
        return layer;
    }
    let regroup = |view: &ImageView| {
        let step = view.strides[0];
        let (width, strides) = (len / channels, [step, 0, channels * step]);
        ImageView { channels, height: 1, width, strides, offset: view.offset }
    };
    let term = |term: ConvTerm| ConvTerm {
        view: regroup(&term.view),
        kernel: term.kernel[..channels].to_vec(),
        groups: channels,
        ..term
    };
    QuantizedAffine {
        terms: layer.terms.into_iter().map(term).collect(),
        shifts: layer.bias,
        bias: vec![0; channels],
        output: regroup(&layer.output),
        requant: layer.requant,
    }
}

fn is_flat(view: &ImageView, len: usize) -> bool {
    [view.channels, view.height, view.width] == [len, 1, 1]
}

/// Whether a term adds each element with the same weight.
fn is_uniform(term: &ConvTerm, len: usize) -> bool {
    is_flat(&term.view, len)
        && term.groups == len
        && term.kernel_size == [1, 1]
        && term.padding == [0, 0]
        && term.kernel.iter().all(|weight| *weight == term.kernel[0])
}
