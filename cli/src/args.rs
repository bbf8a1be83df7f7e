//! What can be said on the command line.

use std::{
    env, io,
    path::{Path, PathBuf},
    process,
};

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use zkinfer::{
    Demands, DeviceChoice, Devices, Error, Expectation, ExpectedSide, Model, Options, Recipe,
    SrsPolicy,
    engine::{CpuOptions, Instructions, cuda::CudaOptions, icicle::IcicleOptions},
    models::{ImportError, ImportOptions},
    read,
    verifier::{Digest, KeyDigest, SrsDigest, VerifyingKey},
};

use crate::job::{Hex20, Hex32, Moment};

/// Proves that a neural network gave an output, without trust in who ran it.
#[derive(Debug, Parser)]
#[command(name = "zkinfer", version, propagate_version = true)]
pub(crate) struct Args {
    /// Print one JSON object on standard output instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Threads to use; all cores by default.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what a model computes and whether it can be proved.
    Inspect(Inspect),
    /// Tell what a proof would cost, before anything is proved.
    Quote(Quote),
    /// Run a model in integers, without proving.
    Run(Run),
    /// Make the verifying key of a model, and the settings that later proofs use.
    Setup(Setup),
    /// Run a model in integers, prove it, and verify the proof.
    Prove(Prove),
    /// Commit to an input, so that a proof can be about it without showing it.
    Commit(Commit),
    /// Check proofs against what is expected of them.
    Verify(Verify),
    /// Explain what a proof shows, how strongly, and whether a model gives its key.
    Audit(Audit),
    /// Describe a verifying key.
    Key(Key),
    /// Put a key on a chain, and make the calldata that verifies a proof there.
    #[command(subcommand)]
    Contract(Contract),
    /// Make, import or describe a structured reference string.
    #[command(subcommand)]
    Srs(Srs),
    /// Print what completes this command's words in a shell.
    Completions(Completions),
    /// Write a manual page for every command.
    Man(Man),
    /// Tell where proofs can be made on this machine.
    Devices(FindDevices),
    /// Try ICICLE's libraries, which may end this process.
    #[command(hide = true)]
    TryIcicle(Icicle),
}

/// What the ONNX file leaves open about its inputs.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The shape of an input with open dimensions, as in image=1x3x224x224.
    #[arg(long, value_name = "NAME=SHAPE")]
    pub(crate) shape: Vec<String>,
    /// Makes an input a constant, as in sr=16000: the model's digest says so, and no proof shows it
    /// as an input.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) fix: Vec<String>,
}

impl Import {
    /// What the arguments ask for.
    pub(crate) fn options(&self) -> Result<ImportOptions, ImportError> {
        let mut options = ImportOptions::default();
        for shape in &self.shape {
            options = options.shape_from_text(shape)?;
        }
        self.fix.iter().try_fold(options, |options, text| options.fix_from_text(text))
    }

    /// Opens a model so.
    pub(crate) fn open(&self, model: &Path) -> anyhow::Result<Model> {
        Ok(Model::open_with(model, &self.options()?)?)
    }
}

/// How real numbers become integers, and what a claim hides; fixes the key.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Quantize {
    /// Samples to calibrate with, one or many inputs: JSON, JSON lines, CSV, .npy or .npz.
    #[arg(long, value_name = "FILE")]
    pub(crate) calibrate: Option<PathBuf>,
    /// Bits of an activation: 8 by default, up to 16.
    #[arg(long, value_name = "BITS")]
    pub(crate) activation_bits: Option<u32>,
    /// What a claim commits to instead of showing it: input, output, or both.
    #[arg(long, value_name = "SIDE", value_enum, value_delimiter = ',')]
    pub(crate) commit: Vec<Side>,
    /// A label for the key; it becomes part of the key, and by default there is none.
    #[arg(long, value_name = "LABEL")]
    pub(crate) name: Option<String>,
    /// What the circuit is planned for: balanced by default.
    #[arg(long, value_name = "AIM", value_enum)]
    pub(crate) optimize: Option<Aim>,
    /// Settings written by `setup` or `prove`; by default the file beside the key, which is looked
    /// for beside the model.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["calibrate", "activation_bits", "commit", "optimize", "name"]
    )]
    pub(crate) settings: Option<PathBuf>,
}

