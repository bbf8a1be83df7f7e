//! What a model computes, and the settings that make integers of it.

use std::path::Path;

use pyo3::prelude::*;
use zkinfer::{
    Error, InputData, Recipe, Shapes, Tensors, calibrate::Goal, measure_accuracy,
    models::ImportOptions, verifier::VerifyingKey,
};
use zkinfer_report::{CalibrationReport, ModelReport};

use crate::{
    artifacts::json,
    error::{Raised, usage},
    options::ModelOptions,
    watch::watched,
};

/// What a model computes: the report as text, JSON and a page.
#[pyfunction]
pub(crate) fn inspect(py: Python<'_>, options: ModelOptions) -> PyResult<(String, String, String)> {
    let model = zkinfer::Model::open_with(&options.model, &options.import(py)?).raised(py)?;
    let report = ModelReport::new(&model);
    Ok((report.to_string(), json(py, &report)?, report.page()))
}

/// The texts of a settings file and of the accuracy report that it names, if it does.
type SettingsTexts = (String, Option<String>);

/// The settings of a model.
#[pyfunction]
pub(crate) fn calibrate(py: Python<'_>, options: ModelOptions) -> PyResult<SettingsTexts> {
    let (import, recipe) = (options.import(py)?, options.recipe(py)?);
    let settings = py.detach(|| {
        let given = Given::open(&options, &import, &recipe, None)?;
        let Given { model, inputs, .. } = given;
        let mut quantized = model.quantize(&recipe, Path::new(""), &inputs)?;
        let accuracy = measure_accuracy(&model, &mut quantized, options.test_set.as_deref())?;
        Ok((quantized.settings.encode(), accuracy.map(|accuracy| accuracy.report.encode())))
    });
    settings.raised(py)
}

/// The cheapest settings that meet a goal on the samples, and the report of the search as text,
/// JSON and a page.
#[pyfunction]
#[pyo3(signature = (options, target_accuracy, max_error, progress))]
pub(crate) fn calibrate_to(
    py: Python<'_>,
    options: ModelOptions,
    target_accuracy: Option<f64>,
    max_error: Option<f64>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<(SettingsTexts, String, String, String)> {
    let (import, recipe) = (options.import(py)?, options.recipe(py)?);
    let is_share = |share: f64| (0.0..=1.0).contains(&share);
    if ![target_accuracy, max_error].into_iter().flatten().all(is_share) {
        return Err(usage(py, "target_accuracy and max_error are shares from 0 to 1"));
    }
    let goal = Goal::new(target_accuracy, max_error)
        .ok_or_else(|| usage(py, "give target_accuracy, max_error, or both"))?;
    if recipe.settings.is_some() || recipe.options.activation_bits.is_some() {
        return Err(usage(py, "the goal fixes the bits: leave out settings and activation_bits"));
    }
    let found = watched(py, progress, move |watch| {
        let Given { model, .. } = Given::open(&options, &import, &recipe, None)?;
        let samples = match &recipe.samples {
            Some(data) => model.samples(data)?,
            None => return Err(Error::NothingToCalibrateWith),
        };
        let mut found = model.calibrate_to(&samples, &recipe.options, &goal, watch)?;
        let report = CalibrationReport::new(&model, None, &found);
        let test_set = options.test_set.as_deref();
        let accuracy = measure_accuracy(&model, &mut found.quantized, test_set)?;
        let accuracy = accuracy.map(|accuracy| accuracy.report.encode());
        Ok(((found.quantized.settings.encode(), accuracy), report))
    })?;
    let (settings, report) = found.raised(py)?;
    Ok((settings, report.to_string(), json(py, &report)?, report.page()))
}

/// A model and the inputs that it was given, as far as there are any.
pub(crate) struct Given {
    pub(crate) model: zkinfer::Model,
    pub(crate) input: Option<InputData>,
    pub(crate) inputs: Vec<Tensors>,
}

impl Given {
    /// Opens the model; dimensions that it leaves open are those of the samples, the input, or the
    /// key that is there.
    pub(crate) fn open(
        options: &ModelOptions,
        import: &ImportOptions,
        recipe: &Recipe,
        stored: Option<&VerifyingKey>,
    ) -> Result<Self, Error> {
        let input = options.input.as_deref().map(InputData::read).transpose()?;
        let of_key = stored.map(|key| Shapes::Key(&key.parts().layout.inputs));
        let given = recipe.shapes().into_iter().chain(input.iter().map(Shapes::Input));
        let shapes: Vec<Shapes<'_>> = given.chain(of_key).collect();
        let model = zkinfer::Model::open_for(&options.model, import, &shapes)?;
        let inputs = input.iter().map(|data| model.input(data)).collect::<Result<_, _>>()?;
        Ok(Self { model, input, inputs })
    }
}
