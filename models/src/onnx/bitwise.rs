//! `BitwiseAnd` and its kin on integers of an input, by their binary digits.
//!
//! Digit `i` of `x` is `⌊x / 2^i⌋ − 2·⌊x / 2^(i+1)⌋`, for negative numbers in two's complement too.

use super::compose::{Lowered, count};
use super::constant::Constant;
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::integers::{as_numbers, held_bounds, kind_of};
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::graph::Rule;

pub(super) const OPERATORS: &[Operator] = &[
    operator("BitwiseAnd", &[18], &[], bitwise),
    operator("BitwiseNot", &[18], &[], not),
    operator("BitwiseOr", &[18], &[], bitwise),
    operator("BitwiseXor", &[18], &[], bitwise),
];

/// Most digits of a number: 16 bits hold it.
const DIGITS: u8 = 16;

/// The number of digits of an integer type as it is held, and whether the last one is the sign's.
fn digits(node: &OnnxNode<'_>, kind: Element) -> Result<(usize, bool), ImportError> {
    match kind {
        Element::Integer { bits, signed } => Ok((bits.min(DIGITS).into(), signed)),
        _ => Err(node.wrong_operand(0, "integers")),
    }
}

/// The digits of integers as a last dimension, of `width` elements.
fn digits_of(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    (shape, width): (&[usize], usize),
) -> Result<Value, ImportError> {
    let value = importer.broadcast(node, value, shape)?;
    let length = importer.budget.elements(&node.name, shape)?;
    importer.budget.elements(&node.name, &[length, width + 1])?;
    let tensor = match importer.reshaped(node, &value, vec![length, 1])? {
        Value::Tensor(tensor) => tensor,
        Value::Constant(constant) => {
            let digit = |number: f64, place: usize| {
                (number / libm::exp2(count(place))).floor().rem_euclid(2.0)
            };
            let numbers = constant.to_reals().into_iter();
            let all = numbers.flat_map(|number| (0..width).map(move |place| digit(number, place)));
            return Ok(Constant::reals(vec![length, width], all.collect()).into());
        }
    };
    let powers = (0..=width).map(|place| libm::exp2(count(place))).collect();
    let powers = Constant::reals(vec![width + 1], powers);
    let quotients = importer.quotient(node, tensor, &powers, false)?;
    let quotients = quotients.with_element(Element::Real);
    let rows: Vec<usize> = (0..length).collect();
    let lower = importer.picked(node, &quotients, &[rows.clone(), (0..width).collect()])?;
    let upper = importer.picked(node, &quotients, &[rows, (1..=width).collect()])?;
    let rest = less(node, importer, [&lower, &upper], tensor.element)?;
    let rest = importer.sub(node, &as_numbers(&rest), &upper)?;
    within(node, importer, &rest, (tensor.element, [0, 1]))
}

/// `a − b`, exactly: what is left of a number that its half is taken from, or of digits.
fn less(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    [a, b]: [&Value; 2],
    kind: Element,
) -> Result<Value, ImportError> {
    let rest = importer.sub(node, &as_numbers(a), &as_numbers(b))?;
    within(node, importer, &rest, (kind, held_bounds(kind)))
}

/// The sums that the last operation gives, which are within these bounds whatever the bounds of their
/// terms say.
fn within(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    sums: &Value,
    held: (Element, [i64; 2]),
) -> Result<Value, ImportError> {
    importer.made_exact(node, sums, Rule::Scaled { multipliers: vec![1.0] }, held)
}

/// `BitwiseAnd`, `BitwiseOr`, `BitwiseXor`.
fn bitwise(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let (a, b) = (node.operand(0)?, node.operand(1)?);
    let whole = |a: i64, b: i64| match node.op() {
        "BitwiseAnd" => a & b,
        "BitwiseOr" => a | b,
        _ => a ^ b,
    };
    if let (Value::Constant(a), Value::Constant(b)) = (a, b) {
        return Ok(vec![importer.fold(node, a, b, |_, _| f64::NAN, |a, b| Some(whole(a, b)))?]);
    }
    importer.check_whole(node, &[a, b])?;
    let kind = kind_of(a, b);
    let (width, signed) = digits(node, kind)?;
    let shapes = [importer.shape_of(a), importer.shape_of(b)];
    let shape = super::compose::result_shape(node, &shapes[0], &shapes[1])?;
    let a = digits_of(node, importer, a, (&shape, width))?;
    let b = digits_of(node, importer, b, (&shape, width))?;
    let both = importer.exactly(node, [&a, &b], Importer::product)?;
    // Or is a + b − ab, exclusive or a + b − 2ab.
    let result = match node.op() {
        "BitwiseAnd" => both,
        op => {
            let sum = importer.exactly(node, [&a, &b], Importer::add)?;
            let rest = less(node, importer, [&sum, &both], kind)?;
            match op {
                "BitwiseOr" => rest,
                _ => less(node, importer, [&rest, &both], kind)?,
            }
        }
    };
    let sums = weighed(node, importer, &result, (width, signed))?;
    let number = within(node, importer, &sums, (kind, held_bounds(kind)))?;
    Ok(vec![importer.reshaped(node, &number, shape)?])
}

/// The numbers that rows of digits are.
fn weighed(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    digits: &Value,
    (width, signed): (usize, bool),
) -> Result<Value, ImportError> {
    let last = width - 1;
    let mut weights: Vec<f64> = (0..width).map(|place| libm::exp2(count(place))).collect();
    let mut places: Vec<usize> = (0..width).collect();
    if signed {
        weights[last] = -weights[last];
    } else {
        // A weight has 31 bits with those of the requantization, so the last digit is taken twice.
        weights[last] /= 2.0;
        weights.push(weights[last]);
        places.push(last);
    }
    let rows = (0..importer.shape_of(digits)[0]).collect();
    let digits = importer.picked(node, &as_numbers(digits), &[rows, places])?;
    let weights = Constant::reals(vec![weights.len(), 1], weights);
    importer.matrix_product(node, &digits, &weights.into())
}

/// `BitwiseNot`: `−1 − x`, or the largest number less `x`.
fn not(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    if let Value::Constant(constant) = value {
        let most = match importer.kind_of(node.operand_name(0)).and_then(Element::bounds) {
            Some((0, most)) => super::constant::real(most),
            _ => -1.0,
        };
        return Ok(vec![importer.mapped(node, constant, |x| most - x)?]);
    }
    importer.check_whole(node, &[value])?;
    let kind = Importer::element_of(value);
    let most = match kind {
        Element::Integer { signed: true, .. } => -1.0,
        Element::Integer { bits: ..=16, .. } => {
            kind.bounds().map_or(0.0, |(_, most)| super::constant::real(most))
        }
        _ => return Err(node.wrong_operand(0, "signed integers, or of at most 16 bits")),
    };
    let rest = importer.scaled(node, &as_numbers(value), -1.0, most)?;
    Ok(vec![importer.made_exact(node, &rest, Rule::Exact, (kind, held_bounds(kind)))?])
}
