//! Every operation, in small ONNX files: the real execution against onnxruntime's, the integer one
//! against the real one within a derived bound, and the rules that the circuits rely on.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a test may panic, and its numbers are small"
)]

mod support;

use ndarray::{ArrayD, IxDyn};
use support::bound;
use support::onnx::proto::AttributeProto;
use support::onnx::{Builder, float, int, ints, noise, text};
use support::{empty, recorded, rules};
use zkinfer_models::{Calibration, Graph, QuantizeOptions, execute, quantize, quantize_inputs};

fn inputs(graph: &Graph) -> Vec<ArrayD<f32>> {
    let input = |spec: &zkinfer_models::TensorSpec| {
        ArrayD::from_shape_vec(IxDyn(&spec.shape), noise(&spec.name, spec.len())).unwrap()
    };
    graph.inputs().into_iter().map(input).collect()
}

/// The float execution against the recorded one of onnxruntime, then the integers.
fn check(name: &str, model: &Builder) -> Graph {
    empty::end_in_a_graph_or_a_reason(model);
    let graph = Graph::from_onnx_bytes(&model.bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
    let inputs = inputs(&graph);
    let floats = graph.run_float(&inputs).unwrap();
    for (ours, theirs) in floats.iter().zip(recorded::outputs(name, &model.bytes(), &inputs)) {
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "{name}: {a}, onnxruntime has {b}");
        }
    }
    check_integers(name, &graph, &inputs);
    graph
}

fn check_integers(name: &str, graph: &Graph, inputs: &[ArrayD<f32>]) {
    let calibration = Calibration::from_samples(graph, &[inputs.to_vec()]).unwrap();
    let options = QuantizeOptions::default();
    let quantized = quantize(graph, &calibration, &options).unwrap();
    let execution = execute(&quantized, &quantize_inputs(&quantized, inputs).unwrap()).unwrap();
    rules::check(&quantized, &options, &execution);
    let trace = graph.trace_float(inputs).unwrap();
    let errors = bound::errors(graph, &quantized, &trace);
    for (id, tensor) in quantized.tensors.iter().enumerate() {
        for (&integer, &real) in execution.values[id].iter().zip(&trace.values[id]) {
            let error = (integer as f64 * tensor.scale - real).abs();
            assert!(
                error <= errors[id] * 1.001 + 1e-9,
                "{name}: `{}` is {error} off, bound {}",
                tensor.name,
                errors[id]
            );
        }
    }
}

fn single(opset: i64, shape: &[i64], op: &str, attributes: &[AttributeProto]) -> Builder {
    Builder::new(opset).input("x", shape).node(op, &["x"], &["y"], attributes).output("y")
}

#[test]
fn dense_layers() {
    let gemm = |shape: &[i64], w: &[i64], attributes: &[AttributeProto], bias: &[i64]| {
        let model = Builder::new(13).input("x", shape).random("w", w).random("c", bias);
        model.node("Gemm", &["x", "w", "c"], &["y"], attributes).output("y")
    };
    check("gemm", &gemm(&[1, 8], &[8, 5], &[], &[5]));
    check("gemm transB", &gemm(&[1, 8], &[5, 8], &[int("transB", 1)], &[5]));
    check("gemm scaled", &gemm(&[1, 8], &[8, 5], &[float("alpha", 0.5), float("beta", 2.0)], &[1]));
    check("gemm rows", &gemm(&[3, 8], &[8, 5], &[], &[3, 1]));
    check("gemm transA", &gemm(&[8, 3], &[8, 5], &[int("transA", 1)], &[3, 5]));
    let left = |attributes: &[AttributeProto], w: &[i64], x: &[i64]| {
        let model = Builder::new(13).input("x", x).random("w", w);
        model.node("Gemm", &["w", "x"], &["y"], attributes).output("y")
    };
    check("constant · x", &left(&[], &[4, 6], &[6, 3]));
    check("constant' · x'", &left(&[int("transA", 1), int("transB", 1)], &[6, 4], &[3, 6]));
    let matmul = |x: &[i64], w: &[i64], order: &[&str]| {
        let model = Builder::new(13).input("x", x).random("w", w);
        model.node("MatMul", order, &["y"], &[]).output("y")
    };
    check("matmul", &matmul(&[1, 2, 3, 6], &[6, 4], &["x", "w"]));
    check("matmul vector", &matmul(&[6], &[6, 4], &["x", "w"]));
    check("matmul left", &matmul(&[2, 6, 3], &[4, 6], &["w", "x"]));
    let biased = Builder::new(13).input("x", &[1, 6]).random("w", &[6, 4]).random("b", &[4]);
    let biased = biased.node("MatMul", &["x", "w"], &["p"], &[]);
    let biased = biased.node("Add", &["b", "p"], &["s"], &[]).node("Relu", &["s"], &["y"], &[]);
    assert_eq!(check("matmul + bias, relu", &biased.output("y")).nodes().len(), 1);
}

