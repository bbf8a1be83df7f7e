//! Matrix products.

use super::compose::{Lowered, Reduction};
use super::constant::{Constant, Data};
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Tensor, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;
use crate::graph::{Affine, Contract, MatrixSizes, Op, Term, Window};
use crate::quantized::{ImageView, TensorId};
use crate::view::View;

pub(super) const OPERATORS: &[Operator] = &[
    operator("Gemm", &[7, 9, 11, 13], &["alpha", "beta", "transA", "transB"], gemm),
    operator("MatMul", &[1, 9, 13], &[], matmul),
];

/// `Gemm`: `alpha·A'·B' + beta·C`.
pub(super) fn gemm(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let alpha = node.float("alpha")?.unwrap_or(1.0);
    let beta = node.float("beta")?.unwrap_or(1.0);
    let (trans_a, trans_b) = (node.flag("transA", false)?, node.flag("transB", false)?);
    let shapes = [0, 1].map(|index| node.operand(index).map(|value| importer.shape_of(value)));
    let [a_shape, b_shape] = shapes;
    let (a_shape, b_shape) = (a_shape?, b_shape?);
    if a_shape.len() != 2 || b_shape.len() != 2 {
        return Err(node.wrong_shape("operands must be matrices", &[&a_shape, &b_shape]));
    }
    let turned = |importer: &mut Importer, value: &Value, transposed: bool| match transposed {
        true => importer.transposed(node, value, &[1, 0]),
        false => Ok(value.clone()),
    };
    let mut a = turned(importer, node.operand(0)?, trans_a)?;
    let mut b = turned(importer, node.operand(1)?, trans_b)?;
    // A constant factor takes the scale, so that no layer of its own is needed.
    let scaled = if a.is_constant() { &mut a } else { &mut b };
    if alpha != 1.0 {
        *scaled = importer.scaled(node, scaled, alpha, 0.0)?;
    }
    let product = importer.matrix_product(node, &a, &b)?;
    let Some(c) = node.optional(2) else { return Ok(vec![product]) };
    let shape = importer.shape_of(&product);
    let c_shape = importer.shape_of(c);
    if super::compose::result_shape(node, &shape, &c_shape)? != shape {
        return Err(node.wrong_shape("C must broadcast to the product", &[&c_shape, &shape]));
    }
    let c = if beta == 1.0 { c.clone() } else { importer.scaled(node, c, beta, 0.0)? };
    Ok(vec![importer.add(node, &product, &c)?])
}

fn matmul(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    Ok(vec![importer.matrix_product(node, node.operand(0)?, node.operand(1)?)?])
}

impl Importer {
    /// The product of two matrices, of two stacks of them, or of vectors, as `MatMul` has it.
    pub(super) fn matrix_product(
        &mut self,
        node: &OnnxNode<'_>,
        a: &Value,
        b: &Value,
    ) -> Result<Value, ImportError> {
        let (a_shape, b_shape) = (self.shape_of(a), self.shape_of(b));
        let mismatch = || node.wrong_shape("inner dimensions must be equal", &[&a_shape, &b_shape]);
        if a_shape.is_empty() || b_shape.is_empty() {
            return Err(mismatch());
        }
        // A vector is a row on the left and a column on the right; its dimension is taken out
        // again at the end.
        let (row, column) = (a_shape.len() == 1, b_shape.len() == 1);
        let a = if row { self.reshaped(node, a, vec![1, a_shape[0]])? } else { a.clone() };
        let b = if column { self.reshaped(node, b, vec![b_shape[0], 1])? } else { b.clone() };
        let (left, right) = (self.shape_of(&a), self.shape_of(&b));
        let (rows, inner) = (left[left.len() - 2], left[left.len() - 1]);
        let columns = right[right.len() - 1];
        if inner != right[right.len() - 2] || inner == 0 {
            return Err(mismatch());
        }
        let product = match (&a, &b) {
            (Value::Tensor(tensor), Value::Constant(matrix)) if is_one_matrix(&matrix.shape) => {
                self.times_matrix(node, tensor.id, matrix)?
            }
            (Value::Constant(matrix), Value::Tensor(tensor)) if is_one_matrix(&matrix.shape) => {
                self.matrix_times(node, matrix, tensor.id)?
            }
            _ => self.stacks(node, &a, &b, [rows, inner, columns])?,
        };
        if !row && !column {
            return Ok(product);
        }
        let mut shape = self.shape_of(&product);
        if column {
            shape.pop();
        }
        if row {
            shape.remove(shape.len() - usize::from(!column) - 1);
        }
        self.reshaped(node, &product, shape)
    }

