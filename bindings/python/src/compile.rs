//! Models: opened, quantized, run and proved.

use std::{
    path::{Path, PathBuf},
    slice,
    sync::Arc,
};

use pyo3::prelude::*;
use zkinfer::{
    Comparison, Demands, Device, Error, Inference, InputData, InputSource, KeyFiles, Keys,
    NamedInput, Origin, Quantized, Quote, Recipe, Reference, Run, Stored, Survey, Tensors, Watch,
    accuracy_to_bind,
    models::{AccuracyReport, ImportOptions, InputNote, OutputComparison, TensorSpec},
    plan, read_input_blinding,
    verifier::{JobBinding, VerifyingKey},
};
use zkinfer_report::{AccuracyWords, QuoteReport, origin};

use crate::{
    artifacts::{Array, Key, Proof, doubles, json},
    error::Raised,
    options::{DemandOptions, JobOptions, ModelOptions, device},
    quantize::Given,
    watch::watched,
};

/// A model with its keys.
#[pyclass(frozen)]
pub(crate) struct Model(Arc<Compiled>);

/// What a compiled model consists of.
struct Compiled {
    model: zkinfer::Model,
    quantized: Quantized,
    keys: Keys,
    accuracy: Option<AccuracyReport>,
    alarm: Alarm,
}

/// What is to be known of the integers and of what they were made from.
struct Alarm {
    survey: Survey,
    reference: Option<Reference>,
    notes: Vec<String>,
}

/// What [`Model::compile`] was asked for, with everything checked.
struct Request {
    options: ModelOptions,
    import: ImportOptions,
    recipe: Recipe,
    /// Where the key and its settings lie, or are to be written.
    files: Option<KeyFiles>,
    demands: Demands,
}

impl Request {
    /// Opens and quantizes the model, and compares it with its float form before any key is made.
    fn open(&self) -> Result<Opened, Error> {
        let stored = self.files.as_ref().map(KeyFiles::stored).transpose()?.flatten();
        let Given { model, input, inputs } =
            Given::open(&self.options, &self.import, &self.recipe, stored.as_ref())?;
        let beside = self.files.as_ref().map(|files| files.settings.as_path());
        let beside = beside.unwrap_or(Path::new(""));
        let mut quantized = model.quantize(&self.recipe, beside, &inputs)?;
        let test_set = self.options.test_set.as_deref();
        let accuracy = accuracy_to_bind(&model, &mut quantized, test_set, stored.as_ref())?;
        let (data, inputs) = match &quantized.origin {
            Origin::Samples(data) => (Some(data.clone()), model.samples(data)?),
            _ => (input, inputs),
        };
        let reference = self.reference(&model, data.as_ref(), &inputs)?;
        let survey = model.compare_all(&quantized, &inputs, &self.demands)?;
        let of_data = data.iter().flat_map(InputData::notes);
        let of_accuracy = accuracy.iter().flat_map(|accuracy| accuracy.notes.clone());
        let alarm = Alarm { survey, reference, notes: told(of_data.chain(of_accuracy)) };
        let accuracy = accuracy.map(|accuracy| accuracy.report);
        Ok(Opened { model, quantized, stored, accuracy, alarm })
    }

    /// Our float model beside the exporter's outputs, where they were given.
    fn reference(
        &self,
        model: &zkinfer::Model,
        data: Option<&InputData>,
        inputs: &[Tensors],
    ) -> Result<Option<Reference>, Error> {
        let outputs = match (&self.options.reference, data) {
            (Some(path), _) => Some(model.read_reference(path, inputs.len())?),
            (None, Some(data)) => model.outputs_beside(data)?,
            (None, None) => None,
        };
        let outputs = outputs.filter(|outputs| outputs.len() == inputs.len());
        outputs.map(|outputs| model.compare_with_reference(inputs, &outputs)).transpose()
    }
}

/// A model before its keys are made.
struct Opened {
    model: zkinfer::Model,
    quantized: Quantized,
    /// The key that is there, if one is.
    stored: Option<VerifyingKey>,
    accuracy: Option<AccuracyReport>,
    alarm: Alarm,
}

