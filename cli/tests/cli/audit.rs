//! The auditor's command: what it says of a right proof, and everything it must not let through.

use std::{fs, path::Path, sync::OnceLock};

use serde_json::Value;
use zkinfer::models::AccuracyReport;

use crate::support::{JOB, PAYEE, Workplace, damaged};

const AUDIT: &[&str] = &["audit", "model.zkproof", "--key", "model.zkvk", "--allow-insecure-srs"];
const AGAIN: &[&str] = &["--model", "model.onnx", "--calibrate", "samples.npz"];
const REPORT: &[&str] = &["--accuracy", "model.accuracy.json"];

/// A proof of digits_mlp under a key that was calibrated with samples; read by many tests.
fn audited() -> &'static Workplace {
    static AUDITED: OnceLock<Workplace> = OnceLock::new();
    AUDITED.get_or_init(|| {
        let workplace = Workplace::with_model("digits_mlp");
        copy_samples(&workplace);
        workplace.json(0, &["setup", "model.onnx", "--calibrate", "samples.npz"]);
        workplace.json(0, &[&["prove", "model.onnx", "--input", "input.json"], JOB].concat());
        workplace
    })
}

fn copy_samples(workplace: &Workplace) {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/digits_mlp");
    fs::copy(zoo.join("samples.npz"), workplace.path("samples.npz")).unwrap();
}

/// A folder of its own with everything of [`audited`].
fn copy() -> Workplace {
    let workplace = Workplace::new();
    for file in [
        "model.onnx",
        "samples.npz",
        "input.json",
        "model.zkvk",
        "model.zkinfer.json",
        "model.accuracy.json",
        "model.zkproof",
    ] {
        workplace.copy_from(audited(), file);
    }
    workplace
}

/// What is given as the reason, and the whole report.
fn rejected(workplace: &Workplace, args: &[&str], why: &str) -> Value {
    let report = workplace.json(1, &[AUDIT, args].concat());
    assert_eq!(report["accepted"], false);
    let reasons = report["reasons"].to_string();
    assert!(reasons.contains(why), "{reasons}");
    report
}

fn differing(report: &Value) -> Vec<&str> {
    let differences = report["recompiled"]["differences"].as_array().unwrap();
    differences.iter().map(|difference| difference["part"].as_str().unwrap()).collect()
}

#[test]
fn a_right_proof_is_explained_and_its_key_made_again() {
    let workplace = audited();
    let report = workplace.json(0, &[AUDIT, AGAIN, REPORT].concat());
    assert_eq!(report["recompiled"]["same_key"], true);
    assert_eq!(report["recompiled"]["key_digest"], report["claim"]["key_digest"]);
    assert_eq!(report["recompiled"]["accuracy"], "measured");
    assert_eq!(report["claim"]["job"]["payee"], PAYEE[2..]);
    assert_eq!(report["claim"]["output"][0]["name"], "logits");
    assert_eq!(report["accuracy"]["report"]["samples"]["count"], 20);
    assert_eq!(report["setup"]["kind"], "insecure_development");
    assert_eq!(report["strength"]["bits"], 0);
    assert!(report["strength"]["random_points_bits"].as_u64().unwrap() > 200);
    assert!(!report["not_claimed"].as_array().unwrap().is_empty());
    let text = workplace.run(&[AUDIT, AGAIN, REPORT].concat());
    for part in ["ACCEPTED", "this very key", "INSECURE", "of 20 samples", "does not show"] {
        assert!(text.stdout.contains(part), "{part}: {}", text.stdout);
    }
}

/// With the key maker's settings instead of the samples, and with nothing but the proof.
#[test]
fn an_audit_says_what_was_not_compared() {
    let workplace = audited();
    let report = workplace.json(0, &[AUDIT, &["--model", "model.onnx"]].concat());
    assert_eq!(report["recompiled"]["same_key"], true);
    assert_eq!(report["recompiled"]["accuracy"], "key");
    let text = workplace.run(AUDIT).stdout;
    assert!(text.contains("not compared") && text.contains("--accuracy"), "{text}");
}

#[test]
fn the_insecure_srs_must_be_allowed_by_name() {
    let report = audited().json(1, &AUDIT[..4]);
    assert!(report["reasons"][0].as_str().unwrap().contains("--allow-insecure-srs"));
}

