//! The inputs' side of the linear check: evaluations, and what each row takes from the total.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rayon::prelude::*;
use zkinfer_engine::combine_pieces;

use super::{
    columns::LinearUnit,
    dot::Powers,
    rows::{LinearRow, LinearRows},
};
use crate::{
    cells::{FieldCells, IntegerCells},
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
    advice: &'a IntegerCells,
    /// The base of packed channels.
    base: Fr,
    /// The challenge of channels.
    channel: Fr,
    /// Every layer's challenge, scaled as the gate has it.
    layers: Vec<Fr>,
    /// Powers of the challenges of row and column.
    positions: [Powers; 2],
    /// The places of readings.
    offsets: Vec<Fr>,
    shares: Shares,
}

/// The packs of every block of weights, combined share by share.
struct Shares {
    /// `Σ_k α^k·V_(i·share + k)` for every share `i` of every block.
    sums: Vec<Fr>,
    /// Shares of a block.
    count: usize,
    /// `α^share`.
    step: Fr,
}

impl Shares {
    fn new(unit: &LinearUnit, weights: &[Fr], alpha: Fr) -> Self {
        let columns = unit.weights.len();
        let share = unit.dense.map_or(columns, |dense| unit.share(dense.inputs)).max(1);
        let powers: Vec<Fr> =
            std::iter::successors(Some(Fr::ONE), |power| Some(power * alpha)).take(share).collect();
        let step = powers.last().map_or(Fr::ONE, |last| last * alpha);
        let sums = combine_pieces(weights, columns, &powers);
        Self { sums, count: columns.div_ceil(share), step }
    }

    fn of_block(&self, block: u32) -> &[Fr] {
        &self.sums[block as usize * self.count..][..self.count]
    }
}

impl<'a> View<'a> {
    fn new(unit: &'a LinearUnit, layout: &'a LinearRows, drawn: Drawn<'a>) -> Self {
        let lattice = &drawn.challenges.lattice;
        let whole: Fr = POSITION_WEIGHTS.iter().map(|weight| weight.evaluate(lattice)).sum();
        let places = unit.places.as_ref().map_or(0, |places| places.outputs.len());
        let widest = unit.reads.len().max(places);
        let layers = drawn.challenges.layers.iter().zip(&unit.is_scaled);
        let scaled = |(challenge, &scaled): (&Fr, &bool)| {
            if scaled { challenge * whole } else { *challenge }
        };
        Self {
            unit,
            advice: drawn.cells,
            base: power_of_two(unit.digit_bits),
            channel: lattice.channel,
            layers: layers.map(scaled).collect(),
            positions: [lattice.row, lattice.column].map(|base| Powers::new(base, widest)),
            offsets: unit.readings.iter().map(|(r, _)| r.offset.evaluate(lattice)).collect(),
            shares: Shares::new(unit, &layout.weights, lattice.channel),
        }
    }

    fn lanes(&self, row: usize) -> impl Iterator<Item = i64> {
        self.unit.reads.iter().map(move |read| self.advice.get(read.column(), row))
    }

    /// `± layer · (m · Σ ρ^lane · x + one)`, with σ for lanes below each other.
    fn read(&self, row: usize, step: &LinearRow) -> Fr {
        let Some(layer) = step.layer else { return Fr::ZERO };
        let [below, beside] = &self.positions;
        let places = self.unit.places.as_ref().filter(|_| step.in_place);
        let read = match places {
            Some(places) => {
                let outputs = places.outputs.iter();
                beside.dot(outputs.map(|&output| self.advice.get(output, row)))
            }
            None => self.copied([below, beside], row, step),
        };
        let read = if step.one { read + Fr::ONE } else { read };
        self.layers[layer as usize] * if step.negative { -read } else { read }
    }

    /// What the lanes of a row hold together.
    fn copied(&self, [below, beside]: [&Powers; 2], row: usize, step: &LinearRow) -> Fr {
        match step.reading.checked_sub(1) {
            None => beside.dot(self.lanes(row)),
            Some(reading) => {
                let is_vertical = self.unit.readings[reading].0.vertical;
                let lanes = if is_vertical { below } else { beside }.dot(self.lanes(row));
                lanes * self.offsets[reading]
            }
        }
    }

    /// What a row's evaluation is multiplied with.
    fn weighed(&self, row: usize, step: &LinearRow) -> Fr {
        let weights = step.weights.map_or(Fr::ZERO, |block| {
            let shares = self.shares.of_block(block);
            match self.unit.dense.filter(|_| step.dense) {
                Some(dense) => {
                    let inputs = self.lanes(row).take(dense.inputs).zip(shares);
                    inputs.map(|(input, share)| field(input) * share).sum()
                }
                None => horner(shares.iter().copied(), self.shares.step),
            }
        });
        let Some(factor) = step.product else { return weights };
        let lanes: Vec<_> = self.lanes(row).map(field).collect();
        let packs = lanes
            .chunks(2 * self.unit.pack_size)
            .map(|pack| horner(pack.as_chunks::<2>().0.iter().map(|[a, b]| a * b), self.base));
        weights + field(factor) * horner(packs, self.channel)
    }
}
