//! Operations that are taken apart into simpler ones, in small ONNX files: the real execution
//! against onnxruntime's, and the rules that the circuits rely on.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use ndarray::{ArrayD, IxDyn};
use support::onnx::proto::{AttributeProto, DataType};
use support::onnx::{Builder, float, int, ints, noise, text};
use support::{empty, recorded, rules};
use zkinfer_models::graph::Op;
use zkinfer_models::{Calibration, Graph, QuantizeOptions, execute, quantize, quantize_inputs};

fn check(name: &str, model: &Builder) {
    let shift = |_: &str| (1.0, 0.0);
    check_at(name, model, shift);
}

/// With inputs in 0.5 to 1.5 instead of −1 to 1.
fn check_positive(name: &str, model: &Builder) {
    check_at(name, model, |_| (0.5, 1.0));
}

fn check_at(name: &str, model: &Builder, scale: impl Fn(&str) -> (f32, f32)) {
    empty::end_in_a_graph_or_a_reason(model);
    let graph = Graph::from_onnx_bytes(&model.bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
    let input = |spec: &zkinfer_models::TensorSpec| {
        let (factor, shift) = scale(&spec.name);
        let data = noise(&spec.name, spec.len()).into_iter().map(|x| factor * x + shift);
        ArrayD::from_shape_vec(IxDyn(&spec.shape), data.collect()).unwrap()
    };
    let inputs: Vec<ArrayD<f32>> = graph.inputs().into_iter().map(input).collect();
    let floats = graph.run_float(&inputs).unwrap();
    for (ours, theirs) in floats.iter().zip(recorded::outputs(name, &model.bytes(), &inputs)) {
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "{name}: {a}, onnxruntime has {b}");
        }
    }
    let calibration = Calibration::from_samples(&graph, std::slice::from_ref(&inputs)).unwrap();
    let options = QuantizeOptions::default();
    let quantized = quantize(&graph, &calibration, &options).unwrap();
    let execution = execute(&quantized, &quantize_inputs(&quantized, &inputs).unwrap()).unwrap();
    // Whole numbers that are computed have clamps of their own.
    if !graph.nodes().iter().any(|node| matches!(node.op, Op::Coded(_))) {
        rules::check(&quantized, &options, &execution);
    }
}

fn single(opset: i64, shape: &[i64], op: &str, attributes: &[AttributeProto]) -> Builder {
    Builder::new(opset).input("x", shape).node(op, &["x"], &["y"], attributes).output("y")
}

/// Two inputs, one operation.
fn pair(opset: i64, shapes: [&[i64]; 2], op: &str, attributes: &[AttributeProto]) -> Builder {
    let model = Builder::new(opset).input("x", shapes[0]).input("z", shapes[1]);
    model.node(op, &["x", "z"], &["y"], attributes).output("y")
}

#[test]
fn functions_that_are_tables() {
    for op in [
        "Acos", "Asin", "Atan", "Atanh", "Asinh", "Ceil", "Cos", "Cosh", "Floor", "Mish", "Round",
        "Sign", "Sin", "Sinh", "Tan",
    ] {
        check(op, &single(22, &[1, 40], op, &[]));
    }
    for op in ["Log", "Reciprocal", "Sqrt"] {
        check_positive(op, &single(22, &[1, 40], op, &[]));
    }
    check("Celu", &single(12, &[1, 40], "Celu", &[float("alpha", 0.5)]));
    check("Gelu tanh", &single(20, &[1, 40], "Gelu", &[text("approximate", "tanh")]));
    check("ThresholdedRelu", &single(10, &[1, 40], "ThresholdedRelu", &[float("alpha", 0.2)]));
    check("Shrink", &single(9, &[1, 40], "Shrink", &[float("lambd", 0.3), float("bias", 0.1)]));
    for exponent in [0.5, 1.5, -1.0, 3.0, 2.0] {
        let model = Builder::new(15).input("x", &[1, 20]).reals("e", &[], &[exponent]);
        let model = model.node("Pow", &["x", "e"], &["y"], &[]).output("y");
        check_positive(&format!("Pow {exponent}"), &model);
    }
    let model = Builder::new(15).input("x", &[2, 3]).reals("e", &[3], &[1.0, 2.0, 3.0]);
    check("several powers", &model.node("Pow", &["x", "e"], &["y"], &[]).output("y"));
    let model = Builder::new(15).input("x", &[2, 3]).reals("b", &[3], &[0.5, 2.0, 3.0]);
    check("exponential", &model.node("Pow", &["b", "x"], &["y"], &[]).output("y"));
}

