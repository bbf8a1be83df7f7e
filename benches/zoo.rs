//! The models of the zoo, stage by stage: integer execution, keys, proof, verification.
//!
//! `cargo bench --bench zoo`, or with part of a name: `cargo bench --bench zoo -- mnist_lenet/prove`

use std::time::Duration;

use anyhow::Result;
use criterion::Criterion;
use zkinfer_benches::{BINDING, MODELS, ZooModel};
use zkinfer_engine::CpuOptions;
use zkinfer_models::execute;
use zkinfer_verifier::{SrsPolicy, verify};

fn bench(criterion: &mut Criterion, model: &ZooModel) -> Result<()> {
    let setup = model.setup(CpuOptions::default())?;
    // The proof verifies, or there is nothing to time.
    let proven = setup.prove(&model.execution, BINDING)?;
    let mut group = criterion.benchmark_group(&model.name);
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.bench_function("execute", |b| b.iter(|| execute(model.graph(), &model.integers)));
    group.bench_function("setup", |b| b.iter(|| model.setup(CpuOptions::default())));
    group.bench_function("prove", |b| {
        b.iter(|| setup.prove(&model.execution, BINDING));
    });
    group.bench_function("verify", |b| {
        let (claim, proof) = (&proven.file.claim, &proven.file.proof);
        b.iter(|| verify(setup.verifying_key(), claim, proof, SrsPolicy::AllowInsecureDev).is_ok());
    });
    group.finish();
    Ok(())
}

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    for name in MODELS {
        bench(&mut criterion, &ZooModel::read(name)?)?;
    }
    criterion.final_summary();
    Ok(())
}
