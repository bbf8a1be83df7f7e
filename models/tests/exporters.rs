//! Forms in which exporters of pipelines write what other operations say in one word.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a test may panic, and its numbers are small"
)]

mod support;

use support::near::{array, check, graph, is_near};
use support::onnx::proto::DataType;
use support::onnx::proto::{AttributeProto, AttributeType, GraphProto, NodeProto};
use support::onnx::{Builder, float, floats, int, ints, noise, texts, value_info};
use zkinfer_models::graph::Op;
use zkinfer_models::{
    Calibration, Graph, QuantizeError, QuantizeOptions, execute, quantize, quantize_inputs,
};

const ML: &str = "ai.onnx.ml";

/// Places that are computed: of elements, of slices of one dimension and of several.
#[test]
fn computed_places_of_any_dimensions() {
    for (axis, wanted) in [(0, [2, 4]), (1, [3, 2])] {
        let model = Builder::new(13).input("x", &[3, 4]).input("i", &wanted);
        let model = model.node("GatherElements", &["x", "i"], &["y"], &[int("axis", axis)]);
        let graph = graph("GatherElements", &whole_places(model.output("y")));
        let x = noise("x", 12);
        let size = [3, 4][usize::try_from(axis).unwrap()];
        let count = usize::try_from(wanted[0] * wanted[1]).unwrap();
        let places: Vec<usize> = (0..count).map(|at| (at * 5 + 1) % size).collect();
        let expected: Vec<f32> = places
            .iter()
            .enumerate()
            .map(|(at, &place)| {
                let width = usize::try_from(wanted[1]).unwrap();
                let (row, column) = (at / width, at % width);
                if axis == 0 { x[place * 4 + column] } else { x[row * 4 + place] }
            })
            .collect();
        // Every other place counts from the end.
        let given = places
            .iter()
            .enumerate()
            .map(|(at, &place)| place as f32 - if at % 2 == 1 { size as f32 } else { 0.0 });
        let shape = wanted.map(|size| usize::try_from(size).unwrap());
        let inputs = [array(&[3, 4], x), array(&shape, given.collect())];
        is_near("GatherElements", &graph, &inputs, &[expected], 0.002);
    }
    let rows = |batch: i64, shape: &[i64], data: &[f32], expected: Vec<f32>| {
        let model = Builder::new(13).input("x", &[2, 3, 2]).input("i", shape);
        let attributes = [int("batch_dims", batch)];
        let model = model.node("GatherND", &["x", "i"], &["y"], &attributes).output("y");
        let graph = graph("GatherND", &whole_places(model));
        let shape: Vec<usize> = shape.iter().map(|&size| usize::try_from(size).unwrap()).collect();
        let inputs = [array(&[2, 3, 2], noise("x", 12)), array(&shape, data.to_vec())];
        is_near("GatherND", &graph, &inputs, &[expected], 0.002);
    };
    let x = noise("x", 12);
    rows(0, &[3, 3], &[0.0, 1.0, 1.0, -1.0, 2.0, 0.0, 1.0, -3.0, -1.0], vec![x[3], x[10], x[7]]);
    rows(0, &[2, 2], &[1.0, 2.0, -2.0, -1.0], vec![x[10], x[11], x[4], x[5]]);
    rows(1, &[2, 1], &[2.0, -2.0], vec![x[4], x[5], x[8], x[9]]);
}

/// The input `i` holds whole numbers.
fn whole_places(mut model: Builder) -> Builder {
    let input = model.graph().input.iter_mut().find(|input| input.name == "i").unwrap();
    let tensor = input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
    tensor.elem_type = support::onnx::proto::DataType::Int64 as i32;
    model
}

#[test]
fn categories_become_rows_of_ones_and_zeros() {
    let of = |attributes: &[AttributeProto]| {
        let model = Builder::new(17).set(ML, 1).input("x", &[2, 2]);
        model.domain_node(ML, "OneHotEncoder", &["x"], &["y"], attributes).output("y")
    };
    let model = of(&[ints("cats_int64s", &[3, 0, 7]), int("zeros", 1)]);
    let graph = graph("OneHotEncoder", &model);
    assert_eq!(graph.outputs()[0].shape, [2, 2, 3]);
    let expected = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0; 3], [0.0, 1.0, 0.0]].concat();
    let input = array(&[2, 2], vec![3.0, 7.0, 5.0, 0.0]);
    is_near("OneHotEncoder", &graph, &[input], &[expected], 1e-6);
    let refused = Graph::from_onnx_bytes(&of(&[texts("cats_strings", &["a"])]).bytes());
    assert_eq!(
        refused.unwrap_err().to_string(),
        "node `OneHotEncoder_y` (OneHotEncoder): categories that are strings; give the model their \
         numbers, and export it from there"
    );
}

