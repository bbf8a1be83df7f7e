//! The table of operations. Each family of operations has its rows in its own file.

use super::operators::Operator;
use super::{
    activations, arithmetic, attention, blocks, concat, constants, control, convolution, elements,
    fused, integers, linear_attention, logic, losses, machine_learning, matrix, movement,
    normalization, padding, pooling, products, qlinear, quantization, recurrent, reduction,
    reshaping, resize, sampling, scatter, selection, svm, top_k, transforms,
    transposed_convolution, trees, unpooling,
};

const FAMILIES: &[&[Operator]] = &[
    activations::FUNCTIONS,
    activations::OPERATORS,
    arithmetic::OPERATORS,
    attention::OPERATORS,
    blocks::OPERATORS,
    concat::OPERATORS,
    constants::OPERATORS,
    control::OPERATORS,
    convolution::OPERATORS,
    elements::OPERATORS,
    fused::OPERATORS,
    integers::OPERATORS,
    linear_attention::OPERATORS,
    logic::OPERATORS,
    losses::OPERATORS,
    machine_learning::OPERATORS,
    matrix::OPERATORS,
    movement::OPERATORS,
    normalization::OPERATORS,
    padding::OPERATORS,
    pooling::OPERATORS,
    products::OPERATORS,
    qlinear::OPERATORS,
    quantization::OPERATORS,
    recurrent::OPERATORS,
    reduction::OPERATORS,
    reshaping::OPERATORS,
    resize::OPERATORS,
    sampling::OPERATORS,
    scatter::OPERATORS,
    selection::OPERATORS,
    svm::OPERATORS,
    top_k::OPERATORS,
    transforms::OPERATORS,
    transposed_convolution::OPERATORS,
    trees::OPERATORS,
    unpooling::OPERATORS,
];

/// The operation of that name.
pub(super) fn find(domain: &str, name: &str) -> Option<&'static Operator> {
    let mut rows = FAMILIES.iter().flat_map(|family| family.iter());
    rows.find(|row| row.name == name && row.domain == domain)
}

/// Whether there is an operation of that name.
pub(super) fn is_known(domain: &str, name: &str) -> bool {
    find(domain, name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line below the head of the page's table.
    const RULE: &str = "|---|---|---|---|\n";

    fn rows() -> impl Iterator<Item = &'static Operator> {
        FAMILIES.iter().flat_map(|family| family.iter())
    }

    #[test]
    fn every_operation_has_one_row() {
        for row in rows() {
            let same = rows().filter(|other| (other.domain, other.name) == (row.domain, row.name));
            assert_eq!(same.count(), 1, "{}", row.name);
            assert!(row.sets.is_sorted() && !row.sets.is_empty(), "{}", row.name);
        }
    }

    /// The classes of the page, and the operations of each; for the others see [`class`].
    const CLASSES: &[(&str, &str)] = &[
        (
            "E",
            "ArrayFeatureExtractor CenterCropPad Compress DepthToSpace Dropout Expand Flatten \
             Gather GatherElements GatherND Identity Imputer MaxPool GlobalMaxPool ReduceMax \
             ReduceMin Reshape ReverseSequence Slice SpaceToDepth Split Squeeze Tile \
             Transpose Trilu Unsqueeze ZipMap",
        ),
        (
            "K",
            "BlackmanWindow Constant ConstantOfShape EyeLike HammingWindow HannWindow If \
             IsInf IsNaN MelWeightMatrix NonZero Range Shape Size",
        ),
        (
            "C",
            "And ArgMax ArgMin Binarizer Equal Greater GreaterOrEqual Hardmax LabelEncoder \
             Less LessOrEqual Not OneHot Or Sign TopK Xor",
        ),
        (
            "L",
            "Add AveragePool BatchNormalization Concat Conv ConvTranspose CumSum DFT \
             DequantizeLinear FeatureVectorizer Gemm GlobalAveragePool GridSample \
             LinearRegressor MatMul MaxUnpool Mean Neg Pad ReduceMean ReduceSum Resize \
             RoiAlign STFT Scaler Sub Sum Upsample",
        ),
        ("P", "CumProd Det Einsum Mul Where"),
        (
            "G",
            "GroupNormalization InstanceNormalization LayerNormalization \
             MeanVarianceNormalization RMSNormalization SimplifiedLayerNormalization Softmax",
        ),
        ("I", "BitShift ConvInteger MatMulInteger QGemm QuantizeLinear"),
    ];

    /// What an operation costs and how exact it is, as a letter.
    fn class(row: &Operator) -> &'static str {
        let listed = |(_, names): &&(&str, &str)| names.split(' ').any(|name| name == row.name);
        let tables = [activations::FUNCTIONS, activations::OPERATORS];
        let is_table = tables.into_iter().flatten().any(|other| other.name == row.name);
        match CLASSES.iter().find(listed) {
            Some((class, _)) => class,
            None if row.name.starts_with("Tree") => "F",
            None if row.name.starts_with("QLinear") => "I",
            None if is_table => "T",
            None => "S",
        }
    }

    /// With `ZKINFER_BLESS=1` the page is written instead.
    #[test]
    fn the_page_of_operators_is_the_table() {
        let list = |items: Vec<String>| items.join(", ");
        let mut lines: Vec<String> = rows()
            .map(|row| {
                let domain =
                    if row.domain.is_empty() { String::new() } else { format!("{}.", row.domain) };
                let sets = list(row.sets.iter().map(ToString::to_string).collect());
                let attributes = list(row.attributes.iter().map(|a| format!("`{a}`")).collect());
                let class = class(row);
                format!("| {domain}{} | {class} | {sets} | {attributes} |\n", row.name)
            })
            .collect();
        lines.sort();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operators.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (before, _) = page.split_once(RULE).unwrap();
        let wanted = format!("{before}{RULE}{}", lines.concat());
        if std::env::var_os("ZKINFER_BLESS").is_some() {
            std::fs::write(path, &wanted).unwrap();
        }
        assert!(std::fs::read_to_string(path).unwrap() == wanted, "set ZKINFER_BLESS=1");
    }
}
