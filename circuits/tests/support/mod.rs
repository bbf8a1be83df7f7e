//! Small integer graphs built by hand, with random weights, and their circuits.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::unwrap_used,
    reason = "sizes and values of these tests are small"
)]

pub(crate) mod checker;
mod claims;
mod hidden;
mod joined;
mod models;
mod steps;
pub(crate) mod walks;

use std::sync::Arc;

use halo2_proofs::{
    dev::{MockProver, VerifyFailure},
    halo2curves::bn256::Fr,
};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore, SeedableRng},
};
use zkinfer_circuits::{
    Blindings, CircuitPlan, InferenceCircuit, InstanceValues, Objective, PlanOptions,
    instance_values,
};
use zkinfer_models::{Execution, QuantizedGraph, execute, quantized::*};
use zkinfer_verifier::{InferenceClaim, Visibility};

#[allow(unused_imports, reason = "each test binary uses its own part")]
pub(crate) use claims::*;
#[allow(unused_imports, reason = "each test binary uses its own part")]
pub(crate) use hidden::commitment;
#[allow(unused_imports, reason = "each test binary uses its own part")]
pub(crate) use models::*;

pub(crate) const SHIFT: u32 = 8;

/// Builds a graph node by node, with honest bounds.
pub(crate) struct GraphBuilder {
    pub(crate) graph: QuantizedGraph,
    rng: ChaCha20Rng,
}

pub(crate) struct Conv {
    pub(crate) out: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) dilation: [usize; 2],
    pub(crate) padding: [usize; 2],
    pub(crate) groups: usize,
}

impl Default for Conv {
    fn default() -> Self {
        Self {
            out: 2,
            kernel: [3, 3],
            stride: [1, 1],
            dilation: [1, 1],
            padding: [0, 0],
            groups: 1,
        }
    }
}

/// How a layer's accumulators become outputs.
pub(crate) enum Form {
    Relu,
    Signed,
    Wide,
    Table(u32),
    /// Clamped to these bounds and looked up, as arguments of a table are.
    Argument(i32, i32),
    /// Clamped to these bounds.
    Clip(i32, i32),
}

pub(crate) fn chw([channels, height, width]: [usize; 3]) -> ImageView {
    ImageView { channels, height, width, strides: [height * width, width, 1], offset: 0 }
}

impl GraphBuilder {
    pub(crate) fn new(seed: u64, shape: [usize; 3]) -> Self {
        let input = QuantizedTensor {
            name: "input".into(),
            shape: shape.to_vec(),
            scale: 1.0,
            column_scales: Vec::new(),
            rounding: Rounding::HalfUp,
            lo: -128,
            hi: 127,
        };
        let graph = QuantizedGraph {
            tensors: vec![input],
            inputs: vec![TensorId(0)],
            outputs: vec![],
            nodes: vec![],
        };
        Self { graph, rng: ChaCha20Rng::seed_from_u64(seed) }
    }

    pub(crate) fn below(&mut self, bound: u32) -> i64 {
        i64::from(self.rng.next_u32() % bound)
    }

    fn push(&mut self, op: QuantizedOp, shape: Vec<usize>, lo: i64, hi: i64) -> TensorId {
        let id = TensorId(self.graph.tensors.len());
        let name = format!("t{}", id.0);
        self.graph.tensors.push(QuantizedTensor {
            name: name.clone(),
            shape,
            scale: 1.0,
            column_scales: Vec::new(),
            rounding: Rounding::HalfUp,
            lo,
            hi,
        });
        self.graph.nodes.push(QuantizedNode { name, op, output: id });
        id
    }

    fn shape(&self, tensor: TensorId) -> [usize; 3] {
        self.graph.tensors[tensor.0].shape.clone().try_into().expect("three dimensions")
    }

