//! Tensors whose elements lie in other files, beside the model.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path};

use super::error::ImportError;
use super::limits::FILE_BYTES;
use super::proto::{AttributeProto, DataLocation, GraphProto, ModelProto, NodeProto, TensorProto};
use crate::digest::keccak256;

/// Most bytes of all files of tensors together, what no tensor reads included.
const DATA_BYTES: u64 = 1 << 31;

/// Gives the bytes of a file that a model names, or says why not.
pub type Resolver<'a> = dyn Fn(&str) -> Result<Vec<u8>, String> + 'a;

/// Refuses every file.
pub(super) fn nothing(_: &str) -> Result<Vec<u8>, String> {
    Err("only the model's own bytes were given; open it by its path, with this file beside it"
        .to_owned())
}

/// Reads files of the folder, and of nowhere else.
pub(super) fn in_folder(folder: &Path, file: &str) -> Result<Vec<u8>, String> {
    let path = folder.join(file);
    let cause = |error: std::io::Error| format!("{}: {error}", path.display());
    let (root, target) =
        (folder.canonicalize().map_err(cause)?, path.canonicalize().map_err(cause)?);
    if !target.starts_with(&root) {
        return Err("it lies outside the model's folder, where nothing is read".to_owned());
    }
    // Before it is opened: to open a pipe is to wait for it.
    let metadata = target.metadata().map_err(cause)?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let opened = File::open(&target).map_err(cause)?;
    if metadata.len() > DATA_BYTES {
        return Err(format!("it has more than the limit of {DATA_BYTES} bytes"));
    }
    let mut bytes = Vec::new();
    opened.take(DATA_BYTES).read_to_end(&mut bytes).map_err(cause)?;
    Ok(bytes)
}

/// Puts the elements of other files into the model. Returns a digest of each file by its name.
pub(super) fn load(
    model: &mut ModelProto,
    resolver: &Resolver<'_>,
) -> Result<BTreeMap<String, [u8; 32]>, ImportError> {
    let files = BTreeMap::new();
    let mut loader = Loader { resolver, files, left: FILE_BYTES, data_left: DATA_BYTES };
    if let Some(graph) = &mut model.graph {
        loader.graph(graph)?;
    }
    for function in &mut model.functions {
        function.node.iter_mut().try_for_each(|node| loader.node(node))?;
        function.attribute_proto.iter_mut().try_for_each(|value| loader.attribute(value))?;
    }
    Ok(loader.files.into_iter().map(|(name, bytes)| (name, keccak256(&[&bytes]))).collect())
}

struct Loader<'a> {
    resolver: &'a Resolver<'a>,
    files: BTreeMap<String, Vec<u8>>,
    /// Bytes that tensors may still take.
    left: u64,
    /// Bytes that files may still have.
    data_left: u64,
}

impl Loader<'_> {
    fn graph(&mut self, graph: &mut GraphProto) -> Result<(), ImportError> {
        graph.initializer.iter_mut().try_for_each(|tensor| self.tensor(tensor))?;
        graph.node.iter_mut().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &mut NodeProto) -> Result<(), ImportError> {
        node.attribute.iter_mut().try_for_each(|value| self.attribute(value))
    }

    fn attribute(&mut self, attribute: &mut AttributeProto) -> Result<(), ImportError> {
        attribute.t.iter_mut().try_for_each(|tensor| self.tensor(tensor))?;
        attribute.g.iter_mut().try_for_each(|graph| self.graph(graph))?;
        attribute.graphs.iter_mut().try_for_each(|graph| self.graph(graph))
    }

    fn tensor(&mut self, tensor: &mut TensorProto) -> Result<(), ImportError> {
        if tensor.data_location != DataLocation::External as i32 {
            return Ok(());
        }
        let place = Place::of(tensor)?;
        let refused = |what: String| ImportError::ExternalData {
            tensor: tensor.name.clone(),
            file: place.file.clone(),
            what,
        };
        if !self.files.contains_key(&place.file) {
            let bytes = (self.resolver)(&place.file).map_err(refused)?;
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            self.data_left = self.data_left.checked_sub(size).ok_or_else(|| {
                refused(format!("the files beside the model have more than {DATA_BYTES} bytes"))
            })?;
            self.files.insert(place.file.clone(), bytes);
        }
        let file = &self.files[&place.file];
        let start = usize::try_from(place.offset).unwrap_or(usize::MAX);
        let length = place.length.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        let rest = file.get(start..).ok_or(());
        let part = rest.and_then(|rest| match length {
            Some(length) => rest.get(..length).ok_or(()),
            None => Ok(rest),
        });
        let part = part.map_err(|()| {
            refused(format!(
                "it has {} bytes, and the tensor's begin at {} and are {}; get the file that \
                 belongs to the model",
                file.len(),
                place.offset,
                place.length.map_or("the rest".to_owned(), |length| length.to_string()),
            ))
        })?;
        let size = u64::try_from(part.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(size).ok_or_else(|| {
            refused(format!("the model's tensors have more than the limit of {FILE_BYTES} bytes"))
        })?;
        tensor.raw_data = part.to_vec();
        tensor.external_data.clear();
        tensor.data_location = DataLocation::Default as i32;
        Ok(())
    }
}

/// Where a tensor's elements are.
struct Place {
    file: String,
    offset: u64,
    length: Option<u64>,
}

impl Place {
    fn of(tensor: &TensorProto) -> Result<Self, ImportError> {
        let entry = |key: &str| {
            let mut entries = tensor.external_data.iter().filter(|entry| entry.key == key);
            (entries.next().map(|entry| entry.value.clone()), entries.next().is_some())
        };
        let file = super::names::printable(&entry("location").0.unwrap_or_default());
        let refused = |what: &str| ImportError::ExternalData {
            tensor: tensor.name.clone(),
            file: file.clone(),
            what: what.to_owned(),
        };
        if ["location", "offset", "length"].iter().any(|key| entry(key).1) {
            return Err(refused("its place is given twice"));
        }
        if has_data(tensor) {
            return Err(refused("and has data of its own too"));
        }
        let number = |key: &str| match entry(key).0 {
            None => Ok(None),
            Some(text) => text
                .parse::<u64>()
                .map(Some)
                .map_err(|_| refused("offset and length must be numbers of bytes")),
        };
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        if !is_inside(&file) {
            return Err(refused(
                "only files in the model's folder are read; save the model with its data beside it",
            ));
        }
        Ok(Self { file, offset, length })
    }
}

fn has_data(tensor: &TensorProto) -> bool {
    !(tensor.raw_data.is_empty()
        && tensor.float_data.is_empty()
        && tensor.double_data.is_empty()
        && tensor.int32_data.is_empty()
        && tensor.int64_data.is_empty()
        && tensor.uint64_data.is_empty()
        && tensor.string_data.is_empty())
}

/// Whether the name is a path that goes down only, on every system.
fn is_inside(file: &str) -> bool {
    !file.is_empty()
        && !file.contains(['\\', ':', '\0'])
        && Path::new(file).components().all(|part| matches!(part, Component::Normal(_)))
}
