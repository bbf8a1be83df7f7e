//! The self-contained verifying key.

mod decode;
mod encode;

use alloc::{string::String, vec::Vec};

use ark_bn254::{Bn254, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, pairing::Pairing};

use crate::{
    constraint_system::{ConstraintSystem, CurrentRow, MAX_COLUMNS},
    digest::{Digest, KeyDigest, SrsDigest, keccak256},
    domain::Domain,
    error::KeyError,
    layout::{InstanceLayout, check_name},
    opening_plan::OpeningPlan,
    srs::SrsId,
};

/// First bytes of a `.zkvk` file.
const MAGIC: [u8; 8] = *b"ZKINFVK\0";
/// The version of the key format. A change that moves a byte or the meaning of one changes it.
const VERSION: u16 = 3;

type Prepared = <Bn254 as Pairing>::G2Prepared;

/// The content of a verifying key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyParts {
    /// Binary logarithm of the number of rows.
    pub k: u8,
    /// Columns, queries, gates and copy constraints.
    pub constraint_system: ConstraintSystem,
    /// One commitment per fixed column; at infinity for a column of zeros.
    pub fixed_commitments: Vec<G1Affine>,
    /// One commitment per column under copy constraints.
    pub sigma_commitments: Vec<G1Affine>,
    /// What halo2 absorbs for its own form of the key.
    pub transcript_repr: Fr,
    /// The trusted setup.
    pub srs: SrsId,
    /// Meaning of the public values.
    pub layout: InstanceLayout,
    /// The model's name.
    pub model_name: String,
    /// Digest of the ONNX file.
    pub model_digest: Digest,
    /// Digest of the report on how well the integers agree with the float model; all zeros where
    /// none is bound. The verifier does not read the report: whoever has it compares its digest.
    pub accuracy_digest: Digest,
}

/// A verifying key that has passed every check, with what follows from it.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    parts: KeyParts,
    digest: KeyDigest,
    srs_digest: SrsDigest,
    domain: Domain,
    plan: OpeningPlan,
    permutation: Vec<CurrentRow>,
    prepared_tau: Prepared,
    prepared_generator: Prepared,
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl VerifyingKey {
    /// Checks the parts against the limits and each other.
    ///
    /// # Errors
    /// [`KeyError`], the first check that fails.
    pub fn new(parts: KeyParts) -> Result<Self, KeyError> {
        let system = &parts.constraint_system;
        let domain = Domain::new(parts.k).ok_or(KeyError::Rows { k: parts.k, required: 0 })?;
        let got = parts.fixed_commitments.len();
        if got > MAX_COLUMNS {
            return Err(KeyError::Limit { list: "fixed commitments", limit: MAX_COLUMNS, got });
        }
        system.check(domain.row_count(), parts.fixed_commitments.len())?;
        check_sigmas(&parts)?;
        parts.srs.check()?;
        parts.layout.check()?;
        check_name(&parts.model_name)?;
        check_rows(&parts, domain.row_count())?;
        // Neither can fail after the checks above; an error is better than a panic.
        let permutation = system.permutation.iter().map(|&column| system.current_row(column));
        let permutation =
            permutation.collect::<Option<_>>().ok_or(KeyError::PermutationQuery { position: 0 })?;
        let plan = OpeningPlan::new(system, got, domain.row_count())?;
        Ok(Self {
            digest: KeyDigest(Digest(keccak256(&[&encode::encode(&parts)]))),
            srs_digest: parts.srs.digest(),
            prepared_tau: parts.srs.g2_tau.into(),
            prepared_generator: G2Affine::generator().into(),
            parts,
            domain,
            plan,
            permutation,
        })
    }

    /// Decodes the bytes of a `.zkvk` file. Any byte string is either refused or the encoding of
    /// exactly one key.
    ///
    /// # Errors
    /// [`KeyError`], the first check that fails. Lengths are checked before anything is allocated.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::new(decode::decode(bytes)?)
    }

    /// The bytes of a `.zkvk` file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode::encode(&self.parts)
    }

    /// Keccak-256 of the encoding: the identity of the model as proven.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        self.digest
    }

    /// Digest of the accuracy report that the key binds, where it binds one.
    #[must_use]
    pub fn accuracy_digest(&self) -> Option<Digest> {
        let digest = self.parts.accuracy_digest;
        (digest != Digest::ZERO).then_some(digest)
    }

    /// Digest of the trusted setup's \[τ\]₂.
    #[must_use]
    pub fn srs_digest(&self) -> SrsDigest {
        self.srs_digest
    }

    /// The content.
    #[must_use]
    pub fn parts(&self) -> &KeyParts {
        &self.parts
    }

    /// The content, to build another key from.
    #[must_use]
    pub fn into_parts(self) -> KeyParts {
        self.parts
    }

    /// Length in bytes of every proof under this key.
    #[must_use]
    pub fn proof_len(&self) -> usize {
        let system = &self.parts.constraint_system;
        let products = system.permutation_product_count();
        let counts = [
            // Points: advice, permutation products, random polynomial, quotient, two openings.
            system.advice_phases.len(),
            products,
            1,
            system.quotient_piece_count(),
            2,
            // Scalars: advice, fixed, random polynomial, sigmas, permutation products.
            self.evaluation_count(),
        ];
        counts.into_iter().fold(0, usize::saturating_add).saturating_mul(32)
    }

    /// Number of evaluations in every proof under this key.
    pub(crate) fn evaluation_count(&self) -> usize {
        let system = &self.parts.constraint_system;
        let products = system.permutation_product_count();
        let counts = [
            system.advice_queries.len(),
            system.fixed_queries.len(),
            1,
            system.permutation.len(),
            // At the current and the next row, and all but the last at the last row.
            products.saturating_mul(3).saturating_sub(1),
        ];
        counts.into_iter().fold(0, usize::saturating_add)
    }

    pub(crate) fn domain(&self) -> &Domain {
        &self.domain
    }

    pub(crate) fn plan(&self) -> &OpeningPlan {
        &self.plan
    }

    pub(crate) fn permutation(&self) -> &[CurrentRow] {
        &self.permutation
    }

    /// Fixed, then sigma commitments.
    pub(crate) fn commitments(&self) -> impl Iterator<Item = &G1Affine> {
        self.parts.fixed_commitments.iter().chain(&self.parts.sigma_commitments)
    }

    pub(crate) fn prepared_tau(&self) -> &Prepared {
        &self.prepared_tau
    }

    pub(crate) fn prepared_generator(&self) -> &Prepared {
        &self.prepared_generator
    }
}

fn check_sigmas(parts: &KeyParts) -> Result<(), KeyError> {
    let (expected, got) =
        (parts.constraint_system.permutation.len(), parts.sigma_commitments.len());
    if expected != got {
        return Err(KeyError::SigmaCount { expected, got });
    }
    match parts.sigma_commitments.iter().position(AffineRepr::is_zero) {
        Some(index) => Err(KeyError::SigmaInfinity { index }),
        None => Ok(()),
    }
}

/// The instance must end before the blinding rows, and halo2 wants three rows besides them.
fn check_rows(parts: &KeyParts, row_count: u64) -> Result<(), KeyError> {
    let used = parts.layout.instance_len().saturating_add(1).max(3);
    let required = used.saturating_add(parts.constraint_system.blinding_factors());
    let available = usize::try_from(row_count).unwrap_or(usize::MAX);
    if required <= available { Ok(()) } else { Err(KeyError::Rows { k: parts.k, required }) }
}
