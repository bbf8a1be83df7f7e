//! Running both forms of a model on samples.

use std::path::Path;

use ndarray::ArrayD;
use rayon::prelude::*;

use super::{AccuracyError, AccuracyReport, FORMAT, FloatAgreement, LabelAgreement, SampleSet};
use crate::calibration::Calibration;
use crate::dequantize::quantize_inputs;
use crate::digest::HexDigest;
use crate::error::{InputError, RunError};
use crate::execute::execute;
use crate::graph::Graph;
use crate::input::InputFile;
use crate::quantize::{QuantizeOptions, quantize};
use crate::quantized::QuantizedGraph;
use crate::reading::Reading;

/// Samples to measure accuracy on, from one file.
#[derive(Clone, Debug)]
pub struct TestSet {
    digest: HexDigest,
    samples: Vec<Vec<ArrayD<f32>>>,
    labels: Option<Vec<i64>>,
}

impl TestSet {
    /// Reads samples and, where it holds some, labels; see [`InputFile`].
    ///
    /// # Errors
    /// When the file cannot be read, does not fit the model, or has not one label per sample.
    pub fn read(path: &Path, graph: &Graph) -> Result<Self, InputError> {
        let file = InputFile::read(path)?;
        let (samples, labels) = (file.samples(graph)?, file.labels()?);
        match labels.as_ref().map(Vec::len) {
            Some(got) if got != samples.len() => {
                Err(InputError::LabelCount { expected: samples.len(), got })
            }
            _ => Ok(Self { digest: file.digest(), samples, labels }),
        }
    }
}

impl AccuracyReport {
    /// Quantizes `graph`, then runs both forms on every sample.
    ///
    /// # Errors
    /// When the model cannot be quantized so, or a sample cannot be run.
    pub fn measure(
        graph: &Graph,
        model_digest: [u8; 32],
        calibration: &Calibration,
        options: &QuantizeOptions,
        set: &TestSet,
    ) -> Result<Self, AccuracyError> {
        let quantized = quantize(graph, calibration, options)?;
        let readings = readings(graph, calibration);
        let runs = set.samples.par_iter().enumerate().map(|(sample, inputs)| {
            let run = Run::new(graph, &quantized, &readings, inputs)
                .map_err(|source| AccuracyError::Sample { sample, source })?;
            if run.error_sum.is_finite() {
                Ok(run)
            } else {
                Err(AccuracyError::NotFinite { sample })
            }
        });
        let runs = runs.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            format: FORMAT,
            model_digest: HexDigest(model_digest),
            options: options.clone(),
            calibration_digest: calibration.digest(),
            samples: SampleSet { digest: set.digest, count: count(runs.iter()) },
            float_model: float_agreement(&runs),
            labels: set.labels.as_ref().map(|labels| label_agreement(&runs, labels)),
        })
    }
}

/// Both outputs of one sample.
struct Run {
    /// The answer of each row of each output.
    integer: Vec<Vec<Option<usize>>>,
    float: Vec<Vec<Option<usize>>>,
    max_error: f64,
    error_sum: f64,
    elements: usize,
}

impl Run {
    fn new(
        graph: &Graph,
        quantized: &QuantizedGraph,
        readings: &[Reading],
        inputs: &[ArrayD<f32>],
    ) -> Result<Self, RunError> {
        let execution = execute(quantized, &quantize_inputs(quantized, inputs)?)?;
        let (integer, float) = (quantized.dequantize(&execution), graph.run_float(inputs)?);
        let pairs = integer.iter().flatten().zip(float.iter().flatten());
        let errors: Vec<f64> = pairs.map(|(&a, &b)| (f64::from(a) - f64::from(b)).abs()).collect();
        Ok(Self {
            integer: answers(readings, &integer),
            float: answers(readings, &float),
            max_error: errors.iter().copied().fold(0.0, f64::max),
            error_sum: errors.iter().sum(),
            elements: errors.len(),
        })
    }
}

impl Run {
    /// Whether the integers have no answer where the float model has one.
    fn is_tied(&self) -> bool {
        let pairs = self.integer.iter().flatten().zip(self.float.iter().flatten());
        pairs.into_iter().any(|(integer, float)| integer.is_none() && float.is_some())
    }
}

/// How each output is read; see [`AccuracyReport`].
fn readings(graph: &Graph, calibration: &Calibration) -> Vec<Reading> {
    let reading = |&id| match Reading::of(graph, calibration, id, None) {
        Reading::Values if graph.tensor(id).len() == 1 => Reading::Side { threshold: 0.5 },
        reading => reading,
    };
    graph.outputs.iter().map(reading).collect()
}

fn answers(readings: &[Reading], outputs: &[ArrayD<f32>]) -> Vec<Vec<Option<usize>>> {
    let outputs = readings.iter().zip(outputs);
    outputs
        .map(|(reading, values)| reading.answers(&values.iter().copied().collect::<Vec<_>>()))
        .collect()
}

fn float_agreement(runs: &[Run]) -> FloatAgreement {
    let elements: usize = runs.iter().map(|run| run.elements).sum();
    // In the order of the samples, so that every machine adds up the same.
    let sum: f64 = runs.iter().map(|run| run.error_sum).sum();
    let max_error = runs.iter().map(|run| run.max_error).fold(0.0, f64::max);
    FloatAgreement {
        same_class: count(runs.iter().filter(|run| run.integer == run.float)),
        ties: count(runs.iter().filter(|run| run.is_tied())),
        max_error_ten_thousandths: ten_thousandths(max_error),
        mean_error_ten_thousandths: ten_thousandths(sum / real(elements.max(1))),
    }
}

fn label_agreement(runs: &[Run], labels: &[i64]) -> LabelAgreement {
    let correct = |answers: fn(&Run) -> &[Vec<Option<usize>>]| {
        let pairs = runs.iter().zip(labels);
        count(pairs.filter(|(run, label)| {
            let class = answers(run).first().and_then(|rows| *rows.first()?);
            class.is_some_and(|class| i64::try_from(class) == Ok(**label))
        }))
    };
    LabelAgreement {
        integer_correct: correct(|run| &run.integer),
        float_correct: correct(|run| &run.float),
    }
}

fn count(items: impl Iterator) -> u64 {
    items.map(|_| 1).sum()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative; beyond 2^64, saturation says enough"
)]
fn ten_thousandths(error: f64) -> u64 {
    (error * 1e4).round() as u64
}

#[expect(clippy::cast_precision_loss, reason = "the divisor of a mean that is rounded")]
fn real(count: usize) -> f64 {
    count as f64
}
