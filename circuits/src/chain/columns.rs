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

/// Row selectors of a chain: one fixed column per move, and one that says which way.
#[derive(Clone, Debug)]
pub(crate) struct ChainColumns {
    pub(crate) weight: Column<Advice>,
    steps: StepSet,
    moves: Vec<Column<Fixed>>,
    /// 1 in rows that take their move backwards.
    back: Option<Column<Fixed>>,
    layers: Vec<Column<Fixed>>,
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
    pub(crate) fn allocate(
        name: &'static str,
        steps: &StepSet,
        layers: usize,
        frame: &mut Frame,
    ) -> Self {
        Self {
            steps: steps.clone(),
            moves: frame.fixed_columns(steps.moves.len()),
            back: steps.goes_back().then(|| frame.fixed()),
            layers: frame.fixed_columns(layers),
            weight: frame.later(name),
        }
    }

    /// The factors of a row's move, selected by its fixed columns, of degree 2; `on` is 1 in all rows
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
        for (&column, &Move { up, down, goes_back }) in self.moves.iter().zip(&self.steps.moves) {
            let selected = row.fixed(column);
            let [up_factor, down_factor] = [up, down].map(|m| m.expression(&lattice));
            forth.push(selected.clone() * up_factor.clone());
            if down != Monomial::ONE {
                shifts.push(selected.clone() * (down_factor.clone() - integer(1)));
            }
            if goes_back {
                turns.push(selected * (down_factor - up_factor));
            }
        }
        let (mut numerator, mut denominator) = (sum(forth), sum(shifts));
        if let Some(back) = self.back {
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
            cells.set(self.moves[index], row, 1);
        }
        if let Some(back) = self.back.filter(|_| step.is_back) {
            cells.set(back, row, 1);
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
