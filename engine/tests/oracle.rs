//! The engine against halo2's own prover, on circuits with everything that an argument can have.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chosen;
mod random_circuit;
mod srs;

use chosen::Chosen;
use halo2_proofs::{
    halo2curves::{
        bn256::{Bn256, Fr, G1Affine},
        ff::Field,
    },
    plonk::{Error, ProvingKey, create_proof, keygen_pk, keygen_vk_custom, verify_proof},
    poly::kzg::{
        commitment::KZGCommitmentScheme,
        multiopen::{ProverSHPLONK, VerifierSHPLONK},
        strategy::SingleStrategy,
    },
    transcript::{Challenge255, Keccak256Read, TranscriptReadBuffer, TranscriptWriterBuffer},
};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use random_circuit::{Kind, RandomCircuit};
use srs::Srs;
use zkinfer_engine::{CpuOptions, Device, EngineError, EngineKey, Instructions, ProofTranscript};

const K: u32 = 6;
const SEED: u64 = 7;

/// One kind for each part of the argument, and some with all of them.
fn kinds() -> Vec<(&'static str, Kind)> {
    let gates = Kind { seed: 1, inputs: 3, gates: 2, degree: 3, ..Kind::default() };
    let all = Kind {
        inputs: 5,
        gates: 3,
        late_gates: 2,
        degree: 5,
        instances: 2,
        lookups: 2,
        copies: 15,
        weights: 20,
        ..Kind::default()
    };
    vec![
        ("gates", gates),
        ("degree 4", Kind { seed: 2, degree: 4, ..gates }),
        ("degree 5", Kind { seed: 3, degree: 5, ..gates }),
        ("copies", Kind { seed: 4, inputs: 7, copies: 30, ..gates }),
        ("instances", Kind { seed: 5, copies: 4, instances: 3, ..gates }),
        ("phases", Kind { seed: 6, late_gates: 3, ..gates }),
        ("weights", Kind { seed: 7, weights: 40, ..gates }),
        ("lookups", Kind { seed: 8, lookups: 3, ..gates }),
        ("all", Kind { seed: 9, ..all }),
        ("all of degree 4", Kind { seed: 10, degree: 4, ..all }),
        ("more of all", Kind { seed: 11, inputs: 9, gates: 6, ..all }),
    ]
}

struct Oracle {
    srs: Srs,
    circuit: RandomCircuit,
    key: ProvingKey<G1Affine>,
    instance: Vec<Vec<Fr>>,
}

impl Oracle {
    fn new(kind: Kind) -> Self {
        let srs = Srs::new(K);
        let circuit = RandomCircuit::honest(kind);
        let blank = RandomCircuit { known: false, ..circuit.clone() };
        let key = keygen_vk_custom(&srs.params, &blank, false).unwrap();
        let key = keygen_pk(&srs.params, key, &blank).unwrap();
        let instance = circuit.instance();
        Self { srs, circuit, key, instance }
    }

    fn instance(&self) -> Vec<&[Fr]> {
        self.instance.iter().map(|column| &column[..]).collect()
    }

    fn engine(
        &self,
        instructions: Instructions,
        extension_bytes: usize,
    ) -> EngineKey<RandomCircuit> {
        self.engine_with(CpuOptions { instructions, extension_bytes, ..CpuOptions::default() })
    }

    fn engine_with(&self, options: CpuOptions) -> EngineKey<RandomCircuit> {
        let blank = RandomCircuit { known: false, ..self.circuit.clone() };
        let powers = self.srs.first_powers();
        EngineKey::new(&blank, &self.srs.lagrange, powers, &Device::Cpu(options)).unwrap()
    }

    fn prove(&self, key: &EngineKey<RandomCircuit>, circuit: &RandomCircuit) -> Vec<u8> {
        let mut transcript = ProofTranscript::init(Vec::new());
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        key.prove(circuit, &self.instance(), &mut rng, &mut transcript, &|_| ()).unwrap();
        transcript.finalize()
    }

    fn reference(&self) -> Vec<u8> {
        self.reference_with(ChaCha20Rng::seed_from_u64(SEED))
    }

