//! Quantized models as most tools write them: operations on real numbers between
//! `DequantizeLinear` and `QuantizeLinear`, which become the operations on codes that they stand for.
//!
//! What is not of a known form stays as it is: real numbers, of which `QuantizeLinear` makes codes.

use std::collections::HashMap;

use super::functions::{Clamp, FlatNode};
use super::proto::{GraphProto, TensorProto};

/// So many operations in a row are looked at before a `QuantizeLinear`.
const STEPS: usize = 16;

/// Operations that only move elements, or take the largest.
const MOVEMENT: &[&str] = &[
    "DepthToSpace",
    "Flatten",
    "Identity",
    "MaxPool",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// The nodes, with operations on codes in place of operations between codes.
pub(super) fn on_codes<'a>(nodes: Vec<FlatNode<'a>>, graph: &GraphProto) -> Vec<FlatNode<'a>> {
    if !nodes.iter().any(|node| node.op == "QuantizeLinear") {
        return nodes;
    }
    let mut producers = HashMap::new();
    for (position, node) in nodes.iter().enumerate() {
        for output in &node.output {
            producers.insert(output.as_str(), position);
        }
    }
    let constants = graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let file = File { nodes: &nodes, producers, constants };
    let mut result = Vec::with_capacity(nodes.len());
    for node in &nodes {
        match file.on_codes(node) {
            Some(replaced) => result.extend(replaced),
            None => result.push(node.clone()),
        }
    }
    result
}

struct File<'a, 'b> {
    nodes: &'b [FlatNode<'a>],
    producers: HashMap<&'b str, usize>,
    constants: HashMap<&'b str, &'b TensorProto>,
}

/// Names of a tensor of codes, its scale and its zero point.
type Coded<'b> = [&'b str; 3];

impl<'a, 'b> File<'a, 'b> {
    fn producer(&self, name: &str) -> Option<&'b FlatNode<'a>> {
        self.producers.get(name).map(|&position| &self.nodes[position])
    }

