//! The three chains of the product unit, and their product.

use halo2_proofs::{halo2curves::bn256::Fr, plonk::Expression};

use super::columns::ProductUnit;
use crate::{
    algebra::{Gates, Row, horner, power_of_two, sum},
    chain::ChainColumns,
    units::slots::position_weights,
};

pub(super) fn configure(unit: &ProductUnit, gates: &mut Gates<'_>) {
    gates.create("product chains", |row| {
        let lattice = row.lattice();
        let lanes: Vec<_> = unit.reads.iter().map(|read| row.cur(read.column())).collect();
        let positions = row.fixed(unit.q_positions) * horner(lanes.clone(), &lattice.column);
        let channels = sum(unit.q_channels.iter().map(|&(base, selector)| {
            row.fixed(selector) * horner(lanes.clone(), &power_of_two(base))
        }));
        let started = started(unit, row);
        [
            ("e' = ρ^n·e + reads", moved(&unit.positions, positions, row)),
            ("den·(f' − reads) = num·f", moved(&unit.channels, channels, row)),
            ("g' = num·g + layer", moved(&unit.heads, started, row)),
        ]
    });
}

/// `den·(next − read) = num·current`.
fn moved(chain: &ChainColumns, read: Expression<Fr>, row: &mut Row<'_, '_>) -> Expression<Fr> {
    let on = row.on();
    let step = chain.step(row, |_, challenge| challenge);
    let (current, following) = (row.cur(chain.weight), row.next(chain.weight));
    on * (step.denominator * (following - read) - step.numerator * current)
}

/// The challenge of the layer that starts, with the weight of a whole window where the slot unit
/// has it.
fn started(unit: &ProductUnit, row: &mut Row<'_, '_>) -> Expression<Fr> {
    let challenges = row.challenges();
    let started = sum(unit
        .starts
        .iter()
        .map(|&(layer, selector)| row.fixed(selector) * challenges.layers[layer as usize].clone()));
    if !unit.is_scaled {
        return started;
    }
    started * sum(position_weights(&challenges.lattice))
}

/// `factor·g·e·f`: what the row takes from the total.
pub(super) fn product(unit: &ProductUnit, row: &mut Row<'_, '_>) -> Expression<Fr> {
    let factor = row.fixed(unit.factor);
    let [e, f, g] = [&unit.positions, &unit.channels, &unit.heads].map(|c| row.cur(c.weight));
    factor * g * e * f
}
