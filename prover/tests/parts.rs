//! A model proven part by part: only the complete, ordered, linked set for one job is accepted.
#![expect(clippy::unwrap_used, reason = "a failing step fails the test")]

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, PrimeField},
};
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, SeedableRng};
use zkinfer_circuits::{CircuitPlan, InferenceCircuit, PlanOptions, Tamper};
use zkinfer_models::{
    Calibration, Execution, Graph, QuantizeOptions, QuantizedGraph, execute, quantize,
    quantize_inputs, quantized::split::GraphPart, read_samples,
};
use zkinfer_prover::{
    BoundaryBlinding, Inference, ModelIdentity, PartBlinding, ProveError, Setup, Srs,
    boundary_commitments, prove_circuit,
    reference::{Reference, halo2_verify},
};
use zkinfer_verifier::{
    Digest, JobBinding, Manifest, PartError, PartProof, PartsError, Proof, ProofFile, Side,
    SrsPolicy, VerifiedParts, VerifyError, VerifyingKey, encode_scalar, verify, verify_part,
};

#[path = "../../engine/tests/chosen/mod.rs"]
mod chosen;

use chosen::Chosen;

const POLICY: SrsPolicy = SrsPolicy::AllowInsecureDev;
const JOB: JobBinding =
    JobBinding { chain_id: 1, job_id: [1; 32], payee: [0; 20], expiry: 2_000, nonce: 3 };
const PARTS: usize = 3;

/// Who proves each part: the first and the last have one prover.
fn payees() -> Vec<[u8; 20]> {
    vec![[1; 20], [2; 20], [1; 20]]
}

/// A model cut into parts, with their keys and its runs on two inputs.
struct Model {
    graph: QuantizedGraph,
    parts: Vec<GraphPart>,
    setups: Vec<Setup>,
    inputs: [Vec<Vec<i64>>; 2],
}

fn plan(part: &GraphPart, boundaries: [bool; 2], k: Option<u32>) -> CircuitPlan {
    let options = PlanOptions { boundaries, k, ..PlanOptions::default() };
    CircuitPlan::new(&part.graph, options).unwrap()
}

fn setup(plan: CircuitPlan) -> Setup {
    let srs = Srs::insecure_dev(plan.k()).unwrap();
    let identity = ModelIdentity { digest: [7; 32], ..ModelIdentity::default() };
    Setup::new(Arc::new(plan), srs, identity).unwrap()
}

impl Model {
    fn new() -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/digits_cnn");
        let bytes = std::fs::read(folder.join("model.onnx")).unwrap();
        let float = Graph::from_onnx_bytes(&bytes).unwrap();
        let samples = read_samples(&folder.join("samples.npz"), &float).unwrap();
        let calibration = Calibration::from_samples(&float, &samples).unwrap();
        let graph = quantize(&float, &calibration, &QuantizeOptions::default()).unwrap();
        let inputs = [0, 1].map(|sample| quantize_inputs(&graph, &samples[sample]).unwrap());
        let parts = graph.split(&graph.balanced_cuts(PARTS).unwrap()).unwrap();
        let sides = |part: usize| [part > 0, part + 1 < PARTS];
        let free = parts.iter().enumerate().map(|(at, part)| plan(part, sides(at), None).k());
        let k = free.max();
        let planned = parts.iter().enumerate().map(|(at, part)| plan(part, sides(at), k));
        let setups = planned.map(setup).collect();
        Self { graph, parts, setups, inputs }
    }

    /// The runs of the parts, each on what the one before gave.
    fn runs(&self, input: usize) -> Vec<Arc<Execution>> {
        let mut taken = self.inputs[input].clone();
        let run = |part: &GraphPart| {
            let run = execute(&part.graph, &taken).unwrap();
            taken = part.graph.outputs.iter().map(|id| run.values[id.0].clone()).collect();
            Arc::new(run)
        };
        self.parts.iter().map(run).collect()
    }

    fn keys(&self) -> Vec<&VerifyingKey> {
        self.setups.iter().map(Setup::verifying_key).collect()
    }

    fn manifest(&self) -> Manifest {
        let parts = self.keys().iter().map(|key| key.digest()).collect();
        Manifest { model: Digest([7; 32]), parts }
    }

    fn prove(&self, input: usize, job: &JobBinding) -> Vec<ProofFile> {
        let runs = self.runs(input);
        let (mut taken, mut proven) = (None, Vec::new());
        for (at, run) in runs.iter().enumerate() {
            let [_, columns] = self.setups[at].boundary_columns();
            let [[given, _], [next, _]] = BoundaryBlinding::draw(columns);
            let given = (columns > 0).then_some(given);
            let blinding = PartBlinding { taken: taken.replace(next), given };
            proven.push(self.prove_part(at, run, job, blinding));
        }
        proven
    }

    fn prove_part(
        &self,
        at: usize,
        run: &Arc<Execution>,
        job: &JobBinding,
        blinding: PartBlinding,
    ) -> ProofFile {
        let binding = self.manifest().binding(at, job, payees()[at]);
        let inference = Inference::new(run, binding);
        self.setups[at].prove_part(inference, blinding, &|_| ()).unwrap().file
    }

    fn verify(&self, job: &JobBinding, parts: &[&ProofFile]) -> Result<VerifiedParts, PartsError> {
        let proofs = parts.iter().map(|part| PartProof { claim: &part.claim, proof: &part.proof });
        let proofs: Vec<_> = proofs.collect();
        self.manifest().verify(&self.keys(), job, &payees(), &proofs, POLICY)
    }
}

