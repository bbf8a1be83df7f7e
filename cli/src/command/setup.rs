//! `setup`: the verifying key of a model, and the settings that later proofs use.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkinfer::{Device, KeyFiles, Keys, Reference, Stored, Survey};

use super::source::Source;
use crate::{
    args,
    output::{Outcome, Output},
    progress::watched,
    text::{self, BoundReport},
};

pub(crate) fn run(args: &args::Setup, output: &Output) -> Result<Outcome> {
    let source = &args.source;
    let files = match &args.output {
        Some(key) => KeyFiles::of_key(key),
        None => KeyFiles::beside_model(&source.of.model),
    };
    let stored = args::or_no_model(&source.of.model, || files.stored())?;
    let Source { model, quantized, accuracy, survey, reference } =
        Source::read(source, &files.settings, stored.as_ref(), output)?;
    let (srs, device) = (source.srs.file.as_deref(), Device::default());
    let made = watched(output, |watch| {
        Keys::make_again(stored.as_ref(), &model, &quantized, srs, &device, watch)
    })?;
    output.remark_srs(&made.srs_event);
    let key = made.verifying_key();
    let stored = files.store(&made, &quantized.settings, accuracy.as_ref())?;
    let cost = made.setup().plan().cost();
    output.report(&Report {
        model: text::model(quantized.settings.label(), model.digest()),
        constant_inputs: model.constant_inputs().clone(),
        calibration: text::origin(&quantized.origin),
        k: cost.k,
        advice_columns: cost.advice_columns,
        fixed_columns: cost.fixed_columns,
        setup_seconds: made.seconds,
        key_bytes: key.encode().len(),
        key_digest: key.digest().to_string(),
        srs: key.parts().srs.name.clone(),
        insecure_srs: made.setup().srs().ceremony().is_insecure(),
        key: files.key,
        settings: files.settings,
        accuracy: accuracy.map(|report| BoundReport::new(report, files.accuracy)),
        reused: stored == Stored::Found,
        survey,
        reference,
    })?;
    Ok(Outcome::Accepted)
}

#[derive(Serialize)]
struct Report {
    model: String,
    /// The inputs of the file that are constants of the model.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    constant_inputs: BTreeMap<String, Vec<f64>>,
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
    /// The integers beside the float model on what the key was calibrated with.
    survey: Survey,
    /// The float model beside the exporter's outputs, where these were given.
    reference: Option<Reference>,
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
