//! A model in parts, each proven by itself.

use std::{fs, sync::OnceLock};

use serde_json::{Value, json};

use crate::{
    onnx::{Builder, int, noise},
    support::{JOB_ID, Workplace, damaged, zoo},
};

const MODEL: &str = "digits_cnn";
const MANIFEST: &str = "parts/model.zkparts";
const PROOFS: [&str; 3] = ["parts/part-0.zkproof", "parts/part-1.zkproof", "parts/part-2.zkproof"];
const VERIFY: &[&str] =
    &["verify", "--manifest", MANIFEST, "--allow-insecure-srs", "--job", JOB_ID];

/// Who proves a part.
fn payee(part: usize) -> String {
    format!("{:02x}", part + 1).repeat(20)
}

fn payees() -> String {
    [payee(0), payee(1), payee(2)].join(",")
}

/// The model in three parts.
fn split() -> Workplace {
    let workplace = Workplace::with_model(MODEL);
    let args = ["split", "model.onnx", "--parts", "3", "--input", "input.json", "-o", "parts"];
    let report = workplace.json(0, &args);
    assert_eq!(report["parts"].as_array().unwrap().len(), 3, "{report}");
    workplace
}

fn link(workplace: &Workplace, input: &str, links: &str) -> Value {
    let run = ["run", "model.onnx", "--input", input, "--manifest", MANIFEST, "--links", links];
    workplace.json(0, &run)
}

/// What proves a part with links of a folder.
fn proving(part: usize, links: &str, input: &str) -> Vec<String> {
    let mut args = vec!["prove", "model.onnx", "--manifest", MANIFEST, "--links", links];
    args.extend(["--job", JOB_ID]);
    let mut args: Vec<String> = args.into_iter().map(str::to_owned).collect();
    args.extend(["--part".to_owned(), part.to_string(), "--payee".to_owned(), payee(part)]);
    if part == 0 {
        args.extend(["--input".to_owned(), input.to_owned()]);
    }
    args
}

fn prove(workplace: &Workplace, part: usize, links: &str, more: &[&str]) -> Value {
    let args = proving(part, links, "input.json");
    let args: Vec<&str> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();
    workplace.json(0, &args)
}

/// All parts of the first input proven for a job, the last one first.
fn proven() -> &'static Workplace {
    static PROVEN: OnceLock<Workplace> = OnceLock::new();
    PROVEN.get_or_init(|| {
        let workplace = split();
        link(&workplace, "input.json", "links");
        for part in [2, 0, 1] {
            let report = prove(&workplace, part, "links", &[]);
            assert_eq!((&report["part"], &report["parts"]), (&json!(part), &json!(3)));
        }
        workplace
    })
}

fn verify(workplace: &Workplace, code: i32, more: &[&str]) -> Value {
    workplace.json(code, &[VERIFY, more].concat())
}

/// Why proofs are refused.
fn refused(workplace: &Workplace, proofs: &[&str]) -> Value {
    let report = verify(workplace, 1, proofs);
    assert_eq!((&report["accepted"], &report["output"]), (&json!(false), &Value::Null));
    report["reason_codes"].clone()
}

#[test]
fn the_proofs_of_all_parts_are_a_proof_of_the_model() {
    let workplace = proven();
    let (all, payees) = (PROOFS.to_vec(), payees());
    let split = ["split", "model.onnx", "--parts", "3", "--input", "input.json", "-o", "parts"];
    let again = workplace.json(0, &split);
    let root = again["manifest_root"].as_str().unwrap();
    let expect = ["--expect-input", "input.json", "--payees", &payees, "--expect-manifest", root];
    let report = verify(workplace, 0, &[&all[..], &expect].concat());
    assert_eq!((&report["accepted"], &report["input_compared"]), (&json!(true), &json!(true)));
    assert_eq!(report["parts"][1]["job"]["payee"], payee(1));
    // The integers of the parts are those of the whole.
    let run = workplace.json(0, &["run", "model.onnx", "--input", "input.json"]);
    let last: Value = serde_json::from_str(&workplace.read(PROOFS[2])).unwrap();
    assert_eq!(last["claim"]["output"], run["output_integers"][0], "{run}");
    assert_eq!(report["output"][0].as_array().unwrap().len(), 10);
    let text = workplace.run(&[VERIFY, &all].concat());
    assert!(text.stdout.contains("all 3 parts of the manifest"), "{}", text.stdout);
    assert!(text.stdout.contains("NOT compared"), "{}", text.stdout);
    // Whoever has the model and the settings makes the same manifest.
    let other = Workplace::with_model(MODEL);
    assert_eq!(other.json(0, &split)["manifest_root"], again["manifest_root"]);
    assert_eq!(other.read(MANIFEST), workplace.read(MANIFEST));
}

