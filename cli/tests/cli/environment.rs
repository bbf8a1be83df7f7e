//! The environment says where files lie; it never changes what is proven.

use std::{fs, path::Path, process::Command};

use crate::support::Workplace;

fn setup(workplace: &Workplace, key: &str, environment: &[(&str, &str)]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_zkinfer"))
        .args(["setup", "model.onnx", "--input", "input.json", "-o", key])
        .current_dir(workplace.path("."))
        .env("ZKINFER_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_variable_that_would_change_the_key_is_refused() {
    let workplace = Workplace::with_model("digits_mlp");
    let (code, stderr) = setup(&workplace, "model.zkvk", &[("MAX_DEGREE", "4")]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("MAX_DEGREE") && stderr.contains("unset it"), "{stderr}");
    assert!(!workplace.path("model.zkvk").exists());
}

#[test]
fn no_other_variable_changes_the_key() {
    let workplace = Workplace::with_model("digits_mlp");
    let strange = [
        ("RAYON_NUM_THREADS", "1"),
        ("RUST_LOG", "trace"),
        ("LC_ALL", "de_DE.UTF-8"),
        ("ZKINFER_SRS", "other.srs"),
        ("ZKINFER_ACTIVATION_BITS", "4"),
        ("ZKINFER_ALLOW_INSECURE_SRS", "1"),
    ];
    for (key, environment) in [("plain.zkvk", &[][..]), ("strange.zkvk", &strange)] {
        let (code, stderr) = setup(&workplace, key, environment);
        assert_eq!(code, 0, "{stderr}");
    }
    let read = |key| fs::read(workplace.path(key)).unwrap();
    assert_eq!(read("plain.zkvk"), read("strange.zkvk"));
}