#[test]
fn two_tensors() {
    for op in ["Max", "Min", "Mean", "Sum"] {
        check(op, &pair(13, [&[2, 3], &[3]], op, &[]));
        let model = Builder::new(13).input("x", &[2, 3]).random("c", &[3]);
        check(
            &format!("{op} with a constant"),
            &model.node(op, &["x", "c"], &["y"], &[]).output("y"),
        );
    }
    check_positive("Div", &pair(13, [&[2, 3], &[3]], "Div", &[]));
    for (a, b) in [
        (&[2, 3][..], &[3, 4][..]),
        (&[2, 2, 3], &[3, 4]),
        (&[3], &[3, 4]),
        (&[2, 3], &[3]),
        (&[2, 1, 2, 3], &[4, 3, 2]),
    ] {
        check(&format!("MatMul {a:?} {b:?}"), &pair(13, [a, b], "MatMul", &[]));
    }
    check(
        "Gemm",
        &pair(
            13,
            [&[3, 2], &[4, 3]],
            "Gemm",
            &[int("transA", 1), int("transB", 1), float("alpha", 0.5)],
        ),
    );
    let prelu = Builder::new(16).input("x", &[1, 3, 4]).random("s", &[3, 1]);
    check("PRelu", &prelu.node("PRelu", &["x", "s"], &["y"], &[]).output("y"));
    for equation in ["ij,jk->ik", "bij,bjk->bik", "ij,ij->i", "...i,...i->...", "i,j->ij", "ij->ji"]
    {
        let shapes: [&[i64]; 2] = match equation {
            "bij,bjk->bik" => [&[2, 2, 3], &[2, 3, 2]],
            "ij,ij->i" | "...i,...i->..." => [&[2, 3], &[2, 3]],
            "i,j->ij" => [&[2], &[3]],
            _ => [&[2, 3], &[3, 2]],
        };
        let attributes = [text("equation", equation)];
        let model = if equation.contains(',') {
            pair(12, shapes, "Einsum", &attributes)
        } else {
            single(12, shapes[0], "Einsum", &attributes)
        };
        check(equation, &model);
    }
}

#[test]
fn constant_matrices_in_every_place() {
    let matmul = |x: &[i64], w: &[i64], order: [&str; 2]| {
        let model = Builder::new(13).input("x", x).random("w", w);
        model.node("MatMul", &order, &["y"], &[]).output("y")
    };
    check("vector weight", &matmul(&[2, 4], &[4], ["x", "w"]));
    check("vector on the left", &matmul(&[4, 2], &[4], ["w", "x"]));
    check("two vectors", &matmul(&[4], &[4], ["x", "w"]));
    check("stack", &matmul(&[2, 3, 4], &[2, 4, 3], ["x", "w"]));
    check("stack on the left", &matmul(&[2, 4, 3], &[2, 3, 4], ["w", "x"]));
    check("one matrix, many tensors", &matmul(&[3, 4], &[2, 4, 3], ["x", "w"]));
    check("a stack of one", &matmul(&[2, 3, 4], &[1, 4, 3], ["x", "w"]));
}

