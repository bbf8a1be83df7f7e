//! The shift of a model where the options leave it open.
//!
//! A shift of `S` rounds weights to multiples of `2^−S` in units of a layer's inputs and outputs.
//! Every digit is a cell's share in each requantized value of a circuit, and more digits than the
//! outputs can show are wasted. So the shift is the smallest at which the rounding of weights moves
//! a result by less than the result's own rounding does.

use std::ops::RangeInclusive;

/// The shifts that are chosen from.
const SHIFTS: RangeInclusive<u32> = 10..=16;
/// What whole numbers that a scale gives way to are not rounded below: a scale then grows by a
/// sixteenth at most.
const LEAST_FACTOR: f64 = 16.0;

/// The shift with which a model is quantized first, to see what it needs.
pub(crate) const FINEST: u32 = *SHIFTS.end();

/// The shift at which a whole number is not below [`LEAST_FACTOR`].
pub(crate) fn of_factor(factor: f64) -> f64 {
    f64::from(FINEST) - libm::log2(factor.max(1.0) / LEAST_FACTOR)
}

/// The smallest shift that is not below what is needed, or the finest.
pub(crate) fn at_least(needed: f64) -> u32 {
    SHIFTS.into_iter().find(|&shift| f64::from(shift) >= needed).unwrap_or(FINEST)
}
