//! Batch normalization and softmax.

use super::importer::Importer;
use super::node::{OnnxNode, Value};
use crate::activation::Activation;
use crate::error::ImportError;
use crate::graph::{Channels, Op, Softmax, pointwise};

/// Attributes of `BatchNormalization`.
pub(super) const BATCH_ATTRIBUTES: &[&str] = &["epsilon", "momentum", "spatial", "training_mode"];

/// `BatchNormalization` in inference: a scale and a shift per channel.
pub(super) fn batch_normalization(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<Vec<Value>, ImportError> {
    let input = node.tensor(0)?;
    let shape = importer.shape(input).to_vec();
    if node.flag("training_mode", false)? {
        return Err(node.unsupported("training mode; export the model for inference"));
    }
    if !node.flag("spatial", true)? || shape.len() < 2 {
        return Err(node.unsupported("statistics must be per channel, in dimension 1"));
    }
    let channels = Channels::of_axes(&shape, 1..2);
    let mut parameters = Vec::new();
    for index in 1..5 {
        let (parameter_shape, data) = node.reals(index)?;
        if data.len() != channels.count {
            return Err(node.wrong_shape("one parameter per channel", &[&shape, parameter_shape]));
        }
        parameters.push(data);
    }
    let epsilon = node.float("epsilon")?.unwrap_or(1e-5);
    let scale: Vec<f64> = (0..channels.count)
        .map(|channel| parameters[0][channel] / (parameters[3][channel] + epsilon).sqrt())
        .collect();
    let shift: Vec<f64> = (0..channels.count)
        .map(|channel| parameters[1][channel] - parameters[2][channel] * scale[channel])
        .collect();
    if scale.iter().chain(&shift).any(|value| !value.is_finite()) {
        return Err(node.wrong_operand(4, "variances with epsilon above 0"));
    }
    importer.reserve(node, &shape)?;
    let op = pointwise(input, &channels, scale, shift, Activation::Identity);
    Ok(vec![importer.emit(node, shape, Op::Affine(op))])
}

/// `Softmax`: along one axis since operator set 13, before that over all dimensions from it on.
pub(super) fn softmax(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<Vec<Value>, ImportError> {
    let input = node.tensor(0)?;
    let shape = importer.shape(input).to_vec();
    let one_axis = node.opset >= 13;
    let default = if one_axis { -1 } else { 1 };
    let axis = node.axis(node.int("axis")?.unwrap_or(default), shape.len())?;
    let end = if one_axis { axis + 1 } else { shape.len() };
    let Channels { before, count, after } = Channels::of_axes(&shape, axis..end);
    importer.reserve(node, &shape)?;
    let groups = (0..before * after)
        .map(|group| {
            let start = group / after * count * after + group % after;
            (0..count).map(|position| start + position * after).collect()
        })
        .collect();
    Ok(vec![importer.emit(node, shape, Op::Softmax(Softmax { input, groups }))])
}
