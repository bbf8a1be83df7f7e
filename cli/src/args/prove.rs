//! Keys and proofs.

use std::{num::NonZeroU32, path::PathBuf};

use zkinfer::MAX_CLAIMS;

use super::{
    devices::{DeviceName, Icicle, InstructionsName},
    model::{Alarm, Import, KeySource, Quantize, TestSet},
    parts::OfPart,
    srs::SrsFile,
};
use crate::job::{Hex20, Hex32};

#[derive(Debug, clap::Args)]
pub(crate) struct Setup {
    #[command(flatten)]
    pub(crate) source: KeySource,
    /// Where to write the verifying key; beside the model by default.
    #[arg(short, long, visible_alias = "key", value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
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
    #[arg(long, value_name = "FILE")]
    pub(crate) input_opening: Option<PathBuf>,
    /// Where to write what opens the proof's commitments; beside the proof by default.
    #[arg(long, value_name = "FILE")]
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
    /// Prove so many of --inputs in one proof, each for its own job; inputs and outputs are committed
    /// to, and each is checked without the others. Such proofs have a key of their own.
    #[arg(long, value_name = "N", requires = "inputs", conflicts_with_all = OF_SINGLE,
        value_parser = several)]
    pub(crate) joint: Option<NonZeroU32>,
    /// A job for each of --inputs: a JSON array of objects with `job`, `payee`, `chain`, `expiry` and
    /// `nonce`.
    #[arg(long, value_name = "FILE", requires = "inputs",
        conflicts_with_all = OF_SINGLE.into_iter().chain(["job", "payee", "chain", "expiry", "nonce"]))]
    pub(crate) jobs: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) of_part: OfPart,
}

/// A number of claims in one proof.
fn several(text: &str) -> Result<NonZeroU32, String> {
    let count = text.parse::<NonZeroU32>().ok().filter(|n| (2..=MAX_CLAIMS).contains(&n.get()));
    count.ok_or_else(|| format!("expected a number from 2 to {MAX_CLAIMS}"))
}

/// What is said of the proof of one input, and of none of many.
const OF_SINGLE: [&str; 3] = ["input", "input_opening", "opening"];

/// What is to be proved: one run, or many.
#[derive(Debug, clap::Args)]
pub(crate) struct ProveInput {
    /// The input: EZKL's JSON, a JSON object by input name, CSV, .npy or .npz; `-` reads it from
    /// standard input.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["inputs", "part"])]
    pub(crate) input: Option<PathBuf>,
    /// Many inputs, each of which gets a proof: a folder of files, an array with a leading axis, or
    /// a JSON file with an entry for each.
    #[arg(long, value_name = "FILE|DIR", conflicts_with_all = OF_SINGLE,
        required_unless_present_any = ["input", "part"])]
    pub(crate) inputs: Option<PathBuf>,
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
