//! Proofs that commit to input or output, from the command line.

use serde_json::Value;

use crate::support::Workplace;

const ALLOW: &str = "--allow-insecure-srs";

/// A key that hides both sides, and an input committed to before the proof.
fn folder() -> (Workplace, String) {
    let workplace = Workplace::with_model("digits_mlp");
    let setup = ["setup", "model.onnx", "--input", "input.json", "--commit", "input,output"];
    workplace.json(0, &setup);
    let commit = ["commit", "--key", "model.zkvk", "--input", "input.json"];
    let report = workplace.json(0, &commit);
    assert_eq!(report["opening"], "input.zkopening");
    (workplace, report["commitment"].as_str().unwrap().to_owned())
}

fn prove(workplace: &Workplace, code: i32, args: &[&str]) -> Value {
    workplace.json(code, &[&["prove", "model.onnx", "--input", "input.json"], args].concat())
}

#[test]
fn a_proof_is_about_the_commitment_and_shows_nothing_else() {
    let (workplace, commitment) = folder();
    let proved = prove(&workplace, 0, &["--input-opening", "input.zkopening"]);
    assert_eq!(proved["input_commitment"], commitment.as_str());
    assert_eq!(proved["opening"], "model.zkopening");
    let text = workplace.read("model.zkproof");
    assert!(text.contains(&commitment) && !text.contains("\"input\":["), "{text}");

    let verify = |code, args: &[&str]| {
        let common = ["verify", "model.zkproof", "--key", "model.zkvk", ALLOW];
        workplace.json(code, &[&common, args].concat())
    };
    let hidden = verify(0, &["--expect-input-commitment", &commitment]);
    assert_eq!((&hidden["input"], &hidden["output"]), (&Value::Null, &Value::Null));
    assert_eq!(hidden["input_commitment"], commitment.as_str());
    let opened = verify(0, &["--opening", "model.zkopening", "--expect-input", "input.json"]);
    assert_eq!(opened["output"][0].as_array().unwrap().len(), 10);

    let other = verify(1, &["--expect-output-commitment", &commitment]);
    assert!(other["reason"].as_str().unwrap().contains("output commitment"), "{other}");
    let unopened = verify(2, &["--expect-input", "input.json"]);
    assert!(unopened["error"].as_str().unwrap().contains("--opening"), "{unopened}");
    workplace.write_input("other.json", "digits_mlp", 1);
    let wrong = verify(1, &["--opening", "model.zkopening", "--expect-input", "other.json"]);
    assert!(wrong["reason"].as_str().unwrap().contains("input commitment"), "{wrong}");
}

#[test]
fn an_opening_of_another_proof_is_refused() {
    let (workplace, _) = folder();
    prove(&workplace, 0, &["-o", "one.zkproof", "--key", "model.zkvk"]);
    prove(&workplace, 0, &["-o", "two.zkproof", "--key", "model.zkvk"]);
    let args = ["one.zkproof", "--key", "model.zkvk", ALLOW, "--opening", "two.zkopening"];
    let refused = workplace.json(1, &[&["verify"][..], &args].concat());
    assert!(refused["reason"].as_str().unwrap().contains("opening"), "{refused}");
    assert_eq!(refused["output"], Value::Null);
    let audit = workplace.json(1, &[&["audit"][..], &args].concat());
    assert_eq!(audit["claim"]["output"], Value::Null);
    let good = ["one.zkproof", "--key", "model.zkvk", ALLOW, "--opening", "one.zkopening"];
    let audit = workplace.json(0, &[&["audit"][..], &good].concat());
    assert_eq!(audit["claim"]["output"][0]["values"].as_array().unwrap().len(), 10);
}

#[test]
fn misuse_of_openings_is_explained() {
    let (workplace, _) = folder();
    workplace.write_input("other.json", "digits_mlp", 1);
    let prove = ["prove", "model.onnx", "--input", "other.json"];
    let error = |args: &[&str]| {
        let report = workplace.json(2, args);
        report["error"].as_str().unwrap().to_owned()
    };
    let other = error(&[&prove[..], &["--input-opening", "input.zkopening"]].concat());
    assert!(other.contains("another input"), "{other}");
    let again = error(&["commit", "--key", "model.zkvk", "--input", "input.json"]);
    assert!(again.contains("already there"), "{again}");
    let over = error(
        &[&prove[..], &["--input-opening", "input.zkopening", "--opening", "input.zkopening"]]
            .concat(),
    );
    assert!(over.contains("overwritten"), "{over}");
    let public = Workplace::with_model("digits_mlp");
    public.json(0, &["setup", "model.onnx", "--input", "input.json"]);
    let shown = public.json(2, &["commit", "--key", "model.zkvk", "--input", "input.json"]);
    assert!(shown["error"].as_str().unwrap().contains("show their input"), "{shown}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_an_opening() {
    use std::os::unix::fs::PermissionsExt;
    let (workplace, _) = folder();
    let mode = workplace.path("input.zkopening").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
