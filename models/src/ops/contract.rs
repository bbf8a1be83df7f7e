//! Matrix products of two tensors.

use serde::{Deserialize, Serialize};

use super::form::{Computed, IntegerForm, Quantizes, Reads, RealForm, Requirement, Runs};
use crate::activation::Activation;
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::numbers::real;
use crate::quantizer::form::Role;
use crate::quantizer::product::{Factored, Products};
use crate::quantizer::{Format, Layer, Quantizer, shift};
use crate::requant::Requant;
use crate::tensor::{QuantizedTensor, TensorId};

/// The sizes of two stacks of matrices and of the stack of their products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixSizes {
    /// Matrices in each stack.
    pub batch: usize,
    /// Rows of the first matrix and of the product.
    pub rows: usize,
    /// Columns of the first matrix, rows of the second.
    pub inner: usize,
    /// Columns of the second matrix and of the product.
    pub columns: usize,
}

impl MatrixSizes {
    /// Elements of the product.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.batch * self.rows * self.columns
    }

    /// Whether the product has no elements.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element of the first tensor in a row of a matrix.
    #[must_use]
    pub const fn left(&self, matrix: usize, row: usize, inner: usize) -> usize {
        (matrix * self.rows + row) * self.inner + inner
    }

    /// The element of the second tensor in a column of a matrix.
    #[must_use]
    pub const fn right(&self, matrix: usize, inner: usize, column: usize) -> usize {
        (matrix * self.inner + inner) * self.columns + column
    }

    /// The element of the product.
    #[must_use]
    pub const fn output(&self, matrix: usize, row: usize, column: usize) -> usize {
        (matrix * self.rows + row) * self.columns + column
    }

    /// The product of two stacks. `fma` adds the product of two elements to a sum.
    fn product<T: Copy>(&self, a: &[T], b: &[T], zero: T, fma: impl Fn(T, T, T) -> T) -> Vec<T> {
        let mut sums = vec![zero; self.len()];
        for matrix in 0..self.batch {
            for row in 0..self.rows {
                let start = self.output(matrix, row, 0);
                let sums = &mut sums[start..start + self.columns];
                for inner in 0..self.inner {
                    let left = a[self.left(matrix, row, inner)];
                    let right = &b[self.right(matrix, inner, 0)..][..self.columns];
                    for (sum, &right) in sums.iter_mut().zip(right) {
                        *sum = fma(*sum, left, right);
                    }
                }
            }
        }
        sums
    }
}

/// `output[m, i, j] = activation(scale · Σ_d a[m, i, d] · b[m, d, j] + bias[m, i, j])`, all in C
/// order.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    /// The stack of left matrices.
    pub a: TensorId,
    /// The stack of right matrices.
    pub b: TensorId,
    /// The sizes of both.
    pub sizes: MatrixSizes,
    /// What every sum is multiplied with.
    pub scale: f64,
    /// What is then added to each element; nothing to any if it is empty.
    pub bias: Vec<f64>,
    /// Applied to each result.
    pub activation: Activation,
}

/// `acc[m, i, j] = bias[m, i, j] + factor · Σ_d a[m, i, d] · b[m, d, j]`, then [`Requant`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizedContract {
    /// The stack of left matrices.
    pub a: TensorId,
    /// The stack of right matrices.
    pub b: TensorId,
    /// The sizes of both.
    pub sizes: MatrixSizes,
    /// Integer that brings the sums to the common shift.
    pub factor: i64,
    /// One integer for each element, in accumulator units; all 0 if it is empty.
    pub bias: Vec<i64>,
    /// From accumulator to output.
    pub requant: Requant,
}

impl QuantizedContract {
    /// The bias of an element.
    #[must_use]
    pub fn bias_of(&self, element: usize) -> i64 {
        self.bias.get(element).copied().unwrap_or(0)
    }
}

impl Reads for Contract {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.a, self.b]
    }

    fn inputs_mut(&mut self) -> Vec<&mut TensorId> {
        vec![&mut self.a, &mut self.b]
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.activation)
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}

impl RealForm for Contract {
    /// The product of two tensors in the bits of outputs would not fit.
    fn requirement(&self) -> Requirement {
        Requirement::Hidden
    }

