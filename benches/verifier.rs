//! Verification on one core: one proof alone, and 64 in a batch, for each model of the zoo.
//!
//! `cargo bench --bench verifier`, or with part of a name: `cargo bench --bench verifier -- batch`

use std::time::Duration;

use anyhow::{Result, ensure};
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use zkinfer_benches::{BINDING, MODELS, ZooModel};
use zkinfer_engine::CpuOptions;
use zkinfer_verifier::{
    BatchItem, JobBinding, ProofFile, SrsPolicy, VerifyingKey, verify, verify_batch,
};

const POLICY: SrsPolicy = SrsPolicy::AllowInsecureDev;
const BATCH: usize = 64;
/// Proofs made of each model; a batch holds each of them several times.
const PROOFS: u64 = 4;

/// The key of a model and proofs of several jobs, read back from their files.
fn key_and_proofs(name: &'static str) -> Result<(VerifyingKey, Vec<ProofFile>)> {
    let model = ZooModel::read(name)?;
    let setup = model.setup(CpuOptions::default())?;
    let proofs = (0..PROOFS).map(|nonce| {
        let binding = JobBinding { nonce, ..BINDING };
        let file = setup.prove(&model.execution, binding)?.file;
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
        .map(|file| BatchItem { key, expected: &file.claim, proof: &file.proof, leaf: None })
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
