//! Operations of the newest sets and of other domains, in small ONNX files: against onnxruntime
//! where it has them, against the standard's own formula where it does not.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and its numbers are small"
)]

mod support;

use support::near::{array, check, graph, is_near, noises};
use support::onnx::proto::{AttributeProto, AttributeType, DataType, GraphProto};
use support::onnx::{Builder, float, floats, int, ints, noise, text, value_info};
use zkinfer_models::Graph;

const MICROSOFT: &str = "com.microsoft";

fn single(opset: i64, shape: &[i64], op: &str, attributes: &[AttributeProto]) -> Builder {
    Builder::new(opset).input("x", shape).node(op, &["x"], &["y"], attributes).output("y")
}

#[test]
fn images_at_places_between_pixels() {
    let grid = [-1.3, -0.9, -0.2, 0.1, 0.45, 0.8, 1.0, 1.4, 0.3, -1.0, 0.0, 0.6];
    for mode in ["linear", "nearest", "cubic"] {
        for padding in ["zeros", "border", "reflection"] {
            for corners in [0, 1] {
                let attributes = [
                    text("mode", mode),
                    text("padding_mode", padding),
                    int("align_corners", corners),
                ];
                let model =
                    Builder::new(20).input("x", &[1, 2, 4, 3]).reals("g", &[1, 2, 3, 2], &grid);
                let model = model.node("GridSample", &["x", "g"], &["y"], &attributes).output("y");
                if (mode, padding) == ("cubic", "border") {
                    let refused = Graph::from_onnx_bytes(&model.bytes()).unwrap_err().to_string();
                    assert!(refused.contains("cubic samples beyond a border"), "{refused}");
                    continue;
                }
                check(&format!("GridSample {mode} {padding} {corners}"), &model);
            }
        }
    }
    for corners in [0, 1] {
        let model = Builder::new(20).input("x", &[1, 2, 3]).integers("s", &[1, 1, 3, 4]);
        let attributes = [int("align_corners", corners)];
        let model = model.node("AffineGrid", &["x", "s"], &["y"], &attributes);
        check(&format!("AffineGrid {corners}"), &model.output("y"));
    }
    for mode in ["half_pixel", "output_half_pixel"] {
        let regions = [0.0, 0.0, 3.0, 3.0, 0.5, 1.0, 2.5, 3.5];
        let model = Builder::new(16).input("x", &[1, 2, 5, 4]).reals("r", &[2, 4], &regions);
        let model = model.integers("b", &[0, 0]);
        let attributes = [
            int("output_height", 2),
            int("output_width", 2),
            int("sampling_ratio", 2),
            text("coordinate_transformation_mode", mode),
        ];
        let model = model.node("RoiAlign", &["x", "r", "b"], &["y"], &attributes);
        check(&format!("RoiAlign {mode}"), &model.output("y"));
    }
}

#[test]
fn resized_images() {
    for mode in ["linear", "cubic"] {
        let model = Builder::new(18).input("x", &[1, 1, 6, 7]).reals("e", &[0], &[]);
        let model = model.reals("s", &[4], &[1.0, 1.0, 0.5, 0.6]);
        let attributes = [text("mode", mode), int("antialias", 1)];
        let model = model.node("Resize", &["x", "e", "s"], &["y"], &attributes);
        check(&format!("antialias {mode}"), &model.output("y"));
    }
    let region = [0.0, 0.0, 0.2, -0.2, 1.0, 1.0, 0.7, 0.9];
    for mode in ["linear", "nearest"] {
        let model = Builder::new(13).input("x", &[1, 1, 5, 6]).reals("r", &[8], &region);
        let model = model.reals("s", &[0], &[]).integers("n", &[1, 1, 4, 3]);
        let attributes = [
            text("mode", mode),
            text("coordinate_transformation_mode", "tf_crop_and_resize"),
            float("extrapolation_value", 0.5),
        ];
        let model = model.node("Resize", &["x", "r", "s", "n"], &["y"], &attributes);
        check(&format!("cropped {mode}"), &model.output("y"));
    }
}