#[test]
fn convolutions() {
    let conv = |shape: &[i64], w: &[i64], attributes: &[AttributeProto]| {
        let model = Builder::new(13).input("x", shape).random("w", w).random("b", &w[..1]);
        model.node("Conv", &["x", "w", "b"], &["y"], attributes).output("y")
    };
    let image = &[1, 4, 7, 6];
    check("plain", &conv(image, &[3, 4, 3, 2], &[]));
    let strided = [ints("strides", &[2, 1]), ints("pads", &[1, 0, 2, 1])];
    check("stride, asymmetric pads", &conv(image, &[3, 4, 3, 2], &strided));
    check("dilation", &conv(image, &[3, 4, 2, 2], &[ints("dilations", &[3, 2])]));
    check("groups", &conv(image, &[6, 2, 3, 3], &[int("group", 2)]));
    check("depthwise", &conv(image, &[4, 1, 3, 3], &[int("group", 4), ints("pads", &[1; 4])]));
    for pad in ["SAME_UPPER", "SAME_LOWER", "VALID"] {
        let attributes = [text("auto_pad", pad), ints("strides", &[2, 2])];
        check(pad, &conv(image, &[2, 4, 3, 2], &attributes));
    }
    check(
        "one dimension",
        &conv(&[1, 3, 9], &[2, 3, 3], &[ints("pads", &[1, 1]), ints("strides", &[2])]),
    );
    check("batch of two", &conv(&[2, 2, 5, 5], &[4, 1, 3, 3], &[int("group", 2)]));
}

#[test]
fn activations() {
    for op in [
        "Relu",
        "LeakyRelu",
        "Sigmoid",
        "Tanh",
        "HardSigmoid",
        "Elu",
        "Selu",
        "Softplus",
        "Softsign",
        "Exp",
        "Abs",
        "Erf",
    ] {
        check(op, &single(13, &[1, 40], op, &[]));
    }
    check("HardSwish", &single(14, &[1, 40], "HardSwish", &[]));
    check("leaky 0.3", &single(13, &[1, 40], "LeakyRelu", &[float("alpha", 0.3)]));
    check(
        "clip attributes",
        &single(10, &[1, 40], "Clip", &[float("min", -0.2), float("max", 0.4)]),
    );
    let clip = |min: f32, max: f32| {
        let model = Builder::new(13).input("x", &[1, 40]).reals("lo", &[], &[min]);
        model.reals("hi", &[], &[max]).node("Clip", &["x", "lo", "hi"], &["y"], &[]).output("y")
    };
    check("clip below 0", &clip(-0.5, 0.25));
    check("clip at 0", &clip(0.0, 0.5));
    check("clip far", &clip(0.0, 6.0));
    let prelu = Builder::new(13).input("x", &[1, 40]).reals("a", &[1], &[0.2]);
    check("PRelu", &prelu.node("PRelu", &["x", "a"], &["y"], &[]).output("y"));
    let silu = Builder::new(13).input("x", &[1, 40]).node("Sigmoid", &["x"], &["s"], &[]);
    let silu = silu.node("Mul", &["x", "s"], &["y"], &[]).output("y");
    assert_eq!(check("x·sigmoid(x)", &silu).nodes().len(), 1);
    check("Gelu", &single(20, &[1, 40], "Gelu", &[]));
}

