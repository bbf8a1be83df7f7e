//! Names of classes: in the key, in what a proof shows, and bound by the key's digest.

use std::fs;

use zkinfer::{
    Audit, Device, Expectation, Inference, KeyDescription, Keys, Recipe, Shown, SrsPolicy,
    audit::Recompile,
    models::ImportOptions,
    verifier::{Classes, JobBinding, KeyFormat, ProofFile, VerifyingKey},
};

use crate::{
    onnx::{Builder, floats, text, texts},
    support::Place,
};

const ML: &str = "ai.onnx.ml";
const SPECIES: [&str; 3] = ["setosa", "versi\u{200b}color", "virginica"];

/// Scores of three classes that are the three features, and the name of the largest.
fn classifier() -> Builder {
    let identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let attributes = [
        floats("coefficients", &identity),
        floats("intercepts", &[0.0; 3]),
        texts("classlabels_strings", &SPECIES),
        text("post_transform", "NONE"),
    ];
    let model = Builder::new(17).set(ML, 1).input("x", &[1, 3]);
    let outputs = ["label", "scores"];
    let model = model.domain_node(ML, "LinearClassifier", &["x"], &outputs, &attributes);
    model.output("label").output("scores")
}

/// A proof of the model at this place.
fn proven(place: &Place) -> (VerifyingKey, ProofFile) {
    let model = place.model();
    let input = model.read_input(&place.path("input.json")).unwrap();
    let inputs = std::slice::from_ref(&input);
    let quantized = model.quantize(&Recipe::default(), &place.files().settings, inputs).unwrap();
    let run = model.run(&quantized, &input).unwrap();
    let keys = Keys::make(&model, &quantized, None, &Device::default(), &|_| ()).unwrap();
    place.files().store(&keys, &quantized.settings, None).unwrap();
    let inference = Inference::new(&run.execution, JobBinding::NONE);
    let proven = keys.prove(inference, &|_| ()).unwrap();
    (keys.verifying_key().clone(), proven.file)
}

#[test]
fn a_proof_shows_the_names_of_its_classes() {
    let place = Place::with(&classifier().bytes(), "");
    fs::write(place.path("input.json"), "{\"input_data\": [[0.25, -0.5, 1.0]]}").unwrap();
    let (key, proof) = proven(&place);
    assert_eq!(key.parts().format, KeyFormat::V5);
    assert_eq!(VerifyingKey::decode(&key.encode()).unwrap(), key);
    let outputs = &key.parts().layout.outputs;
    let shown = Shown::new(outputs, &proof.claim.output, None).classes();
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(shown["label"], [some("virginica")]);
    // What a reader would not see is spelled out.
    let all = ["setosa", "versi\\u{200b}color", "virginica"];
    assert_eq!(shown["scores"], all.map(some));
    let described = KeyDescription::new(&key);
    assert_eq!(described.classes["label"], all);
    Expectation::new(&key, SrsPolicy::AllowInsecureDev).check(&proof).unwrap();

    let relabelled = |edit: &dyn Fn(&mut Vec<String>)| {
        let mut parts = key.parts().clone();
        let Some(Classes::Values(names)) = &mut parts.layout.outputs[0].classes else { panic!() };
        edit(names);
        VerifyingKey::new(parts).unwrap()
    };
    let swapped = relabelled(&|names| names.swap(0, 2));
    let refused = |key: &VerifyingKey, proof: &ProofFile| {
        Expectation::new(key, SrsPolicy::AllowInsecureDev).check(proof).unwrap_err().codes()
    };
    assert_eq!(refused(&swapped, &proof), ["key"]);
    // Even where the claim is made to name the other key.
    let mut forged = proof.clone();
    forged.claim.model = swapped.digest();
    assert_eq!(refused(&swapped, &forged), ["pairing"]);
    // And whoever compiles the model finds the names in it.
    let recompiled = |key: &VerifyingKey| {
        let recompile = Recompile {
            model: place.path("model.onnx"),
            import: ImportOptions::default(),
            recipe: Recipe::default(),
            settings_beside: place.files().settings,
            input: None,
            test_set: None,
            srs: None,
        };
        let expected = Expectation::new(key, SrsPolicy::AllowInsecureDev);
        let audit = Audit::new(key, &proof, &expected, None, Some(&recompile), &|_| ()).unwrap();
        audit.recompiled.unwrap().same_key
    };
    assert!(recompiled(&key));
    assert!(!recompiled(&swapped));
}
