//! Where keys are found and made, what gets into them, and two runs at once.

use std::{fs, path::Path, process::Child};

use crate::support::{JOB, Workplace, zoo};

const ALLOW: &str = "--allow-insecure-srs";
const PROVE: [&str; 4] = ["prove", "model.onnx", "--input", "input.json"];
const SAMPLED: [&str; 4] = ["setup", "model.onnx", "--calibrate", "samples.npz"];

/// digits_mlp with an input and its samples.
fn workplace() -> Workplace {
    let workplace = Workplace::with_model("digits_mlp");
    fs::copy(zoo("digits_mlp").join("samples.npz"), workplace.path("samples.npz")).unwrap();
    workplace
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_key_beside_the_model_is_used_wherever_the_proof_goes() {
    let workplace = workplace();
    let setup = workplace.json(0, &SAMPLED);
    for proof in ["job1.zkproof", "out/job2.zkproof"] {
        let report = workplace.json(0, &[&PROVE, &["-o", proof][..]].concat());
        assert_eq!(report["key_digest"], setup["key_digest"]);
        assert_eq!((&report["key"], &report["key_reused"]), (&"model.zkvk".into(), &true.into()));
        workplace.json(0, &["verify", proof, "--key", "model.zkvk", ALLOW]);
    }
    assert_eq!(files(&workplace.path("out")), ["job2.zkproof"]);
}

#[test]
fn a_key_that_prove_makes_is_announced() {
    let workplace = workplace();
    let first = workplace.run(&[&PROVE, &["-o", "out/job1.zkproof"][..]].concat());
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(first.stderr.contains("NEW KEY") && first.stderr.contains("model.zkvk"));
    assert!(workplace.path("model.zkvk").exists(), "beside the model, not beside the proof");
    let second = workplace.run(&[&PROVE, &["-o", "out/job2.zkproof"][..]].concat());
    assert!(second.code == 0 && !second.stderr.contains("NEW KEY"), "{}", second.stderr);
    workplace
        .json(0, &["verify", "out/job1.zkproof", "out/job2.zkproof", "--key", "model.zkvk", ALLOW]);
}

#[test]
fn no_name_of_a_file_or_folder_gets_into_a_key() {
    let digest = |folder: &str, file: &str, args: &[&str]| {
        let workplace = workplace();
        fs::create_dir(workplace.path(folder)).unwrap();
        let (model, samples) = (format!("{folder}/{file}"), format!("{folder}/{file}.npz"));
        fs::rename(workplace.path("model.onnx"), workplace.path(&model)).unwrap();
        fs::rename(workplace.path("samples.npz"), workplace.path(&samples)).unwrap();
        let setup = ["setup", &model, "--calibrate", &samples, "-o", "here.zkvk"];
        let report = workplace.json(0, &[&setup, args].concat());
        let key = workplace.read_bytes("here.zkvk");
        let named = |part: &str| key.windows(part.len()).any(|bytes| bytes == part.as_bytes());
        assert!(!named(folder) && !named(file));
        report["key_digest"].as_str().unwrap().to_owned()
    };
    let digests =
        [digest("client_acme", "model.onnx", &[]), digest("elsewhere", "renamed.onnx", &[])];
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digest("client_acme", "model.onnx", &["--name", "digits"]), digests[0]);
}

#[test]
fn a_label_is_what_was_asked_for_and_nothing_else_changes_it() {
    let workplace = workplace();
    let setup = workplace.json(0, &[&SAMPLED, &["--name", "digits v2"][..]].concat());
    assert_eq!(setup["model"], "digits v2");
    let report = workplace.json(0, &PROVE);
    assert_eq!((&report["model"], &report["key_reused"]), (&"digits v2".into(), &true.into()));
    workplace.fails(&SAMPLED, &["model.zkvk", "`digits v2`", "--name"]);
    let label = ["--name", "a\u{1b}[31m", "-o", "other.zkvk"];
    workplace.fails(&[&SAMPLED, &label[..]].concat(), &["control character"]);
}

#[test]
fn settings_of_another_key_are_not_overwritten() {
    let workplace = workplace();
    workplace.json(0, &SAMPLED);
    let settings = workplace.read("model.zkinfer.json");
    fs::remove_file(workplace.path("model.zkvk")).unwrap();
    let other = ["setup", "model.onnx", "--input", "input.json", "--activation-bits", "10"];
    workplace.fails(&other, &["model.zkinfer.json", "other settings", "another place"]);
    assert_eq!(workplace.read("model.zkinfer.json"), settings);
    assert!(!workplace.path("model.zkvk").exists());
    // From the settings that are there comes the key that was.
    workplace.json(0, &PROVE);
}

#[test]
fn lost_settings_are_written_again_beside_their_key() {
    let workplace = workplace();
    workplace.json(0, &SAMPLED);
    let settings = workplace.read("model.zkinfer.json");
    fs::remove_file(workplace.path("model.zkinfer.json")).unwrap();
    assert_eq!(workplace.json(0, &SAMPLED)["reused"], true);
    assert_eq!(workplace.read("model.zkinfer.json"), settings);
}

