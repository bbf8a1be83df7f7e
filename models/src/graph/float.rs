//! The model in real numbers, executed: for calibration, and for the output that the integer
//! output is compared with.

use ndarray::{ArrayD, ArrayView2, IxDyn};

use super::{Affine, Graph, Mul, Node, Op, Softmax, TensorSpec, Window};
use crate::convolution::{Patches, bias_sums, scatter};
use crate::error::RunError;
use crate::quantized::{ImageView, MaxPool, TensorId};

/// Every value of one run in real numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatTrace {
    /// The elements of each tensor, in C order.
    pub values: Vec<Vec<f64>>,
    /// For each node with an activation, its values before it.
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
            let (accumulators, values) = self.run_node(node, &trace.values);
            trace.accumulators[position] = accumulators;
            trace.values[node.output.0] = values;
        }
        Ok(trace)
    }

    /// Runs the nodes from position `from` on, with the values of all earlier tensors given.
    pub(crate) fn run_from(&self, from: usize, values: &mut [Vec<f64>]) {
        for node in &self.nodes[from..] {
            values[node.output.0] = self.run_node(node, values).1;
        }
    }

    fn run_node(&self, node: &Node, values: &[Vec<f64>]) -> (Option<Vec<f64>>, Vec<f64>) {
        let len = self.tensors[node.output.0].len();
        match &node.op {
            Op::Affine(affine) => {
                let sums = run_affine(affine, values, len);
                let output = sums.iter().map(|&x| affine.activation.apply(x)).collect();
                (Some(sums), output)
            }
            Op::Mul(mul) => {
                let products = run_mul(mul, values);
                let output = products.iter().map(|&x| mul.activation.apply(x)).collect();
                (Some(products), output)
            }
            Op::Activate(activate) => {
                let input = &values[activate.input.0];
                (None, input.iter().map(|&x| activate.function.apply(x)).collect())
            }
            Op::Alias(alias) => {
                let input = &values[alias.input.0];
                (None, alias.index.iter().map(|&source| input[source]).collect())
            }
            Op::MaxPool(pool) => (None, run_max_pool(pool, &values[pool.input.0])),
            Op::Softmax(softmax) => (None, run_softmax(softmax, &values[softmax.input.0])),
        }
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

fn run_affine(affine: &Affine, values: &[Vec<f64>], len: usize) -> Vec<f64> {
    let view = &affine.output;
    let mut sums = bias_sums(&affine.bias, view);
    for term in &affine.terms {
        let patches = Patches {
            view: &term.view,
            window: term.window,
            rows: view.height,
            columns: view.width,
        };
        let kernel = kernel_matrix(&term.kernel, view.channels, &term.view, term.window);
        patches.accumulate(kernel, &values[term.input.0], sums.view_mut());
    }
    scatter(&sums, view, len)
}

fn kernel_matrix<'a>(
    kernel: &'a [f64],
    out_channels: usize,
    view: &ImageView,
    window: Window,
) -> ArrayView2<'a, f64> {
    let per_output = view.channels / window.groups * window.kernel_size[0] * window.kernel_size[1];
    ArrayView2::from_shape((out_channels, per_output), kernel)
        .expect("a term's kernel has one weight per output channel and patch element")
}

fn run_mul(mul: &Mul, values: &[Vec<f64>]) -> Vec<f64> {
    let (a, b) = (&values[mul.a.0], &values[mul.b.0]);
    mul.a_index.iter().zip(&mul.b_index).map(|(&i, &j)| a[i] * b[j]).collect()
}

fn run_max_pool(pool: &MaxPool, input: &[f64]) -> Vec<f64> {
    let largest = |window: &Vec<usize>| {
        window.iter().map(|&source| input[source]).fold(f64::NEG_INFINITY, f64::max)
    };
    pool.windows.iter().map(largest).collect()
}

fn run_softmax(softmax: &Softmax, input: &[f64]) -> Vec<f64> {
    let mut output = vec![0.0; input.len()];
    for group in &softmax.groups {
        let largest = group.iter().map(|&i| input[i]).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = group.iter().map(|&i| libm::exp(input[i] - largest)).sum();
        for &i in group {
            output[i] = libm::exp(input[i] - largest) / sum;
        }
    }
    output
}

#[expect(clippy::cast_possible_truncation, reason = "results are reported in single precision")]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}
