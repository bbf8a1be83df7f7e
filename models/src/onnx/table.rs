//! The table of operations. Each family of operations has its rows in its own file.

use super::operators::Operator;
use super::{
    activations, arithmetic, attention, blocks, concat, constants, control, convolution, elements,
    logic, losses, machine_learning, matrix, movement, normalization, padding, pooling, products,
    qlinear, quantization, recurrent, reduction, reshaping, resize, scatter, selection,
    transposed_convolution, trees,
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

/// Whether there is an operation of that name.
pub(super) fn is_known(domain: &str, name: &str) -> bool {
    find(domain, name).is_some()
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
