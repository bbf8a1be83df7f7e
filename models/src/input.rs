//! Files with model inputs or calibration samples: JSON, `.npy` and `.npz`.

mod json;
mod npy;
mod npz;
mod samples;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use ndarray::{ArrayD, IxDyn};

use crate::digest::{HexDigest, keccak256};
use crate::error::InputError;
use crate::graph::{Graph, TensorSpec};
use json::Json;
use npz::Archive;

/// Most bytes of a file, unpacked.
const LIMIT: u64 = 1 << 28;
/// The name of an archive's array of labels.
const LABELS: &str = "labels";

/// Reads one set of model inputs; see [`InputFile`].
///
/// # Errors
/// When the file cannot be read, is malformed, or does not hold exactly the model's inputs.
pub fn read_inputs(path: &Path, graph: &Graph) -> Result<Vec<ArrayD<f32>>, InputError> {
    InputFile::read(path)?.inputs(graph)
}

/// Reads calibration samples, each one set of model inputs; see [`InputFile`].
///
/// # Errors
/// When the file cannot be read, is malformed, holds no sample, or one that does not fit.
pub fn read_samples(path: &Path, graph: &Graph) -> Result<Vec<Vec<ArrayD<f32>>>, InputError> {
    InputFile::read(path)?.samples(graph)
}

/// The numbers in a file, not yet matched to a model.
///
/// As inputs, it holds `{"input_data": [[…], …]}` with one list per input in the order of the
/// model, or `{"name": […], …}` with one per name; lists are nested like the input or flat. An
/// `.npz` holds one array per name (or `arr_0`, `arr_1`, … in order), an `.npy` the only input.
///
/// As samples, `input_data` has one entry per sample (for several inputs, a list of them), and
/// arrays have a leading sample dimension. Archives may prefix names with `in_`, or with `s00_in_`,
/// `s01_in_`, … for one array per sample, and `{"inputs": [{"name": …}], "samples":
/// [{"inputs": […]}]}` is read too; arrays with `out` in place of `in` are skipped.
///
/// Labels, which say the right class of each sample, are whole numbers in the array `labels` of an
/// archive, or in `label` of each object of `samples`.
#[derive(Clone, Debug)]
pub struct InputFile {
    content: Content,
    digest: HexDigest,
}

#[derive(Clone, Debug)]
enum Content {
    Json(Json),
    Npy(Array),
    Npz(Archive),
}

/// Numbers with a shape.
#[derive(Clone, Debug, PartialEq)]
struct Array {
    shape: Vec<usize>,
    data: Vec<f64>,
}

impl InputFile {
    /// Reads and parses a file; its extension tells the format.
    ///
    /// # Errors
    /// When the file cannot be read, is too large, or malformed.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let extension = extension.unwrap_or_default().to_ascii_lowercase();
        if !["json", "npy", "npz"].contains(&extension.as_str()) {
            return Err(InputError::UnknownKind);
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
        let got = bytes.len() as u64;
        if got > LIMIT {
            return Err(InputError::FileSize { got, limit: LIMIT });
        }
        let content = match extension.as_str() {
            "json" => Content::Json(serde_json::from_slice(&bytes)?),
            "npz" => Content::Npz(npz::decode(&bytes)?),
            _ => Content::Npy(npy::decode(&bytes, "")?),
        };
        Ok(Self { content, digest: HexDigest(keccak256(&[&bytes])) })
    }

    /// Keccak-256 of the file's bytes.
    #[must_use]
    pub fn digest(&self) -> HexDigest {
        self.digest
    }

    /// The file as one set of inputs, in the order of the model.
    ///
    /// # Errors
    /// When the file does not hold exactly the model's inputs.
    pub fn inputs(&self, graph: &Graph) -> Result<Vec<ArrayD<f32>>, InputError> {
        self.tensors(&graph.inputs())
    }

