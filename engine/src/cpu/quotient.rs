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
    kernels::{
        arithmetic::Arithmetic,
        batch,
        ntt::{Coset, Domain},
        pack::Pack,
        parallel,
    },
    operations::Extension,
    program::{Group, Source},
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

    /// Adds what a group of terms is on each coset to the undivided parts, `totals[coset][part]`.
    /// Columns lie in memory that is `free`, and again is after it.
    pub(super) fn add_group<'a>(
        &self,
        (group, uniforms): (&Group, &[Fr]),
        column: &(dyn Fn(Source) -> Extension<'a, Self> + Sync),
        free: &mut Vec<Vec<A::Fr>>,
        totals: &mut [Vec<Vec<A::Fr>>],
    ) where
        Self: 'a,
    {
        let sources = group.sources().into_iter().map(|(source, cosets)| {
            let column = column(source);
            let needed = match column {
                Extension::Extended(_) => 0,
                Extension::Column(_) => cosets.min(2),
            };
            let buffers: Vec<_> = (0..needed).map(|_| free.pop().unwrap_or_default()).collect();
            (source, cosets, column, buffers)
        });
        let mut sources = parallel::convert(sources, |(source, cosets, column, buffers)| {
            (source, cosets, self.prepare(column, buffers))
        });
        for (index, program) in group.programs.iter().enumerate() {
            let coset = &self.cosets[index].0;
            parallel::chunks(&mut sources, 1, |_, sources| {
                for (_, _, source) in sources.iter_mut().filter(|source| index < source.1) {
                    source.evaluate(&self.domain, coset);
                }
            });
            let values: HashMap<Source, &[A::Fr]> = sources
                .iter()
                .filter(|(_, cosets, _)| index < *cosets)
                .map(|(source, _, prepared)| (*source, prepared.on_coset(index)))
                .collect();
            let values: Vec<&[A::Fr]> =
                program.sources.iter().map(|source| values[source]).collect();
            rows::run(self.arithmetic, program, uniforms, &values, &mut totals[index]);
        }
        free.extend(sources.into_iter().flat_map(|(_, _, prepared)| prepared.buffers()));
    }

    /// A column, ready for as many cosets as there are buffers: none where it is on them already,
    /// one for a single coset.
    fn prepare<'a>(
        &self,
        column: Extension<'a, Self>,
        mut buffers: Vec<Vec<A::Fr>>,
    ) -> Prepared<'a, A> {
        let column = match column {
            Extension::Extended(extended) => return Prepared::Extended(extended),
            Extension::Column(column) => column,
        };
        let mut coefficients = buffers.pop().unwrap_or_default();
        columns::packs_into(self.arithmetic, column, &mut coefficients);
        self.domain.interpolate(&mut coefficients);
        let Some(mut values) = buffers.pop() else { return Prepared::OnOne(coefficients) };
        values.resize(coefficients.len(), A::Fr::zero());
        Prepared::Coefficients { coefficients, values }
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
enum Prepared<'a, A: Arithmetic> {
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
    /// Goes on to this coset.
    fn evaluate(&mut self, domain: &Domain<A>, coset: &Coset<A>) {
        match self {
            Prepared::Extended(_) => {}
            Prepared::Coefficients { coefficients, values } => {
                domain.evaluate(coefficients, coset, values);
            }
            Prepared::OnOne(values) => domain.evaluate_in_place(values, coset),
        }
    }

    /// The memory that it lies in.
    fn buffers(self) -> Vec<Vec<A::Fr>> {
        match self {
            Prepared::Extended(_) => Vec::new(),
            Prepared::Coefficients { coefficients, values } => vec![coefficients, values],
            Prepared::OnOne(values) => vec![values],
        }
    }

    /// The values on coset number `index`, to which coefficients were evaluated last.
    fn on_coset(&self, index: usize) -> &[A::Fr] {
        match self {
            Prepared::Extended(extended) => &extended[index],
            Prepared::Coefficients { values, .. } | Prepared::OnOne(values) => values,
        }
    }
}