#[test]
fn reductions() {
    for (op, opset) in [
        ("ReduceL1", 18),
        ("ReduceL2", 18),
        ("ReduceMax", 18),
        ("ReduceMin", 18),
        ("ReduceMean", 18),
        ("ReduceSum", 13),
        ("ReduceSumSquare", 18),
        ("ReduceLogSumExp", 18),
        ("ReduceProd", 18),
    ] {
        for axes in [&[0, 2][..], &[1], &[-1, 1, 0]] {
            let model = Builder::new(opset).input("x", &[2, 3, 4]).integers("a", axes);
            let model = model.node(op, &["x", "a"], &["y"], &[int("keepdims", 0)]).output("y");
            check(&format!("{op} {axes:?}"), &model);
        }
        let empty = single(opset, &[2, 3], op, &[int("noop_with_empty_axes", 1)]);
        check(&format!("{op} of nothing"), &empty);
    }
    check_positive("ReduceLogSum", &single(18, &[2, 3], "ReduceLogSum", &[]));
    check("LpNormalization", &single(22, &[2, 3, 4], "LpNormalization", &[int("axis", 1)]));
    check("GlobalLpPool", &single(21, &[1, 2, 3, 4], "GlobalLpPool", &[]));
    let pool = [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 1]), int("p", 2)];
    check("LpPool", &single(22, &[1, 2, 4, 5], "LpPool", &pool));
    let model = Builder::new(14).input("x", &[2, 4]).integers("a", &[1]);
    let flags = [int("exclusive", 1), int("reverse", 1)];
    check("CumSum", &model.node("CumSum", &["x", "a"], &["y"], &flags).output("y"));
}

#[test]
fn places() {
    for flags in [
        &[int("axis", 1)][..],
        &[int("axis", 0), int("keepdims", 0)],
        &[int("axis", -1), int("select_last_index", 1)],
    ] {
        check("ArgMax", &single(13, &[3, 4], "ArgMax", flags));
        check("ArgMin", &single(13, &[3, 4], "ArgMin", flags));
    }
    check("Hardmax", &single(13, &[3, 4], "Hardmax", &[]));
    let mut ties = Builder::new(13).input("x", &[1, 3]).reals("z", &[1, 3], &[0.0; 3]);
    ties = ties.node("Mul", &["x", "z"], &["t"], &[]).node(
        "ArgMax",
        &["t"],
        &["y"],
        &[int("axis", 1)],
    );
    check("ties go to the first", &ties.output("y"));
    let mut lookup = Builder::new(13).input("i", &[2, 2]).random("table", &[5, 3]);
    let ty = lookup.graph().input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
    ty.elem_type = DataType::Int64 as i32;
    let lookup = lookup.node("Gather", &["table", "i"], &["y"], &[]).output("y");
    check_at("Gather", &lookup, |_| (0.0, 2.0));
}

#[test]
fn normalizations() {
    let model = |op: &str, opset: i64, shape: &[i64], size: i64, attributes: &[AttributeProto]| {
        let model = Builder::new(opset).input("x", shape).random("s", &[size]).random("b", &[size]);
        model.node(op, &["x", "s", "b"], &["y"], attributes).output("y")
    };
    check("LayerNormalization", &model("LayerNormalization", 17, &[2, 3, 4], 4, &[]));
    check("InstanceNormalization", &model("InstanceNormalization", 22, &[2, 3, 4], 3, &[]));
    check(
        "GroupNormalization",
        &model("GroupNormalization", 21, &[2, 4, 3], 4, &[int("num_groups", 2)]),
    );
    check(
        "MeanVarianceNormalization",
        &single(13, &[2, 3, 4, 2], "MeanVarianceNormalization", &[]),
    );
    check("LRN", &single(13, &[1, 5, 2, 2], "LRN", &[int("size", 3), float("alpha", 0.5)]));
    check("LogSoftmax", &single(13, &[2, 4], "LogSoftmax", &[int("axis", 1)]));
}

