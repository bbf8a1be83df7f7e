//! The operations of a proof on an accelerator.

use std::collections::HashMap;

use halo2_proofs::halo2curves::{
    bn256::{Fr, G1Affine},
    ff::Field,
};

use super::{
    columns::{self, CudaColumn, Values},
    machine::{Buffer, Machine},
    plain::ELEMENT,
    rows,
    sums::Bases,
    transform::{Coset, Domain},
};
use crate::{
    column::Column,
    cosets::{coset_shifts, root_of_unity, separation},
    error::DeviceError,
    operations::{ColumnDevice, Division, Extension, Fractions},
    program::{Group, Program, Quotient, Source},
    traffic::DeviceUsage,
};

/// An accelerator, for circuits of one size.
#[derive(Debug)]
pub(crate) struct CudaDevice {
    machine: Machine,
    rows: usize,
    domain: Domain,
    bases: Bases,
    /// The cosets `shift·H` over which the quotient is computed, and `shift^n`.
    cosets: Vec<(Coset, Fr)>,
    /// How many columns of the key may be kept on a coset.
    extensions: usize,
}

impl CudaDevice {
    /// For circuits with constraints of `degree`, with commitments under `lagrange`, one point for
    /// each of 2^k rows.
    pub(super) fn new(
        machine: &Machine,
        degree: usize,
        lagrange: &[G1Affine],
        shares: &Shares,
    ) -> Result<Self, DeviceError> {
        let rows = lagrange.len();
        let k = rows.trailing_zeros();
        let domain = Domain::new(machine, k, root_of_unity(k))?;
        let size = [rows as u64];
        let cosets = coset_shifts(k, degree - 1)
            .into_iter()
            .map(|shift| Ok((domain.coset(shift)?, shift.pow_vartime(size))))
            .collect::<Result<Vec<_>, DeviceError>>()?;
        let bases = Bases::new(machine, lagrange, shares.table_bytes)?;
        let extensions = shares.extension_bytes / (rows * ELEMENT);
        Ok(Self { machine: machine.clone(), rows, domain, bases, cosets, extensions })
    }

    /// The coefficients of the columns' polynomials, in reversed order.
    fn interpolate(&self, columns: &[&CudaColumn]) -> Result<Vec<Buffer>, DeviceError> {
        let values = columns::widen(&self.machine, columns, self.rows)?;
        let addresses: Vec<u64> = values.iter().map(Buffer::address).collect();
        self.domain.interpolate(&addresses, &addresses, None)?;
        Ok(values)
    }

    /// The undivided parts on coset number `index`, by their coefficients.
    fn parts_on_coset(
        &self,
        program: &Program,
        uniforms: &[Fr],
        sources: &HashMap<Source, Prepared<'_>>,
        index: usize,
    ) -> Result<Vec<CudaColumn>, DeviceError> {
        let coset = &self.cosets[index].0;
        let mut from = Vec::new();
        let mut to = Vec::new();
        for source in &program.sources {
            if let Prepared::Coefficients { coefficients, values } = &sources[source] {
                from.push(coefficients.address());
                to.push(address(values));
            }
        }
        self.domain.evaluate(&from, &to, Some(coset))?;
        let values = program.sources.iter().map(|source| match &sources[source] {
            Prepared::Extended(extended) => &extended[index],
            Prepared::Coefficients { values, .. } => values,
        });
        let values: Vec<&CudaColumn> = values.collect();
        let outputs = rows::run(&self.machine, program, uniforms, &values, self.rows)?;
        let at: Vec<u64> = outputs.iter().map(Buffer::address).collect();
        self.domain.interpolate(&at, &at, Some(coset))?;
        Ok(outputs.into_iter().map(CudaColumn::from).collect())
    }

