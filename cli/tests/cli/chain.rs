//! What is prepared for a chain, and what it would cost there.

use crate::support::Workplace;

/// A key for gas that hides both sides, with a proof.
fn hidden() -> Workplace {
    let workplace = Workplace::with_model("digits_mlp");
    let setup = ["setup", "model.onnx", "--input", "input.json", "--optimize", "gas"];
    workplace.json(0, &[&setup[..], &["--commit", "input,output"]].concat());
    workplace.json(0, &["prove", "model.onnx", "--input", "input.json"]);
    workplace
}

#[test]
fn gas_is_that_of_the_fork_and_of_the_key() {
    let workplace = hidden();
    let quote = |fork| {
        let settings = ["--settings", "model.zkinfer.json", "--evm-fork", fork];
        let report = workplace.json(0, &[&["quote", "model.onnx"][..], &settings].concat());
        assert_eq!(report["evm_fork"], fork);
        report["estimated_gas"].as_u64().unwrap()
    };
    let exported =
        workplace.json(0, &["contract", "export", "--key", "model.zkvk", "-o", "contract"]);
    assert_eq!(exported["estimated_gas_osaka"], quote("osaka"));
    assert_eq!(exported["estimated_gas_amsterdam"], quote("amsterdam"));
    assert!(quote("amsterdam") < quote("osaka") && quote("osaka") < 543_917);
    for name in ["deploy.hex", "deploy-opening.hex", "register.hex", "ZkinferOpening.json"] {
        assert!(workplace.path("contract").join(name).exists(), "{name}");
    }
    workplace.fails(&["quote", "model.onnx", "--evm-fork", "prague"], &["prague", "amsterdam"]);
}

#[test]
fn the_opening_of_an_output_is_printed_for_its_key_alone() {
    let workplace = hidden();
    let opening = ["contract", "opening", "model.zkopening", "--key"];
    let report = workplace.json(0, &[&opening[..], &["model.zkvk"]].concat());
    let text = report["opening"].as_str().unwrap();
    // Ten values, their bits, the blinding, and elements of 31 bytes.
    assert!(text.starts_with("0x000000000000000a000000"), "{text}");
    assert_eq!((text.len() / 2 - 1 - 44) % 31, 0, "{text}");
    let other = ["setup", "model.onnx", "--input", "input.json", "-o", "other.zkvk"];
    workplace.json(0, &other);
    workplace.fails(&[&opening[..], &["other.zkvk"]].concat(), &["of key"]);
}
