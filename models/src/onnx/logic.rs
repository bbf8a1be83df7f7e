//! Comparisons, logic and choice. Booleans are the numbers 0 and 1.

use super::compose::{Lowered, result_shape};
use super::constant::{Constant, Data};
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;
use crate::function::Function;

pub(super) const OPERATORS: &[Operator] = &[
    operator("And", &[7], &[], and),
    operator("Equal", &[7, 11, 13, 19], &[], compare),
    operator("Greater", &[7, 9, 13], &[], compare),
    operator("GreaterOrEqual", &[12, 16], &[], compare),
    operator("IsInf", &[10, 20], &["detect_negative", "detect_positive"], is_no_number),
    operator("IsNaN", &[9, 13, 20], &[], is_no_number),
    operator("Less", &[7, 9, 13], &[], compare),
    operator("LessOrEqual", &[12, 16], &[], compare),
    operator("Not", &[1], &[], not),
    operator("Or", &[7], &[], or),
    operator("Where", &[9, 16], &[], choose),
    operator("Xor", &[7], &[], xor),
];

/// A comparison is a function of the difference.
fn compare(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let (a, b) = (node.operand(0)?, node.operand(1)?);
    let holds: fn(std::cmp::Ordering) -> bool = match node.op() {
        "Equal" => std::cmp::Ordering::is_eq,
        "Greater" => std::cmp::Ordering::is_gt,
        "GreaterOrEqual" => std::cmp::Ordering::is_ge,
        "Less" => std::cmp::Ordering::is_lt,
        _ => std::cmp::Ordering::is_le,
    };
    if let (Value::Constant(a), Value::Constant(b)) = (a, b) {
        let indicator = |holds: bool| if holds { 1.0 } else { 0.0 };
        let reals = |a: f64, b: f64| indicator(a.partial_cmp(&b).is_some_and(holds));
        let integers = |a: i64, b: i64| Some(i64::from(holds(a.cmp(&b))));
        let result = importer.fold(node, a, b, reals, integers)?;
        return Ok(vec![as_boolean(node, result)?]);
    }
    let (a, b) = (as_numbers(a), as_numbers(b));
    let (function, difference) = match node.op() {
        "Equal" => (Function::IsZero, importer.sub(node, &a, &b)?),
        "Greater" => (Function::IsPositive, importer.sub(node, &a, &b)?),
        "GreaterOrEqual" => (Function::IsNonNegative, importer.sub(node, &a, &b)?),
        "Less" => (Function::IsPositive, importer.sub(node, &b, &a)?),
        _ => (Function::IsNonNegative, importer.sub(node, &b, &a)?),
    };
    let result = importer.apply(node, &difference, Activation::Function(function))?;
    Ok(vec![result.with_element(Element::Boolean)])
}

/// `IsNaN`, `IsInf`: no number in a proof is one of these.
fn is_no_number(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    node.has_no_effect(&["detect_negative", "detect_positive"]);
    if let Value::Constant(constant) = node.operand(0)?
        && constant.check_finite(&node.name).is_err()
    {
        return Err(node.unsupported("infinite constants"));
    }
    let shape = importer.shape_of(node.operand(0)?);
    let count = importer.budget.elements(&node.name, &shape)?;
    Ok(vec![Constant { shape, data: Data::Integer(vec![0; count]) }.into()])
}

fn and(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let [a, b] = booleans(node)?;
    let product = importer.product(node, &a, &b)?;
    Ok(vec![as_boolean(node, product)?])
}

/// `min(a + b, 1)`.
fn or(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let [a, b] = booleans(node)?;
    let sum = importer.add(node, &a, &b)?;
    let or = importer.apply(node, &sum, Activation::Clip { min: 0.0, max: 1.0 })?;
    Ok(vec![as_boolean(node, or)?])
}

/// `|a − b|`.
fn xor(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let [a, b] = booleans(node)?;
    let difference = importer.sub(node, &a, &b)?;
    let xor = importer.apply(node, &difference, Activation::Abs)?;
    Ok(vec![as_boolean(node, xor)?])
}