    /// A convolution of one tensor.
    pub(crate) fn conv(&mut self, input: TensorId, conv: &Conv, form: Form) -> TensorId {
        let shape = self.shape(input);
        let size = |d: usize| {
            let padded = shape[d + 1] + 2 * conv.padding[d];
            (padded - conv.dilation[d] * (conv.kernel[d] - 1) - 1) / conv.stride[d] + 1
        };
        let out = [conv.out, size(0), size(1)];
        let count = conv.out * (shape[0] / conv.groups) * conv.kernel[0] * conv.kernel[1];
        let kernel: Vec<i32> = (0..count).map(|_| self.below(401) as i32 - 200).collect();
        let term = ConvTerm {
            input,
            view: chw(shape),
            kernel,
            kernel_size: conv.kernel,
            groups: conv.groups,
            stride: conv.stride,
            dilation: conv.dilation,
            padding: conv.padding,
        };
        self.affine(vec![term], out, form)
    }

    /// A layer over the given terms.
    pub(crate) fn affine(&mut self, terms: Vec<ConvTerm>, out: [usize; 3], form: Form) -> TensorId {
        let bias: Vec<i64> = (0..out[0]).map(|_| self.below(20_001) - 10_000).collect();
        let reach: i64 = terms
            .iter()
            .map(|term| {
                let tensor = &self.graph.tensors[term.input.0];
                let largest = tensor.hi.max(-tensor.lo);
                let per_output = term.kernel.len() / out[0];
                let sums = term.kernel.chunks(per_output);
                sums.map(|c| c.iter().map(|w| i64::from(w.abs())).sum::<i64>()).max().unwrap()
                    * largest
            })
            .sum::<i64>()
            + 10_000;
        let requant = self.requant(reach, &form);
        let (lo, hi) = output_bounds(&requant);
        let op = Affine { terms, bias, shifts: Vec::new(), output: chw(out), requant };
        self.push(QuantizedOp::Affine(op), out.to_vec(), lo, hi)
    }

    fn requant(&mut self, reach: i64, form: &Form) -> Requant {
        let (lo, hi, table) = match *form {
            Form::Relu => (0, 255, None),
            Form::Signed => (-128, 127, None),
            Form::Wide => (-32_768, 32_767, None),
            Form::Table(bits) => {
                let table = (0..1 << bits).map(|_| self.below(256) as i32 - 128).collect();
                (-(1 << (bits - 1)), (1 << (bits - 1)) - 1, Some(table))
            }
            Form::Clip(lo, hi) => (lo, hi, None),
            Form::Argument(lo, hi) => (lo, hi, Some((lo..=hi).collect())),
        };
        Requant { scale: 1.0, zero: 0, shift: SHIFT, lo, hi, acc_lo: -reach, acc_hi: reach, table }
    }

    pub(crate) fn dense(&mut self, input: TensorId, out: usize, form: Form) -> TensorId {
        let len = self.graph.tensors[input.0].len();
        let kernel = (0..len * out).map(|_| self.below(401) as i32 - 200).collect();
        let term = pixel(input, chw([len, 1, 1]), kernel);
        self.affine(vec![term], [out, 1, 1], form)
    }

    /// Windows of `side × side`, step `step`.
    pub(crate) fn max_pool(&mut self, input: TensorId, side: usize, step: usize) -> TensorId {
        let [channels, height, width] = self.shape(input);
        let view = chw([channels, height, width]);
        let size = |d: usize| (d - side) / step + 1;
        let out = [channels, size(height), size(width)];
        let [plane, row, column] = view.strides;
        let sizes = [channels, out[1], out[2], side, side];
        let strides = [plane, step * row, step * column, row, column];
        let windows = Groups::equal(View::strided(&sizes, &strides, 0), side * side);
        let windows = windows.expect("an image has windows");
        let (lo, hi) = (self.graph.tensors[input.0].lo, self.graph.tensors[input.0].hi);
        self.push(QuantizedOp::MaxPool(MaxPool { input, windows }), out.to_vec(), lo, hi)
    }

