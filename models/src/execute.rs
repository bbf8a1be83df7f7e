//! Native execution of a quantized graph: bit for bit what the circuits prove.

use crate::error::RunError;
use crate::ops::form::Computed;
use crate::quantized::QuantizedGraph;

/// Every integer of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// The elements of each tensor, in C order.
    pub values: Vec<Vec<i64>>,
    /// For each node with a [`Requant`](crate::quantized::Requant), its accumulators, in the element order of its output.
    pub accumulators: Vec<Option<Vec<i64>>>,
}

impl Execution {
    /// The elements of each model output.
    #[must_use]
    pub fn outputs<'a>(&'a self, graph: &QuantizedGraph) -> Vec<&'a [i64]> {
        graph.outputs.iter().map(|id| self.values[id.0].as_slice()).collect()
    }
}

/// Runs the graph on integer inputs, one flat list per model input.
///
/// # Errors
/// When the inputs are not as many or as long as the model's, or an element is out of range.
///
/// # Panics
/// When `graph` was not made by [`crate::quantize`] and breaks the rules of its own types.
pub fn execute(graph: &QuantizedGraph, inputs: &[Vec<i64>]) -> Result<Execution, RunError> {
    check_inputs(graph, inputs)?;
    let mut execution = Execution {
        values: vec![Vec::new(); graph.tensors.len()],
        accumulators: vec![None; graph.nodes.len()],
    };
    for (id, input) in graph.inputs.iter().zip(inputs) {
        execution.values[id.0].clone_from(input);
    }
    for (position, node) in graph.nodes.iter().enumerate() {
        let form = node.op.form();
        let Computed { accumulators, values } =
            form.run(&graph.tensors, &execution.values, node.output);
        execution.accumulators[position] = accumulators;
        execution.values[node.output.0] = values;
    }
    Ok(execution)
}

fn check_inputs(graph: &QuantizedGraph, inputs: &[Vec<i64>]) -> Result<(), RunError> {
    let (expected, got) = (graph.inputs.len(), inputs.len());
    if expected != got {
        return Err(RunError::InputCount { expected, got });
    }
    for (id, input) in graph.inputs.iter().zip(inputs) {
        let tensor = &graph.tensors[id.0];
        let name = || tensor.name.clone();
        let (expected, got) = (tensor.len(), input.len());
        if expected != got {
            return Err(RunError::InputLength { input: name(), expected, got });
        }
        let (lo, hi) = (tensor.lo, tensor.hi);
        if let Some(index) = input.iter().position(|value| !(lo..=hi).contains(value)) {
            return Err(RunError::OutOfRange { input: name(), index, got: input[index], lo, hi });
        }
    }
    Ok(())
}