#[test]
fn a_model_is_proven_part_by_part() {
    let model = Model::new();
    let parts = model.prove(0, &JOB);
    let [first, second, third] = &parts[..] else { panic!("three parts") };
    let verified = model.verify(&JOB, &[first, second, third]).unwrap();
    // The same integers as the whole model's.
    let whole = execute(&model.graph, &model.inputs[0]).unwrap();
    assert_eq!(verified.input().unwrap().public(), Some(&model.inputs[0].concat()[..]));
    assert_eq!(
        verified.output().unwrap().public(),
        Some(&whole.outputs(&model.graph).concat()[..])
    );
    // What is between is shown by nobody.
    assert_eq!(second.claim.input.public(), Some(&[][..]));
    assert_eq!(second.claim.output.public(), Some(&[][..]));
    // A part is no proof of a model.
    let key = model.setups[0].verifying_key();
    assert_eq!(verify(key, &first.claim, &first.proof, POLICY), Err(VerifyError::Part));
}

#[test]
fn only_the_complete_ordered_linked_set_for_one_job_is_accepted() {
    let model = Model::new();
    let parts = model.prove(0, &JOB);
    let [first, second, third] = &parts[..] else { panic!("three parts") };
    let refused = |job: &JobBinding, parts: &[&ProofFile]| model.verify(job, parts).unwrap_err();
    assert_eq!(refused(&JOB, &[first, third]), PartsError::Missing { part: 1 });
    assert_eq!(refused(&JOB, &[]), PartsError::Missing { part: 0 });
    assert_eq!(refused(&JOB, &[first, second, second]), PartsError::Repeated { part: 1 });
    let order = PartsError::Order { position: 1, part: 2 };
    assert_eq!(refused(&JOB, &[first, third, second]), order);
    let mut foreign = third.clone();
    foreign.claim.model.0.0[0] ^= 1;
    assert_eq!(refused(&JOB, &[first, second, &foreign]), PartsError::Foreign { position: 2 });
    // Another job, and another prover than the one of its place.
    let other = JobBinding { job_id: [2; 32], ..JOB };
    assert_eq!(refused(&other, &[first, second, third]), PartsError::Job { part: 0 });
    let of_other_job = model.prove(0, &other);
    let mixed = [first, &of_other_job[1], third];
    assert_eq!(refused(&JOB, &mixed), PartsError::Job { part: 1 });
    let mut paid = second.clone();
    paid.claim.binding.payee = [9; 20];
    assert_eq!(refused(&JOB, &[first, &paid, third]), PartsError::Job { part: 1 });
    // A part of another input for the same job, and the same input with another blinding.
    for input in [1, 0] {
        let others = model.prove(input, &JOB);
        let mixed = [first, &others[1], third];
        let link = PartsError::Link { part: 0, source: PartError::Commitment { index: 0 } };
        assert_eq!(refused(&JOB, &mixed), link, "{input}");
    }
    // A claim that is not what was proven.
    let mut claimed = third.clone();
    let mut values = claimed.claim.output.public().unwrap().to_vec();
    values[0] ^= 1;
    claimed.claim.output = values.into();
    let wrong = PartsError::Part { part: 2, source: VerifyError::Pairing };
    assert_eq!(refused(&JOB, &[first, second, &claimed]), wrong);
}

