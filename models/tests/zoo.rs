//! The trained models, quantized: how much accuracy that costs.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a test may panic, and its numbers are small"
)]

mod support;

use support::zoo::{self, MODELS};
use zkinfer_models::{
    Calibration, Graph, QuantizeError, QuantizeOptions, QuantizedGraph, RunError, clamped_inputs,
    execute, quantize, quantize_inputs,
};

/// What quantization did to a test set.
#[derive(Debug)]
#[expect(dead_code, reason = "all of it is printed")]
struct Score {
    agreement: f64,
    accuracy_loss: f64,
    worst_error: f32,
}

fn score(graph: &QuantizedGraph, set: &zoo::TestSet) -> Score {
    let count = set.inputs.len() as f64;
    let (mut agree, mut right, mut float_right, mut worst) = (0, 0, 0, 0f32);
    for ((input, expected), label) in set.inputs.iter().zip(&set.outputs).zip(&set.labels) {
        let integers = quantize_inputs(graph, std::slice::from_ref(input)).unwrap();
        let execution = execute(graph, &integers).unwrap();
        let output = &graph.dequantize(&execution)[0];
        agree += usize::from(zoo::class(output) == zoo::class(expected));
        right += usize::from(zoo::class(output) == *label);
        float_right += usize::from(zoo::class(expected) == *label);
        for (a, b) in output.iter().zip(expected) {
            worst = worst.max((a - b).abs());
        }
    }
    Score {
        agreement: agree as f64 / count,
        accuracy_loss: (float_right as f64 - right as f64) / count,
        worst_error: worst,
    }
}

fn quantized(graph: &Graph, calibration: &Calibration, bits: u32) -> QuantizedGraph {
    let options = QuantizeOptions { activation_bits: bits, ..QuantizeOptions::default() };
    quantize(graph, calibration, &options).unwrap()
}

#[test]
fn the_float_executor_gives_the_outputs_of_onnxruntime() {
    for model in MODELS {
        let graph = zoo::graph(model.0);
        let (inputs, outputs) = zoo::samples(model);
        let set = zoo::test_set(model);
        let all = inputs.into_iter().zip(outputs);
        let all = all.chain(set.inputs.into_iter().map(|input| vec![input]).zip(set.outputs));
        for (input, expected) in all {
            let output = &graph.run_float(&input).unwrap()[0];
            assert_eq!(output.shape(), expected.shape());
            for (a, b) in output.iter().zip(&expected) {
                assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "{}: {a} and {b}", model.0);
            }
        }
    }
}

#[test]
fn calibrated_on_samples_at_the_defaults_the_classes_stay() {
    for model in MODELS {
        let graph = zoo::graph(model.0);
        let calibration = Calibration::from_samples(&graph, &zoo::samples(model).0).unwrap();
        let score = score(&quantized(&graph, &calibration, 8), &zoo::test_set(model));
        println!("{} samples, 8 bits: {score:?}", model.0);
        assert!(score.agreement >= 0.99, "{}: {score:?}", model.0);
        assert!(score.accuracy_loss <= 0.005, "{}: {score:?}", model.0);
    }
}

#[test]
fn calibrated_on_one_input_the_classes_mostly_stay() {
    for model in MODELS {
        let graph = zoo::graph(model.0);
        let calibration = Calibration::from_input(&graph, &zoo::samples(model).0[0]).unwrap();
        let score = score(&quantized(&graph, &calibration, 8), &zoo::test_set(model));
        println!("{} one input, 8 bits: {score:?}", model.0);
        assert!(score.agreement >= 0.97, "{}: {score:?}", model.0);
    }
}

#[test]
fn with_16_activation_bits_the_classes_stay() {
    for model in MODELS {
        let graph = zoo::graph(model.0);
        let calibration = Calibration::from_samples(&graph, &zoo::samples(model).0).unwrap();
        let score = score(&quantized(&graph, &calibration, 16), &zoo::test_set(model));
        println!("{} samples, 16 bits: {score:?}", model.0);
        assert!(score.agreement >= 0.99, "{}: {score:?}", model.0);
        assert!(score.accuracy_loss <= 0.005, "{}: {score:?}", model.0);
    }
}

