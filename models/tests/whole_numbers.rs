//! Integers of inputs: what is computed of them is exact, and what could wrap around is refused.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and its numbers are small"
)]

mod support;

use std::slice::from_ref;

use ndarray::{ArrayD, IxDyn};
use support::onnx::proto::{AttributeProto, DataType};
use support::onnx::{Builder, int, text};
use zkinfer_models::{
    Calibration, Graph, ImportOptions, InputFile, InputSets, OnnxFile, QuantizeError,
    QuantizeOptions, execute, quantize, quantize_inputs,
};

/// The model with its inputs of this type.
fn typed(mut model: Builder, kind: DataType) -> Builder {
    for input in &mut model.graph().input {
        let tensor = input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
        tensor.elem_type = kind as i32;
    }
    model
}

fn row(values: &[i64]) -> ArrayD<f32> {
    let data = values.iter().map(|&x| x as f32).collect();
    ArrayD::from_shape_vec(IxDyn(&[1, values.len()]), data).unwrap()
}

/// The whole numbers that the program gives for one row of each input; `Err` where there is none.
fn integers(model: &Builder, inputs: &[Vec<i64>]) -> Result<Vec<i64>, QuantizeError> {
    let graph = Graph::from_onnx_bytes(&model.bytes()).unwrap();
    let inputs: Vec<ArrayD<f32>> = inputs.iter().map(|values| row(values)).collect();
    let calibration = Calibration::from_samples(&graph, from_ref(&inputs))?;
    let options = QuantizeOptions::default();
    let quantized = quantize(&graph, &calibration, &options)?;
    let execution = execute(&quantized, &quantize_inputs(&quantized, &inputs).unwrap()).unwrap();
    let floats = graph.run_float(&inputs).unwrap();
    let whole = quantized.dequantize(&execution);
    assert_eq!(floats[0], whole[0], "the float execution differs");
    Ok(whole[0].iter().map(|&x| x as i64).collect())
}

fn with_constant(
    op: &str,
    kind: DataType,
    constant: i64,
    attributes: &[AttributeProto],
) -> Builder {
    let model = Builder::new(13).input("x", &[1, 60]).ints_shaped("c", &[], &[constant]);
    typed(model.node(op, &["x", "c"], &["y"], attributes).output("y"), kind)
}

/// Sixty numbers around 0 and at the ends of a byte.
fn bytes() -> Vec<i64> {
    (-20..20).chain(-128..-118).chain(118..128).collect()
}

#[test]
fn quotients_and_remainders_are_the_runtimes() {
    let x = bytes();
    let of = |function: fn(i64, i64) -> i64, d: i64| -> Vec<i64> {
        x.iter().map(|&x| function(x, d)).collect()
    };
    for kind in [DataType::Int8, DataType::Int16, DataType::Int32, DataType::Int64] {
        for divisor in [1, 2, 3, 7, 100, -2, -5] {
            let run = |op, attributes: &[AttributeProto]| {
                integers(&with_constant(op, kind, divisor, attributes), from_ref(&x)).unwrap()
            };
            assert_eq!(run("Div", &[]), of(|x, d| x / d, divisor), "{x:?} / {divisor}");
            assert_eq!(run("Mod", &[int("fmod", 1)]), of(|x, d| x % d, divisor), "{divisor}");
            let floored = |x: i64, d: i64| x - d * (x as f64 / d as f64).floor() as i64;
            assert_eq!(run("Mod", &[]), of(floored, divisor), "mod {divisor}");
        }
    }
    let large: Vec<i64> = (0..60).map(|place| place * 541 + place % 7).collect();
    let model = with_constant("Div", DataType::Uint32, 23, &[]);
    let expected: Vec<i64> = large.iter().map(|x| x / 23).collect();
    assert_eq!(integers(&model, &[large]).unwrap(), expected);
}

