//! What a search for settings has found, for people and for scripts.

mod curve;
mod page;

use std::{fmt, path::PathBuf};

use serde::Serialize;
use zkinfer::{
    Model,
    calibrate::{Calibrated, Layer, Trial},
    models::{Clipping, Shown},
};

use crate::words;

/// The settings that meet a goal, and what else was tried: `Display` is the text, `Serialize` the
/// JSON, [`Self::page`] the page.
#[derive(Clone, Debug, Serialize)]
pub struct CalibrationReport {
    model: String,
    /// Where the settings were written, if they were.
    settings: Option<PathBuf>,
    chosen: Trial,
    layers: Vec<Layer>,
    /// Everything that was tried.
    tried: Vec<Trial>,
}

impl CalibrationReport {
    /// The report of a search; `settings` is the file that its settings were written to.
    #[must_use]
    pub fn new(model: &Model, settings: Option<PathBuf>, found: &Calibrated) -> Self {
        Self {
            model: words::model(found.quantized.settings.label(), model.digest()),
            settings,
            chosen: found.chosen.clone(),
            layers: found.layers.clone(),
            tried: found.curve.clone(),
        }
    }
}

impl CalibrationReport {
    /// The ONNX node of a layer; where it gives several layers, as a recurrent one does, with the
    /// tensor that this one gives.
    fn name_of(&self, layer: &Layer) -> String {
        let node = Shown(&layer.layer);
        let is_of_node = |other: &&Layer| other.layer == layer.layer;
        match self.layers.iter().filter(is_of_node).nth(1) {
            Some(_) => format!("{node}: {}", Shown(&layer.tensor)),
            None => node.to_string(),
        }
    }
}

impl fmt::Display for CalibrationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trial { choice, agreement, price } = &self.chosen;
        match &self.settings {
            Some(settings) => {
                writeln!(f, "{}: settings {} written", self.model, settings.display())
            }
            None => writeln!(f, "{}: settings found", self.model),
        }?;
        writeln!(
            f,
            "  {} bits, {}; the float model's answer on {} of {} samples, error at most {:.2} %",
            choice.bits,
            clipping(choice.clipping),
            agreement.same_answer,
            agreement.samples,
            agreement.max_error * 100.0
        )?;
        writeln!(
            f,
            "  2^{} rows, {} advice columns, {} bytes; proving (estimated): {:.3} s",
            price.k, price.advice_columns, price.proof_bytes, price.prove_seconds
        )?;
        writeln!(f, "\n  bits  saturated      error     values      rows  layer")?;
        for layer in &self.layers {
            let (saturated, error) = (layer.saturated * 100.0, layer.error * 100.0);
            let rows = layer.rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string());
            writeln!(
                f,
                "  {:>4}  {saturated:>7.3} %  {error:>7.3} %  {:>9} {rows:>9}  {}",
                layer.bits,
                layer.values,
                self.name_of(layer)
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
                clipping(choice.clipping),
                agreement.same_answer,
                agreement.samples,
                price.prove_seconds
            )?;
        }
        write!(f, "  (+: some layers have bits of their own)")
    }
}

/// How ranges follow from values, in words.
fn clipping(clipping: Clipping) -> String {
    match clipping {
        Clipping::MinMax => "smallest to largest".to_owned(),
        Clipping::Percentile { millionths } => {
            format!("{:.2} % cut off", f64::from(millionths) / 1e4)
        }
        Clipping::Entropy => "by entropy".to_owned(),
    }
}
