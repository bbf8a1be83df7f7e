//! The alarm: whether the integers that are to be proven do what the float model does, and whether
//! the float model is the exporter's.
//!
//! Nothing of it is part of a proof. It is for whoever makes keys and proofs, before anybody relies
//! on them.

use ndarray::ArrayD;
use serde::Serialize;
use zkinfer_models::{Comparison, Forms, Reading, Tolerance, Warning};

use crate::{
    error::{Error, Unmet},
    model::{Model, Quantized},
};

/// Share of its largest element up to which an output of ours may differ from the exporter's: both
/// compute in 32-bit floats, in another order.
const REFERENCE_TOLERANCE: f64 = 1e-3;

/// What is asked of a run before it is proven. Nothing by default: then warnings are all there is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Demands {
    /// Largest error of an output, as a share of what calibration saw there.
    pub max_error: Option<f64>,
    /// Whether every answer must be the float model's: a class, or a side of the threshold.
    pub same_answer: bool,
    /// Where outputs of one element change sides; by default as the activation says.
    pub threshold: Option<f64>,
}

impl Demands {
    /// From when on a difference is worth a warning.
    #[must_use]
    pub fn tolerance(&self) -> Tolerance {
        let default = Tolerance::default();
        Tolerance {
            max_error: self.max_error.unwrap_or(default.max_error),
            threshold: self.threshold,
        }
    }

    /// Whether a comparison is what is asked for.
    ///
    /// # Errors
    /// Everything in which it is not.
    pub fn check(&self, comparison: &Comparison) -> Result<(), Error> {
        let is_read = |reading: Reading| reading != Reading::Values;
        if self.same_answer && !comparison.outputs.iter().any(|output| is_read(output.reading)) {
            return Err(Error::Unmet { unmet: vec![Unmet::NoAnswer] });
        }
        let unmet = |warning: &&Warning| match warning {
            Warning::LargeError { .. } | Warning::NotFinite { .. } => self.max_error.is_some(),
            warning => self.same_answer && warning.is_other_answer(),
        };
        let unmet: Vec<Unmet> =
            comparison.warnings.iter().filter(unmet).cloned().map(Unmet::Warning).collect();
        if unmet.is_empty() { Ok(()) } else { Err(Error::Unmet { unmet }) }
    }
}

impl Model {
    /// The model in both forms.
    pub(crate) fn forms<'a>(&'a self, quantized: &'a Quantized) -> Forms<'a> {
        Forms {
            graph: self.graph(),
            calibration: &quantized.settings.calibration,
            quantized: &quantized.graph,
        }
    }

    /// The integers beside the float model on one input.
    ///
    /// # Errors
    /// If the input does not fit the model.
    pub fn compare(
        &self,
        quantized: &Quantized,
        input: &[ArrayD<f32>],
        tolerance: &Tolerance,
    ) -> Result<Comparison, Error> {
        Comparison::run(self.forms(quantized), input, tolerance)
            .map_err(|source| Error::Run { source })
    }

    /// The integers beside the float model on many inputs.
    ///
    /// # Errors
    /// If an input does not fit the model, or one is not run as is demanded.
    pub fn compare_all(
        &self,
        quantized: &Quantized,
        inputs: &[Vec<ArrayD<f32>>],
        demands: &Demands,
    ) -> Result<Survey, Error> {
        let mut survey = Survey::default();
        for input in inputs {
            let comparison = self.compare(quantized, input, &demands.tolerance())?;
            demands.check(&comparison)?;
            survey.add(&comparison);
        }
        Ok(survey)
    }

    /// Our float model beside outputs that somebody else has computed from the same inputs.
    ///
    /// # Errors
    /// If an input does not fit the model.
    pub fn compare_with_reference(
        &self,
        inputs: &[Vec<ArrayD<f32>>],
        outputs: &[Vec<ArrayD<f32>>],
    ) -> Result<Reference, Error> {
        let names = self.graph().outputs().into_iter().map(|spec| spec.name.clone());
        let mut outputs_compared: Vec<ReferenceOutput> = names.map(ReferenceOutput::new).collect();
        for (sample, (input, expected)) in inputs.iter().zip(outputs).enumerate() {
            let ours = self.graph().run_float(input).map_err(|source| Error::Run { source })?;
            for (output, (ours, theirs)) in
                outputs_compared.iter_mut().zip(ours.iter().zip(expected))
            {
                output.add(sample, ours, theirs);
            }
        }
        let sets = inputs.len().min(outputs.len());
        Ok(Reference { sets, outputs: outputs_compared })
    }
}

/// What many comparisons have found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Survey {
    /// Inputs compared.
    pub samples: usize,
    /// Inputs with a warning.
    pub warned: usize,
    /// Inputs whose answer is another.
    pub other_answers: usize,
    /// The first input with the gravest warning, and its warnings.
    pub worst: Option<(usize, Vec<Warning>)>,
}

impl Survey {
    /// Adds the comparison of the next input.
    pub fn add(&mut self, comparison: &Comparison) {
        let warnings = &comparison.warnings;
        let is_other = |warnings: &[Warning]| warnings.iter().any(Warning::is_other_answer);
        self.warned += usize::from(!warnings.is_empty());
        self.other_answers += usize::from(is_other(warnings));
        let is_worse = match &self.worst {
            None => !warnings.is_empty(),
            Some((_, worst)) => is_other(warnings) && !is_other(worst),
        };
        if is_worse {
            self.worst = Some((self.samples, warnings.clone()));
        }
        self.samples += 1;
    }
}

/// Our float model beside an exporter's outputs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reference {
    /// How many sets of outputs were compared.
    pub sets: usize,
    /// Each output.
    pub outputs: Vec<ReferenceOutput>,
}

/// One output of our float model beside the exporter's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReferenceOutput {
    /// Its name.
    pub output: String,
    /// The largest difference of an element.
    pub max_error: f64,
    /// The largest element of the exporter's.
    pub largest: f64,
    /// The sample with the largest difference.
    pub sample: usize,
}

impl Reference {
    /// The outputs that are not the exporter's: the file was read wrongly, or the outputs are of
    /// another model or other inputs.
    pub fn differing(&self) -> impl Iterator<Item = &ReferenceOutput> {
        self.outputs.iter().filter(|output| output.max_error > output.tolerance())
    }
}

impl ReferenceOutput {
    fn new(output: String) -> Self {
        Self { output, max_error: 0.0, largest: 0.0, sample: 0 }
    }

    fn add(&mut self, sample: usize, ours: &ArrayD<f32>, theirs: &ArrayD<f32>) {
        for (&ours, &theirs) in ours.iter().zip(theirs) {
            let (ours, theirs) = (f64::from(ours), f64::from(theirs));
            self.largest = self.largest.max(theirs.abs());
            let error = (ours - theirs).abs();
            // What is no number is as far off as can be.
            let error = if error.is_nan() { f64::INFINITY } else { error };
            if error > self.max_error {
                (self.max_error, self.sample) = (error, sample);
            }
        }
    }

    fn tolerance(&self) -> f64 {
        REFERENCE_TOLERANCE * self.largest.max(REFERENCE_TOLERANCE)
    }
}