    /// `[…, k] · [k, n]`, the matrix constant.
    fn times_matrix(
        &mut self,
        node: &OnnxNode<'_>,
        input: TensorId,
        matrix: &Constant,
    ) -> Result<Value, ImportError> {
        matrix.check_finite(node.constant_name())?;
        // Each layer has its own copy, also of a matrix that several nodes share.
        self.budget.elements(&node.name, &matrix.shape)?;
        let columns = matrix.shape[matrix.shape.len() - 1];
        let mut shape = self.shape(input).to_vec();
        while shape.len() < matrix.shape.len() {
            shape.insert(0, 1);
        }
        let depth = shape.pop().unwrap_or(1);
        let rows: usize = shape.iter().product();
        let weights = matrix.to_reals();
        let transposed = (0..columns).flat_map(|column| {
            let weights = &weights;
            (0..depth).map(move |row| weights[row * columns + column])
        });
        let kernel = transposed.collect();
        shape.push(columns);
        let product = Product {
            input,
            view: image(depth, 1, rows, [1, 0, depth]),
            kernel,
            out: image(columns, 1, rows, [1, 0, columns]),
            groups: 1,
        };
        product.emit(node, self, shape)
    }

    /// `[m, k] · […, k, n]`, the matrix constant.
    fn matrix_times(
        &mut self,
        node: &OnnxNode<'_>,
        matrix: &Constant,
        input: TensorId,
    ) -> Result<Value, ImportError> {
        matrix.check_finite(node.constant_name())?;
        self.budget.elements(&node.name, &matrix.shape)?;
        let rows = matrix.shape[matrix.shape.len() - 2];
        let mut shape = self.shape(input).to_vec();
        while shape.len() < matrix.shape.len() {
            shape.insert(0, 1);
        }
        let columns = shape.pop().unwrap_or(1);
        let depth = shape.pop().unwrap_or(1);
        let batch: usize = shape.iter().product();
        shape.extend([rows, columns]);
        let product = Product {
            input,
            view: image(depth, batch, columns, [columns, depth * columns, 1]),
            kernel: matrix.to_reals(),
            out: image(rows, batch, columns, [columns, rows * columns, 1]),
            groups: 1,
        };
        product.emit(node, self, shape)
    }

    /// `[…, m, k] · […, k, n]` where neither is one constant matrix.
    fn stacks(
        &mut self,
        node: &OnnxNode<'_>,
        a: &Value,
        b: &Value,
        [rows, inner, columns]: [usize; 3],
    ) -> Result<Value, ImportError> {
        let (left, right) = (self.shape_of(a), self.shape_of(b));
        let outer =
            super::compose::result_shape(node, &left[..left.len() - 2], &right[..right.len() - 2])?;
        let batch: usize = outer.iter().product();
        let a = self.broadcast(node, a, &[&outer[..], &[rows, inner]].concat())?;
        let b = self.broadcast(node, b, &[&outer[..], &[inner, columns]].concat())?;
        let shape = [&outer[..], &[rows, columns]].concat();
        match (&a, &b) {
            (Value::Constant(a), Value::Constant(b)) => {
                self.budget.elements(&node.name, &shape)?;
                self.budget.multiplications(&node.name, &[batch, rows, inner, columns])?;
                constant_product(node, a, b, [batch, rows, inner, columns], shape)
            }
            (Value::Tensor(tensor), Value::Constant(matrices)) => {
                self.times_matrices(node, *tensor, matrices, [batch, rows, inner, columns], shape)
            }
            (Value::Constant(_), Value::Tensor(_)) => {
                // (A·B)' = B'·A'.
                let rank = shape.len();
                let mut order: Vec<usize> = (0..rank).collect();
                order.swap(rank - 2, rank - 1);
                let (a, b) =
                    (self.transposed(node, &a, &order)?, self.transposed(node, &b, &order)?);
                let product = self.stacks(node, &b, &a, [columns, inner, rows])?;
                self.transposed(node, &product, &order)
            }
            (Value::Tensor(a), Value::Tensor(b)) => {
                self.tensor_product(node, [*a, *b], &outer, [rows, inner, columns])
            }
        }
    }