#[test]
fn forms_of_convolutions_and_pools() {
    let conv = |op: &str, shape: &[i64], w: &[i64], bias: i64, attributes: &[AttributeProto]| {
        let model = Builder::new(22).input("x", shape).random("w", w).random("b", &[bias]);
        model.node(op, &["x", "w", "b"], &["y"], attributes).output("y")
    };
    let pads = [ints("pads", &[1, 0, 1, 0, 1, 1]), ints("strides", &[2, 1, 1])];
    check("Conv 3-D", &conv("Conv", &[1, 2, 4, 3, 3], &[3, 2, 2, 2, 3], 3, &pads));
    check(
        "Conv 3-D groups",
        &conv("Conv", &[2, 2, 3, 3, 3], &[4, 1, 2, 2, 2], 4, &[int("group", 2)]),
    );
    let volume = &[1, 2, 4, 4, 3];
    let kernel = || ints("kernel_shape", &[2, 3, 2]);
    check("MaxPool 3-D", &single(22, volume, "MaxPool", &[kernel()]));
    check(
        "AveragePool 3-D",
        &single(22, volume, "AveragePool", &[kernel(), ints("pads", &[1, 1, 0, 0, 1, 1])]),
    );
    check("ReduceMax over pixels", &single(22, volume, "GlobalMaxPool", &[]));
    for attributes in [
        &[][..],
        &[ints("strides", &[2, 3])],
        &[ints("strides", &[2, 2]), ints("pads", &[1, 0, 1, 2]), ints("output_padding", &[1, 1])],
        &[ints("dilations", &[2, 1]), ints("strides", &[3, 1])],
        &[ints("strides", &[2, 2]), text("auto_pad", "SAME_UPPER")],
        &[ints("strides", &[3, 2]), ints("output_shape", &[10, 8])],
    ] {
        let model = conv("ConvTranspose", &[2, 2, 3, 4], &[2, 3, 3, 2], 3, attributes);
        check("ConvTranspose", &model);
    }
    check(
        "ConvTranspose groups",
        &conv(
            "ConvTranspose",
            &[1, 4, 3, 3],
            &[4, 2, 2, 2],
            4,
            &[int("group", 2), ints("strides", &[2, 2])],
        ),
    );
    check(
        "ConvTranspose 1-D",
        &conv("ConvTranspose", &[1, 2, 5], &[2, 3, 3], 3, &[ints("strides", &[2])]),
    );
}