/// An audit of all parts is one of a proof: what they show, how strongly, and of which ONNX file.
#[test]
fn an_audit_of_all_parts_finds_what_they_show_and_of_which_file() {
    let workplace = proven();
    let base = ["audit", "--manifest", MANIFEST, "--allow-insecure-srs", "--job", JOB_ID];
    let audit = |code: i32, more: &[&str]| workplace.json(code, &[&base[..], more].concat());
    let report = audit(0, &PROOFS);
    assert_eq!((&report["accepted"], &report["recompiled"]), (&json!(true), &Value::Null));
    assert_eq!(report["claim"]["is_of_the_model"], false);
    assert_eq!(report["claim"]["parts"][2]["job"]["payee"], payee(2));
    let verified = verify(workplace, 0, &PROOFS);
    assert_eq!(report["claim"]["output"][0]["values"], verified["output"][0]);
    assert_eq!(report["setup"]["kind"], "insecure_development");
    let with_model = [&PROOFS[..], &["--model", "model.onnx"]].concat();
    let report = audit(0, &with_model);
    assert_eq!(report["claim"]["is_of_the_model"], true);
    assert_eq!(report["recompiled"]["same_keys"], true);
    // Another file, even one that gives the same kind of key; proofs in another order.
    let other = Workplace::with_model("digits_mlp");
    fs::copy(other.path("model.onnx"), workplace.path("other.onnx")).unwrap();
    let report = audit(1, &[&PROOFS[..], &["--model", "other.onnx"]].concat());
    assert_eq!(report["reason_codes"], json!(["recompiled-key"]));
    assert_eq!(report["claim"]["is_of_the_model"], false);
    let [first, second, third] = PROOFS;
    let report = audit(1, &[second, first, third, "--model", "model.onnx"]);
    assert_eq!(report["reason_codes"], json!(["parts-order"]));
    assert_eq!(report["claim"]["output"], Value::Null);
    let text = workplace.run(&[&base[..], &with_model].concat()).stdout;
    for words in ["ACCEPTED", "gives these very keys", "in 3 parts", "part 1 under the key"] {
        assert!(text.contains(words), "{text}");
    }
    let fails = |more: &[&str], named: &[&str]| workplace.fails(more, named);
    fails(&[&base[..], &PROOFS, &["--activation-bits", "8"]].concat(), &["--activation-bits"]);
    fails(&[&base[..], &PROOFS, &["--srs", "x.ptau"]].concat(), &["--srs", "--model"]);
    let key = ["audit", first, second, "--key", "parts/part-0.zkvk"];
    fails(&key, &["one proof", "--manifest"]);
}

/// Keys on a ceremony are not made again without its file, and nothing is said against their maker.
#[test]
fn an_audit_of_all_parts_decides_nothing_without_the_ceremony() {
    let workplace = Workplace::with_model("digits_mlp");
    fs::copy(zoo("powersOfTau28_hez_final_08.ptau"), workplace.path("hez.ptau")).unwrap();
    let samples = zoo("digits_mlp").join("samples.npz");
    let split = ["split", "model.onnx", "--parts", "2", "--calibrate", samples.to_str().unwrap()];
    workplace.json(0, &[&split[..], &["--srs", "hez.ptau", "-o", "parts"]].concat());
    link(&workplace, "input.json", "links");
    for part in [0, 1] {
        prove(&workplace, part, "links", &["--srs", "hez.ptau"]);
    }
    let audit = ["audit", "--manifest", MANIFEST, "--job", JOB_ID, "--model", "model.onnx"];
    let audit = [&audit[..], &["parts/part-0.zkproof", "parts/part-1.zkproof"]].concat();
    let report = workplace.json(2, &audit);
    assert_eq!((&report["accepted"], &report["reasons"]), (&json!(false), &json!([])));
    assert!(report["missing"].as_str().unwrap().contains("--srs FILE"), "{report}");
    assert_eq!(report["recompiled"], Value::Null);
    let told = workplace.run(&audit);
    assert!(told.stdout.starts_with("NOT DECIDED"), "{}", told.stdout);
    let report = workplace.json(0, &[&audit[..], &["--srs", "hez.ptau"]].concat());
    assert_eq!(report["recompiled"]["same_keys"], true);
}

