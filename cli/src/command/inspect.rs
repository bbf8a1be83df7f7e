//! `inspect`: what a model computes, and whether it can be proved.

use std::fmt;

use anyhow::Result;
use serde::Serialize;
use zkinfer::{
    Model,
    models::{
        Graph, TensorSpec,
        graph::{Node, Op},
    },
};

use crate::{
    args,
    output::{Outcome, Output},
};

pub(crate) fn run(args: &args::Inspect, output: &Output) -> Result<Outcome> {
    let model = args.import.open(&args.model)?;
    output.report(&Report::new(&model))?;
    Ok(Outcome::Accepted)
}

#[derive(Serialize)]
struct Report {
    model: String,
    model_digest: String,
    bytes: usize,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    nodes: Vec<NodeReport>,
    weights: usize,
    macs: usize,
}

#[derive(Serialize)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
}

#[derive(Serialize)]
struct NodeReport {
    name: String,
    op: &'static str,
    shape: Vec<usize>,
    weights: usize,
    macs: usize,
}

impl Report {
    fn new(model: &Model) -> Self {
        let graph = model.graph();
        let tensors = |specs: Vec<&TensorSpec>| specs.into_iter().map(Tensor::from).collect();
        let nodes: Vec<_> = graph.nodes().iter().map(|node| describe(graph, node)).collect();
        Self {
            model: model.path().display().to_string(),
            model_digest: model.digest().to_string(),
            bytes: model.byte_count(),
            inputs: tensors(graph.inputs()),
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

fn describe(graph: &Graph, node: &Node) -> NodeReport {
    let output = graph.tensor(node.output);
    let (op, weights, macs) = match &node.op {
        Op::Affine(affine) => {
            let kernels: usize = affine.terms.iter().map(|term| term.kernel.len()).sum();
            let per_element = kernels / affine.bias.len().max(1);
            ("affine", kernels + affine.bias.len(), per_element * output.len())
        }
        Op::Alias(_) => ("alias", 0, 0),
        Op::MaxPool(_) => ("max pool", 0, 0),
        Op::Mul(_) => ("mul", 0, output.len()),
        Op::Activate(_) => ("activation", 0, 0),
        Op::Softmax(_) => ("softmax", 0, 0),
    };
    NodeReport { name: node.name.clone(), op, shape: output.shape.clone(), weights, macs }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} bytes, digest {}", self.model, self.bytes, self.model_digest)?;
        for (what, tensors) in [("input", &self.inputs), ("output", &self.outputs)] {
            for tensor in tensors {
                writeln!(f, "  {what} {} {:?}", tensor.name, tensor.shape)?;
            }
        }
        writeln!(f, "  {} weights, {} multiplications; after fusion:", self.weights, self.macs)?;
        for NodeReport { name, op, shape, weights, macs } in &self.nodes {
            writeln!(f, "    {op:<10} {shape:?}  {weights} weights, {macs} MACs  ({name})")?;
        }
        write!(f, "  every operation can be proved")
    }
}
