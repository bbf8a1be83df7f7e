//! What proofs of all parts must be, and why they are not.

use thiserror::Error;
use zkinfer_verifier::{
    Digest, JobBinding, Manifest, PartProof, PartsError, ProofFile, Side, SrsPolicy, VerifiedParts,
    VerifyingKey,
};

use crate::{
    error::Error,
    expectation::{Expectation, ExpectedSide, Rejection},
};

/// What is expected of the proofs of all parts of a model. What is not said is taken from the proofs:
/// a reader has to look at it.
#[derive(Debug)]
pub struct PartsExpectation<'a> {
    manifest: &'a Manifest,
    /// The job of the whole model, which every part must have been proven for.
    job: [u8; 32],
    policy: SrsPolicy,
    /// The root that the manifest must have.
    root: Option<Digest>,
    /// Who is paid for each part.
    payees: Option<Vec<[u8; 20]>>,
    /// Of each part, without its job.
    parts: Vec<Expectation<'a>>,
}

impl<'a> PartsExpectation<'a> {
    /// Proofs of all parts of this manifest, under their keys and for this job: 32 zero bytes for none.
    #[must_use]
    pub fn new(
        manifest: &'a Manifest,
        keys: &'a [VerifyingKey],
        job: [u8; 32],
        policy: SrsPolicy,
    ) -> Self {
        let parts = keys.iter().map(|key| Expectation::new(key, policy)).collect();
        Self { manifest, job, policy, root: None, payees: None, parts }
    }

    /// The manifest must have this root.
    #[must_use]
    pub fn manifest(mut self, root: Option<Digest>) -> Self {
        self.root = root;
        self
    }

    /// Each part must pay its own payee: so many as there are parts.
    #[must_use]
    pub fn payees(mut self, payees: Option<Vec<[u8; 20]>>) -> Self {
        self.payees = payees;
        self
    }

    /// The same of every part: chain, expiry, nonce, moment.
    #[must_use]
    pub fn each(mut self, set: impl Fn(&mut Expectation<'a>)) -> Self {
        self.parts.iter_mut().for_each(set);
        self
    }

    /// The first part must be about this input.
    ///
    /// # Errors
    /// As [`Expectation::input`].
    pub fn input(mut self, expected: ExpectedSide<'_>) -> Result<Self, Error> {
        if !self.parts.is_empty() {
            let first = self.parts.remove(0).input(expected)?;
            self.parts.insert(0, first);
        }
        Ok(self)
    }

    /// The last part must claim this output.
    ///
    /// # Errors
    /// As [`Expectation::output`].
    pub fn output(mut self, expected: ExpectedSide<'_>) -> Result<Self, Error> {
        if let Some(last) = self.parts.pop() {
            self.parts.push(last.output(expected)?);
        }
        Ok(self)
    }

    /// Whether the input of the first part, or the output of the last, is compared with an expected
    /// one.
    #[must_use]
    pub fn compares(&self, side: Side) -> bool {
        let end = match side {
            Side::Input => self.parts.first(),
            Side::Output => self.parts.last(),
        };
        end.is_some_and(|part| part.compares(side))
    }

    /// The keys of the parts.
    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = &'a VerifyingKey> {
        self.parts.iter().map(|part| part.claim.key)
    }

    /// Whether these are the proofs of all parts, in their order, that are expected.
    ///
    /// # Errors
    /// Why they are rejected.
    pub fn check(&self, files: &[ProofFile]) -> Result<VerifiedParts, PartsRejection> {
        let got = self.manifest.root();
        if let Some(expected) = self.root.filter(|&expected| expected != got) {
            return Err(PartsRejection::Manifest { expected, got });
        }
        let keys: Vec<&VerifyingKey> = self.keys().collect();
        let claimed: Vec<_> = files.iter().map(|file| file.claim.binding.payee).collect();
        let payees = self.payees.as_ref().unwrap_or(&claimed);
        let proofs: Vec<PartProof<'_>> =
            files.iter().map(|file| PartProof { claim: &file.claim, proof: &file.proof }).collect();
        // Chain, expiry and nonce are those of the first part: each part is compared with it.
        let job = files.first().map_or(JobBinding::NONE, |file| file.claim.binding);
        let job = JobBinding { job_id: self.job, ..job };
        self.manifest.check_set(&keys, &job, payees, &proofs)?;
        for (part, (expected, file)) in self.parts.iter().zip(files).enumerate() {
            let mismatches = file.check_claim(&expected.claim);
            if !mismatches.is_empty() {
                let why = Rejection::Mismatches(mismatches);
                return Err(PartsRejection::Claim { part, why });
            }
        }
        Ok(self.manifest.verify(&keys, &job, payees, &proofs, self.policy)?)
    }

    /// The ONNX file that the manifest names.
    #[must_use]
    pub fn model(&self) -> Digest {
        self.manifest.model
    }

    /// The root of the manifest.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.manifest.root()
    }
}

/// Why proofs of parts are not the expected ones.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum PartsRejection {
    /// The manifest is of other parts.
    #[error("the manifest has the root {got}, not {expected}")]
    Manifest {
        /// What was expected.
        expected: Digest,
        /// The root of the manifest.
        got: Digest,
    },
    /// They are not the complete, ordered, linked set for the job.
    #[error(transparent)]
    Set(#[from] PartsError),
    /// One of them claims something else.
    #[error("part {part}: {why}")]
    Claim {
        /// The part.
        part: usize,
        /// What.
        why: Rejection,
    },
}

impl PartsRejection {
    /// Words for programs, one for each reason; they never change their meaning, while texts may.
    #[must_use]
    pub fn codes(&self) -> Vec<&'static str> {
        match self {
            Self::Manifest { .. } => vec!["manifest"],
            Self::Set(error) => vec![error.code()],
            Self::Claim { part: _, why } => why.codes(),
        }
    }
}
