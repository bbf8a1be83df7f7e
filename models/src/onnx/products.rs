//! Sums along an axis, and products over any dimensions.

use std::collections::BTreeMap;

use super::compose::{Lowered, Reduction};
use super::constant::{Constant, Data};
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use super::resize::along_axis;
use crate::view::{View, row_major_strides};

pub(super) const OPERATORS: &[Operator] = &[
    operator("CumProd", &[26], &["exclusive", "reverse"], cumulative_product),
    operator("CumSum", &[11, 14], &["exclusive", "reverse"], cumulative_sum),
    operator("Det", &[11, 22], &[], determinant).folded_by_running(),
    operator("Einsum", &[12, 28], &["equation"], einsum),
];

/// The axis that operand 1 names.
fn axis_operand(node: &OnnxNode<'_>, rank: usize) -> Result<usize, ImportError> {
    let axis = node.integers(1)?.first().copied();
    node.axis(axis.ok_or_else(|| node.wrong_operand(1, "an axis"))?, rank)
}

/// `CumProd`: each slice times the product of those before it.
fn cumulative_product(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let axis = axis_operand(node, importer.shape_of(value).len())?;
    let (exclusive, reverse) = (node.flag("exclusive", false)?, node.flag("reverse", false)?);
    let slices = importer.slices(node, value, axis, reverse)?;
    let shape = slices.first().map(|slice| importer.shape_of(slice)).unwrap_or_default();
    let mut products: Vec<Value> = Vec::new();
    if exclusive {
        let count = importer.budget.elements(&node.name, &shape)?;
        let data = match value {
            Value::Constant(constant) if matches!(constant.data, Data::Integer(_)) => {
                Data::Integer(vec![1; count])
            }
            _ => Data::Real(vec![1.0; count]),
        };
        products.push(Constant { shape, data }.into());
    }
    for slice in slices.iter().take(slices.len() - usize::from(exclusive)) {
        products.push(match products.last() {
            None => slice.clone(),
            Some(before) => importer.product(node, before, slice)?,
        });
    }
    let kind = Importer::element_of(value);
    Ok(vec![importer.stacked(node, &products, axis, reverse)?.with_element(kind)])
}

/// Largest matrix whose determinant is written out.
const LARGEST_DETERMINANT: usize = 4;

/// `Det` of small matrices, by the first row.
fn determinant(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let &[ref outer @ .., rows, columns] = &shape[..] else {
        return Err(node.wrong_shape("square matrices", &[&shape]));
    };
    if rows != columns || !(1..=LARGEST_DETERMINANT).contains(&rows) {
        return Err(node.wrong_shape("square matrices of at most 4 rows", &[&shape]));
    }
    let flat = importer.reshaped(node, value, [outer, &[rows * columns]].concat())?;
    let elements = importer.slices(node, &flat, outer.len(), false)?;
    let every: Vec<usize> = (0..rows).collect();
    Ok(vec![minor(node, importer, (&elements, rows), 0, &every)?])
}

/// The determinant of the rows from `row` on and of some columns.
fn minor(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    (elements, size): (&[Value], usize),
    row: usize,
    columns: &[usize],
) -> Result<Value, ImportError> {
    let mut sum: Option<Value> = None;
    for (position, &column) in columns.iter().enumerate() {
        let element = &elements[row * size + column];
        let others: Vec<usize> = columns.iter().copied().filter(|other| *other != column).collect();
        let term = match &others[..] {
            [] => element.clone(),
            others => {
                let rest = minor(node, importer, (elements, size), row + 1, others)?;
                importer.product(node, element, &rest)?
            }
        };
        sum = Some(match sum {
            None => term,
            Some(sum) if position % 2 == 1 => importer.sub(node, &sum, &term)?,
            Some(sum) => importer.add(node, &sum, &term)?,
        });
    }
    sum.ok_or_else(|| node.unsupported("a matrix without elements"))
}

/// `CumSum`: a triangular matrix of ones.
fn cumulative_sum(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let axis = axis_operand(node, shape.len())?;
    let (exclusive, reverse) = (node.flag("exclusive", false)?, node.flag("reverse", false)?);
    let size = shape[axis];
    importer.budget.elements(&node.name, &[size, size])?;
    let weight = |place: usize| {
        let (to, from) = (place / size, place % size);
        let before = if reverse { from > to } else { from < to };
        if before || (!exclusive && from == to) { 1.0 } else { 0.0 }
    };
    let matrix = Constant::reals(vec![size, size], (0..size * size).map(weight).collect());
    let kind = Importer::element_of(value);
    let sums = along_axis(node, importer, value, axis, &matrix)?;
    match &sums {
        Value::Constant(constant) => {
            Ok(vec![super::constants::cast_constant(node, constant, kind)?])
        }
        Value::Tensor(_) => Ok(vec![sums.with_element(kind)]),
    }
}

