//! The files that people have: weights beside the model, functions, open shapes, many operator
//! sets, and files that are something else.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::{Path, PathBuf};

use ndarray::{ArrayD, IxDyn};
use support::onnx::proto::{
    AttributeProto, DataLocation, DataType, Dim, FunctionProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, ValueInfoProto,
};
use support::onnx::{Builder, float, int, ints};
use zkinfer_models::{Graph, ImportError, ImportOptions, OnnxFile, Refusals, model_digest};

fn file(model: &Builder) -> OnnxFile {
    OnnxFile::from_single(&model.bytes()).unwrap()
}

fn refusals(model: &Builder) -> Refusals {
    file(model).import(&ImportOptions::default()).expect_err("the model must be refused")
}

fn run(graph: &Graph, inputs: &[&[f32]]) -> Vec<f32> {
    let arrays = graph
        .inputs()
        .into_iter()
        .zip(inputs)
        .map(|(spec, data)| ArrayD::from_shape_vec(IxDyn(&spec.shape), data.to_vec()).unwrap());
    let outputs = graph.run_float(&arrays.collect::<Vec<_>>()).unwrap();
    outputs[0].iter().copied().collect()
}

fn import(model: &Builder) -> Graph {
    file(model).import(&ImportOptions::default()).unwrap()
}

/// The declared type of the first input.
fn dimensions(info: &mut ValueInfoProto) -> &mut Vec<support::onnx::proto::DimensionProto> {
    &mut info.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().shape.as_mut().unwrap().dim
}

#[test]
fn files_that_are_no_models_are_called_by_their_names() {
    let kinds: &[(&[u8], &str)] = &[
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a git-lfs pointer"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"\xef\xbb\xbf<html lang=en>", "a web page"),
        (b"PK\x03\x04....archive/data.pkl", "a PyTorch file"),
        (b"PK\x03\x04....x.npy", "an .npz file"),
        (b"PK\x03\x04....readme", "a zip archive"),
        (b"\x93NUMPY\x01\x00", "a NumPy array"),
        (b"\x1c\0\0\0TFL3\0", "a TensorFlow Lite model"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"GGUF\x03\0\0\0", "a GGUF file"),
        (b"\x1f\x8b\x08\0", "a gzip archive"),
        (b"\x80\x02}q\0.", "a Python pickle"),
        (b"\x02\0\0\0\0\0\0\0{\"x\": 1}", "a safetensors file"),
        (b"{\"input_data\": [[0.5]]}", "a JSON file"),
    ];
    for (bytes, name) in kinds {
        let refused = OnnxFile::from_single(bytes).unwrap_err();
        let ImportError::Foreign { found, action } = &refused else { panic!("{refused}") };
        assert!(found.starts_with(name), "{found}, expected {name}");
        assert!(!action.is_empty());
    }
}

/// `y = x·w + b` with both constants in another file.
fn external(location: &str, offset: &str, length: Option<&str>) -> Builder {
    let model = Builder::new(17).input("x", &[1, 2]).reals("w", &[2, 2], &[0.0; 4]);
    let model = model.reals("b", &[2], &[0.5, -0.5]).node("Gemm", &["x", "w", "b"], &["y"], &[]);
    let mut model = model.output("y");
    let weights = &mut model.graph().initializer[0];
    weights.raw_data.clear();
    weights.data_location = DataLocation::External as i32;
    let entries =
        [("location", Some(location)), ("offset", Some(offset)), ("length", length)].into_iter();
    for (key, value) in entries.filter_map(|(key, value)| Some((key, value?))) {
        let entry = StringStringEntryProto { key: key.to_owned(), value: value.to_owned() };
        weights.external_data.push(entry);
    }
    model
}

