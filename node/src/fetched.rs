//! Models that a coordinator shares, brought to a node by digest.
//!
//! Nothing of it is believed: the key must have the digest that was asked for, and the node makes the
//! keys anew from model and settings and finds out whether they are those of that key.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use thiserror::Error;
use zkinfer::{KeyFiles, PartFiles, prover::files};

use crate::{
    client::{Client, ClientError},
    encoding::Hex,
    served::Served,
    served_part::ServedPart,
    wire::ModelFile,
};

/// Why a shared model is not to be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The coordinator.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Another key than the one that was asked for.
    #[error("the coordinator gives a key with the digest {got}")]
    Key {
        /// Of the key.
        got: Hex<32>,
    },
    /// Another manifest than the one that was asked for.
    #[error("the coordinator gives a manifest with the root {got}")]
    Manifest {
        /// Of the manifest.
        got: Hex<32>,
    },
    /// Files that are not the key's, or that this program cannot prove.
    #[error("the model that the coordinator gives is not that of the key, or cannot be served")]
    Model(#[source] Box<zkinfer::Error>),
    /// A file that cannot be kept.
    #[error("{path} cannot be written")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A shared model with its keys. Its files are kept in `folder`, under its digest, and not asked for
/// again; those of a model that turns out to be another are removed.
pub(crate) fn fetch(
    client: &Client,
    model: Hex<32>,
    folder: &Path,
    srs: Option<&Path>,
) -> Result<Served, FetchError> {
    let path = folder.join(model.to_string()).join("model.onnx");
    let files = KeyFiles::beside_model(&path);
    // The key comes last: where it is, everything is.
    if !files.key.exists() {
        let key = key_of(client, model)?;
        keep(&path, &client.model_file(model, ModelFile::Onnx)?)?;
        keep(&files.settings, &client.model_file(model, ModelFile::Settings)?)?;
        keep(&files.key, &key)?;
    }
    Served::load(&path, srs).map_err(|error| refused(error, [&files.key, &files.settings, &path]))
}

/// The parts of a shared model with their keys, or some of them. Files are kept as those of a whole
/// model.
pub(crate) fn fetch_parts(
    client: &Client,
    root: Hex<32>,
    folder: &Path,
    only: &[usize],
    srs: Option<&Path>,
) -> Result<Vec<ServedPart>, FetchError> {
    let files = PartFiles::in_folder(&folder.join(root.to_string()));
    let model = files.manifest.with_extension("onnx");
    // The manifest comes last: where it is, everything is.
    if !files.manifest.exists() {
        let manifest = client.manifest(root)?;
        let got = Hex(manifest.root().0);
        if got != root {
            return Err(FetchError::Manifest { got });
        }
        keep(&model, &client.model_file(root, ModelFile::Onnx)?)?;
        for (index, digest) in manifest.parts.iter().enumerate() {
            let of_part = files.key(index);
            keep(&of_part.key, &key_of(client, Hex(digest.0.0))?)?;
            let settings = client.model_file(root, ModelFile::PartSettings(index))?;
            keep(&of_part.settings, &settings)?;
        }
        keep(&files.manifest, manifest.encode().as_bytes())?;
    }
    // Without the manifest, all others are asked for again.
    ServedPart::load(&files.manifest, &model, only, srs)
        .map_err(|error| refused(error, [&files.manifest, &model]))
}

/// The bytes of the key with a digest.
fn key_of(client: &Client, digest: Hex<32>) -> Result<Vec<u8>, FetchError> {
    let key = client.model(digest)?;
    let got = Hex(key.digest().0.0);
    if got == digest { Ok(key.encode()) } else { Err(FetchError::Key { got }) }
}

fn keep(path: &Path, content: &[u8]) -> Result<(), FetchError> {
    let failed = |source| FetchError::File { path: path.to_owned(), source };
    files::write_whole(path, |file| file.write_all(content)).map_err(failed)
}

/// Files of which not all are believed are not kept.
fn refused<'a>(error: zkinfer::Error, files: impl IntoIterator<Item = &'a PathBuf>) -> FetchError {
    for file in files {
        let _nothing_more_to_say = fs::remove_file(file);
    }
    FetchError::Model(Box::new(error))
}
