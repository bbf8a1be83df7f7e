//! Softmax: a table of exponentials.

use super::affine::small;
use super::{Format, Quantizer, integer, power_of_two, real};
use crate::graph::Softmax;
use crate::quantized::{self, QuantizedOp};

/// Fractional bits of the exponentials.
const EXP_BITS: u32 = 12;

impl Quantizer<'_> {
    pub(super) fn softmax(&self, softmax: &Softmax) -> (QuantizedOp, Format) {
        let input = self.format(softmax.input);
        let one = real(power_of_two(EXP_BITS));
        let exp_table = (0..=input.hi - input.lo)
            .map(|d| small(integer((one * libm::exp(-input.scale * real(d))).round())))
            .collect();
        let bits = self.options.softmax_bits;
        let op = QuantizedOp::Softmax(quantized::Softmax {
            input: softmax.input,
            groups: softmax.groups.clone(),
            exp_table,
            bits,
        });
        let hi = power_of_two(bits);
        (op, Format { scale: 1.0 / real(hi), lo: 0, hi })
    }
}
