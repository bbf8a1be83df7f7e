//! A small model in a folder of its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use zkinfer::{
    Device, InputData, KeyFiles, Keys, Model, Quantized, Recipe, accuracy_to_bind, measure_accuracy,
};

use crate::onnx::Builder;

/// A folder with a model and samples.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    /// A model of two layers, and twelve samples of it with classes.
    pub(crate) fn new() -> Self {
        Self::with(&model().bytes(), &samples())
    }

    pub(crate) fn with(model: &[u8], samples: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(place.path("model.onnx"), model).unwrap();
        fs::write(place.path("samples.csv"), samples).unwrap();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn files(&self) -> KeyFiles {
        KeyFiles::beside_model(&self.path("model.onnx"))
    }

    pub(crate) fn model(&self) -> Model {
        Model::open(&self.path("model.onnx")).unwrap()
    }

    /// The model by its samples.
    pub(crate) fn calibrated(&self, model: &Model) -> Quantized {
        let samples = InputData::read_samples(&self.path("samples.csv")).unwrap();
        let recipe = Recipe { samples: Some(samples), ..Recipe::default() };
        model.quantize(&recipe, Path::new(""), &[]).unwrap()
    }

    /// The model by the settings that lie beside its key.
    pub(crate) fn by_settings(&self, model: &Model) -> Result<Quantized, zkinfer::Error> {
        model.quantize(&Recipe::default(), &self.files().settings, &[])
    }

    /// Makes and stores a key with its settings and its report.
    pub(crate) fn set_up(&self) {
        let model = self.model();
        let mut quantized = self.calibrated(&model);
        let measured = measure_accuracy(&model, &mut quantized, None).unwrap().unwrap();
        let keys = Keys::make(&model, &quantized, None, &Device::default(), &|_| ()).unwrap();
        self.files().store(&keys, &quantized.settings, Some(&measured.report)).unwrap();
    }

    /// The report that a key of the settings at hand would bind.
    pub(crate) fn to_bind(&self) -> Result<Option<bool>, zkinfer::Error> {
        let model = self.model();
        let mut quantized = self.by_settings(&model)?;
        let stored = self.files().stored()?;
        let accuracy = accuracy_to_bind(&model, &mut quantized, None, stored.as_ref())?;
        Ok(accuracy.map(|accuracy| accuracy.is_measured))
    }
}

/// Two layers.
pub(crate) fn model() -> Builder {
    let model = Builder::new(17).input("x", &[1, 3]).random("w", &[3, 4]).random("v", &[4, 2]);
    let model = model.node("MatMul", &["x", "w"], &["h"], &[]).node("Relu", &["h"], &["r"], &[]);
    model.node("MatMul", &["r", "v"], &["y"], &[]).output("y")
}

/// A table of samples with their classes.
pub(crate) fn samples() -> String {
    let line = |row: u32| {
        let number = |column: u32| f64::from((7 * row + 3 * column) % 11) / 5.5 - 1.0;
        format!("{},{},{},{}\n", number(0), number(1), number(2), row % 2)
    };
    let lines: String = (0..12).map(line).collect();
    format!("a,b,c,label\n{lines}")
}

/// The folder of a model of the zoo.
pub(crate) fn zoo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo").join(name)
}
