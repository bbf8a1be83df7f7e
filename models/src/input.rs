//! Files with model inputs or calibration samples: JSON, JSON lines, CSV, `.npy` and `.npz`.

mod array;
mod error;
mod json;
mod kind;
mod labels;
mod layout;
mod note;
mod npy;
mod npz;
mod samples;
mod shapes;
mod table;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ndarray::ArrayD;

use crate::digest::{HexDigest, keccak256};
use crate::graph::Graph;
use crate::tensor::TensorSpec;
use array::{Array, View, in_order};
use json::Json;
use kind::{Kind, LIMIT};
use npz::Archive;
use table::Table;

pub use error::{FileKind, InputError, TableFault};
pub use labels::{LabelFault, Labels};
pub use note::InputNote;
pub use shapes::InputSets;

/// Sets of tensors.
type Sets = Vec<Vec<ArrayD<f32>>>;

/// The name that stands for standard input.
const STDIN: &str = "-";

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

/// The numbers in a file, not yet matched to a model. The content tells the format, never the name.
///
/// | format | one set of inputs | samples |
/// |---|---|---|
/// | JSON object | `{"input_data": [[…], …]}`, one list an input in the order of the model, or `{"name": […], …}` | `input_data` with one entry a sample (for several inputs, a list of them); or one entry an input with all samples one after the other, as EZKL calibrates; or a list of samples for each name |
/// | JSON list | the only input, or the inputs in order | samples of the only input |
/// | JSON lines | one line | one sample a line, each as above |
/// | CSV | one line of numbers | one sample a line |
/// | `.npy` | the only input | a leading sample dimension |
/// | `.npz` | one array a name, or `arr_0`, `arr_1`, … in order | a leading sample dimension |
///
/// Lists are nested like the input, or flat. Leading dimensions of 1 may be left out or added.
/// Beside `input_data`, EZKL's `input_shapes` and `output_data` are passed over with a
/// [note](Self::notes).
///
/// A table may begin with a line of column names. They are needed, as `name` or `name[0]`,
/// `name[1]`, …, where a model has several inputs. Columns are separated by commas, semicolons, tabs
/// or blanks.
///
/// Archives may prefix names with `in_`, or with `s00_in_`, `s01_in_`, … for one array a sample, and
/// `{"inputs": [{"name": …}], "samples": [{"inputs": […]}]}` is read too; what has `out` in place of
/// `in` is an output.
///
/// Labels, which say the right class of each sample or of each of its positions, are whole numbers in
/// the array `labels` of an archive, in `label` of each object of `samples`, or in the column `label`
/// or `labels` of a table. Those that cannot be used are passed over with a [note](Self::notes).
///
/// Numbers become 32-bit floats, the nearest of those written as reals. A whole number of a `.npy`
/// of integers that no 32-bit float holds is refused.
#[derive(Clone, Debug)]
pub struct InputFile {
    content: Content,
    digest: HexDigest,
}

#[derive(Clone, Debug)]
enum Content {
    Json(Json),
    Lines(Vec<Json>),
    Table(Table),
    Npy(Array),
    Npz(Archive),
}

