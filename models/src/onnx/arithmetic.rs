//! Addition, subtraction, multiplication, division, powers and extremes.

use super::compose::Lowered;
use super::constant::{Constant, Data};
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;
use crate::function::Function;

pub(super) const OPERATORS: &[Operator] = &[
    operator("Add", &[7, 13, 14], &[], add),
    operator("Sub", &[7, 13, 14], &[], sub),
    operator("Mul", &[7, 13, 14], &[], mul),
    operator("Div", &[7, 13, 14], &[], div),
    operator("Neg", &[6, 13], &[], neg),
    operator("Sum", &[6, 8, 13], &[], sum),
    operator("Mean", &[6, 8, 13], &[], mean),
    operator("Max", &[6, 8, 12, 13], &[], max),
    operator("Min", &[6, 8, 12, 13], &[], min),
    operator("Mod", &[10, 13, 28], &["fmod"], modulo),
    operator("Pow", &[7, 12, 13, 15], &[], pow),
];

fn add(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    of_two(node, importer, Importer::add)
}

fn sub(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    of_two(node, importer, Importer::sub)
}

fn mul(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    of_two(node, importer, Importer::product)
}

/// One operation on two operands; narrow integers stay the whole numbers that they are.
fn of_two(node: &OnnxNode<'_>, importer: &mut Importer, apply: Binary) -> Lowered {
    let (a, b) = (node.operand(0)?, node.operand(1)?);
    Ok(vec![match super::integers::are_narrow(a, b) {
        true => importer.exactly(node, [a, b], apply)?,
        false => apply(importer, node, a, b)?,
    }])
}

/// `Div`: by a constant a scaling, else a product with the reciprocal.
fn div(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let (a, b) = (node.operand(0)?, node.operand(1)?);
    let value = match (a, b) {
        (Value::Constant(a), Value::Constant(b)) => {
            importer.fold(node, a, b, |a, b| a / b, i64::checked_div)?
        }
        (Value::Tensor(tensor), Value::Constant(divisor)) => {
            if divisor.to_reals().contains(&0.0) {
                return Err(node.wrong_operand(1, "without zeros"));
            }
            if tensor.element != Element::Real {
                let quotient = super::integers::divide(node, importer, *tensor, divisor)?;
                return Ok(vec![quotient]);
            }
            importer.scale_and_shift(node, *tensor, divisor, |c| (1.0 / c, 0.0))?
        }
        (_, Value::Tensor(tensor)) if tensor.element != Element::Real => {
            return Err(node.computed_operand(1));
        }
        (_, Value::Tensor(_)) => {
            let reciprocal = importer.apply(node, b, Activation::Function(Function::Reciprocal))?;
            importer.product(node, a, &reciprocal)?
        }
    };
    Ok(vec![value])
}

fn neg(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    Ok(vec![importer.scaled(node, node.operand(0)?, -1.0, 0.0)?])
}

fn sum(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    Ok(vec![folded(node, importer, Importer::add)?])
}

fn mean(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let sum = folded(node, importer, Importer::add)?;
    let count = super::compose::count(node.operand_count());
    Ok(vec![importer.scaled(node, &sum, 1.0 / count, 0.0)?])
}

fn max(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    extreme(node, importer, Importer::larger)
}

fn min(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    extreme(node, importer, Importer::smaller)
}

/// The largest or smallest operand, which is one of them: no integer wraps around.
fn extreme(node: &OnnxNode<'_>, importer: &mut Importer, apply: Binary) -> Lowered {
    let operands = node.operands().iter().cloned();
    let numbers = operands.map(|value| value.map(|value| value.with_element(Element::Real)));
    let kind = Importer::element_of(node.operand(0)?);
    let result = folded(&node.with_operands(numbers.collect()), importer, apply)?;
    Ok(vec![result.with_element(kind)])
}

