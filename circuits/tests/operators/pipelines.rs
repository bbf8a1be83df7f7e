//! Files of pipelines, of onnxruntime's own operations, and of codes.

use std::collections::BTreeMap;

use prost::Message as _;
use serde::Deserialize;

use crate::{
    onnx::{
        Builder, float, floats, int, ints, noise,
        proto::{DataType, ModelProto},
        text, texts,
    },
    table::{File, ML, MS, NEWEST, Named, with_bytes},
};

/// All of them, by name.
pub(crate) fn models() -> Vec<Named> {
    [pipelines(), fused(), codes(), trees()].concat()
}

fn ml(op: &str) -> String {
    format!("{ML}/{op}")
}

fn pipelines() -> Vec<Named> {
    let features = File::new(NEWEST)
        .input("x", &[2, 3])
        .integers("picked", &[2, 0])
        .of(&ml("ArrayFeatureExtractor"), "x picked", &[])
        .of(&ml("Binarizer"), "x", &[float("threshold", 0.1)])
        .of(&ml("FeatureVectorizer"), "x", &[ints("inputdimensions", &[3])])
        .of(
            &ml("Imputer"),
            "x",
            &[floats("imputed_value_floats", &[0.5]), float("replaced_value_float", 0.0)],
        )
        .of(&ml("Normalizer"), "x", &[text("norm", "L2")])
        .of(&ml("Scaler"), "x", &[floats("offset", &[0.1]), floats("scale", &[2.0])])
        .of(&ml("ZipMap"), "x", &[texts("classlabels_strings", &["a", "b", "c"])]);
    let encoded = File::new(NEWEST)
        .whole("i", &[2, 2], DataType::Int64)
        .of(&ml("OneHotEncoder"), "i", &[ints("cats_int64s", &[0, 2])])
        .of(
            &ml("LabelEncoder"),
            "i",
            &[ints("keys_int64s", &[0, 1]), floats("values_floats", &[0.5, -1.0])],
        );
    let weights = || [floats("coefficients", &noise("w", 6)), floats("intercepts", &[0.1, -0.1])];
    let linear = File::new(NEWEST)
        .input("x", &[2, 3])
        .of(&ml("LinearRegressor"), "x", &[&weights()[..], &[int("targets", 2)]].concat())
        .of(
            &ml("LinearClassifier"),
            "x",
            &[&weights()[..], &[ints("classlabels_ints", &[0, 1])]].concat(),
        );
    let shared = [
        text("kernel_type", "RBF"),
        floats("kernel_params", &[0.5, 0.0, 3.0]),
        floats("support_vectors", &noise("vectors", 6)),
        floats("coefficients", &[0.5, -0.7]),
        floats("rho", &[0.1]),
    ];
    let machines = File::new(NEWEST)
        .input("x", &[2, 3])
        .of(&ml("SVMRegressor"), "x", &[&shared[..], &[int("n_supports", 2)]].concat())
        .of(
            &ml("SVMClassifier"),
            "x",
            &[
                &shared[..],
                &[ints("vectors_per_class", &[1, 1]), ints("classlabels_ints", &[4, 9])],
            ]
            .concat(),
        );
    vec![
        features.done("features"),
        encoded.done("encoders"),
        linear.done("linear models"),
        machines.done("support vectors"),
    ]
}

fn fused() -> Vec<Named> {
    let ms = |op: &str| format!("{MS}/{op}");
    let rows = File::new(17)
        .input("x", &[2, 4])
        .input("y", &[2, 4])
        .weights("w", &[4, 3])
        .weights("t", &[3, 4])
        .reals("scale", &[1.0, 0.5, 2.0, 1.5])
        .of(&ms("BiasGelu"), "x scale", &[])
        .of(&ms("CDist"), "x t", &[text("metric", "sqeuclidean")])
        .of(&ms("FastGelu"), "x", &[])
        .of(&ms("Gelu"), "x", &[])
        .of(&ms("QuickGelu"), "x", &[])
        .of(&ms("FusedGemm"), "x w", &[text("activation", "Relu")])
        .of(&ms("FusedMatMul"), "x w", &[float("alpha", 0.5)])
        .of(&ms("SkipLayerNormalization"), "x y scale", &[])
        .of(&ms("SkipSimplifiedLayerNormalization"), "x y scale", &[]);
    let image = File::new(17).input("x", &[1, 2, 3, 3]).weights("w", &[2, 2, 2, 2]).of(
        &ms("FusedConv"),
        "x w",
        &[text("activation", "Relu")],
    );
    vec![rows.done("fused rows"), image.done("fused images")]
}

