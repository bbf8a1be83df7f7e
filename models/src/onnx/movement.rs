//! Operations that only choose and order elements, of tensors and constants alike.

use super::compose::Lowered;
use super::constant::{Constant, Data};
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::view::{View, row_major_strides};

pub(super) const OPERATORS: &[Operator] = &[
    operator("CenterCropPad", &[18], &["axes"], center_crop_pad),
    operator("Compress", &[9, 11, 28], &["axis"], compress),
    operator("Expand", &[8, 13], &[], expand).moving_codes(),
    operator("Gather", &[1, 11, 13], &["axis"], gather),
    operator("GatherElements", &[11, 13], &["axis"], gather_elements),
    operator("GatherND", &[11, 12, 13], &["batch_dims"], gather_nd),
    operator("ReverseSequence", &[10, 28], &["batch_axis", "time_axis"], reverse_sequence)
        .moving_codes(),
    operator("Slice", &[1, 10, 11, 13], &["axes", "ends", "starts"], slice).moving_codes(),
    operator("Split", &[2, 11, 13, 18], &["axis", "num_outputs", "split"], split).moving_codes(),
    operator("Tile", &[6, 13], &[], tile).moving_codes(),
    operator("Transpose", &[1, 13, 21, 23, 24, 25], &["perm"], transpose).moving_codes(),
    operator("Trilu", &[14], &["upper"], trilu),
];

fn transpose(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let rank = importer.shape_of(value).len();
    let order = match node.ints("perm")? {
        None => (0..rank).rev().collect(),
        Some(order) => order.iter().map(|&axis| usize::try_from(axis).unwrap_or(rank)).collect(),
    };
    let order: Vec<usize> = order;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..rank) {
        return Err(node.wrong_attribute("perm", "a permutation of the axes"));
    }
    Ok(vec![importer.transposed(node, value, &order)?])
}

fn expand(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let output = super::compose::result_shape(node, &shape, &sizes(node, 1)?)?;
    Ok(vec![importer.select(node, value, output, |output| View::broadcast(&shape, output))?])
}

/// `Tile`: each dimension so many times.
fn tile(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let repeats = sizes(node, 1)?;
    if repeats.len() != shape.len() {
        return Err(node.wrong_shape("one number of repeats per dimension", &[&shape, &repeats]));
    }
    let axes: Vec<Vec<usize>> = shape
        .iter()
        .zip(&repeats)
        .map(|(&size, &repeats)| {
            importer.budget.elements(&node.name, &[size, repeats])?;
            Ok((0..repeats).flat_map(|_| 0..size).collect())
        })
        .collect::<Result<_, ImportError>>()?;
    Ok(vec![importer.picked(node, value, &axes)?])
}

impl Importer {
    /// The elements at the positions that each axis lists.
    pub(super) fn picked(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        axes: &[Vec<usize>],
    ) -> Result<Value, ImportError> {
        let shape = self.shape_of(value);
        let axes: Vec<View> = axes.iter().map(|positions| positions.clone().into()).collect();
        let output = axes.iter().map(View::len).collect();
        self.select(node, value, output, |_| View::grid(&shape, &axes))
    }
}

/// `Slice`: bounds as attributes before operator set 10, as operands since.
fn slice(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let needed = |index: usize| ImportError::MissingOperand {
        node: node.name.clone(),
        op: node.op().to_owned(),
        index,
    };
    let starts = node.integers_either("starts", 1, 10)?.ok_or_else(|| needed(1))?;
    let ends = node.integers_either("ends", 2, 10)?.ok_or_else(|| needed(2))?;
    let axes = node.integers_either("axes", 3, 10)?;
    let axes = axes.unwrap_or_else(|| (0i64..).take(starts.len()).collect());
    let steps = match node.optional(4) {
        Some(_) => node.integers(4)?.to_vec(),
        None => vec![1; starts.len()],
    };
    if [ends.len(), axes.len(), steps.len()].iter().any(|&len| len != starts.len()) {
        return Err(node.unsupported("starts, ends, axes and steps of different lengths"));
    }
    let mut chosen: Vec<Option<Vec<usize>>> = vec![None; shape.len()];
    for (position, &axis) in axes.iter().enumerate() {
        let axis = node.axis(axis, shape.len())?;
        if steps[position] == 0 {
            return Err(node.wrong_operand(4, "steps different from 0"));
        }
        let positions = positions(shape[axis], starts[position], ends[position], steps[position]);
        if chosen[axis].replace(positions).is_some() {
            return Err(node.wrong_operand(3, "axes of which none is named twice"));
        }
    }
    let axes: Vec<Vec<usize>> = chosen
        .into_iter()
        .zip(&shape)
        .map(|(chosen, &size)| chosen.unwrap_or_else(|| (0..size).collect()))
        .collect();
    Ok(vec![importer.picked(node, value, &axes)?])
}

