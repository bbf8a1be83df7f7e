//! The engine's key: a circuit on a device.

use std::collections::HashMap;

use halo2_proofs::{
    halo2curves::{
        bn256::{Fr, G1Affine},
        ff::{Field, PrimeField},
        group::Curve,
    },
    plonk::{self, ConstraintSystem, permutation},
    poly::EvaluationDomain,
};

use crate::{
    argument::{self, Shape, permutation_scale},
    assembly::CircuitData,
    column::Column,
    copies::Cell,
    cosets::powers_of,
    error::DeviceError,
    kernels::parallel,
    known::KeyCommitments,
    operations::{ColumnDevice, Extension},
    program::{Limits, Program, Quotient, Source},
};

/// Fewer fixed columns than this, kept on the cosets, are cheaper than the transforms of their
/// combination.
const EXTENDED_COMBINATION_MIN: usize = 8;
/// Where columns of the key are transformed for every proof, their combination is one instead of two.
const COMBINATION_MIN: usize = 2;

/// Everything that proofs of one circuit share.
#[derive(Debug)]
pub(crate) struct Key<D: ColumnDevice> {
    pub(crate) k: u32,
    pub(crate) constraints: ConstraintSystem<Fr>,
    pub(crate) shape: Shape,
    pub(crate) device: D,
    pub(crate) programs: Programs,
    pub(crate) columns: KeyColumns<D>,
    /// Columns of the key on the cosets, as far as memory was granted for it.
    extended: HashMap<Source, D::Extended>,
    /// The first two powers of τ: they commit to polynomials of degree one.
    pub(crate) powers: [G1Affine; 2],
    pub(crate) verifying_key: plonk::VerifyingKey<G1Affine>,
}

/// What is computed in every row.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) quotient: Quotient,
    pub(crate) permutation: Program,
    pub(crate) lookups: Program,
    /// One side of a lookup's fractions.
    pub(crate) lookup_side: Program,
}

impl Programs {
    fn new(constraints: &ConstraintSystem<Fr>, shape: &Shape, device: &impl ColumnDevice) -> Self {
        Self {
            quotient: quotient_programs(constraints, shape, device),
            permutation: argument::permutation_fractions(constraints, shape),
            lookups: argument::lookup_values(constraints),
            lookup_side: argument::lookup_side(constraints),
        }
    }
}

/// The columns of a key, by their values on H.
#[derive(Debug)]
pub(crate) struct KeyColumns<D: ColumnDevice> {
    pub(crate) fixed: Vec<D::Column>,
    pub(crate) permutation: Vec<D::Column>,
    first: D::Column,
    last: D::Column,
    active: D::Column,
    /// One in every row.
    pub(crate) one: D::Column,
    /// ω^row.
    pub(crate) point: D::Column,
}

impl<D: ColumnDevice> KeyColumns<D> {
    /// A column of the key, `None` for one of a proof.
    pub(crate) fn column(&self, source: Source) -> Option<&D::Column> {
        match source {
            Source::Fixed(index) => Some(&self.fixed[index]),
            Source::Permutation(index) => Some(&self.permutation[index]),
            Source::First => Some(&self.first),
            Source::Last => Some(&self.last),
            Source::Active => Some(&self.active),
            Source::Point => Some(&self.point),
            _ => None,
        }
    }
}

impl<D: ColumnDevice> Key<D> {
    /// Commits to what is fixed in a circuit. `powers` are `[1]₁` and `[τ]₁`.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn new(
        device: D,
        data: CircuitData,
        powers: [G1Affine; 2],
    ) -> Result<Self, DeviceError> {
        Self::with(device, data, powers, None)
    }

    /// [`Self::new`], with the commitments where they are known.
    ///
    /// # Errors
    /// Those of the device.
    pub(crate) fn with(
        device: D,
        data: CircuitData,
        powers: [G1Affine; 2],
        known: Option<&KeyCommitments>,
    ) -> Result<Self, DeviceError> {
        let CircuitData { k, constraints, fixed, copies } = data;
        let shape = Shape::new(&constraints);
        let rows = 1_usize << k;
        let extensions = device.extensions();
        let domain = EvaluationDomain::new(u32_of(shape.degree), k);
        let omega = domain.get_omega();
        let omegas = powers_of(omega, rows);
        let permutation = permutation_columns(&copies.into_successors(), &omegas);
        let fits = |known: &&KeyCommitments| {
            (known.fixed.len(), known.permutation.len()) == (fixed.len(), permutation.len())
        };
        let known = known.filter(fits);
        let sigma = match known {
            Some(known) => known.permutation.clone(),
            None => commit_to_copies(&device, &permutation, &omegas, powers[1])?,
        };
        let columns = KeyColumns::upload(&device, fixed, permutation, omegas, &shape)?;
        let programs = Programs::new(&constraints, &shape, &device);
        let mut left = extensions;
        let keyed = programs.quotient.keyed_sources().into_iter().filter(|&(_, cosets)| {
            let fits = cosets <= left;
            left -= if fits { cosets } else { 0 };
            fits
        });
        let keyed =
            keyed.filter_map(|(source, cosets)| Some((source, (columns.column(source)?, cosets))));
        let (sources, keyed): (Vec<_>, Vec<_>) = keyed.unzip();
        let extended = sources.into_iter().zip(device.extend(&keyed)?).collect();
        let fixed = match known {
            Some(known) => known.fixed.clone(),
            None => device.commit(&columns.fixed.iter().collect::<Vec<_>>())?,
        };
        let verifying_key = plonk::VerifyingKey::from_parts(
            domain,
            fixed,
            permutation::VerifyingKey::from_commitments(sigma),
            constraints.clone(),
            Vec::new(),
            false,
        );
        Ok(Self {
            k,
            constraints,
            shape,
            device,
            programs,
            columns,
            extended,
            powers,
            verifying_key,
        })
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        1 << self.k
    }

    /// The generator of H.
    pub(crate) fn omega(&self) -> Fr {
        self.verifying_key.get_domain().get_omega()
    }

    /// A column of the key for the quotient.
    pub(crate) fn extension(&self, source: Source) -> Option<Extension<'_, D>> {
        if let Some(extended) = self.extended.get(&source) {
            return Some(Extension::Extended(extended));
        }
        self.columns.column(source).map(Extension::Column)
    }
}