impl Quantize {
    /// The files that are named.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.calibrate, &self.settings].into_iter().filter_map(|path| path.as_deref())
    }

    /// What the arguments ask for.
    pub(crate) fn recipe(&self) -> Recipe {
        Recipe {
            settings: self.settings.clone(),
            samples: self.calibrate.clone(),
            options: Options {
                name: self.name.clone(),
                activation_bits: self.activation_bits,
                committed: self.commit.iter().copied().map(Into::into).collect(),
                optimize: self.optimize.map(Into::into),
            },
        }
    }
}

/// What is prepared for a chain.
#[derive(Debug, Subcommand)]
pub(crate) enum Contract {
    /// Write the verifier contract, the calldata that registers a key, and the ABI.
    Export(ContractExport),
    /// Print the calldata with which the contract verifies a proof.
    Call(ContractCall),
}

/// A key and where its data go.
#[derive(Debug, clap::Args)]
pub(crate) struct ContractExport {
    /// The verifying key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The folder to write to.
    #[arg(short, long, value_name = "FOLDER")]
    pub(crate) output: PathBuf,
}

/// A proof and its key.
#[derive(Debug, clap::Args)]
pub(crate) struct ContractCall {
    /// The proof.
    pub(crate) proof: PathBuf,
    /// The verifying key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
}

/// One side of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// All inputs.
    Input,
    /// All outputs.
    Output,
}

/// What a circuit is planned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Aim {
    /// The fastest to prove, where a KiB of proof beyond 8 counts as 50 ms.
    Balanced,
    /// The fastest to prove.
    Time,
    /// The shortest proof.
    Proof,
    /// The cheapest to verify on an EVM chain.
    Gas,
    /// The least memory to prove.
    Memory,
}

impl From<Side> for zkinfer::Side {
    fn from(side: Side) -> Self {
        match side {
            Side::Input => Self::Input,
            Side::Output => Self::Output,
        }
    }
}

impl From<Aim> for zkinfer::Aim {
    fn from(aim: Aim) -> Self {
        match aim {
            Aim::Balanced => Self::Balanced,
            Aim::Time => Self::Time,
            Aim::Proof => Self::Proof,
            Aim::Gas => Self::Gas,
            Aim::Memory => Self::Memory,
        }
    }
}

/// What is asked of the integers before anything is proven.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Alarm {
    /// Refuse to go on if an output is further from the float model's than this share of its range:
    /// percent, 2 for instance. Without it, 2 % give a warning.
    #[arg(long, value_name = "PERCENT", value_parser = percent, allow_negative_numbers = true)]
    pub(crate) max_error: Option<f64>,
    /// Refuse to go on if the answer is not the float model's: another class, or the other side of
    /// the threshold.
    #[arg(long)]
    pub(crate) require_class: bool,
    /// Where an output of one number changes its answer; by default as its activation says, 0.5 for
    /// a sigmoid.
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = finite)]
    pub(crate) threshold: Option<f64>,
    /// The outputs that the model's exporter has computed from the same inputs: shows whether the
    /// ONNX file is read as it was meant. In the formats of --input.
    #[arg(long, value_name = "FILE")]
    pub(crate) reference: Option<PathBuf>,
}

impl Alarm {
    pub(crate) fn demands(&self) -> Demands {
        Demands {
            max_error: self.max_error.map(|percent| percent / 100.0),
            same_answer: self.require_class,
            threshold: self.threshold,
        }
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = finite(text.trim_end_matches('%').trim())?;
    if percent >= 0.0 { Ok(percent) } else { Err("expected 0 or more".to_owned()) }
}

fn finite(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "expected a finite number".to_owned())
}

