//! The slot unit: requantization, saturation and activation of one accumulator to a lane.
//!
//! An accumulator `y` is never committed. With `u` the clamped value counted from the low end,
//! `r` the remainder and `w` the overflow beyond the clamp, it is *defined* as
//!
//! ```text
//! y + half = 2^shift · (low + u + w·σ) + r,   σ = 2u/high − 1,   w·u·(u − high) = 0
//! ```
//!
//! where `0 ≤ r < 2^shift`, `0 ≤ u ≤ high`, `w ≥ 0` by lookup. If `w ≠ 0` then `u` is 0 or `high`
//! and `σ` is −1 or 1, so the value in brackets is `low − w` or `low + high + w`, outside the
//! clamp; if `w = 0` it is inside. So `z = floor((y + half) / 2^shift)` fixes `r`, `u` and `w`:
//! there is one witness for every `y`. In a wide layer `z = low + u + 2^clamp_bits·w` instead.
//!
//! Where a max pool follows, a row states the accumulators of a window by the largest of them, `y`,
//! and what the others fall short of it by: shortfall `j`, at least 0 by lookup, is that of position
//! `j`, or of position `j + 1`, as two bits say that tell the position of `y`. There is one shortfall
//! less than there are positions, so whatever the bits, some position falls short by nothing, and
//! none exceeds `y`. In rows without a window all shortfalls are 0. As requantization never
//! decreases, the output of `y` is the largest of the outputs.
//!
//! All quantities are below 2^(shift + 40) or 2^63 in magnitude, far below the field's 2^253, so
//! equality in the field is equality of integers. The linear unit forces `y` to be the layer's accumulator.

use std::ops::{Add, Mul, Sub};

use halo2_proofs::{halo2curves::bn256::Fr, plonk::Expression};

use super::{
    columns::{Shortfalls, SlotLane, SlotUnit},
    packing::Packing,
    windows::{POSITIONS, position_weights},
};
use crate::{
    algebra::{Gates, Row, horner, integer, power_of_two, sum},
    chain::monomial::Lattice,
    frame::Limbs,
    integers,
};

pub(super) fn configure(unit: &SlotUnit, gates: &mut Gates<'_>) {
    weights_follow_the_lattice(unit, gates);
    for (place, lane) in unit.lanes.iter().enumerate() {
        if !lane.overflow.is_empty() {
            match unit.shape.is_covered {
                false => overflow_only_at_the_ends(unit, lane, gates),
                true => overflow_only_of_wide_outputs(unit, lane, gates),
            }
        }
        if !lane.value.is_empty() && !lane.is_looked_up() {
            output_is_the_value_or_the_activation(unit, (place, lane), gates);
        }
        if let Some(shortfalls) = &lane.shortfalls {
            shortfalls_have_one_position(shortfalls, gates);
        }
    }
    nothing_beside_a_wide_output(unit, gates);
    shortfalls_are_of_windows(unit, gates);
}

/// `p(next) · den = p · num + layer · den`: the weight of this row's values in the linear check.
fn weights_follow_the_lattice(unit: &SlotUnit, gates: &mut Gates<'_>) {
    gates.create("slot weights", |row| {
        let step = unit.chain.step(row, |_, challenge| challenge);
        let (current, following) = (row.cur(unit.chain.weight), row.next(unit.chain.weight));
        let identity = step.denominator * (following - step.layer) - step.numerator * current;
        [("den·(p' − layer) = num·p", identity)]
    });
}

/// `w·u·(u − high) = 0` in clamped rows.
fn overflow_only_at_the_ends(unit: &SlotUnit, lane: &SlotLane, gates: &mut Gates<'_>) {
    gates.create("slot overflow", |row| {
        let value = clamped_value(unit, lane, row);
        let overflow = row.limbs(&lane.overflow);
        let kinds = clamp_kinds(unit, row).into_iter();
        let to_high = sum(kinds.map(|(selector, high)| selector * (value.clone() - integer(high))));
        [("w·u·(u − high) = 0", overflow * value * to_high)]
    });
}

/// Where tables have an entry for every accumulator, limbs of an overflow are those of wide outputs: a
/// sum of limbs, none of which is negative, is 0 where all of them are.
fn overflow_only_of_wide_outputs(unit: &SlotUnit, lane: &SlotLane, gates: &mut Gates<'_>) {
    let Some(q_wide) = unit.q_wide else { return };
    gates.create("slot overflow", |row| {
        let overflow = row.limbs(&lane.overflow);
        [("no overflow under a table", row.on() * (integer(1) - row.fixed(q_wide)) * overflow)]
    });
}

