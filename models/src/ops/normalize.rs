//! Normalization of groups of elements: over their deviation, with or without their mean.

use serde::{Deserialize, Serialize};

use super::form::{Computed, IntegerForm, Quantizes, Reads, RealForm, Runs};
use crate::activation::Activation;
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::numbers::{integer, power_of_two, real, small};
use crate::quantizer::form::{Form, Role};
use crate::quantizer::{Format, Layer, Quantizer, check_scale, shift};
use crate::requant::Requant;
use crate::tensor::{QuantizedTensor, TensorId};

/// Bits of what a circuit splits into limbs; see [`QuantizedNormalize::slack_bits`].
const SLACK_BITS: u32 = 60;
/// Reciprocals of deviations are not below this: they are whole numbers, too.
const LEAST_RECIPROCAL: f64 = 256.0;
/// Bits of the largest gain: a reciprocal is a small integer times it.
const GAIN_BITS: u32 = 32;

/// `output[i] = activation((x[i] − mean) / √(variance + epsilon))` over groups of neighbouring
/// elements; without centering the mean is 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalize {
    /// The tensor that is read; the output has the same shape.
    pub input: TensorId,
    /// Elements of a group.
    pub size: usize,
    /// Whether the mean is taken off.
    pub is_centered: bool,
    /// Added to the variance.
    pub epsilon: f64,
    /// Applied to each result.
    pub activation: Activation,
}

/// For each group of `n` elements, with `s = Σx` (0 where it is not centered), `v = n·Σx² − s² +
/// epsilon`, `r = ⌊gain·n/√v⌋` and `m = ⌊r·s/n⌋`: `acc_i = bias + r·x_i − m`, then [`Requant`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizedNormalize {
    /// The tensor that is read; the output has the same shape.
    pub input: TensorId,
    /// Elements of a group, which are neighbours.
    pub size: usize,
    /// Whether the mean is taken off.
    pub is_centered: bool,
    /// What a deviation is in accumulator units, at least 1.
    pub gain: i64,
    /// Added to the variance, in units of the group's size squared; at least 1.
    pub epsilon: i64,
    /// In accumulator units.
    pub bias: i64,
    /// From accumulator to output.
    pub requant: Requant,
}

/// What the elements of a group are normalized with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupStatistics {
    /// `Σx`, 0 where the group is not centered.
    pub sum: i64,
    /// `Σx²`.
    pub squares: i64,
    /// `n·Σx² − (Σx)² + epsilon`, at least 1.
    pub variance: i64,
    /// `⌊gain·n/√variance⌋`.
    pub reciprocal: i64,
    /// `⌊reciprocal·sum/n⌋`.
    pub shift: i64,
}

impl QuantizedNormalize {
    /// `gain·n`, of which reciprocals are so many parts as the root of the variance.
    #[must_use]
    pub fn numerator(&self) -> i64 {
        self.gain * size(self.size)
    }

    /// The statistics of a group, exact.
    #[must_use]
    pub fn statistics(&self, group: &[i64]) -> GroupStatistics {
        let n = size(self.size);
        let sum = if self.is_centered { group.iter().sum() } else { 0 };
        let squares: i64 = group.iter().map(|x| x * x).sum();
        let variance = n * squares - sum * sum + self.epsilon;
        let numerator = i128::from(self.numerator());
        let reciprocal = isqrt(numerator * numerator / i128::from(variance));
        let shift = (i128::from(reciprocal) * i128::from(sum)).div_euclid(i128::from(n));
        let shift = i64::try_from(shift).expect("a mean times a reciprocal has fewer than 63 bits");
        GroupStatistics { sum, squares, variance, reciprocal, shift }
    }

    /// Bits that hold `r`, `m` with a sign, and by how much `r²·v` and `(r + 1)²·v` miss the
    /// square of [`Self::numerator`], for elements of at most this magnitude.
    #[must_use]
    pub fn slack_bits(&self, magnitude: i64) -> u32 {
        let n = i128::from(size(self.size));
        let (numerator, magnitude) = (i128::from(self.numerator()), i128::from(magnitude));
        // √v ≤ n·magnitude + √epsilon, and r² v ≤ numerator².
        let root = n * magnitude + i128::from(isqrt(i128::from(self.epsilon))) + 1;
        let slack = 2 * numerator * root + root * root;
        let shift = numerator * magnitude;
        bits(slack).max(bits(numerator)).max(bits(shift) + 2)
    }

