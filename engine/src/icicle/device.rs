//! The operations of the engine on ICICLE's vectors.

use std::{collections::HashMap, sync::Arc};

use halo2_proofs::halo2curves::{
    bn256::{Fr, G1, G1Affine},
    ff::Field,
};

use super::{
    columns::{Turned, pairwise, pairwise_into, prefix_products, scaled},
    memory::{Machine, Pairwise, Vector},
    programs,
    sums::{Points, normalized},
};
use crate::{
    column::Column,
    cosets::{coset_shifts, powers_of, root_of_unity, separation},
    error::DeviceError,
    operations::{ColumnDevice, Division, Extension, Fractions},
    program::{Program, Quotient, Source},
    traffic::DeviceUsage,
};

/// A device of ICICLE's, for circuits of one size.
#[derive(Debug)]
pub(crate) struct IcicleDevice {
    machine: Arc<Machine>,
    points: Points,
    cosets: Vec<Coset>,
    /// ω^row.
    omegas: Vector,
    /// One in every row.
    one: Vector,
    extensions: usize,
}

/// The coset `shift·H`.
#[derive(Debug)]
struct Coset {
    /// `shift^n`.
    power: Fr,
    /// `shift^row`, and its inverse.
    powers: [Vector; 2],
}

/// A column on the device.
#[derive(Debug)]
pub(crate) struct IcicleColumn {
    /// One element a row.
    pub(super) values: Vector,
    /// What is known of a column of small integers.
    pub(super) small: Option<Small>,
}

/// Small integers in all rows but the last.
#[derive(Debug)]
pub(super) struct Small {
    /// What is added to them so that none is negative.
    pub(super) shift: u64,
    /// Bits that they then have.
    pub(super) bits: i32,
    /// The last rows.
    pub(super) tail: Vec<Fr>,
}

impl Small {
    pub(super) fn new(values: &[i32], tail: Vec<Fr>) -> Self {
        let head = &values[..values.len() - tail.len()];
        let (low, high) =
            head.iter().fold((0, 0), |(low, high), &value| (value.min(low), value.max(high)));
        let range = u64::from(high.abs_diff(low));
        let bits = (u64::BITS - range.leading_zeros()).max(1);
        let bits = i32::try_from(bits).expect("integers of 32 bits");
        Self { shift: u64::from(low.unsigned_abs()), bits, tail }
    }
}

impl From<Vector> for IcicleColumn {
    fn from(values: Vector) -> Self {
        Self { values, small: None }
    }
}

impl IcicleDevice {
    /// For circuits with constraints of `degree`, with commitments under `lagrange`, one point a row;
    /// at most `extensions` columns of the key are kept on a coset.
    pub(super) fn new(
        machine: &Arc<Machine>,
        degree: usize,
        lagrange: &[G1Affine],
        extensions: usize,
    ) -> Result<Self, DeviceError> {
        let (rows, k) = (lagrange.len(), lagrange.len().trailing_zeros());
        machine.need_domain()?;
        let coset = |shift: Fr| {
            let inverse = shift.invert().expect("a shift is not zero");
            let powers = |base| machine.upload(&powers_of(base, rows));
            let power = shift.pow_vartime([rows as u64]);
            Ok(Coset { power, powers: [powers(shift)?, powers(inverse)?] })
        };
        let cosets = coset_shifts(k, degree - 1).into_iter().map(coset);
        Ok(Self {
            cosets: cosets.collect::<Result<_, DeviceError>>()?,
            points: Points::new(machine, lagrange)?,
            omegas: machine.upload(&powers_of(root_of_unity(k), rows))?,
            one: machine.upload_integers(&vec![1; rows])?,
            machine: Arc::clone(machine),
            extensions,
        })
    }

    fn multiply(&self, a: &Vector, b: &Vector) -> Result<Vector, DeviceError> {
        pairwise(&self.machine, Pairwise::Multiply, a.into(), b.into())
    }

