//! The integer format of model inputs.

use crate::calibration::{Calibration, CalibrationSource};
use crate::error::QuantizeError;
use crate::graph::{Graph, Op};
use crate::numbers::{power_of_two, real};
use crate::quantizer::options::QuantizeOptions;
use crate::quantizer::{Format, usable};
use crate::tensor::{Rounding, TensorId};

/// Bits for inputs on a grid, and for others.
const GRID_BITS: u32 = 8;
const REAL_BITS: u32 = 12;
/// How far beyond the calibrated range inputs that are not on a grid may reach: of samples, and of
/// one input, which says less.
const HEADROOM: f64 = 2.0;
const SINGLE_HEADROOM: f64 = 4.0;
/// Of so many elements, none of them negative, one sample tells that none ever is.
const MANY_ELEMENTS: usize = 64;

/// What the formats of a model's inputs follow from.
pub(super) struct InputFormats<'a> {
    pub(super) graph: &'a Graph,
    pub(super) calibration: &'a Calibration,
    pub(super) options: &'a QuantizeOptions,
}

impl InputFormats<'_> {
    /// The format of input `id`, the scales of its columns where they have their own, and how it is
    /// rounded.
    pub(super) fn format(
        &self,
        id: TensorId,
    ) -> Result<(Format, Vec<f64>, Rounding), QuantizeError> {
        if let Some(format) = self.coded_format(id) {
            return Ok((format, Vec::new(), Rounding::SinglePrecision));
        }
        let (format, columns) = match (self.index_format(id)?, self.compared_format(id)?) {
            (Some(indices), _) => (indices, Vec::new()),
            (None, Some(exact)) => exact,
            (None, None) => {
                let format = self.input_format(id)?;
                (format, self.column_scales(id, format)?)
            }
        };
        Ok((format, columns, Rounding::HalfUp))
    }

    /// The format of input `id`, where rows of tables are chosen by its elements: its integers
    /// themselves, those that choose a row of the longest table; negative ones if some were seen.
    fn index_format(&self, id: TensorId) -> Result<Option<Format>, QuantizeError> {
        let producers = self.graph.producers();
        let rows = self.graph.nodes.iter().filter_map(|node| match &node.op {
            Op::Embed(embed) if self.graph.alias_root(embed.input, &producers) == id => {
                i64::try_from(embed.rows()).ok()
            }
            _ => None,
        });
        let Some(rows) = rows.max() else { return Ok(None) };
        let name = &self.graph.tensor(id).name;
        let range = usable(name, self.calibration.inputs.get(name).map(|input| input.range))?;
        let lo = if range.lo < 0.0 { -rows } else { 0 };
        Ok(Some(Format { scale: 1.0, lo, hi: rows - 1 }))
    }

    /// Inputs are not range-checked in the proof, so they get more bits than activations.
    fn input_format(&self, id: TensorId) -> Result<Format, QuantizeError> {
        let spec = self.graph.tensor(id);
        let input = self.calibration.inputs.get(&spec.name);
        let range = usable(&spec.name, input.map(|input| input.range))?;
        let levels = input.and_then(|input| input.levels);
        let is_single = matches!(self.calibration.source, CalibrationSource::SingleInput { .. });
        let may_be_signed = levels.is_none() && is_single && spec.len() < MANY_ELEMENTS;
        let signed = range.lo < 0.0 || may_be_signed || range.magnitude() == 0.0;
        let grid_bits = GRID_BITS + u32::from(signed);
        let bits = match (self.options.input_bits, levels) {
            (Some(bits), _) => bits,
            (None, Some(levels)) if i64::from(levels) < power_of_two(GRID_BITS) => grid_bits,
            (None, _) => REAL_BITS,
        };
        let (lo, hi) = if signed {
            (-power_of_two(bits - 1), power_of_two(bits - 1) - 1)
        } else {
            (0, power_of_two(bits) - 1)
        };
        // Nothing but zeros says nothing about the inputs to come: they reach to 1.
        let largest = if range.magnitude() > 0.0 { range.magnitude() } else { 1.0 };
        let scale = match levels {
            Some(levels) if levels > 0 && i64::from(levels) <= hi => largest / f64::from(levels),
            _ => largest * if is_single { SINGLE_HEADROOM } else { HEADROOM } / real(hi),
        };
        Ok(Format { scale, lo, hi })
    }
}
