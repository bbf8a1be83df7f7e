//! What transformers are made of: matrix products of two tensors, normalizations, functions that a
//! file spells out.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use ndarray::{ArrayD, IxDyn};
use support::onnx::proto::{DataType, TensorProto};
use support::onnx::{Builder, float, int, noise};
use support::rules;
use zkinfer_models::graph::Op;
use zkinfer_models::quantized::QuantizedOp;
use zkinfer_models::{
    Activation, Calibration, Execution, Graph, QuantizeError, QuantizeOptions, QuantizedGraph,
    execute, quantize, quantize_inputs,
};

fn graph(model: &Builder) -> Graph {
    Graph::from_onnx_bytes(&model.bytes()).unwrap()
}

fn inputs(graph: &Graph) -> Vec<ArrayD<f32>> {
    let input = |spec: &zkinfer_models::TensorSpec| {
        let data = noise(&spec.name, spec.len());
        ArrayD::from_shape_vec(IxDyn(&spec.shape), data).unwrap()
    };
    graph.inputs().into_iter().map(input).collect()
}

fn quantized(
    graph: &Graph,
    options: &QuantizeOptions,
) -> Result<(QuantizedGraph, Execution), QuantizeError> {
    let inputs = inputs(graph);
    let calibration = Calibration::from_samples(graph, std::slice::from_ref(&inputs))?;
    let quantized = quantize(graph, &calibration, options)?;
    let execution = execute(&quantized, &quantize_inputs(&quantized, &inputs).unwrap()).unwrap();
    rules::check(&quantized, options, &execution);
    Ok((quantized, execution))
}

/// The largest difference between the integer outputs and the real ones.
fn error(model: &Builder) -> f64 {
    let graph = graph(model);
    let (quantized, execution) = quantized(&graph, &QuantizeOptions::default()).unwrap();
    let floats = graph.run_float(&inputs(&graph)).unwrap();
    let outputs = quantized.outputs.iter().zip(&floats).flat_map(|(id, float)| {
        let scale = quantized.tensors[id.0].scale;
        let values = execution.values[id.0].clone();
        values.into_iter().zip(float).map(move |(q, f)| (q as f64 * scale - f64::from(*f)).abs())
    });
    outputs.fold(0.0, f64::max)
}

/// What operations there are, movement left out.
fn operations(graph: &Graph) -> Vec<&'static str> {
    let names = graph.nodes().iter().map(|node| node.op.name());
    names.filter(|&name| name != "alias").collect()
}

fn scores(mask: impl Fn(Builder) -> Builder) -> Builder {
    let model = Builder::new(17).input("q", &[1, 2, 4, 3]).input("k", &[1, 2, 3, 4]);
    let model = model.reals("root", &[], &[0.25]).node("Mul", &["q", "root"], &["s"], &[]);
    let model = model.node("MatMul", &["s", "k"], &["raw"], &[]).reals("two", &[], &[0.5]);
    let model = mask(model.node("Div", &["raw", "two"], &["scaled"], &[]));
    model.node("Softmax", &["masked"], &["y"], &[int("axis", -1)]).output("y")
}

fn causal(fill: f32) -> Vec<f32> {
    (0..16).map(|at| if at % 4 > at / 4 { fill } else { 0.0 }).collect()
}

#[test]
fn scales_and_masks_around_a_matrix_product_cost_nothing() {
    let added = scores(|model| {
        let model = model.reals("mask", &[4, 4], &causal(f32::NEG_INFINITY));
        model.node("Add", &["scaled", "mask"], &["masked"], &[])
    });
    let chosen = scores(|model| {
        let model = model.integers(
            "keep",
            &causal(1.0).iter().map(|&hidden| i64::from(hidden == 0.0)).collect::<Vec<_>>(),
        );
        let shape =
            model.integers("square", &[4, 4]).node("Reshape", &["keep", "square"], &["kept"], &[]);
        let cast = shape.node("Cast", &["kept"], &["condition"], &[int("to", 9)]);
        let model = cast.reals("low", &[], &[f32::NEG_INFINITY]);
        model.node("Where", &["condition", "scaled", "low"], &["masked"], &[])
    });
    for model in [added, chosen] {
        let graph = graph(&model);
        assert_eq!(operations(&graph), ["contract", "softmax"]);
        assert!(error(&model) < 0.01, "{}", error(&model));
        let (quantized, execution) = quantized(&graph, &QuantizeOptions::default()).unwrap();
        let shares = &execution.values[quantized.outputs[0].0];
        let hidden = |at: &usize| at % 4 > at / 4 % 4;
        assert!((0..32).filter(hidden).all(|at| shares[at] == 0), "a mask leaves no probability");
    }
}

