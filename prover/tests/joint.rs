//! Several claims in one proof: each is checked without the others, and no lie about one passes.
#![expect(clippy::unwrap_used, reason = "a failing step fails the test")]

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zkinfer_circuits::{CircuitPlan, InferenceCircuit, PlanOptions, Tamper};
use zkinfer_models::{
    Calibration, Execution, Graph, QuantizeOptions, QuantizedGraph, execute, quantize,
    quantize_inputs, read_samples,
};
use zkinfer_prover::{
    Inference, ModelIdentity, ProveError, Setup, Srs, prove_circuit, reference::halo2_verify,
};
use zkinfer_verifier::{
    BatchItem, ClaimedValues, Commitment, Fr as Scalar, InferenceClaim, JobBinding, Leaf, Openings,
    Proof, ProofFile, SrsPolicy, VerifyError, Visibility, encode_scalar, verify, verify_batch,
    verify_joint,
};

/// Small graphs, several runs in one circuit among them.
#[path = "../../circuits/tests/support/mod.rs"]
mod graphs;

const POLICY: SrsPolicy = SrsPolicy::AllowInsecureDev;

/// A model of the zoo in integers, and its runs on its first samples.
fn zoo(name: &str, runs: usize) -> (QuantizedGraph, Vec<Arc<Execution>>) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models/zoo").join(name);
    let float = Graph::from_onnx_bytes(&std::fs::read(folder.join("model.onnx")).unwrap()).unwrap();
    let samples = read_samples(&folder.join("samples.npz"), &float).unwrap();
    let calibration = Calibration::from_samples(&float, &samples).unwrap();
    let graph = quantize(&float, &calibration, &QuantizeOptions::default()).unwrap();
    let run = |sample: &Vec<_>| {
        Arc::new(execute(&graph, &quantize_inputs(&graph, sample).unwrap()).unwrap())
    };
    let runs = samples[..runs].iter().map(run).collect();
    (graph, runs)
}

fn setup(graph: &QuantizedGraph, claims: u32) -> Setup {
    let hidden = Visibility::Committed;
    let options = PlanOptions {
        input_visibility: hidden,
        output_visibility: hidden,
        claims,
        ..PlanOptions::default()
    };
    of_plan(CircuitPlan::new(graph, options).unwrap().into())
}

fn of_plan(plan: Arc<CircuitPlan>) -> Setup {
    let srs = Srs::insecure_dev(plan.k()).unwrap();
    let identity =
        ModelIdentity { name: None, digest: [7; 32], graph_digest: None, accuracy_digest: None };
    Setup::new(plan, srs, identity).unwrap()
}

/// A job of its own for each claim.
fn job(index: u8) -> JobBinding {
    let nonce = u64::from(index);
    JobBinding {
        chain_id: 1,
        job_id: [1 + index; 32],
        payee: [9 + index; 20],
        expiry: 2_000,
        nonce,
    }
}

fn proven(setup: &Setup, runs: &[Arc<Execution>]) -> Vec<(ProofFile, Openings)> {
    let inferences = (0..).zip(runs).map(|(index, run)| Inference::new(run, job(index)));
    let inferences: Vec<_> = inferences.collect();
    setup.prove_jointly(&inferences, &|_| ()).unwrap().claims
}

fn refusal(setup: &Setup, file: &ProofFile) -> VerifyError {
    file.proves(setup.verifying_key(), &file.claim, POLICY).unwrap_err()
}

#[test]
fn each_claim_of_a_proof_is_checked_without_the_others() {
    let (graph, runs) = zoo("digits_cnn", 3);
    let setup = setup(&graph, 3);
    let key = setup.verifying_key();
    let claims = proven(&setup, &runs);
    for (index, ((file, openings), run)) in claims.iter().zip(&runs).enumerate() {
        let read = ProofFile::decode(file.encode().as_bytes()).unwrap();
        assert_eq!(read, *file);
        let evidence = read.proves(key, &file.claim, POLICY).unwrap();
        assert_eq!(*evidence.claim(), file.claim);
        assert_eq!(file.claim.binding, job(u8::try_from(index).unwrap()));
        // Whoever has the opening of this claim sees its values, and no others.
        openings.check(key, &file.claim).unwrap();
        let output = &run.values[graph.outputs[0].0];
        assert_eq!(openings.output.as_ref().unwrap().values, *output);
    }
    let items: Vec<_> = claims
        .iter()
        .map(|(file, _)| BatchItem {
            key,
            expected: &file.claim,
            proof: &file.proof,
            leaf: file.leaf.as_ref(),
        })
        .collect();
    assert!(verify_batch(&items, POLICY).iter().all(Result::is_ok));
    let stated: Vec<_> = claims.iter().map(|(file, _)| file.claim.clone()).collect();
    assert_eq!(verify_joint(key, &stated, &claims[0].0.proof, POLICY).unwrap().len(), 3);
}