/// The page of all parts says what the text says.
#[test]
fn an_audit_of_all_parts_is_a_page_too() {
    let workplace = proven();
    let base = ["audit", "--manifest", MANIFEST, "--allow-insecure-srs", "--job", JOB_ID];
    let page = |name: &str, code: i32, more: &[&str]| {
        let page = [&base[..], more, &["--html", name]].concat();
        workplace.json(code, &page);
        workplace.read(name)
    };
    let accepted = page("parts.html", 0, &[&PROOFS[..], &["--model", "model.onnx"]].concat());
    for words in ["Accepted", "gives these very keys", "Part 2", &payee(1), "INSECURE"] {
        assert!(accepted.contains(words), "{words} is not in the page");
    }
    let [first, second, third] = PROOFS;
    let refused = page("refused.html", 1, &[second, first, third]);
    assert!(refused.contains("Rejected") && refused.contains("parts-order"));
    let over = [&base[..], &PROOFS, &["--html", PROOFS[0]]].concat();
    workplace.fails(&over, &[PROOFS[0]]);
}

/// A report is that of all parts, or of none of them.
#[test]
fn an_audit_of_all_parts_compares_the_accuracy_report() {
    let workplace = Workplace::with_model(MODEL);
    let samples = zoo(MODEL).join("samples.npz");
    let split = ["split", "model.onnx", "--parts", "2", "--calibrate", samples.to_str().unwrap()];
    workplace.json(0, &[&split[..], &["-o", "parts"]].concat());
    link(&workplace, "input.json", "links");
    for part in [0, 1] {
        prove(&workplace, part, "links", &[]);
    }
    let base = ["audit", "--manifest", MANIFEST, "--allow-insecure-srs", "--job", JOB_ID];
    let audit = |code: i32, report: &str| {
        let proofs = ["parts/part-0.zkproof", "parts/part-1.zkproof", "--accuracy", report];
        workplace.json(code, &[&base[..], &proofs].concat())
    };
    let found = audit(0, "parts/part-1.accuracy.json");
    assert_eq!(found["accuracy"]["measured"], false);
    assert_eq!(found["accuracy"]["fault"], Value::Null);
    assert_eq!(found["accuracy"]["bound"].as_str().map(str::len), Some(64), "{found}");
    let other = damaged(&workplace.read("parts/part-0.accuracy.json"), |report| {
        report["calibration_digest"] = "00".repeat(32).into();
    });
    fs::write(workplace.path("other.json"), other).unwrap();
    assert_eq!(audit(1, "other.json")["reason_codes"], json!(["accuracy-report"]));
}

/// A recurrent cell whose steps are cut apart: every part by a command of its own.
#[test]
fn a_recurrent_network_is_split_proven_and_verified_by_commands() {
    let workplace = Workplace::new();
    let model = Builder::new(22).input("x", &[5, 1, 4]).random("w", &[1, 24, 4]);
    let model = model.random("r", &[1, 24, 6]).random("b", &[1, 48]);
    let attributes = [int("hidden_size", 6)];
    let model = model.node("LSTM", &["x", "w", "r", "b"], &["y", "last"], &attributes);
    fs::write(workplace.path("model.onnx"), model.output("last").bytes()).unwrap();
    let input = json!({ "input_data": [noise("x", 20)] });
    fs::write(workplace.path("input.json"), input.to_string()).unwrap();
    let split = ["split", "model.onnx", "--parts", "3", "--input", "input.json", "-o", "parts"];
    workplace.json(0, &split);
    link(&workplace, "input.json", "links");
    for part in [1, 2, 0] {
        prove(&workplace, part, "links", &[]);
    }
    let report = verify(&workplace, 0, &[&PROOFS[..], &["--payees", &payees()]].concat());
    let run = workplace.json(0, &["run", "model.onnx", "--input", "input.json"]);
    let last: Value = serde_json::from_str(&workplace.read(PROOFS[2])).unwrap();
    assert_eq!(last["claim"]["output"], run["output_integers"][0], "{run}");
    assert_eq!(report["output"][0].as_array().unwrap().len(), 6);
    let [first, second, third] = PROOFS;
    assert_eq!(refused(&workplace, &[first, third, second]), json!(["parts-order"]));
}

