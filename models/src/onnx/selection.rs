//! The place of the largest element, and what is looked up by a place.

use super::compose::{Lowered, Reduction, count, whole};
use super::constant::{Constant, Data};
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use super::resize::along_axis;
use crate::activation::Activation;
use crate::function::Function;

pub(super) const OPERATORS: &[Operator] = &[
    operator("ArgMax", &[1, 11, 12, 13], ARG_ATTRIBUTES, arg_extreme),
    operator("ArgMin", &[1, 11, 12, 13], ARG_ATTRIBUTES, arg_extreme),
    operator("Hardmax", &[1, 11, 13], &["axis"], hardmax),
    operator("OneHot", &[9, 11, 28], &["axis"], one_hot),
];

const ARG_ATTRIBUTES: &[&str] = &["axis", "keepdims", "select_last_index"];

/// The integers of positions.
pub(super) const POSITION: Element = Element::Integer { bits: 64, signed: true };

impl Importer {
    /// 1 at the first, or last, of the largest elements along an axis, 0 elsewhere.
    pub(super) fn largest_place(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        axis: usize,
        last: bool,
    ) -> Result<Value, ImportError> {
        let value = value.clone().with_element(Element::Real);
        let size = self.shape_of(&value)[axis];
        let largest = self.reduced(node, &value, &[axis], Reduction::Max)?;
        let below = self.sub(node, &value, &largest)?;
        let is_largest = self.apply(node, &below, Activation::Function(Function::IsNonNegative))?;
        self.budget.elements(&node.name, &[size, size])?;
        // How many of them come before, or after, each place.
        let counts = |place: usize| {
            let (to, from) = (place / size, place % size);
            if (last && from > to) || (!last && from < to) { 1.0 } else { 0.0 }
        };
        let matrix = Constant::reals(vec![size, size], (0..size * size).map(counts).collect());
        let others = along_axis(node, self, &is_largest, axis, &matrix)?;
        let is_first = self.apply(node, &others, Activation::Function(Function::IsZero))?;
        let is_both = self.product(node, &is_largest, &is_first)?;
        match is_both {
            Value::Tensor(_) => self.whole_sums(node, &is_both, &[], [0, 1]),
            Value::Constant(_) => Ok(is_both),
        }
    }

    /// The number that `numbers` has for the one place along an axis that holds a 1: exactly that
    /// number where all of them are whole and of 16 bits.
    pub(super) fn number_of_place(
        &mut self,
        node: &OnnxNode<'_>,
        places: &Value,
        axis: usize,
        numbers: Vec<f64>,
    ) -> Result<Value, ImportError> {
        let is_held = |number: &f64| whole(*number).is_some_and(|n| i16::try_from(n).is_ok());
        let are_held = numbers.iter().all(is_held);
        let matrix = Constant::reals(vec![1, numbers.len()], numbers);
        let number = along_axis(node, self, places, axis, &matrix)?;
        match number {
            Value::Tensor(_) if are_held => {
                self.whole_sums(node, &number, &[], [i16::MIN.into(), i16::MAX.into()])
            }
            number => Ok(number),
        }
    }

    /// For each index a row of `size` numbers with a 1 at its place; those out of range have no 1,
    /// but negative ones may count from the end.
    pub(super) fn one_hot_rows(
        &mut self,
        node: &OnnxNode<'_>,
        indices: &Value,
        size: usize,
        wraps: bool,
    ) -> Result<Value, ImportError> {
        let mut shape = self.shape_of(indices);
        shape.push(1);
        let indices = self.reshaped(node, indices, shape)?.with_element(Element::Real);
        self.budget.elements(&node.name, &[size])?;
        let at = |importer: &mut Self, first: f64| {
            let places = (0..size).map(|place| count(place) + first).collect();
            let places = Constant::reals(vec![size], places).into();
            let distance = importer.sub(node, &indices, &places)?;
            importer.apply(node, &distance, Activation::Function(Function::IsZero))
        };
        let from_start = at(self, 0.0)?;
        if !wraps {
            return Ok(from_start);
        }
        let from_end = at(self, -count(size))?;
        self.add(node, &from_start, &from_end)
    }
}

/// `ArgMax`, `ArgMin`.
fn arg_extreme(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let axis = node.axis(node.int("axis")?.unwrap_or(0), shape.len())?;
    let keep = node.flag("keepdims", true)?;
    let last = node.flag("select_last_index", false)?;
    let sign = if node.op() == "ArgMin" { -1.0 } else { 1.0 };
    let value = value.clone().with_element(Element::Real);
    let value = if sign < 0.0 { importer.scaled(node, &value, sign, 0.0)? } else { value };
    let place = importer.largest_place(node, &value, axis, last)?;
    let numbers = (0..shape[axis]).map(count).collect();
    let mut result = importer.number_of_place(node, &place, axis, numbers)?;
    if !keep {
        let mut kept = shape;
        kept.remove(axis);
        result = importer.reshaped(node, &result, kept)?;
    }
    if let Value::Constant(constant) = &result {
        return Ok(vec![super::constants::cast_constant(node, constant, POSITION)?]);
    }
    Ok(vec![result.with_element(POSITION)])
}

/// `Hardmax`: over one axis since operator set 13, before that over all from it on.
fn hardmax(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let one_axis = node.opset >= 13;
    let given = node.int("axis")?.unwrap_or(if one_axis { -1 } else { 1 });
    let axis = node.axis(given, shape.len())?;
    if one_axis {
        return Ok(vec![importer.largest_place(node, value, axis, false)?]);
    }
    let flat = vec![shape[..axis].iter().product(), shape[axis..].iter().product()];
    let flat = importer.reshaped(node, value, flat)?;
    let places = importer.largest_place(node, &flat, 1, false)?;
    Ok(vec![importer.reshaped(node, &places, shape)?])
}

/// `OneHot`: the two values where an index is and where it is not.
fn one_hot(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let indices = node.operand(0)?;
    let rank = importer.shape_of(indices).len();
    let axis = node.axis(node.int("axis")?.unwrap_or(-1), rank + 1)?;
    let depth = node.constant(1)?.to_reals();
    let depth = depth.first().and_then(|&depth| super::compose::whole(depth.trunc()));
    let depth = depth.and_then(|depth| usize::try_from(depth).ok()).filter(|&depth| depth > 0);
    let depth = depth.ok_or_else(|| node.wrong_operand(1, "a number of 1 or more"))?;
    let rows = importer.one_hot_rows(node, indices, depth, true)?;
    let mut order: Vec<usize> = (0..rank).collect();
    order.insert(axis, rank);
    let rows = importer.transposed(node, &rows, &order)?;
    let values = node.operand(2)?;
    let kind = Importer::element_of(values);
    let pick = |importer: &mut Importer, place: usize| {
        let picked = importer.picked(node, values, &[vec![place]])?;
        Ok::<_, ImportError>(picked.with_element(Element::Real))
    };
    if importer.shape_of(values) != [2] {
        return Err(node.wrong_operand(2, "two values"));
    }
    let (off, on) = (pick(importer, 0)?, pick(importer, 1)?);
    let difference = importer.sub(node, &on, &off)?;
    let scaled = importer.product(node, &rows, &difference)?;
    let result = importer.add(node, &scaled, &off)?;
    match (&result, kind) {
        (Value::Constant(constant), kind) if !matches!(constant.data, Data::Integer(_)) => {
            Ok(vec![super::constants::cast_constant(node, constant, kind)?])
        }
        _ => Ok(vec![result.with_element(kind)]),
    }
}
