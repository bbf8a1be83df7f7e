//! The alarm in words and in JSON: how far the integers are from the float model, and that from its
//! exporter.

use std::{fmt, path::Path};

use anyhow::Result;
use serde::Serialize;
use zkinfer::{
    Comparison, InputData, Model, Origin, Quantized, Reference, Run, Survey, Tensors, Warning,
    accuracy_to_bind,
    models::{AccuracyReport, CodeComparison, LayerComparison, Reading, Shown},
    verifier::VerifyingKey,
};

use crate::{args, output::Output, text::brief};

/// A run beside the float model's.
#[derive(Serialize)]
pub(crate) struct Compared {
    output_names: Vec<String>,
    output: Vec<Vec<f64>>,
    float_output: Vec<Vec<f64>>,
    pub(crate) max_abs_error: f64,
    /// The largest error as a share of what calibration saw of that output.
    error_share: f64,
    /// Whether every answer is the float model's: a class, or a side of a threshold.
    pub(crate) argmax_matches: bool,
    /// Whether any output names a class or a side.
    has_answers: bool,
    warnings: Vec<Told>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layers: Vec<LayerComparison>,
    /// The codes of a model that is quantized already, beside those of its runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<CodeComparison>,
    /// Our float model beside the exporter's outputs, where these were given.
    reference: Option<Reference>,
}

/// A warning, with its words.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    warning: Warning,
    text: String,
    advice: &'static str,
}

impl Compared {
    pub(crate) fn new(comparison: &Comparison, reference: Option<Reference>) -> Self {
        let list = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<f64>>();
        let outputs = || comparison.outputs.iter();
        let told = |warning: &Warning| Told {
            warning: warning.clone(),
            text: warning.to_string(),
            advice: warning.advice(),
        };
        Self {
            output_names: outputs().map(|output| output.output.clone()).collect(),
            output: outputs().map(|output| list(&output.integer)).collect(),
            float_output: outputs().map(|output| list(&output.float)).collect(),
            max_abs_error: outputs().map(|output| output.max_error).fold(0.0, f64::max),
            error_share: comparison.error_share(),
            argmax_matches: outputs().all(|output| output.other_answers() == 0),
            has_answers: outputs().any(|output| output.reading != Reading::Values),
            warnings: comparison.warnings.iter().map(told).collect(),
            layers: comparison.layers.clone(),
            codes: comparison.codes,
            reference,
        }
    }

    /// One of many: without its layers.
    pub(crate) fn of_many(comparison: &Comparison) -> Self {
        Self { layers: Vec::new(), ..Self::new(comparison, None) }
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outputs = self.output.iter().zip(&self.float_output);
        for (name, (output, float)) in self.output_names.iter().zip(outputs) {
            writeln!(f, "  output {}: {}", Shown(name), brief(output))?;
            writeln!(f, "  float model: {}", brief(float))?;
        }
        let answer = match (self.has_answers, self.argmax_matches) {
            (false, _) => "",
            (true, true) => "; the same answer",
            (true, false) => "; ANOTHER ANSWER than the float model's",
        };
        let percent = 100.0 * self.error_share;
        writeln!(
            f,
            "  max abs error {:.5} ({percent:.2} % of the range){answer}",
            self.max_abs_error
        )?;
        if let Some(CodeComparison { codes, differing }) = self.codes {
            match differing {
                0 => writeln!(
                    f,
                    "  codes: all {codes} are those of onnxruntime's integer operators, bit for bit"
                )?,
                _ => writeln!(
                    f,
                    "  codes: {differing} of {codes} are NOT those of onnxruntime's integer operators"
                )?,
            }
        }
        match &self.reference {
            Some(reference) => write!(f, "  {}", ReferenceWords(reference)),
            None => write!(
                f,
                "  whether the ONNX file was read as its exporter meant is NOT covered: pass its \
                 outputs with --reference FILE"
            ),
        }
    }
}

/// Our float model beside the exporter's outputs, in words.
struct ReferenceWords<'a>(&'a Reference);

