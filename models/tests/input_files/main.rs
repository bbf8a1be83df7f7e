//! Input and calibration files: every layout that is read, and every way to get one wrong.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a test may panic, and its numbers are small"
)]

mod hostile;
#[path = "../support/mod.rs"]
mod support;

use std::fs::File;
use std::path::PathBuf;

use ndarray::{Array1, Array2, Array3, ArrayD, ShapeBuilder as _};
use ndarray_npy::{NpzWriter, WriteNpyExt as _};
use support::onnx::Builder;
use support::zoo::{self, MODELS};
use zkinfer_models::{
    FileKind, Graph, InputError, InputFile, InputNote, read_inputs, read_samples,
};

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
        (r#"{"input_data": [[1, 2]]}"#, "`x` has shape [2], expected [1, 3]"),
        (r#"{"input_data": [[1, 2, 3], [4]]}"#, "the file holds 2 tensors, expected are 1: `x`"),
        (r#"{"z": [1, 2, 3], "x": [1, 2, 3]}"#, "`z` in the file is not expected; expected: `x`"),
        (
            r#"{"z": [1, 2, 3], "w\u001b[31m": 1}"#,
            "`x` of shape [1, 3] is missing; the file has: `z`, `w\\u{1b}[31m`",
        ),
        (
            r#"{"input_data": [[1, 2, 3]], "extra": 1}"#,
            "`extra` in the file is not expected; expected: `input_data`",
        ),
        (r#"{"x": [[1, 2, 3], [4]]}"#, "x: expected numbers, in lists of equal lengths"),
        (r#"{"x": "1, 2, 3"}"#, "x: expected numbers, in lists of equal lengths"),
        (r#"{"x": [1, null, 3]}"#, "x: expected numbers, in lists of equal lengths"),
        (r#"{"x": [1, 1e39, 3]}"#, "`x`: element 1 is not a finite 32-bit number"),
        (r#"[1, 2]"#, "`x` has shape [2], expected [1, 3]"),
        (r#"[[1, 2, 3], [4, 5, 6]]"#, "the file holds 2 sets of inputs where one is expected"),
        (
            "{\"x\": [1, 2, 3]}\n{\"x\": [4, 5, 6]}\n",
            "the file holds 2 sets of inputs where one is expected",
        ),
        (r#"{"x": true}"#, "`x` has shape [], expected [1, 3]"),
        ("", "the file is empty"),
        (" \n", "the file is empty"),
    ] {
        assert_eq!(refused(text), message, "{text}");
    }
    for text in [r#"{"x": [1, NaN, 3]}"#, r#"{"x": [1, 1e400, 3]}"#, r#"{"x": [1"#] {
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
    let shape = refused(folder.npy(&Array2::<f32>::zeros((3, 1))));
    assert_eq!(shape, "`x` has shape [3, 1], expected [1, 3]");
    let infinite = refused(folder.npy(&Array2::from_elem((1, 3), f32::NAN)));
    assert_eq!(infinite, "`x`: element 0 is not a finite 32-bit number");
    let array = || Array2::<f32>::zeros((1, 3)).into_dyn();
    let extra = refused(folder.npz(&[("x", array()), ("z", array())]));
    assert_eq!(extra, "`z` in the file is not expected; expected: `x`");
    let missing = "`x` of shape [1, 3] is missing; the file has: nothing";
    assert_eq!(refused(folder.npz(&[])), missing);
    let path = folder.0.path().join("none.json");
    assert!(matches!(read_inputs(&path, &one()), Err(InputError::Io(_))));
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

fn input_of(bytes: &[u8]) -> Result<Vec<f32>, InputError> {
    let inputs = InputFile::from_bytes(bytes)?.inputs(&one())?;
    assert_eq!(inputs[0].shape(), [1, 3]);
    Ok(flat(&inputs).remove(0))
}

fn samples_of(text: &str) -> Vec<Vec<f32>> {
    let samples = InputFile::from_bytes(text.as_bytes()).unwrap().samples(&one()).unwrap();
    samples.iter().map(|sample| flat(sample).remove(0)).collect()
}

#[test]
fn the_content_tells_the_format_whatever_the_name() {
    let folder = Folder::new();
    let array = Array2::from_shape_fn((1, 3), |(_, j)| j as f32);
    let files = [folder.npy(&array), folder.npz(&[("x", array.into_dyn())])];
    let texts = [r#"{"x": [0, 1, 2]}"#, "0,1,2", "[0, 1, 2]"].map(|text| text.as_bytes().to_vec());
    for bytes in files.map(|path| std::fs::read(path).unwrap()).into_iter().chain(texts) {
        for name in ["file", "file.txt", "file.json", "file.npy"] {
            let path = folder.0.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(flat(&read_inputs(&path, &one()).unwrap()), [[0.0, 1.0, 2.0]], "{name}");
        }
    }
}

#[test]
fn byte_order_marks_are_read_over() {
    for text in [r#"{"x": [1, -2.5, 3]}"#, "1,-2.5,3\r\n"] {
        let marked = format!("\u{feff}{text}");
        assert_eq!(input_of(marked.as_bytes()).unwrap(), [1.0, -2.5, 3.0]);
        let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(input_of(&little).unwrap(), [1.0, -2.5, 3.0]);
        let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(input_of(&big).unwrap(), [1.0, -2.5, 3.0]);
    }
}

#[test]
fn the_files_of_ezkl_are_read() {
    let text =
        r#"{"input_shapes": [[1, 3]], "input_data": [[1, 2, 3]], "output_data": [[0.5, 1, 2]]}"#;
    let file = InputFile::from_bytes(text.as_bytes()).unwrap();
    assert_eq!(flat(&file.inputs(&one()).unwrap()), [[1.0, 2.0, 3.0]]);
    let ignored = ["input_shapes", "output_data"];
    let ignored = ignored.map(|field| InputNote::Ignored { field: field.to_owned() });
    assert_eq!(file.notes(), ignored);
    let outputs = file.outputs(&one()).unwrap().unwrap();
    assert_eq!(flat(&outputs[0]), [[0.5, 1.0, 2.0]]);
    // Calibration: all samples of an input in one flat list.
    let two_samples = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    assert_eq!(samples_of(r#"{"input_data": [[1, 2, 3, 4, 5, 6]]}"#), two_samples);
    let text = r#"{"input_data": [[1, 2, 5, 6], [3, 4, 7, 8]]}"#;
    let samples = InputFile::from_bytes(text.as_bytes()).unwrap().samples(&two()).unwrap();
    assert_eq!(flat(&samples[1]), [[5.0, 6.0], [7.0, 8.0]]);
    let uneven = InputFile::from_bytes(br#"{"input_data": [[1, 2, 3, 4]]}"#).unwrap();
    assert!(matches!(uneven.samples(&one()), Err(InputError::Shape { .. })));
}

#[test]
fn tables_are_read_line_by_line() {
    let two_samples = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    for text in [
        "1,2,3\n4,5,6\n",
        "1, 2, 3\r\n4, 5, 6",
        "1;2;3\n4;5;6\n",
        "1\t2\t3\n4\t5\t6\n",
        "1.0e0 2 3\n4 5 6\n",
        "a,b,c\n1,2,3\n4,5,6\n",
        "\"a\",\"b, c\",d\n1,2,3\n4,5,6\n",
        "x[0],x[1],x[2]\n1,2,3\n4,5,6\n",
        "x[2],x[0],x[1]\n3,1,2\n6,4,5\n",
        "a,label,b,c\n1,0,2,3\n4,7,5,6\n",
    ] {
        assert_eq!(samples_of(text), two_samples, "{text:?}");
    }
    assert_eq!(input_of(b"1\n2\n3\n").unwrap(), [1.0, 2.0, 3.0]);
    let labelled = InputFile::from_bytes(b"a,label,b,c\n1,0,2,3\n4,7,5,6\n").unwrap();
    let labels = labelled.labels().unwrap().unwrap();
    assert_eq!(labels.iter().collect::<Vec<_>>(), [[0], [7]]);
    let numbered = InputFile::from_bytes(b"0,1,2\n1,2,3\n4,5,6\n").unwrap();
    assert_eq!(numbered.samples(&one()).unwrap().len(), 2);
    assert_eq!(numbered.notes(), [InputNote::NumberedColumns { columns: 3 }]);
    assert_eq!(input_of(b"0,1,2").unwrap(), [0.0, 1.0, 2.0]);
    let text = b"b[1],a[0],a[1],b[0]\n4,1,2,3\n";
    let inputs = InputFile::from_bytes(text).unwrap().inputs(&two()).unwrap();
    assert_eq!(flat(&inputs), [[1.0, 2.0], [3.0, 4.0]]);
}

#[test]
fn what_is_wrong_with_a_table_is_named() {
    for (text, message) in [
        ("1,2", "the table has 2 columns of numbers, 3 are expected"),
        (",a,b,c\n0,1,2,3\n", "the table has 4 columns of numbers, 3 are expected"),
        ("1,2,3\n4,5\n", "line 2 has 2 columns, the first line has 3"),
        ("1,2,3\n4,,6\n", "line 2, column 2: `` is no finite number"),
        ("a,b,c\n1,nan,3\n", "line 2, column 2: `nan` is no finite number"),
        ("1;0,5;3\n1;2;3\n", "line 1, column 2: `0,5` is no finite number"),
        ("1,NA,3\n1,2,3\n", "line 1, column 2: `NA` is no finite number"),
        ("1,2,3\n4,5,6\n", "the file holds 2 sets of inputs where one is expected"),
        ("1,\u{1b}[31m,3\n1,\u{1b}[31m,3\n", "line 1, column 2: `\\u{1b}[31m` is no finite"),
    ] {
        let error = input_of(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(message), "{text:?}: {error}");
    }
    let file = InputFile::from_bytes(b"1,2,3,4\n").unwrap();
    let error = file.inputs(&two()).unwrap_err().to_string();
    assert!(error.starts_with("the first line must name the columns after `a`, `b`"), "{error}");
}

#[test]
fn json_lines_are_samples() {
    let two_samples = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    for text in [
        "{\"x\": [1, 2, 3]}\n{\"x\": [[4, 5, 6]]}\n",
        "{\"input_data\": [[1, 2, 3]]}\n{\"input_data\": [[4, 5, 6]]}",
        "[1, 2, 3]\n[4, 5, 6]\n",
        "[[1, 2, 3], [4, 5, 6]]",
    ] {
        assert_eq!(samples_of(text), two_samples, "{text}");
    }
}

/// Writes a `.npy` file of the type `descr`.
fn npy_bytes(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let len = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &len[..], header.as_bytes(), data].concat()
}

#[test]
fn arrays_of_every_numeric_type_are_read() {
    let expected = [0.0, 1.0, -2.0];
    let signed = |bytes: fn(i64) -> Vec<u8>| [0, 1, -2].map(bytes).concat();
    for (descr, data) in [
        ("|i1", signed(|x| i8::try_from(x).unwrap().to_le_bytes().to_vec())),
        ("<i2", signed(|x| i16::try_from(x).unwrap().to_le_bytes().to_vec())),
        (">i2", signed(|x| i16::try_from(x).unwrap().to_be_bytes().to_vec())),
        ("<i4", signed(|x| i32::try_from(x).unwrap().to_le_bytes().to_vec())),
        ("<i8", signed(|x| x.to_le_bytes().to_vec())),
        (">i8", signed(|x| x.to_be_bytes().to_vec())),
        ("<f4", [0f32, 1.0, -2.0].map(f32::to_le_bytes).concat()),
        (">f8", [0f64, 1.0, -2.0].map(f64::to_be_bytes).concat()),
        ("<f2", [0x0000u16, 0x3c00, 0xc000].map(u16::to_le_bytes).concat()),
        (">f2", [0x0000u16, 0x3c00, 0xc000].map(u16::to_be_bytes).concat()),
    ] {
        assert_eq!(input_of(&npy_bytes(descr, "(1, 3)", &data)).unwrap(), expected, "{descr}");
    }
    for (descr, data) in [
        ("|u1", [0u8, 1, 200].to_vec()),
        ("<u2", [0u16, 1, 200].map(u16::to_le_bytes).concat()),
        (">u4", [0u32, 1, 200].map(u32::to_be_bytes).concat()),
        ("<u8", [0u64, 1, 200].map(u64::to_le_bytes).concat()),
    ] {
        let read = input_of(&npy_bytes(descr, "(1, 3)", &data)).unwrap();
        assert_eq!(read, [0.0, 1.0, 200.0], "{descr}");
    }
    assert_eq!(input_of(&npy_bytes("|b1", "(3,)", &[0, 1, 1])).unwrap(), [0.0, 1.0, 1.0]);
    // The smallest subnormal, the largest subnormal, the largest number.
    let halves = [0x0001u16, 0x03ff, 0x7bff].map(u16::to_le_bytes).concat();
    let read = input_of(&npy_bytes("<f2", "(3,)", &halves)).unwrap();
    assert_eq!(read, [2f32.powi(-24), 1023.0 * 2f32.powi(-24), 65504.0]);
    let infinite = [0x7c00u16, 0, 0].map(u16::to_le_bytes).concat();
    let infinite = input_of(&npy_bytes("<f2", "(3,)", &infinite));
    assert!(matches!(infinite, Err(InputError::NotFinite { index: 0, .. })));
}

/// A wrong number without a word: an identifier rounded to its neighbour.
#[test]
fn whole_numbers_that_floats_do_not_hold_are_refused() {
    let array = |value: i64| [value, 0, 1].map(i64::to_le_bytes).concat();
    for value in [1 << 24, (1 << 24) + 2, i64::MIN] {
        input_of(&npy_bytes("<i8", "(3,)", &array(value))).unwrap();
    }
    for value in [(1 << 24) + 1, i64::MAX] {
        let refused = input_of(&npy_bytes("<i8", "(3,)", &array(value)));
        assert!(matches!(refused, Err(InputError::Inexact { index: 0, .. })), "{value}");
    }
}

#[test]
fn files_of_other_kinds_are_named() {
    for (bytes, kind) in [
        (&b"\x89PNG\r\n\x1a\n"[..], FileKind::Image),
        (b"\xff\xd8\xff\xe0", FileKind::Image),
        (b"\x80\x04\x95", FileKind::Pickle),
        (b"\x89HDF\r\n", FileKind::Hdf5),
        (b"PAR1\x15\x00", FileKind::Parquet),
        (b"\x1f\x8b\x08\x00", FileKind::Gzip),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", FileKind::LfsPointer),
        (b"<!DOCTYPE html>", FileKind::Markup),
        (b"\0\0\0", FileKind::Other),
    ] {
        let read = InputFile::from_bytes(bytes);
        assert!(matches!(read, Err(InputError::Kind(got)) if got == kind), "{kind:?}: {read:?}");
    }
    for descr in ["<c8", "<U3", "|O", "<f16", "<M8[s]", "|V2"] {
        let read = InputFile::from_bytes(&npy_bytes(descr, "(1,)", &[0; 16]));
        assert!(matches!(read, Err(InputError::ElementType { .. })), "{descr}: {read:?}");
    }
}

#[test]
fn one_image_may_leave_out_its_leading_ones() {
    let model = Builder::new(13).input("x", &[1, 1, 2, 3]).node("Relu", &["x"], &["y"], &[]);
    let graph = Graph::from_onnx_bytes(&model.output("y").bytes()).unwrap();
    for text in ["[[1, 2, 3], [4, 5, 6]]", "[[[1, 2, 3], [4, 5, 6]]]", "1,2,3\n4,5,6\n"] {
        let inputs = InputFile::from_bytes(text.as_bytes()).unwrap().inputs(&graph).unwrap();
        assert_eq!(flat(&inputs), [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]], "{text}");
    }
    let turned = InputFile::from_bytes(b"[[1, 2], [3, 4], [5, 6]]").unwrap().inputs(&graph);
    assert!(matches!(turned, Err(InputError::Shape { .. })));
}

#[test]
fn samples_of_an_archive_are_in_the_order_of_their_numbers() {
    let folder = Folder::new();
    let array = |value: f32| ArrayD::from_elem(ndarray::IxDyn(&[1, 3]), value);
    let path = folder.npz(&[
        ("s100_in_x", array(100.0)),
        ("s99_in_x", array(99.0)),
        ("s02_in_x", array(2.0)),
        ("s02_out_y", array(7.0)),
        ("s99_out_y", array(8.0)),
        ("s100_out_y", array(9.0)),
    ]);
    let file = InputFile::read(&path).unwrap();
    let first = |sets: &[Vec<ArrayD<f32>>]| sets.iter().map(|s| s[0][[0, 0]]).collect::<Vec<_>>();
    assert_eq!(first(&file.samples(&one()).unwrap()), [2.0, 99.0, 100.0]);
    assert_eq!(first(&file.outputs(&one()).unwrap().unwrap()), [7.0, 8.0, 9.0]);
}
