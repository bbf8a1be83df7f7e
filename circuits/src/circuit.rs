//! The halo2 circuit over a plan.

use std::{collections::HashMap, sync::Arc};

use halo2_proofs::{
    circuit::{Layouter, Region, SimpleFloorPlanner, Value},
    halo2curves::bn256::Fr,
    plonk::{Advice, Challenge, Circuit, Column, ConstraintSystem, Error},
};
use zkinfer_engine::{AdvicePhases, EngineCircuit};
use zkinfer_models::Execution;

use crate::{
    config::Config,
    copies::copies,
    plan::{CircuitPlan, RequantKind, commitment::Side},
    shape::Shape,
    witness::{
        Blindings, Phases, Witness, commitment, field,
        fixed::{fixed_columns, packed_weights},
    },
};

/// One model run as a halo2 circuit; without an execution it is what key generation needs.
#[derive(Clone, Debug)]
pub struct InferenceCircuit {
    plan: Arc<CircuitPlan>,
    execution: Option<Arc<Execution>>,
    blindings: Blindings,
    lies: Vec<Tamper>,
}

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

impl InferenceCircuit {
    /// The circuit of `plan`, without a witness.
    #[must_use]
    pub fn new(plan: Arc<CircuitPlan>) -> Self {
        Self { plan, execution: None, blindings: Blindings::default(), lies: Vec::new() }
    }

    /// The circuit of `plan` with the witness of one execution of its graph.
    #[must_use]
    pub fn with_execution(plan: Arc<CircuitPlan>, execution: Arc<Execution>) -> Self {
        Self { execution: Some(execution), ..Self::new(plan) }
    }

    /// The same circuit with these blindings of what it commits to.
    #[must_use]
    pub fn with_blindings(mut self, blindings: Blindings) -> Self {
        self.blindings = blindings;
        self
    }

    /// The same circuit with one more cell of the witness changed: what a lying prover would do.
    /// For tests; a proof from it does not verify.
    #[must_use]
    pub fn tampered(mut self, tamper: Tamper) -> Self {
        self.lies.push(tamper);
        self
    }

    /// The advice of the circuit's execution, if it has one.
    #[must_use]
    pub fn witness(&self) -> Option<Witness<'_>> {
        let execution = self.execution.as_deref()?;
        Some(Witness::new(&self.plan, execution, &self.blindings, &self.lies))
    }

    /// The advice cells that an honest witness assigns: column index and row, in order.
    #[must_use]
    pub fn assigned_cells(&self) -> Vec<(usize, usize)> {
        let mut cs = ConstraintSystem::default();
        let config = Config::configure(&mut cs, &self.plan.shape);
        assigned_cells(&self.plan, &config)
            .into_iter()
            .map(|(column, row)| (column.index(), row))
            .collect()
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
        self.plan.shape.clone()
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
        let fixed = fixed_columns(&plan, self.config);
        for (&column, values) in self.config.fixed_columns().iter().zip(&fixed) {
            for (row, &value) in values.iter().enumerate().filter(|(_, value)| **value != 0) {
                self.region.assign_fixed(column, row, field(value));
            }
        }
        let weights = packed_weights(&plan, self.config).filter(|cell| cell.2 != Fr::zero());
        for (column, row, value) in weights.chain(commitment::constants(&plan, self.config)) {
            self.region.assign_fixed(column, row, value);
        }
        for (left, right) in copies(&plan, self.config) {
            self.region.constrain_equal(left, right);
        }
        let Some(witness) = self.circuit.witness() else { return };
        let cells = assigned_cells(&plan, self.config);
        let columns = witness.first_phase();
        for &(column, row) in &cells {
            if let Some(values) = columns.get(column.index()) {
                self.region.assign_advice(column, row, Value::known(values.value(row)));
            }
        }
        self.region.next_phase();
        let challenges = self.config.all_challenges();
        if challenges.into_iter().any(|challenge| self.challenge(challenge).is_none()) {
            return;
        }
        let value = |challenge| self.challenge(challenge).unwrap_or_default();
        let columns: HashMap<_, _> = witness.second_phase(&value).into_iter().collect();
        for (column, row) in cells {
            if let Some(values) = columns.get(&column) {
                self.region.assign_advice(column, row, Value::known(values.value(row)));
            }
        }
    }

    fn challenge(&self, challenge: Challenge) -> Option<Fr> {
        let mut found = None;
        self.region.get_challenge(challenge).map(|value| found = Some(value));
        found
    }
}

/// The advice cells that carry meaning.
fn assigned_cells(plan: &CircuitPlan, config: &Config) -> Vec<(Column<Advice>, usize)> {
    let mut cells = Vec::new();
    let mut fill = |columns: Vec<Column<Advice>>, rows: &mut dyn Iterator<Item = usize>| {
        for row in rows {
            cells.extend(columns.iter().map(|&column| (column, row)));
        }
    };
    let layer = |row: &usize| plan.slots.rows[*row].layer.map(|l| &plan.layers[l as usize]);
    let slots = 0..plan.slots.rows.len();
    fill(config.slot_columns(), &mut slots.clone().filter(|row| layer(row).is_some()));
    let has_window = |row: &usize| layer(row).is_some_and(|layer| layer.pooling.is_some());
    fill(config.shortfall_columns(), &mut slots.clone().filter(has_window));
    let is_wide = |row: &usize| layer(row).is_some_and(|layer| layer.kind == RequantKind::Wide);
    fill(config.slots.wide_output.into_iter().collect(), &mut slots.filter(is_wide));
    let reads = |row: &usize| plan.linear.rows[*row].reads.is_some();
    fill(config.linear.reads.clone(), &mut (0..plan.linear.rows.len()).filter(reads));
    for (row, windows) in plan.cells.pool_rows().enumerate() {
        let lanes = config.pool.iter().zip(windows);
        fill(lanes.flat_map(|(lane, _)| lane.all()).collect(), &mut std::iter::once(row));
    }
    fill(config.softmax_columns(), &mut (0..plan.cells.softmax.len()));
    for (lane, entries) in config.table.lanes.iter().zip(plan.table.lanes()) {
        fill(vec![lane.multiplicity], &mut (0..entries.len()));
    }
    let last = plan.shape.usable_rows() - 1;
    fill(config.table.helpers.clone(), &mut (0..last));
    let sums = [config.slots.chain.weight, config.linear.chain.weight, config.total];
    fill(sums.to_vec(), &mut (0..last + 1));
    cells.extend(commitment_cells(plan, config));
    cells
}

/// Those of the commitment unit.
fn commitment_cells(plan: &CircuitPlan, config: &Config) -> Vec<(Column<Advice>, usize)> {
    let Some((commitment, unit)) = plan.commitment.as_ref().zip(config.commitment.as_ref()) else {
        return Vec::new();
    };
    let mut cells = Vec::new();
    for committed in &commitment.sides {
        let limbs: &[_] = match (committed.side, &unit.input) {
            (Side::Input, Some(input)) => &input.limbs,
            _ => &[],
        };
        let value = unit.packed_column(committed.side).map(|packed| packed.value);
        for &row in &committed.element_rows {
            cells.extend(limbs.iter().copied().chain(value).map(|column| (column, row as usize)));
        }
    }
    for row in 1..commitment.rows.len() {
        let packed = commitment.binds_packed(row).then_some(unit.packed);
        let square = commitment.raises(row).then_some(unit.square);
        let columns = packed.into_iter().chain(square).chain(unit.state);
        cells.extend(columns.map(|column| (column, row)));
    }
    cells
}