    /// Coefficients to values on a coset.
    fn on_coset(&self, coefficients: &Vector, coset: &Coset) -> Result<Vector, DeviceError> {
        self.machine.evaluate(&self.multiply(coefficients, &coset.powers[0])?)
    }

    /// `scalar·column`.
    fn scaled(&self, column: &Vector, scalar: Fr) -> Result<Vector, DeviceError> {
        let scalar = self.machine.upload(&[scalar])?;
        scaled(&self.machine, scalar.all(), column.into())
    }

    /// `column + scalar` in place.
    fn shift(&self, column: &Vector, scalar: Fr) -> Result<(), DeviceError> {
        let scalar = self.machine.upload(&[scalar])?;
        self.machine.with_scalar(false, scalar.all(), column.all(), column, 0, column.len())
    }

    /// `Σ scale·vector`.
    fn combined(&self, terms: &[(&Vector, Fr)]) -> Result<Vector, DeviceError> {
        let Some(((first, scale), rest)) = terms.split_first() else {
            return self.scaled(&self.one, Fr::ZERO);
        };
        let scales: Vec<Fr> = rest.iter().map(|(_, scale)| *scale).collect();
        let sum = self.scaled(first, *scale)?;
        if rest.is_empty() {
            return Ok(sum);
        }
        let scales = self.machine.upload(&scales)?;
        for (index, (vector, _)) in rest.iter().enumerate() {
            let term = scaled(&self.machine, scales.from(index), (*vector).into())?;
            pairwise_into(&self.machine, Pairwise::Add, (&sum).into(), (&term).into(), &sum)?;
        }
        Ok(sum)
    }

    /// One term of a sum of quotients.
    fn divided(&self, part: &Division<'_, IcicleColumn>) -> Result<Vector, DeviceError> {
        let mut divisor: Option<Vector> = None;
        for point in &part.points {
            let factor = self.scaled(&self.omegas, Fr::ONE)?;
            self.shift(&factor, -point)?;
            divisor = Some(match divisor {
                Some(divisor) => self.multiply(&divisor, &factor)?,
                None => factor,
            });
        }
        // The remainder by Horner's rule.
        let value = self.scaled(&self.one, Fr::ZERO)?;
        for (index, coefficient) in part.remainder.iter().rev().enumerate() {
            if index > 0 {
                let (a, b) = ((&value).into(), (&self.omegas).into());
                pairwise_into(&self.machine, Pairwise::Multiply, a, b, &value)?;
            }
            self.shift(&value, *coefficient)?;
        }
        let (a, b) = ((&part.column.values).into(), (&value).into());
        let dividend = pairwise(&self.machine, Pairwise::Subtract, a, b)?;
        match divisor {
            Some(divisor) => self.multiply(&dividend, &self.machine.invert(&divisor)?),
            None => Ok(dividend),
        }
    }

    /// A running product of fractions that starts at one.
    fn running_product(&self, fractions: &Fractions<IcicleColumn>) -> Result<Vector, DeviceError> {
        let inverses = self.machine.invert(&fractions.denominators.values)?;
        let factors = self.multiply(&inverses, &fractions.numerators.values)?;
        let products = prefix_products(&self.machine, factors)?;
        let shifted = self.machine.vector(products.len())?;
        self.machine.copy(self.one.all(), &shifted, 0, 1)?;
        self.machine.copy(products.all(), &shifted, 1, products.len() - 1)?;
        Ok(shifted)
    }