/// `q = low + u` in a row without table, the table's entry in a row with one, and `2^clamp_bits·w` more
/// in a wide layer's.
fn output_is_the_value_or_the_activation(
    unit: &SlotUnit,
    (place, lane): (usize, &SlotLane),
    gates: &mut Gates<'_>,
) {
    gates.create("slot output", |row| {
        let (low, output) = (row.fixed(unit.low), row.cur(lane.output));
        let value = row.limbs(&lane.value);
        let on = row.on();
        let output = match unit.q_wide.filter(|_| place < unit.shape.wide_lanes) {
            Some(q_wide) => {
                let clamp = power_of_two(unit.shape.clamp_bits);
                output - row.fixed(q_wide) * row.limbs(&lane.overflow) * clamp
            }
            None => output,
        };
        let Some(activation) = lane.activation else {
            return vec![("q = low + u", on * (output - low - value))];
        };
        let table = sum(unit.q_tables.iter().map(|&q_table| row.fixed(q_table)));
        let activation = row.cur(activation);
        let linear = match unit.q_wide.filter(|_| unit.shape.is_tabled) {
            Some(q_wide) => row.fixed(q_wide) * (low + value),
            None => (integer(1) - table.clone()) * (low + value),
        };
        let mut constraints =
            vec![("q = low + u or the activation", on * (output - linear - activation))];
        // The table is indexed by the lowest limb alone.
        for &limb in lane.value.columns().iter().skip(1) {
            constraints.push(("no high limbs under a table", table.clone() * row.cur(limb)));
        }
        constraints
    });
}

/// A shortfall is that of its position or of the next, not parts of both.
fn shortfalls_have_one_position(shortfalls: &Shortfalls, gates: &mut Gates<'_>) {
    gates.create("slot shortfall", |row| {
        let on = row.on();
        let Shortfalls { is_above, is_left, .. } = *shortfalls;
        [is_above, is_left].map(|column| {
            let bit = row.cur(column);
            ("the position is two bits", on.clone() * bit.clone() * (bit - integer(1)))
        })
    });
}

/// Rows without a window have no shortfalls: a sum of limbs, none of which is negative, is 0 where
/// all of them are.
fn shortfalls_are_of_windows(unit: &SlotUnit, gates: &mut Gates<'_>) {
    let Some(q_window) = unit.q_window else { return };
    gates.create("slot window", |row| {
        let lanes = unit.lanes.iter().filter_map(|lane| lane.shortfalls.as_ref());
        let limbs = lanes.flat_map(|shortfalls| &shortfalls.limbs).flat_map(Limbs::columns);
        let all = sum(limbs.map(|&limb| row.cur(limb)).collect::<Vec<_>>());
        [("no shortfalls without a window", row.on() * (integer(1) - row.fixed(q_window)) * all)]
    });
}

/// `Σ_t μ_t·(y − y_t)`, `μ_t` the weight of a position.
fn weighed_shortfalls(
    shortfalls: &Shortfalls,
    weights: &[Expression<Fr>; POSITIONS],
    row: &mut Row<'_, '_>,
) -> Expression<Fr> {
    let [above, left] = [shortfalls.is_above, shortfalls.is_left].map(|bit| row.cur(bit));
    let steps = weights.windows(2).map(|pair| (pair[0].clone(), pair[1].clone() - pair[0].clone()));
    let terms = shortfalls.limbs.iter().zip(is_next(above, left)).zip(steps);
    sum(terms.map(|((limbs, next), (weight, step))| row.limbs(limbs) * (weight + next * step)))
}

/// For each shortfall whether it is that of the next position: whether the position of the largest,
/// given by two bits, is not behind its own.
pub(super) fn is_next<T>(above: T, left: T) -> [T; POSITIONS - 1]
where
    T: Clone + Add<Output = T> + Sub<Output = T> + Mul<Output = T>,
{
    let both = above.clone() * left.clone();
    [both.clone(), above.clone(), above + left - both]
}

/// The channels of a wide layer are packed with a base of their own, which is not that of the lanes
/// beside those that can hold them. So what those state must be 0.
fn nothing_beside_a_wide_output(unit: &SlotUnit, gates: &mut Gates<'_>) {
    let Some(q_wide) = unit.q_wide else { return };
    for lane in unit.lanes.iter().skip(unit.shape.wide_lanes) {
        gates.create("wide output", |row| {
            let stated = wide_accumulator(unit, lane, row);
            [("nothing in the other lanes", row.fixed(q_wide) * stated)]
        });
    }
}

/// `y − bias` of a lane in a row of a wide layer.
fn wide_accumulator(unit: &SlotUnit, lane: &SlotLane, row: &mut Row<'_, '_>) -> Expression<Fr> {
    let overflow = row.limbs(&lane.overflow) * power_of_two(unit.shape.clamp_bits);
    let total = clamped_value(unit, lane, row) + overflow;
    accumulator(unit, lane, total, row)
}

/// What lanes of a row add to its share beyond what they would in the packs of other layers: 0 but for
/// rows of wide layers.
fn beyond_narrow_packs(unit: &SlotUnit, row: &mut Row<'_, '_>) -> Option<Expression<Fr>> {
    let (q_wide, shape) = (unit.q_wide.filter(|_| unit.shape.wide_lanes > 1)?, &unit.shape);
    let alpha = row.lattice().channel;
    let lanes = unit.lanes.iter().take(shape.wide_lanes);
    let lanes: Vec<_> = lanes.map(|lane| wide_accumulator(unit, lane, row)).collect();
    let narrow = packed(shape.packing, lanes.clone(), &alpha);
    Some(row.fixed(q_wide) * (packed(shape.wide_packing, lanes, &alpha) - narrow))
}

