//! A fast judge of one witness: synthesizes once, then evaluates every gate and every copy.

use std::collections::{BTreeMap, BTreeSet};

use halo2_proofs::{
    circuit::Value,
    halo2curves::{bn256::Fr, ff::Field},
    plonk::{
        Advice, Any, Assigned, Assignment, Challenge, Circuit, Column, ConstraintSystem, Error,
        Expression, Fixed, FloorPlanner, Gate, Instance, Selector,
    },
};
use zkinfer_circuits::{InferenceCircuit, Tamper};

/// Everything that one synthesis assigns, with challenges fixed in advance.
#[derive(Clone)]
pub(crate) struct Recorder {
    rows: usize,
    /// Where the first cell of each of the units' columns lies, and the rows to the next.
    places: Vec<(usize, usize)>,
    stride: usize,
    advice: Vec<Vec<Fr>>,
    fixed: Vec<Vec<Fr>>,
    instance: Vec<Fr>,
    copies: Vec<[(Column<Any>, usize); 2]>,
    challenges: Vec<Fr>,
    /// What the advice columns whose cells are copies are copies of, by index.
    copied: BTreeMap<usize, &'static str>,
    /// The columns of the hash that the instance shows: commitments, or the root of several claims.
    digests: Vec<usize>,
    cs: ConstraintSystem<Fr>,
    /// `assign_advice` must hand out a reference that outlives the call.
    sink: &'static Assigned<Fr>,
}

impl Recorder {
    pub(crate) fn synthesize(circuit: &InferenceCircuit, k: u32, instance: &[Fr]) -> Self {
        Self::with_challenges(circuit, k, instance, challenge)
    }

    /// With other challenges, by their index.
    pub(crate) fn with_challenges(
        circuit: &InferenceCircuit,
        k: u32,
        instance: &[Fr],
        challenge: impl Fn(u64) -> Fr,
    ) -> Self {
        let mut cs = ConstraintSystem::default();
        let config = InferenceCircuit::configure_with_params(&mut cs, circuit.params());
        let rows = 1 << k;
        let mut instance = instance.to_vec();
        instance.resize(rows, Fr::ZERO);
        let strides = [0, 1].map(|row| circuit.places(row)[0].1);
        let mut recorder = Self {
            rows,
            places: circuit.places(0),
            stride: strides[1] - strides[0],
            advice: vec![vec![Fr::ZERO; rows]; cs.num_advice_columns()],
            fixed: vec![vec![Fr::ZERO; rows]; cs.num_fixed_columns()],
            instance,
            copies: vec![],
            copied: circuit.copied_columns().into_iter().collect(),
            digests: (circuit.column_names().iter().enumerate())
                .filter(|(_, name)| ["hash digest", "hash capacity"].contains(*name))
                .map(|(column, _)| column)
                .collect(),
            challenges: (0..cs.num_challenges() as u64).map(challenge).collect(),
            cs,
            sink: Box::leak(Box::new(Assigned::Zero)),
        };
        <InferenceCircuit as Circuit<Fr>>::FloorPlanner::synthesize(
            &mut recorder,
            circuit,
            config,
            vec![],
        )
        .expect("synthesis has no way to fail");
        recorder
    }

    /// The rows in which the ranges of the lookup table begin, of the one with this tag first. The
    /// column of tags is the only fixed one with several rows of that tag and nothing above it.
    pub(crate) fn range_starts(&self, tag: u64) -> Vec<usize> {
        let is_of_tags = |column: &&Vec<Fr>| {
            let rows = column.iter().filter(|&&cell| cell == Fr::from(tag)).count();
            rows > 1
                && column
                    .chunk_by(|a, b| a == b)
                    .any(|run| run[0] == Fr::from(tag) && run.len() == rows)
        };
        let mut found = self.fixed.iter().filter(is_of_tags);
        let tags = found.next().expect("a range of that tag");
        assert!(found.next().is_none(), "one column of tags");
        let is_start =
            |&row: &usize| tags[row] != Fr::ZERO && (row == 0 || tags[row - 1] != tags[row]);
        let mut starts: Vec<_> = (0..self.rows).filter(is_start).collect();
        starts.sort_by_key(|&row| tags[row] != Fr::from(tag));
        starts
    }

    /// Whether a column is committed after the challenges: nothing follows from its cells.
    pub(crate) fn is_last_phase(&self, column: usize) -> bool {
        self.cs.advice_column_phase()[self.places[column].0] == 1
    }

    /// The same witness with one cell changed and nothing else.
    pub(crate) fn tampered(mut self, tamper: Tamper) -> Self {
        let (column, offset) = self.places[tamper.column];
        self.advice[column][tamper.row * self.stride + offset] += tamper.delta;
        self
    }

