//! The integer format of an input that only decision trees read: so fine that every comparison is
//! that of single-precision numbers.
//!
//! A column is counted in a power of two that divides every threshold and is no larger than the
//! step from a threshold to the next single-precision number. Then `x ≤ t` holds exactly where it
//! does for the integers. Thresholds below `2^−26` of the largest are the exception: the unit is
//! `2^−50` of the largest, so that integers are exact in double precision.

use std::collections::BTreeMap;

use super::input::InputFormats;
use crate::calibration::{MOST_COLUMNS, Range};
use crate::error::QuantizeError;
use crate::graph::Op;
use crate::numbers::power_of_two;
use crate::quantizer::{Format, check_scale, usable};
use crate::tensor::TensorId;
use crate::view::View;

/// Bits of a single-precision number after the first.
const FRACTION_BITS: i32 = 23;
/// Most units, and units that a column without thresholds has, log2.
const MOST_UNITS: i32 = 50;
const FEW_UNITS: i32 = 30;
/// How far beyond the values that calibration saw integers reach.
const HEADROOM: f64 = 4.0;
/// Thresholds below this are about signs.
const SMALLEST: i32 = -100;

/// What is known of a column: its largest magnitude, and the step of its finest threshold.
#[derive(Clone, Copy, Debug)]
struct Column {
    reach: f64,
    finest: Option<i32>,
}

impl Column {
    /// The exponent of its unit.
    fn unit(self) -> i32 {
        let largest = libm::ilogb(self.reach) + 1;
        self.finest.map_or(largest - FEW_UNITS, |finest| finest.max(largest - MOST_UNITS))
    }
}

impl InputFormats<'_> {
    /// The format of input `id` and the scales of its columns, where only trees read it and the
    /// options leave its bits open.
    pub(super) fn compared_format(
        &self,
        id: TensorId,
    ) -> Result<Option<(Format, Vec<f64>)>, QuantizeError> {
        let spec = self.graph.tensor(id);
        if self.options.input_bits.is_some() {
            return Ok(None);
        }
        let Some(thresholds) = self.thresholds_of(id) else { return Ok(None) };
        let input = self.calibration.inputs.get(&spec.name);
        let range = usable(&spec.name, input.map(|input| input.range))?;
        let count = spec.shape.last().copied().unwrap_or(1);
        let has_columns = count <= MOST_COLUMNS;
        let seen = |column: usize| {
            let columns = input.map(|input| &input.columns[..]).unwrap_or_default();
            columns.get(column).copied().filter(|_| columns.len() == count).unwrap_or(range)
        };
        let columns: Vec<Column> = if has_columns {
            (0..count)
                .map(|c| column(seen(c), thresholds.iter().filter(|(e, _)| e % count == c)))
                .collect()
        } else {
            vec![column(range, thresholds.iter())]
        };
        let units: Vec<i32> = columns.iter().map(|column| column.unit()).collect();
        let bits = columns.iter().zip(&units);
        let bits = bits.map(|(column, unit)| libm::ilogb(column.reach) + 2 - unit).max();
        let bits = u32::try_from(bits.unwrap_or(FEW_UNITS)).unwrap_or(2).max(2);
        let (lo, hi) = (-power_of_two(bits - 1), power_of_two(bits - 1) - 1);
        let scales: Vec<f64> = units.iter().map(|&unit| libm::scalbn(1.0, unit)).collect();
        scales.iter().try_for_each(|&scale| check_scale(&spec.name, scale))?;
        let scale = scales.iter().copied().fold(0.0, f64::max);
        let scales = if has_columns && count > 1 { scales } else { Vec::new() };
        Ok(Some((Format { scale, lo, hi }, scales)))
    }

    /// What the elements of an input are compared with, where nothing but trees reads it.
    fn thresholds_of(&self, id: TensorId) -> Option<Vec<(usize, f64)>> {
        let graph = self.graph;
        // For each tensor that takes the input's elements, which ones.
        let mut taken: BTreeMap<TensorId, View> = BTreeMap::new();
        taken.insert(id, View::in_order(graph.tensor(id).len()));
        let mut thresholds = Vec::new();
        let mut is_compared = false;
        for node in &graph.nodes {
            match &node.op {
                Op::Alias(alias) if taken.contains_key(&alias.input) => {
                    let elements = alias.elements.after(&taken[&alias.input]);
                    taken.insert(node.output, elements);
                }
                Op::Forest(forest) if taken.contains_key(&forest.input) => {
                    is_compared = true;
                    let before = &taken[&forest.input];
                    let branches = forest.trees.iter().flat_map(|tree| &tree.branches);
                    thresholds.extend(branches.map(|b| (before.get(b.element), b.threshold)));
                }
                op if op.inputs().iter().any(|input| taken.contains_key(input)) => return None,
                _ => {}
            }
        }
        let is_output = graph.outputs.iter().any(|output| taken.contains_key(output));
        (is_compared && !is_output).then_some(thresholds)
    }
}

fn column<'a>(seen: Range, thresholds: impl Iterator<Item = &'a (usize, f64)>) -> Column {
    let reach = if seen.magnitude() > 0.0 { HEADROOM * seen.magnitude() } else { 1.0 };
    thresholds.fold(Column { reach, finest: None }, |column, &(_, threshold)| {
        let magnitude = threshold.abs();
        if !magnitude.is_finite() || magnitude < libm::scalbn(1.0, SMALLEST) {
            return column;
        }
        let step = libm::ilogb(magnitude) - FRACTION_BITS;
        let finest = column.finest.map_or(step, |finest| finest.min(step));
        Column { reach: column.reach.max(magnitude), finest: Some(finest) }
    })
}
