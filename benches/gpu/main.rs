//! A GPU beside all cores of the processor: self-test, kernels, and proofs of models, byte for byte.
//!
//! `cargo bench --bench gpu -- [--largest K] FOLDER …`: each folder has `model.onnx` and
//! `input.json`, and `samples.npz` to calibrate with, if it is there. `run.sh` beside this file
//! runs the built binary on the zoo and on large networks.
//!
//! No time is told of a result that was not compared first. Kernels: the shortest of a few runs.
//! Proofs: medians, after one that warms up; each is verified, which is not part of its time.

mod kernels;

use std::{env, path::PathBuf};

use anyhow::{Context, Result, bail, ensure};
use zkinfer_benches::{BINDING, ZooModel, machine, median};
use zkinfer_engine::{
    Device, Stage,
    cuda::{self, CudaOptions, measure::CudaKernels},
};
use zkinfer_prover::{Proven, Setup};

/// Timed proofs on each device.
const TURNS: usize = 3;
/// The seed of the proofs that are compared.
const SEED: [u8; 32] = [7; 32];
/// log2 of the largest kernels, unless it is said.
const LARGEST: u32 = 22;

fn main() -> Result<()> {
    let mut largest = LARGEST;
    let mut folders = Vec::new();
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        if argument == "--largest" {
            let value = arguments.next().context("--largest wants log2 of a size")?;
            largest = value.parse()?;
        } else {
            folders.push(PathBuf::from(argument));
        }
    }
    println!("{}", machine());
    let options = CudaOptions::default();
    let gpus = cuda::gpus()?;
    let Some(gpu) = gpus.iter().find(|gpu| gpu.number == options.number) else {
        bail!("there is no GPU {}", options.number)
    };
    let ((major, minor), (driver, point)) = (gpu.capability, gpu.driver);
    println!(
        "{}, {:.1} GB, compute capability {major}.{minor}, CUDA {driver}.{point}",
        gpu.name,
        gpu.memory as f64 / 1e9
    );
    let kernels = CudaKernels::open(&options)?;
    println!(
        "self-test passed; {:.1} billion products a second",
        kernels.products_per_second()? / 1e9
    );
    kernels::tables(&kernels, largest)?;
    drop(kernels);
    println!("\n| model | k | device | setup s | prove s | times the processor | stages, ms |");
    println!("|---|---|---|---|---|---|---|");
    for folder in folders {
        let model = ZooModel::open(&folder).with_context(|| folder.display().to_string())?;
        proofs(&model, &options).with_context(|| folder.display().to_string())?;
    }
    println!("\nevery proof has the bytes of the processor's");
    Ok(())
}

/// One model on both devices.
fn proofs(model: &ZooModel, options: &CudaOptions) -> Result<()> {
    let mut expected: Option<(Vec<u8>, f64)> = None;
    for device in [Device::default(), Device::Cuda(options.clone())] {
        let start = std::time::Instant::now();
        let setup = model.setup_on(&device)?;
        let setup_seconds = start.elapsed().as_secs_f64();
        let first = prove(model, &setup)?;
        let proven = (0..TURNS).map(|_| prove(model, &setup)).collect::<Result<Vec<_>>>()?;
        let seconds = median(proven.iter().map(|proven| proven.prove_seconds).collect());
        let bytes = first.file.proof.as_bytes().to_vec();
        let (known, on_cpu) = expected.get_or_insert((bytes.clone(), seconds));
        ensure!(*known == bytes, "{}: another proof on {}", model.name, device.name());
        println!(
            "| {} | {} | {} | {setup_seconds:.2} | {seconds:.4} | {:.1} | {} |",
            model.name,
            setup.plan().k(),
            device.name(),
            *on_cpu / seconds,
            stages(&proven)
        );
    }
    Ok(())
}

fn prove(model: &ZooModel, setup: &Setup) -> Result<Proven> {
    Ok(setup.prove_with_insecure_seed(&model.execution, BINDING, SEED)?)
}

/// The median of every stage; one that comes again is counted together.
fn stages(proven: &[Proven]) -> String {
    let mut order: Vec<Stage> = Vec::new();
    for (stage, _) in &proven[0].stages {
        if !order.contains(stage) {
            order.push(*stage);
        }
    }
    let of_proof = |proven: &Proven, stage: Stage| -> f64 {
        proven.stages.iter().filter(|(other, _)| *other == stage).map(|(_, seconds)| seconds).sum()
    };
    let tell = |stage: &Stage| {
        let seconds = median(proven.iter().map(|proven| of_proof(proven, *stage)).collect());
        format!("{} {:.1}", stage.name(), 1e3 * seconds)
    };
    order.iter().map(tell).collect::<Vec<_>>().join(", ")
}
