//! Verification on one core: one proof alone, and 64 in a batch, for each model of the zoo.
//!
//! `cargo bench --bench verifier`, or with part of a name: `cargo bench --bench verifier -- batch`

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use zkinfer_circuits::{CircuitPlan, PlanOptions};
use zkinfer_models::{
    Calibration, Graph, QuantizeOptions, execute, quantize, quantize_inputs, read_inputs,
    read_samples,
};
use zkinfer_prover::{Cpu, ModelIdentity, Setup, Srs};
use zkinfer_verifier::{
    BatchItem, JobBinding, ProofFile, SrsPolicy, VerifyingKey, keccak256, verify, verify_batch,
};

const MODELS: [&str; 4] = ["cancer_mlp", "digits_mlp", "digits_cnn", "mnist_lenet"];
const POLICY: SrsPolicy = SrsPolicy::AllowInsecureDev;
const BATCH: usize = 64;
/// Proofs made of each model; a batch holds each of them several times.
const PROOFS: u64 = 4;

/// The key of a model and proofs of several jobs, read back from their files.
fn key_and_proofs(name: &str) -> Result<(VerifyingKey, Vec<ProofFile>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models/zoo").join(name);
    let bytes = std::fs::read(folder.join("model.onnx"))?;
    let float = Graph::from_onnx_bytes(&bytes)?;
    let samples = read_samples(&folder.join("samples.npz"), &float)?;
    let calibration = Calibration::from_samples(&float, &samples)?;
    let graph = quantize(&float, &calibration, &QuantizeOptions::default())?;
    let input = read_inputs(&folder.join("input.json"), &float)?;
    let execution = Arc::new(execute(&graph, &quantize_inputs(&graph, &input)?)?);
    let plan = CircuitPlan::new(&graph, PlanOptions::default())?;
    let srs = Srs::insecure_dev(plan.k())?;
    let identity =
        ModelIdentity { name: name.into(), digest: keccak256(&[&bytes]), accuracy_digest: None };
    let setup = Setup::new(Arc::new(plan), srs, identity)?;
    let proofs = (0..PROOFS).map(|nonce| {
        let binding = JobBinding { chain_id: 1, job_id: [1; 32], payee: [2; 20], expiry: 3, nonce };
        let file = setup.prove(&Cpu, &execution, binding)?.file;
        Ok(ProofFile::decode(file.encode().as_bytes())?)
    });
    let key = VerifyingKey::decode(&setup.verifying_key().encode())?;
    Ok((key, proofs.collect::<Result<_>>()?))
}

fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    key: &VerifyingKey,
    proofs: &[ProofFile],
) -> Result<()> {
    let encoded = key.encode();
    group.bench_function("decode key", |b| b.iter(|| VerifyingKey::decode(&encoded)));
    let file = proofs[0].encode();
    group.bench_function("decode proof", |b| b.iter(|| ProofFile::decode(file.as_bytes())));

    let ProofFile { claim, proof, .. } = &proofs[0];
    // A proof that is not verified is not timed.
    ensure!(verify(key, claim, proof, POLICY).is_ok(), "the proof is refused");
    group.throughput(Throughput::Elements(1));
    group.bench_function("alone", |b| b.iter(|| verify(key, claim, proof, POLICY)));

    let items: Vec<BatchItem<'_>> = proofs
        .iter()
        .cycle()
        .take(BATCH)
        .map(|file| BatchItem { key, expected: &file.claim, proof: &file.proof })
        .collect();
    ensure!(verify_batch(&items, POLICY).iter().all(Result::is_ok), "a batch is refused");
    group.throughput(Throughput::Elements(u64::try_from(BATCH)?));
    group.bench_function("batch of 64", |b| b.iter(|| verify_batch(&items, POLICY)));
    Ok(())
}

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    for name in MODELS {
        let (key, proofs) = key_and_proofs(name)?;
        println!("{name}: {} bytes of proof", proofs[0].proof.as_bytes().len());
        let mut group = criterion.benchmark_group(format!("verifier/{name}"));
        group.sample_size(20).measurement_time(Duration::from_secs(5));
        bench(&mut group, &key, &proofs)?;
        group.finish();
    }
    criterion.final_summary();
    Ok(())
}
