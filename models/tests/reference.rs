//! Operations against the numbers of the standard's reference evaluator (onnx 1.23.2).
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::near::{array, graph, is_near};
use support::onnx::proto::{AttributeProto, AttributeType, DataType, GraphProto};
use support::onnx::{Builder, float, floats, int, ints, noise, text};
use zkinfer_models::Graph;

fn body(name: &str, model: Builder) -> AttributeProto {
    let graph = model.proto.graph.map(Box::<GraphProto>::new);
    let (name, r#type) = (name.to_owned(), AttributeType::Graph as i32);
    AttributeProto { name, r#type, g: graph, ..AttributeProto::default() }
}

fn refusal(model: &Builder) -> String {
    Graph::from_onnx_bytes(&model.bytes()).unwrap_err().to_string()
}

#[test]
fn convolutions_at_moved_places() {
    let model = Builder::new(22).input("x", &[1, 4, 4, 5]).input("offset", &[1, 24, 3, 4]);
    let model = model.input("mask", &[1, 12, 3, 4]).random("w", &[4, 2, 2, 3]).random("b", &[4]);
    let attributes = [
        int("group", 2),
        int("offset_group", 2),
        ints("pads", &[1, 0, 1, 1]),
        ints("strides", &[2, 1]),
    ];
    let inputs = ["x", "w", "offset", "b", "mask"];
    let model = model.node("DeformConv", &inputs, &["y"], &attributes).output("y");
    let expected = [
        0.74275, 0.99115, 0.79767, 0.87681, 1.29098, 0.67852, 1.08705, 0.64847, 1.03586, 0.60178,
        0.73504, -0.27363, 0.1338, 0.57289, 0.29121, 0.02423, 0.24838, -0.91214, -0.21348, 0.12929,
        0.19772, 0.82076, 0.26944, -0.19758, 0.40598, -0.38104, -0.37347, -0.67193, 0.51038,
        0.10012, -0.38545, 0.20334, -0.24901, -0.23541, 0.09549, -0.50177, 0.89991, 1.00784,
        0.86645, 0.91315, 1.19091, 0.65217, 0.91476, 1.26287, 0.76772, 1.0105, 1.00851, 0.76456,
    ];
    let deformed = graph("DeformConv", &model);
    let inputs = [
        array(&[1, 4, 4, 5], noise("x", 80)),
        array(&[1, 24, 3, 4], noise("offset", 288)),
        array(&[1, 12, 3, 4], noise("mask", 144)),
    ];
    is_near("DeformConv", &deformed, &inputs, &[expected.to_vec()], 0.01);
    let wide = Builder::new(22).input("x", &[1, 1, 33, 32]).input("offset", &[1, 2, 33, 32]);
    let wide = wide.random("w", &[1, 1, 1, 1]);
    let wide = wide.node("DeformConv", &["x", "w", "offset"], &["y"], &[]).output("y");
    assert!(refusal(&wide).contains("computed positions among more than 1024"));
    let short = Builder::new(22).input("x", &[1, 1, 3, 3]).input("offset", &[1, 2, 2, 3]);
    let short = short.random("w", &[1, 1, 1, 1]);
    let short = short.node("DeformConv", &["x", "w", "offset"], &["y"], &[]).output("y");
    assert!(refusal(&short).contains("one for each tap and pixel"), "{}", refusal(&short));
}

#[test]
fn the_largest_share_of_a_region() {
    let of = |ratio: i64| {
        let model = Builder::new(16).input("x", &[1, 2, 6, 6]).integers("at", &[0, 0]);
        let regions = [0.0, 0.0, 4.0, 5.0, 1.5, -0.5, 5.5, 3.0];
        let attributes = [
            text("mode", "max"),
            int("output_height", 2),
            int("output_width", 3),
            int("sampling_ratio", ratio),
            float("spatial_scale", 1.0),
        ];
        let model = model.reals("regions", &[2, 4], &regions);
        model.node("RoiAlign", &["x", "regions", "at"], &["y"], &attributes).output("y")
    };
    let fixed = [
        0.58449, 0.31217, 0.13672, 0.7445, 0.31217, 0.44861, 0.46049, 0.5513, 0.7244, 0.24924,
        0.39063, 0.35046, 0.3125, 0.17142, 0.51425, 0.62433, 0.25601, 0.76804, 0.50405, 0.66231,
        0.39632, 0.3384, 0.25786, 0.59649,
    ];
    let by_size = [
        0.70139, 0.48559, 0.18664, 0.77996, 0.48559, 0.53833, 0.52628, 0.63006, 0.82789, 0.38771,
        0.46875, 0.42055, 0.3125, 0.17142, 0.51425, 0.62433, 0.25601, 0.76804, 0.50405, 0.66231,
        0.39632, 0.3384, 0.25786, 0.59649,
    ];
    for (ratio, expected) in [(2, fixed), (0, by_size)] {
        let name = format!("RoiAlign max {ratio}");
        let regions = graph(&name, &of(ratio));
        let x = array(&[1, 2, 6, 6], noise("x", 72));
        is_near(&name, &regions, &[x], &[expected.to_vec()], 0.005);
    }
}

#[test]
fn attention_with_graphs_of_the_file() {
    let changed = |name: &str, op: &str, numbers: &[f32]| {
        let shape: Vec<i64> = if numbers.len() > 1 { vec![5] } else { Vec::new() };
        let graph = Builder::new(26).input("s", &[1, 2, 3, 5]).reals("c", &shape, numbers);
        body(name, graph.node(op, &["s", "c"], &["t"], &[]).output("t"))
    };
    let attributes = [
        changed("score_mod", "Add", &[0.5, 0.0, -1.0, 0.25, 2.0]),
        changed("prob_mod", "Mul", &[2.0]),
        float("scale", 0.7),
    ];
    let domain = "ai.onnx.preview";
    let model = Builder::new(26).set(domain, 1).input("q", &[1, 2, 3, 4]).input("k", &[1, 1, 5, 4]);
    let model = model.input("v", &[1, 1, 5, 3]);
    let inputs = ["q", "k", "v"];
    let model = model.domain_node(domain, "FlexAttention", &inputs, &["y"], &attributes);
    let expected = [
        -0.68732, 1.17738, 1.43608, -0.60895, 0.93059, 1.26895, -0.41597, 0.77282, 1.20371,
        -0.57342, 0.82969, 1.28115, -0.16006, 0.61878, 1.1024, -0.73995, 1.07844, 1.4326,
    ];
    let attended = graph("FlexAttention", &model.output("y"));
    let inputs = [
        array(&[1, 2, 3, 4], noise("q", 24)),
        array(&[1, 1, 5, 4], noise("k", 20)),
        array(&[1, 1, 5, 3], noise("v", 15)),
    ];
    is_near("FlexAttention", &attended, &inputs, &[expected.to_vec()], 0.01);
}

/// In operator set 8 every item of a batch is scanned by itself.
#[test]
fn scans_of_a_batch() {
    let step = Builder::new(8).input("before", &[2]).input("next", &[2]);
    let step = step.node("Add", &["before", "next"], &["sum"], &[]);
    let step = step.node("Identity", &["sum"], &["shown"], &[]).output("sum").output("shown");
    let attributes = [body("body", step), int("num_scan_inputs", 1), ints("directions", &[1])];
    let model = Builder::new(8).input("start", &[2, 2]).input("x", &[2, 3, 2]);
    let model = model.node("Scan", &["", "start", "x"], &["end", "all"], &attributes);
    let scanned = graph("Scan", &model.output("end").output("all"));
    let start = array(&[2, 2], vec![1.0, 0.0, 0.0, 0.5]);
    let x: Vec<f32> = (0u8..12).map(f32::from).collect();
    // From the last to the first.
    let end = vec![1.0 + 6.0, 9.0, 24.0, 27.5];
    let all = vec![5.0, 5.0, 7.0, 8.0, 7.0, 9.0, 10.0, 11.5, 18.0, 20.5, 24.0, 27.5];
    is_near("Scan", &scanned, &[start, array(&[2, 3, 2], x)], &[end, all], 0.005);
}

#[test]
fn sequences_whose_places_are_known() {
    let model = Builder::new(17).input("x", &[3, 2]).input("z", &[1, 2]);
    let model = model.integers("last", &[-1]).integers("first", &[0]);
    let model = model.node("SplitToSequence", &["x"], &["rows"], &[int("keepdims", 1)]);
    let model = model.node("SequenceInsert", &["rows", "z", "first"], &["four"], &[]);
    let model = model.node("SequenceErase", &["four", "last"], &["three"], &[]);
    let model = model.node("SequenceAt", &["three", "last"], &["picked"], &[]);
    let twice = Builder::new(17).input("item", &[1, 2]).input("other", &[1, 2]);
    let twice = twice.node("Add", &["item", "other"], &["result"], &[]).output("result");
    let body = [body("body", twice)];
    let model = model.node("SequenceMap", &["three", "z"], &["mapped"], &body);
    let joined = [int("axis", 0)];
    let model = model.node("ConcatFromSequence", &["mapped"], &["together"], &joined);
    let stacked = [int("axis", 1), int("new_axis", 1)];
    let model = model.node("ConcatFromSequence", &["three"], &["stacked"], &stacked);
    let outputs = ["picked", "together", "stacked"];
    let listed = graph("sequences", &outputs.iter().fold(model, |model, name| model.output(name)));
    let x = array(&[3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let z = array(&[1, 2], vec![-1.0, 0.5]);
    let three = vec![-1.0, 0.5, 1.0, 2.0, 3.0, 4.0];
    let together = vec![-2.0, 1.0, 0.0, 2.5, 2.0, 4.5];
    is_near("sequences", &listed, &[x, z], &[vec![3.0, 4.0], together, three], 0.005);
    assert_eq!(listed.outputs()[2].shape, [1, 3, 2]);
}

#[test]
fn optional_values_that_are_there_or_not() {
    let model = Builder::new(18).input("x", &[2]).node("Optional", &["x"], &["maybe"], &[]);
    let model = model.node("OptionalHasElement", &["maybe"], &["has"], &[]);
    let model = model.node("OptionalHasElement", &[], &["none"], &[]);
    let model = model.node("OptionalGetElement", &["maybe"], &["value"], &[]);
    let model = model.node("Where", &["has", "value", "x"], &["y"], &[]);
    let model = model.node("Where", &["none", "x", "y"], &["w"], &[]).output("w");
    let known = graph("optional", &model);
    let x = vec![0.25, -1.0];
    is_near("optional", &known, &[array(&[2], x.clone())], &[x], 0.005);
    let nothing = Builder::new(18).input("x", &[2]).node("Optional", &[], &["maybe"], &[]);
    let nothing = nothing.node("Add", &["x", "maybe"], &["y"], &[]).output("y");
    assert_eq!(
        refusal(&nothing),
        "node `Optional_maybe` (Optional): an optional value that is not there"
    );
}

/// A sequence is no tensor: who reads or gives one as if it were is refused by name.
#[test]
fn sequences_where_tensors_belong_are_refused() {
    let made = || {
        let model = Builder::new(17).input("x", &[2]).integers("place", &[2]);
        model.node("SequenceConstruct", &["x", "x"], &["s"], &[])
    };
    assert_eq!(
        refusal(&made().node("Neg", &["s"], &["y"], &[]).output("y")),
        "node `Neg_y` (Neg): a sequence; take tensors out of it with SequenceAt or \
         ConcatFromSequence first"
    );
    assert_eq!(
        refusal(&made().output("s")),
        "output `s` is a sequence: make its tensors the outputs, with SequenceAt or \
         ConcatFromSequence"
    );
    assert_eq!(
        refusal(&made().node("SequenceAt", &["s", "place"], &["y"], &[]).output("y")),
        "node `SequenceAt_y` (SequenceAt): operand 1 must be a place in the sequence"
    );
    assert_eq!(
        refusal(&made().node("SequenceAt", &["x", "place"], &["y"], &[]).output("y")),
        "node `SequenceAt_y` (SequenceAt): operand 0 must be a sequence that the graph makes"
    );
}

/// Mode, lengths of runs, what is left out, weights, and the result.
type Counted = (&'static str, [i64; 2], i64, &'static [f32], [f32; 14]);

const WEIGHTS: [f32; 7] = [1.0, 2.0, 3.0, 0.5, 0.25, 4.0, 1.5];

#[test]
fn runs_of_tokens_are_counted() {
    let of = |mode: &str, lengths: [i64; 2], skips: i64, weights: &[f32]| {
        let mut attributes = vec![
            text("mode", mode),
            int("min_gram_length", lengths[0]),
            int("max_gram_length", lengths[1]),
            int("max_skip_count", skips),
            ints("ngram_counts", &[0, 4]),
            ints("ngram_indexes", &[0, 1, 2, 3, 4, 5, 6]),
            ints("pool_int64s", &[2, 3, 5, 4, 5, 6, 7, 8, 6, 7]),
        ];
        attributes.extend((!weights.is_empty()).then(|| floats("weights", weights)));
        let mut model = Builder::new(9).input("x", &[2, 6]);
        let input = model.graph().input[0].r#type.as_mut().unwrap();
        input.tensor_type.as_mut().unwrap().elem_type = DataType::Int64 as i32;
        model.node("TfIdfVectorizer", &["x"], &["y"], &attributes).output("y")
    };
    let cases: [Counted; 5] = [
        ("TF", [2, 2], 0, &[], [0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 1., 0., 1.]),
        ("TF", [2, 2], 5, &[], [0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 1., 1., 1.]),
        ("TF", [1, 2], 5, &[], [0., 3., 0., 0., 0., 0., 0., 0., 0., 1., 0., 1., 1., 1.]),
        ("TFIDF", [1, 2], 5, &WEIGHTS, [0., 6., 0., 0., 0., 0., 0., 0., 0., 3., 0., 0.25, 4., 1.5]),
        ("IDF", [1, 2], 5, &WEIGHTS, [0., 2., 0., 0., 0., 0., 0., 0., 0., 3., 0., 0.25, 4., 1.5]),
    ];
    for (mode, lengths, skips, weights, expected) in cases {
        let name = format!("TfIdfVectorizer {mode} {lengths:?} {skips}");
        let counted = graph(&name, &of(mode, lengths, skips, weights));
        let x = [1.0, 1.0, 3.0, 3.0, 3.0, 7.0, 8.0, 6.0, 7.0, 5.0, 6.0, 8.0];
        is_near(&name, &counted, &[array(&[2, 6], x.to_vec())], &[expected.to_vec()], 0.002);
    }
}

/// A depthwise convolution and the mixing of its channels become one layer, which computes the same.
#[test]
fn separable_convolutions_are_one_layer() {
    let of = |groups: i64, between: i64, is_shown: bool| {
        let shape = [between, 4 / groups, 3, 3];
        let model = Builder::new(17).input("x", &[1, 4, 6, 5]).random("d", &shape);
        let model = model.random("e", &[between]).random("p", &[3, between, 1, 1]);
        let model = model.random("q", &[3]).input("z", &[1, 3, 3, 5]);
        let attributes =
            [int("group", groups), ints("pads", &[1, 1, 1, 1]), ints("strides", &[2, 1])];
        let model = model.node("Conv", &["x", "d", "e"], &["c"], &attributes);
        let model = model.node("Conv", &["c", "p", "q"], &["m"], &[]);
        let model = model.node("Add", &["m", "z"], &["y"], &[]).output("y");
        if is_shown { model.output("c") } else { model }
    };
    for (groups, between) in [(4, 4), (4, 8), (2, 6), (1, 2)] {
        let name = format!("{between} channels in {groups} groups");
        let (one, two) = (of(groups, between, false), of(groups, between, true));
        let (one, two) = (graph(&name, &one), graph(&name, &two));
        assert_eq!([one.nodes().len(), two.nodes().len()], [1, 2], "{name}");
        let inputs = [array(&[1, 4, 6, 5], noise("x", 120)), array(&[1, 3, 3, 5], noise("z", 45))];
        let expected = two.run_float(&inputs).unwrap().remove(0);
        is_near(&name, &one, &inputs, &[expected.iter().copied().collect()], 0.01);
    }
    // Few channels between many: one layer would have far more weights than the two.
    let model = Builder::new(17).input("x", &[1, 64, 1, 1]).random("d", &[1, 64, 1, 1]);
    let model = model.random("p", &[64, 1, 1, 1]);
    let model = model.node("Conv", &["x", "d"], &["c"], &[]).node("Conv", &["c", "p"], &["y"], &[]);
    assert_eq!(graph("a narrow place", &model.output("y")).nodes().len(), 2);
}