impl Opened {
    /// Makes the keys and stores them in `files`, or compares them with those that are there.
    fn compile(
        self,
        files: Option<&KeyFiles>,
        srs: Option<&Path>,
        device: &Device,
        watch: Watch<'_>,
    ) -> Result<Compiled, Error> {
        let Self { model, quantized, stored, accuracy, alarm } = self;
        let keys = match files {
            None => Keys::make(&model, &quantized, srs, device, watch)?,
            Some(_) => Keys::make_again(stored.as_ref(), &model, &quantized, srs, device, watch)?,
        };
        let compiled = Compiled { model, quantized, keys, accuracy, alarm };
        files.map(|files| compiled.store(files)).transpose()?;
        Ok(compiled)
    }
}

impl Compiled {
    fn store(&self, files: &KeyFiles) -> Result<Stored, Error> {
        files.store(&self.keys, &self.quantized.settings, self.accuracy.as_ref())
    }

    fn run(&self, input: &Tensors, demands: &Demands) -> Result<Run, Error> {
        let run = self.model.run_with(&self.quantized, input, &demands.tolerance())?;
        demands.check(&run.comparison)?;
        Ok(run)
    }

    /// Runs and proves one input; `opening` is of the commitment that the proof must be about.
    fn prove(
        &self,
        input: &Tensors,
        binding: JobBinding,
        opening: Option<&Path>,
        demands: &Demands,
        watch: Watch<'_>,
    ) -> Result<Made, Error> {
        let run = self.run(input, demands)?;
        let key = self.keys.verifying_key();
        let blinding = opening.map(|path| read_input_blinding(path, key, &run.integers.concat()));
        let inference = Inference {
            input_blinding: blinding.transpose()?,
            ..Inference::new(&run.execution, binding)
        };
        let proven = self.keys.prove(inference, watch)?;
        let openings = proven.hides().then_some(proven.openings);
        let proof = Proof { file: proven.file, openings };
        Ok(Made { proof, comparison: run.comparison, seconds: proven.prove_seconds })
    }
}

/// A proof, the run that it is of, and the seconds that it took.
struct Made {
    proof: Proof,
    comparison: Comparison,
    seconds: f64,
}

/// What Python gets of a run: the outputs of the integers, those of the float model, and the rest
/// as JSON.
type RunParts<'py> = (Vec<Array<'py>>, Vec<Array<'py>>, String);

fn run_parts<'py>(
    py: Python<'py>,
    comparison: &Comparison,
    notes: &[String],
) -> PyResult<RunParts<'py>> {
    let arrays = |integer: bool| {
        let outputs = comparison.outputs.iter();
        let array = |output: &OutputComparison| {
            let values = if integer { &output.integer } else { &output.float };
            let shape = output.shape.iter().map(|&side| u32::try_from(side).unwrap_or(u32::MAX));
            let values = values.iter().copied().map(f64::from);
            (output.output.clone(), shape.collect(), doubles(py, values))
        };
        outputs.map(array).collect()
    };
    let rest = serde_json::json!({
        "layers": comparison.layers,
        "notes": notes,
        "warnings": comparison.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "error_share": comparison.error_share(),
        "same_answer": comparison.outputs.iter().all(|output| output.other_answers() == 0),
    });
    Ok((arrays(true), arrays(false), json(py, &rest)?))
}

#[pymethods]
impl Model {
    /// Opens, quantizes and compares a model, and makes its keys; those of `key`, where it is given.
    #[staticmethod]
    #[pyo3(signature = (options, demands, key, device_name, progress))]
    fn compile(
        py: Python<'_>,
        options: ModelOptions,
        demands: DemandOptions,
        key: Option<PathBuf>,
        device_name: &str,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let (import, recipe) = (options.import(py)?, options.recipe(py)?);
        let files = key.as_deref().map(KeyFiles::of_key);
        let (demands, srs) = (demands.demands(py)?, options.srs.clone());
        let request = Request { options, import, recipe, files: files.clone(), demands };
        let opened = watched(py, None, move |_| request.open())?.raised(py)?;
        // Only a choice depends on the size of the circuit.
        let k = match device_name {
            "auto" => match &opened.stored {
                Some(key) => key.parts().k.into(),
                None => py.detach(|| plan(&opened.model, &opened.quantized)).raised(py)?.k(),
            },
            _ => 0,
        };
        let device = device(py, device_name, k)?;
        let compiled = watched(py, progress, move |watch| {
            opened.compile(files.as_ref(), srs.as_deref(), &device, watch)
        })?;
        compiled.map(|compiled| Self(Arc::new(compiled))).raised(py)
    }

