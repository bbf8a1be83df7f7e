//! A convolution on the position lattice.
//!
//! With stride `s`, input pixel `i = s·i' + b` belongs to sub-image `b` at lattice row `i'`, and
//! kernel row `u` of padding `pad` and dilation `d` reads sub-image `b ≡ u·d − pad (mod s)` at
//! lattice offset `a = (u·d − pad − b)/s`: output row `p` takes lattice row `p + a`. So every
//! convolution is a sum of stride-1 products, one per sub-image, and a tap of the kernel sees the
//! window of the sub-image that starts at its offset.

use zkinfer_models::quantized::{Affine, ConvTerm};

use crate::integers::int;

/// A kernel row or column and the lattice offset at which it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tap {
    pub(crate) index: usize,
    pub(crate) offset: i32,
}

/// Lattice indices from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: i32,
    pub(crate) last: i32,
}

impl Span {
    pub(crate) fn len(self) -> usize {
        usize::try_from(self.last - self.first + 1).unwrap_or(0)
    }

    pub(crate) fn contains(self, index: i32) -> bool {
        (self.first..=self.last).contains(&index)
    }

    /// The indices of `self` that are not in `other`.
    pub(crate) fn without(self, other: Self) -> Vec<i32> {
        (self.first..=self.last).filter(|&index| !other.contains(index)).collect()
    }
}

/// One dimension of a sub-image.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    phase: usize,
    stride: usize,
    pixels: usize,
    outputs: usize,
    /// The taps that read some pixel.
    pub(crate) taps: Vec<Tap>,
}

impl Axis {
    /// The pixel at lattice index `index`.
    pub(crate) fn pixel(&self, index: i32) -> usize {
        let index = usize::try_from(index).expect("a window is within its image");
        index * self.stride + self.phase
    }

    /// Positions of the outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The pixels that a tap sees, as lattice indices.
    pub(crate) fn window(&self, tap: Tap) -> Span {
        Span {
            first: tap.offset.max(0),
            last: (tap.offset + int(self.outputs)).min(int(self.pixels)) - 1,
        }
    }
}

/// The part of a term's input that one stride phase reads.
#[derive(Clone, Debug)]
pub(crate) struct SubImage {
    pub(crate) term: usize,
    pub(crate) vertical: Axis,
    pub(crate) horizontal: Axis,
}

/// The sub-images that contribute to some output.
pub(crate) fn sub_images(affine: &Affine) -> Vec<SubImage> {
    let out = [affine.output.height, affine.output.width];
    affine
        .terms
        .iter()
        .enumerate()
        .flat_map(|(term, conv)| {
            let horizontal = axes(conv, 1, out[1]);
            axes(conv, 0, out[0]).into_iter().flat_map(move |vertical| {
                let pair = move |horizontal: Axis| SubImage {
                    term,
                    vertical: vertical.clone(),
                    horizontal,
                };
                horizontal.clone().into_iter().map(pair).collect::<Vec<_>>()
            })
        })
        .collect()
}

fn axes(conv: &ConvTerm, dimension: usize, outputs: usize) -> Vec<Axis> {
    let size = [conv.view.height, conv.view.width][dimension];
    let stride = conv.stride[dimension];
    (0..stride).filter_map(|phase| axis(conv, dimension, phase, stride, size, outputs)).collect()
}

fn axis(
    conv: &ConvTerm,
    dimension: usize,
    phase: usize,
    stride: usize,
    size: usize,
    outputs: usize,
) -> Option<Axis> {
    let pixels = size.checked_sub(phase + 1)? / stride + 1;
    let reads = |index: usize| {
        let start = int(index * conv.dilation[dimension]) - int(conv.padding[dimension]);
        let offset = (start - int(phase)).div_euclid(int(stride));
        ((start - int(phase)).rem_euclid(int(stride)) == 0).then_some(Tap { index, offset })
    };
    let sees = |tap: &Tap| tap.offset < int(pixels) && tap.offset + int(outputs) > 0;
    let taps: Vec<_> = (0..conv.kernel_size[dimension]).filter_map(reads).filter(sees).collect();
    (!taps.is_empty()).then_some(Axis { phase, stride, pixels, outputs, taps })
}

#[cfg(test)]
mod tests {
    use zkinfer_models::quantized::{ImageView, Requant, TensorId};

    use super::*;

    fn layer(size: usize, kernel: usize, stride: usize, padding: usize, out: usize) -> Affine {
        let view = |side| ImageView {
            channels: 1,
            height: side,
            width: side,
            strides: [side * side, side, 1],
            offset: 0,
        };
        Affine {
            terms: vec![ConvTerm {
                input: TensorId(0),
                view: view(size),
                kernel: vec![1; kernel * kernel],
                kernel_size: [kernel; 2],
                groups: 1,
                stride: [stride; 2],
                dilation: [1; 2],
                padding: [padding; 2],
            }],
            bias: vec![0],
            shifts: Vec::new(),
            output: view(out),
            requant: Requant {
                scale: 1.0,
                zero: 0,
                shift: 0,
                lo: 0,
                hi: 1,
                acc_lo: 0,
                acc_hi: 0,
                table: None,
            },
        }
    }

    #[test]
    fn a_tap_of_a_padded_convolution_sees_a_shifted_window() {
        let images = sub_images(&layer(28, 5, 1, 2, 28));
        assert_eq!(images.len(), 1);
        let axis = &images[0].vertical;
        assert_eq!(axis.window(axis.taps[0]), Span { first: 0, last: 25 });
        assert_eq!(axis.window(axis.taps[4]), Span { first: 2, last: 27 });
    }

    #[test]
    fn stride_two_reads_every_tap_once() {
        let images = sub_images(&layer(7, 3, 2, 1, 4));
        let taps = |image: &SubImage| image.vertical.taps.len() * image.horizontal.taps.len();
        assert_eq!(images.iter().map(taps).sum::<usize>(), 9);
        let odd = &images[3].vertical;
        assert_eq!((odd.pixel(0), odd.pixel(2)), (1, 5));
    }
}
