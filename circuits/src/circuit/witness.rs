//! The advice of a run, phase by phase.

use halo2_proofs::{
    halo2curves::{bn256::Fr, ff::Field},
    plonk::{Advice, Challenge, Column as CircuitColumn, ConstraintSystem},
};
use zkinfer_engine::{AdvicePhases, Column, TableSums};
use zkinfer_models::Execution;

use super::fixed::fixed_cells;
use crate::{
    cells::{FieldCells, FixedCells, IntegerCells, Run},
    challenges::Challenges,
    config::Config,
    instance::Blindings,
    integers::{field, small},
    lookup::{Helper, LookupCells, Positions, helpers},
    plan::CircuitPlan,
    units::Drawn,
};

/// A lie for tests: one advice cell of a witness set to another value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tamper {
    /// Index of the advice column.
    pub column: usize,
    /// The row.
    pub row: usize,
    /// What is added to the honest value.
    pub delta: Fr,
}

/// A run whose witness is computed, and the lies that are told about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement<'a> {
    pub(super) plan: &'a CircuitPlan,
    pub(super) execution: &'a Execution,
    pub(super) blindings: &'a [Blindings],
    pub(super) lies: &'a [Tamper],
}

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
    statement: Statement<'a>,
    config: Config,
    fixed: FixedCells,
    /// The first phase.
    advice: IntegerCells,
    positions: Positions,
    /// Whether it matters which cells are assigned.
    tracked: bool,
}

/// A column of the second phase: its values, what they are sums of, and the rows that are
/// assigned, where that is asked for.
struct LateColumn {
    column: CircuitColumn<Advice>,
    values: Vec<Fr>,
    sums: Option<TableSums>,
    assigned: Vec<usize>,
}

impl<'a> Witness<'a> {
    pub(super) fn new(statement: Statement<'a>, tracked: bool) -> Self {
        let Statement { plan, execution, lies, .. } = statement;
        let config = Config::configure(&mut ConstraintSystem::default(), plan.shape());
        let fixed = fixed_cells(plan, &config);
        let execution = plan.folded().execution(execution);
        let run = Run { execution: &execution };
        let size = (config.owed.first_phase_columns, plan.shape().row_count(), tracked);
        let lies = lies.iter().map(|lie| ((lie.column, lie.row), small(lie.delta)));
        let lanes = &config.lookups.lanes;
        let is_counted = |column| lanes.iter().any(|lane| lane.multiplicity.index() == column);
        let (of_counts, lies): (Vec<_>, Vec<_>) = lies.partition(|&((of, _), _)| is_counted(of));
        let mut advice = IntegerCells::new(size).with_lies(lies.into_iter());
        config.units.assign(plan.rows(), run, &mut advice);
        // A lying prover makes the rest of the argument about its lie, where the lie is small.
        advice.finish();
        let last = plan.shape().usable_rows() - 1;
        let cells = LookupCells { advice: &advice, fixed: &fixed };
        let lookups = config.lookups.lookups();
        let positions = Positions::new(lookups, plan.table(), last, cells);
        let counts = positions.multiplicities(plan.table());
        for (lane, counts) in config.lookups.lanes.iter().zip(counts) {
            advice.fill(lane.multiplicity, &counts);
        }
        let mut advice = advice.with_lies(of_counts.into_iter());
        advice.finish();
        Self { statement, config, fixed, advice, positions, tracked }
    }

    /// The columns of the circuit of the first phase: the column with index `i` is the `i`-th.
    #[must_use]
    pub fn first_phase(&self) -> Vec<Column> {
        let columns = self.first_columns().into_iter().enumerate().collect();
        let gathered = self.config.interleaving.gather(columns).into_iter();
        gathered.map(|(_, column)| column).collect()
    }

    /// The units' columns of the first phase, by index.
    #[must_use]
    pub fn first_columns(&self) -> Vec<Column> {
        let columns = self.advice.columns().iter();
        let mut columns: Vec<_> = columns.map(|c| integer_column(c.values())).collect();
        for lie in self.statement.lies {
            // A small lie is in the integers already.
            let delta = lie.delta - field(small(lie.delta));
            if let Some(column) = columns.get_mut(lie.column).filter(|_| delta != Fr::ZERO) {
                change(column, lie.row, delta);
            }
        }
        columns
    }