#[test]
fn products_with_a_negative_scale_are_right() {
    let model = Builder::new(17).input("a", &[2, 3]).input("b", &[3, 4]);
    let model = model.reals("minus", &[], &[-0.7]).node("MatMul", &["a", "b"], &["p"], &[]);
    let model = model.node("Mul", &["p", "minus"], &["y"], &[]).output("y");
    assert_eq!(operations(&graph(&model)), ["contract"]);
    assert!(error(&model) < 0.01, "{}", error(&model));
}

#[test]
fn an_output_that_is_a_factor_too_is_copied() {
    let model = Builder::new(17).input("x", &[3, 3]).random("w", &[3, 3]);
    let model = model.node("MatMul", &["x", "w"], &["h"], &[]);
    let model = model.node("Transpose", &["h"], &["t"], &[]);
    let model = model.node("MatMul", &["h", "t"], &["y"], &[]).output("h").output("y");
    assert_eq!(operations(&graph(&model)), ["affine", "affine", "affine", "contract"]);
    assert!(error(&model) < 0.05, "{}", error(&model));
}

/// Of 16 bits each, in a result that keeps 8 fewer: nothing holds that.
#[test]
fn a_product_that_is_too_fine_for_its_shift_is_refused() {
    let model = Builder::new(17).input("a", &[2, 8]).input("b", &[8, 2]);
    let model = model.node("MatMul", &["a", "b"], &["y"], &[]).output("y");
    let options =
        QuantizeOptions { input_bits: Some(16), shift: Some(8), ..QuantizeOptions::default() };
    let refused = quantized(&graph(&model), &options).unwrap_err();
    assert_eq!(refused, QuantizeError::Product { layer: "MatMul_y".into(), shift: 8 });
}

#[test]
fn a_clip_after_a_product_clips() {
    let model = Builder::new(13).input("a", &[1, 40]).input("b", &[1, 40]);
    let model = model.reals("lo", &[], &[0.0]).reals("hi", &[], &[0.2]);
    let model = model.node("Mul", &["a", "b"], &["p"], &[]);
    let model = model.node("Clip", &["p", "lo", "hi"], &["y"], &[]).output("y");
    assert!(error(&model) < 0.01, "{}", error(&model));
}

#[test]
fn a_normalization_is_one_operation_and_the_next_layer_has_its_scale() {
    let model = Builder::new(17).input("x", &[1, 5, 8]).random("g", &[8]).random("b", &[8]);
    let model = model.random("w", &[8, 3]);
    let model = model.node("LayerNormalization", &["x", "g", "b"], &["n"], &[]);
    let model = model.node("MatMul", &["n", "w"], &["y"], &[]).output("y");
    assert_eq!(operations(&graph(&model)), ["normalize", "affine"]);
    assert!(error(&model) < 0.06, "{}", error(&model));
    let (quantized, _) = quantized(&graph(&model), &QuantizeOptions::default()).unwrap();
    let QuantizedOp::Normalize(op) = &quantized.nodes[0].op else { panic!("a normalization") };
    assert!(op.is_centered && op.size == 8 && op.epsilon >= 1);
}

/// Groups of equal elements have no deviation: what is left is 0.
#[test]
fn a_group_of_equal_elements_is_normalized_to_zero() {
    let model = Builder::new(17).input("x", &[2, 3]).reals("g", &[3], &[1.0; 3]);
    let model = model.node("LayerNormalization", &["x", "g"], &["y"], &[]).output("y");
    let graph = graph(&model);
    let (quantized, _) = quantized(&graph, &QuantizeOptions::default()).unwrap();
    for value in [-7, 0, 100] {
        let execution = execute(&quantized, &[vec![value, value, value, 1, 2, 3]]).unwrap();
        assert!(execution.values[quantized.outputs[0].0][..3].iter().all(|&y| y == 0));
    }
}

