//! Backends: who does the work of "prove this keyed circuit with this witness".
//!
//! Every backend makes proofs of the same format: halo2-axiom's SHPLONK proof of one circuit with
//! a Keccak-256 transcript, which has absorbed the digest of the key before anything else.

use halo2_proofs::{
    halo2curves::{
        bn256::{Bn256, Fr, G1Affine},
        ff::FromUniformBytes,
    },
    plonk::{Error, VerifyingKey, create_proof, verify_proof},
    poly::kzg::{
        commitment::KZGCommitmentScheme,
        multiopen::{ProverSHPLONK, VerifierSHPLONK},
        strategy::SingleStrategy,
    },
    transcript::{
        Challenge255, Keccak256Read, Transcript, TranscriptReadBuffer, TranscriptWriterBuffer,
    },
};
use rand_core::RngCore;

use crate::{CircuitKey, EngineCircuit, ProofTranscript, Srs, Stage};

/// What a backend is to prove.
#[expect(missing_debug_implementations, reason = "progress is a function")]
pub struct Task<'a, C: EngineCircuit> {
    /// The SRS of exactly the key's size.
    pub srs: &'a Srs,
    /// The circuit's key.
    pub key: &'a CircuitKey<C>,
    /// Digest of the zkinfer verifying key, which the transcript absorbs first.
    pub key_digest: [u8; 32],
    /// The circuit with its witness.
    pub circuit: &'a C,
    /// The instance columns.
    pub instance: &'a [&'a [Fr]],
    /// Told what begins.
    pub progress: &'a dyn Fn(Stage),
}

/// Turns a keyed circuit with its witness into proof bytes.
pub trait Backend {
    /// The name that reports and `--backend` use.
    fn name(&self) -> &'static str;

    /// Makes what all proofs of a key share, if the backend needs more than the key; the first proof
    /// would do it otherwise.
    ///
    /// # Errors
    /// What the backend's key generation refuses.
    fn prepare<C: EngineCircuit>(
        &self,
        _srs: &Srs,
        _key: &CircuitKey<C>,
        _circuit: &C,
    ) -> Result<(), Error> {
        Ok(())
    }

    /// Proves `task`; `rng` blinds the witness, so it must be unpredictable in production.
    ///
    /// # Errors
    /// If the witness does not fit the circuit. An unsatisfied circuit may give a proof that does
    /// not verify: the caller checks it.
    fn prove<C: EngineCircuit>(
        &self,
        task: Task<'_, C>,
        rng: &mut dyn RngCore,
    ) -> Result<Vec<u8>, Error>;
}

/// zkinfer's own engine on the processor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu;

impl Backend for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn prove<C: EngineCircuit>(
        &self,
        task: Task<'_, C>,
        rng: &mut dyn RngCore,
    ) -> Result<Vec<u8>, Error> {
        let mut transcript = transcript(&task.key_digest)?;
        let Task { key, circuit, instance, progress, .. } = task;
        key.engine().prove(circuit, instance, rng, &mut transcript, progress)?;
        Ok(transcript.finalize())
    }
}

/// halo2-axiom's own prover: slow, and the standard that others are compared with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl Backend for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn prepare<C: EngineCircuit>(
        &self,
        srs: &Srs,
        key: &CircuitKey<C>,
        circuit: &C,
    ) -> Result<(), Error> {
        key.reference(srs, circuit).map(|_| ())
    }

    fn prove<C: EngineCircuit>(
        &self,
        task: Task<'_, C>,
        rng: &mut dyn RngCore,
    ) -> Result<Vec<u8>, Error> {
        let key = task.key.reference(task.srs, task.circuit)?;
        (task.progress)(Stage::Reference);
        let mut transcript = transcript(&task.key_digest)?;
        create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
            task.srs.params(),
            key,
            std::slice::from_ref(task.circuit),
            &[task.instance],
            rng,
            &mut transcript,
        )?;
        Ok(transcript.finalize())
    }
}

/// A transcript that has absorbed the digest of the zkinfer key.
fn transcript(key_digest: &[u8; 32]) -> Result<ProofTranscript, Error> {
    let mut transcript = ProofTranscript::init(Vec::new());
    transcript.common_scalar(digest_scalar(key_digest))?;
    Ok(transcript)
}

