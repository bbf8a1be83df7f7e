//! The linear check's witness: the two chains and their running sum.

use halo2_proofs::{
    halo2curves::{bn256::Fr, ff::Field},
    plonk::{Advice, Column},
};
use rayon::prelude::*;

use super::{IntegerColumns, field};
use crate::{
    chain::{Lattice, Step, StepSet},
    config::{Config, SlotColumns},
    plan::{CircuitPlan, RequantKind, linear::LinearRow},
};

/// The challenges of the linear check.
#[derive(Clone, Debug)]
pub(crate) struct EvaluationChallenges {
    pub(crate) lattice: Lattice<Fr>,
    pub(crate) layers: Vec<Fr>,
}

/// The columns: slot weights, evaluations, running sum.
pub(crate) struct Evaluations {
    pub(crate) slot_weights: Vec<Fr>,
    pub(crate) linear: Vec<Fr>,
    pub(crate) sum: Vec<Fr>,
}

/// A step set's monomials at the challenges.
struct Factors {
    numerators: Vec<Fr>,
    /// Inverted.
    denominators: Vec<Fr>,
}

impl Factors {
    fn new(steps: &StepSet, lattice: &Lattice<Fr>) -> Self {
        // A challenge is 0 with probability 2^-254; the proof would then simply not verify.
        let inverse = |value: Fr| value.invert().unwrap_or(Fr::ZERO);
        Self {
            numerators: steps.numerators.iter().map(|m| m.evaluate(lattice)).collect(),
            denominators: steps.denominators.iter().map(|m| inverse(m.evaluate(lattice))).collect(),
        }
    }

    fn apply(&self, step: Step, value: Fr) -> Fr {
        let Some(numerator) = step.numerator.checked_sub(1) else { return Fr::ZERO };
        let moved = value * self.numerators[numerator];
        match step.denominator.checked_sub(1) {
            Some(denominator) => moved * self.denominators[denominator],
            None => moved,
        }
    }
}

/// Evaluates the linear check on the integers of the first phase, whatever they are: a prover
/// who lies in them arrives at a sum that is not zero.
pub(crate) fn evaluations(
    plan: &CircuitPlan,
    config: &Config,
    advice: &IntegerColumns,
    fixed: &IntegerColumns,
    challenges: &EvaluationChallenges,
) -> Evaluations {
    let slopes = Slopes::new(plan);
    let view = View { plan, config, advice, fixed, challenges, slopes };
    let last = plan.shape.usable_rows() - 1;
    let mut slot_weights = vec![Fr::ZERO; last + 1];
    let factors = Factors::new(&plan.shape.slot_steps, &challenges.lattice);
    for (row, slot) in plan.slots.rows.iter().enumerate() {
        let started = slot.starts.map_or(Fr::ZERO, |layer| challenges.layers[layer as usize]);
        slot_weights[row + 1] = factors.apply(slot.step, slot_weights[row]) + started;
    }
    let mut linear = vec![Fr::ZERO; last + 1];
    let factors = Factors::new(&plan.shape.linear_steps, &challenges.lattice);
    for (row, step) in plan.linear.rows.iter().enumerate() {
        linear[row + 1] = factors.apply(step.step, linear[row]) + view.read(row, step);
    }
    let slots = 0..plan.slots.rows.len();
    let outputs: Vec<Fr> = slots.into_par_iter().map(|row| view.outputs(row)).collect();
    let rows = plan.linear.rows.par_iter().enumerate();
    let weighed: Vec<Fr> = rows.map(|(row, step)| view.weighed(row, step)).collect();
    let mut sum = vec![Fr::ZERO; last + 1];
    for row in 0..last {
        let output = outputs.get(row).map_or(Fr::ZERO, |y| slot_weights[row] * y);
        let input = weighed.get(row).map_or(Fr::ZERO, |v| linear[row] * v);
        sum[row + 1] = sum[row] + output - input;
    }
    Evaluations { slot_weights, linear, sum }
}

/// `Σ_i base^i · terms[i]`.
fn horner(terms: impl DoubleEndedIterator<Item = Fr>, base: Fr) -> Fr {
    terms.rev().fold(Fr::ZERO, |acc, term| acc * base + term)
}

