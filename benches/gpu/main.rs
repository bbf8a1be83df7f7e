//! A GPU beside all cores of the processor: self-test, proofs of models, byte for byte, and kernels.
//!
//! `cargo bench --bench gpu -- [--seconds S] [--largest K] FOLDER …`: each folder has `model.onnx` and
//! `input.json`, and `samples.npz` to calibrate with, if it is there. `run.sh` beside this file
//! runs the built binary on the zoo and on large networks.
//!
//! No time is told of a result that was not compared first. Kernels: the shortest of a few runs.
//! Proofs: medians, after one that warms up; each is verified, which is not part of its time. What
//! the time does not suffice for is left out, and said to be.

mod kernels;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use zkinfer_benches::{BINDING, ZooModel, machine, median};
use zkinfer_engine::{
    Device, Stage,
    cuda::{self, CudaOptions, measure::CudaKernels},
    icicle::{self, IcicleOptions},
};
use zkinfer_prover::{Proven, Setup};

/// Timed proofs on each device.
const TURNS: usize = 3;
/// The seed of the proofs that are compared.
const SEED: [u8; 32] = [7; 32];
/// log2 of the largest kernels, unless it is said.
const LARGEST: u32 = 22;
/// Seconds of a run, unless they are said.
const SECONDS: u64 = 220;
/// What the process is called with that tries ICICLE's libraries, which may end it.
const TRIAL: &str = "--try-icicle";

/// The time of a run.
#[derive(Clone, Copy)]
struct Budget {
    start: Instant,
    whole: Duration,
}

impl Budget {
    /// Whether `what`, which should take so many seconds, can still be begun; says so if not.
    fn allows(&self, what: &str, seconds: f64) -> bool {
        let left = self.whole.saturating_sub(self.start.elapsed()).as_secs_f64();
        let allows = seconds <= left;
        if !allows {
            println!("left out: {what}, for which {left:.0} s are too short");
        }
        allows
    }
}

/// What the command line says.
struct Arguments {
    largest: u32,
    budget: Budget,
    folders: Vec<PathBuf>,
}

impl Arguments {
    fn read() -> Result<Self> {
        let (mut largest, mut seconds, mut folders) = (LARGEST, SECONDS, Vec::new());
        let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next().with_context(|| format!("{argument} what?"));
            match argument.as_str() {
                "--largest" => largest = number()?.parse()?,
                "--seconds" => seconds = number()?.parse()?,
                _ => folders.push(PathBuf::from(argument)),
            }
        }
        let budget = Budget { start: Instant::now(), whole: Duration::from_secs(seconds) };
        Ok(Self { largest, budget, folders })
    }
}

fn main() -> Result<()> {
    if env::args().any(|argument| argument == TRIAL) {
        println!("\n{}", icicle::report(&IcicleOptions::default()));
        return Ok(());
    }
    let Arguments { largest, budget, folders } = Arguments::read()?;
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
    drop(kernels);
    let mut devices = vec![Device::default(), Device::Cuda(options.clone())];
    match icicle() {
        Ok(device) => devices.push(device),
        Err(why) => println!("without ICICLE: {why}"),
    }
    println!("\n| model | k | device | setup s | prove s | times the processor | stages, ms |");
    println!("|---|---|---|---|---|---|---|");
    for folder in folders {
        proofs(&folder, &devices, budget).with_context(|| folder.display().to_string())?;
    }
    println!("\nevery proof above has the bytes of the processor's");
    kernels::tables(&CudaKernels::open(&options)?, largest, &|what, seconds| {
        budget.allows(what, seconds)
    })
}

/// ICICLE's device, tried in a process of its own.
fn icicle() -> Result<Device> {
    let options = IcicleOptions::default();
    icicle::find(&options)?;
    icicle::probe(Command::new(env::current_exe()?).arg(TRIAL))?;
    Ok(Device::Icicle(options))
}

/// One model on all devices, the processor first.
fn proofs(folder: &Path, devices: &[Device], budget: Budget) -> Result<()> {
    let model = ZooModel::open(folder)?;
    let cost = zkinfer::plan(model.model(), model.quantized())?.cost();
    let mut expected: Option<(Vec<u8>, f64)> = None;
    for device in devices {
        // A setup takes about as long as a proof; no device should be slower than the processor,
        // whose time is known by then.
        let one = expected.as_ref().map_or(cost.prove_seconds, |(_, seconds)| *seconds);
        let turns = f64::from(u32::try_from(TURNS).unwrap_or(u32::MAX));
        let what = format!("{} on {}", model.name, device.name());
        if !budget.allows(&what, one * (turns + 2.0)) {
            return Ok(());
        }
        let start = Instant::now();
        let setup = model.setup_on(device)?;
        let setup_seconds = start.elapsed().as_secs_f64();
        let first = prove(&model, &setup)?;
        let proven = (0..TURNS).map(|_| prove(&model, &setup)).collect::<Result<Vec<_>>>()?;
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
