//! Functions of one variable without a place of their own among the layers: each is a table in
//! the proof.
//!
//! Values are computed with `libm`, as those of [`crate::Activation`].

use serde::{Deserialize, Serialize};

/// A function of one real variable; where it is not defined, its value is NaN or infinite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Function {
    /// The square root.
    Sqrt,
    /// `1 / √(x + epsilon)`, for means of squares, which are never negative.
    InverseSqrt {
        /// Added to the argument.
        epsilon: f64,
    },
    /// `1 / x`.
    Reciprocal,
    /// The natural logarithm.
    Log,
    /// The exponential of what is never positive; 1 above 0.
    Decay,
    /// `x^exponent`.
    Pow {
        /// The exponent.
        exponent: f64,
    },
    /// The sine.
    Sin,
    /// The cosine.
    Cos,
    /// The tangent.
    Tan,
    /// The inverse of the sine.
    Asin,
    /// The inverse of the cosine.
    Acos,
    /// The inverse of the tangent.
    Atan,
    /// The hyperbolic sine.
    Sinh,
    /// The hyperbolic cosine.
    Cosh,
    /// The inverse of the hyperbolic sine.
    Asinh,
    /// The inverse of the hyperbolic cosine.
    Acosh,
    /// The inverse of the hyperbolic tangent.
    Atanh,
    /// The largest integer not above.
    Floor,
    /// The smallest integer not below.
    Ceil,
    /// The nearest integer, ties to even.
    Round,
    /// The integer part.
    Trunc,
    /// −1, 0 or 1.
    Sign,
    /// 1 where above 0, else 0.
    IsPositive,
    /// The same, decided on the exact sum however many terms it has: for margins of which nothing
    /// else is read.
    IsAbove,
    /// 1 where 0 or above, else 0.
    IsNonNegative,
    /// 1 where 0, else 0.
    IsZero,
    /// `x · tanh(ln(1 + exp(x)))`.
    Mish,
    /// `max(0, x) + min(0, alpha·(exp(x/alpha) − 1))`.
    Celu {
        /// Minus the limit at −∞.
        alpha: f64,
    },
    /// `x` where above `alpha`, else 0.
    ThresholdedRelu {
        /// The threshold.
        alpha: f64,
    },
    /// `x + bias` below `−lambda`, `x − bias` above `lambda`, else 0.
    Shrink {
        /// Half the width of the middle.
        lambda: f64,
        /// What is taken off outside.
        bias: f64,
    },
    /// `x / (1 + exp(−alpha·x))`.
    Swish {
        /// The slope of the gate.
        alpha: f64,
    },
    /// `x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))`.
    GeluTanh,
}

/// The functions that are operators of ONNX without attributes: the operator's name, the operator
/// sets at which its definition changed, the function.
pub(crate) const OPERATORS: &[(&str, &[i64], Function)] = &[
    ("Acos", &[7, 22], Function::Acos),
    ("Acosh", &[9, 22], Function::Acosh),
    ("Asin", &[7, 22], Function::Asin),
    ("Asinh", &[9, 22], Function::Asinh),
    ("Atan", &[7, 22], Function::Atan),
    ("Atanh", &[9, 22], Function::Atanh),
    ("Ceil", &[6, 13], Function::Ceil),
    ("Cos", &[7, 22], Function::Cos),
    ("Cosh", &[9, 22], Function::Cosh),
    ("Floor", &[6, 13], Function::Floor),
    ("Log", &[6, 13], Function::Log),
    ("Mish", &[18, 22], Function::Mish),
    ("Reciprocal", &[6, 13], Function::Reciprocal),
    ("Round", &[11, 22], Function::Round),
    ("Sign", &[9, 13], Function::Sign),
    ("Sin", &[7, 22], Function::Sin),
    ("Sinh", &[9, 22], Function::Sinh),
    ("Sqrt", &[6, 13], Function::Sqrt),
    ("Tan", &[7, 22], Function::Tan),
];

/// Stands for infinity in ranges, so that products of them stay finite: `2^100`.
const POLE: f64 = 1.267_650_600_228_229_4e30;