    /// The key that verifiers hold.
    fn key(&self) -> Key {
        Key(self.0.keys.verifying_key().clone())
    }

    /// The text of the settings file.
    fn settings(&self) -> String {
        self.0.quantized.settings.encode()
    }

    /// The accuracy report that the key binds, as the text of its file and in words.
    fn accuracy(&self) -> Option<(String, String)> {
        let report = self.0.accuracy.as_ref()?;
        Some((report.encode(), AccuracyWords(report).to_string()))
    }

    /// Model, calibration, survey and reference, as JSON.
    fn describe(&self, py: Python<'_>) -> PyResult<String> {
        let Compiled { model, quantized, keys, alarm, .. } = &*self.0;
        let Alarm { survey, reference, notes } = alarm;
        let differing = reference.iter().flat_map(Reference::differing).count();
        let warnings = survey.worst.as_ref().map(|(sample, warnings)| {
            let texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
            serde_json::json!({ "sample": sample, "texts": texts })
        });
        let specs = |specs: Vec<&TensorSpec>| -> Vec<_> {
            let spec = |spec: &&TensorSpec| (spec.name.clone(), spec.shape.clone());
            specs.iter().map(spec).collect()
        };
        let setup = keys.setup();
        json(
            py,
            &serde_json::json!({
                "path": model.path(),
                "model_digest": model.digest().to_string(),
                "inputs": specs(model.graph().inputs()),
                "outputs": specs(model.graph().outputs()),
                "calibration": origin(&quantized.origin),
                "device": setup.circuit_key().device().name(),
                "setup_seconds": keys.seconds,
                "notes": notes,
                "insecure_srs": setup.srs().ceremony().is_insecure(),
                "samples": survey.samples,
                "warned": survey.warned,
                "other_answers": survey.other_answers,
                "worst": warnings,
                "reference": reference,
                "reference_differs": differing > 0,
            }),
        )
    }

    /// Writes key, settings and accuracy report; whether the key was new there.
    fn store(&self, py: Python<'_>, key: PathBuf) -> PyResult<bool> {
        let stored = self.0.store(&KeyFiles::of_key(&key)).raised(py)?;
        Ok(stored == Stored::New)
    }

    /// What a proof costs here: the report as text, JSON and a page.
    fn quote(&self, py: Python<'_>) -> PyResult<(String, String, String)> {
        let compiled = &self.0;
        let quote = py.detach(|| Quote::new(&compiled.model, &compiled.quantized)).raised(py)?;
        let report = QuoteReport::new(&compiled.model, &compiled.quantized, &quote, &[]);
        Ok((report.to_string(), json(py, &report)?, report.page()))
    }