    fn advice_or_other(&self, column: Column<Any>, row: usize) -> Fr {
        match column.column_type() {
            Any::Advice(_) => self.advice[column.index()][row],
            Any::Fixed => self.fixed[column.index()][row],
            Any::Instance => self.instance[row],
        }
    }

    fn value(&self, polynomial: &Expression<Fr>, row: usize) -> Fr {
        let at = |rotation: i32| (row as i32 + rotation).rem_euclid(self.rows as i32) as usize;
        polynomial.evaluate(
            &|constant| constant,
            &|_| unreachable!("no selectors are used"),
            &|query| self.fixed[query.column_index()][at(query.rotation().0)],
            &|query| self.advice[query.column_index()][at(query.rotation().0)],
            &|_| unreachable!("no instance queries are used"),
            &|challenge| self.challenges[challenge.index()],
            &|a| -a,
            &|a, b| a + b,
            &|a, b| a * b,
            &|a, b| a * b,
        )
    }

    fn holds(&self, polynomial: &Expression<Fr>, row: usize) -> bool {
        self.value(polynomial, row) == Fr::ZERO
    }

    /// The column of the units, and its row, that a cell of the circuit is.
    fn cell(&self, column: Column<Any>, row: usize) -> (usize, usize) {
        let place = (column.index(), row % self.stride);
        let found = self.places.iter().position(|&other| other == place);
        (found.expect("a column of the units"), row / self.stride)
    }

    /// The family of a copy: what its first cell is a copy of.
    fn family(&self, [(to, row), (from, from_row)]: [(Column<Any>, usize); 2]) -> &'static str {
        match to.column_type() {
            Any::Advice(_) => {
                let copied = self.copied.get(&self.cell(to, row).0).copied();
                copied.unwrap_or("joined commitment")
            }
            Any::Fixed => unreachable!("no fixed cell is a copy"),
            Any::Instance if self.digests.contains(&self.cell(from, from_row).0) => {
                "shown commitment"
            }
            Any::Instance => "shown output",
        }
    }

    /// The families of copies that there are.
    pub(crate) fn families(&self) -> BTreeSet<&'static str> {
        self.copies.iter().map(|&copy| self.family(copy)).collect()
    }

    /// The same circuit without one family of copies.
    pub(crate) fn without(mut self, family: &str) -> Self {
        let kept = self.copies.iter().copied().filter(|&copy| self.family(copy) != family);
        self.copies = kept.collect();
        self
    }

    /// The same witness with an instance that shows what its cells hold.
    pub(crate) fn shown(mut self) -> Self {
        for &[(to, row), (from, from_row)] in &self.copies {
            if matches!(to.column_type(), Any::Instance) {
                self.instance[row] = self.advice_or_other(from, from_row);
            }
        }
        self
    }

    /// The first row of a cell that a copy of this family is of and that holds something else in
    /// `other`.
    pub(crate) fn differing_source(&self, family: &str, other: &Self) -> Option<usize> {
        let sources = self.copies.iter().filter(|&&copy| self.family(copy) == family);
        let differs = |&(column, row): &(Column<Any>, usize)| {
            self.advice_or_other(column, row) != other.advice_or_other(column, row)
        };
        sources.map(|[_, from]| *from).filter(differs).map(|(_, row)| row).min()
    }

    /// The same witness with the advice of `other` in all rows behind this one.
    pub(crate) fn continued_by(mut self, other: &Self, row: usize) -> Self {
        for (column, others) in self.advice.iter_mut().zip(&other.advice) {
            column[row + 1..].copy_from_slice(&others[row + 1..]);
        }
        self
    }

    /// Cells of columns that are copies without a copy constraint on them.
    pub(crate) fn uncopied(&self, assigned: &[(usize, usize)]) -> Vec<(usize, usize)> {
        let copies = self.copies.iter().map(|[(to, row), _]| (*to, *row));
        let is_advice = |column: &Column<Any>| matches!(column.column_type(), Any::Advice(_));
        let made: BTreeSet<_> =
            copies.filter(|(to, _)| is_advice(to)).map(|(to, row)| self.cell(to, row)).collect();
        let owed = assigned.iter().filter(|(column, _)| self.copied.contains_key(column));
        owed.filter(|cell| !made.contains(cell)).copied().collect()
    }

    fn copies_hold(&self) -> bool {
        self.copies
            .iter()
            .all(|[(a, i), (b, j)]| self.advice_or_other(*a, *i) == self.advice_or_other(*b, *j))
    }

    /// Every constraint of every gate, by name.
    pub(crate) fn constraints(&self) -> BTreeSet<String> {
        let of_gate = |gate: &Gate<Fr>| {
            let name = |index| format!("{}: {}", gate.name(), gate.constraint_name(index));
            (0..gate.polynomials().len()).map(name).collect::<Vec<_>>()
        };
        self.cs.gates().iter().flat_map(of_gate).collect()
    }

    /// The values of a constraint, added up over all rows.
    pub(crate) fn sum_of(&self, constraint: &str) -> Fr {
        let named = self.cs.gates().iter().flat_map(|gate| {
            let name = |index| format!("{}: {}", gate.name(), gate.constraint_name(index));
            gate.polynomials().iter().enumerate().map(move |(i, p)| (name(i), p))
        });
        let found = named.into_iter().find(|(name, _)| name == constraint);
        let (_, polynomial) = found.expect("a constraint of that name");
        (0..self.usable_rows()).map(|row| self.value(polynomial, row)).sum()
    }

    /// The cells of an advice column, added up.
    pub(crate) fn column_sum(&self, column: usize) -> Fr {
        self.advice[column][..self.usable_rows()].iter().sum()
    }

    fn usable_rows(&self) -> usize {
        self.rows - (self.cs.blinding_factors() + 1)
    }

    /// The gates and copies that do not hold, by name.
    pub(crate) fn broken(&self) -> BTreeSet<String> {
        self.broken_in(0..self.usable_rows())
    }

    /// Those that do not hold, gates only in the rows that read a row of the units.
    pub(crate) fn broken_by(&self, row: usize) -> BTreeSet<String> {
        let here = row * self.stride;
        self.broken_in([here, here.saturating_sub(self.stride)].into_iter())
    }

    fn broken_in(&self, rows: impl Iterator<Item = usize> + Clone) -> BTreeSet<String> {
        let mut broken = BTreeSet::new();
        for gate in self.cs.gates() {
            for (index, polynomial) in gate.polynomials().iter().enumerate() {
                if !rows.clone().all(|row| self.holds(polynomial, row)) {
                    broken.insert(format!("{}: {}", gate.name(), gate.constraint_name(index)));
                }
            }
        }
        if !self.copies_hold() {
            broken.insert("copy".into());
        }
        broken
    }

    /// Whether something refuses a lie about a row of the units, looking first where it must show.
    pub(crate) fn refuses(&self, row: usize) -> bool {
        let usable = self.usable_rows();
        let polynomials = || self.cs.gates().iter().flat_map(|gate| gate.polynomials());
        let here = row * self.stride;
        let near = [here, here.saturating_sub(self.stride), usable - 1, 0];
        near.iter().any(|&row| polynomials().any(|p| !self.holds(p, row)))
            || !self.broken().is_empty()
    }
}

