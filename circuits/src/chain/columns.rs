//! The columns of a chain: its weight in every row, and selectors of how it goes on.

use halo2_proofs::{
    halo2curves::{bn256::Fr, ff::Field},
    plonk::{Advice, Column, Expression, Fixed},
};

use super::monomial::{Lattice, Step, StepSet};
use crate::{
    algebra::{Row, integer, sum},
    cells::FixedCells,
    frame::Frame,
};

/// Row selectors of a chain: one fixed column per monomial.
#[derive(Clone, Debug)]
pub(crate) struct ChainColumns {
    pub(crate) weight: Column<Advice>,
    steps: StepSet,
    numerators: Vec<Column<Fixed>>,
    denominators: Vec<Column<Fixed>>,
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
            numerators: frame.fixed_columns(steps.numerators.len()),
            denominators: frame.fixed_columns(steps.denominators.len()),
            layers: frame.fixed_columns(layers),
            weight: frame.later(name),
        }
    }

    /// The factors of a row's move, selected by its fixed columns. Rows that select nothing have
    /// denominator 1, numerator 0 and layer 0, so their chain value is 0. `scales` multiply the
    /// challenges of layers.
    pub(crate) fn step(
        &self,
        row: &mut Row<'_, '_>,
        scale: impl Fn(usize, Expression<Fr>) -> Expression<Fr>,
    ) -> ChainMove {
        let challenges = row.challenges();
        let lattice = challenges.lattice;
        let numerators = self.numerators.iter().zip(&self.steps.numerators);
        let numerator =
            sum(numerators
                .map(|(&column, monomial)| row.fixed(column) * monomial.expression(&lattice)));
        let denominators = self.denominators.iter().zip(&self.steps.denominators);
        let denominator = denominators.fold(integer(1), |total, (&column, monomial)| {
            total + row.fixed(column) * (monomial.expression(&lattice) - integer(1))
        });
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
        if let Some(index) = step.numerator.checked_sub(1) {
            cells.set(self.numerators[index], row, 1);
        }
        if let Some(index) = step.denominator.checked_sub(1) {
            cells.set(self.denominators[index], row, 1);
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

/// A step set's monomials at the challenges.
pub(crate) struct Factors {
    numerators: Vec<Fr>,
    /// Inverted.
    denominators: Vec<Fr>,
}

impl Factors {
    fn new(steps: &StepSet, lattice: &Lattice<Fr>) -> Self {
        // A challenge is 0 with probability 2^-254; the proof would then simply not verify.
        let inverse = |value: Fr| value.invert().unwrap_or(Fr::ZERO);
        Self {
            numerators: steps.numerators.iter().map(|m| m.evaluate(lattice)).collect(),
            denominators: steps.denominators.iter().map(|m| inverse(m.evaluate(lattice))).collect(),
        }
    }

    fn apply(&self, step: Step, value: Fr) -> Fr {
        let Some(numerator) = step.numerator.checked_sub(1) else { return Fr::ZERO };
        let moved = value * self.numerators[numerator];
        match step.denominator.checked_sub(1) {
            Some(denominator) => moved * self.denominators[denominator],
            None => moved,
        }
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
