//! The models of the field whose numbers were wrong once: at every number of bits there is a circuit,
//! and the honest witness satisfies it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};

use zkinfer_models::{
    Calibration, Graph, QuantizeOptions, QuantizedGraph, quantize, quantize_inputs, read_inputs,
};

fn folders() -> Vec<PathBuf> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/data/cases");
    let mut folders: Vec<_> =
        std::fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 8);
    folders
}

fn quantized(folder: &Path, activation_bits: u32) -> (QuantizedGraph, Vec<i64>) {
    let bytes = std::fs::read(folder.join("model.onnx")).unwrap();
    let graph = Graph::from_onnx_bytes(&bytes).unwrap();
    let input = read_inputs(&folder.join("input.json"), &graph).unwrap();
    let calibration = Calibration::from_input(&graph, &input).unwrap();
    let options = QuantizeOptions { activation_bits, ..QuantizeOptions::default() };
    let quantized = quantize(&graph, &calibration, &options).unwrap();
    let integers = quantize_inputs(&quantized, &input).unwrap().concat();
    (quantized, integers)
}

#[test]
fn every_case_has_a_circuit_at_every_number_of_bits() {
    for folder in folders() {
        for activation_bits in 2..=16 {
            let (graph, _) = quantized(&folder, activation_bits);
            let plan = zkinfer_circuits::CircuitPlan::new(&graph, Default::default());
            assert!(plan.is_ok(), "{} at {activation_bits} bits: {plan:?}", folder.display());
        }
    }
}

#[test]
fn honest_witnesses_of_the_cases_satisfy_the_circuit() {
    for folder in folders() {
        for activation_bits in [8, 16] {
            let (graph, integers) = quantized(&folder, activation_bits);
            let model = support::Model::new(graph, integers);
            let failures = model.failures(&model.circuit());
            let place = folder.display();
            assert!(failures.is_empty(), "{place}: {:#?}", &failures[..failures.len().min(3)]);
        }
    }
}
