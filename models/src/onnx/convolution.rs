//! Convolutions with constant weights.

use super::compose::Lowered;
use super::constant::Constant;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use super::spatial::{Spatial, output_shape, sizes};
use crate::activation::Activation;
use crate::graph::{Affine, Op, Term, Window};
use crate::quantized::{ImageView, TensorId};

pub(super) const OPERATORS: &[Operator] =
    &[operator("Conv", &[1, 11, 22], CONV_ATTRIBUTES, conv).folded_by_running()];

/// What says how the windows of a convolution lie.
pub(super) const CONV_ATTRIBUTES: &[&str] =
    &["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"];

/// `Conv`. A batch of several images becomes as many groups.
pub(super) fn conv(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let input = node.tensor(0)?;
    let shape = importer.shape(input).to_vec();
    let (weight_shape, weights) = weights(node)?;
    let [out_channels, in_per_group, kernel @ ..] = weight_shape else {
        return Err(node.wrong_shape("weights must have 3 to 5 dimensions", &[weight_shape]));
    };
    if sizes(node, "kernel_shape")?.is_some_and(|given| given != kernel) {
        return Err(node.wrong_attribute("kernel_shape", "the shape of the weights"));
    }
    let spatial = Spatial::of(node, &shape, kernel)?;
    let groups = groups(node)?;
    let fits = out_channels % groups == 0 && in_per_group.checked_mul(groups) == Some(shape[1]);
    if !fits {
        return Err(
            node.wrong_shape("channels must fit weights and groups", &[&shape, weight_shape])
        );
    }
    let layer = Layer {
        input,
        channels: [shape[1], *out_channels],
        groups,
        batch: shape[0],
        spatial,
        weights,
    };
    let output = output_shape(&shape, *out_channels, &layer.spatial);
    let count = importer.reserve(node, &output)?;
    importer.budget.elements(&node.name, &[layer.batch, weights.len()])?;
    let patch: usize = weight_shape[1..].iter().product();
    importer.budget.multiplications(&node.name, &[count, patch])?;
    let bias = bias(node, 2, *out_channels)?.unwrap_or_else(|| vec![0.0; *out_channels]);
    let affine =
        if kernel.len() == 3 { layer.volume(node, importer, &bias)? } else { layer.image(&bias) };
    Ok(vec![importer.emit(node, output, Op::Affine(affine))?])
}

/// The constant weights.
pub(super) fn weights<'a>(node: &'a OnnxNode<'_>) -> Result<(&'a [usize], &'a [f64]), ImportError> {
    node.reals(1)
}

/// The number of groups of channels.
pub(super) fn groups(node: &OnnxNode<'_>) -> Result<usize, ImportError> {
    match usize::try_from(node.int("group")?.unwrap_or(1)) {
        Ok(groups) if groups > 0 => Ok(groups),
        _ => Err(node.wrong_attribute("group", "1 or more")),
    }
}

/// The constant bias at `index`, where there is one.
pub(super) fn bias(
    node: &OnnxNode<'_>,
    index: usize,
    channels: usize,
) -> Result<Option<Vec<f64>>, ImportError> {
    if node.optional(index).is_none() {
        return Ok(None);
    }
    let (shape, bias) = node.reals(index)?;
    if bias.len() != channels {
        return Err(node.wrong_shape("one bias per output channel", &[shape, &[channels]]));
    }
    Ok(Some(bias.to_vec()))
}

/// A convolution with its weights `[out, in per group, kernel…]`.
struct Layer<'a> {
    input: TensorId,
    /// Input and output channels of one image.
    channels: [usize; 2],
    groups: usize,
    batch: usize,
    spatial: Spatial,
    weights: &'a [f64],
}

impl Layer<'_> {
    /// Over one or two dimensions.
    fn image(&self, bias: &[f64]) -> Affine {
        let [inputs, outputs] = self.channels.map(|channels| self.batch * channels);
        let term = Term {
            input: self.input,
            view: planes(inputs, Spatial::plane(&self.spatial.input, 1)),
            window: window(&self.spatial, self.batch * self.groups),
            kernel: self.weights.repeat(self.batch),
        };
        Affine {
            terms: vec![term],
            bias: bias.repeat(self.batch),
            output: planes(outputs, Spatial::plane(&self.spatial.output, 1)),
            activation: Activation::Identity,
        }
    }

    /// Over three dimensions: the slices along the first are channels, each output slice with
    /// those weights that its window has for it.
    fn volume(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        bias: &[f64],
    ) -> Result<Affine, ImportError> {
        let (depth_in, depth_out) = (self.spatial.input[0], self.spatial.output[0]);
        let [inputs, outputs] = self.channels;
        let per_group = [inputs / self.groups, outputs / self.groups];
        let [kernel_depth, area] =
            [self.spatial.kernel[0], self.spatial.kernel[1..].iter().product()];
        let banded = [self.batch * outputs * depth_out, per_group[0] * depth_in, area];
        importer.budget.elements(&node.name, &banded)?;
        let mut kernel = vec![0.0; banded.iter().product()];
        for output in 0..self.batch * outputs * depth_out {
            let (channel, slice) = (output / depth_out % outputs, output % depth_out);
            for input in 0..per_group[0] {
                for tap in 0..kernel_depth {
                    let Some(source) = self.spatial.source(0, slice, tap) else { continue };
                    let from = ((channel * per_group[0] + input) * kernel_depth + tap) * area;
                    let to = ((output * per_group[0] + input) * depth_in + source) * area;
                    kernel[to..to + area].copy_from_slice(&self.weights[from..from + area]);
                }
            }
        }
        let term = Term {
            input: self.input,
            view: planes(self.batch * inputs * depth_in, Spatial::plane(&self.spatial.input, 1)),
            window: window(&self.spatial, self.batch * self.groups),
            kernel,
        };
        let bias = bias.iter().flat_map(|&bias| vec![bias; depth_out]).collect::<Vec<_>>();
        let channels = self.batch * outputs * depth_out;
        Ok(Affine {
            terms: vec![term],
            bias: bias.repeat(self.batch),
            output: planes(channels, Spatial::plane(&self.spatial.output, 1)),
            activation: Activation::Identity,
        })
    }
}

/// An image of contiguous channels.
pub(super) fn planes(channels: usize, [height, width]: [usize; 2]) -> ImageView {
    ImageView { channels, height, width, strides: [height * width, width, 1], offset: 0 }
}

/// The convolution window of the last two dimensions.
pub(super) fn window(spatial: &Spatial, groups: usize) -> Window {
    Window {
        kernel_size: Spatial::plane(&spatial.kernel, 1),
        groups,
        stride: Spatial::plane(&spatial.stride, 1),
        dilation: Spatial::plane(&spatial.dilation, 1),
        padding: Spatial::plane(&spatial.before, 0),
    }
}

/// A linear map from the elements of each group to as many outputs as the matrix has rows; the
/// groups are the last `inputs` elements of the tensor, one after the other.
pub(super) fn mapped_groups(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    matrix: &Constant,
    output: Vec<usize>,
) -> Result<Value, ImportError> {
    let [outputs, inputs] = matrix.shape[..] else { return Ok(value.clone()) };
    let count: usize = importer.shape_of(value).iter().product();
    let flat = importer.reshaped(node, value, vec![count / inputs, inputs])?;
    importer.budget.elements(&node.name, &[outputs, inputs])?;
    let matrix = importer.transposed(node, &matrix.clone().into(), &[1, 0])?;
    let mapped = importer.matrix_product(node, &flat, &matrix)?;
    importer.reshaped(node, &mapped, output)
}
