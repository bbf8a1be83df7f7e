//! Verifying several proofs at once, and every kind of expectation.

use std::fs;

use serde_json::Value;

use crate::support::{JOB, Workplace, damaged, proved};

const KEY: &[&str] = &["--key", "model.zkvk", "--allow-insecure-srs"];
const ALL: [&str; 3] = ["good.zkproof", "bad.zkproof", "model.zkproof"];

/// Two good proofs, and one whose claim was changed.
fn folder() -> Workplace {
    let workplace = Workplace::new();
    for file in ["model.onnx", "model.zkvk", "model.zkinfer.json", "model.zkproof"] {
        workplace.copy_from(proved(), file);
    }
    workplace.write_input("other.json", "digits_mlp", 1);
    let args = ["prove", "model.onnx", "--input", "other.json", "-o", "good.zkproof"];
    workplace.json(0, &[&args, &["--key", "model.zkvk"][..], JOB].concat());
    let bad = damaged(&workplace.read("model.zkproof"), |file| {
        file["claim"]["binding"]["payee"] = "ff".repeat(20).into();
    });
    fs::write(workplace.path("bad.zkproof"), bad).unwrap();
    workplace
}

fn verify(workplace: &Workplace, code: i32, files: &[&str], args: &[&str]) -> Value {
    workplace.json(code, &[&["verify"], files, KEY, args].concat())
}

#[test]
fn one_bad_proof_among_many_is_named() {
    let workplace = folder();
    for batch in [&[][..], &["--batch"]] {
        let list = verify(&workplace, 1, &ALL, batch);
        let of = |index: usize| (list[index]["file"].as_str(), list[index]["accepted"].as_bool());
        let expected = [true, false, true].map(Some);
        for (index, (file, accepted)) in ALL.into_iter().zip(expected).enumerate() {
            assert_eq!(of(index), (Some(file), accepted), "{batch:?}");
        }
        assert!(list[1]["reason"].as_str().unwrap().contains("pairing"), "{list}");
        assert_eq!(verify(&workplace, 0, &[ALL[0], ALL[2]], batch).as_array().unwrap().len(), 2);
        let text = workplace.run(&[&["verify"], &ALL[..], KEY, batch].concat());
        assert_eq!(text.code, 1);
        let lines: Vec<_> = text.stdout.lines().collect();
        assert_eq!(lines.len(), 4, "{}", text.stdout);
        assert!(lines[1].starts_with("bad.zkproof: REJECTED"), "{}", text.stdout);
        assert!(lines[3].starts_with("2 of 3") && lines[3].contains("INSECURE"));
    }
}

#[test]
fn a_batch_meets_expectations_too() {
    let workplace = folder();
    let good = [ALL[0], ALL[2]];
    let expected = ["--batch", "--expect-input", "other.json"];
    let list = verify(&workplace, 1, &good, &expected);
    assert_eq!((&list[0]["accepted"], &list[1]["accepted"]), (&true.into(), &false.into()));
    assert!(list[1]["reason"].as_str().unwrap().contains("input"), "{list}");
    let nobody = ["--batch", "--payee", &"ab".repeat(20)];
    let list = verify(&workplace, 1, &good, &nobody);
    assert!(list.as_array().unwrap().iter().all(|item| item["accepted"] == false));
    let strict = ["verify", ALL[0], ALL[2], "--key", "model.zkvk", "--batch"];
    let list = workplace.json(1, &strict);
    assert!(list[1]["reason"].as_str().unwrap().contains("--allow-insecure-srs"), "{list}");
}

#[test]
fn one_file_in_a_batch_gives_one_object() {
    let alone = verify(proved(), 0, &["model.zkproof"], &[]);
    let batch = verify(proved(), 0, &["model.zkproof"], &["--batch"]);
    let names = |report: &Value| report.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&alone), names(&batch));
    assert!(alone.get("file").is_none());
}

#[test]
fn an_unreadable_file_among_many_is_an_error_that_names_it() {
    let workplace = folder();
    let args = [&["verify", ALL[0], "missing.zkproof"], KEY].concat();
    workplace.fails(&args, &["missing.zkproof"]);
    workplace.fails(&[&["verify"], KEY].concat(), &["PROOF"]);
}

#[test]
fn expired_proofs_and_other_models_are_rejected() {
    let rejected = |args: &[&str], why: &str| {
        let report = verify(proved(), 1, &["model.zkproof"], args);
        assert!(report["reason"].as_str().unwrap().contains(why), "{report}");
    };
    rejected(&["--valid-at", "1900000001"], "expired at 2030-03-17 17:46:40 UTC");
    rejected(&["--expect-model", &"ab".repeat(32)], "the key names the model");
    let model = verify(proved(), 0, &["model.zkproof"], &[])["model_digest"].take();
    let right = ["--valid-at", "1900000000", "--expect-model", model.as_str().unwrap()];
    verify(proved(), 0, &["model.zkproof"], &right);
    let args = [&["verify", "model.zkproof", "--valid-at", "soon"], KEY].concat();
    proved().fails(&args, &["--valid-at", "now"]);
}

/// Most readers take the last of two fields of one name; a check of money must not.
#[test]
fn an_expected_output_that_is_said_twice_is_an_error() {
    let workplace = folder();
    fs::write(workplace.path("twice.json"), r#"{"logits": [1], "logits": [2]}"#).unwrap();
    let args = [&["verify", "model.zkproof", "--expect-output", "twice.json"], KEY].concat();
    workplace.fails(&args, &["twice.json", "logits", "twice"]);
}
