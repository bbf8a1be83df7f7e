//! A device that fails: the processor takes over from one that nobody named.

#[path = "../../../../engine/tests/mock/mod.rs"]
mod mock;

use std::{
    env, fs,
    path::Path,
    process::{self, Command},
    slice,
};

use anyhow::Result;
use clap::Parser;
use serde_json::{Value, json};
use zkinfer::{Device, Model, Recipe, Stored, verifier::JobBinding};

use super::{KeyReport, Places, Ready, keys_on};
use crate::{
    args::{self, Args},
    output::Output,
};

/// What the process that proves is told: a folder with a model and ICICLE's libraries, and what
/// `--device` says.
const FOLDER: &str = "PROVE_TEST_FOLDER";
const DEVICE: &str = "PROVE_TEST_DEVICE";
/// The file of that folder with which the library's faults begin.
const FAULTS: &str = "faults";

/// When the device is faulty.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Faulty {
    FromTheStart,
    InMidProof,
}

/// Keys on ICICLE's device, whatever else may be faster, and then a proof.
fn prove(folder: &Path, device: &str) -> Result<Value> {
    let (model, input) = (folder.join("model.onnx"), folder.join("input.json"));
    let words = ["zkinfer".as_ref(), "prove".as_ref(), model.as_os_str(), "--input".as_ref()];
    let there = ["--icicle-device".as_ref(), "CPU".as_ref(), "--icicle-dir".as_ref()];
    let words = words.into_iter().chain([input.as_os_str(), "--device".as_ref(), device.as_ref()]);
    let words = words.chain(there).chain([folder.as_os_str()]);
    let args::Command::Prove(args) = Args::try_parse_from(words)?.command else {
        panic!("another command");
    };
    let (output, places) = (Output::new(true), Places::of_one(&args, &input)?);
    let model = Model::open(&args.model)?;
    let input = model.read_input(&input)?;
    let recipe = Recipe::default();
    let quantized = model.quantize(&recipe, &places.key.settings, slice::from_ref(&input))?;
    let run = model.run(&quantized, &input)?;
    let icicle = Device::Icicle(args.icicle.options());
    let (keys, moved) = keys_on(&icicle, &args, (&model, &quantized, None), &output)?;
    fs::write(folder.join(FAULTS), "")?;
    let mut ready = Ready { quantized, keys, stored: Stored::New, accuracy: None, moved };
    ready.prove((&args, &model, &places), &run, JobBinding::NONE, &output, &|_| ())?;
    Ok(serde_json::to_value(KeyReport::new(&ready, &places, &model))?)
}

/// Proves where it is told to: the library reads its faults from the environment of its process.
#[test]
fn child_that_proves() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let report = prove(Path::new(&folder), &env::var(DEVICE).unwrap());
    let report = report.unwrap_or_else(|error| json!({ "error": format!("{error:#}") }));
    println!("\n{report}");
}

/// What a process whose device has faults reports, and what it says beside that.
fn proof_with(faults: &str, from: Faulty, device: &str) -> (Value, String) {
    let folder = mock::folder_with(&mock::library());
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/digits_mlp");
    for name in ["model.onnx", "input.json"] {
        fs::copy(zoo.join(name), folder.path().join(name)).unwrap();
    }
    let condition = folder.path().join(FAULTS);
    if from == Faulty::FromTheStart {
        fs::write(&condition, "").unwrap();
    }
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["prove::tests::child_that_proves", "--nocapture"]);
    child.env(FOLDER, folder.path()).env(DEVICE, device);
    child.env("MOCK_ICICLE", faults).env("MOCK_ICICLE_IF", &condition);
    child.env("ZKINFER_CACHE_DIR", folder.path().join("cache"));
    let process::Output { status, stdout, stderr } = child.output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{stdout}\n{stderr}");
    let report = stdout.lines().find(|line| line.starts_with('{'));
    (serde_json::from_str(report.expect(&stdout)).unwrap(), stderr)
}

#[test]
fn a_device_that_does_not_fail_keeps_the_proof() {
    let (report, said) = proof_with("", Faulty::InMidProof, "auto");
    assert_eq!(report["device"], "icicle", "{report}");
    assert!(report.get("device_note").is_none() && !said.contains("note:"), "{report}\n{said}");
}

#[test]
fn the_processor_takes_over_from_a_device_that_nobody_named() {
    for (faults, from, why) in [
        // While keys are made.
        ("memory=100000", Faulty::FromTheStart, "bytes of memory free"),
        ("bn254_msm=wrong", Faulty::FromTheStart, "self-test"),
        // In mid-proof.
        ("icicle_malloc=2", Faulty::InMidProof, "bytes of memory free"),
        ("bn254_ntt=1", Faulty::InMidProof, "the device is not there"),
        ("icicle_copy_to_host=wrong", Faulty::InMidProof, "no field element"),
        // What nobody notices but the closing check.
        ("bn254_vector_mul=wrong", Faulty::InMidProof, "made a proof that does not verify"),
    ] {
        let (report, said) = proof_with(faults, from, "auto");
        let note = report["device_note"].as_str().unwrap_or_else(|| panic!("{faults}: {report}"));
        let at_keys = note.starts_with("cannot make the keys: ");
        assert_eq!(at_keys, from == Faulty::FromTheStart, "{faults}: {note}");
        assert!(note.contains(why) && note.contains("icicle"), "{faults}: {note}");
        assert_eq!(report["device"], "cpu", "{faults}");
        let remark = format!("note: proving on the processor instead: {note}");
        assert!(said.contains(&remark), "{faults}: {said}");

        // One that was named is an error by its name, and no other device.
        let (report, said) = proof_with(faults, from, "icicle");
        let error = report["error"].as_str().unwrap_or_else(|| panic!("{faults}: {report}"));
        assert!(error.contains(why) && error.contains("icicle"), "{faults}: {error}");
        assert!(!said.contains("instead"), "{faults}: {said}");
    }
}
