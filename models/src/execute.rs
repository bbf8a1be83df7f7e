//! Native execution of a quantized graph: bit for bit what the circuits prove.

mod affine;

use crate::error::RunError;
use crate::quantized::{Mul, QuantizedGraph, QuantizedNode, QuantizedOp, Requant, Softmax};

/// Every integer of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// The elements of each tensor, in C order.
    pub values: Vec<Vec<i64>>,
    /// For each node with a [`Requant`], its accumulators, in the element order of its output.
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
        let (accumulators, values) = run_node(graph, node, &execution.values);
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

fn run_node(
    graph: &QuantizedGraph,
    node: &QuantizedNode,
    values: &[Vec<i64>],
) -> (Option<Vec<i64>>, Vec<i64>) {
    match &node.op {
        QuantizedOp::Affine(layer) => {
            let sums = affine::accumulators(graph, layer, values, node.output);
            let output = requantize(&layer.requant, &sums);
            (Some(sums), output)
        }
        QuantizedOp::Mul(mul) => {
            let products = products(mul, values);
            let output = requantize(&mul.requant, &products);
            (Some(products), output)
        }
        QuantizedOp::Alias(alias) => {
            let input = &values[alias.input.0];
            (None, alias.index.iter().map(|&source| input[source]).collect())
        }
        QuantizedOp::MaxPool(pool) => {
            let input = &values[pool.input.0];
            let largest = |window: &Vec<usize>| {
                window.iter().map(|&source| input[source]).fold(i64::MIN, i64::max)
            };
            (None, pool.windows.iter().map(largest).collect())
        }
        QuantizedOp::Softmax(softmax) => (None, run_softmax(softmax, &values[softmax.input.0])),
    }
}

fn requantize(requant: &Requant, accumulators: &[i64]) -> Vec<i64> {
    accumulators.iter().map(|&acc| requant.apply(acc)).collect()
}

impl Requant {
    /// The output for an accumulator.
    #[must_use]
    pub fn apply(&self, acc: i64) -> i64 {
        let z = self.round(acc).clamp(self.lo.into(), self.hi.into());
        match &self.table {
            None => z,
            Some(table) => {
                let position =
                    usize::try_from(z - i64::from(self.lo)).expect("z is clamped to at least lo");
                table[position].into()
            }
        }
    }
}

fn products(mul: &Mul, values: &[Vec<i64>]) -> Vec<i64> {
    let (a, b) = (&values[mul.a.0], &values[mul.b.0]);
    mul.a_index.iter().zip(&mul.b_index).map(|(&i, &j)| mul.factor * a[i] * b[j]).collect()
}

fn run_softmax(softmax: &Softmax, input: &[i64]) -> Vec<i64> {
    let mut output = vec![0; input.len()];
    for group in &softmax.groups {
        let largest = group.iter().map(|&i| input[i]).fold(i64::MIN, i64::max);
        let exponential = |i: usize| {
            let difference =
                usize::try_from(largest - input[i]).expect("no element is above the largest");
            i64::from(softmax.exp_table[difference.min(softmax.exp_table.len() - 1)])
        };
        let sum: i64 = group.iter().map(|&i| exponential(i)).sum();
        for &i in group {
            output[i] = ((exponential(i) << (softmax.bits + 1)) + sum) / (2 * sum);
        }
    }
    output
}
