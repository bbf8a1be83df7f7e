//! Models of the field whose numbers were wrong at the defaults, by kind.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::PathBuf;

use ndarray::{ArrayD, IxDyn};
use support::onnx::{Builder, int, ints, noise};
use zkinfer_models::{
    Calibration, Comparison, Forms, Graph, QuantizeOptions, Tolerance, Warning, quantize,
    read_inputs,
};

fn array(shape: &[usize], values: &[f32]) -> ArrayD<f32> {
    ArrayD::from_shape_vec(IxDyn(shape), values.to_vec()).unwrap()
}

fn run(
    model: &Builder,
    calibration: impl Fn(&Graph) -> Calibration,
    input: &[ArrayD<f32>],
    options: &QuantizeOptions,
) -> Comparison {
    let graph = Graph::from_onnx_bytes(&model.bytes()).unwrap();
    let calibration = calibration(&graph);
    let quantized = quantize(&graph, &calibration, options).unwrap();
    let forms = Forms { graph: &graph, calibration: &calibration, quantized: &quantized };
    let comparison = Comparison::run(forms, input, &Tolerance::default()).unwrap();
    support::rules::check(&quantized, options, &comparison.execution);
    comparison
}

/// The largest error of an output as a share of its largest value.
fn worst(comparison: &Comparison) -> f32 {
    let share = |output: &zkinfer_models::OutputComparison| {
        let largest = output.float.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
        let pairs = output.integer.iter().zip(&output.float);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
    };
    comparison.outputs.iter().map(share).fold(0.0, f32::max)
}

/// The files of a case: at the defaults, its numbers are onnxruntime's within `share`.
fn case(name: &str, activation_bits: u32, share: f32) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases").join(name);
    let graph = Graph::from_onnx_bytes(&std::fs::read(folder.join("model.onnx")).unwrap()).unwrap();
    let read = |file: &str| read_inputs(&folder.join(file), &graph).unwrap();
    let input = read("input.json");
    let calibrated =
        if folder.join("calibrate.json").exists() { "calibrate.json" } else { "input.json" };
    let calibration = Calibration::from_input(&graph, &read(calibrated)).unwrap();
    let options = QuantizeOptions { activation_bits, ..QuantizeOptions::default() };
    let quantized = quantize(&graph, &calibration, &options).unwrap();
    let forms = Forms { graph: &graph, calibration: &calibration, quantized: &quantized };
    let comparison = Comparison::run(forms, &input, &Tolerance::default()).unwrap();
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    for output in &comparison.outputs {
        let values = expected[&output.output]["values"].as_array().unwrap();
        let values: Vec<f64> = values.iter().map(|value| value.as_f64().unwrap()).collect();
        let largest = values.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        for (&integer, value) in output.integer.iter().zip(&values) {
            let error = (f64::from(integer) - value).abs();
            assert!(error <= f64::from(share) * largest, "{name}: {integer} for {value}");
        }
    }
}

#[test]
fn calibrated_with_ones() {
    case("calibrated_with_ones", 8, 0.02);
}

#[test]
fn causal_mask_minus_1e9() {
    case("causal_mask_minus_1e9", 8, 0.01);
}

#[test]
fn product_of_outputs() {
    case("product_of_outputs", 8, 0.02);
}

#[test]
fn raw_features_linear() {
    case("raw_features_linear", 8, 0.02);
}

#[test]
fn rbf_network() {
    case("rbf_network", 8, 0.02);
}

#[test]
fn relu_before_softmax() {
    for activation_bits in 4..=16 {
        case("relu_before_softmax", activation_bits, 0.02);
    }
}

#[test]
fn softplus_of_zero() {
    case("softplus_of_zero", 8, 0.01);
}

#[test]
fn softmax_then_maxpool() {
    case("softmax_then_maxpool", 8, 0.01);
}