fn bytes_of(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn written(folder: &Path, model: &Builder) -> PathBuf {
    let path = folder.join("model.onnx");
    std::fs::write(&path, model.bytes()).unwrap();
    path
}

#[test]
fn weights_beside_the_model_are_read_and_bound() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("parts")).unwrap();
    let data = folder.path().join("parts/weights.bin");
    std::fs::write(&data, bytes_of(&[9.0, 1.0, 2.0, 3.0, 4.0, 9.0])).unwrap();
    let path = written(folder.path(), &external("parts/weights.bin", "4", Some("16")));
    let options = ImportOptions::default();
    let file = OnnxFile::open(&path).unwrap();
    let graph = file.import(&options).unwrap();
    assert_eq!(run(&graph, &[&[1.0, 10.0]]), [31.5, 41.5]);
    let digest = file.digest(&options);
    assert_ne!(digest, model_digest(&std::fs::read(&path).unwrap()), "the weights count too");
    // Bytes that no tensor reads count as well: the file is bound as it is.
    std::fs::write(&data, bytes_of(&[1.0, 1.0, 2.0, 3.0, 4.0, 9.0])).unwrap();
    assert_ne!(OnnxFile::open(&path).unwrap().digest(&options), digest);
    std::fs::write(&data, bytes_of(&[9.0, 1.0, 2.0, 3.0, 4.0, 9.0])).unwrap();
    assert_eq!(OnnxFile::open(&path).unwrap().digest(&options), digest);
    let resolver = |name: &str| {
        assert_eq!(name, "parts/weights.bin");
        Ok(bytes_of(&[9.0, 1.0, 2.0, 3.0, 4.0, 9.0]))
    };
    let resolved = OnnxFile::from_bytes(&std::fs::read(&path).unwrap(), &resolver).unwrap();
    assert_eq!(resolved.digest(&options), digest);
}

#[test]
fn nothing_outside_the_models_folder_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(folder.path().join("secret.bin"), bytes_of(&[1.0; 4])).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("../secret.bin", inner.join("link.bin")).unwrap();
    let absolute = folder.path().join("secret.bin").display().to_string();
    let places =
        ["../secret.bin", "a/../../secret.bin", &absolute, "..\\secret.bin", "c:secret", ""];
    for location in places {
        let path = written(&inner, &external(location, "0", Some("16")));
        let refused = OnnxFile::open(&path).unwrap_err();
        assert!(
            matches!(&refused, ImportError::ExternalData { what, .. }
            if what.starts_with("only files in the model's folder are read")),
            "{refused}"
        );
    }
    for (location, reason) in [("link.bin", "outside"), ("missing.bin", "No such file"), (".", "")]
    {
        let path = written(&inner, &external(location, "0", Some("16")));
        let refused = OnnxFile::open(&path).unwrap_err();
        assert!(
            matches!(&refused, ImportError::ExternalData { what, .. } if what.contains(reason)),
            "{refused}"
        );
    }
}

#[test]
fn weights_beside_the_model_must_be_where_it_says() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("w"), bytes_of(&[1.0; 4])).unwrap();
    let refused = |model: &Builder| OnnxFile::open(&written(folder.path(), model)).unwrap_err();
    for (offset, length) in [
        ("4", Some("16")),
        ("0", Some("17")),
        ("99", None),
        ("-1", None),
        ("18446744073709551615", Some("18446744073709551615")),
    ] {
        let refused = refused(&external("w", offset, length));
        assert!(matches!(refused, ImportError::ExternalData { .. }), "{refused}");
    }
    let mut twice = external("w", "0", None);
    let again = StringStringEntryProto { key: "offset".to_owned(), value: "4".to_owned() };
    twice.graph().initializer[0].external_data.push(again);
    assert!(matches!(refused(&twice), ImportError::ExternalData { .. }));
    let mut both = external("w", "0", None);
    both.graph().initializer[0].float_data = vec![0.0; 4];
    assert!(matches!(refused(&both), ImportError::ExternalData { .. }));
    let alone = OnnxFile::from_single(&external("w", "0", None).bytes()).unwrap_err();
    assert!(alone.to_string().contains("open it by its path"), "{alone}");
}

