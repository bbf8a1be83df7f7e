//! Proofs of the zoo's models, accepted by the verifier and by halo2's own; and what `Setup` and
//! `prove` refuse.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path, sync::Arc};

use halo2_proofs::halo2curves::bn256::Fr;
use zkinfer_circuits::{CircuitPlan, PlanOptions};
use zkinfer_models::{
    Calibration, Execution, Graph, QuantizeOptions, execute, model_digest, quantize,
    quantize_inputs, read_inputs,
};
use zkinfer_prover::{
    Ceremony, ModelIdentity, ProveError, Setup, SetupError, Srs, reference::halo2_verify,
};
use zkinfer_verifier::{
    InferenceClaim, JobBinding, ProofFile, SrsPolicy, SrsTrust, VerifyError, VerifyingKey,
    encode_scalar, verify,
};

const BINDING: JobBinding =
    JobBinding { chain_id: 1, job_id: [2; 32], payee: [3; 20], expiry: 4, nonce: 5 };

struct Prepared {
    plan: Arc<CircuitPlan>,
    identity: ModelIdentity,
    execution: Arc<Execution>,
}

/// A model of the zoo, run on its sample input.
fn prepared(name: &str) -> Prepared {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo").join(name);
    let bytes = fs::read(folder.join("model.onnx")).unwrap();
    let graph = Graph::from_onnx_bytes(&bytes).unwrap();
    let input = read_inputs(&folder.join("input.json"), &graph).unwrap();
    let calibration = Calibration::from_input(&graph, &input).unwrap();
    let quantized = quantize(&graph, &calibration, &QuantizeOptions::default()).unwrap();
    let integers = quantize_inputs(&quantized, &input).unwrap();
    Prepared {
        plan: Arc::new(CircuitPlan::new(&quantized, PlanOptions::default()).unwrap()),
        identity: ModelIdentity {
            digest: model_digest(&bytes),
            graph_digest: Some(graph.digest()),
            ..ModelIdentity::default()
        },
        execution: Arc::new(execute(&quantized, &integers).unwrap()),
    }
}

impl Prepared {
    fn setup(&self, srs: Srs) -> Result<Setup, SetupError> {
        Setup::new(Arc::clone(&self.plan), srs, self.identity.clone())
    }

    fn dev_setup(&self) -> Setup {
        self.setup(Srs::insecure_dev(self.plan.k()).unwrap()).unwrap()
    }
}

fn accepted_by_both(setup: &Setup, file: &ProofFile) {
    let key = setup.verifying_key();
    assert!(verify(key, &file.claim, &file.proof, setup.own_policy()).is_ok());
    let instance = file.claim.instance();
    let instance: Vec<_> =
        instance.iter().map(|value| Fr::from_bytes(&encode_scalar(value)).unwrap()).collect();
    let digest = key.digest().0.0;
    let halo2_key = setup.circuit_key().verifying_key();
    let proof = file.proof.as_bytes();
    halo2_verify(setup.srs(), halo2_key, &digest, &[&instance], proof).unwrap();
}

fn proves(name: &str) {
    let model = prepared(name);
    let setup = model.dev_setup();
    let proven = setup.prove(&model.execution, BINDING).unwrap();
    accepted_by_both(&setup, &proven.file);
    let cost = setup.plan().cost();
    assert_eq!(proven.file.proof.as_bytes().len(), cost.proof_bytes);
    // What a verifier has are the files.
    let key = VerifyingKey::decode(&setup.verifying_key().encode()).unwrap();
    let file = ProofFile::decode(proven.file.encode().as_bytes()).unwrap();
    file.check_key(&key).unwrap();
    assert!(verify(&key, &file.claim, &file.proof, SrsPolicy::AllowInsecureDev).is_ok());
    let refused = verify(&key, &file.claim, &file.proof, SrsPolicy::CeremonyOnly);
    assert_eq!(refused.unwrap_err(), VerifyError::InsecureDevSrs);
}

#[test]
fn cancer_mlp_is_proved() {
    proves("cancer_mlp");
}

#[test]
fn digits_mlp_is_proved() {
    proves("digits_mlp");
}

#[test]
fn digits_cnn_is_proved() {
    proves("digits_cnn");
}

#[test]
fn mnist_lenet_is_proved() {
    proves("mnist_lenet");
}

