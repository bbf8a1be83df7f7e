//! The alarm: what the integers give beside what the float model gives, layer by layer.
//!
//! A proof says that an integer program was run. Whether that program is the model is another
//! question, and [`Comparison`] answers it for one input: how far inputs, layers and outputs are
//! from the float model's, whether the answer is the same, and, where it is not, which layer is to
//! blame and what helps. Nothing here is part of the proof.

mod agreement;
mod blame;
mod codes;
mod inputs;
mod layers;
mod margins;
mod outputs;
mod runs;
mod warning;

use std::sync::Arc;

use ndarray::ArrayD;
use serde::Serialize;

pub use agreement::{Agreement, FloatOutputs};
pub use blame::{Blame, Cause};
pub use codes::CodeComparison;
pub use inputs::InputComparison;
pub use layers::LayerComparison;
pub use outputs::OutputComparison;
pub use runs::{Forms, Tolerance};
pub use warning::Warning;

use crate::dequantize::quantize_inputs;
use crate::error::RunError;
use crate::execute::{Execution, execute};
use runs::Runs;

/// Both forms of a model on one input.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What became of the inputs, one entry per input.
    pub inputs: Vec<InputComparison>,
    /// Every layer that computes, in the order of execution.
    pub layers: Vec<LayerComparison>,
    /// The outputs of both forms, in the order of the ONNX file.
    pub outputs: Vec<OutputComparison>,
    /// The codes of a model that is quantized already, beside those of its runtime.
    pub codes: Option<CodeComparison>,
    /// What a user must be told; empty where the integers do what the float model does.
    pub warnings: Vec<Warning>,
    /// The integer run itself.
    #[serde(skip)]
    pub execution: Arc<Execution>,
}

impl Comparison {
    /// Runs both forms on `inputs` and compares them.
    ///
    /// # Errors
    /// When the inputs are not as many as the model's, of another shape, or not finite.
    ///
    /// # Panics
    /// When `forms` are not of one model.
    pub fn run(
        forms: Forms<'_>,
        inputs: &[ArrayD<f32>],
        tolerance: &Tolerance,
    ) -> Result<Self, RunError> {
        let quantized = forms.quantized;
        let execution = execute(quantized, &quantize_inputs(quantized, inputs)?)?;
        Self::of(forms, inputs, Arc::new(execution), tolerance)
    }

    /// Compares `execution`, the integer run on `inputs`, with the float model.
    ///
    /// # Errors
    /// When the inputs are not as many as the model's, of another shape, or not finite.
    ///
    /// # Panics
    /// When `forms` are not of one model, or `execution` is of another.
    pub fn of(
        forms: Forms<'_>,
        inputs: &[ArrayD<f32>],
        execution: Arc<Execution>,
        tolerance: &Tolerance,
    ) -> Result<Self, RunError> {
        let Forms { graph, calibration, quantized } = forms;
        let trace = graph.trace_float(inputs)?;
        let runs = Runs { forms, execution: &execution, trace: &trace };
        let inputs = inputs::compare(quantized, calibration, inputs);
        let layers = layers::compare(&runs);
        let outputs = outputs::compare(&runs, tolerance);
        let warnings = warning::warnings(&runs, &inputs, &layers, &outputs, tolerance);
        let codes = codes::compare(graph, |id| runs.dequantized(id), &trace.values);
        Ok(Self { inputs, layers, outputs, codes, warnings, execution })
    }

    /// The layers that lost values beyond what they can hold, those that lost most first.
    #[must_use]
    pub fn saturated_layers(&self) -> Vec<&LayerComparison> {
        let mut layers: Vec<_> = self.layers.iter().filter(|layer| layer.saturated > 0).collect();
        layers.sort_by(|a, b| b.saturated_share().total_cmp(&a.saturated_share()));
        layers
    }

    /// The largest error of an output, as a share of what calibration saw there.
    #[must_use]
    pub fn error_share(&self) -> f64 {
        self.outputs.iter().map(|output| output.error_share).fold(0.0, f64::max)
    }
}