    pub(crate) fn mul(&mut self, a: TensorId, b: TensorId, form: Form) -> TensorId {
        let shape = self.graph.tensors[a.0].shape.clone();
        let len = self.graph.tensors[a.0].len();
        let largest = |t: TensorId| {
            let tensor = &self.graph.tensors[t.0];
            tensor.hi.max(-tensor.lo)
        };
        let factor = 3;
        let requant = self.requant_for(largest(a) * largest(b) * factor, form);
        let (lo, hi) = output_bounds(&requant);
        let op = Mul {
            a,
            b,
            a_elements: View::in_order(len),
            b_elements: (0..len).rev().collect(),
            factor,
            requant,
        };
        self.push(QuantizedOp::Mul(op), shape, lo, hi)
    }

    /// A product of two stacks of matrices, with a bias for each element.
    pub(crate) fn contract(
        &mut self,
        [a, b]: [TensorId; 2],
        [batch, rows, inner, columns]: [usize; 4],
        form: Form,
    ) -> TensorId {
        let sizes = MatrixSizes { batch, rows, inner, columns };
        let largest = |t: TensorId| {
            let tensor = &self.graph.tensors[t.0];
            tensor.hi.max(-tensor.lo)
        };
        let factor: i64 = -2;
        let reach = largest(a) * largest(b) * factor.abs() * inner as i64 + 1000;
        let bias = (0..sizes.len()).map(|_| self.below(2001) - 1000).collect();
        let requant = self.requant(reach, &form);
        let (lo, hi) = output_bounds(&requant);
        let op = Contract { a, b, sizes, factor, bias, requant };
        self.push(QuantizedOp::Contract(op), vec![batch, rows, columns], lo, hi)
    }

    /// Groups of so many elements over their deviation.
    pub(crate) fn normalize(
        &mut self,
        input: TensorId,
        size: usize,
        is_centered: bool,
        form: Form,
    ) -> TensorId {
        let shape = self.graph.tensors[input.0].shape.clone();
        let (gain, bias) = (1 << 12, 77);
        let requant = self.requant(gain * size as i64 + 100, &form);
        let (lo, hi) = output_bounds(&requant);
        let op = Normalize { input, size, is_centered, gain, epsilon: 3, bias, requant };
        self.push(QuantizedOp::Normalize(op), shape, lo, hi)
    }

    fn requant_for(&mut self, reach: i64, form: Form) -> Requant {
        self.requant(reach, &form)
    }

    pub(crate) fn softmax(&mut self, input: TensorId) -> TensorId {
        self.softmax_of(input, usize::MAX)
    }

    /// Over groups of so many elements, the last of what is left.
    pub(crate) fn softmax_of(&mut self, input: TensorId, size: usize) -> TensorId {
        let tensor = self.graph.tensors[input.0].clone();
        let elements: Vec<usize> = (0..tensor.len()).collect();
        let groups: Vec<Vec<usize>> = elements.chunks(size).map(<[_]>::to_vec).collect();
        let exponential = |d: i64| (4096.0 * (-0.05 * d as f64).exp()).round() as i32;
        let op = Softmax {
            input,
            groups: groups.try_into().expect("a tensor has elements"),
            exp_table: (0..=tensor.hi - tensor.lo).map(exponential).collect(),
            bits: 15,
        };
        self.push(QuantizedOp::Softmax(op), tensor.shape, 0, 1 << 15)
    }

    /// Walks down these trees.
    pub(crate) fn forest(&mut self, input: TensorId, trees: Vec<Tree<i64>>) -> TensorId {
        let forest = Forest { input, trees };
        let values = forest.trees.iter().flat_map(|tree| tree.leaves.iter().flatten().copied());
        let (lo, hi) = values.fold((0, 0), |(lo, hi), value| (value.min(lo), value.max(hi)));
        let shape = vec![1, 1, forest.width()];
        self.push(QuantizedOp::Forest(forest), shape, lo, hi)
    }

