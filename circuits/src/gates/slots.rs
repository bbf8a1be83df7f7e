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
//! `j`, or of position `j + 1` where a bit says so. There is one shortfall less than there are
//! positions, so whatever the bits, some position falls short by nothing, and none exceeds `y`.
//! As requantization never decreases, the output of `y` is the largest of the outputs.
//!
//! All quantities are below 2^(shift + 40) or 2^63 in magnitude, far below the field's 2^253, so equality
//! in the field is equality of integers. The linear unit forces `y` to be the layer's accumulator.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, Expression, VirtualCells},
};

use super::{
    chain_move, cur, fixed, horner, integer, limbs, next, position_weights, power_of_two, sum,
};
use crate::config::{Config, SlotColumns};

pub(super) fn configure(meta: &mut ConstraintSystem<Fr>, config: &Config) {
    weights_follow_the_lattice(meta, config);
    for lane in &config.slots.lanes {
        if !lane.overflow.is_empty() {
            overflow_only_at_the_ends(meta, config, lane);
        }
        if config.shape.has_output_column() {
            output_is_the_value_or_the_activation(meta, config, lane);
        }
        if !lane.shortfalls.is_empty() {
            shortfalls_have_one_position(meta, config, lane);
        }
    }
    wide_output(meta, config);
}

/// `p(next) · den = p · num + layer · den`: the weight of this row's values in the linear check.
fn weights_follow_the_lattice(meta: &mut ConstraintSystem<Fr>, config: &Config) {
    let chain = &config.slots.chain;
    meta.create_gate("slot weights", |meta| {
        let on = fixed(meta, config.q_on);
        let scales = vec![None; config.layers.len()];
        let step = chain_move(meta, config, (chain, &config.shape.slot_steps), &scales);
        let (current, following) = (cur(meta, chain.weight), next(meta, chain.weight));
        let identity = step.denominator * (following - step.layer) - step.numerator * current;
        [("den·(p' − layer) = num·p", on * identity)]
    });
}

/// `w·u·(u − high) = 0` in clamped rows.
fn overflow_only_at_the_ends(meta: &mut ConstraintSystem<Fr>, config: &Config, lane: &SlotColumns) {
    meta.create_gate("slot overflow", |meta| {
        let value = clamped_value(meta, config, lane);
        let overflow = limbs(meta, &lane.overflow, &config.shape.overflow_limbs);
        let to_high = sum(clamp_kinds(meta, config)
            .into_iter()
            .map(|(selector, high)| selector * (value.clone() - integer(high))));
        [("w·u·(u − high) = 0", overflow * value * to_high)]
    });
}

/// `q = low + u` in a row without table, the table's entry in a row with one.
fn output_is_the_value_or_the_activation(
    meta: &mut ConstraintSystem<Fr>,
    config: &Config,
    lane: &SlotColumns,
) {
    meta.create_gate("slot output", |meta| {
        let (low, output) = (fixed(meta, config.slots.low), cur(meta, lane.output));
        let value = limbs(meta, &lane.value, &config.shape.value_limbs);
        let on = fixed(meta, config.q_on);
        let Some((q_table, activation)) = config.slots.q_table.zip(lane.activation) else {
            return vec![("q = low + u", on * (output - low - value))];
        };
        let (table, activation) = (fixed(meta, q_table), cur(meta, activation));
        let linear = (integer(1) - table.clone()) * (low + value);
        let mut constraints =
            vec![("q = low + u or the activation", on * (output - linear - activation))];
        // The table is indexed by the lowest limb alone.
        for &limb in lane.value.iter().skip(1) {
            constraints.push(("no high limbs under a table", table.clone() * cur(meta, limb)));
        }
        constraints
    });
}

/// A shortfall is that of its position or of the next, not parts of both.
fn shortfalls_have_one_position(
    meta: &mut ConstraintSystem<Fr>,
    config: &Config,
    lane: &SlotColumns,
) {
    meta.create_gate("slot shortfall", |meta| {
        let on = fixed(meta, config.q_on);
        let bits = lane.shortfalls.iter().map(|shortfall| cur(meta, shortfall.is_next));
        let is_bit = |bit: Expression<Fr>| on.clone() * bit.clone() * (bit - integer(1));
        bits.map(|bit| ("next is 0 or 1", is_bit(bit))).collect::<Vec<_>>()
    });
}

/// `Σ_t μ_t·(y − y_t)`, `μ_t` the weight of a position.
fn weighed_shortfalls(
    meta: &mut VirtualCells<'_, Fr>,
    config: &Config,
    lane: &SlotColumns,
    weights: &[Expression<Fr>],
) -> Expression<Fr> {
    let widths = config.shape.window_limbs.as_deref().unwrap_or_default();
    sum(lane.shortfalls.iter().zip(weights.windows(2)).map(|(shortfall, weights)| {
        let step = weights[1].clone() - weights[0].clone();
        let weight = weights[0].clone() + cur(meta, shortfall.is_next) * step;
        limbs(meta, &shortfall.limbs, widths) * weight
    }))
}

