//! Devices: what is there, what is chosen, and why something cannot be used.

#[cfg(unix)]
#[path = "../../../engine/tests/mock/mod.rs"]
mod mock;

use serde_json::Value;

use crate::support::{JOB, Workplace};

fn device<'a>(report: &'a Value, name: &str) -> &'a Value {
    let devices = report["devices"].as_array().unwrap();
    devices.iter().find(|device| device["device"] == name).unwrap()
}

#[test]
fn every_device_is_there_or_says_why_not() {
    let workplace = Workplace::new();
    let report = workplace.json(0, &["devices"]);
    assert_eq!(device(&report, "cpu")["usable"], true);
    for name in ["cpu", "cuda", "icicle"] {
        let device = device(&report, name);
        let field = if device["usable"] == true { "description" } else { "reason" };
        assert!(device[field].as_str().unwrap().len() > 10, "{device}");
    }
    let text = workplace.run(&["devices"]);
    assert_eq!(text.code, 0);
    assert!(text.stdout.starts_with("cpu     the processor, with "), "{}", text.stdout);
}

#[test]
fn a_device_that_is_not_there_is_an_error_and_no_other_device() {
    let workplace = Workplace::with_model("digits_mlp");
    let prove = ["prove", "model.onnx", "--input", "input.json", "--device", "icicle"];
    let there = ["--icicle-dir", ".", "--icicle-device", "CPU"];
    workplace.fails(&[&prove[..], &there].concat(), &["icicle", "no libicicle_device.so in ."]);
    assert!(!workplace.path("model.zkproof").exists());
}

#[cfg(unix)]
#[test]
fn a_proof_on_icicle_is_a_proof() {
    let folder = mock::folder_with(&mock::library());
    let folder = folder.path().to_str().unwrap();
    let workplace = Workplace::with_model("digits_mlp");
    let there = ["--icicle-dir", folder, "--icicle-device", "CPU"];
    let report = workplace.json(0, &[&["devices"], &there[..]].concat());
    assert_eq!(device(&report, "icicle")["description"], "ICICLE on CPU");

    let prove = ["prove", "model.onnx", "--input", "input.json", "--device", "icicle"];
    let report = workplace.json(0, &[&prove[..], &there, JOB].concat());
    assert_eq!(report["device"], "icicle");
    let usage = &report["device_usage"];
    assert!(usage["operations"].as_u64() > usage["host_operations"].as_u64(), "{usage}");
    // The processor makes the same key, and takes the file for its own.
    let prove = ["prove", "model.onnx", "--input", "input.json", "--device", "cpu"];
    let report = workplace.json(0, &[&prove[..], JOB].concat());
    assert_eq!(report["key_reused"], true);
    assert!(report.get("device_usage").is_none(), "{report}");

    let quote = ["quote", "model.onnx", "--input", "input.json"];
    let quote = workplace.json(0, &[&quote[..], &there].concat());
    assert!(device(&quote, "icicle")["estimated_prove_seconds"].as_f64().unwrap() > 0.0);
    // This one computes on the processor, slower than ours.
    let prove = ["prove", "model.onnx", "--input", "input.json"];
    let report = workplace.json(0, &[&prove[..], &there, JOB].concat());
    assert_ne!(report["device"], "icicle");
}