#[test]
fn movement() {
    let blocks = [int("blocksize", 2)];
    check("DepthToSpace", &single(13, &[1, 8, 2, 3], "DepthToSpace", &blocks));
    let columns = [int("blocksize", 2), text("mode", "CRD")];
    check("DepthToSpace CRD", &single(13, &[1, 8, 2, 3], "DepthToSpace", &columns));
    check("SpaceToDepth", &single(13, &[1, 2, 4, 6], "SpaceToDepth", &blocks));
    let with = |op: &str, constants: &[(&str, &[i64])], attributes: &[AttributeProto]| {
        let mut model = Builder::new(18).input("x", &[2, 3, 4, 5]);
        let mut operands = vec!["x"];
        for (name, data) in constants {
            model = model.integers(name, data);
            operands.push(name);
        }
        model.node(op, &operands, &["y"], attributes).output("y")
    };
    check("Tile", &with("Tile", &[("r", &[1, 2, 1, 3])], &[]));
    let backwards: [(&str, &[i64]); 4] =
        [("s", &[-1, 4]), ("e", &[-100, 0]), ("a", &[2, 3]), ("t", &[-1, -2])];
    check("Slice backwards", &with("Slice", &backwards, &[]));
    for mode in ["reflect", "edge", "wrap"] {
        let pads: [(&str, &[i64]); 1] = [("p", &[0, 1, 2, 1, 1, 0, 1, 3])];
        let mut model = with("Pad", &pads, &[text("mode", mode)]);
        model.proto.opset_import[0].version = 19;
        check(&format!("Pad {mode}"), &model);
    }
    let pads = Builder::new(18).input("x", &[2, 3, 4]).integers("p", &[1, 0, -1, 2, 1, 3]);
    let pads = pads.reals("v", &[], &[0.7]).node("Pad", &["x", "p", "v"], &["y"], &[]);
    check("Pad with a constant", &pads.output("y"));
    let joined = Builder::new(13).input("x", &[2, 3]).input("z", &[2, 1]).random("c", &[2, 2]);
    let joined = joined.node("Concat", &["x", "c", "z"], &["y"], &[int("axis", 1)]);
    check("Concat with a constant", &joined.output("y"));
    let rows = Builder::new(13).input("x", &[2, 3]).input("z", &[4, 3]);
    check(
        "Concat of rows",
        &rows.node("Concat", &["x", "z"], &["y"], &[int("axis", 0)]).output("y"),
    );
    // A residual with channels of zeros is a part of the sum, whichever comes first.
    for (name, [a, b]) in [("Sum and zeros", ["c", "p"]), ("Zeros and sum", ["p", "c"])] {
        let model = Builder::new(13).input("x", &[1, 3, 4, 5]).random("w", &[5, 3, 1, 1]);
        let model = model.reals("zeros", &[1, 2, 4, 5], &[0.0; 40]);
        let model = model.node("Concat", &["x", "zeros"], &["p"], &[int("axis", 1)]);
        let model = model.node("Conv", &["x", "w"], &["c"], &[]);
        let model = model.node("Add", &[a, b], &["s"], &[]).node("Relu", &["s"], &["y"], &[]);
        let model = model.output("y");
        check(name, &model);
        assert_eq!(Graph::from_onnx_bytes(&model.bytes()).unwrap().nodes().len(), 1, "{name}");
    }
    let trilu = single(14, &[3, 4], "Trilu", &[int("upper", 0)]);
    check("Trilu", &trilu);
    let scatter = Builder::new(18).input("x", &[3, 3]).input("u", &[2, 3]);
    let scatter = scatter.ints_shaped("i", &[2, 3], &[1, 0, 2, 0, 2, 1]);
    let scatter = scatter.node("ScatterElements", &["x", "i", "u"], &["y"], &[]);
    check("ScatterElements", &scatter.output("y"));
    let nd =
        Builder::new(18).input("x", &[4, 2]).input("u", &[2, 2]).ints_shaped("i", &[2, 1], &[3, 1]);
    check("ScatterND", &nd.node("ScatterND", &["x", "i", "u"], &["y"], &[]).output("y"));
    let gather = Builder::new(13).input("x", &[3, 4]).ints_shaped("i", &[2, 2], &[0, 1, 2, -1]);
    check("GatherND", &gather.node("GatherND", &["x", "i"], &["y"], &[]).output("y"));
    let elements = Builder::new(13).input("x", &[3, 4]).ints_shaped("i", &[2, 2], &[0, 1, 2, -1]);
    check("GatherElements", &elements.node("GatherElements", &["x", "i"], &["y"], &[]).output("y"));
}

#[test]
fn resampling() {
    let resize = |scales: &[f32], attributes: &[AttributeProto]| {
        let model = Builder::new(19).input("x", &[1, 2, 4, 5]).reals("s", &[4], scales);
        model.node("Resize", &["x", "", "s"], &["y"], attributes).output("y")
    };
    for mode in ["nearest", "linear", "cubic"] {
        for transformation in ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"] {
            for scales in [[1.0, 1.0, 2.0, 3.0], [1.0, 1.0, 0.5, 0.6]] {
                let attributes =
                    [text("mode", mode), text("coordinate_transformation_mode", transformation)];
                check(
                    &format!("{mode} {transformation} {scales:?}"),
                    &resize(&scales, &attributes),
                );
            }
        }
    }
    let excluded = [text("mode", "cubic"), int("exclude_outside", 1), float("cubic_coeff_a", -0.5)];
    check("cubic excluded", &resize(&[1.0, 1.0, 1.5, 0.8], &excluded));
    for rounding in ["floor", "ceil", "round_prefer_ceil", "round_prefer_floor"] {
        let attributes = [text("mode", "nearest"), text("nearest_mode", rounding)];
        check(rounding, &resize(&[1.0, 1.0, 1.5, 0.6], &attributes));
    }
    let sized = Builder::new(19).input("x", &[1, 2, 4, 5]).integers("n", &[1, 2, 7, 3]);
    let sized = sized.node("Resize", &["x", "", "", "n"], &["y"], &[text("mode", "linear")]);
    check("sizes", &sized.output("y"));
    let upsample =
        Builder::new(9).input("x", &[1, 2, 2, 3]).reals("s", &[4], &[1.0, 1.0, 2.0, 2.0]);
    check("Upsample", &upsample.node("Upsample", &["x", "s"], &["y"], &[]).output("y"));
}