/// The positions of a slice of a dimension.
fn positions(size: usize, start: i64, end: i64, step: i64) -> Vec<usize> {
    let signed = i64::try_from(size).unwrap_or(i64::MAX);
    let counted =
        |position: i64| if position < 0 { position.saturating_add(signed) } else { position };
    let (start, end) = (counted(start), counted(end));
    let bounds = if step > 0 {
        (start.clamp(0, signed), end.clamp(0, signed))
    } else {
        (start.clamp(-1, signed - 1), end.clamp(-1, signed - 1))
    };
    let mut positions = Vec::new();
    let mut position = bounds.0;
    while (step > 0 && position < bounds.1) || (step < 0 && position > bounds.1) {
        positions.extend(usize::try_from(position));
        position = position.saturating_add(step);
    }
    positions
}

/// `Gather` with constant indices.
fn gather(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let axis = node.axis(node.int("axis")?.unwrap_or(0), shape.len())?;
    if let Some(indices @ Value::Tensor(_)) = node.optional(1) {
        return Ok(vec![super::lookup::slices_at(node, importer, value, indices, axis)?]);
    }
    let positions = places(node, shape[axis])?;
    let index_shape = &node.constant(1)?.shape;
    let output = [&shape[..axis], index_shape, &shape[axis + 1..]].concat();
    let after: usize = shape[axis + 1..].iter().product();
    let value = importer.select(node, value, output, |_| {
        let before: usize = shape[..axis].iter().product();
        (0..before)
            .flat_map(|outer| positions.iter().map(move |p| (outer, *p)))
            .flat_map(|(outer, p)| {
                let start = (outer * shape[axis] + p) * after;
                start..start + after
            })
            .collect()
    })?;
    Ok(vec![value])
}

/// The constant operand 1 as positions within a dimension.
fn places(node: &OnnxNode<'_>, size: usize) -> Result<Vec<usize>, ImportError> {
    let positions = node.integers(1)?.iter().map(|&position| node.axis(position, size));
    positions
        .collect::<Result<_, _>>()
        .map_err(|_| node.wrong_operand(1, "positions within the axis"))
}

/// `Compress` with a constant condition: the places where it holds.
fn compress(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let condition = node.integers(1)?;
    let (value, axis) = match node.int("axis")? {
        Some(axis) => (value.clone(), axis),
        None => {
            let count = importer.shape_of(value).iter().product();
            (importer.reshaped(node, value, vec![count])?, 0)
        }
    };
    let shape = importer.shape_of(&value);
    let axis = node.axis(axis, shape.len())?;
    if condition.len() > shape[axis] {
        return Err(node.wrong_operand(1, "at most as long as the axis"));
    }
    let mut axes: Vec<Vec<usize>> = shape.iter().map(|&size| (0..size).collect()).collect();
    axes[axis] = (0..condition.len()).filter(|&place| condition[place] != 0).collect();
    Ok(vec![importer.picked(node, &value, &axes)?])
}

/// `GatherElements`: for each element of the result, a position along one axis.
fn gather_elements(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let axis = node.axis(node.int("axis")?.unwrap_or(0), shape.len())?;
    if let Some(indices @ Value::Tensor(_)) = node.optional(1) {
        return Ok(vec![super::lookup::elements_at(node, importer, value, indices, axis)?]);
    }
    let positions = places(node, shape[axis])?;
    let output = node.constant(1)?.shape.clone();
    let fits = output.len() == shape.len()
        && (0..shape.len()).all(|other| other == axis || output[other] <= shape[other]);
    if !fits {
        return Err(node.wrong_shape("indices must fit the data", &[&shape, &output]));
    }
    let strides = row_major_strides(&shape);
    let value = importer.select(node, value, output, |output| {
        let mut others = strides.clone();
        others[axis] = 0;
        let starts = View::strided(output, &others, 0);
        starts.iter().zip(&positions).map(|(start, p)| start + p * strides[axis]).collect()
    })?;
    Ok(vec![value])
}

