//! An audit through the library: is this proof right, is the key this model's, and how accurate
//! are the integers? Nothing but files is read.
//!
//! `zkinfer setup model.onnx --calibrate samples.npz`, `zkinfer prove model.onnx --input …`, then
//! `cargo run --release --example offline_audit -- FOLDER` on the folder with all of it.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, bail, ensure};
use zkinfer_circuits::{CircuitPlan, PlanOptions};
use zkinfer_models::{
    AccuracyReport, Calibration, Graph, QuantizeOptions, TestSet, model_digest, quantize,
    read_samples,
};
use zkinfer_prover::{ModelIdentity, Setup, Srs};
use zkinfer_verifier::{INSECURE_DEV, ProofFile, SrsPolicy, VerifyingKey, verify};

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).context("name a folder with proof, key and model")?;
    let folder = Path::new(&folder);
    let read = |name: &str| std::fs::read(folder.join(name)).with_context(|| name.to_owned());
    let key = VerifyingKey::decode(&read("model.zkvk")?)?;
    let file = ProofFile::decode(&read("model.zkproof")?)?;

    // The proof. An auditor who knows the job compares the claim with it, or builds his own.
    file.check_key(&key)?;
    let setup = &key.parts().srs.name;
    let policy = if setup == INSECURE_DEV {
        println!("the development setup: anybody could have made this proof");
        SrsPolicy::AllowInsecureDev
    } else {
        SrsPolicy::CeremonyOnly
    };
    let evidence = verify(&key, &file.claim, &file.proof, policy)?;
    println!("the proof is right: output {:?}", evidence.claim().output);

    // The key: the ONNX file and the samples must give this very one.
    let bytes = read("model.onnx")?;
    let (again, report) = recompile(&bytes, &folder.join("samples.npz"), &key)?;
    ensure!(again.digest() == key.digest(), "the model gives the key {}", again.digest());
    println!("the model gives this very key: {}", key.digest());

    // The accuracy that the key binds is the one measured just now.
    let bound = AccuracyReport::decode(&read("model.accuracy.json")?)?;
    ensure!(bound == report, "the report in the folder is not the key's");
    let (same, count) = (report.float_model.same_class, report.samples.count);
    println!("the integers name the float model's class on {same} of {count} samples");
    Ok(())
}

/// The key and the accuracy report that the model gives with these samples.
fn recompile(
    model: &[u8],
    samples: &Path,
    key: &VerifyingKey,
) -> Result<(VerifyingKey, AccuracyReport)> {
    let (graph, digest) = (Graph::from_onnx_bytes(model)?, model_digest(model));
    let calibration = Calibration::from_samples(&graph, &read_samples(samples, &graph)?)?;
    let options = QuantizeOptions::default();
    let quantized = quantize(&graph, &calibration, &options)?;
    let set = TestSet::read(samples, &graph)?;
    let report = AccuracyReport::measure(&graph, digest, &calibration, &options, &set)?;

    let plan = Arc::new(CircuitPlan::new(&quantized, PlanOptions::default())?);
    // A key under a ceremony is made again with the ceremony's file: `Srs::load`.
    if key.parts().srs.name != INSECURE_DEV {
        bail!("this example recompiles under the development setup only");
    }
    let srs = Srs::insecure_dev(plan.k())?;
    let name = key.parts().model_name.clone();
    let identity = ModelIdentity { name, digest, accuracy_digest: Some(report.digest().0) };
    Ok((Setup::new(plan, srs, identity)?.verifying_key().clone(), report))
}