/// `0.5·x·(1 + erf(x/√2))` and `0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`, with the factors in
/// different places.
#[test]
fn gelu_is_recognized_however_it_is_spelled_out() {
    let layer = |name: &str| {
        let model = Builder::new(17).input("x", &[1, 6]).random("w", &[6, 9]);
        model.node("MatMul", &["x", "w"], &[name], &[])
    };
    let ones = |model: Builder| model.reals("one", &[], &[1.0]).reals("half", &[], &[0.5]);
    let erf = |last: bool| {
        let model = ones(layer("h")).reals("root", &[], &[std::f32::consts::SQRT_2]);
        let model = model.node("Div", &["h", "root"], &["d"], &[]);
        let model = model.node("Erf", &["d"], &["e"], &[]).node("Add", &["e", "one"], &["s"], &[]);
        if last {
            let model = model.node("Mul", &["h", "s"], &["p"], &[]);
            model.node("Mul", &["p", "half"], &["y"], &[]).output("y")
        } else {
            let model = model.node("Mul", &["h", "half"], &["p"], &[]);
            model.node("Mul", &["p", "s"], &["y"], &[]).output("y")
        }
    };
    let tanh = {
        let model = ones(layer("h")).reals("three", &[], &[3.0]).reals("c", &[], &[0.044_715]);
        let model = model.node("Pow", &["h", "three"], &["q"], &[]);
        let model = model.node("Mul", &["q", "c"], &["r"], &[]);
        let model = model.node("Add", &["h", "r"], &["a"], &[]).reals("k", &[], &[0.797_884_6]);
        let model = model.node("Mul", &["a", "k"], &["b"], &[]);
        let model = model.node("Tanh", &["b"], &["t"], &[]);
        let model = model.node("Add", &["t", "one"], &["s"], &[]);
        let model = model.node("Mul", &["h", "half"], &["p"], &[]);
        model.node("Mul", &["p", "s"], &["y"], &[]).output("y")
    };
    for model in [erf(true), erf(false), tanh] {
        let graph = graph(&model);
        assert_eq!(operations(&graph), ["affine"]);
        let Op::Affine(layer) = &graph.nodes()[0].op else { panic!("a layer") };
        assert_ne!(layer.activation, Activation::Identity);
        assert!(error(&model) < 0.02, "{}", error(&model));
    }
    // Something else that is alike stays what it is.
    let other = ones(layer("h")).node("Erf", &["h"], &["e"], &[]);
    let other = other.node("Add", &["e", "one"], &["s"], &[]).node("Mul", &["h", "s"], &["y"], &[]);
    assert!(operations(&graph(&other.output("y"))).contains(&"mul"));
}

#[test]
fn an_epsilon_below_zero_is_refused() {
    let model = Builder::new(17).input("x", &[2, 3]).reals("g", &[3], &[1.0; 3]);
    let node = [float("epsilon", -1.0)];
    let model = model.node("LayerNormalization", &["x", "g"], &["y"], &node).output("y");
    let refused = Graph::from_onnx_bytes(&model.bytes()).unwrap_err().to_string();
    assert!(refused.contains("epsilon"), "{refused}");
}

/// A mask of booleans that an input gives does what the same constant mask does, rows that may look
/// at nothing and masks of every head included.
#[test]
fn a_computed_mask_is_the_constant_one() {
    let shape = [2, 2, 3, 4];
    let allowed: Vec<bool> = (0..48).map(|place| place % 5 != 0 && place / 4 != 7).collect();
    let attention = |mask: &dyn Fn(Builder) -> Builder| {
        let model = Builder::new(23).input("q", &[2, 2, 3, 8]).input("k", &[2, 2, 4, 8]);
        let model = mask(model.input("v", &[2, 2, 4, 8]));
        model.node("Attention", &["q", "k", "v", "m"], &["y"], &[]).output("y")
    };
    let constant = attention(&|mut model| {
        model.graph().initializer.push(TensorProto {
            name: "m".to_owned(),
            dims: shape.to_vec(),
            data_type: DataType::Bool as i32,
            raw_data: allowed.iter().map(|&allowed| u8::from(allowed)).collect(),
            ..TensorProto::default()
        });
        model
    });
    let computed = attention(&|model| {
        let mut model = model.input("m", &shape);
        let kind = model.graph().input.last_mut().unwrap().r#type.as_mut().unwrap();
        kind.tensor_type.as_mut().unwrap().elem_type = DataType::Bool as i32;
        model
    });
    let mut inputs = Vec::new();
    for (name, length) in [("q", 96), ("k", 128), ("v", 128)] {
        let sizes = [2, 2, length / 32, 8];
        inputs.push(ArrayD::from_shape_vec(IxDyn(&sizes), noise(name, length)).unwrap());
    }
    let run = |model: &Builder, inputs: &[ArrayD<f32>]| {
        Graph::from_onnx_bytes(&model.bytes()).unwrap().run_float(inputs).unwrap().remove(0)
    };
    let expected = run(&constant, &inputs);
    let mask = allowed.iter().map(|&allowed| f32::from(u8::from(allowed))).collect();
    inputs.push(ArrayD::from_shape_vec(IxDyn(&[2, 2, 3, 4]), mask).unwrap());
    let found = run(&computed, &inputs);
    let largest = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest < 1e-5, "{largest}");
}

