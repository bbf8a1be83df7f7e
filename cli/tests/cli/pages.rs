//! The pages that reports can be written as.

use std::fs;

use serde_json::Value;

use crate::support::{JOB, Workplace, zoo};

const AUDIT: &[&str] = &["audit", "model.zkproof", "--key", "model.zkvk", "--html", "a.html"];

/// A page that stands alone: nothing runs in it and nothing is loaded from elsewhere.
fn page(workplace: &Workplace, name: &str) -> String {
    let page = workplace.read(name);
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    assert!(page.contains("default-src 'none'"), "no policy: {page}");
    for outside in ["<script", "http://", "https://", "url(", "onclick"] {
        assert!(!page.contains(outside), "{outside} in {page}");
    }
    page
}

fn proved(model: &str) -> Workplace {
    let workplace = Workplace::with_model(model);
    workplace.json(0, &[&["prove", "model.onnx", "--input", "input.json"], JOB].concat());
    workplace
}

#[test]
fn the_page_of_an_audit_says_what_the_text_says() {
    let workplace = proved("digits_cnn");
    let again = ["--allow-insecure-srs", "--model", "model.onnx", "--input", "input.json"];
    let report = workplace.json(0, &[AUDIT, &again].concat());
    let page = page(&workplace, "a.html");
    for word in ["Accepted", "gives this very key", "Float model", "Largest difference"] {
        assert!(page.contains(word), "{word} in {page}");
    }
    assert!(page.contains(report["claim"]["key_digest"].as_str().unwrap()));
    assert!(page.contains("INSECURE: its secret is public"), "{page}");
    let verdict = page.split("</div>").next().unwrap();
    assert!(verdict.contains("It is no evidence."), "said where it is accepted: {verdict}");
    assert!(page.contains("data:image/bmp;base64,"), "the input is a picture: {page}");
    for line in report["not_claimed"].as_array().unwrap() {
        assert!(page.contains(line.as_str().unwrap()), "{line} in {page}");
    }
}

#[test]
fn the_page_of_a_rejected_proof_names_the_check() {
    let workplace = proved("digits_mlp");
    let report = workplace.json(1, AUDIT);
    let page = page(&workplace, "a.html");
    assert!(page.contains("Rejected") && !page.contains("Accepted"), "{page}");
    let code = report["reason_codes"][0].as_str().unwrap();
    assert!(page.contains(&format!("<code>{code}</code>")), "{code} in {page}");
}

#[test]
fn costs_and_models_have_pages() {
    let workplace = Workplace::with_model("digits_cnn");
    let quote =
        workplace.json(0, &["quote", "model.onnx", "--input", "input.json", "--html", "cost.html"]);
    let cost = page(&workplace, "cost.html");
    assert!(cost.contains("Linear layers") && cost.contains("Requantization"), "{cost}");
    let used = quote["used_rows"]["linear"].as_u64().unwrap();
    assert!(used < 1000 && cost.contains(&format!("<td>{used}</td>")), "{used} in {cost}");

    // The parts of the proof are all of it.
    let parts = quote["proof_parts"].as_array().unwrap();
    let bytes = |part: &Value| part["bytes"].as_u64().unwrap();
    assert_eq!(parts.iter().map(bytes).sum::<u64>(), quote["proof_bytes"].as_u64().unwrap());
    for part in parts {
        let name = part["part"].as_str().unwrap();
        assert!(cost.contains(&format!("<td>{name}</td>")), "{name} in {cost}");
    }
    for fork in ["osaka", "amsterdam"] {
        let args = ["quote", "model.onnx", "--input", "input.json", "--evm-fork", fork];
        let quote = workplace.json(0, &args);
        let gas = |part: &Value| part[fork].as_u64().unwrap();
        let parts = quote["gas_parts"].as_array().unwrap();
        assert_eq!(Some(parts.iter().map(gas).sum::<u64>()), quote["estimated_gas"].as_u64());
    }
    assert!(cost.contains("points of the key"), "{cost}");
    // Every layer has its share of the time, and together they have all of it.
    for layer in quote["layers"].as_array().unwrap() {
        let name = layer["layer"].as_str().unwrap();
        assert!(cost.contains(&format!("<td>{name}</td>")), "{name} in {cost}");
    }

    let model = workplace.json(0, &["inspect", "model.onnx", "--html", "model.html"]);
    let graph = page(&workplace, "model.html");
    let layers = model["nodes"].as_array().unwrap();
    let inputs = model["inputs"].as_array().unwrap();
    assert_eq!(graph.matches("rx=\"6\"").count(), layers.len() + inputs.len(), "{graph}");
    assert!(graph.contains("Every operation can be proved"), "{graph}");
}

#[test]
fn the_page_of_a_calibration_shows_layers_and_trials() {
    let workplace = Workplace::with_model("digits_cnn");
    fs::copy(zoo("digits_cnn").join("samples.npz"), workplace.path("samples.npz")).unwrap();
    let calibrate = ["calibrate", "model.onnx", "--samples", "samples.npz", "--max-error", "5"];
    let run = workplace.run(&[&calibrate[..], &["--html", "model.zkinfer.json"]].concat());
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("model.zkinfer.json would be overwritten"), "{}", run.stderr);
    assert!(!workplace.path("model.zkinfer.json").exists(), "it is refused before the search");

    let found = workplace.json(0, &[&calibrate[..], &["--html", "bits.html"]].concat());
    let page = page(&workplace, "bits.html");
    let layers = found["layers"].as_array().unwrap();
    for layer in layers {
        let name = layer["layer"].as_str().unwrap();
        assert!(page.contains(&format!("<td>{name}</td>")), "{name} in {page}");
    }
    assert!(layers.iter().any(|layer| layer["rows"].as_u64() > Some(0)), "{layers:?}");
    let tried = found["tried"].as_array().unwrap();
    let drawn = |trial: &&Value| trial["agreement"]["max_error"].as_f64().unwrap() > 0.0;
    // A point for each trial, and three for the legend's kinds.
    let points = page.matches("<circle class=\"a\"").count()
        + page.matches("<circle class=\"b\"").count()
        + page.matches("<circle class=\"c\"").count();
    assert_eq!(points, tried.iter().filter(drawn).count() + 3, "{page}");
    assert!(page.contains("<strong>chosen</strong>"), "{page}");
    let again = workplace.run(&calibrate);
    assert!(again.stdout.contains("rows  layer"), "{}", again.stdout);
}

#[test]
fn a_page_does_not_replace_what_was_read() {
    let workplace = Workplace::with_model("digits_mlp");
    let before = workplace.read_bytes("model.onnx");
    let run = workplace.run(&["inspect", "model.onnx", "--html", "model.onnx"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("model.onnx would be overwritten; name another file"),
        "{}",
        run.stderr
    );
    let quote = ["quote", "model.onnx", "--input", "input.json", "--html", "./input.json"];
    let run = workplace.run(&quote);
    assert!(run.stderr.contains("would be overwritten"), "{}", run.stderr);
    assert_eq!(workplace.read_bytes("model.onnx"), before);
}

#[test]
fn a_page_that_cannot_be_written_is_an_error() {
    let workplace = Workplace::with_model("digits_mlp");
    let run = workplace.run(&["inspect", "model.onnx", "--html", "model.onnx/a.html"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("cannot write model.onnx/a.html"), "{}", run.stderr);
}
