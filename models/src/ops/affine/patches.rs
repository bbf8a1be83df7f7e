//! The one loop behind every linear layer, real or integer: gather patches, multiply matrices.

use ndarray::linalg::{general_mat_mul, general_mat_vec_mul};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, LinalgScalar, Slice, Zip};

use super::Window;
use crate::tensor::ImageView;

/// A kernel's way over an image, and the size of what it gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patches<'a> {
    /// How the input is read.
    pub(crate) view: &'a ImageView,
    /// How the kernel moves.
    pub(crate) window: Window,
    /// Output rows.
    pub(crate) rows: usize,
    /// Output columns.
    pub(crate) columns: usize,
}

impl Patches<'_> {
    /// Adds this term to `sums`, of shape `[out_channels, rows·columns]`.
    pub(crate) fn accumulate<T: LinalgScalar>(
        &self,
        kernel: ArrayView2<'_, T>,
        input: &[T],
        mut sums: ArrayViewMut2<'_, T>,
    ) {
        let groups = self.window.groups;
        let out_per_group = sums.nrows() / groups;
        let mut patches = Array2::zeros((kernel.ncols(), self.rows * self.columns));
        for group in 0..groups {
            self.gather(group, input, &mut patches);
            let range = Slice::from(group * out_per_group..(group + 1) * out_per_group);
            let weights = kernel.slice_axis(Axis(0), range);
            let mut target = sums.slice_axis_mut(Axis(0), range);
            if patches.ncols() == 1 {
                let one = T::one();
                let mut target = target.column_mut(0);
                general_mat_vec_mul(one, &weights, &patches.column(0), one, &mut target);
            } else if patches.nrows() == 1 && out_per_group == 1 {
                let weight = weights[[0, 0]];
                Zip::from(target.row_mut(0))
                    .and(patches.row(0))
                    .for_each(|sum, &x| *sum = *sum + weight * x);
            } else {
                general_mat_mul(T::one(), &weights, &patches, T::one(), &mut target);
            }
        }
    }

    /// One row per kernel element of the group, one column per output pixel.
    fn gather<T: LinalgScalar>(&self, group: usize, input: &[T], patches: &mut Array2<T>) {
        let [height, width] = self.window.kernel_size;
        let channels = self.view.channels / self.window.groups;
        for (element, mut row) in patches.outer_iter_mut().enumerate() {
            let (channel, u, v) =
                (element / (height * width), element / width % height, element % width);
            let channel = group * channels + channel;
            let mut pixel = 0;
            for p in 0..self.rows {
                let i = self.source(0, p, u, self.view.height);
                for q in 0..self.columns {
                    let j = self.source(1, q, v, self.view.width);
                    row[pixel] = match (i, j) {
                        (Some(i), Some(j)) => input[self.view.index(channel, i, j)],
                        _ => T::zero(),
                    };
                    pixel += 1;
                }
            }
        }
    }

    /// The input row or column under kernel element `tap` at output `position`; `None` in padding.
    fn source(&self, axis: usize, position: usize, tap: usize, size: usize) -> Option<usize> {
        let padded = position * self.window.stride[axis] + tap * self.window.dilation[axis];
        padded.checked_sub(self.window.padding[axis]).filter(|&source| source < size)
    }

    /// Whether any output pixel sees padding.
    pub(crate) fn touches_padding(&self) -> bool {
        let beyond = |axis: usize, outputs: usize, size: usize| {
            let last = (outputs - 1) * self.window.stride[axis]
                + (self.window.kernel_size[axis] - 1) * self.window.dilation[axis];
            last >= size + self.window.padding[axis] || self.window.padding[axis] > 0
        };
        beyond(0, self.rows, self.view.height) || beyond(1, self.columns, self.view.width)
    }
}

/// Writes `sums`, of shape `[channels, height·width]`, in the element order of the tensor that
/// `view` describes.
pub(super) fn scatter<T: Copy + Default>(sums: &Array2<T>, view: &ImageView, len: usize) -> Vec<T> {
    let mut flat = vec![T::default(); len];
    for (channel, row) in sums.outer_iter().enumerate() {
        for (pixel, &sum) in row.iter().enumerate() {
            flat[view.index(channel, pixel / view.width, pixel % view.width)] = sum;
        }
    }
    flat
}

/// Starts the sums of a layer: its bias, in every pixel.
pub(super) fn bias_sums<T: LinalgScalar>(bias: &[T], view: &ImageView) -> Array2<T> {
    Array2::from_shape_fn((view.channels, view.height * view.width), |(channel, _)| bias[channel])
}