#[test]
fn binary_digits_are_combined_exactly() {
    let a = bytes();
    let b: Vec<i64> = a.iter().rev().map(|&x| x ^ 0x35).collect();
    type OfTwo = fn(i64, i64) -> i64;
    let functions: [(&str, OfTwo); 3] =
        [("BitwiseAnd", |a, b| a & b), ("BitwiseOr", |a, b| a | b), ("BitwiseXor", |a, b| a ^ b)];
    let pair = |op: &str| {
        let model = Builder::new(18).input("x", &[1, 60]).input("z", &[1, 60]);
        model.node(op, &["x", "z"], &["y"], &[]).output("y")
    };
    for (op, function) in functions {
        for kind in [DataType::Int8, DataType::Int16, DataType::Int64] {
            let expected: Vec<i64> = a.iter().zip(&b).map(|(&a, &b)| function(a, b)).collect();
            let inputs = [a.clone(), b.clone()];
            assert_eq!(integers(&typed(pair(op), kind), &inputs).unwrap(), expected, "{op}");
            let mut masked = with_constant(op, kind, 0x5a, &[]);
            masked.proto.opset_import[0].version = 18;
            let expected: Vec<i64> = a.iter().map(|&a| function(a, 0x5a)).collect();
            assert_eq!(integers(&masked, from_ref(&a)).unwrap(), expected, "{op} with a mask");
        }
        let unsigned: Vec<i64> = a.iter().map(|&x| x & 255).collect();
        let inputs = [unsigned.clone(), unsigned.iter().rev().copied().collect::<Vec<_>>()];
        let pairs = inputs[0].iter().zip(&inputs[1]);
        let expected: Vec<i64> = pairs.map(|(&a, &b)| function(a, b)).collect();
        assert_eq!(integers(&typed(pair(op), DataType::Uint8), &inputs).unwrap(), expected);
    }
    // The largest numbers that are held.
    let large: Vec<i64> = (0..60).map(|place| 65_535 - place * 977).collect();
    let mut model = with_constant("BitwiseXor", DataType::Uint16, 0x8f0f, &[]);
    model.proto.opset_import[0].version = 18;
    let expected: Vec<i64> = large.iter().map(|&x| x ^ 0x8f0f).collect();
    assert_eq!(integers(&model, from_ref(&large)).unwrap(), expected);
    for (kind, mask) in [(DataType::Int8, -1), (DataType::Int32, -1), (DataType::Uint8, 255)] {
        let x: Vec<i64> = a.iter().map(|&x| if mask > 0 { x & 255 } else { x }).collect();
        let model = Builder::new(18).input("x", &[1, 60]);
        let model = typed(model.node("BitwiseNot", &["x"], &["y"], &[]).output("y"), kind);
        let expected: Vec<i64> = x.iter().map(|&x| x ^ mask).collect();
        assert_eq!(integers(&model, &[x]).unwrap(), expected);
    }
}

#[test]
fn shifts_are_exact_and_never_wrap_around() {
    let x = bytes();
    for (kind, shift) in [(DataType::Int8, 1), (DataType::Int8, 3), (DataType::Int16, 5)] {
        let right = with_constant("BitShift", kind, shift, &[text("direction", "RIGHT")]);
        let expected: Vec<i64> = x.iter().map(|x| x >> shift).collect();
        assert_eq!(integers(&right, from_ref(&x)).unwrap(), expected);
    }
    // As many bits as there are, or more, leave the sign.
    for shift in [8, 100, -1] {
        let right = with_constant("BitShift", DataType::Int8, shift, &[text("direction", "RIGHT")]);
        let expected: Vec<i64> = x.iter().map(|x| if *x < 0 { -1 } else { 0 }).collect();
        assert_eq!(integers(&right, from_ref(&x)).unwrap(), expected);
        let left = with_constant("BitShift", DataType::Int8, shift, &[text("direction", "LEFT")]);
        assert_eq!(integers(&left, from_ref(&x)).unwrap(), vec![0; 60]);
    }
    let left = with_constant("BitShift", DataType::Int16, 4, &[text("direction", "LEFT")]);
    let expected: Vec<i64> = x.iter().map(|x| x << 4).collect();
    assert_eq!(integers(&left, from_ref(&x)).unwrap(), expected);
    let left = with_constant("BitShift", DataType::Int8, 1, &[text("direction", "LEFT")]);
    let refused = integers(&left, &[x]).unwrap_err().to_string();
    assert_eq!(
        refused,
        "layer `BitShift_y`: integers from -256 to 254 are possible beyond what calibration saw, and \
         outside -128 to 127 they would wrap around; cast them to float first"
    );
}

#[test]
fn narrow_integers_are_added_and_multiplied_exactly_or_not_at_all() {
    let (a, b): (Vec<i64>, Vec<i64>) = ((0..60).collect(), (0..60).rev().collect());
    let pair = |op: &str, kind| {
        let model = Builder::new(14).input("x", &[1, 60]).input("z", &[1, 60]);
        typed(model.node(op, &["x", "z"], &["y"], &[]).output("y"), kind)
    };
    let of = |function: fn(i64, i64) -> i64| -> Vec<i64> {
        a.iter().zip(&b).map(|(&a, &b)| function(a, b)).collect()
    };
    let inputs = [a.clone(), b.clone()];
    for kind in [DataType::Int16, DataType::Uint16] {
        assert_eq!(integers(&pair("Add", kind), &inputs).unwrap(), of(|a, b| a + b));
        assert_eq!(integers(&pair("Mul", kind), &inputs).unwrap(), of(|a, b| a * b));
    }
    assert_eq!(integers(&pair("Sub", DataType::Int16), &inputs).unwrap(), of(|a, b| a - b));
    assert!(matches!(
        integers(&pair("Sub", DataType::Uint8), &inputs),
        Err(QuantizeError::WrapsAround { bounds: [0, 255], .. })
    ));
    assert!(matches!(
        integers(&pair("Mul", DataType::Int8), &inputs),
        Err(QuantizeError::WrapsAround { bounds: [-128, 127], .. })
    ));
}