/// `out = q + 2^clamp_bits·w` in the rows of a wide layer. Its channels are packed with a base of
/// their own, which is not that of the lanes, so what the other lanes state must be 0.
fn wide_output(meta: &mut ConstraintSystem<Fr>, config: &Config) {
    let Some((q_wide, column)) = config.slots.q_wide.zip(config.slots.wide_output) else { return };
    let Some(lane) = config.slots.lanes.first() else { return };
    meta.create_gate("wide output", |meta| {
        let overflow = limbs(meta, &lane.overflow, &config.shape.overflow_limbs);
        let high_part = overflow * power_of_two(config.shape.clamp_bits);
        let difference = cur(meta, column) - cur(meta, lane.output) - high_part;
        let q_wide = fixed(meta, q_wide);
        let mut constraints = vec![("out = q + 2^b·w", q_wide.clone() * difference)];
        for lane in &config.slots.lanes[1..] {
            let overflow = limbs(meta, &lane.overflow, &config.shape.overflow_limbs);
            let total = clamped_value(meta, config, lane)
                + overflow * power_of_two(config.shape.clamp_bits);
            let stated = accumulator(meta, config, lane, total);
            constraints.push(("nothing in the other lanes", q_wide.clone() * stated));
        }
        constraints
    });
}

/// `u`, counted from the low end of the clamp.
pub(super) fn clamped_value(
    meta: &mut VirtualCells<'_, Fr>,
    config: &Config,
    lane: &SlotColumns,
) -> Expression<Fr> {
    if config.shape.has_output_column() {
        limbs(meta, &lane.value, &config.shape.value_limbs)
    } else {
        cur(meta, lane.output) - fixed(meta, config.slots.low)
    }
}

/// The selectors of the clamped kinds of rows, each with its largest `u`.
fn clamp_kinds(meta: &mut VirtualCells<'_, Fr>, config: &Config) -> Vec<(Expression<Fr>, i64)> {
    let high = |bits: u32| (1i64 << bits) - 1;
    let clamp = config.slots.q_clamp.map(|column| (column, config.shape.clamp_bits));
    let table = config.slots.q_table.zip(config.shape.table_bits);
    let kinds = clamp.into_iter().chain(table);
    kinds.map(|(column, bits)| (fixed(meta, column), high(bits))).collect()
}

/// `y − bias` of a lane whose rounded accumulator, counted from the low end, is `total`.
fn accumulator(
    meta: &mut VirtualCells<'_, Fr>,
    config: &Config,
    lane: &SlotColumns,
    total: Expression<Fr>,
) -> Expression<Fr> {
    let remainder = limbs(meta, &lane.remainder, &config.shape.remainder_limbs);
    total * power_of_two(config.shape.shift) + remainder - fixed(meta, lane.offset)
}

/// `Σ_runs α^run · Σ_lanes B^lane · (y − bias)`: this row's share of the linear check, before its
/// weight.
///
/// With windows it is `Σ_t μ_t · (y_t − bias) = μ·(y − bias) − Σ_t μ_t·(y − y_t)`, `μ_t` the weight of a
/// position and `μ = Σ_t μ_t`. A row without a window has the factor `μ` as well, as this leaves
/// the degree what it is: the linear unit multiplies the other side of such layers with it.
pub(super) fn accumulators(meta: &mut VirtualCells<'_, Fr>, config: &Config) -> Expression<Fr> {
    let alpha = meta.query_challenge(config.challenges.channel);
    let overflow_factor = |meta: &mut VirtualCells<'_, Fr>, value: &Expression<Fr>| {
        let clamped = sum(clamp_kinds(meta, config).into_iter().map(|(selector, high)| {
            let slope = (crate::witness::field(high)).invert().unwrap_or(Fr::zero()).double();
            selector * (value.clone() * slope - integer(1))
        }));
        match config.slots.q_wide {
            Some(q_wide) => clamped + fixed(meta, q_wide) * power_of_two(config.shape.clamp_bits),
            None => clamped,
        }
    };
    let lanes = config
        .slots
        .lanes
        .iter()
        .map(|lane| {
            let value = clamped_value(meta, config, lane);
            let mut total = value.clone();
            if !lane.overflow.is_empty() {
                let overflow = limbs(meta, &lane.overflow, &config.shape.overflow_limbs);
                total = total + overflow * overflow_factor(meta, &value);
            }
            accumulator(meta, config, lane, total)
        })
        .collect::<Vec<_>>();
    let outputs = packed(config, lanes, &alpha);
    let Some(q_window) = config.slots.q_window else { return outputs };
    let weights = position_weights(meta, config);
    let lanes = config.slots.lanes.iter();
    let lanes = lanes.map(|lane| weighed_shortfalls(meta, config, lane, &weights));
    let short = packed(config, lanes.collect(), &alpha);
    outputs * sum(weights) - fixed(meta, q_window) * short
}

/// `Σ_runs α^run · Σ_lanes B^lane · lane`.
fn packed(config: &Config, lanes: Vec<Expression<Fr>>, alpha: &Expression<Fr>) -> Expression<Fr> {
    let packing = config.shape.packing;
    let base = power_of_two(packing.digit_bits);
    let runs = lanes.chunks(packing.run).map(|run| horner(run.to_vec(), &base)).collect();
    horner(runs, alpha)
}
