//! Strides, dilations and padding of convolutions and pools.

use super::error::ImportError;
use super::node::OnnxNode;
use crate::view::{Groups, View, row_major_strides};

/// How a window moves over the dimensions after batch and channels.
#[derive(Clone, Debug)]
pub(super) struct Spatial {
    pub(super) input: Vec<usize>,
    pub(super) output: Vec<usize>,
    pub(super) kernel: Vec<usize>,
    pub(super) stride: Vec<usize>,
    pub(super) dilation: Vec<usize>,
    /// Padding before the first element of each dimension.
    pub(super) before: Vec<usize>,
    /// Padding after the last element.
    pub(super) after: Vec<usize>,
}

/// Largest stride, dilation, padding or kernel dimension that is taken seriously.
pub(super) const MAX: usize = 1 << 16;
/// Most spatial dimensions.
const DIMENSIONS: usize = 3;

impl Spatial {
    /// Reads the attributes of a node whose input is `[batch, channels, …]`.
    pub(super) fn of(
        node: &OnnxNode<'_>,
        shape: &[usize],
        kernel: &[usize],
    ) -> Result<Self, ImportError> {
        let rank = kernel.len();
        if !(1..=DIMENSIONS).contains(&rank) || shape.len() != rank + 2 {
            return Err(
                node.wrong_shape("one to three spatial dimensions are supported", &[shape, kernel])
            );
        }
        let (kernel, input) = (kernel.to_vec(), shape[2..].to_vec());
        let stride = per_dimension(node, "strides", rank)?;
        let dilation = per_dimension(node, "dilations", rank)?;
        if kernel.iter().chain(&stride).chain(&dilation).any(|&n| n == 0 || n > MAX) {
            return Err(node.unsupported("kernel, strides and dilations must be 1 to 65536"));
        }
        if input.iter().any(|&size| size > 1 << 26) {
            return Err(node.wrong_shape("dimensions up to 2^26", &[shape]));
        }
        let extent: Vec<usize> =
            (0..rank).map(|axis| dilation[axis] * (kernel[axis] - 1) + 1).collect();
        let same = |axis: usize| {
            let output = input[axis].div_ceil(stride[axis]);
            (output.saturating_sub(1) * stride[axis] + extent[axis]).saturating_sub(input[axis])
        };
        let (before, after) = padding(node, rank, same)?;
        let ceil = node.flag("ceil_mode", false)?;
        let mut output = Vec::new();
        for axis in 0..rank {
            let padded = input[axis] + before[axis] + after[axis];
            let Some(room) = padded.checked_sub(extent[axis]) else {
                return Err(node.wrong_shape("the kernel must fit the padded input", &[shape]));
            };
            let steps = if ceil { room.div_ceil(stride[axis]) } else { room / stride[axis] };
            // A window that would start in the padding after the input is left out.
            let outside = ceil && steps * stride[axis] >= input[axis] + before[axis];
            output.push(steps + 1 - usize::from(outside && steps > 0));
        }
        Ok(Self { input, output, kernel, stride, dilation, before, after })
    }

    /// The input positions along `axis` under the window at `position`, padding left out.
    pub(super) fn taps(&self, axis: usize, position: usize) -> Vec<usize> {
        (0..self.kernel[axis]).filter_map(|tap| self.source(axis, position, tap)).collect()
    }

    /// The input position along `axis` under element `tap` of the kernel.
    pub(super) fn source(&self, axis: usize, position: usize, tap: usize) -> Option<usize> {
        let place = position * self.stride[axis] + tap * self.dilation[axis];
        place.checked_sub(self.before[axis]).filter(|&source| source < self.input[axis])
    }

    /// How many positions of the window along `axis` lie in the padded input.
    pub(super) fn padded_taps(&self, axis: usize, position: usize) -> usize {
        let end = self.input[axis] + self.before[axis] + self.after[axis];
        let start = position * self.stride[axis];
        (0..self.kernel[axis]).filter(|tap| start + tap * self.dilation[axis] < end).count()
    }

    /// The last two of some sizes, one for each dimension, as height and width.
    pub(super) fn plane(sizes: &[usize], missing: usize) -> [usize; 2] {
        match *sizes {
            [.., height, width] => [height, width],
            [width] => [missing, width],
            [] => [missing; 2],
        }
    }