    /// The columns of some terms, ready for their cosets.
    fn prepare<'a>(
        &self,
        group: &Group,
        column: &(dyn Fn(Source) -> Extension<'a, Self> + Sync),
    ) -> Result<HashMap<Source, Prepared<'a>>, DeviceError> {
        let columns = group.sources().into_iter().map(|(source, _)| (source, column(source)));
        let columns: Vec<(Source, Extension<'a, Self>)> = columns.collect();
        let on_rows: Vec<&CudaColumn> = columns
            .iter()
            .filter_map(|(_, column)| match column {
                Extension::Column(column) => Some(*column),
                Extension::Extended(_) => None,
            })
            .collect();
        let mut coefficients = self.interpolate(&on_rows)?.into_iter();
        let prepare = |column: Extension<'a, Self>| match column {
            Extension::Extended(extended) => Ok(Prepared::Extended(extended)),
            Extension::Column(_) => {
                let coefficients = coefficients.next().expect("one for each column on H");
                let values = self.machine.elements(self.rows)?.into();
                Ok(Prepared::Coefficients { coefficients, values })
            }
        };
        let (sources, columns): (Vec<Source>, Vec<_>) = columns.into_iter().unzip();
        let prepared = columns.into_iter().map(prepare).collect::<Result<Vec<_>, DeviceError>>()?;
        Ok(sources.into_iter().zip(prepared).collect())
    }

    /// The pieces, given the coefficients of the undivided parts, coset after coset, from each group.
    fn separate(
        &self,
        parts: &[usize],
        results: &[CudaColumn],
    ) -> Result<Vec<CudaColumn>, DeviceError> {
        let powers: Vec<Fr> = self.cosets.iter().map(|(_, power)| *power).collect();
        let mut pieces = Vec::with_capacity(powers.len());
        for scales in separation(&powers, parts) {
            let terms = results.iter().zip(scales.into_iter().cycle());
            let terms: Vec<_> = terms.filter(|(_, scale)| *scale != Fr::ZERO).collect();
            let piece = columns::combine(&self.machine, &terms, self.rows)?;
            let at = [piece.address()];
            self.domain.evaluate(&at, &at, None)?;
            pieces.push(piece.into());
        }
        Ok(pieces)
    }

    /// `start·product`, with `blinding` in the last rows.
    fn finish_product(
        &self,
        product: Buffer,
        start: Fr,
        blinding: &[Fr],
    ) -> Result<CudaColumn, DeviceError> {
        let values = if start == Fr::ONE {
            product
        } else {
            columns::combine(&self.machine, &[(&product.into(), start)], self.rows)?
        };
        self.machine.write_elements(&values, self.rows - blinding.len(), blinding)?;
        Ok(values.into())
    }
}

/// How the memory of a device is shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    /// For multiples of the SRS.
    pub(super) table_bytes: usize,
    /// For columns of the key on the cosets.
    pub(super) extension_bytes: usize,
}

/// A column for the quotient.
enum Prepared<'a> {
    /// On the cosets already.
    Extended(&'a [CudaColumn]),
    /// To be evaluated on one coset after the other.
    Coefficients {
        /// Of its polynomial.
        coefficients: Buffer,
        /// On the coset at hand.
        values: CudaColumn,
    },
}

impl ColumnDevice for CudaDevice {
    type Column = CudaColumn;
    type Weights = Buffer;
    /// Values coset by coset.
    type Extended = Vec<CudaColumn>;

    fn extensions(&self) -> usize {
        self.extensions
    }

    fn usage(&self) -> Option<DeviceUsage> {
        Some(self.machine.usage())
    }

    fn upload(&self, columns: Vec<Column>) -> Result<Vec<CudaColumn>, DeviceError> {
        columns.iter().map(|column| CudaColumn::upload(&self.machine, column)).collect()
    }

    fn download(&self, column: &CudaColumn) -> Result<Vec<Fr>, DeviceError> {
        self.machine.by_host();
        let values = columns::widen(&self.machine, &[column], self.rows)?;
        self.machine.read_elements(&values[0], 0, self.rows)
    }

    fn commit(&self, columns: &[&CudaColumn]) -> Result<Vec<G1Affine>, DeviceError> {
        self.bases.commit(columns)
    }

    fn evaluate_rows<'a>(
        &self,
        program: &Program,
        uniforms: &[Fr],
        column: &(dyn Fn(Source) -> &'a CudaColumn + Sync),
    ) -> Result<Vec<CudaColumn>, DeviceError>
    where
        Self: 'a,
    {
        let sources: Vec<_> = program.sources.iter().map(|&source| column(source)).collect();
        let outputs = rows::run(&self.machine, program, uniforms, &sources, self.rows)?;
        Ok(outputs.into_iter().map(CudaColumn::from).collect())
    }

