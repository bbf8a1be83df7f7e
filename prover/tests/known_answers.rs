//! Known answers for every later version of the verifier, and lies about a model of the zoo.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod toy;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use zkinfer_circuits::{CircuitPlan, PlanOptions};
use zkinfer_models::{
    Calibration, Graph, QuantizeOptions, execute, model_digest, quantize, quantize_inputs,
    read_inputs, read_samples,
};
use zkinfer_prover::{ModelIdentity, Setup, Srs};
use zkinfer_verifier::{
    JobBinding, Openings, Proof, ProofFile, VerifyError, VerifyingKey, Visibility, decode_point,
    decode_scalar, verify,
};

use toy::{Shape, Toy};

const MODELS: [&str; 5] =
    ["cancer_mlp", "digits_mlp", "digits_cnn", "mnist_lenet", "digits_mlp_hidden"];
/// What names of models end in whose inputs and outputs are hidden.
const HIDDEN: &str = "_hidden";
/// Proofs of each key.
const PROOFS: u8 = 2;

type Answer = (ProofFile, Openings);

/// The folder of the model behind a known answer.
fn folder_of(name: &str) -> PathBuf {
    let model = name.trim_end_matches(HIDDEN);
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo").join(model)
}

/// Its file, and what is in it.
fn model(name: &str) -> (Vec<u8>, Graph) {
    let bytes = fs::read(folder_of(name).join("model.onnx")).unwrap();
    let graph = Graph::from_onnx_bytes(&bytes).unwrap();
    (bytes, graph)
}

fn key_and_proofs_of(name: &str) -> (VerifyingKey, Vec<Answer>) {
    let is_hidden = name.ends_with(HIDDEN);
    let visibility = if is_hidden { Visibility::Committed } else { Visibility::Public };
    let (folder, (bytes, float)) = (folder_of(name), model(name));
    let samples = read_samples(&folder.join("samples.npz"), &float).unwrap();
    let calibration = Calibration::from_samples(&float, &samples).unwrap();
    let graph = quantize(&float, &calibration, &QuantizeOptions::default()).unwrap();
    let input = read_inputs(&folder.join("input.json"), &float).unwrap();
    let execution = Arc::new(execute(&graph, &quantize_inputs(&graph, &input).unwrap()).unwrap());
    let options = PlanOptions {
        input_visibility: visibility,
        output_visibility: visibility,
        ..PlanOptions::default()
    };
    let plan = CircuitPlan::new(&graph, options).unwrap();
    let srs = Srs::insecure_dev(plan.k()).unwrap();
    let identity = ModelIdentity {
        digest: model_digest(&bytes),
        graph_digest: Some(float.digest()),
        ..ModelIdentity::default()
    };
    let setup = Setup::new(Arc::new(plan), srs, identity).unwrap();
    let prove = |index: u8| {
        let (job_id, payee) = ([index; 32], [index; 20]);
        let (expiry, nonce) = (2_000_000_000, u64::from(index));
        let binding = JobBinding { chain_id: 1, job_id, payee, expiry, nonce };
        let proven = setup.prove(&execution, binding).unwrap();
        (proven.file, proven.openings)
    };
    (setup.verifying_key().clone(), (1..=PROOFS).map(prove).collect())
}

fn key_and_proofs_of_the_toy() -> (VerifyingKey, Vec<Answer>) {
    let toy = Toy::new(Shape::default());
    let prove = |index: u8| {
        let claim = toy.claim([-3, 5, 9 * i64::from(index)], u64::from(index));
        let proof = toy.prove(&claim);
        let nothing = Openings { key: toy.key.digest(), input: None, output: None };
        (ProofFile::new(&toy.key, claim, proof), nothing)
    };
    let proofs = (1..=PROOFS).map(prove).collect();
    (toy.key, proofs)
}

/// The folder of known answers of the current format.
fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../verifier/vectors")
}

/// The key that is there, if this version reads it.
fn known(name: &str) -> Option<VerifyingKey> {
    let bytes = fs::read(vectors().join(name).with_extension("zkvk")).ok()?;
    VerifyingKey::decode(&bytes).ok()
}

/// Whether a key says of its model what is said today: the digest of the file, and that of the graph
/// by the definition of `docs/formats.md`.
fn names_its_model(name: &str, key: &VerifyingKey) -> bool {
    if name == "toy" {
        return true;
    }
    let (bytes, graph) = model(name);
    let digests = (key.parts().model_digest.0, key.parts().graph_digest.0);
    digests == (model_digest(&bytes), graph.digest())
}

/// A known answer pins what its verifier reads: key, proofs and openings, byte for byte, whatever
/// circuits the planner makes later. What it says of its model is what is said today.
#[test]
fn known_answers_name_their_models() {
    for name in MODELS {
        assert!(names_its_model(name, &known(name).unwrap()), "{name}");
    }
}

/// A known answer is replaced only where this version does not read it, or where it names its model
/// by a digest that is none any more.
#[test]
#[ignore = "adds what is missing to verifier/vectors"]
fn write_the_known_answers() {
    let folder = vectors();
    fs::create_dir_all(&folder).unwrap();
    for name in MODELS.into_iter().chain(["toy"]) {
        if known(name).is_some_and(|key| names_its_model(name, &key)) {
            continue;
        }
        let path = folder.join(name).with_extension("zkvk");
        let (key, proofs) =
            if name == "toy" { key_and_proofs_of_the_toy() } else { key_and_proofs_of(name) };
        fs::write(path, key.encode()).unwrap();
        for (index, (file, openings)) in (1..).zip(proofs) {
            let path = folder.join(format!("{name}-{index}.zkproof"));
            fs::write(&path, file.encode()).unwrap();
            if name.ends_with(HIDDEN) {
                fs::write(path.with_extension("zkopening"), openings.encode()).unwrap();
            }
        }
    }
}

/// Of the proof of a real model: two bits of every element, and the three highest ones.
#[test]
fn flipped_bits_of_a_zoo_proof_are_refused() {
    let (key, proofs) = key_and_proofs_of("digits_mlp");
    let policy = zkinfer_verifier::SrsPolicy::AllowInsecureDev;
    let file = &proofs[0].0;
    let honest = file.proof.as_bytes();
    assert!(verify(&key, &file.claim, &file.proof, policy).is_ok());
    for element in 0..honest.len() / 32 {
        for bit in [element * 37 % 253, element * 101 % 253, 253, 254, 255] {
            let mut bytes = honest.to_vec();
            bytes[element * 32 + bit / 8] ^= 1 << (bit % 8);
            let value: &[u8; 32] = bytes[element * 32..][..32].try_into().unwrap();
            let (point, scalar) = (decode_point(value), decode_scalar(value));
            let error = verify(&key, &file.claim, &Proof::new(bytes), policy).unwrap_err();
            let fits = match error {
                VerifyError::Point { element: got } => got == element && point.is_none(),
                VerifyError::Scalar { element: got } => got == element && scalar.is_none(),
                VerifyError::Pairing => point.is_some() || scalar.is_some(),
                _ => false,
            };
            assert!(fits, "bit {bit} of element {element}: {error:?}");
        }
    }
}

/// What the README promises of every model of the zoo.
#[test]
fn proofs_of_the_zoo_have_at_most_eight_kilobytes() {
    let (key, proofs) = key_and_proofs_of("mnist_lenet");
    for (file, _) in proofs {
        let bytes = file.proof.as_bytes().len();
        assert_eq!(bytes, key.proof_len());
        assert!(bytes <= 8 << 10, "{bytes} bytes");
    }
}
