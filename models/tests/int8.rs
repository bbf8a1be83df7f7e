//! Models that are quantized already: their codes are onnxruntime's, bit for bit.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a test may panic, and its numbers are small"
)]

mod support;

use ndarray::{ArrayD, IxDyn};
use prost::Message as _;
use serde::Deserialize;
use support::onnx::Builder;
use support::onnx::proto::{DataType, ModelProto};
use zkinfer_models::{
    Calibration, Comparison, Forms, Graph, ImportError, QuantizeOptions, Tolerance, execute,
    quantize, quantize_inputs,
};

#[derive(Deserialize)]
struct Case {
    name: String,
    model: String,
    inputs: Vec<Vec<f32>>,
    output: Vec<i32>,
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        let byte = |at: usize| u8::from_str_radix(&self.model[2 * at..2 * at + 2], 16).unwrap();
        (0..self.model.len() / 2).map(byte).collect()
    }

    fn graph(&self) -> Graph {
        Graph::from_onnx_bytes(&self.bytes()).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    fn inputs(&self, graph: &Graph) -> Vec<ArrayD<f32>> {
        let shaped = graph.inputs().into_iter().zip(&self.inputs);
        shaped
            .map(|(spec, x)| ArrayD::from_shape_vec(IxDyn(&spec.shape), x.clone()).unwrap())
            .collect()
    }
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("data/int8.json")).unwrap()
}

/// How many codes of the outputs are not the recorded ones.
fn differing(ours: &[ArrayD<f32>], theirs: &[i32]) -> usize {
    assert_eq!(ours[0].len(), theirs.len());
    ours[0].iter().zip(theirs).filter(|(a, b)| **a != **b as f32).count()
}

#[test]
fn codes_are_those_of_onnxruntime() {
    for case in cases() {
        let graph = case.graph();
        let inputs = case.inputs(&graph);
        let float = graph.run_float(&inputs).unwrap();
        assert_eq!(differing(&float, &case.output), 0, "{}: the rule", case.name);
        let calibration = Calibration::from_input(&graph, &inputs).unwrap();
        let quantized = quantize(&graph, &calibration, &QuantizeOptions::default()).unwrap();
        let execution =
            execute(&quantized, &quantize_inputs(&quantized, &inputs).unwrap()).unwrap();
        let integers = quantized.dequantize(&execution);
        assert_eq!(differing(&integers, &case.output), 0, "{}: the program", case.name);
        let forms = Forms { graph: &graph, calibration: &calibration, quantized: &quantized };
        let comparison = Comparison::run(forms, &inputs, &Tolerance::default()).unwrap();
        let codes = comparison.codes.unwrap();
        assert_eq!((codes.differing, codes.codes > 0), (0, true), "{}", case.name);
    }
}

/// A program that is off by a code says so: no model is called exact for its form alone.
#[test]
fn a_code_that_is_another_one_is_counted() {
    let case = cases().into_iter().find(|case| case.name.starts_with("matrix")).unwrap();
    let graph = case.graph();
    let inputs = case.inputs(&graph);
    let calibration = Calibration::from_input(&graph, &inputs).unwrap();
    let mut quantized = quantize(&graph, &calibration, &QuantizeOptions::default()).unwrap();
    let layer = quantized.nodes.iter_mut().find_map(|node| match &mut node.op {
        zkinfer_models::quantized::QuantizedOp::Affine(layer) if layer.bias.len() > 1 => {
            Some(layer)
        }
        _ => None,
    });
    let layer = layer.unwrap();
    layer.bias[0] += 1 << layer.requant.shift;
    let forms = Forms { graph: &graph, calibration: &calibration, quantized: &quantized };
    let comparison = Comparison::run(forms, &inputs, &Tolerance::default()).unwrap();
    assert!(comparison.codes.unwrap().differing > 0);
}

/// Scales at the ends of single precision: a program or a reason, and no sum that overflows.
#[test]
fn extreme_scales_have_a_program_or_a_reason() {
    for ends in [[f32::MAX, f32::MIN_POSITIVE], [f32::MIN_POSITIVE, f32::MAX], [f32::MAX; 2]] {
        for case in cases() {
            let mut model = ModelProto::decode(&case.bytes()[..]).unwrap();
            let constants = model.graph.as_mut().unwrap().initializer.iter_mut();
            let scales = constants.filter(|tensor| tensor.data_type == DataType::Float as i32);
            for (place, tensor) in scales.enumerate() {
                let bytes = ends[place % 2].to_le_bytes();
                tensor.raw_data = tensor.raw_data.chunks(4).flat_map(|_| bytes).collect();
            }
            let Ok(graph) = Graph::from_onnx_bytes(&model.encode_to_vec()) else { continue };
            let inputs = case.inputs(&graph);
            let float = graph.run_float(&inputs).unwrap();
            assert!(float[0].iter().all(|code| code.abs() <= 32_768.0), "{}", case.name);
            let calibration = Calibration::from_input(&graph, &inputs).unwrap();
            let _ = quantize(&graph, &calibration, &QuantizeOptions::default());
        }
    }
}

/// What is looked at before a `QuantizeLinear` ends, also where a file goes in a circle.
#[test]
fn a_circle_before_codes_is_a_circle() {
    let model = Builder::new(21).input("x", &[1, 2]).reals("scale", &[], &[0.5]);
    let model = model.ints_shaped("zero", &[], &[0]);
    let model = model.node("Relu", &["b"], &["a"], &[]).node("Relu", &["a"], &["b"], &[]);
    let model = model.node("QuantizeLinear", &["a", "scale", "zero"], &["y"], &[]).output("y");
    let refused = Graph::from_onnx_bytes(&model.bytes()).unwrap_err();
    assert!(matches!(refused, ImportError::Cycle { .. }), "{refused}");
}
