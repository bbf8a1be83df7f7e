//! The prover's view of a circuit: advice, phase by phase.

use halo2_proofs::{
    circuit::Value,
    halo2curves::bn256::Fr,
    plonk::{
        Advice, Any, Assigned, Assignment, Challenge, Circuit, Column, ConstraintSystem, Error,
        Fixed, FloorPlanner, Instance, Selector,
    },
};

use crate::{
    arena::CellArena,
    column::{Cells, Column as Values},
    kernels::parallel,
};

/// A circuit that the engine proves: any halo2 circuit.
pub trait EngineCircuit: Circuit<Fr> {
    /// The advice, from a circuit that need not be laid out for it; it must be what `synthesize`
    /// assigns. Without it, the circuit is laid out for every proof.
    fn advice(&self) -> Option<Box<dyn AdvicePhases + '_>> {
        None
    }

    /// Advice columns with what blinds them: the values of their last rows, at least one more than
    /// there are blinding factors. All other columns, and all columns by default, are blinded by what is
    /// drawn.
    ///
    /// Two proofs that both commit to a column with the same values and the same blinding show the
    /// same commitment. Whoever chooses the blinding counts how often the column is opened.
    fn blinding(&self) -> Vec<(usize, Vec<Fr>)> {
        Vec::new()
    }
}

/// Computes advice, phase by phase.
pub trait AdvicePhases {
    /// Every column of the next phase with its index, all rows of it, given the challenges that were
    /// drawn so far, by their index.
    fn next_phase(&mut self, challenges: &[Option<Fr>]) -> Vec<(usize, Values)>;
}

/// Commits to the advice columns of a phase when all of them are assigned.
pub(crate) trait PhaseEnd {
    /// Takes the columns of `phase` in order of their index; the challenges of the phase, in order
    /// of theirs.
    fn commit(&mut self, phase: u8, columns: Vec<(usize, Values)>) -> Vec<Fr>;
}

/// The challenges of a circuit, as far as they are drawn.
struct Challenges {
    phases: Vec<u8>,
    values: Vec<Option<Fr>>,
}

impl Challenges {
    fn new(constraints: &ConstraintSystem<Fr>) -> Self {
        let phases = constraints.challenge_phase();
        Self { values: vec![None; phases.len()], phases }
    }

    fn draw(&mut self, phase: u8, drawn: Vec<Fr>) {
        let places = self.phases.iter().zip(&mut self.values);
        let open = places.filter(|(of, _)| **of == phase).map(|(_, value)| value);
        for (place, value) in open.zip(drawn) {
            *place = Some(value);
        }
    }

    fn all(self) -> Result<Vec<Fr>, Error> {
        self.values.into_iter().collect::<Option<_>>().ok_or(Error::Synthesis)
    }
}

fn phase_count(constraints: &ConstraintSystem<Fr>) -> u8 {
    constraints.advice_column_phase().into_iter().max().map_or(1, |last| last + 1)
}

/// A circuit with its witness, whatever its type: what a proof asks of it.
pub(crate) trait Witness {
    /// Computes the advice, handing each phase to `end`; gives all challenges.
    ///
    /// # Errors
    /// What the circuit itself refuses, or a cell without a value.
    fn collect(
        &self,
        k: u32,
        constraints: &ConstraintSystem<Fr>,
        instance: &[&[Fr]],
        end: &mut dyn PhaseEnd,
    ) -> Result<Vec<Fr>, Error>;

    /// The columns whose blinding is chosen, with it.
    fn chosen_blinding(&self) -> Vec<(usize, Vec<Fr>)>;
}

impl<C: EngineCircuit> Witness for C {
    fn chosen_blinding(&self) -> Vec<(usize, Vec<Fr>)> {
        self.blinding()
    }

    fn collect(
        &self,
        k: u32,
        constraints: &ConstraintSystem<Fr>,
        instance: &[&[Fr]],
        end: &mut dyn PhaseEnd,
    ) -> Result<Vec<Fr>, Error> {
        match self.advice() {
            Some(advice) => compute(advice, 1 << k, constraints, end),
            None => lay_out(self, k, constraints, instance, end),
        }
    }
}

/// Asks for the columns of every phase, of `rows` values each.
fn compute(
    mut advice: Box<dyn AdvicePhases + '_>,
    rows: usize,
    constraints: &ConstraintSystem<Fr>,
    end: &mut dyn PhaseEnd,
) -> Result<Vec<Fr>, Error> {
    let phases = constraints.advice_column_phase();
    let mut challenges = Challenges::new(constraints);
    for phase in 0..phase_count(constraints) {
        let mut columns = advice.next_phase(&challenges.values);
        columns.sort_unstable_by_key(|(index, _)| *index);
        let expected = phases.iter().enumerate().filter(|(_, of)| **of == phase);
        let is_complete = expected.map(|(index, _)| index).eq(columns.iter().map(|c| c.0));
        if !is_complete || columns.iter().any(|(_, column)| column.rows() != rows) {
            return Err(Error::Synthesis);
        }
        let drawn = end.commit(phase, columns);
        challenges.draw(phase, drawn);
    }
    challenges.all()
}

/// Lays `circuit` out to the same end.
fn lay_out<C: Circuit<Fr>>(
    circuit: &C,
    k: u32,
    constraints: &ConstraintSystem<Fr>,
    instance: &[&[Fr]],
    end: &mut dyn PhaseEnd,
) -> Result<Vec<Fr>, Error> {
    let mut own = ConstraintSystem::default();
    let config = C::configure_with_params(&mut own, circuit.params());
    let phases = constraints.advice_column_phase();
    let phase_count = phase_count(constraints);
    let rows = 1_usize << k;
    let mut collector = Collector {
        k,
        usable_rows: rows - (constraints.blinding_factors() + 1),
        columns: vec![Some(Cells::new(rows)); phases.len()],
        phases,
        challenges: Challenges::new(constraints),
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
    collector.challenges.all()
}

struct Collector<'a> {
    k: u32,
    usable_rows: usize,
    /// Columns of the phases that have not ended.
    columns: Vec<Option<Cells>>,
    phases: Vec<u8>,
    challenges: Challenges,
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
        self.challenges.values[challenge.index()].map_or_else(Value::unknown, Value::known)
    }

    fn next_phase(&mut self) {
        let here = self.phases.iter().enumerate().filter(|(_, phase)| **phase == self.phase);
        let cells: Vec<_> = here
            .map(|(index, _)| (index, self.columns[index].take().expect("a phase ends once")))
            .collect();
        let columns = parallel::convert(cells, |(index, cells)| (index, cells.finish()));
        let drawn = self.end.commit(self.phase, columns);
        self.challenges.draw(self.phase, drawn);
        self.phase += 1;
    }
}