/// Operations on codes, whose scales and zero points are `s`, `u`, `z`.
fn codes() -> Vec<Named> {
    let ms = |op: &str| format!("{MS}/{op}");
    let file = || {
        let file = File::new(21).whole("i", &[2, 4], DataType::Uint8);
        let file = file.whole("j4", &[2, 4], DataType::Uint8).input("x", &[2, 4]);
        file.put(|m| with_bytes(with_bytes(m, "z", &[]), "w", &[4, 3]))
            .put(|m| m.reals("s", &[], &[0.1]).reals("u", &[], &[0.3]))
    };
    let plain = file()
        .of("DequantizeLinear", "i s z", &[])
        .of("QuantizeLinear", "x s z", &[])
        .of(&ms("DequantizeLinear"), "i s z", &[])
        .of(&ms("QuantizeLinear"), "x s z", &[])
        .put(|m| m.node("DynamicQuantizeLinear", &["x"], &["d", "ds", "dz"], &[]))
        .of("DequantizeLinear", "d ds dz", &[])
        .of(&ms("DynamicQuantizeMatMul"), "x w s z", &[])
        .of(&ms("MatMulIntegerToFloat"), "i w s u z z", &[]);
    let products = file()
        .of("QLinearMatMul", "i s z w u z u z", &[])
        .of(&ms("QGemm"), "i s z w u z - u z", &[])
        .of(&ms("QLinearAdd"), "i s z j4 u z u z", &[])
        .of(&ms("QLinearMul"), "i s z j4 u z s z", &[])
        .of(&ms("QLinearConcat"), "u z i s z j4 u z", &[int("axis", 1)])
        .of(&ms("QLinearSigmoid"), "i s z s z", &[])
        .of(&ms("QLinearLeakyRelu"), "i s z s z", &[])
        .of(&ms("QLinearSoftmax"), "i s z s z", &[int("opset", 13)]);
    let images = File::new(21)
        .whole("i", &[1, 1, 3, 3], DataType::Uint8)
        .put(|m| with_bytes(with_bytes(m, "z", &[]), "w", &[1, 1, 2, 2]))
        .put(|m| m.reals("s", &[], &[0.1]).reals("u", &[], &[0.3]))
        .of("QLinearConv", "i s z w u z u z", &[])
        .of(&ms("QLinearAveragePool"), "i s z s z", &[ints("kernel_shape", &[2, 2])])
        .of(&ms("QLinearGlobalAveragePool"), "i s z s z", &[]);
    vec![plain.done("codes"), products.done("products of codes"), images.done("images of codes")]
}

#[derive(Deserialize)]
struct Case {
    name: String,
    model: String,
}

/// The files that the importer's tests compare with onnxruntime: of each operation the smallest.
fn trees() -> Vec<Named> {
    let trees = include_str!("../../../models/tests/data/trees.json");
    let mut cases: Vec<Case> = serde_json::from_str(trees).unwrap();
    let mut smallest: BTreeMap<String, Named> = BTreeMap::new();
    cases.sort_by_key(|case| case.model.len());
    for Case { name, model } in cases {
        let byte = |at: usize| u8::from_str_radix(&model[2 * at..2 * at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..model.len() / 2).map(byte).collect();
        let mut model = Builder::new(NEWEST);
        model.proto = ModelProto::decode(&*bytes).unwrap();
        let ops = model.graph().node.iter().map(|node| node.op_type.clone()).collect::<Vec<_>>();
        for op in ops {
            smallest.entry(op).or_insert_with(|| (name.clone(), model.clone()));
        }
    }
    let mut files: Vec<Named> = smallest.into_values().collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files.dedup_by(|one, other| one.0 == other.0);
    files
}
