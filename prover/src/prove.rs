//! Proofs: from an execution to a checked proof file.

use std::{cell::RefCell, sync::Arc, time::Instant};

use halo2_proofs::plonk;
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng};
use thiserror::Error;
use zkinfer_circuits::{InferenceCircuit, instance_values};
use zkinfer_models::{Execution, quantized::TensorId};
use zkinfer_verifier::{
    InferenceClaim, JobBinding, Proof, ProofFile, VerifyError, VerifyingKey, verify,
};

use crate::{Backend, Setup, Stage, Task};

/// A proof that has passed the verifier, and how long it took.
#[derive(Debug)]
pub struct Proven {
    /// What is handed over.
    pub file: ProofFile,
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
        self.prove_with(backend, execution, binding, &mut OsRng, &|_| ())
    }

    /// [`Setup::prove`], telling `progress` what begins.
    ///
    /// # Errors
    /// See [`ProveError`].
    pub fn prove_with_progress<B: Backend>(
        &self,
        backend: &B,
        execution: &Arc<Execution>,
        binding: JobBinding,
        progress: &dyn Fn(Stage),
    ) -> Result<Proven, ProveError> {
        self.prove_with(backend, execution, binding, &mut OsRng, progress)
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
        self.prove_with(backend, execution, binding, &mut ChaCha20Rng::from_seed(seed), &|_| ())
    }

    fn prove_with<B: Backend>(
        &self,
        backend: &B,
        execution: &Arc<Execution>,
        binding: JobBinding,
        rng: &mut dyn RngCore,
        progress: &dyn Fn(Stage),
    ) -> Result<Proven, ProveError> {
        let claim = self.claim(execution, binding)?;
        let instance = instance_values(binding.limbs(), &claim.input, &claim.output);
        let circuit =
            InferenceCircuit::with_execution(Arc::clone(self.plan()), Arc::clone(execution));

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
        Ok(Proven { file, witness_seconds, prove_seconds, stages, verify_seconds })
    }

    /// What a proof of `execution` claims.
    fn claim(
        &self,
        execution: &Execution,
        binding: JobBinding,
    ) -> Result<InferenceClaim, ProveError> {
        let graph = self.plan().graph();
        let (expected, got) = (graph.tensors.len(), execution.values.len());
        if expected != got {
            return Err(ProveError::OtherGraph { expected, got });
        }
        let flat = |ids: &[TensorId]| {
            ids.iter().flat_map(|id| execution.values[id.0].iter().copied()).collect()
        };
        Ok(InferenceClaim {
            model: self.verifying_key().digest(),
            input: flat(&graph.inputs),
            output: flat(&graph.outputs),
            binding,
        })
    }
}
