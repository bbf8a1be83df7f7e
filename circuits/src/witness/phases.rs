//! The advice of a run, phase by phase.

use halo2_proofs::{
    halo2curves::{bn256::Fr, ff::Field},
    plonk::{Advice, Challenge, Column as CircuitColumn, ConstraintSystem},
};
use zkinfer_engine::{AdvicePhases, Column, TableSums};
use zkinfer_models::Execution;

use super::{
    Blindings, IntegerColumns, commitment,
    evaluate::{EvaluationChallenges, Evaluations, evaluations},
    field,
    fixed::witness_inputs,
    lookups::{Cells, Helper, LookupChallenges, Positions, helpers},
    small,
    tensors::first_phase,
};
use crate::{circuit::Tamper, config::Config, plan::CircuitPlan};

/// Integers as a column: small ones where all are.
fn integer_column(values: &[i64]) -> Column {
    let integers = values.iter().map(|&value| i32::try_from(value));
    let integers: Result<_, _> = integers.collect();
    integers.map_or_else(
        |_| Column::Field(values.iter().map(|&value| field(value)).collect()),
        Column::integers,
    )
}

/// Adds `delta` to a cell.
fn change(column: &mut Column, row: usize, delta: Fr) {
    let mut values = column.to_field();
    values[row] += delta;
    *column = Column::Field(values);
}

/// The advice of one run, without a halo2 layout.
#[derive(Debug)]
pub struct Witness<'a> {
    plan: &'a CircuitPlan,
    blindings: &'a Blindings,
    lies: &'a [Tamper],
    config: Config,
    /// Fixed columns that the witness depends on.
    fixed: IntegerColumns,
    /// The first phase.
    advice: IntegerColumns,
    positions: Positions,
}

impl<'a> Witness<'a> {
    pub(crate) fn new(
        plan: &'a CircuitPlan,
        execution: &Execution,
        blindings: &'a Blindings,
        lies: &'a [Tamper],
    ) -> Self {
        let config = Config::configure(&mut ConstraintSystem::default(), &plan.shape);
        let fixed = witness_inputs(plan, &config);
        let mut advice = first_phase(plan, &config, execution, &fixed);
        // A lying prover makes the rest of the argument about its lie, where the lie is small.
        for lie in lies {
            if let Some(column) = advice.get_mut(lie.column) {
                column[lie.row] = column[lie.row].wrapping_add(small(lie.delta));
            }
        }
        let positions = Positions::new(plan, &config, Cells { advice: &advice, fixed: &fixed });
        let counts = positions.multiplicities(plan);
        for (lane, counts) in config.table.lanes.iter().zip(counts) {
            advice[lane.multiplicity.index()] = counts;
        }
        Self { plan, blindings, lies, config, fixed, advice, positions }
    }

    /// The columns of the first phase: the column with index `i` is the `i`-th.
    #[must_use]
    pub fn first_phase(&self) -> Vec<Column> {
        let mut columns: Vec<_> = self.advice.iter().map(|c| integer_column(c)).collect();
        let lanes = &self.config.table.lanes;
        let is_counted = |column| lanes.iter().any(|lane| lane.multiplicity.index() == column);
        for lie in self.lies {
            // A small lie is in the integers already, but for multiplicities, which are counted.
            let known = if is_counted(lie.column) { 0 } else { small(lie.delta) };
            let delta = lie.delta - field(known);
            if let Some(column) = columns.get_mut(lie.column).filter(|_| delta != Fr::ZERO) {
                change(column, lie.row, delta);
            }
        }
        columns
    }

    /// The columns of the second phase with their indices, given the challenges of the first.
    #[must_use]
    pub fn second_phase(
        &self,
        challenge: &dyn Fn(Challenge) -> Fr,
    ) -> Vec<(CircuitColumn<Advice>, Column)> {
        let config = &self.config;
        let helpers = self.helpers(challenge);
        let evaluations = self.evaluations(challenge);
        let total = total(&helpers, &evaluations.differences);
        let columns = [
            (config.slots.chain.weight, evaluations.slot_weights),
            (config.linear.chain.weight, evaluations.linear),
            (config.total, total),
        ];
        let columns = columns.into_iter().chain(self.hash_columns());
        let columns = columns.map(|(column, values)| (column, values, None));
        let helpers = config.table.helpers.iter().copied().zip(helpers);
        let helpers = helpers.map(|(column, helper)| (column, helper.values, helper.sums));
        let finish =
            |(column, mut values, sums): (CircuitColumn<Advice>, Vec<Fr>, Option<TableSums>)| {
                values.resize(1 << self.plan.shape.k, Fr::ZERO);
                let mut finished = match sums {
                    Some(sums) => Column::Sums { values, sums },
                    None => Column::Field(values),
                };
                for lie in self.lies.iter().filter(|lie| lie.column == column.index()) {
                    change(&mut finished, lie.row, lie.delta);
                }
                (column, finished)
            };
        helpers.chain(columns).map(finish).collect()
    }

    fn helpers(&self, challenge: &dyn Fn(Challenge) -> Fr) -> Vec<Helper> {
        let cells = Cells { advice: &self.advice, fixed: &self.fixed };
        let challenges = LookupChallenges {
            theta: challenge(self.config.challenges.theta),
            pole: challenge(self.config.challenges.pole),
        };
        helpers(self.plan, &self.config, cells, &self.positions, challenges)
    }

    fn evaluations(&self, challenge: &dyn Fn(Challenge) -> Fr) -> Evaluations {
        let challenges = EvaluationChallenges {
            lattice: self.config.lattice(challenge),
            layers: self.config.layers.iter().map(|&layer| challenge(layer)).collect(),
        };
        evaluations(self.plan, &self.config, &self.advice, &self.fixed, &challenges)
    }

    fn hash_columns(&self) -> Vec<(CircuitColumn<Advice>, Vec<Fr>)> {
        let Some(unit) = &self.config.commitment else { return Vec::new() };
        let columns = [unit.packed, unit.square].into_iter().chain(unit.state);
        let mut columns: Vec<_> =
            columns.map(|column| (column, vec![Fr::ZERO; 1 << self.plan.shape.k])).collect();
        let cells = commitment::hash(self.plan, &self.config, &self.advice, self.blindings);
        for (of, row, value) in cells {
            let column = columns.iter_mut().find(|(column, _)| *column == of);
            column.expect("a column of the unit").1[row] = value;
        }
        columns
    }
}

/// A witness that is handed over phase by phase.
pub(crate) struct Phases<'a> {
    witness: Witness<'a>,
    is_first: bool,
}

impl<'a> Phases<'a> {
    pub(crate) fn new(witness: Witness<'a>) -> Self {
        Self { witness, is_first: true }
    }
}

impl AdvicePhases for Phases<'_> {
    fn next_phase(&mut self, challenges: &[Option<Fr>]) -> Vec<(usize, Column)> {
        if std::mem::take(&mut self.is_first) {
            return self.witness.first_phase().into_iter().enumerate().collect();
        }
        let value = |challenge: Challenge| challenges[challenge.index()].unwrap_or_default();
        let columns = self.witness.second_phase(&value).into_iter();
        columns.map(|(column, values)| (column.index(), values)).collect()
    }
}

/// The running sum of all that must vanish together, from zero.
fn total(helpers: &[Helper], differences: &[Fr]) -> Vec<Fr> {
    let mut total = vec![Fr::ZERO];
    let mut sum = Fr::ZERO;
    total.extend(differences.iter().enumerate().map(|(row, difference)| {
        sum += helpers.iter().fold(*difference, |terms, helper| terms + helper.values[row]);
        sum
    }));
    total
}
