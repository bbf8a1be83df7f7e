//! Operations that only choose and order elements, of tensors and constants alike.

use super::constant::Constant;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use crate::error::ImportError;
use crate::graph::{alias, broadcast_index, row_major_strides, strided_index};

pub(super) type Lowered = Result<Vec<Value>, ImportError>;

/// `Transpose`.
pub(super) fn transpose(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let shape = operand_shape(node, importer)?;
    let reversed: Vec<i64> =
        (0i64..).take(shape.len()).collect::<Vec<_>>().into_iter().rev().collect();
    let order = node.ints("perm")?.unwrap_or(&reversed);
    let order = order.iter().map(|&axis| usize::try_from(axis)).collect::<Result<Vec<_>, _>>();
    let order = order.unwrap_or_default();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..shape.len()) {
        return Err(node.wrong_attribute("perm", "a permutation of the axes"));
    }
    let strides = row_major_strides(&shape);
    let output: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let strides: Vec<usize> = order.iter().map(|&axis| strides[axis]).collect();
    let value = select(node, importer, output, |output| strided_index(output, &strides, 0))?;
    Ok(vec![value])
}

/// `Expand`.
pub(super) fn expand(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let shape = operand_shape(node, importer)?;
    let target = sizes(node, 1)?;
    let output = super::arithmetic::result_shape(node, &shape, &target)?;
    let value = select(node, importer, output, |output| broadcast_index(&shape, output))?;
    Ok(vec![value])
}

/// `Slice`: bounds as attributes before operator set 10, as operands since.
pub(super) fn slice(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let shape = operand_shape(node, importer)?;
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
    let mut output = shape.clone();
    let mut strides = row_major_strides(&shape);
    let mut offset = 0;
    for (position, &axis) in axes.iter().enumerate() {
        let axis = node.axis(axis, shape.len())?;
        let step = usize::try_from(steps[position]).ok().filter(|&step| step > 0);
        let step = step.ok_or_else(|| node.unsupported("steps must be positive"))?;
        let start = bound(starts[position], shape[axis]);
        let end = bound(ends[position], shape[axis]);
        output[axis] = end.saturating_sub(start).div_ceil(step);
        offset += start * strides[axis];
        strides[axis] = strides[axis].saturating_mul(step);
    }
    let value = select(node, importer, output, |output| strided_index(output, &strides, offset))?;
    Ok(vec![value])
}

/// A slice bound, counted from the end where negative, within the dimension.
fn bound(position: i64, size: usize) -> usize {
    let signed = i64::try_from(size).unwrap_or(i64::MAX);
    let counted = if position < 0 { position.saturating_add(signed) } else { position };
    usize::try_from(counted.clamp(0, signed)).unwrap_or(size)
}

/// `Gather` with constant indices.
pub(super) fn gather(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let shape = operand_shape(node, importer)?;
    let axis = node.axis(node.int("axis")?.unwrap_or(0), shape.len())?;
    let positions = node.integers(1)?;
    let positions = positions
        .iter()
        .map(|&position| node.axis(position, shape[axis]))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| node.wrong_operand(1, "positions within the axis"))?;
    let index_shape = &node.constant(1)?.shape;
    let output = [&shape[..axis], index_shape, &shape[axis + 1..]].concat();
    let after: usize = shape[axis + 1..].iter().product();
    let value = select(node, importer, output, |_| {
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

/// `Split`: sizes as an attribute before operator set 13, as an operand since.
pub(super) fn split(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let shape = operand_shape(node, importer)?;
    let axis = node.axis(node.int("axis")?.unwrap_or(0), shape.len())?;
    let parts = match node.integers_either("split", 1, 13)? {
        Some(parts) => parts.into_iter().map(|part| usize::try_from(part).unwrap_or(0)).collect(),
        None => {
            let count = node.outputs().len().max(1);
            let size = shape[axis].div_ceil(count);
            let starts = (0..count).map(|part| (part * size).min(shape[axis]));
            starts.map(|start| size.min(shape[axis] - start)).collect::<Vec<_>>()
        }
    };
    let total = parts.iter().try_fold(0usize, |sum, &part| sum.checked_add(part));
    if total != Some(shape[axis]) {
        return Err(node.wrong_attribute("split", "sizes that add up to the dimension"));
    }
    let strides = row_major_strides(&shape);
    let mut start = 0;
    let mut values = Vec::new();
    for part in parts {
        let mut output = shape.clone();
        output[axis] = part;
        let offset = start * strides[axis];
        values.push(select(node, importer, output, |o| strided_index(o, &strides, offset))?);
        start += part;
    }
    Ok(values)
}

/// The shape of operand 0.
pub(super) fn operand_shape(
    node: &OnnxNode<'_>,
    importer: &Importer,
) -> Result<Vec<usize>, ImportError> {
    Ok(match node.operand(0)? {
        Value::Tensor(id) => importer.shape(*id).to_vec(),
        Value::Constant(constant) => constant.shape.clone(),
    })
}

/// The constant operand at `index` as dimensions.
pub(super) fn sizes(node: &OnnxNode<'_>, index: usize) -> Result<Vec<usize>, ImportError> {
    let sizes = node.integers(index)?.iter().map(|&size| usize::try_from(size));
    sizes.collect::<Result<_, _>>().map_err(|_| node.wrong_operand(index, "without negative sizes"))
}

/// The elements of operand 0 that `index` chooses for the output shape.
pub(super) fn select(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    output: Vec<usize>,
    index: impl FnOnce(&[usize]) -> Vec<usize>,
) -> Result<Value, ImportError> {
    match node.operand(0)? {
        Value::Tensor(id) => {
            importer.reserve(node, &output)?;
            let index = index(&output);
            Ok(importer.emit(node, output, alias(*id, index)))
        }
        Value::Constant(constant) => {
            importer.budget.elements(&node.name, &output)?;
            let data = constant.data.select(&index(&output));
            Ok(Value::Constant(Constant { shape: output, data }.into()))
        }
    }
}