    /// The largest magnitude of an accumulator without its bias.
    fn reach(&self) -> i64 {
        // |r·(n·x − s)/n| ≤ gain·√(n − 1), as no element is further from the mean; m is rounded.
        let n = i128::from(size(self.size)) - i128::from(self.is_centered);
        let gain = i128::from(self.gain);
        isqrt(gain * gain * n) + 2
    }
}

/// `⌊√value⌋` of a value that is not negative and below 2^124.
fn isqrt(value: i128) -> i64 {
    let root = value.max(0).isqrt();
    i64::try_from(root).expect("the root of fewer than 124 bits has fewer than 63")
}

fn bits(value: i128) -> u32 {
    i128::BITS - value.max(0).leading_zeros()
}

/// A size as an integer; limits keep sizes far below 2^53.
fn size(size: usize) -> i64 {
    i64::try_from(size).expect("limits keep sizes far below 2^53")
}

impl Reads for Normalize {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }

    fn inputs_mut(&mut self) -> Vec<&mut TensorId> {
        vec![&mut self.input]
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.activation)
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}

impl Normalize {
    /// How far results can be from 0.
    fn proven(&self) -> f64 {
        real(size(self.size) - i64::from(self.is_centered)).sqrt().max(1.0)
    }
}

impl RealForm for Normalize {
    fn run(&self, values: &[Vec<f64>], _: usize) -> Computed<f64> {
        let n = real(size(self.size));
        let normalized = values[self.input.0].chunks(self.size).flat_map(|group| {
            let mean = if self.is_centered { group.iter().sum::<f64>() / n } else { 0.0 };
            let variance = group.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
            let deviation = (variance + self.epsilon).sqrt();
            group.iter().map(move |x| (x - mean) / deviation)
        });
        let sums: Vec<f64> = normalized.collect();
        let values = sums.iter().map(|&x| self.activation.apply(x)).collect();
        Computed { accumulators: Some(sums), values }
    }

    fn range(&self, _: &[Range]) -> Range {
        Range { lo: -self.proven(), hi: self.proven() }
    }
}

impl Quantizes for Normalize {
    type Integer = QuantizedNormalize;

    /// The gain is a whole number, so the scale of the result follows from it.
    fn quantize(
        &self,
        quantizer: &Quantizer<'_>,
        layer: Layer<'_>,
        role: Role,
    ) -> Result<(Self::Integer, Format), QuantizeError> {
        let input = quantizer.format(self.input);
        let shift = quantizer.shift;
        let one = real(power_of_two(shift));
        let mut form = self.form(quantizer, layer, role)?;
        let n = real(size(self.size));
        let epsilon = (self.epsilon / input.scale / input.scale * n * n).round();
        let overflow = || QuantizeError::Overflow { layer: layer.name.to_owned() };
        if epsilon > real(power_of_two(52)) {
            return Err(overflow());
        }
        let gain = (one / form.scale).floor().clamp(1.0, real(power_of_two(GAIN_BITS)));
        let requant = Requant {
            scale: form.scale,
            zero: 0,
            shift,
            lo: small(form.lo),
            hi: small(form.hi),
            acc_lo: 0,
            acc_hi: 0,
            table: None,
        };
        let mut op = QuantizedNormalize {
            input: self.input,
            size: self.size,
            is_centered: self.is_centered,
            gain: integer(gain),
            epsilon: integer(epsilon).max(1),
            bias: 0,
            requant,
        };
        let magnitude = input.lo.abs().max(input.hi);
        let is_fine = |op: &QuantizedNormalize| {
            let saturates = form.must_fit && op.requant.round(op.reach()) > form.hi;
            op.slack_bits(magnitude) <= SLACK_BITS && !saturates
        };
        while !is_fine(&op) {
            op.gain -= op.gain / 4096 + 1;
            if op.gain < 1 {
                return Err(overflow());
            }
        }
        form.scale = one / real(op.gain);
        check_scale(layer.name, form.scale)?;
        (op.requant.scale, op.requant.zero) = (form.scale, form.zero());
        op.bias = form.zero() * power_of_two(shift);
        (op.requant.acc_lo, op.requant.acc_hi) = (op.bias - op.reach(), op.bias + op.reach());
        let (table, format) = quantizer.output_of(&form);
        op.requant.table = table;
        Ok((op, format))
    }
}