    /// A column for the quotient.
    fn prepared<'a>(&self, column: Extension<'a, Self>) -> Result<Prepared<'a>, DeviceError> {
        Ok(match column {
            Extension::Extended(extended) => Prepared::Extended(extended),
            Extension::Column(column) => {
                Prepared::Coefficients(self.machine.interpolate(&column.values)?)
            }
        })
    }

    /// The undivided parts on a coset, by their coefficients.
    fn parts_on_coset(
        &self,
        program: &Program,
        uniforms: &[Fr],
        sources: &HashMap<Source, Prepared<'_>>,
        index: usize,
    ) -> Result<Vec<Vector>, DeviceError> {
        let coset = &self.cosets[index];
        let made = program.sources.iter().map(|source| match &sources[source] {
            Prepared::Extended(_) => Ok(None),
            Prepared::Coefficients(coefficients) => self.on_coset(coefficients, coset).map(Some),
        });
        let made: Vec<Option<Vector>> = made.collect::<Result<_, _>>()?;
        let values = program.sources.iter().zip(&made);
        let values = values.filter_map(|(source, made)| match &sources[source] {
            Prepared::Extended(extended) => Some(&extended[index]),
            Prepared::Coefficients(_) => made.as_ref(),
        });
        let values: Vec<&Vector> = values.collect();
        let outputs = programs::run(&self.machine, program, uniforms, &values, &self.one)?;
        drop(made);
        let interpolate =
            |part: Vector| self.multiply(&self.machine.interpolate(&part)?, &coset.powers[1]);
        outputs.into_iter().map(interpolate).collect()
    }
}

/// A column for the quotient.
enum Prepared<'a> {
    /// On the cosets already.
    Extended(&'a [Vector]),
    /// By its coefficients.
    Coefficients(Vector),
}

impl ColumnDevice for IcicleDevice {
    type Column = IcicleColumn;
    type Weights = Vector;
    /// Values coset by coset.
    type Extended = Vec<Vector>;

    fn extensions(&self) -> usize {
        self.extensions
    }

    fn usage(&self) -> Option<DeviceUsage> {
        Some(self.machine.traffic.usage())
    }

    fn upload(&self, columns: Vec<Column>) -> Result<Vec<IcicleColumn>, DeviceError> {
        let upload = |column: Column| {
            Ok(match column {
                Column::Integers { values, tail } => {
                    let on_device = self.machine.upload_integers(&values)?;
                    let first = values.len() - tail.len();
                    self.machine.write_elements(&on_device, first, &tail)?;
                    let small = Some(Small::new(&values, tail));
                    IcicleColumn { values: on_device, small }
                }
                Column::Field(values) | Column::Sums { values, .. } => {
                    self.machine.upload(&values)?.into()
                }
            })
        };
        columns.into_iter().map(upload).collect()
    }

    fn download(&self, column: &IcicleColumn) -> Result<Vec<Fr>, DeviceError> {
        self.machine.traffic.by_host();
        self.machine.download(column.values.all(), column.values.len())
    }

    fn commit(&self, columns: &[&IcicleColumn]) -> Result<Vec<G1Affine>, DeviceError> {
        let sums = columns.iter().map(|column| self.points.commit(&self.machine, column));
        let sums: Vec<G1> = sums.collect::<Result<_, _>>()?;
        Ok(normalized(&sums))
    }

    fn evaluate_rows<'a>(
        &self,
        program: &Program,
        uniforms: &[Fr],
        column: &(dyn Fn(Source) -> &'a IcicleColumn + Sync),
    ) -> Result<Vec<IcicleColumn>, DeviceError>
    where
        Self: 'a,
    {
        let sources: Vec<&Vector> =
            program.sources.iter().map(|&source| &column(source).values).collect();
        let outputs = programs::run(&self.machine, program, uniforms, &sources, &self.one)?;
        Ok(outputs.into_iter().map(IcicleColumn::from).collect())
    }

    fn running_products(
        &self,
        fractions: Vec<Fractions<IcicleColumn>>,
    ) -> Result<Vec<IcicleColumn>, DeviceError> {
        let mut last = Fr::ONE;
        let product = |fractions: Fractions<IcicleColumn>| {
            let product = self.running_product(&fractions)?;
            let start = if fractions.continues { last } else { Fr::ONE };
            let proper = product.len() - fractions.blinding.len();
            last = start * self.machine.download(product.from(proper - 1), 1)?[0];
            let product = if start == Fr::ONE { product } else { self.scaled(&product, start)? };
            self.machine.write_elements(&product, proper, &fractions.blinding)?;
            Ok(product.into())
        };
        fractions.into_iter().map(product).collect()
    }

