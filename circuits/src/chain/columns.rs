//! The columns of a chain: its weight in every row, and selectors of how it goes on.

use halo2_proofs::{
    halo2curves::{bn256::Fr, ff::Field},
    plonk::{Advice, Column, Expression, Fixed},
};

use super::monomial::{Lattice, Monomial, Move, Step, StepSet};
use crate::{
    algebra::{Row, integer, sum},
    cells::FixedCells,
    frame::Frame,
};

/// Row selectors of a chain: one fixed column per move, and what says which way.
#[derive(Clone, Debug)]
pub(crate) struct ChainColumns {
    pub(crate) weight: Column<Advice>,
    steps: StepSet,
    moves: Vec<Column<Fixed>>,
    back: Back,
    layers: Vec<Column<Fixed>>,
}

/// How rows that take their move backwards are told apart.
#[derive(Clone, Debug)]
enum Back {
    /// 1 in such rows, if there are any.
    Flag(Option<Column<Fixed>>),
    /// For each move 1 in the rows that take it backwards, if there are any: a degree less, for more
    /// columns.
    Moves(Vec<Option<Column<Fixed>>>),
}

impl Back {
    fn allocate(steps: &StepSet, apart: bool, frame: &mut Frame) -> Self {
        if apart {
            let moves = steps.moves.iter();
            return Self::Moves(moves.map(|m| m.goes_back.then(|| frame.fixed())).collect());
        }
        Self::Flag(steps.goes_back().then(|| frame.fixed()))
    }
}

/// One row's move on a chain: `denominator · (next − layer · read) = numerator · current`.
pub(crate) struct ChainMove {
    pub(crate) denominator: Expression<Fr>,
    pub(crate) numerator: Expression<Fr>,
    pub(crate) layer: Expression<Fr>,
}

/// The layer whose challenge a row adds, and the sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerStart {
    pub(crate) layer: u32,
    pub(crate) sign: i64,
}

impl ChainColumns {
    /// Where the ways of a move are `apart`, each has a selector, and the factors of a move are of degree
    /// 1 instead of 2.
    pub(crate) fn allocate(
        name: &'static str,
        (steps, apart): (&StepSet, bool),
        layers: usize,
        frame: &mut Frame,
    ) -> Self {
        Self {
            steps: steps.clone(),
            moves: frame.fixed_columns(steps.moves.len()),
            back: Back::allocate(steps, apart, frame),
            layers: frame.fixed_columns(layers),
            weight: frame.later(name),
        }
    }

    /// The factors of a row's move, selected by its fixed columns; `on` is 1 in all rows
    /// of the chain. Rows that select nothing have denominator 1, numerator 0 and layer 0, so their
    /// chain value is 0. Where `on` is 0 both are 0. `scales` multiply the challenges of layers.
    pub(crate) fn step(
        &self,
        row: &mut Row<'_, '_>,
        scale: impl Fn(usize, Expression<Fr>) -> Expression<Fr>,
    ) -> ChainMove {
        let challenges = row.challenges();
        let lattice = challenges.lattice;
        let mut forth = Vec::new();
        let mut shifts = vec![row.on()];
        let mut turns = Vec::new();
        for (place, &Move { up, down, goes_back }) in self.steps.moves.iter().enumerate() {
            let selected = row.fixed(self.moves[place]);
            let [up_factor, down_factor] = [up, down].map(|m| m.expression(&lattice));
            forth.push(selected.clone() * up_factor.clone());
            if down != Monomial::ONE {
                shifts.push(selected.clone() * (down_factor.clone() - integer(1)));
            }
            match &self.back {
                Back::Flag(_) if goes_back => turns.push(selected * (down_factor - up_factor)),
                Back::Flag(_) => {}
                Back::Moves(columns) => {
                    let Some(column) = columns[place] else { continue };
                    let selected = row.fixed(column);
                    forth.push(selected.clone() * down_factor);
                    shifts.push(selected * (up_factor - integer(1)));
                }
            }
        }
        let (mut numerator, mut denominator) = (sum(forth), sum(shifts));
        if let Back::Flag(Some(back)) = self.back {
            let turn = row.fixed(back) * sum(turns);
            (numerator, denominator) = (numerator + turn.clone(), denominator - turn);
        }
        let layers = self.layers.iter().zip(challenges.layers).enumerate();
        let layer =
            sum(layers
                .map(|(layer, (&column, challenge))| scale(layer, row.fixed(column) * challenge)));
        ChainMove { denominator, numerator, layer }
    }

    /// Selects how a row goes on.
    pub(crate) fn select(
        &self,
        row: usize,
        step: Step,
        start: Option<LayerStart>,
        cells: &mut FixedCells,
    ) {
        if let Some(index) = step.taken.checked_sub(1) {
            match (&self.back, step.is_back) {
                (Back::Moves(columns), true) => {
                    columns[index].iter().for_each(|&column| cells.set(column, row, 1));
                }
                (Back::Flag(flag), true) => {
                    cells.set(self.moves[index], row, 1);
                    flag.iter().for_each(|&column| cells.set(column, row, 1));
                }
                (_, false) => cells.set(self.moves[index], row, 1),
            }
        }
        if let Some(LayerStart { layer, sign }) = start {
            cells.set(self.layers[layer as usize], row, sign);
        }
    }

    /// Its monomials at the challenges.
    pub(crate) fn factors(&self, lattice: &Lattice<Fr>) -> Factors {
        Factors::new(&self.steps, lattice)
    }
}

/// What a step set's moves multiply by at the challenges.
pub(crate) struct Factors {
    /// Forth, and back.
    moves: Vec<[Fr; 2]>,
}

impl Factors {
    fn new(steps: &StepSet, lattice: &Lattice<Fr>) -> Self {
        // A challenge is 0 with probability 2^-254; the proof would then simply not verify.
        let inverse = |value: Fr| value.invert().unwrap_or(Fr::ZERO);
        let factors = |m: &Move| {
            let [up, down] = [m.up, m.down].map(|monomial| monomial.evaluate(lattice));
            [up * inverse(down), down * inverse(up)]
        };
        Self { moves: steps.moves.iter().map(factors).collect() }
    }

    fn apply(&self, step: Step, value: Fr) -> Fr {
        let Some(taken) = step.taken.checked_sub(1) else { return Fr::ZERO };
        value * self.moves[taken][usize::from(step.is_back)]
    }

    /// `next = current · step + read`, from zero.
    pub(crate) fn chain(&self, steps: impl Iterator<Item = (Step, Fr)>, rows: usize) -> Vec<Fr> {
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