impl Function {
    /// The value at `x`.
    #[must_use]
    pub fn apply(self, x: f64) -> f64 {
        let indicator = |holds: bool| if holds { 1.0 } else { 0.0 };
        match self {
            Self::Sqrt => libm::sqrt(x),
            Self::InverseSqrt { epsilon } => 1.0 / libm::sqrt(x + epsilon),
            Self::Reciprocal => 1.0 / x,
            Self::Log => libm::log(x),
            Self::Decay => libm::exp(x.min(0.0)),
            Self::Pow { exponent } => libm::pow(x, exponent),
            Self::Sin => libm::sin(x),
            Self::Cos => libm::cos(x),
            Self::Tan => libm::tan(x),
            Self::Asin => libm::asin(x),
            Self::Acos => libm::acos(x),
            Self::Atan => libm::atan(x),
            Self::Sinh => libm::sinh(x),
            Self::Cosh => libm::cosh(x),
            Self::Asinh => libm::asinh(x),
            Self::Acosh => libm::acosh(x),
            Self::Atanh => libm::atanh(x),
            Self::Floor => libm::floor(snapped(x, 1.0)),
            Self::Ceil => libm::ceil(snapped(x, 1.0)),
            Self::Round => libm::rint(snapped(x, 0.5)),
            Self::Trunc => libm::trunc(snapped(x, 1.0)),
            Self::Sign => indicator(x > 0.0) - indicator(x < 0.0),
            Self::IsPositive | Self::IsAbove => indicator(x > 0.0),
            Self::IsNonNegative => indicator(x >= 0.0),
            Self::IsZero => indicator(x == 0.0),
            Self::Mish => x * libm::tanh(softplus(x)),
            Self::Celu { alpha } => x.max(0.0) + (alpha * libm::expm1(x / alpha)).min(0.0),
            Self::ThresholdedRelu { alpha } => x * indicator(x > alpha),
            Self::Shrink { lambda, bias } => {
                (x + bias) * indicator(x < -lambda) + (x - bias) * indicator(x > lambda)
            }
            Self::Swish { alpha } => x / (1.0 + libm::exp(-alpha * x)),
            Self::GeluTanh => {
                let inner = 0.797_884_560_802_865_4 * (x + 0.044_715 * x * x * x);
                0.5 * x * (1.0 + libm::tanh(inner))
            }
        }
    }

    /// Whether nothing but the sign of the argument counts.
    pub(crate) fn tells_sign(self) -> bool {
        matches!(
            self,
            Self::IsPositive | Self::IsAbove | Self::IsNonNegative | Self::IsZero | Self::Sign
        )
    }

    /// Whether a larger argument never gives a smaller value.
    #[must_use]
    pub fn is_monotone(self) -> bool {
        match self {
            Self::Sqrt
            | Self::Log
            | Self::Decay
            | Self::Asin
            | Self::Atan
            | Self::Sinh
            | Self::Asinh
            | Self::Acosh
            | Self::Atanh
            | Self::Floor
            | Self::Ceil
            | Self::Round
            | Self::Trunc
            | Self::Sign
            | Self::IsPositive
            | Self::IsAbove
            | Self::IsNonNegative => true,
            Self::Celu { alpha } => alpha > 0.0,
            Self::ThresholdedRelu { alpha } => alpha >= 0.0,
            Self::InverseSqrt { .. }
            | Self::Reciprocal
            | Self::Pow { .. }
            | Self::Sin
            | Self::Cos
            | Self::Tan
            | Self::Acos
            | Self::Cosh
            | Self::IsZero
            | Self::Mish
            | Self::Shrink { .. }
            | Self::Swish { .. }
            | Self::GeluTanh => false,
        }
    }

    /// The smallest and largest value on `[lo, hi]`, or a little beyond; at a pole there are
    /// bounds that no table reaches.
    #[must_use]
    pub fn image(self, lo: f64, hi: f64) -> (f64, f64) {
        let (from, to) = self.domain();
        let (lo, hi) = (lo.clamp(from, to), hi.clamp(from, to));
        if self.has_pole(lo, hi) {
            return (-POLE, POLE);
        }
        let inside = self.turns().into_iter().filter(|x| (lo..=hi).contains(x));
        let values = [lo, hi].into_iter().chain(inside).map(|x| self.apply(x));
        let empty = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = values.fold(empty, |(low, high), y| (low.min(y), high.max(y)));
        let (low, high) = (low.clamp(-POLE, POLE), high.clamp(-POLE, POLE));
        match self {
            // Tops and bottoms lie anywhere.
            Self::Sin | Self::Cos => (-1.0, 1.0),
            Self::IsZero => (0.0, 1.0),
            Self::Mish if lo < 0.0 => (low.min(-0.309), high),
            Self::GeluTanh if lo < 0.0 => (low.min(-0.171), high.max(0.0)),
            Self::Swish { alpha } if alpha != 0.0 => {
                let bottom = -0.279 / alpha;
                (low.min(bottom), high.max(bottom).max(0.0))
            }
            _ => (low, high),
        }
    }

    /// Where the function is defined, poles included.
    pub(crate) fn domain(self) -> (f64, f64) {
        let all = (f64::NEG_INFINITY, f64::INFINITY);
        match self {
            Self::Sqrt | Self::Log | Self::InverseSqrt { .. } => (0.0, f64::INFINITY),
            Self::Pow { exponent } if exponent.fract() != 0.0 => (0.0, f64::INFINITY),
            Self::Asin | Self::Acos | Self::Atanh => (-1.0, 1.0),
            Self::Acosh => (1.0, f64::INFINITY),
            _ => all,
        }
    }