#[test]
fn a_proof_under_a_ceremony_is_trusted_by_its_name() {
    let model = prepared("digits_mlp");
    let ptau = include_bytes!("../../models/zoo/powersOfTau28_hez_final_08.ptau");
    let k = model.plan.k();
    let srs = Srs::import_ptau(&mut std::io::Cursor::new(ptau), Some(k)).unwrap();
    assert_eq!(srs.ceremony(), Ceremony::Known("hermez"));
    let setup = model.setup(srs).unwrap();
    let file = setup.prove(&model.execution, BINDING).unwrap().file;
    accepted_by_both(&setup, &file);
    let key = setup.verifying_key();
    let verified = verify(key, &file.claim, &file.proof, SrsPolicy::CeremonyOnly).unwrap();
    assert_eq!(verified.srs(), SrsTrust::Ceremony("hermez"));
    assert_ne!(key.digest(), model.dev_setup().verifying_key().digest());
}

#[test]
fn a_proof_serves_only_the_claim_it_was_made_for() {
    let model = prepared("digits_mlp");
    let setup = model.dev_setup();
    let ProofFile { claim, proof, .. } = setup.prove(&model.execution, BINDING).unwrap().file;
    let bound = |binding| InferenceClaim { binding, ..claim.clone() };
    let mut input = claim.input.public().unwrap().to_vec();
    input[5] += if input[5] > 0 { -1 } else { 1 };
    let mut output = claim.output.public().unwrap().to_vec();
    output[0] -= output[0].signum();
    let (input, output) = (input.into(), output.into());
    let lies = [
        bound(JobBinding { chain_id: 0, ..BINDING }),
        bound(JobBinding { job_id: [0; 32], ..BINDING }),
        bound(JobBinding { payee: [0; 20], ..BINDING }),
        bound(JobBinding { expiry: 0, ..BINDING }),
        bound(JobBinding { nonce: 0, ..BINDING }),
        InferenceClaim { input, ..claim.clone() },
        InferenceClaim { output, ..claim.clone() },
    ];
    for lie in lies {
        let refused = verify(setup.verifying_key(), &lie, &proof, setup.own_policy());
        assert_eq!(refused.unwrap_err(), VerifyError::Pairing, "{lie:?}");
    }
}

#[test]
fn a_false_execution_never_leaves_the_prover_as_a_proof() {
    let model = prepared("digits_mlp");
    let setup = model.dev_setup();
    let mut lie = Execution::clone(&model.execution);
    let output = setup.plan().graph().outputs[0].0;
    lie.values[output][0] -= lie.values[output][0].signum();
    let refused = setup.prove(&Arc::new(lie), BINDING).unwrap_err();
    assert!(matches!(refused, ProveError::SelfCheck { source: VerifyError::Pairing, .. }));
}

#[test]
fn an_execution_of_another_model_is_refused() {
    let setup = prepared("digits_mlp").dev_setup();
    let other = prepared("digits_cnn").execution;
    let refused = setup.prove(&other, BINDING).unwrap_err();
    assert!(matches!(refused, ProveError::OtherGraph { .. }));
}

#[test]
fn an_srs_of_another_size_is_refused() {
    let model = prepared("digits_mlp");
    let k = model.plan.k();
    let refused = model.setup(Srs::insecure_dev(k + 1).unwrap()).unwrap_err();
    assert!(
        matches!(refused, SetupError::SrsSize { expected, got } if (expected, got) == (k, k + 1))
    );
}

#[test]
fn the_same_model_has_the_same_key() {
    let (first, second) = (prepared("cancer_mlp"), prepared("cancer_mlp"));
    let key = |model: &Prepared| model.dev_setup().verifying_key().encode();
    assert_eq!(key(&first), key(&second));
    let renamed = ModelIdentity { name: Some("other".to_owned()), ..first.identity.clone() };
    assert_ne!(key(&first), key(&Prepared { identity: renamed, ..second }));
}

#[test]
fn the_seed_of_a_test_fixes_the_commitments_to_the_witness() {
    let model = prepared("digits_mlp");
    let setup = model.dev_setup();
    let first_point = |seed| {
        let proven = setup.prove_with_insecure_seed(&model.execution, BINDING, [seed; 32]);
        proven.unwrap().file.proof.as_bytes()[..32].to_vec()
    };
    assert_eq!(first_point(1), first_point(1));
    assert_ne!(first_point(1), first_point(2));
}
