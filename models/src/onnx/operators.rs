//! The table of operations: in which operator sets their definition changed, which attributes each
//! may have, and how it is lowered. Each family of operations has its rows in its own file.

use super::compose::Lowered;
use super::importer::Importer;
use super::node::OnnxNode;
use super::{
    activations, arithmetic, attention, blocks, concat, constants, control, convolution, elements,
    logic, losses, machine_learning, matrix, movement, normalization, padding, pooling, products,
    recurrent, reduction, reshaping, resize, scatter, selection, transposed_convolution, trees,
};

/// Adds a node's operations to the graph and returns its outputs, in order.
pub(super) type Lower = fn(&OnnxNode<'_>, &mut Importer) -> Lowered;

/// An operation that can be imported.
#[derive(Debug)]
pub(super) struct Operator {
    /// The domain; empty for the standard one.
    pub(super) domain: &'static str,
    pub(super) name: &'static str,
    /// The versions of the operator set at which the definition changed, from the first one that
    /// is in force at version 7 or later; all of them are read.
    pub(super) sets: &'static [i64],
    /// The attributes it may have in any operator set.
    pub(super) attributes: &'static [&'static str],
    /// How it becomes operations of the graph.
    pub(super) lower: Lower,
    /// Whether constant operands are folded by running the operations instead.
    pub(super) folds_by_running: bool,
}

/// A row of the table.
pub(super) const fn operator(
    name: &'static str,
    sets: &'static [i64],
    attributes: &'static [&'static str],
    lower: Lower,
) -> Operator {
    Operator { domain: "", name, sets, attributes, lower, folds_by_running: false }
}

impl Operator {
    /// The row of an operation whose import function knows nothing of constant data.
    pub(super) const fn folded_by_running(self) -> Self {
        Self { folds_by_running: true, ..self }
    }

    /// The row of an operation of another domain.
    pub(super) const fn of_domain(self, domain: &'static str) -> Self {
        Self { domain, ..self }
    }
}

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
    logic::OPERATORS,
    losses::OPERATORS,
    machine_learning::OPERATORS,
    matrix::OPERATORS,
    movement::OPERATORS,
    normalization::OPERATORS,
    padding::OPERATORS,
    pooling::OPERATORS,
    products::OPERATORS,
    recurrent::OPERATORS,
    reduction::OPERATORS,
    reshaping::OPERATORS,
    resize::OPERATORS,
    scatter::OPERATORS,
    selection::OPERATORS,
    transposed_convolution::OPERATORS,
    trees::OPERATORS,
];

/// The operation of that name.
pub(super) fn find(domain: &str, name: &str) -> Option<&'static Operator> {
    let mut rows = FAMILIES.iter().flat_map(|family| family.iter());
    rows.find(|row| row.name == name && row.domain == domain)
}

/// What a user can do about an operation that is not in the table.
pub(super) fn advice(domain: &str, op: &str) -> &'static str {
    match (domain, op) {
        ("", "TopK") => {
            "export the model without it: the order of the outputs before it says the same"
        }
        (
            "" | "com.microsoft",
            "QuantizeLinear"
            | "DequantizeLinear"
            | "QLinearConv"
            | "QLinearMatMul"
            | "DynamicQuantizeLinear"
            | "MatMulInteger"
            | "ConvInteger",
        ) => "give the float model: zkinfer quantizes it itself",
        ("", "Loop" | "Scan") => {
            "export with fixed shapes, so that the exporter decides the branch or unrolls the loop"
        }
        ("", "NonMaxSuppression" | "RoiAlign") => {
            "export the model up to the node before it, and run this step outside the proof"
        }
        ("ai.onnx.ml", "ZipMap") => {
            "export the scores as an array: convert_sklearn(…, options={\"zipmap\": False}), or \
             zipmap=False in onnxmltools"
        }
        ("ai.onnx.ml", "ArrayFeatureExtractor") => {
            "keep the scores alone, before labels are looked up: the largest one is the class"
        }
        ("ai.onnx.ml", _) => {
            "prove the part of the pipeline without it, or a neural network trained on its outputs"
        }
        ("", _) => {
            "export the model up to the node before it; docs/semantics.md lists what is proved"
        }
        ("com.microsoft", _) => {
            "export without onnxruntime's graph optimizations, so that only standard operators are \
             written"
        }
        _ => "export with standard operators, or with the function that defines it in the file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                format!("| {domain}{} | {sets} | {attributes} |\n", row.name)
            })
            .collect();
        lines.sort();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operators.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (before, _) = page.split_once("|---|---|---|\n").unwrap();
        let wanted = format!("{before}|---|---|---|\n{}", lines.concat());
        if std::env::var_os("ZKINFER_BLESS").is_some() {
            std::fs::write(path, &wanted).unwrap();
        }
        assert!(std::fs::read_to_string(path).unwrap() == wanted, "set ZKINFER_BLESS=1");
    }
}