/// Calibrated with `calibrated` alone, `input` gives the float model's numbers within `share` of the
/// largest, or of what calibration saw where that is more.
fn is_right(model: &Builder, calibrated: &[ArrayD<f32>], input: &[ArrayD<f32>], share: f32) {
    let calibration = |graph: &Graph| Calibration::from_input(graph, calibrated).unwrap();
    let comparison = run(model, calibration, input, &QuantizeOptions::default());
    let error = f64::from(worst(&comparison)).min(comparison.error_share());
    assert!(error <= f64::from(share), "{:?}", comparison.outputs);
    assert!(!comparison.warnings.iter().any(Warning::is_other_answer), "{:?}", comparison.warnings);
}

#[test]
fn a_layer_that_is_0_throughout_calibration() {
    let model = Builder::new(17).input("x", &[1, 3]);
    let model = model.reals("w", &[3, 2], &[1.0, 0.5, 0.3, -1.0, 0.2, 0.7]);
    let zeros = [array(&[1, 3], &[0.0; 3])];
    for op in ["Softplus", "Sigmoid", "Exp"] {
        let model = model.clone().node("MatMul", &["x", "w"], &["h"], &[]);
        is_right(&model.node(op, &["h"], &["y"], &[]).output("y"), &zeros, &zeros, 0.01);
    }
}

#[test]
fn exponentials_of_arguments_of_one_sign() {
    let model = Builder::new(17).input("x", &[1, 2]).integers("axes", &[1]);
    let model = model.reals("c", &[4, 2], &[0.0, 0.0, 1.0, 1.0, 2.0, 0.0, 0.0, 3.0]);
    let model = model.reals("half", &[], &[-0.5]);
    let model = model.reals("w", &[4, 2], &[0.5, 1.0, 2.0, -1.0, -1.0, 0.3, 0.2, 0.2]);
    let model = model.node("Sub", &["x", "c"], &["d"], &[]).node("Mul", &["d", "d"], &["q"], &[]);
    let model = model.node("ReduceSum", &["q", "axes"], &["s"], &[int("keepdims", 0)]);
    let model = model.node("Mul", &["s", "half"], &["z"], &[]).node("Exp", &["z"], &["phi"], &[]);
    let model = model.node("MatMul", &["phi", "w"], &["y"], &[]).output("y");
    let input = [array(&[1, 2], &[0.813, 0.612])];
    is_right(&model, &input, &input, 0.02);
    let falling = Builder::new(17).input("t", &[1, 4]).node("Neg", &["t"], &["n"], &[]);
    let falling = falling.node("Exp", &["n"], &["y"], &[]).output("y");
    let input = [array(&[1, 4], &[5.0, 6.5, 7.1, 8.3])];
    is_right(&falling, &input, &input, 0.02);
}

#[test]
fn additive_masks_of_any_size() {
    for mask in [-100.0, -1e4, -65_504.0, -1e9, f32::MIN] {
        let values: Vec<f32> = (0..16).map(|i| if i % 4 > i / 4 { mask } else { 0.0 }).collect();
        let model = Builder::new(17).input("x", &[1, 4, 4]).reals("mask", &[4, 4], &values);
        let model = model.node("Add", &["x", "mask"], &["m"], &[]);
        let model = model.node("Softmax", &["m"], &["y"], &[]).output("y");
        let input = [array(&[1, 4, 4], &noise("x", 16))];
        for activation_bits in [8, 12, 16] {
            let options = QuantizeOptions { activation_bits, ..QuantizeOptions::default() };
            let calibration = |graph: &Graph| Calibration::from_input(graph, &input).unwrap();
            let comparison = run(&model, calibration, &input, &options);
            assert!(worst(&comparison) <= 0.01, "{mask} at {activation_bits} bits");
            let masked = |i: &usize| i % 4 > i / 4;
            let integers = &comparison.outputs[0].integer;
            assert!((0..16).filter(masked).all(|i| integers[i] == 0.0), "{mask}: {integers:?}");
            assert_eq!(comparison.warnings, [], "{mask}");
        }
    }
}

