//! Convolutions in one and two dimensions.

use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::padding::{Spatial, output_shape, sizes};
use crate::activation::Activation;
use crate::error::ImportError;
use crate::graph::{Affine, Op, Term, Window};
use crate::quantized::ImageView;

/// Attributes of `Conv`.
pub(super) const ATTRIBUTES: &[&str] =
    &["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"];

/// `Conv` with constant weights and bias. A batch of several images becomes as many groups.
pub(super) fn conv(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<Vec<Value>, ImportError> {
    let input = node.tensor(0)?;
    let shape = importer.shape(input).to_vec();
    let (weight_shape, weights) = node.reals(1)?;
    let [out_channels, in_per_group, kernel @ ..] = weight_shape else {
        return Err(node.wrong_shape("weights must have 3 or 4 dimensions", &[weight_shape]));
    };
    if sizes(node, "kernel_shape")?.is_some_and(|given| given != kernel) {
        return Err(node.wrong_attribute("kernel_shape", "the shape of the weights"));
    }
    let spatial = Spatial::of(node, &shape, kernel)?;
    let groups = usize::try_from(node.int("group")?.unwrap_or(1)).unwrap_or(0);
    let fits = groups > 0
        && out_channels % groups == 0
        && in_per_group.checked_mul(groups) == Some(shape[1]);
    if !fits {
        return Err(
            node.wrong_shape("channels must fit weights and groups", &[&shape, weight_shape])
        );
    }
    let bias = match node.optional(2) {
        None => vec![0.0; *out_channels],
        Some(_) => node.reals(2)?.1.to_vec(),
    };
    if bias.len() != *out_channels {
        return Err(node.wrong_shape("one bias per output channel", &[weight_shape, &[bias.len()]]));
    }
    let batch = shape[0];
    let output = output_shape(&shape, *out_channels, &spatial);
    let count = importer.reserve(node, &output)?;
    importer.budget.elements(&node.name, &[batch, weights.len()])?;
    let patch: usize = weight_shape[1..].iter().product();
    importer.budget.multiplications(&node.name, &[count, patch])?;
    let term = Term {
        input,
        view: planes(batch * shape[1], spatial.input),
        window: window(&spatial, batch * groups),
        kernel: weights.repeat(batch),
    };
    let op = Affine {
        terms: vec![term],
        bias: bias.repeat(batch),
        output: planes(batch * out_channels, spatial.output),
        activation: Activation::Identity,
    };
    Ok(vec![importer.emit(node, output, Op::Affine(op))])
}

/// An image of contiguous channels.
pub(super) fn planes(channels: usize, [height, width]: [usize; 2]) -> ImageView {
    ImageView { channels, height, width, strides: [height * width, width, 1], offset: 0 }
}

/// The convolution window of these attributes.
pub(super) fn window(spatial: &Spatial, groups: usize) -> Window {
    Window {
        kernel_size: spatial.kernel,
        groups,
        stride: spatial.stride,
        dilation: spatial.dilation,
        padding: spatial.before,
    }
}
