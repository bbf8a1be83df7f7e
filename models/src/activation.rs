//! The nonlinear functions of one variable, and their exact real definitions.
//!
//! Values are computed with `libm`, not with the platform's C library, so that the tables made
//! from them, and with them the verifying key, are the same on every machine.

use serde::{Deserialize, Serialize};

use crate::function::Function;

/// A function of one real variable, applied to every element.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Activation {
    /// `x`.
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, min), max)`; either end may be infinite.
    Clip {
        /// Smallest result.
        min: f64,
        /// Largest result.
        max: f64,
    },
    /// `x` where positive, else `alpha·x`.
    LeakyRelu {
        /// Slope for negative arguments.
        alpha: f64,
    },
    /// `1 / (1 + exp(−x))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `max(0, min(1, alpha·x + beta))`.
    HardSigmoid {
        /// Slope.
        alpha: f64,
        /// Value at 0.
        beta: f64,
    },
    /// `x · max(0, min(1, x/6 + 1/2))`.
    HardSwish,
    /// `x` where positive, else `alpha·(exp(x) − 1)`.
    Elu {
        /// Minus the limit at −∞.
        alpha: f64,
    },
    /// `gamma·x` where positive, else `gamma·alpha·(exp(x) − 1)`.
    Selu {
        /// Minus the limit at −∞, before scaling.
        alpha: f64,
        /// Scale.
        gamma: f64,
    },
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// The exponential.
    Exp,
    /// `|x|`.
    Abs,
    /// The error function.
    Erf,
    /// `x/2 · (1 + erf(x/√2))`.
    Gelu,
    /// `x / (1 + exp(−x))`.
    Silu,
    /// One of the functions that are nothing but a table.
    Function(Function),
}

impl Activation {
    /// The value at `x`.
    #[must_use]
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            Self::Relu => x.max(0.0),
            Self::Clip { min, max } => x.max(min).min(max),
            Self::LeakyRelu { alpha } => {
                if x < 0.0 {
                    alpha * x
                } else {
                    x
                }
            }
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => libm::tanh(x),
            Self::HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::Elu { alpha } => {
                if x < 0.0 {
                    alpha * libm::expm1(x)
                } else {
                    x
                }
            }
            Self::Selu { alpha, gamma } => gamma * if x < 0.0 { alpha * libm::expm1(x) } else { x },
            Self::Softplus => x.max(0.0) + libm::log1p(libm::exp(-x.abs())),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Exp => libm::exp(x),
            Self::Abs => x.abs(),
            Self::Erf => libm::erf(x),
            Self::Gelu => 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2)),
            Self::Silu => x * sigmoid(x),
            Self::Function(function) => function.apply(x),
        }
    }

    /// Whether a larger argument never gives a smaller value: then it commutes with a maximum.
    #[must_use]
    pub fn is_monotone(self) -> bool {
        match self {
            Self::Identity
            | Self::Relu
            | Self::Clip { .. }
            | Self::Sigmoid
            | Self::Tanh
            | Self::Softplus
            | Self::Softsign
            | Self::Exp
            | Self::Erf => true,
            Self::LeakyRelu { alpha } | Self::Elu { alpha } => alpha >= 0.0,
            Self::HardSigmoid { alpha, .. } => alpha >= 0.0,
            Self::Selu { alpha, gamma } => alpha >= 0.0 && gamma >= 0.0,
            Self::HardSwish | Self::Abs | Self::Gelu | Self::Silu => false,
            Self::Function(function) => function.is_monotone(),
        }
    }

    /// The smallest and largest argument for which the function is defined.
    #[must_use]
    pub fn domain(self) -> (f64, f64) {
        match self {
            Self::Function(function) => function.domain(),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// Beyond this magnitude of the argument the function is flat to within `step`, so a table
    /// need not reach further. `None` where it goes on growing.
    #[must_use]
    pub fn useful_range(self, step: f64) -> Option<f64> {
        match self {
            Self::Sigmoid => Some(-libm::log(step)),
            Self::Tanh => Some(-0.5 * libm::log(step / 2.0)),
            Self::Erf => Some(libm::sqrt(-libm::log(step))),
            Self::HardSigmoid { alpha, beta } if alpha != 0.0 => {
                Some((beta / alpha).abs().max(((1.0 - beta) / alpha).abs()))
            }
            Self::Clip { min, max } if min.is_finite() && max.is_finite() => {
                Some(min.abs().max(max.abs()))
            }
            _ => None,
        }
    }

    /// The smallest and largest value on `[lo, hi]`, a little widened for the functions with a
    /// minimum inside.
    #[must_use]
    pub fn image(self, lo: f64, hi: f64) -> (f64, f64) {
        if let Self::Function(function) = self {
            return function.image(lo, hi);
        }
        let (a, b) = (self.apply(lo), self.apply(hi));
        let (low, high) = (a.min(b), a.max(b));
        match self {
            _ if self.is_monotone() => (low, high),
            Self::HardSwish if lo < 0.0 => (low.min(-0.375), high),
            Self::Gelu if lo < 0.0 => (low.min(-0.17), high.max(0.0)),
            Self::Silu if lo < 0.0 => (low.min(-0.279), high.max(0.0)),
            _ if lo <= 0.0 && hi >= 0.0 => (low.min(self.apply(0.0)), high.max(self.apply(0.0))),
            _ => (low, high),
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}
