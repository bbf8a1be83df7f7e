//! SHPLONK: one proof for the values of all polynomials (Boneh, Drake, Fisch, Gabizon,
//! "Efficient polynomial commitment schemes for multiple points and polynomials", eprint 2020/081,
//! section 4), in the form of halo2's `ProverSHPLONK`.

use std::collections::HashMap;

use halo2_proofs::{
    arithmetic::{eval_polynomial, lagrange_interpolate},
    halo2curves::{bn256::Fr, ff::Field},
    plonk::ConstraintSystem,
    transcript::{Transcript, TranscriptWrite},
};

use crate::{
    argument::{Shape, permutation_scale},
    cosets::powers_of,
    error::{DeviceError, EngineError},
    operations::{ColumnDevice, Division},
    program::Source,
    rounds::ProofTranscript,
};

/// A polynomial that is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Polynomial {
    /// A column of the argument.
    Of(Source),
    /// The pieces of the quotient, put together at the point.
    Quotient,
    /// The random polynomial.
    Random,
}

impl Polynomial {
    /// What its column is multiplied by.
    pub(super) fn scale(self) -> Fr {
        match self {
            Self::Of(Source::Permutation(column)) => permutation_scale(column),
            _ => Fr::ONE,
        }
    }
}

/// A polynomial at a rotation of the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Query {
    /// Which polynomial.
    pub(super) polynomial: Polynomial,
    /// How many rows further.
    pub(super) rotation: i32,
}

impl Query {
    /// The quotient at the point: the only value that is not in the proof.
    pub(super) const QUOTIENT: Self = Self { polynomial: Polynomial::Quotient, rotation: 0 };

    fn of(source: Source, rotation: i32) -> Self {
        Self { polynomial: Polynomial::Of(source), rotation }
    }
}

fn advice(constraints: &ConstraintSystem<Fr>) -> impl Iterator<Item = Query> {
    let queries = constraints.advice_queries().iter();
    queries.map(|&(column, rotation)| Query::of(Source::Advice(column.index()), rotation.0))
}

fn fixed(constraints: &ConstraintSystem<Fr>) -> impl Iterator<Item = Query> {
    let queries = constraints.fixed_queries().iter();
    queries.map(|&(column, rotation)| Query::of(Source::Fixed(column.index()), rotation.0))
}

fn permutation(shape: &Shape) -> impl Iterator<Item = Query> {
    (0..shape.permuted.len()).map(|column| Query::of(Source::Permutation(column), 0))
}

/// The values that a proof holds, in order.
pub(super) fn evaluations(constraints: &ConstraintSystem<Fr>, shape: &Shape) -> Vec<Query> {
    let random = Query { polynomial: Polynomial::Random, rotation: 0 };
    let sets = shape.set_count();
    let products = (0..sets).flat_map(|set| {
        let product = Source::PermutationProduct(set);
        let last = (set + 1 < sets).then(|| Query::of(product, shape.last_rotation()));
        [Query::of(product, 0), Query::of(product, 1)].into_iter().chain(last)
    });
    let lookups = (0..constraints.lookups().len()).flat_map(|lookup| {
        [
            Query::of(Source::LookupProduct(lookup), 0),
            Query::of(Source::LookupProduct(lookup), 1),
            Query::of(Source::LookupInput(lookup), 0),
            Query::of(Source::LookupInput(lookup), -1),
            Query::of(Source::LookupTable(lookup), 0),
        ]
    });
    advice(constraints)
        .chain(fixed(constraints))
        .chain([random])
        .chain(permutation(shape))
        .chain(products)
        .chain(lookups)
        .collect()
}

/// All queries in the order in which the opening combines them.
pub(super) fn order(constraints: &ConstraintSystem<Fr>, shape: &Shape) -> Vec<Query> {
    let sets = shape.set_count();
    let product = |set| Source::PermutationProduct(set);
    let products = (0..sets)
        .flat_map(|set| [Query::of(product(set), 0), Query::of(product(set), 1)])
        .chain((0..sets).rev().skip(1).map(|set| Query::of(product(set), shape.last_rotation())));
    let lookups = (0..constraints.lookups().len()).flat_map(|lookup| {
        [
            Query::of(Source::LookupProduct(lookup), 0),
            Query::of(Source::LookupInput(lookup), 0),
            Query::of(Source::LookupTable(lookup), 0),
            Query::of(Source::LookupInput(lookup), -1),
            Query::of(Source::LookupProduct(lookup), 1),
        ]
    });
    let random = Query { polynomial: Polynomial::Random, rotation: 0 };
    advice(constraints)
        .chain(products)
        .chain(lookups)
        .chain(fixed(constraints))
        .chain(permutation(shape))
        .chain([Query::QUOTIENT, random])
        .collect()
}

/// Polynomials that are opened at the same points.
struct Group {
    rotations: Vec<i32>,
    polynomials: Vec<Polynomial>,
}

