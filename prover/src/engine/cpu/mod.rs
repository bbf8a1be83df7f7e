//! The engine's device on the processor: packs of field elements in memory, rayon over columns and
//! blocks of rows.

mod columns;
mod quotient;
mod rows;

use halo2_proofs::halo2curves::{
    bn256::{Fr, G1Affine},
    ff::Field,
};
use zkinfer_circuits::TableSums;

use super::{
    column::Column,
    device::{Device, Division, Extension, Fractions},
    program::{Program, Source},
};
use crate::kernels::{
    arithmetic::Arithmetic,
    batch,
    msm::Bases,
    ntt::{Coset, Domain},
    pack::Pack,
    parallel,
};

/// A processor with an arithmetic, for circuits of one size.
#[derive(Debug)]
pub(crate) struct CpuDevice<A: Arithmetic> {
    arithmetic: A,
    domain: Domain<A>,
    bases: Bases<A>,
    /// H itself.
    plain: Coset<A>,
    /// The cosets `shift·H` over which the quotient is computed, and `shift^n`.
    cosets: Vec<(Coset<A>, Fr)>,
    omega: Fr,
    rows: usize,
}

/// A column in memory.
#[derive(Debug)]
pub(crate) enum CpuColumn<A: Arithmetic> {
    /// Small integers, and the last rows.
    Integers {
        /// One per row; zero where `tail` is.
        values: Vec<i32>,
        /// The last rows.
        tail: Vec<Fr>,
    },
    /// Field elements.
    Field(Vec<A::Fr>),
    /// Field elements that are sums of entries of a table.
    Sums {
        /// Every row.
        packs: Vec<A::Fr>,
        /// What all rows but those of `tail` are sums of.
        sums: TableSums,
        /// The last rows.
        tail: Vec<Fr>,
    },
}

impl<A: Arithmetic> CpuDevice<A> {
    /// For circuits of `2^k` rows and constraints of `degree`, with commitments under
    /// `lagrange_bases`, whose tables may take `table_bytes`.
    pub(crate) fn new(
        arithmetic: A,
        k: u32,
        degree: usize,
        lagrange_bases: &[G1Affine],
        table_bytes: usize,
    ) -> Self {
        let domain = Domain::new(arithmetic, k);
        let rows = 1_u64 << k;
        let shifts = quotient::coset_shifts(k, degree - 1);
        let cosets = shifts.into_iter().map(|s| (domain.coset(s), s.pow_vartime([rows]))).collect();
        Self {
            arithmetic,
            plain: domain.coset(Fr::ONE),
            domain,
            bases: Bases::new(arithmetic, lagrange_bases, table_bytes),
            cosets,
            omega: quotient::root_of_unity(k),
            rows: lagrange_bases.len(),
        }
    }

    /// Bytes of a column on the cosets.
    pub(crate) fn extension_bytes(&self) -> usize {
        self.cosets.len() * self.packs() * size_of::<A::Fr>()
    }

    fn packs(&self) -> usize {
        self.rows / A::Fr::WIDTH
    }
}

impl<A: Arithmetic> Device for CpuDevice<A> {
    type Column = CpuColumn<A>;
    type Weights = batch::Weights<A>;
    /// Values coset by coset.
    type Extended = Vec<Vec<A::Fr>>;

    fn upload(&self, column: Column) -> CpuColumn<A> {
        match column {
            Column::Integers { values, tail } => CpuColumn::Integers { values, tail },
            Column::Field(cells) => CpuColumn::Field(columns::pack(self.arithmetic, &cells)),
            Column::Sums { values, sums } => {
                let rows = sums.positions.first().map_or(0, |positions| positions.len());
                let packs = columns::pack(self.arithmetic, &values);
                CpuColumn::Sums { packs, sums, tail: values[rows..].to_vec() }
            }
        }
    }

    fn download(&self, column: &CpuColumn<A>) -> Vec<Fr> {
        columns::unpack(self.arithmetic, &column.packs(self.arithmetic))
    }

    fn commit(&self, columns: &[&CpuColumn<A>]) -> Vec<G1Affine> {
        self.bases.commit(&columns.iter().map(|column| column.scalars()).collect::<Vec<_>>())
    }

    fn evaluate_rows<'a>(
        &self,
        program: &Program,
        uniforms: &[Fr],
        column: &(dyn Fn(Source) -> &'a CpuColumn<A> + Sync),
    ) -> Vec<CpuColumn<A>>
    where
        Self: 'a,
    {
        let sources = parallel::map(program.sources.len(), |index| {
            column(program.sources[index]).packs(self.arithmetic)
        });
        let sources: Vec<&[A::Fr]> = sources.iter().map(|packs| &packs[..]).collect();
        let outputs = rows::run(self.arithmetic, program, uniforms, &sources);
        outputs.into_iter().map(CpuColumn::Field).collect()
    }