#[test]
fn choices() {
    for op in ["Greater", "Less", "GreaterOrEqual", "LessOrEqual"] {
        let model = pair(16, [&[2, 3], &[3]], op, &[]);
        check(op, &model.node("Cast", &["y"], &["f"], &[int("to", 1)]).output("f"));
    }
    let gate = pair(16, [&[2, 3], &[3]], "Greater", &[]).node("Less", &["x", "z"], &["l"], &[]);
    for op in ["And", "Or", "Xor"] {
        check(op, &gate.clone().node(op, &["y", "l"], &["g"], &[]).output("g"));
    }
    let not = gate.clone().node("Not", &["y"], &["n"], &[]).output("n");
    check("Not", &not);
    check("Where", &gate.node("Where", &["y", "x", "z"], &["w"], &[]).output("w"));
    let masked = Builder::new(16).input("x", &[2, 3]).reals("m", &[], &[-1e4]);
    let masked = masked.ints_shaped("i", &[2, 3], &[1, 0, 1, 0, 0, 1]);
    let masked = masked.node("Cast", &["i"], &["c"], &[int("to", 9)]);
    let masked = masked.node("Where", &["c", "x", "m"], &["w"], &[]);
    check("Where with constants", &masked.node("Relu", &["w"], &["y"], &[]).output("y"));
    let modulo = Builder::new(13).input("x", &[2, 3]).reals("d", &[], &[0.3]);
    check("Mod", &modulo.node("Mod", &["x", "d"], &["y"], &[int("fmod", 1)]).output("y"));
}

#[test]
fn recurrent_cells() {
    for (op, gates) in [("RNN", 1), ("GRU", 3), ("LSTM", 4)] {
        for direction in ["forward", "reverse", "bidirectional"] {
            let directions = if direction == "bidirectional" { 2 } else { 1 };
            let hidden = 3;
            let model =
                Builder::new(22).input("x", &[3, 2, 4]).input("h", &[directions, 2, hidden]);
            let model = model.random("w", &[directions, gates * hidden, 4]);
            let model = model.random("r", &[directions, gates * hidden, hidden]);
            let model = model.random("b", &[directions, 2 * gates * hidden]);
            let attributes = [int("hidden_size", hidden), text("direction", direction)];
            let model = model.node(op, &["x", "w", "r", "b", "", "h"], &["y", "last"], &attributes);
            check(&format!("{op} {direction}"), &model.output("y").output("last"));
        }
    }
    let gru =
        Builder::new(22).input("x", &[2, 1, 3]).random("w", &[1, 6, 3]).random("r", &[1, 6, 2]);
    let attributes = [int("hidden_size", 2), int("linear_before_reset", 1)];
    let gru = gru.random("b", &[1, 12]).node("GRU", &["x", "w", "r", "b"], &["y"], &attributes);
    check("GRU reset after the product", &gru.output("y"));
    let lstm =
        Builder::new(22).input("x", &[2, 1, 3]).random("w", &[1, 8, 3]).random("r", &[1, 8, 2]);
    let lstm = lstm.random("b", &[1, 16]).random("p", &[1, 6]);
    let operands = ["x", "w", "r", "b", "", "", "", "p"];
    let outputs = ["y", "h", "c"];
    let lstm = lstm.node("LSTM", &operands, &outputs, &[int("hidden_size", 2)]);
    check("LSTM with peepholes", &lstm.output("y").output("c"));
}

