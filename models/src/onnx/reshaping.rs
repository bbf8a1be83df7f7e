//! Operations that keep the elements in order, and the ones that join or pad tensors.

use super::constant::{Constant, Data};
use super::importer::Importer;
use super::limits::RANK;
use super::movement::{Lowered, operand_shape, select};
use super::node::{OnnxNode, Value};
use crate::activation::Activation;
use crate::graph::{Affine, Channels, Op, Term, Window};
use crate::quantized::ImageView;

/// `Identity`.
pub(super) fn identity(node: &OnnxNode<'_>, _: &mut Importer) -> Lowered {
    Ok(vec![node.operand(0)?.clone()])
}

/// `Dropout` in inference: nothing. The mask output does not exist.
pub(super) fn dropout(node: &OnnxNode<'_>, _: &mut Importer) -> Lowered {
    if node.optional(2).is_some() && node.integers(2)?.iter().any(|&training| training != 0) {
        return Err(node.unsupported("training mode; export the model for inference"));
    }
    Ok(vec![node.operand(0)?.clone()])
}

/// `Flatten` into a matrix.
pub(super) fn flatten(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let shape = operand_shape(node, importer)?;
    let axis = node.int("axis")?.unwrap_or(1);
    let axis = node.axis_up_to(axis, shape.len(), shape.len() + 1)?;
    let output = vec![shape[..axis].iter().product(), shape[axis..].iter().product()];
    keep_order(node, importer, output)
}

/// `Reshape`: 0 keeps a dimension, −1 is inferred.
pub(super) fn reshape(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let shape = operand_shape(node, importer)?;
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
    keep_order(node, importer, output)
}