impl fmt::Display for ReferenceWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest = self.0.outputs.iter().map(|output| output.max_error).fold(0.0, f64::max);
        match self.0.differing().next() {
            None => write!(f, "float model and exporter agree (max abs error {largest:.2e})"),
            Some(_) => write!(f, "float model and exporter DIFFER (max abs error {largest:.2e})"),
        }
    }
}

/// The exporter's outputs for these inputs: from `--reference`, or from beside the inputs.
pub(crate) fn reference(
    args: &args::Alarm,
    model: &Model,
    data: Option<&InputData>,
    inputs: &[Tensors],
) -> Result<Option<Reference>> {
    let outputs = match (&args.reference, data) {
        (Some(path), _) => Some(model.read_reference(path, inputs.len())?),
        (None, Some(data)) => model.outputs_beside(data)?,
        (None, None) => None,
    };
    let outputs = outputs.filter(|outputs| outputs.len() == inputs.len());
    let compare = |outputs: Vec<_>| model.compare_with_reference(inputs, &outputs);
    Ok(outputs.map(compare).transpose()?)
}

/// The accuracy report that a key is to bind, with what is wrong with it said.
pub(crate) fn bound_accuracy(
    model: &Model,
    quantized: &mut Quantized,
    test_set: Option<&Path>,
    stored: Option<&VerifyingKey>,
    output: &Output,
) -> Result<Option<AccuracyReport>> {
    let samples = match (test_set, &quantized.origin) {
        (Some(path), _) => Some(path.to_owned()),
        (None, Origin::Samples(data)) => Some(data.path().to_owned()),
        (None, _) => None,
    };
    let accuracy = accuracy_to_bind(model, quantized, test_set, stored)?;
    if let (Some(accuracy), Some(samples)) = (&accuracy, samples) {
        output.remark_notes(&samples, &accuracy.notes);
        output.alarm_accuracy(&accuracy.report);
    }
    Ok(accuracy.map(|accuracy| accuracy.report))
}

impl Output {
    /// Says what is wrong with a run, so that it cannot be missed.
    pub(crate) fn alarm(&self, run: &Run) {
        let warnings = &run.comparison.warnings;
        if warnings.iter().any(Warning::is_other_answer) {
            self.remark("WARNING: THE INTEGERS DO NOT ANSWER AS THE MODEL DOES");
        }
        for warning in warnings {
            self.remark(format_args!("WARNING: {warning}"));
        }
    }

    /// Says what is wrong with many runs.
    pub(crate) fn alarm_all(&self, survey: &Survey) {
        let Survey { samples, warned, other_answers, worst } = survey;
        let Some((sample, warnings)) = worst else { return };
        if *other_answers > 0 {
            self.remark(format_args!(
                "WARNING: ON {other_answers} OF {samples} SAMPLES THE INTEGERS DO NOT ANSWER AS THE \
                 MODEL DOES"
            ));
        } else {
            self.remark(format_args!("WARNING: on {warned} of {samples} samples:"));
        }
        for warning in warnings {
            self.remark(format_args!("WARNING: sample {sample}: {warning}"));
        }
    }

    /// Says on how many samples of a test set the integers answer otherwise.
    pub(crate) fn alarm_accuracy(&self, report: &AccuracyReport) {
        let (same, count) = (report.float_model.same_class, report.samples.count);
        if same < count {
            self.remark(format_args!(
                "WARNING: on {} of {count} samples of its accuracy report the integers do not answer as the \
                 model does; take more --activation-bits, or more and better samples to calibrate",
                count.saturating_sub(same)
            ));
        }
    }

    /// Says where our float model is not the exporter's.
    pub(crate) fn alarm_reference(&self, reference: Option<&Reference>) {
        for output in reference.iter().flat_map(|reference| reference.differing()) {
            self.remark(format_args!(
                "WARNING: the float model itself is not the exporter's: output `{}` is off by {:.6} \
                 (sample {}). Is this the file that gave the reference, and are these its inputs? If \
                 so, the ONNX file is read wrongly here: do not rely on this key, and report it",
                Shown(&output.output),
                output.max_error,
                output.sample
            ));
        }
    }
}
