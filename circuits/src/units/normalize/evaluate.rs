//! The chain's values, and what each row takes from the total.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};

use super::{
    columns::NormalizeUnit,
    rows::{NormalizeRow, NormalizeRows},
};
use crate::{
    cells::FieldCells,
    integers::{field, power_of_two},
    units::{slots::POSITION_WEIGHTS, unit::Drawn},
};

/// Evaluates the integers of the first phase, whatever they are.
pub(super) fn finish(
    unit: &NormalizeUnit,
    rows: &NormalizeRows,
    drawn: Drawn<'_>,
    cells: &mut FieldCells,
) -> Vec<Fr> {
    let lattice = &drawn.challenges.lattice;
    let read = |(row, line): (usize, &NormalizeRow)| {
        let Some(read) = line.read else { return (line.step, Fr::ZERO) };
        let (bits, _) = unit.q_reads[read.base];
        let base = power_of_two(bits);
        let lanes = unit.elements.iter().rev().map(|lane| drawn.cells.get(lane.column(), row));
        let elements = lanes.fold(Fr::ZERO, |sum, value| sum * base + field(value));
        let scaled = field(drawn.cells.get(unit.reciprocal, row)) * elements;
        let shift = unit.mean.as_ref().map_or(0, |mean| drawn.cells.get(mean.shift, row));
        (line.step, scaled - field(shift) * read.weight(bits))
    };
    let reads = rows.rows.iter().enumerate().map(read);
    let values = unit.chain.factors(lattice).chain(reads, drawn.last + 1);
    cells.fill(unit.chain.weight, &values);
    let whole = match unit.is_scaled {
        true => POSITION_WEIGHTS.iter().map(|weight| weight.evaluate(lattice)).sum(),
        false => Fr::ONE,
    };
    let taken = |(row, line): (usize, &NormalizeRow)| match line.ends {
        Some(ended) => -drawn.challenges.layers[unit.ends[ended].0 as usize] * whole * values[row],
        None => Fr::ZERO,
    };
    rows.rows.iter().enumerate().map(taken).collect()
}
