//! `ConvTranspose` as a convolution: the outputs that are a stride apart are one channel each, and
//! are put in their places afterwards.

use super::compose::Lowered;
use super::convolution::{bias, groups, planes, weights};
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use super::spatial::{MAX, padding, per_dimension, sizes};
use crate::activation::Activation;
use crate::graph::{Affine, Op, Term, Window};

pub(super) const OPERATORS: &[Operator] = &[operator(
    "ConvTranspose",
    &[1, 11, 22],
    &[
        "auto_pad",
        "dilations",
        "group",
        "kernel_shape",
        "output_padding",
        "output_shape",
        "pads",
        "strides",
    ],
    conv_transpose,
)
.folded_by_running()];

/// One dimension: output `q` is the sum of inputs `i` times taps `u` with
/// `q = i·stride + u·dilation − pad`.
#[derive(Clone, Copy, Debug)]
struct Axis {
    input: usize,
    output: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    pad: usize,
}

impl Axis {
    /// A dimension that is not there.
    const NONE: Self = Self { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, pad: 0 };

    /// For outputs `phase + j·stride`: each tap with its input's distance from `j`.
    fn taps(&self, phase: usize) -> Vec<(usize, i64)> {
        let signed = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
        let stride = signed(self.stride);
        let distance = |tap: usize| signed(phase + self.pad) - signed(tap * self.dilation);
        let taps = (0..self.kernel).filter(|&tap| distance(tap) % stride == 0);
        taps.map(|tap| (tap, distance(tap) / stride)).collect()
    }

    /// The smallest and largest distance of all phases; 0 is among them.
    fn reach(&self) -> (i64, i64) {
        let distances = (0..self.stride).flat_map(|phase| self.taps(phase));
        distances.fold((0, 0), |(lo, hi), (_, distance)| (lo.min(distance), hi.max(distance)))
    }

    /// Outputs of a phase.
    fn steps(&self) -> usize {
        self.output.div_ceil(self.stride)
    }
}

fn conv_transpose(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let input = node.tensor(0)?;
    let shape = importer.shape(input).to_vec();
    let (weight_shape, weights) = weights(node)?;
    let groups = groups(node)?;
    let [in_channels, out_per_group, kernel @ ..] = weight_shape else {
        return Err(node.wrong_shape("weights must have 3 or 4 dimensions", &[weight_shape]));
    };
    let rank = kernel.len();
    let fits = (1..=2).contains(&rank)
        && shape.len() == rank + 2
        && shape[1] == *in_channels
        && in_channels % groups == 0;
    if !fits {
        return Err(node.wrong_shape(
            "one or two spatial dimensions, and channels that fit weights and groups",
            &[&shape, weight_shape],
        ));
    }
    node.has_elements(&shape)?;
    let mut axes = axes(node, &shape[2..], kernel)?;
    let outputs: Vec<usize> = axes.iter().map(|axis| axis.output).collect();
    if rank == 1 {
        axes.insert(0, Axis::NONE);
    }
    let outer = out_per_group.checked_mul(groups).unwrap_or(usize::MAX);
    let layer = Layer {
        axes: [axes[0], axes[1]],
        batch: shape[0],
        groups,
        out_per_group: *out_per_group,
        in_per_group: in_channels / groups,
    };
    let biases = bias(node, 2, outer)?.unwrap_or_else(|| vec![0.0; outer]);
    let output = [&[shape[0], outer], &outputs[..]].concat();
    importer.budget.elements(&node.name, &output)?;
    let phases = layer.emit(node, importer, input, weights, &biases)?;
    Ok(vec![layer.interleaved(node, importer, &phases, output)?])
}

/// The dimensions with their padding, as attributes or the output's shape give it.
fn axes(node: &OnnxNode<'_>, input: &[usize], kernel: &[usize]) -> Result<Vec<Axis>, ImportError> {
    let rank = kernel.len();
    if sizes(node, "kernel_shape")?.is_some_and(|given| given != kernel) {
        return Err(node.wrong_attribute("kernel_shape", "the shape of the weights"));
    }
    let strides = per_dimension(node, "strides", rank)?;
    let dilations = per_dimension(node, "dilations", rank)?;
    if kernel.iter().chain(&strides).chain(&dilations).any(|&n| n == 0 || n > MAX) {
        return Err(node.unsupported("kernel, strides and dilations must be 1 to 65536"));
    }
    let extra = match sizes(node, "output_padding")? {
        None => vec![0; rank],
        Some(extra) if extra.len() == rank => extra,
        Some(_) => return Err(node.wrong_attribute("output_padding", "one number per dimension")),
    };
    let full = |axis: usize| {
        (input[axis] - 1) * strides[axis] + extra[axis] + (kernel[axis] - 1) * dilations[axis] + 1
    };
    let lower = node.text("auto_pad")? == Some(b"SAME_LOWER");
    let shape = match sizes(node, "output_shape")? {
        // Some exporters write batch and channels too.
        Some(shape) if shape.len() >= rank => Some(shape[shape.len() - rank..].to_vec()),
        Some(_) => return Err(node.wrong_attribute("output_shape", "one number per dimension")),
        None => None,
    };
    let (before, outputs): (Vec<usize>, Vec<usize>) = if let Some(shape) = shape {
        node.has_no_effect(&["pads"]);
        let first = |axis: usize| {
            let total = full(axis).saturating_sub(shape[axis]);
            if lower { total - total / 2 } else { total / 2 }
        };
        ((0..rank).map(first).collect(), shape)
    } else {
        let same = |axis: usize| full(axis).saturating_sub(input[axis] * strides[axis]);
        let (before, after) = padding(node, rank, same)?;
        let outputs = (0..rank).map(|axis| full(axis).saturating_sub(before[axis] + after[axis]));
        let outputs = outputs.collect();
        (before, outputs)
    };
    let axis = |axis: usize| Axis {
        input: input[axis],
        output: outputs[axis],
        kernel: kernel[axis],
        stride: strides[axis],
        dilation: dilations[axis],
        pad: before[axis],
    };
    let axes: Vec<Axis> = (0..rank).map(axis).collect();
    if axes.iter().any(|axis| axis.output == 0) {
        return Err(node.wrong_shape("an output without elements", &[input, kernel]));
    }
    Ok(axes)
}

