//! Every verb, its JSON, and what it refuses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{Workplace, proved, samples};

#[test]
fn inspect_describes_a_model() {
    let workplace = Workplace::with_model("digits_cnn");
    let report = workplace.json(0, &["inspect", "model.onnx"]);
    assert_eq!(report["inputs"][0]["shape"], serde_json::json!([1, 1, 8, 8]));
    assert_eq!(report["outputs"][0]["shape"], serde_json::json!([1, 10]));
    assert!(report["weights"].as_u64().unwrap() >= 1_898);
}

#[test]
fn quote_tells_the_cost_that_prove_then_has() {
    let workplace = proved();
    let quote = workplace.json(0, &["quote", "model.onnx", "--input", "input.json"]);
    assert!(quote["k"].as_u64().unwrap() <= 12);
    for field in ["rows", "advice_columns", "estimated_prove_seconds", "estimated_memory_bytes"] {
        assert!(quote[field].as_f64().unwrap() > 0.0, "{field}");
    }
    assert!(quote["instructions"].is_string());
    let verified = ["verify", "model.zkproof", "--key", "model.zkvk", "--allow-insecure-srs"];
    assert_eq!(workplace.json(0, &verified)["proof_bytes"], quote["proof_bytes"]);
}

#[test]
fn run_is_close_to_the_float_model() {
    let workplace = Workplace::with_model("digits_mlp");
    let report = workplace.json(0, &["run", "model.onnx", "--input", "input.json"]);
    assert_eq!(report["argmax_matches"], true);
    let expected = &samples("digits_mlp")["samples"][0]["outputs"][0];
    let expected: Vec<f64> = serde_json::from_value(expected.clone()).unwrap();
    let output: Vec<f64> = serde_json::from_value(report["output"][0].clone()).unwrap();
    for (ours, theirs) in output.iter().zip(expected) {
        assert!((ours - theirs).abs() < 1.0, "{ours} for {theirs}");
    }
    assert!(!workplace.path("model.zkvk").exists());
}

#[test]
fn more_activation_bits_are_closer() {
    let workplace = Workplace::with_model("digits_mlp");
    let error = |bits: &str| {
        let args = ["run", "model.onnx", "--input", "input.json", "--activation-bits", bits];
        workplace.json(0, &args)["max_abs_error"].as_f64().unwrap()
    };
    assert!(error("12") < error("6"));
    let args = ["run", "model.onnx", "--input", "input.json", "--activation-bits", "40"];
    workplace.fails(&args, &["activation_bits", "40"]);
}

#[test]
fn usage_errors_have_exit_code_2() {
    let workplace = Workplace::new();
    for args in [
        &["frobnicate"][..],
        &["prove"],
        &["verify", "x"],
        &["prove", "x", "--input", "y", "--device", "magic"],
        &["prove", "x", "--input", "y", "--payee", "0x12"],
        &["inspect", "x", "--threads", "0"],
        &[],
    ] {
        assert_eq!(workplace.run(args).code, 2, "{args:?}");
    }
    assert_eq!(workplace.run(&["--help"]).code, 0);
    assert_eq!(workplace.run(&["--version"]).code, 0);
}

