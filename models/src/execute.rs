//! Native execution of a quantized graph: bit for bit what the circuits prove.

use std::collections::HashMap;

use crate::error::RunError;
use crate::ops::form::Computed;
use crate::quantized::{QuantizedGraph, TensorId};

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

    /// The run of `repeated`, which is [`QuantizedGraph::repeated`] of `graph`, made of runs of `graph`:
    /// what [`execute`] gives for their inputs. Only what `repeated` puts in another order is computed.
    ///
    /// # Errors
    /// [`RunError::InputLength`] where a run is not one of `graph`.
    pub fn joined(
        graph: &QuantizedGraph,
        repeated: &QuantizedGraph,
        runs: &[&Self],
    ) -> Result<Self, RunError> {
        runs.iter().try_for_each(|run| run.check_lengths(graph))?;
        let mut joined = Self::empty(repeated);
        let of_all = |list: fn(&Self) -> &[Vec<i64>], at: usize| -> Vec<i64> {
            runs.iter().flat_map(|run| list(run)[at].iter().copied()).collect()
        };
        for id in &graph.inputs {
            joined.values[id.0] = of_all(|run| &run.values, id.0);
        }
        let made_by: HashMap<usize, usize> =
            graph.nodes.iter().enumerate().map(|(place, node)| (node.output.0, place)).collect();
        for (position, node) in repeated.nodes.iter().enumerate() {
            let Some(&of_run) = made_by.get(&node.output.0) else {
                joined.run_node(repeated, position);
                continue;
            };
            joined.values[node.output.0] = of_all(|run| &run.values, node.output.0);
            if node.op.requant().is_some() {
                let of_runs = runs.iter().map(|run| run.accumulators[of_run].as_deref());
                joined.accumulators[position] =
                    of_runs.collect::<Option<Vec<_>>>().map(|of_runs| of_runs.concat());
            }
        }
        Ok(joined)
    }

    fn empty(graph: &QuantizedGraph) -> Self {
        Self {
            values: vec![Vec::new(); graph.tensors.len()],
            accumulators: vec![None; graph.nodes.len()],
        }
    }

    /// Whether what is read of the graph's inputs and nodes has as many elements as the graph says.
    fn check_lengths(&self, graph: &QuantizedGraph) -> Result<(), RunError> {
        let len = |id: TensorId| self.values.get(id.0).map_or(0, Vec::len);
        let inputs = graph.inputs.iter().map(|&id| (id, len(id)));
        let outputs = graph.nodes.iter().map(|node| (node.output, len(node.output)));
        let layers = graph.nodes.iter().zip(0..).filter(|(node, _)| node.op.requant().is_some());
        let layers = layers.map(|(node, place): (_, usize)| {
            let accumulators = self.accumulators.get(place).and_then(Option::as_ref);
            (node.output, accumulators.map_or(0, Vec::len))
        });
        for (id, got) in inputs.chain(outputs).chain(layers) {
            let tensor = &graph.tensors[id.0];
            let expected = tensor.len();
            if expected != got {
                return Err(RunError::InputLength { input: tensor.name.clone(), expected, got });
            }
        }
        Ok(())
    }

    fn run_node(&mut self, graph: &QuantizedGraph, position: usize) {
        let node = &graph.nodes[position];
        let form = node.op.form();
        let Computed { accumulators, values } = form.run(&graph.tensors, &self.values, node.output);
        self.accumulators[position] = accumulators;
        self.values[node.output.0] = values;
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
    let mut execution = Execution::empty(graph);
    for (id, input) in graph.inputs.iter().zip(inputs) {
        execution.values[id.0].clone_from(input);
    }
    (0..graph.nodes.len()).for_each(|position| execution.run_node(graph, position));
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
