//! Several inputs in one proof.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Workplace, samples};

const KEY: &[&str] = &["--key", "model.joint-3.zkvk", "--allow-insecure-srs"];
const FILES: [&str; 3] = [
    "model.proofs/inputs-0.zkproof",
    "model.proofs/inputs-1.zkproof",
    "model.proofs/inputs-2.zkproof",
];

/// The payee of the claim at this place.
fn payee(index: usize) -> String {
    format!("{index:02x}").repeat(20)
}

/// Three samples as one array, with a job for each.
fn folder() -> Workplace {
    let workplace = Workplace::with_model("digits_mlp");
    let samples = samples("digits_mlp");
    let inputs: Vec<&Value> = (0..3).map(|index| &samples["samples"][index]["inputs"][0]).collect();
    fs::write(workplace.path("inputs.json"), json!({ "input_data": inputs }).to_string()).unwrap();
    let job = |index: usize| json!({ "job": "07".repeat(32), "payee": payee(index), "expiry": 9 });
    let jobs: Vec<Value> = (0..3).map(job).collect();
    fs::write(workplace.path("jobs.json"), json!(jobs).to_string()).unwrap();
    workplace
}

fn prove(workplace: &Workplace, joint: &str) -> Value {
    let args = ["prove", "model.onnx", "--inputs", "inputs.json", "--jobs", "jobs.json"];
    workplace.json(0, &[&args[..], &["--joint", joint]].concat())
}