impl<D: ColumnDevice> KeyColumns<D> {
    fn upload(
        device: &D,
        fixed: Vec<Column>,
        permutation: Vec<Vec<Fr>>,
        omegas: Vec<Fr>,
        shape: &Shape,
    ) -> Result<Self, DeviceError> {
        let rows = omegas.len();
        let last = rows - shape.blinding_factors - 1;
        let upload = |column| upload_one(device, column);
        let indicator = |rows_in| upload(Column::indicator(rows, rows_in));
        Ok(Self {
            fixed: device.upload(fixed)?,
            permutation: device.upload(permutation.into_iter().map(Column::Field).collect())?,
            first: indicator(0..1)?,
            last: indicator(last..last + 1)?,
            active: indicator(0..last)?,
            one: indicator(0..rows)?,
            point: upload(Column::Field(omegas))?,
        })
    }
}

/// Moves one column to the device.
pub(crate) fn upload_one<D: ColumnDevice>(
    device: &D,
    column: Column,
) -> Result<D::Column, DeviceError> {
    Ok(device.upload(vec![column])?.pop().expect("as many columns as were given"))
}

/// The quotient's programs for what may be kept on cosets and what may be there at once.
fn quotient_programs(
    constraints: &ConstraintSystem<Fr>,
    shape: &Shape,
    device: &impl ColumnDevice,
) -> Quotient {
    let columns = device.working_columns();
    let limits = Limits { combination_min: EXTENDED_COMBINATION_MIN, columns };
    let quotient = argument::quotient(constraints, shape, limits);
    let kept: usize = quotient.keyed_sources().iter().map(|(_, cosets)| cosets).sum();
    if kept <= device.extensions() {
        return quotient;
    }
    argument::quotient(constraints, shape, Limits { combination_min: COMBINATION_MIN, columns })
}

/// The values δ^column·ω^row of the successors of all cells, over δ^column of their own.
fn permutation_columns(successors: &[Vec<Cell>], omegas: &[Fr]) -> Vec<Vec<Fr>> {
    let inverse = Fr::DELTA.invert().expect("δ is not zero");
    parallel::map(successors.len(), |own| {
        let undone = inverse.pow_vartime([own as u64]);
        let deltas = (0..successors.len()).map(|column| permutation_scale(column) * undone);
        let deltas: Vec<Fr> = deltas.collect();
        let label = |&(column, row): &Cell| deltas[column as usize] * omegas[row as usize];
        successors[own].iter().map(label).collect()
    })
}

/// The commitments to σ; `tau` is `[τ]₁`, which commits to the identity.
fn commit_to_copies<D: ColumnDevice>(
    device: &D,
    permutation: &[Vec<Fr>],
    omegas: &[Fr],
    tau: G1Affine,
) -> Result<Vec<G1Affine>, DeviceError> {
    let moved = moved_cells(permutation, omegas);
    let moved = device.upload(moved.into_iter().map(Column::Field).collect())?;
    let moved = device.commit(&moved.iter().collect::<Vec<_>>())?;
    let sigma = moved
        .into_iter()
        .enumerate()
        .map(|(column, moved)| ((tau + moved) * permutation_scale(column)).to_affine());
    Ok(sigma.collect())
}

/// What the columns of the permutation argument add to the identity X: zero in every cell that is
/// copied nowhere, so that its commitment costs as much as there are copies.
fn moved_cells(permutation: &[Vec<Fr>], omegas: &[Fr]) -> Vec<Vec<Fr>> {
    parallel::map(permutation.len(), |column| {
        permutation[column].iter().zip(omegas).map(|(label, omega)| label - omega).collect()
    })
}

fn u32_of(size: usize) -> u32 {
    u32::try_from(size).expect("a degree below 2^32")
}
