//! The ranges that scales are chosen from, and where they come from.

mod clipping;
mod intervals;

use std::collections::{BTreeMap, BTreeSet};

use ndarray::ArrayD;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::digest::{HexDigest, keccak256};
use crate::error::QuantizeError;
use crate::graph::{FloatTrace, Graph, Node};
use crate::quantize::{MOST_COLUMNS, Role, column_ranges, roles};
pub use clipping::Clipping;
pub(crate) use intervals::calibrated_values;

/// How far beyond the samples values may be: the largest of the few samples at hand is smaller than
/// that of all inputs. Chosen by the error on the test sets of the zoo models, which is least between
/// 1.15 and 1.5.
const HEADROOM: f64 = 1.25;
/// How far beyond the only known input values may be.
const SAFETY_FACTOR: f64 = 2.0;
/// Significant bits of a range that is measured. Fewer than a float has: matrix products add up in
/// an order that depends on the processor, and the key must not.
const RANGE_BITS: i32 = 12;
/// Most steps from zero to the largest input for which inputs count as lying on a grid.
const GRID_LEVELS: u32 = 255;
/// So many samples with so many different values must agree on a grid: few values always lie on one.
const GRID_SAMPLES: usize = 8;
/// See [`GRID_SAMPLES`].
const GRID_VALUES: usize = 16;
/// How far off the grid an input may be, in steps.
pub(crate) const GRID_TOLERANCE: f64 = 1e-3;

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
    fn rounded(self) -> Self {
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

    fn is_finite(self) -> bool {
        self.lo.is_finite() && self.hi.is_finite()
    }
}