    /// The file as one array per tensor, in their order. For who has no model but knows its
    /// tensors, as a verifying key does.
    ///
    /// # Errors
    /// When the file does not hold exactly these tensors.
    pub fn tensors(&self, specs: &[&TensorSpec]) -> Result<Vec<ArrayD<f32>>, InputError> {
        let arrays = match &self.content {
            Content::Json(json) => json::arrays(json, specs)?,
            Content::Npy(array) => in_order(vec![array.clone()], specs)?,
            Content::Npz(archive) => by_name(archive.arrays.clone(), specs)?,
        };
        specs.iter().zip(arrays).map(|(spec, array)| array.fit(spec)).collect()
    }

    /// The file as samples, each one set of inputs.
    ///
    /// # Errors
    /// When the file holds no sample, or one that does not fit the model.
    pub fn samples(&self, graph: &Graph) -> Result<Vec<Vec<ArrayD<f32>>>, InputError> {
        let specs = graph.inputs();
        let samples = match &self.content {
            Content::Json(json) => json::samples(json, &specs)?,
            Content::Npy(array) => {
                samples::unstack(in_order(vec![array.clone()], &specs)?, &specs)?
            }
            Content::Npz(archive) => samples::of_archive(&archive.arrays, &specs)?,
        };
        if samples.is_empty() {
            return Err(InputError::NoSamples);
        }
        let fit = |arrays: Vec<Array>| {
            specs.iter().zip(arrays).map(|(spec, array)| array.fit(spec)).collect()
        };
        samples.into_iter().map(fit).collect()
    }

    /// The right class of each sample, where the file tells.
    ///
    /// # Errors
    /// When labels are not whole numbers, or only some samples have one.
    pub fn labels(&self) -> Result<Option<Vec<i64>>, InputError> {
        match &self.content {
            Content::Json(json) => json::labels(json),
            Content::Npy(_) => Ok(None),
            Content::Npz(archive) => archive.labels.as_deref().map(npy::decode_labels).transpose(),
        }
    }
}

impl Array {
    /// The array as this input: of its shape, or flat.
    fn fit(self, spec: &TensorSpec) -> Result<ArrayD<f32>, InputError> {
        let is_flat = self.shape.len() == 1 && self.data.len() == spec.len();
        if self.shape != spec.shape && !is_flat {
            return Err(InputError::Shape {
                input: spec.name.clone(),
                expected: spec.shape.clone(),
                got: self.shape,
            });
        }
        let too_large = |x: &f64| !x.is_finite() || x.abs() > f64::from(f32::MAX);
        if let Some(index) = self.data.iter().position(too_large) {
            return Err(InputError::NotFinite { input: spec.name.clone(), index });
        }
        let data = self.data.into_iter().map(single).collect();
        Ok(ArrayD::from_shape_vec(IxDyn(&spec.shape), data)
            .expect("as many elements as the shape says were found"))
    }
}

/// Arrays that come without names.
fn in_order(arrays: Vec<Array>, specs: &[&TensorSpec]) -> Result<Vec<Array>, InputError> {
    if arrays.len() == specs.len() {
        return Ok(arrays);
    }
    Err(InputError::InputCount { expected: specs.len(), got: arrays.len(), names: names(specs) })
}

/// Arrays by name, each exactly once; numpy's default names stand for the order.
fn by_name(
    mut arrays: Vec<(String, Array)>,
    specs: &[&TensorSpec],
) -> Result<Vec<Array>, InputError> {
    let numbered = (0..specs.len()).map(|position| format!("arr_{position}"));
    if arrays.iter().map(|(name, _)| name.clone()).eq(numbered) {
        return Ok(arrays.into_iter().map(|(_, array)| array).collect());
    }
    let mut found = Vec::new();
    for spec in specs {
        let position = arrays.iter().position(|(name, _)| *name == spec.name).ok_or_else(|| {
            InputError::Missing { input: spec.name.clone(), shape: spec.shape.clone() }
        })?;
        found.push(arrays.remove(position).1);
    }
    match arrays.into_iter().next() {
        None => Ok(found),
        Some((name, _)) if specs.iter().any(|spec| spec.name == name) => {
            Err(InputError::Duplicate { name })
        }
        Some((name, _)) => Err(InputError::Extra { name, expected: names(specs) }),
    }
}

fn names(specs: &[&TensorSpec]) -> Vec<String> {
    specs.iter().map(|spec| spec.name.clone()).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be within single precision")]
fn single(value: f64) -> f32 {
    value as f32
}
