//! From an ONNX file to a verified proof, and every way in which a proof is not the expected one.

use std::{fs, path::Path};

use crate::support::{JOB, JOB_ID, PAYEE, Workplace, damaged, proved, samples};
use serde_json::{Value, json};

const VERIFY: &[&str] = &["verify", "model.zkproof", "--key", "model.zkvk"];
const ALLOW: &[&str] = &["--allow-insecure-srs"];

fn rejected(workplace: &Workplace, args: &[&str], why: &str) {
    let report = workplace.json(1, &[VERIFY, args].concat());
    assert_eq!(report["accepted"], false);
    let reason = report["reason"].as_str().unwrap();
    let codes = report["reason_codes"].to_string();
    assert!(reason.contains(why) || codes.contains(why), "{reason}");
}

/// What the file calls its classes is in the key, and every report of a proof says it.
#[test]
fn reports_name_the_classes() {
    let workplace = Workplace::new();
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/cases/string_labels");
    for file in ["model.onnx", "input.json"] {
        fs::copy(case.join(file), workplace.path(file)).unwrap();
    }
    let is_named = |report: &Value| {
        let classes = &report["output_classes"];
        assert_eq!(classes["label"], json!(["virginica"]), "{report}");
        assert_eq!(classes["scores"], json!(["setosa", "versicolor", "virginica"]), "{report}");
    };
    is_named(&workplace.json(0, &["prove", "model.onnx", "--input", "input.json"]));
    is_named(&workplace.json(0, &[VERIFY, ALLOW].concat()));
    let audit = &["audit", "model.zkproof", "--key", "model.zkvk", "--model", "model.onnx"];
    let says = |args: &[&str], line: &str| {
        let run = workplace.run(args);
        assert!(run.stdout.contains(line), "{line:?} is not in: {}\n{}", run.stdout, run.stderr);
    };
    says(&[VERIFY, ALLOW].concat(), "classes of label, as the key names them: [virginica]");
    says(&[&audit[..], ALLOW].concat(), "of the classes [virginica], as the key names them");
    says(&["key", "model.zkvk"], "classes of label: setosa, versicolor, virginica");
}

#[test]
fn prove_reports_every_field_that_scripts_rely_on() {
    let workplace = Workplace::with_model("digits_cnn");
    let report = workplace.json(0, &["prove", "model.onnx", "--input", "input.json"]);
    let fields = [
        "model",
        "k",
        "advice_columns",
        "fixed_columns",
        "setup_seconds",
        "execute_seconds",
        "witness_seconds",
        "prove_seconds",
        "verify_seconds",
        "proof_bytes",
        "key_bytes",
        "peak_rss_bytes",
        "output",
        "float_output",
        "max_abs_error",
        "argmax_matches",
        "device",
        "threads",
    ];
    for field in fields {
        assert!(report.get(field).is_some(), "{field} is missing in {report}");
    }
    let stages = report["stages"].as_array().unwrap().iter();
    let seconds: f64 = stages.map(|stage| stage["seconds"].as_f64().unwrap()).sum();
    let whole = report["prove_seconds"].as_f64().unwrap();
    assert!(0.5 * whole < seconds && seconds < 1.01 * whole, "stages of {seconds} s: {report}");
    assert_eq!(report["device"], "cpu");
    assert_eq!(report["argmax_matches"], true);
    let expected = &samples("digits_cnn")["samples"][0]["outputs"][0];
    let pairs =
        report["float_output"][0].as_array().unwrap().iter().zip(expected.as_array().unwrap());
    for (ours, theirs) in pairs {
        assert!((ours.as_f64().unwrap() - theirs.as_f64().unwrap()).abs() < 1e-3);
    }
    workplace.json(0, &[VERIFY, ALLOW].concat());
}

#[test]
fn a_proof_meets_every_right_expectation() {
    let workplace = proved();
    let claimed = workplace.json(0, &[VERIFY, ALLOW].concat());
    let output = serde_json::json!({ "input_data": claimed["output"] });
    fs::write(workplace.path("output.json"), output.to_string()).unwrap();
    let files = ["--expect-input", "input.json", "--expect-output", "output.json"];
    let report = workplace.json(0, &[VERIFY, ALLOW, JOB, &files].concat());
    assert_eq!(report["accepted"], true);
    assert_eq!(report["job"]["payee"], PAYEE[2..]);
    assert_eq!(report["job"]["job"], JOB_ID[2..]);
}

#[test]
fn the_insecure_srs_must_be_allowed_by_name() {
    rejected(proved(), &[], "insecure development SRS");
}

#[test]
fn another_job_is_rejected() {
    let wrong = [
        (["--payee", "0x00112233445566778899aabbccddeeff00112234"], "payee"),
        (["--job", "0x0102030405060708090a0b0c0d0e0f100102030405060708090a0b0c0d0e0f11"], "job"),
        (["--chain", "1"], "chain"),
        (["--expiry", "1900000001"], "expiry"),
        (["--nonce", "8"], "nonce"),
    ];
    for (args, why) in wrong {
        rejected(proved(), &[ALLOW, &args].concat(), why);
    }
}

#[test]
fn another_input_or_output_is_rejected() {
    let workplace = proved();
    workplace.write_input("other.json", "digits_mlp", 1);
    rejected(workplace, &[ALLOW, &["--expect-input", "other.json"]].concat(), "input");
    let mut output = workplace.json(0, &[VERIFY, ALLOW].concat())["output"].take();
    let scale = output[0][0].as_f64().unwrap() * 0.01;
    output[0][0] = (output[0][0].as_f64().unwrap() - scale).into();
    let wrong = serde_json::json!({ "input_data": output });
    fs::write(workplace.path("wrong.json"), wrong.to_string()).unwrap();
    rejected(workplace, &[ALLOW, &["--expect-output", "wrong.json"]].concat(), "output");
}

