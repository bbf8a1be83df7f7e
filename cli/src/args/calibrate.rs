//! Goals that settings are searched for.

use std::path::PathBuf;

use super::model::{Common, Import, percent};

/// A goal, and the samples on which it is to be met.
#[derive(Debug, clap::Args)]
#[group(id = "goal", required = true, multiple = true, args = ["target_accuracy", "max_error"])]
pub(crate) struct Calibrate {
    /// The ONNX file.
    pub(crate) model: PathBuf,
    /// Samples of the model's inputs: JSON, JSON lines, CSV, .npy or .npz.
    #[arg(long, alias = "calibrate", value_name = "FILE")]
    pub(crate) samples: PathBuf,
    /// The smallest share of the samples on which the answer must be the float model's: percent.
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    pub(crate) target_accuracy: Option<f64>,
    /// The largest error of any output, as a share of its range on the samples: percent.
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    pub(crate) max_error: Option<f64>,
    /// Where to write the settings; by default beside the model.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) import: Import,
    #[command(flatten)]
    pub(crate) common: Common,
    /// Also write the report as a page: one HTML file that needs no network.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// A share of up to 1, from percent.
fn share(text: &str) -> Result<f64, String> {
    let percent = percent(text)?;
    if percent <= 100.0 { Ok(percent / 100.0) } else { Err("expected at most 100".to_owned()) }
}
