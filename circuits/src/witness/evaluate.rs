//! The linear check's witness: the two chains and what each row adds to the total.

use halo2_proofs::{
    halo2curves::{bn256::Fr, ff::Field},
    plonk::{Advice, Column},
};
use rayon::prelude::*;

use super::{IntegerColumns, dot::Powers, field, from_limbs, join, power_of_two};
use crate::{
    chain::{Lattice, Step, StepSet},
    config::{Config, SlotColumns},
    plan::{
        CircuitPlan, RequantKind,
        linear::LinearRow,
        slots::SlotRow,
        windows::{POSITION_WEIGHTS, POSITIONS},
    },
};

/// The challenges of the linear check.
#[derive(Clone, Debug)]
pub(crate) struct EvaluationChallenges {
    pub(crate) lattice: Lattice<Fr>,
    pub(crate) layers: Vec<Fr>,
}

/// The columns of slot weights and of evaluations, and what every row adds to the total.
pub(crate) struct Evaluations {
    pub(crate) slot_weights: Vec<Fr>,
    pub(crate) linear: Vec<Fr>,
    pub(crate) differences: Vec<Fr>,
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

    /// `next = current · step + read`, from zero.
    fn chain(&self, steps: impl Iterator<Item = (Step, Fr)>, rows: usize) -> Vec<Fr> {
        let mut values = Vec::with_capacity(rows);
        values.push(Fr::ZERO);
        let mut value = Fr::ZERO;
        values.extend(steps.map(|(step, read)| {
            value = self.apply(step, value) + read;
            value
        }));
        values.resize(rows, Fr::ZERO);
        values
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
    let view = View::new(plan, config, advice, fixed, challenges);
    let last = plan.shape.usable_rows() - 1;
    let slots = || plan.slots.rows.par_iter().enumerate();
    let rows = || plan.linear.rows.par_iter().enumerate();
    let started =
        |slot: &SlotRow| slot.starts.map_or(Fr::ZERO, |layer| challenges.layers[layer as usize]);
    let steps = plan.slots.rows.iter().map(|slot| (slot.step, started(slot)));
    let slot_weights =
        Factors::new(&plan.shape.slot_steps, &challenges.lattice).chain(steps, last + 1);
    let reads: Vec<Fr> = rows().map(|(row, step)| view.read(row, step)).collect();
    let steps = plan.linear.rows.iter().zip(reads).map(|(row, read)| (row.step, read));
    let linear = Factors::new(&plan.shape.linear_steps, &challenges.lattice).chain(steps, last + 1);
    let outputs: Vec<Fr> = slots().map(|(row, _)| slot_weights[row] * view.outputs(row)).collect();
    let inputs: Vec<Fr> = rows().map(|(row, step)| linear[row] * view.weighed(row, step)).collect();
    let difference = |row| {
        let at = |terms: &[Fr]| terms.get(row).copied().unwrap_or(Fr::ZERO);
        at(&outputs) - at(&inputs)
    };
    let differences = (0..last).map(difference).collect();
    Evaluations { slot_weights, linear, differences }
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
    /// The base of packed channels.
    base: Fr,
    /// What a step of a rounded accumulator is worth.
    unit: Fr,
    /// The weights of a window's positions, and their sum.
    window: Option<([Fr; POSITIONS], Fr)>,
    /// Every layer's challenge, scaled as the linear unit has it.
    layers: Vec<Fr>,
    /// Powers of the challenges of row and column.
    positions: [Powers; 2],
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

impl<'a> View<'a> {
    fn new(
        plan: &'a CircuitPlan,
        config: &'a Config,
        advice: &'a IntegerColumns,
        fixed: &'a IntegerColumns,
        challenges: &'a EvaluationChallenges,
    ) -> Self {
        let Lattice { row, column, .. } = challenges.lattice;
        let lanes = config.linear.reads.len();
        let base = power_of_two(plan.shape.packing.digit_bits);
        let unit = power_of_two(plan.shape.shift);
        let positions = [row, column].map(|base| Powers::new(base, lanes));
        let slopes = Slopes::new(plan);
        let window = plan.shape.window_limbs.as_ref().map(|_| {
            let weights = POSITION_WEIGHTS.map(|weight| weight.evaluate(&challenges.lattice));
            (weights, weights.iter().sum::<Fr>())
        });
        let layers = challenges.layers.iter().zip(&plan.shape.windowed);
        let scaled = |(challenge, &windowed): (&Fr, &bool)| match window {
            Some((_, whole)) if !windowed => challenge * whole,
            _ => *challenge,
        };
        let layers = layers.map(scaled).collect();
        Self {
            plan,
            config,
            advice,
            fixed,
            challenges,
            slopes,
            base,
            unit,
            window,
            layers,
            positions,
        }
    }

    fn lanes(&self, row: usize) -> impl Iterator<Item = i64> {
        self.config.linear.reads.iter().map(move |column| self.advice[column.index()][row])
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
        let alpha = self.challenges.lattice.channel;
        let width = self.plan.shape.weight_columns;
        let weights = step.weights.map_or(Fr::ZERO, |block| {
            let packs = self.plan.linear.weight_block(block, width);
            horner(packs.iter().copied(), alpha)
        });
        let Some(factor) = step.product else { return weights };
        let lanes: Vec<_> = self.lanes(row).map(field).collect();
        let products = lanes.as_chunks::<2>().0.iter().map(|[a, b]| a * b);
        weights + field(factor) * horner(products, self.base)
    }

    /// `Σ_t μ_t · Σ_runs α^run · Σ_lanes B^lane · (y_t − bias)`.
    fn outputs(&self, row: usize) -> Fr {
        let Some(layer) = self.plan.slots.rows[row].layer else { return Fr::ZERO };
        let layer = &self.plan.layers[layer as usize];
        let largest = self.largest(row, layer.kind);
        let Some((weights, whole)) = &self.window else { return largest };
        if layer.pooling.is_none() {
            return largest * whole;
        }
        let widths = self.plan.shape.window_limbs.as_deref().unwrap_or_default();
        let lane = |lane: &SlotColumns| {
            let shortfalls = lane.shortfalls.iter().zip(weights.windows(2));
            let weighed = shortfalls.map(|(shortfall, weights)| {
                let is_next = self.advice[shortfall.is_next.index()][row];
                let weight = match is_next {
                    0 => weights[0],
                    1 => weights[1],
                    lie => weights[0] + field(lie) * (weights[1] - weights[0]),
                };
                field(self.joined(row, &shortfall.limbs, widths)) * weight
            });
            weighed.sum()
        };
        largest * whole - self.packed(lane)
    }

    /// `Σ_runs α^run · Σ_lanes B^lane · (y − bias)`.
    fn largest(&self, row: usize, kind: RequantKind) -> Fr {
        let shape = &self.plan.shape;
        let high = match kind {
            RequantKind::Clamp => Some((1 << shape.clamp_bits) - 1),
            RequantKind::Table => shape.table_bits.map(|bits| (1 << bits) - 1),
            RequantKind::Wide => None,
        };
        let slope = high.map(|high| self.slopes.of(high));
        let low = self.fixed[self.config.slots.low.index()][row];
        let lane = |lane: &SlotColumns| {
            let value = if shape.has_output_column() {
                self.joined(row, &lane.value, &shape.value_limbs)
            } else {
                self.advice[lane.output.index()][row] - low
            };
            let remainder = self.joined(row, &lane.remainder, &shape.remainder_limbs);
            let offset = self.fixed[lane.offset.index()][row];
            let inside = (i128::from(value) << shape.shift) + i128::from(remainder - offset);
            // A lie may be as large as a word.
            let inside =
                i64::try_from(inside).map_or_else(|_| from_limbs([inside, 0, 0, 0]), field);
            let overflow = self.joined(row, &lane.overflow, &shape.overflow_limbs);
            if overflow == 0 {
                return inside;
            }
            let factor = match slope {
                Some(slope) => field(value) * slope - Fr::ONE,
                None => field(1 << shape.clamp_bits),
            };
            inside + field(overflow) * factor * self.unit
        };
        self.packed(lane)
    }

    /// `Σ_runs α^run · Σ_lanes B^lane · lane`.
    fn packed(&self, lane: impl Fn(&SlotColumns) -> Fr) -> Fr {
        let lanes: Vec<Fr> = self.config.slots.lanes.iter().map(lane).collect();
        let runs = lanes.chunks(self.plan.shape.packing.run);
        let runs = runs.map(|run| horner(run.iter().copied(), self.base));
        horner(runs, self.challenges.lattice.channel)
    }

    /// The integer that limbs stand for.
    fn joined(&self, row: usize, columns: &[Column<Advice>], widths: &[u32]) -> i64 {
        join(columns.iter().map(|column| self.advice[column.index()][row]), widths)
    }
}
