//! Normalizations and softmax.

use super::compose::{Lowered, Reduction};
use super::constant::Constant;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;
use crate::function::Function;
use crate::graph::{Channels, Normalize, Op, Softmax, pointwise};
use crate::quantized::TensorId;

pub(super) const OPERATORS: &[Operator] = &[
    operator(
        "BatchNormalization",
        &[7, 9, 14, 15],
        &["epsilon", "momentum", "spatial", "training_mode"],
        batch_normalization,
    )
    .folded_by_running(),
    operator("GroupNormalization", &[21], &["epsilon", "num_groups", "stash_type"], group),
    operator("InstanceNormalization", &[6, 22], &["epsilon"], instance),
    operator("LayerNormalization", &[17], &["axis", "epsilon", "stash_type"], layer),
    operator("LogSoftmax", &[1, 11, 13], &["axis"], log_softmax),
    operator("LRN", &[1, 13], &["alpha", "beta", "bias", "size"], local_response),
    operator("MeanVarianceNormalization", &[9, 13], &["axes"], mean_variance),
    operator("RMSNormalization", &[23], &["axis", "epsilon", "stash_type"], root_mean_square),
    operator(
        "SimplifiedLayerNormalization",
        &[1],
        &["axis", "epsilon", "stash_type"],
        root_mean_square,
    ),
    operator("Softmax", &[1, 11, 13], &["axis"], softmax).folded_by_running(),
];

/// `BatchNormalization` in inference: a scale and a shift per channel.
fn batch_normalization(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    node.has_no_effect(&["momentum"]);
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
    Ok(vec![importer.emit(node, shape, Op::Affine(op))?])
}

/// The dimensions of one group: one axis since operator set 13, before that all from it on.
fn softmax_axes(node: &OnnxNode<'_>, rank: usize) -> Result<std::ops::Range<usize>, ImportError> {
    let one_axis = node.opset >= 13;
    let default = if one_axis { -1 } else { 1 };
    let given = node.int("axis")?;
    // Set 11 flattens a vector in the only way there is.
    let given = if given.is_none() && rank == 1 { 0 } else { given.unwrap_or(default) };
    let axis = node.axis(given, rank)?;
    Ok(axis..if one_axis { axis + 1 } else { rank })
}

pub(super) fn softmax(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let input = node.tensor(0)?;
    let axes = softmax_axes(node, importer.shape(input).len())?;
    Ok(vec![importer.softmax_of(node, input, axes)?])
}

impl Importer {
    /// The softmax of the elements of each group, which are those of neighbouring axes.
    pub(super) fn softmax_of(
        &mut self,
        node: &OnnxNode<'_>,
        input: TensorId,
        axes: std::ops::Range<usize>,
    ) -> Result<Value, ImportError> {
        let shape = self.shape(input).to_vec();
        self.reserve(node, &shape)?;
        let channels = Channels::of_axes(&shape, axes);
        self.budget.lists(&node.name, channels.before * channels.after, channels.count)?;
        let none = || node.wrong_shape("no dimension may be 0", &[&shape]);
        let groups = channels.groups().ok_or_else(none)?;
        self.emit(node, shape, Op::Softmax(Softmax { input, groups }))
    }
}

fn log_softmax(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let axes: Vec<usize> = softmax_axes(node, importer.shape_of(value).len())?.collect();
    let sum = importer.log_sum_exp(node, value, &axes)?;
    Ok(vec![importer.sub(node, value, &sum)?])
}

/// What a normalization does to each group of elements.
pub(super) struct Statistics {
    /// Over which axes.
    pub(super) axes: Vec<usize>,
    /// What is added to the variance.
    pub(super) epsilon: f64,
    /// Whether the mean is taken off.
    pub(super) is_centered: bool,
}

impl Statistics {
    /// The same with an epsilon from the file.
    fn checked(self, node: &OnnxNode<'_>) -> Result<Self, ImportError> {
        if self.epsilon.is_finite() && self.epsilon >= 0.0 {
            return Ok(self);
        }
        Err(node.wrong_attribute("epsilon", "a number that is not negative"))
    }

