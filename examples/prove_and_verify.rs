//! The whole way in one file: an ONNX model and an input to a proof, and the proof to evidence.
//!
//! `cargo run --release --example prove_and_verify -- models/zoo/digits_mlp`

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use zkinfer_circuits::{CircuitPlan, PlanOptions};
use zkinfer_models::{
    Calibration, Graph, QuantizeOptions, execute, model_digest, quantize, quantize_inputs,
    read_inputs,
};
use zkinfer_prover::{ModelIdentity, Setup, Srs};
use zkinfer_verifier::{JobBinding, SrsPolicy, verify};

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).context("name a folder of the zoo")?);
    let bytes = std::fs::read(folder.join("model.onnx"))?;
    let graph = Graph::from_onnx_bytes(&bytes)?;
    let input = read_inputs(&folder.join("input.json"), &graph)?;

    // Integers: what the proof is about.
    let calibration = Calibration::from_input(&graph, &input)?;
    let quantized = quantize(&graph, &calibration, &QuantizeOptions::default())?;
    let execution = Arc::new(execute(&quantized, &quantize_inputs(&quantized, &input)?)?);

    // Keys, once per model. The development SRS has a public secret.
    let plan = Arc::new(CircuitPlan::new(&quantized, PlanOptions::default())?);
    let srs = Srs::insecure_dev(plan.k())?;
    let identity = ModelIdentity {
        name: "example".into(),
        digest: model_digest(&bytes),
        accuracy_digest: None,
    };
    let setup = Setup::new(plan, srs, identity)?;

    let binding = JobBinding {
        chain_id: 1,
        job_id: [7; 32],
        payee: [9; 20],
        expiry: 2_000_000_000,
        nonce: 1,
    };

    // A proof for one job, and the evidence that a service pays on.
    let proven = setup.prove(&execution, binding)?;
    let file = proven.file;
    let claim = file.claim.clone();
    let evidence = verify(setup.verifying_key(), &claim, &file.proof, SrsPolicy::AllowInsecureDev)?;
    println!(
        "output {:?}, proven in {:.2} s",
        quantized.dequantize(&execution),
        proven.prove_seconds
    );
    println!("evidence for {:?}", evidence.claim().output);
    Ok(())
}
