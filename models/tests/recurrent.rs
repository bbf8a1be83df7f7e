//! Recurrent cells: what is unrolled has the same integers in every step, and is close to the real
//! model.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use ndarray::{ArrayD, IxDyn};
use support::onnx::{Builder, int, noise, text};
use zkinfer_models::quantized::{QuantizedNode, QuantizedOp};
use zkinfer_models::{
    Calibration, Graph, QuantizeOptions, QuantizedGraph, execute, quantize, quantize_inputs,
};

const STEPS: usize = 9;
const HIDDEN: i64 = 6;

fn model(op: &str, gates: i64, direction: &str) -> Builder {
    let directions = if direction == "bidirectional" { 2 } else { 1 };
    let steps = STEPS.try_into().unwrap();
    let model = Builder::new(22).input("x", &[steps, 1, 4]);
    let model = model.random("w", &[directions, gates * HIDDEN, 4]);
    let model = model.random("r", &[directions, gates * HIDDEN, HIDDEN]);
    let model = model.random("b", &[directions, 2 * gates * HIDDEN]);
    let attributes = [int("hidden_size", HIDDEN), text("direction", direction)];
    model.node(op, &["x", "w", "r", "b"], &["y", "last"], &attributes).output("last")
}

/// Inputs that grow from step to step, and other ones.
fn samples() -> Vec<Vec<ArrayD<f32>>> {
    let sample = |name: &str| {
        let data = noise(name, STEPS * 4).into_iter().enumerate();
        let data = data.map(|(at, x)| x * (at / 4 + 1) as f32 / STEPS as f32).collect();
        vec![ArrayD::from_shape_vec(IxDyn(&[STEPS, 1, 4]), data).unwrap()]
    };
    ["a", "b", "c", "d", "e", "f", "g", "h"].map(sample).into()
}

/// The weights, factors and requantization of a node, without the bounds of its accumulators.
fn integers(node: &QuantizedNode) -> Option<String> {
    let mut requant = node.op.requant()?.clone();
    (requant.acc_lo, requant.acc_hi) = (0, 0);
    let weights = match &node.op {
        QuantizedOp::Affine(affine) => {
            let kernels: Vec<_> = affine.terms.iter().map(|term| &term.kernel).collect();
            format!("{kernels:?} {:?}", affine.bias)
        }
        QuantizedOp::Mul(mul) => format!("{}", mul.factor),
        _ => return None,
    };
    Some(format!("{weights} {requant:?}"))
}

/// The unlike layers.
fn distinct(quantized: &QuantizedGraph) -> Vec<String> {
    let mut layers: Vec<_> = quantized.nodes.iter().filter_map(integers).collect();
    layers.sort();
    layers.dedup();
    layers
}

#[test]
fn all_steps_of_a_cell_have_the_same_integers() {
    // Layers of a step in the middle, of the first one, and of the last, whose state is an output. A
    // product whose factor is no whole number at the common scale has a scale of its own.
    for (op, gates, most) in [("RNN", 1, 3), ("GRU", 3, 14), ("LSTM", 4, 18)] {
        for direction in ["forward", "reverse", "bidirectional"] {
            let graph = Graph::from_onnx_bytes(&model(op, gates, direction).bytes()).unwrap();
            let calibration = Calibration::from_samples(&graph, &samples()).unwrap();
            for activation_bits in [6, 8, 12, 16] {
                let options = QuantizeOptions { activation_bits, ..QuantizeOptions::default() };
                let quantized = quantize(&graph, &calibration, &options).unwrap();
                let directions = if direction == "bidirectional" { 2 } else { 1 };
                let found = distinct(&quantized);
                let name = format!("{op} {direction} at {activation_bits} bits");
                assert!(found.len() <= most * directions, "{name}: {found:#?}");
            }
        }
    }
}

#[test]
fn the_integers_of_a_cell_are_close_to_the_real_model() {
    for (op, gates) in [("RNN", 1), ("GRU", 3), ("LSTM", 4)] {
        let graph = Graph::from_onnx_bytes(&model(op, gates, "forward").bytes()).unwrap();
        let calibration = Calibration::from_samples(&graph, &samples()).unwrap();
        for (activation_bits, most) in [(8, 0.06), (12, 0.01)] {
            let options = QuantizeOptions { activation_bits, ..QuantizeOptions::default() };
            let quantized = quantize(&graph, &calibration, &options).unwrap();
            for sample in samples() {
                let real = graph.run_float(&sample).unwrap();
                let integers = quantize_inputs(&quantized, &sample).unwrap();
                let execution = execute(&quantized, &integers).unwrap();
                let output = quantized.outputs[0].0;
                let scale = quantized.tensors[output].scale;
                for (&integer, &real) in execution.values[output].iter().zip(&real[0]) {
                    let error = (integer as f64 * scale - f64::from(real)).abs();
                    assert!(error < most, "{op} at {activation_bits} bits: {error}");
                }
            }
        }
    }
}

/// A state that nothing moves has a format, too.
#[test]
fn a_cell_of_zeros_is_quantized() {
    let steps = STEPS.try_into().unwrap();
    let zeros = |count: i64| vec![0.0; usize::try_from(count).unwrap()];
    let model = Builder::new(22).input("x", &[steps, 1, 4]);
    let model = model.reals("w", &[1, 4 * HIDDEN, 4], &zeros(16 * HIDDEN));
    let model = model.reals("r", &[1, 4 * HIDDEN, HIDDEN], &zeros(4 * HIDDEN * HIDDEN));
    let attributes = [int("hidden_size", HIDDEN)];
    let model = model.node("LSTM", &["x", "w", "r"], &["y", "last"], &attributes).output("last");
    let graph = Graph::from_onnx_bytes(&model.bytes()).unwrap();
    let calibration = Calibration::from_samples(&graph, &samples()).unwrap();
    let quantized = quantize(&graph, &calibration, &QuantizeOptions::default()).unwrap();
    let integers = quantize_inputs(&quantized, &samples()[0]).unwrap();
    let execution = execute(&quantized, &integers).unwrap();
    assert!(execution.values[quantized.outputs[0].0].iter().all(|&value| value == 0));
}
