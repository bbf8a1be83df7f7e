//! A scale for each column of an input whose features differ in size.
//!
//! The first layer absorbs them: to it the input has one scale, the largest, and its weights are
//! multiplied by what each column's scale is of that.

use super::input::InputFormats;
use crate::calibration::{CalibrationSource, Range};
use crate::error::QuantizeError;
use crate::graph::{Node, Op};
use crate::ops::affine::columns::column_of_channels;
use crate::quantizer::{Format, Quantizer, check_scale, usable};
use crate::tensor::TensorId;
use crate::view::View;

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

impl InputFormats<'_> {
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

    /// Whether only layers read an input, or a choice of its columns, each of whose channels takes one
    /// column.
    fn absorbs(&self, id: TensorId, columns: usize) -> bool {
        let absorbs = |node: &Node| match &node.op {
            Op::Affine(affine) => affine
                .terms
                .iter()
                .all(|term| term.input != id || column_of_channels(&term.view, columns).is_some()),
            Op::Alias(alias) if alias.input == id => {
                let width = self.graph.tensor(node.output).shape.last().copied().unwrap_or(1);
                let chosen = chosen_columns(&alias.elements, columns, width);
                chosen.is_some() && self.absorbs(node.output, width)
            }
            op => !op.inputs().contains(&id),
        };
        !self.graph.outputs.contains(&id) && self.graph.nodes.iter().all(absorbs)
    }
}

/// For each index of the last dimension of a choice of elements the column that it takes; `None`
/// where it takes several.
fn chosen_columns(elements: &View, columns: usize, width: usize) -> Option<Vec<usize>> {
    let mut chosen = vec![None; width];
    for (position, element) in elements.iter().enumerate() {
        let column = element.checked_rem(columns)?;
        let known = chosen[position.checked_rem(width)?].get_or_insert(column);
        if *known != column {
            return None;
        }
    }
    chosen.into_iter().collect()
}

impl Quantizer<'_> {
    /// A choice of columns has the scales of those.
    pub(super) fn choose_column_scales(&mut self, op: &Op, output: TensorId) {
        let Op::Alias(alias) = op else { return };
        let scales = &self.tensors[alias.input.0].column_scales;
        let width = self.tensors[output.0].shape.last().copied().unwrap_or(1);
        let chosen = chosen_columns(&alias.elements, scales.len(), width).unwrap_or_default();
        let chosen = chosen.into_iter().map(|column| scales[column]).collect();
        self.tensors[output.0].column_scales = chosen;
    }
}
