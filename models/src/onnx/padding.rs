//! Strides, dilations and padding of convolutions and pools, in one or two dimensions.

use super::node::OnnxNode;
use crate::error::ImportError;

/// How a window moves over the last one or two dimensions; a single one is the width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spatial {
    pub(super) input: [usize; 2],
    pub(super) output: [usize; 2],
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) dilation: [usize; 2],
    /// Top and left.
    pub(super) before: [usize; 2],
    /// Bottom and right.
    pub(super) after: [usize; 2],
}

/// Largest stride, dilation, padding or kernel dimension that is taken seriously.
const MAX: usize = 1 << 16;

impl Spatial {
    /// Reads the attributes of a node whose input is `[batch, channels, …]`.
    pub(super) fn of(
        node: &OnnxNode<'_>,
        shape: &[usize],
        kernel: &[usize],
    ) -> Result<Self, ImportError> {
        let rank = kernel.len();
        if !(1..=2).contains(&rank) || shape.len() != rank + 2 {
            return Err(
                node.wrong_shape("one or two spatial dimensions are supported", &[shape, kernel])
            );
        }
        let stride = pair(node, "strides", rank)?;
        let dilation = pair(node, "dilations", rank)?;
        let kernel = widen(kernel, 1);
        let input = widen(&shape[2..], 1);
        if kernel.iter().chain(&stride).chain(&dilation).any(|&n| n == 0 || n > MAX) {
            return Err(node.unsupported("kernel, strides and dilations must be 1 to 65536"));
        }
        let extent = [0, 1].map(|axis| dilation[axis] * (kernel[axis] - 1) + 1);
        let (before, after) = padding(node, rank, input, stride, extent)?;
        let ceil = node.attribute("ceil_mode").is_some() && node.flag("ceil_mode", false)?;
        let mut output = [0; 2];
        for axis in 0..2 {
            let padded = input[axis] + before[axis] + after[axis];
            let Some(room) = padded.checked_sub(extent[axis]) else {
                return Err(node.wrong_shape("the kernel must fit the padded input", &[shape]));
            };
            output[axis] = if ceil { room.div_ceil(stride[axis]) } else { room / stride[axis] } + 1;
            // A window that would start in the padding after the input is left out.
            if ceil && (output[axis] - 1) * stride[axis] >= input[axis] + before[axis] {
                output[axis] -= 1;
            }
        }
        Ok(Self { input, output, kernel, stride, dilation, before, after })
    }

    /// The input positions along `axis` under the window at `position`, padding left out.
    pub(super) fn taps(&self, axis: usize, position: usize) -> Vec<usize> {
        let start = position * self.stride[axis];
        (0..self.kernel[axis])
            .filter_map(|tap| (start + tap * self.dilation[axis]).checked_sub(self.before[axis]))
            .filter(|&source| source < self.input[axis])
            .collect()
    }

    /// How many positions of the window along `axis` lie in the padded input.
    pub(super) fn padded_taps(&self, axis: usize, position: usize) -> usize {
        let end = self.input[axis] + self.before[axis] + self.after[axis];
        let start = position * self.stride[axis];
        (0..self.kernel[axis]).filter(|tap| start + tap * self.dilation[axis] < end).count()
    }
}

/// The shape `[batch, channels, spatial…]` of the output.
pub(super) fn output_shape(shape: &[usize], channels: usize, spatial: &Spatial) -> Vec<usize> {
    let mut output = vec![shape[0], channels];
    output.extend(&spatial.output[4 - shape.len()..]);
    output
}

/// A list of spatial sizes, checked to be small and not negative.
pub(super) fn sizes(
    node: &OnnxNode<'_>,
    name: &'static str,
) -> Result<Option<Vec<usize>>, ImportError> {
    let Some(values) = node.ints(name)? else { return Ok(None) };
    let sizes = values.iter().map(|&value| usize::try_from(value).ok().filter(|&n| n <= MAX));
    let sizes: Option<Vec<usize>> = sizes.collect();
    sizes.map(Some).ok_or_else(|| node.wrong_attribute(name, "a list of numbers 0 to 65536"))
}

fn pair(node: &OnnxNode<'_>, name: &'static str, rank: usize) -> Result<[usize; 2], ImportError> {
    match sizes(node, name)? {
        None => Ok([1, 1]),
        Some(values) if values.len() == rank => Ok(widen(&values, 1)),
        Some(_) => Err(node.wrong_attribute(name, "one number per spatial dimension")),
    }
}

/// One or two sizes as two.
fn widen(sizes: &[usize], missing: usize) -> [usize; 2] {
    match *sizes {
        [height, width] => [height, width],
        [width] => [missing, width],
        _ => [missing; 2],
    }
}

fn padding(
    node: &OnnxNode<'_>,
    rank: usize,
    input: [usize; 2],
    stride: [usize; 2],
    extent: [usize; 2],
) -> Result<([usize; 2], [usize; 2]), ImportError> {
    let explicit = sizes(node, "pads")?;
    let total = [0, 1].map(|axis| {
        let output = input[axis].div_ceil(stride[axis]);
        ((output - 1) * stride[axis] + extent[axis]).saturating_sub(input[axis])
    });
    let halves = total.map(|total| total / 2);
    let rest = [total[0] - halves[0], total[1] - halves[1]];
    match (node.text("auto_pad")?, explicit) {
        (None | Some(b"NOTSET"), None) | (Some(b"VALID"), None) => Ok(([0; 2], [0; 2])),
        (None | Some(b"NOTSET"), Some(pads)) if pads.len() == 2 * rank => {
            Ok((widen(&pads[..rank], 0), widen(&pads[rank..], 0)))
        }
        (Some(b"SAME_UPPER"), None) => Ok((halves, rest)),
        (Some(b"SAME_LOWER"), None) => Ok((rest, halves)),
        (None | Some(b"NOTSET"), Some(_)) => {
            Err(node.wrong_attribute("pads", "two numbers per spatial dimension"))
        }
        (Some(_), Some(pads)) if pads.iter().any(|&pad| pad != 0) => {
            Err(node.wrong_attribute("auto_pad", "left out where pads are given"))
        }
        (Some(b"SAME_UPPER"), Some(_)) => Ok((halves, rest)),
        (Some(b"SAME_LOWER"), Some(_)) => Ok((rest, halves)),
        (Some(b"VALID"), Some(_)) => Ok(([0; 2], [0; 2])),
        (Some(_), _) => {
            Err(node.wrong_attribute("auto_pad", "NOTSET, VALID, SAME_UPPER or SAME_LOWER"))
        }
    }
}