    /// A tree of so many comparisons one after the other, each of which may end in a leaf.
    pub(crate) fn tree(&mut self, elements: usize, depth: usize, width: usize) -> Tree<i64> {
        let branch = |builder: &mut Self, at: usize| {
            let element = builder.below(elements as u32) as usize;
            let threshold = builder.below(200) - 100;
            let on = if at + 1 == depth { Next::Leaf(depth) } else { Next::Branch(at + 1) };
            let (low, high) =
                if at.is_multiple_of(2) { (Next::Leaf(at), on) } else { (on, Next::Leaf(at)) };
            Branch { element, threshold, low, high }
        };
        let branches = (0..depth).map(|at| branch(self, at)).collect();
        let leaves = (0..=depth).map(|_| (0..width).map(|_| self.below(401) - 200).collect());
        let root = if depth == 0 { Next::Leaf(0) } else { Next::Branch(0) };
        Tree { root, branches, leaves: leaves.collect() }
    }

    /// Rows of a table with elements of at most this magnitude, by indices: one for each that there
    /// can be.
    pub(crate) fn embed(&mut self, input: TensorId, width: usize, reach: i64) -> TensorId {
        let tensor = self.graph.tensors[input.0].clone();
        let rows = usize::try_from(tensor.hi - tensor.lo + 1).expect("a range");
        let span = u32::try_from(2 * reach + 1).expect("few bits");
        let table = (0..rows * width).map(|_| (self.below(span) - reach) as i32).collect();
        let op = Embed { input, first: tensor.lo, width, table };
        let shape = vec![1, tensor.len(), width];
        self.push(QuantizedOp::Embed(op), shape, -reach - 1, reach)
    }

    pub(crate) fn alias(&mut self, input: TensorId, elements: View) -> TensorId {
        let tensor = self.graph.tensors[input.0].clone();
        let shape = vec![1, 1, elements.len()];
        self.push(QuantizedOp::Alias(Alias { input, elements }), shape, tensor.lo, tensor.hi)
    }

    pub(crate) fn finish(mut self, output: TensorId) -> Model {
        self.graph.outputs = vec![output];
        let len = self.graph.tensors[0].len();
        let inputs: Vec<i64> = (0..len).map(|_| self.below(256) - 128).collect();
        Model::new(self.graph, inputs)
    }
}

/// A term that looks at single positions.
fn pixel(input: TensorId, view: ImageView, kernel: Vec<i32>) -> ConvTerm {
    let (kernel_size, stride, dilation) = ([1, 1], [1, 1], [1, 1]);
    ConvTerm { input, view, kernel, kernel_size, groups: 1, stride, dilation, padding: [0, 0] }
}

fn output_bounds(requant: &Requant) -> (i64, i64) {
    match &requant.table {
        Some(table) if table.is_sorted() => (table[0].into(), table[table.len() - 1].into()),
        Some(_) => (-128, 127),
        None => (requant.lo.into(), requant.hi.into()),
    }
}

/// A graph with one execution and its circuit.
pub(crate) struct Model {
    pub(crate) plan: Arc<CircuitPlan>,
    pub(crate) execution: Arc<Execution>,
    pub(crate) instance: Vec<Fr>,
    /// What each claim keeps to itself.
    pub(crate) claims: Vec<Blindings>,
    /// The claims of a proof of several.
    pub(crate) stated: Vec<InferenceClaim>,
}

/// What every test hides its inputs and outputs with.
pub(crate) const BLINDINGS: [u64; 2] = [1001, 1002];

/// What one claim keeps to itself, as the tests choose it.
pub(crate) fn blindings() -> Blindings {
    let [input, output] = BLINDINGS.map(Fr::from);
    Blindings { input, output, ..Blindings::default() }
}

