//! The complete, ordered set of parts of a model, for one job.

use alloc::vec::Vec;

use thiserror::Error;

use crate::{
    claim::{ClaimedValues, InferenceClaim, JobBinding},
    digest::{Digest, KeyDigest, keccak256},
    error::{PartError, VerifyError},
    key::{KeyParts, VerifyingKey},
    layout::TensorLayout,
    part::{VerifiedPart, verify_part},
    proof::Proof,
    side::{Side, Visibility},
    srs::SrsPolicy,
};

/// Separates manifests from every other use of Keccak-256.
const MANIFEST_DOMAIN: &[u8; 20] = b"zkinfer.manifest.v1\0";
/// Separates the jobs of parts from every other use of Keccak-256.
const PART_DOMAIN: &[u8; 16] = b"zkinfer.part.v1\0";
/// Most parts of a model.
pub const MAX_PARTS: usize = 1 << 10;

/// The parts of a model in their order. Keys say which boundaries they have, so the manifest binds
/// these too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Digest of the ONNX file that was cut.
    pub model: Digest,
    /// The key of each part.
    pub parts: Vec<KeyDigest>,
}

/// A proof of a part, and what it claims.
#[derive(Clone, Copy, Debug)]
pub struct PartProof<'a> {
    /// What is claimed: inputs in the first part, outputs in the last, for the job of its part.
    pub claim: &'a InferenceClaim,
    /// The proof.
    pub proof: &'a Proof,
}

/// Why proofs are not those of all parts of a model, in their order and for one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PartsError {
    /// A manifest without parts, or of more than there may be.
    #[error("a manifest of {got} parts: from 2 to {limit} needed", limit = MAX_PARTS)]
    Size {
        /// How many it has.
        got: usize,
    },
    /// The keys are not those of the manifest.
    #[error("key {index} is not that of part {index} of the manifest")]
    Key {
        /// Position of the key, and of the part.
        index: usize,
    },
    /// The ONNX file that a key names is not that of the manifest.
    #[error("key {index} names another ONNX file than the manifest")]
    Model {
        /// Position of the key.
        index: usize,
    },
    /// A key takes, gives or shows something else than a part at its place does: the first takes no
    /// boundary, the last gives none, and nothing but the first inputs and the last outputs is shown.
    #[error("key {index} is not of a part at this place: {why}")]
    Place {
        /// Position of the key.
        index: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Other keys than parts.
    #[error("{got} keys for {expected} parts")]
    KeyCount {
        /// Parts of the manifest.
        expected: usize,
        /// Keys given.
        got: usize,
    },
    /// A proof under a key of no part.
    #[error("proof {position} is of no part of the manifest")]
    Foreign {
        /// Its position.
        position: usize,
    },
    /// Two proofs of one part.
    #[error("part {part} is there twice")]
    Repeated {
        /// The part.
        part: usize,
    },
    /// No proof of a part.
    #[error("part {part} is missing")]
    Missing {
        /// The part.
        part: usize,
    },
    /// The parts are in another order.
    #[error("proof {position} is of part {part}: the parts are in another order")]
    Order {
        /// Position of the proof.
        position: usize,
        /// The part that it is of.
        part: usize,
    },
    /// Other payees than parts.
    #[error("{got} payees for {expected} parts")]
    PayeeCount {
        /// Parts of the manifest.
        expected: usize,
        /// Payees given.
        got: usize,
    },
    /// A part was proven for another job or payee, under another manifest, or as another part.
    #[error("part {part} was proven for another job or payee, another manifest or another place")]
    Job {
        /// The part.
        part: usize,
    },
    /// A part is not proven.
    #[error("part {part}: {source}")]
    Part {
        /// The part.
        part: usize,
        /// Why.
        source: VerifyError,
    },
    /// A part does not go on from the one before.
    #[error("between part {part} and the next: {source}")]
    Link {
        /// The part.
        part: usize,
        /// Why.
        source: PartError,
    },
}

