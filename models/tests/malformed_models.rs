//! Files that are not models, or not models that can be proved: a named error, never a panic.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a test may panic, and its numbers are small"
)]

mod support;

use ndarray::{ArrayD, IxDyn};
use support::onnx::proto::{
    AttributeProto, DataLocation, DataType, Dim, SparseTensorProto, StringStringEntryProto,
    TensorTypeProto,
};
use support::onnx::{Builder, float, int, ints, text, value_info};
use support::zoo;
use zkinfer_models::{
    Calibration, Graph, ImportError, Part, QuantizeOptions, TensorSpec, execute, quantize,
    quantize_inputs,
};

fn refusal(model: &Builder) -> ImportError {
    Graph::from_onnx_bytes(&model.bytes()).expect_err("the model must be refused")
}

/// `y = x·w`, to be damaged.
fn dense() -> Builder {
    let model = Builder::new(13).input("x", &[1, 4]).random("w", &[4, 2]);
    model.node("MatMul", &["x", "w"], &["y"], &[]).output("y")
}

fn unary(op: &str, attributes: &[AttributeProto]) -> Builder {
    unary_of(13, op, attributes)
}

fn unary_of(opset: i64, op: &str, attributes: &[AttributeProto]) -> Builder {
    Builder::new(opset).input("x", &[1, 4]).node(op, &["x"], &["y"], attributes).output("y")
}

/// The type of the first input.
fn input_type(model: &mut Builder) -> &mut TensorTypeProto {
    let ty = model.graph().input[0].r#type.as_mut().unwrap();
    ty.tensor_type.as_mut().unwrap()
}

fn named(text: &str) -> String {
    text.to_owned()
}

#[test]
fn bytes_that_are_no_model() {
    assert!(matches!(Graph::from_onnx_bytes(b"\xff\xff\xff"), Err(ImportError::Decode { .. })));
    let mut empty = Builder::new(13);
    empty.proto.graph = None;
    assert_eq!(refusal(&empty), ImportError::NoGraph);
    assert_eq!(refusal(&Builder::new(13)), ImportError::Empty(Part::Outputs));
    assert_eq!(refusal(&Builder::new(13).output("y")), ImportError::Empty(Part::Inputs));
    for version in [0, 6, 29, -1] {
        let refused = refusal(&Builder::new(version).input("x", &[1]).output("x"));
        let what = format!("version {version} is not supported");
        assert!(matches!(&refused, ImportError::OperatorSet { what: found, .. } if *found == what));
    }
}

#[test]
fn truncated_at_any_length() {
    let bytes = dense().bytes();
    for len in 0..bytes.len() {
        assert!(Graph::from_onnx_bytes(&bytes[..len]).is_err(), "{len} bytes are enough");
    }
    let bytes = std::fs::read(zoo::path("mnist_lenet", "model.onnx")).unwrap();
    for len in (0..bytes.len()).step_by(997) {
        assert!(Graph::from_onnx_bytes(&bytes[..len]).is_err(), "{len} bytes are enough");
    }
}

#[test]
fn no_byte_can_make_it_panic() {
    let convolution = Builder::new(13).input("x", &[1, 2, 6, 6]).random("w", &[3, 2, 3, 3]);
    let attributes = [ints("pads", &[1, 0, 1, 0]), ints("strides", &[2, 1])];
    let convolution = convolution.node("Conv", &["x", "w"], &["c"], &attributes);
    let pool = [ints("kernel_shape", &[2, 2]), int("ceil_mode", 1)];
    let convolution = convolution.node("AveragePool", &["c"], &["p"], &pool);
    let convolution = convolution.integers("s", &[1, -1]).node("Reshape", &["p", "s"], &["y"], &[]);
    let movement = Builder::new(13).input("x", &[2, 6]).integers("s", &[1]).integers("e", &[5]);
    let movement = movement.integers("a", &[1]).node("Slice", &["x", "s", "e", "a"], &["t"], &[]);
    let movement = movement.node("Transpose", &["t"], &["u"], &[ints("perm", &[1, 0])]);
    let movement = movement.node("Concat", &["u", "u"], &["y"], &[int("axis", -1)]);
    for model in [convolution.output("y"), movement.output("y")] {
        let bytes = model.bytes();
        for position in 0..bytes.len() {
            for pattern in [0x01, 0x10, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[position] ^= pattern;
                if let Ok(graph) = Graph::from_onnx_bytes(&damaged) {
                    run(&graph);
                }
            }
        }
    }
}

