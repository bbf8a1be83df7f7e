//! From real numbers to integers: scales, integer weights, tables, and the proof that no sum can
//! overflow.

mod codes;
mod columns;
mod input;
pub(crate) mod roles;
mod thresholds;
mod ties;

use std::cell::Cell;

use crate::calibration::{Calibration, CalibrationSource};
use crate::error::QuantizeError;
use crate::graph::Graph;
use crate::quantized::{QuantizedGraph, QuantizedNode};
use crate::quantizer::options::QuantizeOptions;
use crate::quantizer::ties::Ties;
use crate::quantizer::{Layer, Quantizer, shift};
use crate::tensor::{QuantizedTensor, Rounding, TensorSpec};
use input::InputFormats;

/// The largest factor by which a calibration may go beyond its samples.
const MOST_FACTOR: f64 = 1024.0;

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
    options
        .check(|layer| graph.nodes.iter().any(|node| graph.tensor(node.output).name == layer))?;
    let with = |shift| codes::exact(with_shift(graph, calibration, options, shift)?);
    if let Some(shift) = options.shift {
        return with(shift);
    }
    if codes::has_codes(graph) {
        return codes::quantize(graph, calibration, options);
    }
    let finest = with(shift::FINEST)?;
    match sufficient_shift(&finest) {
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
    let inputs = InputFormats { graph, calibration, options };
    let roles = roles::roles(graph);
    let mut quantizer = Quantizer {
        calibration,
        options,
        shift,
        factor,
        tensors: graph.tensors.iter().map(unquantized).collect(),
        origins: inputs.origins(),
        ties: Ties::new(graph.tensors.len(), ties::classes(graph, &roles)),
        misplaced: Cell::new(0),
    };
    for &id in &graph.inputs {
        let name = &graph.tensor(id).name;
        let (format, columns, rounding) = inputs.format(id)?;
        quantizer.define(id, name, format)?;
        quantizer.tensors[id.0].rounding = rounding;
        quantizer.tensors[id.0].column_scales = columns;
    }
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let layer = Layer { name: &node.name, output: node.output };
        let (op, format) = node.op.quantize(&quantizer, layer, roles[node.output.0])?;
        quantizer.define(node.output, &node.name, format)?;
        quantizer.choose_column_scales(&node.op, node.output);
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

/// A tensor of which only name and shape are known.
fn unquantized(spec: &TensorSpec) -> QuantizedTensor {
    QuantizedTensor {
        name: spec.name.clone(),
        shape: spec.shape.clone(),
        scale: 1.0,
        column_scales: Vec::new(),
        rounding: Rounding::HalfUp,
        lo: 0,
        hi: 0,
    }
}

/// The smallest shift that serves every layer of a model that is quantized with the finest.
fn sufficient_shift(graph: &QuantizedGraph) -> u32 {
    let needed = graph.nodes.iter().map(|node| node.op.form().shift(&graph.tensors));
    shift::at_least(needed.fold(0.0, f64::max))
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
