//! Proofs: from an execution to a checked proof file.

use std::{cell::RefCell, sync::Arc, time::Instant};

use halo2_proofs::halo2curves::bn256::Fr;
use halo2_proofs::plonk;
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng};
use thiserror::Error;
use zkinfer_circuits::InferenceCircuit;
use zkinfer_models::Execution;
use zkinfer_verifier::{
    CommitmentError, JobBinding, Openings, Proof, ProofFile, VerifyError, VerifyingKey, verify,
};

use crate::{
    Backend, Setup, Stage, Task,
    statement::{Inference, Statement, halo2_scalar},
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
    /// Seconds of the backend, with those of the witness.
    pub prove_seconds: f64,
    /// Seconds of every stage of the backend, in order.
    pub stages: Vec<(Stage, f64)>,
    /// Seconds of the closing check by the verifier.
    pub verify_seconds: f64,
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
    /// The backend could not lay out or commit the witness.
    #[error("the {backend} backend failed: {source}")]
    Backend {
        /// Which backend.
        backend: &'static str,
        /// What it says.
        source: plonk::Error,
    },
    /// The execution holds a value that its tensor cannot hold.
    #[error("the execution has no commitment: {0}")]
    Commitment(#[from] CommitmentError),
    /// The proof does not pass the verifier: a fault of this software, never of the input.
    #[error("the {backend} backend made a proof that does not verify ({source}): please report it")]
    SelfCheck {
        /// Which backend.
        backend: &'static str,
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
    pub fn prove<B: Backend>(
        &self,
        backend: &B,
        execution: &Arc<Execution>,
        binding: JobBinding,
    ) -> Result<Proven, ProveError> {
        self.prove_with(backend, Inference::new(execution, binding), &mut OsRng, &|_| ())
    }

    /// [`Setup::prove`] with chosen blindings, telling `progress` what begins.
    ///
    /// # Errors
    /// See [`ProveError`].
    pub fn prove_with_progress<B: Backend>(
        &self,
        backend: &B,
        inference: Inference<'_>,
        progress: &dyn Fn(Stage),
    ) -> Result<Proven, ProveError> {
        self.prove_with(backend, inference, &mut OsRng, progress)
    }

    /// [`Setup::prove`] with blinding from a fixed seed, which hides nothing: for tests.
    ///
    /// # Errors
    /// See [`ProveError`].
    pub fn prove_with_insecure_seed<B: Backend>(
        &self,
        backend: &B,
        execution: &Arc<Execution>,
        binding: JobBinding,
        seed: [u8; 32],
    ) -> Result<Proven, ProveError> {
        let mut rng = ChaCha20Rng::from_seed(seed);
        self.prove_with(backend, Inference::new(execution, binding), &mut rng, &|_| ())
    }

    fn prove_with<B: Backend>(
        &self,
        backend: &B,
        inference: Inference<'_>,
        rng: &mut dyn RngCore,
        progress: &dyn Fn(Stage),
    ) -> Result<Proven, ProveError> {
        let Statement { claim, openings, blindings } = Statement::new(self, inference, rng)?;
        let instance: Vec<Fr> = claim.instance().iter().map(halo2_scalar).collect();
        let plan = Arc::clone(self.plan());
        let circuit = InferenceCircuit::with_execution(plan, Arc::clone(inference.execution))
            .with_blindings(blindings);

        let failed = |source| ProveError::Backend { backend: backend.name(), source };
        backend.prepare(self.srs(), self.circuit_key(), &circuit).map_err(failed)?;
        let clock = StageClock::default();
        let task = Task {
            srs: self.srs(),
            key: self.circuit_key(),
            key_digest: self.verifying_key().digest().0.0,
            circuit: &circuit,
            instance: &[&instance],
            progress: &|stage| {
                clock.begin(stage);
                progress(stage);
            },
        };
        let start = Instant::now();
        let proof = Proof::new(backend.prove(task, rng).map_err(failed)?);
        let prove_seconds = start.elapsed().as_secs_f64();
        let stages = clock.finish();
        let of_witness = stages.iter().filter(|(stage, _)| *stage == Stage::Witness);
        let witness_seconds = of_witness.map(|(_, seconds)| seconds).sum();

        let start = Instant::now();
        let key: &VerifyingKey = self.verifying_key();
        let _verified = verify(key, &claim, &proof, self.own_policy())
            .map_err(|source| ProveError::SelfCheck { backend: backend.name(), source })?;
        let verify_seconds = start.elapsed().as_secs_f64();
        let file = ProofFile::new(key, claim, proof);
        Ok(Proven { file, openings, witness_seconds, prove_seconds, stages, verify_seconds })
    }
}
