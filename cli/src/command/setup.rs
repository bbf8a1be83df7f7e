//! `setup`: the verifying key of a model, and the settings that later proofs use.

use std::{fmt, path::PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkinfer::{
    Device, Error, KeyFiles, Keys, Model, Origin, Quantized, Reference, Stored, Survey, Tensors,
    measure_accuracy,
};

use crate::{
    alarm::reference,
    args,
    output::{Outcome, Output},
    progress::watched,
    text::{self, BoundReport},
};

pub(crate) fn run(args: &args::Setup, output: &Output) -> Result<Outcome> {
    let files = match &args.output {
        Some(key) => KeyFiles::of_key(key),
        None => KeyFiles::beside_model(&args.model),
    };
    let model = args.import.open(&args.model)?;
    let inputs: Vec<_> =
        args.input.iter().map(|path| model.read_input(path)).collect::<Result<_, Error>>()?;
    let mut quantized = model.quantize(&args.quantize.recipe(), &files.settings, &inputs)?;
    let accuracy = measure_accuracy(&model, &mut quantized, args.test_set.test_set.as_deref())?;
    accuracy.iter().for_each(|report| output.alarm_accuracy(report));
    let (survey, reference) = alarm(args, &model, &quantized, inputs, output)?;
    let (srs, device) = (args.srs.file.as_deref(), Device::default());
    let made =
        watched(output, |watch| Keys::make_again(&files, &model, &quantized, srs, &device, watch))?;
    output.remark_srs(&made.srs_event);
    let key = made.verifying_key();
    let stored = files.store(&made, &quantized.settings, accuracy.as_ref())?;
    let cost = made.setup().plan().cost();
    output.report(&Report {
        model: text::model(quantized.settings.label(), model.digest()),
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

/// Compares the integers with the float model, and that with its exporter, on what the key is made
/// from; before the key is written.
fn alarm(
    args: &args::Setup,
    model: &Model,
    quantized: &Quantized,
    inputs: Vec<Tensors>,
    output: &Output,
) -> Result<(Survey, Option<Reference>)> {
    let (file, inputs) = match (&quantized.origin, &args.input) {
        (Origin::Samples(path), _) => (path.clone(), model.read_samples(path)?),
        (_, Some(path)) => (path.clone(), inputs),
        _ => return Ok((Survey::default(), None)),
    };
    let reference = reference(&args.alarm, model, &file, &inputs)?;
    output.remark_file(&file)?;
    output.alarm_reference(reference.as_ref());
    let survey = model.compare_all(quantized, &inputs, &args.alarm.demands())?;
    output.alarm_all(&survey);
    Ok((survey, reference))
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