#[test]
fn spectra() {
    for (name, shape, inverse, onesided) in [
        ("real", &[1, 8, 1][..], 0, 0),
        ("complex", &[1, 5, 2], 0, 0),
        ("inverse", &[1, 6, 2], 1, 0),
        ("one side", &[1, 7, 1], 0, 1),
    ] {
        let attributes = [int("inverse", inverse), int("onesided", onesided)];
        check(&format!("DFT {name}"), &single(20, shape, "DFT", &attributes));
    }
    let model = Builder::new(17).input("x", &[1, 16, 1]).ints_shaped("s", &[], &[4]);
    let model = model.ints_shaped("n", &[], &[8]);
    let model = model.node("HannWindow", &["n"], &["w"], &[]);
    check("STFT", &model.node("STFT", &["x", "s", "w"], &["y"], &[]).output("y"));
}

/// A half spectrum of a real signal gives the signal back.
#[test]
fn a_half_spectrum_becomes_its_signal() {
    for size in [6_i64, 7] {
        let model = Builder::new(20).input("x", &[1, size, 1]).ints_shaped("n", &[], &[size]);
        let model = model.node("DFT", &["x"], &["half"], &[int("onesided", 1)]);
        let both = [int("onesided", 1), int("inverse", 1)];
        let model = model.node("DFT", &["half", "n"], &["y"], &both).output("y");
        let graph = graph("half", &model);
        let inputs = noises(&graph);
        let signal = inputs[0].iter().copied().collect();
        is_near(&format!("half of {size}"), &graph, &inputs, &[signal], 0.02);
    }
}

#[test]
fn the_largest_elements_and_their_places() {
    let model = |opset: i64, shape: &[i64], attributes: &[AttributeProto]| {
        let model = Builder::new(opset).input("x", shape).integers("k", &[3]);
        let model = model.node("TopK", &["x", "k"], &["y", "i"], attributes);
        model.output("y").output("i")
    };
    check("TopK", &model(11, &[2, 7], &[]));
    check("smallest", &model(11, &[2, 7], &[int("largest", 0)]));
    check("first axis", &model(11, &[6, 2], &[int("axis", 0)]));
    check("one after the other", &model(10, &[3, 5], &[]));
    // Equal elements come in the order of their places.
    let graph = graph("ties", &model(11, &[1, 6], &[]));
    let inputs = [array(&[1, 6], vec![0.5, -1.0, 0.5, 0.25, 0.5, -1.0])];
    let expected = [vec![0.5, 0.5, 0.5], vec![0.0, 2.0, 4.0]];
    is_near("ties", &graph, &inputs, &expected, 0.001);
}

#[test]
fn sums_and_products_along_an_axis() {
    check("Det", &single(22, &[2, 3, 3], "Det", &[]));
    let x = noise("x", 6);
    for (exclusive, reverse) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let model = Builder::new(26).input("x", &[1, 6]).ints_shaped("a", &[], &[1]);
        let attributes = [int("exclusive", exclusive), int("reverse", reverse)];
        let model = model.node("CumProd", &["x", "a"], &["y"], &attributes).output("y");
        let factors = |place: usize| -> Vec<usize> {
            let (from, to) = if reverse == 1 { (place, 6) } else { (0, place + 1) };
            (from..to).filter(|&at| exclusive == 0 || at != place).collect()
        };
        let product = |place: usize| factors(place).iter().map(|&at| x[at]).product();
        let expected = (0..6).map(product).collect();
        let graph = graph("CumProd", &model);
        is_near("CumProd", &graph, &[array(&[1, 6], x.clone())], &[expected], 0.02);
    }
}

