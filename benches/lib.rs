//! What the benchmarks share: the models of the zoo, and how results are told.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread::available_parallelism,
};

use anyhow::Result;
use zkinfer::{Model, Quantized, Recipe, plan};
use zkinfer_engine::{CpuOptions, Device, Instructions};
use zkinfer_models::{Execution, QuantizedGraph};
use zkinfer_prover::{ModelIdentity, Setup, Srs};
use zkinfer_verifier::JobBinding;

/// The models that are timed, from the smallest circuit to the largest.
pub const MODELS: [&str; 4] = ["cancer_mlp", "digits_mlp", "digits_cnn", "mnist_lenet"];

/// The job that proofs are made for.
pub const BINDING: JobBinding =
    JobBinding { chain_id: 1, job_id: [1; 32], payee: [2; 20], expiry: 2_000_000_000, nonce: 3 };

/// A model of the zoo, calibrated with its samples, run on its input.
#[derive(Debug)]
pub struct ZooModel {
    /// Its folder.
    pub name: &'static str,
    /// The input.
    pub integers: Vec<Vec<i64>>,
    /// The run on the input.
    pub execution: Arc<Execution>,
    model: Model,
    quantized: Quantized,
    srs: Srs,
}

impl ZooModel {
    /// Reads the model of this name.
    ///
    /// # Errors
    /// If a file of the model is missing or damaged.
    pub fn read(name: &'static str) -> Result<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models/zoo").join(name);
        let model = Model::open(&folder.join("model.onnx"))?;
        let recipe = Recipe { samples: Some(folder.join("samples.npz")), ..Recipe::default() };
        let quantized = model.quantize(&recipe, Path::new(""), &[])?;
        let run = model.run(&quantized, &model.read_input(&folder.join("input.json"))?)?;
        let srs = Srs::insecure_dev(plan(&model, &quantized)?.k())?;
        let (integers, execution) = (run.integers, run.execution);
        Ok(Self { name, integers, execution, model, quantized, srs })
    }

    /// What is proved.
    #[must_use]
    pub fn graph(&self) -> &QuantizedGraph {
        &self.quantized.graph
    }

    /// Plans the circuit and makes its keys, without the time that an SRS takes.
    ///
    /// # Errors
    /// If the model has no circuit.
    pub fn setup(&self, options: CpuOptions) -> Result<Setup> {
        let plan = plan(&self.model, &self.quantized)?;
        let identity = ModelIdentity {
            name: self.name.into(),
            digest: self.model.digest().0,
            accuracy_digest: None,
        };
        Ok(Setup::on_device(Arc::new(plan), self.srs.clone(), identity, &Device::Cpu(options))?)
    }
}

/// The instruction sets of this processor, the fastest first.
#[must_use]
pub fn instruction_sets() -> Vec<Instructions> {
    Instructions::ALL.into_iter().filter(|set| set.is_available()).collect()
}

/// What a result depends on, in one line: processor, cores, threads, instructions, other work.
#[must_use]
pub fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |name| name.trim_start_matches([' ', '\t', ':']));
    let cores = available_parallelism().map_or(1, usize::from);
    let threads = rayon::current_num_threads();
    let fastest = Instructions::detect().name();
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!("{model}, {cores} cores, {threads} threads, {fastest}; load before the run {load}")
}

/// The median; zero of nothing.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}
