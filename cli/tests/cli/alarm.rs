//! The alarm: integers that do not do what the float model does are told of, or refused.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Workplace, samples};

/// A key made from one sample, and an input far beyond it.
fn out_of_range() -> Workplace {
    let workplace = Workplace::with_model("digits_mlp");
    workplace.json(0, &["setup", "model.onnx", "--input", "input.json"]);
    let pixels = samples("digits_mlp")["samples"][7]["inputs"][0].clone();
    let pixels: Vec<f64> =
        pixels.as_array().unwrap().iter().map(|x| 1.0 - 40.0 * x.as_f64().unwrap()).collect();
    fs::write(workplace.path("far.json"), json!({ "input_data": [pixels] }).to_string()).unwrap();
    workplace
}

fn kinds(report: &Value) -> Vec<&str> {
    let warnings = report["warnings"].as_array().unwrap();
    warnings.iter().map(|warning| warning["kind"].as_str().unwrap()).collect()
}

/// A proof of another number than the model's came with exit code 0 and no word on it.
#[test]
fn a_wrong_number_is_never_proven_without_a_word() {
    let workplace = out_of_range();
    for verb in ["run", "prove"] {
        let args = [verb, "model.onnx", "--input", "far.json"];
        let report = workplace.json(0, &args);
        assert!(kinds(&report).contains(&"large_error"), "{report}");
        assert!(kinds(&report).contains(&"inputs_clamped"), "{report}");
        let run = workplace.run(&args);
        assert!(run.stderr.contains("WARNING: output `logits`"), "{}", run.stderr);
        assert!(run.stderr.contains("make the key from samples"), "{}", run.stderr);
    }
}

#[test]
fn what_is_demanded_is_checked_before_anything_is_proven() {
    let workplace = out_of_range();
    let prove = ["prove", "model.onnx", "--input", "far.json", "-o", "far.zkproof"];
    for demand in [&["--max-error", "5"][..], &["--max-error", "5%", "--require-class"]] {
        workplace.fails(&[&prove, demand].concat(), &["not proven", "logits"]);
        assert!(!workplace.path("far.zkproof").exists());
    }
    let near = ["prove", "model.onnx", "--input", "input.json", "--max-error", "5"];
    let report = workplace.json(0, &[&near[..], &["--require-class"]].concat());
    assert_eq!(kinds(&report), Vec::<&str>::new());
    for wrong in [["--max-error", "much"], ["--max-error", "-1"], ["--threshold", "nan"]] {
        workplace.fails(&[&prove[..], &wrong].concat(), &wrong[..1]);
    }
}

/// Whether the importer has understood the file is seen only beside another runtime's outputs.
#[test]
fn the_exporters_outputs_are_compared_where_they_are_given() {
    let workplace = Workplace::with_model("digits_mlp");
    let sample = samples("digits_mlp")["samples"][0].clone();
    let run = |args: &[&str]| {
        workplace.json(0, &[&["run", "model.onnx", "--input", "input.json"], args].concat())
    };
    assert_eq!(run(&[])["reference"], Value::Null);
    fs::write(workplace.path("right.json"), json!({ "logits": sample["outputs"][0] }).to_string())
        .unwrap();
    let right = run(&["--reference", "right.json"]);
    assert!(right["reference"]["outputs"][0]["max_error"].as_f64().unwrap() < 1e-4, "{right}");
    let mut outputs = sample["outputs"].clone();
    outputs[0][3] = 100.0.into();
    let ezkl = json!({ "input_data": sample["inputs"], "output_data": outputs });
    fs::write(workplace.path("wrong.json"), ezkl.to_string()).unwrap();
    let told = workplace.run(&["run", "model.onnx", "--input", "wrong.json"]);
    assert!(told.stderr.contains("not the exporter's: output `logits`"), "{}", told.stderr);
}
