//! Files that ask for too much: small ones that would take gigabytes or hours, and mutants of
//! good ones. Every answer comes soon and in little memory, and none is a panic.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::{Duration, Instant};

use proptest::prelude::*;
use prost::Message as _;
use support::onnx::proto::{AttributeProto, Dim, ModelProto};
use support::onnx::{Builder, int, ints};
use zkinfer_models::{Graph, ImportError};

/// Far above what any import in this file takes, far below what the files ask for.
const LONGEST: Duration = Duration::from_secs(20);
/// Most memory of the whole process, in kilobytes.
const LARGEST: u64 = 3 << 20;

fn import(bytes: &[u8]) -> Result<Graph, ImportError> {
    let start = Instant::now();
    let result = Graph::from_onnx_bytes(bytes);
    assert!(start.elapsed() < LONGEST, "{:?}", start.elapsed());
    // Where the system tells: the most that was ever resident.
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak: u64 = peak.unwrap().trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak < LARGEST, "{peak} kB");
    }
    result
}

fn refused(model: &Builder) -> ImportError {
    import(&model.bytes()).expect_err("the model must be refused")
}

fn single(shape: &[i64], op: &str, attributes: &[AttributeProto]) -> Builder {
    Builder::new(17).input("x", shape).node(op, &["x"], &["y"], attributes).output("y")
}

#[test]
fn a_hundred_bytes_do_not_take_gigabytes() {
    let pool = single(&[1, 1, 6600, 6600], "MaxPool", &[ints("kernel_shape", &[1, 1])]);
    assert!(pool.bytes().len() < 120);
    assert!(matches!(refused(&pool), ImportError::Limit { .. }));
    let softmax = single(&[60_000_000, 1], "Softmax", &[]);
    assert!(matches!(refused(&softmax), ImportError::Limit { .. }));
    let window = single(&[1, 1, 4000, 4000], "MaxPool", &[ints("kernel_shape", &[3000, 3000])]);
    assert!(matches!(refused(&window), ImportError::Limit { .. }));
    let resized =
        Builder::new(17).input("x", &[1, 1, 2, 2]).reals("s", &[4], &[1.0, 1.0, 6e4, 6e4]);
    let resized = resized.node("Resize", &["x", "", "s"], &["y"], &[]).output("y");
    assert!(matches!(refused(&resized), ImportError::Limit { .. }));
    let tiled = Builder::new(17).input("x", &[2, 2]).integers("r", &[1 << 40, 1 << 40]);
    let tiled = tiled.node("Tile", &["x", "r"], &["y"], &[]).output("y");
    assert!(matches!(refused(&tiled), ImportError::Limit { .. }));
    let padded = Builder::new(17).input("x", &[2, 2]).integers("p", &[0, 0, 1 << 25, 1 << 25]);
    let padded = padded.node("Pad", &["x", "p"], &["y"], &[]).output("y");
    assert!(matches!(refused(&padded), ImportError::Limit { .. }));
    let ranged = Builder::new(17).input("x", &[1]).integers("a", &[0]).integers("b", &[1 << 50]);
    let ranged = ranged.integers("c", &[1]).node("Range", &["a", "b", "c"], &["r"], &[]);
    let ranged = ranged.node("Add", &["x", "r"], &["y"], &[]).output("y");
    assert!(matches!(refused(&ranged), ImportError::Limit { .. }));
    let product = Builder::new(17).input("a", &[5000, 5000]).input("b", &[5000, 5000]);
    let product = product.node("MatMul", &["a", "b"], &["y"], &[]).output("y");
    assert!(matches!(refused(&product), ImportError::Limit { .. }));
}

#[test]
fn shapes_whose_product_overflows() {
    let large = 1 << 40;
    for (op, shape) in [("Relu", [large; 4]), ("Flatten", [large; 4]), ("Softmax", [large; 4])] {
        assert!(matches!(refused(&single(&shape, op, &[])), ImportError::Limit { .. }), "{op}");
    }
    let reshaped = Builder::new(17).input("x", &[4]).integers("s", &[large, large, large, -1]);
    let reshaped = reshaped.node("Reshape", &["x", "s"], &["y"], &[]).output("y");
    assert!(matches!(refused(&reshaped), ImportError::Shape { .. }));
    let empty = Builder::new(17).input("x", &[4]).integers("s", &[0, large, large, large]);
    let empty = empty.node("ConstantOfShape", &["s"], &["c"], &[]);
    let empty = empty.node("Concat", &["x", "c"], &["y"], &[int("axis", 0)]).output("y");
    assert!(matches!(refused(&empty), ImportError::Limit { .. }));
}

#[test]
fn a_split_with_many_outputs_takes_linear_time() {
    let outputs: Vec<String> = (0..16_000).map(|part| format!("y{part}")).collect();
    let names: Vec<&str> = outputs.iter().map(String::as_str).collect();
    let model = Builder::new(17).input("x", &[16_000]).node("Split", &["x"], &names, &[]);
    let model = model.node("Add", &["y0", "y15999"], &["z"], &[]).output("z");
    let start = Instant::now();
    assert!(import(&model.bytes()).is_ok());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let same = Builder::new(17).input("x", &[16_000]).node("Split", &["x"], &["y"; 2], &[]);
    assert!(matches!(refused(&same.output("y")), ImportError::DuplicateValue { .. }));
}

#[test]
fn a_slice_names_each_axis_once() {
    for axes in [[0, 0], [-2, 0], [1, -1]] {
        let model = Builder::new(17).input("x", &[6, 6]).integers("s", &[2, 0]);
        let model = model.integers("e", &[6, 3]).integers("a", &axes);
        let model = model.node("Slice", &["x", "s", "e", "a"], &["y"], &[]).output("y");
        assert!(matches!(refused(&model), ImportError::Operand { index: 3, .. }), "{axes:?}");
    }
}