fn imports(model: &mut Builder, sets: &[(&str, i64)]) {
    let set = |&(domain, version): &(&str, i64)| OperatorSetIdProto {
        domain: domain.to_owned(),
        version,
    };
    model.proto.opset_import = sets.iter().map(set).collect();
}

#[test]
fn operator_sets() {
    let relu =
        || Builder::new(13).input("x", &[1, 3]).node("Relu", &["x"], &["y"], &[]).output("y");
    for sets in [
        &[("", 7)][..],
        &[("", 23)],
        &[("", 28)],
        &[("", 22), ("", 22)],
        &[("ai.onnx", 22), ("", 22), ("ai.onnx.ml", 1), ("ai.onnx.ml", 1)],
    ] {
        let mut model = relu();
        imports(&mut model, sets);
        assert_eq!(run(&import(&model), &[&[-1.0, 0.0, 2.0]]), [0.0, 0.0, 2.0], "{sets:?}");
    }
    for (sets, reason) in [
        (&[("", 17), ("ai.onnx", 18)][..], "versions 17 and 18"),
        (&[("", 29)], "version 29 is not supported"),
        (&[], "the file imports none"),
        (&[("ai.onnx.ml", 3)], "the file imports none"),
    ] {
        let mut model = relu();
        imports(&mut model, sets);
        let refused = refusals(&model);
        assert!(
            matches!(refused.first(), ImportError::OperatorSet { what, .. }
            if what.contains(reason)),
            "{refused}"
        );
        assert!(!refused.to_string().contains("Some("), "{refused}");
    }
    let mut old = relu();
    old.graph().node[0].op_type = "Gelu".to_owned();
    assert!(
        matches!(refusals(&old).first(), ImportError::UnsupportedOp { advice, .. }
        if advice.contains("newer")),
        "Gelu came with set 20"
    );
}

/// A function of the domain `own`.
fn function(name: &str, inputs: &[&str], outputs: &[&str], nodes: Vec<NodeProto>) -> FunctionProto {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    FunctionProto {
        name: name.to_owned(),
        domain: "own".to_owned(),
        input: owned(inputs),
        output: owned(outputs),
        node: nodes,
        opset_import: vec![
            OperatorSetIdProto { domain: String::new(), version: 17 },
            OperatorSetIdProto { domain: "own".to_owned(), version: 1 },
        ],
        ..FunctionProto::default()
    }
}

fn node(domain: &str, op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    NodeProto {
        op_type: op.to_owned(),
        domain: domain.to_owned(),
        input: owned(inputs),
        output: owned(outputs),
        ..NodeProto::default()
    }
}

fn calling(op: &str, functions: Vec<FunctionProto>, attributes: &[AttributeProto]) -> Builder {
    let mut model = Builder::new(17).input("x", &[1, 2]).output("y");
    let mut call = node("own", op, &["x"], &["y"]);
    call.attribute = attributes.to_vec();
    model.graph().node.push(call);
    model.proto.functions = functions;
    model
}

#[test]
fn functions_of_the_file_are_inlined() {
    let mut leaky = node("", "LeakyRelu", &["a"], &["t"]);
    let reference = AttributeProto { ref_attr_name: "slope".to_owned(), ..float("alpha", 0.0) };
    leaky.attribute.push(reference);
    let double = node("", "Add", &["t", "t"], &["b"]);
    let mut inner = function("Inner", &["a"], &["b"], vec![leaky, double]);
    inner.attribute_proto.push(float("slope", 0.5));
    let outer_nodes =
        vec![node("own", "Inner", &["v"], &["t"]), node("own", "Inner", &["t"], &["w"])];
    let outer = function("Outer", &["v"], &["w"], outer_nodes);
    let model = calling("Outer", vec![inner.clone(), outer], &[]);
    assert_eq!(run(&import(&model), &[&[1.0, -1.0]]), [4.0, -1.0]);
    let model = calling("Inner", vec![inner.clone()], &[float("slope", 0.25)]);
    assert_eq!(run(&import(&model), &[&[1.0, -1.0]]), [2.0, -0.5], "the caller's value");
    let unknown = calling("Inner", vec![inner], &[float("other", 0.25)]);
    assert!(matches!(refusals(&unknown).first(), ImportError::UnknownAttribute { .. }));
    let copy = function("Copy", &["a"], &["a"], Vec::new());
    assert_eq!(run(&import(&calling("Copy", vec![copy], &[])), &[&[1.0, -1.0]]), [1.0, -1.0]);
}