/// Distances of rows by `CDist`, or by a `Scan` over one side: no layer for each round.
#[test]
fn distances_to_many_samples_are_a_few_layers() {
    for metric in ["euclidean", "sqeuclidean"] {
        let model = Builder::new(17).set("com.microsoft", 1).input("x", &[2, 3]);
        let model = model.random("t", &[40, 3]);
        let attributes = [support::onnx::text("metric", metric)];
        let model = model.domain_node("com.microsoft", "CDist", &["x", "t"], &["y"], &attributes);
        check(&format!("CDist {metric}"), &model.output("y"));
    }
    for reduction in ["ReduceSumSquare", "ReduceL1"] {
        let model = Builder::new(13).input("x", &[2, 3]).random("t", &[40, 3]);
        let body = [body(reduction), int("num_scan_inputs", 1)];
        let model = model.node("Scan", &["x", "t"], &["s", "y"], &body).output("y");
        let layers = graph(reduction, &model).nodes().len();
        assert!(layers < 8, "{layers} layers for {reduction}");
        check(&format!("Scan {reduction}"), &model);
    }
}

/// The body of a `Scan` that measures the distance of its state to a row.
fn body(reduction: &str) -> AttributeProto {
    let node = |op: &str, inputs: &[&str], output: &str| NodeProto {
        op_type: op.to_owned(),
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        ..NodeProto::default()
    };
    let mut sum = node(reduction, &["difference"], "sum");
    sum.attribute = vec![ints("axes", &[1]), int("keepdims", 0)];
    let body = GraphProto {
        name: "distance".to_owned(),
        node: vec![
            node("Identity", &["state"], "kept"),
            node("Sub", &["state", "row"], "difference"),
            sum,
            node("Identity", &["sum"], "distance"),
        ],
        input: vec![value_info("state", &[2, 3]), value_info("row", &[3])],
        output: vec![value_info("kept", &[2, 3]), value_info("distance", &[2])],
        ..GraphProto::default()
    };
    AttributeProto {
        name: "body".to_owned(),
        r#type: AttributeType::Graph as i32,
        g: Some(Box::new(body)),
        ..AttributeProto::default()
    }
}

/// `1 / (1 + exp(−x))` is the logistic function, wherever the sign is: arguments as large as those
/// of a linear classifier leave the tables of its parts.
#[test]
fn the_logistic_function_spelled_out_is_one_layer() {
    for by in [-1.0, 1.0] {
        let model = Builder::new(13).input("x", &[1, 4]).reals("by", &[], &[by]);
        let model = model.random("w", &[4, 3]).reals("one", &[], &[1.0]);
        let model =
            model.node("MatMul", &["x", "w"], &["p"], &[]).node("Mul", &["p", "by"], &["n"], &[]);
        let model = model.node("Exp", &["n"], &["e"], &[]).node("Add", &["e", "one"], &["s"], &[]);
        let model = model.node("Reciprocal", &["s"], &["y"], &[]).output("y");
        let name = format!("logistic {by}");
        check(&name, &model);
        let graph = graph(&name, &model);
        assert_eq!(graph.nodes().len(), 1);
        let input = array(&[1, 4], noise("x", 4).iter().map(|x| x * 1000.0).collect());
        let expected = graph.run_float(std::slice::from_ref(&input)).unwrap();
        let expected: Vec<Vec<f32>> =
            expected.iter().map(|of| of.iter().copied().collect()).collect();
        is_near(&name, &graph, &[input], &expected, 0.001);
    }
}