/// A key of older semantics verifies for ever; this program cannot make it again, and says why.
#[test]
fn a_key_of_older_semantics_is_told_by_their_number() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../verifier/vectors/format3");
    let workplace = Workplace::with_model("digits_mlp");
    copy_samples(&workplace);
    fs::copy(vectors.join("digits_mlp.zkvk"), workplace.path("model.zkvk")).unwrap();
    fs::copy(vectors.join("digits_mlp-1.zkproof"), workplace.path("model.zkproof")).unwrap();
    assert_eq!(workplace.json(0, AUDIT)["accepted"], true);
    let report = rejected(&workplace, AGAIN, "does not give this key: integer semantics differs");
    assert_eq!(differing(&report), ["integer semantics"]);
}

#[test]
fn another_model_is_a_mismatch() {
    let workplace = copy();
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/cancer_mlp/model.onnx");
    fs::copy(other, workplace.path("other.onnx")).unwrap();
    let args = ["--model", "other.onnx", "--calibrate", "samples.npz"];
    let report = rejected(&workplace, &args, "other.onnx does not give this key");
    assert_eq!(differing(&report), ["model digest"]);
}

#[test]
fn another_calibration_or_precision_is_a_mismatch_that_names_the_part() {
    let bits = [AGAIN, &["--activation-bits", "10"]].concat();
    let report = rejected(audited(), &bits, "does not give this key");
    let expected = ["circuit", "weights and tables", "halo2 digest", "accuracy report"];
    assert_eq!(differing(&report), expected);
    let workplace = copy();
    fs::remove_file(workplace.path("model.zkinfer.json")).unwrap();
    let input = ["--model", "model.onnx", "--input", "input.json"];
    let report = rejected(&workplace, &input, "does not give this key");
    assert_eq!(report["recompiled"]["calibration"], "input alone");
    assert!(differing(&report).contains(&"layout"), "{report}");
    assert!(!differing(&report).contains(&"SRS"), "{report}");
}

#[test]
fn a_tampered_proof_is_rejected_whatever_its_key() {
    let workplace = copy();
    let stolen = damaged(&workplace.read("model.zkproof"), |file| {
        file["claim"]["binding"]["payee"] = "ff".repeat(20).into();
    });
    fs::write(workplace.path("model.zkproof"), stolen).unwrap();
    let report = rejected(&workplace, AGAIN, "pairing");
    assert_eq!(report["recompiled"]["same_key"], true);
}

#[test]
fn expectations_are_checked_in_an_audit_too() {
    rejected(audited(), &["--nonce", "8"], "nonce");
    rejected(audited(), &["--valid-at", "1900000001"], "expired");
}

#[test]
fn an_edited_accuracy_report_is_not_the_keys() {
    let workplace = copy();
    let text = workplace.read("model.accuracy.json");
    let better = text.replacen("\"activation_bits\": 8", "\"activation_bits\": 12", 1);
    assert_ne!(better, text);
    fs::write(workplace.path("better.json"), &better).unwrap();
    rejected(&workplace, &["--accuracy", "better.json"], "the key binds the accuracy report");
    fs::write(workplace.path("spelling.json"), text.replace('\n', "")).unwrap();
    let args = [AUDIT, &["--accuracy", "spelling.json"]].concat();
    workplace.fails(&args, &["spelling.json", "not spelled"]);
}

/// The key's maker binds a digest of his choice; only measuring again shows it.
#[test]
fn a_fabricated_accuracy_is_found_by_measuring_again() {
    let workplace = copy();
    let settings = workplace.read("model.zkinfer.json");
    let honest = serde_json::from_str::<Value>(&settings).unwrap()["accuracy_digest"].take();
    let name = |digest: &str| {
        let named = settings.replace(honest.as_str().unwrap(), digest);
        fs::write(workplace.path("model.zkinfer.json"), named).unwrap();
    };
    let prove = ["prove", "model.onnx", "--input", "input.json"];
    fs::remove_file(workplace.path("model.zkvk")).unwrap();
    // A digest of nothing that is at hand.
    name(&"5a".repeat(32));
    workplace.fails(&prove, &["accuracy report", "not at hand"]);
    // A report of these very integers, with an error that nobody measured.
    let report = workplace.read("model.accuracy.json");
    let measured: Value = serde_json::from_str(&report).unwrap();
    let field = "max_error_ten_thousandths";
    let error = measured["float_model"][field].as_u64().unwrap();
    let text = |error: u64| format!("{field}\": {error}");
    let better = report.replacen(&text(error), &text(error - 1), 1);
    let digest = AccuracyReport::decode(better.as_bytes()).unwrap().digest();
    fs::write(workplace.path("model.accuracy.json"), &better).unwrap();
    name(serde_json::to_value(digest).unwrap().as_str().unwrap());
    workplace.json(0, &prove);
    workplace.json(0, AUDIT);
    let report = rejected(&workplace, AGAIN, "accuracy report");
    assert_eq!(differing(&report), ["accuracy report"]);
}

