//! Proofs: from an execution to a checked proof file.

use std::{cell::RefCell, sync::Arc, time::Instant};

use halo2_proofs::{
    halo2curves::{bn256::Fr, ff::FromUniformBytes},
    plonk,
    transcript::{Transcript, TranscriptWriterBuffer},
};
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng};
use thiserror::Error;
use zkinfer_engine::{EngineCircuit, EngineError, EngineKey, ProofTranscript, Stage};
use zkinfer_models::{Execution, RunError};
use zkinfer_verifier::{
    CommitmentError, JobBinding, Openings, Proof, ProofFile, VerifyError, VerifyingKey, verify,
    verify_joint, verify_part,
};

use crate::{
    part::Tails,
    setup::Setup,
    statement::{Inference, Stated, Statement},
};

/// A proof that has passed the verifier, and how long it took.
#[derive(Debug)]
pub struct Proven {
    /// What is handed over.
    pub file: ProofFile,
    /// What opens the commitments of the claim: for whoever may know the values, and nobody else.
    pub openings: Openings,
    /// Seconds to compute the witness and lay it out.
    pub witness_seconds: f64,
    /// Seconds of the device, with those of the witness.
    pub prove_seconds: f64,
    /// Seconds of every stage, in order.
    pub stages: Vec<(Stage, f64)>,
    /// Seconds of the closing check by the verifier.
    pub verify_seconds: f64,
}

/// A proof of several claims that has passed the verifier, and how long it took.
#[derive(Debug)]
pub struct ProvenJointly {
    /// For each claim, in their order, what is handed over and what opens its commitments. Each file
    /// is checked without the others.
    pub claims: Vec<(ProofFile, Openings)>,
    /// Seconds to compute the witness and lay it out.
    pub witness_seconds: f64,
    /// Seconds of the device, with those of the witness.
    pub prove_seconds: f64,
    /// Seconds of every stage, in order.
    pub stages: Vec<(Stage, f64)>,
    /// Seconds of the closing check by the verifier.
    pub verify_seconds: f64,
}

impl Proven {
    /// Whether the claim commits to something instead of showing it.
    #[must_use]
    pub fn hides(&self) -> bool {
        self.openings.input.is_some() || self.openings.output.is_some()
    }
}

