//! Claims that commit to input and output instead of showing them.
#![expect(clippy::unwrap_used, reason = "a failing step fails the test")]

use std::{path::Path, sync::Arc};

use zkinfer_circuits::{CircuitPlan, PlanOptions};
use zkinfer_models::{
    Calibration, Execution, Graph, QuantizeOptions, execute, quantize, quantize_inputs, read_inputs,
};
use zkinfer_prover::{Inference, ModelIdentity, Setup, Srs, draw_blinding};
use zkinfer_verifier::{
    Blinding, ClaimedValues, Commitment, InferenceClaim, JobBinding, OpeningError, Openings,
    SrsPolicy, VerifyError, Visibility, verify,
};

const BINDING: JobBinding =
    JobBinding { chain_id: 1, job_id: [2; 32], payee: [3; 20], expiry: 4, nonce: 5 };
const POLICY: SrsPolicy = SrsPolicy::AllowInsecureDev;

/// digits_mlp with these visibilities, and a run of it.
fn prepared(
    input_visibility: Visibility,
    output_visibility: Visibility,
) -> (Setup, Arc<Execution>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/digits_mlp");
    let float = Graph::from_onnx_bytes(&std::fs::read(folder.join("model.onnx")).unwrap()).unwrap();
    let input = read_inputs(&folder.join("input.json"), &float).unwrap();
    let calibration = Calibration::from_input(&float, &input).unwrap();
    let graph = quantize(&float, &calibration, &QuantizeOptions::default()).unwrap();
    let execution = execute(&graph, &quantize_inputs(&graph, &input).unwrap()).unwrap();
    let options = PlanOptions { input_visibility, output_visibility, ..PlanOptions::default() };
    let plan = CircuitPlan::new(&graph, options).unwrap();
    let srs = Srs::insecure_dev(plan.k()).unwrap();
    let identity = ModelIdentity { digest: [7; 32], ..ModelIdentity::default() };
    (Setup::new(Arc::new(plan), srs, identity).unwrap(), Arc::new(execution))
}

fn hidden() -> (Setup, Arc<Execution>) {
    prepared(Visibility::Committed, Visibility::Committed)
}

#[test]
fn a_commitment_hides_and_its_opening_shows() {
    let (setup, execution) = hidden();
    let key = setup.verifying_key();
    let proven = setup.prove(&execution, BINDING).unwrap();
    let claim = &proven.file.claim;
    assert!(verify(key, claim, &proven.file.proof, POLICY).is_ok());
    assert_eq!(proven.openings.check(key, claim), Ok(()));
    let openings = Openings::decode(proven.openings.encode().as_bytes()).unwrap();
    assert_eq!(openings, proven.openings);
    let graph = setup.plan().graph();
    let outputs = &execution.values[graph.outputs[0].0];
    assert_eq!(&openings.output.unwrap().values, outputs);
    // Guessing the values is not enough.
    let guess = openings.input.unwrap();
    let zero = Blinding::from_scalar(0.into());
    let layout = &key.parts().layout;
    let unblinded = Commitment::new(&layout.inputs, &guess.values, &zero).unwrap();
    assert_ne!(claim.input, ClaimedValues::Committed(unblinded));
}

#[test]
fn the_same_input_is_committed_to_anew_or_as_told() {
    let (setup, execution) = hidden();
    let blinding = draw_blinding();
    let told = Inference { input_blinding: Some(blinding), ..Inference::new(&execution, BINDING) };
    let prove = |inference| setup.prove_with_progress(inference, &|_| ()).unwrap();
    let (one, other) = (prove(told), prove(told));
    assert_eq!(one.file.claim.input, other.file.claim.input);
    assert_ne!(one.file.claim.output, other.file.claim.output, "drawn for each proof");
    let drawn = prove(Inference::new(&execution, BINDING));
    assert_ne!(one.file.claim.input, drawn.file.claim.input);
    let layout = &setup.verifying_key().parts().layout;
    let values = one.openings.input.unwrap().values;
    let known = Commitment::new(&layout.inputs, &values, &blinding).unwrap();
    assert_eq!(one.file.claim.input, ClaimedValues::Committed(known));
}

