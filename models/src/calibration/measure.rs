//! Ranges measured on samples.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::ArrayD;
use rayon::prelude::*;

use super::extremes::Extremes;
use super::{Calibration, CalibrationSource, GRID_TOLERANCE, InputRange, MOST_COLUMNS, Range};
use crate::activation::Activation;
use crate::error::QuantizeError;
use crate::graph::{FloatTrace, Graph, Node};
use crate::quantize::roles::roles;
use crate::quantizer::form::Role;

/// How far beyond the samples values may be: the largest of the few samples at hand is smaller than
/// that of all inputs. Chosen by the error on the test sets of the zoo models, which is least between
/// 1.15 and 1.5.
const HEADROOM: f64 = 1.25;
/// How far beyond the only known input values may be.
const SAFETY_FACTOR: f64 = 2.0;
/// Most steps from zero to the largest input for which inputs count as lying on a grid.
const GRID_LEVELS: u32 = 255;
/// So many samples with so many different values must agree on a grid: few values always lie on one.
const GRID_SAMPLES: usize = 8;
/// See [`GRID_SAMPLES`].
const GRID_VALUES: usize = 16;

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
            .ok_or(QuantizeError::NoSamples)?;
        let mut expected = rounded(&layers, |layer| layer.expected(HEADROOM));
        let layers = rounded(&layers, Extremes::range);
        expected.retain(|layer, range| layers[layer] != *range);
        let outputs = rounded(&outputs, Extremes::range);
        let inputs = input_ranges(graph, samples)?;
        Ok(Self { source, inputs, layers, expected, outputs })
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

/// Smallest and largest values of tensors, by name.
type Ranges = BTreeMap<String, Extremes>;

fn union(all: Ranges, one: &Ranges) -> Ranges {
    let both = |(name, extremes): (String, Extremes)| {
        let extremes = extremes.and(one[&name]);
        (name, extremes)
    };
    all.into_iter().map(both).collect()
}

fn rounded(all: &Ranges, range: impl Fn(&Extremes) -> Range) -> BTreeMap<String, Range> {
    all.iter().map(|(name, extremes)| (name.clone(), range(extremes).rounded())).collect()
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

fn finite_range(tensor: &str, values: &[f64]) -> Result<(String, Extremes), QuantizeError> {
    let (tensor, range) = (tensor.to_owned(), Range::of(values.iter().copied()));
    let is_finite = range.is_finite();
    if is_finite {
        Ok((tensor, Extremes::of(range)))
    } else {
        Err(QuantizeError::NotFinite { tensor })
    }
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

/// The range of each column of samples with the last dimension `count`.
fn column_ranges(count: usize, values: impl Iterator<Item = f64>) -> Vec<Range> {
    let mut ranges = vec![Range { lo: f64::INFINITY, hi: f64::NEG_INFINITY }; count];
    for (element, value) in values.enumerate() {
        let range = &mut ranges[element % count];
        *range = Range { lo: range.lo.min(value), hi: range.hi.max(value) };
    }
    ranges
}
