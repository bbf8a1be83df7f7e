//! Several claims in one proof: each is checked without the others, and no lie about one passes.
#![expect(clippy::unwrap_used, reason = "a failing step fails the test")]

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zkinfer_circuits::{CircuitPlan, InferenceCircuit, PlanOptions, Tamper};
use zkinfer_models::{
    Calibration, Execution, Graph, QuantizeOptions, QuantizedGraph, execute, quantize,
    quantize_inputs, quantized::TensorId, read_samples,
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
    let identity = ModelIdentity { digest: [7; 32], ..ModelIdentity::default() };
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

/// A small graph with its keys, whose circuits go through both verifiers.
struct Proving {
    model: graphs::Model,
    setup: Setup,
}

impl Proving {
    fn new(model: graphs::Model) -> Self {
        Self { setup: of_plan(Arc::clone(&model.plan)), model }
    }

    /// What the claims of the model state: values that are shown, or what several commit to.
    fn claims(&self) -> Vec<InferenceClaim> {
        let key = self.setup.verifying_key().digest();
        let stated = self.model.stated.iter();
        let stated: Vec<_> =
            stated.map(|claim| InferenceClaim { model: key, ..claim.clone() }).collect();
        if !stated.is_empty() {
            return stated;
        }
        let (graph, run) = (self.model.plan.graph(), &self.model.execution);
        let values = |ids: &[TensorId]| {
            ClaimedValues::Public(ids.iter().flat_map(|id| run.values[id.0].clone()).collect())
        };
        let (input, output) = (values(&graph.inputs), values(&graph.outputs));
        vec![InferenceClaim { model: key, input, output, binding: JobBinding::NONE }]
    }

    /// Whether both verifiers accept the proof of a circuit for claims: ours and halo2's.
    fn verdicts(
        &self,
        claims: &[InferenceClaim],
        circuit: &InferenceCircuit,
    ) -> (Result<(), VerifyError>, bool) {
        let (key, circuit_key) = (self.setup.verifying_key(), self.setup.circuit_key());
        let digest = key.digest().0.0;
        let scalar = |scalar: &Scalar| Fr::from_bytes(&encode_scalar(scalar)).unwrap();
        let instance = key.instance_of(claims).unwrap();
        let instance: Vec<Vec<Fr>> =
            instance.iter().map(|column| column.iter().map(scalar).collect()).collect();
        let instance: Vec<&[Fr]> = instance.iter().map(Vec::as_slice).collect();
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let proof = prove_circuit(circuit_key, &digest, circuit, &instance, &mut rng, &|_| ());
        let proof = proof.unwrap();
        let halo2 = circuit_key.verifying_key();
        let halo2 = halo2_verify(self.setup.srs(), halo2, &digest, &instance, &proof).is_ok();
        let proof = Proof::new(proof);
        let ours = match claims {
            [only] => verify(key, only, &proof, POLICY).map(|_| ()),
            several => verify_joint(key, several, &proof, POLICY).map(|_| ()),
        };
        (ours, halo2)
    }

    fn assert_refused(&self, claims: &[InferenceClaim], circuit: &InferenceCircuit, lie: &str) {
        let refused = (Err(VerifyError::Pairing), false);
        assert_eq!(self.verdicts(claims, circuit), refused, "{lie}");
    }

    /// The circuit of a run about which something is said that is not so.
    fn lie(&self, tell: impl FnOnce(&mut Execution)) -> InferenceCircuit {
        let mut execution = (*self.model.execution).clone();
        tell(&mut execution);
        InferenceCircuit::with_execution(self.model.plan.clone(), execution.into())
            .with_claims(self.model.claims.clone())
    }

    /// The circuit of a run in which accumulators of a layer are others, and their outputs follow.
    fn wrong(&self, node: usize, lie: impl FnOnce(&mut Vec<i64>)) -> InferenceCircuit {
        self.lie(|execution| lie_about(self.model.plan.graph(), execution, node, lie))
    }
}

fn lie_about(
    graph: &QuantizedGraph,
    execution: &mut Execution,
    node: usize,
    lie: impl FnOnce(&mut Vec<i64>),
) {
    let accumulators = execution.accumulators[node].as_mut().unwrap();
    lie(accumulators);
    let requant = graph.nodes[node].op.requant().unwrap();
    let outputs = accumulators.iter().map(|&accumulator| requant.apply(accumulator)).collect();
    execution.values[graph.nodes[node].output.0] = outputs;
}

/// Exchanges what two of several runs have in a list of all of them.
fn exchange<T>(all: &mut [T], runs: usize, [a, b]: [usize; 2]) {
    let len = all.len() / runs;
    for at in 0..len {
        all.swap(a * len + at, b * len + at);
    }
}

/// A lie about a cell of any column, through both verifiers.
#[test]
fn lies_about_every_column_are_refused_by_both_verifiers() {
    let models = [
        graphs::joined(),
        graphs::joined_in_few_rows(),
        graphs::joined_with_rounds_left(),
        graphs::joined_side_by_side(),
        graphs::joined_abreast(),
        graphs::joined_abreast_with_copies(),
    ];
    for model in models {
        let proving = Proving::new(model);
        let (claims, honest) = (proving.claims(), proving.model.circuit());
        assert_eq!(proving.verdicts(&claims, &honest), (Ok(()), true));
        let cells = honest.assigned_cells();
        let columns: BTreeSet<_> = cells.iter().map(|&(column, _)| column).collect();
        for column in columns {
            let of_column = || cells.iter().filter(move |cell| cell.0 == column);
            let cell = of_column().find(|cell| cell.1 > column % 7).or(of_column().next());
            let &(column, row) = cell.unwrap();
            let lie = honest.clone().tampered(Tamper { column, row, delta: Fr::ONE });
            proving.assert_refused(&claims, &lie, &format!("column {column}, row {row}"));
        }
    }
}

/// Runs share challenges, so nothing about one may make up for something about another.
#[test]
fn lies_about_one_run_by_another_are_refused_by_both_verifiers() {
    let models = [
        (graphs::joined(), 2),
        (graphs::joined_side_by_side(), 4),
        (graphs::joined_abreast(), 4),
        (graphs::joined_abreast_with_copies(), 4),
    ];
    for (model, runs) in models {
        let proving = Proving::new(model);
        let graph = proving.model.plan.graph();
        let is_layer = |node: &usize| graph.nodes[*node].op.requant().is_some();
        let layers: Vec<usize> = (0..graph.nodes.len()).filter(is_layer).collect();
        let claims = proving.claims();
        for &node in &layers {
            for delta in [1, 300] {
                let compensated = proving.wrong(node, |all| {
                    let len = all.len() / runs;
                    all[2] += delta;
                    all[len + 2] -= delta;
                });
                proving.assert_refused(&claims, &compensated, &format!("layer {node}"));
            }
        }
        // Claims and openings say the same as the run: only the layers know better.
        let mut exchanged = claims.clone();
        exchanged[0].output = claims[1].output.clone();
        exchanged[1].output = claims[0].output.clone();
        let mut blindings = proving.model.claims.clone();
        (blindings[0].output, blindings[1].output) = (blindings[1].output, blindings[0].output);
        let last = *layers.last().unwrap();
        let outputs = proving.wrong(last, |all| exchange(all, runs, [0, 1]));
        let outputs = outputs.with_claims(blindings.clone());
        proving.assert_refused(&exchanged, &outputs, "two outputs exchanged");
        let all_layers = proving.lie(|execution| {
            for &node in &layers {
                lie_about(graph, execution, node, |all| exchange(all, runs, [0, 1]));
            }
        });
        let all_layers = all_layers.with_claims(blindings);
        proving.assert_refused(&exchanged, &all_layers, "each run on the input of the other");
    }
}

/// What the checker of the circuit's tests finds about steps of a cell, both verifiers refuse.
#[test]
fn lies_about_steps_of_a_cell_are_refused_by_both_verifiers() {
    // An alias, two layers, their sum, the product.
    const STEP: usize = 5;
    let proving = Proving::new(graphs::recurrent());
    let (graph, claims) = (proving.model.plan.graph(), proving.claims());
    assert_eq!(proving.verdicts(&claims, &proving.model.circuit()), (Ok(()), true));
    for node in 1..STEP {
        let [one, other] = [0, 1].map(|step| 1 + step * STEP + node);
        let off = proving.wrong(other, |all| all[2] += 1);
        proving.assert_refused(&claims, &off, "a step off by one");
        let compensated = proving.lie(|execution| {
            lie_about(graph, execution, one, |all| all[2] += 1);
            lie_about(graph, execution, other, |all| all[2] -= 1);
        });
        proving.assert_refused(&claims, &compensated, "errors that make up for each other");
        let exchanged = proving.lie(|execution| {
            execution.accumulators.swap(one, other);
            let [one, other] = [one, other].map(|node| graph.nodes[node].output.0);
            execution.values.swap(one, other);
        });
        proving.assert_refused(&claims, &exchanged, "two steps exchanged");
    }
}

/// The same of outputs of 16 bits, several to a row.
#[test]
fn lies_about_wide_rows_are_refused_by_both_verifiers() {
    let proving = Proving::new(graphs::wide_side_by_side());
    let (claims, shape) = (proving.claims(), proving.model.plan.shape());
    assert_eq!(proving.verdicts(&claims, &proving.model.circuit()), (Ok(()), true));
    for element in 1..shape.slots.wide_lanes {
        let off = proving.wrong(1, |all| all[element] += 1);
        proving.assert_refused(&claims, &off, "a wide output off by one");
        let exchanged = proving.wrong(1, |all| all.swap(0, element));
        proving.assert_refused(&claims, &exchanged, "two wide outputs exchanged");
    }
    // A carry from a digit to the next, whose base is one of these: the ranges refuse it.
    let remainders = proving.model.columns("slot remainder");
    let row = proving.model.plan.cost().rows.slots - 2;
    let higher = remainders[shape.slots.remainder_limbs.len()];
    for bits in 12..60 {
        let base = Fr::from(2).pow_vartime([bits]);
        let lower = Tamper { column: remainders[0], row, delta: base };
        let higher = Tamper { column: higher, row, delta: -Fr::ONE };
        let lie = proving.model.circuit().tampered(lower).tampered(higher);
        proving.assert_refused(&claims, &lie, "a carry between digits");
    }
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