/// Why there is no proof.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The execution is of another graph than the setup.
    #[error("the execution has {got} tensors, the model of these keys has {expected}")]
    OtherGraph {
        /// Tensors of the setup's graph.
        expected: usize,
        /// Tensors of the execution.
        got: usize,
    },
    /// Another number of inferences than a proof of the setup is about.
    #[error("{got} inferences, a proof under these keys is about {expected}")]
    ClaimCount {
        /// What the setup prescribes.
        expected: usize,
        /// How many were given.
        got: usize,
    },
    /// Several claims of which some show their values.
    #[error("{claims} claims in one proof commit to inputs and outputs, and cannot show them")]
    ShownClaims {
        /// How many.
        claims: usize,
    },
    /// The blinding of a boundary is of another number of columns.
    #[error("{got} columns of a boundary are blinded, and it has {expected}")]
    Boundary {
        /// Columns of the boundary, 0 where there is none.
        expected: usize,
        /// Columns that are blinded.
        got: usize,
    },
    /// The inferences cannot be run together.
    #[error("the runs cannot be joined: {0}")]
    Join(#[from] RunError),
    /// The witness could not be laid out, or the device failed.
    #[error("no proof on the device {device}: {source}")]
    Engine {
        /// The device.
        device: &'static str,
        /// What went wrong.
        source: EngineError,
    },
    /// The execution holds a value that its tensor cannot hold.
    #[error("the execution has no commitment: {0}")]
    Commitment(#[from] CommitmentError),
    /// The proof does not pass the verifier: a fault of this software, never of the input.
    #[error("the device {device} made a proof that does not verify ({source}): please report it")]
    SelfCheck {
        /// The device.
        device: &'static str,
        /// The check that failed.
        source: VerifyError,
    },
}

/// Measures stages, each of which ends where the next begins.
#[derive(Default)]
struct StageClock(RefCell<Vec<(Stage, Instant)>>);

impl StageClock {
    fn begin(&self, stage: Stage) {
        self.0.borrow_mut().push((stage, Instant::now()));
    }

    fn finish(self) -> Vec<(Stage, f64)> {
        let begun = self.0.into_inner();
        let ends = begun.iter().skip(1).map(|(_, next)| *next).chain([Instant::now()]);
        let stages = begun.iter().zip(ends);
        stages.map(|(&(stage, from), to)| (stage, (to - from).as_secs_f64())).collect()
    }
}

impl Setup {
    /// Proves `execution` for the job of `binding`, and verifies the proof before it is returned,
    /// under [`Setup::own_policy`].
    ///
    /// # Errors
    /// See [`ProveError`].
    pub fn prove(
        &self,
        execution: &Arc<Execution>,
        binding: JobBinding,
    ) -> Result<Proven, ProveError> {
        self.prove_with_progress(Inference::new(execution, binding), &|_| ())
    }

    /// [`Setup::prove`] with chosen blindings, telling `progress` what begins.
    ///
    /// # Errors
    /// See [`ProveError`].
    pub fn prove_with_progress(
        &self,
        inference: Inference<'_>,
        progress: &dyn Fn(Stage),
    ) -> Result<Proven, ProveError> {
        self.prove_one(inference, Tails::default(), &mut OsRng, progress)
    }

    /// [`Setup::prove`] with blinding from a fixed seed, which hides nothing: for tests.
    ///
    /// # Errors
    /// See [`ProveError`].
    pub fn prove_with_insecure_seed(
        &self,
        execution: &Arc<Execution>,
        binding: JobBinding,
        seed: [u8; 32],
    ) -> Result<Proven, ProveError> {
        let mut rng = ChaCha20Rng::from_seed(seed);
        self.prove_one(Inference::new(execution, binding), Tails::default(), &mut rng, &|_| ())
    }

    /// Proves as many inferences as the keys are for in one proof, each for its own job, telling
    /// `progress` what begins. The proof is verified before it is returned.
    ///
    /// # Errors
    /// See [`ProveError`].
    pub fn prove_jointly(
        &self,
        inferences: &[Inference<'_>],
        progress: &dyn Fn(Stage),
    ) -> Result<ProvenJointly, ProveError> {
        self.prove_claims(inferences, Tails::default(), &mut OsRng, progress)
    }

    pub(crate) fn prove_one(
        &self,
        inference: Inference<'_>,
        tails: Tails,
        rng: &mut dyn RngCore,
        progress: &dyn Fn(Stage),
    ) -> Result<Proven, ProveError> {
        let ProvenJointly { claims, witness_seconds, prove_seconds, stages, verify_seconds } =
            self.prove_claims(&[inference], tails, rng, progress)?;
        let got = claims.len();
        let only = claims.into_iter().next();
        let (file, openings) = only.ok_or(ProveError::ClaimCount { expected: 1, got })?;
        Ok(Proven { file, openings, witness_seconds, prove_seconds, stages, verify_seconds })
    }

    fn prove_claims(
        &self,
        inferences: &[Inference<'_>],
        tails: Tails,
        rng: &mut dyn RngCore,
        progress: &dyn Fn(Stage),
    ) -> Result<ProvenJointly, ProveError> {
        for (expected, tails) in self.boundary_columns().into_iter().zip(&tails) {
            let got = tails.len();
            if expected != got {
                return Err(ProveError::Boundary { expected, got });
            }
        }
        let statement = Statement::new(self, inferences, rng)?;
        let instance: Vec<&[Fr]> = statement.instance.iter().map(Vec::as_slice).collect();
        let circuit = statement.circuit(self).with_boundary_blinding(tails);

        let device = self.circuit_key().device().name();
        let clock = StageClock::default();
        let progress = |stage| {
            clock.begin(stage);
            progress(stage);
        };
        let digest = self.verifying_key().digest().0.0;
        let start = Instant::now();
        let proof = prove_circuit(self.circuit_key(), &digest, &circuit, &instance, rng, &progress);
        let proof = Proof::new(proof.map_err(|source| ProveError::Engine { device, source })?);
        let prove_seconds = start.elapsed().as_secs_f64();
        let stages = clock.finish();
        let of_witness = stages.iter().filter(|(stage, _)| *stage == Stage::Witness);
        let witness_seconds = of_witness.map(|(_, seconds)| seconds).sum();

        let start = Instant::now();
        let claims = self
            .checked(statement.claims, &proof)
            .map_err(|source| ProveError::SelfCheck { device, source })?;
        let verify_seconds = start.elapsed().as_secs_f64();
        Ok(ProvenJointly { claims, witness_seconds, prove_seconds, stages, verify_seconds })
    }

    /// The files of the claims, once the proof has passed the verifier.
    fn checked(
        &self,
        stated: Vec<Stated>,
        proof: &Proof,
    ) -> Result<Vec<(ProofFile, Openings)>, VerifyError> {
        let (key, policy): (&VerifyingKey, _) = (self.verifying_key(), self.own_policy());
        let (claims, openings): (Vec<_>, Vec<_>) =
            stated.into_iter().map(|stated| (stated.claim, stated.openings)).unzip();
        let files = if let [only] = &claims[..] {
            if key.parts().boundaries.is_empty() {
                let _verified = verify(key, only, proof, policy)?;
            } else {
                let _verified = verify_part(key, only, proof, policy)?;
            }
            vec![ProofFile::new(key, only.clone(), proof.clone())]
        } else {
            let _verified = verify_joint(key, &claims, proof, policy)?;
            let (expected, got) = (self.plan().claims(), claims.len());
            let files = ProofFile::of_joint(key, claims, proof);
            files.ok_or(VerifyError::ClaimCount { expected, got })?
        };
        Ok(files.into_iter().zip(openings).collect())
    }
}

/// The bytes of a proof under the zkinfer key of this digest; nobody has checked them. An
/// unsatisfied circuit may give a proof that does not verify.
///
/// # Errors
/// See [`EngineKey::prove`].
pub fn prove_circuit<C: EngineCircuit>(
    key: &EngineKey<C>,
    key_digest: &[u8; 32],
    circuit: &C,
    instance: &[&[Fr]],
    rng: &mut dyn RngCore,
    progress: &dyn Fn(Stage),
) -> Result<Vec<u8>, EngineError> {
    let mut transcript = transcript(key_digest)?;
    key.prove(circuit, instance, rng, &mut transcript, progress)?;
    Ok(transcript.finalize())
}

/// A transcript that has absorbed the digest of the zkinfer key.
pub(crate) fn transcript(key_digest: &[u8; 32]) -> Result<ProofTranscript, plonk::Error> {
    let mut transcript = ProofTranscript::init(Vec::new());
    transcript.common_scalar(digest_scalar(key_digest))?;
    Ok(transcript)
}

/// A digest, read as a big-endian number, reduced into the scalar field.
pub(crate) fn digest_scalar(digest: &[u8; 32]) -> Fr {
    let mut wide = [0; 64];
    for (byte, from) in wide.iter_mut().zip(digest.iter().rev()) {
        *byte = *from;
    }
    Fr::from_uniform_bytes(&wide)
}

#[cfg(test)]
mod tests {
    use halo2_proofs::halo2curves::ff::Field;

    use super::*;

    #[test]
    fn digests_are_reduced_as_big_endian_numbers() {
        let mut small = [0; 32];
        small[31] = 5;
        small[30] = 1;
        assert_eq!(digest_scalar(&small), Fr::from(261));
        let top = Fr::from(2).pow_vartime([248]) * Fr::from(0xfe);
        let mut large = [0; 32];
        large[0] = 0xfe;
        assert_eq!(digest_scalar(&large), top);
    }
}