struct Layer {
    axes: [Axis; 2],
    batch: usize,
    groups: usize,
    out_per_group: usize,
    in_per_group: usize,
}

impl Layer {
    fn phases(&self) -> usize {
        self.axes[0].stride * self.axes[1].stride
    }

    /// The convolution with a channel for each output channel and phase:
    /// `[batch, outputs, phases, rows, columns]`.
    fn emit(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        input: crate::quantized::TensorId,
        weights: &[f64],
        bias: &[f64],
    ) -> Result<Value, ImportError> {
        let [rows, columns] = self.axes;
        let reach = self.axes.map(|axis| axis.reach());
        let kernel_size = reach.map(|(lo, hi)| usize::try_from(hi - lo + 1).unwrap_or(usize::MAX));
        let channels = self.batch * self.groups * self.out_per_group * self.phases();
        let shape = vec![
            self.batch,
            self.groups * self.out_per_group,
            self.phases(),
            rows.steps(),
            columns.steps(),
        ];
        let count = importer.reserve(node, &shape)?;
        let patch = [self.in_per_group, kernel_size[0], kernel_size[1]];
        importer.budget.elements(&node.name, &[&[channels], &patch[..]].concat())?;
        importer.budget.multiplications(&node.name, &[&[count], &patch[..]].concat())?;
        let per_image: usize = channels / self.batch;
        let mut kernel = Vec::with_capacity(per_image * patch.iter().product::<usize>());
        for channel in 0..per_image {
            kernel.extend(self.kernel_of(channel, weights, reach, kernel_size));
        }
        let padding = reach.map(|(lo, _)| usize::try_from(-lo).unwrap_or(0));
        let window = Window {
            kernel_size,
            groups: self.batch * self.groups,
            stride: [1, 1],
            dilation: [1, 1],
            padding,
        };
        let inputs = self.batch * self.groups * self.in_per_group;
        let view = planes(inputs, [rows.input, columns.input]);
        let term = Term { input, view, window, kernel: kernel.repeat(self.batch) };
        let bias: Vec<f64> = bias.iter().flat_map(|&b| vec![b; self.phases()]).collect();
        let op = Op::Affine(Affine {
            terms: vec![term],
            bias: bias.repeat(self.batch),
            output: planes(channels, [rows.steps(), columns.steps()]),
            activation: Activation::Identity,
        });
        importer.emit(node, shape, op)
    }

    /// The kernel of one output channel in one phase.
    fn kernel_of(
        &self,
        channel: usize,
        weights: &[f64],
        reach: [(i64, i64); 2],
        [height, width]: [usize; 2],
    ) -> Vec<f64> {
        let [rows, columns] = self.axes;
        let (output, phase) = (channel / self.phases(), channel % self.phases());
        let (group, output) = (output / self.out_per_group, output % self.out_per_group);
        let mut kernel = vec![0.0; self.in_per_group * height * width];
        for input in 0..self.in_per_group {
            let source = (group * self.in_per_group + input) * self.out_per_group + output;
            for (u, i) in rows.taps(phase / columns.stride) {
                for (v, j) in columns.taps(phase % columns.stride) {
                    let row = usize::try_from(i - reach[0].0).unwrap_or(0);
                    let column = usize::try_from(j - reach[1].0).unwrap_or(0);
                    let place = (input * height + row) * width + column;
                    kernel[place] += weights[(source * rows.kernel + u) * columns.kernel + v];
                }
            }
        }
        kernel
    }

    /// The outputs of all phases in their places.
    fn interleaved(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        phases: &Value,
        output: Vec<usize>,
    ) -> Result<Value, ImportError> {
        let [rows, columns] = self.axes;
        let [steps_down, steps_across] = [rows.steps(), columns.steps()];
        importer.select(node, phases, output, |output| {
            let channels = output[0] * output[1];
            let mut index = Vec::with_capacity(channels * rows.output * columns.output);
            for channel in 0..channels {
                for p in 0..rows.output {
                    for q in 0..columns.output {
                        let phase = p % rows.stride * columns.stride + q % columns.stride;
                        let place =
                            (channel * self.phases() + phase) * steps_down + p / rows.stride;
                        index.push(place * steps_across + q / columns.stride);
                    }
                }
            }
            index.into()
        })
    }
}