/// Calibrates, quantizes and executes, where that is possible.
fn run(graph: &Graph) {
    let zeros = |spec: &TensorSpec| ArrayD::from_elem(IxDyn(&spec.shape), 0.5);
    let inputs: Vec<ArrayD<f32>> = graph.inputs().into_iter().map(zeros).collect();
    let Ok(calibration) = Calibration::from_input(graph, &inputs) else { return };
    let options = QuantizeOptions::default();
    let Ok(quantized) = quantize(graph, &calibration, &options) else { return };
    let execution = execute(&quantized, &quantize_inputs(&quantized, &inputs).unwrap()).unwrap();
    support::rules::check(&quantized, &options, &execution);
}

#[test]
fn messages_by_the_million_are_refused_before_they_are_decoded() {
    let nodes = [0x0a, 0x00].repeat(1 << 20);
    let mut file = vec![0x3a];
    let mut len = nodes.len();
    while len >= 0x80 {
        file.push(u8::try_from(len & 0x7f).unwrap() | 0x80);
        len >>= 7;
    }
    file.push(u8::try_from(len).unwrap());
    file.extend(nodes);
    let refused = Graph::from_onnx_bytes(&file).unwrap_err();
    assert!(matches!(refused, ImportError::Limit { what: "fields", .. }), "{refused}");
    let nested = (0..10_000).fold(Vec::new(), |inner: Vec<u8>, _| {
        let len = u8::try_from(inner.len()).unwrap_or(0x7f).min(0x7f);
        [&[0x32, len], &inner[..len.into()]].concat()
    });
    assert!(Graph::from_onnx_bytes(&nested).is_err());
}

#[test]
fn an_unsupported_operation_is_refused_before_anything_else_is_looked_at() {
    // The missing weight before it would be an error too, found only while computing.
    let mut model = dense().node("NonMaxSuppression", &["y"], &["z"], &[]);
    model.graph().initializer.clear();
    let refused = refusal(&model);
    let ImportError::UnsupportedOp { node, op, advice } = &refused else { panic!("{refused}") };
    assert_eq!((node.as_str(), op.as_str()), ("NonMaxSuppression_z", "NonMaxSuppression"));
    assert!(advice.contains("outside the proof"), "{advice}");
    let mut foreign = unary("Relu", &[]);
    foreign.graph().node[0].domain = named("com.microsoft");
    assert!(matches!(refusal(&foreign),
        ImportError::UnsupportedOp { op, .. } if op == "com.microsoft.Relu"));
}

/// Converters write what they could not convert under the framework's own name: Keras's GELU and
/// convolutions with groups are such, and the export says that it went well.
#[test]
fn operations_that_a_converter_left_over_are_called_what_they_are() {
    let told = |op: &str| match refusal(&unary(op, &[])) {
        ImportError::UnsupportedOp { advice, .. } => advice,
        other => panic!("{op}: {other}"),
    };
    assert!(told("Erfc").contains("gelu(x, approximate=True)"));
    assert!(told("StatefulPartitionedCall").contains("backend torch"));
    assert!(told("GatherTree").contains("the standard has no such operation"));
    assert!(told("Bernoulli").contains("random numbers"));
}