impl Normalize {
    fn form(
        &self,
        quantizer: &Quantizer<'_>,
        layer: Layer<'_>,
        role: Role,
    ) -> Result<Form, QuantizeError> {
        let proven = Range { lo: -self.proven(), hi: self.proven() };
        let seen = quantizer.range(layer.output)?;
        let form = quantizer.form(layer.output, self.activation, role, [seen, proven])?;
        // The cap of a clip would have to be a whole number of units, which the gain decides.
        Ok(match form.is_adjustable {
            true => form,
            false => {
                let bits = quantizer.bits_of(layer.output);
                quantizer.table_form(self.activation, role, bits, [seen, proven])
            }
        })
    }
}

impl IntegerForm for QuantizedNormalize {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }

    fn run(&self, _: &[QuantizedTensor], values: &[Vec<i64>], _: TensorId) -> Computed<i64> {
        let accumulators = values[self.input.0].chunks(self.size).flat_map(|group| {
            let GroupStatistics { reciprocal, shift, .. } = self.statistics(group);
            group.iter().map(move |x| self.bias + reciprocal * x - shift)
        });
        self.requant.computed(accumulators.collect())
    }

    fn requant(&self) -> Option<&Requant> {
        Some(&self.requant)
    }

    fn biases(&self, len: usize) -> Vec<i64> {
        vec![self.bias; len]
    }

    /// What a deviation of a third of the largest element is divided by, in units of the reciprocal:
    /// so many have it to a part of [`LEAST_RECIPROCAL`].
    fn shift(&self, tensors: &[QuantizedTensor]) -> f64 {
        let tensor = &tensors[self.input.0];
        let deviation = real(tensor.lo.abs().max(tensor.hi.abs()).max(1)) / 3.0;
        let reciprocal = real(self.gain) / deviation;
        f64::from(shift::FINEST) - libm::log2(reciprocal / LEAST_RECIPROCAL)
    }

    /// Its groups follow each other.
    fn repeat(&mut self, _: Runs<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalize(size: usize, is_centered: bool, gain: i64, epsilon: i64) -> QuantizedNormalize {
        let requant = Requant {
            scale: 1.0,
            zero: 0,
            shift: 16,
            lo: -128,
            hi: 127,
            acc_lo: 0,
            acc_hi: 0,
            table: None,
        };
        QuantizedNormalize {
            input: TensorId(0),
            size,
            is_centered,
            gain,
            epsilon,
            bias: 0,
            requant,
        }
    }

    /// What the circuit relies on, on groups from all equal to as unlike as can be.
    #[test]
    fn accumulators_and_slacks_are_within_their_bounds() {
        let mut noise = 12_345_u64;
        let mut draw = |limit: i64| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
            i64::try_from(noise >> 33).unwrap() % (2 * limit + 1) - limit
        };
        for size in [1, 2, 3, 7, 64] {
            for (gain, epsilon, magnitude) in [(1, 1, 1), (1 << 20, 5, 127), (1 << 16, 99, 32_767)]
            {
                for is_centered in [false, true] {
                    let op = normalize(size, is_centered, gain, epsilon);
                    for kind in 0..6 {
                        let group: Vec<i64> = (0..size)
                            .map(|i| match kind {
                                0 => magnitude,
                                1 => 0,
                                2 => {
                                    if i == 0 {
                                        magnitude
                                    } else {
                                        -magnitude
                                    }
                                }
                                3 => {
                                    if i == 0 {
                                        1
                                    } else {
                                        0
                                    }
                                }
                                _ => draw(magnitude),
                            })
                            .collect();
                        check(&op, &group, magnitude);
                    }
                }
            }
        }
    }

    fn check(op: &QuantizedNormalize, group: &[i64], magnitude: i64) {
        let found = op.statistics(group);
        let (v, r) = (i128::from(found.variance), i128::from(found.reciprocal));
        let square = i128::from(op.numerator()) * i128::from(op.numerator());
        let limit = 1_i128 << op.slack_bits(magnitude);
        let [low, high] = [square - r * r * v, (r + 1) * (r + 1) * v - 1 - square];
        assert!((0..limit).contains(&low) && (0..limit).contains(&high), "{op:?} {group:?}");
        assert!(r < limit && 2 * i128::from(found.shift).abs() < limit);
        let rest = r * i128::from(found.sum) - i128::from(super::size(group.len()) * found.shift);
        assert!((0..i128::from(super::size(group.len()))).contains(&rest));
        for x in group {
            let accumulator = found.reciprocal * x - found.shift;
            assert!(accumulator.abs() <= op.reach(), "{accumulator} in {op:?} of {group:?}");
        }
    }
}