    /// The input positions under the window at each output position, in C order.
    pub(super) fn windows(&self) -> Vec<Vec<usize>> {
        let mut windows = vec![vec![0]];
        for axis in 0..self.kernel.len() {
            let taps: Vec<Vec<usize>> =
                (0..self.output[axis]).map(|position| self.taps(axis, position)).collect();
            let size = self.input[axis];
            let extended = windows.iter().flat_map(|window| {
                taps.iter().map(move |taps| {
                    let starts = window.iter().map(|&start| start * size);
                    starts.flat_map(|start| taps.iter().map(move |tap| start + tap)).collect()
                })
            });
            windows = extended.collect();
        }
        windows
    }
}

/// Windows as groups of elements.
impl Spatial {
    /// The windows of so many planes, padding left out; `None` where one lies wholly in it.
    pub(super) fn windows_of_planes(&self, planes: usize) -> Option<Groups> {
        let pixels: usize = self.input.iter().product();
        if self.is_inside() {
            let steps = row_major_strides(&self.input);
            let moved = |by: &[usize]| by.iter().zip(&steps).map(|(by, step)| by * step).collect();
            let sizes = [&[planes], &self.output[..], &self.kernel].concat();
            let strides: [Vec<usize>; 3] =
                [vec![pixels], moved(&self.stride), moved(&self.dilation)];
            let taps = self.kernel.iter().product();
            return Groups::equal(View::strided(&sizes, &strides.concat(), 0), taps);
        }
        let of_plane = self.windows();
        let windows = (0..planes * of_plane.len()).map(|window| {
            let (plane, window) = (window / of_plane.len(), &of_plane[window % of_plane.len()]);
            window.iter().map(|pixel| plane * pixels + pixel).collect()
        });
        Groups::try_from(windows.collect::<Vec<Vec<usize>>>()).ok()
    }

    /// Whether no window reaches into the padding.
    fn is_inside(&self) -> bool {
        (0..self.kernel.len()).all(|axis| {
            let last = (self.output[axis] - 1) * self.stride[axis]
                + (self.kernel[axis] - 1) * self.dilation[axis];
            self.before[axis] == 0 && last < self.input[axis]
        })
    }
}

/// The shape `[batch, channels, spatial…]` of the output.
pub(super) fn output_shape(shape: &[usize], channels: usize, spatial: &Spatial) -> Vec<usize> {
    [&[shape[0], channels], &spatial.output[..]].concat()
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

/// One number for each dimension, 1 where the node gives none.
pub(super) fn per_dimension(
    node: &OnnxNode<'_>,
    name: &'static str,
    rank: usize,
) -> Result<Vec<usize>, ImportError> {
    match sizes(node, name)? {
        None => Ok(vec![1; rank]),
        Some(values) if values.len() == rank => Ok(values),
        Some(_) => Err(node.wrong_attribute(name, "one number per spatial dimension")),
    }
}

/// The padding before and after each dimension; `same` is that of `SAME` in all.
pub(super) fn padding(
    node: &OnnxNode<'_>,
    rank: usize,
    same: impl Fn(usize) -> usize,
) -> Result<(Vec<usize>, Vec<usize>), ImportError> {
    let explicit = sizes(node, "pads")?;
    let none = || (vec![0; rank], vec![0; rank]);
    let halves = || (0..rank).map(|axis| same(axis) / 2).collect();
    let rest = || (0..rank).map(|axis| same(axis) - same(axis) / 2).collect();
    match (node.text("auto_pad")?, explicit) {
        (None | Some(b"NOTSET"), None) | (Some(b"VALID"), None) => Ok(none()),
        (None | Some(b"NOTSET"), Some(pads)) if pads.len() == 2 * rank => {
            Ok((pads[..rank].to_vec(), pads[rank..].to_vec()))
        }
        (None | Some(b"NOTSET"), Some(_)) => {
            Err(node.wrong_attribute("pads", "two numbers per spatial dimension"))
        }
        (Some(_), Some(pads)) if pads.iter().any(|&pad| pad != 0) => {
            Err(node.wrong_attribute("auto_pad", "left out where pads are given"))
        }
        (Some(b"SAME_UPPER"), _) => Ok((halves(), rest())),
        (Some(b"SAME_LOWER"), _) => Ok((rest(), halves())),
        (Some(b"VALID"), Some(_)) => Ok(none()),
        (Some(_), _) => {
            Err(node.wrong_attribute("auto_pad", "NOTSET, VALID, SAME_UPPER or SAME_LOWER"))
        }
    }
}