#[test]
fn keys_and_manifests_that_do_not_fit_are_refused() {
    let model = Model::new();
    let parts = model.prove(0, &JOB);
    let proofs: Vec<_> =
        parts.iter().map(|part| PartProof { claim: &part.claim, proof: &part.proof }).collect();
    let (keys, manifest) = (model.keys(), model.manifest());
    let refused = |manifest: &Manifest, keys: &[&VerifyingKey]| {
        manifest.verify(keys, &JOB, &payees(), &proofs, POLICY).unwrap_err()
    };
    let swapped = [keys[1], keys[0], keys[2]];
    assert_eq!(refused(&manifest, &swapped), PartsError::Key { index: 0 });
    let count = PartsError::KeyCount { expected: 3, got: 2 };
    assert_eq!(refused(&manifest, &keys[..2]), count);
    let mut shorter = manifest.clone();
    shorter.parts.truncate(1);
    assert_eq!(refused(&shorter, &keys[..1]), PartsError::Size { got: 1 });
    let other = Manifest { model: Digest([8; 32]), ..manifest.clone() };
    assert_eq!(refused(&other, &keys), PartsError::Model { index: 0 });
    // A manifest of some of the parts, of one part twice, or of others in between.
    let of = |parts: &[usize]| {
        let manifest = Manifest {
            model: manifest.model,
            parts: parts.iter().map(|&part| manifest.parts[part]).collect(),
        };
        let keys: Vec<_> = parts.iter().map(|&part| keys[part]).collect();
        refused(&manifest, &keys)
    };
    let place = |error| match error {
        PartsError::Place { index, .. } => index,
        other => panic!("{other}"),
    };
    assert_eq!(place(of(&[1, 2])), 0);
    assert_eq!(place(of(&[0, 1])), 1);
    assert_eq!(place(of(&[0, 2, 1])), 1);
    assert_eq!(place(of(&[0, 0, 1, 2])), 1);
    // Another manifest has another root, so its parts are for another job.
    assert_eq!(of(&[0, 1, 1, 2]), PartsError::Missing { part: 1 });
    let twice: Vec<_> = [0, 1, 1, 2].map(|part| proofs[part]).to_vec();
    let longer = Manifest {
        parts: [0, 1, 1, 2].map(|part| manifest.parts[part]).to_vec(),
        ..manifest.clone()
    };
    let repeated = [0, 1, 1, 2].map(|part| keys[part]);
    let others = [0, 1, 1, 2].map(|part| payees()[part]);
    let lie = longer.verify(&repeated, &JOB, &others, &twice, POLICY);
    assert_eq!(lie, Err(PartsError::Job { part: 0 }));
    let fewer = manifest.verify(&keys, &JOB, &payees()[..2], &proofs, POLICY);
    assert_eq!(fewer, Err(PartsError::PayeeCount { expected: 3, got: 2 }));
    let strict = manifest.verify(&keys, &JOB, &payees(), &proofs, SrsPolicy::CeremonyOnly);
    let source = VerifyError::InsecureDevSrs;
    assert_eq!(strict, Err(PartsError::Part { part: 0, source }));
}

#[test]
fn a_blinding_of_another_number_of_columns_is_refused() {
    let model = Model::new();
    let (setup, run) = (&model.setups[0], &model.runs(0)[0]);
    let [_, columns] = setup.boundary_columns();
    let error = setup.prove(run, JOB).unwrap_err();
    assert!(matches!(error, ProveError::Boundary { got: 0, .. }), "{error}");
    let [[given, other], [taken, _]] = BoundaryBlinding::draw(columns);
    let [[wider, _], _] = BoundaryBlinding::draw(columns + 1);
    let lists = [
        PartBlinding { taken: Some(taken), given: Some(given) },
        PartBlinding { taken: None, given: Some(wider) },
        PartBlinding { taken: Some(other), given: None },
    ];
    for blinding in lists {
        let error = setup.prove_part(Inference::new(run, JOB), blinding, &|_| ()).unwrap_err();
        assert!(matches!(error, ProveError::Boundary { .. }), "{error}");
    }
}

/// What blinds columns, as a circuit takes it.
fn tails(blinding: &BoundaryBlinding) -> Vec<Vec<Fr>> {
    let column =
        |values: &[[u8; 32]; 10]| values.map(|value| Fr::from_repr(value).unwrap()).to_vec();
    blinding.to_bytes().iter().map(column).collect()
}