type Binary = fn(&mut Importer, &OnnxNode<'_>, &Value, &Value) -> Result<Value, ImportError>;

/// One operation over all operands, from the first on.
fn folded(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    apply: Binary,
) -> Result<Value, ImportError> {
    let mut result = node.operand(0)?.clone();
    for index in 1..node.operand_count() {
        result = apply(importer, node, &result, node.operand(index)?)?;
    }
    Ok(result)
}

impl Importer {
    /// `max(a, b) = b + relu(a − b)`; with one constant for all elements a `Clip`.
    pub(super) fn larger(
        &mut self,
        node: &OnnxNode<'_>,
        a: &Value,
        b: &Value,
    ) -> Result<Value, ImportError> {
        match (a, b) {
            (Value::Constant(a), Value::Constant(b)) => {
                self.fold(node, a, b, f64::max, |a, b| Some(a.max(b)))
            }
            (Value::Constant(_), Value::Tensor(_)) => self.larger(node, b, a),
            (Value::Tensor(_), Value::Constant(bound)) if bound.data.len() == 1 => {
                let (min, max) = (bound.to_reals()[0], f64::INFINITY);
                let shape = super::compose::result_shape(node, &self.shape_of(a), &bound.shape)?;
                let function = match min {
                    0.0 => Activation::Relu,
                    min => Activation::Clip { min, max },
                };
                let clipped = self.apply(node, a, function)?;
                if self.shape_of(&clipped) == shape {
                    return Ok(clipped);
                }
                self.reshaped(node, &clipped, shape)
            }
            _ => {
                let difference = self.sub(node, a, b)?;
                let excess = self.apply(node, &difference, Activation::Relu)?;
                self.add(node, &excess, b)
            }
        }
    }

    /// `min(a, b) = −max(−a, −b)`.
    pub(super) fn smaller(
        &mut self,
        node: &OnnxNode<'_>,
        a: &Value,
        b: &Value,
    ) -> Result<Value, ImportError> {
        if let (Value::Constant(a), Value::Constant(b)) = (a, b) {
            return self.fold(node, a, b, f64::min, |a, b| Some(a.min(b)));
        }
        if let (tensor @ Value::Tensor(_), Value::Constant(bound))
        | (Value::Constant(bound), tensor @ Value::Tensor(_)) = (a, b)
            && bound.data.len() == 1
            && bound.shape.len() <= self.shape_of(tensor).len()
        {
            let (min, max) = (f64::NEG_INFINITY, bound.to_reals()[0]);
            return self.apply(node, tensor, Activation::Clip { min, max });
        }
        let a = self.scaled(node, a, -1.0, 0.0)?;
        let b = self.scaled(node, b, -1.0, 0.0)?;
        let larger = self.larger(node, &a, &b)?;
        self.scaled(node, &larger, -1.0, 0.0)
    }
}

/// `Mod`: the sign is that of the divisor, with `fmod` that of the dividend; by a constant it is
/// what is left of the quotient's fraction.
fn modulo(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let fmod = node.flag("fmod", false)?;
    let (a, b) = (node.operand(0)?, node.operand(1)?);
    if let (Value::Tensor(tensor), Value::Constant(divisor)) = (a, b) {
        if divisor.to_reals().contains(&0.0) {
            return Err(node.wrong_operand(1, "without zeros"));
        }
        if tensor.element != Element::Real {
            let remainder = super::integers::remainder(node, importer, *tensor, divisor, fmod)?;
            return Ok(vec![remainder]);
        }
        let quotient = importer.scale_and_shift(node, *tensor, divisor, |c| (1.0 / c, 0.0))?;
        let whole = if fmod { Function::Trunc } else { Function::Floor };
        let whole = importer.apply(node, &quotient, Activation::Function(whole))?;
        let fraction = importer.sub(node, &quotient, &whole)?;
        return Ok(vec![importer.product(node, &fraction, b)?]);
    }
    let (b, a) = (node.constant(1)?.clone(), node.constant(0)?.clone());
    let reals = |a: f64, b: f64| {
        let remainder = a % b;
        let moves = !fmod && remainder != 0.0 && (remainder < 0.0) != (b < 0.0);
        if moves { remainder + b } else { remainder }
    };
    let integers = |a: i64, b: i64| {
        let remainder = a.checked_rem(b)?;
        let moves = !fmod && remainder != 0 && (remainder < 0) != (b < 0);
        if moves { remainder.checked_add(b) } else { Some(remainder) }
    };
    Ok(vec![importer.fold(node, &a, &b, reals, integers)?])
}

/// `Pow` with one constant exponent, or of one positive constant: `c^x = exp(x · ln c)`.
fn pow(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let (base, exponent) = (node.operand(0)?, node.operand(1)?);
    let value = match (base, exponent) {
        (Value::Constant(a), Value::Constant(b)) => constant_power(node, importer, a, b)?,
        (Value::Tensor(_), Value::Constant(exponents)) => powers(node, importer, base, exponents)?,
        (Value::Constant(constant), Value::Tensor(tensor)) => {
            if constant.to_reals().iter().any(|&base| base <= 0.0) {
                return Err(node.wrong_operand(0, "positive where the exponent is computed"));
            }
            let scaled =
                importer.scale_and_shift(node, *tensor, constant, |c| (libm::log(c), 0.0))?;
            importer.apply(node, &scaled, Activation::Exp)?
        }
        (Value::Tensor(_), Value::Tensor(_)) => return Err(node.computed_operand(1)),
    };
    Ok(vec![value])
}

/// Most different exponents of one node: each is a table.
const EXPONENTS: usize = 64;

/// Constant exponents: the elements that have the same one are a power, in their places afterwards.
fn powers(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    base: &Value,
    exponents: &Constant,
) -> Result<Value, ImportError> {
    let shape = super::compose::result_shape(node, &importer.shape_of(base), &exponents.shape)?;
    importer.budget.elements(&node.name, &shape)?;
    let base = importer.broadcast(node, base, &shape)?;
    let wanted = exponents.broadcast(&shape).to_reals();
    let mut different = exponents.to_reals();
    different.sort_by(f64::total_cmp);
    different.dedup();
    match different[..] {
        [] => return Err(node.wrong_operand(1, "not empty")),
        [exponent] => return power(node, importer, &base, exponent),
        _ if different.len() > EXPONENTS => {
            return Err(node.wrong_operand(1, "of at most 64 different exponents"));
        }
        _ => {}
    }
    let flat = importer.reshaped(node, &base, vec![wanted.len()])?;
    let (mut parts, mut places) = (Vec::new(), vec![0; wanted.len()]);
    let mut placed = 0;
    for exponent in different {
        let elements = (0..wanted.len()).filter(|&place| wanted[place] == exponent);
        let elements: Vec<usize> = elements.collect();
        for &place in &elements {
            places[place] = placed;
            placed += 1;
        }
        let elements = importer.picked(node, &flat, &[elements])?;
        parts.push(power(node, importer, &elements, exponent)?);
    }
    let joined = importer.joined(node, &parts, 0)?;
    importer.select(node, &joined, shape, |_| places.into())
}

pub(super) fn power(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    base: &Value,
    exponent: f64,
) -> Result<Value, ImportError> {
    match exponent {
        1.0 => Ok(base.clone()),
        2.0 => importer.product(node, base, base),
        0.5 => importer.apply(node, base, Activation::Function(Function::Sqrt)),
        -1.0 => importer.apply(node, base, Activation::Function(Function::Reciprocal)),
        exponent => importer.apply(node, base, Activation::Function(Function::Pow { exponent })),
    }
}

fn constant_power(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    base: &Constant,
    exponent: &Constant,
) -> Result<Value, ImportError> {
    let integers = |base: i64, exponent: i64| match u32::try_from(exponent) {
        Ok(exponent) => base.checked_pow(exponent),
        // 1 over a power, without its fraction.
        Err(_) => match base {
            1 => Some(1),
            -1 => Some(if exponent % 2 == 0 { 1 } else { -1 }),
            0 => None,
            _ => Some(0),
        },
    };
    let powers = importer.fold(node, base, exponent, libm::pow, integers)?;
    match (&base.data, powers) {
        // The result has the base's type.
        (Data::Integer(_), Value::Constant(constant)) => super::constants::cast_constant(
            node,
            &constant,
            Element::Integer { bits: 64, signed: true },
        ),
        (_, powers) => Ok(powers),
    }
}