#[test]
fn attributes_are_known_and_of_their_type() {
    let unknown = |attribute: &str, op: &str| ImportError::UnknownAttribute {
        node: format!("{op}_y"),
        op: named(op),
        attribute: named(attribute),
    };
    assert_eq!(refusal(&unary("Relu", &[int("alpha", 1)])), unknown("alpha", "Relu"));
    let twice = [float("alpha", 0.1), float("alpha", 0.2)];
    assert_eq!(refusal(&unary("LeakyRelu", &twice)), unknown("alpha", "LeakyRelu"));
    let attribute = |attribute: &str, op: &str, expected: &'static str| ImportError::Attribute {
        node: format!("{op}_y"),
        attribute: named(attribute),
        expected,
    };
    let wrong_type = refusal(&unary("LeakyRelu", &[int("alpha", 1)]));
    assert_eq!(wrong_type, attribute("alpha", "LeakyRelu", "a number"));
    let infinite = refusal(&unary("LeakyRelu", &[float("alpha", f32::NAN)]));
    assert_eq!(infinite, attribute("alpha", "LeakyRelu", "finite"));
    let perm = refusal(&unary("Transpose", &[ints("perm", &[0, 0])]));
    assert_eq!(perm, attribute("perm", "Transpose", "a permutation of the axes"));
    let axis = refusal(&unary("Flatten", &[int("axis", 9)]));
    assert_eq!(axis, attribute("axis", "Flatten", "an axis of the tensor"));
    let dropped = refusal(&unary("Squeeze", &[ints("axes", &[0])]));
    assert_eq!(dropped, unknown("axes", "Squeeze"), "an operand since operator set 13");
    let mode = refusal(&unary_of(20, "Gelu", &[text("approximate", "sigmoid")]));
    assert_eq!(mode, attribute("approximate", "Gelu", "none or tanh"));
    assert!(matches!(refusal(&unary("Gelu", &[])), ImportError::UnsupportedOp { .. }), "since 20");
}

#[test]
fn names_are_defined_once_and_before_use() {
    let mut missing = dense();
    missing.graph().initializer.clear();
    let undefined = |reader: &str, value: &str| ImportError::UndefinedValue {
        reader: named(reader),
        value: named(value),
    };
    assert_eq!(refusal(&missing), undefined("MatMul_y", "w"));
    assert_eq!(refusal(&dense().output("z")), undefined("z", "z"));
    let duplicate = ImportError::DuplicateValue { value: named("y") };
    assert_eq!(refusal(&dense().node("Relu", &["x"], &["y"], &[])), duplicate);
    let duplicate = ImportError::DuplicateValue { value: named("w") };
    assert_eq!(refusal(&dense().random("w", &[4, 2])), duplicate);
    let cyclic = Builder::new(13).input("x", &[4]).node("Add", &["x", "b"], &["a"], &[]);
    let cyclic = cyclic.node("Relu", &["a"], &["b"], &[]).node("Relu", &["b"], &["y"], &[]);
    assert!(matches!(refusal(&cyclic.output("y")),
        ImportError::Cycle { node } if node == "Add_a" || node == "Relu_b"));
}

#[test]
fn nodes_in_any_order_are_sorted() {
    let mut model = dense().node("Relu", &["y"], &["z"], &[]).output("z");
    model.graph().node.reverse();
    assert!(Graph::from_onnx_bytes(&model.bytes()).is_ok());
}

#[test]
fn huge_and_empty_dimensions() {
    let sized = |shape: &[i64]| {
        refusal(&Builder::new(13).input("x", shape).node("Relu", &["x"], &["y"], &[]).output("y"))
    };
    let too_many = |error: ImportError, name: &str| matches!(error, ImportError::Limit { place, what: "tensor elements", .. } if place == name);
    assert!(too_many(sized(&[1, i64::MAX]), "x"));
    assert!(too_many(sized(&[1, 1 << 32, 1 << 32]), "x"), "the product overflows 64 bits");
    assert!(too_many(sized(&[1 << 40; 8]), "x"), "the product overflows 128 bits");
    for bad in [[1, 0], [0, 1], [-2, 1]] {
        assert!(matches!(sized(&bad), ImportError::Dimension { tensor, .. } if tensor == "x"));
    }
    assert!(matches!(sized(&[1, -1]), ImportError::OpenDimension { flag, .. } if flag == "x=1x?"));
    let weights = |dims: &[i64]| {
        let mut model = dense();
        model.graph().initializer[0].dims = dims.to_vec();
        refusal(&model)
    };
    assert!(too_many(weights(&[1 << 62, 1 << 62]), "w"));
    assert!(too_many(weights(&[0, 1 << 62, 1 << 62]), "w"), "hidden behind a zero");
    assert!(matches!(weights(&[4, -2]), ImportError::Dimension { axis: 1, .. }));
    let (expected, got) = (12, 8);
    assert_eq!(weights(&[4, 3]), ImportError::DataLength { tensor: named("w"), expected, got });
    let filled = Builder::new(13).input("x", &[1]).integers("s", &[1 << 20, 1 << 20]);
    let filled = filled.node("ConstantOfShape", &["s"], &["c"], &[]);
    let filled = filled.node("Add", &["x", "c"], &["y"], &[]).output("y");
    assert!(too_many(refusal(&filled), "ConstantOfShape_c"));
    let expanded = Builder::new(13).input("x", &[1]).integers("s", &[1 << 40]);
    let expanded = expanded.node("Expand", &["x", "s"], &["y"], &[]).output("y");
    assert!(too_many(refusal(&expanded), "Expand_y"));
}