    /// The codes that a real tensor is made of.
    fn codes_of(&self, name: &str) -> Option<Coded<'b>> {
        let node = self.producer(name).filter(|node| node.op == "DequantizeLinear")?;
        let [codes, scale, rest @ ..] = &node.input[..] else { return None };
        let zero = rest.first().map_or("", String::as_str);
        Some([codes.as_str(), scale.as_str(), zero])
    }

    /// Whether two names are of equal constants.
    fn is_same(&self, a: &str, b: &str) -> bool {
        let content = |name: &str| {
            let t = self.constants.get(name)?;
            Some((t.data_type, &t.dims, &t.raw_data, &t.float_data, &t.int32_data))
        };
        a == b || content(a).is_some_and(|a| content(b) == Some(a))
    }

    /// Whether a name is of an initializer or a constant node.
    fn is_constant(&self, name: &str) -> bool {
        self.constants.contains_key(name)
            || self.producer(name).is_some_and(|node| node.op == "Constant")
    }

    /// The nodes in place of a `QuantizeLinear`, where what is before it is on codes.
    fn on_codes(&self, node: &'b FlatNode<'a>) -> Option<Vec<FlatNode<'a>>> {
        let [real, scale, zero] = &node.input[..] else { return None };
        if node.op != "QuantizeLinear" || zero.is_empty() {
            return None;
        }
        let target = [scale.as_str(), zero.as_str()];
        let mut clamped = Vec::new();
        let mut name = real.as_str();
        let before = loop {
            if clamped.len() > STEPS {
                return None;
            }
            if let Some(codes) = self.codes_of(name) {
                return self.requantized(node, codes, target, &clamped);
            }
            let before = self.producer(name)?;
            match before.op {
                "Relu" | "Clip" if before.opset >= 11 => clamped.push(before),
                _ => break before,
            }
            name = before.input.first()?;
        };
        if clamped.is_empty() && MOVEMENT.contains(&before.op) {
            return self.moved(node, target);
        }
        let mut replaced = self.operation(before, target)?;
        replaced.name.clone_from(&node.name);
        replaced.output.clone_from(&node.output);
        for clamp in clamped.iter().rev() {
            add_clamp(&mut replaced, clamp);
        }
        Some(vec![replaced])
    }

    /// Codes of codes.
    fn requantized(
        &self,
        node: &FlatNode<'a>,
        [codes, scale, zero]: Coded<'b>,
        target: [&str; 2],
        clamped: &[&'b FlatNode<'a>],
    ) -> Option<Vec<FlatNode<'a>>> {
        if self.is_constant(codes) {
            return None;
        }
        let input = [target[0], target[1], codes, scale, zero];
        let mut replaced = flat(node, "QLinearConcat", "com.microsoft", &input);
        for clamp in clamped.iter().rev() {
            add_clamp(&mut replaced, clamp);
        }
        // Operands of a clamp would be parts.
        (replaced.input.len() == input.len()).then(|| vec![replaced])
    }

    /// Codes that are only moved: the same codes.
    fn moved(&self, node: &'b FlatNode<'a>, target: [&str; 2]) -> Option<Vec<FlatNode<'a>>> {
        let mut steps = Vec::new();
        let mut name = node.input.first()?.as_str();
        let [codes, scale, zero] = loop {
            if steps.len() > STEPS {
                return None;
            }
            if let Some(codes) = self.codes_of(name) {
                break codes;
            }
            let before = self.producer(name).filter(|before| MOVEMENT.contains(&before.op))?;
            steps.push(before);
            name = before.input.first()?;
        };
        let is_same = self.is_same(scale, target[0]) && self.is_same(zero, target[1]);
        if !is_same || self.is_constant(codes) || steps.is_empty() {
            return None;
        }
        let count = steps.len();
        let mut input = codes.to_owned();
        let mut moved = Vec::new();
        for (position, step) in steps.into_iter().rev().enumerate() {
            let mut step = step.clone();
            let output = match position + 1 == count {
                true => node.output.clone(),
                false => vec![format!("{}#codes{position}", node.output.first()?)],
            };
            step.input[0] = std::mem::replace(&mut input, output.first()?.clone());
            step.output = output;
            moved.push(step);
        }
        Some(moved)
    }

    /// The operation on codes that a node with codes on all sides stands for, its output left open.
    fn operation(&self, node: &'b FlatNode<'a>, [scale, zero]: [&str; 2]) -> Option<FlatNode<'a>> {
        let read = |index: usize| {
            node.input.get(index).map(String::as_str).filter(|name| !name.is_empty())
        };
        let codes = |index: usize| self.codes_of(read(index)?);
        let is_computed =
            |index: usize| codes(index).filter(|[codes, ..]| !self.is_constant(codes));
        let two = |op: &'static str, domain: &'static str| {
            let ([a, a_scale, a_zero], [b, b_scale, b_zero]) = (is_computed(0)?, codes(1)?);
            let input = [a, a_scale, a_zero, b, b_scale, b_zero, scale, zero];
            Some(flat(node, op, domain, &input))
        };
        let one = |op: &'static str| {
            let [x, x_scale, x_zero] = is_computed(0)?;
            Some(flat(node, op, "com.microsoft", &[x, x_scale, x_zero, scale, zero]))
        };
        let microsoft = "com.microsoft";
        match node.op {
            "Conv" if codes(1).is_some_and(|[weights, ..]| self.is_constant(weights)) => {
                let mut conv = two("QLinearConv", "")?;
                conv.input.extend(read(2).map(str::to_owned));
                Some(conv)
            }
            "MatMul" => two("QLinearMatMul", ""),
            "Gemm" => self.gemm(node, [scale, zero]),
            "Add" => is_computed(1).and_then(|_| two("QLinearAdd", microsoft)),
            "Mul" => is_computed(1).and_then(|_| two("QLinearMul", microsoft)),
            "Sigmoid" => one("QLinearSigmoid"),
            "LeakyRelu" => one("QLinearLeakyRelu"),
            "AveragePool" => one("QLinearAveragePool"),
            "GlobalAveragePool" => one("QLinearGlobalAveragePool"),
            "Concat" => {
                let mut input = vec![scale, zero];
                for index in 0..node.input.len() {
                    input.extend(is_computed(index)?);
                }
                Some(flat(node, "QLinearConcat", microsoft, &input))
            }
            _ => None,
        }
    }

    /// `Gemm` without a factor for its bias.
    fn gemm(&self, node: &'b FlatNode<'a>, [scale, zero]: [&str; 2]) -> Option<FlatNode<'a>> {
        let [a, b, bias @ ..] = &node.input[..] else { return None };
        let ([a, a_scale, a_zero], [b, b_scale, b_zero]) = (self.codes_of(a)?, self.codes_of(b)?);
        let beta = node.attributes.iter().find(|(name, _)| *name == "beta");
        if self.is_constant(a) || beta.is_some_and(|(_, beta)| beta.f != 1.0) {
            return None;
        }
        let bias = bias.first().map_or("", String::as_str);
        let input = [a, a_scale, a_zero, b, b_scale, b_zero, bias, scale, zero];
        let mut gemm = flat(node, "QGemm", "com.microsoft", &input);
        gemm.attributes.retain(|(name, _)| *name != "beta");
        Some(gemm)
    }
}

/// A node like another one, with another operation.
fn flat<'a>(
    like: &FlatNode<'a>,
    op: &'static str,
    domain: &'static str,
    input: &[&str],
) -> FlatNode<'a> {
    let input = input.iter().map(|name| (*name).to_owned()).collect();
    let opset = if domain.is_empty() { like.opset } else { 1 };
    FlatNode { op, domain, input, opset, ..like.clone() }
}

/// Most operands of an operation on codes that a clamp can follow.
const OPERANDS: usize = 9;

/// Adds what a `Relu` or `Clip` does, with bounds as more operands.
fn add_clamp(node: &mut FlatNode<'_>, clamp: &FlatNode<'_>) {
    if clamp.op == "Relu" {
        node.clamps.push(Clamp::Relu);
        return;
    }
    let bounds = [1, 2].map(|index| {
        let name = clamp.input.get(index).filter(|name| !name.is_empty())?;
        if node.input.len() < OPERANDS {
            node.input.resize(OPERANDS, String::new());
        }
        node.input.push(name.clone());
        Some(node.input.len() - 1)
    });
    node.clamps.push(Clamp::Between(bounds));
}