    /// Runs the model in integers and in floating point on the input in a file.
    fn run<'py>(
        &self,
        py: Python<'py>,
        input: PathBuf,
        demands: DemandOptions,
    ) -> PyResult<RunParts<'py>> {
        let (compiled, demands) = (Arc::clone(&self.0), demands.demands(py)?);
        let run = watched(py, None, move |_| {
            let data = InputData::read(&input)?;
            let run = compiled.run(&compiled.model.input(&data)?, &demands)?;
            Ok((run, told(data.notes())))
        })?;
        let (run, notes) = run.raised(py)?;
        run_parts(py, &run.comparison, &notes)
    }

    /// The float model's outputs for every sample in a file, and the samples, in the order of the
    /// model: for whoever compares them with another runtime's.
    fn float_outputs<'py>(
        &self,
        py: Python<'py>,
        samples: PathBuf,
        most: usize,
    ) -> PyResult<Vec<(Vec<Array<'py>>, Vec<Array<'py>>)>> {
        let model = &self.0.model;
        let computed = py.detach(|| {
            let mut samples = model.read_samples(&samples)?;
            samples.truncate(most);
            let run = |sample: Tensors| {
                let outputs = model.graph().run_float(&sample);
                outputs.map(|outputs| (sample, outputs)).map_err(|source| Error::Run { source })
            };
            samples.into_iter().map(run).collect::<Result<Vec<_>, Error>>()
        });
        let arrays = |specs: Vec<&TensorSpec>, tensors: Tensors| -> Vec<Array<'py>> {
            let pairs = specs.into_iter().zip(tensors);
            let arrays = pairs.map(|(spec, tensor)| {
                let shape = tensor.shape().iter();
                let shape = shape.map(|&side| u32::try_from(side).unwrap_or(u32::MAX)).collect();
                (spec.name.clone(), shape, doubles(py, tensor.iter().copied().map(f64::from)))
            });
            arrays.collect()
        };
        let graph = model.graph();
        let pair =
            |(inputs, outputs)| (arrays(graph.inputs(), inputs), arrays(graph.outputs(), outputs));
        Ok(computed.raised(py)?.into_iter().map(pair).collect())
    }

    /// Proves the input in a file: the proof, the run, and the seconds.
    #[pyo3(signature = (input, job, opening, demands, progress))]
    fn prove<'py>(
        &self,
        py: Python<'py>,
        input: PathBuf,
        job: JobOptions,
        opening: Option<PathBuf>,
        demands: DemandOptions,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Proof, RunParts<'py>, f64)> {
        let (compiled, demands, binding) =
            (Arc::clone(&self.0), demands.demands(py)?, job.binding());
        let made = watched(py, progress, move |watch| {
            let data = InputData::read(&input)?;
            let input = compiled.model.input(&data)?;
            let made = compiled.prove(&input, binding, opening.as_deref(), &demands, watch)?;
            Ok((made, told(data.notes())))
        })?;
        let (Made { proof, comparison, seconds }, notes) = made.raised(py)?;
        Ok((proof, run_parts(py, &comparison, &notes)?, seconds))
    }

    /// Proves every input in a file or folder: for each its name, the proof, the run and the
    /// seconds. Every input is run before the first is proved.
    #[pyo3(signature = (inputs, job, demands, progress))]
    fn prove_many<'py>(
        &self,
        py: Python<'py>,
        inputs: PathBuf,
        job: JobOptions,
        demands: DemandOptions,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Vec<(String, Proof, RunParts<'py>, f64)>> {
        let (compiled, demands, binding) =
            (Arc::clone(&self.0), demands.demands(py)?, job.binding());
        let made = watched(py, progress, move |watch| {
            let source = InputSource::read(&inputs)?;
            let inputs = compiled.model.many_inputs(&source)?;
            for input in &inputs {
                compiled.run(&input.tensors, &demands)?;
            }
            let prove = |(index, input): (usize, &NamedInput)| {
                let tensors = slice::from_ref(input).iter().flat_map(|input| &input.tensors);
                let tensors: Tensors = tensors.cloned().collect();
                let binding = nth(binding, index);
                let made = compiled.prove(&tensors, binding, None, &demands, watch)?;
                Ok((input.name.clone(), made))
            };
            let proven = inputs.iter().enumerate().map(prove).collect::<Result<Vec<_>, Error>>()?;
            Ok((proven, told(source.files().flat_map(InputData::notes))))
        })?;
        let (made, mut notes) = made.raised(py)?;
        let parts = |(name, made): (String, Made)| {
            // What is to be said of all inputs is said once, with the first.
            let notes = std::mem::take(&mut notes);
            Ok((name, made.proof, run_parts(py, &made.comparison, &notes)?, made.seconds))
        };
        made.into_iter().map(parts).collect()
    }
}

/// Notes on files in words, each once.
fn told(notes: impl IntoIterator<Item = InputNote>) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for note in notes {
        let text = note.to_string();
        if !told.contains(&text) {
            told.push(text);
        }
    }
    told
}

/// The binding of one of many proofs. Those of one job are told apart by their nonces, which count
/// up; a proof for no job has none.
fn nth(binding: JobBinding, index: usize) -> JobBinding {
    if binding == JobBinding::NONE {
        return binding;
    }
    let offset = u64::try_from(index).unwrap_or(u64::MAX);
    JobBinding { nonce: binding.nonce.saturating_add(offset), ..binding }
}