#[test]
fn updates_at_places_that_may_be_named_twice() {
    for reduction in ["add", "mul", "max", "min"] {
        let model = Builder::new(18).input("x", &[2, 4]).input("z", &[2, 3]);
        let model = model.ints_shaped("i", &[2, 3], &[0, 2, 0, 3, 3, 1]);
        let attributes = [int("axis", 1), text("reduction", reduction)];
        let model = model.node("ScatterElements", &["x", "i", "z"], &["y"], &attributes);
        check(&format!("ScatterElements {reduction}"), &model.output("y"));
        let model = Builder::new(18).input("x", &[3, 2]).input("z", &[3, 2]);
        let model = model.ints_shaped("i", &[3, 1], &[1, 0, 1]);
        let attributes = [text("reduction", reduction)];
        let model = model.node("ScatterND", &["x", "i", "z"], &["y"], &attributes);
        check(&format!("ScatterND {reduction}"), &model.output("y"));
    }
    let model = Builder::new(18).input("x", &[1, 8, 9]).integers("i", &[4, 4]);
    let model = model.integers("b", &[2, 2]);
    check("Col2Im", &model.node("Col2Im", &["x", "i", "b"], &["y"], &[]).output("y"));
    let model = Builder::new(18).input("x", &[1, 4, 9]).integers("i", &[5, 5]);
    let model = model.integers("b", &[2, 2]);
    let attributes = [ints("pads", &[1; 4]), ints("strides", &[2, 2]), ints("dilations", &[2, 2])];
    check("Col2Im, pads", &model.node("Col2Im", &["x", "i", "b"], &["y"], &attributes).output("y"));
    let model = Builder::new(11).input("x", &[1, 1, 2, 2]);
    let model = model.ints_shaped("i", &[1, 1, 2, 2], &[5, 7, 8, 15]);
    let attributes = [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
    check("MaxUnpool", &model.node("MaxUnpool", &["x", "i"], &["y"], &attributes).output("y"));
}

#[test]
fn caches_from_a_place_on() {
    let (x, z) = (noise("x", 16), noise("z", 8));
    for (mode, starts) in [("linear", [1_i64, 0]), ("circular", [3, 1])] {
        let model = Builder::new(24).input("x", &[2, 4, 2]).input("z", &[2, 2, 2]);
        let model = model.integers("w", &starts);
        let attributes = [text("mode", mode)];
        let model = model.node("TensorScatter", &["x", "z", "w"], &["y"], &attributes).output("y");
        let mut expected = x.clone();
        for batch in 0..2 {
            for row in 0..2 {
                let at = (usize::try_from(starts[batch]).unwrap() + row) % 4;
                for column in 0..2 {
                    expected[batch * 8 + at * 2 + column] = z[batch * 4 + row * 2 + column];
                }
            }
        }
        let graph = graph(mode, &model);
        is_near(mode, &graph, &noises(&graph), &[expected], 0.01);
    }
}

fn subgraph(name: &str, body: GraphProto) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Graph as i32,
        g: Some(Box::new(body)),
        ..AttributeProto::default()
    }
}

