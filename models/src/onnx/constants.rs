//! Constants, and the arithmetic on shapes that exporters write out as nodes.

use super::compose::{Lowered, whole};
use super::constant::{Constant, Data, real};
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::movement::sizes;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::view::{View, row_major_strides};

pub(super) const OPERATORS: &[Operator] = &[
    operator("Constant", &[1, 9, 11, 12, 13, 19, 21, 23, 24, 25], VALUES, constant),
    operator("ConstantOfShape", &[9, 20, 21, 23, 24, 25], &["value"], constant_of_shape),
    operator("EyeLike", &[9, 22], &["dtype", "k"], eye_like),
    operator("NonZero", &[9, 13], &[], non_zero),
    operator("Range", &[11, 27], &["stash_type"], range),
    operator("Shape", &[1, 13, 15, 19, 21, 23, 24, 25], &["start", "end"], shape),
    operator("Size", &[1, 13, 19, 21, 23, 24, 25], &[], size),
];

const VALUES: &[&str] = &["value", "value_float", "value_floats", "value_int", "value_ints"];

fn constant(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let given = VALUES.iter().filter(|name| node.attribute(name).is_some()).count();
    if given != 1 {
        return Err(node.wrong_attribute("value", "given once"));
    }
    let constant = if let Some(proto) = node.tensor_attribute("value")? {
        Constant::decode(proto, &node.name, &mut importer.budget)?
    } else if let Some(value) = node.float("value_float")? {
        Constant::reals(vec![], vec![value])
    } else if let Some(values) = node.floats("value_floats")? {
        Constant::reals(vec![values.len()], values.iter().copied().map(f64::from).collect())
    } else if let Some(value) = node.int("value_int")? {
        Constant { shape: vec![], data: Data::Integer(vec![value]) }
    } else if let Some(values) = node.ints("value_ints")? {
        Constant::integers(values.to_vec())
    } else {
        return Err(node.wrong_attribute("value", "a tensor"));
    };
    constant.check_numbers(&node.name)?;
    Ok(vec![constant.into()])
}

fn constant_of_shape(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let shape = sizes(node, 0)?;
    let count = importer.budget.elements(&node.name, &shape)?;
    let data = match node.tensor_attribute("value")? {
        None => Data::Real(vec![0.0; count]),
        Some(proto) => {
            let value = Constant::decode(proto, &node.name, &mut importer.budget)?;
            if value.data.len() != 1 {
                return Err(node.wrong_attribute("value", "a single number"));
            }
            value.data.select(&View::strided(&[count], &[0], 0))
        }
    };
    Ok(vec![Constant { shape, data }.into()])
}

/// `Shape`: known, since all shapes are.
fn shape(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let shape = importer.shape_of(node.operand(0)?);
    let rank = i64::try_from(shape.len()).unwrap_or(i64::MAX);
    let position = |axis: i64| {
        let axis = if axis < 0 { axis.saturating_add(rank) } else { axis };
        usize::try_from(axis.clamp(0, rank)).unwrap_or(0)
    };
    let start = position(node.int("start")?.unwrap_or(0));
    let end = position(node.int("end")?.unwrap_or(rank)).max(start);
    let sizes = shape[start..end].iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX));
    Ok(vec![Constant::integers(sizes.collect()).into()])
}

fn size(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let count: usize = importer.shape_of(node.operand(0)?).iter().product();
    let data = Data::Integer(vec![i64::try_from(count).unwrap_or(i64::MAX)]);
    Ok(vec![Constant { shape: vec![], data }.into()])
}