    fn running_products(&self, fractions: Vec<Fractions<CpuColumn<A>>>) -> Vec<CpuColumn<A>> {
        let products = parallel::map(fractions.len(), |index| {
            let Fractions { numerators, denominators, .. } = &fractions[index];
            let mut inverses = denominators.packs(self.arithmetic).into_owned();
            batch::invert(self.arithmetic, &mut inverses);
            let numerators = numerators.packs(self.arithmetic);
            columns::multiply_into(self.arithmetic, &mut inverses, &numerators);
            columns::running_product(&columns::unpack(self.arithmetic, &inverses))
        });
        let mut last = Fr::ONE;
        let mut starts = Vec::with_capacity(products.len());
        for (product, fractions) in products.iter().zip(&fractions) {
            let start = if fractions.continues { last } else { Fr::ONE };
            last = start * product[product.len() - fractions.blinding.len() - 1];
            starts.push(start);
        }
        parallel::map(fractions.len(), |index| {
            let (product, blinding) = (&products[index], &fractions[index].blinding);
            let packs = columns::blinded(self.arithmetic, product, starts[index], blinding);
            CpuColumn::Field(packs)
        })
    }

    fn extend(&self, column: &CpuColumn<A>) -> Vec<Vec<A::Fr>> {
        let coefficients = self.interpolate(column);
        self.cosets.iter().map(|(coset, _)| self.on_coset(&coefficients, coset)).collect()
    }

    fn quotient<'a>(
        &self,
        program: &Program,
        uniforms: &[Fr],
        column: &(dyn Fn(Source) -> Extension<'a, Self> + Sync),
    ) -> Vec<CpuColumn<A>>
    where
        Self: 'a,
    {
        let mut sources = parallel::map(program.sources.len(), |index| {
            self.prepare(column(program.sources[index]))
        });
        let on_cosets = (0..self.cosets.len())
            .map(|index| self.constraint_on_coset(program, uniforms, &mut sources, index))
            .collect::<Vec<_>>();
        drop(sources);
        self.separate(&on_cosets)
    }

    fn lagrange_at(&self, point: Fr) -> batch::Weights<A> {
        let rows = self.rows as u64;
        let omegas = batch::powers(self.arithmetic, self.omega, self.rows);
        let mut weights = columns::map(
            self.arithmetic,
            &omegas,
            point,
            #[inline(always)]
            |omega, x| x.sub(omega),
        );
        batch::invert(self.arithmetic, &mut weights);
        let vanishing = point.pow_vartime([rows]) - Fr::ONE;
        let scale = vanishing * Fr::from(rows).invert().unwrap_or(Fr::ZERO);
        let scaled = columns::map(
            self.arithmetic,
            &omegas,
            scale,
            #[inline(always)]
            |omega, scale| omega.mul(scale),
        );
        columns::multiply_into(self.arithmetic, &mut weights, &scaled);
        batch::Weights::new(self.arithmetic, weights)
    }

    fn evaluate(&self, weights: &batch::Weights<A>, queries: &[(&CpuColumn<A>, i32)]) -> Vec<Fr> {
        parallel::map(queries.len(), |index| {
            let (column, rotation) = queries[index];
            columns::dot(self.arithmetic, weights, column, columns::rotation(rotation, self.rows))
        })
    }

    fn combine(&self, terms: &[(&CpuColumn<A>, Fr)]) -> CpuColumn<A> {
        CpuColumn::Field(columns::combine(self.arithmetic, terms, self.packs()))
    }

    fn divide(&self, parts: &[Division<'_, CpuColumn<A>>]) -> CpuColumn<A> {
        let omegas = batch::powers(self.arithmetic, self.omega, self.rows);
        let quotients = parallel::map(parts.len(), |index| {
            let part = &parts[index];
            let mut divisors = columns::divisors(self.arithmetic, &omegas, &part.points);
            batch::invert(self.arithmetic, &mut divisors);
            let dividend = part.column.packs(self.arithmetic);
            let remainder = &part.remainder;
            columns::quotients(self.arithmetic, &mut divisors, &dividend, &omegas, remainder);
            (CpuColumn::Field(divisors), part.scale)
        });
        let terms: Vec<_> = quotients.iter().map(|(column, scale)| (column, *scale)).collect();
        self.combine(&terms)
    }
}