#[test]
fn what_is_no_model_or_input_is_an_error_that_names_it() {
    let workplace = Workplace::with_model("digits_mlp");
    fs::write(workplace.path("bad.onnx"), [0xff; 64]).unwrap();
    workplace.fails(&["inspect", "bad.onnx"], &["bad.onnx", "not an ONNX file"]);
    workplace.fails(&["inspect", "missing.onnx"], &["missing.onnx"]);
    fs::write(workplace.path("short.json"), r#"{"input_data": [[1.0, 2.0]]}"#).unwrap();
    workplace.fails(&["run", "model.onnx", "--input", "short.json"], &["short.json", "input"]);
    fs::write(workplace.path("bad.json"), "[").unwrap();
    workplace.fails(&["run", "model.onnx", "--input", "bad.json"], &["bad.json"]);
    workplace.fails(&["setup", "model.onnx"], &["--calibrate", "--input"]);
}

#[test]
fn misspelt_settings_are_an_error() {
    let workplace = Workplace::new();
    for file in ["model.onnx", "input.json"] {
        workplace.copy_from(proved(), file);
    }
    let settings = proved().read("model.zkinfer.json").replace("activation_bits", "activation_bit");
    fs::write(workplace.path("settings.json"), settings).unwrap();
    let args = ["run", "model.onnx", "--input", "input.json", "--settings", "settings.json"];
    workplace.fails(&args, &["settings.json", "activation_bit"]);
}

#[test]
fn folders_and_sources_are_not_overwritten() {
    let workplace = Workplace::with_model("digits_mlp");
    fs::create_dir(workplace.path("folder")).unwrap();
    let prove = |target: &str| {
        workplace.fails(&["prove", "model.onnx", "--input", "input.json", "-o", target], &[target]);
    };
    prove("folder");
    let model = workplace.read_bytes("model.onnx");
    prove("model.onnx");
    prove("./folder/../input.json");
    assert_eq!(workplace.read_bytes("model.onnx"), model);
}

#[test]
fn samples_calibrate_a_key() {
    let workplace = Workplace::with_model("digits_mlp");
    let samples =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/digits_mlp/samples.npz");
    fs::copy(samples, workplace.path("samples.npz")).unwrap();
    let args = ["setup", "model.onnx", "--calibrate", "samples.npz", "-o", "keys/digits.zkvk"];
    let setup = workplace.json(0, &args);
    assert!(setup["calibration"].as_str().unwrap().contains("samples.npz"));
    let args = ["prove", "model.onnx", "--input", "input.json", "--key", "keys/digits.zkvk"];
    let report = workplace.json(0, &args);
    assert_eq!(report["key_digest"], setup["key_digest"]);
    assert_eq!(report["key_reused"], true);
    workplace.fails(&["setup", "model.onnx", "--calibrate", "input.npz"], &["input.npz"]);
}

#[test]
fn errors_are_json_too() {
    let report = Workplace::new().json(2, &["inspect", "missing.onnx"]);
    assert!(report["error"].as_str().unwrap().contains("missing.onnx"));
}

#[test]
fn piped_output_has_no_progress_bars() {
    let workplace = Workplace::with_model("digits_mlp");
    let run = workplace.run(&["prove", "model.onnx", "--input", "input.json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains(['\u{1b}', '\r', '▕']), "{text:?}");
    }
    assert!(run.stdout.contains("INSECURE"), "{}", run.stdout);
    assert!(run.stdout.contains("srs import"), "{}", run.stdout);
    assert!(run.stdout.contains("--allow-insecure-srs"), "{}", run.stdout);
}

/// The Hermez ceremony's file for up to 2^8 rows.
fn ptau() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/powersOfTau28_hez_final_08.ptau")
}

#[test]
fn a_ceremony_is_imported_and_described() {
    let workplace = Workplace::new();
    fs::copy(ptau(), workplace.path("hez.ptau")).unwrap();
    let imported = workplace.json(0, &["srs", "import", "hez.ptau", "-o", "hez.srs"]);
    assert_eq!((&imported["name"], &imported["k"]), (&"hermez".into(), &8.into()));
    assert_eq!(imported["insecure"], false);
    let info = workplace.json(0, &["srs", "info", "hez.srs"]);
    assert_eq!(info["digest"], imported["digest"]);

    let mut bytes = fs::read(workplace.path("hez.ptau")).unwrap();
    bytes[700] ^= 1;
    fs::write(workplace.path("bad.ptau"), bytes).unwrap();
    workplace.fails(&["srs", "import", "bad.ptau"], &["bad.ptau", "not on the curve"]);
    workplace.fails(&["srs", "import", "hez.ptau", "--k", "9"], &["2^9", "2^8"]);
    assert!(!workplace.path("bad.srs").exists());
}

#[test]
fn a_ceremony_that_is_too_small_for_a_model_says_so() {
    let workplace = Workplace::with_model("mnist_lenet");
    fs::copy(ptau(), workplace.path("hez.ptau")).unwrap();
    workplace.json(0, &["srs", "import", "hez.ptau"]);
    let args = ["setup", "model.onnx", "--input", "input.json", "--srs", "hez.srs"];
    workplace.fails(&args, &["hez.srs", "2^8"]);
}

#[test]
fn a_proof_under_a_ceremony_needs_no_permission() {
    let workplace = Workplace::with_model("digits_mlp");
    fs::copy(ptau(), workplace.path("hez.ptau")).unwrap();
    workplace.json(0, &["srs", "import", "hez.ptau"]);
    let args = ["prove", "model.onnx", "--input", "input.json", "--srs", "hez.srs"];
    let report = workplace.json(0, &args);
    assert_eq!(report["srs"], "hermez");
    assert_eq!(report["insecure_srs_allowed"], false);
    workplace.json(0, &["verify", "model.zkproof", "--key", "model.zkvk"]);
    // The development SRS gives another key.
    workplace.fails(&args[..4], &["model.zkvk", "hermez", "--srs"]);
}

#[test]
fn the_development_srs_is_labelled() {
    let workplace = Workplace::new();
    let report = workplace.json(0, &["srs", "gen", "--k", "6", "-o", "dev.srs"]);
    assert_eq!(report["insecure"], true);
    let text = workplace.run(&["srs", "info", "dev.srs"]).stdout;
    assert!(text.contains("INSECURE"), "{text}");
}

/// Programs get every reason, each with its place and what to do.
#[test]
fn inspect_lists_every_refusal_for_programs() {
    let workplace = Workplace::with_model("digits_mlp");
    // Two operations that nobody knows: names of the same length keep the file whole.
    let mut bytes = workplace.read_bytes("model.onnx");
    let relu: Vec<usize> =
        (0..bytes.len() - 4).filter(|&at| &bytes[at..at + 4] == b"Relu").collect();
    for at in relu {
        if bytes[at - 2..at] == [0x22, 4] {
            bytes[at..at + 4].copy_from_slice(b"Xelu");
        }
    }
    std::fs::write(workplace.path("bad.onnx"), bytes).unwrap();
    let report = workplace.json(2, &["inspect", "bad.onnx"]);
    assert_eq!(report["provable"], false);
    let refusals = report["refusals"].as_array().unwrap();
    assert!(!refusals.is_empty(), "{report}");
    for refusal in refusals {
        assert_eq!(refusal["code"], "unsupported-operation", "{refusal}");
        assert_eq!(refusal["operation"], "Xelu", "{refusal}");
        assert!(!refusal["node"].as_str().unwrap().is_empty(), "{refusal}");
        assert!(refusal["advice"].as_str().unwrap().contains("export"), "{refusal}");
        let reason = refusal["reason"].as_str().unwrap();
        assert!(report["error"].as_str().unwrap().contains(reason), "{report}");
    }
    assert!(workplace.json(0, &["inspect", "model.onnx"])["refusals"].is_null());
}

/// Whoever names a file that is no model is told so, whatever else is wrong.
#[test]
fn a_model_that_is_none_is_told_of_before_an_input_that_is_missing() {
    let workplace = Workplace::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n";
    std::fs::write(workplace.path("model.onnx"), pointer).unwrap();
    for command in ["run", "prove", "quote", "setup"] {
        workplace.fails(&[command, "model.onnx", "--input", "none.json"], &["git", "lfs"]);
    }
}
