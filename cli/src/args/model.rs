//! Models: how one is read, quantized, and run beside its float form.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use zkinfer::{
    Demands, Error, InputData, Model, Options, Recipe, Shapes,
    models::{ImportError, ImportOptions},
};

use super::{devices::Icicle, parts::WriteLinks, srs::SrsFile};
use crate::output::Output;

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

    /// Opens a model so; what it leaves open is as `shapes` show it, and a remark says how it is.
    pub(crate) fn open(
        &self,
        model: &Path,
        shapes: &[Shapes<'_>],
        output: &Output,
    ) -> anyhow::Result<Model> {
        let model = Model::open_for(model, &self.options()?, shapes)?;
        output.remark_shapes(&model);
        Ok(model)
    }
}

/// What a command reads besides the model. Where that fails, a model that is none is told of first.
pub(crate) fn or_no_model<T>(
    model: &Path,
    read: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    read().or_else(|failed| Model::recognize(model).and(Err(failed)))
}

/// How real numbers become integers, and what a claim hides; fixes the key.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Quantize {
    /// Samples to calibrate with, one or many inputs: JSON, JSON lines, CSV, .npy or .npz.
    #[arg(long, value_name = "FILE")]
    pub(crate) calibrate: Option<PathBuf>,
    /// Bits of an activation, up to 16; by default the fewest, from 8 on, that come close to the
    /// float model.
    #[arg(long, value_name = "BITS")]
    pub(crate) activation_bits: Option<u32>,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Settings written by `setup` or `prove`; by default the file beside the key, which is looked
    /// for beside the model.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "calibrate", "activation_bits", "input_bits", "input_levels", "commit", "optimize",
            "name",
        ]
    )]
    pub(crate) settings: Option<PathBuf>,
}

/// What fixes the key whatever bits activations have.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Common {
    /// Bits of an input: 12 by default, 8 where samples lie on a grid, up to 16.
    #[arg(long, value_name = "BITS")]
    pub(crate) input_bits: Option<u32>,
    /// Steps from 0 to the largest input where inputs lie on a grid: 255 for 8-bit images.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65535))]
    pub(crate) input_levels: Option<u32>,
    /// What a claim commits to instead of showing it: input, output, or both.
    #[arg(long, value_name = "SIDE", value_enum, value_delimiter = ',')]
    pub(crate) commit: Vec<Side>,
    /// A label for the key; it becomes part of the key, and by default there is none.
    #[arg(long, value_name = "LABEL")]
    pub(crate) name: Option<String>,
    /// What the circuit is planned for: balanced by default.
    #[arg(long, value_name = "AIM", value_enum)]
    pub(crate) optimize: Option<Aim>,
}

impl Common {
    /// What the arguments ask for; bits of activations are the fewest that will do.
    pub(crate) fn options(&self) -> Options {
        Options {
            name: self.name.clone(),
            activation_bits: None,
            input_bits: self.input_bits,
            input_levels: self.input_levels,
            committed: self.commit.iter().copied().map(Into::into).collect(),
            optimize: self.optimize.map(Into::into),
        }
    }
}

impl Quantize {
    /// The files that are named.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.calibrate, &self.settings].into_iter().filter_map(|path| path.as_deref())
    }

    /// What the arguments ask for, with the samples that they name.
    pub(crate) fn recipe(&self) -> Result<Recipe, Error> {
        Ok(Recipe {
            settings: self.settings.clone(),
            samples: self.calibrate.as_deref().map(InputData::read_samples).transpose()?,
            options: Options { activation_bits: self.activation_bits, ..self.common.options() },
        })
    }
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
    /// The fastest to prove, where a KiB of proof beyond 8 for each claim counts as 50 ms.
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

pub(super) fn percent(text: &str) -> Result<f64, String> {
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

/// What a model in integers is made from.
#[derive(Debug, clap::Args)]
pub(crate) struct ModelSource {
    /// The ONNX file.
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) import: Import,
    /// An input to calibrate with, where there are no samples.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) quantize: Quantize,
}

/// What keys are made from.
#[derive(Debug, clap::Args)]
pub(crate) struct KeySource {
    #[command(flatten)]
    pub(crate) of: ModelSource,
    #[command(flatten)]
    pub(crate) test_set: TestSet,
    #[command(flatten)]
    pub(crate) alarm: Alarm,
    #[command(flatten)]
    pub(crate) srs: SrsFile,
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

/// A set of prices of the EVM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EvmFork {
    /// Of December 2025.
    Osaka,
    /// The one after; its prices may still move.
    Amsterdam,
}

impl From<EvmFork> for zkinfer::EvmFork {
    fn from(fork: EvmFork) -> Self {
        match fork {
            EvmFork::Osaka => Self::Osaka,
            EvmFork::Amsterdam => Self::Amsterdam,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Quote {
    #[command(flatten)]
    pub(crate) of: ModelSource,
    /// The prices of the chain that is to verify proofs.
    #[arg(long, value_name = "FORK", default_value = "osaka")]
    pub(crate) evm_fork: EvmFork,
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
    #[command(flatten)]
    pub(crate) parts: WriteLinks,
}