type Edit = fn(&mut InferenceClaim);

#[test]
fn no_claim_of_a_proof_can_be_another() {
    let (graph, runs) = zoo("digits_mlp", 5);
    let setup = setup(&graph, 5);
    let key = setup.verifying_key();
    let claims = proven(&setup, &runs);
    let other = |values: &mut ClaimedValues| {
        *values = ClaimedValues::Committed(Commitment::from_scalar(Scalar::from(5)));
    };
    let edits: [(&str, Edit); 5] = [
        ("job", |claim| claim.binding.job_id[0] ^= 1),
        ("payee", |claim| claim.binding.payee[0] ^= 1),
        ("chain", |claim| claim.binding.chain_id += 1),
        ("expiry", |claim| claim.binding.expiry += 1),
        ("nonce", |claim| claim.binding.nonce += 1),
    ];
    for (file, _) in &claims {
        for (name, edit) in edits {
            let mut lie = file.clone();
            edit(&mut lie.claim);
            assert_eq!(refusal(&setup, &lie), VerifyError::Pairing, "{name}");
        }
        let mut lie = file.clone();
        other(&mut lie.claim.output);
        assert_eq!(refusal(&setup, &lie), VerifyError::Pairing, "output");
        let mut lie = file.clone();
        other(&mut lie.claim.input);
        assert_eq!(refusal(&setup, &lie), VerifyError::Pairing, "input");
    }
    // The claim of one place at another, with either place's path.
    let leaves: Vec<Leaf> = claims.iter().map(|(file, _)| file.leaf.clone().unwrap()).collect();
    for (from, (file, _)) in claims.iter().enumerate() {
        for (to, leaf) in leaves.iter().enumerate().filter(|(to, _)| *to != from) {
            let lie = ProofFile { leaf: Some(leaf.clone()), ..file.clone() };
            assert_eq!(refusal(&setup, &lie), VerifyError::Pairing, "{from} as {to}");
            let index = Leaf { index: leaf.index, ..leaves[from].clone() };
            let lie = ProofFile { leaf: Some(index), ..file.clone() };
            let path = VerifyError::Path { claims: 5, index: to };
            assert!([path, VerifyError::Pairing].contains(&refusal(&setup, &lie)));
        }
        let beyond = Leaf { index: 5, ..leaves[from].clone() };
        let lie = ProofFile { leaf: Some(beyond), ..file.clone() };
        assert_eq!(refusal(&setup, &lie), VerifyError::Path { claims: 5, index: 5 });
        let alone = ProofFile { leaf: None, ..file.clone() };
        assert_eq!(refusal(&setup, &alone), VerifyError::Joint { claims: 5 });
    }
    // All claims together: one twice, two exchanged, one left out.
    let stated: Vec<_> = claims.iter().map(|(file, _)| file.claim.clone()).collect();
    let proof = &claims[0].0.proof;
    let mut twice = stated.clone();
    twice[1] = twice[0].clone();
    assert_eq!(verify_joint(key, &twice, proof, POLICY), Err(VerifyError::Pairing));
    let mut swapped = stated.clone();
    swapped.swap(1, 2);
    assert_eq!(verify_joint(key, &swapped, proof, POLICY), Err(VerifyError::Pairing));
    let fewer = verify_joint(key, &stated[..4], proof, POLICY);
    assert_eq!(fewer, Err(VerifyError::ClaimCount { expected: 5, got: 4 }));
}

