//! What the benchmarks share: the models of the zoo, and how results are told.

use std::{fs, path::Path, sync::Arc, thread::available_parallelism};

use anyhow::Result;
use zkinfer::{InputData, Model, Quantized, Recipe, plan};
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
    /// The name of its folder.
    pub name: String,
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
    pub fn read(name: &str) -> Result<Self> {
        Self::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo").join(name))
    }

    /// Reads `model.onnx` and `input.json` of a folder; calibrates with `samples.npz`, or with the
    /// input if there are no samples.
    ///
    /// # Errors
    /// If a file of the model is missing or damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let model = Model::open(&folder.join("model.onnx"))?;
        let samples = Some(folder.join("samples.npz")).filter(|samples| samples.exists());
        let samples = samples.as_deref().map(InputData::read_samples).transpose()?;
        let recipe = Recipe { samples, ..Recipe::default() };
        let input = model.read_input(&folder.join("input.json"))?;
        let quantized = model.quantize(&recipe, Path::new(""), std::slice::from_ref(&input))?;
        let run = model.run(&quantized, &input)?;
        let srs = Srs::insecure_dev(plan(&model, &quantized)?.k())?;
        let (integers, execution) = (run.integers, run.execution);
        Ok(Self { name, integers, execution, model, quantized, srs })
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The model in integers.
    #[must_use]
    pub fn quantized(&self) -> &Quantized {
        &self.quantized
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
        self.setup_on(&Device::Cpu(options))
    }

    /// [`ZooModel::setup`] on any device.
    ///
    /// # Errors
    /// If the model has no circuit, or there is no such device.
    pub fn setup_on(&self, device: &Device) -> Result<Setup> {
        let plan = plan(&self.model, &self.quantized)?;
        let identity = ModelIdentity {
            name: Some(self.name.clone()),
            digest: self.model.digest().0,
            ..ModelIdentity::default()
        };
        Ok(Setup::on_device(Arc::new(plan), self.srs.clone(), identity, device)?)
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