impl InputFile {
    /// Reads and parses a file, or standard input if the path is `-`.
    ///
    /// # Errors
    /// When the file cannot be read, is too large, or malformed.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        let mut bytes = Vec::new();
        if path == Path::new(STDIN) {
            std::io::stdin().lock().take(LIMIT + 1).read_to_end(&mut bytes)?;
        } else {
            File::open(path)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
        }
        Self::from_bytes(&bytes)
    }

    /// Parses the bytes of a file.
    ///
    /// # Errors
    /// When there are too many, or they are of no known kind or malformed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InputError> {
        let got = bytes.len() as u64;
        if got > LIMIT {
            return Err(InputError::FileSize { got, limit: LIMIT });
        }
        let content = match kind::of(bytes)? {
            Kind::Npy => Content::Npy(npy::decode(bytes, "the array")?),
            Kind::Npz => Content::Npz(npz::decode(bytes)?),
            Kind::Json(text) => match json::parse(&text)? {
                (only, None) => Content::Json(only),
                (first, Some(rest)) => Content::Lines(std::iter::once(first).chain(rest).collect()),
            },
            Kind::Table(text) => Content::Table(table::parse(&text)?),
        };
        Ok(Self { content, digest: HexDigest(keccak256(&[bytes])) })
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
        let mut sets = self.sets_of(graph, |specs| Ok(vec![self.tensors(specs)?]))?;
        sets.pop().ok_or(InputError::NoSamples)
    }

    /// The sets of inputs that `read` finds. Where the file holds the inputs too that the model has
    /// as constants, they must have these values, and are left out.
    fn sets_of(
        &self,
        graph: &Graph,
        read: impl Fn(&[&TensorSpec]) -> Result<Sets, InputError>,
    ) -> Result<Sets, InputError> {
        if graph.fixed_inputs.is_empty() {
            return read(&graph.inputs());
        }
        let mut sets = match read(&graph.declared_inputs()) {
            Ok(sets) => sets,
            // Without them: what is wrong with the others is told of the one or the other.
            Err(first) => {
                return read(&graph.inputs()).map_err(|second| match second {
                    InputError::Extra { .. } => first,
                    second => second,
                });
            }
        };
        for set in &mut sets {
            for fixed in &graph.fixed_inputs {
                let given = set.remove(fixed.position);
                if !given.iter().copied().eq(fixed.values.iter().copied().map(array::single)) {
                    let input = fixed.spec.name.clone();
                    return Err(InputError::OtherThanFixed { input });
                }
            }
        }
        Ok(sets)
    }

    /// The file as one array per tensor, in their order. For who has no model but knows its
    /// tensors, as a verifying key does.
    ///
    /// # Errors
    /// When the file does not hold exactly these tensors.
    pub fn tensors(&self, specs: &[&TensorSpec]) -> Result<Vec<ArrayD<f32>>, InputError> {
        let views = match &self.content {
            Content::Json(json) => layout::inputs(json, specs)?,
            Content::Lines(lines) => return Err(InputError::Several { got: lines.len() }),
            Content::Table(table) => table.inputs(specs)?,
            Content::Npy(array) => in_order(vec![array.view()], specs)?,
            Content::Npz(archive) => samples::inputs_of_archive(archive, specs)?,
        };
        specs.iter().zip(&views).map(|(spec, view)| view.fit(spec)).collect()
    }

    /// The file as samples, each one set of inputs.
    ///
    /// # Errors
    /// When the file holds no sample, or one that does not fit the model.
    pub fn samples(&self, graph: &Graph) -> Result<Vec<Vec<ArrayD<f32>>>, InputError> {
        let samples = self.sets_of(graph, |specs| self.sample_tensors(specs))?;
        if samples.is_empty() { Err(InputError::NoSamples) } else { Ok(samples) }
    }

    /// The samples as one array per tensor, in their order.
    pub(crate) fn sample_tensors(
        &self,
        specs: &[&TensorSpec],
    ) -> Result<Vec<Vec<ArrayD<f32>>>, InputError> {
        let fit = |views: Vec<View<'_>>| {
            specs.iter().zip(&views).map(|(spec, view)| view.fit(spec)).collect()
        };
        self.sets(specs, samples::INPUT)?.into_iter().map(fit).collect()
    }

    /// The outputs that the file gives beside its samples, one set a sample, as an exporter has
    /// computed them: arrays with `out_` or `s00_out_` before the name in an archive, EZKL's
    /// `output_data`, `outputs` of each object of `samples`. `None` where it gives none.
    ///
    /// # Errors
    /// When they do not fit the model's outputs.
    pub fn outputs(&self, graph: &Graph) -> Result<Option<Vec<Vec<ArrayD<f32>>>>, InputError> {
        let specs = graph.outputs();
        let views = match &self.content {
            Content::Json(json) => layout::outputs(json, &specs)?,
            Content::Npz(archive) if archive.has_outputs() => {
                Some(samples::of_archive(archive, &specs, samples::OUTPUT)?)
            }
            Content::Npz(_) | Content::Lines(_) | Content::Table(_) | Content::Npy(_) => None,
        };
        let Some(views) = views else { return Ok(None) };
        let fit = |views: Vec<View<'_>>| {
            specs.iter().zip(&views).map(|(spec, view)| view.fit(spec)).collect()
        };
        views.into_iter().map(fit).collect::<Result<_, _>>().map(Some)
    }

    /// The file as outputs of the model, one set a sample: those that it gives beside its samples,
    /// else all that it holds.
    ///
    /// # Errors
    /// When the file does not hold exactly the model's outputs.
    pub fn reference(&self, graph: &Graph) -> Result<Vec<Vec<ArrayD<f32>>>, InputError> {
        if let Some(outputs) = self.outputs(graph)? {
            return Ok(outputs);
        }
        let specs = graph.outputs();
        let fit = |views: Vec<View<'_>>| {
            specs.iter().zip(&views).map(|(spec, view)| view.fit(spec)).collect()
        };
        self.sets(&specs, samples::OUTPUT)?.into_iter().map(fit).collect()
    }

    fn sets(
        &self,
        specs: &[&TensorSpec],
        direction: &'static str,
    ) -> Result<Vec<Vec<View<'_>>>, InputError> {
        match &self.content {
            Content::Json(json) => layout::samples(json, specs),
            Content::Lines(lines) => lines.iter().map(|line| layout::inputs(line, specs)).collect(),
            Content::Table(table) => table.samples(specs),
            Content::Npy(array) => samples::unstack(in_order(vec![array.view()], specs)?, specs),
            Content::Npz(archive) => samples::of_archive(archive, specs, direction),
        }
    }

    /// The right classes of the samples, where the file tells.
    ///
    /// # Errors
    /// Why they cannot be used.
    pub fn labels(&self) -> Result<Option<Labels>, LabelFault> {
        match &self.content {
            Content::Json(json) => labels::of_json(&layout::labels(json)),
            Content::Lines(_) | Content::Npy(_) => Ok(None),
            Content::Table(table) => table.labels(),
            Content::Npz(archive) => archive.labels.as_deref().map(labels::of_array).transpose(),
        }
    }

    /// What the file holds that is not used, and what was decided in reading it. How labels fit a
    /// model is told by [`TestSet::notes`](crate::TestSet::notes).
    #[must_use]
    pub fn notes(&self) -> Vec<InputNote> {
        let mut notes = match &self.content {
            Content::Json(json) => layout::notes(std::slice::from_ref(json)),
            Content::Lines(lines) => layout::notes(lines),
            Content::Table(table) => table.notes(),
            Content::Npz(_) | Content::Npy(_) => Vec::new(),
        };
        notes.extend(self.labels().err().map(InputNote::UnusedLabels));
        notes
    }
}