fn not(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = as_numbers(node.operand(0)?);
    let not = importer.scaled(node, &value, -1.0, 1.0)?;
    Ok(vec![as_boolean(node, not)?])
}

/// `Where`: by a constant a choice of places, else `b + condition · (a − b)`.
fn choose(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let (condition, a, b) = (node.operand(0)?, node.operand(1)?, node.operand(2)?);
    let shape = result_shape(node, &importer.shape_of(a), &importer.shape_of(b))?;
    let shape = result_shape(node, &importer.shape_of(condition), &shape)?;
    let kind = Importer::element_of(if a.is_constant() { b } else { a });
    let value = match (condition, a, b) {
        (Value::Constant(condition), _, _) => {
            importer.budget.elements(&node.name, &shape)?;
            let takes_a: Vec<bool> =
                condition.broadcast(&shape).to_reals().into_iter().map(|x| x != 0.0).collect();
            by_constant(node, importer, &takes_a, [a, b], &shape)?
        }
        (Value::Tensor(_), _, _) => {
            let condition = as_numbers(condition);
            let [a, b] = [as_numbers(a), as_numbers(b)];
            let difference = importer.sub(node, &a, &b)?;
            let chosen = importer.product(node, &difference, &condition)?;
            importer.add(node, &chosen, &b)?
        }
    };
    Ok(vec![value.with_element(kind)])
}

/// The elements of `a` or of `b`, as a list says for each place.
pub(super) fn by_constant(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    takes_a: &[bool],
    [a, b]: [&Value; 2],
    shape: &[usize],
) -> Result<Value, ImportError> {
    let [a, b] = [importer.broadcast(node, a, shape)?, importer.broadcast(node, b, shape)?];
    if let (Value::Constant(a), Value::Constant(b)) = (&a, &b) {
        let data = match (&a.data, &b.data) {
            (Data::Integer(a), Data::Integer(b)) => {
                let pairs = a.iter().zip(b).zip(takes_a);
                Data::Integer(pairs.map(|((&a, &b), &is_a)| if is_a { a } else { b }).collect())
            }
            _ => {
                let pairs = a.to_reals().into_iter().zip(b.to_reals()).zip(takes_a);
                Data::Real(pairs.map(|((a, b), &is_a)| if is_a { a } else { b }).collect())
            }
        };
        return Ok(Constant { shape: shape.to_vec(), data }.into());
    }
    let part = |importer: &mut Importer, value: &Value, taken: bool| match value {
        Value::Constant(constant) => {
            let values = constant.to_reals().into_iter().zip(takes_a);
            let data = values.map(|(x, &is_a)| if is_a == taken { x } else { 0.0 });
            Ok(Constant::reals(shape.to_vec(), data.collect()).into())
        }
        Value::Tensor(_) => {
            let mask = takes_a.iter().map(|&is_a| if is_a == taken { 1.0 } else { 0.0 });
            let mask = Constant::reals(shape.to_vec(), mask.collect());
            importer.product(node, &as_numbers(value), &mask.into())
        }
    };
    let a = part(importer, &a, true)?;
    let b = part(importer, &b, false)?;
    importer.add(node, &a, &b)
}

fn booleans(node: &OnnxNode<'_>) -> Result<[Value; 2], ImportError> {
    Ok([as_numbers(node.operand(0)?), as_numbers(node.operand(1)?)])
}

/// Booleans and small integers as the numbers that they are; what follows cannot overflow.
fn as_numbers(value: &Value) -> Value {
    value.clone().with_element(Element::Real)
}

fn as_boolean(node: &OnnxNode<'_>, value: Value) -> Result<Value, ImportError> {
    match value {
        Value::Constant(constant) => {
            super::constants::cast_constant(node, &constant, Element::Boolean)
        }
        tensor @ Value::Tensor(_) => Ok(tensor.with_element(Element::Boolean)),
    }
}
