//! The chains' values, and what each row takes from the total.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rayon::prelude::*;

use super::{
    columns::ProductUnit,
    rows::{ProductRow, ProductRows, Reads},
};
use crate::{
    cells::FieldCells,
    chain::{ChainColumns, Step},
    integers::{field, power_of_two},
    units::{slots::POSITION_WEIGHTS, unit::Drawn},
};

/// Evaluates the integers of the first phase, whatever they are.
pub(super) fn finish(
    unit: &ProductUnit,
    rows: &ProductRows,
    drawn: Drawn<'_>,
    cells: &mut FieldCells,
) -> Vec<Fr> {
    let lattice = &drawn.challenges.lattice;
    let read = |(row, product): (usize, &ProductRow)| -> [Fr; 2] {
        let read = |base: Fr| {
            let lanes = unit.reads.iter().rev().map(|read| drawn.cells.get(read.column(), row));
            lanes.fold(Fr::ZERO, |sum, value| sum * base + field(value))
        };
        match product.reads {
            Reads::Nothing => [Fr::ZERO; 2],
            Reads::Positions => [read(lattice.column), Fr::ZERO],
            Reads::Channels { base } => [Fr::ZERO, read(power_of_two(unit.q_channels[base].0))],
        }
    };
    let reads: Vec<_> = rows.rows.par_iter().enumerate().map(read).collect();
    let whole = match unit.is_scaled {
        true => POSITION_WEIGHTS.iter().map(|weight| weight.evaluate(lattice)).sum(),
        false => Fr::ONE,
    };
    let started = |start: usize| drawn.challenges.layers[unit.starts[start].0 as usize] * whole;
    let mut chain = |chain: &ChainColumns, steps: &mut dyn Iterator<Item = (Step, Fr)>| {
        let values = chain.factors(lattice).chain(steps, drawn.last + 1);
        cells.fill(chain.weight, &values);
        values
    };
    let with_reads = || rows.rows.iter().zip(&reads);
    let e = chain(&unit.positions, &mut with_reads().map(|(row, read)| (row.positions, read[0])));
    let f = chain(&unit.channels, &mut with_reads().map(|(row, read)| (row.channels, read[1])));
    let starts = rows.rows.iter().map(|row| (row.heads, row.starts.map_or(Fr::ZERO, started)));
    let g = chain(&unit.heads, &mut { starts });
    let taken = |(row, product): (usize, &ProductRow)| match product.factor {
        0 => Fr::ZERO,
        factor => -field(factor) * g[row] * e[row] * f[row],
    };
    rows.rows.iter().enumerate().map(taken).collect()
}