impl Model {
    pub(crate) fn new(graph: QuantizedGraph, inputs: Vec<i64>) -> Self {
        Self::with_visibility(graph, inputs, [Visibility::Public; 2])
    }

    pub(crate) fn with_visibility(
        graph: QuantizedGraph,
        inputs: Vec<i64>,
        [input_visibility, output_visibility]: [Visibility; 2],
    ) -> Self {
        let options = PlanOptions { input_visibility, output_visibility, ..PlanOptions::default() };
        Self::with_options(graph, inputs, options)
    }

    pub(crate) fn with_options(
        graph: QuantizedGraph,
        inputs: Vec<i64>,
        options: PlanOptions,
    ) -> Self {
        let PlanOptions { input_visibility, output_visibility, boundaries, .. } = options;
        let plan = CircuitPlan::new(&graph, options).expect("the model fits");
        let execution = execute(&graph, std::slice::from_ref(&inputs)).expect("inputs fit");
        let outputs: Vec<i64> =
            graph.outputs.iter().flat_map(|id| execution.values[id.0].iter().copied()).collect();
        // What a boundary holds, the instance does not.
        let shown = |side: usize, visibility, tensors: &[TensorId], values| match visibility {
            _ if boundaries[side] => InstanceValues::Public(&[]),
            Visibility::Public => InstanceValues::Public(values),
            Visibility::Committed => {
                InstanceValues::Committed(commitment(&graph, tensors, values, BLINDINGS[side]))
            }
        };
        let input = shown(0, input_visibility, &graph.inputs, &inputs);
        let output = shown(1, output_visibility, &graph.outputs, &outputs);
        let instance = instance_values([1, 2], input, output);
        let (claims, stated) = (vec![blindings()], Vec::new());
        Self { plan: Arc::new(plan), execution: Arc::new(execution), instance, claims, stated }
    }

    /// The same run under the plan that costs a contract least.
    pub(crate) fn for_gas(&self) -> Self {
        let options = PlanOptions {
            objective: Objective::Gas,
            input_visibility: self.plan.input_visibility(),
            output_visibility: self.plan.output_visibility(),
            claims: self.plan.claims().try_into().expect("few claims"),
            boundaries: self.plan.boundaries(),
            ..PlanOptions::default()
        };
        let plan = CircuitPlan::new(self.plan.claim_graph(), options).expect("the model fits");
        let (execution, instance) = (self.execution.clone(), self.instance.clone());
        let (claims, stated) = (self.claims.clone(), self.stated.clone());
        Self { plan: Arc::new(plan), execution, instance, claims, stated }
    }

    pub(crate) fn circuit(&self) -> InferenceCircuit {
        InferenceCircuit::with_execution(self.plan.clone(), self.execution.clone())
            .with_claims(self.claims.clone())
    }

    /// The advice columns of that name, by index.
    pub(crate) fn columns(&self, name: &str) -> Vec<usize> {
        let names = self.circuit().column_names().into_iter().enumerate();
        names.filter(|(_, of)| *of == name).map(|(column, _)| column).collect()
    }

    /// Rows of a group of softmax before its elements: three numbers, a lane each.
    pub(crate) fn rows_before_softmax_elements(&self) -> usize {
        let shape = self.plan.shape().softmax.as_ref().expect("softmax");
        3_usize.div_ceil(shape.lanes)
    }

    /// The first advice column of that name.
    pub(crate) fn column(&self, name: &str) -> usize {
        self.columns(name)[0]
    }

    pub(crate) fn failures(&self, circuit: &InferenceCircuit) -> Vec<VerifyFailure> {
        self.failures_with(circuit, self.instance.clone())
    }

    pub(crate) fn failures_with(
        &self,
        circuit: &InferenceCircuit,
        instance: Vec<Fr>,
    ) -> Vec<VerifyFailure> {
        let prover = MockProver::run(self.plan.k(), circuit, vec![instance]).expect("it fits");
        prover.verify().err().unwrap_or_default()
    }
}