/// `Squeeze`: axes as an attribute before operator set 13, as an operand since.
pub(super) fn squeeze(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let shape = operand_shape(node, importer)?;
    let axes = match node.integers_either("axes", 1, 13)? {
        None => (0..shape.len()).filter(|&axis| shape[axis] == 1).collect(),
        Some(axes) => axes
            .into_iter()
            .map(|axis| node.axis(axis, shape.len()))
            .collect::<Result<Vec<_>, _>>()?,
    };
    if axes.iter().any(|&axis| shape[axis] != 1) {
        return Err(node.wrong_shape("a dimension that is removed must be 1", &[&shape]));
    }
    let output =
        (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect();
    keep_order(node, importer, output)
}

/// `Unsqueeze`: axes as an attribute before operator set 13, as an operand since.
pub(super) fn unsqueeze(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let shape = operand_shape(node, importer)?;
    let axes = node
        .integers_either("axes", 1, 13)?
        .ok_or_else(|| node.wrong_attribute("axes", "given"))?;
    let rank = shape.len() + axes.len();
    if rank > RANK {
        return Err(node.wrong_attribute("axes", "few enough for 16 dimensions"));
    }
    let mut axes =
        axes.into_iter().map(|axis| node.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    if axes.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(node.wrong_attribute("axes", "without repetition"));
    }
    let mut output = shape;
    for axis in axes {
        output.insert(axis, 1);
    }
    keep_order(node, importer, output)
}

/// `Concat` of tensors: a sum of layers that each copy one operand into its place.
pub(super) fn concat(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let first = operand_shape(node, importer)?;
    let axis = node.int("axis")?.ok_or_else(|| node.wrong_attribute("axis", "given"))?;
    let axis = node.axis(axis, first.len())?;
    let mut output = first;
    output[axis] = 0;
    let mut parts = Vec::new();
    for index in 0..node.operand_count() {
        let (shape, part) = match node.operand(index)? {
            Value::Tensor(id) => (importer.shape(*id).to_vec(), Ok(*id)),
            Value::Constant(constant) => (constant.shape.clone(), Err(constant.clone())),
        };
        let mut other = shape.clone();
        if other.len() == output.len() {
            other[axis] = output[axis];
        }
        if other != output {
            return Err(node.wrong_shape("shapes must be equal but for the axis", &[&shape]));
        }
        output[axis] += shape[axis];
        parts.push((shape, part));
    }
    if parts.iter().all(|(_, part)| part.is_err()) {
        return concat_constants(node, importer, &parts, output, axis);
    }
    importer.reserve(node, &output)?;
    let view = Channels::of_axes(&output, axis..axis + 1).view();
    let mut terms = Vec::new();
    let mut start = 0;
    for (index, (shape, part)) in parts.into_iter().enumerate() {
        let input = part.map_err(|_| node.wrong_operand(index, "computed from the input"))?;
        let channels = shape[axis];
        importer.budget.elements(&node.name, &[view.channels, channels])?;
        let mut kernel = vec![0.0; view.channels * channels];
        for channel in 0..channels {
            kernel[(start + channel) * channels + channel] = 1.0;
        }
        start += channels;
        let view = Channels::of_axes(&shape, axis..axis + 1).view();
        terms.push(Term { input, view, window: Window::pixel(1), kernel });
    }
    let bias = vec![0.0; view.channels];
    let op = Affine { terms, bias, output: view, activation: Activation::Identity };
    Ok(vec![importer.emit(node, output, Op::Affine(op))])
}

type Part = (Vec<usize>, Result<crate::quantized::TensorId, std::rc::Rc<Constant>>);

fn concat_constants(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    parts: &[Part],
    shape: Vec<usize>,
    axis: usize,
) -> Lowered {
    let count = importer.budget.elements(&node.name, &shape)?;
    let outer: usize = shape[..axis].iter().product();
    let (mut reals, mut integers) = (Vec::new(), Vec::new());
    for block in 0..outer {
        for constant in parts.iter().filter_map(|(_, part)| part.as_ref().err()) {
            let size = constant.data.len() / outer;
            let range = block * size..(block + 1) * size;
            match &constant.data {
                Data::Real(data) => reals.extend_from_slice(&data[range]),
                Data::Integer(data) => integers.extend_from_slice(&data[range]),
            }
        }
    }
    let data = match (reals.len(), integers.len()) {
        (reals_count, 0) if reals_count == count => Data::Real(reals),
        (0, _) => Data::Integer(integers),
        _ => return Err(node.unsupported("constants of different element types")),
    };
    Ok(vec![Value::Constant(Constant { shape, data }.into())])
}

/// `Pad` with zeros, of the last two dimensions.
pub(super) fn pad(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let input = node.tensor(0)?;
    let shape = importer.shape(input).to_vec();
    let rank = shape.len();
    let zeros_only = || node.unsupported("only constant padding with 0 of the last two dimensions");
    let value = node.real_either("value", 2, 11)?.unwrap_or(0.0);
    if !matches!(node.text("mode")?, None | Some(b"constant")) || value != 0.0 {
        return Err(zeros_only());
    }
    let pads = node.integers_either("pads", 1, 11)?.unwrap_or_default();
    let pads: Vec<usize> =
        pads.iter().map(|&pad| usize::try_from(pad).unwrap_or(usize::MAX)).collect();
    let spatial = rank.saturating_sub(2);
    let is_allowed = |(position, &pad): (usize, &usize)| {
        pad == 0 || (position % rank >= spatial && pad <= 1 << 16)
    };
    if node.optional(3).is_some() || pads.len() != 2 * rank || rank == 0 {
        return Err(zeros_only());
    }
    if !pads.iter().enumerate().all(is_allowed) {
        return Err(zeros_only());
    }
    let output: Vec<usize> =
        (0..rank).map(|axis| pads[axis] + shape[axis] + pads[rank + axis]).collect();
    importer.reserve(node, &output)?;
    let mut window = Window::pixel(1);
    let first = if rank == 1 { 0 } else { pads[rank - 2] };
    window.padding = [first, pads[rank - 1]];
    let view = stacked(&shape);
    window.groups = view.channels;
    let kernel = vec![1.0; view.channels];
    let bias = vec![0.0; view.channels];
    let term = Term { input, view, window, kernel };
    let (out, activation) = (stacked(&output), Activation::Identity);
    let op = Affine { terms: vec![term], bias, output: out, activation };
    Ok(vec![importer.emit(node, output, Op::Affine(op))])
}

/// The last two dimensions as an image, all others as channels.
fn stacked(shape: &[usize]) -> ImageView {
    let rank = shape.len();
    let channels = shape[..rank.saturating_sub(2)].iter().product();
    let height = if rank < 2 { 1 } else { shape[rank - 2] };
    super::convolution::planes(channels, [height, shape[rank - 1]])
}

fn keep_order(node: &OnnxNode<'_>, importer: &mut Importer, output: Vec<usize>) -> Lowered {
    let value = select(node, importer, output, |output| (0..output.iter().product()).collect())?;
    Ok(vec![value])
}