/// One operand with a letter for each dimension.
struct Lettered {
    value: Value,
    letters: Vec<char>,
}

/// `Einsum` of one or two operands at a time.
fn einsum(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let equation = node.text("equation")?.unwrap_or_default();
    let equation: String =
        String::from_utf8_lossy(equation).chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = match equation.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (equation.as_str(), None),
    };
    let terms: Vec<&str> = inputs.split(',').collect();
    if terms.len() != node.operand_count() || equation.contains('@') {
        return Err(node.wrong_attribute("equation", "one term for each operand"));
    }
    let mut operands = Vec::new();
    for (index, term) in terms.iter().enumerate() {
        let value = node.operand(index)?.clone();
        let rank = importer.shape_of(&value).len();
        let letters = expanded(node, term, rank)?;
        operands.push(diagonal(node, importer, Lettered { value, letters })?);
    }
    let output = match output {
        Some(output) => output_letters(node, output, &operands)?,
        None => implicit_output(&operands),
    };
    let mut operands = operands.into_iter();
    let mut result = operands.next().ok_or_else(|| node.wrong_operand(0, "given"))?;
    let rest: Vec<Lettered> = operands.collect();
    for (position, next) in rest.iter().enumerate() {
        let needed = |letter: char| {
            output.contains(&letter)
                || rest[position + 1..].iter().any(|other| other.letters.contains(&letter))
        };
        result = multiplied(node, importer, result, next, needed)?;
    }
    result = summed(node, importer, result, |letter| output.contains(&letter))?;
    let order = output.iter().map(|letter| result.letters.iter().position(|l| l == letter));
    let order: Option<Vec<usize>> = order.collect();
    let order = order.filter(|order| order.len() == result.letters.len());
    let order =
        order.ok_or_else(|| node.wrong_attribute("equation", "with known output letters"))?;
    Ok(vec![importer.transposed(node, &result.value, &order)?])
}

/// The letters of a term; the dimensions of an ellipsis are digits, counted from the last.
fn expanded(node: &OnnxNode<'_>, term: &str, rank: usize) -> Result<Vec<char>, ImportError> {
    let named = term.chars().filter(|c| c.is_alphabetic()).count();
    let hidden = rank
        .checked_sub(named)
        .ok_or_else(|| node.wrong_attribute("equation", "with a letter for each dimension"))?;
    let digits = (0..hidden).rev().filter_map(|digit| {
        u32::try_from(digit).ok().and_then(|digit| char::from_digit(digit, 16))
    });
    let digits: String = digits.collect();
    let letters: Vec<char> = term.replacen("...", &digits, 1).chars().collect();
    let good = letters.len() == rank && letters.iter().all(|c| c.is_alphanumeric());
    good.then_some(letters)
        .ok_or_else(|| node.wrong_attribute("equation", "with a letter for each dimension"))
}

fn output_letters(
    node: &OnnxNode<'_>,
    output: &str,
    operands: &[Lettered],
) -> Result<Vec<char>, ImportError> {
    let all = operands.iter().flat_map(|operand| &operand.letters);
    let mut digits: Vec<char> = all.copied().filter(|c| c.is_ascii_digit()).collect();
    digits.sort_unstable();
    digits.dedup();
    digits.reverse();
    let hidden = if output.contains("...") { digits.len() } else { 0 };
    let named = output.chars().filter(|c| c.is_alphabetic()).count();
    let digits: String = digits.into_iter().collect();
    let letters: Vec<char> = output.replacen("...", &digits, 1).chars().collect();
    if letters.len() != named + hidden {
        return Err(node.wrong_attribute("equation", "of letters, commas and an arrow"));
    }
    Ok(letters)
}

/// Without an arrow: the ellipsis, then the letters that stand once, in their order.
fn implicit_output(operands: &[Lettered]) -> Vec<char> {
    let mut counts: BTreeMap<char, usize> = BTreeMap::new();
    for letter in operands.iter().flat_map(|operand| &operand.letters) {
        *counts.entry(*letter).or_insert(0) += 1;
    }
    let digits = counts.keys().rev().copied().filter(char::is_ascii_digit);
    let once = counts.iter().filter(|(letter, count)| letter.is_alphabetic() && **count == 1);
    digits.chain(once.map(|(letter, _)| *letter)).collect()
}