    /// The first operand over its deviation, with scale and shift as the operands after it.
    fn with_scale(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
    ) -> Result<Value, ImportError> {
        let value = node.operand(0)?;
        let shape = importer.shape_of(value);
        let normalized = self.normalize(node, importer, value)?;
        let scale = Some(node.operand(1)?);
        let shift = if self.is_centered { node.optional(2) } else { None };
        let result = scaled_and_shifted(node, importer, normalized, [scale, shift])?;
        if importer.shape_of(&result) == shape {
            return Ok(result);
        }
        Err(node.wrong_shape("scale and bias must broadcast to the input", &[&shape]))
    }

    /// `(x − mean) / √(variance + epsilon)`.
    pub(super) fn normalize(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        value: &Value,
    ) -> Result<Value, ImportError> {
        let shape = importer.shape_of(value);
        let kept = (0..shape.len()).filter(|axis| !self.axes.contains(axis));
        let order: Vec<usize> = kept.chain(self.axes.iter().copied()).collect();
        let Value::Tensor(tensor) = importer.transposed(node, value, &order)? else {
            let [centered, inverse] = self.apart(node, importer, value)?;
            return importer.product(node, &centered, &inverse);
        };
        let moved = importer.shape(tensor.id).to_vec();
        importer.reserve(node, &moved)?;
        let size = self.axes.iter().map(|&axis| shape[axis]).product();
        let op = Normalize {
            input: tensor.id,
            size,
            is_centered: self.is_centered,
            epsilon: self.epsilon,
            activation: Activation::Identity,
        };
        let normalized = importer.emit(node, moved, Op::Normalize(op))?;
        let mut back = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, &axis)| back[axis] = place);
        importer.transposed(node, &normalized, &back)
    }

    /// `x − mean` and `1 / √(variance + epsilon)`, in operations of their own.
    fn apart(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        value: &Value,
    ) -> Result<[Value; 2], ImportError> {
        let centered = match self.is_centered {
            true => {
                let mean = importer.reduced(node, value, &self.axes, Reduction::Mean)?;
                importer.sub(node, value, &mean)?
            }
            false => value.clone(),
        };
        let squares = importer.product(node, &centered, &centered)?;
        let variance = importer.reduced(node, &squares, &self.axes, Reduction::Mean)?;
        let inverse = Activation::Function(Function::InverseSqrt { epsilon: self.epsilon });
        Ok([centered, importer.apply(node, &variance, inverse)?])
    }
}

/// `value · scale + shift`, each where it is given.
pub(super) fn scaled_and_shifted(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: Value,
    [scale, shift]: [Option<&Value>; 2],
) -> Result<Value, ImportError> {
    let scaled = match scale {
        Some(scale) => importer.product(node, &value, scale)?,
        None => value,
    };
    match shift {
        Some(shift) => importer.add(node, &scaled, shift),
        None => Ok(scaled),
    }
}

/// `LayerNormalization`: over the axis and all after it.
fn layer(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    over_last_axes(node, importer, true)
}

/// `RMSNormalization`: the same without the mean.
fn root_mean_square(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    over_last_axes(node, importer, false)
}

fn over_last_axes(node: &OnnxNode<'_>, importer: &mut Importer, is_centered: bool) -> Lowered {
    // The precision of intermediate numbers; here they are real.
    node.has_no_effect(&["stash_type"]);
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let axis = node.axis(node.int("axis")?.unwrap_or(-1), shape.len())?;
    let epsilon = node.float("epsilon")?.unwrap_or(1e-5);
    let axes: Vec<usize> = (axis..shape.len()).collect();
    let statistics = Statistics { axes: axes.clone(), epsilon, is_centered }.checked(node)?;
    let mut results = vec![statistics.with_scale(node, importer)?];
    if is_centered && node.outputs().len() > 1 {
        let mean = importer.reduced(node, value, &axes, Reduction::Mean)?;
        let [_, inverse] = statistics.apart(node, importer, value)?;
        results.extend([mean, inverse]);
    }
    Ok(results)
}

/// The first operand over its deviation along the last axis, with scale and shift as the operands
/// after it.
pub(super) fn of_last_axis(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    epsilon: f64,
    is_centered: bool,
) -> Result<Value, ImportError> {
    let rank = importer.shape_of(node.operand(0)?).len();
    let axes = rank.checked_sub(1).into_iter().collect();
    Statistics { axes, epsilon, is_centered }.checked(node)?.with_scale(node, importer)
}

