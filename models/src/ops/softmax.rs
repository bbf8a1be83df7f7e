//! Softmax over groups of elements, by a table of exponentials.

use serde::{Deserialize, Serialize};

use super::form::{Computed, IntegerForm, Quantizes, Reads, RealForm, Requirement, Runs};
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::numbers::{integer, power_of_two, real, small};
use crate::quantizer::form::Role;
use crate::quantizer::{Format, Layer, Quantizer};
use crate::tensor::{QuantizedTensor, TensorId};
use crate::view::Groups;

/// Fractional bits of the exponentials.
const EXP_BITS: u32 = 12;

/// `output_i = exp(x_i) / Σ exp(x_j)` over the group of `i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Softmax {
    /// The tensor that is read; the output has the same shape.
    pub input: TensorId,
    /// The element indices of each group; every element is in exactly one.
    pub groups: Groups,
}

/// For each group, with `m` its largest element: `e_i = exp_table[min(m − x_i, last)]`,
/// `s = Σ e_i`, `r = floor(2^(bits+16) / s)`, `output_i = floor((r·e_i + 2^15) / 2^16)`: the
/// probability in units of `2^−bits`, off by at most 9/16 of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuantizedSoftmax {
    /// The tensor that is read; the output has the same shape.
    pub input: TensorId,
    /// The element indices of each group; every element is in exactly one.
    pub groups: Groups,
    /// `round(2^12 · exp(−scale · d))` for `d = 0 … hi − lo` of the input, so no difference is
    /// outside it. Entry 0 is 4096.
    pub exp_table: Vec<i32>,
    /// Fractional bits of the output, 1 to 15.
    pub bits: u32,
}

impl QuantizedSoftmax {
    /// Bits that an output is rounded by: those that a reciprocal has beyond it.
    pub const ROUNDING_BITS: u32 = 16;

    /// log2 of what a group's sum is divided into.
    #[must_use]
    pub fn reciprocal_bits(&self) -> u32 {
        self.bits + Self::ROUNDING_BITS
    }
}

impl Reads for Softmax {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }

    fn inputs_mut(&mut self) -> Vec<&mut TensorId> {
        vec![&mut self.input]
    }
}

impl RealForm for Softmax {
    fn requirement(&self) -> Requirement {
        Requirement::Argument
    }

    /// The accumulators are the largest argument of each group, for calibration.
    fn run(&self, values: &[Vec<f64>], len: usize) -> Computed<f64> {
        let input = &values[self.input.0];
        let mut output = vec![0.0; len];
        let mut maxima = Vec::with_capacity(self.groups.count());
        for group in self.groups.iter() {
            let largest = group.iter().map(|&i| input[i]).fold(f64::NEG_INFINITY, f64::max);
            maxima.push(largest);
            let sum: f64 = group.iter().map(|&i| libm::exp(input[i] - largest)).sum();
            for i in group {
                output[i] = libm::exp(input[i] - largest) / sum;
            }
        }
        Computed { accumulators: Some(maxima), values: output }
    }

    fn range(&self, _: &[Range]) -> Range {
        Range { lo: 0.0, hi: 1.0 }
    }
}

impl Quantizes for Softmax {
    type Integer = QuantizedSoftmax;

    fn quantize(
        &self,
        quantizer: &Quantizer<'_>,
        _: Layer<'_>,
        _: Role,
    ) -> Result<(Self::Integer, Format), QuantizeError> {
        let input = quantizer.format(self.input);
        let one = real(power_of_two(EXP_BITS));
        let exp_table = (0..=input.hi - input.lo)
            .map(|d| small(integer((one * libm::exp(-input.scale * real(d))).round())))
            .collect();
        let bits = quantizer.options.softmax_bits;
        let (input, groups) = (self.input, self.groups.clone());
        let op = QuantizedSoftmax { input, groups, exp_table, bits };
        let hi = power_of_two(bits);
        Ok((op, Format { scale: 1.0 / real(hi), lo: 0, hi }))
    }
}

impl IntegerForm for QuantizedSoftmax {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }

    fn run(&self, _: &[QuantizedTensor], values: &[Vec<i64>], _: TensorId) -> Computed<i64> {
        let input = &values[self.input.0];
        let mut output = vec![0; input.len()];
        for group in self.groups.iter() {
            let largest = group.iter().map(|&i| input[i]).fold(i64::MIN, i64::max);
            let exponential = |i: usize| {
                let difference =
                    usize::try_from(largest - input[i]).expect("no element is above the largest");
                i64::from(self.exp_table[difference.min(self.exp_table.len() - 1)])
            };
            let sum: i64 = group.iter().map(|&i| exponential(i)).sum();
            let reciprocal = (1 << self.reciprocal_bits()) / sum;
            for i in group {
                let rounded = exponential(i) * reciprocal + (1 << (Self::ROUNDING_BITS - 1));
                output[i] = rounded >> Self::ROUNDING_BITS;
            }
        }
        Computed::plain(output)
    }

    fn repeat(&mut self, runs: Runs<'_>) {
        self.groups = self.groups.repeated(runs.count, runs.len(self.input));
    }
}
