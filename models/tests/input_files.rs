//! Input and calibration files: every layout that is read, and every way to get one wrong.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a test may panic, and its numbers are small"
)]

mod support;

use std::fs::File;
use std::path::PathBuf;

use ndarray::{Array1, Array2, Array3, ArrayD, ShapeBuilder as _};
use ndarray_npy::{NpzWriter, WriteNpyExt as _};
use support::onnx::Builder;
use support::zoo::{self, MODELS};
use zkinfer_models::{Graph, InputError, read_inputs, read_samples};

/// One input `x` of shape `[1, 3]`.
fn one() -> Graph {
    let model = Builder::new(13).input("x", &[1, 3]).node("Relu", &["x"], &["y"], &[]);
    Graph::from_onnx_bytes(&model.output("y").bytes()).unwrap()
}

/// Inputs `a` of shape `[2]` and `b` of shape `[1, 2]`.
fn two() -> Graph {
    let model = Builder::new(13).input("a", &[2]).input("b", &[1, 2]);
    let model = model.node("Add", &["a", "b"], &["y"], &[]).output("y");
    Graph::from_onnx_bytes(&model.bytes()).unwrap()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn json(&self, text: &str) -> PathBuf {
        let path = self.0.path().join("file.json");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn npy<A: ndarray_npy::WritableElement, D: ndarray::Dimension>(
        &self,
        array: &ndarray::Array<A, D>,
    ) -> PathBuf {
        let path = self.0.path().join("file.npy");
        array.write_npy(File::create(&path).unwrap()).unwrap();
        path
    }

    fn npz(&self, arrays: &[(&str, ArrayD<f32>)]) -> PathBuf {
        let path = self.0.path().join("file.npz");
        let mut npz = NpzWriter::new_compressed(File::create(&path).unwrap());
        for (name, array) in arrays {
            npz.add_array(*name, array).unwrap();
        }
        npz.add_array("labels", &Array1::<i64>::zeros(3)).unwrap();
        npz.finish().unwrap();
        path
    }
}

fn flat(inputs: &[ArrayD<f32>]) -> Vec<Vec<f32>> {
    inputs.iter().map(|input| input.iter().copied().collect()).collect()
}

#[test]
fn every_layout_of_json_inputs() {
    let folder = Folder::new();
    for text in [
        r#"{"input_data": [[1, -2.5, 3e0]]}"#,
        r#"{"input_data": [[[1, -2.5, 3]]]}"#,
        r#"{"x": [1, -2.5, 3]}"#,
        r#"{"x": [[1, -2.5, 3]]}"#,
    ] {
        let inputs = read_inputs(&folder.json(text), &one()).unwrap();
        assert_eq!((flat(&inputs), inputs[0].shape()), (vec![vec![1.0, -2.5, 3.0]], &[1, 3][..]));
    }
    for text in [r#"{"input_data": [[1, 2], [3, 4]]}"#, r#"{"b": [[3, 4]], "a": [1, 2]}"#] {
        let inputs = read_inputs(&folder.json(text), &two()).unwrap();
        assert_eq!(flat(&inputs), [[1.0, 2.0], [3.0, 4.0]]);
    }
}

#[test]
fn arrays_of_numpy() {
    let folder = Folder::new();
    let expected = vec![vec![0.0, 1.0, 2.0]];
    let array = Array2::from_shape_fn((1, 3), |(_, j)| j as f32);
    assert_eq!(flat(&read_inputs(&folder.npy(&array), &one()).unwrap()), expected);
    let double = array.mapv(f64::from);
    assert_eq!(flat(&read_inputs(&folder.npy(&double), &one()).unwrap()), expected);
    for name in ["x", "arr_0"] {
        let path = folder.npz(&[(name, array.clone().into_dyn())]);
        assert_eq!(flat(&read_inputs(&path, &one()).unwrap()), expected);
    }
    let fortran = Array3::from_shape_fn((2, 1, 3).f(), |(i, _, j)| (3 * i + j) as f32);
    let samples = read_samples(&folder.npy(&fortran), &one()).unwrap();
    assert_eq!(flat(&samples[1]), [[3.0, 4.0, 5.0]]);
}

#[test]
fn what_is_wrong_is_named() {
    let folder = Folder::new();
    let refused = |text: &str| read_inputs(&folder.json(text), &one()).unwrap_err().to_string();
    for (text, message) in [
        (r#"{"input_data": [[1, 2]]}"#, "input `x` has shape [2], expected [1, 3]"),
        (
            r#"{"input_data": [[1, 2, 3], [4]]}"#,
            r#"the file holds 2 inputs, the model has 1: ["x"]"#,
        ),
        (r#"{"z": [1, 2, 3], "x": [1, 2, 3]}"#, r#"the model has no input `z`; it has ["x"]"#),
        (r#"{"z": [1, 2, 3]}"#, "input `x` of shape [1, 3] is missing"),
        (
            r#"{"input_data": [[1, 2, 3]], "extra": 1}"#,
            r#"the model has no input `extra`; it has ["x"]"#,
        ),
        (r#"{"x": [[1, 2, 3], [4]]}"#, "x: expected numbers, in lists of equal lengths"),
        (r#"{"x": "1, 2, 3"}"#, "x: expected numbers, in lists of equal lengths"),
        (r#"{"x": [1, null, 3]}"#, "x: expected numbers, in lists of equal lengths"),
        (r#"{"x": [1, 1e39, 3]}"#, "input `x`: element 1 is not a finite 32-bit number"),
        (r#"[1, 2, 3]"#, r#"the file: expected an object: {"input_data": [[…]]} or {"name": […]}"#),
    ] {
        assert_eq!(refused(text), message, "{text}");
    }
    for text in
        [r#"{"x": [1, NaN, 3]}"#, r#"{"x": [1, 1e400, 3]}"#, r#"{"x": [1"#, "", r#"{"x": true}"#]
    {
        assert!(refused(text).starts_with("not valid JSON"), "{text}: {}", refused(text));
    }
    assert!(refused(r#"{"x": [1, 2, 3], "x": [1, 2, 3]}"#).contains("`x` is given twice"));
    let deep = format!("{{\"x\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(refused(&deep).contains("recursion limit"));
}

#[test]
fn arrays_of_other_types_and_shapes() {
    let folder = Folder::new();
    let refused = |path: PathBuf| read_inputs(&path, &one()).unwrap_err().to_string();
    let integers = refused(folder.npy(&Array2::<i64>::zeros((1, 3))));
    assert_eq!(integers, "input `` has element type <i8, expected float32 or float64");
    let shape = refused(folder.npy(&Array2::<f32>::zeros((3, 1))));
    assert_eq!(shape, "input `x` has shape [3, 1], expected [1, 3]");
    let infinite = refused(folder.npy(&Array2::from_elem((1, 3), f32::NAN)));
    assert_eq!(infinite, "input `x`: element 0 is not a finite 32-bit number");
    let array = || Array2::<f32>::zeros((1, 3)).into_dyn();
    let extra = refused(folder.npz(&[("x", array()), ("z", array())]));
    assert_eq!(extra, r#"the model has no input `z`; it has ["x"]"#);
    assert_eq!(refused(folder.npz(&[])), "input `x` of shape [1, 3] is missing");
    let path = folder.0.path().join("file.txt");
    assert!(matches!(read_inputs(&path, &one()), Err(InputError::UnknownKind)));
    let path = folder.0.path().join("none.json");
    assert!(matches!(read_inputs(&path, &one()), Err(InputError::Io(_))));
}

#[test]
fn damaged_arrays_are_refused_and_allocate_nothing() {
    let folder = Folder::new();
    let bytes = std::fs::read(folder.npy(&Array2::<f32>::zeros((1, 3)))).unwrap();
    let path = folder.0.path().join("damaged.npy");
    for len in 0..bytes.len() {
        std::fs::write(&path, &bytes[..len]).unwrap();
        assert!(matches!(read_inputs(&path, &one()), Err(InputError::Npy { .. })), "{len}");
    }
    std::fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    assert!(matches!(read_inputs(&path, &one()), Err(InputError::Npy { .. })));
    let header = String::from_utf8_lossy(&bytes[10..]).into_owned();
    for shape in
        ["(9999999999999,)", "(99999999999, 99999999999, 99999999999)", "(-1, 3)", "(1, x)"]
    {
        let mut text = header.replace("(1, 3)", shape).into_bytes();
        let len = u16::try_from(text.iter().position(|&b| b == b'\n').unwrap() + 1).unwrap();
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend(len.to_le_bytes());
        file.append(&mut text);
        std::fs::write(&path, file).unwrap();
        assert!(matches!(read_inputs(&path, &one()), Err(InputError::Npy { .. })), "{shape}");
    }
    let path = folder.0.path().join("damaged.npz");
    std::fs::write(&path, b"PK\x03\x04 no archive").unwrap();
    assert!(matches!(read_inputs(&path, &one()), Err(InputError::Zip(_))));
}

#[test]
fn every_layout_of_samples() {
    let folder = Folder::new();
    let expected = [vec![vec![1.0, 2.0, 3.0]], vec![vec![4.0, 5.0, 6.0]]];
    let check = |path: PathBuf| {
        let samples = read_samples(&path, &one()).unwrap();
        assert_eq!(samples.iter().map(|s| flat(s)).collect::<Vec<_>>(), expected);
    };
    check(folder.json(r#"{"input_data": [[1, 2, 3], [[4, 5, 6]]]}"#));
    check(folder.json(r#"{"x": [[1, 2, 3], [4, 5, 6]]}"#));
    check(folder.json(
        r#"{"inputs": [{"name": "x"}], "samples": [{"inputs": [[1, 2, 3]], "label": 1},
            {"inputs": [[4, 5, 6]], "label": 0}]}"#,
    ));
    let rows = Array2::from_shape_fn((2, 3), |(i, j)| (3 * i + j + 1) as f32);
    check(folder.npy(&rows));
    check(folder.npz(&[("x", rows.clone().into_dyn())]));
    let stacked = rows.clone().insert_axis(ndarray::Axis(1)).into_dyn();
    check(folder.npz(&[("in_x", stacked), ("out_y", rows.clone().into_dyn())]));
    let row = |i: usize| rows.slice_axis(ndarray::Axis(0), (i..=i).into()).to_owned().into_dyn();
    check(folder.npz(&[("s01_in_x", row(1)), ("s00_in_x", row(0)), ("s00_out_y", row(0))]));
    let text = r#"{"input_data": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]}"#;
    let samples = read_samples(&folder.json(text), &two()).unwrap();
    assert_eq!(flat(&samples[1]), [[5.0, 6.0], [7.0, 8.0]]);
    let text = r#"{"a": [[1, 2], [5, 6]], "b": [[3, 4], [7, 8]]}"#;
    let samples = read_samples(&folder.json(text), &two()).unwrap();
    assert_eq!(flat(&samples[1]), [[5.0, 6.0], [7.0, 8.0]]);
    let none = read_samples(&folder.json(r#"{"input_data": []}"#), &one());
    assert!(matches!(none, Err(InputError::NoSamples)));
    let uneven = r#"{"a": [[1, 2]], "b": [[3, 4], [7, 8]]}"#;
    assert!(read_samples(&folder.json(uneven), &two()).is_err());
}

#[test]
fn the_files_of_the_zoo_are_read() {
    for model in MODELS {
        let graph = zoo::graph(model.0);
        let (samples, _) = zoo::samples(model);
        let inputs = read_inputs(&zoo::path(model.0, "input.json"), &graph).unwrap();
        assert_eq!(inputs, samples[0], "input.json is sample 0");
        for file in ["samples.json", "samples.npz"] {
            assert_eq!(read_samples(&zoo::path(model.0, file), &graph).unwrap(), samples);
        }
        let set = read_samples(&zoo::path(model.0, "testset.npz"), &graph).unwrap();
        assert_eq!(set.len(), zoo::test_set(model).labels.len());
    }
}
