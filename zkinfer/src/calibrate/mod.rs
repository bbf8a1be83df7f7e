//! Settings that meet a goal: the cheapest bits of each layer with which the integers agree with
//! the float model as closely as is asked for, on the samples.
//!
//! The search tries uniform bits first, from few to many, with each way of clipping the ranges;
//! then, layer by layer, how far a single layer may be lowered. What it finds is an ordinary
//! settings file: nothing of the search is part of a key or a proof.

mod search;
pub(crate) mod trial;

use std::{cmp::Ordering, collections::BTreeMap, ops::RangeInclusive};

use ndarray::ArrayD;
use serde::Serialize;
use zkinfer_models::{
    Agreement, Calibration, Clipping, FloatOutputs, LayerComparison, LayerOptions, Tolerance,
    graph::Op,
};

use crate::{
    error::Error,
    keys::plan,
    model::{Model, Origin, Quantized},
    progress::Watch,
    settings::{Options, Settings},
};

pub use trial::{Choice, Price, Trial};

/// Bits of activations that are tried where nobody chooses, in this order.
const DEFAULT_BITS: RangeInclusive<u32> = 8..=16;
/// Where no bits are close, more of them are taken for errors of at most this share of the others'.
const CLOSER: f64 = 0.8;

/// What is asked of the integers on the samples. At least one of both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    accuracy: Option<f64>,
    max_error: Option<f64>,
}

impl Goal {
    /// The smallest share of samples on which every answer is the float model's, up to 1, and the
    /// largest error of any output, as a share of what calibration saw there; `None` for neither.
    #[must_use]
    pub fn new(accuracy: Option<f64>, max_error: Option<f64>) -> Option<Self> {
        (accuracy.is_some() || max_error.is_some()).then_some(Self { accuracy, max_error })
    }

    /// Whether an agreement is as close.
    #[must_use]
    pub fn is_met_by(&self, agreement: &Agreement) -> bool {
        self.accuracy.is_none_or(|least| agreement.same_answer_share() >= least)
            && self.max_error.is_none_or(|most| agreement.max_error <= most)
    }

    /// How far an agreement is from it, 0 where it meets it.
    fn distance(&self, agreement: &Agreement) -> f64 {
        let answers: f64 = self.accuracy.map_or(0.0, |least| least - agreement.same_answer_share());
        let error: f64 = self.max_error.map_or(0.0, |most| agreement.max_error - most);
        answers.max(0.0) + error.max(0.0)
    }
}

/// A layer as it was settled.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    /// The name of its ONNX node.
    pub layer: String,
    /// The tensor that it gives.
    pub tensor: String,
    /// Bits of its values.
    pub bits: u32,
    /// Values that it computes, each of which takes a slot of a row.
    pub values: usize,
    /// Rows of its requantized values, reads and weights; `None` where it has no rows of its own,
    /// as pools and softmax, whose units serve all of them.
    pub rows: Option<usize>,
    /// The share of its values, over all samples, that saturated.
    pub saturated: f64,
    /// Its largest error on the samples, as a share of its calibrated range, with all that earlier
    /// layers contribute.
    pub error: f64,
}

/// What a search has found.
#[derive(Debug)]
pub struct Calibrated {
    /// The model in integers, and the settings that meet the goal.
    pub quantized: Quantized,
    /// What was settled on.
    pub chosen: Trial,
    /// Everything that was tried with a price: the trade-off.
    pub curve: Vec<Trial>,
    /// The layers, in the order of execution.
    pub layers: Vec<Layer>,
}

impl Model {
    /// The cheapest settings that meet a goal on the samples; see [`crate::calibrate`].
    ///
    /// # Errors
    /// If no settings meet it: then the error tells the closest. And as [`Model::quantize`].
    pub fn calibrate_to(
        &self,
        samples: &[Vec<ArrayD<f32>>],
        options: &Options,
        goal: &Goal,
        watch: Watch<'_>,
    ) -> Result<Calibrated, Error> {
        search::search(self, samples, options, goal, watch)
    }

