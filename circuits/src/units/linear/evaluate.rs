//! The inputs' side of the linear check: evaluations, and what each row takes from the total.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rayon::prelude::*;

use super::{
    columns::LinearUnit,
    dot::Powers,
    rows::{LinearRow, LinearRows},
};
use crate::{
    cells::{FieldCells, IntegerCells},
    chain::monomial::Lattice,
    integers::{field, power_of_two},
    units::{slots::POSITION_WEIGHTS, unit::Drawn},
};

/// Evaluates the linear check on the integers of the first phase, whatever they are: a prover
/// who lies in them arrives at a sum that is not zero.
pub(super) fn finish(
    unit: &LinearUnit,
    layout: &LinearRows,
    drawn: Drawn<'_>,
    cells: &mut FieldCells,
) -> Vec<Fr> {
    let view = View::new(unit, layout, drawn);
    let rows = || layout.rows.par_iter().enumerate();
    let reads: Vec<Fr> = rows().map(|(row, step)| view.read(row, step)).collect();
    let steps = layout.rows.iter().zip(reads).map(|(row, read)| (row.step, read));
    let values = unit.chain.factors(&drawn.challenges.lattice).chain(steps, drawn.last + 1);
    cells.fill(unit.chain.weight, &values);
    rows().map(|(row, step)| -values[row] * view.weighed(row, step)).collect()
}

/// `Σ_i base^i · terms[i]`.
fn horner(terms: impl DoubleEndedIterator<Item = Fr>, base: Fr) -> Fr {
    terms.rev().fold(Fr::ZERO, |acc, term| acc * base + term)
}

/// The integers that are read, row by row as the gates see them.
struct View<'a> {
    unit: &'a LinearUnit,
    layout: &'a LinearRows,
    advice: &'a IntegerCells,
    lattice: &'a Lattice<Fr>,
    /// The base of packed channels.
    base: Fr,
    /// Every layer's challenge, scaled as the gate has it.
    layers: Vec<Fr>,
    /// Powers of the challenges of row and column.
    positions: [Powers; 2],
}

impl<'a> View<'a> {
    fn new(unit: &'a LinearUnit, layout: &'a LinearRows, drawn: Drawn<'a>) -> Self {
        let lattice = &drawn.challenges.lattice;
        let whole: Fr = POSITION_WEIGHTS.iter().map(|weight| weight.evaluate(lattice)).sum();
        let layers = drawn.challenges.layers.iter().zip(&unit.is_scaled);
        let scaled = |(challenge, &scaled): (&Fr, &bool)| {
            if scaled { challenge * whole } else { *challenge }
        };
        Self {
            unit,
            layout,
            advice: drawn.cells,
            lattice,
            base: power_of_two(unit.digit_bits),
            layers: layers.map(scaled).collect(),
            positions: [lattice.row, lattice.column]
                .map(|base| Powers::new(base, unit.reads.len())),
        }
    }

    fn lanes(&self, row: usize) -> impl Iterator<Item = i64> {
        self.unit.reads.iter().map(move |read| self.advice.get(read.column(), row))
    }

    /// `± layer · (Σ ρ^lane · x + one)`, with σ for lanes below each other.
    fn read(&self, row: usize, step: &LinearRow) -> Fr {
        let Some(layer) = step.layer else { return Fr::ZERO };
        let [below, beside] = &self.positions;
        let read = if step.vertical { below } else { beside }.dot(self.lanes(row));
        let read = if step.one { read + Fr::ONE } else { read };
        self.layers[layer as usize] * if step.negative { -read } else { read }
    }

    /// What a row's evaluation is multiplied with.
    fn weighed(&self, row: usize, step: &LinearRow) -> Fr {
        let alpha = self.lattice.channel;
        let width = self.unit.weights.len();
        let weights = step.weights.map_or(Fr::ZERO, |block| {
            horner(self.layout.weight_block(block, width).iter().copied(), alpha)
        });
        let Some(factor) = step.product else { return weights };
        let lanes: Vec<_> = self.lanes(row).map(field).collect();
        let products = lanes.as_chunks::<2>().0.iter().map(|[a, b]| a * b);
        weights + field(factor) * horner(products, self.base)
    }
}
