//! The shift of a model where the options leave it open.
//!
//! A shift of `S` rounds weights to multiples of `2^−S` in units of a layer's inputs and outputs.
//! Every digit is a cell's share in each requantized value of a circuit, and more digits than the
//! outputs can show are wasted. So the shift is the smallest at which the rounding of weights moves
//! a result by less than the result's own rounding does.

use std::ops::RangeInclusive;

use super::real;
use crate::quantized::{Affine, Contract, Mul, Normalize, QuantizedGraph};

/// The shifts that are chosen from.
const SHIFTS: RangeInclusive<u32> = 10..=16;
/// With fewer weights to an output their errors do not average out, and [`FEW_WEIGHTS_SHIFT`] digits
/// cost little.
const FEW_WEIGHTS: usize = 16;
/// The least shift of such a layer.
const FEW_WEIGHTS_SHIFT: f64 = 12.0;
/// What whole numbers that a scale gives way to are not rounded below: a scale then grows by a
/// sixteenth at most.
const LEAST_FACTOR: f64 = 16.0;

/// Reciprocals of deviations are not below this: they are whole numbers, too.
const LEAST_RECIPROCAL: f64 = 256.0;

/// The shift with which a model is quantized first, to see what it needs.
pub(crate) const FINEST: u32 = *SHIFTS.end();

/// The smallest shift that serves every layer of a model that is quantized with [`FINEST`].
pub(super) fn sufficient(graph: &QuantizedGraph) -> u32 {
    let needed = graph.nodes.iter().map(|node| node.op.form().shift(graph)).fold(0.0, f64::max);
    SHIFTS.into_iter().find(|&shift| f64::from(shift) >= needed).unwrap_or(FINEST)
}

/// A rounded weight is off by `2^−S/√12`, and moves an output by that times its input `x`: all of an
/// output's together by a quarter of a unit at most, as standard deviations, `Σ x²/12 ≤ 4^S/16`, where
/// an `x` is a third of its largest magnitude. A layer of one weight has no error but a scale that
/// gives way.
pub(crate) fn of_affine(graph: &QuantizedGraph, affine: &Affine) -> f64 {
    let weights = affine.terms.iter().flat_map(|term| &term.kernel).map(|w| w.unsigned_abs());
    let mut weights = weights.filter(|&weight| weight != 0);
    let first = weights.next().unwrap_or(0);
    if weights.all(|weight| weight == first) {
        return of_factor(first.into());
    }
    let mut squares = vec![0.0; affine.bias.len()];
    let mut counts = vec![0; affine.bias.len()];
    for term in &affine.terms {
        let tensor = &graph.tensors[term.input.0];
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

/// The factor of a product is a whole number, to which its scale gives way.
pub(crate) fn of_mul(mul: &Mul) -> f64 {
    of_factor(real(mul.factor))
}

/// What a deviation of a third of the largest element is divided by, in units of the reciprocal: so
/// many have it to a part of [`LEAST_RECIPROCAL`].
pub(crate) fn of_normalization(graph: &QuantizedGraph, op: &Normalize) -> f64 {
    let tensor = &graph.tensors[op.input.0];
    let deviation = real(tensor.lo.abs().max(tensor.hi.abs()).max(1)) / 3.0;
    f64::from(FINEST) - libm::log2(real(op.gain) / deviation / LEAST_RECIPROCAL)
}

/// The same of a matrix product.
pub(crate) fn of_contract(product: &Contract) -> f64 {
    of_factor(real(product.factor.abs()))
}

/// The shift at which a whole number is not below [`LEAST_FACTOR`].
fn of_factor(factor: f64) -> f64 {
    f64::from(FINEST) - libm::log2(factor.max(1.0) / LEAST_FACTOR)
}
