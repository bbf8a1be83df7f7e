//! `setup`: the verifying key of a model, and the settings that later proofs use.

use std::{fmt, path::PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkinfer::{
    Device, Keys, Model, Settings, accuracy_path_beside, measure_accuracy, write_accuracy,
};

use crate::{
    args,
    output::{Outcome, Output},
    progress::watched,
    text::{self, BoundReport},
};

pub(crate) fn run(args: &args::Setup, output: &Output) -> Result<Outcome> {
    let key_path = args.output.clone().unwrap_or_else(|| args.model.with_extension("zkvk"));
    let settings_path =
        args.quantize.settings.clone().unwrap_or_else(|| Settings::path_beside(&key_path));
    let accuracy_path = accuracy_path_beside(&key_path);
    let model = Model::open(&args.model)?;
    let input = args.input.as_deref().map(|path| model.read_input(path)).transpose()?;
    let recipe = args.quantize.recipe();
    let mut quantized = model.quantize(&recipe, &settings_path, input.as_deref())?;
    let accuracy = measure_accuracy(&model, &mut quantized, args.test_set.test_set.as_deref())?;
    let (srs, device) = (args.srs.file.as_deref(), Device::default());
    let made = watched(output, |watch| Keys::make(&model, &quantized, srs, &device, watch))?;
    output.remark_srs(&made.srs_event);
    let key = made.verifying_key();
    let reused = made.is_stored(&key_path)?;
    if !reused {
        made.write(&key_path)?;
    }
    quantized.settings.write(&settings_path)?;
    if let Some(report) = &accuracy {
        write_accuracy(report, &accuracy_path)?;
    }
    let cost = made.setup().plan().cost();
    output.report(&Report {
        model: quantized.settings.model.clone(),
        calibration: text::origin(&quantized.origin),
        k: cost.k,
        advice_columns: cost.advice_columns,
        fixed_columns: cost.fixed_columns,
        setup_seconds: made.seconds,
        key_bytes: key.encode().len(),
        key_digest: key.digest().to_string(),
        srs: key.parts().srs.name.clone(),
        insecure_srs: made.setup().srs().ceremony().is_insecure(),
        key: key_path,
        settings: settings_path,
        accuracy: accuracy.map(|report| BoundReport::new(report, accuracy_path)),
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
    accuracy: Option<BoundReport>,
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
