//! A scale for each column of an input whose features differ in size.
//!
//! The first layer absorbs them: to it the input has one scale, the largest, and its weights are
//! multiplied by what each column's scale is of that.

use std::borrow::Cow;

use super::{Format, Quantizer, check_scale, usable};
use crate::calibration::{CalibrationSource, Range};
use crate::error::QuantizeError;
use crate::graph::{Affine, Op, Term};
use crate::quantized::{ImageView, TensorId};

/// How many times the smallest column the largest must be, for columns to have scales of their own.
const UNLIKE: f64 = 8.0;
/// Fewer samples than these say little about a column: it must be much smaller than others to have
/// a scale of its own, which then reaches several times as far.
const FEW_SAMPLES: usize = 8;
/// See [`FEW_SAMPLES`].
const UNLIKE_IN_FEW: f64 = 1e4;
/// See [`FEW_SAMPLES`].
const RESERVE_OF_FEW: f64 = 8.0;
/// The smallest column, as a share of the largest, that has regard.
const SMALLEST: f64 = 1e-12;

impl Quantizer<'_> {
    /// The scales of the columns of input `id`, whose largest is that of `format`; empty where one
    /// serves all, or a reader could not absorb them.
    pub(super) fn column_scales(
        &self,
        id: TensorId,
        format: Format,
    ) -> Result<Vec<f64>, QuantizeError> {
        let spec = self.graph.tensor(id);
        let Some(input) = self.calibration.inputs.get(&spec.name) else { return Ok(Vec::new()) };
        let count = spec.shape.last().copied().unwrap_or(1);
        if input.columns.is_empty() {
            return Ok(Vec::new());
        }
        let (tensor, got) = (spec.name.clone(), input.columns.len());
        if got != count {
            return Err(QuantizeError::Columns { tensor, expected: count, got });
        }
        for column in &input.columns {
            usable(&tensor, Some(*column))?;
        }
        if input.levels.is_some() || !self.absorbs(id, count) {
            return Ok(Vec::new());
        }
        let (unlike, reserve) = match self.calibration.source {
            CalibrationSource::Samples { count, .. } if count >= FEW_SAMPLES => (UNLIKE, 1.0),
            _ => (UNLIKE_IN_FEW, RESERVE_OF_FEW),
        };
        let largest = input.range.magnitude();
        // A column of zeros says nothing about the values to come: it reaches to 1.
        let reach = |range: &Range| match range.magnitude() {
            0.0 => largest.min(1.0),
            magnitude => magnitude.clamp(largest * SMALLEST, largest),
        };
        let reaches: Vec<f64> = input.columns.iter().map(reach).collect();
        let smallest = reaches.iter().copied().fold(largest, f64::min);
        if largest == 0.0 || smallest * unlike > largest {
            return Ok(Vec::new());
        }
        let shares = reaches.iter().map(|reach| (reserve * reach / largest).min(1.0));
        let scales = shares.map(|share| format.scale * share);
        scales.map(|scale| check_scale(&spec.name, scale).map(|()| scale)).collect()
    }

    /// Whether only layers read an input, each of whose channels takes one column.
    fn absorbs(&self, id: TensorId, columns: usize) -> bool {
        let reads = |op: &Op| op.inputs().contains(&id);
        let absorbs = |op: &Op| match op {
            Op::Affine(affine) => affine
                .terms
                .iter()
                .all(|term| term.input != id || column_of_channels(&term.view, columns).is_some()),
            _ => false,
        };
        !self.graph.outputs.contains(&id)
            && self.graph.nodes.iter().all(|node| !reads(&node.op) || absorbs(&node.op))
    }

    /// The layer to which every input has one scale.
    pub(crate) fn absorbed<'b>(&self, affine: &'b Affine) -> Cow<'b, Affine> {
        let is_uniform = |term: &Term| self.tensors[term.input.0].column_scales.is_empty();
        if affine.terms.iter().all(is_uniform) {
            return Cow::Borrowed(affine);
        }
        let mut absorbed = affine.clone();
        let outputs = absorbed.output.channels;
        for term in &mut absorbed.terms {
            let tensor = &self.tensors[term.input.0];
            let count = tensor.column_scales.len();
            let Some(columns) = column_of_channels(&term.view, count) else { continue };
            let taps = term.window.kernel_size[0] * term.window.kernel_size[1];
            let inputs = term.view.channels / term.window.groups;
            for (position, weight) in term.kernel.iter_mut().enumerate() {
                let group = position / (inputs * taps) / (outputs / term.window.groups);
                let channel = group * inputs + position / taps % inputs;
                *weight *= tensor.column_scales[columns[channel]] / tensor.scale;
            }
        }
        Cow::Owned(absorbed)
    }
}

/// The column that each channel of a view takes, where each takes one.
fn column_of_channels(view: &ImageView, columns: usize) -> Option<Vec<usize>> {
    let stays = |size: usize, stride: usize| size <= 1 || stride.checked_rem(columns) == Some(0);
    if !stays(view.height, view.strides[1]) || !stays(view.width, view.strides[2]) {
        return None;
    }
    (0..view.channels).map(|channel| view.index(channel, 0, 0).checked_rem(columns)).collect()
}

/// The most columns that may have scales of their own.
pub(crate) const MOST_COLUMNS: usize = 1 << 12;

/// The range of each column of samples with the last dimension `count`.
pub(crate) fn column_ranges(count: usize, values: impl Iterator<Item = f64>) -> Vec<Range> {
    let mut ranges = vec![Range { lo: f64::INFINITY, hi: f64::NEG_INFINITY }; count];
    for (element, value) in values.enumerate() {
        let range = &mut ranges[element % count];
        *range = Range { lo: range.lo.min(value), hi: range.hi.max(value) };
    }
    ranges
}
