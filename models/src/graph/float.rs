//! The model in real numbers, executed: for calibration, and for the output that the integer
//! output is compared with.

use ndarray::{ArrayD, IxDyn};

use super::{Graph, Node};
use crate::error::RunError;
use crate::numbers::narrow;
use crate::ops::form::Computed;
use crate::tensor::{TensorId, TensorSpec};

/// Every value of one run in real numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatTrace {
    /// The elements of each tensor, in C order.
    pub values: Vec<Vec<f64>>,
    /// For each node with an activation, its values before it; for a softmax, the largest argument
    /// of each group.
    pub accumulators: Vec<Option<Vec<f64>>>,
}

impl Graph {
    /// Runs the model in real numbers and returns its outputs.
    ///
    /// # Errors
    /// When the inputs are not as many as the model has, or of another shape.
    pub fn run_float(&self, inputs: &[ArrayD<f32>]) -> Result<Vec<ArrayD<f32>>, RunError> {
        let trace = self.trace_float(inputs)?;
        let output = |id: &TensorId| {
            let values = trace.values[id.0].iter().copied().map(narrow).collect();
            ArrayD::from_shape_vec(IxDyn(&self.tensors[id.0].shape), values)
                .expect("a tensor has as many elements as its shape says")
        };
        Ok(self.outputs.iter().map(output).collect())
    }

    /// Runs the model in real numbers and keeps every value.
    ///
    /// # Errors
    /// As [`Graph::run_float`].
    pub fn trace_float(&self, inputs: &[ArrayD<f32>]) -> Result<FloatTrace, RunError> {
        check_inputs(&self.inputs(), inputs)?;
        let mut trace = FloatTrace {
            values: vec![Vec::new(); self.tensors.len()],
            accumulators: vec![None; self.nodes.len()],
        };
        for (id, input) in self.inputs.iter().zip(inputs) {
            trace.values[id.0] = input.iter().copied().map(f64::from).collect();
        }
        for (position, node) in self.nodes.iter().enumerate() {
            let Computed { accumulators, values } = self.run_node(node, &trace.values);
            trace.accumulators[position] = accumulators;
            trace.values[node.output.0] = values;
        }
        Ok(trace)
    }

    /// Runs the nodes from position `from` on, with the values of all earlier tensors given.
    pub(crate) fn run_from(&self, from: usize, values: &mut [Vec<f64>]) {
        for node in &self.nodes[from..] {
            values[node.output.0] = self.run_node(node, values).values;
        }
    }

    fn run_node(&self, node: &Node, values: &[Vec<f64>]) -> Computed<f64> {
        node.op.form().run(values, self.tensors[node.output.0].len())
    }
}

/// Refuses inputs of another number or shape than `expected`.
pub(crate) fn check_inputs(
    expected: &[&TensorSpec],
    inputs: &[ArrayD<f32>],
) -> Result<(), RunError> {
    if inputs.len() != expected.len() {
        return Err(RunError::InputCount { expected: expected.len(), got: inputs.len() });
    }
    for (spec, input) in expected.iter().zip(inputs) {
        if input.shape() != spec.shape {
            return Err(RunError::InputShape {
                input: spec.name.clone(),
                expected: spec.shape.clone(),
                got: input.shape().to_vec(),
            });
        }
    }
    Ok(())
}
