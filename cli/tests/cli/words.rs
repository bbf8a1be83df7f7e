//! What commands say, and what they must not say: no more than was checked.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{PAYEE, Workplace, proved};

const VERIFY: &[&str] = &["verify", "model.zkproof", "--key", "model.zkvk", "--allow-insecure-srs"];
const AUDIT: &[&str] = &["audit", "model.zkproof", "--key", "model.zkvk", "--allow-insecure-srs"];

/// A right answer to another question left no trace in the text.
#[test]
fn verify_shows_what_nobody_has_compared() {
    let text = proved().run(VERIFY).stdout;
    assert!(text.contains("input input, NOT compared: [0.0000"), "{text}");
    assert!(text.contains("output logits, NOT compared: ["), "{text}");
    let compared = [VERIFY, &["--expect-input", "input.json"]].concat();
    let text = proved().run(&compared).stdout;
    assert!(text.contains("input input, as expected: [0.0000"), "{text}");
    let report = proved().json(0, &compared);
    assert_eq!(
        (&report["input_compared"], &report["output_compared"]),
        (&true.into(), &false.into())
    );
    let refused = proved().json(1, &[VERIFY, &["--nonce", "8", "--chain", "1"]].concat());
    assert_eq!(refused["reason_codes"], json!(["chain", "nonce"]));
    assert_eq!((&refused["input"], &refused["output"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_proof_that_pays_nobody_or_has_expired_says_so_unasked() {
    let workplace = Workplace::with_model("digits_mlp");
    let prove = ["prove", "model.onnx", "--input", "input.json"];
    workplace.json(0, &prove);
    let text = workplace.run(VERIFY).stdout;
    assert!(text.contains("for no job: it PAYS NOBODY, and does not expire"), "{text}");
    let job = ["--payee", PAYEE, "--expiry", "86400"];
    workplace.json(0, &[&prove[..], &job].concat());
    let text = workplace.run(VERIFY).stdout;
    assert!(text.contains("EXPIRED 1970-01-02 00:00:00 UTC"), "{text}");
    let report = workplace.json(0, VERIFY);
    assert_eq!(report["job"]["expired"], true);
    let refused = workplace.json(1, &[VERIFY, &["--valid-at", "now"]].concat());
    assert_eq!(refused["reason_codes"], json!(["expired"]));
}

#[test]
fn a_key_is_described_alone_and_can_be_expected() {
    let report = proved().json(0, &["key", "model.zkvk"]);
    let digest = report["key_digest"].as_str().unwrap();
    assert_eq!(report["key_digest"], proved().json(0, VERIFY)["key_digest"]);
    assert_eq!(report["inputs"][0]["shape"], json!([1, 64]));
    let text = proved().run(&["key", "model.zkvk"]).stdout;
    for part in ["claims to be made from an ONNX file", "INSECURE", "output logits", digest] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for command in [VERIFY, AUDIT] {
        proved().json(0, &[command, &["--expect-key", digest]].concat());
        let refused = proved().json(1, &[command, &["--expect-key", &"ab".repeat(32)]].concat());
        assert_eq!(refused["reason_codes"], json!(["expected-key"]), "{refused}");
    }
    proved().fails(&["key", "model.zkproof"], &["model.zkproof", "verifying key"]);
}

#[test]
fn wrong_arguments_are_an_object_for_who_asks_for_json() {
    let refused = proved().json(2, &["verify", "model.zkproof", "--key", "model.zkvk", "--colour"]);
    assert_eq!(refused["code"], "usage");
    assert!(refused["error"].as_str().unwrap().contains("--colour"), "{refused}");
}

/// A label was said to be the model that was proven.
#[test]
fn without_the_model_an_audit_speaks_of_a_claim() {
    let text = proved().run(AUDIT).stdout;
    assert!(text.contains("a circuit that CLAIMS to be the model"), "{text}");
    assert!(text.contains("word of the key's maker; pass the file with --model"), "{text}");
    let again = [AUDIT, &["--model", "model.onnx"]].concat();
    let text = proved().run(&again).stdout;
    assert!(text.contains("the ONNX file of digest") && !text.contains("CLAIMS to be"), "{text}");
    assert!(text.contains("output logits as proven: ["), "{text}");
    let report = proved().json(0, &again);
    assert_eq!(report["claim"]["is_of_the_model"], true);
    assert_eq!(report["recompiled"]["float_outputs"][0]["other_answer"], Value::Null);
    assert_eq!(report["accuracy"]["measured"], false);
}

/// Settings of which every layer saturates, with the accuracy report of honest ones: the audit said
/// ACCEPTED, and "20 of 20", about the wrong class.
#[test]
fn a_wrong_class_stands_in_the_first_line_of_an_audit() {
    let workplace = Workplace::with_model("digits_mlp");
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/digits_mlp");
    fs::copy(zoo.join("samples.npz"), workplace.path("samples.npz")).unwrap();
    workplace.json(0, &["setup", "model.onnx", "--calibrate", "samples.npz", "-o", "honest.zkvk"]);
    let mut settings: Value = serde_json::from_str(&workplace.read("honest.zkinfer.json")).unwrap();
    for range in settings["calibration"]["layers"].as_object_mut().unwrap().values_mut() {
        *range = json!({ "lo": -0.001, "hi": 0.001 });
    }
    settings["calibration"].as_object_mut().unwrap().remove("expected");
    fs::write(workplace.path("model.zkinfer.json"), settings.to_string()).unwrap();
    let prove = ["prove", "model.onnx", "--input", "input.json"];
    // The report that these settings name is of other integers, so no key binds it.
    workplace.fails(&prove, &["accuracy report"]);
    settings.as_object_mut().unwrap().remove("accuracy_digest");
    fs::write(workplace.path("model.zkinfer.json"), settings.to_string()).unwrap();
    let run = workplace.run(&prove);
    assert!(run.stderr.contains("THE INTEGERS DO NOT ANSWER AS THE MODEL DOES"), "{}", run.stderr);
    workplace.fails(&[&prove[..], &["--require-class"]].concat(), &["not proven", "class"]);
    let again = [AUDIT, &["--model", "model.onnx"]].concat();
    let text = workplace.run(&again).stdout;
    let first = text.lines().next().unwrap();
    assert!(first.starts_with("ACCEPTED BUT THE FLOAT MODEL ANSWERS OTHERWISE: output logits"));
    let claimed = [&again[..], &["--accuracy", "honest.accuracy.json"]].concat();
    let refused = workplace.json(1, &claimed);
    let codes = json!(["accuracy-report", "recompiled-key"]);
    assert_eq!(refused["reason_codes"], codes, "{refused}");
    assert!(refused["reasons"][0].as_str().unwrap().contains("binds no"), "{refused}");
}

/// One after the other was asked for.
#[test]
fn everything_that_an_audit_misses_is_named_at_once() {
    let workplace = Workplace::with_model("digits_mlp");
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo");
    fs::copy(zoo.join("powersOfTau28_hez_final_08.ptau"), workplace.path("hez.ptau")).unwrap();
    let prove = ["prove", "model.onnx", "--input", "input.json", "--srs", "hez.ptau"];
    workplace.json(0, &prove);
    fs::remove_file(workplace.path("model.zkinfer.json")).unwrap();
    let audit = [&AUDIT[..4], &["--model", "model.onnx"]].concat();
    workplace.fails(&audit, &["hermez", "--srs", "--calibrate"]);
    let run = workplace.run(&audit);
    assert!(run.stdout.starts_with("NOT DECIDED"), "{}", run.stdout);
    assert!(run.stdout.contains("Strength: about 100 bits"), "{}", run.stdout);
    workplace.json(0, &AUDIT[..4]);
}
