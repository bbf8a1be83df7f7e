//! The engine's device on the processor: packs of field elements in memory, rayon over columns and
//! blocks of rows.

mod columns;
mod quotient;
mod rows;

use std::borrow::Cow;

use halo2_proofs::halo2curves::{
    bn256::{Fr, G1Affine},
    ff::Field,
};

use crate::{
    assembly::CircuitData,
    column::Column,
    cosets::{coset_shifts, root_of_unity},
    error::{DeviceError, EngineError},
    kernels::{
        Instructions,
        arithmetic::{Arithmetic, Run},
        batch,
        msm::Bases,
        ntt::{Coset, Domain},
        pack::Pack,
        parallel,
    },
    key::Key,
    keyed::Keyed,
    known::{Known, Store},
    operations::{ColumnDevice, Division, Extension, Fractions},
    program::{Program, Quotient, Source},
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
    /// Bytes for columns of the key on the cosets.
    extension_bytes: usize,
    /// Bytes for columns of a proof on a coset.
    quotient_bytes: usize,
}

/// A column in memory.
pub(crate) type CpuColumn<A> = Column<Vec<<A as Arithmetic>::Fr>>;

/// What the engine may use of a processor.
#[derive(Clone, Copy, Debug)]
pub struct CpuOptions {
    /// The instructions that the kernels run on.
    pub instructions: Instructions,
    /// Bytes for tables of multiples of the SRS.
    pub table_bytes: usize,
    /// Bytes for columns of the key on the cosets of the quotient.
    pub extension_bytes: usize,
    /// Bytes for columns of a proof that the quotient is computed from: those that are on a coset at
    /// once.
    pub quotient_bytes: usize,
}

impl Default for CpuOptions {
    fn default() -> Self {
        Self {
            instructions: Instructions::detect(),
            table_bytes: 64 << 20,
            extension_bytes: 512 << 20,
            quotient_bytes: 3 << 29,
        }
    }
}

/// The smallest circuits that vector arithmetic is used for, log2 of rows: eight lanes need a few
/// packs, and circuits smaller than this are only in tests.
const MIN_VECTOR_K: u32 = 5;

/// The key of a circuit on this processor.
///
/// # Errors
/// Instructions that this processor does not have.
pub(crate) fn key(
    options: CpuOptions,
    data: CircuitData,
    lagrange: &[G1Affine],
    powers: [G1Affine; 2],
    known: Known<'_>,
) -> Result<Box<dyn Keyed>, EngineError> {
    let instructions = options.instructions;
    if !instructions.is_available() {
        let fastest = Instructions::detect().name();
        return Err(DeviceError::Instructions { wanted: instructions.name(), fastest }.into());
    }
    let is_small = data.k < MIN_VECTOR_K;
    let instructions = if is_small { Instructions::Portable } else { instructions };
    let options = CpuOptions { instructions, ..options };
    Ok(instructions.run(MakeKey { data, lagrange, powers, options, known })?)
}

struct MakeKey<'a> {
    data: CircuitData,
    lagrange: &'a [G1Affine],
    powers: [G1Affine; 2],
    options: CpuOptions,
    known: Known<'a>,
}

impl Run for MakeKey<'_> {
    type Output = Result<Box<dyn Keyed>, DeviceError>;

    fn run<A: Arithmetic>(self, arithmetic: A) -> Self::Output {
        let Self { data, lagrange, powers, options, known } = self;
        let degree = data.constraints.degree();
        let device = CpuDevice::new(arithmetic, degree, lagrange, options, known.store);
        Ok(Box::new(Key::with(device, data, powers, known.commitments)?))
    }
}

impl<A: Arithmetic> CpuDevice<A> {
    /// For circuits with constraints of `degree`, with commitments under `lagrange`, one point for
    /// each of 2^k rows.
    fn new(
        arithmetic: A,
        degree: usize,
        lagrange: &[G1Affine],
        options: CpuOptions,
        store: Option<&dyn Store>,
    ) -> Self {
        let k = lagrange.len().trailing_zeros();
        let domain = Domain::new(arithmetic, k);
        let rows = 1_u64 << k;
        let shifts = coset_shifts(k, degree - 1);
        let cosets = shifts.into_iter().map(|s| (domain.coset(s), s.pow_vartime([rows]))).collect();
        Self {
            arithmetic,
            plain: domain.coset(Fr::ONE),
            domain,
            bases: match store {
                Some(store) => Bases::kept(arithmetic, lagrange, options, store),
                None => Bases::new(arithmetic, lagrange, options.table_bytes),
            },
            cosets,
            omega: root_of_unity(k),
            rows: lagrange.len(),
            extension_bytes: options.extension_bytes,
            quotient_bytes: options.quotient_bytes,
        }
    }

    fn packs(&self) -> usize {
        self.rows / A::Fr::WIDTH
    }

    /// The values of a column as packs.
    fn values<'a>(&self, column: &'a CpuColumn<A>) -> Cow<'a, [A::Fr]> {
        columns::packs(self.arithmetic, column)
    }
}

impl<A: Arithmetic> ColumnDevice for CpuDevice<A> {
    type Column = CpuColumn<A>;
    type Weights = batch::Weights<A>;
    /// Values coset by coset.
    type Extended = Vec<Vec<A::Fr>>;

    fn extensions(&self) -> usize {
        self.extension_bytes / (self.packs() * size_of::<A::Fr>())
    }

    fn working_columns(&self) -> usize {
        self.quotient_bytes / (2 * self.packs() * size_of::<A::Fr>())
    }

