//! halo2-axiom's own prover and verifier over the same keys and transcripts: slow, and the oracles
//! that the engine and zkinfer's verifier are compared with. For tests and benchmarks.

use halo2_proofs::{
    halo2curves::bn256::{Bn256, Fr, G1Affine},
    plonk::{Circuit, Error, ProvingKey, VerifyingKey, create_proof, keygen_pk, verify_proof},
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

use crate::{
    Srs,
    prove::{digest_scalar, transcript},
};

/// halo2's proving key of a circuit.
#[derive(Debug)]
pub struct Reference(ProvingKey<G1Affine>);

impl Reference {
    /// Makes the proving key that belongs to `key`; it takes longer than the engine's and several
    /// times the memory.
    ///
    /// # Errors
    /// What halo2's key generation refuses.
    pub fn new<C: Circuit<Fr>>(
        srs: &Srs,
        key: &VerifyingKey<G1Affine>,
        circuit: &C,
    ) -> Result<Self, Error> {
        keygen_pk(srs.params(), key.clone(), &circuit.without_witnesses()).map(Self)
    }

    /// The bytes of a proof under the zkinfer key of this digest; `rng` blinds the witness, but
    /// halo2 draws some of its randomness from the system.
    ///
    /// # Errors
    /// If the witness does not fit the circuit. An unsatisfied circuit may give a proof that does
    /// not verify.
    pub fn prove<C: Circuit<Fr>>(
        &self,
        srs: &Srs,
        key_digest: &[u8; 32],
        circuit: &C,
        instance: &[&[Fr]],
        rng: &mut dyn RngCore,
    ) -> Result<Vec<u8>, Error> {
        let mut transcript = transcript(key_digest)?;
        create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
            srs.params(),
            &self.0,
            std::slice::from_ref(circuit),
            &[instance],
            rng,
            &mut transcript,
        )?;
        Ok(transcript.finalize())
    }
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

    use zkinfer_engine::{Device, EngineCircuit, EngineKey};

    use super::*;
    use crate::prove_circuit;

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

    fn key(srs: &Srs) -> EngineKey<Square> {
        let circuit = Square(Value::unknown());
        let (lagrange, powers) = (srs.lagrange_points(), srs.first_powers());
        EngineKey::new(&circuit, lagrange, powers, &Device::default()).unwrap()
    }

    const SECRET: u64 = 7;

    fn by_engine(srs: &Srs, seed: u64) -> Vec<u8> {
        let circuit = Square(Value::known(Fr::from(SECRET)));
        let (instance, mut rng) = (Fr::from(SECRET * SECRET), ChaCha20Rng::seed_from_u64(seed));
        prove_circuit(&key(srs), &DIGEST, &circuit, &[&[instance]], &mut rng, &|_| ()).unwrap()
    }

    fn by_reference(srs: &Srs, seed: u64) -> Vec<u8> {
        let circuit = Square(Value::known(Fr::from(SECRET)));
        let (instance, mut rng) = (Fr::from(SECRET * SECRET), ChaCha20Rng::seed_from_u64(seed));
        let reference = Reference::new(srs, key(srs).verifying_key(), &circuit).unwrap();
        reference.prove(srs, &DIGEST, &circuit, &[&[instance]], &mut rng).unwrap()
    }

    #[test]
    fn halo2_accepts_what_both_provers_make() {
        let srs = Srs::insecure_dev(K).unwrap();
        let key = key(&srs);
        let square = Fr::from(SECRET * SECRET);
        for proof in [by_reference(&srs, 1), by_engine(&srs, 1)] {
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
        // The first point commits to the advice; halo2 draws the one after it from the system.
        let commitment = |seed| by_reference(&srs, seed)[..32].to_vec();
        assert_eq!(commitment(1), commitment(1));
        assert_ne!(commitment(1), commitment(2));
        assert_eq!(commitment(1), by_engine(&srs, 1)[..32]);
        assert_eq!(by_engine(&srs, 1), by_engine(&srs, 1));
    }
}
