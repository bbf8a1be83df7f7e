//! From real numbers to integers: scales, integer weights, tables, and the proof that no sum can
//! overflow.

mod codes;
mod columns;
mod form;
mod input;
mod options;
mod product;
pub(crate) mod shift;
mod thresholds;

pub use options::{LayerOptions, QuantizeOptions};

pub(crate) use columns::{MOST_COLUMNS, column_ranges};
pub(crate) use form::{Form, OUTPUT_BITS, Role, roles};
pub(crate) use product::{Factored, Products};

use std::cell::Cell;

use crate::calibration::{Calibration, CalibrationSource, Range};
use crate::error::QuantizeError;
use crate::graph::Graph;
use crate::quantized::{QuantizedGraph, QuantizedNode, QuantizedTensor, Rounding, TensorId};

/// Sums of magnitudes stay below `2^SUM_BITS`.
pub(crate) const SUM_BITS: u32 = 62;
/// The largest factor by which a calibration may go beyond its samples.
const MOST_FACTOR: f64 = 1024.0;
/// Scales lie within `2^−SCALE_BITS` and `2^SCALE_BITS`.
const SCALE_BITS: i32 = 240;

/// Quantizes a model. Deterministic: the same three arguments give the same integers everywhere.
///
/// # Errors
/// When an option is out of range, the calibration is of another model, or a layer's sums could
/// exceed 62 bits.
pub fn quantize(
    graph: &Graph,
    calibration: &Calibration,
    options: &QuantizeOptions,
) -> Result<QuantizedGraph, QuantizeError> {
    options.check(graph)?;
    let with = |shift| with_shift(graph, calibration, options, shift).map(|(program, _)| program);
    if let Some(shift) = options.shift {
        return with(shift);
    }
    if codes::has_codes(graph) {
        return codes::quantize(graph, calibration, options);
    }
    let finest = with(shift::FINEST)?;
    match shift::sufficient(&finest) {
        shift::FINEST => Ok(finest),
        shift => with(shift),
    }
}

/// The program with a shift, and how many codes of a model that is quantized already begin at
/// another sum than they should.
fn with_shift(
    graph: &Graph,
    calibration: &Calibration,
    options: &QuantizeOptions,
    shift: u32,
) -> Result<(QuantizedGraph, usize), QuantizeError> {
    let factor = factor(calibration)?;
    let (tensors, misplaced) = (Vec::new(), Cell::new(0));
    let mut quantizer =
        Quantizer { graph, calibration, options, shift, factor, tensors, misplaced };
    for spec in &graph.tensors {
        let (name, shape) = (spec.name.clone(), spec.shape.clone());
        quantizer.tensors.push(QuantizedTensor {
            name,
            shape,
            scale: 1.0,
            column_scales: Vec::new(),
            rounding: Rounding::HalfUp,
            lo: 0,
            hi: 0,
        });
    }
    for &id in &graph.inputs {
        if let Some(format) = quantizer.coded_format(id) {
            quantizer.define(id, &graph.tensor(id).name, format)?;
            quantizer.tensors[id.0].rounding = Rounding::SinglePrecision;
            continue;
        }
        let (format, columns) = match (quantizer.index_format(id)?, quantizer.compared_format(id)?)
        {
            (Some(indices), _) => (indices, Vec::new()),
            (None, Some(exact)) => exact,
            (None, None) => {
                let format = quantizer.input_format(id)?;
                (format, quantizer.column_scales(id, format)?)
            }
        };
        quantizer.define(id, &graph.tensor(id).name, format)?;
        quantizer.tensors[id.0].column_scales = columns;
    }
    let roles = roles(graph);
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let role = roles[node.output.0];
        let (op, format) = node.op.form().quantize(&quantizer, node, role)?;
        quantizer.define(node.output, &node.name, format)?;
        nodes.push(QuantizedNode { name: node.name.clone(), op, output: node.output });
    }
    let program = QuantizedGraph {
        tensors: quantizer.tensors,
        inputs: graph.inputs.clone(),
        outputs: graph.outputs.clone(),
        nodes,
    };
    Ok((program, quantizer.misplaced.get()))
}

/// The integers that a tensor holds, and what one unit stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Format {
    pub(crate) scale: f64,
    pub(crate) lo: i64,
    pub(crate) hi: i64,
}

/// What an operation is quantized with: its inputs are, already.
pub(crate) struct Quantizer<'a> {
    graph: &'a Graph,
    calibration: &'a Calibration,
    pub(crate) options: &'a QuantizeOptions,
    /// Binary digits that every requantization drops.
    pub(crate) shift: u32,
    factor: f64,
    pub(crate) tensors: Vec<QuantizedTensor>,
    misplaced: Cell<usize>,
}

