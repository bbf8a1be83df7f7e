//! What gates are written in: expressions over the cells of one row and the next.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Challenge, Column, ConstraintSystem, Expression, Fixed, VirtualCells},
    poly::Rotation,
};

use crate::{chain::monomial::Lattice, challenges::Challenges, frame::Limbs, integers};

/// The largest degree of any gate: four cosets for the quotient.
pub(crate) const MAX_DEGREE: usize = 5;

/// Fixed columns that say which rows the gates hold in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowSelectors {
    /// 1 on every row but the last usable one and the reserved ones.
    pub(crate) on: Column<Fixed>,
    pub(crate) first: Column<Fixed>,
    pub(crate) last: Column<Fixed>,
}

/// Where units create their gates.
pub(crate) struct Gates<'a> {
    meta: &'a mut ConstraintSystem<Fr>,
    selectors: RowSelectors,
    challenges: &'a Challenges<Challenge>,
}

impl<'a> Gates<'a> {
    pub(crate) fn new(
        meta: &'a mut ConstraintSystem<Fr>,
        selectors: RowSelectors,
        challenges: &'a Challenges<Challenge>,
    ) -> Self {
        Self { meta, selectors, challenges }
    }

    /// A gate: constraints by name.
    pub(crate) fn create<C: IntoIterator<Item = (&'static str, Expression<Fr>)>>(
        &mut self,
        name: &'static str,
        constraints: impl FnOnce(&mut Row<'_, '_>) -> C,
    ) {
        let (selectors, challenges) = (self.selectors, self.challenges);
        self.meta.create_gate(name, |cells| {
            constraints(&mut Row { cells, selectors, challenges }).into_iter().collect::<Vec<_>>()
        });
    }
}

/// The row that a gate is about.
pub(crate) struct Row<'a, 'c> {
    cells: &'a mut VirtualCells<'c, Fr>,
    selectors: RowSelectors,
    challenges: &'a Challenges<Challenge>,
}

impl Row<'_, '_> {
    pub(crate) fn on(&mut self) -> Expression<Fr> {
        self.fixed(self.selectors.on)
    }

    pub(crate) fn first(&mut self) -> Expression<Fr> {
        self.fixed(self.selectors.first)
    }

    pub(crate) fn last(&mut self) -> Expression<Fr> {
        self.fixed(self.selectors.last)
    }

    pub(crate) fn fixed(&mut self, column: Column<Fixed>) -> Expression<Fr> {
        self.cells.query_fixed(column, Rotation::cur())
    }

    /// The cell of this row.
    pub(crate) fn cur(&mut self, column: Column<Advice>) -> Expression<Fr> {
        self.cells.query_advice(column, Rotation::cur())
    }

    /// The cell of the next row.
    pub(crate) fn next(&mut self, column: Column<Advice>) -> Expression<Fr> {
        self.cells.query_advice(column, Rotation::next())
    }

    /// `Σ_i limbs[i] · 2^(widths before i)`: lowest limb first.
    pub(crate) fn limbs(&mut self, limbs: &Limbs) -> Expression<Fr> {
        let mut shift = 0;
        let terms = limbs.columns().iter().zip(limbs.widths()).map(|(&column, &width)| {
            let term = self.cur(column);
            let scaled = if shift == 0 { term } else { term * power_of_two(shift) };
            shift += width;
            scaled
        });
        sum(terms)
    }

    /// The challenges that weigh channels and positions.
    pub(crate) fn lattice(&mut self) -> Lattice<Expression<Fr>> {
        self.challenges().lattice
    }

    /// Every challenge.
    pub(crate) fn challenges(&mut self) -> Challenges<Expression<Fr>> {
        self.challenges.map(|challenge| self.cells.query_challenge(challenge))
    }
}

pub(crate) fn integer(value: i64) -> Expression<Fr> {
    Expression::Constant(integers::field(value))
}

pub(crate) fn power_of_two(bits: u32) -> Expression<Fr> {
    Expression::Constant(integers::power_of_two(bits))
}

pub(crate) fn sum(terms: impl IntoIterator<Item = Expression<Fr>>) -> Expression<Fr> {
    terms.into_iter().reduce(|a, b| a + b).unwrap_or_else(|| integer(0))
}

/// `Σ_i base^i · terms[i]`.
pub(crate) fn horner(terms: Vec<Expression<Fr>>, base: &Expression<Fr>) -> Expression<Fr> {
    let fold = |higher: Expression<Fr>, term| higher * base.clone() + term;
    terms.into_iter().rev().reduce(fold).unwrap_or_else(|| integer(0))
}