#[test]
fn pools() {
    let image = &[1, 2, 7, 6];
    let kernel = || ints("kernel_shape", &[3, 2]);
    check("max", &single(13, image, "MaxPool", &[kernel()]));
    let strided = [kernel(), ints("strides", &[2, 2]), ints("pads", &[1, 0, 1, 1])];
    check("max strided", &single(13, image, "MaxPool", &strided));
    let ceil = [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2]), int("ceil_mode", 1)];
    check("max ceil", &single(13, image, "MaxPool", &ceil));
    check("max 1-D", &single(13, &[1, 2, 9], "MaxPool", &[ints("kernel_shape", &[3])]));
    check("average", &single(13, image, "AveragePool", &[kernel(), ints("strides", &[2, 2])]));
    check("average of what is there", &single(13, image, "AveragePool", &strided));
    let counted = [&strided[..], &[int("count_include_pad", 1)]].concat();
    check("average with padding", &single(13, image, "AveragePool", &counted));
    check("global average", &single(13, image, "GlobalAveragePool", &[]));
    check("global max", &single(13, image, "GlobalMaxPool", &[]));
    check("reduce mean", &single(13, image, "ReduceMean", &[ints("axes", &[2, 3])]));
    let flat = [ints("axes", &[-1]), int("keepdims", 0)];
    check("reduce mean of rows", &single(13, image, "ReduceMean", &flat));
    let dilated = [ints("kernel_shape", &[2, 2]), ints("dilations", &[2, 3])];
    let graph = Graph::from_onnx_bytes(&single(13, image, "MaxPool", &dilated).bytes()).unwrap();
    let input = inputs(&graph).remove(0);
    let output = &graph.run_float(std::slice::from_ref(&input)).unwrap()[0];
    let largest = [[0, 0], [0, 3], [2, 0], [2, 3]]
        .map(|[i, j]| input[[0, 1, 1 + i, 2 + j]])
        .into_iter()
        .fold(f32::MIN, f32::max);
    assert_eq!(output[[0, 1, 1, 2]], largest);
}

#[test]
fn relu_after_pool_joins_the_convolution_before_it() {
    let model = Builder::new(13).input("x", &[1, 2, 6, 6]).random("w", &[3, 2, 3, 3]);
    let model = model.node("Conv", &["x", "w"], &["c"], &[]);
    let model = model.node("MaxPool", &["c"], &["p"], &[ints("kernel_shape", &[2, 2])]);
    let model = model.node("Flatten", &["p"], &["f"], &[]).node("Relu", &["f"], &["y"], &[]);
    let graph = check("conv, pool, flatten, relu", &model.output("y"));
    let ops: Vec<&str> = graph.nodes().iter().map(|node| node.name.as_str()).collect();
    assert_eq!(ops.len(), 3, "{ops:?}");
}

#[test]
fn data_movement() {
    let shape = &[1, 4, 3, 6];
    let with =
        |op: &str, opset: i64, constants: &[(&str, &[i64])], attributes: &[AttributeProto]| {
            let mut model = Builder::new(opset).input("x", shape);
            let mut operands = vec!["x"];
            for (name, data) in constants {
                model = model.integers(name, data);
                operands.push(name);
            }
            model.node(op, &operands, &["y"], attributes).output("y")
        };
    check("flatten", &with("Flatten", 13, &[], &[int("axis", 2)]));
    check("reshape", &with("Reshape", 13, &[("s", &[0, -1, 9])], &[]));
    check("transpose", &with("Transpose", 13, &[], &[ints("perm", &[0, 2, 3, 1])]));
    check("reverse", &with("Transpose", 13, &[], &[]));
    check("squeeze", &with("Squeeze", 13, &[("a", &[0])], &[]));
    check("squeeze 11", &with("Squeeze", 11, &[], &[ints("axes", &[0])]));
    check("unsqueeze", &with("Unsqueeze", 13, &[("a", &[0, -1])], &[]));
    check("identity", &with("Identity", 13, &[], &[]));
    check("dropout", &with("Dropout", 12, &[], &[]));
    check("gather", &with("Gather", 13, &[("i", &[2, 0, -1])], &[int("axis", 3)]));
    check(
        "slice",
        &with(
            "Slice",
            13,
            &[("s", &[1, -4]), ("e", &[9, -1]), ("a", &[1, 3]), ("t", &[2, 1])],
            &[],
        ),
    );
    check(
        "slice 9",
        &with("Slice", 9, &[], &[ints("starts", &[1]), ints("ends", &[3]), ints("axes", &[1])]),
    );
    check("expand", &with("Expand", 13, &[("s", &[2, 4, 3, 6])], &[]));
    check("pad", &with("Pad", 13, &[("p", &[0, 0, 1, 0, 0, 0, 2, 3])], &[]));
    let split = Builder::new(13).input("x", shape).integers("s", &[1, 3]);
    let split = split.node("Split", &["x", "s"], &["a", "b"], &[int("axis", 1)]);
    let split = split.node("Concat", &["b", "x", "a"], &["y"], &[int("axis", 1)]);
    check("split, concat", &split.output("y").output("a"));
}

