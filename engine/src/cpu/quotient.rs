//! The quotient over cosets.
//!
//! The constraint has degree below `d·n`, its quotient by `X^n - 1` below `m·n` for `m = d - 1`.
//! On the coset `s·H`, where `X^n` is the constant `s^n`, the quotient equals
//! `Σ (s^n)^i·h_i(X)`: a polynomial of degree below `n` for each of `m` cosets, and a Vandermonde
//! system for the pieces `h_i`. So m cosets of n rows are enough, also where m is no power of two.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};

use super::{CpuColumn, CpuDevice, columns, rows};
use crate::{
    column::Column,
    cosets::inverse_vandermonde,
    kernels::{arithmetic::Arithmetic, batch, ntt::Coset, pack::Pack, parallel},
    operations::Extension,
    program::Program,
};

impl<A: Arithmetic> CpuDevice<A> {
    /// The coefficients of a column's polynomial.
    pub(super) fn interpolate(&self, column: &CpuColumn<A>) -> Vec<A::Fr> {
        let mut values = columns::packs(self.arithmetic, column).into_owned();
        self.domain.interpolate(&mut values);
        values
    }

    pub(super) fn on_coset(&self, coefficients: &[A::Fr], coset: &Coset<A>) -> Vec<A::Fr> {
        let mut values = vec![A::Fr::zero(); coefficients.len()];
        self.domain.evaluate(coefficients, coset, &mut values);
        values
    }

    /// The undivided constraint on coset number `index`, by its coefficients.
    pub(super) fn constraint_on_coset(
        &self,
        program: &Program,
        uniforms: &[Fr],
        sources: &mut [Prepared<'_, A>],
        index: usize,
    ) -> Vec<A::Fr> {
        let coset = &self.cosets[index].0;
        parallel::chunks(sources, 1, |_, sources| {
            for source in sources {
                if let Prepared::Coefficients { coefficients, values } = source {
                    self.domain.evaluate(coefficients, coset, values);
                }
            }
        });
        let values = sources.iter().map(|source| match source {
            Prepared::Extended(extended) => &extended[index][..],
            Prepared::Coefficients { values, .. } => &values[..],
        });
        let values: Vec<&[A::Fr]> = values.collect();
        let mut outputs = rows::run(self.arithmetic, program, uniforms, &values);
        let mut constraint = outputs.pop().expect("the program has one output");
        self.domain.interpolate_coset(std::slice::from_mut(&mut constraint), coset);
        constraint
    }

    /// A column, ready for all cosets.
    pub(super) fn prepare<'a>(&self, column: Extension<'a, Self>) -> Prepared<'a, A> {
        match column {
            Extension::Extended(extended) => Prepared::Extended(extended),
            Extension::Column(column) => {
                let coefficients = self.interpolate(column);
                let values = vec![A::Fr::zero(); coefficients.len()];
                Prepared::Coefficients { coefficients, values }
            }
        }
    }

    /// The pieces, given the coefficients of the undivided constraint on every coset.
    pub(super) fn separate(&self, on_cosets: &[Vec<A::Fr>]) -> Vec<CpuColumn<A>> {
        let powers: Vec<Fr> = self.cosets.iter().map(|(_, power)| *power).collect();
        let matrix = inverse_vandermonde(&powers);
        parallel::map(matrix.len(), |piece| {
            let row = &matrix[piece];
            let scales = row
                .iter()
                .zip(&powers)
                .map(|(entry, power)| entry * (power - Fr::ONE).invert().expect("no coset is H"));
            let scales: Vec<Fr> = scales.collect();
            let terms: Vec<_> = on_cosets.iter().map(|c| &c[..]).collect();
            let mut coefficients = vec![A::Fr::zero(); self.packs()];
            batch::add_scaled(self.arithmetic, &mut coefficients, &scales, &terms);
            Column::Field(self.on_coset(&coefficients, &self.plain))
        })
    }
}

/// A column for the quotient.
pub(super) enum Prepared<'a, A: Arithmetic> {
    /// On the cosets already.
    Extended(&'a [Vec<A::Fr>]),
    /// To be evaluated on one coset after the other.
    Coefficients {
        /// Of its polynomial.
        coefficients: Vec<A::Fr>,
        /// On the coset at hand.
        values: Vec<A::Fr>,
    },
}
