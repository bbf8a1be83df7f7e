//! The operations of the standard that are not proved: why, and what to do instead.

/// Operations of one kind: their domain, their names, and what is told of them.
type Kind = (&'static str, &'static [&'static str], &'static str);

/// Of operations whose results have a size that no file tells.
pub(super) const SIZE_DEPENDS: &str = "the size of its result depends on the input, and no shape of a proof does; export the model up \
     to the node before it, and run this step outside the proof on the outputs that are proved";

/// Every operation of the standard that is not in the table of operations.
pub(super) const REFUSED: &[Kind] = &[
    ("", &["NonMaxSuppression"], SIZE_DEPENDS),
    (
        "",
        &["ImageDecoder"],
        "it reads a compressed image; decode it beforehand, and prove what is computed of its pixels",
    ),
    (
        "",
        &["RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit"],
        "it computes with text; do this step beforehand, and prove what is computed of its numbers",
    ),
    (
        "",
        &[
            "Bernoulli",
            "Multinomial",
            "RandomNormal",
            "RandomNormalLike",
            "RandomUniform",
            "RandomUniformLike",
        ],
        "it draws random numbers, and a proof is of one result for each input; make the numbers an \
         input of the model",
    ),
    (
        "",
        &["BitCast"],
        "the bits of a number are not proved, its value is; export without it, or with Cast",
    ),
    (
        "",
        &["MaxRoiPool"],
        "it reads regions of an image that are computed from the input; use RoiAlign, or export the \
         model up to the node before it, and prove the rest as a model of its own",
    ),
    (
        "ai.onnx.ml",
        &["CastMap", "CategoryMapper", "DictVectorizer"],
        "it reads a map or text; give the model the numbers, and export it from there",
    ),
    (
        "ai.onnx.preview.training",
        &["Adagrad", "Adam", "Gradient", "Momentum"],
        "it trains a model; export the trained model for inference",
    ),
];

/// Operations of frameworks that converters leave in files as if they were the standard's: no
/// runtime loads such a file.
const LEFT_OVER: &[(&[&str], &str)] = &[
    (
        &["Erfc"],
        "it is TensorFlow's, and no runtime of ONNX knows it; where it comes of GELU, write \
         gelu(x, approximate=True), or export with Keras's backend torch",
    ),
    (
        &["PartitionedCall", "StatefulPartitionedCall"],
        "it is a function of TensorFlow that tf2onnx did not look into, and no runtime of ONNX knows \
         it; where it comes of a convolution with groups, export with Keras's backend torch, or write \
         one convolution for each group",
    ),
];

/// What a user can do about an operation that is not in the table.
pub(super) fn advice(domain: &str, op: &str) -> &'static str {
    let left_over = LEFT_OVER.iter().find(|(names, _)| domain.is_empty() && names.contains(&op));
    if let Some((_, advice)) = left_over {
        return advice;
    }
    let known = REFUSED.iter().find(|(of, names, _)| *of == domain && names.contains(&op));
    match (known, domain) {
        (Some((.., advice)), _) => advice,
        (None, "ai.onnx.ml") => {
            "prove the part of the pipeline without it, or a neural network trained on its outputs"
        }
        (None, "") => {
            "the standard has no such operation, so the exporter left one of its framework's; export \
             the model up to the node before it; docs/operators.md lists what is proved"
        }
        (None, "com.microsoft") => {
            "export without onnxruntime's graph optimizations, so that only standard operators are \
             written"
        }
        (None, _) => {
            "export with standard operators, or with the function that defines it in the file"
        }
    }
}