/// `InstanceNormalization`: over the spatial dimensions of each channel.
fn instance(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    if shape.len() < 3 {
        return Err(node.wrong_shape("batch, channels and spatial dimensions", &[&shape]));
    }
    let epsilon = node.float("epsilon")?.unwrap_or(1e-5);
    let axes = (2..shape.len()).collect();
    let statistics = Statistics { axes, epsilon, is_centered: true }.checked(node)?;
    let normalized = statistics.normalize(node, importer, value)?;
    let scale = per_channel(node, importer, 1, &shape)?;
    let shift = per_channel(node, importer, 2, &shape)?;
    Ok(vec![scaled_and_shifted(node, importer, normalized, [Some(&scale), Some(&shift)])?])
}

/// `GroupNormalization`: over groups of channels with their spatial dimensions.
fn group(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    node.has_no_effect(&["stash_type"]);
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let groups = node.int("num_groups")?.and_then(|groups| usize::try_from(groups).ok());
    let groups =
        groups.filter(|&groups| groups > 0 && shape.len() >= 3 && shape[1].is_multiple_of(groups));
    let groups =
        groups.ok_or_else(|| node.wrong_attribute("num_groups", "a divisor of the channels"))?;
    node.has_elements(&shape)?;
    let epsilon = node.float("epsilon")?.unwrap_or(1e-5);
    let count: usize = shape.iter().product();
    let apart =
        importer.reshaped(node, value, vec![shape[0], groups, count / shape[0] / groups])?;
    let statistics = Statistics { axes: vec![2], epsilon, is_centered: true }.checked(node)?;
    let normalized = statistics.normalize(node, importer, &apart)?;
    let normalized = importer.reshaped(node, &normalized, shape.clone())?;
    let scale = per_channel(node, importer, 1, &shape)?;
    let shift = per_channel(node, importer, 2, &shape)?;
    Ok(vec![scaled_and_shifted(node, importer, normalized, [Some(&scale), Some(&shift)])?])
}

/// One number for each channel, in the form in which it broadcasts to the input.
fn per_channel(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    index: usize,
    shape: &[usize],
) -> Result<Value, ImportError> {
    let value = node.operand(index)?;
    let given = importer.shape_of(value);
    if given != [shape[1]] {
        return Err(node.wrong_shape("one parameter per channel", &[shape, &given]));
    }
    let mut wide = vec![1; shape.len() - 1];
    wide[0] = shape[1];
    importer.reshaped(node, value, wide)
}

/// `MeanVarianceNormalization`: epsilon is 1e-9 and added to the deviation.
fn mean_variance(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let rank = importer.shape_of(value).len();
    let axes = node.ints("axes")?.unwrap_or(&[0, 2, 3]);
    let axes = super::reshaping::distinct_axes(node, axes, rank)?;
    let statistics = Statistics { axes, epsilon: 1e-18, is_centered: true };
    Ok(vec![statistics.normalize(node, importer, value)?])
}

/// `LRN`: each element over a power of the sum of squares of the channels around it.
fn local_response(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let size = node.int("size")?.and_then(|size| usize::try_from(size).ok());
    let size =
        size.filter(|&size| size > 0).ok_or_else(|| node.wrong_attribute("size", "given"))?;
    let alpha = node.float("alpha")?.unwrap_or(1e-4);
    let beta = node.float("beta")?.unwrap_or(0.75);
    let bias = node.float("bias")?.unwrap_or(1.0);
    if shape.len() < 2 {
        return Err(node.wrong_shape("batch and channels", &[&shape]));
    }
    let channels = shape[1];
    importer.budget.elements(&node.name, &[channels, channels])?;
    let (below, above) = ((size - 1) / 2, size / 2);
    let weight = |place: usize| {
        let (to, from) = (place / channels, place % channels);
        let near = from + below >= to && from <= to + above;
        if near { alpha / super::compose::count(size) } else { 0.0 }
    };
    let band = (0..channels * channels).map(weight).collect();
    let band = Constant::reals(vec![channels, channels], band);
    let squares = importer.product(node, value, value)?;
    let flat = vec![shape[0], channels, shape[2..].iter().product()];
    let flat = importer.reshaped(node, &squares, flat)?;
    let sums = importer.matrix_product(node, &band.into(), &flat)?;
    let sums = importer.scaled(node, &sums, 1.0, bias)?;
    let exponent = -beta;
    let scale = importer.apply(node, &sums, Activation::Function(Function::Pow { exponent }))?;
    let scale = importer.reshaped(node, &scale, shape)?;
    Ok(vec![importer.product(node, value, &scale)?])
}
