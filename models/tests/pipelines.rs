//! What pipelines write beside networks: support vector machines, encoders, codes of any width, inputs
//! that decide what is computed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::near::{array, check, graph, is_near};
use support::onnx::proto::{AttributeProto, DataType};
use support::onnx::{Builder, float, floats, int, ints, noise, text, texts};
use zkinfer_models::{Graph, ImportOptions, OnnxFile};

const ML: &str = "ai.onnx.ml";

#[test]
fn support_vector_machines() {
    let kernels = [("LINEAR", 0.0), ("POLY", 2.0), ("RBF", 0.0), ("SIGMOID", 0.0)];
    for (kernel, degree) in kernels {
        let shared = [
            text("kernel_type", kernel),
            floats("kernel_params", &[0.5, 0.3, degree]),
            floats("support_vectors", &noise("vectors", 15)),
        ];
        let of = |op: &str, outputs: &[&str], own: &[AttributeProto]| {
            let attributes = [&shared[..], own].concat();
            let model = Builder::new(17).set(ML, 1).input("x", &[3, 3]);
            let model = model.domain_node(ML, op, &["x"], outputs, &attributes);
            outputs.iter().fold(model, |model, output| model.output(output))
        };
        for one_class in [0, 1] {
            let own = [
                floats("coefficients", &noise("weights", 5)),
                floats("rho", &[0.1]),
                int("n_supports", 5),
                int("one_class", one_class),
            ];
            check(&format!("SVMRegressor {kernel} {one_class}"), &of("SVMRegressor", &["y"], &own));
        }
        let outputs = ["label", "scores"];
        let two = [
            floats("coefficients", &noise("weights", 5)),
            floats("rho", &[-0.2]),
            ints("vectors_per_class", &[2, 3]),
            ints("classlabels_ints", &[4, 9]),
        ];
        check(&format!("SVMClassifier {kernel}"), &of("SVMClassifier", &outputs, &two));
        let probable = [&two[..], &[floats("prob_a", &[-1.2]), floats("prob_b", &[0.1])]].concat();
        check(&format!("probabilities {kernel}"), &of("SVMClassifier", &outputs, &probable));
        let three = [
            floats("coefficients", &noise("weights", 10)),
            floats("rho", &[-0.2, 0.1, 0.05]),
            ints("vectors_per_class", &[2, 1, 2]),
            ints("classlabels_ints", &[4, 9, 2]),
        ];
        check(&format!("three classes {kernel}"), &of("SVMClassifier", &outputs, &three));
    }
}

#[test]
fn what_pipelines_write_beside_their_models() {
    let of = |op: &str, inputs: &[&str], attributes: &[AttributeProto]| {
        let model = Builder::new(17).set(ML, 2).input("x", &[2, 3]).integers("i", &[2, 0]);
        model.domain_node(ML, op, inputs, &["y"], attributes).output("y")
    };
    let x = noise("x", 6);
    let is = |name: &str, model: &Builder, input: Vec<f32>, expected: Vec<f32>| {
        let graph = graph(name, model);
        is_near(name, &graph, &[array(&[2, 3], input)], &[expected], 0.001);
    };
    let labels = [texts("classlabels_strings", &["a", "b", "c"])];
    is("ZipMap", &of("ZipMap", &["x"], &labels), x.clone(), x.clone());
    let mut missing = float("replaced_value_float", f32::NAN);
    missing.name = "replaced_value_float".to_owned();
    let imputer = [floats("imputed_value_floats", &[0.5]), missing];
    is("Imputer", &of("Imputer", &["x"], &imputer), x.clone(), x.clone());
    let picked = [x[2], x[0], x[5], x[3]].to_vec();
    is("ArrayFeatureExtractor", &of("ArrayFeatureExtractor", &["x", "i"], &[]), x, picked);
    let keys = floats("keys_floats", &[1.0, 2.0, 3.0]);
    let values =
        [keys.clone(), floats("values_floats", &[0.5, -1.0, 4.0]), float("default_float", 9.0)];
    let input = vec![1.0, 2.0, 3.0, 4.0, 2.0, 1.0];
    let expected = vec![0.5, -1.0, 4.0, 9.0, -1.0, 0.5];
    is("LabelEncoder", &of("LabelEncoder", &["x"], &values), input.clone(), expected);
    // Strings become the places of the different ones; what is no key comes after them.
    let names = [keys, texts("values_strings", &["b", "a", "b"])];
    let expected = vec![0.0, 1.0, 0.0, 2.0, 1.0, 0.0];
    is("LabelEncoder of names", &of("LabelEncoder", &["x"], &names), input, expected);
}