/// The challenges that lies are judged with.
pub(crate) fn challenge(index: u64) -> Fr {
    Fr::from(index + 3).pow_vartime([0x1234_5678_9abc_def1, 77, index])
}

impl Assignment<Fr> for Recorder {
    fn enter_region<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}

    fn exit_region(&mut self) {}

    fn annotate_column<A: FnOnce() -> AR, AR: Into<String>>(&mut self, _: A, _: Column<Any>) {}

    fn enable_selector<A: FnOnce() -> AR, AR: Into<String>>(
        &mut self,
        _: A,
        _: &Selector,
        _: usize,
    ) -> Result<(), Error> {
        unreachable!("no selectors are used")
    }

    fn query_instance(&self, _: Column<Instance>, row: usize) -> Result<Value<Fr>, Error> {
        Ok(Value::known(self.instance[row]))
    }

    fn assign_advice<'v>(
        &mut self,
        column: Column<Advice>,
        row: usize,
        to: Value<Assigned<Fr>>,
    ) -> Value<&'v Assigned<Fr>> {
        to.map(|value| self.advice[column.index()][row] = value.evaluate());
        Value::known(self.sink)
    }

    fn assign_fixed(&mut self, column: Column<Fixed>, row: usize, to: Assigned<Fr>) {
        self.fixed[column.index()][row] = to.evaluate();
    }

    fn copy(&mut self, a: Column<Any>, i: usize, b: Column<Any>, j: usize) {
        self.copies.push([(a, i), (b, j)]);
    }

    fn fill_from_row(
        &mut self,
        _: Column<Fixed>,
        _: usize,
        _: Value<Assigned<Fr>>,
    ) -> Result<(), Error> {
        unreachable!("no table columns are used")
    }

    fn get_challenge(&self, challenge: Challenge) -> Value<Fr> {
        Value::known(self.challenges[challenge.index()])
    }

    fn push_namespace<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}

    fn pop_namespace(&mut self, _: Option<String>) {}
}
