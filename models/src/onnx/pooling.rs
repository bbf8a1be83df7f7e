//! Maximum, average and norm over windows.

use super::compose::{Lowered, count};
use super::constant::Constant;
use super::convolution::{mapped_groups, planes, window};
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Tensor, Value};
use super::operators::{Operator, operator};
use super::spatial::{Spatial, output_shape, sizes};
use crate::activation::Activation;
use crate::function::Function;
use crate::graph::{Affine, Op, Term};
use crate::quantized::MaxPool;

pub(super) const OPERATORS: &[Operator] = &[
    operator(
        "AveragePool",
        &[7, 10, 11, 19, 22],
        &[
            "auto_pad",
            "ceil_mode",
            "count_include_pad",
            "dilations",
            "kernel_shape",
            "pads",
            "strides",
        ],
        average_pool,
    )
    .folded_by_running(),
    operator(
        "LpPool",
        &[2, 11, 18, 22],
        &["auto_pad", "ceil_mode", "dilations", "kernel_shape", "p", "pads", "strides"],
        lp_pool,
    )
    .folded_by_running(),
    operator(
        "MaxPool",
        &[1, 8, 10, 11, 12, 22],
        &["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"],
        max_pool,
    )
    .moving_codes()
    .folded_by_running(),
];

/// `MaxPool`; padding is never the largest.
fn max_pool(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    // The order of the positions, which nothing reads.
    node.has_no_effect(&["storage_order"]);
    let (tensor, shape, spatial) = pool(node, importer)?;
    let output = output_shape(&shape, shape[1], &spatial);
    let outputs = importer.reserve(node, &output)?;
    let taps: usize = spatial.kernel.iter().product();
    importer.budget.lists(&node.name, outputs, taps)?;
    let windows = spatial.windows_of_planes(shape[0] * shape[1]);
    let windows =
        windows.ok_or_else(|| node.unsupported("a window that lies wholly in the padding"))?;
    let op = Op::MaxPool(MaxPool { input: tensor.id, windows });
    Ok(vec![importer.emit(node, output, op)?.with_element(tensor.element)])
}

fn average_pool(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let (tensor, shape, spatial) = pool(node, importer)?;
    let divisors = divisors(node, &spatial)?;
    let weights: Vec<f64> = divisors.iter().map(|&divisor| 1.0 / count(divisor)).collect();
    Ok(vec![weighted_windows(node, importer, tensor, &shape, &spatial, &weights)?])
}