/// What is computed of the number of a leaf, as for isolation forests, is another leaf.
#[test]
fn functions_of_a_leaf_are_leaves() {
    let tree = [
        ints("nodes_treeids", &[0; 5]),
        ints("nodes_nodeids", &[0, 1, 2, 3, 4]),
        ints("nodes_featureids", &[0, 1, 0, 0, 0]),
        texts("nodes_modes", &["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"]),
        floats("nodes_values", &[0.1, -0.2, 0.0, 0.0, 0.0]),
        ints("nodes_truenodeids", &[1, 2, 0, 0, 0]),
        ints("nodes_falsenodeids", &[4, 3, 0, 0, 0]),
        ints("target_treeids", &[0; 3]),
        ints("target_nodeids", &[2, 3, 4]),
        ints("target_ids", &[0; 3]),
        floats("target_weights", &[2.0, 3.0, 4.0]),
        int("n_targets", 1),
    ];
    let counts = [ints("keys_int64s", &[2, 3, 4]), floats("values_floats", &[10.0, 25.0, 1.0])];
    let model = Builder::new(17).set(ML, 2).input("x", &[2, 2]).reals("two", &[], &[2.0]);
    let model = model.domain_node(ML, "TreeEnsembleRegressor", &["x"], &["leaf"], &tree);
    let model = model.node("Cast", &["leaf"], &["number"], &[int("to", 7)]);
    let model = model.domain_node(ML, "LabelEncoder", &["number"], &["samples"], &counts);
    let model = model.node("Reshape", &["samples", "shape"], &["flat"], &[]);
    let model = model.integers("shape", &[-1]).node("Log", &["flat"], &["log"], &[]);
    let model = model.node("Mul", &["flat", "two"], &["twice"], &[]);
    let model = model.node("Mul", &["log", "twice"], &["y"], &[]).output("y");
    let graph = graph("leaves", &model);
    let forests = graph.nodes().iter().filter(|node| matches!(node.op, Op::Forest(_))).count();
    assert_eq!((graph.nodes().len(), forests), (1, 1), "{:?}", graph.nodes());
    let of = |samples: f32| 2.0 * samples * samples.ln();
    let input = array(&[2, 2], vec![0.05, -0.3, 0.05, 0.4]);
    is_near("leaves", &graph, &[input], &[vec![of(10.0), of(25.0)]], 1e-4);
}

/// A power for each column, as the transforms of Yeo and Johnson have.
#[test]
fn many_exponents_are_powers_of_columns() {
    let exponents: Vec<f32> = (0..12).map(|place| 0.3 + place as f32 * 0.2).collect();
    let model = Builder::new(15).input("x", &[2, 12]).reals("one", &[], &[1.5]);
    let model = model.reals("e", &[12], &exponents).node("Add", &["x", "one"], &["a"], &[]);
    check("a power for each column", &model.node("Pow", &["a", "e"], &["y"], &[]).output("y"));
}

/// Keys of any number are one table and one product.
#[test]
fn long_lists_of_labels_are_two_layers() {
    let keys: Vec<i64> = (0..50).map(|key| key * 3).collect();
    let values: Vec<f32> = (0..50).map(|key| (key * key % 17) as f32).collect();
    let attributes = [
        ints("keys_int64s", &keys),
        floats("values_floats", &values),
        float("default_float", -2.0),
    ];
    let mut model = Builder::new(17).set(ML, 2).input("i", &[1, 4]);
    model = model.domain_node(ML, "LabelEncoder", &["i"], &["y"], &attributes).output("y");
    let graph = graph("LabelEncoder", &whole_places(model));
    assert!(graph.nodes().len() < 6, "{} layers", graph.nodes().len());
    let input = array(&[1, 4], vec![0.0, 30.0, 31.0, 147.0]);
    is_near("LabelEncoder", &graph, &[input], &[vec![0.0, 15.0, -2.0, 4.0]], 0.001);
}

