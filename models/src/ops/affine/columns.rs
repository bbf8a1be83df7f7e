//! Inputs whose columns have scales of their own: the layer that reads one absorbs them.

use std::borrow::Cow;

use super::{Affine, Term};
use crate::quantizer::Quantizer;
use crate::tensor::ImageView;

impl Quantizer<'_> {
    /// The layer to which every input has one scale.
    pub(super) fn absorbed<'b>(&self, affine: &'b Affine) -> Cow<'b, Affine> {
        let is_uniform = |term: &Term| self.tensors[term.input.0].column_scales.is_empty();
        if affine.terms.iter().all(is_uniform) {
            return Cow::Borrowed(affine);
        }
        let mut absorbed = affine.clone();
        let outputs = absorbed.output.channels;
        for term in &mut absorbed.terms {
            let tensor = &self.tensors[term.input.0];
            let count = tensor.column_scales.len();
            let Some(columns) = column_of_channels(&term.view, count) else { continue };
            let taps = term.window.kernel_size[0] * term.window.kernel_size[1];
            let inputs = term.view.channels / term.window.groups;
            for (position, weight) in term.kernel.iter_mut().enumerate() {
                let group = position / (inputs * taps) / (outputs / term.window.groups);
                let channel = group * inputs + position / taps % inputs;
                *weight *= tensor.column_scales[columns[channel]] / tensor.scale;
            }
        }
        Cow::Owned(absorbed)
    }
}

/// The column that each channel of a view takes, where each takes one.
pub(crate) fn column_of_channels(view: &ImageView, columns: usize) -> Option<Vec<usize>> {
    let stays = |size: usize, stride: usize| size <= 1 || stride.checked_rem(columns) == Some(0);
    if !stays(view.height, view.strides[1]) || !stays(view.width, view.strides[2]) {
        return None;
    }
    (0..view.channels).map(|channel| view.index(channel, 0, 0).checked_rem(columns)).collect()
}