/// What the key says about how well the integers do.
#[derive(Debug, clap::Args)]
pub(crate) struct TestSet {
    /// Samples to measure accuracy on, for the report that the key binds; by default those of
    /// --calibrate. Labels in it are compared.
    #[arg(long, value_name = "FILE")]
    pub(crate) test_set: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Inspect {
    /// The ONNX file.
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) import: Import,
    /// Also write the report as a page: one HTML file that needs no network.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Quote {
    /// The ONNX file.
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) import: Import,
    /// An input to calibrate with, where there are no samples.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) quantize: Quantize,
    #[command(flatten)]
    pub(crate) icicle: Icicle,
    /// Also write the report as a page: one HTML file that needs no network.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// The ONNX file.
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) import: Import,
    /// The input: EZKL's JSON, a JSON object by input name, CSV, .npy or .npz; `-` reads it from
    /// standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) quantize: Quantize,
    #[command(flatten)]
    pub(crate) alarm: Alarm,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Setup {
    /// The ONNX file.
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) import: Import,
    /// Where to write the verifying key; beside the model by default.
    #[arg(short, long, visible_alias = "key", value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// An input to calibrate with, where there are no samples.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) quantize: Quantize,
    #[command(flatten)]
    pub(crate) test_set: TestSet,
    #[command(flatten)]
    pub(crate) alarm: Alarm,
    #[command(flatten)]
    pub(crate) srs: SrsFile,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Prove {
    /// The ONNX file.
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) import: Import,
    #[command(flatten)]
    pub(crate) input: ProveInput,
    /// Where to write the proof, or the folder for those of --inputs; beside the model by default.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The verifying key; beside the model by default. Where there is none, one is made.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The opening of the commitment that the proof must be about, from `commit`; by default a new
    /// commitment is made.
    #[arg(long, value_name = "FILE", conflicts_with = "inputs")]
    pub(crate) input_opening: Option<PathBuf>,
    /// Where to write what opens the proof's commitments; beside the proof by default.
    #[arg(long, value_name = "FILE", conflicts_with = "inputs")]
    pub(crate) opening: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) quantize: Quantize,
    #[command(flatten)]
    pub(crate) test_set: TestSet,
    #[command(flatten)]
    pub(crate) alarm: Alarm,
    /// Where the proof is made: by default on the fastest device.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) device: DeviceName,
    /// The instructions that the processor runs; by default its fastest.
    #[arg(long, value_enum)]
    pub(crate) instructions: Option<InstructionsName>,
    #[command(flatten)]
    pub(crate) icicle: Icicle,
    #[command(flatten)]
    pub(crate) srs: SrsFile,
    #[command(flatten)]
    pub(crate) job: Job,
}

/// What is to be proved: one run, or many.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ProveInput {
    /// The input: EZKL's JSON, a JSON object by input name, CSV, .npy or .npz; `-` reads it from
    /// standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Many inputs, each of which gets a proof: a folder of files, an array with a leading axis, or
    /// a JSON file with an entry for each.
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) inputs: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Commit {
    /// The verifying key, which commits to inputs.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The input, in the formats of `prove --input`.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Where to write the opening, for the prover; beside the input by default.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// The instruction sets that can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InstructionsName {
    /// AVX-512 with IFMA.
    #[value(name = "avx512ifma")]
    Avx512Ifma,
    /// AVX-512 without IFMA.
    Avx512,
    /// AVX2.
    Avx2,
    /// 64-bit words, on any processor.
    Portable,
}

impl From<InstructionsName> for Instructions {
    fn from(name: InstructionsName) -> Self {
        match name {
            InstructionsName::Avx512Ifma => Self::Avx512Ifma,
            InstructionsName::Avx512 => Self::Avx512,
            InstructionsName::Avx2 => Self::Avx2,
            InstructionsName::Portable => Self::Portable,
        }
    }
}

/// The devices that can be chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeviceName {
    /// The fastest that can be used.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
    /// What ICICLE has a backend for, where it is installed.
    Icicle,
}

impl From<DeviceName> for DeviceChoice {
    fn from(name: DeviceName) -> Self {
        match name {
            DeviceName::Auto => Self::Auto,
            DeviceName::Cpu => Self::Cpu,
            DeviceName::Cuda => Self::Cuda,
            DeviceName::Icicle => Self::Icicle,
        }
    }
}