/// Query, key, values and the residual sum all read what is normalized.
#[test]
fn all_that_read_a_normalization_take_over_its_scale_and_shift() {
    let model = Builder::new(17).input("x", &[1, 5, 8]).random("g", &[8]).random("b", &[8]);
    let model = model.random("v", &[8, 8]).random("w", &[8, 8]);
    let model = model.node("LayerNormalization", &["x", "g", "b"], &["n"], &[]);
    let model = model.node("MatMul", &["n", "v"], &["h"], &[]).node("Relu", &["h"], &["r"], &[]);
    let model = model.node("MatMul", &["r", "w"], &["s"], &[]);
    let model = model.node("Add", &["s", "n"], &["y"], &[]).output("y");
    assert_eq!(operations(&graph(&model)), ["normalize", "affine", "affine"]);
    assert!(error(&model) < 0.1, "{}", error(&model));
}

/// A function of what is normalized cannot take over its scale, and what stays serves all.
#[test]
fn a_scale_that_one_reader_cannot_take_over_stays_for_all() {
    let model = Builder::new(17).input("x", &[1, 5, 8]).random("g", &[8]);
    let model = model.random("w", &[8, 8]);
    let model = model.node("LayerNormalization", &["x", "g"], &["n"], &[]);
    let model = model.node("MatMul", &["n", "w"], &["h"], &[]).node("Tanh", &["n"], &["t"], &[]);
    let model = model.node("Mul", &["h", "t"], &["y"], &[]).output("y");
    let found = operations(&graph(&model));
    assert_eq!(found.iter().filter(|op| **op == "affine").count(), 3, "{found:?}");
    assert!(error(&model) < 0.1, "{}", error(&model));
}

/// Indices of a model that looks up `rows` rows, and adds a number of its own to each element.
fn embedded(rows: i64, indices: &[f32]) -> (QuantizedGraph, Vec<f64>, Vec<f32>) {
    let count = i64::try_from(indices.len()).unwrap();
    let mut model = Builder::new(17).input("i", &[1, count]).random("table", &[rows, 20]);
    let ty = model.graph().input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
    ty.elem_type = DataType::Int64 as i32;
    let model = model.random("places", &[count, 20]);
    let model = model.node("Gather", &["table", "i"], &["e"], &[]);
    let model = model.node("Add", &["e", "places"], &["y"], &[]).output("y");
    let graph = graph(&model);
    assert_eq!(operations(&graph), ["embed", "affine"]);
    let input = ArrayD::from_shape_vec(IxDyn(&[1, indices.len()]), indices.to_vec()).unwrap();
    let calibration = Calibration::from_samples(&graph, &[vec![input.clone()]]).unwrap();
    let options = QuantizeOptions::default();
    let quantized = quantize(&graph, &calibration, &options).unwrap();
    let integers = quantize_inputs(&quantized, std::slice::from_ref(&input)).unwrap();
    let execution = execute(&quantized, &integers).unwrap();
    rules::check(&quantized, &options, &execution);
    let output = quantized.outputs[0].0;
    let scale = quantized.tensors[output].scale;
    let values = execution.values[output].iter().map(|&q| q as f64 * scale).collect();
    let floats = graph.run_float(&[input]).unwrap()[0].iter().copied().collect();
    (quantized, values, floats)
}

#[test]
fn rows_of_a_table_are_chosen_by_exact_indices() {
    for (rows, indices, lo) in [(50, [0.0, 49.0, 7.0], 0), (5000, [4999.0, -1.0, -5000.0], -5000)] {
        let (quantized, values, floats) = embedded(rows, &indices);
        let input = &quantized.tensors[quantized.inputs[0].0];
        assert_eq!((input.scale, input.lo, input.hi), (1.0, lo, rows - 1));
        for (value, float) in values.iter().zip(&floats) {
            assert!((value - f64::from(*float)).abs() < 0.03, "{value} for {float}");
        }
    }
}

/// A number for every element is no reason for a channel for every element.
#[test]
fn places_that_are_added_are_shifts_of_few_channels() {
    let (quantized, ..) = embedded(50, &[1.0, 2.0, 3.0, 4.0]);
    let QuantizedOp::Affine(layer) = &quantized.nodes[1].op else { panic!("a layer") };
    assert_eq!((layer.output.channels, layer.output.width), (20, 4));
    assert_eq!((layer.shifts.len(), &layer.bias), (80, &vec![0; 20]));
}
