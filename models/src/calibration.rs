//! The ranges that scales are chosen from.

pub(crate) mod clipping;
mod extremes;
pub(crate) mod intervals;
mod measure;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::{HexDigest, keccak256};

/// Significant bits of a range that is measured. Fewer than a float has: matrix products add up in
/// an order that depends on the processor, and the key must not.
const RANGE_BITS: i32 = 12;
/// How far off the grid an input may be, in steps.
pub(crate) const GRID_TOLERANCE: f64 = 1e-3;
/// The most columns of an input that may have ranges and scales of their own.
pub(crate) const MOST_COLUMNS: usize = 1 << 12;

/// The range of every input and layer of one model.
///
/// Together with the model and the [`crate::QuantizeOptions`] it fixes the quantized graph, so it
/// is stored with the key: an auditor compiles the same circuit from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// What the ranges were measured on.
    pub source: CalibrationSource,
    /// The range of each graph input, by name.
    pub inputs: BTreeMap<String, InputRange>,
    /// The range before its activation of each layer, by the name of its output tensor; of a
    /// softmax, that of the largest argument of each group.
    pub layers: BTreeMap<String, Range>,
    /// The same of the layers of which many inputs are expected to give more than headroom holds:
    /// a range which headroom times holds it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expected: BTreeMap<String, Range>,
    /// The range of each graph output as it was on the samples, by name: what errors are measured
    /// by. It has no part in the quantized graph; settings of earlier versions do not have it.
    #[serde(default)]
    pub outputs: BTreeMap<String, Range>,
}

/// Separates the digest of a calibration from every other use of Keccak-256.
const DOMAIN: &[u8] = b"zkinfer.calibration.v1";
/// Measured magnitudes below `2^−SMALLEST` count as 0; larger ones than `2^LARGEST` are refused.
const SMALLEST: i32 = 160;
/// See [`SMALLEST`].
const LARGEST: i32 = 200;

/// What a calibration was measured on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum CalibrationSource {
    /// Samples.
    Samples {
        /// How many.
        count: usize,
        /// How far beyond their ranges quantization reaches, as a multiple of them.
        headroom: f64,
    },
    /// One input.
    SingleInput {
        /// How far beyond its ranges quantization reaches, as a multiple of them.
        safety_factor: f64,
    },
}

/// Smallest and largest value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Smallest.
    pub lo: f64,
    /// Largest.
    pub hi: f64,
}

/// The range of a graph input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputRange {
    /// Smallest and largest value seen.
    pub range: Range,
    /// Where all values seen are multiples of the largest magnitude divided by a small number,
    /// as pixels are: that number.
    pub levels: Option<u32>,
    /// The range of each index of the last dimension, where the input is a table of at most two
    /// dimensions: features may be of very different size. Empty for others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Range>,
}

impl Range {
    /// The larger magnitude of the two ends.
    #[must_use]
    pub fn magnitude(self) -> f64 {
        self.lo.abs().max(self.hi.abs())
    }

    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let empty = Self { lo: f64::INFINITY, hi: f64::NEG_INFINITY };
        values.into_iter().fold(empty, |range, x| Self {
            // Written so that NaN stays and is found later.
            lo: if x >= range.lo { range.lo } else { x },
            hi: if x <= range.hi { range.hi } else { x },
        })
    }

    /// The products of an element of `a` and one of `b`.
    pub(crate) fn product(a: Self, b: Self) -> Self {
        Self::of([a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi])
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }

    /// The range with both ends rounded to [`RANGE_BITS`] bits of the larger.
    pub(crate) fn rounded(self) -> Self {
        let magnitude = self.magnitude();
        if magnitude < libm::scalbn(1.0, -SMALLEST) {
            return Self { lo: 0.0, hi: 0.0 };
        }
        let step = libm::scalbn(1.0, libm::ilogb(magnitude) - RANGE_BITS);
        let round = |x: f64| (x / step).round() * step;
        Self { lo: round(self.lo), hi: round(self.hi) }
    }

    /// Whether scales can be chosen from the range: an interval whose larger magnitude is 0 or
    /// between `2^−200` and `2^200`.
    pub(crate) fn is_usable(self) -> bool {
        let magnitude = self.magnitude();
        let power = |exponent| libm::scalbn(1.0, exponent);
        self.lo <= self.hi
            && (magnitude == 0.0 || (power(-LARGEST)..=power(LARGEST)).contains(&magnitude))
    }

    /// The part of the range that is in `bounds` too; the range itself where they do not meet.
    pub(crate) fn within(self, bounds: Self) -> Self {
        let part = Self { lo: self.lo.max(bounds.lo), hi: self.hi.min(bounds.hi) };
        if part.lo <= part.hi { part } else { self }
    }

    pub(crate) fn is_finite(self) -> bool {
        self.lo.is_finite() && self.hi.is_finite()
    }
}

impl Calibration {
    /// The range of a layer that quantization goes beyond by its factor.
    pub(crate) fn reach(&self, layer: &str) -> Option<Range> {
        self.expected.get(layer).or_else(|| self.layers.get(layer)).copied()
    }

    /// Keccak-256 of `zkinfer.calibration.v1` and the calibration's compact JSON: what an accuracy
    /// report names the calibration by.
    ///
    /// # Panics
    /// Never: names and numbers have a form in JSON.
    #[must_use]
    pub fn digest(&self) -> HexDigest {
        let text = serde_json::to_vec(self).expect("names and numbers have a form in JSON");
        HexDigest(keccak256(&[DOMAIN, &text]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key must not depend on the order in which a processor adds up.
    #[test]
    fn the_last_bits_of_a_measurement_do_not_show() {
        let ranges = [(-1.568_139_951_850_753, 6.775_686_330_365_715), (-20.8, 4.0), (0.0, 1.0e-9)];
        for (lo, hi) in ranges {
            let exact = Range { lo, hi }.rounded();
            for noise in [-1e-12, -1e-15, 1e-15, 1e-12] {
                let other = Range { lo: lo + noise * hi, hi: hi * (1.0 + noise) };
                assert_eq!(other.rounded(), exact, "{other:?}");
            }
            assert!((exact.hi - hi).abs() <= hi / 4096.0 && (exact.lo - lo).abs() <= 20.8 / 4096.0);
        }
    }

    #[test]
    fn ranges_of_nothing_stay_nothing() {
        for tiny in [0.0, f64::MIN_POSITIVE / 2.0, 1e-60] {
            assert_eq!(Range { lo: -tiny, hi: tiny }.rounded(), Range { lo: 0.0, hi: 0.0 });
        }
        let smallest = Range { lo: 0.0, hi: libm::scalbn(1.0, -SMALLEST) };
        assert_eq!(smallest.rounded(), smallest);
    }
}
