//! `Unique` of what is known when the file is read, as sums over the segments of a fixed graph have it.

use std::cmp::Ordering;

use super::compose::Lowered;
use super::constant::{Constant, Data};
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use super::refused::SIZE_DEPENDS;

pub(super) const OPERATORS: &[Operator] = &[operator("Unique", &[11], &["axis", "sorted"], unique)];

impl Constant {
    /// The order of two elements; none is NaN.
    pub(super) fn order(&self, one: usize, other: usize) -> Ordering {
        match &self.data {
            Data::Real(data) => data[one].partial_cmp(&data[other]).unwrap_or(Ordering::Equal),
            Data::Integer(data) => data[one].cmp(&data[other]),
        }
    }

    /// The elements at these places, in a shape.
    pub(super) fn elements_at(&self, places: &[usize], shape: Vec<usize>) -> Self {
        let data = match &self.data {
            Data::Real(data) => Data::Real(places.iter().map(|&place| data[place]).collect()),
            Data::Integer(data) => Data::Integer(places.iter().map(|&place| data[place]).collect()),
        };
        Self { shape, data }
    }
}

/// `Unique`: different elements, or slices along an axis, each with the first place that has it, which
/// of them each place has, and how many places have it.
fn unique(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let Value::Constant(constant) = node.operand(0)? else {
        return Err(node.unsupported(SIZE_DEPENDS));
    };
    node.has_elements(&constant.shape)?;
    importer.budget.elements(&node.name, &constant.shape)?;
    let (mut shape, axis) = match node.int("axis")? {
        None => (vec![constant.data.len()], 0),
        Some(axis) => (constant.shape.clone(), node.axis(axis, constant.shape.len())?),
    };
    let (size, after) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    let before: usize = shape[..axis].iter().product();
    let element = |slice: usize, outer: usize, inner: usize| (outer * size + slice) * after + inner;
    let order = |one: usize, other: usize| {
        let mut pairs = (0..before * after).map(|place| {
            let at = |slice| element(slice, place / after, place % after);
            constant.order(at(one), at(other))
        });
        pairs.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    };
    let mut slices: Vec<usize> = (0..size).collect();
    slices.sort_by(|&one, &other| order(one, other));
    let mut groups: Vec<&[usize]> =
        slices.chunk_by(|&one, &other| order(one, other).is_eq()).collect();
    if !node.flag("sorted", true)? {
        groups.sort_by_key(|group| group[0]);
    }
    let mut inverse = vec![0; size];
    for (place, group) in groups.iter().enumerate() {
        group.iter().for_each(|&slice| inverse[slice] = place);
    }
    let places: Vec<usize> = (0..before)
        .flat_map(|outer| groups.iter().map(move |group| (outer, group[0])))
        .flat_map(|(outer, slice)| (0..after).map(move |inner| element(slice, outer, inner)))
        .collect();
    shape[axis] = groups.len();
    let list = |numbers: Vec<usize>| {
        let numbers = numbers.into_iter().map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        Value::from(Constant::integers(numbers.collect()))
    };
    Ok(vec![
        constant.elements_at(&places, shape).into(),
        list(groups.iter().map(|group| group[0]).collect()),
        list(inverse),
        list(groups.iter().map(|group| group.len()).collect()),
    ])
}
