//! The files of EZKL 23.0.5: read, or refused by name.

use std::{fs, path::PathBuf};

use crate::support::Workplace;

fn ezkl(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../bindings/python/tests/ezkl");
    folder.join(name)
}

fn workplace() -> Workplace {
    let workplace = Workplace::with_model("digits_mlp");
    for name in ["kzg.srs", "calibration.json", "public.json"] {
        fs::copy(ezkl(name), workplace.path(name)).unwrap();
    }
    workplace
}

#[test]
fn its_setup_and_samples_serve_and_the_advised_command_accepts() {
    let workplace = workplace();
    workplace.json(0, &["srs", "import", "kzg.srs", "-o", "own.srs"]);
    let setup = ["setup", "model.onnx", "--calibrate", "calibration.json", "--srs", "own.srs"];
    workplace.json(0, &setup);
    let prove = ["prove", "model.onnx", "--input", "input.json", "--srs", "own.srs"];
    for advice in [
        workplace.run(&[&prove[..], &["-o", "a.zkproof"]].concat()).stdout,
        workplace
            .run(&["prove", "model.onnx", "--input", "input.json", "--key", "dev.zkvk"])
            .stdout,
    ] {
        let command = advice.lines().last().unwrap();
        let words = command.strip_prefix("To check this proof: zkinfer ").expect(&advice);
        let run = workplace.run(&words.split(' ').collect::<Vec<_>>());
        assert_eq!(run.code, 0, "{command}: {}{}", run.stdout, run.stderr);
    }
    // Nobody has to trust that setup.
    let refused = workplace.json(1, &["verify", "a.zkproof", "--key", "model.zkvk"]);
    assert_eq!(refused["reason_codes"][0], "untrusted-srs");
}

#[test]
fn its_settings_are_none_of_ours() {
    let workplace = workplace();
    let setup = ["setup", "model.onnx", "--settings", "public.json"];
    workplace.fails(&setup, &["public.json", "settings of EZKL", "coming-from-ezkl"]);
}