#[test]
fn settings_of_an_earlier_format_are_refused_by_name() {
    let workplace = workplace();
    fs::write(workplace.path("model.zkinfer.json"), r#"{"format": 1, "model": "digits"}"#).unwrap();
    workplace.fails(&PROVE, &["model.zkinfer.json", "format 1", "zkinfer setup"]);
}

/// Two kinds of calibration race for one place: whoever loses is refused, and what is there fits
/// together.
#[test]
fn two_runs_at_once_leave_one_consistent_set() {
    for _ in 0..4 {
        let workplace = workplace();
        let first = [&PROVE[..], &["-o", "a.zkproof"]].concat();
        let second = ["prove", "model.onnx", "--input", "input.json", "--calibrate", "samples.npz"];
        let second = [&second[..], &["-o", "b.zkproof"]].concat();
        let runs = [&first, &second].map(|args| workplace.spawn(args));
        let codes = runs.map(|mut run: Child| run.wait().unwrap().code().unwrap());
        assert!(codes.contains(&0), "{codes:?}");
        assert!(codes.iter().all(|code| [0, 2].contains(code)), "{codes:?}");
        let key = workplace.read_bytes("model.zkvk");
        for (proof, code) in ["a.zkproof", "b.zkproof"].into_iter().zip(codes) {
            assert_eq!(workplace.path(proof).exists(), code == 0);
            if code == 0 {
                workplace.json(0, &["verify", proof, "--key", "model.zkvk", ALLOW]);
            }
        }
        // What lies there is one set: the settings give this very key.
        let again = workplace.json(0, &PROVE);
        assert_eq!(again["key_reused"], true);
        assert_eq!(workplace.read_bytes("model.zkvk"), key);
        if workplace.path("model.accuracy.json").exists() {
            let audit = ["audit", "model.zkproof", "--key", "model.zkvk", ALLOW];
            workplace.json(0, &[&audit, &["--accuracy", "model.accuracy.json"][..]].concat());
        }
    }
}

#[test]
fn many_inputs_are_proved_in_one_run() {
    let workplace = workplace();
    workplace.json(0, &SAMPLED);
    let args = ["prove", "model.onnx", "--inputs", "samples.npz", "-o", "proofs"];
    let report = workplace.json(0, &[&args, JOB].concat());
    let proofs = report["proofs"].as_array().unwrap();
    assert_eq!(proofs.len(), 20);
    assert_eq!(files(&workplace.path("proofs")).len(), 20);
    assert_eq!(proofs[0]["proof"], "proofs/samples-00.zkproof");
    // Proofs of one job are told apart.
    let nonces: Vec<_> = proofs.iter().map(|proof| proof["nonce"].as_u64().unwrap()).collect();
    assert_eq!(nonces, (7..27).collect::<Vec<u64>>());
    let paths: Vec<_> = proofs.iter().map(|proof| proof["proof"].as_str().unwrap()).collect();
    let verify = [&["verify", "--key", "model.zkvk", ALLOW, "--batch"], &paths[..]].concat();
    let list = workplace.json(0, &verify);
    assert_eq!(list[0]["job"]["payee"], report_payee());
    let text = workplace.run(&args);
    assert!(
        text.stdout.contains("20 inputs") && text.stdout.contains("--batch"),
        "{}",
        text.stdout
    );
}

fn report_payee() -> &'static str {
    crate::support::PAYEE.trim_start_matches("0x")
}

#[test]
fn a_folder_of_inputs_gives_a_proof_a_file() {
    let workplace = workplace();
    workplace.json(0, &SAMPLED);
    fs::create_dir(workplace.path("jobs")).unwrap();
    fs::write(workplace.path("jobs/.hidden"), "not an input").unwrap();
    workplace.fails(&["prove", "model.onnx", "--inputs", "jobs"], &["jobs", "no inputs"]);
    for index in 0..3 {
        workplace.write_input(&format!("jobs/client{index}.json"), "digits_mlp", index);
    }
    let report = workplace.json(0, &["prove", "model.onnx", "--inputs", "jobs"]);
    assert_eq!(report["folder"], "model.proofs");
    let expected = ["client0.zkproof", "client1.zkproof", "client2.zkproof"];
    assert_eq!(files(&workplace.path("model.proofs")), expected);
    for (index, proof) in expected.iter().enumerate() {
        let (proof, input) = (format!("model.proofs/{proof}"), format!("jobs/client{index}.json"));
        let args = ["verify", &proof, "--key", "model.zkvk", ALLOW, "--expect-input", &input];
        workplace.json(0, &args);
    }
    fs::copy(workplace.path("jobs/client1.json"), workplace.path("jobs/client1.npz")).unwrap();
    fs::write(workplace.path("jobs/client9.json"), "[]").unwrap();
    workplace.fails(&["prove", "model.onnx", "--inputs", "jobs"], &["jobs/client1"]);
}

#[test]
fn one_input_or_many_but_not_both() {
    let workplace = workplace();
    let both = ["prove", "model.onnx", "--input", "input.json", "--inputs", "samples.npz"];
    workplace.fails(&both, &["--input", "cannot be used with"]);
    workplace.fails(&["prove", "model.onnx"], &["--input", "--inputs"]);
    let opening = ["prove", "model.onnx", "--inputs", "samples.npz", "--input-opening", "x"];
    workplace.fails(&opening, &["--input-opening"]);
    fs::write(workplace.path("taken"), "").unwrap();
    let args = ["prove", "model.onnx", "--inputs", "samples.npz", "-o", "taken"];
    workplace.fails(&args, &["taken", "no folder"]);
}

/// Without a key, many inputs are samples too.
#[test]
fn many_inputs_calibrate_a_first_key() {
    let workplace = workplace();
    let run = workplace.run(&["prove", "model.onnx", "--inputs", "samples.npz"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("NEW KEY") && run.stderr.contains("20 inputs"), "{}", run.stderr);
}