#[test]
fn another_commitment_is_refused() {
    let (setup, execution) = hidden();
    let key = setup.verifying_key();
    let proven = setup.prove(&execution, BINDING).unwrap();
    let claim = proven.file.claim;
    let swapped = InferenceClaim {
        input: claim.output.clone(),
        output: claim.input.clone(),
        ..claim.clone()
    };
    let opening = proven.openings.input.unwrap();
    let mut values = opening.values.clone();
    values[9] ^= 1;
    let other = Commitment::new(&key.parts().layout.inputs, &values, &opening.blinding).unwrap();
    let other = InferenceClaim { input: ClaimedValues::Committed(other), ..claim.clone() };
    for lie in [swapped, other] {
        let refused = verify(key, &lie, &proven.file.proof, POLICY);
        assert_eq!(refused.unwrap_err(), VerifyError::Pairing);
    }
    // Showing what the key hides, or hiding what it shows, is no claim under it.
    let shown = InferenceClaim { input: opening.values.into(), ..claim.clone() };
    let refused = verify(key, &shown, &proven.file.proof, POLICY);
    let (expected, got) = (Visibility::Committed, Visibility::Public);
    assert_eq!(refused.unwrap_err(), VerifyError::InputVisibility { expected, got });
    let (public, _) = prepared(Visibility::Public, Visibility::Public);
    let claim = InferenceClaim {
        model: public.verifying_key().digest(),
        input: vec![0; 64].into(),
        ..claim
    };
    let refused = verify(public.verifying_key(), &claim, &proven.file.proof, POLICY);
    assert_eq!(
        refused.unwrap_err(),
        VerifyError::OutputVisibility { expected: Visibility::Public, got: Visibility::Committed }
    );
}

#[test]
fn openings_of_something_else_are_refused() {
    let (setup, execution) = prepared(Visibility::Committed, Visibility::Public);
    let key = setup.verifying_key();
    let proven = setup.prove(&execution, BINDING).unwrap();
    let (claim, openings) = (&proven.file.claim, &proven.openings);
    assert_eq!(openings.check(key, claim), Ok(()));
    assert_eq!(openings.output, None);
    let edited = |edit: &dyn Fn(&mut Openings)| {
        let mut openings = openings.clone();
        edit(&mut openings);
        openings.check(key, claim).unwrap_err()
    };
    let other = edited(&|o| o.key.0.0[0] ^= 1);
    assert!(matches!(other, OpeningError::Key { .. }), "{other:?}");
    let other = edited(&|o| o.input.as_mut().unwrap().values[0] ^= 1);
    assert!(matches!(other, OpeningError::Commitment { side: "input", .. }), "{other:?}");
    let other = edited(&|o| o.input.as_mut().unwrap().blinding = draw_blinding());
    assert!(matches!(other, OpeningError::Commitment { side: "input", .. }), "{other:?}");
    let other = edited(&|o| o.input.as_mut().unwrap().values.truncate(3));
    assert!(matches!(other, OpeningError::Values { side: "input", .. }), "{other:?}");
    let other = edited(&|o| o.output = o.input.clone());
    assert_eq!(other, OpeningError::Public { side: "output" });
}

#[test]
#[ignore = "rewrites the hidden proof of the tests of settlement"]
fn write_the_hidden_proof_of_settlement() {
    let (setup, execution) = prepared(Visibility::Public, Visibility::Committed);
    let binding = JobBinding { job_id: [4; 32], payee: [0xa1; 20], expiry: 2_000, ..BINDING };
    let proven = setup.prove(&execution, binding).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../settlement/tests/vectors");
    std::fs::write(folder.join("hidden.zkvk"), setup.verifying_key().encode()).unwrap();
    std::fs::write(folder.join("hidden.zkproof"), proven.file.encode()).unwrap();
    std::fs::write(folder.join("hidden.zkopening"), proven.openings.encode()).unwrap();
}