/// `GatherND` with constant indices: each row of indices names a slice.
fn gather_nd(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let batch = node.int("batch_dims")?.unwrap_or(0);
    let batch = node.axis_up_to(batch, shape.len(), shape.len())?;
    if let Some(indices @ Value::Tensor(_)) = node.optional(1) {
        return Ok(vec![super::lookup::rows_at(node, importer, value, indices, batch)?]);
    }
    let indices = node.constant(1)?;
    let rows = node.integers(1)?;
    let Some((&depth, outer)) = indices.shape.split_last() else {
        return Err(node.wrong_operand(1, "of at least one dimension"));
    };
    let fits = batch <= outer.len()
        && shape[..batch] == outer[..batch]
        && depth >= 1
        && batch + depth <= shape.len();
    if !fits {
        return Err(node.wrong_shape("indices must fit the data", &[&shape, &indices.shape]));
    }
    let strides = row_major_strides(&shape);
    let slice: usize = shape[batch + depth..].iter().product();
    let groups: usize = shape[..batch].iter().product();
    let per_group: usize = outer[batch..].iter().product();
    let mut starts = Vec::new();
    for (position, row) in rows.chunks(depth).enumerate() {
        let group = position / per_group.max(1);
        let mut start = group * shape[batch..].iter().product::<usize>();
        for (axis, &index) in row.iter().enumerate() {
            let place = node.axis(index, shape[batch + axis]);
            let place = place.map_err(|_| node.wrong_operand(1, "positions within the data"))?;
            start += place * strides[batch + axis];
        }
        starts.push(start);
    }
    debug_assert_eq!(starts.len(), groups * per_group);
    let output = [outer, &shape[batch + depth..]].concat();
    let value = importer.select(node, value, output, |_| {
        starts.iter().flat_map(|&start| start..start + slice).collect()
    })?;
    Ok(vec![value])
}

/// `Split`: sizes as an attribute before operator set 13, as an operand since; the number of parts
/// as an attribute since 18.
fn split(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let axis = node.axis(node.int("axis")?.unwrap_or(0), shape.len())?;
    let count = node.outputs().len();
    let parts = match node.integers_either("split", 1, 13)? {
        Some(parts) => parts.into_iter().map(|part| usize::try_from(part).unwrap_or(0)).collect(),
        None => equal_parts(node, shape[axis], count)?,
    };
    let total = parts.iter().try_fold(0usize, |sum, &part| sum.checked_add(part));
    if total != Some(shape[axis]) || parts.len() != count {
        return Err(node
            .wrong_attribute("split", "one size for each output, which add up to the dimension"));
    }
    let mut start = 0;
    let mut values = Vec::with_capacity(count);
    let strides = row_major_strides(&shape);
    for part in parts {
        let mut output = shape.clone();
        output[axis] = part;
        let offset = start * strides[axis];
        values.push(importer.select(node, value, output, |o| View::strided(o, &strides, offset))?);
        start += part;
    }
    Ok(values)
}

/// Equal parts, from operator set 18 on with a smaller last one.
fn equal_parts(node: &OnnxNode<'_>, size: usize, count: usize) -> Result<Vec<usize>, ImportError> {
    if node.opset >= 18 {
        let given = node.int("num_outputs")?;
        if given.and_then(|given| usize::try_from(given).ok()) != Some(count) {
            return Err(node.wrong_attribute("num_outputs", "the number of outputs"));
        }
    } else if count == 0 || !size.is_multiple_of(count) {
        return Err(node.unsupported("parts that are not equal; give their sizes"));
    }
    let part = size.div_ceil(count.max(1));
    let rest = count.checked_sub(1).and_then(|others| size.checked_sub(part * others));
    let rest = rest.ok_or_else(|| node.wrong_attribute("num_outputs", "at most the dimension"))?;
    Ok((0..count).map(|position| if position + 1 == count { rest } else { part }).collect())
}