#[test]
fn a_split_says_how_many_parts_it_has() {
    let split = |opset: i64, attributes: &[AttributeProto], sizes: Option<&[i64]>| {
        let model = Builder::new(opset).input("x", &[6]).integers("s", sizes.unwrap_or(&[3, 3]));
        let operands: &[&str] = if sizes.is_some() { &["x", "s"] } else { &["x"] };
        model.node("Split", operands, &["a", "b"], attributes).output("a").output("b")
    };
    assert!(import(&split(18, &[int("num_outputs", 2)], None).bytes()).is_ok());
    assert!(import(&split(17, &[], None).bytes()).is_ok());
    assert!(import(&split(18, &[], Some(&[2, 4])).bytes()).is_ok());
    for model in [
        split(18, &[int("num_outputs", 3)], None),
        split(18, &[], None),
        split(17, &[int("num_outputs", 2)], None),
        split(18, &[int("num_outputs", 2)], Some(&[3, 3])),
        split(18, &[], Some(&[2, 3])),
        split(18, &[], Some(&[2, 2, 2])),
    ] {
        refused(&model);
    }
}

/// Models with many kinds of numbers in them.
fn models() -> Vec<Builder> {
    let conv = Builder::new(17).input("x", &[1, 2, 6, 6]).random("w", &[3, 2, 3, 3]);
    let conv =
        conv.node("Conv", &["x", "w"], &["c"], &[ints("pads", &[1; 4]), ints("strides", &[2, 1])]);
    let pool = [ints("kernel_shape", &[2, 2]), int("ceil_mode", 1)];
    let conv =
        conv.node("AveragePool", &["c"], &["p"], &pool).node("MaxPool", &["p"], &["m"], &pool);
    let conv = conv.integers("s", &[1, -1]).node("Reshape", &["m", "s"], &["y"], &[]).output("y");
    let up = Builder::new(17).input("x", &[1, 2, 3, 4]).random("w", &[2, 3, 3, 2]);
    let up = up.node("ConvTranspose", &["x", "w"], &["t"], &[ints("strides", &[2, 2])]);
    let up =
        up.reals("r", &[4], &[1.0, 1.0, 2.0, 0.5]).node("Resize", &["t", "", "r"], &["z"], &[]);
    let up = up.integers("p", &[0, 0, 1, 2, 0, 0, 3, 0]).node("Pad", &["z", "p"], &["y"], &[]);
    let moves = Builder::new(18).input("x", &[4, 6]).integers("s", &[5, 0]).integers("e", &[-7, 4]);
    let moves = moves.integers("a", &[1, 0]).integers("t", &[-2, 1]);
    let moves = moves.node("Slice", &["x", "s", "e", "a", "t"], &["u"], &[]);
    let moves = moves.node("Split", &["u"], &["l", "r"], &[int("axis", 0), int("num_outputs", 2)]);
    let moves = moves.node("Concat", &["r", "l"], &["j"], &[int("axis", 1)]);
    let moves =
        moves.integers("i", &[0, -1, 2]).node("Gather", &["j", "i"], &["g"], &[int("axis", 1)]);
    let moves = moves.integers("n", &[1, 2]).node("Tile", &["g", "n"], &["y"], &[]);
    let norm = Builder::new(21).input("x", &[2, 4, 3]).random("g", &[4]).random("b", &[4]);
    let groups = [int("num_groups", 2)];
    let norm = norm.node("GroupNormalization", &["x", "g", "b"], &["n"], &groups);
    let norm = norm.node("Softmax", &["n"], &["q"], &[]).node("MatMul", &["q", "k"], &["y"], &[]);
    let norm = norm.node("Transpose", &["n"], &["k"], &[ints("perm", &[0, 2, 1])]);
    vec![conv, up.output("y"), moves.output("y"), norm.output("y")]
}

/// Every number of the file that decides about sizes.
fn numbers(model: &mut ModelProto) -> Vec<&mut i64> {
    let mut found = Vec::new();
    let graph = model.graph.as_mut().unwrap();
    for node in &mut graph.node {
        for attribute in &mut node.attribute {
            found.push(&mut attribute.i);
            found.extend(attribute.ints.iter_mut());
        }
    }
    for tensor in &mut graph.initializer {
        found.extend(tensor.dims.iter_mut());
        found.extend(tensor.int64_data.iter_mut());
    }
    for input in &mut graph.input {
        let ty = input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
        for dim in &mut ty.shape.as_mut().unwrap().dim {
            if let Some(Dim::Value(value)) = &mut dim.value {
                found.push(value);
            }
        }
    }
    found
}

const EXTREMES: &[i64] = &[
    i64::MIN,
    -(1 << 40),
    -65_537,
    -7,
    -1,
    0,
    1,
    2,
    3,
    7,
    100,
    4096,
    65_536,
    1 << 20,
    1 << 27,
    1 << 31,
    1 << 40,
    i64::MAX,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn mutants_are_refused_or_imported_soon(
        model in 0usize..4,
        changes in proptest::collection::vec((any::<usize>(), 0..EXTREMES.len()), 1..4),
        byte in proptest::option::weighted(0.3, (any::<usize>(), any::<u8>())),
    ) {
        let mut proto = models().swap_remove(model).proto;
        let mut places = numbers(&mut proto);
        for (place, value) in changes {
            let place = place % places.len();
            *places[place] = EXTREMES[value];
        }
        let mut bytes = proto.encode_to_vec();
        if let Some((place, value)) = byte {
            let place = place % bytes.len();
            bytes[place] = value;
        }
        let _outcome = import(&bytes);
    }
}
