//! `DeformConv`: a convolution whose places are moved by an input.
//!
//! A place between pixels takes each pixel with the product of two hats, `relu(1 − |distance|)` along
//! each axis: that is the bilinear mean of its neighbours, and nothing outside the image.

use super::compose::{Lowered, count};
use super::constant::Constant;
use super::convolution::groups;
use super::error::ImportError;
use super::importer::Importer;
use super::lookup::check_length;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use super::spatial::{Spatial, output_shape, sizes};
use crate::activation::Activation;

pub(super) const OPERATORS: &[Operator] = &[operator(
    "DeformConv",
    &[19, 22],
    &["dilations", "group", "kernel_shape", "offset_group", "pads", "strides"],
    deform_conv,
)];

/// What is convolved.
struct Layer {
    spatial: Spatial,
    shape: Vec<usize>,
    /// Channels of the output, and of the input for each of them.
    channels: [usize; 2],
    groups: usize,
    /// Groups of channels that are moved alike.
    moved: usize,
}

impl Layer {
    fn new(node: &OnnxNode<'_>, importer: &Importer) -> Result<Self, ImportError> {
        let shape = importer.shape_of(node.operand(0)?);
        let weights = importer.shape_of(node.operand(1)?);
        let &[outputs, inputs, ref kernel @ ..] = &weights[..] else {
            return Err(node.wrong_shape("weights must have 4 dimensions", &[&weights]));
        };
        if sizes(node, "kernel_shape")?.is_some_and(|given| given != kernel) {
            return Err(node.wrong_attribute("kernel_shape", "the shape of the weights"));
        }
        if kernel.len() != 2 {
            return Err(node.unsupported("other than two spatial dimensions"));
        }
        node.has_elements(&weights)?;
        node.has_elements(&shape)?;
        let spatial = Spatial::of(node, &shape, kernel)?;
        let moved = usize::try_from(node.int("offset_group")?.unwrap_or(1)).ok();
        let moved = moved.filter(|&moved| shape[1].is_multiple_of(moved) && moved > 0);
        let moved = moved
            .ok_or_else(|| node.wrong_attribute("offset_group", "a divisor of the channels"))?;
        let groups = groups(node)?;
        if outputs % groups != 0 || inputs.checked_mul(groups) != Some(shape[1]) {
            let expected = "channels must fit weights and groups";
            return Err(node.wrong_shape(expected, &[&shape, &weights]));
        }
        Ok(Self { spatial, shape, channels: [outputs, inputs], groups, moved })
    }

    fn taps(&self) -> usize {
        self.spatial.kernel.iter().product()
    }

    fn pixels(&self) -> usize {
        self.spatial.output.iter().product()
    }

    /// The places along an axis where nothing is moved: `[taps, pixels]`.
    fn places(&self, axis: usize) -> Constant {
        let Spatial { kernel, output, stride, dilation, before, .. } = &self.spatial;
        let of_axis = |index: usize, sizes: &[usize]| match axis {
            0 => index / sizes[1],
            _ => index % sizes[1],
        };
        let place = |tap: usize, pixel: usize| {
            let (tap, pixel) = (of_axis(tap, kernel), of_axis(pixel, output));
            count(pixel * stride[axis] + tap * dilation[axis]) - count(before[axis])
        };
        let taps = (0..self.taps()).flat_map(|tap| (0..self.pixels()).map(move |at| (tap, at)));
        let places = taps.map(|(tap, pixel)| place(tap, pixel)).collect();
        Constant::reals(vec![self.taps(), self.pixels()], places)
    }

