//! What is compared: two forms of a model, two runs of it, and by how much they may differ.

use crate::calibration::Calibration;
use crate::execute::Execution;
use crate::graph::{FloatTrace, Graph};
use crate::quantized::{QuantizedGraph, TensorId};

/// When a difference is worth a warning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Largest error of an output, as a share of what calibration saw there.
    pub max_error: f64,
    /// Where outputs of one element change sides; `None` takes the default of the activation, see
    /// [`crate::Reading::of`].
    pub threshold: Option<f64>,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { max_error: 0.02, threshold: None }
    }
}

/// One model in both forms, as a comparison needs it.
#[derive(Clone, Copy, Debug)]
pub struct Forms<'a> {
    /// The model in real numbers.
    pub graph: &'a Graph,
    /// The calibration from which `quantized` was made.
    pub calibration: &'a Calibration,
    /// The model in integers.
    pub quantized: &'a QuantizedGraph,
}

/// Two runs of one model on one input.
pub(super) struct Runs<'a> {
    pub(super) forms: Forms<'a>,
    pub(super) execution: &'a Execution,
    pub(super) trace: &'a FloatTrace,
}

impl Runs<'_> {
    /// The real numbers that the integers of a tensor stand for.
    pub(super) fn dequantized(&self, id: TensorId) -> Vec<f64> {
        self.forms.quantized.real_values(self.execution, id)
    }
}

impl QuantizedGraph {
    /// The real numbers that the integers of a tensor stand for.
    pub(super) fn real_values(&self, execution: &Execution, id: TensorId) -> Vec<f64> {
        let tensor = &self.tensors[id.0];
        let values = execution.values[id.0].iter().enumerate();
        values.map(|(element, &value)| tensor.scale_of(element) * real(value)).collect()
    }
}

/// The largest difference of two lists. What is not finite in the float model's has no difference.
pub(super) fn max_error(integer: &[f64], float: &[f64]) -> f64 {
    let pairs = integer.iter().zip(float).filter(|(_, float)| float.is_finite());
    pairs.map(|(integer, float)| (integer - float).abs()).fold(0.0, f64::max)
}

/// `error` as a share of `span`; everything where there is no span.
pub(super) fn share(error: f64, span: f64) -> f64 {
    match (error > 0.0, span > 0.0) {
        (false, _) => 0.0,
        (true, true) => error / span,
        (true, false) => 1.0,
    }
}

/// A count as a real number.
pub(super) fn real_count(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// An integer as a real number.
#[expect(clippy::cast_precision_loss, reason = "accumulators above 53 bits are compared roughly")]
pub(super) fn real(value: i64) -> f64 {
    value as f64
}
