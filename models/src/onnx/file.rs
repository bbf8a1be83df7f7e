//! ONNX files: bytes, the files beside them, and what they declare, before anything is imported.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use prost::Message as _;

use super::error::{ImportError, Refusals};
use super::external::{self, Resolver};
use super::input::{DeclaredInput, declared_inputs};
use super::limits::FILE_BYTES;
use super::options::ImportOptions;
use super::proto::ModelProto;
use super::{check, foreign, functions, graph_digest, importer, names, sets, table, wire};
use crate::digest::{keccak256, model_digest};
use crate::graph::{Graph, TensorSpec};
use crate::input::{InputFile, InputSets};

/// An ONNX file with its weights, read but not yet imported.
///
/// ```
/// use zkinfer_models::{ImportOptions, OnnxFile};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("zoo/digits_mlp/model.onnx");
/// let file = OnnxFile::open(&path)?;
/// let options = ImportOptions::default();
/// let graph = file.import(&options)?;
/// assert_eq!(graph.inputs()[0].shape, [1, 64]);
/// assert_eq!(file.digest(&options), zkinfer_models::model_digest(&std::fs::read(&path)?));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OnnxFile {
    model: ModelProto,
    bytes: usize,
    digest: [u8; 32],
    inputs: Vec<DeclaredInput>,
}