    fn running_products(
        &self,
        fractions: Vec<Fractions<CudaColumn>>,
    ) -> Result<Vec<CudaColumn>, DeviceError> {
        let (machine, rows) = (&self.machine, self.rows);
        let mut last = Fr::ONE;
        let mut products = Vec::with_capacity(fractions.len());
        for Fractions { numerators, denominators, continues, blinding } in fractions {
            let sides = columns::widen(machine, &[&numerators, &denominators], rows)?;
            drop((numerators, denominators));
            let inverses = columns::invert(machine, &sides[1], rows)?;
            let factors = columns::scaled_products(machine, &sides[0], &inverses, Fr::ONE, rows)?;
            drop((sides, inverses));
            let product = columns::running_products(machine, &factors, rows)?;
            let start = if continues { last } else { Fr::ONE };
            let end = machine.read_elements(&product, rows - blinding.len() - 1, 1)?;
            last = start * end[0];
            products.push(self.finish_product(product, start, &blinding)?);
        }
        Ok(products)
    }

    fn extend(
        &self,
        columns: &[(&CudaColumn, usize)],
    ) -> Result<Vec<Vec<CudaColumn>>, DeviceError> {
        let on_rows: Vec<&CudaColumn> = columns.iter().map(|(column, _)| *column).collect();
        let coefficients = self.interpolate(&on_rows)?;
        let mut extended: Vec<Vec<CudaColumn>> = columns.iter().map(|_| Vec::new()).collect();
        for (index, (coset, _)) in self.cosets.iter().enumerate() {
            let (mut from, mut to) = (Vec::new(), Vec::new());
            let all = columns.iter().zip(&coefficients).zip(&mut extended);
            for ((_, coefficients), extended) in all.filter(|((column, _), _)| index < column.1) {
                let values = self.machine.elements(self.rows)?;
                from.push(coefficients.address());
                to.push(values.address());
                extended.push(values.into());
            }
            self.domain.evaluate(&from, &to, Some(coset))?;
        }
        Ok(extended)
    }

    fn quotient<'a>(
        &self,
        quotient: &Quotient,
        uniforms: &[Fr],
        column: &(dyn Fn(Source) -> Extension<'a, Self> + Sync),
    ) -> Result<Vec<CudaColumn>, DeviceError>
    where
        Self: 'a,
    {
        let mut results = Vec::new();
        for group in &quotient.groups {
            let sources = self.prepare(group, column)?;
            for (index, program) in group.programs.iter().enumerate() {
                results.extend(self.parts_on_coset(program, uniforms, &sources, index)?);
            }
        }
        self.separate(&quotient.parts, &results)
    }

    fn lagrange_at(&self, point: Fr) -> Result<Buffer, DeviceError> {
        columns::lagrange(&self.machine, self.domain.omegas(), point, self.rows)
    }

    fn evaluate(
        &self,
        weights: &Buffer,
        queries: &[(&CudaColumn, i32)],
    ) -> Result<Vec<Fr>, DeviceError> {
        let rotated = |&(column, by): &(_, i32)| (column, columns::rotation(by, self.rows));
        let queries: Vec<_> = queries.iter().map(rotated).collect();
        columns::dot(&self.machine, weights, &queries, self.rows)
    }

    fn combine(&self, terms: &[(&CudaColumn, Fr)]) -> Result<CudaColumn, DeviceError> {
        Ok(columns::combine(&self.machine, terms, self.rows)?.into())
    }

    fn divide(&self, parts: &[Division<'_, CudaColumn>]) -> Result<CudaColumn, DeviceError> {
        let (machine, rows, omegas) = (&self.machine, self.rows, self.domain.omegas());
        let mut quotients = Vec::with_capacity(parts.len());
        for part in parts {
            let divisors = columns::divisors(machine, omegas, &part.points, rows)?;
            let inverses = columns::invert(machine, &divisors, rows)?;
            let (column, remainder) = (part.column, &part.remainder);
            let quotient = columns::quotients(machine, &inverses, column, omegas, remainder, rows)?;
            quotients.push((CudaColumn::from(quotient), part.scale));
        }
        let terms: Vec<_> = quotients.iter().map(|(column, scale)| (column, *scale)).collect();
        self.combine(&terms)
    }
}

/// Where the elements of a column are.
fn address(column: &CudaColumn) -> u64 {
    match &column.values {
        Values::Field(values) | Values::Integers { values, .. } => values.address(),
    }
}
