//! Addition, subtraction, multiplication and division, with ONNX broadcasting.

use super::constant::{Constant, Data};
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use crate::activation::Activation;
use crate::error::ImportError;
use crate::graph::{Affine, Channels, Mul, Op, Term, Window, alias, broadcast_index, pointwise};
use crate::quantized::TensorId;

/// `Add`.
pub(super) fn add(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    sum(node, importer, 1.0)
}

/// `Sub`.
pub(super) fn sub(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    sum(node, importer, -1.0)
}

/// `Mul`.
pub(super) fn mul(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    match (node.operand(0)?, node.operand(1)?) {
        (Value::Constant(_), Value::Constant(_)) => fold(node, importer, |a, b| a * b),
        (Value::Tensor(id), Value::Constant(_)) => {
            scale_and_shift(node, importer, *id, 1, |c| (c, 0.0))
        }
        (Value::Constant(_), Value::Tensor(id)) => {
            scale_and_shift(node, importer, *id, 0, |c| (c, 0.0))
        }
        (Value::Tensor(a), Value::Tensor(b)) => product(node, importer, *a, *b),
    }
}

/// `Div`, by a constant.
pub(super) fn div(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    match (node.operand(0)?, node.operand(1)?) {
        (Value::Constant(_), Value::Constant(_)) => fold(node, importer, |a, b| a / b),
        (Value::Tensor(id), Value::Constant(_)) => {
            if node.reals(1)?.1.contains(&0.0) {
                return Err(node.wrong_operand(1, "without zeros"));
            }
            scale_and_shift(node, importer, *id, 1, |c| (1.0 / c, 0.0))
        }
        _ => Err(node.unsupported("only division by a constant can be proved")),
    }
}

/// `Neg`.
pub(super) fn neg(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let input = node.tensor(0)?;
    let shape = importer.shape(input).to_vec();
    let channels = Channels::flat(importer.reserve(node, &shape)?);
    let op = pointwise(input, &channels, vec![-1.0], vec![0.0], Activation::Identity);
    Ok(vec![importer.emit(node, shape, Op::Affine(op))])
}

type Lowered = Result<Vec<Value>, ImportError>;

/// `a + sign·b`.
fn sum(node: &OnnxNode<'_>, importer: &mut Importer, sign: f64) -> Lowered {
    match (node.operand(0)?, node.operand(1)?) {
        (Value::Constant(_), Value::Constant(_)) => fold(node, importer, |a, b| a + sign * b),
        (Value::Tensor(id), Value::Constant(_)) => {
            scale_and_shift(node, importer, *id, 1, |c| (1.0, sign * c))
        }
        (Value::Constant(_), Value::Tensor(id)) => {
            scale_and_shift(node, importer, *id, 0, |c| (sign, c))
        }
        (Value::Tensor(a), Value::Tensor(b)) => {
            let shape = result_shape(node, importer.shape(*a), importer.shape(*b))?;
            let (a, b) = (*a, *b);
            let a = broadcast(node, importer, a, &shape)?;
            let b = broadcast(node, importer, b, &shape)?;
            let view = Channels::flat(importer.reserve(node, &shape)?).view();
            let term = |input, weight| Term {
                input,
                view: view.clone(),
                window: Window::pixel(1),
                kernel: vec![weight],
            };
            let op = Op::Affine(Affine {
                terms: vec![term(a, 1.0), term(b, sign)],
                bias: vec![0.0],
                output: view.clone(),
                activation: Activation::Identity,
            });
            Ok(vec![importer.emit(node, shape, op)])
        }
    }
}

fn product(node: &OnnxNode<'_>, importer: &mut Importer, a: TensorId, b: TensorId) -> Lowered {
    let shape = result_shape(node, importer.shape(a), importer.shape(b))?;
    importer.reserve(node, &shape)?;
    let op = Op::Mul(Mul {
        a,
        b,
        a_index: broadcast_index(importer.shape(a), &shape),
        b_index: broadcast_index(importer.shape(b), &shape),
        activation: Activation::Identity,
    });
    Ok(vec![importer.emit(node, shape, op)])
}

