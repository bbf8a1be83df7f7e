//! The quotient over cosets.
//!
//! A part of the constraint has degree below `d·n`, its quotient by `X^n - 1` below `m·n` for
//! `m = d - 1`. On the coset `s·H`, where `X^n` is the constant `s^n`, the quotient equals
//! `Σ (s^n)^i·h_i(X)`: a polynomial of degree below `n` for each of `m` cosets, and a Vandermonde
//! system for the pieces `h_i`. So m cosets of n rows are enough, also where m is no power of two.

use std::collections::HashMap;

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};

use super::{CpuColumn, CpuDevice, columns, rows};
use crate::{
    column::Column,
    cosets::separation,
    kernels::{arithmetic::Arithmetic, batch, ntt::Coset, pack::Pack, parallel},
    operations::Extension,
    program::{Program, Source},
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

    /// The undivided parts on coset number `index`, by their coefficients; `sources` are those of
    /// the quotient, with the number of cosets.
    pub(super) fn parts_on_coset(
        &self,
        program: &Program,
        uniforms: &[Fr],
        sources: &mut [(Source, usize, Prepared<'_, A>)],
        index: usize,
    ) -> Vec<Vec<A::Fr>> {
        let coset = &self.cosets[index].0;
        parallel::chunks(sources, 1, |_, sources| {
            for (_, cosets, source) in sources {
                match source {
                    Prepared::Coefficients { coefficients, values } if index < *cosets => {
                        self.domain.evaluate(coefficients, coset, values);
                    }
                    Prepared::OnOne(values) if index == 0 => {
                        self.domain.evaluate_in_place(values, coset);
                    }
                    _ => {}
                }
            }
        });
        let values: HashMap<Source, &[A::Fr]> = sources
            .iter()
            .filter(|(_, cosets, _)| index < *cosets)
            .map(|(source, _, prepared)| (*source, prepared.on_coset(index)))
            .collect();
        let values: Vec<&[A::Fr]> = program.sources.iter().map(|source| values[source]).collect();
        let mut outputs = rows::run(self.arithmetic, program, uniforms, &values);
        self.domain.interpolate_coset(&mut outputs, coset);
        outputs
    }

    /// A column, ready for so many cosets.
    pub(super) fn prepare<'a>(
        &self,
        column: Extension<'a, Self>,
        cosets: usize,
    ) -> Prepared<'a, A> {
        match column {
            Extension::Extended(extended) => Prepared::Extended(extended),
            Extension::Column(column) => {
                let coefficients = self.interpolate(column);
                if cosets == 1 {
                    return Prepared::OnOne(coefficients);
                }
                let values = vec![A::Fr::zero(); coefficients.len()];
                Prepared::Coefficients { coefficients, values }
            }
        }
    }

    /// The pieces, given the coefficients of the undivided parts, coset after coset.
    pub(super) fn separate(&self, parts: &[usize], results: &[Vec<A::Fr>]) -> Vec<CpuColumn<A>> {
        let powers: Vec<Fr> = self.cosets.iter().map(|(_, power)| *power).collect();
        let scales = separation(&powers, parts);
        parallel::map(scales.len(), |piece| {
            let terms = scales[piece].iter().zip(results).filter(|(scale, _)| **scale != Fr::ZERO);
            let (scales, terms): (Vec<Fr>, Vec<&[A::Fr]>) =
                terms.map(|(scale, result)| (*scale, &result[..])).unzip();
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
    /// Coefficients that become the values on the only coset.
    OnOne(Vec<A::Fr>),
}

impl<A: Arithmetic> Prepared<'_, A> {
    /// The values on coset number `index`, to which coefficients were evaluated last.
    fn on_coset(&self, index: usize) -> &[A::Fr] {
        match self {
            Prepared::Extended(extended) => &extended[index],
            Prepared::Coefficients { values, .. } | Prepared::OnOne(values) => values,
        }
    }
}
