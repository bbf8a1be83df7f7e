//! Every column and gate of a circuit, which depend on its shape alone.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Challenge, Column, ConstraintSystem, Instance},
};

use crate::{
    algebra::{Gates, MAX_DEGREE, RowSelectors},
    challenges::Challenges,
    frame::{Frame, Obligations, Order},
    interleaving::Interleaving,
    lookup::LookupArgument,
    units::{Shape, Units},
};

/// Every column and challenge of a circuit.
#[derive(Clone, Debug)]
pub struct Config {
    /// The public values are dealt to these row by row.
    pub(crate) instance: Vec<Column<Instance>>,
    /// Where the columns lie.
    pub(crate) interleaving: Interleaving,
    pub(crate) selectors: RowSelectors,
    pub(crate) units: Units,
    pub(crate) lookups: LookupArgument,
    /// The running sum of all lookups and linear checks.
    pub(crate) total: Column<Advice>,
    pub(crate) challenges: Challenges<Challenge>,
    /// What the columns owe.
    pub(crate) owed: Obligations,
}

/// The columns that the frame hands out.
struct Columns {
    selectors: RowSelectors,
    units: Units,
    lookups: LookupArgument,
    total: Column<Advice>,
}

impl Columns {
    fn allocate(shape: &Shape, frame: &mut Frame) -> Self {
        let on = frame.fixed();
        let ends = (!frame.is_interleaved).then(|| [frame.fixed(), frame.fixed()]);
        let units = Units::allocate(shape, frame);
        let lookups = LookupArgument::allocate(shape.table_lanes, frame);
        frame.order(Order::First);
        let total = frame.later("total");
        Self { selectors: RowSelectors { on, ends }, units, lookups, total }
    }
}

impl Config {
    /// Allocates the columns of `shape` and creates every gate.
    pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, shape: &Shape) -> Self {
        let config = Self::allocate(meta, shape);
        let (selectors, interleaving) = (config.selectors, &config.interleaving);
        config.gates(&mut Gates::new(meta, (selectors, interleaving), &config.challenges));
        config
    }

    /// Allocates the columns of `shape`.
    pub(crate) fn allocate(meta: &mut ConstraintSystem<Fr>, shape: &Shape) -> Self {
        // The permutation argument takes as many columns to a product as the degree allows.
        meta.set_minimum_degree(MAX_DEGREE);
        let columns = 0..shape.instance_columns.max(1);
        let instance: Vec<_> = columns.map(|_| meta.instance_column()).collect();
        instance.iter().for_each(|&column| meta.enable_equality(column));
        let (columns, owed) =
            Frame::build(shape.stride() > 1, |frame| Columns::allocate(shape, frame));
        let interleaving = Interleaving::allocate(meta, shape.stride(), &owed);
        let challenges = Challenges::allocate(meta, shape.slots.layers);
        owed.enable_copies(&interleaving, meta);
        let Columns { selectors, units, lookups, total } = columns;
        Self { instance, interleaving, selectors, units, lookups, total, challenges, owed }
    }

    fn gates(&self, gates: &mut Gates<'_>) {
        self.units.gates(gates);
        self.chains_start_at_zero(gates);
        self.lookups.gates(gates);
        self.total_vanishes(gates);
    }

    /// A chain's first cell is 0. Were it free, it would weigh whatever the first row's cells hold
    /// in the linear sum, and make up for any error elsewhere.
    fn chains_start_at_zero(&self, gates: &mut Gates<'_>) {
        gates.create("chain start", |row| {
            let chains = self.units.chains();
            let start = |column| ("starts at zero", row.first() * row.cur(column));
            chains.into_iter().map(start).collect::<Vec<_>>()
        });
    }

    /// Lookups and linear layers in one running sum, `S + Σ_layers d·E_layer = 0`.
    ///
    /// Neither the sum of fractions `S` nor the errors `E` depend on the layers' challenges `d`,
    /// which are drawn when everything that determines `S` and `E` is committed, except for columns
    /// that their gates leave no freedom. So unless `S` and every `E` are zero, the total is a
    /// polynomial of degree one in the `d`s that is not zero, and ends at zero with probability 1/p.
    fn total_vanishes(&self, gates: &mut Gates<'_>) {
        gates.create("total", |row| {
            let (current, following) = (row.cur(self.total), row.next(self.total));
            let terms = self.lookups.fractions(row) + self.units.addends(row);
            let running = row.on() * (following - current.clone() - terms);
            [
                ("total' = total + fractions + outputs − inputs", running),
                ("starts at zero", row.first() * current.clone()),
                ("ends at zero", row.end(self.total)),
            ]
        });
    }

    /// Lookups to a row.
    pub(crate) fn lookup_count(&self) -> usize {
        self.lookups.lookups().len()
    }
}
