//! The softmax unit: one row per element of a group.
//!
//! With `m` the group's largest element, `E = table[m − x]` by lookup, `S` the sum of the group's
//! `E`, the output is the quotient in `2^(bits+1)·E + S = 2·S·output + r`, `0 ≤ r < 2S`: both
//! `r` and `2S − 1 − r` are made of range-checked limbs, so the quotient is unique. The lookup
//! proves `m ≥ x`; exactly one row of the group, marked by `is_maximum`, has `m = x`. `S` is at
//! least 4096 because that row's `E` is, and below 2^40, so nothing wraps around the field.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, VirtualCells},
};

use super::{cur, fixed, integer, limbs, next, power_of_two};
use crate::config::{Config, SoftmaxUnit};

pub(super) fn configure(meta: &mut ConstraintSystem<Fr>, config: &Config) {
    let (Some(unit), Some(shape)) = (&config.softmax, &config.shape.softmax) else { return };
    group_totals(meta, unit);
    meta.create_gate("softmax quotient", |meta| {
        let q = fixed(meta, unit.q_row);
        let twice = cur(meta, unit.sum) * integer(2);
        let numerator =
            cur(meta, unit.exponential) * power_of_two(shape.bits + 1) + cur(meta, unit.sum);
        let output = cur(meta, unit.output);
        let remainder = limbs(meta, &unit.remainder_limbs, &shape.remainder_limbs);
        let slack = limbs(meta, &unit.slack_limbs, &shape.remainder_limbs);
        let output_limbs = limbs(meta, &unit.output_limbs, &shape.output_limbs);
        let division = numerator - twice.clone() * output.clone() - remainder.clone();
        vec![
            ("2^(bits+1)·E + S = 2·S·output + r", q.clone() * division),
            ("r + slack = 2S − 1", q.clone() * (remainder + slack + integer(1) - twice)),
            ("output = limbs", q * (output - output_limbs)),
        ]
    });
}

/// Maximum and sum are the same on every row of a group, and what its rows add up to.
fn group_totals(meta: &mut ConstraintSystem<Fr>, unit: &SoftmaxUnit) {
    meta.create_gate("softmax maximum", |meta| {
        let q = fixed(meta, unit.q_row);
        let mark = cur(meta, unit.is_maximum);
        let difference = cur(meta, unit.maximum) - cur(meta, unit.input);
        let last = fixed(meta, unit.q_last);
        vec![
            ("mark is 0 or 1", q.clone() * mark.clone() * (mark.clone() - integer(1))),
            ("the marked element is the maximum", q * mark * difference),
            ("one element is marked", last * (cur(meta, unit.maximum_count) - integer(1))),
        ]
    });
    meta.create_gate("softmax running totals", |meta| {
        let first = fixed(meta, unit.q_first);
        let last = fixed(meta, unit.q_last);
        let inner = fixed(meta, unit.q_row) - last.clone();
        let same = |meta: &mut VirtualCells<'_, Fr>, column| next(meta, column) - cur(meta, column);
        let (count, mark) = (unit.maximum_count, unit.is_maximum);
        let (partial, exponential) = (unit.partial_sum, unit.exponential);
        vec![
            ("one maximum", inner.clone() * same(meta, unit.maximum)),
            ("one sum", inner.clone() * same(meta, unit.sum)),
            ("count starts", first.clone() * (cur(meta, count) - cur(meta, mark))),
            ("count runs", inner.clone() * (same(meta, count) - next(meta, mark))),
            ("sum starts", first * (cur(meta, partial) - cur(meta, exponential))),
            ("sum runs", inner * (same(meta, partial) - next(meta, exponential))),
            ("sum ends", last * (cur(meta, partial) - cur(meta, unit.sum))),
        ]
    });
}