impl OnnxFile {
    /// Reads a model and the files of weights in its folder.
    ///
    /// # Errors
    /// When a file cannot be read, is too large, lies outside the folder, or is no model.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let cause = |error: std::io::Error| ImportError::Io {
            path: names::printable(&path.display().to_string()),
            cause: error.to_string(),
        };
        let file = File::open(path).map_err(cause)?;
        let got = file.metadata().map_err(cause)?.len();
        if got > FILE_BYTES {
            return Err(ImportError::FileSize { got, limit: FILE_BYTES });
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(cause)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        Self::from_bytes(&bytes, &|name| external::in_folder(folder, name))
    }

    /// Reads a model; `resolver` gives the bytes of each file of weights that the model names, a
    /// path of normal components below the model's folder.
    ///
    /// # Errors
    /// When the bytes are no model, or a file that it names cannot be used.
    pub fn from_bytes(bytes: &[u8], resolver: &Resolver<'_>) -> Result<Self, ImportError> {
        let got = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if got > FILE_BYTES {
            return Err(ImportError::FileSize { got, limit: FILE_BYTES });
        }
        foreign::check(bytes)?;
        wire::check_field_count(bytes)?;
        let mut model = ModelProto::decode(bytes)
            .map_err(|error| ImportError::Decode { cause: error.to_string() })?;
        names::make_printable(&mut model)?;
        let files = external::load(&mut model, resolver)?;
        let graph = model.graph.as_ref().ok_or(ImportError::NoGraph)?;
        let inputs = declared_inputs(graph)?;
        Ok(Self { bytes: bytes.len(), digest: digest_with(bytes, &files), inputs, model })
    }

    /// Reads a model that is all in these bytes.
    ///
    /// # Errors
    /// As [`Self::from_bytes`], and when weights are in other files.
    pub fn from_single(bytes: &[u8]) -> Result<Self, ImportError> {
        Self::from_bytes(bytes, &external::nothing)
    }

    /// The size of the ONNX file itself, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether the file is empty; such a file is never read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// What the file says of its inputs.
    #[must_use]
    pub fn inputs(&self) -> &[DeclaredInput] {
        &self.inputs
    }

    /// The inputs of which the options do not give what the file leaves open: a model with such an
    /// input is not imported.
    #[must_use]
    pub fn open_inputs(&self, options: &ImportOptions) -> Vec<&DeclaredInput> {
        super::input::open_inputs(&self.inputs, options)
    }

    /// The options with the shapes that a file of inputs shows, for every input that would be open
    /// without them. What the file does not show stays open.
    #[must_use]
    pub fn shapes_of(
        &self,
        options: &ImportOptions,
        inputs: &InputFile,
        sets: InputSets,
    ) -> ImportOptions {
        let open = self.open_inputs(options);
        let mut shaped = options.clone();
        if open.is_empty() {
            return shaped;
        }
        let shapes = self.held(options).into_iter().find_map(|held| {
            let names: Vec<&str> = held.iter().map(|input| input.name.as_str()).collect();
            Some((inputs.shapes(&names, sets)?, held))
        });
        let (shapes, held) = shapes.unwrap_or_default();
        for (input, seen) in held.into_iter().zip(shapes) {
            let is_open = open.iter().any(|open| open.name == input.name);
            if let Some(shape) = input.shape_like(&seen).filter(|_| is_open) {
                shaped.shapes.insert(input.name.clone(), shape);
            }
        }
        shaped
    }

    /// What a file of inputs may hold: all of them, or those that are not fixed.
    fn held(&self, options: &ImportOptions) -> [Vec<&DeclaredInput>; 2] {
        let is_free = |input: &&DeclaredInput| !options.fixed.contains_key(&input.name);
        [self.inputs.iter().collect(), self.inputs.iter().filter(is_free).collect()]
    }

    /// The options with the inputs fixed that these reasons say must be constants, to the values
    /// that a file of inputs has for them: the same ones in every set of inputs. `None` where there
    /// is nothing to fix, or the file does not tell.
    #[must_use]
    pub fn fixes_of(
        &self,
        options: &ImportOptions,
        refusals: &Refusals,
        inputs: &InputFile,
        sets: InputSets,
    ) -> Option<ImportOptions> {
        let wanted = refusals.inputs_to_fix();
        if wanted.is_empty() {
            return None;
        }
        let resolved = super::input::resolve(&self.inputs, options, &mut Vec::new());
        let specs: BTreeMap<String, TensorSpec> = resolved
            .into_iter()
            .map(|input| (input.name.clone(), TensorSpec { name: input.name, shape: input.shape }))
            .collect();
        let sets = self.held(options).into_iter().find_map(|held| {
            let specs = held.iter().map(|input| specs.get(&input.name));
            let specs = specs.collect::<Option<Vec<&TensorSpec>>>()?;
            let sets = match sets {
                InputSets::One => vec![inputs.tensors(&specs).ok()?],
                InputSets::Many => inputs.sample_tensors(&specs).ok()?,
            };
            Some((specs, sets))
        });
        let (specs, sets) = sets?;
        let (first, others) = sets.split_first()?;
        let mut fixed = options.clone();
        for (position, spec) in specs.iter().enumerate() {
            let is_same = others.iter().all(|other| other[position] == first[position]);
            if wanted.contains(spec.name.as_str()) && is_same {
                let values: Vec<f64> = first[position].iter().copied().map(f64::from).collect();
                fixed = fixed.fix(&spec.name, &values).ok()?;
            }
        }
        (fixed != *options).then_some(fixed)
    }

    /// The identity of the model under these options.
    ///
    /// Without files beside the model and without fixed inputs it is Keccak-256 of its bytes.
    /// Each file of weights is bound by name and content, each fixed input by name and value.
    #[must_use]
    pub fn digest(&self, options: &ImportOptions) -> [u8; 32] {
        if options.fixed.is_empty() {
            return self.digest;
        }
        let mut message = b"zkinfer: a model with fixed inputs".to_vec();
        message.extend(self.digest);
        for (name, values) in &options.fixed {
            message.extend(length(name.len()));
            message.extend(name.as_bytes());
            message.extend(length(values.len()));
            message.extend(values.iter().flat_map(|value| (value + 0.0).to_le_bytes()));
        }
        keccak256(&[&message])
    }

    /// Checks the model, infers shapes, folds constants and fuses layers.
    ///
    /// # Errors
    /// With every reason found why the model cannot be proved. Unsupported operations are found
    /// before anything is computed.
    pub fn import(&self, options: &ImportOptions) -> Result<Graph, Refusals> {
        let sets = sets::operator_sets(&self.model)?;
        let nodes = functions::inline(&self.model, &sets, table::is_known)?;
        let proto = self.model.graph.as_ref().ok_or(ImportError::NoGraph)?;
        let mut reasons = check::graph(proto, &nodes);
        let inputs = super::input::resolve(&self.inputs, options, &mut reasons);
        let on_codes = super::qdq::on_codes(nodes.clone(), proto);
        let check = check::check_node as super::operators::Check;
        let rules = (sets, check, super::recognized::recognize as super::operators::Recognize);
        let mut draft = importer::import(proto, &on_codes, &inputs, rules, reasons)?;
        draft.digest = graph_digest::graph_digest(proto, &nodes, &inputs)?;
        draft.fuse();
        Ok(draft.legalize())
    }
}

/// The digest of the file and of the files beside it.
fn digest_with(bytes: &[u8], files: &BTreeMap<String, [u8; 32]>) -> [u8; 32] {
    let digest = model_digest(bytes);
    if files.is_empty() {
        return digest;
    }
    let mut message = b"zkinfer: a model with its weights in other files".to_vec();
    message.extend(digest);
    for (name, digest) in files {
        message.extend(length(name.len()));
        message.extend(name.as_bytes());
        message.extend(digest);
    }
    keccak256(&[&message])
}

fn length(length: usize) -> [u8; 8] {
    u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes()
}
