//! The outputs' side of the linear check: slot weights, and what each row adds to the total.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rayon::prelude::*;

use super::{
    columns::{SlotLane, SlotUnit},
    gates::{is_next, slope},
    kind::RequantKind,
    rows::{Layer, SlotRow, SlotRows},
    windows::{POSITION_WEIGHTS, POSITIONS},
};
use crate::{
    cells::{FieldCells, FixedCells, IntegerCells},
    chain::monomial::Lattice,
    integers::{field, from_limbs, power_of_two},
    units::unit::Drawn,
};

/// The weights, and what the rows add: whatever the integers of the first phase are.
pub(super) fn finish(
    unit: &SlotUnit,
    rows: &SlotRows,
    drawn: Drawn<'_>,
    cells: &mut FieldCells,
) -> Vec<Fr> {
    let challenges = drawn.challenges;
    let started =
        |slot: &SlotRow| slot.starts.map_or(Fr::ZERO, |layer| challenges.layers[layer as usize]);
    let steps = rows.layout.rows.iter().map(|slot| (slot.step, started(slot)));
    let weights = unit.chain.factors(&challenges.lattice).chain(steps, drawn.last + 1);
    cells.fill(unit.chain.weight, &weights);
    let view = View::new(unit, rows, drawn);
    let of_row = |row: usize| weights[row] * view.outputs(row);
    (0..rows.row_count()).into_par_iter().map(of_row).collect()
}

/// `Σ_i base^i · terms[i]`.
fn horner(terms: impl DoubleEndedIterator<Item = Fr>, base: Fr) -> Fr {
    terms.rev().fold(Fr::ZERO, |acc, term| acc * base + term)
}

/// The integers of the slots, row by row as the gates see them.
struct View<'a> {
    unit: &'a SlotUnit,
    rows: &'a SlotRows,
    advice: &'a IntegerCells,
    fixed: &'a FixedCells,
    lattice: &'a Lattice<Fr>,
    /// `2/high` of every layer.
    slopes: Vec<Fr>,
    /// The bases of packed channels: of narrow layers, of wide ones.
    bases: [Fr; 2],
    /// What a step of a rounded accumulator is worth.
    step: Fr,
    /// The weights of a window's positions, and their sum.
    window: Option<([Fr; POSITIONS], Fr)>,
}

impl<'a> View<'a> {
    fn new(unit: &'a SlotUnit, rows: &'a SlotRows, drawn: Drawn<'a>) -> Self {
        let (shape, lattice) = (&unit.shape, &drawn.challenges.lattice);
        let window = unit.q_window.map(|_| {
            let weights = POSITION_WEIGHTS.map(|weight| weight.evaluate(lattice));
            (weights, weights.iter().sum::<Fr>())
        });
        Self {
            unit,
            rows,
            advice: drawn.cells,
            fixed: drawn.fixed,
            lattice,
            slopes: rows.layers.iter().map(|layer| slope(layer.high)).collect(),
            bases: [shape.packing, shape.wide_packing].map(|of| power_of_two(of.digit_bits)),
            step: power_of_two(shape.shift),
            window,
        }
    }

    /// `Σ_t μ_t · Σ_runs α^run · Σ_lanes B^lane · (y_t − bias)`.
    fn outputs(&self, row: usize) -> Fr {
        let Some(layer) = self.rows.layer(row) else { return Fr::ZERO };
        let largest = self.largest(row, layer);
        let Some((weights, whole)) = &self.window else { return largest };
        let lane = |lane: &SlotLane| {
            let Some(shortfalls) = &lane.shortfalls else { return Fr::ZERO };
            let bits = [shortfalls.is_above, shortfalls.is_left];
            let [above, left] = bits.map(|bit| i128::from(self.advice.get(bit, row)));
            let weighed = shortfalls.limbs.iter().zip(is_next(above, left)).zip(weights.windows(2));
            let weighed = weighed.map(|((limbs, next), weights)| {
                let weight = match next {
                    0 => weights[0],
                    1 => weights[1],
                    lie => weights[0] + from_limbs([lie, 0, 0, 0]) * (weights[1] - weights[0]),
                };
                match self.advice.joined(limbs, row) {
                    0 => Fr::ZERO,
                    short => field(short) * weight,
                }
            });
            weighed.sum()
        };
        largest * whole - self.packed(layer, lane)
    }

    /// `Σ_runs α^run · Σ_lanes B^lane · (y − bias)`.
    fn largest(&self, row: usize, layer: &Layer) -> Fr {
        let shape = &self.unit.shape;
        let low = self.fixed.get(self.unit.low, row);
        let lane = |lane: &SlotLane| {
            let value = if lane.value.is_empty() {
                self.advice.get(lane.output, row) - low
            } else {
                self.advice.joined(&lane.value, row)
            };
            let remainder = self.advice.joined(&lane.remainder, row);
            let offset = self.fixed.get(lane.offset, row);
            let inside = (i128::from(value) << shape.shift) + i128::from(remainder - offset);
            // A lie may be as large as a word.
            let inside =
                i64::try_from(inside).map_or_else(|_| from_limbs([inside, 0, 0, 0]), field);
            let overflow = self.advice.joined(&lane.overflow, row);
            if overflow == 0 {
                return inside;
            }
            let factor = match layer.kind {
                RequantKind::Clamp | RequantKind::Table if shape.is_covered => Fr::ZERO,
                RequantKind::Clamp | RequantKind::Table => {
                    field(value) * self.slopes[layer.index as usize] - Fr::ONE
                }
                RequantKind::Wide => field(1 << shape.clamp_bits),
            };
            inside + field(overflow) * factor * self.step
        };
        self.packed(layer, lane)
    }

    /// `Σ_runs α^run · Σ_lanes B^lane · lane`, as the layer's channels are packed, or `Σ_lanes ρ^lane ·
    /// lane` of positions.
    fn packed(&self, layer: &Layer, lane: impl Fn(&SlotLane) -> Fr) -> Fr {
        let shape = &self.unit.shape;
        let is_wide = layer.kind == RequantKind::Wide && shape.wide_lanes > 1;
        let packing = if is_wide { shape.wide_packing } else { shape.packing };
        let base = self.bases[usize::from(is_wide)];
        let lanes: Vec<Fr> = self.unit.lanes.iter().map(lane).collect();
        if shape.is_abreast {
            return horner(lanes.into_iter(), self.lattice.column);
        }
        let runs = lanes.chunks(packing.run).map(|run| horner(run.iter().copied(), base));
        horner(runs, self.lattice.channel)
    }
}