/// Scales and shifts each element by what `weights` makes of the constant at `index`.
fn scale_and_shift(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    input: TensorId,
    index: usize,
    weights: impl Fn(f64) -> (f64, f64),
) -> Lowered {
    let (constant_shape, data) = node.reals(index)?;
    let shape = result_shape(node, importer.shape(input), constant_shape)?;
    let input = broadcast(node, importer, input, &shape)?;
    importer.reserve(node, &shape)?;
    let (channels, values) = per_channel(constant_shape, data, &shape);
    let (scale, shift) = values.into_iter().map(weights).unzip();
    let op = pointwise(input, &channels, scale, shift, Activation::Identity);
    Ok(vec![importer.emit(node, shape, Op::Affine(op))])
}

/// The fewest channels of a tensor of shape `to` on which a broadcast constant is constant, and
/// its value on each.
fn per_channel(from: &[usize], data: &[f64], to: &[usize]) -> (Channels, Vec<f64>) {
    let skipped = to.len() - from.len();
    let varying = |axis: &usize| *axis >= skipped && from[axis - skipped] > 1;
    let same = data.iter().all(|&value| value == data[0]);
    let first = (0..to.len()).find(varying).filter(|_| !same);
    let last = (0..to.len()).rfind(varying);
    let (Some(first), Some(last)) = (first, last) else {
        return (Channels::flat(to.iter().product()), vec![data[0]]);
    };
    let axes = first..last + 1;
    let inner = &from[first - skipped..=last - skipped];
    let index = broadcast_index(inner, &to[axes.clone()]);
    (Channels::of_axes(to, axes), index.into_iter().map(|i| data[i]).collect())
}

/// The tensor repeated to `shape`, where it has another.
fn broadcast(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    input: TensorId,
    shape: &[usize],
) -> Result<TensorId, ImportError> {
    if importer.shape(input) == shape {
        return Ok(input);
    }
    importer.reserve(node, shape)?;
    let index = broadcast_index(importer.shape(input), shape);
    let name = format!("{}/broadcast", importer.graph.tensor(input).name);
    Ok(importer.graph.add_node(&node.name, &name, shape.to_vec(), alias(input, index)))
}

/// The shape that both shapes broadcast to.
pub(super) fn result_shape(
    node: &OnnxNode<'_>,
    a: &[usize],
    b: &[usize],
) -> Result<Vec<usize>, ImportError> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], axis: usize| {
        (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis])
    };
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (x, y) if x == y || y == 1 => Ok(x),
            (1, y) => Ok(y),
            _ => Err(node.wrong_shape("operands must have shapes that broadcast", &[a, b])),
        })
        .collect()
}

/// The operation on two constants.
fn fold(node: &OnnxNode<'_>, importer: &mut Importer, apply: impl Fn(f64, f64) -> f64) -> Lowered {
    let (a, b) = (node.constant(0)?, node.constant(1)?);
    let shape = result_shape(node, &a.shape, &b.shape)?;
    importer.budget.elements(&node.name, &shape)?;
    let (i, j) = (broadcast_index(&a.shape, &shape), broadcast_index(&b.shape, &shape));
    let data = match (a.data.select(&i), b.data.select(&j)) {
        (Data::Real(a), Data::Real(b)) => {
            Data::Real(a.into_iter().zip(b).map(|(a, b)| apply(a, b)).collect())
        }
        (Data::Integer(a), Data::Integer(b)) => {
            let pairs = a.into_iter().zip(b);
            let result: Option<Vec<i64>> = pairs.map(|(a, b)| integer(node, a, b)).collect();
            Data::Integer(result.ok_or_else(|| {
                node.unsupported("integer arithmetic that overflows or divides by zero")
            })?)
        }
        _ => return Err(node.wrong_operand(1, "of the same element type as operand 0")),
    };
    let constant = Constant { shape, data };
    constant.check_finite(&node.name)?;
    Ok(vec![Value::Constant(constant.into())])
}

fn integer(node: &OnnxNode<'_>, a: i64, b: i64) -> Option<i64> {
    match node.op() {
        "Add" => a.checked_add(b),
        "Sub" => a.checked_sub(b),
        "Mul" => a.checked_mul(b),
        _ => a.checked_div(b),
    }
}