impl PartsError {
    /// A word for programs; it never changes its meaning, while texts may.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Size { .. } => "parts-size",
            Self::Key { .. } => "parts-key",
            Self::Model { .. } => "parts-model",
            Self::Place { .. } => "parts-place",
            Self::KeyCount { .. } => "parts-key-count",
            Self::Foreign { .. } => "parts-foreign",
            Self::Repeated { .. } => "parts-repeated",
            Self::Missing { .. } => "parts-missing",
            Self::Order { .. } => "parts-order",
            Self::PayeeCount { .. } => "parts-payee-count",
            Self::Job { .. } => "parts-job",
            Self::Part { source, .. } => source.code(),
            Self::Link { .. } => "parts-link",
        }
    }
}

/// A whole model that was proven part by part, for one job; only [`Manifest::verify`] makes one.
///
/// It cannot be copied, so that whoever takes it by value pays once:
///
/// ```compile_fail
/// # fn pay_twice(evidence: zkinfer_verifier::VerifiedParts) {
/// let again = evidence.clone();
/// # }
/// ```
#[derive(Debug, PartialEq)]
#[must_use = "the evidence is what gets paid"]
pub struct VerifiedParts {
    parts: Vec<VerifiedPart>,
}

impl VerifiedParts {
    /// The parts, in their order.
    pub fn parts(&self) -> &[VerifiedPart] {
        &self.parts
    }

    /// What the first part was run on.
    #[must_use]
    pub fn input(&self) -> Option<&ClaimedValues> {
        self.parts.first().map(|part| &part.claim().input)
    }

    /// What the last part gave.
    #[must_use]
    pub fn output(&self) -> Option<&ClaimedValues> {
        self.parts.last().map(|part| &part.claim().output)
    }
}

impl Manifest {
    /// What every part's proof is bound to: Keccak-256 of the domain, the model's digest, the number
    /// of parts as eight bytes, and the digests of the keys.
    #[must_use]
    pub fn root(&self) -> Digest {
        let count = u64::try_from(self.parts.len()).unwrap_or(u64::MAX).to_be_bytes();
        let digests: Vec<u8> = self.parts.iter().flat_map(|KeyDigest(Digest(d))| *d).collect();
        Digest(keccak256(&[MANIFEST_DOMAIN, &self.model.0, &count, &digests]))
    }

    /// The job of a part of a job of the whole model: Keccak-256 of the domain, the manifest's root,
    /// the part's index as eight bytes and the job.
    #[must_use]
    pub fn part_job(&self, part: usize, job: &[u8; 32]) -> [u8; 32] {
        let index = u64::try_from(part).unwrap_or(u64::MAX).to_be_bytes();
        keccak256(&[PART_DOMAIN, &self.root().0, &index, job])
    }

    /// The binding of a part's proof for a job of the whole model: [`part_job`](Self::part_job), the
    /// chain, expiry and nonce of the job, and who proves the part as the payee.
    #[must_use]
    pub fn binding(&self, part: usize, job: &JobBinding, payee: [u8; 20]) -> JobBinding {
        JobBinding { job_id: self.part_job(part, &job.job_id), payee, ..*job }
    }

