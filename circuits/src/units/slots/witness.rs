//! The slot unit's first phase: every requantized value, in small integers.

use rayon::prelude::*;

use super::{
    columns::{Shortfalls, SlotLane, SlotShape, SlotUnit},
    kind::RequantKind,
    rows::{Layer, LayerTable, SlotRows},
    windows::{POSITIONS, WINDOW},
};
use crate::{
    cells::{Group, IntegerCells, Run},
    integers::{half, split},
};

/// Lane by lane.
pub(super) fn assign(unit: &SlotUnit, rows: &SlotRows, run: Run<'_>, cells: &mut IntegerCells) {
    let Some(first) = unit.lanes.first() else { return };
    let widths = unit.lanes.iter().map(SlotLane::width);
    let groups: Vec<_> = cells.groups(first.output, widths).zip(&unit.lanes).collect();
    groups.into_par_iter().enumerate().for_each(|(index, (mut group, lane))| {
        assign_lane(&unit.shape, (rows, run), (index, lane), &mut group);
    });
}

fn assign_lane(
    shape: &SlotShape,
    (rows, run): (&SlotRows, Run<'_>),
    (index, lane): (usize, &SlotLane),
    cells: &mut Group<'_>,
) {
    for row in 0..rows.row_count() {
        let Some(layer) = rows.layer(row) else { continue };
        let of_layer = layer.index as usize;
        let elements = rows.layout.elements(row, index);
        // Where there is no element there are no inputs: the accumulator is the bias.
        let bias = rows.biases[of_layer].get(elements[0] as usize).map_or(0, |&bias| bias);
        let known = run.execution.accumulators[layer.node].as_deref().unwrap_or_default();
        let accumulators =
            elements.iter().map(|&element| known.get(element as usize).copied().unwrap_or(bias));
        let positions = if layer.pooling.is_some() { POSITIONS } else { 1 };
        let accumulators: Vec<_> = accumulators.take(positions).collect();
        let largest = accumulators.iter().copied().fold(i64::MIN, i64::max);
        let table = rows.tables[of_layer].as_ref();
        let mut slot = match lane.is_idle(layer.kind) {
            true => Slot::idle(shape),
            false => Slot::of(shape, layer, table, largest),
        };
        if layer.kind == RequantKind::Wide && index < shape.wide_lanes {
            slot.output += slot.overflow << shape.clamp_bits;
        }
        slot.assign(shape, lane, row, cells);
        if let Some(shortfalls) = &lane.shortfalls {
            assign_shortfalls(shortfalls, &accumulators, row, cells);
        }
    }
}

/// What all but one of the accumulators of a window fall short of the largest by, and its place;
/// nothing in a row without a window.
fn assign_shortfalls(
    shortfalls: &Shortfalls,
    accumulators: &[i64],
    row: usize,
    cells: &mut Group<'_>,
) {
    let largest = accumulators.iter().copied().fold(i64::MIN, i64::max);
    let place = accumulators.iter().position(|&accumulator| accumulator == largest).unwrap_or(0);
    let others = accumulators.iter().enumerate().filter(|(position, _)| *position != place);
    let others = others.map(|(_, accumulator)| largest - accumulator).chain(std::iter::repeat(0));
    for (limbs, short) in shortfalls.limbs.iter().zip(others) {
        cells.set_limbs(limbs, row, short);
    }
    cells.set(shortfalls.is_above, row, i64::from(place / WINDOW[1] == 0));
    cells.set(shortfalls.is_left, row, i64::from(place % WINDOW[1] == 0));
}

/// The parts of one accumulator.
struct Slot {
    output: i64,
    value: i64,
    /// What the table gives, if there is one.
    activation: Option<i64>,
    remainder: i64,
    overflow: i64,
}

impl Slot {
    /// Nothing, in a row of another lane's wide output.
    fn idle(shape: &SlotShape) -> Self {
        let remainder = half(shape.shift);
        Self { output: 0, value: 0, activation: None, remainder, overflow: 0 }
    }

    fn of(shape: &SlotShape, layer: &Layer, table: Option<&LayerTable>, accumulator: i64) -> Self {
        let (kind, requant) = (layer.kind, &layer.requant);
        let rounded = requant.round(accumulator);
        let remainder = accumulator + half(requant.shift) - (rounded << requant.shift);
        let (low, high) = (i64::from(requant.lo), i64::from(requant.hi));
        let clamped = rounded.clamp(low, high);
        let (value, overflow) = match kind {
            RequantKind::Wide => {
                let bits = shape.clamp_bits;
                ((rounded - low) & ((1 << bits) - 1), (rounded - low) >> bits)
            }
            RequantKind::Clamp | RequantKind::Table => (clamped - low, (rounded - clamped).abs()),
        };
        let entry = |table: &LayerTable| {
            let index = usize::try_from(clamped - low).expect("a clamped value is not below `low`");
            table.values[index]
        };
        let activation = table.map(entry);
        let output = activation.map_or(low + value, |activation| activation);
        Self { output, value, activation, remainder, overflow }
    }

    /// Puts them into a lane. Under a table the lowest limb has the whole value.
    fn assign(&self, shape: &SlotShape, lane: &SlotLane, row: usize, cells: &mut Group<'_>) {
        cells.set(lane.output, row, self.output);
        let limbs: Vec<_> = split(self.value, &shape.value_limbs).collect();
        for (place, &column) in lane.value.columns().iter().enumerate() {
            let limb = match (self.activation, place) {
                (Some(_), 0) => self.value,
                (Some(_), _) => 0,
                (None, _) => limbs[place],
            };
            cells.set(column, row, limb);
        }
        if let Some(column) = lane.activation {
            cells.set(column, row, self.activation.unwrap_or(0));
        }
        cells.set_limbs(&lane.remainder, row, self.remainder);
        cells.set_limbs(&lane.overflow, row, self.overflow);
    }
}