#[test]
fn a_report_for_a_key_that_binds_none_is_rejected() {
    let workplace = Workplace::with_model("digits_mlp");
    workplace.copy_from(audited(), "model.accuracy.json");
    workplace.json(0, &["prove", "model.onnx", "--input", "input.json", "--key", "plain.zkvk"]);
    let audit = ["audit", "model.zkproof", "--key", "plain.zkvk", "--allow-insecure-srs"];
    let text = workplace.run(&audit).stdout;
    assert!(text.contains("for no job") && text.contains("binds no report"), "{text}");
    let report = workplace.json(1, &[&audit, REPORT].concat());
    assert!(report["reasons"][0].as_str().unwrap().contains("binds no accuracy report"));
}

/// Keys that differ in their report alone: `prove` must not mix them up.
#[test]
fn another_test_set_is_another_key() {
    let workplace = copy();
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/digits_mlp");
    fs::copy(zoo.join("testset.npz"), workplace.path("testset.npz")).unwrap();
    let args = ["prove", "model.onnx", "--input", "input.json", "--test-set", "testset.npz"];
    workplace.fails(&args, &["model.zkvk", "another accuracy report"]);
    let report =
        rejected(&workplace, &[AGAIN, &["--test-set", "testset.npz"]].concat(), "accuracy");
    assert_eq!(differing(&report), ["accuracy report"]);
    let setup = workplace.json(
        0,
        &[
            &["setup"],
            &args[1..2],
            &["--calibrate", "samples.npz"],
            &["--test-set", "testset.npz", "-o", "tested.zkvk"],
        ]
        .concat(),
    );
    let measured = &setup["accuracy"]["report"];
    assert!(measured["samples"]["count"].as_u64().unwrap() > 20);
    assert!(measured["labels"]["integer_correct"].as_u64().unwrap() > 20);
    assert!(workplace.path("tested.accuracy.json").exists());
}

#[test]
fn missing_files_and_idle_options_are_errors() {
    let workplace = audited();
    let fails =
        |args: &[&str], named: &[&str]| workplace.fails(&[&["audit"], args].concat(), named);
    fails(&["missing.zkproof", "--key", "model.zkvk"], &["missing.zkproof"]);
    fails(&["model.zkproof", "--key", "missing.zkvk"], &["missing.zkvk"]);
    let base = ["model.zkproof", "--key", "model.zkvk"];
    fails(&[&base[..], &["--model", "missing.onnx"]].concat(), &["missing.onnx"]);
    fails(&[&base[..], &["--accuracy", "missing.json"]].concat(), &["missing.json"]);
    fails(&[&base[..], &["--calibrate", "samples.npz"]].concat(), &["--calibrate", "--model"]);
    fails(&[&base[..], &["--input", "input.json"]].concat(), &["--model"]);
}

#[test]
fn a_proof_under_a_ceremony_has_the_strength_of_the_curve() {
    let workplace = copy();
    fs::remove_file(workplace.path("model.zkvk")).unwrap();
    let ptau =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/powersOfTau28_hez_final_08.ptau");
    fs::copy(ptau, workplace.path("hez.ptau")).unwrap();
    workplace.json(0, &["srs", "import", "hez.ptau"]);
    workplace.json(0, &["prove", "model.onnx", "--input", "input.json", "--srs", "hez.srs"]);
    let audit = &AUDIT[..4];
    let report = workplace.json(0, &[audit, AGAIN, &["--srs", "hez.srs"]].concat());
    assert_eq!(
        (&report["setup"]["srs"], &report["setup"]["kind"]),
        (&"hermez".into(), &"ceremony".into())
    );
    assert_eq!(report["strength"]["bits"], 100);
    assert_eq!(report["recompiled"]["same_key"], true);
    // Without the ceremony's file the key cannot be made again.
    workplace.fails(&[audit, AGAIN].concat(), &["hermez", "--srs"]);
}
