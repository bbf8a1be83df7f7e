//! How far one quantization of a model is from its float form on many samples: what a search for a
//! cheaper one weighs.

use ndarray::ArrayD;
use rayon::prelude::*;
use serde::Serialize;

use super::margins::{Margin, expected_other_answers};
use super::outputs;
use super::runs::{Forms, max_error, real_count, share};
use crate::calibration::Calibration;
use crate::dequantize::quantize_inputs;
use crate::error::RunError;
use crate::execute::execute;
use crate::graph::{Graph, Op};
use crate::numbers::narrow;
use crate::quantized::QuantizedGraph;
use crate::reading::Reading;
use crate::tensor::TensorId;

/// The float model's outputs on some samples, which are computed once, and what errors are
/// measured by.
#[derive(Debug)]
pub struct FloatOutputs<'a> {
    graph: &'a Graph,
    calibration: &'a Calibration,
    samples: &'a [Vec<ArrayD<f32>>],
    /// The values of each output, sample by sample.
    values: Vec<Vec<Vec<f64>>>,
    readings: Vec<Reading>,
}

/// What the integers have in common with the float model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Samples that were run.
    pub samples: usize,
    /// Samples on which every output gives the float model's answer, see
    /// [`Reading::answers`]; all of them where outputs are no choice.
    pub same_answer: usize,
    /// The share of other inputs like the samples on which an answer is expected to be another,
    /// from how near to each other the float model's best answers are and how far the integers move
    /// them.
    pub expected_other_answers: f64,
    /// The largest error of an output element, as a share of what calibration saw there.
    pub max_error: f64,
    /// The same over the outputs that are more than a choice: single numbers, probabilities, and as
    /// many numbers as an input has.
    pub max_value_error: f64,
    /// The mean over the samples of each one's largest error.
    pub mean_error: f64,
}

/// The share of samples with the same answer, the share of other inputs expected to have another,
/// and the errors of choices and of values, up to which a quantization is close to the float model
/// without anybody's having asked. Errors on other inputs are larger than those on the samples: of
/// choices half of what is worth a warning is left to them.
const CLOSE_ANSWERS: f64 = 0.995;
const CLOSE_EXPECTED: f64 = 0.0025;
const CLOSE_CHOICES: f64 = 0.01;
const CLOSE_VALUES: f64 = 0.005;

impl Agreement {
    /// Whether the integers do what the float model does, by the standard that is kept to where
    /// nobody states another.
    #[must_use]
    pub fn is_close(&self) -> bool {
        self.same_answer_share() >= CLOSE_ANSWERS && self.excess() <= 1.0
    }

    /// How far from close, where answers are the same: the largest of the errors, each as a
    /// multiple of its limit. One sample's choice says little: there all outputs are values.
    #[must_use]
    pub fn excess(&self) -> f64 {
        let values = if self.samples > 1 { self.max_value_error } else { self.max_error };
        let errors = (self.max_error / CLOSE_CHOICES).max(values / CLOSE_VALUES);
        errors.max(self.expected_other_answers / CLOSE_EXPECTED)
    }

    /// The share of the samples with the float model's answer.
    #[must_use]
    pub fn same_answer_share(&self) -> f64 {
        share(real_count(self.same_answer), real_count(self.samples))
    }
}

impl<'a> FloatOutputs<'a> {
    /// Runs the float model on the samples that `calibration` was measured on.
    ///
    /// # Errors
    /// When a sample does not fit the model.
    pub fn new(
        graph: &'a Graph,
        calibration: &'a Calibration,
        samples: &'a [Vec<ArrayD<f32>>],
    ) -> Result<Self, RunError> {
        let run = |inputs: &Vec<ArrayD<f32>>| {
            let mut values = graph.trace_float(inputs)?.values;
            Ok(graph.outputs.iter().map(|id| std::mem::take(&mut values[id.0])).collect())
        };
        let values = samples.par_iter().map(run).collect::<Result<_, RunError>>()?;
        let reading = |&id| Reading::of(graph, calibration, id, None);
        let readings = graph.outputs.iter().map(reading).collect();
        Ok(Self { graph, calibration, samples, values, readings })
    }

