//! The float execution against what is expected, and integers near it.

use ndarray::{ArrayD, IxDyn};
use zkinfer_models::graph::Op;
use zkinfer_models::{Calibration, Graph, QuantizeOptions, execute, quantize, quantize_inputs};

use super::onnx::{Builder, noise};
use super::{recorded, rules};

pub(crate) fn graph(name: &str, model: &Builder) -> Graph {
    Graph::from_onnx_bytes(&model.bytes()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

pub(crate) fn array(shape: &[usize], data: Vec<f32>) -> ArrayD<f32> {
    ArrayD::from_shape_vec(IxDyn(shape), data).unwrap()
}

pub(crate) fn noises(graph: &Graph) -> Vec<ArrayD<f32>> {
    let input =
        |spec: &zkinfer_models::TensorSpec| array(&spec.shape, noise(&spec.name, spec.len()));
    graph.inputs().into_iter().map(input).collect()
}

/// The float execution against what is expected, and the integers within so large a share of it.
pub(crate) fn is_near(
    name: &str,
    graph: &Graph,
    inputs: &[ArrayD<f32>],
    expected: &[Vec<f32>],
    share: f32,
) {
    let floats = graph.run_float(inputs).unwrap();
    let calibration = Calibration::from_samples(graph, &[inputs.to_vec()]).unwrap();
    let options = QuantizeOptions { activation_bits: 12, ..QuantizeOptions::default() };
    let quantized = quantize(graph, &calibration, &options).unwrap();
    let execution = execute(&quantized, &quantize_inputs(&quantized, inputs).unwrap()).unwrap();
    // Whole numbers that are computed have clamps of their own.
    if !graph.nodes().iter().any(|node| matches!(node.op, Op::Coded(_))) {
        rules::check(&quantized, &options, &execution);
    }
    let integers = quantized.dequantize(&execution);
    for ((ours, whole), theirs) in floats.iter().zip(&integers).zip(expected) {
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let largest = theirs.iter().fold(1e-3_f32, |largest, x| largest.max(x.abs()));
        for ((a, z), b) in ours.iter().zip(whole).zip(theirs) {
            // onnxruntime looks for the probabilities of two classes, and stops within this of them.
            let search = if name.starts_with("probabilities") { 3e-3 } else { 0.0 };
            let near = search + 1e-4 * b.abs().max(1.0);
            assert!((a - b).abs() <= near, "{name}: {a}, expected {b}");
            assert!((z - b).abs() <= share * largest, "{name}: integers {z}, expected {b}");
        }
    }
}

/// Against onnxruntime.
pub(crate) fn check(name: &str, model: &Builder) {
    let graph = graph(name, model);
    let inputs = noises(&graph);
    let theirs = recorded::outputs(name, &model.bytes(), &inputs);
    is_near(name, &graph, &inputs, &theirs, 0.02);
}