/// Groups in the order in which their first polynomial is queried first.
fn group(queries: &[Query]) -> Vec<Group> {
    let mut order = Vec::new();
    let mut rotations: HashMap<Polynomial, Vec<i32>> = HashMap::new();
    for query in queries {
        let of_polynomial = rotations.entry(query.polynomial).or_insert_with(|| {
            order.push(query.polynomial);
            Vec::new()
        });
        of_polynomial.push(query.rotation);
    }
    let mut groups: Vec<Group> = Vec::new();
    for polynomial in order {
        let mut rotations = rotations.remove(&polynomial).unwrap_or_default();
        rotations.sort_unstable();
        match groups.iter_mut().find(|group| group.rotations == rotations) {
            Some(group) => group.polynomials.push(polynomial),
            None => groups.push(Group { rotations, polynomials: vec![polynomial] }),
        }
    }
    groups
}

/// What is opened.
pub(super) struct Opening<'a, D: ColumnDevice> {
    pub(super) device: &'a D,
    pub(super) omega: Fr,
    pub(super) point: Fr,
    /// In the order of [`order`].
    pub(super) queries: Vec<Query>,
    pub(super) values: HashMap<Query, Fr>,
    pub(super) column: &'a dyn Fn(Polynomial) -> &'a D::Column,
}

/// A group with its polynomials added up.
struct Combined<C> {
    points: Vec<Fr>,
    column: C,
    /// The polynomial of least degree with the same values at the points.
    remainder: Vec<Fr>,
}

impl<D: ColumnDevice> Opening<'_, D> {
    fn rotated(&self, rotation: i32) -> Fr {
        let power = self.omega.pow_vartime([u64::from(rotation.unsigned_abs())]);
        let power = if rotation < 0 { power.invert().unwrap_or(Fr::ONE) } else { power };
        self.point * power
    }

    /// `Σ y^j·p_j` of a group, and its remainder.
    fn combine(&self, group: &Group, y: Fr) -> Result<Combined<D::Column>, DeviceError> {
        let weights = powers_of(y, group.polynomials.len());
        let weighted = || group.polynomials.iter().copied().zip(weights.iter().copied());
        let terms = weighted().map(|(p, weight)| ((self.column)(p), weight * p.scale()));
        let terms: Vec<_> = terms.collect();
        let value = |&rotation: &i32| {
            weighted().map(|(polynomial, w)| w * self.values[&Query { polynomial, rotation }]).sum()
        };
        let values: Vec<Fr> = group.rotations.iter().map(value).collect();
        let points: Vec<Fr> = group.rotations.iter().map(|&r| self.rotated(r)).collect();
        let remainder = lagrange_interpolate(&points, &values);
        Ok(Combined { column: self.device.combine(&terms)?, points, remainder })
    }

    /// Writes the two commitments of the opening.
    pub(super) fn prove(&self, transcript: &mut ProofTranscript) -> Result<(), EngineError> {
        let y = *transcript.squeeze_challenge_scalar::<()>();
        let v = *transcript.squeeze_challenge_scalar::<()>();
        let groups = group(&self.queries);
        let groups: Vec<_> =
            groups.iter().map(|group| self.combine(group, y)).collect::<Result<_, _>>()?;
        let weights = powers_of(v, groups.len());
        let parts: Vec<_> = groups
            .iter()
            .zip(&weights)
            .map(|(group, &scale)| Division {
                column: &group.column,
                scale,
                remainder: group.remainder.clone(),
                points: group.points.clone(),
            })
            .collect();
        let quotient = self.device.divide(&parts)?;
        transcript.write_point(self.device.commit(&[&quotient])?[0])?;
        let u = *transcript.squeeze_challenge_scalar::<()>();
        let linearised = self.linearise(&groups, &weights, &quotient, u)?;
        transcript.write_point(self.device.commit(&[&linearised])?[0])?;
        Ok(())
    }

    /// `(Σ v^s·z_s·(p_s - r_s(u)) - z(u)·quotient)/(X - u)`, divided by `z_0` as halo2 does.
    fn linearise(
        &self,
        groups: &[Combined<D::Column>],
        weights: &[Fr],
        quotient: &D::Column,
        u: Fr,
    ) -> Result<D::Column, DeviceError> {
        let mut rotations: Vec<i32> = self.queries.iter().map(|query| query.rotation).collect();
        rotations.sort_unstable();
        rotations.dedup();
        let all: Vec<Fr> = rotations.into_iter().map(|rotation| self.rotated(rotation)).collect();
        let missing = |group: &Combined<D::Column>| -> Fr {
            all.iter()
                .filter(|point| !group.points.contains(point))
                .map(|point| u - point)
                .product()
        };
        let scales: Vec<Fr> = groups.iter().zip(weights).map(|(g, w)| missing(g) * w).collect();
        let mut terms: Vec<_> =
            groups.iter().zip(&scales).map(|(group, &scale)| (&group.column, scale)).collect();
        terms.push((quotient, -all.iter().map(|point| u - point).product::<Fr>()));
        let remainders = groups.iter().zip(&scales);
        let remainder =
            remainders.map(|(group, scale)| scale * eval_polynomial(&group.remainder, u)).sum();
        let first = groups.first().map_or(Fr::ONE, missing);
        self.device.divide(&[Division {
            column: &self.device.combine(&terms)?,
            scale: first.invert().unwrap_or(Fr::ONE),
            remainder: vec![remainder],
            points: vec![u],
        }])
    }
}