#[test]
fn loops_whose_rounds_are_known() {
    let mut body = Builder::new(17).node("Mul", &["s", "z"], &["t"], &[]);
    body = body.node("Add", &["t", "z"], &["u"], &[]).node("Identity", &["c"], &["d"], &[]);
    let graph = body.graph();
    graph.name = "body".to_owned();
    for name in ["i", "c", "s"] {
        graph.input.push(value_info(name, if name == "s" { &[2] } else { &[] }));
    }
    let kinds = [("i", DataType::Int64), ("c", DataType::Bool)];
    for (input, (_, kind)) in graph.input.iter_mut().zip(kinds) {
        input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().elem_type = kind as i32;
    }
    for (name, kind) in [("d", DataType::Bool), ("u", DataType::Float), ("t", DataType::Float)] {
        graph.output.push(value_info(name, if kind == DataType::Bool { &[] } else { &[2] }));
        let last = graph.output.last_mut().unwrap().r#type.as_mut().unwrap();
        last.tensor_type.as_mut().unwrap().elem_type = kind as i32;
    }
    let body = subgraph("body", graph.clone());
    let model = Builder::new(17).input("x", &[2]).input("z", &[2]).ints_shaped("n", &[], &[3]);
    let model = model.node("Loop", &["n", "", "x"], &["y", "all"], &[body]);
    check("Loop", &model.output("y").output("all"));

    let mut body = Builder::new(17).node("Add", &["s", "e"], &["t"], &[]);
    body = body.node("Mul", &["t", "e"], &["o"], &[]);
    let graph = body.graph();
    graph.name = "body".to_owned();
    graph.input.extend(["s", "e"].map(|name| value_info(name, &[2])));
    graph.output.extend(["t", "o"].map(|name| value_info(name, &[2])));
    let body = subgraph("body", graph.clone());
    for backwards in [0, 1] {
        let model = Builder::new(17).input("x", &[2]).input("z", &[3, 2]);
        let attributes = [
            body.clone(),
            int("num_scan_inputs", 1),
            ints("scan_input_directions", &[backwards]),
            ints("scan_output_axes", &[1]),
        ];
        let model = model.node("Scan", &["x", "z"], &["y", "all"], &attributes);
        check(&format!("Scan {backwards}"), &model.output("y").output("all"));
    }
}

#[test]
fn fused_forms_of_runtimes() {
    let model = |inputs: &[&[i64]], op: &str, outputs: usize, attributes: &[AttributeProto]| {
        let names = ["x", "z", "a", "b"];
        let mut model = Builder::new(17).set(MICROSOFT, 1);
        for (name, shape) in names.iter().zip(inputs) {
            model = model.input(name, shape);
        }
        let results: Vec<&str> = ["y", "", "", "s"][..outputs].to_vec();
        let model = model.random("g", &[4]).random("h", &[4]);
        let operands: Vec<&str> = names[..inputs.len()].to_vec();
        let operands = match op {
            "SkipLayerNormalization" => [&operands[..], &["g", "h"]].concat(),
            "SkipSimplifiedLayerNormalization" => [&operands[..], &["g"]].concat(),
            _ => operands,
        };
        let model = model.domain_node(MICROSOFT, op, &operands, &results, attributes);
        let named = results.iter().filter(|name| !name.is_empty());
        named.fold(model, |model, name| model.output(name))
    };
    check("BiasGelu", &model(&[&[2, 4], &[4]], "BiasGelu", 1, &[]));
    check("FastGelu", &model(&[&[2, 4]], "FastGelu", 1, &[]));
    let product = [int("transB", 1), float("alpha", 0.5)];
    check("FusedMatMul", &model(&[&[2, 3, 4], &[2, 5, 4]], "FusedMatMul", 1, &product));
    let skip: &[&[i64]] = &[&[1, 3, 4], &[1, 3, 4]];
    let epsilon = [float("epsilon", 1e-5)];
    check("Skip", &model(skip, "SkipLayerNormalization", 4, &epsilon));
    check("Skip RMS", &model(skip, "SkipSimplifiedLayerNormalization", 4, &epsilon));
    let conv = Builder::new(17).set(MICROSOFT, 1).input("x", &[1, 2, 4, 4]);
    let conv = conv.random("w", &[2, 2, 3, 3]).random("c", &[2]);
    let attributes = [text("activation", "LeakyRelu"), floats("activation_params", &[0.2])];
    let conv = conv.domain_node(MICROSOFT, "FusedConv", &["x", "w", "c"], &["y"], &attributes);
    check("FusedConv", &conv.output("y"));
    let gemm = Builder::new(17).set(MICROSOFT, 1).input("x", &[2, 3]).random("w", &[3, 4]);
    let gemm = gemm.random("c", &[4]);
    let attributes = [text("activation", "Relu"), float("alpha", 0.5)];
    let gemm = gemm.domain_node(MICROSOFT, "FusedGemm", &["x", "w", "c"], &["y"], &attributes);
    check("FusedGemm", &gemm.output("y"));
}