    /// Runs the same samples in integers.
    ///
    /// # Errors
    /// When a sample does not fit the model.
    ///
    /// # Panics
    /// When `quantized` is of another model.
    pub fn agreement(&self, quantized: &QuantizedGraph) -> Result<Agreement, RunError> {
        let (graph, calibration) = (self.graph, self.calibration);
        let forms = Forms { graph, calibration, quantized };
        let runs = self.samples.par_iter().zip(&self.values);
        let runs = runs.map(|(inputs, float)| self.one(&forms, inputs, float));
        let runs = runs.collect::<Result<Vec<_>, RunError>>()?;
        let most = |error: fn(&Run) -> f64| runs.iter().map(error).fold(0.0, f64::max);
        Ok(Agreement {
            samples: runs.len(),
            same_answer: runs.iter().filter(|run| run.same_answer).count(),
            expected_other_answers: self.expected_other_answers(&runs),
            max_error: most(|run| run.error),
            max_value_error: most(|run| run.value_error),
            mean_error: share(runs.iter().map(|run| run.error).sum(), real_count(runs.len())),
        })
    }

    fn one(
        &self,
        forms: &Forms<'_>,
        inputs: &[ArrayD<f32>],
        float: &[Vec<f64>],
    ) -> Result<Run, RunError> {
        let quantized = forms.quantized;
        let execution = execute(quantized, &quantize_inputs(quantized, inputs)?)?;
        let mut run = Run { same_answer: true, error: 0.0, value_error: 0.0, margins: Vec::new() };
        for ((&id, reading), float) in self.graph.outputs.iter().zip(&self.readings).zip(float) {
            let integer = quantized.real_values(&execution, id);
            let error = share(max_error(&integer, float), outputs::span(forms, id, float));
            run.error = run.error.max(error);
            if are_values(self.graph, id, *reading) {
                run.value_error = run.value_error.max(error);
            }
            run.margins.push(Margin::of(reading, &integer, float));
            let answers = |values: &[f64]| {
                reading.answers(&values.iter().copied().map(narrow).collect::<Vec<_>>())
            };
            let (integer, float) = (answers(&integer), answers(float));
            run.same_answer &= outputs::differing(&integer, &float).next().is_none();
        }
        Ok(run)
    }

    /// The largest share of an output; one sample says nothing of others.
    fn expected_other_answers(&self, runs: &[Run]) -> f64 {
        if runs.len() < 2 {
            return 0.0;
        }
        let outputs = 0..self.readings.len();
        let shares = outputs.map(|output| {
            let margins = runs.iter().flat_map(|run| run.margins[output].iter().copied());
            expected_other_answers(margins.collect())
        });
        shares.fold(0.0, f64::max)
    }
}

/// Whether an output is no choice, or tells too little as one: a number of both signs may be a
/// quantity, as many numbers as an input has may be its reconstruction, and probabilities near 0 and
/// 1, as those of most samples are, hardly move where others do.
fn are_values(graph: &Graph, id: TensorId, reading: Reading) -> bool {
    match reading {
        Reading::Values | Reading::Side { .. } => true,
        Reading::Class { rows, classes } => {
            let producers = graph.producers();
            let root = graph.alias_root(id, &producers);
            let producer = producers[root.0].map(|position| &graph.nodes[position].op);
            let is_as_large = |input: &TensorId| graph.tensor(*input).len() == rows * classes;
            matches!(producer, Some(Op::Softmax(_))) || graph.inputs.iter().any(is_as_large)
        }
    }
}

/// One sample in both forms.
struct Run {
    /// Whether every output gives the float model's answer.
    same_answer: bool,
    /// The largest error of an output, and of those that are more than a choice.
    error: f64,
    value_error: f64,
    /// Of each output, the margins of its answers.
    margins: Vec<Vec<Margin>>,
}