    fn reference_with(&self, rng: impl RngCore) -> Vec<u8> {
        let mut transcript = ProofTranscript::init(Vec::new());
        create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
            &self.srs.params,
            &self.key,
            std::slice::from_ref(&self.circuit),
            &[&self.instance()],
            rng,
            &mut transcript,
        )
        .unwrap();
        transcript.finalize()
    }

    fn halo2_accepts(&self, proof: &[u8]) -> bool {
        let mut rest = proof;
        let mut transcript = Keccak256Read::<_, G1Affine, Challenge255<_>>::init(&mut rest);
        let accepted =
            verify_proof::<KZGCommitmentScheme<Bn256>, VerifierSHPLONK<'_, Bn256>, _, _, _>(
                &self.srs.params,
                self.key.get_vk(),
                SingleStrategy::new(&self.srs.params),
                &[&self.instance()],
                &mut transcript,
            );
        accepted.is_ok() && rest.is_empty()
    }

    /// Bytes before the first that halo2 draws from the system: with lookups the permuted columns,
    /// whose order follows from a randomly seeded table; else the random polynomial.
    fn deterministic_bytes(&self) -> usize {
        let system = self.key.get_vk().cs();
        let sets = system.permutation().get_columns().len().div_ceil(system.degree() - 2);
        let products = if system.lookups().is_empty() { sets } else { 0 };
        32 * (system.num_advice_columns() + products)
    }
}

fn available() -> impl Iterator<Item = Instructions> {
    Instructions::ALL.into_iter().filter(|set| set.is_available())
}

#[test]
fn the_engine_makes_the_keys_of_halo2() {
    for (name, kind) in kinds() {
        let oracle = Oracle::new(kind);
        let expected = format!("{:?}", oracle.key.get_vk().pinned());
        for instructions in available() {
            let key = oracle.engine(instructions, 0);
            let got = format!("{:?}", key.verifying_key().pinned());
            assert_eq!(got, expected, "{name}, {}", instructions.name());
        }
    }
}

#[test]
fn the_engine_makes_the_proofs_of_halo2() {
    for (name, kind) in kinds() {
        let oracle = Oracle::new(kind);
        let reference = oracle.reference();
        assert!(oracle.halo2_accepts(&reference));
        let mut proofs = Vec::new();
        for instructions in available() {
            let key = oracle.engine(instructions, 1 << 20);
            let proof = oracle.prove(&key, &oracle.circuit);
            assert_eq!(proof.len(), reference.len(), "{name}");
            let fixed = oracle.deterministic_bytes();
            assert_eq!(proof[..fixed], reference[..fixed], "{name}, {}", instructions.name());
            assert!(oracle.halo2_accepts(&proof), "{name}, {}", instructions.name());
            proofs.push(proof);
        }
        assert!(proofs.iter().all(|proof| *proof == proofs[0]), "{name}: instructions differ");
    }
}

/// What two proofs share of a column is its blinding: with that chosen, the engine makes the proof
/// that halo2 makes with the same values drawn.
#[test]
fn a_chosen_blinding_gives_the_proof_of_halo2_that_draws_it() {
    /// Words of 64 bits to an element.
    const WORDS: usize = 8;
    for (name, kind) in [kinds()[0], kinds()[5], kinds()[8]] {
        let oracle = Oracle::new(kind);
        let system = oracle.key.get_vk().cs();
        let rows = system.blinding_factors() + 1;
        let phases = system.advice_column_phase();
        let first: Vec<_> = (0..phases.len()).filter(|&column| phases[column] == 0).collect();
        for (place, &column) in first.iter().enumerate() {
            let chosen: Vec<Fr> = (7..).map(Fr::from).take(rows).collect();
            let words = (0..rows).flat_map(|row| {
                let start = WORDS * (place * rows + row);
                let value = u64::try_from(row + 7).unwrap();
                (0..WORDS).map(move |word| (start + word, if word == 0 { value } else { 0 }))
            });
            let (source, words) = (ChaCha20Rng::seed_from_u64(SEED), words.collect());
            let reference = oracle.reference_with(Chosen { source, words, drawn: 0 });
            assert!(oracle.halo2_accepts(&reference), "{name}");
            let blinding = vec![(column, chosen)];
            let circuit = RandomCircuit { blinding, ..oracle.circuit.clone() };
            let proof = oracle.prove(&oracle.engine(Instructions::detect(), 0), &circuit);
            let fixed = oracle.deterministic_bytes();
            assert_eq!(proof[..fixed], reference[..fixed], "{name}, column {column}");
            assert_ne!(proof[..fixed], oracle.reference()[..fixed], "{name}, column {column}");
            assert!(oracle.halo2_accepts(&proof), "{name}, column {column}");
        }
    }
}

