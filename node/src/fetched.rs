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
use zkinfer::{KeyFiles, prover::files};

use crate::{
    client::{Client, ClientError, ModelFile},
    encoding::Hex,
    served::Served,
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
    let place = folder.join(model.to_string());
    let path = place.join("model.onnx");
    let files = KeyFiles::beside_model(&path);
    // The key comes last: where it is, everything is.
    if !files.key.exists() {
        bring(client, model, &path, &files)?;
    }
    Served::load(&path, srs).map_err(|error| {
        for file in [&files.key, &files.settings, &path] {
            let _nothing_more_to_say = fs::remove_file(file);
        }
        FetchError::Model(Box::new(error))
    })
}

fn bring(client: &Client, model: Hex<32>, path: &Path, files: &KeyFiles) -> Result<(), FetchError> {
    let key = client.model(model)?;
    let got = Hex(key.digest().0.0);
    if got != model {
        return Err(FetchError::Key { got });
    }
    let contents = [
        (path, client.model_file(model, ModelFile::Onnx)?),
        (&files.settings, client.model_file(model, ModelFile::Settings)?),
        (&files.key, key.encode()),
    ];
    for (path, content) in contents {
        let failed = |source| FetchError::File { path: path.to_owned(), source };
        files::write_whole(path, |file| file.write_all(&content)).map_err(failed)?;
    }
    Ok(())
}