    /// For each tap and pixel of each moved group, how much of every place along an axis it takes:
    /// `[batch · moved, taps · pixels, size]`.
    fn hats(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        axis: usize,
    ) -> Result<Value, ImportError> {
        let (images, taps, pixels) = (self.shape[0] * self.moved, self.taps(), self.pixels());
        let offset = node.operand(2)?;
        let offset = importer.reshaped(node, offset, vec![images, taps, 2, pixels])?;
        let picked = [
            (0..images).collect::<Vec<usize>>(),
            (0..taps).collect(),
            vec![axis],
            (0..pixels).collect(),
        ];
        let offset = importer.picked(node, &offset, &picked)?;
        let offset = importer.reshaped(node, &offset, vec![images, taps, pixels])?;
        let place = importer.add(node, &offset, &self.places(axis).into())?;
        let place = importer.reshaped(node, &place, vec![images, taps * pixels, 1])?;
        let size = self.spatial.input[axis];
        let grid = Constant::reals(vec![size], (0..size).map(count).collect()).into();
        let distance = importer.sub(node, &place, &grid)?;
        let distance = importer.apply(node, &distance, Activation::Abs)?;
        let below = importer.scaled(node, &distance, -1.0, 1.0)?;
        importer.apply(node, &below, Activation::Relu)
    }

    /// The image at all taps: `[batch, channels, taps · pixels]`.
    fn sampled(&self, node: &OnnxNode<'_>, importer: &mut Importer) -> Result<Value, ImportError> {
        let &[batch, channels, height, width] = &self.shape[..] else {
            return Err(node.wrong_shape("an image of 4 dimensions", &[&self.shape]));
        };
        check_length(node, height * width)?;
        let (images, all) = (batch * self.moved, self.taps() * self.pixels());
        importer.reserve(node, &[images, all, height * width])?;
        let rows = self.hats(node, importer, 0)?;
        let columns = self.hats(node, importer, 1)?;
        let rows = importer.reshaped(node, &rows, vec![images, all, height, 1])?;
        let columns = importer.reshaped(node, &columns, vec![images, all, 1, width])?;
        let shares = importer.product(node, &rows, &columns)?;
        let shares = importer.reshaped(node, &shares, vec![images, all, height * width])?;
        let image = node.operand(0)?;
        let alike = channels / self.moved;
        let image = importer.reshaped(node, image, vec![images, alike, height * width])?;
        let turned = importer.transposed(node, &shares, &[0, 2, 1])?;
        let mut taken = importer.matrix_product(node, &image, &turned)?;
        if let Some(mask) = node.optional(4) {
            let mask = importer.reshaped(node, mask, vec![images, 1, all])?;
            taken = importer.product(node, &taken, &mask)?;
        }
        importer.reshaped(node, &taken, vec![batch, channels, all])
    }
}

fn deform_conv(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let layer = Layer::new(node, importer)?;
    let (batch, taps, pixels) = (layer.shape[0], layer.taps(), layer.pixels());
    let fits = |index: usize, of_tap: usize| {
        let wanted = output_shape(&layer.shape, layer.moved * taps * of_tap, &layer.spatial);
        match node.optional(index) {
            Some(given) if importer.shape_of(given) != wanted => {
                let given = importer.shape_of(given);
                Err(node.wrong_shape("one for each tap and pixel", &[&given, &wanted]))
            }
            _ => Ok(()),
        }
    };
    node.operand(2)?;
    fits(2, 2)?;
    fits(4, 1)?;
    let sampled = layer.sampled(node, importer)?;
    let [outputs, inputs] = layer.channels;
    let patch = inputs * taps;
    importer.budget.multiplications(&node.name, &[batch * outputs * pixels, patch])?;
    let columns = vec![batch, layer.groups, patch, pixels];
    let columns = importer.reshaped(node, &sampled, columns)?;
    let matrix = vec![layer.groups, outputs / layer.groups, patch];
    let matrix = importer.reshaped(node, node.operand(1)?, matrix)?;
    let product = importer.matrix_product(node, &matrix, &columns)?;
    let shape = output_shape(&layer.shape, outputs, &layer.spatial);
    let result = importer.reshaped(node, &product, shape)?;
    match node.optional(3) {
        None => Ok(vec![result]),
        Some(bias) => {
            let bias = importer.reshaped(node, bias, vec![outputs, 1, 1])?;
            Ok(vec![importer.add(node, &result, &bias)?])
        }
    }
}
