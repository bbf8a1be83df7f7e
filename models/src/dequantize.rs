//! Between real and integer inputs and outputs.

use ndarray::{ArrayD, IxDyn};

use crate::error::RunError;
use crate::execute::Execution;
use crate::numbers::{integer, narrow, real};
use crate::quantized::QuantizedGraph;
use crate::tensor::{QuantizedTensor, TensorId};

/// The integer inputs for real ones: rounded as [`QuantizedTensor::rounded`] says, clamped to the
/// tensor's range.
///
/// # Errors
/// When the inputs are not as many as the model's, of another shape, or not finite.
pub fn quantize_inputs(
    graph: &QuantizedGraph,
    inputs: &[ArrayD<f32>],
) -> Result<Vec<Vec<i64>>, RunError> {
    let (expected, got) = (graph.inputs.len(), inputs.len());
    if expected != got {
        return Err(RunError::InputCount { expected, got });
    }
    let tensors = graph.inputs.iter().map(|id| &graph.tensors[id.0]);
    tensors.zip(inputs).map(|(tensor, input)| quantize_input(tensor, input)).collect()
}

/// How many elements of the inputs lie outside the range that the key fixes, and are clamped.
#[must_use]
pub fn clamped_inputs(graph: &QuantizedGraph, inputs: &[ArrayD<f32>]) -> usize {
    let tensors = graph.inputs.iter().map(|id| &graph.tensors[id.0]);
    let outside = |(tensor, input): (&QuantizedTensor, &ArrayD<f32>)| {
        let clamped = |&(element, &x): &(usize, &f32)| {
            let value = tensor.rounded(element, x);
            value < real(tensor.lo) || value > real(tensor.hi)
        };
        input.iter().enumerate().filter(clamped).count()
    };
    tensors.zip(inputs).map(outside).sum()
}

fn quantize_input(tensor: &QuantizedTensor, input: &ArrayD<f32>) -> Result<Vec<i64>, RunError> {
    if input.shape() != tensor.shape {
        return Err(RunError::InputShape {
            input: tensor.name.clone(),
            expected: tensor.shape.clone(),
            got: input.shape().to_vec(),
        });
    }
    if let Some(index) = input.iter().position(|x| !x.is_finite()) {
        return Err(RunError::NotFinite { input: tensor.name.clone(), index });
    }
    let quantized = |(element, &x): (usize, &f32)| {
        integer(tensor.rounded(element, x)).clamp(tensor.lo, tensor.hi)
    };
    Ok(input.iter().enumerate().map(quantized).collect())
}

impl QuantizedGraph {
    /// The model's outputs as real numbers, in the order of the ONNX file.
    ///
    /// # Panics
    /// When `execution` is of another graph.
    #[must_use]
    pub fn dequantize(&self, execution: &Execution) -> Vec<ArrayD<f32>> {
        let output = |id: &TensorId| {
            let (tensor, values) = (&self.tensors[id.0], &execution.values[id.0]);
            let values = values.iter().map(|&value| narrow(real(value) * tensor.scale)).collect();
            ArrayD::from_shape_vec(IxDyn(&tensor.shape), values)
                .expect("a tensor has as many elements as its shape says")
        };
        self.outputs.iter().map(output).collect()
    }
}