#[test]
fn gates_and_states() {
    let (x, z) = (noise("x", 8), noise("z", 8));
    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
    for alpha in [1.0, 1.7] {
        let model = Builder::new(28).input("x", &[2, 4]).input("z", &[2, 4]);
        let model = model.node("SwiGLU", &["x", "z"], &["y"], &[float("alpha", alpha)]).output("y");
        let expected = x.iter().zip(&z).map(|(a, b)| a * sigmoid(alpha * a) * b).collect();
        let graph = graph("SwiGLU", &model);
        is_near("SwiGLU", &graph, &noises(&graph), &[expected], 0.02);
    }
    // A past of two places and a kernel of three taps, channel by channel.
    let (w, past) = (noise("w", 6), noise("past", 4));
    let model = Builder::new(27).input("x", &[1, 2, 4]).input("past", &[1, 2, 2]);
    let model = model.reals("w", &[2, 1, 3], &w).reals("c", &[2], &[0.1, -0.2]);
    let operands = ["x", "w", "c", "past"];
    let model =
        model.node("CausalConvWithState", &operands, &["y", "s"], &[text("activation", "silu")]);
    let line = |channel: usize| [&past[2 * channel..][..2], &x[4 * channel..][..4]].concat();
    let place = |channel: usize, at: usize| {
        let sum: f32 = (0..3).map(|tap| line(channel)[at + tap] * w[3 * channel + tap]).sum();
        let sum = sum + [0.1, -0.2][channel];
        sum * sigmoid(sum)
    };
    let expected = (0..8).map(|at| place(at / 4, at % 4)).collect();
    let state = (0..4).map(|at| line(at / 2)[4 + at % 2]).collect();
    let graph = graph("CausalConvWithState", &model.output("y").output("s"));
    is_near("CausalConvWithState", &graph, &noises(&graph), &[expected, state], 0.02);
}

/// The state after each token, as the standard writes it, for one head of keys and values of two.
#[test]
fn linear_attention_is_its_recurrence() {
    for (rule, decays, corrects) in
        [("linear", 0, 0), ("gated", 1, 0), ("delta", 0, 1), ("gated_delta", 1, 1)]
    {
        let model = Builder::new(27).input("q", &[1, 3, 2]).input("k", &[1, 3, 2]);
        let model = model.input("v", &[1, 3, 2]).input("s", &[1, 1, 2, 2]);
        let model = model.input("g", &[1, 3, 1]).input("b", &[1, 3, 1]);
        let attributes = [int("q_num_heads", 1), int("kv_num_heads", 1), text("update_rule", rule)];
        let operands = [
            "q",
            "k",
            "v",
            "s",
            if decays == 1 { "g" } else { "" },
            if corrects == 1 { "b" } else { "" },
        ];
        let model = model.node("LinearAttention", &operands, &["y", "last"], &attributes);
        let graph = graph(rule, &model.output("y").output("last"));
        let [q, k, v, s, g, b] = ["q", "k", "v", "s", "g", "b"].map(|name| noise(name, 6));
        let mut state = s[..4].to_vec();
        let mut read = Vec::new();
        for token in 0..3 {
            let (key, value) = (&k[2 * token..][..2], &v[2 * token..][..2]);
            if decays == 1 {
                state.iter_mut().for_each(|x| *x *= g[token].exp());
            }
            let known = |column: usize| key[0] * state[column] + key[1] * state[2 + column];
            let news = [0, 1].map(|column| match corrects {
                1 => b[token] * (value[column] - known(column)),
                _ => value[column],
            });
            for place in 0..4 {
                state[place] += key[place / 2] * news[place % 2];
            }
            let query = &q[2 * token..][..2];
            let scale = 0.5_f32.sqrt();
            read.extend(
                [0, 1].map(|column| {
                    scale * (query[0] * state[column] + query[1] * state[2 + column])
                }),
            );
        }
        let inputs = noises(&graph);
        is_near(rule, &graph, &inputs, &[read, state], 0.02);
    }
}
