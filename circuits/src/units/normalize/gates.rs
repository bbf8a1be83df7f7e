//! Sums of a group, what they are checked for, and the chain over all groups.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression},
};

use super::columns::{Check, NormalizeUnit};
use crate::{
    algebra::{Gates, Row, horner, integer, power_of_two, sum},
    units::slots::position_weights,
};

pub(super) fn configure(unit: &NormalizeUnit, gates: &mut Gates<'_>) {
    evaluation(unit, gates);
    statistics(unit, gates);
    checks(unit, gates);
}

fn lanes(unit: &NormalizeUnit, row: &mut Row<'_, '_>) -> Vec<Expression<Fr>> {
    unit.elements.iter().map(|element| row.cur(element.column())).collect()
}

fn evaluation(unit: &NormalizeUnit, gates: &mut Gates<'_>) {
    gates.create("normalization evaluation", |row| {
        let on = row.on();
        let lanes = lanes(unit, row);
        let elements = sum(unit.q_reads.iter().map(|&(base, selector)| {
            row.fixed(selector) * horner(lanes.clone(), &power_of_two(base))
        }));
        let scaled = row.cur(unit.reciprocal) * elements;
        let read = match &unit.mean {
            Some(mean) => scaled - row.fixed(mean.weight) * row.cur(mean.shift),
            None => scaled,
        };
        let step = unit.chain.step(row, |_, challenge| challenge);
        let (current, following) = (row.cur(unit.chain.weight), row.next(unit.chain.weight));
        let identity = step.denominator * (following - read) - step.numerator * current;
        [("den·(f' − (R·x − M)) = num·f", on * identity)]
    });
}

/// Sums run over the rows that read; reciprocal and shift are those of the group on all its rows.
fn statistics(unit: &NormalizeUnit, gates: &mut Gates<'_>) {
    gates.create("group statistics", |row| {
        let first = row.fixed(unit.q_first);
        let reads = sum(unit.q_reads.iter().map(|&(_, selector)| row.fixed(selector)));
        let inside = reads.clone() + row.fixed(unit.q_hold);
        let lanes = lanes(unit, row);
        let step = |row: &mut Row<'_, '_>, column: Column<Advice>| -> Expression<Fr> {
            row.next(column) - row.cur(column)
        };
        let squares = sum(lanes.iter().map(|x| x.clone() * x.clone()));
        let mut constraints = vec![
            ("squares start at 0", first.clone() * row.cur(unit.squares)),
            ("squares run", inside.clone() * step(row, unit.squares) - reads.clone() * squares),
            ("one reciprocal", inside.clone() * step(row, unit.reciprocal)),
        ];
        if let Some(mean) = &unit.mean {
            let elements = row.fixed(mean.is_centered) * sum(lanes);
            constraints.extend([
                ("sum starts at 0", first * row.cur(mean.sum)),
                ("sum runs", inside.clone() * step(row, mean.sum) - reads * elements),
                ("one shift", inside * step(row, mean.shift)),
            ]);
        }
        constraints
    });
}

fn checks(unit: &NormalizeUnit, gates: &mut Gates<'_>) {
    gates.create("group checks", |row| {
        let (size, squares) = (row.fixed(unit.size), row.cur(unit.squares));
        let (reciprocal, variance) = (row.cur(unit.reciprocal), row.cur(unit.variance));
        let square = row.fixed(unit.square);
        let limbs = row.limbs(&unit.limbs);
        let [sum, shift] = match &unit.mean {
            Some(mean) => [mean.sum, mean.shift].map(|column| row.cur(column)),
            None => [integer(0), integer(0)],
        };
        let exact = size.clone() * squares - sum.clone() * sum.clone() + row.fixed(unit.epsilon);
        let has_variance =
            row.fixed(unit.q_check(Check::Low)) + row.fixed(unit.q_check(Check::High));
        let defined = has_variance * (variance.clone() - exact);
        let next = reciprocal.clone() + integer(1);
        let rest = reciprocal.clone() * sum - size.clone() * shift.clone();
        let half = power_of_two(unit.limbs.widths().iter().sum::<u32>().saturating_sub(1));
        let mut check = |(check, column)| {
            let (name, value) = match check {
                Check::Low => (
                    "low: N² − R²·V = limbs",
                    square.clone() - reciprocal.clone() * reciprocal.clone() * variance.clone(),
                ),
                Check::High => (
                    "high: (R + 1)²·V − 1 − N² = limbs",
                    next.clone() * next.clone() * variance.clone() - integer(1) - square.clone(),
                ),
                Check::Root => ("root: R = limbs", reciprocal.clone()),
                Check::Mean => ("mean: M + 2^(W−1) = limbs", shift.clone() + half.clone()),
                Check::Rest => ("rest: R·s − n·M = limbs", rest.clone()),
                Check::Slack => {
                    ("slack: n − 1 − (R·s − n·M) = limbs", size.clone() - integer(1) - rest.clone())
                }
            };
            (name, row.fixed(column) * (value - limbs.clone()))
        };
        let mut constraints: Vec<_> = unit.q_checks.iter().map(|&of| check(of)).collect();
        constraints.push(("V = n·t − s² + epsilon", defined));
        constraints
    });
}

/// `Σ_layers δ·f` in the rows where an evaluation is complete: what the row takes from the total.
pub(super) fn ended(unit: &NormalizeUnit, row: &mut Row<'_, '_>) -> Expression<Fr> {
    let challenges = row.challenges();
    let layer = sum(unit
        .ends
        .iter()
        .map(|&(layer, selector)| row.fixed(selector) * challenges.layers[layer as usize].clone()));
    let taken = row.cur(unit.chain.weight) * layer;
    if unit.is_scaled { taken * sum(position_weights(&challenges.lattice)) } else { taken }
}