/// halo2's own verifier over the same transcript: the oracle that zkinfer's verifier is tested
/// against.
///
/// # Errors
/// If the proof is not a proof of this instance under this key, or bytes are left over.
pub fn halo2_verify(
    srs: &Srs,
    key: &VerifyingKey<G1Affine>,
    key_digest: &[u8; 32],
    instance: &[&[Fr]],
    proof: &[u8],
) -> Result<(), Error> {
    let mut rest = proof;
    let mut transcript = Keccak256Read::<_, G1Affine, Challenge255<_>>::init(&mut rest);
    transcript.common_scalar(digest_scalar(key_digest))?;
    verify_proof::<KZGCommitmentScheme<Bn256>, VerifierSHPLONK<'_, Bn256>, _, _, _>(
        srs.params(),
        key,
        SingleStrategy::new(srs.params()),
        &[instance],
        &mut transcript,
    )?;
    if rest.is_empty() { Ok(()) } else { Err(Error::Opening) }
}

/// A digest, read as a big-endian number, reduced into the scalar field.
fn digest_scalar(digest: &[u8; 32]) -> Fr {
    let mut wide = [0; 64];
    for (byte, from) in wide.iter_mut().zip(digest.iter().rev()) {
        *byte = *from;
    }
    Fr::from_uniform_bytes(&wide)
}

#[cfg(test)]
mod tests {
    use halo2_proofs::{
        circuit::{Layouter, SimpleFloorPlanner, Value},
        halo2curves::ff::Field,
        plonk::{Advice, Circuit, Column, ConstraintSystem, Fixed, Instance},
        poly::Rotation,
    };
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::EngineOptions;

    const K: u32 = 4;
    const DIGEST: [u8; 32] = [0xfe; 32];

    /// The instance is the square of a secret.
    #[derive(Clone)]
    struct Square(Value<Fr>);

    impl Circuit<Fr> for Square {
        type Config = (Column<Fixed>, Column<Advice>, Column<Instance>);
        type FloorPlanner = SimpleFloorPlanner;
        type Params = ();

        fn without_witnesses(&self) -> Self {
            Self(Value::unknown())
        }

        fn configure(meta: &mut ConstraintSystem<Fr>) -> Self::Config {
            let (first, root) = (meta.fixed_column(), meta.advice_column());
            let square = meta.instance_column();
            meta.create_gate("square", |meta| {
                let first = meta.query_fixed(first, Rotation::cur());
                let root = meta.query_advice(root, Rotation::cur());
                let square = meta.query_instance(square, Rotation::cur());
                vec![first * (root.clone() * root - square)]
            });
            (first, root, square)
        }

        fn synthesize(
            &self,
            (first, root, _): Self::Config,
            mut layouter: impl Layouter<Fr>,
        ) -> Result<(), Error> {
            layouter.assign_region(
                || "root",
                |mut region| {
                    region.assign_fixed(first, 0, Fr::ONE);
                    region.assign_advice(root, 0, self.0);
                    Ok(())
                },
            )
        }
    }

    impl EngineCircuit for Square {}

    fn key(srs: &Srs) -> CircuitKey<Square> {
        CircuitKey::new(srs, &Square(Value::unknown()), EngineOptions::default()).unwrap()
    }

    fn proof(backend: &impl Backend, srs: &Srs, instance: Fr, seed: u64) -> Vec<u8> {
        let (key, circuit) = (key(srs), Square(Value::known(Fr::from(7))));
        let instance: &[&[Fr]] = &[&[instance]];
        let task = Task {
            srs,
            key: &key,
            key_digest: DIGEST,
            circuit: &circuit,
            instance,
            progress: &|_| (),
        };
        backend.prove(task, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap()
    }

    #[test]
    fn halo2_accepts_what_both_backends_prove() {
        let srs = Srs::insecure_dev(K).unwrap();
        let key = key(&srs);
        let square = Fr::from(49);
        for proof in [proof(&Reference, &srs, square, 1), proof(&Cpu, &srs, square, 1)] {
            let verify = |digest: &[u8; 32], instance: Fr, proof: &[u8]| {
                halo2_verify(&srs, key.verifying_key(), digest, &[&[instance]], proof)
            };
            verify(&DIGEST, square, &proof).unwrap();
            verify(&[0xfd; 32], square, &proof).unwrap_err();
            verify(&DIGEST, Fr::from(50), &proof).unwrap_err();
            verify(&DIGEST, square, &[&proof[..], &[0]].concat()).unwrap_err();
        }
    }

    #[test]
    fn the_seed_fixes_the_blinding_of_the_witness() {
        let srs = Srs::insecure_dev(K).unwrap();
        let square = Fr::from(49);
        // The first point commits to the advice; halo2 draws the one after it from the system.
        let commitment = |seed| proof(&Reference, &srs, square, seed)[..32].to_vec();
        assert_eq!(commitment(1), commitment(1));
        assert_ne!(commitment(1), commitment(2));
        assert_eq!(commitment(1), proof(&Cpu, &srs, square, 1)[..32]);
        assert_eq!(proof(&Cpu, &srs, square, 1), proof(&Cpu, &srs, square, 1));
    }

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