    fn run(&self, values: &[Vec<f64>], _: usize) -> Computed<f64> {
        let (a, b) = (&values[self.a.0], &values[self.b.0]);
        let mut sums = self.sizes.product(a, b, 0.0, |sum, a, b| sum + a * b);
        for (element, sum) in sums.iter_mut().enumerate() {
            *sum = *sum * self.scale + self.bias.get(element).copied().unwrap_or(0.0);
        }
        let values = sums.iter().map(|&sum| self.activation.apply(sum)).collect();
        Computed { accumulators: Some(sums), values }
    }

    fn range(&self, inputs: &[Range]) -> Range {
        let product = Range::product(inputs[self.a.0], inputs[self.b.0]);
        let times = self.scale * real(integer(self.sizes.inner));
        let sum = Range::product(product, Range { lo: times, hi: times });
        if self.bias.is_empty() {
            return sum;
        }
        let bias = Range::of(self.bias.iter().copied());
        Range { lo: sum.lo + bias.lo, hi: sum.hi + bias.hi }
    }
}

impl Quantizes for Contract {
    type Integer = QuantizedContract;

    fn quantize(
        &self,
        quantizer: &Quantizer<'_>,
        layer: Layer<'_>,
        role: Role,
    ) -> Result<(Self::Integer, Format), QuantizeError> {
        let (a, b) = (quantizer.format(self.a), quantizer.format(self.b));
        let sum =
            |a: i64, b: i64| i128::from(a) * i128::from(b) * i128::from(integer(self.sizes.inner));
        let corners = [sum(a.lo, b.lo), sum(a.lo, b.hi), sum(a.hi, b.lo), sum(a.hi, b.hi)];
        let bound = |corner: Option<i128>| corner.and_then(|corner| i64::try_from(corner).ok());
        let bounds = bound(corners.into_iter().min()).zip(bound(corners.into_iter().max()));
        let (lo, hi) =
            bounds.ok_or_else(|| QuantizeError::Overflow { layer: layer.name.to_owned() })?;
        // A negative scale is a negative factor.
        let is_negative = self.scale < 0.0;
        let products = Products {
            activation: self.activation,
            unit: a.scale * b.scale * self.scale.abs(),
            bounds: if is_negative { [-hi, -lo] } else { [lo, hi] },
            bias: Some(&self.bias),
            len: self.sizes.len(),
        };
        let Factored { factor, bias, requant, format } =
            quantizer.factored(layer, role, &products)?;
        let factor = if is_negative { -factor } else { factor };
        let op =
            QuantizedContract { a: self.a, b: self.b, sizes: self.sizes, factor, bias, requant };
        Ok((op, format))
    }
}

impl IntegerForm for QuantizedContract {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.a, self.b]
    }

    fn run(&self, _: &[QuantizedTensor], values: &[Vec<i64>], _: TensorId) -> Computed<i64> {
        let (a, b) = (&values[self.a.0], &values[self.b.0]);
        let sums = self.sizes.product(a, b, 0, |sum, a, b| sum + a * b);
        let accumulator = |(element, sum)| self.bias_of(element) + self.factor * sum;
        self.requant.computed(sums.into_iter().enumerate().map(accumulator).collect())
    }

    fn requant(&self) -> Option<&Requant> {
        Some(&self.requant)
    }

    fn biases(&self, len: usize) -> Vec<i64> {
        (0..len).map(|element| self.bias_of(element)).collect()
    }

    /// The factor is a whole number, to which the scale gives way.
    fn shift(&self, _: &[QuantizedTensor]) -> f64 {
        shift::of_factor(real(self.factor.abs()))
    }

    /// The stacks of all runs, which have no elements but those that are read.
    fn repeat(&mut self, runs: Runs<'_>) {
        if !self.bias.is_empty() {
            let bias: Vec<i64> = (0..self.sizes.len()).map(|e| self.bias_of(e)).collect();
            self.bias = bias.repeat(runs.count);
        }
        self.sizes.batch *= runs.count;
    }
}

/// A size as an integer; limits keep sizes far below 2^53.
fn integer(size: usize) -> i64 {
    i64::try_from(size).expect("limits keep sizes far below 2^53")
}
