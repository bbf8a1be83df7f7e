//! Interval arithmetic in real numbers: what no input in range can exceed.

use std::collections::BTreeMap;

use super::{Calibration, Range};
use crate::convolution::Patches;
use crate::graph::{Affine, Graph, Op};

/// The proven range before its activation of each layer, by the name of its output tensor.
pub(super) fn interval_bounds(graph: &Graph, calibration: &Calibration) -> BTreeMap<String, Range> {
    let mut values = vec![Range { lo: 0.0, hi: 0.0 }; graph.tensors.len()];
    for &id in &graph.inputs {
        values[id.0] = calibration.inputs[&graph.tensor(id).name].range;
    }
    let mut layers = BTreeMap::new();
    for node in &graph.nodes {
        let name = &graph.tensor(node.output).name;
        let mut activated = |range: Range, activation: crate::Activation| {
            layers.insert(name.clone(), range);
            let (lo, hi) = activation.image(range.lo, range.hi);
            Range { lo, hi }
        };
        values[node.output.0] = match &node.op {
            Op::Affine(affine) => activated(affine_range(affine, &values), affine.activation),
            Op::Mul(mul) => activated(product(values[mul.a.0], values[mul.b.0]), mul.activation),
            Op::Activate(activate) => {
                let range = values[activate.input.0];
                let (lo, hi) = activate.function.image(range.lo, range.hi);
                Range { lo, hi }
            }
            Op::Alias(alias) => values[alias.input.0],
            Op::MaxPool(pool) => values[pool.input.0],
            Op::Softmax(_) => Range { lo: 0.0, hi: 1.0 },
        };
    }
    layers
}

/// The range of every tensor as calibration has it: of a layer, the image of its range before the
/// activation.
pub(crate) fn calibrated_values(graph: &Graph, calibration: &Calibration) -> Vec<Range> {
    let mut values = vec![Range { lo: 0.0, hi: 0.0 }; graph.tensors.len()];
    for &id in &graph.inputs {
        if let Some(input) = calibration.inputs.get(&graph.tensor(id).name) {
            values[id.0] = input.range;
        }
    }
    for node in &graph.nodes {
        let layer = calibration.layers.get(&graph.tensor(node.output).name);
        let image = |activation: crate::Activation, range: Range| {
            let (lo, hi) = activation.image(range.lo, range.hi);
            Range { lo, hi }
        };
        let of_layer = |activation| layer.map_or(values[node.output.0], |r| image(activation, *r));
        values[node.output.0] = match &node.op {
            Op::Affine(affine) => of_layer(affine.activation),
            Op::Mul(mul) => of_layer(mul.activation),
            Op::Activate(activate) => image(activate.function, values[activate.input.0]),
            Op::Alias(alias) => values[alias.input.0],
            Op::MaxPool(pool) => values[pool.input.0],
            Op::Softmax(_) => Range { lo: 0.0, hi: 1.0 },
        };
    }
    values
}

/// The range over all output channels.
pub(crate) fn affine_range(affine: &Affine, values: &[Range]) -> Range {
    let channels = affine.output.channels;
    let mut sums: Vec<Range> =
        affine.bias.iter().map(|&bias| Range { lo: bias, hi: bias }).collect();
    for term in &affine.terms {
        let patches = Patches {
            view: &term.view,
            window: term.window,
            rows: affine.output.height,
            columns: affine.output.width,
        };
        let mut input = values[term.input.0];
        if patches.touches_padding() {
            input = Range { lo: input.lo.min(0.0), hi: input.hi.max(0.0) };
        }
        let per_channel = term.kernel.len() / channels;
        for (position, &weight) in term.kernel.iter().enumerate() {
            let part = product(input, Range { lo: weight, hi: weight });
            let sum = &mut sums[position / per_channel];
            *sum = Range { lo: sum.lo + part.lo, hi: sum.hi + part.hi };
        }
    }
    sums.into_iter().reduce(Range::union).unwrap_or(Range { lo: 0.0, hi: 0.0 })
}

fn product(a: Range, b: Range) -> Range {
    Range::of([a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi])
}
