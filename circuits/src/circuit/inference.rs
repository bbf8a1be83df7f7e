//! The halo2 circuit of one model run.

use std::{collections::HashMap, sync::Arc};

use halo2_proofs::{
    circuit::{Cell, Layouter, Region, SimpleFloorPlanner, Value},
    halo2curves::{bn256::Fr, ff::Field},
    plonk::{Challenge, Circuit, ConstraintSystem, Error},
};
use zkinfer_engine::{AdvicePhases, Column, EngineCircuit};
use zkinfer_models::Execution;

use super::{
    fixed::fixed_cells,
    witness::{Phases, Statement, Tamper, Witness},
};
use crate::{
    cells::Copies, config::Config, instance::Blindings, integers::field, plan::CircuitPlan,
    units::Shape,
};

/// One model run as a halo2 circuit; without an execution it is what key generation needs.
#[derive(Clone, Debug)]
pub struct InferenceCircuit {
    plan: Arc<CircuitPlan>,
    execution: Option<Arc<Execution>>,
    /// Of every claim.
    blindings: Vec<Blindings>,
    /// What blinds the columns of the boundaries, taken and given ones: as many lists as columns.
    tails: [Vec<Vec<Fr>>; 2],
    lies: Vec<Tamper>,
}

impl InferenceCircuit {
    /// The circuit of `plan`, without a witness.
    #[must_use]
    pub fn new(plan: Arc<CircuitPlan>) -> Self {
        Self {
            plan,
            execution: None,
            blindings: Vec::new(),
            tails: [const { Vec::new() }; 2],
            lies: Vec::new(),
        }
    }

    /// The circuit of `plan` with the witness of one execution of its graph.
    #[must_use]
    pub fn with_execution(plan: Arc<CircuitPlan>, execution: Arc<Execution>) -> Self {
        Self { execution: Some(execution), ..Self::new(plan) }
    }

    /// The same circuit with these blindings of what it commits to.
    #[must_use]
    pub fn with_blindings(self, blindings: Blindings) -> Self {
        self.with_claims(vec![blindings])
    }

    /// The same circuit with what each claim keeps to itself, in their order.
    #[must_use]
    pub fn with_claims(mut self, blindings: Vec<Blindings>) -> Self {
        self.blindings = blindings;
        self
    }

    /// The same circuit with this blinding of the columns of its boundaries, taken and given ones: for
    /// each column the values of its last rows, which the neighbour has there too.
    #[must_use]
    pub fn with_boundary_blinding(mut self, tails: [Vec<Vec<Fr>>; 2]) -> Self {
        self.tails = tails;
        self
    }

    /// The indices of the columns of the boundaries, taken and given ones.
    #[must_use]
    pub fn boundary_columns(&self) -> [Vec<usize>; 2] {
        let unit = self.config().units.boundary;
        let taken = unit.iter().flat_map(|unit| unit.taken.iter().map(|column| column.index()));
        let given = unit.iter().flat_map(|unit| &unit.given);
        [taken.collect(), given.map(|copied| copied.column().index()).collect()]
    }

    /// The same circuit with one more cell of the witness changed: what a lying prover would do.
    /// What a unit computes from a copied cell is computed from the lie. For tests; a proof from it
    /// does not verify.
    #[must_use]
    pub fn tampered(mut self, tamper: Tamper) -> Self {
        self.lies.push(tamper);
        self
    }

    /// The advice of the circuit's execution, if it has one.
    #[must_use]
    pub fn witness(&self) -> Option<Witness<'_>> {
        self.traced_witness(false)
    }

    fn traced_witness(&self, tracked: bool) -> Option<Witness<'_>> {
        let statement = Statement {
            plan: &self.plan,
            execution: self.execution.as_deref()?,
            blindings: &self.blindings,
            lies: &self.lies,
        };
        Some(Witness::new(statement, tracked))
    }

    /// The advice cells that the witness of its execution assigns: column index and row, in order.
    /// None without an execution.
    #[must_use]
    pub fn assigned_cells(&self) -> Vec<(usize, usize)> {
        let Some(witness) = self.traced_witness(true) else { return Vec::new() };
        let mut cells = witness.first_cells();
        cells.append(&mut witness.second_cells());
        cells.sort_unstable();
        cells
    }

    /// What each advice column is called, by index.
    #[must_use]
    pub fn column_names(&self) -> Vec<&'static str> {
        self.config().owed.names
    }

    /// The advice columns whose cells are copies of cells elsewhere: index, and what they are
    /// copies of.
    #[must_use]
    pub fn copied_columns(&self) -> Vec<(usize, &'static str)> {
        let copied = self.config().owed.copied;
        copied.into_iter().map(|(copied, of)| (copied.column().index(), of)).collect()
    }

    /// Where the cell of a row lies in the circuit, column and row, for each advice column: columns of the
    /// circuit hold several of those that this type speaks of elsewhere where the plan is interleaved.
    #[must_use]
    pub fn places(&self, row: usize) -> Vec<(usize, usize)> {
        let Config { interleaving, owed, .. } = self.config();
        let place = |&column| interleaving.advice_cell(column, row);
        owed.columns().iter().map(place).map(|(column, row)| (column.index(), row)).collect()
    }

    fn config(&self) -> Config {
        Config::configure(&mut ConstraintSystem::default(), self.plan.shape())
    }
}

