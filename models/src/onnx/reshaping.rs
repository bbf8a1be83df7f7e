//! Operations that keep the elements in order.

use super::compose::Lowered;
use super::error::ImportError;
use super::importer::Importer;
use super::limits::RANK;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, TextsIn, operator};

pub(super) const OPERATORS: &[Operator] = &[
    operator("Dropout", &[7, 10, 12, 13, 22], &["ratio", "seed"], dropout),
    operator("Flatten", &[1, 9, 11, 13, 21, 23, 24, 25], &["axis"], flatten)
        .moving_codes()
        .taking_texts(TextsIn::Computed),
    operator("Identity", &[1, 13, 14, 16, 19, 21, 23, 24, 25], &[], identity)
        .moving_codes()
        .taking_texts(TextsIn::Computed),
    operator("Reshape", &[5, 13, 14, 19, 21, 23, 24, 25], &["allowzero"], reshape)
        .moving_codes()
        .taking_texts(TextsIn::Computed),
    operator("Squeeze", &[1, 11, 13, 21, 23, 24, 25], &["axes"], squeeze)
        .moving_codes()
        .taking_texts(TextsIn::Computed),
    operator("Unsqueeze", &[1, 11, 13, 21, 23, 24, 25], &["axes"], unsqueeze)
        .moving_codes()
        .taking_texts(TextsIn::Computed),
];

fn identity(node: &OnnxNode<'_>, _: &mut Importer) -> Lowered {
    Ok(vec![node.operand(0)?.clone()])
}

/// `Dropout` in inference: nothing. The mask output does not exist.
fn dropout(node: &OnnxNode<'_>, _: &mut Importer) -> Lowered {
    node.has_no_effect(&["ratio", "seed"]);
    if node.optional(2).is_some() && node.integers(2)?.iter().any(|&training| training != 0) {
        return Err(node.unsupported("training mode; export the model for inference"));
    }
    Ok(vec![node.operand(0)?.clone()])
}

/// `Flatten` into a matrix.
fn flatten(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let axis = node.int("axis")?.unwrap_or(1);
    let axis = node.axis_up_to(axis, shape.len(), shape.len() + 1)?;
    let output = vec![shape[..axis].iter().product(), shape[axis..].iter().product()];
    Ok(vec![importer.reshaped(node, value, output)?])
}

/// `Reshape`: 0 keeps a dimension, −1 is inferred.
fn reshape(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let allow_zero = node.flag("allowzero", false)?;
    let wrong = || node.wrong_shape("the new shape must have as many elements", &[&shape]);
    let mut output = Vec::new();
    let mut inferred = None;
    for (axis, &size) in node.integers(1)?.iter().enumerate() {
        output.push(match size {
            0 if !allow_zero => *shape.get(axis).ok_or_else(wrong)?,
            -1 if inferred.replace(axis).is_none() => 1,
            _ => usize::try_from(size).map_err(|_| wrong())?,
        });
    }
    let count = |shape: &[usize]| shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
    let (Some(total), Some(known)) = (count(&shape), count(&output)) else { return Err(wrong()) };
    if let Some(axis) = inferred {
        if known == 0 || total % known != 0 {
            return Err(wrong());
        }
        output[axis] = total / known;
    } else if known != total {
        return Err(wrong());
    }
    Ok(vec![importer.reshaped(node, value, output)?])
}

/// `Squeeze`: axes as an attribute before operator set 13, as an operand since.
fn squeeze(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let axes = match node.integers_either("axes", 1, 13)? {
        None => (0..shape.len()).filter(|&axis| shape[axis] == 1).collect(),
        Some(axes) => distinct_axes(node, &axes, shape.len())?,
    };
    if axes.iter().any(|&axis| shape[axis] != 1) {
        return Err(node.wrong_shape("a dimension that is removed must be 1", &[&shape]));
    }
    let kept = (0..shape.len()).filter(|axis| !axes.contains(axis));
    let output = kept.map(|axis| shape[axis]).collect();
    Ok(vec![importer.reshaped(node, value, output)?])
}

/// `Unsqueeze`: axes as an attribute before operator set 13, as an operand since.
fn unsqueeze(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value: &Value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let axes = node
        .integers_either("axes", 1, 13)?
        .ok_or_else(|| node.wrong_attribute("axes", "given"))?;
    let rank = shape.len() + axes.len();
    if rank > RANK {
        return Err(node.wrong_attribute("axes", "few enough for 16 dimensions"));
    }
    let axes = distinct_axes(node, &axes, rank)?;
    let mut output = shape;
    for axis in axes {
        output.insert(axis, 1);
    }
    Ok(vec![importer.reshaped(node, value, output)?])
}

/// Axes, counted from the end where negative, sorted; none may be named twice.
pub(super) fn distinct_axes(
    node: &OnnxNode<'_>,
    axes: &[i64],
    rank: usize,
) -> Result<Vec<usize>, ImportError> {
    let axes = axes.iter().map(|&axis| node.axis(axis, rank));
    let mut axes = axes.collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    if axes.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(node.wrong_attribute("axes", "without repetition"));
    }
    Ok(axes)
}