/// Sums over the segments of a graph, as tf2onnx writes them: what is constant is sorted and counted
/// when the file is read, of any length.
#[test]
fn constants_are_sorted_and_counted() {
    let ids = [3, 1, 3, 2, 1, 1];
    let unique = |attributes: &[AttributeProto], taken: &str| {
        let model = Builder::new(13).input("x", &[1, 8]).integers("ids", &ids);
        let model = model.node("Unique", &["ids"], &["y", "first", "which", "counts"], attributes);
        model.node("Gather", &["x", taken], &["z"], &[int("axis", 1)]).output("z")
    };
    let top = |largest: i64, taken: &str| {
        let long: Vec<i64> = (0..300).map(|place| place * 7 % 300).collect();
        let model = Builder::new(13).input("x", &[1, 300]).integers("ids", &long);
        let model = model.integers("three", &[3]);
        let model = model.node(
            "TopK",
            &["ids", "three"],
            &["values", "places"],
            &[int("largest", largest)],
        );
        model.node("Gather", &["x", taken], &["z"], &[int("axis", 1)]).output("z")
    };
    let unsorted = [int("sorted", 0)];
    for (model, places) in [
        (unique(&[], "y"), &[1, 2, 3][..]),
        (unique(&[], "first"), &[1, 3, 0]),
        (unique(&[], "which"), &[2, 0, 2, 1, 0, 0]),
        (unique(&[int("axis", 0)], "counts"), &[3, 1, 2]),
        (unique(&unsorted, "y"), &[3, 1, 2]),
        (unique(&unsorted, "first"), &[0, 1, 3]),
        (unique(&unsorted, "which"), &[0, 1, 0, 2, 1, 1]),
        (unique(&unsorted, "counts"), &[2, 3, 1]),
        (top(1, "values"), &[299, 298, 297]),
        (top(1, "places"), &[257, 214, 171]),
        (top(0, "values"), &[0, 1, 2]),
        (top(0, "places"), &[0, 43, 86]),
    ] {
        let graph = graph("constant", &model);
        let x = noise("x", graph.inputs()[0].len());
        let expected = places.iter().map(|&place| x[place]).collect();
        is_near("constant", &graph, &[array(&[1, x.len()], x)], &[expected], 0.002);
    }
    // Slices are compared element by element; pairs 2, 1 and 2, 0 and 1, 5 and 2, 1.
    let model = Builder::new(13).input("x", &[1, 6]);
    let model = model.ints_shaped("pairs", &[2, 4], &[2, 2, 1, 2, 1, 0, 5, 1]);
    let model = model.node("Unique", &["pairs"], &["y"], &[int("axis", 1)]);
    let model = model.node("Gather", &["x", "y"], &["z"], &[int("axis", 1)]).output("z");
    let x = noise("x", 6);
    let expected = [1, 2, 2, 5, 0, 1].map(|place| x[place]).to_vec();
    is_near("slices", &graph("slices", &model), &[array(&[1, 6], x)], &[expected], 0.002);
    let computed = Builder::new(13).input("x", &[1, 6]).node("Unique", &["x"], &["y"], &[]);
    let refused = Graph::from_onnx_bytes(&computed.output("y").bytes()).unwrap_err();
    assert!(refused.to_string().contains("the size of its result"), "{refused}");
}

/// TensorFlow counts in 32 bits: what is of 64 becomes so, and an input then holds no other numbers.
#[test]
fn wide_integers_become_those_of_32_bits() {
    let of = |elem_type: DataType| {
        let mut model = Builder::new(13).input("i", &[1, 3]).random("w", &[3, 2]);
        let input = model.graph().input[0].r#type.as_mut().unwrap();
        input.tensor_type.as_mut().unwrap().elem_type = elem_type as i32;
        let word = int("to", DataType::Int32 as i64);
        let model = model.node("Cast", &["i"], &["word"], &[word]);
        let model = model.node("Cast", &["word"], &["x"], &[int("to", DataType::Float as i64)]);
        model.node("MatMul", &["x", "w"], &["y"], &[]).output("y")
    };
    for elem_type in [DataType::Int64, DataType::Uint32] {
        let graph = graph("wide", &of(elem_type));
        let w = noise("w", 6);
        let x = [7.0, 2.0, 5.0];
        let expected = (0..2).map(|c| (0..3).map(|k| x[k] * w[2 * k + c]).sum()).collect();
        is_near("wide", &graph, &[array(&[1, 3], x.to_vec())], &[expected], 0.01);
        let large = [array(&[1, 3], vec![2.5e9, 0.0, 1.0])];
        let calibration = Calibration::from_samples(&graph, &[large.to_vec()]).unwrap();
        let refused = quantize(&graph, &calibration, &QuantizeOptions::default()).unwrap_err();
        assert!(matches!(refused, QuantizeError::WrapsAround { .. }), "{refused}");
        let calibration = Calibration::from_samples(&graph, &[vec![array(&[1, 3], vec![9.0; 3])]]);
        let quantized =
            quantize(&graph, &calibration.unwrap(), &QuantizeOptions::default()).unwrap();
        // As any input beyond its range, of which the command warns.
        assert_eq!(quantize_inputs(&quantized, &large).unwrap(), [[31, 0, 1]]);
    }
    let places = Builder::new(13).input("x", &[1, 5]).integers("two", &[2]);
    let places = places.node("TopK", &["x", "two"], &["values", "places"], &[]);
    let word = int("to", DataType::Int32 as i64);
    let places = places.node("Cast", &["places"], &["y"], &[word]).output("y");
    let x = array(&[1, 5], vec![0.1, 0.9, 0.3, 0.7, 0.2]);
    is_near("places", &graph("places", &places), &[x], &[vec![1.0, 3.0]], 0.002);
    let narrow = Builder::new(13).input("x", &[1, 5]).node("ArgMax", &["x"], &["i"], &[]);
    let byte = int("to", DataType::Int8 as i64);
    let narrow = narrow.node("Cast", &["i"], &["y"], &[byte]).output("y");
    let refused = Graph::from_onnx_bytes(&narrow.bytes()).unwrap_err();
    assert!(refused.to_string().contains("a cast to a smaller integer type"), "{refused}");
}

