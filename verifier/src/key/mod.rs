//! The self-contained verifying key.

mod decode;
mod encode;
mod format3;

use alloc::{string::String, vec::Vec};

use ark_bn254::{Bn254, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, pairing::Pairing};

use crate::{
    boundary::{self, Boundary},
    checks::Checks,
    claim::InferenceClaim,
    constraint_system::{ConstraintSystem, MAX_COLUMNS},
    digest::{Digest, KeyDigest, SrsDigest, keccak256},
    domain::Domain,
    error::KeyError,
    layout::{InstanceLayout, check_name},
    srs::SrsId,
    tree::Tree,
};

/// First bytes of a `.zkvk` file.
const MAGIC: [u8; 8] = *b"ZKINFVK\0";

/// A version of the key format. A change that moves a byte or the meaning of one makes a new one;
/// keys of an older one keep their bytes, their digest and their proofs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyFormat {
    /// One claim in one instance column, one scale a tensor, integer semantics 1, no graph digest.
    V3,
    /// Several claims and columns, a scale for each column, boundaries, graph digest.
    #[default]
    V4,
    /// [`V4`](Self::V4) with names of classes; only keys that have some are of it.
    V5,
}

impl KeyFormat {
    /// The number in the file.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
            Self::V5 => 5,
        }
    }

    /// What this version writes for such public values.
    #[must_use]
    pub fn of(layout: &InstanceLayout) -> Self {
        if layout.names_classes() { Self::V5 } else { Self::V4 }
    }
}

type Prepared = <Bn254 as Pairing>::G2Prepared;

/// The content of a verifying key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyParts {
    /// The format of the file, which is part of the key's identity.
    pub format: KeyFormat,
    /// The version of the integer semantics that the circuit was compiled for; the verifier does not
    /// read it, whoever recompiles the model does.
    pub semantics: u16,
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
    /// Columns that are shared with proofs of neighbouring parts; none for a whole model.
    pub boundaries: Vec<Boundary>,
    /// A name for reports, if the key's maker has given one; not empty. It identifies nothing.
    pub model_name: Option<String>,
    /// Digest of the ONNX file.
    pub model_digest: Digest,
    /// Digest of the model's graph, the same in every file that holds it; all zeros for none.
    pub graph_digest: Digest,
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
    checks: Checks,
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
        parts.layout.check(&parts.boundaries)?;
        let instance_columns = parts.layout.placement.column_lengths();
        system.check(domain.row_count(), got, instance_columns.len())?;
        check_sigmas(&parts)?;
        parts.srs.check()?;
        boundary::check(&parts.boundaries, system)?;
        parts.model_name.as_deref().map_or(Ok(()), check_label)?;
        check_rows(&parts, &instance_columns, domain.row_count())?;
        if (parts.format == KeyFormat::V5) != parts.layout.names_classes() {
            return Err(KeyError::ClassesFormat);
        }
        if parts.format == KeyFormat::V3 {
            format3::check(&parts)?;
        }
        let checks = Checks::new(system, got, instance_columns.len(), &domain)?;
        Ok(Self {
            digest: KeyDigest(Digest(keccak256(&[&encode::encode(&parts)]))),
            srs_digest: parts.srs.digest(),
            prepared_tau: parts.srs.g2_tau.into(),
            prepared_generator: G2Affine::generator().into(),
            parts,
            domain,
            checks,
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

    /// Digest of the model's graph, where the key names one.
    #[must_use]
    pub fn graph_digest(&self) -> Option<Digest> {
        let digest = self.parts.graph_digest;
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

    /// What is checked of every proof under this key, as data.
    #[must_use]
    pub fn checks(&self) -> &Checks {
        &self.checks
    }

    /// The instance columns of a claim under this key.
    #[must_use]
    pub fn instance(&self, claim: &InferenceClaim) -> Vec<Vec<Fr>> {
        self.parts.layout.placement.columns(&claim.instance())
    }

    /// The instance columns of a proof of all these claims; `None` where it is about another number
    /// of them, or one of several shows its values.
    #[must_use]
    pub fn instance_of(&self, claims: &[InferenceClaim]) -> Option<Vec<Vec<Fr>>> {
        let layout = &self.parts.layout;
        if u32::try_from(claims.len()) != Ok(layout.claims) {
            return None;
        }
        match claims {
            [only] => Some(self.instance(only)),
            several => Some(layout.placement.columns(&[Tree::default().root(several)?])),
        }
    }

    /// Length in bytes of every proof under this key.
    #[must_use]
    pub fn proof_len(&self) -> usize {
        self.checks.element_count().saturating_mul(32)
    }

    pub(crate) fn domain(&self) -> &Domain {
        &self.domain
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

/// Every instance column must end before the blinding rows, and halo2 wants three rows besides them.
fn check_rows(parts: &KeyParts, columns: &[usize], row_count: u64) -> Result<(), KeyError> {
    let longest = columns.iter().copied().fold(0, usize::max);
    let used = longest.saturating_add(1).max(3);
    let required = used.saturating_add(parts.constraint_system.blinding_factors());
    let available = usize::try_from(row_count).unwrap_or(usize::MAX);
    if required <= available { Ok(()) } else { Err(KeyError::Rows { k: parts.k, required }) }
}

fn check_label(label: &str) -> Result<(), KeyError> {
    if label.is_empty() { Err(KeyError::EmptyLabel) } else { check_name(label) }
}