/// `ReverseSequence` with constant lengths.
fn reverse_sequence(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let batch_axis = node.int("batch_axis")?.unwrap_or(1);
    let time_axis = node.int("time_axis")?.unwrap_or(0);
    let lengths = sizes(node, 1)?;
    let axes = [batch_axis, time_axis].map(|axis| usize::try_from(axis).unwrap_or(2));
    let [batch_axis, time_axis] = axes;
    let fits = shape.len() >= 2
        && batch_axis + time_axis == 1
        && lengths.len() == shape[batch_axis]
        && lengths.iter().all(|&length| length <= shape[time_axis]);
    if !fits {
        return Err(node.wrong_shape("axes 0 and 1, and one length for each sequence", &[&shape]));
    }
    let strides = row_major_strides(&shape);
    let value = importer.select(node, value, shape.clone(), |shape| {
        let place = |element: usize| {
            let time = element / strides[time_axis] % shape[time_axis];
            let length = lengths[element / strides[batch_axis] % shape[batch_axis]];
            let source = if time < length { length - 1 - time } else { time };
            element - time * strides[time_axis] + source * strides[time_axis]
        };
        (0..shape.iter().product()).map(place).collect()
    })?;
    Ok(vec![value])
}

/// `Trilu`: what lies on the other side of a diagonal becomes 0.
fn trilu(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let [.., rows, columns] = shape[..] else {
        return Err(node.wrong_shape("at least two dimensions", &[&shape]));
    };
    let upper = node.flag("upper", true)?;
    let diagonal = match node.optional(1) {
        None => 0,
        Some(_) => {
            *node.integers(1)?.first().ok_or_else(|| node.wrong_operand(1, "a single number"))?
        }
    };
    let signed = |position: usize| i64::try_from(position).unwrap_or(i64::MAX);
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let kept = places.map(|(row, column)| {
        let offset = signed(column) - signed(row);
        if upper { offset >= diagonal } else { offset <= diagonal }
    });
    let kept: Vec<bool> = kept.collect();
    let outer: usize = shape[..shape.len() - 2].iter().product();
    importer.budget.elements(&node.name, &shape)?;
    let zero = match value {
        Value::Constant(constant) => constant.data.select(&View::in_order(0)),
        Value::Tensor(_) => Data::Real(Vec::new()),
    };
    let zero = match zero {
        Data::Real(_) => Data::Real(vec![0.0]),
        Data::Integer(_) => Data::Integer(vec![0]),
    };
    let zero = Constant { shape: vec![1; shape.len()], data: zero }.into();
    let result =
        super::logic::by_constant(node, importer, &kept.repeat(outer), [value, &zero], &shape)?;
    Ok(vec![result.with_element(Importer::element_of(value))])
}

/// `CenterCropPad` where it only crops.
fn center_crop_pad(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let wanted = sizes(node, 1)?;
    let axes = match node.ints("axes")? {
        None => (0..shape.len()).collect(),
        Some(axes) => {
            axes.iter().map(|&axis| node.axis(axis, shape.len())).collect::<Result<Vec<_>, _>>()?
        }
    };
    if axes.len() != wanted.len() {
        return Err(node.wrong_operand(1, "one size for each axis"));
    }
    let mut pads = vec![0; 2 * shape.len()];
    for (&axis, &size) in axes.iter().zip(&wanted) {
        let signed = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
        let total = signed(size).saturating_sub(signed(shape[axis]));
        // The odd one out lies at the end, whether it is added or taken away.
        let first = total.div_euclid(2) + if total < 0 { total.rem_euclid(2) } else { 0 };
        (pads[axis], pads[shape.len() + axis]) = (first, total - first);
    }
    Ok(vec![super::padding::padded(
        node,
        importer,
        value,
        &pads,
        super::padding::Mode::Constant(0.0),
    )?])
}

/// The constant operand at `index` as dimensions.
pub(super) fn sizes(node: &OnnxNode<'_>, index: usize) -> Result<Vec<usize>, ImportError> {
    let sizes = node.integers(index)?.iter().map(|&size| usize::try_from(size));
    sizes.collect::<Result<_, _>>().map_err(|_| node.wrong_operand(index, "without negative sizes"))
}
