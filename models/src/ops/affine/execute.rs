//! Linear layers: exact matrix products in `f64` where every sum has at most 53 bits, in `i64`
//! otherwise.

use ndarray::{ArrayView2, Axis, LinalgScalar};

use super::patches::{Patches, bias_sums, scatter};
use super::{ConvTerm, ImageView, QuantizedAffine};
use crate::tensor::{QuantizedTensor, TensorId};

/// The accumulators in the element order of the output tensor.
pub(super) fn accumulators(
    tensors: &[QuantizedTensor],
    layer: &QuantizedAffine,
    values: &[Vec<i64>],
    output: TensorId,
) -> Vec<i64> {
    let len = tensors[output.0].len();
    if largest_sum(tensors, layer) < 1 << 53 {
        let sums = sums::<f64>(layer, values, len, exact, f64::from);
        return sums.into_iter().map(whole).collect();
    }
    sums::<i64>(layer, values, len, |value| value, i64::from)
}

/// The largest magnitude that any partial sum can have, in any order of summation.
fn largest_sum(tensors: &[QuantizedTensor], layer: &QuantizedAffine) -> u128 {
    let mut sums: Vec<u128> = layer.bias.iter().map(|bias| bias.unsigned_abs().into()).collect();
    for term in &layer.terms {
        let tensor = &tensors[term.input.0];
        let input = u128::from(tensor.lo.unsigned_abs().max(tensor.hi.unsigned_abs()));
        let per_channel = term.kernel.len() / sums.len();
        for (sum, weights) in sums.iter_mut().zip(term.kernel.chunks(per_channel)) {
            let weights: u128 = weights.iter().map(|w| u128::from(w.unsigned_abs())).sum();
            *sum += weights * input;
        }
    }
    sums.into_iter().max().unwrap_or(0)
}

fn sums<T: LinalgScalar + Default>(
    layer: &QuantizedAffine,
    values: &[Vec<i64>],
    len: usize,
    convert: fn(i64) -> T,
    convert_weight: fn(i32) -> T,
) -> Vec<T> {
    let view = &layer.output;
    let bias: Vec<T> = layer.bias.iter().copied().map(convert).collect();
    let mut sums = bias_sums(&bias, view);
    for term in &layer.terms {
        let input: Vec<T> = values[term.input.0].iter().copied().map(convert).collect();
        let patches = Patches {
            view: &term.view,
            window: term.window(),
            rows: view.height,
            columns: view.width,
        };
        let (patch, rows) = (patch_size(term), rows_at_once(term, view));
        let blocks = term.kernel.chunks((rows * patch).max(1));
        for (block, sums) in blocks.zip(sums.axis_chunks_iter_mut(Axis(0), rows)) {
            let weights: Vec<T> = block.iter().copied().map(convert_weight).collect();
            let kernel = ArrayView2::from_shape((sums.nrows(), patch), &weights)
                .expect("a term's kernel has one weight per output channel and patch element");
            patches.accumulate(kernel, &input, sums);
        }
    }
    scatter(&sums, view, len)
}

/// Output channels whose weights are converted at once: where a weight is used only once, so few
/// that they stay in a core's cache.
fn rows_at_once(term: &ConvTerm, output: &ImageView) -> usize {
    const WEIGHTS: usize = 1 << 16;
    let is_dense = term.groups == 1 && output.height * output.width == 1;
    if is_dense { (WEIGHTS / patch_size(term).max(1)).max(1) } else { output.channels.max(1) }
}

fn patch_size(term: &ConvTerm) -> usize {
    term.view.channels / term.groups * term.kernel_size[0] * term.kernel_size[1]
}

#[expect(clippy::cast_precision_loss, reason = "used only where every value is below 2^53")]
fn exact(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_possible_truncation, reason = "the value is whole and below 2^53")]
fn whole(value: f64) -> i64 {
    value as i64
}