/// The sums of the windows of `AveragePool`, and the one number that they are divided by.
pub(super) fn window_sums(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<(Value, usize), ImportError> {
    let (tensor, shape, spatial) = pool(node, importer)?;
    let divisors = divisors(node, &spatial)?;
    if divisors.iter().any(|divisor| *divisor != divisors[0]) {
        return Err(node.unsupported("codes in windows of several sizes; count the padding"));
    }
    let weights = vec![1.0; divisors.len()];
    let sums = weighted_windows(node, importer, tensor, &shape, &spatial, &weights)?;
    Ok((sums, divisors[0]))
}

/// What the sum of each window is divided by.
fn divisors(node: &OnnxNode<'_>, spatial: &Spatial) -> Result<Vec<usize>, ImportError> {
    let include_pad = node.flag("count_include_pad", false)?;
    let divisor = |axis: usize, position: usize| {
        if include_pad {
            spatial.padded_taps(axis, position)
        } else {
            spatial.taps(axis, position).len()
        }
    };
    let divisors = (0..spatial.kernel.len()).fold(vec![1], |divisors: Vec<usize>, axis| {
        let along: Vec<usize> =
            (0..spatial.output[axis]).map(|position| divisor(axis, position)).collect();
        divisors.iter().flat_map(|&n| along.iter().map(move |&m| n * m)).collect()
    });
    if divisors.contains(&0) {
        return Err(node.unsupported("a window that lies wholly in the padding"));
    }
    Ok(divisors)
}

/// `LpPool`: the root of the sum of powers.
fn lp_pool(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let (tensor, shape, spatial) = pool(node, importer)?;
    let norm = norm(node)?;
    let powers = importer.powers(node, &Value::Tensor(tensor), norm)?;
    let Value::Tensor(powers) = powers else { return Ok(vec![powers]) };
    let weights = vec![1.0; spatial.output.iter().product()];
    let sums = weighted_windows(node, importer, powers, &shape, &spatial, &weights)?;
    Ok(vec![importer.root(node, &sums, norm)?])
}

/// Which norm a node takes; 2 where it does not say.
pub(super) fn norm(node: &OnnxNode<'_>) -> Result<f64, ImportError> {
    match node.int("p")?.unwrap_or(2) {
        norm @ 1..=64 => Ok(super::constant::real(norm)),
        _ => Err(node.wrong_attribute("p", "1 to 64")),
    }
}

impl Importer {
    /// `|x|^norm`.
    pub(super) fn powers(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        norm: f64,
    ) -> Result<Value, ImportError> {
        match norm {
            2.0 => self.product(node, value, value),
            1.0 => self.apply(node, value, Activation::Abs),
            exponent => {
                let magnitudes = self.apply(node, value, Activation::Abs)?;
                self.apply(node, &magnitudes, Activation::Function(Function::Pow { exponent }))
            }
        }
    }

    /// `x^(1/norm)`.
    pub(super) fn root(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        norm: f64,
    ) -> Result<Value, ImportError> {
        match norm {
            1.0 => Ok(value.clone()),
            2.0 => self.apply(node, value, Activation::Function(Function::Sqrt)),
            norm => {
                let exponent = 1.0 / norm;
                self.apply(node, value, Activation::Function(Function::Pow { exponent }))
            }
        }
    }
}

fn pool(
    node: &OnnxNode<'_>,
    importer: &Importer,
) -> Result<(Tensor, Vec<usize>, Spatial), ImportError> {
    let (Value::Tensor(tensor), kernel) = (node.operand(0)?.clone(), sizes(node, "kernel_shape")?)
    else {
        return Err(node.wrong_operand(0, "computed from the input"));
    };
    let shape = importer.shape(tensor.id).to_vec();
    let kernel = kernel.ok_or_else(|| node.wrong_attribute("kernel_shape", "given"))?;
    let spatial = Spatial::of(node, &shape, &kernel)?;
    Ok((tensor, shape, spatial))
}

/// The sum over each window, times a weight for each output pixel.
fn weighted_windows(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    tensor: Tensor,
    shape: &[usize],
    spatial: &Spatial,
    weights: &[f64],
) -> Result<Value, ImportError> {
    let output = output_shape(shape, shape[1], spatial);
    let outputs = importer.reserve(node, &output)?;
    let area: usize = spatial.kernel.iter().product();
    importer.budget.multiplications(&node.name, &[outputs, area])?;
    let planes_count = shape[0] * shape[1];
    let uniform = weights.iter().all(|weight| weight.to_bits() == weights[0].to_bits());
    if uniform && spatial.kernel.len() < 3 {
        importer.budget.elements(&node.name, &[planes_count, area])?;
        let term = Term {
            input: tensor.id,
            view: planes(planes_count, Spatial::plane(&spatial.input, 1)),
            window: window(spatial, planes_count),
            kernel: vec![weights[0]; planes_count * area],
        };
        let op = Op::Affine(Affine {
            terms: vec![term],
            bias: vec![0.0; planes_count],
            output: planes(planes_count, Spatial::plane(&spatial.output, 1)),
            activation: Activation::Identity,
        });
        return importer.emit(node, output, op);
    }
    // Weights that depend on the position: a matrix from input pixels to output pixels.
    let [pixels_in, pixels_out]: [usize; 2] =
        [&spatial.input, &spatial.output].map(|sizes| sizes.iter().product());
    importer.budget.elements(&node.name, &[pixels_in, pixels_out])?;
    let mut matrix = vec![0.0; pixels_out * pixels_in];
    for (pixel, window) in spatial.windows().into_iter().enumerate() {
        for source in window {
            matrix[pixel * pixels_in + source] = weights[pixel];
        }
    }
    let matrix = Constant::reals(vec![pixels_out, pixels_in], matrix);
    mapped_groups(node, importer, &Value::Tensor(tensor), &matrix, output)
}