    /// The cells of the first phase that are assigned: column and row.
    pub(super) fn first_cells(&self) -> Vec<(usize, usize)> {
        let columns = self.advice.columns().iter().enumerate();
        columns.flat_map(|(index, cells)| cells.assigned().map(move |row| (index, row))).collect()
    }

    /// The columns of the circuit of the second phase with their indices, given the challenges of the
    /// first.
    #[must_use]
    pub fn second_phase(&self, challenge: &dyn Fn(Challenge) -> Fr) -> Vec<(usize, Column)> {
        self.config.interleaving.gather(self.second_columns(challenge))
    }

    /// The units' columns of the second phase with their indices.
    pub(super) fn second_columns(
        &self,
        challenge: &dyn Fn(Challenge) -> Fr,
    ) -> Vec<(usize, Column)> {
        let finish = |mut late: LateColumn| {
            late.values.resize(self.statement.plan.shape().row_count(), Fr::ZERO);
            let mut finished = match late.sums {
                Some(sums) => Column::Sums { values: late.values, sums },
                None => Column::Field(late.values),
            };
            let lies = self.statement.lies.iter();
            for lie in lies.filter(|lie| lie.column == late.column.index()) {
                change(&mut finished, lie.row, lie.delta);
            }
            (late.column.index(), finished)
        };
        self.late_columns(challenge).into_iter().map(finish).collect()
    }

    /// The cells of the second phase that are assigned, whatever the challenges: column and row.
    pub(super) fn second_cells(&self) -> Vec<(usize, usize)> {
        let late = self.late_columns(&|_| Fr::ONE).into_iter();
        late.flat_map(|late| {
            let index = late.column.index();
            late.assigned.into_iter().map(move |row| (index, row))
        })
        .collect()
    }

    fn late_columns(&self, challenge: &dyn Fn(Challenge) -> Fr) -> Vec<LateColumn> {
        let Statement { plan, blindings, .. } = self.statement;
        let challenges = self.config.challenges.map(challenge);
        let last = plan.shape().usable_rows() - 1;
        let helpers = self.helpers(&challenges, last);
        let mut cells = FieldCells::new(plan.shape().row_count(), self.tracked);
        let drawn = Drawn {
            cells: &self.advice,
            fixed: &self.fixed,
            challenges: &challenges,
            blindings,
            last,
        };
        let addends = self.config.units.finish(plan.rows(), drawn, &mut cells);
        cells.fill(self.config.total, &total(&helpers, &addends, last));
        let units = cells.into_columns().into_iter().map(|(column, cells)| LateColumn {
            column,
            assigned: cells.assigned().collect(),
            values: cells.into_values(),
            sums: None,
        });
        let columns = self.config.lookups.helpers.iter().zip(helpers);
        let helpers = columns.map(|(&column, helper)| LateColumn {
            column,
            assigned: (0..helper.values.len()).collect(),
            values: helper.values,
            sums: helper.sums,
        });
        helpers.chain(units).collect()
    }

    fn helpers(&self, challenges: &Challenges<Fr>, last: usize) -> Vec<Helper> {
        let cells = LookupCells { advice: &self.advice, fixed: &self.fixed };
        let table = self.statement.plan.table();
        helpers(&self.config.lookups, table, (cells, last), &self.positions, challenges)
    }
}

/// A witness that is handed over phase by phase.
pub(super) struct Phases<'a> {
    witness: Witness<'a>,
    is_first: bool,
}

impl<'a> Phases<'a> {
    pub(super) fn new(witness: Witness<'a>) -> Self {
        Self { witness, is_first: true }
    }
}

impl AdvicePhases for Phases<'_> {
    fn next_phase(&mut self, challenges: &[Option<Fr>]) -> Vec<(usize, Column)> {
        if std::mem::take(&mut self.is_first) {
            return self.witness.first_phase().into_iter().enumerate().collect();
        }
        let value = |challenge: Challenge| challenges[challenge.index()].unwrap_or_default();
        self.witness.second_phase(&value)
    }
}

/// The running sum of all that must vanish together, from zero.
fn total(helpers: &[Helper], addends: &[Vec<Fr>], last: usize) -> Vec<Fr> {
    let mut total = vec![Fr::ZERO];
    let mut sum = Fr::ZERO;
    total.extend((0..last).map(|row| {
        let of_units = addends.iter().filter_map(|addends| addends.get(row)).sum::<Fr>();
        sum += helpers.iter().fold(of_units, |terms, helper| terms + helper.values[row]);
        sum
    }));
    total
}
