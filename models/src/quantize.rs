//! From real numbers to integers: scales, integer weights, tables, and the proof that no sum can
//! overflow.

mod affine;
mod form;
mod input;
mod mul;
mod options;
mod softmax;

pub use options::QuantizeOptions;

use crate::calibration::{Calibration, Range};
use crate::error::QuantizeError;
use crate::graph::{Graph, Node, Op};
use crate::quantized::{QuantizedGraph, QuantizedNode, QuantizedOp, QuantizedTensor, TensorId};
use form::Role;

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
    options.check()?;
    let mut quantizer = Quantizer { graph, calibration, options, tensors: Vec::new() };
    for spec in &graph.tensors {
        let (name, shape) = (spec.name.clone(), spec.shape.clone());
        quantizer.tensors.push(QuantizedTensor { name, shape, scale: 1.0, lo: 0, hi: 0 });
    }
    for &id in &graph.inputs {
        let format = quantizer.input_format(id)?;
        quantizer.define(id, &graph.tensor(id).name, format)?;
    }
    let roles = form::roles(graph);
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let (op, format) = quantizer.quantize_node(node, roles[node.output.0])?;
        quantizer.define(node.output, &node.name, format)?;
        nodes.push(QuantizedNode { name: node.name.clone(), op, output: node.output });
    }
    Ok(QuantizedGraph {
        tensors: quantizer.tensors,
        inputs: graph.inputs.clone(),
        outputs: graph.outputs.clone(),
        nodes,
    })
}

/// The integers that a tensor holds, and what one unit stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Format {
    scale: f64,
    lo: i64,
    hi: i64,
}

struct Quantizer<'a> {
    graph: &'a Graph,
    calibration: &'a Calibration,
    options: &'a QuantizeOptions,
    tensors: Vec<QuantizedTensor>,
}

impl Quantizer<'_> {
    /// Gives tensor `id` its format, which `layer` chose.
    fn define(&mut self, id: TensorId, layer: &str, format: Format) -> Result<(), QuantizeError> {
        check_scale(layer, format.scale)?;
        let tensor = &mut self.tensors[id.0];
        (tensor.scale, tensor.lo, tensor.hi) = (format.scale, format.lo, format.hi);
        Ok(())
    }

    fn format(&self, id: TensorId) -> Format {
        let tensor = &self.tensors[id.0];
        Format { scale: tensor.scale, lo: tensor.lo, hi: tensor.hi }
    }

    /// The calibrated range of a layer before its activation.
    fn range(&self, id: TensorId) -> Result<Range, QuantizeError> {
        let tensor = &self.graph.tensor(id).name;
        let range = self.calibration.layers.get(tensor);
        usable(tensor, range.copied())
    }

    fn quantize_node(
        &self,
        node: &Node,
        role: Role,
    ) -> Result<(QuantizedOp, Format), QuantizeError> {
        match &node.op {
            Op::Affine(affine) => self.affine(node, affine, role),
            Op::Mul(mul) => self.mul(node, mul, role),
            Op::Activate(activate) => {
                unreachable!("legalize left an activation on {:?}", activate.input)
            }
            Op::Alias(alias) => Ok((QuantizedOp::Alias(alias.clone()), self.format(alias.input))),
            Op::MaxPool(pool) => Ok((QuantizedOp::MaxPool(pool.clone()), self.format(pool.input))),
            Op::Softmax(softmax) => Ok(self.softmax(softmax)),
        }
    }
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
fn check_scale(layer: &str, scale: f64) -> Result<(), QuantizeError> {
    let largest = libm::scalbn(1.0, SCALE_BITS);
    if (1.0 / largest..=largest).contains(&scale) {
        return Ok(());
    }
    Err(QuantizeError::Scale { layer: layer.to_owned(), scale })
}

/// `value` as an integer that is known to be far inside the range of `i64`.
#[expect(clippy::cast_possible_truncation, reason = "callers bound the value; `as` saturates")]
fn integer(value: f64) -> i64 {
    value as i64
}

/// An integer of at most 53 bits as a real number.
#[expect(clippy::cast_precision_loss, reason = "callers pass at most 53 bits")]
fn real(value: i64) -> f64 {
    value as f64
}

/// `2^exponent` for the small exponents of options.
fn power_of_two(exponent: u32) -> i64 {
    1 << exponent
}
