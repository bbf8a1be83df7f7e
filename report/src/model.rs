//! What a model computes, for people and for scripts.

mod page;

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use zkinfer::{
    Model,
    models::{
        Graph, TensorSpec,
        graph::{Affine, Node, Op, Sums},
        quantized::TensorId,
    },
};

/// What a model computes: `Display` is the text, `Serialize` the JSON, [`Self::page`] the page.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    model: String,
    model_digest: String,
    bytes: usize,
    inputs: Vec<Tensor>,
    /// The inputs of the file that are constants of the model.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    constant_inputs: BTreeMap<String, Vec<f64>>,
    outputs: Vec<Tensor>,
    nodes: Vec<NodeReport>,
    weights: usize,
    macs: usize,
}

#[derive(Clone, Debug, Serialize)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
}

#[derive(Clone, Debug, Serialize)]
struct NodeReport {
    name: String,
    op: &'static str,
    shape: Vec<usize>,
    weights: usize,
    macs: usize,
    /// What it adds to a proof, as far as it shows before calibration, in eightieths of a row.
    cost: usize,
    /// What it reads, by place: inputs of the model first, then layers.
    reads: Vec<usize>,
}

impl ModelReport {
    /// The report of a model that can be proved.
    #[must_use]
    pub fn new(model: &Model) -> Self {
        let graph = model.graph();
        let tensors = |specs: Vec<&TensorSpec>| specs.into_iter().map(Tensor::from).collect();
        let mut defined = graph.input_ids().to_vec();
        let mut nodes = Vec::with_capacity(graph.nodes().len());
        for node in graph.nodes() {
            nodes.push(describe(graph, node, &defined));
            defined.push(node.output);
        }
        Self {
            model: model.path().display().to_string(),
            model_digest: model.digest().to_string(),
            bytes: model.byte_count(),
            inputs: tensors(graph.inputs()),
            constant_inputs: model.constant_inputs().clone(),
            outputs: tensors(graph.outputs()),
            weights: nodes.iter().map(|node| node.weights).sum(),
            macs: nodes.iter().map(|node| node.macs).sum(),
            nodes,
        }
    }
}

impl From<&TensorSpec> for Tensor {
    fn from(spec: &TensorSpec) -> Self {
        Self { name: spec.name.clone(), shape: spec.shape.clone() }
    }
}

fn describe(graph: &Graph, node: &Node, defined: &[TensorId]) -> NodeReport {
    let output = graph.tensor(node.output);
    let (weights, macs) = match &node.op {
        Op::Affine(affine) => size(affine, output.len()),
        Op::Coded(coded) => match &coded.sums {
            Sums::Affine(affine) => size(affine, output.len()),
            Sums::Mul(_) => (0, output.len()),
            Sums::Contract(contract) => (0, output.len() * contract.sizes.inner),
        },
        Op::Mul(_) => (0, output.len()),
        Op::Contract(contract) => (0, output.len() * contract.sizes.inner),
        Op::Forest(forest) => (forest.trees.iter().map(|tree| tree.branches.len()).sum(), 0),
        Op::Embed(embed) => (embed.table.len(), 0),
        _ => (0, 0),
    };
    let reads = places(&node.op.inputs(), defined);
    let cost = match &node.op {
        Op::Alias(_) => 0,
        op => RESULT * output.len() + READ * elements_read(graph, op) + WEIGHT * weights,
    };
    let (name, op, shape) = (node.name.clone(), node.op.name(), output.shape.clone());
    NodeReport { name, op, shape, weights, macs, cost, reads }
}

/// What a result, an element that is read and a weight take of a row of a circuit for images, which
/// has 8 slots, 14 reads and 80 weights.
const RESULT: usize = 10;
const READ: usize = 6;
const WEIGHT: usize = 1;

/// How many elements an operation reads, each once for every term that weighs it.
fn elements_read(graph: &Graph, op: &Op) -> usize {
    let tensors = op.inputs().into_iter();
    tensors.map(|id| graph.tensor(id).len()).sum()
}

/// A layer's weights and multiplications.
fn size(affine: &Affine, len: usize) -> (usize, usize) {
    let kernels: usize = affine.terms.iter().map(|term| term.kernel.len()).sum();
    (kernels + affine.bias.len(), kernels / affine.bias.len().max(1) * len)
}

impl fmt::Display for ModelReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} bytes, digest {}", self.model, self.bytes, self.model_digest)?;
        for (what, tensors) in [("input", &self.inputs), ("output", &self.outputs)] {
            for tensor in tensors {
                writeln!(f, "  {what} {} {:?}", tensor.name, tensor.shape)?;
            }
        }
        writeln!(f, "  {} weights, {} multiplications; after fusion:", self.weights, self.macs)?;
        for NodeReport { name, op, shape, weights, macs, .. } in &self.nodes {
            writeln!(f, "    {op:<10} {shape:?}  {weights} weights, {macs} MACs  ({name})")?;
        }
        let costly = self.costly();
        if costly.len() > 1 {
            writeln!(f, "  what costs most, by results, what they read, and weights:")?;
        }
        for node in costly.iter().filter(|_| costly.len() > 1) {
            let cost = node.cost;
            writeln!(f, "    {:>3} %  {}", 100 * cost / self.cost().max(1), node.name)?;
        }
        write!(f, "  every operation can be proved")
    }
}

/// Most nodes that are named for their cost.
const MOST_COSTLY: usize = 5;

impl ModelReport {
    fn cost(&self) -> usize {
        self.nodes.iter().map(|node| node.cost).sum()
    }

    /// The nodes that cost most, the largest first.
    fn costly(&self) -> Vec<&NodeReport> {
        let mut nodes: Vec<&NodeReport> = self.nodes.iter().filter(|n| n.cost > 0).collect();
        nodes.sort_by_key(|node| std::cmp::Reverse(node.cost));
        nodes.truncate(MOST_COSTLY);
        nodes
    }
}

/// Where the tensors that a node reads are defined, each once.
fn places(reads: &[TensorId], defined: &[TensorId]) -> Vec<usize> {
    let place = |tensor| defined.iter().rposition(|defined| defined == tensor);
    let mut places: Vec<usize> = reads.iter().filter_map(place).collect();
    places.sort_unstable();
    places.dedup();
    places
}