#[test]
fn each_of_several_inputs_in_one_proof_has_a_file_of_its_own() {
    let workplace = folder();
    let report = prove(&workplace, "3");
    for (index, file) in FILES.iter().enumerate() {
        assert_eq!(report["proofs"][index]["leaf"], index);
        let expect = ["verify", file, "--payee", &payee(index), "--opening"];
        let opening = file.replace("zkproof", "zkopening");
        let verified = workplace.json(0, &[&expect[..], &[&opening], KEY].concat());
        assert_eq!(verified["accepted"], true, "{verified}");
        assert!(verified["output"][0].is_array(), "{verified}");
        // The opening of another claim shows nothing of this one.
        let other = FILES[(index + 1) % 3].replace("zkproof", "zkopening");
        let refused = workplace.json(1, &[&["verify", file, "--opening", &other], KEY].concat());
        assert_eq!(refused["reason_codes"], json!(["opening"]));
    }
    let all = workplace.json(0, &[&["verify", "--batch"], &FILES[..], KEY].concat());
    assert_eq!(all.as_array().unwrap().len(), 3);
    // They are three claims, though their proofs are the same bytes; one that is given twice is one.
    let text = workplace.run(&[&["verify"], &FILES[..], KEY].concat()).stdout;
    assert!(text.contains("3 of 3 proofs accepted, "), "{text}");
    let text = workplace.run(&[&["verify", FILES[0]], &FILES[..], KEY].concat()).stdout;
    assert!(text.contains("4 of 4 proofs accepted (only 3 of them different)"), "{text}");
    let text = workplace.run(&["key", KEY[1]]).stdout;
    assert!(text.contains("about 3 claims, each in a file"), "{text}");
    // A second run takes the key that is there, and a claim at another place is refused.
    assert_eq!(prove(&workplace, "3")["key_reused"], true);
    let moved = workplace.read(FILES[0]).replace(r#""leaf":{"index":0"#, r#""leaf":{"index":1"#);
    fs::write(workplace.path("moved.zkproof"), moved).unwrap();
    let refused = workplace.json(1, &[&["verify", "moved.zkproof"], KEY].concat());
    assert_eq!(refused["reason_codes"], json!(["pairing"]));
}

#[test]
fn an_audit_of_a_claim_of_several_makes_its_key_again_and_shows_its_place() {
    let workplace = folder();
    prove(&workplace, "3");
    let args = ["audit", FILES[1], "--model", "model.onnx", "--html", "a.html", "--settings"];
    let (settings, payee) = (["model.joint-3.zkinfer.json", "--payee"], payee(1));
    let audit = workplace.json(0, &[&args[..], &settings, &[&payee], KEY].concat());
    assert_eq!(audit["recompiled"]["same_key"], true, "{audit}");
    let (leaf, page) = (&audit["claim"]["leaf"], workplace.read("a.html"));
    assert_eq!([&leaf["index"], &leaf["claims"]], [1, 3]);
    let root = leaf["root"].as_str().unwrap();
    assert!(page.contains("claim 1 of 3 in one proof"), "{page}");
    assert!(root.len() == 64 && page.contains(root), "{root} in {page}");
    // The files of one proof have one root, which is what goes to a chain.
    let call = |file| workplace.json(0, &["contract", "call", file, KEY[0], KEY[1]]);
    let calls = FILES.map(call);
    for (index, call) in calls.iter().enumerate() {
        assert_eq!(call["root"], format!("0x{root}"));
        assert_eq!(call["index"], index);
        for of_all in ["calldata", "prove_calldata"] {
            assert_eq!(call[of_all], calls[0][of_all]);
        }
    }
    assert_ne!(calls[0]["root_calldata"], calls[1]["root_calldata"]);
}

#[test]
fn inputs_that_fill_no_proof_are_refused() {
    let workplace = folder();
    let args = ["prove", "model.onnx", "--inputs", "inputs.json", "--joint"];
    workplace.fails(&[&args[..], &["2"]].concat(), &["3 inputs", "proofs of 2", "--joint"]);
    for wrong in ["0", "1", "-1", "5000", "x"] {
        let joint = format!("--joint={wrong}");
        let args = ["prove", "model.onnx", "--inputs", "inputs.json", &joint];
        workplace.fails(&args, &["from 2 to 4096"]);
    }
    fs::write(workplace.path("jobs.json"), r#"[{"payee": "01"}]"#).unwrap();
    let jobs = [&args[..], &["3", "--jobs", "jobs.json"]].concat();
    workplace.fails(&jobs, &["jobs.json", "1 jobs for 3 inputs"]);
    fs::write(workplace.path("jobs.json"), r#"[{"payee": "01"}, {}, {}]"#).unwrap();
    workplace.fails(&jobs, &["jobs.json", "job 0", "payee", "40 hexadecimal digits"]);
    fs::write(workplace.path("jobs.json"), r#"[{"pay": "01"}, {}, {}]"#).unwrap();
    workplace.fails(&jobs, &["jobs.json", "pay"]);
}

/// `--joint` was ignored beside `--input`, and a key of single proofs written in the place of the other;
/// `--jobs` was ignored, and the proof paid nobody.
#[test]
fn what_is_said_of_many_inputs_is_not_ignored_with_one() {
    let workplace = folder();
    let one = ["prove", "model.onnx", "--input", "input.json"];
    workplace.fails(&[&one[..], &["--joint", "3"]].concat(), &["--joint", "--input"]);
    workplace.fails(&[&one[..], &["--jobs", "jobs.json"]].concat(), &["--jobs", "--input"]);
    assert!(!workplace.path("model.joint-3.zkvk").exists());
    assert!(!workplace.path("model.zkproof").exists());
}

/// The last nonces were given twice.
#[test]
fn proofs_of_one_job_never_share_a_nonce() {
    let workplace = folder();
    let (most, last) = (u64::MAX.to_string(), (u64::MAX - 2).to_string());
    let prove = ["prove", "model.onnx", "--inputs", "inputs.json", "--nonce"];
    workplace.fails(&[&prove[..], &[&most]].concat(), &["--nonce", &most, "3 proofs"]);
    let report = workplace.json(0, &[&prove[..], &[&last]].concat());
    assert_eq!(report["proofs"][2]["nonce"], u64::MAX);
}

/// The audit of a key that says so ended in a panic.
#[test]
fn a_key_that_names_more_claims_than_there_can_be_is_refused_by_an_audit() {
    let workplace = folder();
    prove(&workplace, "3");
    let mut key = workplace.read_bytes("model.joint-3.zkvk");
    let both_hidden = [1, 1, 0, 0, 0, 3];
    let at = key.windows(6).position(|bytes| bytes == both_hidden).unwrap();
    key[at + 2..at + 6].copy_from_slice(&(1_u32 << 31).to_be_bytes());
    fs::write(workplace.path("many.zkvk"), key).unwrap();
    let settings = ["--model", "model.onnx", "--settings", "model.joint-3.zkinfer.json"];
    let audit = ["audit", FILES[0], "--key", "many.zkvk", "--allow-insecure-srs"];
    workplace.fails(&[&audit[..], &settings].concat(), &["4096 claims at most, not 2147483648"]);
}