    fn upload(&self, columns: Vec<Column>) -> Result<Vec<CpuColumn<A>>, DeviceError> {
        let pack = |cells: Vec<Fr>| columns::pack(self.arithmetic, &cells);
        Ok(parallel::convert(columns, |column| column.map(pack)))
    }

    fn download(&self, column: &CpuColumn<A>) -> Result<Vec<Fr>, DeviceError> {
        Ok(columns::unpack(self.arithmetic, &self.values(column)))
    }

    fn commit(&self, columns: &[&CpuColumn<A>]) -> Result<Vec<G1Affine>, DeviceError> {
        Ok(self.bases.commit(columns))
    }

    fn evaluate_rows<'a>(
        &self,
        program: &Program,
        uniforms: &[Fr],
        column: &(dyn Fn(Source) -> &'a CpuColumn<A> + Sync),
    ) -> Result<Vec<CpuColumn<A>>, DeviceError>
    where
        Self: 'a,
    {
        let sources = parallel::map(program.sources.len(), |index| {
            self.values(column(program.sources[index]))
        });
        let sources: Vec<&[A::Fr]> = sources.iter().map(|packs| &packs[..]).collect();
        let mut outputs = Vec::new();
        rows::run(self.arithmetic, program, uniforms, &sources, &mut outputs);
        Ok(outputs.into_iter().map(Column::Field).collect())
    }

    fn running_products(
        &self,
        fractions: Vec<Fractions<CpuColumn<A>>>,
    ) -> Result<Vec<CpuColumn<A>>, DeviceError> {
        let products = parallel::map(fractions.len(), |index| {
            let Fractions { numerators, denominators, .. } = &fractions[index];
            let mut inverses = self.values(denominators).into_owned();
            batch::invert(self.arithmetic, &mut inverses);
            columns::multiply_into(self.arithmetic, &mut inverses, &self.values(numerators));
            columns::running_product(&columns::unpack(self.arithmetic, &inverses))
        });
        let mut last = Fr::ONE;
        let mut starts = Vec::with_capacity(products.len());
        for (product, fractions) in products.iter().zip(&fractions) {
            let start = if fractions.continues { last } else { Fr::ONE };
            last = start * product[product.len() - fractions.blinding.len() - 1];
            starts.push(start);
        }
        Ok(parallel::map(fractions.len(), |index| {
            let (product, blinding) = (&products[index], &fractions[index].blinding);
            let packs = columns::blinded(self.arithmetic, product, starts[index], blinding);
            Column::Field(packs)
        }))
    }

    fn extend(
        &self,
        columns: &[(&CpuColumn<A>, usize)],
    ) -> Result<Vec<Vec<Vec<A::Fr>>>, DeviceError> {
        Ok(parallel::map(columns.len(), |index| {
            let (column, count) = columns[index];
            let coefficients = self.interpolate(column);
            let cosets = self.cosets[..count].iter();
            cosets.map(|(coset, _)| self.on_coset(&coefficients, coset)).collect()
        }))
    }

    fn quotient<'a>(
        &self,
        quotient: &Quotient,
        uniforms: &[Fr],
        column: &(dyn Fn(Source) -> Extension<'a, Self> + Sync),
    ) -> Result<Vec<CpuColumn<A>>, DeviceError>
    where
        Self: 'a,
    {
        let mut totals: Vec<Vec<Vec<A::Fr>>> = self.cosets.iter().map(|_| Vec::new()).collect();
        let mut free = Vec::new();
        for group in &quotient.groups {
            self.add_group((group, uniforms), column, &mut free, &mut totals);
        }
        drop(free);
        for ((coset, _), totals) in self.cosets.iter().zip(&mut totals) {
            self.domain.interpolate_coset(totals, coset);
        }
        let results: Vec<Vec<A::Fr>> = totals.into_iter().flatten().collect();
        Ok(self.separate(&quotient.parts, &results))
    }

    fn lagrange_at(&self, point: Fr) -> Result<batch::Weights<A>, DeviceError> {
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
        Ok(batch::Weights::new(self.arithmetic, weights))
    }

    fn evaluate(
        &self,
        weights: &batch::Weights<A>,
        queries: &[(&CpuColumn<A>, i32)],
    ) -> Result<Vec<Fr>, DeviceError> {
        Ok(parallel::map(queries.len(), |index| {
            let (column, rotation) = queries[index];
            columns::dot(self.arithmetic, weights, column, columns::rotation(rotation, self.rows))
        }))
    }

    fn combine(&self, terms: &[(&CpuColumn<A>, Fr)]) -> Result<CpuColumn<A>, DeviceError> {
        Ok(Column::Field(columns::combine(self.arithmetic, terms, self.packs())))
    }

    fn divide(&self, parts: &[Division<'_, CpuColumn<A>>]) -> Result<CpuColumn<A>, DeviceError> {
        let omegas = batch::powers(self.arithmetic, self.omega, self.rows);
        let quotients = parallel::map(parts.len(), |index| {
            let part = &parts[index];
            let mut divisors = columns::divisors(self.arithmetic, &omegas, &part.points);
            batch::invert(self.arithmetic, &mut divisors);
            let dividend = self.values(part.column);
            let remainder = &part.remainder;
            columns::quotients(self.arithmetic, &mut divisors, &dividend, &omegas, remainder);
            (Column::Field(divisors), part.scale)
        });
        let terms: Vec<_> = quotients.iter().map(|(column, scale)| (column, *scale)).collect();
        self.combine(&terms)
    }
}
