//! The small trained models, with their samples and test sets.

use std::fs::File;
use std::path::PathBuf;

use ndarray::{Array1, ArrayD, Axis};
use ndarray_npy::NpzReader;
use zkinfer_models::Graph;

/// Folder, input and output name of each model.
pub(crate) const MODELS: [(&str, &str, &str); 4] = [
    ("cancer_mlp", "features", "score"),
    ("digits_cnn", "input", "logits"),
    ("digits_mlp", "input", "logits"),
    ("mnist_lenet", "input", "logits"),
];

pub(crate) fn path(model: &str, file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("zoo").join(model).join(file)
}

pub(crate) fn graph(model: &str) -> Graph {
    let bytes = std::fs::read(path(model, "model.onnx")).unwrap();
    Graph::from_onnx_bytes(&bytes).unwrap()
}

/// Inputs, expected outputs and labels.
pub(crate) struct TestSet {
    pub(crate) inputs: Vec<ArrayD<f32>>,
    pub(crate) outputs: Vec<ArrayD<f32>>,
    pub(crate) labels: Vec<i64>,
}

pub(crate) fn test_set((model, input, output): (&str, &str, &str)) -> TestSet {
    let mut npz = NpzReader::new(File::open(path(model, "testset.npz")).unwrap()).unwrap();
    let mut array = |name: &str| -> ArrayD<f32> { npz.by_name(name).unwrap() };
    let rows = |all: ArrayD<f32>| -> Vec<ArrayD<f32>> {
        all.axis_iter(Axis(0)).map(|row| row.insert_axis(Axis(0)).to_owned()).collect()
    };
    let inputs = rows(array(&format!("in_{input}")));
    let outputs = rows(array(&format!("out_{output}")));
    let labels: Array1<i64> = npz.by_name("labels").unwrap();
    TestSet { inputs, outputs, labels: labels.to_vec() }
}

/// The samples meant for calibration, with the outputs of onnxruntime.
pub(crate) fn samples(
    (model, input, output): (&str, &str, &str),
) -> (Vec<Vec<ArrayD<f32>>>, Vec<ArrayD<f32>>) {
    let mut npz = NpzReader::new(File::open(path(model, "samples.npz")).unwrap()).unwrap();
    let mut array = |name: String| -> ArrayD<f32> { npz.by_name(&name).unwrap() };
    let inputs = (0..20).map(|s| vec![array(format!("s{s:02}_in_{input}"))]).collect();
    let outputs = (0..20).map(|s| array(format!("s{s:02}_out_{output}"))).collect();
    (inputs, outputs)
}

/// The class a model's output stands for: its largest element, or 0.5 as the threshold.
pub(crate) fn class(output: &ArrayD<f32>) -> i64 {
    let values: Vec<f32> = output.iter().copied().collect();
    if let [score] = values[..] {
        return i64::from(score > 0.5);
    }
    let mut best = 0;
    for (position, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = position;
        }
    }
    i64::try_from(best).unwrap()
}