impl Calibration {
    /// Measures the ranges on samples, each with one array per graph input.
    ///
    /// # Errors
    /// When there is no sample, one does not fit the model, or a value is not finite.
    pub fn from_samples(
        graph: &Graph,
        samples: &[Vec<ArrayD<f32>>],
    ) -> Result<Self, QuantizeError> {
        let source = CalibrationSource::Samples { count: samples.len(), headroom: HEADROOM };
        Self::measure(graph, samples, source)
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

    /// The same with inputs on a grid of `levels` steps from 0, as 8-bit images are on one of 255:
    /// up to the largest sample, to 1, or to `levels`, the first on which all samples lie.
    ///
    /// # Errors
    /// When the samples lie on no such grid.
    pub fn with_input_levels(
        mut self,
        graph: &Graph,
        levels: u32,
        samples: &[Vec<ArrayD<f32>>],
    ) -> Result<Self, QuantizeError> {
        for (position, spec) in graph.inputs().into_iter().enumerate() {
            let Some(input) = self.inputs.get_mut(&spec.name) else { continue };
            let values = || samples.iter().flat_map(|sample| sample[position].iter().copied());
            let ends = [input.range.magnitude(), 1.0, f64::from(levels)];
            let mut ends = ends.into_iter().filter(|end| *end >= input.range.magnitude());
            let end = ends.find(|end| *end > 0.0 && lie_on_grid(values(), *end, levels));
            let end =
                end.ok_or_else(|| QuantizeError::NotOnGrid { input: spec.name.clone(), levels })?;
            let lo = if input.range.lo < 0.0 { -end } else { 0.0 };
            *input = InputRange {
                range: Range { lo, hi: end },
                levels: Some(levels),
                columns: Vec::new(),
            };
        }
        Ok(self)
    }

    /// The ranges as they are on the samples.
    fn measure(
        graph: &Graph,
        samples: &[Vec<ArrayD<f32>>],
        source: CalibrationSource,
    ) -> Result<Self, QuantizeError> {
        let roles = roles(graph);
        let measured = samples
            .par_iter()
            .enumerate()
            .map(|(sample, inputs)| {
                let trace = graph
                    .trace_float(inputs)
                    .map_err(|source| QuantizeError::Sample { sample, source })?;
                Ok([layer_ranges(graph, &roles, &trace)?, output_ranges(graph, &trace)?])
            })
            .collect::<Result<Vec<_>, _>>()?;
        let [layers, outputs] = measured
            .into_iter()
            .reduce(|[layers, outputs], [more_layers, more_outputs]| {
                [union(layers, &more_layers), union(outputs, &more_outputs)]
            })
            .ok_or(QuantizeError::NoSamples)?
            .map(|ranges| ranges.into_iter().map(|(name, r)| (name, r.rounded())).collect());
        let inputs = input_ranges(graph, samples)?;
        Ok(Self { source, inputs, layers, outputs })
    }

    /// Measures the ranges on the one input that is known; quantization reaches twice as far, but
    /// not beyond what is proven for inputs that do.
    ///
    /// # Errors
    /// When the input does not fit the model, or a value is not finite.
    pub fn from_input(graph: &Graph, input: &[ArrayD<f32>]) -> Result<Self, QuantizeError> {
        let source = CalibrationSource::SingleInput { safety_factor: SAFETY_FACTOR };
        Self::measure(graph, &[input.to_vec()], source)
    }
}

/// Ranges of tensors, by name.
type Ranges = BTreeMap<String, Range>;

fn union(all: Ranges, one: &Ranges) -> Ranges {
    all.into_iter().map(|(name, range)| (name.clone(), range.union(one[&name]))).collect()
}

fn layer_ranges(
    graph: &Graph,
    roles: &[Role],
    trace: &FloatTrace,
) -> Result<Ranges, QuantizeError> {
    let layers = graph.nodes.iter().zip(&trace.accumulators);
    layers
        .filter(|(node, _)| !is_ranged_by_reader(node, roles[node.output.0]))
        .filter_map(|(node, sums)| Some((node.output, sums.as_ref()?)))
        .map(|(id, sums)| finite_range(&graph.tensor(id).name, sums))
        .collect()
}

/// Whether a layer's scale follows from the range of the operation that reads it: masks, which may
/// be infinite, have no part in it.
fn is_ranged_by_reader(node: &Node, role: Role) -> bool {
    let activation = node.op.form().activation();
    matches!(role, Role::Argument { .. })
        && matches!(activation, Some(Activation::Identity | Activation::Relu))
}

fn output_ranges(graph: &Graph, trace: &FloatTrace) -> Result<Ranges, QuantizeError> {
    let outputs = graph.outputs.iter();
    outputs.map(|id| finite_range(&graph.tensor(*id).name, &trace.values[id.0])).collect()
}

fn finite_range(tensor: &str, values: &[f64]) -> Result<(String, Range), QuantizeError> {
    let (tensor, range) = (tensor.to_owned(), Range::of(values.iter().copied()));
    if range.is_finite() { Ok((tensor, range)) } else { Err(QuantizeError::NotFinite { tensor }) }
}

fn input_ranges(
    graph: &Graph,
    samples: &[Vec<ArrayD<f32>>],
) -> Result<BTreeMap<String, InputRange>, QuantizeError> {
    let mut ranges = BTreeMap::new();
    for (position, spec) in graph.inputs().into_iter().enumerate() {
        let values = || samples.iter().flat_map(|sample| sample[position].iter().copied());
        let range = Range::of(values().map(f64::from));
        if !range.is_finite() {
            return Err(QuantizeError::NotFinite { tensor: spec.name.clone() });
        }
        let largest = range.magnitude();
        let on_grid = |levels: &u32| lie_on_grid(values(), largest, *levels);
        let is_grid = samples.len() >= GRID_SAMPLES && has_many_values(values());
        let levels = (1..=GRID_LEVELS).find(|levels| is_grid && on_grid(levels));
        let levels = levels.filter(|_| largest > 0.0);
        let count = spec.shape.last().copied().unwrap_or(1);
        let is_table = spec.shape.len() <= 2 && (2..=MOST_COLUMNS).contains(&count);
        let columns = if is_table && levels.is_none() {
            column_ranges(count, values().map(f64::from))
        } else {
            Vec::new()
        };
        ranges.insert(spec.name.clone(), InputRange { range, levels, columns });
    }
    Ok(ranges)
}

/// Whether all values are multiples of `end` divided by `levels`.
fn lie_on_grid(mut values: impl Iterator<Item = f32>, end: f64, levels: u32) -> bool {
    values.all(|x| {
        let step = f64::from(x) / end * f64::from(levels);
        (step - step.round()).abs() < GRID_TOLERANCE
    })
}

/// Whether there are as many different values as a grid takes to be seen.
fn has_many_values(values: impl Iterator<Item = f32>) -> bool {
    let mut seen = BTreeSet::new();
    for value in values {
        seen.insert(value.to_bits());
        if seen.len() >= GRID_VALUES {
            return true;
        }
    }
    false
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
