//! Files of kinds that people have trouble with elsewhere: each gives what onnxruntime gives, or is
//! called by its name.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use zkinfer_models::{
    Calibration, ImportError, ImportOptions, OnnxFile, QuantizeOptions, execute, quantize,
    quantize_inputs, read_inputs,
};

/// An output as onnxruntime gives it.
#[derive(Deserialize)]
struct Expected {
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(case)
}

/// The float model's outputs are the expected ones, the integers within 2 % of the largest.
fn check(case: &str) {
    let folder = folder(case);
    let graph = OnnxFile::open(&folder.join("model.onnx")).unwrap();
    let graph = graph.import(&ImportOptions::default()).unwrap();
    let inputs = read_inputs(&folder.join("input.json"), &graph).unwrap();
    let expected = std::fs::read(folder.join("expected.json")).unwrap();
    let expected: BTreeMap<String, Expected> = serde_json::from_slice(&expected).unwrap();
    let floats = graph.run_float(&inputs).unwrap();
    let calibration = Calibration::from_input(&graph, &inputs).unwrap();
    let quantized = quantize(&graph, &calibration, &QuantizeOptions::default()).unwrap();
    let execution = execute(&quantized, &quantize_inputs(&quantized, &inputs).unwrap()).unwrap();
    let integers = quantized.dequantize(&execution);
    for (spec, (float, integer)) in graph.outputs().iter().zip(floats.iter().zip(&integers)) {
        let wanted = &expected[&spec.name];
        assert_eq!(float.shape(), wanted.shape, "{case}");
        let largest = wanted.values.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        for ((want, float), integer) in wanted.values.iter().zip(float).zip(integer) {
            assert!((want - float).abs() <= 1e-5 * largest.max(1.0), "{case}: {float}, not {want}");
            assert!((want - integer).abs() <= 0.02 * largest, "{case}: {integer}, not {want}");
        }
    }
}

#[test]
fn clip_bounds_crossed() {
    check("clip_bounds_crossed");
}

#[test]
fn dropout_mask_unused() {
    check("dropout_mask_unused");
}

#[test]
fn external_data() {
    check("external_data");
}

#[test]
fn local_function() {
    check("local_function");
}

#[test]
fn matmul_vector_weight() {
    check("matmul_vector_weight");
}

#[test]
fn mean_over_batch_and_pixels() {
    check("mean_over_batch_and_pixels");
}

/// The label is the place of its name.
#[test]
fn string_labels() {
    check("string_labels");
}

#[test]
fn opset_23() {
    check("opset_23");
}

#[test]
fn prelu_per_channel() {
    check("prelu_per_channel");
}

#[test]
fn uint8_image() {
    check("uint8_image");
}

#[test]
fn git_lfs_pointer() {
    let refused = OnnxFile::open(&folder("git_lfs_pointer").join("model.onnx")).unwrap_err();
    assert!(
        matches!(&refused, ImportError::Foreign { found, action }
        if found.contains("git-lfs") && action.contains("git lfs pull")),
        "{refused}"
    );
}