/// A folder with the proof changed as a submitter may change it.
fn forged(change: impl FnOnce(&mut Value)) -> Workplace {
    let workplace = Workplace::new();
    workplace.copy_from(proved(), "model.zkvk");
    let text = damaged(&proved().read("model.zkproof"), change);
    fs::write(workplace.path("model.zkproof"), text).unwrap();
    workplace
}

#[test]
fn a_changed_proof_is_rejected() {
    let forged = forged(|file| {
        let proof = file["proof"].as_str().unwrap();
        let last = if proof.ends_with('0') { "1" } else { "0" };
        file["proof"] = format!("{}{last}", &proof[..proof.len() - 1]).into();
    });
    rejected(&forged, ALLOW, "");
}

#[test]
fn a_changed_claim_is_rejected() {
    let stolen = forged(|file| file["claim"]["binding"]["payee"] = "ff".repeat(20).into());
    rejected(&stolen, ALLOW, "pairing");
    let other_output = forged(|file| {
        let first = file["claim"]["output"][0].as_i64().unwrap();
        file["claim"]["output"][0] = (if first > 0 { first - 1 } else { first + 1 }).into();
    });
    rejected(&other_output, ALLOW, "pairing");
    let other_key = forged(|file| file["key"] = "ab".repeat(32).into());
    rejected(&other_key, ALLOW, "key");
}

#[test]
fn a_truncated_proof_is_rejected() {
    let short = forged(|file| {
        let proof = file["proof"].as_str().unwrap();
        file["proof"] = proof[..proof.len() - 64].into();
    });
    rejected(&short, ALLOW, "bytes");
}

#[test]
fn what_is_no_proof_or_key_is_an_error_that_names_it() {
    let workplace = Workplace::new();
    workplace.copy_from(proved(), "model.zkvk");
    workplace.copy_from(proved(), "model.zkproof");
    fs::write(workplace.path("garbage"), [0xff; 100]).unwrap();
    fs::write(workplace.path("empty"), "").unwrap();
    for file in ["garbage", "empty"] {
        workplace.fails(&["verify", file, "--key", "model.zkvk"], &[file, "not a proof file"]);
        workplace.fails(&["verify", "model.zkproof", "--key", file], &[file, "verifying key"]);
    }
    workplace.fails(&["verify", "missing", "--key", "model.zkvk"], &["missing"]);
    let unknown = workplace.read("model.zkproof").replacen('{', "{\"x\":1,", 1);
    fs::write(workplace.path("unknown"), unknown).unwrap();
    workplace.fails(&["verify", "unknown", "--key", "model.zkvk"], &["not a proof file"]);
}

#[test]
fn later_inputs_are_proved_under_the_same_key() {
    let workplace = Workplace::with_model("cancer_mlp");
    let setup = workplace.json(0, &["setup", "model.onnx", "--input", "input.json"]);
    assert_eq!(setup["reused"], false);
    let key = workplace.read_bytes("model.zkvk");
    workplace.write_input("other.json", "cancer_mlp", 1);
    for input in ["input.json", "other.json"] {
        let report = workplace.json(0, &["prove", "model.onnx", "--input", input]);
        assert_eq!(report["key_reused"], true);
        assert_eq!(report["key_digest"], setup["key_digest"]);
        workplace.json(0, &[VERIFY, ALLOW, &["--expect-input", input]].concat());
    }
    assert_eq!(workplace.read_bytes("model.zkvk"), key);
    // Another precision is another key, which must not slip into the old one's place.
    let args = ["prove", "model.onnx", "--input", "input.json", "--activation-bits", "10"];
    workplace.fails(&args, &["model.zkvk", "other settings"]);
    assert_eq!(workplace.read_bytes("model.zkvk"), key);
}

#[test]
fn the_key_of_another_model_is_refused() {
    let workplace = Workplace::with_model("cancer_mlp");
    workplace.copy_from(proved(), "model.zkvk");
    let prove = ["prove", "model.onnx", "--input", "input.json"];
    workplace.fails(&prove, &["model.zkvk", "another model"]);
    workplace.copy_from(proved(), "model.zkinfer.json");
    workplace.fails(&prove, &["model.zkinfer.json", "another model"]);
}

#[test]
fn a_plan_for_something_else_has_another_key_and_is_remembered() {
    let workplace = Workplace::with_model("digits_mlp");
    let balanced = workplace.json(0, &["quote", "model.onnx", "--input", "input.json"]);
    let setup = |aim| ["setup", "model.onnx", "--input", "input.json", "--optimize", aim];
    workplace.json(0, &setup("proof"));
    let short = workplace.json(0, &["prove", "model.onnx", "--input", "input.json"]);
    assert_eq!(short["key_reused"], true, "the settings say how to plan");
    let bytes = |report: &serde_json::Value| report["proof_bytes"].as_u64().unwrap();
    assert!(bytes(&short) < bytes(&balanced), "{short} {balanced}");
    let refusal = workplace.json(2, &setup("time"));
    assert!(refusal["error"].as_str().unwrap().contains("--optimize"), "{refusal}");
    let both = ["quote", "model.onnx", "--settings", "model.zkinfer.json", "--optimize", "gas"];
    workplace.fails(&both, &["--settings", "--optimize"]);
}
