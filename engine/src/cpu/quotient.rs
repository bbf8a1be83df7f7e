//! The quotient over cosets.
//!
//! The constraint has degree below `d·n`, its quotient by `X^n - 1` below `m·n` for `m = d - 1`.
//! On the coset `s·H`, where `X^n` is the constant `s^n`, the quotient equals
//! `Σ (s^n)^i·h_i(X)`: a polynomial of degree below `n` for each of `m` cosets, and a Vandermonde
//! system for the pieces `h_i`. So m cosets of n rows are enough, also where m is no power of two.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, PrimeField},
};

use super::{CpuColumn, CpuDevice, columns, rows};
use crate::{
    column::Column,
    device::Extension,
    kernels::{arithmetic::Arithmetic, batch, ntt::Coset, pack::Pack, parallel},
    program::Program,
};

/// The generator of the group of order `2^k`.
pub(super) fn root_of_unity(k: u32) -> Fr {
    (k..Fr::S).fold(Fr::ROOT_OF_UNITY, |root, _| root.square())
}

/// `count` shifts, of different `n`-th powers, none of them 1.
pub(super) fn coset_shifts(k: u32, count: usize) -> Vec<Fr> {
    let root = root_of_unity(k + count.next_power_of_two().trailing_zeros());
    let shifts = std::iter::successors(Some(Fr::MULTIPLICATIVE_GENERATOR), |s| Some(s * root));
    shifts.take(count).collect()
}

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
        self.domain.interpolate_coset(&mut constraint, coset);
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

/// The inverse of the matrix whose row `j` holds the powers of `points[j]`, which are different.
fn inverse_vandermonde(points: &[Fr]) -> Vec<Vec<Fr>> {
    let size = points.len();
    // Column j holds the coefficients of the Lagrange polynomial of point j.
    let lagrange = |j: usize| {
        let others = points.iter().enumerate().filter(|(i, _)| *i != j).map(|(_, point)| point);
        let mut coefficients = vec![Fr::ONE];
        let mut divisor = Fr::ONE;
        for other in others {
            coefficients.insert(0, Fr::ZERO);
            for i in 1..coefficients.len() {
                let above = coefficients[i];
                coefficients[i - 1] -= above * other;
            }
            divisor *= points[j] - other;
        }
        let scale = divisor.invert().expect("the points are different");
        coefficients.iter().map(|c| c * scale).collect::<Vec<_>>()
    };
    let columns: Vec<_> = (0..size).map(lagrange).collect();
    (0..size).map(|row| columns.iter().map(|column| column[row]).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_gives_back_coefficients() {
        let points: Vec<Fr> = [3, 5, 8].map(Fr::from).to_vec();
        let polynomial = [11, 7, 2].map(Fr::from);
        let value = |x: &Fr| polynomial.iter().rev().fold(Fr::ZERO, |sum, c| sum * x + c);
        let values: Vec<Fr> = points.iter().map(value).collect();
        for (row, expected) in inverse_vandermonde(&points).iter().zip(polynomial) {
            let got: Fr = row.iter().zip(&values).map(|(a, b)| a * b).sum();
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn cosets_are_disjoint_and_not_the_domain() {
        for count in 1..=7 {
            let powers: Vec<Fr> =
                coset_shifts(5, count).iter().map(|s| s.pow_vartime([32])).collect();
            for (i, power) in powers.iter().enumerate() {
                assert_ne!(*power, Fr::ONE);
                assert!(!powers[..i].contains(power));
            }
        }
    }
}
