//! Maximum and average over windows.

use super::convolution::{planes, window};
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::padding::{Spatial, output_shape, sizes};
use crate::activation::Activation;
use crate::error::ImportError;
use crate::graph::{Affine, Op, Term, Window};
use crate::quantized::{ImageView, MaxPool, TensorId};

/// Attributes of `MaxPool`.
pub(super) const MAX_ATTRIBUTES: &[&str] =
    &["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"];
/// Attributes of `AveragePool`.
pub(super) const AVERAGE_ATTRIBUTES: &[&str] =
    &["auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"];

/// `MaxPool`; padding is never the largest.
pub(super) fn max_pool(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<Vec<Value>, ImportError> {
    let (input, shape, spatial) = pool(node, importer)?;
    let output = output_shape(&shape, shape[1], &spatial);
    let count = importer.reserve(node, &output)?;
    importer.budget.elements(&node.name, &[count, spatial.kernel[0], spatial.kernel[1]])?;
    let [height, width] = spatial.input;
    let mut windows = Vec::with_capacity(count);
    for plane in 0..shape[0] * shape[1] {
        for p in 0..spatial.output[0] {
            let rows = spatial.taps(0, p);
            for q in 0..spatial.output[1] {
                let columns = spatial.taps(1, q);
                let row_start = |row: &usize| (plane * height + row) * width;
                let window: Vec<usize> = rows
                    .iter()
                    .flat_map(|row| columns.iter().map(move |column| row_start(row) + column))
                    .collect();
                if window.is_empty() {
                    return Err(node.unsupported("a window that lies wholly in the padding"));
                }
                windows.push(window);
            }
        }
    }
    Ok(vec![importer.emit(node, output, Op::MaxPool(MaxPool { input, windows }))])
}

/// `GlobalMaxPool`.
pub(super) fn global_max_pool(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<Vec<Value>, ImportError> {
    let input = node.tensor(0)?;
    let shape = importer.shape(input).to_vec();
    if shape.len() < 3 {
        return Err(node.wrong_shape("batch, channels and spatial dimensions", &[&shape]));
    }
    let size: usize = shape[2..].iter().product();
    let mut output = vec![1; shape.len()];
    output[..2].copy_from_slice(&shape[..2]);
    importer.reserve(node, &shape)?;
    let windows = (0..shape[0] * shape[1])
        .map(|plane| (plane * size..(plane + 1) * size).collect())
        .collect();
    Ok(vec![importer.emit(node, output, Op::MaxPool(MaxPool { input, windows }))])
}

/// `AveragePool`.
pub(super) fn average_pool(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<Vec<Value>, ImportError> {
    let (input, shape, spatial) = pool(node, importer)?;
    let include_pad = node.flag("count_include_pad", false)?;
    let output = output_shape(&shape, shape[1], &spatial);
    let count = importer.reserve(node, &output)?;
    let area = spatial.kernel[0] * spatial.kernel[1];
    importer.budget.multiplications(&node.name, &[count, area])?;
    let divisor = |p: usize, q: usize| {
        if include_pad {
            spatial.padded_taps(0, p) * spatial.padded_taps(1, q)
        } else {
            spatial.taps(0, p).len() * spatial.taps(1, q).len()
        }
    };
    let pixels = (0..spatial.output[0]).flat_map(|p| (0..spatial.output[1]).map(move |q| (p, q)));
    let divisors: Vec<usize> = pixels.map(|(p, q)| divisor(p, q)).collect();
    if divisors.contains(&0) {
        return Err(node.unsupported("a window that lies wholly in the padding"));
    }
    let planes_count = shape[0] * shape[1];
    let affine = if divisors.iter().all(|&divisor| divisor == divisors[0]) {
        importer.budget.elements(&node.name, &[planes_count, area])?;
        uniform_average(input, planes_count, &spatial, divisors[0])
    } else {
        let [pixels_in, pixels_out] = [spatial.input, spatial.output].map(|[h, w]| h * w);
        importer.budget.elements(&node.name, &[pixels_in, pixels_out])?;
        importer.budget.multiplications(&node.name, &[count, pixels_in])?;
        varying_average(input, planes_count, &spatial, &divisors)
    };
    Ok(vec![importer.emit(node, output, Op::Affine(affine))])
}

fn pool(
    node: &OnnxNode<'_>,
    importer: &Importer,
) -> Result<(TensorId, Vec<usize>, Spatial), ImportError> {
    let input = node.tensor(0)?;
    let shape = importer.shape(input).to_vec();
    let kernel = sizes(node, "kernel_shape")?
        .ok_or_else(|| node.wrong_attribute("kernel_shape", "given"))?;
    let spatial = Spatial::of(node, &shape, &kernel)?;
    Ok((input, shape, spatial))
}

/// The same divisor everywhere: a convolution of each plane by itself.
fn uniform_average(
    input: TensorId,
    planes_count: usize,
    spatial: &Spatial,
    divisor: usize,
) -> Affine {
    let area = spatial.kernel[0] * spatial.kernel[1];
    let term = Term {
        input,
        view: planes(planes_count, spatial.input),
        window: window(spatial, planes_count),
        kernel: vec![1.0 / real(divisor); planes_count * area],
    };
    Affine {
        terms: vec![term],
        bias: vec![0.0; planes_count],
        output: planes(planes_count, spatial.output),
        activation: Activation::Identity,
    }
}

/// Divisors that depend on the position: a matrix from input pixels to output pixels.
fn varying_average(
    input: TensorId,
    planes_count: usize,
    spatial: &Spatial,
    divisors: &[usize],
) -> Affine {
    let [pixels_in, pixels_out] = [spatial.input, spatial.output].map(|[h, w]| h * w);
    let mut kernel = vec![0.0; pixels_out * pixels_in];
    for p in 0..spatial.output[0] {
        for q in 0..spatial.output[1] {
            let pixel = p * spatial.output[1] + q;
            for row in spatial.taps(0, p) {
                for column in spatial.taps(1, q) {
                    let source = row * spatial.input[1] + column;
                    kernel[pixel * pixels_in + source] = 1.0 / real(divisors[pixel]);
                }
            }
        }
    }
    let columns = |pixels: usize| ImageView {
        channels: pixels,
        height: 1,
        width: planes_count,
        strides: [1, 0, pixels],
        offset: 0,
    };
    let term = Term { input, view: columns(pixels_in), window: Window::pixel(1), kernel };
    Affine {
        terms: vec![term],
        bias: vec![0.0; pixels_out],
        output: columns(pixels_out),
        activation: Activation::Identity,
    }
}

/// A count as a real number; counts of elements are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "limits keep element counts below 2^53")]
pub(super) fn real(count: usize) -> f64 {
    count as f64
}