#[test]
fn arithmetic() {
    for op in ["Add", "Sub", "Mul", "Div"] {
        for constant in [&[][..], &[6], &[3, 1], &[1, 4, 1, 1], &[4, 3, 6], &[2, 1, 1, 1]] {
            let model = Builder::new(13).input("x", &[1, 4, 3, 6]).random("c", constant);
            let model = model.node(op, &["x", "c"], &["y"], &[]).output("y");
            // A divisor near zero makes every bound large; shift them all away from it.
            let mut model = model;
            for word in model.graph().initializer[0].raw_data.as_chunks_mut::<4>().0 {
                *word = (f32::from_le_bytes(*word).abs() + 0.5).to_le_bytes();
            }
            check(&format!("{op} by {constant:?}"), &model);
        }
    }
    let reversed = Builder::new(13).input("x", &[1, 5]).random("c", &[5]);
    check("c − x", &reversed.node("Sub", &["c", "x"], &["y"], &[]).output("y"));
    check("neg", &single(13, &[1, 5], "Neg", &[]));
    for op in ["Add", "Sub", "Mul"] {
        for shape in [&[1, 4, 3][..], &[1, 4, 1], &[3], &[1, 1, 1]] {
            let model = Builder::new(13).input("x", &[1, 4, 3]).input("z", shape);
            check(
                &format!("{op} of {shape:?}"),
                &model.node(op, &["x", "z"], &["y"], &[]).output("y"),
            );
        }
    }
    let square = Builder::new(13).input("x", &[1, 9]).node("Mul", &["x", "x"], &["y"], &[]);
    check("square", &square.output("y"));
}

#[test]
fn normalizations_vanish_into_convolutions() {
    let norm = |model: Builder, from: &str, to: &str| {
        let model = model.random("scale", &[3]).random("shift", &[3]).random("mean", &[3]);
        let model = model.reals("var", &[3], &[0.5, 1.0, 2.0]);
        model.node("BatchNormalization", &[from, "scale", "shift", "mean", "var"], &[to], &[])
    };
    let image = || Builder::new(13).input("x", &[1, 3, 5, 5]);
    check("alone", &norm(image(), "x", "y").output("y"));
    let conv = |model: Builder, from: &str, to: &str, pad: i64| {
        let model = model.random("w", &[3, 3, 3, 3]).random("b", &[3]);
        model.node("Conv", &[from, "w", "b"], &[to], &[ints("pads", &[pad; 4])])
    };
    let after = norm(conv(image(), "x", "c", 1), "c", "y").output("y");
    assert_eq!(check("after", &after).nodes().len(), 1);
    let before = conv(norm(image(), "x", "n"), "n", "y", 0).output("y");
    assert_eq!(check("before", &before).nodes().len(), 1);
    let padded = conv(norm(image(), "x", "n"), "n", "y", 1).output("y");
    assert_eq!(check("before, with padding", &padded).nodes().len(), 2);
    let grouped = norm(image(), "x", "n").random("g", &[6, 1, 3, 3]);
    let grouped = grouped.node("Conv", &["n", "g"], &["y"], &[int("group", 3)]).output("y");
    assert_eq!(check("before groups", &grouped).nodes().len(), 1);
}