/// TFLite's dynamic quantization quantizes biases, too, which are constants.
#[test]
fn constants_are_quantized_by_their_range() {
    let numbers = [-1.0, 0.0, 2.0, 0.31, 1.999];
    let model = Builder::new(11).input("x", &[1, 5]).reals("c", &[5], &numbers);
    let model = model.node("DynamicQuantizeLinear", &["c"], &["codes", "scale", "zero"], &[]);
    let model = model.node("DequantizeLinear", &["codes", "scale", "zero"], &["d"], &[]);
    let model = model.node("Mul", &["x", "d"], &["y"], &[]).output("y");
    let x = noise("x", 5);
    let unit = 3.0 / 255.0;
    // Codes 0, 85, 255, 111 and 255 with the zero point 85.
    let expected =
        x.iter().zip([-85.0, 0.0, 170.0, 26.0, 170.0]).map(|(x, code)| x * code * unit).collect();
    is_near("codes", &graph("codes", &model), &[array(&[1, 5], x)], &[expected], 0.002);
}

/// A Gaussian kernel is near 1 at few of its centres and nothing at the others: what is far does not
/// cost the near ones their digits.
#[test]
fn an_exponential_far_below_its_largest_is_nothing() {
    let centres: Vec<f32> = (0..30).map(|at| if at < 6 { 0.5 } else { at as f32 - 17.0 }).collect();
    let model = Builder::new(13).input("x", &[1, 1, 6]).reals("centres", &[1, 5, 6], &centres);
    let model = model.node("Sub", &["x", "centres"], &["d"], &[]);
    let model = model.node("Mul", &["d", "d"], &["s"], &[]).integers("last", &[-1]);
    let model = model.node("ReduceSum", &["s", "last"], &["sum"], &[int("keepdims", 0)]);
    let model = model.reals("half", &[], &[-0.5]).node("Mul", &["sum", "half"], &["a"], &[]);
    let model = model.node("Exp", &["a"], &["y"], &[]).output("y");
    let graph = graph("kernel", &model);
    let samples: Vec<_> =
        (0..8u8).map(|i| vec![array(&[1, 1, 6], vec![f32::from(i) / 4.0; 6])]).collect();
    let calibration = Calibration::from_samples(&graph, &samples).unwrap();
    let options = QuantizeOptions { activation_bits: 16, ..QuantizeOptions::default() };
    let quantized = quantize(&graph, &calibration, &options).unwrap();
    for sample in &samples {
        let float = graph.run_float(sample).unwrap();
        let execution = execute(&quantized, &quantize_inputs(&quantized, sample).unwrap()).unwrap();
        let whole = quantized.dequantize(&execution);
        for (whole, float) in whole[0].iter().zip(&float[0]) {
            assert!((whole - float).abs() < 0.02, "{whole}, expected {float}");
        }
    }
}

/// What the normalizations below read.
fn start() -> Builder {
    let model = Builder::new(13).input("x", &[2, 3, 8]).random("gamma", &[8]);
    let model = model.random("beta", &[8]).reals("epsilon", &[], &[0.01]);
    model.reals("two", &[], &[2.0]).reals("one", &[], &[1.0]).reals("none", &[], &[0.0])
}

/// The mean `m`, the distance `d` from it, and the deviation `r`.
fn statistics(axis: i64, epsilon: &str) -> Builder {
    let model = start().node("ReduceMean", &["x"], &["m"], &[ints("axes", &[-1])]);
    let model = model.node("Sub", &["x", "m"], &["d"], &[]);
    let model = model.node("Mul", &["d", "d"], &["s"], &[]);
    let model = model.node("ReduceMean", &["s"], &["v"], &[ints("axes", &[axis])]);
    let model = model.node("Add", &["v", epsilon], &["e"], &[]);
    model.node("Sqrt", &["e"], &["r"], &[])
}