#[test]
fn functions_do_not_run_away() {
    let circle = function("F", &["a"], &["b"], vec![node("own", "F", &["a"], &["b"])]);
    assert!(matches!(refusals(&calling("F", vec![circle.clone()], &[])).first(),
        ImportError::Function { function, .. } if function == "own.F"));
    let twice = refusals(&calling("F", vec![circle.clone(), circle], &[]));
    assert!(twice.to_string().contains("defined twice"), "{twice}");
    // Each calls the next one four times: 4^13 nodes.
    let names: Vec<String> = (0..14).map(|level| format!("F{level}")).collect();
    let functions = names.windows(2).map(|pair| {
        let calls = (0..4).map(|call| {
            let (from, to) = (format!("t{call}"), format!("t{}", call + 1));
            node("own", &pair[1], &[if call == 0 { "a" } else { &from }], &[&to])
        });
        function(&pair[0], &["a"], &["t4"], calls.collect())
    });
    let mut functions: Vec<FunctionProto> = functions.collect();
    functions.push(function("F13", &["a"], &["b"], vec![node("", "Relu", &["a"], &["b"])]));
    let start = std::time::Instant::now();
    let refused = refusals(&calling("F0", functions, &[]));
    assert!(matches!(refused.first(), ImportError::Limit { .. }), "{refused}");
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn open_shapes_are_given_or_asked_for() {
    let mut model = Builder::new(17).input("x", &[1, 3, 1, 1]).input("z", &[1, 1]);
    for (axis, symbol) in [(0, "batch"), (2, "height"), (3, "width")] {
        dimensions(&mut model.graph().input[0])[axis].value = Some(Dim::Param(symbol.to_owned()));
    }
    dimensions(&mut model.graph().input[1])[1].value = Some(Dim::Param("width".to_owned()));
    let model = model.node("Mul", &["x", "z"], &["y"], &[]).output("y");
    let refused = refusals(&model);
    assert_eq!(refused.iter().count(), 2, "{refused}");
    assert!(refused.to_string().contains("--shape x=1x3x?x?"), "{refused}");
    let options = ImportOptions::default().shape_from_text("x=1x3x4x5").unwrap();
    let graph = file(&model).import(&options).unwrap();
    assert_eq!(graph.inputs()[0].shape, [1, 3, 4, 5]);
    assert_eq!(graph.inputs()[1].shape, [1, 5], "a symbol is the same everywhere");
    for (text, reason) in [
        ("x=1x4x4x5", "fixes dimension 1 to 3"),
        ("x=1x3x4", "4 dimensions"),
        ("q=1", "no such input; it has x, z"),
    ] {
        let options = ImportOptions::default().shape_from_text(text).unwrap();
        let refused = file(&model).import(&options).unwrap_err();
        assert!(refused.to_string().contains(reason), "{refused}");
    }
    for text in ["x=1x0x4x5", "x=", "x", "x=1xa"] {
        assert!(ImportOptions::default().shape_from_text(text).is_err(), "{text}");
    }
    let both = ImportOptions::default().shape_from_text("x=1x3x4x5").unwrap();
    let both = both.shape_from_text("z=1x6").unwrap();
    assert!(file(&model).import(&both).unwrap_err().to_string().contains("`width` is 5"));
}

#[test]
fn fixed_inputs_are_constants_of_the_model() {
    let mut model = Builder::new(17).input("x", &[1, 2]).input("rate", &[1]);
    let ty = model.graph().input[1].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
    ty.elem_type = DataType::Int64 as i32;
    let model = model.integers("r16", &[16]).node("Equal", &["rate", "r16"], &["is16"], &[]);
    let model = model.node("Neg", &["x"], &["n"], &[]);
    let model = model.node("Where", &["is16", "x", "n"], &["y"], &[]).output("y");
    let file = file(&model);
    let with = |text: &str| ImportOptions::default().fix_from_text(text).unwrap();
    let graph = file.import(&with("rate=16")).unwrap();
    assert_eq!(graph.inputs().len(), 1);
    assert_eq!(run(&graph, &[&[1.0, -2.0]]), [1.0, -2.0]);
    assert_eq!(run(&file.import(&with("rate=8")).unwrap(), &[&[1.0, -2.0]]), [-1.0, 2.0]);
    let digests = [ImportOptions::default(), with("rate=16"), with("rate=8"), with("x=1")]
        .map(|options| file.digest(&options));
    for (position, digest) in digests.iter().enumerate() {
        assert!(!digests[..position].contains(digest), "each is another model");
    }
    for (text, reason) in [
        ("rate=1.5", "no INT64"),
        ("q=1", "no such input"),
        ("x=1,2,3", "3 values for the shape 1x2"),
    ] {
        let refused = file.import(&with(text)).unwrap_err();
        assert!(refused.to_string().contains(reason), "{refused}");
    }
    let all = with("rate=16").fix_from_text("x=0.5").unwrap();
    assert!(file.import(&all).unwrap_err().to_string().contains("no inputs"));
    for text in ["x=nan", "x=", "x", "x=inf", "x=a"] {
        assert!(ImportOptions::default().fix_from_text(text).is_err(), "{text}");
    }
}

#[test]
fn every_reason_is_told_at_once() {
    let model = Builder::new(17).input("x", &[1, 4]).random("w", &[3, 2]);
    let model = model.node("MatMul", &["x", "w"], &["m"], &[]);
    let model = model.node("Relu", &["m"], &["r"], &[]);
    let model = model.node("NonMaxSuppression", &["r"], &["l"], &[]);
    let model = model.node("Transpose", &["x"], &["t"], &[ints("perm", &[0, 0])]);
    let model = model.node("Relu", &["x"], &["u"], &[int("alpha", 1)]);
    let model = model.node("Relu", &["nothing"], &["v"], &[]).output("l").output("t").output("q");
    let refused = refusals(&model);
    let kinds: Vec<String> = refused.iter().map(ToString::to_string).collect();
    for part in ["MatMul_m", "NonMaxSuppression_l", "Transpose_t", "Relu_u", "`nothing`", "`q`"] {
        assert!(kinds.iter().any(|reason| reason.contains(part)), "{part} in {kinds:#?}");
    }
    assert_eq!(kinds.len(), 6, "{kinds:#?}");
}

#[test]
fn no_name_of_a_file_reaches_a_terminal_as_it_is() {
    let evil = "x\u{1b}[31m\u{7}\nevery operation can be proved\u{202e}\u{200b}";
    let model = Builder::new(17).input(evil, &[1, 2]).node("Relu", &[evil], &["y"], &[]);
    let graph = import(&model.output("y"));
    let name = &graph.inputs()[0].name;
    assert!(name.chars().all(|c| !c.is_control()) && name.contains("\\u{1b}"), "{name}");
    let mut model = Builder::new(17).input("x", &[1, 2]).node("Relu", &["x"], &["y"], &[]);
    for (position, text) in [evil, "\u{feff}Nope"].into_iter().enumerate() {
        let node = &mut model.graph().node[0];
        *[&mut node.name, &mut node.op_type][position] = text.to_owned();
    }
    let refused = refusals(&model.output("y")).to_string();
    assert!(
        refused.chars().all(|c| !c.is_control() && c != '\u{202e}' && c != '\u{feff}'),
        "{refused:?}"
    );
    let long = "n".repeat(5000);
    let model = Builder::new(17).input(&long, &[1, 2]).node("Relu", &[&long], &["y"], &[]);
    let refused = OnnxFile::from_single(&model.output("y").bytes()).unwrap_err();
    assert!(refused.to_string().len() < 200, "{refused}");
}

#[test]
fn limits_of_keys_are_told_when_the_file_is_read() {
    let name = "n".repeat(257);
    let model = Builder::new(17).input(&name, &[1, 2]).node("Relu", &[&name], &["y"], &[]);
    assert!(matches!(
        refusals(&model.output("y")).first(),
        ImportError::Limit { what: "bytes", .. }
    ));
    let mut model = Builder::new(17).input("x", &[65, 1]);
    let outputs: Vec<String> = (0..65).map(|part| format!("y{part}")).collect();
    let names: Vec<&str> = outputs.iter().map(String::as_str).collect();
    model = model.node("Split", &["x"], &names, &[]);
    for name in names {
        model = model.output(name);
    }
    assert!(matches!(
        refusals(&model).first(),
        ImportError::Limit { what: "outputs", got: 65, .. }
    ));
}

#[test]
fn integers_of_every_type_are_constants() {
    let kinds = [
        (DataType::Int8, vec![0xffu8, 2]),
        (DataType::Int16, vec![0xff, 0xff, 2, 0]),
        (DataType::Int32, vec![0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0]),
    ];
    for (kind, raw) in kinds {
        let mut model = Builder::new(17).input("x", &[1, 2]).integers("c", &[0, 0]);
        let constant = &mut model.graph().initializer[0];
        constant.int64_data.clear();
        (constant.data_type, constant.raw_data) = (kind as i32, raw);
        let model = model.node("Cast", &["c"], &["f"], &[int("to", 1)]);
        let model = model.node("Mul", &["x", "f"], &["y"], &[]).output("y");
        assert_eq!(run(&import(&model), &[&[3.0, 5.0]]), [-3.0, 10.0], "{kind:?}");
    }
    for (kind, size) in [
        (DataType::Uint8, 1),
        (DataType::Uint16, 2),
        (DataType::Uint32, 4),
        (DataType::Uint64, 8),
        (DataType::Bool, 1),
    ] {
        let mut model = Builder::new(17).input("x", &[1, 2]).integers("c", &[0, 0]);
        let constant = &mut model.graph().initializer[0];
        constant.int64_data.clear();
        constant.data_type = kind as i32;
        constant.raw_data = vec![0; 2 * size];
        constant.raw_data[0] = 1;
        let model = model.node("Cast", &["c"], &["f"], &[int("to", 1)]);
        let model = model.node("Mul", &["x", "f"], &["y"], &[]).output("y");
        assert_eq!(run(&import(&model), &[&[3.0, 5.0]]), [3.0, 0.0], "{kind:?}");
    }
}

#[test]
fn inputs_of_every_type_are_numbers() {
    for kind in [
        DataType::Uint8,
        DataType::Int32,
        DataType::Int64,
        DataType::Bool,
        DataType::Float16,
        DataType::Double,
    ] {
        let mut model = Builder::new(17).input("x", &[1, 2]);
        let ty = model.graph().input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
        ty.elem_type = kind as i32;
        let model = model.node("Cast", &["x"], &["f"], &[int("to", 1)]).reals("c", &[], &[2.0]);
        let model = model.node("Div", &["f", "c"], &["y"], &[]).output("y");
        assert_eq!(run(&import(&model), &[&[1.0, 0.0]]), [0.5, 0.0], "{kind:?}");
    }
    // 200 + 200 is 144 in eight bits, and no sum of real numbers: of what is computed it is refused.
    let mut model = Builder::new(17).input("x", &[1, 2]).node("Relu", &["x"], &["r"], &[]);
    let ty = model.graph().input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
    ty.elem_type = DataType::Uint8 as i32;
    let model = model.node("Add", &["r", "r"], &["y"], &[]).output("y");
    assert!(matches!(refusals(&model).first(), ImportError::UnsupportedForm { .. }));
}
