//! Between the integers of a claim and the real numbers that they stand for.

use alloc::{string::String, vec::Vec};

use thiserror::Error;

use crate::layout::TensorLayout;

/// The integers that stand for the real elements of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantized {
    /// One integer an element, within the bounds of the tensor.
    pub values: Vec<i64>,
    /// How many elements were outside the bounds and are now at one of them: what a proof is about
    /// is then another input than the one given.
    pub clamped: usize,
}

/// Real numbers of a tensor of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct RealTensor {
    /// Its name in the model.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<u32>,
    /// Its elements, flat in C order.
    pub values: Vec<f64>,
}

/// Why real numbers are no elements of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The number of values is not that of the tensor's elements.
    #[error("{got} values for {expected} elements")]
    Length {
        /// Elements of the tensor.
        expected: usize,
        /// Values given.
        got: usize,
    },
    /// A value that is infinite or no number.
    #[error("element {index} is not a finite number")]
    NotFinite {
        /// Flat index.
        index: usize,
    },
}

impl TensorLayout {
    /// The integers for real elements, as the prover computes them: `floor(x / scale + 1/2)` in
    /// double precision, clamped to the tensor's bounds.
    ///
    /// A single-precision `x` converts to double precision first, which is exact.
    ///
    /// # Errors
    /// [`QuantizeError::Length`] or [`QuantizeError::NotFinite`].
    pub fn quantize(&self, values: &[f64]) -> Result<Quantized, QuantizeError> {
        let (expected, got) = (self.element_count(), values.len());
        if expected != got {
            return Err(QuantizeError::Length { expected, got });
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(QuantizeError::NotFinite { index });
        }
        let rounded = values.iter().enumerate();
        let rounded: Vec<i64> =
            rounded.map(|(element, x)| floor(x / self.scale_of(element) + 0.5)).collect();
        let inside = |value: &&i64| (self.lo..=self.hi).contains(*value);
        let clamped = rounded.len().saturating_sub(rounded.iter().filter(inside).count());
        let values = rounded.into_iter().map(|value| value.clamp(self.lo, self.hi)).collect();
        Ok(Quantized { values, clamped })
    }

    /// The real number that the integer of an element stands for, in double precision.
    #[must_use]
    pub fn real(&self, element: usize, value: i64) -> f64 {
        double(value) * self.scale_of(element)
    }

    /// The real numbers that integers of this tensor stand for.
    #[must_use]
    pub fn dequantize(&self, values: &[i64]) -> Vec<f64> {
        values.iter().enumerate().map(|(element, &value)| self.real(element, value)).collect()
    }
}

/// The real numbers of all `tensors`, whose integers are `values`: flat, one tensor after the other.
pub(crate) fn real_tensors(tensors: &[TensorLayout], mut values: &[i64]) -> Vec<RealTensor> {
    let mut take = |count: usize| {
        let (head, rest) = values.split_at_checked(count).unwrap_or((values, &[]));
        values = rest;
        head
    };
    let real = |tensor: &TensorLayout| RealTensor {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        values: tensor.dequantize(take(tensor.element_count())),
    };
    tensors.iter().map(real).collect()
}

/// The largest integer not above `value`; the nearest one for a value beyond all integers.
fn floor(value: f64) -> i64 {
    let truncated = toward_zero(value);
    if double(truncated) > value { truncated.saturating_sub(1) } else { truncated }
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "the cast truncates and saturates, which is what is wanted; `f64` has no TryFrom"
)]
fn toward_zero(value: f64) -> i64 {
    value as i64
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "the nearest double: exact for the integers of 53 bits and fewer that circuits have"
)]
fn double(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn tensor(scale: f64, lo: i64, hi: i64, shape: &[u32]) -> TensorLayout {
        let (name, shape, scales) = ("x".into(), shape.to_vec(), vec![scale]);
        TensorLayout { name, shape, scales, lo, hi, classes: None }
    }

    #[test]
    fn halves_round_up_and_what_is_outside_is_counted() {
        let tensor = tensor(0.5, -3, 3, &[2, 4]);
        let reals = [-1.75, -1.5, -0.25, 0.0, 0.25, 1.5, 1.74, 1.75];
        let quantized = tensor.quantize(&reals).unwrap();
        assert_eq!(quantized.values, [-3, -3, 0, 0, 1, 3, 3, 3]);
        assert_eq!(quantized.clamped, 1, "only 1.75 rounds to 4");
        assert_eq!(tensor.dequantize(&[-3, 0, 3]), [-1.5, 0.0, 1.5]);
    }

    #[test]
    fn the_bounds_of_64_bits_are_no_special_case() {
        let tensor = tensor(1.0, i64::MIN, i64::MAX, &[4]);
        let quantized = tensor.quantize(&[1e300, -1e300, -0.6, 4.5e15]).unwrap();
        assert_eq!(quantized.values, [i64::MAX, i64::MIN, -1, 4_500_000_000_000_000]);
    }

    #[test]
    fn each_column_has_its_own_scale() {
        let scales = vec![0.5, 10.0];
        let tensor = TensorLayout { scales, ..tensor(1.0, -9, 9, &[2, 2]) };
        let quantized = tensor.quantize(&[1.0, 20.0, -2.0, 200.0]).unwrap();
        assert_eq!(quantized, Quantized { values: vec![2, 2, -4, 9], clamped: 1 });
        assert_eq!(tensor.dequantize(&quantized.values), [1.0, 20.0, -2.0, 90.0]);
    }

    #[test]
    fn what_is_no_input_is_refused() {
        let tensor = tensor(1.0, 0, 1, &[2]);
        let length = QuantizeError::Length { expected: 2, got: 1 };
        assert_eq!(tensor.quantize(&[1.0]), Err(length));
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let refused = Err(QuantizeError::NotFinite { index: 1 });
            assert_eq!(tensor.quantize(&[0.0, value]), refused);
        }
    }

    #[test]
    fn tensors_take_their_values_in_order() {
        let tensors = [tensor(0.5, -8, 8, &[2]), tensor(2.0, -8, 8, &[])];
        let reals = real_tensors(&tensors, &[1, -2, 3]);
        let values: Vec<_> = reals.into_iter().map(|tensor| tensor.values).collect();
        assert_eq!(values, [vec![0.5, -1.0], vec![6.0]]);
    }
}
