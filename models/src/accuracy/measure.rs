//! Running both forms of a model on samples.

use std::path::Path;

use ndarray::ArrayD;
use rayon::prelude::*;

use super::positions::Positions;
use super::{AccuracyError, AccuracyReport, FORMAT, FloatAgreement, LabelAgreement, SampleSet};
use crate::calibration::Calibration;
use crate::dequantize::quantize_inputs;
use crate::digest::HexDigest;
use crate::error::RunError;
use crate::execute::execute;
use crate::graph::Graph;
use crate::input::{InputError, InputFile, InputNote, LabelFault, Labels};
use crate::quantize::quantize;
use crate::quantized::QuantizedGraph;
use crate::quantizer::options::QuantizeOptions;
use crate::reading::Reading;

/// Samples to measure accuracy on, from one file.
#[derive(Clone, Debug)]
pub struct TestSet {
    digest: HexDigest,
    samples: Vec<Vec<ArrayD<f32>>>,
    labels: Option<Labels>,
    /// How the first output is read at each label; `None` where it has no classes.
    positions: Option<Positions>,
    notes: Vec<InputNote>,
}

impl TestSet {
    /// Reads samples and, where it holds some, labels; see [`Self::new`].
    ///
    /// # Errors
    /// When the file cannot be read, or does not fit the model.
    pub fn read(path: &Path, graph: &Graph) -> Result<Self, InputError> {
        Self::new(&InputFile::read(path)?, graph)
    }

    /// The samples of a file that has been read, and its labels, if they fit the model's first
    /// output: one for each sample, or one for each position at which it has scores.
    ///
    /// # Errors
    /// When the file does not fit the model. Labels that do not are passed over with a note.
    pub fn new(file: &InputFile, graph: &Graph) -> Result<Self, InputError> {
        let samples = file.samples(graph)?;
        let mut notes = file.notes();
        let fitted = match file.labels() {
            Ok(Some(labels)) => match fit(&labels, samples.len(), graph) {
                Ok(positions) => Some((labels, positions)),
                Err(fault) => {
                    notes.push(InputNote::UnusedLabels(fault));
                    None
                }
            },
            // Its fault is among the notes of the file.
            Ok(None) | Err(_) => None,
        };
        let (labels, positions) = fitted.unzip();
        let positions = positions.flatten();
        Ok(Self { digest: file.digest(), samples, labels, positions, notes })
    }

    /// What is not used of the file, and what was decided in reading it.
    #[must_use]
    pub fn notes(&self) -> &[InputNote] {
        &self.notes
    }
}

/// Where the first output has the scores that labels are compared with; `None` where it is one
/// number, on a side of a threshold.
fn fit(labels: &Labels, samples: usize, graph: &Graph) -> Result<Option<Positions>, LabelFault> {
    if labels.samples() != samples {
        return Err(LabelFault::Count { samples, labels: labels.samples() });
    }
    let output = graph.outputs().first().map(|spec| spec.shape.clone()).unwrap_or_default();
    let is_number = output.iter().product::<usize>() == 1 && labels.per_sample() == 1;
    match Positions::find(&output, labels.shape()) {
        None if !is_number => {
            Err(LabelFault::Positions { labels: labels.shape().to_vec(), output })
        }
        positions => Ok(positions),
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
        let readings = readings(graph, calibration, set.positions);
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
        readings: &[HowRead],
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

/// How an output is read.
#[derive(Clone, Copy)]
struct HowRead {
    reading: Reading,
    positions: Option<Positions>,
}

/// How each output is read; see [`AccuracyReport`].
fn readings(graph: &Graph, calibration: &Calibration, labelled: Option<Positions>) -> Vec<HowRead> {
    let reading = |&id| match Reading::of(graph, calibration, id, None) {
        Reading::Values if graph.tensor(id).len() == 1 => Reading::Side { threshold: 0.5 },
        reading => reading,
    };
    let usual = |id| HowRead { reading: reading(id), positions: None };
    let mut outputs: Vec<HowRead> = graph.outputs.iter().map(usual).collect();
    if let (Some(first), Some(Positions { count, classes, .. })) = (outputs.first_mut(), labelled) {
        let reading = Reading::Class { rows: count, classes };
        *first = HowRead { reading, positions: labelled };
    }
    outputs
}

fn answers(readings: &[HowRead], outputs: &[ArrayD<f32>]) -> Vec<Vec<Option<usize>>> {
    let outputs = readings.iter().zip(outputs);
    outputs
        .map(|(HowRead { reading, positions }, values)| match positions {
            Some(positions) => reading.answers(&positions.scores(values)),
            None => reading.answers(&values.iter().copied().collect::<Vec<_>>()),
        })
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

fn label_agreement(runs: &[Run], labels: &Labels) -> LabelAgreement {
    let correct = |answers: fn(&Run) -> &[Vec<Option<usize>>]| {
        let pairs = runs.iter().zip(labels.iter()).flat_map(|(run, labels)| {
            let classes = answers(run).first().map_or(&[][..], Vec::as_slice);
            classes.iter().zip(labels)
        });
        let is_right = |class: &Option<usize>, label: i64| {
            class.is_some_and(|class| i64::try_from(class) == Ok(label))
        };
        count(pairs.filter(|(class, label)| is_right(class, **label)))
    };
    LabelAgreement {
        integer_correct: correct(|run| &run.integer),
        float_correct: correct(|run| &run.float),
        per_sample: count(0..labels.per_sample()),
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
