//! The whole way in one file: an ONNX model and an input to a proof, and the proof to evidence.
//!
//! `cargo run --release --example prove_and_verify -- models/zoo/digits_mlp`

use std::path::PathBuf;

use anyhow::{Context, Result};
use zkinfer::{
    Device, Inference, InputData, Keys, Model, Recipe, SrsPolicy,
    verifier::{JobBinding, verify},
};

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).context("name a folder of the zoo")?);
    let model = Model::open(&folder.join("model.onnx"))?;
    let input = model.read_input(&folder.join("input.json"))?;

    // Integers, and keys: once per model. The development SRS has a public secret.
    let samples = InputData::read_samples(&folder.join("samples.npz"))?;
    let recipe = Recipe { samples: Some(samples), ..Recipe::default() };
    let quantized = model.quantize(&recipe, &folder.join("model.zkinfer.json"), &[])?;
    let keys = Keys::make(&model, &quantized, None, &Device::default(), &|_| ())?;

    // A proof for one job.
    let run = model.run(&quantized, &input)?;
    let job = JobBinding {
        chain_id: 1,
        job_id: [7; 32],
        payee: [9; 20],
        expiry: 2_000_000_000,
        nonce: 1,
    };
    let proven = keys.prove(Inference::new(&run.execution, job), &|_| ())?;
    println!("output {:?}, proven in {:.2} s", run.comparison.outputs, proven.prove_seconds);

    // The evidence that a service pays on.
    let file = proven.file;
    let policy = SrsPolicy::AllowInsecureDev;
    let evidence = verify(keys.verifying_key(), &file.claim, &file.proof, policy)?;
    println!("evidence for {:?}", evidence.claim().output);
    Ok(())
}