impl Quantizer<'_> {
    /// Gives tensor `id` its format, which `layer` chose.
    fn define(&mut self, id: TensorId, layer: &str, format: Format) -> Result<(), QuantizeError> {
        check_scale(layer, format.scale)?;
        let tensor = &mut self.tensors[id.0];
        (tensor.scale, tensor.lo, tensor.hi) = (format.scale, format.lo, format.hi);
        Ok(())
    }

    /// The format of a tensor that is defined.
    pub(crate) fn format(&self, id: TensorId) -> Format {
        let tensor = &self.tensors[id.0];
        Format { scale: tensor.scale, lo: tensor.lo, hi: tensor.hi }
    }

    /// The range of a layer on the samples, before its activation.
    pub(crate) fn range(&self, id: TensorId) -> Result<Range, QuantizeError> {
        let tensor = &self.graph.tensor(id).name;
        let range = self.calibration.layers.get(tensor);
        usable(tensor, range.copied())
    }

    /// Bits of the values of the layer that gives tensor `id`.
    pub(crate) fn bits_of(&self, id: TensorId) -> u32 {
        self.options.bits_of(&self.graph.tensor(id).name)
    }

    /// How far values may be beyond those of the samples, as a multiple of them.
    pub(crate) const fn factor(&self) -> f64 {
        self.factor
    }

    /// A range on samples, with either end moved outward by the factor.
    pub(crate) fn widened(&self, seen: Range) -> Range {
        let by = |end: f64| (self.factor - 1.0) * end.abs();
        Range { lo: seen.lo - by(seen.lo), hi: seen.hi + by(seen.hi) }
    }

    /// The same, with either end moved by half the factor's share of the width at least: an end
    /// near 0 says little about the values to come.
    pub(crate) fn spread(&self, seen: Range) -> Range {
        let (wide, width) = (self.widened(seen), seen.hi - seen.lo);
        let by = (self.factor - 1.0) * width / 2.0;
        Range { lo: wide.lo.min(seen.lo - by), hi: wide.hi.max(seen.hi + by) }
    }

    /// The real numbers that each tensor's proven bounds stand for.
    pub(crate) fn ranges(&self) -> Vec<Range> {
        let range = |tensor: &QuantizedTensor| Range {
            lo: real(tensor.lo) * tensor.scale,
            hi: real(tensor.hi) * tensor.scale,
        };
        self.tensors.iter().map(range).collect()
    }
}

/// How far beyond its samples a calibration says that values may be.
fn factor(calibration: &Calibration) -> Result<f64, QuantizeError> {
    let factor = match calibration.source {
        CalibrationSource::Samples { headroom, .. } => headroom,
        CalibrationSource::SingleInput { safety_factor } => safety_factor,
    };
    if (1.0..=MOST_FACTOR).contains(&factor) {
        return Ok(factor);
    }
    Err(QuantizeError::Factor { got: factor, max: MOST_FACTOR })
}

/// `range`, where there is one that scales can be chosen from.
fn usable(tensor: &str, range: Option<Range>) -> Result<Range, QuantizeError> {
    let tensor = || tensor.to_owned();
    let range = range.ok_or_else(|| QuantizeError::MissingRange { tensor: tensor() })?;
    if range.is_usable() {
        return Ok(range);
    }
    Err(QuantizeError::Range { tensor: tensor(), lo: range.lo, hi: range.hi })
}

/// Refuses scales in which quotients and products could overflow.
pub(crate) fn check_scale(layer: &str, scale: f64) -> Result<(), QuantizeError> {
    let largest = libm::scalbn(1.0, SCALE_BITS);
    if (1.0 / largest..=largest).contains(&scale) {
        return Ok(());
    }
    Err(QuantizeError::Scale { layer: layer.to_owned(), scale })
}

/// `value` as an integer that is known to be far inside the range of `i64`.
#[expect(clippy::cast_possible_truncation, reason = "callers bound the value; `as` saturates")]
pub(crate) fn integer(value: f64) -> i64 {
    value as i64
}

/// An integer of at most 53 bits as a real number.
#[expect(clippy::cast_precision_loss, reason = "callers pass at most 53 bits")]
pub(crate) fn real(value: i64) -> f64 {
    value as f64
}

/// `2^exponent` for the small exponents of options.
pub(crate) fn power_of_two(exponent: u32) -> i64 {
    1 << exponent
}

/// A bound of `z`, which has at most 16 bits.
pub(crate) fn small(bound: i64) -> i32 {
    i32::try_from(bound).expect("bounds of requantized values have at most 16 bits")
}
