//! `calibrate`: the cheapest settings that meet a goal on samples.

use std::{fmt, path::PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use zkinfer::{
    InputData, KeyFiles, Shapes,
    calibrate::{Calibrated, Goal, Layer, Trial},
    models::Clipping,
};

use crate::{
    args,
    output::{Outcome, Output},
    progress::watched,
    text,
};

pub(crate) fn run(args: &args::Calibrate, output: &Output) -> Result<Outcome> {
    let samples = args::or_no_model(&args.model, || InputData::read_samples(&args.samples))?;
    let model = args.import.open(&args.model, &[Shapes::Samples(&samples)], output)?;
    let samples = model.samples(&samples)?;
    let place = args.output.clone();
    let settings = place.unwrap_or_else(|| KeyFiles::beside_model(&args.model).settings);
    let goal = Goal::new(args.target_accuracy, args.max_error)
        .context("pass --target-accuracy, --max-error, or both")?;
    let options = args.common.options();
    let found = watched(output, |watch| model.calibrate_to(&samples, &options, &goal, watch))?;
    found.quantized.settings.write_new(&settings)?;
    let name = text::model(found.quantized.settings.label(), model.digest());
    output.report(&Report::new(name, settings, found))?;
    Ok(Outcome::Accepted)
}

#[derive(Serialize)]
struct Report {
    model: String,
    settings: PathBuf,
    chosen: Trial,
    layers: Vec<Layer>,
    /// Everything that was tried.
    tried: Vec<Trial>,
}

impl Report {
    fn new(model: String, settings: PathBuf, found: Calibrated) -> Self {
        let Calibrated { chosen, curve, layers, .. } = found;
        Self { model, settings, chosen, layers, tried: curve }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trial { choice, agreement, price } = &self.chosen;
        writeln!(f, "{}: settings {} written", self.model, self.settings.display())?;
        writeln!(
            f,
            "  {} bits, {}; the float model's answer on {} of {} samples, error at most {:.2} %",
            choice.bits,
            words(choice.clipping),
            agreement.same_answer,
            agreement.samples,
            agreement.max_error * 100.0
        )?;
        writeln!(
            f,
            "  2^{} rows, {} advice columns, {} bytes; proving (estimated): {:.3} s",
            price.k, price.advice_columns, price.proof_bytes, price.prove_seconds
        )?;
        writeln!(f, "\n  bits  saturated      error     values  layer")?;
        for layer in &self.layers {
            let (saturated, error) = (layer.saturated * 100.0, layer.error * 100.0);
            writeln!(
                f,
                "  {:>4}  {saturated:>7.3} %  {error:>7.3} %  {:>9}  {}",
                layer.bits, layer.values, layer.layer
            )?;
        }
        writeln!(f, "\n  tried:\n  bits  clipping               same answer      error  seconds")?;
        for Trial { choice, agreement, price } in &self.tried {
            let own = if choice.layers.is_empty() { "" } else { " +" };
            let error = agreement.max_error * 100.0;
            writeln!(
                f,
                "  {:>4}{own:2}{:<22} {:>5} of {:<5} {error:>8.2} %  {:.3}",
                choice.bits,
                words(choice.clipping),
                agreement.same_answer,
                agreement.samples,
                price.prove_seconds
            )?;
        }
        write!(f, "  (+: some layers have bits of their own)")
    }
}

/// How ranges follow from values.
fn words(clipping: Clipping) -> String {
    match clipping {
        Clipping::MinMax => "smallest to largest".to_owned(),
        Clipping::Percentile { millionths } => {
            format!("{:.2} % cut off", f64::from(millionths) / 1e4)
        }
        Clipping::Entropy => "by entropy".to_owned(),
    }
}