/// Where ICICLE is, and which of its devices.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Icicle {
    /// The folder of libicicle_device.so; by default where ICICLE_BACKEND_INSTALL_DIR and its
    /// installers put it.
    #[arg(long, value_name = "FOLDER")]
    icicle_dir: Option<PathBuf>,
    /// ICICLE's name of the device.
    #[arg(long, value_name = "NAME", default_value = "CUDA")]
    icicle_device: String,
}

impl Icicle {
    /// ICICLE's device as it was asked for.
    pub(crate) fn options(&self) -> IcicleOptions {
        IcicleOptions { folder: self.icicle_dir.clone(), kind: self.icicle_device.clone() }
    }

    /// All devices, with these instructions of the processor or its fastest.
    pub(crate) fn devices(
        &self,
        instructions: Option<InstructionsName>,
    ) -> anyhow::Result<Devices<'static>> {
        let mut cpu = CpuOptions::default();
        if let Some(name) = instructions {
            cpu.instructions = name.into();
            let (name, fastest) = (cpu.instructions.name(), Instructions::detect().name());
            anyhow::ensure!(
                cpu.instructions.is_available(),
                "this processor does not have the instructions {name}; its fastest are {fastest}"
            );
        }
        let (cuda, icicle) = (CudaOptions::default(), self.options());
        Ok(Devices { cpu, cuda, icicle, trial: &trial })
    }
}

/// This very program, as a process in which ICICLE's libraries may do what they like.
fn trial(options: &IcicleOptions) -> io::Result<process::Command> {
    let mut command = process::Command::new(env::current_exe()?);
    command.args(["try-icicle", "--icicle-device", &options.kind]);
    if let Some(folder) = &options.folder {
        command.arg("--icicle-dir").arg(folder);
    }
    Ok(command)
}

/// What `devices` looks for.
#[derive(Debug, clap::Args)]
pub(crate) struct FindDevices {
    #[command(flatten)]
    pub(crate) icicle: Icicle,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SrsFile {
    /// A file from `srs import` or `srs gen`; without it the insecure development SRS is used.
    #[arg(long = "srs", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// The job that a proof is made for, or must have been made for.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Job {
    /// The job: 32 bytes in hexadecimal.
    #[arg(long, value_name = "HEX")]
    pub(crate) job: Option<Hex32>,
    /// Who is paid: 20 bytes in hexadecimal.
    #[arg(long, value_name = "HEX")]
    pub(crate) payee: Option<Hex20>,
    /// The chain on which the job is settled.
    #[arg(long, value_name = "ID")]
    pub(crate) chain: Option<u64>,
    /// When the proof expires: Unix time in seconds.
    #[arg(long, value_name = "TIME")]
    pub(crate) expiry: Option<u64>,
    /// Tells two proofs of one job apart.
    #[arg(long, value_name = "N")]
    pub(crate) nonce: Option<u64>,
}

/// What a proof must be about, and which setups are trusted.
#[derive(Debug, clap::Args)]
pub(crate) struct Expect {
    /// The digest that the key must have, as `key` and `setup` print it: it says which circuit,
    /// weights included, is meant.
    #[arg(long, value_name = "HEX")]
    pub(crate) expect_key: Option<Hex32>,
    /// The digest of the ONNX file that the key must name, as `inspect` prints it. The name is the
    /// word of the key's maker: only `audit --model` shows that it is true.
    #[arg(long, value_name = "HEX")]
    pub(crate) expect_model: Option<Hex32>,
    /// The input that the proof must be about, in the formats of `prove --input`.
    #[arg(long, value_name = "FILE")]
    pub(crate) expect_input: Option<PathBuf>,
    /// The output that the proof must claim: real numbers, in the same formats.
    #[arg(long, value_name = "FILE")]
    pub(crate) expect_output: Option<PathBuf>,
    /// The commitment to the input that the proof must be about, as `commit` prints it.
    #[arg(long, value_name = "HEX", conflicts_with = "expect_input")]
    pub(crate) expect_input_commitment: Option<Hex32>,
    /// The commitment to the output that the proof must claim.
    #[arg(long, value_name = "HEX", conflicts_with = "expect_output")]
    pub(crate) expect_output_commitment: Option<Hex32>,
    /// What must open the claim's commitments: shows what they hide.
    #[arg(long, value_name = "FILE")]
    pub(crate) opening: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) job: Job,
    /// Reject a proof that has expired by then: Unix time in seconds, or `now`.
    #[arg(long, value_name = "TIME")]
    pub(crate) valid_at: Option<Moment>,
    /// Accept a proof under the development SRS, which anybody can forge.
    #[arg(long)]
    pub(crate) allow_insecure_srs: bool,
    /// Accept a proof under the SRS of this digest, as `srs info` prints it.
    #[arg(long, value_name = "HEX", conflicts_with = "allow_insecure_srs")]
    pub(crate) allow_srs: Option<Hex32>,
}

