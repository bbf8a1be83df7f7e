//! Products of two tensors.

use serde::{Deserialize, Serialize};

use super::form::{Computed, IntegerForm, Quantizes, Reads, RealForm, Runs};
use crate::activation::Activation;
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::numbers::real;
use crate::quantizer::form::Role;
use crate::quantizer::product::{Factored, Products};
use crate::quantizer::{Format, Layer, Quantizer, shift};
use crate::requant::Requant;
use crate::tensor::{QuantizedTensor, TensorId};
use crate::view::View;

/// `output[e] = activation(a[a_elements[e]] · b[b_elements[e]])`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mul {
    /// The first factor.
    pub a: TensorId,
    /// The second factor.
    pub b: TensorId,
    /// For each output element, the element of `a`.
    pub a_elements: View,
    /// For each output element, the element of `b`.
    pub b_elements: View,
    /// Applied to each product.
    pub activation: Activation,
}

/// `acc[e] = factor · a[a_elements[e]] · b[b_elements[e]]`, then [`Requant`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizedMul {
    /// The first factor.
    pub a: TensorId,
    /// The second factor.
    pub b: TensorId,
    /// For each output element, the element of `a` (broadcasting resolved).
    pub a_elements: View,
    /// For each output element, the element of `b` (broadcasting resolved).
    pub b_elements: View,
    /// Integer that brings the product to the common shift: `round(2^shift · s_a · s_b / s_out)`.
    pub factor: i64,
    /// From accumulator to output.
    pub requant: Requant,
}

impl Mul {
    /// Whether both factors are the same elements: a square is never negative.
    fn is_square(&self) -> bool {
        self.a == self.b && self.a_elements == self.b_elements
    }
}

impl Reads for Mul {
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

impl RealForm for Mul {
    fn run(&self, values: &[Vec<f64>], _: usize) -> Computed<f64> {
        let (a, b) = (&values[self.a.0], &values[self.b.0]);
        let pairs = self.a_elements.iter().zip(self.b_elements.iter());
        let products: Vec<f64> = pairs.map(|(i, j)| a[i] * b[j]).collect();
        let values = products.iter().map(|&x| self.activation.apply(x)).collect();
        Computed { accumulators: Some(products), values }
    }

    fn range(&self, inputs: &[Range]) -> Range {
        let product = Range::product(inputs[self.a.0], inputs[self.b.0]);
        if self.is_square() { Range { lo: product.lo.max(0.0), hi: product.hi } } else { product }
    }
}

impl Quantizes for Mul {
    type Integer = QuantizedMul;

    fn quantize(
        &self,
        quantizer: &Quantizer<'_>,
        layer: Layer<'_>,
        role: Role,
    ) -> Result<(Self::Integer, Format), QuantizeError> {
        let (a, b) = (quantizer.format(self.a), quantizer.format(self.b));
        let corners = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi];
        let (lo, hi) = corners
            .iter()
            .fold((i64::MAX, i64::MIN), |(lo, hi), &corner| (lo.min(corner), hi.max(corner)));
        let lo = if self.is_square() { lo.max(0) } else { lo };
        let products = Products {
            activation: self.activation,
            unit: a.scale * b.scale,
            bounds: [lo, hi],
            bias: None,
            len: self.a_elements.len(),
        };
        let Factored { factor, requant, format, .. } =
            quantizer.factored(layer, role, &products)?;
        let op = QuantizedMul {
            a: self.a,
            b: self.b,
            a_elements: self.a_elements.clone(),
            b_elements: self.b_elements.clone(),
            factor,
            requant,
        };
        Ok((op, format))
    }
}

impl IntegerForm for QuantizedMul {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.a, self.b]
    }

    fn run(&self, _: &[QuantizedTensor], values: &[Vec<i64>], _: TensorId) -> Computed<i64> {
        let (a, b) = (&values[self.a.0], &values[self.b.0]);
        let pairs = self.a_elements.iter().zip(self.b_elements.iter());
        self.requant.computed(pairs.map(|(i, j)| self.factor * a[i] * b[j]).collect())
    }

    fn requant(&self) -> Option<&Requant> {
        Some(&self.requant)
    }

    /// The factor is a whole number, to which the scale gives way.
    fn shift(&self, _: &[QuantizedTensor]) -> f64 {
        shift::of_factor(real(self.factor))
    }

    fn repeat(&mut self, runs: Runs<'_>) {
        self.a_elements = self.a_elements.repeated(runs.count, runs.len(self.a));
        self.b_elements = self.b_elements.repeated(runs.count, runs.len(self.b));
    }
}
