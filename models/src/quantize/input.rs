//! The integer format of model inputs.

use crate::calibration::{Calibration, CalibrationSource};
use crate::error::QuantizeError;
use crate::graph::{Graph, Op, Sums};
use crate::numbers::{integer, power_of_two, real};
use crate::quantizer::options::QuantizeOptions;
use crate::quantizer::{Format, usable};
use crate::tensor::{Rounding, TensorId};

/// Bits for inputs on a grid, and the fewest for others.
const GRID_BITS: u32 = 8;
const REAL_BITS: u32 = 12;
/// Most bits of an input of real numbers. Columns of their own, features as they are measured, vary
/// more than what was scaled: they get two bits more, one to reach further and one to be finer.
const MOST_BITS: u32 = 16;
/// Most bits of an input of whole numbers that only layers read, without a sign: so many are exact
/// in single precision.
const WHOLE_BITS: u32 = 24;
/// The same for others, which are compared or looked up.
const FEW_WHOLE_BITS: u32 = 15;
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
        let (format, columns) = self.whole_or_real(id)?;
        Ok((format, columns, Rounding::HalfUp))
    }

    /// The format of an input that holds no codes, and the scales of its columns.
    fn whole_or_real(&self, id: TensorId) -> Result<(Format, Vec<f64>), QuantizeError> {
        if let Some(indices) = self.index_format(id)? {
            return Ok((indices, Vec::new()));
        }
        if let Some(compared) = self.compared_format(id)? {
            return Ok(compared);
        }
        if let Some(whole) = self.whole_format(id)? {
            return Ok((whole, Vec::new()));
        }
        self.check_type(id)?;
        let format = self.input_format(id)?;
        let columns = self.column_scales(id, format)?;
        let wider = Format { scale: format.scale / 2.0, lo: 4 * format.lo, hi: 4 * format.hi + 3 };
        let has_room = self.options.input_bits.is_none() && wider.hi < power_of_two(MOST_BITS);
        match columns.is_empty() || self.is_single() || !has_room {
            true => Ok((format, columns)),
            false => Ok((wider, self.column_scales(id, wider)?)),
        }
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

    /// The format of input `id`, where the file says that it holds whole numbers or booleans: these
    /// numbers themselves, as far as so many bits reach beyond what calibration saw.
    fn whole_format(&self, id: TensorId) -> Result<Option<Format>, QuantizeError> {
        let Some([least, most]) = self.graph.whole_bounds(id) else { return Ok(None) };
        let name = &self.graph.tensor(id).name;
        let range = usable(name, self.calibration.inputs.get(name).map(|input| input.range))?;
        let headroom = if self.is_single() { SINGLE_HEADROOM } else { HEADROOM };
        let reach = (headroom * range.magnitude()).max(1.0);
        let most_bits = if self.only_layers_read(id) { WHOLE_BITS } else { FEW_WHOLE_BITS };
        let bits = u32::try_from(libm::ilogb(reach) + 1).unwrap_or(most_bits).min(most_bits);
        if range.magnitude() >= real(power_of_two(bits)) {
            return Ok(None);
        }
        let signed = least < 0 && (range.lo < 0.0 || self.is_single());
        let lo = if signed { least.max(-power_of_two(bits)) } else { 0 };
        Ok(Some(Format { scale: 1.0, lo, hi: most.min(power_of_two(bits) - 1) }))
    }

    /// Refuses an input whose samples hold numbers that its type does not.
    fn check_type(&self, id: TensorId) -> Result<(), QuantizeError> {
        let Some(bounds) = self.graph.whole_bounds(id) else { return Ok(()) };
        let name = &self.graph.tensor(id).name;
        let range = usable(name, self.calibration.inputs.get(name).map(|input| input.range))?;
        if real(bounds[0]) <= range.lo && range.hi <= real(bounds[1]) {
            return Ok(());
        }
        let got = [integer(range.lo.floor()), integer(range.hi.ceil())];
        Err(QuantizeError::WrapsAround { layer: name.clone(), got, bounds })
    }

    /// Whether nothing but layers reads an input.
    fn only_layers_read(&self, id: TensorId) -> bool {
        let producers = self.graph.producers();
        let reads = |op: &Op| {
            let mut inputs = op.inputs().into_iter();
            inputs.any(|input| self.graph.alias_root(input, &producers) == id)
        };
        let is_layer = |op: &Op| match op {
            Op::Affine(_) | Op::Alias(_) => true,
            Op::Coded(coded) => matches!(coded.sums, Sums::Affine(_)),
            _ => false,
        };
        self.graph.nodes.iter().all(|node| is_layer(&node.op) || !reads(&node.op))
    }

    const fn is_single(&self) -> bool {
        matches!(self.calibration.source, CalibrationSource::SingleInput { .. })
    }

    /// Inputs are not range-checked in the proof, so they get more bits than activations. Those that
    /// are factors of products do without, since no weight absorbs their scale.
    fn real_bits(&self, id: TensorId) -> u32 {
        let producers = self.graph.producers();
        let is_factor = |op: &Op| {
            let mut reads = op.inputs().into_iter();
            matches!(op, Op::Mul(_) | Op::Contract(_))
                && reads.any(|input| self.graph.alias_root(input, &producers) == id)
        };
        if self.graph.nodes.iter().any(|node| is_factor(&node.op)) {
            return REAL_BITS;
        }
        self.options.activation_bits.max(REAL_BITS)
    }

    /// The format of an input of real numbers.
    fn input_format(&self, id: TensorId) -> Result<Format, QuantizeError> {
        let spec = self.graph.tensor(id);
        let input = self.calibration.inputs.get(&spec.name);
        let range = usable(&spec.name, input.map(|input| input.range))?;
        let levels = input.and_then(|input| input.levels);
        let is_single = self.is_single();
        let may_be_signed = levels.is_none() && is_single && spec.len() < MANY_ELEMENTS;
        let signed = range.lo < 0.0 || may_be_signed || range.magnitude() == 0.0;
        let grid_bits = GRID_BITS + u32::from(signed);
        let bits = match (self.options.input_bits, levels) {
            (Some(bits), _) => bits,
            (None, Some(levels)) if i64::from(levels) < power_of_two(GRID_BITS) => grid_bits,
            (None, _) => self.real_bits(id),
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