#[test]
fn more_work_than_can_be_proved() {
    let side = 1 << 9;
    let model = Builder::new(13).input("x", &[1, 1, side, side]).integers("s", &[1, 1, side, side]);
    let model = model.node("ConstantOfShape", &["s"], &["w"], &[]);
    let pads = ints("pads", &[side / 2; 4]);
    let refused = refusal(&model.node("Conv", &["x", "w"], &["y"], &[pads]).output("y"));
    assert!(matches!(refused, ImportError::Limit { place, what: "multiplications", .. }
        if place == "Conv_y"));
}

#[test]
fn symbols_other_than_the_batch_are_refused() {
    let mut model = dense();
    let symbol = |name: &str| Some(Dim::Param(name.to_owned()));
    input_type(&mut model).shape.as_mut().unwrap().dim[0].value = symbol("N");
    let open_batch = model.clone();
    input_type(&mut model).shape.as_mut().unwrap().dim[1].value = symbol("length");
    let open_width = model;
    assert_eq!(Graph::from_onnx_bytes(&open_batch.bytes()).unwrap().inputs()[0].shape, [1, 4]);
    let (input, dimension) = (named("x"), named("dimension 1 (`length`)"));
    let flag = named("x=1x?");
    assert_eq!(refusal(&open_width), ImportError::OpenDimension { input, dimension, flag });
}

#[test]
fn element_types() {
    let mut integer = dense();
    input_type(&mut integer).elem_type = DataType::String as i32;
    assert!(matches!(refusal(&integer),
        ImportError::ElementType { tensor, dtype, .. } if tensor == "x" && dtype == "STRING"));
    let mut untyped = dense();
    untyped.graph().input[0].r#type = None;
    assert_eq!(refusal(&untyped), ImportError::Untyped { input: named("x") });
    // Texts are read, from a field of their own.
    let mut texts = dense();
    texts.graph().initializer[0].data_type = DataType::String as i32;
    assert!(matches!(refusal(&texts),
        ImportError::DataLength { tensor, expected: 8, got: 0 } if tensor == "w"));
    for (number, name) in [(14, "COMPLEX64"), (99, "number 99")] {
        let mut model = dense();
        model.graph().initializer[0].data_type = number;
        assert!(matches!(refusal(&model),
            ImportError::ElementType { tensor, dtype, .. } if tensor == "w" && dtype == name));
    }
    let mut sparse = dense();
    sparse.graph().sparse_initializer.push(SparseTensorProto::default());
    assert!(
        matches!(refusal(&sparse), ImportError::ElementType { dtype, .. } if dtype == "sparse")
    );
}

#[test]
fn weights_in_other_files_are_not_opened() {
    let mut model = dense();
    let weights = &mut model.graph().initializer[0];
    weights.data_location = DataLocation::External as i32;
    weights.raw_data.clear();
    let location = ("location", "../../../etc/passwd");
    weights
        .external_data
        .push(StringStringEntryProto { key: named(location.0), value: named(location.1) });
    assert!(matches!(refusal(&model), ImportError::ExternalData { tensor, file, .. }
        if tensor == "w" && file == location.1));
}

#[test]
fn weights_that_are_no_numbers() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let model = Builder::new(13).input("x", &[1, 2]).reals("w", &[2, 1], &[1.0, bad]);
        let model = model.node("MatMul", &["x", "w"], &["y"], &[]).output("y");
        assert_eq!(refusal(&model), ImportError::NotFinite { tensor: named("w"), index: 1 });
    }
    let zero = Builder::new(13).input("x", &[1, 2]).reals("c", &[2], &[1.0, 0.0]);
    let zero = zero.node("Div", &["x", "c"], &["y"], &[]).output("y");
    assert!(matches!(refusal(&zero), ImportError::Operand { node, index: 1, .. }
        if node == "Div_y"));
}

