//! `calibrate`: settings that meet a goal, or a refusal that tells the closest.

use std::fs;

use serde_json::Value;

use crate::support::{Workplace, zoo};

fn workplace(model: &str) -> Workplace {
    let workplace = Workplace::with_model(model);
    fs::copy(zoo(model).join("samples.npz"), workplace.path("samples.npz")).unwrap();
    workplace
}

const CALIBRATE: &[&str] = &["calibrate", "model.onnx", "--samples", "samples.npz"];

#[test]
fn the_settings_meet_the_goal_and_are_those_of_the_next_setup() {
    let workplace = workplace("digits_mlp");
    let goal = ["--target-accuracy", "100%", "--max-error", "2"];
    let found = workplace.json(0, &[CALIBRATE, &goal].concat());
    let (agreement, price) = (&found["chosen"]["agreement"], &found["chosen"]["price"]);
    assert_eq!(agreement["same_answer"], agreement["samples"]);
    assert!(agreement["max_error"].as_f64().unwrap() <= 0.02, "{agreement}");
    // No trial that meets the goal is cheaper.
    for trial in found["tried"].as_array().unwrap() {
        let met = trial["agreement"]["same_answer"] == trial["agreement"]["samples"]
            && trial["agreement"]["max_error"].as_f64().unwrap() <= 0.02;
        let seconds = |price: &Value| price["prove_seconds"].as_f64().unwrap();
        assert!(!met || seconds(&trial["price"]) >= seconds(price) * 0.999, "{trial}\n{price}");
    }
    let settings: Value = serde_json::from_str(&workplace.read("model.zkinfer.json")).unwrap();
    assert_eq!(settings["options"]["activation_bits"], found["chosen"]["bits"]);
    let made = workplace.json(0, &["setup", "model.onnx"]);
    assert!(made["calibration"].as_str().unwrap().contains("settings"), "{made}");
    assert_eq!(made["k"], price["k"]);
}

#[test]
fn a_goal_out_of_reach_names_the_closest_and_writes_nothing() {
    let workplace = workplace("digits_mlp");
    let goal = ["--max-error", "0.0000001"];
    workplace.fails(&[CALIBRATE, &goal].concat(), &["no settings of 4 to 16 bits", "closest"]);
    assert!(!workplace.path("model.zkinfer.json").exists());
    workplace.fails(CALIBRATE, &["--target-accuracy", "--max-error"]);
    workplace.fails(&[CALIBRATE, &["--target-accuracy", "101"]].concat(), &["at most 100"]);
}

#[test]
fn other_settings_are_not_overwritten() {
    let workplace = workplace("digits_mlp");
    workplace.json(0, &["setup", "model.onnx", "--calibrate", "samples.npz", "--name", "mine"]);
    let before = workplace.read("model.zkinfer.json");
    workplace.fails(&[CALIBRATE, &["--max-error", "5"]].concat(), &["holds other settings"]);
    assert_eq!(workplace.read("model.zkinfer.json"), before);
}

#[test]
fn inputs_on_a_grid_are_said_to_be_and_refused_where_they_are_not() {
    let digits = workplace("digits_mlp");
    let setup = ["setup", "model.onnx", "--calibrate", "samples.npz"];
    digits.json(0, &[&setup[..], &["--input-levels", "16"]].concat());
    digits.fails(
        &["quote", "model.onnx", "--calibrate", "samples.npz", "--input-levels", "7"],
        &["do not lie on a grid of 7 steps"],
    );
    let cancer = workplace("cancer_mlp");
    cancer.json(0, &[&setup[..], &["--input-bits", "16"]].concat());
    let settings: Value = serde_json::from_str(&cancer.read("model.zkinfer.json")).unwrap();
    assert_eq!(settings["options"]["input_bits"], 16);
}
