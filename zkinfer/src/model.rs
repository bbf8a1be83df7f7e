//! From an ONNX file to a model in integers.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use ndarray::ArrayD;
use zkinfer_models::{
    Calibration, Comparison, Execution, Graph, ImportOptions, InputFile, OnnxFile, QuantizedGraph,
    Tolerance, execute, quantize, quantize_inputs, read_inputs, read_samples,
};
use zkinfer_verifier::Digest;

use crate::{
    error::Error,
    settings::{Recipe, Settings},
};

/// One set of inputs or outputs: an array for each, in the order of the model.
pub type Tensors = Vec<ArrayD<f32>>;

/// An ONNX model that can be proved.
#[derive(Debug)]
pub struct Model {
    path: PathBuf,
    digest: Digest,
    byte_count: usize,
    graph: Graph,
}

/// A model in integers, and the settings that made it so.
#[derive(Debug)]
pub struct Quantized {
    /// What is proved.
    pub graph: QuantizedGraph,
    /// With the ONNX file, they fix the key.
    pub settings: Settings,
    /// Where the settings come from.
    pub origin: Origin,
}

/// Where quantization settings come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A settings file.
    Settings(PathBuf),
    /// Calibration samples.
    Samples(PathBuf),
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
        let path = path.to_owned();
        let file = match OnnxFile::open(&path) {
            Ok(file) => file,
            Err(source) => return Err(Error::Model { path, source }),
        };
        match file.import(options) {
            Ok(graph) => {
                let digest = Digest(file.digest(options));
                Ok(Self { path, digest, byte_count: file.len(), graph })
            }
            Err(source) => Err(Error::Refused { path, source }),
        }
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

    /// The model in floating point.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Reads one set of inputs.
    ///
    /// # Errors
    /// If the file does not hold exactly the model's inputs.
    pub fn read_input(&self, path: &Path) -> Result<Vec<ArrayD<f32>>, Error> {
        read_inputs(path, &self.graph)
            .map_err(|source| Error::Input { path: path.to_owned(), source })
    }

    /// Reads samples, each one set of inputs.
    ///
    /// # Errors
    /// If the file does not hold samples of the model's inputs.
    pub fn read_samples(&self, path: &Path) -> Result<Vec<Vec<ArrayD<f32>>>, Error> {
        read_samples(path, &self.graph)
            .map_err(|source| Error::Samples { path: path.to_owned(), source })
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

    /// The outputs that a file of inputs or samples holds beside them, if it does.
    ///
    /// # Errors
    /// If what it holds are no outputs of the model.
    pub fn outputs_beside(&self, path: &Path) -> Result<Option<Vec<Vec<ArrayD<f32>>>>, Error> {
        // What is no regular file cannot be read twice.
        if !path.is_file() {
            return Ok(None);
        }
        InputFile::read(path)
            .and_then(|file| file.outputs(&self.graph))
            .map_err(|source| Error::Reference { path: path.to_owned(), source })
    }

    /// Quantizes by the settings file, by samples, or by the inputs, in this order; `beside` is
    /// where a settings file is looked for when none is named and none but the usual is asked for.
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
        let (calibration, origin) = self.calibrate(recipe.samples.as_deref(), inputs)?;
        let settings = Settings::new(self.digest, calibration, &recipe.options);
        self.quantize_with(settings, origin)
    }

    /// Measures ranges on a file of samples, else on the inputs.
    fn calibrate(
        &self,
        samples: Option<&Path>,
        inputs: &[Vec<ArrayD<f32>>],
    ) -> Result<(Calibration, Origin), Error> {
        match (samples, inputs) {
            (Some(path), _) => {
                let place = path.to_owned();
                let samples = read_samples(path, &self.graph)
                    .map_err(|source| Error::Samples { path: place.clone(), source })?;
                let calibration = Calibration::from_samples(&self.graph, &samples)
                    .map_err(|source| Error::CalibrateSamples { path: place.clone(), source })?;
                Ok((calibration, Origin::Samples(place)))
            }
            (None, [input]) => {
                let calibration = Calibration::from_input(&self.graph, input)
                    .map_err(|source| Error::CalibrateInput { source })?;
                Ok((calibration, Origin::Input))
            }
            (None, []) => Err(Error::NothingToCalibrateWith),
            (None, inputs) => {
                let calibration = Calibration::from_samples(&self.graph, inputs)
                    .map_err(|source| Error::CalibrateInput { source })?;
                Ok((calibration, Origin::Inputs(inputs.len())))
            }
        }
    }

    /// Quantizes with settings at hand.
    ///
    /// # Errors
    /// If the model cannot be written in integers with them.
    pub fn quantize_with(&self, settings: Settings, origin: Origin) -> Result<Quantized, Error> {
        let graph = quantize(&self.graph, &settings.calibration, &settings.options)
            .map_err(|source| Error::Quantize { path: self.path.clone(), source })?;
        Ok(Quantized { graph, settings, origin })
    }

    /// Runs the model on an input, in integers and in floating point.
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
