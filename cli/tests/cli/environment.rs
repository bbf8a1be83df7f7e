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

/// `-o /dev/null` moved a proof to that name, and the machine had no `/dev/null` any more.
#[cfg(unix)]
#[test]
fn output_takes_the_place_of_no_device_and_of_no_link() {
    use std::os::unix::fs::symlink;

    let workplace = Workplace::with_model("digits_mlp");
    let prove = ["prove", "model.onnx", "--input", "input.json", "-o"];
    symlink("/dev/null", workplace.path("device")).unwrap();
    workplace.fails(&[&prove[..], &["device"]].concat(), &["device", "a device or a pipe"]);
    assert!(workplace.path("device").is_symlink());
    fs::write(workplace.path("file.zkproof"), "old").unwrap();
    symlink("file.zkproof", workplace.path("link.zkproof")).unwrap();
    workplace.json(0, &[&prove[..], &["link.zkproof"]].concat());
    assert!(workplace.path("link.zkproof").is_symlink());
    assert!(workplace.read("file.zkproof").contains("proof"));
}