    /// The bits of activations that are taken where nobody chooses: the fewest, from 8 on, with
    /// which the integers are close to the float model on what they are calibrated with, see
    /// [`Agreement::is_close`], and have a circuit; the closest where none are.
    pub(crate) fn default_bits(
        &self,
        calibration: &Calibration,
        samples: &[Vec<ArrayD<f32>>],
        options: &Options,
    ) -> Result<u32, Error> {
        let failed = |source| Error::Run { source };
        let floats = FloatOutputs::new(self.graph(), calibration, samples).map_err(failed)?;
        // Each closer than those before it.
        let mut closer: Vec<(u32, Agreement, Quantized)> = Vec::new();
        for bits in DEFAULT_BITS {
            let choice = Choice { bits, layers: BTreeMap::new(), clipping: Clipping::MinMax };
            let settings = settings_of(self, options, &choice, calibration.clone());
            let Ok(quantized) = self.quantize_with(settings, Origin::Input) else { continue };
            let agreement = floats.agreement(&quantized.graph).map_err(failed)?;
            if closer.last().is_none_or(|(_, best, _)| is_closer(&agreement, best)) {
                closer.push((bits, agreement, quantized));
                if agreement.is_close() {
                    break;
                }
            }
        }
        // Where no bits give integers or circuits, making those of the fewest says why.
        let has_circuit = |quantized| plan(self, quantized).is_ok();
        let chosen = closer.iter().skip(1).rfind(|(_, _, quantized)| has_circuit(quantized));
        let chosen = chosen.or(closer.first());
        Ok(chosen.map_or(*DEFAULT_BITS.start(), |(bits, ..)| *bits))
    }

    /// Every layer of the model in integers beside its float form, over all samples.
    fn layers_on(
        &self,
        quantized: &Quantized,
        samples: &[Vec<ArrayD<f32>>],
    ) -> Result<Vec<Layer>, Error> {
        let options = &quantized.settings.options;
        let rows: BTreeMap<String, usize> = plan(self, quantized)?
            .layer_rows()
            .into_iter()
            .map(|rows| (rows.tensor, rows.slots + rows.linear))
            .collect();
        let mut layers: Vec<Layer> = Vec::new();
        for sample in samples {
            let compared = self.compare(quantized, sample, &Tolerance::default())?;
            if layers.is_empty() {
                let row = |layer: &LayerComparison| Layer {
                    layer: layer.layer.clone(),
                    tensor: layer.tensor.clone(),
                    bits: options.bits_of(&layer.tensor),
                    values: layer.elements,
                    rows: rows.get(&layer.tensor).copied(),
                    saturated: 0.0,
                    error: 0.0,
                };
                layers = compared.layers.iter().map(row).collect();
            }
            for (row, layer) in layers.iter_mut().zip(&compared.layers) {
                row.saturated += layer.saturated_share() / real(samples.len());
                row.error = row.error.max(layer.error_share);
            }
        }
        Ok(layers)
    }

    /// The layers whose bits can be chosen, those with the most values first.
    fn adjustable_layers(&self) -> Vec<String> {
        let graph = self.graph();
        let outputs = graph.outputs();
        let mut layers: Vec<_> = graph
            .nodes()
            .iter()
            .filter(|node| matches!(node.op, Op::Affine(_) | Op::Mul(_)))
            .map(|node| graph.tensor(node.output))
            .filter(|tensor| !outputs.contains(tensor))
            .collect();
        layers.sort_by_key(|tensor| std::cmp::Reverse(tensor.len()));
        layers.into_iter().map(|tensor| tensor.name.clone()).collect()
    }
}

/// Whether integers are closer than others of fewer bits by so much that they are worth them.
fn is_closer(agreement: &Agreement, fewer_bits: &Agreement) -> bool {
    let other_answers = |agreement: &Agreement| agreement.samples - agreement.same_answer;
    let least = if agreement.is_close() { 1.0 } else { CLOSER };
    match other_answers(agreement).cmp(&other_answers(fewer_bits)) {
        Ordering::Equal => agreement.excess() < least * fewer_bits.excess(),
        order => order.is_lt(),
    }
}

fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// The settings of a choice.
fn settings_of(
    model: &Model,
    options: &Options,
    choice: &Choice,
    calibration: Calibration,
) -> Settings {
    let options = Options { activation_bits: Some(choice.bits), ..options.clone() };
    let mut settings = Settings::new(model.digest(), calibration, &options);
    let own = |(layer, &activation_bits): (&String, &u32)| {
        (layer.clone(), LayerOptions { activation_bits })
    };
    settings.options.layers = choice.layers.iter().map(own).collect();
    settings
}
