//! Answers to sealed orders, replayed by those who know the input: the buyer, and the node that can open
//! its box.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use zkinfer::{commit_to_input, verifier::Blinding, write_openings};
use zkinfer_node::{
    Dispute, DisputeError, Fault, Hex, Identity, Served, SignedAnswer, Trace, Unsealed,
};
use zkinfer_settlement::JobId;

use crate::{
    common::{Coordinator, end_of, identity},
    replay::offer,
    sealing::{HIDDEN, seal},
};

fn market(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zkinfer-market"));
    command.args(arguments).current_dir(folder).output().unwrap()
}

fn input() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/digits_mlp/input.json")
}

/// An opening of a new commitment to the input.
fn opening(folder: &Path, name: &str) -> String {
    let (_, openings) = commit_to_input(HIDDEN.key(), &input()).unwrap();
    write_openings(&openings, &folder.join(name)).unwrap();
    name.to_owned()
}

#[test]
fn a_sealed_order_is_replayed_by_its_buyer_and_by_the_node_of_the_box_alone() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&HIDDEN.config(&folder.path().join("market")));
    let url = coordinator.url.as_str();
    let node = HIDDEN.node(url, folder.path());
    let (key, model) = (HIDDEN.path("zkvk"), HIDDEN.path("onnx"));
    let (key, model) = (key.to_str().unwrap(), model.to_str().unwrap());
    let (input, seal_to) = (input(), node.identity.public_key().to_string());
    let input = input.to_str().unwrap();
    let (own, other) = (opening(folder.path(), "own"), opening(folder.path(), "other"));
    let order = ["--key", key, "--input", input, "--seal-to", &seal_to, "--input-opening", &own];
    // Later than this market gives nodes for an answer.
    let order = [&order[..], &["--seconds", "86400"]].concat();
    let submitted =
        market(folder.path(), &[&["job", "submit", "--market", url], &order[..]].concat());
    let said = String::from_utf8_lossy(&submitted.stdout).into_owned();
    assert!(submitted.status.success(), "{}", String::from_utf8_lossy(&submitted.stderr));
    let shown: serde_json::Value = serde_json::from_str(&said).unwrap();
    let job: Hex<32> = shown["job"].as_str().unwrap().parse().unwrap();
    assert_eq!(end_of(&coordinator.client().0, JobId(job.0)).state, "settled");

    let job = job.to_string();
    let replay = ["replay", "--market", url, "--model", model, &job];
    let with = |more: &[&str]| market(folder.path(), &[&replay[..], more].concat());
    let nodes = ["--identity", "node.key"];
    for knowing in [&["--input", input, "--input-opening", &own][..], &nodes] {
        let output = with(knowing);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said, "the answer is what the model computes, step by step\n");
        assert!(output.status.success());
    }
    Identity::load_or_create(&folder.path().join("stranger.key")).unwrap();
    let refused: [(&[&str], &str); 5] = [
        (&["--input", input], "name what opens it with --input-opening"),
        (&["--input", input, "--input-opening", &other], "the input is not that of the order"),
        (&["--input", input, "--input-opening", "none"], "cannot read none"),
        (&["--identity", "stranger.key"], "has no box for this key"),
        (&["--identity", "nobody.key"], "nobody.key"),
    ];
    for (arguments, named) in refused {
        let output = with(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(named), "{said}");
    }
    assert!(!folder.path().join("nobody.key").exists(), "nobody becomes a node by asking");
    node.stop();
}

/// What is shown of it then is the input itself, and what opens the commitment.
#[test]
fn a_run_on_another_input_than_the_sealed_one_is_shown_and_no_other() {
    let served = Served::load(&HIDDEN.path("onnx"), None).unwrap();
    let (buyer, node, sealed) = (identity(1), identity(9), HIDDEN.unsealed());
    let request = seal(&[&node], HIDDEN.order(&buyer, 7, 1, &sealed), &buyer, &sealed);
    let (graph, key) = (&served.graph, served.key());
    let offer = offer(&request);
    let answered = |values: &[i64]| {
        let run = served.run(values).unwrap();
        let trace = Trace::of(graph, &run.values);
        SignedAnswer::new(&node, &offer, run.outputs(graph).concat(), &trace)
    };
    let find = |input: &Unsealed, answer: &SignedAnswer| {
        Dispute::find(&served, &request.order, input, answer).unwrap()
    };
    assert_eq!(find(&sealed, &answered(&sealed.values)), None);
    let mut other = sealed.values.clone();
    other.reverse();
    let dispute = find(&sealed, &answered(&other)).unwrap();
    assert!(matches!(dispute.check(graph, key), Ok(Fault::Input { .. })), "{dispute:?}");
    let text = serde_json::to_string(&dispute).unwrap();
    assert_eq!(serde_json::from_str::<Dispute>(&text).unwrap(), dispute);
    // Whoever shows another input accuses nobody.
    let edits: [fn(&mut Dispute); 4] = [
        |dispute| dispute.blinding = None,
        |dispute| dispute.blinding = Some(Hex([0xff; 32])),
        |dispute| dispute.blinding.as_mut().unwrap().0[0] ^= 1,
        |dispute| dispute.input.as_mut().unwrap().reverse(),
    ];
    for edit in edits {
        let mut lie = dispute.clone();
        edit(&mut lie);
        assert_eq!(lie.check(graph, key), Err(DisputeError::Given));
    }
    assert!(Blinding::from_bytes(&dispute.blinding.unwrap().0).is_some());
}