    fn extend(&self, columns: &[(&IcicleColumn, usize)]) -> Result<Vec<Vec<Vector>>, DeviceError> {
        let extend = |&(column, count): &(&IcicleColumn, usize)| {
            let coefficients = self.machine.interpolate(&column.values)?;
            let cosets = self.cosets[..count].iter();
            cosets.map(|coset| self.on_coset(&coefficients, coset)).collect()
        };
        columns.iter().map(extend).collect()
    }

    fn quotient<'a>(
        &self,
        quotient: &Quotient,
        uniforms: &[Fr],
        column: &(dyn Fn(Source) -> Extension<'a, Self> + Sync),
    ) -> Result<Vec<IcicleColumn>, DeviceError>
    where
        Self: 'a,
    {
        let mut results = Vec::new();
        for group in &quotient.groups {
            let sources = group.sources().into_iter();
            let sources = sources.map(|(source, _)| Ok((source, self.prepared(column(source))?)));
            let sources = sources.collect::<Result<HashMap<_, _>, DeviceError>>()?;
            for (index, program) in group.programs.iter().enumerate() {
                results.extend(self.parts_on_coset(program, uniforms, &sources, index)?);
            }
        }
        let powers: Vec<Fr> = self.cosets.iter().map(|coset| coset.power).collect();
        let piece = |scales: Vec<Fr>| {
            let terms = results.iter().zip(scales.into_iter().cycle());
            let terms: Vec<_> = terms.filter(|(_, scale)| *scale != Fr::ZERO).collect();
            let coefficients = self.combined(&terms)?;
            Ok(self.machine.evaluate(&coefficients)?.into())
        };
        separation(&powers, &quotient.parts).into_iter().map(piece).collect()
    }

    fn lagrange_at(&self, point: Fr) -> Result<Vector, DeviceError> {
        let rows = self.machine.rows() as u64;
        let differences = self.scaled(&self.omegas, -Fr::ONE)?;
        self.shift(&differences, point)?;
        let inverses = self.machine.invert(&differences)?;
        let vanishing = point.pow_vartime([rows]) - Fr::ONE;
        let scale = vanishing * Fr::from(rows).invert().unwrap_or(Fr::ZERO);
        self.scaled(&self.multiply(&inverses, &self.omegas)?, scale)
    }

    fn evaluate(
        &self,
        weights: &Vector,
        queries: &[(&IcicleColumn, i32)],
    ) -> Result<Vec<Fr>, DeviceError> {
        let value = |&(column, rotation): &(&IcicleColumn, i32)| {
            let turned = Turned::new(&column.values, rotation);
            let terms = pairwise(&self.machine, Pairwise::Multiply, weights.into(), turned)?;
            self.machine.sum(&terms)
        };
        queries.iter().map(value).collect()
    }

    fn combine(&self, terms: &[(&IcicleColumn, Fr)]) -> Result<IcicleColumn, DeviceError> {
        let terms: Vec<_> = terms.iter().map(|(column, scale)| (&column.values, *scale)).collect();
        Ok(self.combined(&terms)?.into())
    }

    fn divide(&self, parts: &[Division<'_, IcicleColumn>]) -> Result<IcicleColumn, DeviceError> {
        let quotients = parts.iter().map(|part| self.divided(part));
        let quotients: Vec<Vector> = quotients.collect::<Result<_, _>>()?;
        let terms: Vec<_> = quotients.iter().zip(parts).map(|(q, part)| (q, part.scale)).collect();
        Ok(self.combined(&terms)?.into())
    }
}