    fn has_pole(self, lo: f64, hi: f64) -> bool {
        match self {
            Self::Reciprocal => lo <= 0.0 && hi >= 0.0,
            Self::Pow { exponent } => exponent < 0.0 && lo <= 0.0 && hi >= 0.0,
            Self::Tan => {
                let half_pi = std::f64::consts::FRAC_PI_2;
                libm::floor((lo / half_pi + 1.0) / 2.0) != libm::floor((hi / half_pi + 1.0) / 2.0)
            }
            _ => false,
        }
    }

    /// Arguments at which the function turns or jumps, and the values beside jumps count.
    fn turns(self) -> Vec<f64> {
        match self {
            Self::Pow { .. } | Self::Cosh | Self::Sign => vec![0.0],
            Self::ThresholdedRelu { alpha } => vec![0.0, alpha, alpha.next_up()],
            Self::Shrink { lambda, .. } => {
                vec![0.0, -lambda, (-lambda).next_down(), lambda, lambda.next_up()]
            }
            Self::Celu { .. } => vec![0.0],
            _ => Vec::new(),
        }
    }
}

/// The multiple of `step` that `x` is but for the rounding of earlier operations: a quotient that
/// is whole must not be cut to the number below.
fn snapped(x: f64, step: f64) -> f64 {
    let nearest = libm::rint(x / step) * step;
    if (x - nearest).abs() <= 1e-12 * x.abs().max(1.0) { nearest } else { x }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTIONS: &[Function] = &[
        Function::Sqrt,
        Function::InverseSqrt { epsilon: 0.1 },
        Function::Reciprocal,
        Function::Log,
        Function::Decay,
        Function::Pow { exponent: 3.0 },
        Function::Pow { exponent: 2.0 },
        Function::Pow { exponent: 0.3 },
        Function::Pow { exponent: -1.5 },
        Function::Sin,
        Function::Cos,
        Function::Tan,
        Function::Asin,
        Function::Acos,
        Function::Atan,
        Function::Sinh,
        Function::Cosh,
        Function::Asinh,
        Function::Acosh,
        Function::Atanh,
        Function::Floor,
        Function::Ceil,
        Function::Round,
        Function::Trunc,
        Function::Sign,
        Function::IsPositive,
        Function::IsAbove,
        Function::IsNonNegative,
        Function::IsZero,
        Function::Mish,
        Function::Celu { alpha: 0.5 },
        Function::ThresholdedRelu { alpha: 0.7 },
        Function::ThresholdedRelu { alpha: -0.7 },
        Function::Shrink { lambda: 0.5, bias: 0.2 },
        Function::Shrink { lambda: 0.5, bias: 1.5 },
        Function::Swish { alpha: 1.7 },
        Function::Swish { alpha: -0.7 },
        Function::GeluTanh,
    ];

    #[test]
    fn images_hold_every_value() {
        for &function in FUNCTIONS {
            for lo in -12..12 {
                for length in 1..16 {
                    let (lo, hi) = (f64::from(lo) / 4.0, f64::from(lo + length) / 4.0);
                    let (low, high) = function.image(lo, hi);
                    for step in 0..=256 {
                        let x = lo + (hi - lo) * f64::from(step) / 256.0;
                        let (from, to) = function.domain();
                        let y = function.apply(x.clamp(from, to)).clamp(-POLE, POLE);
                        let inside = y.is_nan() || (low <= y + 1e-12 && y <= high + 1e-12);
                        assert!(inside, "{function:?} on [{lo}, {hi}]: {y} not in {low}..{high}");
                    }
                }
            }
        }
    }

    #[test]
    fn whole_quotients_are_not_cut_to_the_number_below() {
        for divisor in 1..1000 {
            for quotient in [-7, -1, 1, 2, 3, 10, 100] {
                let (divisor, quotient) = (f64::from(divisor), f64::from(quotient));
                let computed = divisor * quotient * (1.0 / divisor);
                for function in [Function::Floor, Function::Ceil, Function::Trunc, Function::Round]
                {
                    assert_eq!(function.apply(computed).to_bits(), quotient.to_bits());
                }
            }
        }
    }

    #[test]
    fn monotone_functions_never_fall() {
        for function in FUNCTIONS.iter().filter(|function| function.is_monotone()) {
            let values = (-400..400).map(|x| function.apply(f64::from(x) / 100.0));
            let values: Vec<f64> = values.filter(|y| !y.is_nan()).collect();
            assert!(values.is_sorted(), "{function:?}");
        }
    }
}