#[test]
fn another_set_than_all_parts_in_order_is_refused_by_name() {
    let workplace = proven();
    let [first, second, third] = PROOFS;
    assert_eq!(refused(workplace, &[first, second]), json!(["parts-missing"]));
    assert_eq!(refused(workplace, &[first, second, second, third]), json!(["parts-repeated"]));
    assert_eq!(refused(workplace, &[second, first, third]), json!(["parts-order"]));
    let payees = [payee(0), payee(2), payee(1)].join(",");
    let others = [first, second, third, "--payees", &payees];
    assert_eq!(refused(workplace, &others), json!(["parts-job"]));
    let fewer = [first, second, third, "--payees", &payee(0)];
    assert_eq!(refused(workplace, &fewer), json!(["parts-payee-count"]));
    let all = [first, second, third];
    let job = ["verify", "--manifest", MANIFEST, "--allow-insecure-srs", "--job"];
    let report = workplace.json(1, &[&job[..], &[&"09".repeat(32)], &all].concat());
    assert_eq!(report["reason_codes"], json!(["parts-job"]));
    // Without a job, proofs for one are not accepted either.
    let report = workplace.json(1, &[&job[..4], &all].concat());
    assert_eq!(report["reason_codes"], json!(["parts-job"]));
    workplace.write_input("other.json", MODEL, 1);
    let input = [&all[..], &["--expect-input", "other.json"]].concat();
    assert_eq!(refused(workplace, &input), json!(["input"]));
    let root = [&all[..], &["--expect-manifest", JOB_ID]].concat();
    assert_eq!(refused(workplace, &root), json!(["manifest"]));
    let chain = [&all[..], &["--chain", "5"]].concat();
    assert_eq!(refused(workplace, &chain), json!(["chain"]));
    let strict = ["verify", "--manifest", MANIFEST, "--job", JOB_ID];
    let report = workplace.json(1, &[&strict[..], &all].concat());
    assert_eq!(report["reason_codes"], json!(["insecure-srs"]));
    let text = workplace.run(&[&strict[..], &all].concat());
    assert!(text.stdout.contains("pass --allow-insecure-srs"), "{}", text.stdout);
    // Its key says what it is of, and what claims say nothing of.
    for (part, boundaries) in [(0, [false, true]), (1, [true, true]), (2, [true, false])] {
        let key = format!("parts/part-{part}.zkvk");
        let report = workplace.json(0, &["key", &key]);
        let told = ["takes_boundary", "gives_boundary"].map(|side| report[side].as_bool().unwrap());
        assert_eq!(told, boundaries);
        let text = workplace.run(&["key", &key]).stdout;
        assert!(text.contains("of a part of the model"), "{text}");
        assert_eq!(text.contains("outputs are no part of claims"), boundaries[1], "{text}");
    }
    // A part alone is no proof, and a proof of another model none of a part.
    let alone = ["verify", first, "--key", "parts/part-0.zkvk", "--allow-insecure-srs"];
    assert_eq!(workplace.json(1, &alone)["reason_codes"], json!(["part"]));
    let foreign = damaged(&workplace.read(second), |file| file["key"] = "00".repeat(32).into());
    fs::write(workplace.path("foreign.zkproof"), foreign).unwrap();
    assert_eq!(refused(workplace, &[first, "foreign.zkproof", third]), json!(["parts-foreign"]));
    let lie = damaged(&workplace.read(third), |file| {
        let value = file["claim"]["output"][0].as_i64().unwrap();
        file["claim"]["output"][0] = (value - 1).into();
    });
    fs::write(workplace.path("lie.zkproof"), lie).unwrap();
    assert_eq!(refused(workplace, &[first, second, "lie.zkproof"]), json!(["pairing"]));
}

