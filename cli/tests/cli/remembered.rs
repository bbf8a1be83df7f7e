//! What is remembered between runs: it saves time, and nothing believes it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{Run, Workplace, zoo};

const CEREMONY: &str = "ceremony.ptau";

/// digits_mlp with keys under a ceremony and under the development setup, each used twice, so that
/// everything is remembered in a cache of its own.
fn workplace() -> Workplace {
    let workplace = Workplace::with_model("digits_mlp");
    let ceremony = zoo("powersOfTau28_hez_final_08.ptau");
    fs::copy(ceremony, workplace.path(CEREMONY)).unwrap();
    for _ in 0..2 {
        assert_eq!(prove(&workplace, true).stderr.matches("warning").count(), 0);
        assert_eq!(prove(&workplace, false).stderr.matches("warning").count(), 0);
    }
    workplace
}

fn prove(workplace: &Workplace, real: bool) -> Run {
    let args = ["prove", "model.onnx", "--input", "input.json"];
    let args = match real {
        true => {
            [&args[..], &["--key", "real.zkvk", "-o", "real.zkproof", "--srs", CEREMONY]].concat()
        }
        false => [&args[..], &["--key", "dev.zkvk", "-o", "dev.zkproof"]].concat(),
    };
    let run = workplace.run_with_cache(&args, &workplace.path("cache"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    run
}

fn verifies(workplace: &Workplace) {
    workplace.json(0, &["verify", "real.zkproof", "--key", "real.zkvk"]);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.collect();
    files.sort();
    files
}

#[test]
fn what_was_remembered_wrongly_is_found_by_the_closing_check_and_made_anew() {
    let workplace = workplace();
    let tables = files(&workplace.path("cache/multiples"));
    let [one, other] = &tables[..] else { panic!("{tables:?}") };
    // Tables of another SRS, whole and undamaged.
    let (first, second) = (fs::read(one).unwrap(), fs::read(other).unwrap());
    assert_eq!(first.len(), second.len());
    fs::write(one, &second).unwrap();
    fs::write(other, &first).unwrap();
    for real in [true, false] {
        let run = prove(&workplace, real);
        assert!(run.stderr.contains("was wrong, and has been removed"), "{}", run.stderr);
        assert!(run.stderr.contains("the keys are made anew"), "{}", run.stderr);
        assert!(!prove(&workplace, real).stderr.contains("warning"));
    }
    verifies(&workplace);
    assert_eq!((fs::read(one).unwrap(), fs::read(other).unwrap()), (first, second));
}

#[test]
fn what_is_damaged_is_made_again_without_a_word() {
    let workplace = workplace();
    for part in ["multiples", "keys"] {
        for path in files(&workplace.path("cache").join(part)) {
            let bytes = fs::read(&path).unwrap();
            for damaged in [
                Vec::new(),
                bytes[..bytes.len() / 2].to_vec(),
                [&bytes[..], &bytes].concat(),
                bytes.iter().map(|byte| byte ^ 1).collect(),
            ] {
                fs::write(&path, damaged).unwrap();
                for real in [true, false] {
                    assert!(!prove(&workplace, real).stderr.contains("warning"));
                }
            }
            assert_eq!(fs::read(&path).unwrap(), bytes, "{}", path.display());
        }
    }
    verifies(&workplace);
}

/// The SRS is read from the cache, but another file than the key's is still refused.
#[test]
fn another_ceremony_than_the_keys_is_refused_although_all_is_remembered() {
    let workplace = workplace();
    let args =
        ["prove", "model.onnx", "--input", "input.json", "--key", "dev.zkvk", "--srs", CEREMONY];
    let run = workplace.run_with_cache(&args, &workplace.path("cache"));
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("it is under the SRS insecure-dev, not hermez"), "{}", run.stderr);
    fs::write(workplace.path("cut.ptau"), &workplace.read_bytes(CEREMONY)[..100]).unwrap();
    let args =
        ["prove", "model.onnx", "--input", "input.json", "--key", "real.zkvk", "--srs", "cut.ptau"];
    let run = workplace.run_with_cache(&args, &workplace.path("cache"));
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("cut.ptau"), "{}", run.stderr);
}