/// `u`, counted from the low end of the clamp.
fn clamped_value(unit: &SlotUnit, lane: &SlotLane, row: &mut Row<'_, '_>) -> Expression<Fr> {
    if lane.value.is_empty() {
        row.cur(lane.output) - row.fixed(unit.low)
    } else {
        row.limbs(&lane.value)
    }
}

/// The selectors of the clamped kinds of rows, each with its largest `u`.
fn clamp_kinds(unit: &SlotUnit, row: &mut Row<'_, '_>) -> Vec<(Expression<Fr>, i64)> {
    let clamp = unit.q_clamp.map(|column| (column, (1 << unit.shape.clamp_bits) - 1));
    let tables = unit.q_tables.iter().copied().zip(unit.shape.table_highs.iter().copied());
    let kinds = clamp.into_iter().chain(tables);
    kinds.map(|(column, high)| (row.fixed(column), high)).collect()
}

/// `y − bias` of a lane whose rounded accumulator, counted from the low end, is `total`.
fn accumulator(
    unit: &SlotUnit,
    lane: &SlotLane,
    total: Expression<Fr>,
    row: &mut Row<'_, '_>,
) -> Expression<Fr> {
    let remainder = row.limbs(&lane.remainder);
    total * power_of_two(unit.shape.shift) + remainder - row.fixed(lane.offset)
}

/// `Σ_runs α^run · Σ_lanes B^lane · (y − bias)`: this row's share of the linear check, before its
/// weight. Runs and base of a wide layer are those of its own packs. Where the lanes of a row are
/// positions it is `Σ_lanes ρ^lane · (y − bias)`.
///
/// With windows it is `Σ_t μ_t · (y_t − bias) = μ·(y − bias) − Σ_t μ_t·(y − y_t)`, `μ_t` the weight of a
/// position and `μ = Σ_t μ_t`. A row without a window, whose shortfalls are 0, has the factor `μ` as
/// well, as this leaves the degree what it is: the linear unit multiplies the other side of such
/// layers with it.
pub(super) fn accumulators(unit: &SlotUnit, row: &mut Row<'_, '_>) -> Expression<Fr> {
    let lattice = row.lattice();
    let lanes = unit.lanes.iter().map(|lane| whole_accumulator(unit, lane, row)).collect();
    let outputs = side_by_side(unit, lanes, &lattice);
    let outputs = match beyond_narrow_packs(unit, row) {
        Some(beyond) => outputs + beyond,
        None => outputs,
    };
    if unit.q_window.is_none() {
        return outputs;
    }
    let weights = position_weights(&lattice);
    let lanes = unit.lanes.iter().filter_map(|lane| lane.shortfalls.as_ref());
    let lanes = lanes.map(|shortfalls| weighed_shortfalls(shortfalls, &weights, row)).collect();
    outputs * sum(weights) - packed(unit.shape.packing, lanes, &lattice.channel)
}

/// `y − bias` of a lane.
fn whole_accumulator(unit: &SlotUnit, lane: &SlotLane, row: &mut Row<'_, '_>) -> Expression<Fr> {
    let value = clamped_value(unit, lane, row);
    let mut total = value.clone();
    if !lane.overflow.is_empty() {
        let overflow = row.limbs(&lane.overflow);
        total = total + overflow * overflow_factor(unit, &value, row);
    }
    accumulator(unit, lane, total, row)
}

/// What a unit of overflow adds to the rounded accumulator: `σ(u)`, or the first value beyond the
/// clamp in the rows of a wide layer.
fn overflow_factor(
    unit: &SlotUnit,
    value: &Expression<Fr>,
    row: &mut Row<'_, '_>,
) -> Expression<Fr> {
    let clamped = sum(clamp_kinds(unit, row)
        .into_iter()
        .map(|(selector, high)| selector * (value.clone() * slope(high) - integer(1))));
    match unit.q_wide {
        Some(q_wide) => clamped + row.fixed(q_wide) * power_of_two(unit.shape.clamp_bits),
        None => clamped,
    }
}

/// `2/high`, and 0 for a single value.
pub(super) fn slope(high: i64) -> Fr {
    integers::field(high).invert().unwrap_or(Fr::zero()).double()
}

/// What the lanes of a row are together: positions, or channels.
fn side_by_side(
    unit: &SlotUnit,
    lanes: Vec<Expression<Fr>>,
    lattice: &Lattice<Expression<Fr>>,
) -> Expression<Fr> {
    match unit.shape.is_abreast {
        true => horner(lanes, &lattice.column),
        false => packed(unit.shape.packing, lanes, &lattice.channel),
    }
}

/// `Σ_runs α^run · Σ_lanes B^lane · lane`.
fn packed(packing: Packing, lanes: Vec<Expression<Fr>>, alpha: &Expression<Fr>) -> Expression<Fr> {
    let base = power_of_two(packing.digit_bits);
    let runs = lanes.chunks(packing.run).map(|run| horner(run.to_vec(), &base)).collect();
    horner(runs, alpha)
}