    /// Checks that `proofs` are those of all parts in their order, for `job`, each with the payee of
    /// its place, and that each goes on from what the one before gives.
    ///
    /// # Errors
    /// [`PartsError`], the first check that fails: keys, then which proofs there are, then payees and
    /// jobs, then the proofs, then the links.
    pub fn verify(
        &self,
        keys: &[&VerifyingKey],
        job: &JobBinding,
        payees: &[[u8; 20]],
        proofs: &[PartProof<'_>],
        policy: SrsPolicy,
    ) -> Result<VerifiedParts, PartsError> {
        self.check_set(keys, job, payees, proofs)?;
        let verified = keys.iter().zip(proofs).enumerate().map(|(part, (key, of))| {
            verify_part(key, of.claim, of.proof, policy)
                .map_err(|source| PartsError::Part { part, source })
        });
        let parts = verified.collect::<Result<Vec<_>, _>>()?;
        for (part, (before, behind)) in parts.iter().zip(parts.iter().skip(1)).enumerate() {
            let link = before.check_continued_by(behind);
            link.map_err(|source| PartsError::Link { part, source })?;
        }
        Ok(VerifiedParts { parts })
    }

    /// What [`verify`](Self::verify) checks before any cryptography: keys, which proofs there are,
    /// payees and jobs. Proofs that pass it may prove nothing.
    ///
    /// # Errors
    /// [`PartsError`], the first check that fails.
    pub fn check_set(
        &self,
        keys: &[&VerifyingKey],
        job: &JobBinding,
        payees: &[[u8; 20]],
        proofs: &[PartProof<'_>],
    ) -> Result<(), PartsError> {
        self.check_keys(keys)?;
        self.check_order(proofs)?;
        let (expected, got) = (self.parts.len(), payees.len());
        if expected != got {
            return Err(PartsError::PayeeCount { expected, got });
        }
        for (part, (of, &payee)) in proofs.iter().zip(payees).enumerate() {
            if of.claim.binding != self.binding(part, job, payee) {
                return Err(PartsError::Job { part });
            }
        }
        Ok(())
    }

    fn check_keys(&self, keys: &[&VerifyingKey]) -> Result<(), PartsError> {
        let (expected, got) = (self.parts.len(), keys.len());
        if !(2..=MAX_PARTS).contains(&expected) {
            return Err(PartsError::Size { got: expected });
        }
        if expected != got {
            return Err(PartsError::KeyCount { expected, got });
        }
        let last = expected.saturating_sub(1);
        for (index, (part, key)) in self.parts.iter().zip(keys).enumerate() {
            if *part != key.digest() {
                return Err(PartsError::Key { index });
            }
            if self.model != key.parts().model_digest {
                return Err(PartsError::Model { index });
            }
            if let Some(why) = misplaced(key, [index > 0, index < last]) {
                return Err(PartsError::Place { index, why });
            }
        }
        Ok(())
    }

    /// Which proof is of which part: parts with one key are told apart by their place.
    fn check_order(&self, proofs: &[PartProof<'_>]) -> Result<(), PartsError> {
        let count =
            |digest: KeyDigest, of: &[KeyDigest]| of.iter().filter(|d| **d == digest).count();
        let claimed: Vec<KeyDigest> = proofs.iter().map(|of| of.claim.model).collect();
        let place = |digest: KeyDigest| self.parts.iter().position(|part| *part == digest);
        for (position, &digest) in claimed.iter().enumerate() {
            let part = place(digest).ok_or(PartsError::Foreign { position })?;
            if count(digest, &claimed) > count(digest, &self.parts) {
                return Err(PartsError::Repeated { part });
            }
        }
        for (part, &digest) in self.parts.iter().enumerate() {
            if count(digest, &claimed) < count(digest, &self.parts) {
                return Err(PartsError::Missing { part });
            }
        }
        let mut pairs = self.parts.iter().zip(&claimed).enumerate();
        match pairs.find(|(_, (part, digest))| part != digest) {
            Some((position, (_, &digest))) => {
                Err(PartsError::Order { position, part: place(digest).unwrap_or(position) })
            }
            None => Ok(()),
        }
    }
}

/// Why a key is not of a part that takes a boundary, or gives one, where these say so.
fn misplaced(key: &VerifyingKey, [takes, gives]: [bool; 2]) -> Option<&'static str> {
    let KeyParts { boundaries, layout, .. } = key.parts();
    let has = |side| boundaries.iter().any(|boundary| boundary.side == side);
    let shows = |tensors: &[TensorLayout], visibility| {
        !tensors.is_empty() || visibility == Visibility::Committed
    };
    let shows_input = shows(&layout.inputs, layout.input_visibility);
    let shows_output = shows(&layout.outputs, layout.output_visibility);
    [
        (has(Side::Input) != takes, "the first part alone takes nothing from a part before it"),
        (has(Side::Output) != gives, "the last part alone gives nothing to a part behind it"),
        (takes && shows_input, "a claim about it has inputs besides what the part before gives"),
        (gives && shows_output, "a claim about it has outputs besides what the part behind takes"),
        (layout.claims != 1, "a proof under it is about several claims"),
    ]
    .into_iter()
    .find_map(|(wrong, why)| wrong.then_some(why))
}