impl Expect {
    /// What the arguments expect of proofs under `key`.
    pub(crate) fn expectation<'a>(&self, key: &'a VerifyingKey) -> Result<Expectation<'a>, Error> {
        let policy = match self.allow_srs {
            Some(Hex32(digest)) => SrsPolicy::AllowSrs(SrsDigest(Digest(digest))),
            None if self.allow_insecure_srs => SrsPolicy::AllowInsecureDev,
            None => SrsPolicy::CeremonyOnly,
        };
        let bytes = |Hex32(bytes)| bytes;
        Expectation::new(key, policy)
            .key_digest(self.expect_key.map(|Hex32(digest)| KeyDigest(Digest(digest))))
            .model(self.expect_model.map(|Hex32(digest)| Digest(digest)))
            .job(self.job.expected())
            .valid_at(self.valid_at.map(|Moment(seconds)| seconds))
            .openings(self.opening.as_deref().map(read::openings).transpose()?)
            .input(ExpectedSide {
                values: self.expect_input.as_deref(),
                commitment: self.expect_input_commitment.map(bytes),
            })?
            .output(ExpectedSide {
                values: self.expect_output.as_deref(),
                commitment: self.expect_output_commitment.map(bytes),
            })
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The proof files; what is expected is expected of each.
    #[arg(required = true, value_name = "PROOF")]
    pub(crate) proofs: Vec<PathBuf>,
    /// The verifying key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Check all proofs with one pairing, and one by one only if that fails.
    #[arg(long)]
    pub(crate) batch: bool,
    #[command(flatten)]
    pub(crate) expect: Expect,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Audit {
    /// The proof file.
    pub(crate) proof: PathBuf,
    /// The verifying key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The ONNX file that should give this very key; pass what `setup` or `prove` was given too.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) import: Import,
    /// The input that the key was calibrated with, where there were no samples.
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(crate) input: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) quantize: Quantize,
    #[command(flatten)]
    pub(crate) test_set: TestSet,
    #[command(flatten)]
    pub(crate) srs: SrsFile,
    /// The accuracy report that the key should bind.
    #[arg(long, value_name = "FILE")]
    pub(crate) accuracy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) expect: Expect,
    /// Also write the report as a page: one HTML file that needs no network.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Key {
    /// The verifying key.
    pub(crate) key: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Srs {
    /// Make the insecure development SRS.
    Gen(SrsGen),
    /// Import the powers of a ceremony from a .ptau file or EZKL's kzg.srs, checking every point.
    Import(SrsImport),
    /// Describe an SRS file.
    Info(SrsInfo),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// The folder to write to.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SrsGen {
    /// log2 of the number of rows.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=24))]
    pub(crate) k: u32,
    /// Where to write it.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SrsImport {
    /// The ceremony's .ptau file, or EZKL's kzg.srs.
    pub(crate) file: PathBuf,
    /// log2 of the number of rows to keep; all by default.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=28))]
    pub(crate) k: Option<u32>,
    /// Where to write it; beside the file by default.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SrsInfo {
    /// The file.
    pub(crate) file: PathBuf,
    /// A verifying key, to say whether the file serves its model.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }
}