#[test]
fn what_an_auditor_reads_back_compiles_the_same_program() {
    for model in MODELS {
        let graph = zoo::graph(model.0);
        let options = QuantizeOptions::default();
        for calibration in [
            Calibration::from_samples(&graph, &zoo::samples(model).0).unwrap(),
            Calibration::from_input(&graph, &zoo::samples(model).0[0]).unwrap(),
        ] {
            let json = serde_json::to_string(&(&calibration, &options)).unwrap();
            let (stored, chosen) =
                serde_json::from_str::<(Calibration, QuantizeOptions)>(&json).unwrap();
            assert_eq!(stored, calibration);
            let again = quantize(&zoo::graph(model.0), &stored, &chosen).unwrap();
            assert_eq!(again, quantize(&graph, &calibration, &options).unwrap());
        }
    }
}

#[test]
fn a_calibration_of_another_model_is_refused() {
    let [mlp, cnn] = ["digits_mlp", "digits_cnn"].map(zoo::graph);
    let samples = zoo::samples(MODELS[2]).0;
    let calibration = Calibration::from_samples(&mlp, &samples).unwrap();
    let refused = quantize(&cnn, &calibration, &QuantizeOptions::default());
    assert!(matches!(refused, Err(QuantizeError::MissingRange { .. })));
    let mut damaged = calibration.clone();
    for range in damaged.layers.values_mut() {
        range.hi = f64::NAN;
    }
    let refused = quantize(&mlp, &damaged, &QuantizeOptions::default());
    assert!(matches!(refused, Err(QuantizeError::Range { .. })));
    let refused = Calibration::from_samples(&cnn, &samples);
    assert!(matches!(refused, Err(QuantizeError::Sample { sample: 0, .. })));
    assert_eq!(Calibration::from_samples(&cnn, &[]), Err(QuantizeError::NoSamples));
}

#[test]
fn options_out_of_range_are_refused() {
    let graph = zoo::graph("digits_mlp");
    let calibration = Calibration::from_samples(&graph, &zoo::samples(MODELS[2]).0).unwrap();
    let default = QuantizeOptions::default;
    for (option, options) in [
        ("activation_bits", QuantizeOptions { activation_bits: 1, ..default() }),
        ("activation_bits", QuantizeOptions { activation_bits: 17, ..default() }),
        ("input_bits", QuantizeOptions { input_bits: Some(17), ..default() }),
        ("shift", QuantizeOptions { shift: Some(40), ..default() }),
        ("table_bits", QuantizeOptions { table_bits: Some(12), ..default() }),
        ("softmax_bits", QuantizeOptions { softmax_bits: 0, ..default() }),
    ] {
        let refused = quantize(&graph, &calibration, &options).unwrap_err();
        assert!(matches!(refused, QuantizeError::Option { option: name, .. } if name == option));
    }
    let misspelt = serde_json::from_str::<QuantizeOptions>(r#"{"activation_bit": 16}"#);
    assert!(misspelt.unwrap_err().to_string().contains("activation_bit"));
}

#[test]
fn inputs_beyond_the_range_saturate_and_are_counted() {
    let graph = zoo::graph("mnist_lenet");
    let (samples, _) = zoo::samples(MODELS[3]);
    let calibration = Calibration::from_samples(&graph, &samples).unwrap();
    let quantized = quantized(&graph, &calibration, 8);
    let mut input = samples[0].clone();
    assert_eq!(clamped_inputs(&quantized, &input), 0);
    input[0][[0, 0, 0, 0]] = 1.5;
    input[0][[0, 0, 0, 1]] = -0.1;
    assert_eq!(clamped_inputs(&quantized, &input), 2);
    let integers = quantize_inputs(&quantized, &input).unwrap();
    assert_eq!(integers[0][..2], [255, 0]);
    input[0][[0, 0, 0, 2]] = f32::NAN;
    let refused = quantize_inputs(&quantized, &input).unwrap_err();
    assert_eq!(refused, RunError::NotFinite { input: "input".to_owned(), index: 2 });
}
