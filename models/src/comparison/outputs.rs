//! The outputs of both forms and the answers they give.

use serde::Serialize;

use super::runs::{Forms, Runs, Tolerance, max_error, share};
use crate::calibration::intervals::calibrated_values;
use crate::calibration::{Calibration, CalibrationSource, Range};
use crate::numbers::narrow;
use crate::quantized::TensorId;
use crate::reading::Reading;

/// One output of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputComparison {
    /// Its name.
    pub output: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// What the integers stand for, in C order.
    pub integer: Vec<f32>,
    /// The float model's elements, in C order.
    pub float: Vec<f32>,
    /// Elements of the float model that are infinite or no number.
    pub not_finite: usize,
    /// The largest difference of an element.
    pub max_error: f64,
    /// The width of the values that calibration samples gave here, or their largest magnitude where
    /// that is less or there was one sample only.
    pub span: f64,
    /// The largest difference as a share of the span.
    pub error_share: f64,
    /// How the output is read.
    pub reading: Reading,
    /// The integers' answer for each row; see [`Reading::answers`].
    pub integer_answers: Vec<Option<usize>>,
    /// The float model's answer for each row.
    pub float_answers: Vec<Option<usize>>,
}

impl OutputComparison {
    /// The first row for which the float model has an answer and the integers have another or none.
    #[must_use]
    pub fn first_other_answer(&self) -> Option<usize> {
        differing(&self.integer_answers, &self.float_answers).next()
    }

    /// How many rows have another answer.
    #[must_use]
    pub fn other_answers(&self) -> usize {
        differing(&self.integer_answers, &self.float_answers).count()
    }
}

/// The rows for which the float model has an answer that the integers do not give.
pub(super) fn differing<'a>(
    integer: &'a [Option<usize>],
    float: &'a [Option<usize>],
) -> impl Iterator<Item = usize> + 'a {
    let rows = integer.iter().zip(float).enumerate();
    rows.filter(|(_, (integer, float))| float.is_some() && integer != float).map(|(row, _)| row)
}

pub(super) fn compare(runs: &Runs<'_>, tolerance: &Tolerance) -> Vec<OutputComparison> {
    let graph = runs.forms.graph;
    graph.outputs.iter().map(|&id| compare_one(runs, id, tolerance)).collect()
}

fn compare_one(runs: &Runs<'_>, id: TensorId, tolerance: &Tolerance) -> OutputComparison {
    let (graph, calibration) = (runs.forms.graph, runs.forms.calibration);
    let (integer, float) = (runs.dequantized(id), &runs.trace.values[id.0]);
    let max_error = max_error(&integer, float);
    let span = span(&runs.forms, id, float);
    let single = |values: &[f64]| values.iter().copied().map(narrow).collect::<Vec<f32>>();
    let reading = Reading::of(graph, calibration, id, tolerance.threshold);
    let (integer, float) = (single(&integer), single(float));
    OutputComparison {
        output: graph.tensor(id).name.clone(),
        shape: graph.tensor(id).shape.clone(),
        not_finite: float.iter().filter(|value| !value.is_finite()).count(),
        max_error,
        span,
        error_share: share(max_error, span),
        reading,
        integer_answers: reading.answers(&integer),
        float_answers: reading.answers(&float),
        integer,
        float,
    }
}

/// What errors of output `id` are measured by. Where calibration saw nothing but 0, the values of
/// this run.
pub(super) fn span(forms: &Forms<'_>, id: TensorId, float: &[f64]) -> f64 {
    let (graph, calibration) = (forms.graph, forms.calibration);
    let measured = calibration.outputs.get(&graph.tensor(id).name);
    let span = match measured {
        Some(range) => span_of(calibration, *range),
        None => calibrated_values(graph, calibration)[id.0].magnitude(),
    };
    if span > 0.0 {
        return span;
    }
    float.iter().copied().filter(|x| x.is_finite()).map(f64::abs).fold(0.0, f64::max)
}

fn span_of(calibration: &Calibration, range: Range) -> f64 {
    let (width, magnitude) = (range.hi - range.lo, range.magnitude());
    match calibration.source {
        CalibrationSource::Samples { count, .. } if count > 1 && width > 0.0 => {
            width.min(magnitude)
        }
        _ => magnitude,
    }
}