/// A letter that stands twice in one term means the diagonal.
fn diagonal(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    operand: Lettered,
) -> Result<Lettered, ImportError> {
    let shape = importer.shape_of(&operand.value);
    let strides = row_major_strides(&shape);
    let mut letters: Vec<char> = Vec::new();
    let (mut sizes, mut steps): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (axis, &letter) in operand.letters.iter().enumerate() {
        match letters.iter().position(|&known| known == letter) {
            Some(place) if sizes[place] == shape[axis] => steps[place] += strides[axis],
            Some(_) => return Err(node.wrong_shape("equal sizes for equal letters", &[&shape])),
            None => {
                letters.push(letter);
                sizes.push(shape[axis]);
                steps.push(strides[axis]);
            }
        }
    }
    if letters.len() == operand.letters.len() {
        return Ok(operand);
    }
    let view = |shape: &[usize]| View::strided(shape, &steps, 0);
    let value = importer.select(node, &operand.value, sizes, view)?;
    Ok(Lettered { value, letters })
}

/// The sum over the letters that are not needed.
fn summed(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    operand: Lettered,
    needed: impl Fn(char) -> bool,
) -> Result<Lettered, ImportError> {
    let axes: Vec<usize> =
        (0..operand.letters.len()).filter(|&axis| !needed(operand.letters[axis])).collect();
    let sum = importer.reduced(node, &operand.value, &axes, Reduction::Sum)?;
    let shape = importer.shape_of(&operand.value);
    let kept = (0..shape.len()).filter(|axis| !axes.contains(axis));
    let kept: Vec<usize> = kept.collect();
    let value = importer.reshaped(node, &sum, kept.iter().map(|&axis| shape[axis]).collect())?;
    Ok(Lettered { value, letters: kept.iter().map(|&axis| operand.letters[axis]).collect() })
}

/// The product of two operands, summed over the letters that both have and nothing needs.
fn multiplied(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    a: Lettered,
    b: &Lettered,
    needed: impl Fn(char) -> bool,
) -> Result<Lettered, ImportError> {
    let b = Lettered { value: b.value.clone(), letters: b.letters.clone() };
    let (a_letters, b_letters) = (a.letters.clone(), b.letters.clone());
    let a = summed(node, importer, a, |letter| needed(letter) || b_letters.contains(&letter))?;
    let b = summed(node, importer, b, |letter| needed(letter) || a_letters.contains(&letter))?;
    let both = |letter: &&char| b.letters.contains(*letter);
    let batch: Vec<char> = a.letters.iter().filter(both).copied().filter(|&l| needed(l)).collect();
    let inner: Vec<char> = a.letters.iter().filter(both).copied().filter(|&l| !needed(l)).collect();
    let of = |operand: &Lettered, other: &Lettered| -> Vec<char> {
        operand.letters.iter().copied().filter(|l| !other.letters.contains(l)).collect()
    };
    let (rows, columns) = (of(&a, &b), of(&b, &a));
    let sizes = sizes(node, importer, &a, &b)?;
    let product = |letters: &[char]| letters.iter().map(|letter| sizes[letter]).product::<usize>();
    let arranged = |importer: &mut Importer, operand: &Lettered, groups: [&[char]; 3]| {
        let letters = groups.concat();
        let order: Vec<usize> = letters
            .iter()
            .filter_map(|letter| operand.letters.iter().position(|l| l == letter))
            .collect();
        let moved = importer.transposed(node, &operand.value, &order)?;
        let full: Vec<usize> = letters.iter().map(|letter| sizes[letter]).collect();
        let moved = importer.broadcast(node, &moved, &full)?;
        importer.reshaped(node, &moved, groups.iter().map(|group| product(group)).collect())
    };
    let left = arranged(importer, &a, [&batch, &rows, &inner])?;
    let right = arranged(importer, &b, [&batch, &inner, &columns])?;
    let value = importer.matrix_product(node, &left, &right)?;
    let letters = [batch, rows, columns].concat();
    let shape = letters.iter().map(|letter| sizes[letter]).collect();
    let value = importer.reshaped(node, &value, shape)?;
    Ok(Lettered { value, letters })
}

/// The size of each letter; 1 in one operand is repeated.
fn sizes(
    node: &OnnxNode<'_>,
    importer: &Importer,
    a: &Lettered,
    b: &Lettered,
) -> Result<BTreeMap<char, usize>, ImportError> {
    let mut sizes = BTreeMap::new();
    for operand in [a, b] {
        let shape = importer.shape_of(&operand.value);
        for (&letter, &size) in operand.letters.iter().zip(&shape) {
            let known = sizes.entry(letter).or_insert(size);
            match (*known, size) {
                (known, size) if known == size || size == 1 => {}
                (1, size) => *known = size,
                _ => return Err(node.wrong_shape("equal sizes for equal letters", &[&shape])),
            }
        }
    }
    Ok(sizes)
}
