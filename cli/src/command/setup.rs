//! `setup`: the verifying key of a model, and the settings that later proofs use.

use std::{fmt, path::PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkinfer_engine::Device;

use crate::{
    accuracy_report::{self, Bound},
    args, keys,
    model::Model,
    output::{Outcome, Output},
    settings::Settings,
};

pub(crate) fn run(args: &args::Setup, output: &Output) -> Result<Outcome> {
    let key_path = args.output.clone().unwrap_or_else(|| args.model.with_extension("zkvk"));
    let settings_path =
        args.quantize.settings.clone().unwrap_or_else(|| Settings::path_beside(&key_path));
    let accuracy_path = accuracy_report::path_beside(&key_path);
    let model = Model::read(&args.model)?;
    let input = args.input.as_deref().map(|path| model.read_input(path)).transpose()?;
    let mut quantized = model.quantize(&args.quantize, &settings_path, input.as_deref())?;
    let accuracy =
        accuracy_report::measure(&model, &mut quantized, args.test_set.test_set.as_deref())?;
    let made =
        keys::make(&model, &quantized, args.srs.file.as_deref(), &Device::default(), output)?;
    let key = made.setup.verifying_key();
    let reused = keys::exists(key, &key_path)?;
    if !reused {
        keys::write(key, &key_path)?;
    }
    quantized.settings.write(&settings_path)?;
    let accuracy = accuracy.map(|report| Bound::write(report, &accuracy_path)).transpose()?;
    let cost = made.setup.plan().cost();
    output.report(&Report {
        model: quantized.settings.model.clone(),
        calibration: quantized.origin.to_string(),
        k: cost.k,
        advice_columns: cost.advice_columns,
        fixed_columns: cost.fixed_columns,
        setup_seconds: made.seconds,
        key_bytes: key.encode().len(),
        key_digest: key.digest().to_string(),
        srs: key.parts().srs.name.clone(),
        insecure_srs: made.setup.srs().ceremony().is_insecure(),
        key: key_path,
        settings: settings_path,
        accuracy,
        reused,
    })?;
    Ok(Outcome::Accepted)
}

#[derive(Serialize)]
struct Report {
    model: String,
    calibration: String,
    k: u32,
    advice_columns: usize,
    fixed_columns: usize,
    setup_seconds: f64,
    key: PathBuf,
    key_bytes: usize,
    key_digest: String,
    settings: PathBuf,
    accuracy: Option<Bound>,
    srs: String,
    insecure_srs: bool,
    reused: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = if self.reused { "is already there" } else { "written" };
        writeln!(f, "{}: key {} {done}", self.model, self.key.display())?;
        writeln!(f, "  digest {}, {} bytes", self.key_digest, self.key_bytes)?;
        writeln!(f, "  settings {} (from {})", self.settings.display(), self.calibration)?;
        if let Some(accuracy) = &self.accuracy {
            writeln!(f, "  accuracy {accuracy}")?;
        }
        let (advice, fixed) = (self.advice_columns, self.fixed_columns);
        writeln!(f, "  2^{} rows, {advice} advice and {fixed} fixed columns", self.k)?;
        if self.insecure_srs {
            writeln!(f, "  SRS {}: INSECURE, for development; see `srs import`", self.srs)?;
        } else {
            writeln!(f, "  SRS {}", self.srs)?;
        }
        write!(f, "  made in {:.1} s", self.setup_seconds)
    }
}
