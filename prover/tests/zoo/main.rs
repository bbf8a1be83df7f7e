//! Every model of the zoo, proven: our verifier and halo2's accept, and refuse every lie.
#![expect(clippy::unwrap_used, reason = "a failing step fails the test")]

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use halo2_proofs::{
    halo2curves::{bn256::Fr, ff::Field},
    plonk::Challenge,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zkinfer_circuits::{Blindings, CircuitPlan, InferenceCircuit, Objective, PlanOptions, Tamper};
use zkinfer_engine::Column;
use zkinfer_models::{
    Calibration, Execution, Graph, QuantizeOptions, execute, quantize, quantize_inputs,
    quantized::TensorId, read_inputs, read_samples,
};
use zkinfer_prover::{
    ModelIdentity, Setup, Srs, prove_circuit,
    reference::{Reference, halo2_verify},
};
use zkinfer_verifier::{
    Blinding, ClaimedValues, Commitment, InferenceClaim, JobBinding, Proof, SrsPolicy,
    TensorLayout, VerifyError, VerifyingKey, Visibility, encode_scalar, verify,
};

/// Small graphs, one for each kind of layer.
#[path = "../../../circuits/tests/support/mod.rs"]
mod graphs;
mod interleaved;
mod walks;

const BINDING: JobBinding =
    JobBinding { chain_id: 1, job_id: [1; 32], payee: [2; 20], expiry: 2_000_000_000, nonce: 3 };
const SEED: [u8; 32] = [5; 32];

struct Model {
    setup: Setup,
    execution: Arc<Execution>,
}

/// What hides inputs and outputs in these tests.
const BLINDINGS: [u64; 2] = [77, 78];

fn model(name: &str, options: &QuantizeOptions, plan: PlanOptions) -> Model {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models/zoo").join(name);
    let float = Graph::from_onnx_bytes(&std::fs::read(folder.join("model.onnx")).unwrap()).unwrap();
    let samples = read_samples(&folder.join("samples.npz"), &float).unwrap();
    let calibration = Calibration::from_samples(&float, &samples).unwrap();
    let graph = quantize(&float, &calibration, options).unwrap();
    let input = read_inputs(&folder.join("input.json"), &float).unwrap();
    let execution = execute(&graph, &quantize_inputs(&graph, &input).unwrap()).unwrap();
    let plan = CircuitPlan::new(&graph, PlanOptions { max_k: 16, ..plan }).unwrap();
    planned(name, Arc::new(plan), Arc::new(execution))
}

fn planned(name: &str, plan: Arc<CircuitPlan>, execution: Arc<Execution>) -> Model {
    let srs = Srs::insecure_dev(plan.k()).unwrap();
    let identity =
        ModelIdentity { name: Some(name.into()), digest: [7; 32], ..ModelIdentity::default() };
    Model { setup: Setup::new(plan, srs, identity).unwrap(), execution }
}

fn standard(name: &str) -> Model {
    model(name, &QuantizeOptions::default(), PlanOptions::default())
}

fn smallest(name: &str) -> Model {
    let plan = PlanOptions { objective: Objective::Proof, ..PlanOptions::default() };
    model(name, &QuantizeOptions::default(), plan)
}

/// Input and output are hidden.
fn committed(name: &str) -> Model {
    let hidden = Visibility::Committed;
    let plan = PlanOptions {
        input_visibility: hidden,
        output_visibility: hidden,
        ..PlanOptions::default()
    };
    model(name, &QuantizeOptions::default(), plan)
}

/// The instance columns in halo2's field.
fn instance(key: &VerifyingKey, claim: &InferenceClaim) -> Vec<Vec<Fr>> {
    let element = |value| Fr::from_bytes(&encode_scalar(value)).unwrap();
    key.instance(claim).iter().map(|column| column.iter().map(element).collect()).collect()
}

fn slices(columns: &[Vec<Fr>]) -> Vec<&[Fr]> {
    columns.iter().map(Vec::as_slice).collect()
}

/// Who makes a proof.
enum Prover {
    Engine,
    Halo2(Box<Reference>),
}

impl Model {
    fn halo2(&self) -> Prover {
        let circuit = InferenceCircuit::new(self.setup.plan().clone());
        let key = self.setup.circuit_key().verifying_key();
        Prover::Halo2(Box::new(Reference::new(self.setup.srs(), key, &circuit).unwrap()))
    }

    fn values(&self, execution: &Execution) -> (Vec<i64>, Vec<i64>) {
        let graph = self.setup.plan().graph();
        let flat = |ids: &[zkinfer_models::quantized::TensorId]| {
            ids.iter().flat_map(|id| execution.values[id.0].clone()).collect()
        };
        (flat(&graph.inputs), flat(&graph.outputs))
    }

    /// That the model gives these outputs.
    fn claim(&self, outputs: &[i64]) -> InferenceClaim {
        let key = self.setup.verifying_key();
        let layout = &key.parts().layout;
        let [of_input, of_output] =
            BLINDINGS.map(|blinding| Blinding::from_scalar(blinding.into()));
        let claimed =
            |visibility, tensors: &[TensorLayout], values: &[i64], blinding| match visibility {
                Visibility::Public => ClaimedValues::Public(values.to_vec()),
                Visibility::Committed => {
                    ClaimedValues::Committed(Commitment::new(tensors, values, &blinding).unwrap())
                }
            };
        let inputs = self.values(&self.execution).0;
        InferenceClaim {
            model: key.digest(),
            input: claimed(layout.input_visibility, &layout.inputs, &inputs, of_input),
            output: claimed(layout.output_visibility, &layout.outputs, outputs, of_output),
            binding: BINDING,
        }
    }

    fn circuit(&self) -> InferenceCircuit {
        let [input, output] = BLINDINGS.map(Fr::from);
        InferenceCircuit::with_execution(self.setup.plan().clone(), self.execution.clone())
            .with_blindings(Blindings { input, output, ..Blindings::default() })
    }

    /// Proves honestly and asks both verifiers.
    fn assert_both_verifiers_accept(&self) {
        let (setup, execution) = (&self.setup, &self.execution);
        let proven = setup.prove_with_insecure_seed(execution, BINDING, SEED).unwrap();
        let (file, key) = (&proven.file, setup.verifying_key());
        let evidence = verify(key, &file.claim, &file.proof, SrsPolicy::AllowInsecureDev).unwrap();
        assert_eq!(evidence.claim(), &file.claim);
        assert_eq!(file.proof.as_bytes().len(), setup.plan().cost().proof_bytes, "the quote");
        let instance = instance(key, &file.claim);
        let halo2_key = setup.circuit_key().verifying_key();
        let digest = key.digest().0.0;
        let proof = file.proof.as_bytes();
        halo2_verify(setup.srs(), halo2_key, &digest, &slices(&instance), proof).unwrap();
    }

    /// Proves a circuit that may lie about a claim.
    fn prove(
        &self,
        prover: &Prover,
        circuit: &InferenceCircuit,
        claim: &InferenceClaim,
    ) -> Vec<u8> {
        let digest = self.setup.verifying_key().digest().0.0;
        let mut rng = ChaCha20Rng::from_seed(SEED);
        let instance = instance(self.setup.verifying_key(), claim);
        let instance = &slices(&instance)[..];
        match prover {
            Prover::Engine => {
                let key = self.setup.circuit_key();
                prove_circuit(key, &digest, circuit, instance, &mut rng, &|_| ()).unwrap()
            }
            Prover::Halo2(reference) => {
                reference.prove(self.setup.srs(), &digest, circuit, instance, &mut rng).unwrap()
            }
        }
    }

    /// Proves a circuit that may lie, and gives both verifiers' answers.
    fn verdicts(
        &self,
        prover: &Prover,
        circuit: &InferenceCircuit,
        outputs: &[i64],
    ) -> (Result<(), VerifyError>, bool) {
        let (setup, key) = (&self.setup, self.setup.verifying_key());
        let claim = self.claim(outputs);
        let proof = self.prove(prover, circuit, &claim);
        let (instance, digest) = (instance(key, &claim), key.digest().0.0);
        let halo2_key = setup.circuit_key().verifying_key();
        let halo2 =
            halo2_verify(setup.srs(), halo2_key, &digest, &slices(&instance), &proof).is_ok();
        let ours = verify(key, &claim, &Proof::new(proof), SrsPolicy::AllowInsecureDev);
        (ours.map(|_| ()), halo2)
    }
}

#[test]
fn cancer_mlp_is_proven() {
    standard("cancer_mlp").assert_both_verifiers_accept();
}

#[test]
fn digits_mlp_is_proven() {
    standard("digits_mlp").assert_both_verifiers_accept();
}

#[test]
fn digits_cnn_is_proven() {
    standard("digits_cnn").assert_both_verifiers_accept();
}

#[test]
fn mnist_lenet_is_proven_in_a_small_circuit() {
    let model = standard("mnist_lenet");
    let cost = model.setup.plan().cost();
    assert!(cost.k <= 13, "k = {}", cost.k);
    assert!(cost.memory_bytes < 2_000_000_000);
    model.assert_both_verifiers_accept();
}

#[test]
fn sixteen_bit_activations_are_proven() {
    let options = QuantizeOptions { activation_bits: 16, ..QuantizeOptions::default() };
    model("digits_cnn", &options, PlanOptions::default()).assert_both_verifiers_accept();
    model("cancer_mlp", &options, PlanOptions::default()).assert_both_verifiers_accept();
}

#[test]
fn the_smallest_proof_is_proven_too() {
    let small = smallest("digits_mlp");
    let fast = standard("digits_mlp");
    let bytes = |model: &Model| model.setup.plan().cost().proof_bytes;
    assert!(bytes(&small) <= bytes(&fast));
    small.assert_both_verifiers_accept();
}

/// A dense model, one with pools and one with tables: every column of each, lied about once.
#[test]
fn a_forged_witness_gives_a_proof_that_both_verifiers_refuse() {
    for name in ["digits_mlp", "digits_cnn", "cancer_mlp"] {
        assert_every_column_is_bound(&Prover::Engine, &standard(name));
    }
    let model = standard("digits_mlp");
    assert_every_column_is_bound(&model.halo2(), &model);
    // A layer states what its pool gives.
    assert!(standard("digits_cnn").setup.plan().shape().slots.window_limbs.is_some());
    assert_every_column_is_bound(&Prover::Engine, &smallest("digits_cnn"));
    assert_every_column_is_bound(&Prover::Engine, &committed("digits_mlp"));
}

/// Products, softmax, all pools and commitments among them.
#[test]
fn lies_about_every_kind_of_layer_are_refused_by_both_verifiers() {
    let mut has_a_pool_unit = false;
    // Several claims in one proof and parts of a model have tests of their own.
    let is_whole = |graph: &graphs::Model| {
        graph.plan.claims() == 1 && !graph.plan.boundaries().contains(&true)
    };
    for (name, graph) in graphs::models().into_iter().filter(|(_, graph)| is_whole(graph)) {
        has_a_pool_unit |= graph.plan.cost().rows.pool > 0;
        assert_every_column_is_bound(&Prover::Engine, &planned(&name, graph.plan, graph.execution));
    }
    assert!(has_a_pool_unit);
}

fn assert_every_column_is_bound(prover: &Prover, model: &Model) {
    let honest = model.circuit();
    let outputs = model.values(&model.execution).1;
    assert_eq!(model.verdicts(prover, &honest, &outputs), (Ok(()), true));
    let cells = honest.assigned_cells();
    // One cell of every column, in a row of its own where it has several.
    let columns: BTreeSet<_> = cells.iter().map(|&(column, _)| column).collect();
    let cell = |column: usize| {
        let of_column = || cells.iter().filter(move |cell| cell.0 == column);
        *of_column().find(|cell| cell.1 > column % 7).or(of_column().next()).unwrap()
    };
    for (column, row) in columns.into_iter().map(cell) {
        let lie = honest.clone().tampered(Tamper { column, row, delta: Fr::ONE });
        let verdicts = model.verdicts(prover, &lie, &outputs);
        assert_eq!(verdicts, (Err(VerifyError::Pairing), false), "column {column}, row {row}");
    }
}

impl Model {
    /// halo2 lays the circuit out cell by cell, the engine asks it for columns: both must commit
    /// to the same. After the permutation products halo2 draws from the system.
    fn assert_provers_commit_alike(&self, halo2: &Prover, circuit: &InferenceCircuit) {
        let constraints = self.setup.circuit_key().verifying_key().cs();
        let products =
            constraints.permutation().get_columns().len().div_ceil(constraints.degree() - 2);
        let bytes = 32 * (constraints.num_advice_columns() + products);
        let claim = self.claim(&self.values(&self.execution).1);
        let ours = self.prove(&Prover::Engine, circuit, &claim);
        let reference = self.prove(halo2, circuit, &claim);
        assert_eq!(ours[..bytes], reference[..bytes]);
    }
}

#[test]
fn the_engine_commits_to_what_halo2_commits_to() {
    for name in ["cancer_mlp", "digits_mlp", "digits_cnn", "mnist_lenet"] {
        let model = standard(name);
        model.assert_provers_commit_alike(&model.halo2(), &model.circuit());
    }
    for name in ["digits_mlp", "cancer_mlp"] {
        let model = committed(name);
        model.assert_provers_commit_alike(&model.halo2(), &model.circuit());
    }
}

#[test]
fn the_engine_commits_to_the_lies_that_halo2_commits_to() {
    let model = standard("digits_mlp");
    let (honest, halo2, mut seen) = (model.circuit(), model.halo2(), Vec::new());
    for (column, row) in honest.assigned_cells() {
        if !seen.contains(&column) {
            let small = if column % 2 == 0 { Fr::from(3) } else { -Fr::ONE };
            let large = Fr::from(1 << 40).square();
            let lie = |delta| Tamper { column, row, delta };
            let circuit = honest.clone().tampered(lie(small));
            model.assert_provers_commit_alike(&halo2, &circuit);
            if column % 4 == 0 {
                model.assert_provers_commit_alike(&halo2, &circuit.tampered(lie(large)));
            }
            seen.push(column);
        }
    }
    assert!(seen.len() > 15);
}

/// Circuits of more rows gather the helpers of lookups by entry of the table.
#[test]
fn the_engine_commits_to_lies_about_gathered_lookups_as_halo2_does() {
    let model = standard("mnist_lenet");
    let (honest, halo2) = (model.circuit(), model.halo2());
    let kind = |column: usize| {
        let witness = honest.witness().unwrap();
        let columns = witness.second_phase(&|_| Fr::from(1 << 40));
        columns.into_iter().find(|(other, _)| *other == column).map(|(_, values)| values)
    };
    let helper = (0..99).find(|&i| matches!(kind(i), Some(Column::Sums { .. }))).unwrap();
    let row = 400;
    for (column, delta) in [(1, -Fr::ONE), (1, Fr::from(1 << 20)), (helper, Fr::ONE)] {
        let lie = Tamper { column, row, delta };
        model.assert_provers_commit_alike(&halo2, &honest.clone().tampered(lie));
    }
}

#[test]
fn columns_of_sums_are_what_they_say() {
    for name in ["cancer_mlp", "digits_cnn", "mnist_lenet"] {
        let circuit = standard(name).circuit();
        let challenge = |challenge: Challenge| Fr::from(1_000_003 + challenge.index() as u64);
        let columns = circuit.witness().unwrap().second_phase(&challenge);
        let mut helpers = 0;
        for (_, column) in columns {
            let Column::Sums { values, sums } = column else { continue };
            helpers += 1;
            for (row, value) in values.iter().enumerate() {
                let entries = sums.positions.iter().filter_map(|positions| positions.get(row));
                let entries = entries.map(|&position| sums.entries[position as usize]);
                let sum: Fr = entries.chain(sums.first.get(row).copied()).sum();
                assert_eq!(*value, sum, "row {row} of {name}");
            }
        }
        assert!(helpers > 1);
    }
}

/// More public values than rows.
fn many_public_values() -> Model {
    let mut builder = graphs::GraphBuilder::new(33, [1, 1, 1100]);
    let hidden = builder.dense(TensorId(0), 3, graphs::Form::Relu);
    let output = builder.dense(hidden, 2, graphs::Form::Signed);
    let model = builder.finish(output);
    let options = PlanOptions { max_k: 10, ..PlanOptions::default() };
    let plan = CircuitPlan::new(model.plan.graph(), options).unwrap();
    planned("many public values", Arc::new(plan), model.execution)
}

#[test]
fn public_values_in_several_columns_are_proven() {
    let model = many_public_values();
    let key = model.setup.verifying_key();
    let lengths = key.parts().layout.placement.column_lengths();
    assert_eq!((lengths.len(), lengths.iter().sum::<usize>()), (2, 2 + 1100 + 2));
    model.assert_both_verifiers_accept();
    model.assert_provers_commit_alike(&model.halo2(), &model.circuit());
}

/// In every column, and in the cells of the binding, which nothing in the circuit reads.
#[test]
fn another_public_value_in_any_column_is_refused() {
    let model = many_public_values();
    let key = model.setup.verifying_key();
    let proven = model.setup.prove_with_insecure_seed(&model.execution, BINDING, SEED).unwrap();
    let (claim, proof) = (&proven.file.claim, &proven.file.proof);
    let refused = |claim: &InferenceClaim| {
        verify(key, claim, proof, SrsPolicy::AllowInsecureDev).unwrap_err()
    };
    let ClaimedValues::Public(inputs) = &claim.input else { panic!("inputs are public") };
    for index in [0, 1, 2, 1098, 1099] {
        let mut inputs = inputs.clone();
        inputs[index] = if inputs[index] == 0 { 1 } else { 0 };
        let other = InferenceClaim { input: ClaimedValues::Public(inputs), ..claim.clone() };
        assert_eq!(refused(&other), VerifyError::Pairing);
    }
    let mut swapped = inputs.clone();
    let other = (0..1100).find(|&i| swapped[i] != swapped[0]).unwrap();
    swapped.swap(0, other);
    let other = InferenceClaim { input: ClaimedValues::Public(swapped), ..claim.clone() };
    assert_eq!(refused(&other), VerifyError::Pairing);
    let binding = JobBinding { nonce: BINDING.nonce + 1, ..BINDING };
    assert_eq!(refused(&InferenceClaim { binding, ..claim.clone() }), VerifyError::Pairing);
}

/// The other values follow from the lie: only the copy of the public value refuses it.
#[test]
fn a_layer_that_reads_other_values_than_the_public_ones_is_refused() {
    let model = many_public_values();
    let graph = model.setup.plan().graph();
    let honest = &model.execution.values[graph.inputs[0].0];
    for index in [0, 1, 1099] {
        let mut inputs = honest.clone();
        inputs[index] = if inputs[index] == 0 { 1 } else { 0 };
        let execution = execute(graph, &[inputs]).unwrap();
        let outputs = execution.values[graph.outputs[0].0].clone();
        let circuit =
            InferenceCircuit::with_execution(model.setup.plan().clone(), execution.into());
        let verdicts = model.verdicts(&Prover::Engine, &circuit, &outputs);
        assert_eq!(verdicts, (Err(VerifyError::Pairing), false), "input {index}");
    }
}

#[test]
fn hidden_inputs_and_outputs_are_proven() {
    for name in ["digits_mlp", "cancer_mlp", "mnist_lenet"] {
        let model = committed(name);
        let key = model.setup.verifying_key();
        assert_eq!(key.parts().layout.instance_len(), 4);
        model.assert_both_verifiers_accept();
    }
}

#[test]
fn another_hidden_output_is_refused_by_both_verifiers() {
    let model = committed("digits_mlp");
    let mut outputs = model.values(&model.execution).1;
    assert_eq!(model.verdicts(&Prover::Engine, &model.circuit(), &outputs), (Ok(()), true));
    outputs[3] += 1;
    let refused = (Err(VerifyError::Pairing), false);
    assert_eq!(model.verdicts(&Prover::Engine, &model.circuit(), &outputs), refused);
}

#[test]
fn another_output_is_refused_by_both_verifiers() {
    let model = standard("digits_mlp");
    let honest = model.circuit();
    let mut outputs = model.values(&model.execution).1;
    outputs[3] += 1;
    assert_eq!(
        model.verdicts(&Prover::Engine, &honest, &outputs),
        (Err(VerifyError::Pairing), false)
    );
}