#[test]
fn a_part_of_another_input_or_run_is_refused() {
    let workplace = proven();
    workplace.write_input("second.json", MODEL, 2);
    for (input, links) in [("second.json", "links-2"), ("input.json", "links-3")] {
        link(workplace, input, links);
        prove(workplace, 1, links, &["-o", "other.zkproof"]);
        let mixed = [PROOFS[0], "other.zkproof", PROOFS[2]];
        assert_eq!(refused(workplace, &mixed), json!(["parts-link"]));
    }
    // A prover whose links are of another input is told so before it proves.
    let args = proving(0, "links-2", "input.json");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    workplace.fails(&args, &["link-0.zklink", "another input"]);
}

#[test]
fn a_link_blinds_two_proofs_of_a_part() {
    let workplace = split();
    link(&workplace, "input.json", "links");
    for _ in 0..2 {
        prove(&workplace, 2, "links", &[]);
    }
    let args = proving(2, "links", "input.json");
    let third: Vec<&str> = args.iter().map(String::as_str).collect();
    workplace.fails(&third, &["link-1.zklink", "2 proofs of part 2", "make new links"]);
    // The other side has its own.
    prove(&workplace, 1, "links", &[]);
    // Links are never written over.
    let again = ["run", "model.onnx", "--input", "input.json", "--manifest", MANIFEST, "--links"];
    let named = ["link-0.zklink", "already there", "another folder with --links"];
    workplace.fails(&[&again[..], &["links"]].concat(), &named);
    // Damaged ones, and those of other parts.
    let text = workplace.read("links/link-0.zklink");
    let edits: [(&str, String); 5] = [
        ("no link", String::new()),
        ("no link", text.replacen("\"format\":1", "\"format\":2", 1)),
        ("another place", text.replacen("\"part\":0", "\"part\":1", 1)),
        ("more or fewer values", text.replacen("\"values\":[", "\"values\":[0,", 1)),
        ("no link", text.replacen("\"blinding\":[[\"", "\"blinding\":[[\"00", 1)),
    ];
    let args = proving(1, "links", "input.json");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    for (why, edited) in edits {
        fs::write(workplace.path("links/link-0.zklink"), edited).unwrap();
        workplace.fails(&args, &["link-0.zklink", why]);
    }
    fs::remove_file(workplace.path("links/link-0.zklink")).unwrap();
    workplace.fails(&args, &["link-0.zklink", "no such link", "zkinfer run", "--links"]);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let workplace = proven();
    let base = ["prove", "model.onnx", "--manifest", MANIFEST, "--links", "links", "--part"];
    let fails = |args: &[&str], named: &[&str]| workplace.fails(args, named);
    fails(&[&base[..], &["3"]].concat(), &["no part 3", "3 parts"]);
    let beyond = "4294967297";
    fails(&[&base[..], &[beyond]].concat(), &["no part 4294967297", "3 parts"]);
    fails(&[&base[..], &["0"]].concat(), &["first part", "--input"]);
    fails(&[&base[..], &["1", "--input", "input.json"]].concat(), &["link", "no other input"]);
    fails(&[&base[..], &["1", "--commit", "output"]].concat(), &["--commit"]);
    fails(&base[..4], &["--part", "--links"]);
    fails(&["prove", "model.onnx"], &["--input"]);
    fails(&["verify", PROOFS[0]], &["--key", "--manifest"]);
    // What is expected of parts is not ignored where there are none.
    for expected in [["--payees", &payees()], ["--expect-manifest", JOB_ID]] {
        let verify = ["verify", PROOFS[0], "--key", "parts/part-0.zkvk"];
        fails(&[&verify[..], &expected].concat(), &[expected[0], "--key"]);
    }
    let part = ["prove", "model.onnx", "--input", "input.json", "--key", "k.zkvk", "--part", "0"];
    fails(&[&part[..], &["--links", "links"]].concat(), &["--key", "--part"]);
    // The setup is that of the parts' keys.
    let ceremony = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/zoo");
    let ceremony = format!("{ceremony}/powersOfTau28_hez_final_08.ptau");
    let other = [&base[..], &["1", "--srs", &ceremony]].concat();
    fails(&other, &["part-1.zkvk", "under the SRS insecure-dev, not hermez", "--srs"]);
    // Settings of a part are not those of a model.
    let settings = ["--settings", "parts/part-1.zkinfer.json", "--key", "new.zkvk"];
    let whole = ["prove", "model.onnx", "--input", "input.json"];
    fails(&[&whole[..], &settings].concat(), &["part 1 of 3"]);
    for (parts, why) in [("1", "from 2 to"), ("x", "from 2 to"), ("900", "fewer layers")] {
        let parts = format!("--parts={parts}");
        let split = ["split", "model.onnx", &parts, "--input", "input.json", "-o", "many"];
        fails(&split, &[why]);
    }
    let split =
        ["split", "model.onnx", "--parts", "2", "--input", "input.json", "-o", "model.onnx"];
    fails(&split, &["model.onnx is no folder", "manifest and the keys"]);
    // Another number of parts where some are already.
    let split = ["split", "model.onnx", "--parts", "2", "--input", "input.json", "-o", "parts"];
    let settings = workplace.read("parts/part-0.zkinfer.json");
    fails(&split, &["model.zkparts", "other parts"]);
    assert_eq!(workplace.read("parts/part-0.zkinfer.json"), settings);
    // Another model, a key at another place, a manifest in another spelling.
    let other = Workplace::with_model("digits_mlp");
    fs::create_dir(other.path("parts")).unwrap();
    for file in ["model.zkparts", "part-0.zkvk", "part-1.zkvk", "part-2.zkvk"] {
        other.copy_from(workplace, &format!("parts/{file}"));
    }
    other.copy_from(workplace, "parts/part-0.zkinfer.json");
    other.fails(&[&base[..], &["0", "--input", "input.json"]].concat(), &["ONNX file"]);
    other.copy_from(workplace, PROOFS[0]);
    fs::copy(other.path("parts/part-0.zkvk"), other.path("parts/part-1.zkvk")).unwrap();
    other.fails(&[VERIFY, &PROOFS[..1]].concat(), &["part-1.zkvk", "manifest"]);
    let spaced = workplace.read(MANIFEST).replace(':', ": ");
    fs::write(other.path(MANIFEST), spaced).unwrap();
    other.fails(&[VERIFY, &PROOFS[..1]].concat(), &["model.zkparts"]);
}