#[test]
fn a_key_calibrated_with_ones() {
    let model = Builder::new(17).input("x", &[1, 6]).random("w", &[6, 8]).random("v", &[8, 2]);
    let model = model.node("MatMul", &["x", "w"], &["h"], &[]).node("Relu", &["h"], &["r"], &[]);
    let model = model.node("MatMul", &["r", "v"], &["y"], &[]).output("y");
    let input = [array(&[1, 6], &[0.42, 0.3, 0.66, 0.1, 0.49, 0.2])];
    is_right(&model, &[array(&[1, 6], &[1.0; 6])], &input, 0.02);
    is_right(&model, &[array(&[1, 6], &[1.0, 0.0, 1.0, 0.0, 1.0, 1.0])], &input, 0.02);
}

#[test]
fn products_of_fine_factors() {
    let model = Builder::new(17).input("x", &[1, 4]).random("w", &[4, 3]).random("v", &[4, 3]);
    let model =
        model.node("MatMul", &["x", "w"], &["a"], &[]).node("MatMul", &["x", "v"], &["b"], &[]);
    let model = model.node("Mul", &["a", "b"], &["p"], &[]).output("a").output("b").output("p");
    let input = [array(&[1, 4], &[0.913_281_7, -0.537_163_9, 0.719_003_1, 0.301_872_3])];
    is_right(&model, &input, &input, 0.02);
    // A square of inputs, and one that other layers read.
    let square = Builder::new(17).input("x", &[1, 3]).random("u", &[3, 2]);
    let square = square.node("Mul", &["x", "x"], &["q"], &[]);
    let input = [array(&[1, 3], &[1.613, -0.21, 0.77])];
    is_right(&square.clone().output("q"), &input, &input, 0.02);
    let read = square.node("MatMul", &["q", "u"], &["y"], &[]).output("y");
    is_right(&read, &input, &input, 0.02);
}

#[test]
fn a_rectifier_before_a_softmax_at_every_number_of_bits() {
    let model = Builder::new(17).input("x", &[1, 4]).random("w", &[4, 6]).random("v", &[6, 3]);
    let model = model.node("MatMul", &["x", "w"], &["h"], &[]).node("Sigmoid", &["h"], &["a"], &[]);
    let model = model.node("MatMul", &["a", "v"], &["l"], &[]).node("Relu", &["l"], &["r"], &[]);
    let model = model.node("Softmax", &["r"], &["p"], &[]).output("p");
    let input = [array(&[1, 4], &noise("input", 4))];
    for activation_bits in 4..=16 {
        let options = QuantizeOptions { activation_bits, ..QuantizeOptions::default() };
        let calibration = |graph: &Graph| Calibration::from_input(graph, &input).unwrap();
        let comparison = run(&model, calibration, &input, &options);
        let share = if activation_bits < 8 { 0.04 } else { 0.02 };
        assert!(worst(&comparison) <= share, "{activation_bits} bits: {:?}", comparison.outputs);
    }
}

#[test]
fn branches_of_unlike_size_are_joined_without_loss() {
    let model = Builder::new(17).input("x", &[1, 4]).random("w", &[4, 4]).random("v", &[8, 2]);
    let model = model.reals("small", &[], &[1e-3]).node("MatMul", &["x", "w"], &["h"], &[]);
    let model = model.node("Relu", &["h"], &["r"], &[]).node("Tanh", &["h"], &["t"], &[]);
    let model = model.node("Mul", &["t", "small"], &["s"], &[]);
    let model = model.node("Concat", &["r", "s"], &["y"], &[int("axis", 1)]).output("y");
    let input = [array(&[1, 4], &noise("input", 4))];
    let graph = Graph::from_onnx_bytes(&model.bytes()).unwrap();
    let calibration = |graph: &Graph| Calibration::from_input(graph, &input).unwrap();
    let comparison = run(&model, calibration, &input, &QuantizeOptions::default());
    let output = &comparison.outputs[0];
    for i in 4..8 {
        let (a, b) = (output.integer[i], output.float[i]);
        assert!((a - b).abs() <= 0.1 * 1e-3, "{a} for {b}");
    }
    assert_eq!(graph.outputs().len(), 1);
}

#[test]
fn outputs_with_an_activation_have_16_bits() {
    for op in ["Sigmoid", "Tanh", "LeakyRelu", "Softsign", "Gelu"] {
        let model = Builder::new(20).input("x", &[1, 8]).random("w", &[8, 8]);
        let model = model.node("MatMul", &["x", "w"], &["h"], &[]);
        let model = model.node(op, &["h"], &["y"], &[]).output("y");
        let input = [array(&[1, 8], &noise("input", 8))];
        is_right(&model, &input, &input, 0.01);
    }
}

