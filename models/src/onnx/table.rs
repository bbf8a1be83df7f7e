//! The table of operations. Each family of operations has its rows in its own file.

use super::operators::Operator;
use super::{
    activations, arithmetic, attention, bitwise, blocks, concat, constants, control, convolution,
    deformed, elements, flex_attention, fused, integers, labels, linear_attention, logic, losses,
    machine_learning, matrix, movement, n_grams, normalization, padding, pooling, products,
    qlinear, quantization, recurrent, reduction, reshaping, resize, sampling, scatter, selection,
    sequences, svm, top_k, transforms, transposed_convolution, trees, unique, unpooling,
};

const FAMILIES: &[&[Operator]] = &[
    activations::FUNCTIONS,
    activations::OPERATORS,
    arithmetic::OPERATORS,
    attention::OPERATORS,
    bitwise::OPERATORS,
    blocks::OPERATORS,
    concat::OPERATORS,
    constants::OPERATORS,
    control::OPERATORS,
    convolution::OPERATORS,
    deformed::OPERATORS,
    elements::OPERATORS,
    flex_attention::OPERATORS,
    fused::OPERATORS,
    integers::OPERATORS,
    labels::OPERATORS,
    linear_attention::OPERATORS,
    logic::OPERATORS,
    losses::OPERATORS,
    machine_learning::OPERATORS,
    matrix::OPERATORS,
    movement::OPERATORS,
    n_grams::OPERATORS,
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
    sequences::OPERATORS,
    svm::OPERATORS,
    top_k::OPERATORS,
    transforms::OPERATORS,
    transposed_convolution::OPERATORS,
    trees::OPERATORS,
    unique::OPERATORS,
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
    use super::super::refused::REFUSED;
    use super::*;

    /// What the page prints from the tables begins here.
    const HEADING: &str = "\n## Operations\n";

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

    /// A class of operations: its letter, what they become, what that costs, how far integers are
    /// off, and their names.
    type Class = [&'static str; 5];

    /// The classes of the page, and the operations of each; for the others see [`class`].
    const CLASSES: &[Class] = &[
        [
            "E",
            "a choice of elements, or the largest of some",
            "nothing; a maximum has a row for four elements",
            "none of its own",
            "ArrayFeatureExtractor CenterCropPad Compress DepthToSpace Dropout Expand Flatten \
             Gather GatherElements GatherND Identity Imputer MaxPool GlobalMaxPool ReduceMax \
             ReduceMin Reshape ReverseSequence Slice SpaceToDepth Split Squeeze Tile \
             Transpose Trilu Unsqueeze ZipMap Optional OptionalGetElement SequenceAt \
             SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SplitToSequence",
        ],
        [
            "K",
            "a constant, or the nodes that a constant decides on",
            "nothing",
            "none",
            "BlackmanWindow Constant ConstantOfShape EyeLike HammingWindow HannWindow If \
             IsInf IsNaN MelWeightMatrix NonZero OptionalHasElement Range SequenceLength Shape Size \
             Unique",
        ],
        [
            "C",
            "a comparison of the difference with 0, or logic on such results",
            "a slot for each comparison",
            "none where the difference is a unit or more; whole numbers are compared exactly",
            "And ArgMax ArgMin Binarizer Equal Greater GreaterOrEqual Hardmax LabelEncoder \
             Less LessOrEqual Not OneHot OneHotEncoder Or Sign TopK Xor",
        ],
        [
            "L",
            "a sum with constant weights",
            "a slot for each result, a read for each element that is weighed; weights are columns \
             of the key",
            "half a unit, and what rounding of weights and of elements adds up to",
            "Add AveragePool BatchNormalization Concat ConcatFromSequence Conv ConvTranspose CumSum DFT \
             DequantizeLinear FeatureVectorizer Gemm GlobalAveragePool GridSample \
             LinearRegressor MatMul MaxUnpool Mean Neg Pad ReduceMean ReduceSum Resize \
             RoiAlign STFT Scaler Sub Sum Upsample",
        ],
        [
            "P",
            "products of two tensors",
            "a slot for each result, two reads for each product; of matrices two for each pair",
            "half a unit, and each factor's error times the other factor",
            "CumProd Det Einsum Mul Where",
        ],
        [
            "T",
            "a table of the function",
            "a slot with a lookup for each element; next to a sum, no other than the sum's",
            "a unit, and the argument's error times the slope",
            "",
        ],
        [
            "G",
            "a relation for each group",
            "rows of a unit of its own, a few elements a row",
            "twice the error of the argument, and 1/4096 for each two elements (Softmax); a unit \
             times the gain (norms)",
            "GroupNormalization InstanceNormalization LayerNormalization \
             MeanVarianceNormalization RMSNormalization SimplifiedLayerNormalization Softmax",
        ],
        [
            "I",
            "sums and rules of whole numbers",
            "as L or P, sometimes a table for the rule",
            "none, but for what is said above of QLinearSoftmax and QLinearAveragePool",
            "BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor ConvInteger MatMulInteger QGemm \
             QuantizeLinear",
        ],
        [
            "F",
            "a walk down each tree",
            "a row for each branch that is passed, an entry of a table for each branch and leaf",
            "none in the leaf that is reached; half a unit in its values",
            "",
        ],
        ["S", "several of these", "theirs together", "theirs, one after the other", ""],
    ];

    /// What an operation costs and how exact it is, as a letter.
    fn class(row: &Operator) -> &'static str {
        let listed = |class: &&Class| class[4].split(' ').any(|name| name == row.name);
        let tables = [activations::FUNCTIONS, activations::OPERATORS];
        let is_table = tables.into_iter().flatten().any(|other| other.name == row.name);
        match CLASSES.iter().find(listed) {
            Some([class, ..]) => class,
            None if row.name.starts_with("Tree") => "F",
            None if row.name.starts_with("QLinear") => "I",
            None if is_table => "T",
            None => "S",
        }
    }

    /// Lines of a table under its head.
    fn printed(head: &str, columns: usize, mut lines: Vec<String>) -> String {
        lines.sort();
        format!("\n{head}\n|{}\n{}", "---|".repeat(columns), lines.concat())
    }

    fn full_name(domain: &str, name: &str) -> String {
        if domain.is_empty() { name.to_owned() } else { format!("{domain}.{name}") }
    }

    fn operations() -> String {
        let list = |items: Vec<String>| items.join(", ");
        let line = |row: &'static Operator| {
            let name = full_name(row.domain, row.name);
            let sets = list(row.sets.iter().map(ToString::to_string).collect());
            let attributes = list(row.attributes.iter().map(|a| format!("`{a}`")).collect());
            format!("| {name} | {} | {sets} | {attributes} |\n", class(row))
        };
        printed("| operation | class | sets | attributes |", 4, rows().map(line).collect())
    }

    fn refused() -> String {
        let line = |(domain, names, why): &(&str, &[&str], &str)| {
            let names: Vec<String> = names.iter().map(|name| full_name(domain, name)).collect();
            format!("| {} | {why} |\n", names.join(", "))
        };
        printed("| operations | why not, and what to do |", 2, REFUSED.iter().map(line).collect())
    }

    /// With `ZKINFER_BLESS=1` the page is written instead.
    #[test]
    fn the_page_of_operators_is_the_table() {
        let of_class = |class: &Class| {
            let [letter, becomes, cost, error, _] = class;
            format!("| {letter} | {becomes} | {cost} | {error} |\n")
        };
        let classes = CLASSES.iter().map(of_class).collect();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operators.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (before, _) = page.split_once(HEADING).unwrap();
        let wanted = [
            before,
            HEADING,
            &printed("| class | what it becomes | cost | error |", 4, classes),
            &operations(),
            "\n## Not proved\n\nThe rest of the standard's operations. A file that has one is refused.\n",
            &refused(),
        ]
        .concat();
        if std::env::var_os("ZKINFER_BLESS").is_some() {
            std::fs::write(path, &wanted).unwrap();
        }
        assert!(std::fs::read_to_string(path).unwrap() == wanted, "set ZKINFER_BLESS=1");
    }

    #[test]
    fn what_is_refused_is_not_in_the_table() {
        for (domain, names, _) in REFUSED {
            assert!(names.iter().all(|name| !is_known(domain, name)), "{names:?}");
        }
    }
}
