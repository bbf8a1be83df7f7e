//! The shift at which the rounding of a layer's weights does not show.

use super::QuantizedAffine;
use crate::numbers::real;
use crate::quantizer::shift::of_factor;
use crate::tensor::QuantizedTensor;

/// With fewer weights to an output their errors do not average out, and [`FEW_WEIGHTS_SHIFT`] digits
/// cost little.
const FEW_WEIGHTS: usize = 16;
/// The least shift of such a layer.
const FEW_WEIGHTS_SHIFT: f64 = 12.0;

/// A rounded weight is off by `2^−S/√12`, and moves an output by that times its input `x`: all of an
/// output's together by a quarter of a unit at most, as standard deviations, `Σ x²/12 ≤ 4^S/16`, where
/// an `x` is a third of its largest magnitude. A layer of one weight has no error but a scale that
/// gives way.
pub(super) fn needed(tensors: &[QuantizedTensor], affine: &QuantizedAffine) -> f64 {
    let weights = affine.terms.iter().flat_map(|term| &term.kernel).map(|w| w.unsigned_abs());
    let mut weights = weights.filter(|&weight| weight != 0);
    let first = weights.next().unwrap_or(0);
    if weights.all(|weight| weight == first) {
        return of_factor(first.into());
    }
    let mut squares = vec![0.0; affine.bias.len()];
    let mut counts = vec![0; affine.bias.len()];
    for term in &affine.terms {
        let tensor = &tensors[term.input.0];
        let largest = real(tensor.lo.abs().max(tensor.hi.abs()));
        let per_channel = (term.kernel.len() / squares.len()).max(1);
        let channels = squares.iter_mut().zip(&mut counts);
        for ((sum, count), kernel) in channels.zip(term.kernel.chunks(per_channel)) {
            let weights = kernel.iter().filter(|weight| **weight != 0).count();
            *count += weights;
            *sum += real(i64::try_from(weights).unwrap_or(i64::MAX)) * largest * largest / 9.0;
        }
    }
    let most = squares.into_iter().fold(0.0, f64::max);
    let needed = libm::log2((most * 16.0 / 12.0).max(1.0)) / 2.0;
    let has_few = counts.into_iter().max().unwrap_or(0) < FEW_WEIGHTS;
    if has_few { needed.max(FEW_WEIGHTS_SHIFT) } else { needed }
}
