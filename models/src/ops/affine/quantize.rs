//! Linear layers: integer weights that absorb the scales, and bounds of every sum.

use super::patches::Patches;
use super::{Affine, ConvTerm, QuantizedAffine};
use crate::error::QuantizeError;
use crate::graph::Node;
use crate::ops::{QuantizedOp, RealForm as _};
use crate::quantize::{
    Form, Format, Quantizer, Role, SUM_BITS, check_scale, integer, power_of_two, real, small,
};
use crate::quantized::Requant;

/// How much an output's scale grows at a time until rounded weights cannot saturate it.
const WIDENING: f64 = 1.000_5;
/// So often it grows by that, in case of need also by as much as is missing, and then no more.
const SMALL_STEPS: u32 = 8;
const STEPS: u32 = 16;

impl Quantizer<'_> {
    pub(super) fn affine(
        &self,
        node: &Node,
        affine: &Affine,
        role: Role,
    ) -> Result<(QuantizedOp, Format), QuantizeError> {
        let proven = affine.range(&self.ranges());
        let calibrated = self.range(node.output)?;
        let mut form = self.form(affine.activation, role, calibrated, proven);
        form.scale = self.exact_scale(affine, &form).max(self.smallest_scale(affine));
        let mut layer = self.integers(node, affine, &form)?;
        // A model output never saturates: its proven bounds fit.
        if role == Role::Output && form.table.is_none() && form.lo < 0 {
            layer = self.widened(node, affine, &mut form, layer)?;
        }
        let (table, format) = self.output_of(&form);
        layer.0.requant.table = table;
        Ok((QuantizedOp::Affine(layer.0), format))
    }

    /// The layer with the first scale at which no input in range saturates it.
    fn widened(
        &self,
        node: &Node,
        affine: &Affine,
        form: &mut Form,
        mut layer: Layer,
    ) -> Result<Layer, QuantizeError> {
        for step in 0..STEPS {
            let excess = layer.excess();
            if excess <= 1.0 {
                return Ok(layer);
            }
            form.scale *= WIDENING * if step < SMALL_STEPS { 1.0 } else { excess };
            layer = self.integers(node, affine, form)?;
        }
        Err(QuantizeError::Overflow { layer: node.name.clone() })
    }

    /// The smallest scale at which every weight fits 32 bits.
    fn smallest_scale(&self, affine: &Affine) -> f64 {
        let weights = affine.terms.iter().map(|term| {
            let largest = term.kernel.iter().fold(0.0, |largest: f64, w| largest.max(w.abs()));
            largest * self.tensors[term.input.0].scale
        });
        weights.fold(0.0, f64::max) * real(power_of_two(self.options.shift)) / f64::from(i32::MAX)
    }

    /// Where all weights are one number, as in averages and copies, the scale a little above the
    /// form's at which that number is an exact integer.
    fn exact_scale(&self, affine: &Affine, form: &Form) -> f64 {
        let mut steps = affine.terms.iter().flat_map(|term| {
            let scale = self.tensors[term.input.0].scale;
            term.kernel.iter().map(move |weight| weight.abs() * scale)
        });
        let first = steps.next().unwrap_or(0.0);
        let unit = first * real(power_of_two(self.options.shift));
        let weight = (unit / form.scale).floor();
        if form.is_adjustable && weight >= 1.0 && steps.all(|step| step == first) {
            return unit / weight;
        }
        form.scale
    }

    fn integers(&self, node: &Node, affine: &Affine, form: &Form) -> Result<Layer, QuantizeError> {
        check_scale(&node.name, form.scale)?;
        let overflow = || QuantizeError::Overflow { layer: node.name.clone() };
        let unit = real(power_of_two(self.options.shift)) / form.scale;
        let limit = real(power_of_two(SUM_BITS - 1));
        let bias = affine
            .bias
            .iter()
            .map(|bias| (bias * unit).round())
            .map(|bias| if bias.abs() < limit { Ok(integer(bias)) } else { Err(overflow()) });
        let bias = bias.collect::<Result<Vec<i64>, _>>()?;
        let mut terms = Vec::with_capacity(affine.terms.len());
        for term in &affine.terms {
            let factor = unit * self.tensors[term.input.0].scale;
            let weight = |w: &f64| i32::try_from(integer((w * factor).round()));
            let kernel = term.kernel.iter().map(weight).collect::<Result<Vec<i32>, _>>();
            terms.push(ConvTerm {
                input: term.input,
                view: term.view.clone(),
                kernel: kernel.map_err(|_| overflow())?,
                kernel_size: term.window.kernel_size,
                groups: term.window.groups,
                stride: term.window.stride,
                dilation: term.window.dilation,
                padding: term.window.padding,
            });
        }
        let (lo, hi) = (small(form.lo), small(form.hi));
        let shift = self.options.shift;
        let scale = form.scale;
        let requant = Requant { scale, shift, lo, hi, acc_lo: 0, acc_hi: 0, table: None };
        let output = affine.output.clone();
        let mut layer = Layer(QuantizedAffine { terms, bias, output, requant });
        let (acc_lo, acc_hi) = self.sum_bounds(&layer.0).ok_or_else(overflow)?;
        (layer.0.requant.acc_lo, layer.0.requant.acc_hi) = (acc_lo, acc_hi);
        Ok(layer)
    }

    /// The smallest and largest sum over all channels; `None` where magnitudes exceed the limit.
    fn sum_bounds(&self, layer: &QuantizedAffine) -> Option<(i64, i64)> {
        let mut sums: Vec<[i128; 3]> = layer
            .bias
            .iter()
            .map(|&bias| [bias.into(), bias.into(), i128::from(bias).abs()])
            .collect();
        for term in &layer.terms {
            let tensor = &self.tensors[term.input.0];
            let patches = Patches {
                view: &term.view,
                window: term.window(),
                rows: layer.output.height,
                columns: layer.output.width,
            };
            let padded = patches.touches_padding();
            let lo = i128::from(if padded { tensor.lo.min(0) } else { tensor.lo });
            let hi = i128::from(if padded { tensor.hi.max(0) } else { tensor.hi });
            let per_channel = term.kernel.len() / sums.len();
            for (position, &weight) in term.kernel.iter().enumerate() {
                let (a, b) = (i128::from(weight) * lo, i128::from(weight) * hi);
                let sum = &mut sums[position / per_channel];
                sum[0] += a.min(b);
                sum[1] += a.max(b);
                sum[2] += a.abs().max(b.abs());
            }
        }
        let within = sums.iter().all(|sum| sum[2] < 1 << SUM_BITS);
        let lo = sums.iter().map(|sum| sum[0]).min()?;
        let hi = sums.iter().map(|sum| sum[1]).max()?;
        within.then_some((i64::try_from(lo).ok()?, i64::try_from(hi).ok()?))
    }
}

/// A layer in integers.
struct Layer(QuantizedAffine);

impl Layer {
    /// The furthest that an input in range can go, as a multiple of what does not saturate.
    fn excess(&self) -> f64 {
        let requant = &self.0.requant;
        let low = real(requant.round(requant.acc_lo)) / f64::from(requant.lo);
        let high = real(requant.round(requant.acc_hi)) / f64::from(requant.hi);
        low.max(high)
    }
}
