//! How runtimes make codes of exact sums: in single precision, step by step, as onnxruntime does
//! without graph optimizations.

use crate::numbers::narrow;

/// From a whole sum of products of codes to the code of the result, less its zero point, before it
/// saturates.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// `rint(single(sum) · multiplier)`, one multiplier for each channel of the sums or for all.
    Scaled {
        /// The product of the scales of the factors over that of the result.
        multipliers: Vec<f32>,
    },
    /// `rint(single(sum) · multiplier + zero) − zero`: a product of two tensors.
    Shifted {
        /// The product of the scales of the factors over that of the result.
        multiplier: f32,
        /// The zero point of the result.
        zero: f32,
    },
    /// `rint(sum · scale / count / output + zero) − zero`: a mean of `count` numbers.
    Mean {
        /// The scale of the input.
        scale: f32,
        /// How many numbers are added.
        count: f32,
        /// The scale of the result.
        output: f32,
        /// The zero point of the result.
        zero: f32,
    },
    /// A sum of two tensors, each scaled on its own: `rint(a·ratio + (b·ratio + fixed)) − zero`,
    /// `a` and `b` with their zero points, products and sums rounded together.
    Added {
        /// The scale of each tensor over that of the result.
        ratios: [f32; 2],
        /// The zero point of each tensor.
        zeros: [f32; 2],
        /// The zero point of the result.
        zero: f32,
    },
    /// The same where one of the two is constant, a code for each channel.
    AddedTo {
        /// As in [`Rule::Added`].
        ratios: [f32; 2],
        /// The same.
        zeros: [f32; 2],
        /// The same.
        zero: f32,
        /// The constant codes, less their zero point.
        others: Vec<i64>,
        /// Whether the constant is the first of the two, whose product is rounded last.
        is_first: bool,
    },
    /// The entry for the code.
    Table {
        /// The code of the first entry.
        first: i64,
        /// The results.
        codes: Vec<i64>,
    },
    /// The sum itself, which must fit: integers that do not wrap around.
    Exact,
    /// `⌊sum / divisor⌋`, which must fit, with one divisor above 0 for each channel of the sums.
    Quotient {
        /// The divisors.
        divisors: Vec<i64>,
    },
    /// `rint(x / scale)` of a real number `x`.
    Nearest {
        /// The scale of the result.
        scale: f32,
    },
}

/// An integer in single precision.
#[expect(clippy::cast_precision_loss, reason = "rounded as a runtime rounds it")]
fn single(value: i64) -> f32 {
    value as f32
}

/// The nearest integer, ties to even; what is far beyond every code, or no number, saturates.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and codes are clamped")]
fn nearest(value: f32) -> i64 {
    value.round_ties_even() as i64
}

impl Rule {
    /// The result for a sum of channel `channel`.
    pub(crate) fn of_sum(&self, channel: usize, sum: i64) -> i64 {
        match self {
            Self::Scaled { multipliers } => {
                let multiplier = multipliers[channel % multipliers.len()];
                nearest(single(sum) * multiplier)
            }
            Self::Shifted { multiplier, zero } => {
                nearest(single(sum) * multiplier + zero).saturating_sub(nearest(*zero))
            }
            Self::Mean { scale, count, output, zero } => {
                nearest(single(sum) * scale / count / output + zero).saturating_sub(nearest(*zero))
            }
            Self::AddedTo { ratios, zeros, zero, others, is_first } => {
                let other = others[channel % others.len()];
                let added = Self::Added { ratios: *ratios, zeros: *zeros, zero: *zero };
                added.of_pair(if *is_first { [other, sum] } else { [sum, other] })
            }
            Self::Table { first, codes } => {
                let last = codes.len().saturating_sub(1);
                let place = usize::try_from(sum.saturating_sub(*first)).unwrap_or(0).min(last);
                codes[place]
            }
            Self::Quotient { divisors } => sum.div_euclid(divisors[channel % divisors.len()]),
            Self::Nearest { .. } | Self::Added { .. } | Self::Exact => sum,
        }
    }

    /// Whether results outside the bounds are wrong, rather than saturated.
    pub(crate) fn must_fit(&self) -> bool {
        matches!(self, Self::Exact | Self::Quotient { .. })
    }

    /// The result for two codes less their zero points.
    pub(crate) fn of_pair(&self, [a, b]: [i64; 2]) -> i64 {
        let Self::Added { ratios, zeros, zero } = self else { return self.of_sum(0, a + b) };
        let [a, b] = [single(a) + zeros[0], single(b) + zeros[1]];
        let fixed = zero - ratios[0].mul_add(zeros[0], ratios[1] * zeros[1]);
        nearest(a.mul_add(ratios[0], b.mul_add(ratios[1], fixed))).saturating_sub(nearest(*zero))
    }

    /// The result for a real number, in units of it.
    pub(crate) fn of_real(scale: f32, x: f64) -> i64 {
        nearest(narrow(x) / scale)
    }

    /// Whether every sum is its own code.
    pub(crate) fn is_identity(&self) -> bool {
        matches!(self, Self::Scaled { multipliers } if multipliers.iter().all(|m| *m == 1.0))
    }

    /// Whether it is one function for all channels.
    pub(crate) fn is_one(&self) -> bool {
        match self {
            Self::Scaled { multipliers } => {
                multipliers.iter().all(|multiplier| *multiplier == multipliers[0])
            }
            Self::AddedTo { others, .. } => others.iter().all(|other| *other == others[0]),
            Self::Quotient { divisors } => divisors.iter().all(|divisor| *divisor == divisors[0]),
            _ => true,
        }
    }

    /// How much of a unit of the result a unit of the sum is.
    pub(crate) fn multiplier(&self, channel: usize) -> f64 {
        match self {
            Self::Scaled { multipliers } => f64::from(multipliers[channel % multipliers.len()]),
            Self::Shifted { multiplier, .. } => f64::from(*multiplier),
            Self::Mean { scale, count, output, .. } => {
                f64::from(*scale) / (f64::from(*count) * f64::from(*output))
            }
            Self::AddedTo { ratios, is_first, .. } => f64::from(ratios[usize::from(*is_first)]),
            Self::Quotient { divisors } => {
                1.0 / crate::numbers::real(divisors[channel % divisors.len()])
            }
            Self::Added { .. } | Self::Table { .. } | Self::Nearest { .. } | Self::Exact => 1.0,
        }
    }
}
