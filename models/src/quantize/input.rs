//! The integer format of model inputs.

use super::{Format, Quantizer, power_of_two, real, usable};
use crate::error::QuantizeError;
use crate::quantized::TensorId;

/// Bits for inputs on a grid, and for others.
const GRID_BITS: u32 = 8;
const REAL_BITS: u32 = 12;
/// How far beyond the calibrated range inputs that are not on a grid may reach.
const HEADROOM: f64 = 2.0;

impl Quantizer<'_> {
    /// Inputs are not range-checked in the proof, so they get more bits than activations.
    pub(super) fn input_format(&self, id: TensorId) -> Result<Format, QuantizeError> {
        let tensor = &self.graph.tensor(id).name;
        let input = self.calibration.inputs.get(tensor);
        usable(tensor, input.map(|input| input.range))?;
        let input = input.ok_or_else(|| QuantizeError::MissingRange { tensor: tensor.clone() })?;
        let signed = input.range.lo < 0.0;
        let grid_bits = GRID_BITS + u32::from(signed);
        let bits = match (self.options.input_bits, input.levels) {
            (Some(bits), _) => bits,
            (None, Some(levels)) if i64::from(levels) < power_of_two(GRID_BITS) => grid_bits,
            (None, _) => REAL_BITS,
        };
        let (lo, hi) = if signed {
            (-power_of_two(bits - 1), power_of_two(bits - 1) - 1)
        } else {
            (0, power_of_two(bits) - 1)
        };
        let largest = input.range.magnitude();
        let scale = match input.levels {
            _ if largest == 0.0 => 1.0,
            Some(levels) if levels > 0 && i64::from(levels) <= hi => largest / f64::from(levels),
            _ => largest * HEADROOM / real(hi),
        };
        Ok(Format { scale, lo, hi })
    }
}