fn torch(model: Builder) -> Builder {
    let model = model.node("Div", &["d", "r"], &["n"], &[]);
    let model = model.node("Mul", &["n", "gamma"], &["scaled"], &[]);
    model.node("Add", &["scaled", "beta"], &["y"], &[]).output("y")
}

/// `x · (γ / r) + (β − m · (γ / r))`, where Keras negates the mean first.
fn tensorflow(model: Builder, factor: &str, negates_first: bool) -> Builder {
    let model = model.node("Reciprocal", &["r"], &["i"], &[]);
    let model = model.node("Mul", &["i", "gamma"], &["f"], &[]);
    let model = model.node("Mul", &["i", "beta"], &["g"], &[]);
    let model = model.node("Mul", &["x", "f"], &["xf"], &[]).node("Neg", &["m"], &["k"], &[]);
    let model = match negates_first {
        true => {
            let model = model.node("Mul", &["k", factor], &["kf"], &[]);
            model.node("Add", &["kf", "beta"], &["o"], &[])
        }
        false => {
            let model = model.node("Mul", &["m", factor], &["mf"], &[]);
            model.node("Sub", &["beta", "mf"], &["o"], &[])
        }
    };
    model.node("Add", &["xf", "o"], &["y"], &[]).output("y")
}

fn root_mean_square(divides: bool) -> Builder {
    let model = start().node("Pow", &["x", "two"], &["s"], &[]);
    let model = model.node("ReduceMean", &["s"], &["v"], &[ints("axes", &[-1])]);
    let model = model.node("Add", &["epsilon", "v"], &["e"], &[]);
    let model = model.node("Sqrt", &["e"], &["r"], &[]);
    let model = match divides {
        true => model.node("Div", &["x", "r"], &["n"], &[]),
        false => {
            let model = model.node("Div", &["one", "r"], &["i"], &[]);
            model.node("Mul", &["i", "x"], &["n"], &[])
        }
    };
    model.node("Mul", &["n", "gamma"], &["y"], &[]).output("y")
}

/// What they give.
fn normalized(x: &[f32], is_centred: bool) -> Vec<f32> {
    let [gamma, beta] = ["gamma", "beta"].map(|name| noise(name, 8));
    let row = |row: &[f32]| -> Vec<f32> {
        let mean = if is_centred { row.iter().sum::<f32>() / 8.0 } else { 0.0 };
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 8.0;
        let number = |at: usize| (row[at] - mean) / (variance + 0.01).sqrt() * gamma[at];
        (0..8).map(|at| number(at) + if is_centred { beta[at] } else { 0.0 }).collect()
    };
    x.chunks(8).flat_map(row).collect()
}

/// Files before operator set 17, and TensorFlow's of any, have a normalization as its steps.
#[test]
fn steps_of_a_normalization_are_one() {
    let is_one = |graph: &Graph| {
        let is = |op: &Op| matches!(op, Op::Normalize(_));
        let products = graph.nodes().iter().any(|node| matches!(node.op, Op::Mul(_)));
        graph.nodes().iter().filter(|node| is(&node.op)).count() == 1 && !products
    };
    let x = noise("x", 48);
    let layer = || statistics(-1, "epsilon");
    for (name, model, is_centred) in [
        ("torch", torch(layer()), true),
        ("Keras", tensorflow(layer(), "f", true), true),
        ("TensorFlow", tensorflow(layer(), "f", false), true),
        ("division", root_mean_square(true), false),
        ("product", root_mean_square(false), false),
    ] {
        let graph = graph(name, &model);
        assert!(is_one(&graph), "{name}");
        let expected = normalized(&x, is_centred);
        is_near(name, &graph, &[array(&[2, 3, 8], x.clone())], &[expected], 0.02);
    }
    // What only looks so stays what it is: another factor, other axes, no epsilon.
    for (name, model) in [
        ("factors", tensorflow(layer(), "g", true)),
        ("axes", torch(statistics(1, "epsilon"))),
        ("epsilon", torch(statistics(-1, "none"))),
    ] {
        assert!(!is_one(&graph(name, &model)), "{name}");
    }
}
