//! What gates are written in: expressions over the cells of one row and the next.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Challenge, Column, ConstraintSystem, Expression, Fixed, VirtualCells},
};

use crate::{
    chain::monomial::Lattice, challenges::Challenges, frame::Limbs, integers,
    interleaving::Interleaving,
};

/// The largest degree of any gate: four cosets for the quotient.
pub(crate) const MAX_DEGREE: usize = 5;

/// Fixed columns that say which rows the gates hold in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowSelectors {
    /// 1 on every row but the last usable one and the reserved ones.
    pub(crate) on: Column<Fixed>,
    /// 1 on the first row, and on the last usable one. Where columns are interleaved, these are the
    /// rows where `on` begins and has ended.
    pub(crate) ends: Option<[Column<Fixed>; 2]>,
}

/// Where units create their gates.
pub(crate) struct Gates<'a> {
    meta: &'a mut ConstraintSystem<Fr>,
    selectors: RowSelectors,
    interleaving: &'a Interleaving,
    challenges: &'a Challenges<Challenge>,
}

impl<'a> Gates<'a> {
    pub(crate) fn new(
        meta: &'a mut ConstraintSystem<Fr>,
        (selectors, interleaving): (RowSelectors, &'a Interleaving),
        challenges: &'a Challenges<Challenge>,
    ) -> Self {
        Self { meta, selectors, interleaving, challenges }
    }

    /// A gate: constraints by name. Where columns are interleaved, they hold where `on` is 1.
    pub(crate) fn create<C: IntoIterator<Item = (&'static str, Expression<Fr>)>>(
        &mut self,
        name: &'static str,
        constraints: impl FnOnce(&mut Row<'_, '_>) -> C,
    ) {
        let Self { selectors, interleaving, challenges, .. } = *self;
        self.meta.create_gate(name, |cells| {
            let mut row = Row { cells, selectors, interleaving, challenges };
            let constraints = constraints(&mut row).into_iter().collect::<Vec<_>>();
            if !interleaving.is_proper() {
                return constraints;
            }
            let on = row.fixed_at(selectors.on, 0);
            let only = |(name, constraint)| (name, on.clone() * constraint);
            constraints.into_iter().map(only).collect()
        });
    }

    /// A gate for each helper column: in every row it is the sum of the fractions of its group, each
    /// of which `ratio` gives as numerator and denominator.
    pub(crate) fn fractions<F: Copy>(
        &mut self,
        name: &'static str,
        groups: impl IntoIterator<Item = (impl AsRef<[F]>, Column<Advice>)>,
        ratio: impl Fn(&mut Row<'_, '_>, F) -> (Expression<Fr>, Expression<Fr>),
    ) {
        for (group, helper) in groups {
            self.create(name, |row| {
                let ratios: Vec<_> = group.as_ref().iter().map(|&f| ratio(row, f)).collect();
                let (numerator, denominator) = fraction_sum(&ratios);
                let left = denominator * row.cur(helper);
                [("helper = Σ fractions", row.on() * (left - numerator))]
            });
        }
    }
}

/// The row that a gate is about.
pub(crate) struct Row<'a, 'c> {
    cells: &'a mut VirtualCells<'c, Fr>,
    selectors: RowSelectors,
    interleaving: &'a Interleaving,
    challenges: &'a Challenges<Challenge>,
}

impl Row<'_, '_> {
    /// 1 in every row but the last usable one and the reserved ones. Where columns are interleaved,
    /// every constraint has this factor once, whether it asks for it or not.
    pub(crate) fn on(&mut self) -> Expression<Fr> {
        if self.interleaving.is_proper() { integer(1) } else { self.fixed(self.selectors.on) }
    }

    /// 1 in the first row alone.
    pub(crate) fn first(&mut self) -> Expression<Fr> {
        match self.selectors.ends {
            Some([first, _]) => self.fixed(first),
            None => integer(1) - self.fixed_at(self.selectors.on, -1),
        }
    }

    /// 0 in all rows only if the last usable cell of a column is 0.
    pub(crate) fn end(&mut self, column: Column<Advice>) -> Expression<Fr> {
        match self.selectors.ends {
            Some([_, last]) => self.fixed(last) * self.cur(column),
            // The last row in which constraints hold is the one before.
            None => (integer(1) - self.fixed_at(self.selectors.on, 1)) * self.next(column),
        }
    }

    pub(crate) fn fixed(&mut self, column: Column<Fixed>) -> Expression<Fr> {
        self.fixed_at(column, 0)
    }

    fn fixed_at(&mut self, column: Column<Fixed>, rows: i32) -> Expression<Fr> {
        let (column, rotation) = self.interleaving.fixed_query(column, rows);
        self.cells.query_fixed(column, rotation)
    }

    /// The cell of this row.
    pub(crate) fn cur(&mut self, column: Column<Advice>) -> Expression<Fr> {
        let (column, rotation) = self.interleaving.advice_query(column, 0);
        self.cells.query_advice(column, rotation)
    }

    /// The cell of the next row.
    pub(crate) fn next(&mut self, column: Column<Advice>) -> Expression<Fr> {
        let (column, rotation) = self.interleaving.advice_query(column, 1);
        self.cells.query_advice(column, rotation)
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

/// The sum of fractions, each numerator and denominator, as one fraction.
fn fraction_sum(
    fractions: &[(Expression<Fr>, Expression<Fr>)],
) -> (Expression<Fr>, Expression<Fr>) {
    let product = |skip: Option<usize>| {
        let kept = fractions.iter().enumerate().filter(|(i, _)| Some(*i) != skip);
        kept.map(|(_, (_, denominator))| denominator.clone()).reduce(|a, b| a * b)
    };
    let numerators = fractions.iter().enumerate().map(|(i, (numerator, _))| {
        product(Some(i)).map_or_else(|| numerator.clone(), |others| numerator.clone() * others)
    });
    (sum(numerators), product(None).unwrap_or_else(|| integer(1)))
}

/// `Σ_i base^i · terms[i]`.
pub(crate) fn horner(terms: Vec<Expression<Fr>>, base: &Expression<Fr>) -> Expression<Fr> {
    let fold = |higher: Expression<Fr>, term| higher * base.clone() + term;
    terms.into_iter().rev().reduce(fold).unwrap_or_else(|| integer(0))
}
