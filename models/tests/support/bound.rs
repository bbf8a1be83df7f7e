//! How far a quantized graph may be from the real one, derived layer by layer, where nothing
//! saturates.

use zkinfer_models::graph::{Affine, FloatTrace, Op};
use zkinfer_models::quantized::{QuantizedGraph, QuantizedOp, Requant};
use zkinfer_models::{Activation, Graph};

/// The largest error of each tensor's elements.
pub(crate) fn errors(graph: &Graph, quantized: &QuantizedGraph, trace: &FloatTrace) -> Vec<f64> {
    let mut errors = vec![0.0; quantized.tensors.len()];
    for id in &quantized.inputs {
        errors[id.0] = quantized.tensors[id.0].scale / 2.0;
    }
    for (node, integer) in graph.nodes().iter().zip(&quantized.nodes) {
        let output = &quantized.tensors[node.output.0];
        errors[node.output.0] = match (&node.op, &integer.op) {
            (Op::Affine(layer), QuantizedOp::Affine(rounded)) => {
                let step = rounded.requant.scale;
                let rounding = step / 2.0 / f64::from(1u32 << rounded.requant.shift);
                let sum = sum_error(layer, quantized, &errors, rounding);
                activated(layer.activation, sum + step / 2.0, &rounded.requant, output.scale)
            }
            (Op::Mul(mul), QuantizedOp::Mul(rounded)) => {
                let reach =
                    |id: usize| trace.values[id].iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                let (a, b) = (errors[mul.a.0], errors[mul.b.0]);
                let product = a * reach(mul.b.0) + b * reach(mul.a.0) + a * b;
                let step = rounded.requant.scale;
                activated(mul.activation, product + step / 2.0, &rounded.requant, output.scale)
            }
            (Op::Contract(product), QuantizedOp::Contract(rounded)) => {
                let reach =
                    |id: usize| trace.values[id].iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                let (a, b) = (errors[product.a.0], errors[product.b.0]);
                let pair = a * reach(product.b.0) + b * reach(product.a.0) + a * b;
                let sum = pair * product.scale.abs() * product.sizes.inner as f64;
                let step = rounded.requant.scale;
                activated(product.activation, sum + step, &rounded.requant, output.scale)
            }
            (Op::Alias(alias), _) => errors[alias.input.0],
            (Op::MaxPool(pool), _) => errors[pool.input.0],
            (Op::Softmax(softmax), _) => {
                let count = softmax.groups.largest() as f64;
                2.0 * errors[softmax.input.0] + (count + 2.0) / 4096.0
            }
            // The leaf, or the row, is the same one.
            (Op::Forest(_) | Op::Embed(_), _) => output.scale / 2.0,
            (float, integer) => panic!("{float:?} became {integer:?}"),
        };
    }
    errors
}

fn activated(activation: Activation, error: f64, requant: &Requant, scale: f64) -> f64 {
    let slope = match activation {
        Activation::HardSwish => 1.5,
        Activation::Gelu | Activation::Silu | Activation::Erf => 1.2,
        Activation::Selu { alpha, gamma } => gamma * alpha.max(1.0),
        Activation::Exp => 8.0,
        _ => 1.0,
    };
    let rounding = if requant.table.is_some() { scale } else { 0.0 };
    slope * error + rounding
}

fn sum_error(layer: &Affine, quantized: &QuantizedGraph, errors: &[f64], per_unit: f64) -> f64 {
    let mut sums = vec![per_unit; layer.bias.len()];
    for term in &layer.terms {
        let tensor = &quantized.tensors[term.input.0];
        let largest = tensor.lo.unsigned_abs().max(tensor.hi.unsigned_abs()) as f64;
        let per_channel = term.kernel.len() / sums.len();
        for (position, weight) in term.kernel.iter().enumerate() {
            sums[position / per_channel] +=
                weight.abs() * errors[term.input.0] + per_unit * largest;
        }
    }
    sums.into_iter().fold(0.0, f64::max)
}