#[test]
fn replaced_zeros_become_other_numbers() {
    let of = |replaced: f32| {
        let model = Builder::new(17).set(ML, 1).input("x", &[2, 2]);
        let attributes =
            [floats("imputed_value_floats", &[0.5, 3.0]), float("replaced_value_float", replaced)];
        model.domain_node(ML, "Imputer", &["x"], &["y"], &attributes).output("y")
    };
    let graph = graph("Imputer", &of(0.0));
    let input = array(&[2, 2], vec![0.0, 0.25, 0.75, 0.0]);
    is_near("Imputer of 0", &graph, &[input], &[vec![0.5, 0.25, 0.75, 3.0]], 0.002);
    let refused = Graph::from_onnx_bytes(&of(-1.0).bytes()).unwrap_err().to_string();
    assert_eq!(
        refused,
        "node `Imputer_y` (Imputer): a replaced real number other than NaN and 0, which rounded ones \
         are not equal to; replace it beforehand"
    );
}

#[test]
fn codes_of_any_width_become_real_numbers() {
    let mut model = Builder::new(21).input("x", &[2, 3]).reals("s", &[3], &[0.1, 0.2, 0.5]);
    for (kind, of_kind) in [(DataType::Int16, "INT16"), (DataType::Int32, "INT32")] {
        let input = model.graph().input[0].r#type.as_mut().unwrap();
        input.tensor_type.as_mut().unwrap().elem_type = kind as i32;
        let model = model.clone().node("DequantizeLinear", &["x", "s"], &["y"], &[]).output("y");
        let graph = graph(of_kind, &model);
        let codes = vec![-300.0, 2.0, 7.0, 1.0, 0.0, 1000.0];
        let expected = vec![-30.0, 0.4, 3.5, 0.1, 0.0, 500.0];
        is_near(of_kind, &graph, &[array(&[2, 3], codes)], &[expected], 0.001);
    }
    // A scale for each block of two along the last axis.
    let model = Builder::new(21).input("x", &[1, 4]).reals("s", &[1, 2], &[0.1, 2.0]);
    let mut model = model.integers("z", &[]);
    model.graph().initializer.retain(|tensor| tensor.name != "z");
    let input = model.graph().input[0].r#type.as_mut().unwrap();
    input.tensor_type.as_mut().unwrap().elem_type = DataType::Int16 as i32;
    let blocks = [int("axis", 1), int("block_size", 2)];
    let model = model.node("DequantizeLinear", &["x", "s"], &["y"], &blocks).output("y");
    let graph = graph("blocks", &model);
    let codes = array(&[1, 4], vec![10.0, -20.0, 3.0, 5.0]);
    is_near("blocks", &graph, &[codes], &[vec![1.0, -2.0, 6.0, 10.0]], 0.001);
}

/// What decides which operation it is must be known: the message says how, and the value makes it so.
#[test]
fn inputs_that_decide_what_is_computed_are_named() {
    let mut model = Builder::new(13).input("x", &[2, 3]).input("axes", &[1]);
    let axes = model.graph().input[1].r#type.as_mut().unwrap();
    axes.tensor_type.as_mut().unwrap().elem_type = DataType::Int64 as i32;
    let model = model.node("ReduceSum", &["x", "axes"], &["y"], &[]).output("y");
    let file = OnnxFile::from_single(&model.bytes()).unwrap();
    let refused = file.import(&ImportOptions::default()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "node `ReduceSum_y` (ReduceSum): operand 1 must be a constant; the input `axes` decides it: \
         give its value with --fix"
    );
    assert_eq!(refused.first().code(), "computed-operand");
    assert_eq!(refused.inputs_to_fix().into_iter().collect::<Vec<_>>(), ["axes"]);
    let graph = file.import(&ImportOptions::default().fix("axes", &[1.0]).unwrap()).unwrap();
    assert_eq!(graph.inputs().len(), 1);
    assert_eq!(graph.outputs()[0].shape, [2, 1]);
}