#[test]
fn residual_blocks_are_one_layer() {
    let model = Builder::new(13).input("x", &[1, 3, 5, 5]).random("w", &[3, 3, 3, 3]);
    let model = model.node("Conv", &["x", "w"], &["c"], &[ints("pads", &[1; 4])]);
    let model = model.node("Add", &["c", "x"], &["s"], &[]).node("Relu", &["s"], &["y"], &[]);
    assert_eq!(check("residual", &model.output("y")).nodes().len(), 1);
    let model = Builder::new(13).input("x", &[1, 3, 5, 5]).random("v", &[2, 3, 1, 1]);
    let model = model.random("w", &[2, 3, 3, 3]).node("Conv", &["x", "v"], &["a"], &[]);
    let model = model.node("Conv", &["x", "w"], &["b"], &[ints("pads", &[1; 4])]);
    let model = model.node("Sub", &["a", "b"], &["y"], &[]).output("y");
    assert_eq!(check("two branches", &model).nodes().len(), 1);
}

#[test]
fn a_layer_that_is_an_output_too_keeps_its_own_values() {
    let model = Builder::new(13).input("x", &[1, 6]).random("w", &[6, 4]);
    let model = model.node("MatMul", &["x", "w"], &["m"], &[]);
    let model = model.node("Relu", &["m"], &["y"], &[]).output("y").output("m");
    assert_eq!(check("before and after relu", &model).nodes().len(), 2);
}

#[test]
fn softmax_over_any_axis() {
    let dense = |opset| {
        let model = Builder::new(opset).input("x", &[2, 6]).random("w", &[6, 12]);
        let model = model.node("MatMul", &["x", "w"], &["m"], &[]).integers("s", &[2, 3, 4]);
        model.node("Reshape", &["m", "s"], &["r"], &[])
    };
    for axis in [-1, 1, 0] {
        check(
            "softmax",
            &dense(13).node("Softmax", &["r"], &["y"], &[int("axis", axis)]).output("y"),
        );
    }
    let model = dense(11).node("Softmax", &["r"], &["y"], &[]).output("y");
    let graph = Graph::from_onnx_bytes(&model.bytes()).unwrap();
    let output = &graph.run_float(&inputs(&graph)).unwrap()[0];
    assert!((output.iter().sum::<f32>() - 2.0).abs() < 1e-5, "one group per row of the batch");
    let both = dense(13).node("Softmax", &["r"], &["y"], &[]).output("y").output("r");
    check("logits and probabilities", &both);
    check("of an input", &single(13, &[1, 6], "Softmax", &[]));
}

#[test]
fn shapes_computed_by_nodes_are_folded() {
    let model = Builder::new(13).input("x", &[1, 4, 3, 6]).integers("zero", &[0]);
    let model = model.integers("rest", &[-1]).node("Shape", &["x"], &["shape"], &[]);
    let model = model.node("Gather", &["shape", "zero"], &["batch"], &[int("axis", 0)]);
    let model = model.node("Concat", &["batch", "rest"], &["target"], &[int("axis", 0)]);
    check(
        "x.view(x.size(0), -1)",
        &model.node("Reshape", &["x", "target"], &["y"], &[]).output("y"),
    );
}

#[test]
fn several_inputs_and_outputs_keep_names_and_order() {
    let model = Builder::new(13).input("a", &[1, 4]).input("b", &[1, 4]).random("w", &[4, 2]);
    let model = model.node("Add", &["a", "b"], &["sum"], &[]);
    let model = model.node("MatMul", &["sum", "w"], &["product"], &[]);
    let model = model.node("Identity", &["a"], &["copy"], &[]);
    let model = model.output("product").output("copy").output("sum");
    let graph = check("two in, three out", &model);
    let names = |specs: Vec<&zkinfer_models::TensorSpec>| -> Vec<String> {
        specs.into_iter().map(|spec| spec.name.clone()).collect()
    };
    assert_eq!(names(graph.inputs()), ["a", "b"]);
    assert_eq!(names(graph.outputs()), ["product", "copy", "sum"]);
}

#[test]
fn an_open_batch_dimension_is_one() {
    let graph = Graph::from_onnx_bytes(&single(13, &[-1, 4], "Relu", &[]).bytes()).unwrap();
    assert_eq!(graph.inputs()[0].shape, [1, 4]);
}