/// A part gives other values than its layers have computed, and the next one takes them as they are
/// given: the points are the same, and the lie is in the proof of the part that gives them.
#[test]
fn a_part_cannot_give_what_it_has_not_computed() {
    let model = Model::new();
    let honest = model.prove(0, &JOB);
    let runs = model.runs(0);
    let (setup, key) = (&model.setups[0], model.setups[0].verifying_key());
    let [_, columns] = setup.boundary_columns();
    let [[given, next], [taken, _]] = BoundaryBlinding::draw(columns);
    let circuit = |lies: &[Tamper]| {
        let circuit = InferenceCircuit::with_execution(setup.plan().clone(), runs[0].clone());
        let circuit = circuit.with_boundary_blinding([Vec::new(), tails(&next)]);
        lies.iter().fold(circuit, |circuit, &lie| circuit.tampered(lie))
    };
    let claim = &honest[0].claim;
    let instance = key.instance_of(std::slice::from_ref(claim)).unwrap();
    let scalar = |value| Fr::from_repr(encode_scalar(value)).unwrap();
    let instance: Vec<Vec<Fr>> =
        instance.iter().map(|column| column.iter().map(scalar).collect()).collect();
    let instance: Vec<&[Fr]> = instance.iter().map(Vec::as_slice).collect();
    let digest = key.digest().0.0;
    let verdicts = |lies: &[Tamper]| {
        let circuit = circuit(lies);
        let circuit_key = setup.circuit_key();
        let proof = prove_circuit(circuit_key, &digest, &circuit, &instance, &mut OsRng, &|_| ());
        let proof = proof.unwrap();
        let halo2 =
            halo2_verify(setup.srs(), circuit_key.verifying_key(), &digest, &instance, &proof);
        (Proof::new(proof), halo2.is_ok())
    };
    let points = |proof: &Proof, setup: &Setup, claim| {
        let part = verify_part(setup.verifying_key(), claim, proof, POLICY).unwrap();
        part.boundaries()[0].1.clone()
    };
    let (proof, accepted) = verdicts(&[]);
    assert!(accepted);
    // The library's proof with this blinding has the same points.
    let blinding = PartBlinding { taken: None, given: Some(given) };
    let again = model.prove_part(0, &runs[0], &JOB, blinding);
    assert_eq!(points(&proof, setup, claim), points(&again.proof, setup, claim));

    // One more than the part gives, which the next part is run on.
    let graph = &model.parts[1].graph;
    let mut inputs: Vec<Vec<i64>> =
        model.parts[0].graph.outputs.iter().map(|id| runs[0].values[id.0].clone()).collect();
    let tensor = &graph.tensors[graph.inputs[0].0];
    let element = inputs[0].iter().position(|&value| value < tensor.hi).unwrap();
    inputs[0][element] += 1;
    let run = Arc::new(execute(graph, &inputs).unwrap());
    let [_, behind] = model.setups[1].boundary_columns();
    let [[given, _], _] = BoundaryBlinding::draw(behind);
    let blinding = PartBlinding { taken: Some(taken), given: Some(given) };
    let second = model.prove_part(1, &run, &JOB, blinding);
    let [_, given] = circuit(&[]).boundary_columns();
    let (column, row) = (given[element % columns], element / columns);
    let (forged, accepted) = verdicts(&[Tamper { column, row, delta: Fr::ONE }]);
    assert!(!accepted);
    let lie = ProofFile { proof: forged, ..honest[0].clone() };
    let source = VerifyError::Pairing;
    let refused = model.verify(&JOB, &[&lie, &second, &honest[2]]).unwrap_err();
    assert_eq!(refused, PartsError::Part { part: 0, source });
    // The honest part beside it is not its neighbour.
    let refused = model.verify(&JOB, &[&again, &second, &honest[2]]).unwrap_err();
    let source = PartError::Commitment { index: 0 };
    assert_eq!(refused, PartsError::Link { part: 0, source });
}

