//! Decision trees against onnxruntime: labels and leaves exactly, at every threshold and beside it,
//! in real numbers and in integers.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and its numbers are small"
)]

mod support;

use ndarray::{ArrayD, IxDyn};
use serde::Deserialize;
use support::onnx::proto::{AttributeProto, AttributeType};
use support::onnx::{Builder, floats, int, ints, text, texts};
use support::rules;
use zkinfer_models::graph::Op;
use zkinfer_models::{
    Calibration, Graph, QuantizeOptions, QuantizedGraph, execute, quantize, quantize_inputs,
};

#[derive(Deserialize)]
struct Case {
    name: String,
    model: String,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    input: Vec<f32>,
    outputs: Vec<Vec<f32>>,
}

impl Case {
    fn graph(&self) -> Graph {
        let byte = |at: usize| u8::from_str_radix(&self.model[2 * at..2 * at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..self.model.len() / 2).map(byte).collect();
        Graph::from_onnx_bytes(&bytes).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    fn inputs(&self) -> Vec<Vec<ArrayD<f32>>> {
        self.runs.iter().map(|run| vec![row(&run.input)]).collect()
    }
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("data/trees.json")).unwrap()
}

fn row(values: &[f32]) -> ArrayD<f32> {
    ArrayD::from_shape_vec(IxDyn(&[1, values.len()]), values.to_vec()).unwrap()
}

fn integers(graph: &Graph, samples: &[Vec<ArrayD<f32>>]) -> QuantizedGraph {
    let calibration = Calibration::from_samples(graph, samples).unwrap();
    quantize(graph, &calibration, &QuantizeOptions::default()).unwrap()
}

fn compare(name: &str, ours: &[ArrayD<f32>], theirs: &[Vec<f32>], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len(), "{name}");
    for (output, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!(ours.len(), theirs.len(), "{name}");
        // A classifier's first output is its label.
        let is_label = output == 0 && name.starts_with("classifier");
        for (a, b) in ours.iter().zip(theirs) {
            let limit = if is_label { 1e-3 } else { tolerance * b.abs().max(1.0) };
            assert!((a - b).abs() <= limit, "{name}: {a}, onnxruntime has {b}");
        }
    }
}

#[test]
fn labels_and_scores_are_those_of_onnxruntime() {
    for case in cases() {
        let graph = case.graph();
        let (inputs, options) = (case.inputs(), QuantizeOptions::default());
        let quantized = integers(&graph, &inputs);
        for (input, run) in inputs.iter().zip(&case.runs) {
            compare(&case.name, &graph.run_float(input).unwrap(), &run.outputs, 1e-5);
            let integers = quantize_inputs(&quantized, input).unwrap();
            let execution = execute(&quantized, &integers).unwrap();
            rules::check(&quantized, &options, &execution);
            compare(&case.name, &quantized.dequantize(&execution), &run.outputs, 1e-2);
        }
    }
}

/// The leaves are the same, whatever is made of their values.
#[test]
fn every_comparison_in_integers_is_that_of_single_precision() {
    for case in cases() {
        let graph = case.graph();
        let inputs = case.inputs();
        // Calibration knows of two of the inputs only.
        let quantized = integers(&graph, &inputs[..2]);
        for input in &inputs {
            let trace = graph.trace_float(input).unwrap();
            let integers = quantize_inputs(&quantized, input).unwrap();
            let execution = execute(&quantized, &integers).unwrap();
            for node in graph.nodes() {
                let Op::Forest(_) = &node.op else { continue };
                let tensor = &quantized.tensors[node.output.0];
                let pairs = execution.values[node.output.0].iter();
                for (&ours, value) in pairs.zip(&trace.values[node.output.0]) {
                    assert_eq!(ours, (value / tensor.scale).round() as i64, "{}", case.name);
                }
            }
        }
    }
}

fn list(name: &str, values: &[i64]) -> AttributeProto {
    ints(name, values)
}

/// One tree of one branch, with these lists of node ids.
fn stump(modes: &[&str], if_true: &[i64], weights: &[i64], more: &[AttributeProto]) -> Builder {
    let len = modes.len();
    let counted: Vec<i64> = (0..).take(len).collect();
    let mut attributes = vec![
        texts("nodes_modes", modes),
        list("nodes_treeids", &vec![0; len]),
        list("nodes_nodeids", &counted),
        list("nodes_featureids", &vec![0; len]),
        list("nodes_truenodeids", if_true),
        list("nodes_falsenodeids", &vec![2; len]),
        floats("nodes_values", &vec![0.5; len]),
        list("target_treeids", &vec![0; weights.len()]),
        list("target_nodeids", weights),
        list("target_ids", &vec![0; weights.len()]),
        floats("target_weights", &vec![1.0; weights.len()]),
    ];
    for other in more {
        attributes.retain(|attribute| attribute.name != other.name);
        attributes.push(other.clone());
    }
    let model = Builder::new(17).set("ai.onnx.ml", 3).input("x", &[1, 2]);
    model
        .domain_node("ai.onnx.ml", "TreeEnsembleRegressor", &["x"], &["y"], &attributes)
        .output("y")
}

