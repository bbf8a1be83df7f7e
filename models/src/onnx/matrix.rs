//! Matrix products with a constant matrix.

use super::importer::Importer;
use super::node::{OnnxNode, Value};
use crate::activation::Activation;
use crate::error::ImportError;
use crate::graph::{Affine, Channels, Op, Term, Window, broadcast_index, pointwise};
use crate::quantized::{ImageView, TensorId};

/// `Gemm`: `alpha·A'·B' + beta·C` with constant `C` and one constant matrix.
pub(super) fn gemm(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<Vec<Value>, ImportError> {
    let alpha = node.float("alpha")?.unwrap_or(1.0);
    let (trans_a, trans_b) = (node.flag("transA", false)?, node.flag("transB", false)?);
    let (product, shape) = match (node.operand(0)?, node.operand(1)?) {
        (Value::Tensor(input), Value::Constant(_)) => {
            let tensor = Matrix::of(node, importer.shape(*input), trans_a)?;
            let (weight_shape, weights) = node.reals(1)?;
            let matrix = Matrix::of(node, weight_shape, trans_b)?;
            if tensor.columns != matrix.rows {
                return Err(mismatch(node, importer.shape(*input), weight_shape));
            }
            let shape = vec![tensor.rows, matrix.columns];
            let kernel = matrix.transposed(weights, alpha);
            let view = image(tensor.columns, 1, tensor.rows, tensor.channel_step());
            let out = image(matrix.columns, 1, tensor.rows, [1, 0, matrix.columns]);
            (Product { input: *input, view, kernel, out }, shape)
        }
        (Value::Constant(_), Value::Tensor(input)) => {
            let (weight_shape, weights) = node.reals(0)?;
            let matrix = Matrix::of(node, weight_shape, !trans_a)?;
            let tensor = Matrix::of(node, importer.shape(*input), !trans_b)?;
            if tensor.columns != matrix.rows {
                return Err(mismatch(node, weight_shape, importer.shape(*input)));
            }
            let shape = vec![matrix.columns, tensor.rows];
            let kernel = matrix.transposed(weights, alpha);
            let view = image(tensor.columns, 1, tensor.rows, tensor.channel_step());
            let out = image(matrix.columns, 1, tensor.rows, [tensor.rows, 0, 1]);
            (Product { input: *input, view, kernel, out }, shape)
        }
        _ => return Err(node.unsupported(ONE_CONSTANT)),
    };
    let result = product.emit(node, importer, shape.clone())?;
    if node.optional(2).is_none() {
        return Ok(vec![result]);
    }
    add_constant(node, importer, result, shape)
}

/// `MatMul` of a tensor and a constant matrix, on either side.
pub(super) fn matmul(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<Vec<Value>, ImportError> {
    let value = match (node.operand(0)?, node.operand(1)?) {
        (Value::Tensor(input), Value::Constant(_)) => matmul_right(node, importer, *input)?,
        (Value::Constant(_), Value::Tensor(input)) => matmul_left(node, importer, *input)?,
        _ => return Err(node.unsupported(ONE_CONSTANT)),
    };
    Ok(vec![value])
}

const ONE_CONSTANT: &str = "exactly one of the two matrices must be a constant";

/// `[…, k] · [k, n]`.
fn matmul_right(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    input: TensorId,
) -> Result<Value, ImportError> {
    let (weight_shape, weights) = node.reals(1)?;
    let shape = importer.shape(input).to_vec();
    let ([inner, columns], Some((&depth, outer))) = (weight_shape, shape.split_last()) else {
        return Err(mismatch(node, &shape, weight_shape));
    };
    if depth != *inner {
        return Err(mismatch(node, &shape, weight_shape));
    }
    let rows: usize = outer.iter().product();
    let matrix = Matrix { rows: *inner, columns: *columns, transposed: false };
    let product = Product {
        input,
        view: image(depth, 1, rows, [1, 0, depth]),
        kernel: matrix.transposed(weights, 1.0),
        out: image(*columns, 1, rows, [1, 0, *columns]),
    };
    product.emit(node, importer, [outer, &[*columns]].concat())
}

/// `[m, k] · […, k, n]`.
fn matmul_left(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    input: TensorId,
) -> Result<Value, ImportError> {
    let (weight_shape, weights) = node.reals(0)?;
    let shape = importer.shape(input).to_vec();
    let ([rows, inner], [outer @ .., depth, columns]) = (weight_shape, &shape[..]) else {
        return Err(mismatch(node, weight_shape, &shape));
    };
    if depth != inner {
        return Err(mismatch(node, weight_shape, &shape));
    }
    let batch: usize = outer.iter().product();
    let product = Product {
        input,
        view: image(*depth, batch, *columns, [*columns, depth * columns, 1]),
        kernel: weights.to_vec(),
        out: image(*rows, batch, *columns, [*columns, rows * columns, 1]),
    };
    product.emit(node, importer, [outer, &[*rows, *columns]].concat())
}

/// A dense layer: every channel of each pixel to every output channel.
struct Product {
    input: TensorId,
    view: ImageView,
    kernel: Vec<f64>,
    out: ImageView,
}

impl Product {
    fn emit(
        self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        shape: Vec<usize>,
    ) -> Result<Value, ImportError> {
        let count = importer.reserve(node, &shape)?;
        importer.budget.multiplications(&node.name, &[count, self.view.channels])?;
        let bias = vec![0.0; self.out.channels];
        let window = Window::pixel(1);
        let term = Term { input: self.input, view: self.view, window, kernel: self.kernel };
        let activation = Activation::Identity;
        let op = Affine { terms: vec![term], bias, output: self.out, activation };
        Ok(importer.emit(node, shape, Op::Affine(op)))
    }
}

/// Adds `beta·C`, which fusion then makes the layer's bias.
fn add_constant(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    product: Value,
    shape: Vec<usize>,
) -> Result<Vec<Value>, ImportError> {
    let beta = node.float("beta")?.unwrap_or(1.0);
    let (bias_shape, bias) = node.reals(2)?;
    if super::arithmetic::result_shape(node, &shape, bias_shape)? != shape {
        return Err(node.wrong_shape("C must broadcast to the product", &[bias_shape, &shape]));
    }
    let Value::Tensor(input) = product else { return Ok(vec![product]) };
    importer.reserve(node, &shape)?;
    let bias: Vec<f64> =
        broadcast_index(bias_shape, &shape).iter().map(|&i| beta * bias[i]).collect();
    let same_rows = bias.chunks(shape[1]).all(|row| *row == bias[..shape[1]]);
    let (axes, bias) = if same_rows { (1..2, bias[..shape[1]].to_vec()) } else { (0..2, bias) };
    let channels = Channels::of_axes(&shape, axes);
    let scale = vec![1.0; channels.count];
    let op = pointwise(input, &channels, scale, bias, Activation::Identity);
    Ok(vec![importer.emit(node, shape, Op::Affine(op))])
}

/// A stored matrix, read as `rows × columns`.
struct Matrix {
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl Matrix {
    fn of(node: &OnnxNode<'_>, shape: &[usize], transposed: bool) -> Result<Self, ImportError> {
        match *shape {
            [columns, rows] if transposed => Ok(Self { rows, columns, transposed }),
            [rows, columns] => Ok(Self { rows, columns, transposed }),
            _ => Err(node.wrong_shape("operands must be matrices", &[shape])),
        }
    }

    /// The elements of `scale` times the transposed matrix, row by row.
    fn transposed(&self, data: &[f64], scale: f64) -> Vec<f64> {
        let element = |column: usize, row: usize| {
            scale
                * data[if self.transposed {
                    column * self.rows + row
                } else {
                    row * self.columns + column
                }]
        };
        (0..self.columns)
            .flat_map(|column| (0..self.rows).map(move |row| (column, row)))
            .map(|(column, row)| element(column, row))
            .collect()
    }

    /// Strides of an image with the columns as channels and the rows as pixels.
    fn channel_step(&self) -> [usize; 3] {
        if self.transposed { [self.rows, 0, 1] } else { [1, 0, self.columns] }
    }
}

fn image(channels: usize, height: usize, width: usize, strides: [usize; 3]) -> ImageView {
    ImageView { channels, height, width, strides, offset: 0 }
}

fn mismatch(node: &OnnxNode<'_>, a: &[usize], b: &[usize]) -> ImportError {
    node.wrong_shape("inner dimensions must be equal and the constant a matrix", &[a, b])
}