#[test]
fn a_blinding_of_no_column_or_of_other_rows_is_refused() {
    let oracle = Oracle::new(kinds()[0].1);
    let rows = oracle.key.get_vk().cs().blinding_factors() + 1;
    let key = oracle.engine(Instructions::detect(), 0);
    let columns = oracle.key.get_vk().cs().num_advice_columns();
    let of = |column: usize, rows: usize| (column, vec![Fr::ONE; rows]);
    let wrong = [
        vec![of(columns, rows)],
        vec![of(0, rows - 1)],
        vec![of(0, 0)],
        vec![of(0, (1 << K) + 1)],
        vec![of(0, rows), of(0, rows)],
    ];
    for blinding in wrong {
        let named: Vec<_> =
            blinding.iter().map(|(column, values)| (*column, values.len())).collect();
        let circuit = RandomCircuit { blinding, ..oracle.circuit.clone() };
        let mut transcript = ProofTranscript::init(Vec::new());
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let proof = key.prove(&circuit, &oracle.instance(), &mut rng, &mut transcript, &|_| ());
        assert!(matches!(proof, Err(EngineError::Blinding)), "{named:?}");
    }
}

#[test]
fn memory_limits_change_no_byte() {
    for (name, kind) in kinds() {
        let oracle = Oracle::new(kind);
        // In many groups of columns, in a few, and in one.
        let proofs = [0, 1 << 15, 1 << 24].map(|quotient_bytes| {
            [0, 1 << 13, 1 << 24].map(|extension_bytes| {
                let options =
                    CpuOptions { extension_bytes, quotient_bytes, ..CpuOptions::default() };
                oracle.prove(&oracle.engine_with(options), &oracle.circuit)
            })
        });
        let proofs = proofs.as_flattened();
        assert!(proofs.iter().all(|proof| *proof == proofs[0]), "{name}");
    }
}

#[test]
fn a_lie_to_the_engine_is_refused_by_halo2() {
    for (name, kind) in kinds() {
        let oracle = Oracle::new(kind);
        let lie = RandomCircuit { lie: Fr::ONE, ..oracle.circuit.clone() };
        for instructions in available() {
            let key = oracle.engine(instructions, 0);
            let proof = oracle.prove(&key, &lie);
            assert!(!oracle.halo2_accepts(&proof), "{name}, {}", instructions.name());
        }
    }
}

#[test]
fn a_value_that_no_table_has_is_an_error() {
    let oracle = Oracle::new(Kind { seed: 12, lookups: 1, ..kinds()[0].1 });
    let key = oracle.engine(Instructions::detect(), 0);
    let circuit = RandomCircuit { outside: true, ..oracle.circuit.clone() };
    let mut transcript = ProofTranscript::init(Vec::new());
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let proof = key.prove(&circuit, &oracle.instance(), &mut rng, &mut transcript, &|_| ());
    assert!(matches!(proof, Err(EngineError::Circuit(Error::ConstraintSystemFailure))));
}

#[test]
fn a_circuit_without_a_witness_or_with_another_instance_is_an_error() {
    let oracle = Oracle::new(kinds()[4].1);
    let key = oracle.engine(Instructions::detect(), 0);
    let blank = RandomCircuit { known: false, ..oracle.circuit.clone() };
    let prove = |circuit: &RandomCircuit, instance: &[&[Fr]]| {
        let mut transcript = ProofTranscript::init(Vec::new());
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        key.prove(circuit, instance, &mut rng, &mut transcript, &|_| ())
    };
    let circuit_error = |result| match result {
        Err(EngineError::Circuit(error)) => error,
        other => panic!("{other:?}"),
    };
    let error = circuit_error(prove(&blank, &oracle.instance()));
    assert!(matches!(error, Error::Synthesis));
    let missing = &oracle.instance()[1..];
    let error = circuit_error(prove(&oracle.circuit, missing));
    assert!(matches!(error, Error::InvalidInstances));
    let long = vec![Fr::ONE; 1 << K];
    let long = [&long[..], &long[..], &long[..]];
    let error = circuit_error(prove(&oracle.circuit, &long));
    assert!(matches!(error, Error::InvalidInstances));
}