/// `Range`: from start to before limit.
fn range(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    // The precision in which 16-bit numbers are added up; here they are exact.
    node.has_no_effect(&["stash_type"]);
    let bounds = [node.constant(0)?, node.constant(1)?, node.constant(2)?];
    if bounds.iter().any(|bound| bound.data.len() != 1) {
        return Err(node.unsupported("start, limit and delta must be single numbers"));
    }
    let [start, limit, delta] = bounds.map(|bound| bound.to_reals()[0]);
    let steps = ((limit - start) / delta).ceil().max(0.0);
    let Some(count) = whole(steps).and_then(|steps| usize::try_from(steps).ok()) else {
        return Err(node.wrong_operand(2, "a step that leads from start to limit"));
    };
    importer.budget.elements(&node.name, &[count])?;
    let is_integer = bounds.iter().all(|bound| matches!(bound.data, Data::Integer(_)));
    let reals = (0..count).map(|step| start + super::compose::count(step) * delta);
    let data = if is_integer {
        Data::Integer(reals.filter_map(whole).collect())
    } else {
        Data::Real(reals.collect())
    };
    Ok(vec![Constant { shape: vec![count], data }.into()])
}

/// `EyeLike`: ones on a diagonal of a matrix.
fn eye_like(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let like = node.operand(0)?;
    let &[rows, columns] = &importer.shape_of(like)[..] else {
        return Err(node.unsupported("a tensor that is no matrix"));
    };
    let diagonal = node.int("k")?.unwrap_or(0);
    let element = match node.int("dtype")? {
        None => Importer::element_of(like),
        Some(dtype) => i32::try_from(dtype)
            .ok()
            .and_then(Element::of)
            .ok_or_else(|| node.wrong_attribute("dtype", "a type of numbers"))?,
    };
    importer.budget.elements(&node.name, &[rows, columns])?;
    let signed = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
    let ones = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let ones =
        ones.map(|(row, column)| i64::from(signed(column) - signed(row) == diagonal)).collect();
    let eye = Constant { shape: vec![rows, columns], data: Data::Integer(ones) };
    Ok(vec![cast_constant(node, &eye, element)?])
}

/// `NonZero` of a constant: one column of positions for each element that is not 0.
fn non_zero(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let constant = node.constant(0)?;
    let values = constant.to_reals();
    let found: Vec<usize> = (0..values.len()).filter(|&i| values[i] != 0.0).collect();
    let rank = constant.shape.len();
    importer.budget.elements(&node.name, &[rank, found.len()])?;
    let strides = row_major_strides(&constant.shape);
    let positions = constant.shape.iter().zip(strides).flat_map(|(&size, stride)| {
        found.iter().map(move |&i| i64::try_from(i / stride % size).unwrap_or(i64::MAX))
    });
    let data = Data::Integer(positions.collect());
    Ok(vec![Constant { shape: vec![rank, found.len()], data }.into()])
}

/// A constant as numbers of another kind.
pub(super) fn cast_constant(
    node: &OnnxNode<'_>,
    constant: &Constant,
    to: Element,
) -> Result<Value, ImportError> {
    let data = match (&constant.data, to) {
        (Data::Real(_), Element::Real) => constant.data.clone(),
        (Data::Integer(data), Element::Real) => {
            Data::Real(data.iter().map(|&value| real(value)).collect())
        }
        (_, Element::Text { .. }) => {
            return Err(node.unsupported("a cast of numbers to texts; leave it out"));
        }
        (_, Element::Boolean) => Data::Integer(
            constant.to_reals().into_iter().map(|value| i64::from(value != 0.0)).collect(),
        ),
        (data, Element::Integer { .. }) => {
            let (lo, hi) = to.bounds().unwrap_or((i64::MIN, i64::MAX));
            let exact = match data {
                Data::Integer(data) => data.iter().copied().map(Some).collect::<Vec<_>>(),
                Data::Real(data) => data.iter().map(|value| whole(value.trunc())).collect(),
            };
            let fits = |value: Option<i64>| {
                value.filter(|value| (lo..=hi).contains(value)).ok_or_else(|| {
                    node.unsupported("a cast to an integer type that does not hold the number")
                })
            };
            Data::Integer(exact.into_iter().map(fits).collect::<Result<_, _>>()?)
        }
    };
    Ok(Constant { shape: constant.shape.clone(), data }.into())
}
