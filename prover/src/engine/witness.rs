//! The prover's view of a circuit: advice, phase by phase.

use halo2_proofs::{
    circuit::Value,
    halo2curves::bn256::Fr,
    plonk::{
        Advice, Any, Assigned, Assignment, Challenge, Circuit, Column, ConstraintSystem, Error,
        Fixed, FloorPlanner, Instance, Selector,
    },
};

use super::{arena::CellArena, column::Cells};

/// Commits to the advice columns of a phase when all of them are assigned.
pub(crate) trait PhaseEnd {
    /// Takes the columns of `phase` in order of their index; the challenges of the phase, in order
    /// of theirs.
    fn commit(&mut self, phase: u8, columns: Vec<(usize, Cells)>) -> Vec<Fr>;
}

/// Lays out the witness of `circuit`, handing each phase to `end`; gives all challenges.
///
/// # Errors
/// What the circuit itself refuses, or a cell without a value.
pub(crate) fn collect<C: Circuit<Fr>>(
    circuit: &C,
    k: u32,
    constraints: &ConstraintSystem<Fr>,
    instance: &[&[Fr]],
    end: &mut dyn PhaseEnd,
) -> Result<Vec<Fr>, Error> {
    let mut own = ConstraintSystem::default();
    let config = C::configure_with_params(&mut own, circuit.params());
    let phases = constraints.advice_column_phase();
    let phase_count = phases.iter().max().map_or(1, |last| last + 1);
    let rows = 1_usize << k;
    let mut collector = Collector {
        k,
        usable_rows: rows - (constraints.blinding_factors() + 1),
        columns: vec![Some(Cells::new(rows)); phases.len()],
        phases,
        challenge_phases: constraints.challenge_phase(),
        challenges: vec![None; constraints.num_challenges()],
        instance,
        phase: 0,
        arena: CellArena::default(),
        end,
        missing: false,
    };
    // A circuit that ends its phases itself is laid out once, any other once per phase.
    while collector.phase < phase_count {
        let constants = constraints.constants().clone();
        C::FloorPlanner::synthesize(&mut collector, circuit, config.clone(), constants)?;
        if collector.missing {
            return Err(Error::Synthesis);
        }
        if collector.phase < phase_count {
            collector.next_phase();
        }
    }
    collector.challenges.into_iter().collect::<Option<_>>().ok_or(Error::Synthesis)
}

struct Collector<'a> {
    k: u32,
    usable_rows: usize,
    /// Columns of the phases that have not ended.
    columns: Vec<Option<Cells>>,
    phases: Vec<u8>,
    challenge_phases: Vec<u8>,
    challenges: Vec<Option<Fr>>,
    instance: &'a [&'a [Fr]],
    phase: u8,
    arena: CellArena,
    end: &'a mut dyn PhaseEnd,
    /// Whether a cell of this phase was assigned no value.
    missing: bool,
}

impl Assignment<Fr> for Collector<'_> {
    fn enter_region<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}
    fn exit_region(&mut self) {}
    fn annotate_column<A: FnOnce() -> AR, AR: Into<String>>(&mut self, _: A, _: Column<Any>) {}
    fn push_namespace<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}
    fn pop_namespace(&mut self, _: Option<String>) {}
    fn assign_fixed(&mut self, _: Column<Fixed>, _: usize, _: Assigned<Fr>) {}
    fn copy(&mut self, _: Column<Any>, _: usize, _: Column<Any>, _: usize) {}

    fn enable_selector<A: FnOnce() -> AR, AR: Into<String>>(
        &mut self,
        _: A,
        _: &Selector,
        _: usize,
    ) -> Result<(), Error> {
        Ok(())
    }

    fn query_instance(&self, column: Column<Instance>, row: usize) -> Result<Value<Fr>, Error> {
        if row >= self.usable_rows {
            return Err(Error::NotEnoughRowsAvailable { current_k: self.k });
        }
        let value = self.instance.get(column.index()).and_then(|column| column.get(row));
        value.map(|&value| Value::known(value)).ok_or(Error::BoundsFailure)
    }

    fn assign_advice<'v>(
        &mut self,
        column: Column<Advice>,
        row: usize,
        to: Value<Assigned<Fr>>,
    ) -> Value<&'v Assigned<Fr>> {
        assert!(row < self.usable_rows, "advice column {column:?}: row {row} is not usable");
        let mut known = None;
        to.map(|value| known = Some(value));
        let Some(value) = known else {
            self.missing |= self.phases[column.index()] == self.phase;
            return Value::unknown();
        };
        if let Some(cells) = &mut self.columns[column.index()] {
            cells.set(row, value);
        }
        Value::known(self.arena.keep(value))
    }

    fn fill_from_row(
        &mut self,
        _: Column<Fixed>,
        _: usize,
        _: Value<Assigned<Fr>>,
    ) -> Result<(), Error> {
        Ok(())
    }

    fn get_challenge(&self, challenge: Challenge) -> Value<Fr> {
        self.challenges[challenge.index()].map_or_else(Value::unknown, Value::known)
    }

    fn next_phase(&mut self) {
        let here = self.phases.iter().enumerate().filter(|(_, phase)| **phase == self.phase);
        let columns = here
            .map(|(index, _)| {
                let cells = self.columns[index].take().expect("a phase ends once");
                (index, cells)
            })
            .collect();
        let drawn = self.end.commit(self.phase, columns);
        let phases = self.challenge_phases.iter().zip(&mut self.challenges);
        let open =
            phases.filter(|(phase, _)| **phase == self.phase).map(|(_, challenge)| challenge);
        for (challenge, value) in open.zip(drawn) {
            *challenge = Some(value);
        }
        self.phase += 1;
    }
}