#[test]
fn attention() {
    let model = |opset: i64, shapes: [&[i64]; 3], attributes: &[AttributeProto]| {
        let model = Builder::new(opset).input("q", shapes[0]).input("k", shapes[1]);
        let model = model.input("v", shapes[2]);
        model.node("Attention", &["q", "k", "v"], &["y"], attributes).output("y")
    };
    let heads: &[i64] = &[1, 2, 3, 4];
    check("attention", &model(23, [heads, heads, heads], &[]));
    check("causal", &model(23, [heads, heads, heads], &[int("is_causal", 1)]));
    check("softcap", &model(23, [heads, heads, heads], &[float("softcap", 2.0)]));
    check("grouped", &model(23, [heads, &[1, 1, 3, 4], &[1, 1, 3, 4]], &[]));
    let flat = [int("q_num_heads", 2), int("kv_num_heads", 2)];
    check("flat", &model(23, [&[1, 3, 8], &[1, 4, 8], &[1, 4, 8]], &flat));
    let rotary =
        Builder::new(23).input("x", &[1, 2, 3, 4]).random("c", &[1, 3, 2]).random("s", &[1, 3, 2]);
    check(
        "RotaryEmbedding",
        &rotary.node("RotaryEmbedding", &["x", "c", "s"], &["y"], &[]).output("y"),
    );
}

#[test]
fn pipelines() {
    let learned = |op: &str, outputs: &[&str], attributes: &[AttributeProto]| {
        let mut model = Builder::new(17).input("x", &[1, 3]).node(op, &["x"], outputs, attributes);
        model.graph().node[0].domain = "ai.onnx.ml".to_owned();
        model.proto.opset_import.push(support::onnx::proto::OperatorSetIdProto {
            domain: "ai.onnx.ml".to_owned(),
            version: 1,
        });
        outputs.iter().fold(model, |model, output| model.output(output))
    };
    let numbers = |name: &str, values: &[f32]| AttributeProto {
        floats: values.to_vec(),
        r#type: support::onnx::proto::AttributeType::Floats as i32,
        name: name.to_owned(),
        ..AttributeProto::default()
    };
    let scaler = [numbers("offset", &[0.1, -0.2, 0.3]), numbers("scale", &[2.0, 0.5, 1.0])];
    check("Scaler", &learned("Scaler", &["y"], &scaler));
    for norm in ["MAX", "L1", "L2"] {
        check_positive(norm, &learned("Normalizer", &["y"], &[text("norm", norm)]));
    }
    check("Binarizer", &learned("Binarizer", &["y"], &[float("threshold", 0.1)]));
    let weights = [
        numbers("coefficients", &[0.5, -1.0, 0.25, 1.0, 0.0, -0.5]),
        numbers("intercepts", &[0.1, -0.1]),
    ];
    let regressor = [&weights[..], &[int("targets", 2)]].concat();
    check("LinearRegressor", &learned("LinearRegressor", &["y"], &regressor));
    let labels = [ints("classlabels_ints", &[7, 3]), text("post_transform", "SOFTMAX")];
    let classifier = [&weights[..], &labels].concat();
    check("LinearClassifier", &learned("LinearClassifier", &["label", "scores"], &classifier));
}

/// Exporters multiply the sizes of a tensor, and a scalar has none.
#[test]
fn a_scalar_has_one_element() {
    let flat = || int("keepdims", 0);
    let model = Builder::new(13).input("x", &[2, 3]).node("ReduceSum", &["x"], &["s"], &[flat()]);
    let model = model.node("Shape", &["s"], &["sizes"], &[]);
    let model = model.node("ReduceProd", &["sizes"], &["count"], &[int("keepdims", 1)]);
    let model = model.node("Reshape", &["s", "count"], &["y"], &[]).output("y");
    let graph = Graph::from_onnx_bytes(&model.bytes()).unwrap();
    assert_eq!(graph.outputs()[0].shape, [1]);
}
