//! Products of two tensors.

use serde::{Deserialize, Serialize};

use super::{Computed, IntegerForm, QuantizedOp, Reads, RealForm};
use crate::activation::Activation;
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::graph::Node;
use crate::quantize::{
    Form, Format, OUTPUT_BITS, Quantizer, Role, SUM_BITS, check_scale, integer, power_of_two, real,
    shift, small,
};
use crate::quantized::{QuantizedGraph, Requant, TensorId};
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
    /// The form of the result: without a bias, 0 stands for 0.
    fn form(
        &self,
        quantizer: &Quantizer<'_>,
        node: &Node,
        role: Role,
        proven: Range,
    ) -> Result<Form, QuantizeError> {
        let seen = quantizer.range(node.output)?;
        let form = quantizer.form(node.output, self.activation, role, [seen, proven])?;
        if form.is_adjustable {
            return Ok(form.centred());
        }
        // The cap of a clip would have to be a whole number of units, which the factor decides.
        quantizer.form(node.output, Activation::Relu, role, [seen, proven])
    }

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
}

impl RealForm for Mul {
    fn activation(&self) -> Option<Activation> {
        Some(self.activation)
    }

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

    /// The factor is a whole number, so the scale gives way instead: a coarse one would change
    /// the result by a constant factor. Where not even the factor 1 makes the product of fine
    /// factors small enough for its form, the result has the bits of an output.
    fn quantize(
        &self,
        quantizer: &Quantizer<'_>,
        node: &Node,
        role: Role,
    ) -> Result<(QuantizedOp, Format), QuantizeError> {
        let (a, b) = (quantizer.format(self.a), quantizer.format(self.b));
        let corners = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi];
        let (lo, hi) = corners
            .iter()
            .fold((i64::MAX, i64::MIN), |(lo, hi), &corner| (lo.min(corner), hi.max(corner)));
        let lo = if self.is_square() { lo.max(0) } else { lo };
        let unit = a.scale * b.scale;
        let proven = Range { lo: real(lo) * unit, hi: real(hi) * unit };
        let shift = quantizer.shift;
        let step = unit * real(power_of_two(shift));
        // The largest product in units of the result, where the factor is 1.
        let reach = real(lo.abs().max(hi.abs())) / real(power_of_two(shift));
        let fits = reach <= real(power_of_two(OUTPUT_BITS - 1) - 1);
        let mut form =
            self.form(quantizer, node, if fits { role } else { Role::Hidden }, proven)?;
        let is_fine = step < form.scale && self.activation == Activation::Identity;
        let ideal = if fits && (form.must_fit || is_fine) {
            form = Form::wide(proven);
            (real(form.hi) / reach).floor()
        } else {
            (step / form.scale).floor()
        };
        let ideal = ideal.clamp(1.0, real(power_of_two(SUM_BITS - 1)));
        form.scale = step / ideal;
        check_scale(&node.name, form.scale)?;
        let factor = integer(ideal);
        let overflow = || QuantizeError::Overflow { layer: node.name.clone() };
        let bound = |corner: i64| {
            corner.checked_mul(factor).filter(|sum| sum.unsigned_abs() < 1 << SUM_BITS)
        };
        let acc_lo = bound(lo).ok_or_else(overflow)?;
        let acc_hi = bound(hi).ok_or_else(overflow)?;
        let (table, format) = quantizer.output_of(&form);
        let (lo, hi) = (small(form.lo), small(form.hi));
        let scale = form.scale;
        let requant = Requant { scale, zero: 0, shift, lo, hi, acc_lo, acc_hi, table };
        let op = QuantizedMul {
            a: self.a,
            b: self.b,
            a_elements: self.a_elements.clone(),
            b_elements: self.b_elements.clone(),
            factor,
            requant,
        };
        Ok((QuantizedOp::Mul(op), format))
    }
}

impl IntegerForm for QuantizedMul {
    fn run(&self, _: &QuantizedGraph, values: &[Vec<i64>], _: TensorId) -> Computed<i64> {
        let (a, b) = (&values[self.a.0], &values[self.b.0]);
        let pairs = self.a_elements.iter().zip(self.b_elements.iter());
        self.requant.computed(pairs.map(|(i, j)| self.factor * a[i] * b[j]).collect())
    }

    fn requant(&self) -> Option<&Requant> {
        Some(&self.requant)
    }

    fn shift(&self, _graph: &QuantizedGraph) -> f64 {
        shift::of_mul(self)
    }
}