/// A proof of a key for one claim is no proof of several, nor the other way round, nor one of
/// another number.
#[test]
fn keys_for_unlike_numbers_of_claims_are_not_one() {
    let (graph, runs) = zoo("digits_mlp", 3);
    let (two, three) = (setup(&graph, 2), setup(&graph, 3));
    let claims = proven(&two, &runs[..2]);
    let (file, _) = &claims[0];
    let key = three.verifying_key();
    let claim = InferenceClaim { model: key.digest(), ..file.claim.clone() };
    let refused = file.proves(key, &claim, POLICY).unwrap_err();
    assert_eq!(refused, VerifyError::Path { claims: 3, index: 0 });
    let inferences = [Inference::new(&runs[0], job(0))];
    let refused = two.prove_jointly(&inferences, &|_| ()).unwrap_err();
    assert!(matches!(refused, ProveError::ClaimCount { expected: 2, got: 1 }));
    let refused = two.prove(&runs[0], job(0)).unwrap_err();
    assert!(matches!(refused, ProveError::ClaimCount { expected: 2, got: 1 }));
    let hidden = setup(&graph, 1);
    let single = hidden.prove(&runs[0], job(0)).unwrap().file;
    let key = hidden.verifying_key();
    let leaf = Some(Leaf { index: 0, path: Vec::new() });
    let lie = ProofFile { leaf, ..single.clone() };
    assert_eq!(lie.proves(key, &single.claim, POLICY), Err(VerifyError::Single));
    assert!(verify(key, &single.claim, &single.proof, POLICY).is_ok());
}

/// A lie about a cell of any column, through both verifiers.
#[test]
fn lies_about_every_column_are_refused_by_both_verifiers() {
    for model in [graphs::joined(), graphs::joined_side_by_side()] {
        let setup = of_plan(Arc::clone(&model.plan));
        let (key, honest) = (setup.circuit_key(), model.circuit());
        let digest = setup.verifying_key().digest().0.0;
        let verdicts = |circuit: &InferenceCircuit| {
            let mut rng = ChaCha20Rng::from_seed([3; 32]);
            let instance = [&model.instance[..]];
            let proof = prove_circuit(key, &digest, circuit, &instance, &mut rng, &|_| ()).unwrap();
            let halo2 =
                halo2_verify(setup.srs(), key.verifying_key(), &digest, &instance, &proof).is_ok();
            (ours(&setup, &model, proof), halo2)
        };
        assert_eq!(verdicts(&honest), (Ok(()), true));
        let cells = honest.assigned_cells();
        let columns: BTreeSet<_> = cells.iter().map(|&(column, _)| column).collect();
        for column in columns {
            let of_column = || cells.iter().filter(move |cell| cell.0 == column);
            let cell = of_column().find(|cell| cell.1 > column % 7).or(of_column().next());
            let &(column, row) = cell.unwrap();
            let lie = honest.clone().tampered(Tamper { column, row, delta: Fr::ONE });
            let refused = (Err(VerifyError::Pairing), false);
            assert_eq!(verdicts(&lie), refused, "column {column}, row {row}");
        }
    }
}

/// Our verifier's verdict on the claims of a small graph.
fn ours(setup: &Setup, model: &graphs::Model, proof: Vec<u8>) -> Result<(), VerifyError> {
    let key = setup.verifying_key();
    let claims =
        model.stated.iter().map(|claim| InferenceClaim { model: key.digest(), ..claim.clone() });
    let claims: Vec<_> = claims.collect();
    let instance = key.instance_of(&claims).unwrap();
    assert_eq!(encode_scalar(&instance[0][0]), model.instance[0].to_bytes());
    verify_joint(key, &claims, &Proof::new(proof), POLICY).map(|_| ())
}

#[test]
#[ignore = "rewrites the proof of two claims of the tests of settlement"]
fn write_the_proof_of_two_claims_of_settlement() {
    let (graph, runs) = zoo("digits_mlp", 2);
    let setup = setup(&graph, 2);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../settlement/tests/vectors");
    std::fs::write(folder.join("joint.zkvk"), setup.verifying_key().encode()).unwrap();
    for (index, (file, openings)) in proven(&setup, &runs).iter().enumerate() {
        std::fs::write(folder.join(format!("joint-{index}.zkproof")), file.encode()).unwrap();
        std::fs::write(folder.join(format!("joint-{index}.zkopening")), openings.encode()).unwrap();
    }
}