/// halo2's prover, which draws the shared blinding where it draws one and has the rest of it in its
/// witness, makes the same proof of a part, byte for byte as far as its proofs can be made again.
#[test]
fn halo2_makes_the_proofs_of_parts_with_a_shared_blinding() {
    /// Words of an element.
    const WORDS: usize = 8;
    let model = Model::new();
    let (setup, run) = (&model.setups[0], model.runs(0)[0].clone());
    let key = setup.verifying_key();
    let [_, columns] = setup.boundary_columns();
    let [[given, other], _] = BoundaryBlinding::draw(columns);
    let tails = tails(&other);
    let plain = InferenceCircuit::with_execution(setup.plan().clone(), run.clone());
    let circuit = plain.with_boundary_blinding([Vec::new(), tails.clone()]);
    let claim = model.prove(0, &JOB)[0].claim.clone();
    let instance = key.instance_of(std::slice::from_ref(&claim)).unwrap();
    let scalar = |value| Fr::from_repr(encode_scalar(value)).unwrap();
    let instance: Vec<Vec<Fr>> =
        instance.iter().map(|column| column.iter().map(scalar).collect()).collect();
    let instance: Vec<&[Fr]> = instance.iter().map(Vec::as_slice).collect();
    let (digest, circuit_key) = (key.digest().0.0, setup.circuit_key());

    let system = &key.parts().constraint_system;
    let drawn = system.blinding_factors() + 1;
    let mut words = HashMap::new();
    let [_, given_columns] = circuit.boundary_columns();
    for (column, tail) in given_columns.iter().zip(&tails) {
        for (row, value) in tail[tail.len() - drawn..].iter().enumerate() {
            let repr = value.to_repr();
            for word in 0..WORDS {
                let bytes = repr.get(8 * word..8 * word + 8);
                let chosen = bytes.map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap()));
                words.insert(WORDS * (column * drawn + row) + word, chosen);
            }
        }
    }
    let source = || ChaCha20Rng::from_seed([5; 32]);
    let mut chosen = Chosen { source: source(), words, drawn: 0 };
    let reference = Reference::new(setup.srs(), circuit_key.verifying_key(), &circuit).unwrap();
    let by_halo2 = reference.prove(setup.srs(), &digest, &circuit, &instance, &mut chosen).unwrap();
    let mut rng = source();
    let ours = prove_circuit(circuit_key, &digest, &circuit, &instance, &mut rng, &|_| ()).unwrap();
    let points = system.advice_phases.len() + system.permutation_product_count();
    assert_eq!(ours[..32 * points], by_halo2[..32 * points]);
    for proof in [&ours, &by_halo2] {
        halo2_verify(setup.srs(), circuit_key.verifying_key(), &digest, &instance, proof).unwrap();
    }
    // What the library makes with this blinding has the same points of the boundary.
    let blinding = PartBlinding { taken: None, given: Some(given) };
    let part = model.prove_part(0, &run, &JOB, blinding);
    let points = |proof: Vec<u8>| {
        verify_part(key, &claim, &Proof::new(proof), POLICY).unwrap().boundaries()[0].1.clone()
    };
    assert_eq!(points(part.proof.as_bytes().to_vec()), points(by_halo2));
}

#[test]
#[ignore = "rewrites the parts of the tests of settlement"]
fn write_the_parts_of_settlement() {
    let model = Model::new();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../settlement/tests/vectors");
    let write = |name: String, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("parts.zkparts".into(), model.manifest().encode().as_bytes());
    let job = JobBinding { job_id: [8; 32], ..JOB };
    for (part, (key, file)) in model.keys().iter().zip(model.prove(0, &job)).enumerate() {
        write(format!("part-{part}.zkvk"), &key.encode());
        write(format!("part-{part}.zkproof"), file.encode().as_bytes());
    }
}

/// Whoever knows what goes between two parts tells which of them has proven something else.
#[test]
fn the_commitments_of_a_boundary_are_those_of_both_proofs() {
    let model = Model::new();
    let runs = model.runs(0);
    let [_, columns] = model.setups[0].boundary_columns();
    let [[given, spare], [taken, _]] = BoundaryBlinding::draw(columns);
    let [[onward, _], _] = BoundaryBlinding::draw(model.setups[1].boundary_columns()[1]);
    let srs = Srs::insecure_dev(model.setups[0].verifying_key().parts().k.into()).unwrap();
    let values = runs[0].outputs(&model.parts[0].graph).concat();
    let points = boundary_commitments(&srs, &values, &spare).unwrap();
    let first =
        model.prove_part(0, &runs[0], &JOB, PartBlinding { taken: None, given: Some(given) });
    let blinding = PartBlinding { taken: Some(taken), given: Some(onward) };
    let second = model.prove_part(1, &runs[1], &JOB, blinding);
    for (at, proven) in [first, second].iter().enumerate() {
        let key = model.setups[at].verifying_key();
        let part = verify_part(key, &proven.claim, &proven.proof, POLICY).unwrap();
        let sides = part.boundaries().iter();
        let side = if at == 0 { Side::Output } else { Side::Input };
        let (_, own) = sides.into_iter().find(|(boundary, _)| boundary.side == side).unwrap();
        assert_eq!(*own, points, "part {at}");
    }
    // Of other values, and under another blinding, they are others.
    let mut others = values.clone();
    others[1] += 1;
    assert_ne!(boundary_commitments(&srs, &others, &spare).unwrap(), points);
    let [[fresh, _], _] = BoundaryBlinding::draw(columns);
    assert_ne!(boundary_commitments(&srs, &values, &fresh).unwrap(), points);
    let more = vec![1; columns << srs.k()];
    assert_eq!(boundary_commitments(&srs, &more, &fresh), None);
}