/// A contract pays for one proof, and that of a part shows nothing alone.
#[test]
fn a_part_has_no_form_on_chain() {
    let workplace = proven();
    let named = &["keys of whole models only", "verify --manifest"];
    let key = ["--key", "parts/part-1.zkvk"];
    workplace.fails(&[&["contract", "export", "-o", "sol"], &key[..]].concat(), named);
    workplace.fails(&[&["contract", "call", PROOFS[1]], &key[..]].concat(), named);
    assert!(!workplace.path("sol").exists(), "nothing is left of it");
}

/// No proof of the last part was right where claims hide the output.
#[test]
fn parts_commit_to_what_the_whole_does() {
    for sides in ["input", "output", "input,output"] {
        let workplace = Workplace::with_model("digits_mlp");
        let split = ["split", "model.onnx", "--parts", "2", "--input", "input.json", "-o", "parts"];
        workplace.json(0, &[&split[..], &["--commit", sides]].concat());
        link(&workplace, "input.json", "links");
        let reports = [0, 1].map(|part| prove(&workplace, part, "links", &[]));
        let hidden = |part: usize| reports[part]["opening"].is_string();
        let expected = ["input", "output"].map(|side| sides.contains(side));
        assert_eq!([hidden(0), hidden(1)], expected, "{sides}");
        let report = verify(&workplace, 0, &PROOFS[..2]);
        assert_eq!([&report["input"], &report["output"]].map(Value::is_null), expected, "{sides}");
    }
}
