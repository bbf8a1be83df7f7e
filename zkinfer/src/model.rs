//! From an ONNX file to a model in integers.

mod inputs;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use ndarray::ArrayD;
use zkinfer_circuits::check_layers;
use zkinfer_models::{
    Calibration, Comparison, Execution, Graph, ImportOptions, InputFile, OnnxFile, QuantizedGraph,
    TensorSpec, Tolerance, execute, quantize, quantize_inputs,
};
use zkinfer_verifier::Digest;

use crate::{
    error::{Error, SplitError},
    inputs::{InputData, Tensors},
    recipe::Recipe,
    settings::{PartPlace, Settings},
    shapes::Shapes,
};

/// An ONNX model that can be proved.
#[derive(Debug)]
pub struct Model {
    path: PathBuf,
    digest: Digest,
    byte_count: usize,
    graph: Graph,
    completed: Vec<String>,
    fixed: BTreeMap<String, Vec<f64>>,
    constants: BTreeMap<String, Vec<f64>>,
}

/// A model in integers, and the settings that made it so.
#[derive(Clone, Debug)]
pub struct Quantized {
    /// What is proved.
    pub graph: QuantizedGraph,
    /// With the ONNX file, they fix the key.
    pub settings: Settings,
    /// Where the settings come from.
    pub origin: Origin,
}

impl Quantized {
    /// The same integers, for proofs of so many runs at once.
    #[must_use]
    pub fn jointly(self, claims: NonZeroU32) -> Self {
        Self { settings: self.settings.jointly(claims), ..self }
    }
}

/// Where quantization settings come from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A settings file.
    Settings(PathBuf),
    /// Calibration samples.
    Samples(InputData),
    /// The input that is run.
    Input,
    /// The inputs that are run, so many.
    Inputs(usize),
}

/// A run of a model in integers.
#[derive(Debug)]
pub struct Run {
    /// The integer inputs, one list per input.
    pub integers: Vec<Vec<i64>>,
    /// All values of the run.
    pub execution: Arc<Execution>,
    /// The run beside the float model's, with warnings.
    pub comparison: Comparison,
    /// How many input elements lie outside the calibrated range and are clamped to it.
    pub clamped_inputs: usize,
    /// Seconds of the integer run.
    pub seconds: f64,
}

