//! What operations are quantized with: the formats of their inputs, options, and ranges.
//!
//! Everything here is below the operations; [`crate::quantize()`] walks a graph with it.

pub(crate) mod form;
pub(crate) mod options;
pub(crate) mod product;
pub(crate) mod shift;
pub(crate) mod ties;

use std::cell::Cell;

use crate::calibration::{Calibration, Range};
use crate::error::QuantizeError;
use crate::numbers::real;
use crate::tensor::{QuantizedTensor, TensorId};
use options::QuantizeOptions;
use ties::Ties;

/// Scales lie within `2^−SCALE_BITS` and `2^SCALE_BITS`.
const SCALE_BITS: i32 = 240;
/// Counts more than all codes that may begin at another sum: for what must be exact.
pub(crate) const INEXACT: usize = 1 << 40;
/// Sums of magnitudes stay below `2^SUM_BITS`.
pub(crate) const SUM_BITS: u32 = 62;

/// The integers that a tensor holds, and what one unit stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Format {
    pub(crate) scale: f64,
    pub(crate) lo: i64,
    pub(crate) hi: i64,
}

/// What becomes integers: a layer as errors name it, and the tensor that it gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer<'a> {
    /// The name of its ONNX node.
    pub(crate) name: &'a str,
    /// The tensor.
    pub(crate) output: TensorId,
}

/// Where the elements of a tensor come from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin {
    /// Whether they are elements of an input, or codes of such.
    pub(crate) is_taken_from_input: bool,
    /// Whether they are elements of an input that is held in codes.
    pub(crate) holds_codes: bool,
    /// Whether they are codes.
    pub(crate) is_coded: bool,
}

/// What an operation is quantized with: its inputs are, already.
pub(crate) struct Quantizer<'a> {
    pub(crate) calibration: &'a Calibration,
    pub(crate) options: &'a QuantizeOptions,
    /// Binary digits that every requantization drops.
    pub(crate) shift: u32,
    /// How far values may be beyond those of the samples, as a multiple of them.
    pub(crate) factor: f64,
    /// Every tensor; of those that are not quantized yet, only name and shape count.
    pub(crate) tensors: Vec<QuantizedTensor>,
    /// Where the elements of each come from.
    pub(crate) origins: Vec<Origin>,
    /// Which tensors have one format.
    pub(crate) ties: Ties,
    /// Codes that begin at another sum than they should.
    pub(crate) misplaced: Cell<usize>,
}

impl Quantizer<'_> {
    /// Gives tensor `id` its format, which `layer` chose.
    pub(crate) fn define(
        &mut self,
        id: TensorId,
        layer: &str,
        format: Format,
    ) -> Result<(), QuantizeError> {
        check_scale(layer, format.scale)?;
        let tensor = &mut self.tensors[id.0];
        (tensor.scale, tensor.lo, tensor.hi) = (format.scale, format.lo, format.hi);
        Ok(())
    }

    /// The format of a tensor that is defined.
    pub(crate) fn format(&self, id: TensorId) -> Format {
        let tensor = &self.tensors[id.0];
        Format { scale: tensor.scale, lo: tensor.lo, hi: tensor.hi }
    }

    /// The range of a layer before its activation that quantization goes beyond by its factor; that
    /// of all steps, where it is a step of a recurrent cell.
    pub(crate) fn range(&self, id: TensorId) -> Result<Range, QuantizeError> {
        // What is expected of many inputs stands beside what samples gave, which must be numbers too.
        self.seen(id)?;
        self.range_of_steps(id, |layer| self.calibration.reach(layer))
    }

    /// The same as it was on the samples.
    pub(crate) fn seen(&self, id: TensorId) -> Result<Range, QuantizeError> {
        self.range_of_steps(id, |layer| self.calibration.layers.get(layer).copied())
    }

    fn range_of_steps(
        &self,
        id: TensorId,
        of: impl Fn(&str) -> Option<Range>,
    ) -> Result<Range, QuantizeError> {
        let range = |id: &TensorId| {
            let tensor = &self.tensors[id.0].name;
            usable(tensor, of(tensor))
        };
        let all = self.ties.members(&id).iter().map(range);
        let all = all.collect::<Result<Vec<_>, _>>()?.into_iter().reduce(Range::union);
        all.map_or_else(|| range(&id), Ok)
    }

    /// Bits of the values of the layer that gives tensor `id`: the most that a step has.
    pub(crate) fn bits_of(&self, id: TensorId) -> u32 {
        let bits = |id: &TensorId| self.options.bits_of(&self.tensors[id.0].name);
        self.ties.members(&id).iter().map(bits).max().unwrap_or_else(|| bits(&id))
    }

    /// What is proven of a layer, if the form may follow from it: what is proven of one step of a
    /// recurrent cell is not of the others.
    pub(crate) fn bounding(&self, id: TensorId, seen: Range, proven: Range) -> Range {
        if self.ties.is_tied(id) && seen.hi > 0.0 {
            return Range { lo: f64::NEG_INFINITY, hi: f64::INFINITY };
        }
        proven
    }

    /// Counts codes that begin at another sum than they should.
    pub(crate) fn misplace(&self, count: usize) {
        self.misplaced.set(self.misplaced.get().saturating_add(count));
    }

    /// A range on samples, with either end moved outward by the factor.
    pub(crate) fn widened(&self, seen: Range) -> Range {
        let by = |end: f64| (self.factor - 1.0) * end.abs();
        Range { lo: seen.lo - by(seen.lo), hi: seen.hi + by(seen.hi) }
    }

    /// The same, with either end moved by half the factor's share of the width at least: an end
    /// near 0 says little about the values to come.
    pub(crate) fn spread(&self, seen: Range) -> Range {
        let (wide, width) = (self.widened(seen), seen.hi - seen.lo);
        let by = (self.factor - 1.0) * width / 2.0;
        Range { lo: wide.lo.min(seen.lo - by), hi: wide.hi.max(seen.hi + by) }
    }

    /// The real numbers that each tensor's proven bounds stand for.
    pub(crate) fn ranges(&self) -> Vec<Range> {
        let range = |tensor: &QuantizedTensor| Range {
            lo: real(tensor.lo) * tensor.scale,
            hi: real(tensor.hi) * tensor.scale,
        };
        self.tensors.iter().map(range).collect()
    }
}

/// `range`, where there is one that scales can be chosen from.
pub(crate) fn usable(tensor: &str, range: Option<Range>) -> Result<Range, QuantizeError> {
    let tensor = || tensor.to_owned();
    let range = range.ok_or_else(|| QuantizeError::MissingRange { tensor: tensor() })?;
    if range.is_usable() {
        return Ok(range);
    }
    Err(QuantizeError::Range { tensor: tensor(), lo: range.lo, hi: range.hi })
}

/// Refuses scales in which quotients and products could overflow.
pub(crate) fn check_scale(layer: &str, scale: f64) -> Result<(), QuantizeError> {
    let largest = libm::scalbn(1.0, SCALE_BITS);
    if (1.0 / largest..=largest).contains(&scale) {
        return Ok(());
    }
    Err(QuantizeError::Scale { layer: layer.to_owned(), scale })
}