impl Circuit<Fr> for InferenceCircuit {
    type Config = Config;
    type FloorPlanner = SimpleFloorPlanner;
    type Params = Shape;

    fn without_witnesses(&self) -> Self {
        Self::new(self.plan.clone())
    }

    fn params(&self) -> Shape {
        self.plan.shape().clone()
    }

    fn configure_with_params(meta: &mut ConstraintSystem<Fr>, shape: Shape) -> Config {
        Config::configure(meta, &shape)
    }

    fn configure(meta: &mut ConstraintSystem<Fr>) -> Config {
        Config::configure(meta, &Shape::default())
    }

    fn synthesize(&self, config: Config, mut layouter: impl Layouter<Fr>) -> Result<(), Error> {
        layouter.assign_region(
            || "inference",
            |region| {
                Assigner { circuit: self, config: &config, region }.run();
                Ok(())
            },
        )
    }
}

/// The columns of the witness are known without a layout.
impl EngineCircuit for InferenceCircuit {
    fn advice(&self) -> Option<Box<dyn AdvicePhases + '_>> {
        self.witness().map(|witness| Box::new(Phases::new(witness)) as Box<_>)
    }

    fn blinding(&self) -> Vec<(usize, Vec<Fr>)> {
        let columns = self.boundary_columns().into_iter().zip(&self.tails);
        columns
            .flat_map(|(columns, tails)| columns.into_iter().zip(tails.iter().cloned()))
            .collect()
    }
}

/// The copy constraints of a plan: pairs of cells that hold the same value.
fn copies(plan: &CircuitPlan, config: &Config) -> Vec<[Cell; 2]> {
    let places = (&config.owed.places[..], &config.interleaving);
    let mut copies = Copies::new(config.instance.clone(), places, plan.tensors(), plan.zero_cell());
    config.units.copies(plan.rows(), &mut copies);
    for (row, output) in plan.shown_outputs() {
        copies.show(row, output);
    }
    copies.into_pairs()
}

/// Fills the one region of the circuit; rows are absolute.
struct Assigner<'a, 'r> {
    circuit: &'a InferenceCircuit,
    config: &'a Config,
    region: Region<'r, Fr>,
}

impl Assigner<'_, '_> {
    /// Fixed data and copies, then the advice phase by phase, as far as challenges are known.
    fn run(&mut self) {
        let plan = self.circuit.plan.clone();
        let interleaving = &self.config.interleaving;
        for (column, values) in fixed_cells(&plan, self.config).columns() {
            for (row, &value) in values.iter().enumerate().filter(|(_, value)| **value != 0) {
                let (column, row) = interleaving.fixed_cell(column, row);
                self.region.assign_fixed(column, row, field(value));
            }
        }
        self.config.units.constants(plan.rows(), &mut |column, row, value| {
            if value != Fr::ZERO {
                let (column, row) = interleaving.fixed_cell(column, row);
                self.region.assign_fixed(column, row, value);
            }
        });
        for [left, right] in copies(&plan, self.config) {
            self.region.constrain_equal(left, right);
        }
        let Some(witness) = self.circuit.traced_witness(true) else { return };
        let columns = self.config.owed.columns();
        let first: Vec<_> = witness.first_columns().iter().map(Column::to_field).collect();
        for (index, row) in witness.first_cells() {
            let value = Value::known(first[index][row]);
            let (column, row) = interleaving.advice_cell(columns[index], row);
            self.region.assign_advice(column, row, value);
        }
        self.blind_boundaries(plan.shape());
        self.region.next_phase();
        let mut known = true;
        self.config.challenges.map(|challenge| known &= self.challenge(challenge).is_some());
        if !known {
            return;
        }
        let value = |challenge| self.challenge(challenge).unwrap_or_default();
        let second = witness.second_columns(&value).into_iter();
        let second: HashMap<_, _> =
            second.map(|(index, values)| (index, values.to_field())).collect();
        for (index, row) in witness.second_cells() {
            let value = Value::known(second[&index][row]);
            let (column, row) = interleaving.advice_cell(columns[index], row);
            self.region.assign_advice(column, row, value);
        }
    }

    /// The chosen blinding, as far as it lies above the rows that halo2 blinds.
    fn blind_boundaries(&mut self, shape: &Shape) {
        let columns = self.config.owed.columns();
        for (index, tail) in self.circuit.blinding() {
            let rows = shape.row_count().saturating_sub(tail.len())..shape.usable_rows();
            for (row, value) in rows.zip(tail) {
                self.region.assign_advice(columns[index], row, Value::known(value));
            }
        }
    }

    fn challenge(&self, challenge: Challenge) -> Option<Fr> {
        let mut found = None;
        self.region.get_challenge(challenge).map(|value| found = Some(value));
        found
    }
}