/// The integers that the linear check is about, row by row as the gates see them.
struct View<'a> {
    plan: &'a CircuitPlan,
    config: &'a Config,
    advice: &'a IntegerColumns,
    fixed: &'a IntegerColumns,
    challenges: &'a EvaluationChallenges,
    slopes: Slopes,
}

/// `2/high` for the upper bounds that a plan has.
struct Slopes(Vec<(i64, Fr)>);

impl Slopes {
    fn new(plan: &CircuitPlan) -> Self {
        let widths = plan.shape.table_bits.into_iter().chain([plan.shape.clamp_bits]);
        let highs = widths.map(|bits| (1 << bits) - 1);
        let slope = |high| (high, field(high).invert().unwrap_or(Fr::ZERO).double());
        Self(highs.map(slope).collect())
    }

    fn of(&self, high: i64) -> Fr {
        let known = self.0.iter().find(|(known, _)| *known == high);
        known.map_or(Fr::ZERO, |(_, slope)| *slope)
    }
}

impl View<'_> {
    fn lanes(&self, row: usize) -> impl DoubleEndedIterator<Item = Fr> {
        self.config.linear.reads.iter().map(move |c| field(self.advice[c.index()][row]))
    }

    /// `± layer · (Σ ρ^lane · x + one)`, with σ for lanes below each other.
    fn read(&self, row: usize, step: &LinearRow) -> Fr {
        let Some(layer) = step.layer else { return Fr::ZERO };
        let lattice = &self.challenges.lattice;
        let base = if step.vertical { lattice.row } else { lattice.column };
        let read = horner(self.lanes(row), base);
        let read = if step.one { read + Fr::ONE } else { read };
        self.challenges.layers[layer as usize] * if step.negative { -read } else { read }
    }

    /// What a row's evaluation is multiplied with.
    fn weighed(&self, row: usize, step: &LinearRow) -> Fr {
        let alpha = self.challenges.lattice.channel;
        let width = self.plan.shape.weight_columns;
        let weights = step.weights.map_or(Fr::ZERO, |block| {
            let weights = &self.plan.linear.weights[block as usize * width..][..width];
            horner(weights.iter().map(|&w| field(w.into())), alpha)
        });
        let Some(factor) = step.product else { return weights };
        let lanes: Vec<_> = self.lanes(row).collect();
        let products = lanes.as_chunks::<2>().0.iter().map(|[a, b]| a * b);
        weights + field(factor) * horner(products, alpha)
    }

    /// `Σ_lanes α^lane · (y − bias)`.
    fn outputs(&self, row: usize) -> Fr {
        let shape = &self.plan.shape;
        let kind = self.plan.slots.rows[row].layer.map(|l| self.plan.layers[l as usize].kind);
        let high = match kind {
            None => return Fr::ZERO,
            Some(RequantKind::Clamp) => Some((1 << shape.clamp_bits) - 1),
            Some(RequantKind::Table) => shape.table_bits.map(|bits| (1 << bits) - 1),
            Some(RequantKind::Wide) => None,
        };
        let slope = high.map(|high| self.slopes.of(high));
        let power = field(1 << shape.shift);
        let low = self.fixed[self.config.slots.low.index()][row];
        let lane = |lane: &SlotColumns| {
            let value = if shape.has_output_column() {
                self.joined(row, &lane.value, &shape.value_limbs)
            } else {
                self.advice[lane.output.index()][row] - low
            };
            let value = field(value);
            let factor = match slope {
                Some(slope) => value * slope - Fr::ONE,
                None => field(1 << shape.clamp_bits),
            };
            let overflow = field(self.joined(row, &lane.overflow, &shape.overflow_limbs));
            let remainder = self.joined(row, &lane.remainder, &shape.remainder_limbs);
            let offset = self.fixed[lane.offset.index()][row];
            (value + overflow * factor) * power + field(remainder) - field(offset)
        };
        let lanes: Vec<Fr> = self.config.slots.lanes.iter().map(lane).collect();
        horner(lanes.into_iter(), self.challenges.lattice.channel)
    }

    /// The integer that limbs stand for.
    fn joined(&self, row: usize, columns: &[Column<Advice>], widths: &[u32]) -> i64 {
        let mut shift = 0;
        columns.iter().zip(widths).fold(0, |total, (column, &width)| {
            let limb = self.advice[column.index()][row] << shift;
            shift += width;
            total + limb
        })
    }
}