impl Model {
    /// Reads an ONNX file, and the files of weights that it names in its folder.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/example.rs")); }
    /// # use example::*;
    /// # let files = files();
    /// use zkinfer::{Error, Model};
    ///
    /// let model = Model::open(&files.model)?;
    /// assert_eq!(model.graph().inputs()[0].shape, [1, 64]);
    ///
    /// // A refusal holds every reason, each with its node and what to do.
    /// let Err(Error::Model { source, .. }) = Model::open(&files.input) else { panic!() };
    /// assert_eq!(source.code(), "foreign-file");
    /// # Ok::<_, Error>(())
    /// ```
    ///
    /// # Errors
    /// If it cannot be read, or is no model that can be proved.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with(path, &ImportOptions::default())
    }

    /// [`Self::open`] with shapes for open dimensions, and constants for inputs that are not to
    /// be proved about.
    ///
    /// # Errors
    /// As [`Self::open`], and if the options do not fit the model.
    pub fn open_with(path: &Path, options: &ImportOptions) -> Result<Self, Error> {
        Self::open_for(path, options, &[])
    }

    /// Whether a file is an ONNX model at all, and the files of weights that it names are there.
    ///
    /// # Errors
    /// If it is not, for what it is.
    pub fn recognize(path: &Path) -> Result<(), Error> {
        let model = |source| Error::Model { path: path.to_owned(), source };
        OnnxFile::open(path).map(drop).map_err(model)
    }

    /// [`Self::open_with`] where dimensions that file and options leave open are those that the
    /// first of `shapes` shows that tells them, and so are the values of inputs that must be
    /// constants, as axes.
    ///
    /// # Errors
    /// As [`Self::open_with`].
    pub fn open_for(
        path: &Path,
        options: &ImportOptions,
        shapes: &[Shapes<'_>],
    ) -> Result<Self, Error> {
        let path = path.to_owned();
        let file = match OnnxFile::open(&path) {
            Ok(file) => file,
            Err(source) => return Err(Error::Model { path, source }),
        };
        let complete = |options, shapes: &Shapes<'_>| shapes.complete(&file, options);
        let open = file.open_inputs(options).into_iter().map(|input| input.name.clone());
        let mut completed: Vec<String> = open.collect();
        let given = options;
        let mut options = shapes.iter().try_fold(given.clone(), complete)?;
        completed.retain(|name| options.shapes().contains_key(name));
        let graph = loop {
            // Each round fixes an input more.
            let source = match file.import(&options) {
                Ok(graph) => break graph,
                Err(source) => source,
            };
            match shapes.iter().find_map(|shapes| shapes.fix(&file, &options, &source)) {
                Some(fixed) => options = fixed,
                None => return Err(Error::Refused { path, source }),
            }
        };
        let constants = options.fixed().clone();
        let mut fixed = constants.clone();
        fixed.retain(|name, _| !given.fixed().contains_key(name));
        if let Err(source) = check_layers(&graph) {
            return Err(Error::Plan { path, source });
        }
        let digest = Digest(file.digest(&options));
        Ok(Self { path, digest, byte_count: file.len(), graph, completed, fixed, constants })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The digest that keys bind.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Bytes of the file.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.byte_count
    }

    /// The inputs whose shapes the file leaves open and something else has shown.
    pub fn completed_inputs(&self) -> impl Iterator<Item = &TensorSpec> {
        let is_completed = |input: &&TensorSpec| self.completed.contains(&input.name);
        self.graph.inputs().into_iter().filter(is_completed)
    }

    /// The inputs that decide what is computed, and so are constants of the model, with the values
    /// that something else than the options has shown.
    #[must_use]
    pub fn fixed_inputs(&self) -> &BTreeMap<String, Vec<f64>> {
        &self.fixed
    }

    /// All inputs of the file that are constants of the model, by an option or because they decide
    /// what is computed; one value where all elements are the same.
    #[must_use]
    pub fn constant_inputs(&self) -> &BTreeMap<String, Vec<f64>> {
        &self.constants
    }

    /// The model in floating point.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Reads the outputs that an exporter has computed from `count` inputs: those that a file of
    /// inputs or samples holds beside them, or a file of nothing else.
    ///
    /// # Errors
    /// If the file does not hold so many sets of the model's outputs.
    pub fn read_reference(
        &self,
        path: &Path,
        count: usize,
    ) -> Result<Vec<Vec<ArrayD<f32>>>, Error> {
        let read = InputFile::read(path).and_then(|file| file.reference(&self.graph));
        let outputs = read.map_err(|source| Error::Reference { path: path.to_owned(), source })?;
        if outputs.len() != count {
            let (path, got) = (path.to_owned(), outputs.len());
            return Err(Error::ReferenceCount { path, expected: count, got });
        }
        Ok(outputs)
    }

    /// Quantizes by the settings file, by samples, or by the inputs, in this order; `beside` is
    /// where a settings file is looked for when none is named and none but the usual is asked for.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/example.rs")); }
    /// # use example::*;
    /// # let files = files();
    /// use zkinfer::{InputData, KeyFiles, Model, Options, Origin, Recipe};
    ///
    /// let model = Model::open(&files.model)?;
    /// let beside = KeyFiles::beside_model(&files.model).settings;
    /// let recipe = Recipe {
    ///     samples: Some(InputData::read_samples(&files.samples)?),
    ///     options: Options { activation_bits: Some(10), ..Options::default() },
    ///     ..Recipe::default()
    /// };
    /// let quantized = model.quantize(&recipe, &beside, &[])?;
    /// assert_eq!(quantized.settings.options.activation_bits, 10);
    ///
    /// // With the ONNX file, settings fix the key: whoever has them quantizes to the same integers.
    /// std::fs::write(&beside, quantized.settings.encode()).unwrap();
    /// let again = model.quantize(&Recipe::default(), &beside, &[])?;
    /// assert!(matches!(again.origin, Origin::Settings(_)));
    /// assert_eq!(again.graph, quantized.graph);
    /// # Ok::<_, zkinfer::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a file is not what it should be, nothing is there to calibrate with, or the model cannot
    /// be written in integers.
    pub fn quantize(
        &self,
        recipe: &Recipe,
        beside: &Path,
        inputs: &[Vec<ArrayD<f32>>],
    ) -> Result<Quantized, Error> {
        let found = || Some(beside).filter(|p| !recipe.asks_for_new_settings() && p.exists());
        if let Some(path) = recipe.settings.as_deref().or_else(found) {
            let settings = Settings::read(path, self.digest)?;
            return self.quantize_with(settings, Origin::Settings(path.to_owned()));
        }
        let (calibration, origin, samples) = self.calibrate(recipe, inputs)?;
        let mut options = recipe.options.clone();
        if options.activation_bits.is_none() {
            options.activation_bits = Some(self.default_bits(&calibration, &samples, &options)?);
        }
        let settings = Settings::new(self.digest, calibration, &options);
        self.quantize_with(settings, origin)
    }

    /// Measures ranges on a file of samples, else on the inputs; with what they were measured on.
    fn calibrate<'a>(
        &self,
        recipe: &Recipe,
        inputs: &'a [Tensors],
    ) -> Result<(Calibration, Origin, Cow<'a, [Tensors]>), Error> {
        let (graph, options) = (&self.graph, &recipe.options);
        let measured = |samples: &[Tensors]| {
            let calibration = Calibration::from_samples(graph, samples)?;
            options.on_grid(graph, calibration, samples)
        };
        let of_input = |source| Error::CalibrateInput { source };
        match (&recipe.samples, inputs) {
            (Some(data), _) => {
                let samples = self.samples(data)?;
                let calibration = measured(&samples).map_err(|source| Error::CalibrateSamples {
                    path: data.path().to_owned(),
                    source,
                })?;
                Ok((calibration, Origin::Samples(data.clone()), Cow::Owned(samples)))
            }
            (None, [input]) => {
                let calibration = Calibration::from_input(graph, input).map_err(of_input)?;
                let calibration = options.on_grid(graph, calibration, inputs).map_err(of_input)?;
                Ok((calibration, Origin::Input, Cow::Borrowed(inputs)))
            }
            (None, []) => Err(Error::NothingToCalibrateWith),
            (None, inputs) => {
                let calibration = measured(inputs).map_err(of_input)?;
                Ok((calibration, Origin::Inputs(inputs.len()), Cow::Borrowed(inputs)))
            }
        }
    }

    /// Quantizes with settings at hand.
    ///
    /// # Errors
    /// If the model cannot be written in integers with them, or they are of a part of it.
    pub fn quantize_with(&self, settings: Settings, origin: Origin) -> Result<Quantized, Error> {
        if let Some(PartPlace { index, count, k: _ }) = settings.part() {
            return Err(SplitError::SettingsOfPart { index, count }.into());
        }
        let graph = quantize(&self.graph, &settings.calibration, &settings.options)
            .map_err(|source| Error::Quantize { path: self.path.clone(), source })?;
        Ok(Quantized { graph, settings, origin })
    }

    /// Runs the model on an input, in integers and in floating point.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/example.rs")); }
    /// # use example::*;
    /// # let files = files();
    /// # use zkinfer::{InputData, Model, Recipe};
    /// # let model = Model::open(&files.model)?;
    /// # let samples = Some(InputData::read_samples(&files.samples)?);
    /// # let recipe = Recipe { samples, ..Recipe::default() };
    /// # let quantized = model.quantize(&recipe, std::path::Path::new("none"), &[])?;
    /// let run = model.run(&quantized, &model.read_input(&files.input)?)?;
    /// // What the proof will show, what the float model says, and what is wrong with it.
    /// let output = &run.comparison.outputs[0];
    /// assert_eq!(output.integer.len(), 10);
    /// assert_eq!(output.float.len(), 10);
    /// assert!(run.comparison.warnings.is_empty());
    /// # Ok::<_, zkinfer::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the input does not fit the model.
    pub fn run(&self, quantized: &Quantized, input: &[ArrayD<f32>]) -> Result<Run, Error> {
        self.run_with(quantized, input, &Tolerance::default())
    }

    /// [`Self::run`], with warnings from another difference on than by default.
    ///
    /// # Errors
    /// If the input does not fit the model.
    pub fn run_with(
        &self,
        quantized: &Quantized,
        input: &[ArrayD<f32>],
        tolerance: &Tolerance,
    ) -> Result<Run, Error> {
        let failed = |source| Error::Run { source };
        let integers = quantize_inputs(&quantized.graph, input).map_err(failed)?;
        let start = Instant::now();
        let execution = Arc::new(execute(&quantized.graph, &integers).map_err(failed)?);
        let seconds = start.elapsed().as_secs_f64();
        let forms = self.forms(quantized);
        let comparison =
            Comparison::of(forms, input, execution.clone(), tolerance).map_err(failed)?;
        let clamped_inputs = comparison.inputs.iter().map(|input| input.clamped).sum();
        Ok(Run { integers, execution, comparison, clamped_inputs, seconds })
    }
}
