//! What `setup` and `split` begin with: a model in integers, beside its float form. `quote` needs the
//! integers alone.

use std::path::Path;

use anyhow::Result;
use zkinfer::{
    InputData, Model, Origin, Quantized, Reference, Shapes, Survey, Tensors,
    models::AccuracyReport, verifier::VerifyingKey,
};

use crate::{
    alarm::{bound_accuracy, reference},
    args,
    output::Output,
};

/// A model in integers.
pub(super) struct InIntegers {
    pub(super) model: Model,
    pub(super) quantized: Quantized,
    /// The input to calibrate with, if one was named.
    data: Option<InputData>,
    /// Its tensors.
    inputs: Vec<Tensors>,
}

impl InIntegers {
    /// Reads the model and its samples, and quantizes by the settings of that file if it is there.
    pub(super) fn read(args: &args::ModelSource, settings: &Path, output: &Output) -> Result<Self> {
        let (data, recipe) = args::or_no_model(&args.model, || {
            let data = args.input.as_deref().map(InputData::read).transpose()?;
            Ok((data, args.quantize.recipe()?))
        })?;
        let shapes: Vec<_> =
            recipe.shapes().into_iter().chain(data.iter().map(Shapes::Input)).collect();
        let model = args.import.open(&args.model, &shapes, output)?;
        let inputs = data.iter().map(|data| model.input(data)).collect::<Result<Vec<_>, _>>()?;
        let quantized = model.quantize(&recipe, settings, &inputs)?;
        Ok(Self { model, quantized, data, inputs })
    }
}

/// What keys are made from, compared with the float model before any is written.
pub(super) struct Source {
    pub(super) model: Model,
    pub(super) quantized: Quantized,
    /// The report that the key is to bind, where there are samples.
    pub(super) accuracy: Option<AccuracyReport>,
    /// The integers beside the float model on what the key is calibrated with.
    pub(super) survey: Survey,
    /// The float model beside the exporter's outputs, where these were given.
    pub(super) reference: Option<Reference>,
}

impl Source {
    /// Reads the model and its samples, quantizes by the settings of that file if it is there, and
    /// sounds the alarms. `stored` is the key that the accuracy may be bound by already.
    pub(super) fn read(
        args: &args::KeySource,
        settings: &Path,
        stored: Option<&VerifyingKey>,
        output: &Output,
    ) -> Result<Self> {
        let InIntegers { model, mut quantized, data, inputs } =
            InIntegers::read(&args.of, settings, output)?;
        let test_set = args.test_set.test_set.as_deref();
        let accuracy = bound_accuracy(&model, &mut quantized, test_set, stored, output)?;
        let (survey, reference) =
            alarm(&args.alarm, &model, &quantized, (data.as_ref(), inputs), output)?;
        Ok(Self { model, quantized, accuracy, survey, reference })
    }
}

/// Compares the integers with the float model, and that with its exporter, on what the key is made
/// from.
fn alarm(
    args: &args::Alarm,
    model: &Model,
    quantized: &Quantized,
    (input, inputs): (Option<&InputData>, Vec<Tensors>),
    output: &Output,
) -> Result<(Survey, Option<Reference>)> {
    let (data, inputs) = match (&quantized.origin, input) {
        (Origin::Samples(data), _) => (data, model.samples(data)?),
        (_, Some(data)) => {
            output.remark_file(data);
            (data, inputs)
        }
        _ => return Ok((Survey::default(), None)),
    };
    let reference = reference(args, model, Some(data), &inputs)?;
    output.alarm_reference(reference.as_ref());
    let survey = model.compare_all(quantized, &inputs, &args.demands())?;
    output.alarm_all(&survey);
    Ok((survey, reference))
}
