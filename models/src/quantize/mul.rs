//! Products of two tensors.

use super::affine::{SUM_BITS, small};
use super::form::Role;
use super::{Format, Quantizer, check_scale, integer, power_of_two, real};
use crate::activation::Activation;
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::graph::{Mul, Node};
use crate::quantized::{self, QuantizedOp, Requant};

impl Quantizer<'_> {
    /// The factor is a whole number, so the scale gives way instead: a coarse one would change
    /// the result by a constant factor.
    pub(super) fn mul(
        &self,
        node: &Node,
        mul: &Mul,
        role: Role,
    ) -> Result<(QuantizedOp, Format), QuantizeError> {
        let (a, b) = (self.format(mul.a), self.format(mul.b));
        let corners = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi];
        let (lo, hi) = corners
            .iter()
            .fold((i64::MAX, i64::MIN), |(lo, hi), &corner| (lo.min(corner), hi.max(corner)));
        let unit = a.scale * b.scale;
        let proven = Range { lo: real(lo) * unit, hi: real(hi) * unit };
        // Only layers have wide outputs: a product is no more precise than its factors.
        let role = if role == Role::Output { Role::Hidden } else { role };
        let mut form = self.form(mul.activation, role, self.range(node.output)?, proven);
        if !form.is_adjustable {
            form = self.form(Activation::Relu, role, self.range(node.output)?, proven);
        }
        let step = unit * real(power_of_two(self.options.shift));
        let ideal = (step / form.scale).floor().clamp(1.0, real(power_of_two(SUM_BITS - 1)));
        form.scale = step / ideal;
        check_scale(&node.name, form.scale)?;
        let factor = integer(ideal);
        let overflow = || QuantizeError::Overflow { layer: node.name.clone() };
        let bound = |corner: i64| {
            corner.checked_mul(factor).filter(|sum| sum.unsigned_abs() < 1 << SUM_BITS)
        };
        let acc_lo = bound(lo).ok_or_else(overflow)?;
        let acc_hi = bound(hi).ok_or_else(overflow)?;
        let mut format = Format { scale: form.scale, lo: form.lo, hi: form.hi };
        let mut table = None;
        if let Some(function) = form.table {
            let (entries, table_format) = self.table(&form, function);
            table = Some(entries);
            format = table_format;
        }
        let (lo, hi) = (small(form.lo), small(form.hi));
        let shift = self.options.shift;
        let scale = form.scale;
        let requant = Requant { scale, shift, lo, hi, acc_lo, acc_hi, table };
        let op = QuantizedOp::Mul(quantized::Mul {
            a: mul.a,
            b: mul.b,
            a_index: mul.a_index.clone(),
            b_index: mul.b_index.clone(),
            factor,
            requant,
        });
        Ok((op, format))
    }
}