#[test]
fn trees_that_are_none_are_refused() {
    let modes = ["BRANCH_LEQ", "LEAF", "LEAF"];
    let refused = |model: &Builder| Graph::from_onnx_bytes(&model.bytes()).unwrap_err().to_string();
    assert!(Graph::from_onnx_bytes(&stump(&modes, &[1; 3], &[1, 2], &[]).bytes()).is_ok());
    let cases: [(&str, Builder); 9] = [
        ("one root in each tree", stump(&modes, &[0; 3], &[1, 2], &[])),
        ("nodes of the same tree", stump(&modes, &[9; 3], &[1, 2], &[])),
        ("leaves of the trees", stump(&modes, &[1; 3], &[0], &[])),
        ("BRANCH_ and a comparison", stump(&["BRANCH_X", "LEAF", "LEAF"], &[1; 3], &[1, 2], &[])),
        ("as long as", stump(&modes, &[1; 3], &[1], &[list("target_ids", &[0, 0])])),
        ("features of the input", {
            stump(&modes, &[1; 3], &[1, 2], &[list("nodes_featureids", &[2; 3])])
        }),
        ("different within a tree", {
            stump(&modes, &[1; 3], &[1, 2], &[list("nodes_nodeids", &[0, 1, 1])])
        }),
        ("AVERAGE, SUM, MIN or MAX", {
            stump(&modes, &[1; 3], &[1, 2], &[text("aggregate_function", "MEDIAN")])
        }),
        ("from 1 to 65535", stump(&modes, &[1; 3], &[1, 2], &[int("n_targets", 0)])),
    ];
    for (reason, model) in &cases {
        let got = refused(model);
        assert!(got.contains(reason), "`{reason}` expected: {got}");
    }
}

#[test]
fn a_graph_attribute_is_no_list() {
    let wrong = AttributeProto {
        name: "nodes_modes".to_owned(),
        r#type: AttributeType::Int.into(),
        ..AttributeProto::default()
    };
    let model = stump(&["LEAF"], &[0], &[0], &[wrong]);
    let reason = Graph::from_onnx_bytes(&model.bytes()).unwrap_err().to_string();
    assert!(reason.contains("a list of strings"), "{reason}");
}

/// A trained forest, its inputs, and onnxruntime's label and probabilities for each.
type Trained = (Graph, Vec<Vec<ArrayD<f32>>>, Vec<(i64, Vec<f32>)>);

/// Reads the files of a trained forest.
fn trained(name: &str, input: &str) -> Trained {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/trees").join(name);
    let graph = Graph::from_onnx_bytes(&std::fs::read(folder.join("model.onnx")).unwrap()).unwrap();
    let file = std::fs::File::open(folder.join("testset.npz")).unwrap();
    let mut npz = ndarray_npy::NpzReader::new(file).unwrap();
    let inputs: ndarray::Array2<f32> = npz.by_name(&format!("in_{input}")).unwrap();
    let labels: ArrayD<i64> = npz.by_name("out_label").unwrap();
    let scores: ndarray::Array2<f32> = npz.by_name("out_probabilities").unwrap();
    let inputs = inputs.rows().into_iter().map(|values| vec![row(&values.to_vec())]).collect();
    let scores = scores.rows().into_iter().map(|values| values.to_vec());
    (graph, inputs, labels.into_iter().zip(scores).collect())
}

/// Every sample of their test sets has the label of onnxruntime, in real numbers and in integers.
#[test]
fn trained_forests_give_every_label_of_onnxruntime() {
    for (name, input) in [("cancer_rf", "X"), ("cancer_lightgbm", "input")] {
        let (graph, inputs, expected) = trained(name, input);
        let quantized = integers(&graph, &inputs[..20]);
        for (input, (label, scores)) in inputs.iter().zip(&expected) {
            let integers = quantize_inputs(&quantized, input).unwrap();
            let execution = execute(&quantized, &integers).unwrap();
            let both = [graph.run_float(input).unwrap(), quantized.dequantize(&execution)];
            for (outputs, tolerance) in both.iter().zip([1e-5, 1e-2]) {
                assert_eq!(outputs[0].first().unwrap().round() as i64, *label, "{name}");
                for (ours, theirs) in outputs[1].iter().zip(scores) {
                    assert!((ours - theirs).abs() < tolerance, "{name}: {ours}, {theirs}");
                }
            }
        }
    }
}
