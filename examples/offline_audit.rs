//! An audit through the library: is this proof right, is the key this model's, and how accurate
//! are the integers? Nothing but files is read.
//!
//! `zkinfer setup model.onnx --calibrate samples.npz`, `zkinfer prove model.onnx --input …`, then
//! `cargo run --release --example offline_audit -- FOLDER` on the folder with all of it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use zkinfer::{
    Audit, Expectation, InputData, Recipe, SetupKind, SrsPolicy, audit::Recompile,
    models::ImportOptions, read, verifier::INSECURE_DEV,
};

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).context("name a folder with proof, key and model")?;
    let folder = Path::new(&folder);
    let key = read::key(&folder.join("model.zkvk"))?;
    let file = read::proof(&folder.join("model.zkproof"))?;
    let report = read::accuracy_report(&folder.join("model.accuracy.json"))?;

    // An auditor who knows the job states it here: `Expectation::job`, `input`, `output`.
    let insecure = key.parts().srs.name == INSECURE_DEV;
    let policy = if insecure { SrsPolicy::AllowInsecureDev } else { SrsPolicy::CeremonyOnly };
    let expectation = Expectation::new(&key, policy);

    // The ONNX file and the samples must give this very key, and the accuracy that it binds.
    let samples = InputData::read_samples(&folder.join("samples.npz"))?;
    let recompile = Recompile {
        model: folder.join("model.onnx"),
        import: ImportOptions::default(),
        recipe: Recipe { samples: Some(samples), ..Recipe::default() },
        settings_beside: folder.join("model.zkinfer.json"),
        input: None,
        test_set: None,
        srs: (!insecure).then(|| folder.join("ceremony.srs")),
    };
    let audit = Audit::new(&key, &file, &expectation, Some(report), Some(&recompile), &|_| ())?;

    if audit.setup == SetupKind::InsecureDevelopment {
        println!("the development setup: anybody could have made this proof");
    }
    for fault in audit.faults() {
        println!("{fault}");
    }
    ensure!(audit.faults().is_empty(), "not accepted");
    println!("the proof is right, and the model gives this very key: {}", key.digest());
    println!("strength: about {} bits", audit.strength.bits);
    if let Some(report) = audit.accuracy.report {
        let (same, count) = (report.float_model.same_class, report.samples.count);
        println!("the integers name the float model's class on {same} of {count} samples");
    }
    Ok(())
}
