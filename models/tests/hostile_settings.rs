//! Settings that nobody means well with: refused by name, or quantized; in bounded time, without a
//! panic, and with a program that runs.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::{Duration, Instant};

use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;
use support::onnx::{Builder, noise};
use zkinfer_models::{
    Calibration, Comparison, Forms, Graph, QuantizeError, QuantizeOptions, Tolerance, quantize,
};

/// Layers of every form: a table, a product, a rectifier, a softmax and a wide output.
fn model() -> Graph {
    let model = Builder::new(20).input("x", &[1, 4]).random("w", &[4, 4]).random("v", &[4, 4]);
    let model = model.node("MatMul", &["x", "w"], &["h"], &[]).node("Gelu", &["h"], &["g"], &[]);
    let model = model.node("MatMul", &["g", "v"], &["k"], &[]).node("Relu", &["k"], &["r"], &[]);
    let model = model.node("Mul", &["g", "r"], &["p"], &[]).node("Exp", &["p"], &["e"], &[]);
    let model = model.node("MatMul", &["e", "w"], &["l"], &[]).node("Softmax", &["l"], &["s"], &[]);
    let model = model.node("MatMul", &["s", "v"], &["y"], &[]).output("y").output("e");
    Graph::from_onnx_bytes(&model.bytes()).unwrap()
}

fn input(graph: &Graph) -> Vec<ArrayD<f32>> {
    let input = |spec: &zkinfer_models::TensorSpec| {
        ArrayD::from_shape_vec(IxDyn(&spec.shape), noise(&spec.name, spec.len())).unwrap()
    };
    graph.inputs().into_iter().map(input).collect()
}

/// Numbers of every magnitude, and those that are none.
fn wild() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-1.0..1.0f64, -310i32..310).prop_map(|(m, e)| m * 10f64.powi(e)),
        2 => -4.0..4.0f64,
        1 => prop_oneof![
            Just(0.0), Just(f64::NAN), Just(f64::INFINITY), Just(f64::MIN), Just(f64::MIN_POSITIVE)
        ],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_settings_are_refused_or_run(
        ranges in proptest::collection::vec((wild(), wild()), 12),
        levels in proptest::option::of(any::<u32>()),
        (activation_bits, shift, softmax_bits) in (2u32..=16, proptest::option::of(8u32..=24), 1u32..=15),
    ) {
        let graph = model();
        let input = input(&graph);
        let mut calibration = Calibration::from_input(&graph, &input).unwrap();
        let mut ranges = ranges.into_iter();
        for range in calibration.layers.values_mut() {
            // Some stay as they were, so that later layers are reached.
            let (lo, hi) = ranges.next().unwrap();
            if lo.is_sign_positive() {
                (range.lo, range.hi) = if lo <= hi { (lo, hi) } else { (hi, lo) };
            }
        }
        for input in calibration.inputs.values_mut() {
            let (lo, hi) = ranges.next().unwrap();
            if lo.is_sign_positive() {
                (input.range.lo, input.range.hi, input.levels) = (-hi, hi, levels);
            }
        }
        let options = QuantizeOptions {
            activation_bits, shift, softmax_bits, ..QuantizeOptions::default()
        };
        let start = Instant::now();
        let quantized = quantize(&graph, &calibration, &options);
        prop_assert!(start.elapsed() < Duration::from_secs(5));
        match quantized {
            Ok(quantized) => {
                let forms = Forms { graph: &graph, calibration: &calibration, quantized: &quantized };
                let comparison = Comparison::run(forms, &input, &Tolerance::default()).unwrap();
                support::rules::check(&quantized, &options, &comparison.execution);
                prop_assert!(!serde_json::to_string(&comparison).unwrap().is_empty());
            }
            Err(
                QuantizeError::Range { .. }
                | QuantizeError::Scale { .. }
                | QuantizeError::Product { .. }
                | QuantizeError::Overflow { .. },
            ) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

/// A dense layer of ones whose input is said to reach 3e305: hours of widening, once.
#[test]
fn an_enormous_input_range_is_refused_at_once() {
    let model = Builder::new(13).input("x", &[1, 500]).reals("w", &[500, 40], &[1.0; 20_000]);
    let graph =
        Graph::from_onnx_bytes(&model.node("MatMul", &["x", "w"], &["y"], &[]).output("y").bytes())
            .unwrap();
    let mut calibration = Calibration::from_input(&graph, &input(&graph)).unwrap();
    for range in calibration.inputs.values_mut() {
        (range.range.lo, range.range.hi) = (-3e305, 3e305);
    }
    let start = Instant::now();
    let refused = quantize(&graph, &calibration, &QuantizeOptions::default()).unwrap_err();
    assert!(matches!(&refused, QuantizeError::Range { tensor, .. } if tensor == "x"), "{refused}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// The same by weights: every range is measured, and the layer has the name.
#[test]
fn enormous_weights_are_refused_by_the_layers_name() {
    let weights = vec![3e38f32; 300 * 30];
    let model = Builder::new(13).input("x", &[1, 300]).reals("w", &[300, 30], &weights);
    let model = model.reals("v", &[30, 4], &[3e38; 120]).reals("u", &[4, 4], &[3e38; 16]);
    let model = model.node("MatMul", &["x", "w"], &["h"], &[]).node("Relu", &["h"], &["r"], &[]);
    let model = model.node("MatMul", &["r", "v"], &["k"], &[]).node("Relu", &["k"], &["t"], &[]);
    let model = model.node("MatMul", &["t", "u"], &["l"], &[]).node("Softmax", &["l"], &["y"], &[]);
    let graph = Graph::from_onnx_bytes(&model.output("y").bytes()).unwrap();
    let zeros = vec![ArrayD::zeros(IxDyn(&[1, 300]))];
    let start = Instant::now();
    let calibration = Calibration::from_input(&graph, &zeros).unwrap();
    let options = QuantizeOptions::default();
    match quantize(&graph, &calibration, &options) {
        Ok(quantized) => {
            let forms = Forms { graph: &graph, calibration: &calibration, quantized: &quantized };
            Comparison::run(forms, &zeros, &Tolerance::default()).unwrap();
        }
        Err(QuantizeError::Scale { layer, .. } | QuantizeError::Overflow { layer }) => {
            assert!(!layer.is_empty());
        }
        Err(other) => panic!("{other}"),
    }
    assert!(start.elapsed() < Duration::from_secs(5));
}
