//! The models of the zoo, stage by stage: integer execution, keys, proof, verification.
//!
//! `cargo bench --bench zoo`, or with part of a name: `cargo bench --bench zoo -- mnist_lenet/prove`

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Result;
use criterion::Criterion;
use zkinfer_circuits::{CircuitPlan, PlanOptions};
use zkinfer_models::{
    Calibration, Execution, Graph, QuantizeOptions, QuantizedGraph, execute, quantize,
    quantize_inputs, read_inputs, read_samples,
};
use zkinfer_prover::{Cpu, ModelIdentity, Setup, Srs};
use zkinfer_verifier::{JobBinding, SrsPolicy, keccak256, verify};

const MODELS: [&str; 4] = ["cancer_mlp", "digits_mlp", "digits_cnn", "mnist_lenet"];
const BINDING: JobBinding =
    JobBinding { chain_id: 1, job_id: [1; 32], payee: [2; 20], expiry: 2_000_000_000, nonce: 3 };

struct Model {
    name: &'static str,
    digest: [u8; 32],
    graph: QuantizedGraph,
    integers: Vec<Vec<i64>>,
    execution: Arc<Execution>,
    srs: Srs,
}

impl Model {
    fn read(name: &'static str) -> Result<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models/zoo").join(name);
        let bytes = std::fs::read(folder.join("model.onnx"))?;
        let float = Graph::from_onnx_bytes(&bytes)?;
        let samples = read_samples(&folder.join("samples.npz"), &float)?;
        let calibration = Calibration::from_samples(&float, &samples)?;
        let graph = quantize(&float, &calibration, &QuantizeOptions::default())?;
        let input = read_inputs(&folder.join("input.json"), &float)?;
        let integers = quantize_inputs(&graph, &input)?;
        let execution = Arc::new(execute(&graph, &integers)?);
        let srs = Srs::insecure_dev(CircuitPlan::new(&graph, PlanOptions::default())?.k())?;
        Ok(Self { name, digest: keccak256(&[&bytes]), graph, integers, execution, srs })
    }

    fn setup(&self) -> Result<Setup> {
        let plan = CircuitPlan::new(&self.graph, PlanOptions::default())?;
        let identity =
            ModelIdentity { name: self.name.into(), digest: self.digest, accuracy_digest: None };
        Ok(Setup::new(Arc::new(plan), self.srs.clone(), identity)?)
    }

    fn bench(&self, criterion: &mut Criterion) -> Result<()> {
        let setup = self.setup()?;
        // The proof verifies, or there is nothing to time.
        let proven = setup.prove(&Cpu, &self.execution, BINDING)?;
        let mut group = criterion.benchmark_group(self.name);
        group.sample_size(10).measurement_time(Duration::from_secs(10));
        group.bench_function("execute", |b| b.iter(|| execute(&self.graph, &self.integers)));
        group.bench_function("setup", |b| b.iter(|| self.setup()));
        group.bench_function("prove", |b| {
            b.iter(|| setup.prove(&Cpu, &self.execution, BINDING));
        });
        group.bench_function("verify", |b| {
            let (claim, proof) = (&proven.file.claim, &proven.file.proof);
            b.iter(|| {
                verify(setup.verifying_key(), claim, proof, SrsPolicy::AllowInsecureDev).is_ok()
            });
        });
        group.finish();
        Ok(())
    }
}

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    for name in MODELS {
        Model::read(name)?.bench(&mut criterion)?;
    }
    criterion.final_summary();
    Ok(())
}