    /// A constant matrix for each matrix of the tensor: each is a group of channels.
    fn times_matrices(
        &mut self,
        node: &OnnxNode<'_>,
        tensor: Tensor,
        matrices: &Constant,
        [batch, rows, inner, columns]: [usize; 4],
        shape: Vec<usize>,
    ) -> Result<Value, ImportError> {
        matrices.check_finite(node.constant_name())?;
        let flat = self.reshaped(node, &Value::Tensor(tensor), vec![batch, rows, inner])?;
        let channels_first = self.transposed(node, &flat, &[0, 2, 1])?;
        let Value::Tensor(input) = channels_first else { return Ok(channels_first) };
        self.budget.elements(&node.name, &matrices.shape)?;
        let weights = matrices.to_reals();
        let kernel = (0..batch * columns).flat_map(|channel| {
            let weights = &weights;
            let (group, column) = (channel / columns, channel % columns);
            (0..inner).map(move |row| weights[(group * inner + row) * columns + column])
        });
        let product = Product {
            input: input.id,
            view: image(batch * inner, 1, rows, [rows, 0, 1]),
            kernel: kernel.collect(),
            out: image(batch * columns, 1, rows, [rows, 0, 1]),
            groups: batch,
        };
        let product = product.emit(node, self, vec![batch, columns, rows])?;
        let rows_first = self.transposed(node, &product, &[0, 2, 1])?;
        self.reshaped(node, &rows_first, shape)
    }

    /// Every product of two elements, and their sums.
    fn tensor_product(
        &mut self,
        node: &OnnxNode<'_>,
        [a, b]: [Tensor; 2],
        outer: &[usize],
        [rows, inner, columns]: [usize; 3],
    ) -> Result<Value, ImportError> {
        let batch: usize = outer.iter().product();
        let shape = [outer, &[rows, columns]].concat();
        if rows * columns == 1 {
            // Two vectors: the sum of the products of their elements.
            let factors = [(); 2].map(|()| View::in_order(batch * inner));
            let products = [outer, &[inner]].concat();
            let product = self.multiplied(node, [a.id, b.id], factors, products)?;
            let sum = self.reduced(node, &product, &[outer.len()], Reduction::Sum)?;
            return self.reshaped(node, &sum, shape);
        }
        self.reserve(node, &shape)?;
        self.budget.multiplications(&node.name, &[batch, rows, inner, columns])?;
        let sizes = MatrixSizes { batch, rows, inner, columns };
        let (scale, bias, activation) = (1.0, Vec::new(), Activation::Identity);
        let op = Contract { a: a.id, b: b.id, sizes, scale, bias, activation };
        self.emit(node, shape, Op::Contract(op))
    }
}

/// Whether a stack holds one matrix.
fn is_one_matrix(shape: &[usize]) -> bool {
    shape[..shape.len() - 2].iter().all(|&size| size == 1)
}

fn constant_product(
    node: &OnnxNode<'_>,
    a: &Constant,
    b: &Constant,
    [batch, rows, inner, columns]: [usize; 4],
    shape: Vec<usize>,
) -> Result<Value, ImportError> {
    let places = (0..batch * rows * columns).map(|place| {
        let (matrix, place) = (place / (rows * columns), place % (rows * columns));
        let (row, column) = (place / columns, place % columns);
        (0..inner).map(move |k| {
            ((matrix * rows + row) * inner + k, (matrix * inner + k) * columns + column)
        })
    });
    let data = match (&a.data, &b.data) {
        (Data::Integer(a), Data::Integer(b)) => {
            let sums = places.map(|mut pairs| {
                pairs.try_fold(0i64, |sum, (i, j)| sum.checked_add(a[i].checked_mul(b[j])?))
            });
            let sums = sums.collect::<Option<Vec<_>>>();
            Data::Integer(sums.ok_or_else(|| node.unsupported("integers that overflow"))?)
        }
        _ => {
            let (a, b) = (a.to_reals(), b.to_reals());
            Data::Real(places.map(|pairs| pairs.map(|(i, j)| a[i] * b[j]).sum()).collect())
        }
    };
    let constant = Constant { shape, data };
    constant.check_numbers(&node.name)?;
    Ok(constant.into())
}

/// A dense layer: every channel of each pixel to every output channel of its group.
struct Product {
    input: TensorId,
    view: ImageView,
    kernel: Vec<f64>,
    out: ImageView,
    groups: usize,
}

impl Product {
    fn emit(
        self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        shape: Vec<usize>,
    ) -> Result<Value, ImportError> {
        let count = importer.reserve(node, &shape)?;
        let depth = self.view.channels / self.groups;
        importer.budget.multiplications(&node.name, &[count, depth])?;
        let bias = vec![0.0; self.out.channels];
        let window = Window::pixel(self.groups);
        let term = Term { input: self.input, view: self.view, window, kernel: self.kernel };
        let activation = Activation::Identity;
        let op = Affine { terms: vec![term], bias, output: self.out, activation };
        importer.emit(node, shape, Op::Affine(op))
    }
}

fn image(channels: usize, height: usize, width: usize, strides: [usize; 3]) -> ImageView {
    ImageView { channels, height, width, strides, offset: 0 }
}