#[test]
fn features_of_unlike_size() {
    let model = Builder::new(17).input("x", &[1, 3]).reals("w", &[3, 1], &[1e-3, 1.0, 1e3]);
    let model = model.reals("b", &[1], &[0.5]);
    let model = model.node("Gemm", &["x", "w", "b"], &["y"], &[]).output("y");
    let input = [array(&[1, 3], &[4017.0, 1.53, 0.00107])];
    is_right(&model, &input, &input, 0.02);
    // Standardized within the model, and read by two layers.
    let model = Builder::new(17).input("x", &[1, 3]).reals("mean", &[3], &[2000.0, 1.0, 0.001]);
    let model = model.reals("deviation", &[3], &[900.0, 0.5, 0.0004]).random("w", &[3, 4]);
    let model = model.node("Sub", &["x", "mean"], &["c"], &[]);
    let model = model.node("Div", &["c", "deviation"], &["n"], &[]);
    let model = model
        .node("MatMul", &["n", "w"], &["h"], &[])
        .node("Tanh", &["h"], &["y"], &[])
        .output("y");
    is_right(&model, &input, &input, 0.02);
    // A reader that cannot absorb them leaves one scale.
    let model = Builder::new(17).input("x", &[1, 3]).node("Relu", &["x"], &["y"], &[]).output("y");
    let graph = Graph::from_onnx_bytes(&model.bytes()).unwrap();
    let calibration = Calibration::from_input(&graph, &input).unwrap();
    let quantized = quantize(&graph, &calibration, &QuantizeOptions::default()).unwrap();
    assert!(quantized.tensors[quantized.inputs[0].0].column_scales.is_empty());
}

/// Parts that no common scale holds keep their own, where layers read them.
#[test]
fn layers_read_the_parts_of_a_concatenation() {
    // Along the channels of an image, and along the last dimension.
    let joined = |shape: &[i64], axis: i64| {
        let model = Builder::new(17).input("x", shape).input("z", shape);
        let model = model.reals("tiny", &[1], &[1e-3]).reals("large", &[1], &[1e3]);
        let model = model.node("Tanh", &["x"], &["t"], &[]).node("Sigmoid", &["z"], &["s"], &[]);
        let model = model.node("Mul", &["t", "tiny"], &["a"], &[]);
        let model = model.node("Mul", &["s", "large"], &["b"], &[]);
        model.node("Concat", &["a", "b"], &["c"], &[int("axis", axis)])
    };
    // What a layer makes of both parts is of one size.
    let weights = |count: usize, per_output: usize| -> Vec<f32> {
        let tiny: Vec<f32> = noise("u", count).iter().map(|w| 1e6 * w).collect();
        let large = noise("v", count);
        let pairs = tiny.chunks(per_output).zip(large.chunks(per_output));
        pairs.flat_map(|(tiny, large)| [tiny, large].concat()).collect()
    };
    let rows = joined(&[1, 3, 4], 2).reals("w", &[8, 5], &weights(20, 20));
    let rows = rows.node("MatMul", &["c", "w"], &["y"], &[]).output("y");
    let image = joined(&[1, 2, 5, 5], 1).reals("w", &[6, 4, 3, 3], &weights(108, 18));
    let image = image.node("Conv", &["c", "w"], &["y"], &[ints("pads", &[1; 4])]).output("y");
    for model in [rows, image] {
        let graph = Graph::from_onnx_bytes(&model.bytes()).unwrap();
        let inputs = graph.inputs().into_iter();
        let inputs: Vec<ArrayD<f32>> =
            inputs.map(|spec| array(&spec.shape, &noise(&spec.name, spec.len()))).collect();
        is_right(&model, &inputs, &inputs, 0.02);
        let terms = graph.nodes().iter().map(|node| node.op.inputs().len());
        assert_eq!(terms.max(), Some(2));
    }
}