/// An operation, and when it is 1.
type Comparison = (&'static str, fn(&i64, &i64) -> bool);

/// Numbers of a table's width and more: a comparison is of the integers themselves.
#[test]
fn comparisons_of_large_integers_are_exact() {
    let a: Vec<i64> = (0..60).map(|place| 50_000 + place).collect();
    let b: Vec<i64> = (0..60).map(|place| 50_000 + (place / 3) * 3).collect();
    let pair = |op: &str| {
        let model = Builder::new(16).input("x", &[1, 60]).input("z", &[1, 60]);
        typed(model.node(op, &["x", "z"], &["y"], &[]).output("y"), DataType::Int64)
    };
    let inputs = [a.clone(), b.clone()];
    let comparisons: [Comparison; 5] = [
        ("Equal", i64::eq),
        ("Less", i64::lt),
        ("LessOrEqual", i64::le),
        ("Greater", i64::gt),
        ("GreaterOrEqual", i64::ge),
    ];
    for (op, holds) in comparisons {
        let expected: Vec<i64> = a.iter().zip(&b).map(|(a, b)| i64::from(holds(a, b))).collect();
        assert_eq!(integers(&pair(op), &inputs).unwrap(), expected, "{op}");
    }
    let model = Builder::new(16).input("x", &[1, 60]).ints_shaped("c", &[], &[50_007]);
    let model = typed(model.node("Equal", &["x", "c"], &["y"], &[]).output("y"), DataType::Int64);
    let expected: Vec<i64> = a.iter().map(|&a| i64::from(a == 50_007)).collect();
    assert_eq!(integers(&model, &[a]).unwrap(), expected);
}

/// The axes of a file of inputs make the model; other axes are another model.
#[test]
fn a_file_of_inputs_fixes_what_must_be_known() {
    let mut model = Builder::new(13).input("x", &[2, 3]).input("axes", &[1]);
    let axes = model.graph().input[1].r#type.as_mut().unwrap();
    axes.tensor_type.as_mut().unwrap().elem_type = DataType::Int64 as i32;
    let model = model.node("ReduceSum", &["x", "axes"], &["y"], &[]).output("y");
    let file = OnnxFile::from_single(&model.bytes()).unwrap();
    let none = ImportOptions::default();
    let refused = file.import(&none).unwrap_err();
    let given = |text: &str| InputFile::from_bytes(text.as_bytes()).unwrap();
    let inputs = given(r#"{"x": [[1, 2, 3], [4, 5, 6]], "axes": [1]}"#);
    let fixed = file.fixes_of(&none, &refused, &inputs, InputSets::One).unwrap();
    assert_eq!(fixed.fixed()["axes"], [1.0]);
    let graph = file.import(&fixed).unwrap();
    // The file may go on holding the input, or not; another value is not what was fixed.
    let x = inputs.inputs(&graph).unwrap();
    assert_eq!(x.len(), 1);
    assert_eq!(graph.run_float(&x).unwrap()[0].as_slice().unwrap(), [6.0, 15.0]);
    assert_eq!(given("[[1, 2, 3], [4, 5, 6]]").inputs(&graph).unwrap(), x);
    let other = given(r#"{"x": [[1, 2, 3], [4, 5, 6]], "axes": [0]}"#);
    assert_eq!(
        other.inputs(&graph).unwrap_err().to_string(),
        "`axes` in the file is not what it is fixed to: the model is proved for that value only"
    );
    // Samples must agree.
    let samples = given(r#"{"x": [[[1, 2, 3], [4, 5, 6]]], "axes": [[1]]}"#);
    assert!(file.fixes_of(&none, &refused, &samples, InputSets::Many).is_some());
    let unlike = r#"{"x": [[[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [4, 5, 6]]], "axes": [[1], [0]]}"#;
    assert_eq!(file.fixes_of(&none, &refused, &given(unlike), InputSets::Many), None);
}

/// A comparison after a scale for each channel is of each channel by itself, however unlike they are.
#[test]
fn channels_of_unlike_scale_are_compared_each() {
    let model = Builder::new(16).input("x", &[1, 3, 2]).reals("c", &[3, 1], &[1e4, 1.0, 1e-4]);
    let model = model.node("Mul", &["x", "c"], &["s"], &[]).reals("z", &[], &[0.0]);
    let model = model.node("Greater", &["s", "z"], &["y"], &[]).output("y");
    let graph = Graph::from_onnx_bytes(&model.bytes()).unwrap();
    let data = vec![0.5, -0.5, 0.25, -0.25, 0.125, -0.125];
    let inputs = vec![ArrayD::from_shape_vec(IxDyn(&[1, 3, 2]), data).unwrap()];
    let calibration = Calibration::from_samples(&graph, from_ref(&inputs)).unwrap();
    let quantized = quantize(&graph, &calibration, &QuantizeOptions::default()).unwrap();
    let execution = execute(&quantized, &quantize_inputs(&quantized, &inputs).unwrap()).unwrap();
    let signs = quantized.dequantize(&execution);
    assert_eq!(signs[0].as_slice().unwrap(), [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
}