#[test]
fn data_given_twice_could_disagree() {
    let mut model = dense();
    model.graph().initializer[0].float_data = vec![0.0; 8];
    assert!(matches!(refusal(&model), ImportError::DataLength { tensor, .. } if tensor == "w"));
}

#[test]
fn shapes_that_do_not_fit() {
    let shape = |model: &Builder, name: &str| {
        let refused = refusal(model);
        assert!(matches!(&refused, ImportError::Shape { node, .. } if node == name), "{refused}");
    };
    let two = |op: &str, w: &[i64]| {
        let model = Builder::new(13).input("x", &[1, 4]).random("w", w);
        model.node(op, &["x", "w"], &["y"], &[]).output("y")
    };
    shape(&two("MatMul", &[3, 2]), "MatMul_y");
    shape(&two("MatMul", &[2, 3, 2]), "MatMul_y");
    shape(&two("Gemm", &[3, 2]), "Gemm_y");
    shape(&two("Add", &[3]), "Add_y");
    let conv = |w: &[i64], attributes: &[AttributeProto]| {
        let model = Builder::new(13).input("x", &[1, 2, 4, 4]).random("w", w);
        model.node("Conv", &["x", "w"], &["y"], attributes).output("y")
    };
    shape(&conv(&[3, 3, 3, 3], &[]), "Conv_y");
    shape(&conv(&[3, 2, 5, 5], &[]), "Conv_y");
    shape(&conv(&[3, 2], &[]), "Conv_y");
    shape(&conv(&[3, 1, 3, 3], &[int("group", 2)]), "Conv_y");
    assert!(matches!(refusal(&conv(&[2, 1, 3, 3], &[int("group", -1)])),
        ImportError::Attribute { attribute, .. } if attribute == "group"));
    let reshape = Builder::new(13).input("x", &[1, 4]).integers("s", &[3]);
    shape(&reshape.node("Reshape", &["x", "s"], &["y"], &[]).output("y"), "Reshape_y");
    let wrong = conv(&[3, 2, 3, 3], &[ints("strides", &[0, 1])]);
    assert!(matches!(refusal(&wrong), ImportError::UnsupportedForm { node, .. }
        if node == "Conv_y"));
}

#[test]
fn operands_of_the_wrong_kind() {
    let two = Builder::new(13).input("a", &[4, 4]).input("b", &[4, 4]);
    let product = two.clone().node("MatMul", &["a", "b"], &["y"], &[]).output("y");
    assert!(Graph::from_onnx_bytes(&product.bytes()).is_ok());
    let power = two.node("Pow", &["a", "b"], &["y"], &[]).output("y");
    let (node, op, input) = (named("Pow_y"), named("Pow"), Some(named("b")));
    assert_eq!(refusal(&power), ImportError::Computed { node, op, index: 1, input });
    let absent = Builder::new(13).input("x", &[4, 4]).node("MatMul", &["x"], &["y"], &[]);
    let (node, op) = (named("MatMul_y"), named("MatMul"));
    assert_eq!(refusal(&absent.output("y")), ImportError::MissingOperand { node, op, index: 1 });
    let mask = Builder::new(12).input("x", &[4]).node("Dropout", &["x"], &["y", "mask"], &[]);
    assert!(Graph::from_onnx_bytes(&mask.clone().output("y").bytes()).is_ok());
    let (node, op) = (named("Dropout_y"), named("Dropout"));
    assert_eq!(refusal(&mask.output("mask")), ImportError::Output { node, op, index: 1 });
    let constant = dense().output("w");
    assert_eq!(refusal(&constant), ImportError::ConstantOutput { output: named("w") });
}

#[test]
fn initializers_listed_as_inputs_are_no_inputs() {
    let mut model = dense();
    model.graph().input.push(value_info("w", &[4, 2]));
    assert_eq!(Graph::from_onnx_bytes(&model.bytes()).unwrap().inputs().len(), 1);
}
