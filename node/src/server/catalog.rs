//! What a coordinator serves: verifying keys, models in parts, and the files that nodes are given.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;
use zkinfer::{
    BoundarySetup, KeyFiles, PartFiles, read,
    verifier::{Digest, JobBinding, KeyDigest, Manifest, PartsError, VerifyingKey},
};

use crate::{config::Config, division::Division, encoding::Hex, wire::ModelFile};

/// Why something cannot be served.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// A verifying key or a manifest that cannot be read.
    #[error(transparent)]
    Files(#[from] zkinfer::Error),
    /// A model to be shared is not there.
    #[error(
        "{path} cannot be read: models that are shared lie beside their keys or manifests, under the \
         same name, as .onnx"
    )]
    Shared {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A manifest whose keys are not those of one model in parts.
    #[error("{path} is the manifest of no model that can be served: {why}")]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// Why not.
        why: PartsError,
    },
    /// No model to serve.
    #[error(
        "there is no model to serve: name a verifying key with --key, or a manifest of parts with \
         --manifest, or `keys` or `manifests` in the file"
    )]
    Empty,
}

/// A model in parts that is served.
#[derive(Debug)]
pub(crate) struct ServedParts {
    pub(crate) division: Arc<Division>,
    pub(crate) keys: Vec<Arc<VerifyingKey>>,
    /// By which one of two proofs that do not fit together is known.
    pub(crate) setup: BoundarySetup,
}

/// Everything that is served.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// The keys of whole models.
    pub(crate) keys: BTreeMap<KeyDigest, Arc<VerifyingKey>>,
    /// Models in parts, by the roots of their manifests.
    pub(crate) parts: BTreeMap<Hex<32>, Arc<ServedParts>>,
    /// The keys of parts.
    part_keys: BTreeMap<KeyDigest, Arc<VerifyingKey>>,
    /// The files of models that nodes are given, by the name under which a model is ordered.
    files: BTreeMap<(Hex<32>, ModelFile), PathBuf>,
}

impl Catalog {
    /// What a configuration names.
    ///
    /// # Errors
    /// Files that are missing, or not what they should be.
    pub(crate) fn open(config: &Config) -> Result<Self, CatalogError> {
        let (mut keys, mut parts, mut files) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for path in &config.keys {
            let key = read::key(path)?;
            let digest = key.digest();
            keys.insert(digest, Arc::new(key));
            if config.share_models {
                files.extend(files_of_key(path, Hex(digest.0.0))?);
            }
        }
        for path in &config.manifests {
            let served = open_parts(path, config.srs.as_deref())?;
            let root = Hex(served.division.manifest().root().0);
            if config.share_models {
                files.extend(files_of_parts(path, root, served.division.count())?);
            }
            parts.insert(root, Arc::new(served));
        }
        if keys.is_empty() && parts.is_empty() {
            return Err(CatalogError::Empty);
        }
        let part_keys = parts.values().flat_map(|parts| &parts.keys);
        let part_keys = part_keys.map(|key| (key.digest(), key.clone())).collect();
        Ok(Self { keys, parts, part_keys, files })
    }

    /// A key by its digest, of a model or of a part.
    pub(crate) fn key(&self, Hex(digest): Hex<32>) -> Option<&Arc<VerifyingKey>> {
        let digest = KeyDigest(Digest(digest));
        self.keys.get(&digest).or_else(|| self.part_keys.get(&digest))
    }

    /// Where a file of a model lies that nodes are given.
    pub(crate) fn file(&self, model: Hex<32>, file: ModelFile) -> Option<&Path> {
        self.files.get(&(model, file)).map(PathBuf::as_path)
    }

    /// How each model in parts is cut.
    pub(crate) fn divisions(&self) -> BTreeMap<Hex<32>, Arc<Division>> {
        self.parts.iter().map(|(root, parts)| (*root, parts.division.clone())).collect()
    }
}

fn open_parts(path: &Path, srs: Option<&Path>) -> Result<ServedParts, CatalogError> {
    let files = PartFiles { manifest: path.to_owned() };
    let manifest = files.read_manifest()?;
    let keys = files.read_keys(&manifest)?;
    check_keys(path, &manifest, &keys)?;
    let first = keys.first().ok_or(CatalogError::Empty)?;
    let setup = BoundarySetup::new(first, srs)?;
    let division = Arc::new(Division::of_keys(manifest, &keys));
    Ok(ServedParts { division, keys: keys.into_iter().map(Arc::new).collect(), setup })
}

/// Whether keys are those of all parts of one model, in their order.
fn check_keys(path: &Path, manifest: &Manifest, keys: &[VerifyingKey]) -> Result<(), CatalogError> {
    let all: Vec<&VerifyingKey> = keys.iter().collect();
    match manifest.check_set(&all, &JobBinding::NONE, &[], &[]) {
        // There are no proofs yet: everything else is as it must be.
        Ok(()) | Err(PartsError::Missing { .. }) => Ok(()),
        Err(why) => Err(CatalogError::Manifest { path: path.to_owned(), why }),
    }
}

type Files = Vec<((Hex<32>, ModelFile), PathBuf)>;

/// The files of the model beside its key.
fn files_of_key(key: &Path, model: Hex<32>) -> Result<Files, CatalogError> {
    let settings = KeyFiles::of_key(key).settings;
    readable(
        model,
        [(ModelFile::Onnx, key.with_extension("onnx")), (ModelFile::Settings, settings)],
    )
}

/// The files of the model in so many parts beside its manifest.
fn files_of_parts(manifest: &Path, root: Hex<32>, count: usize) -> Result<Files, CatalogError> {
    let files = PartFiles { manifest: manifest.to_owned() };
    let settings = (0..count).map(|part| (ModelFile::PartSettings(part), files.key(part).settings));
    let onnx = (ModelFile::Onnx, manifest.with_extension("onnx"));
    readable(root, std::iter::once(onnx).chain(settings))
}

fn readable(
    model: Hex<32>,
    files: impl IntoIterator<Item = (ModelFile, PathBuf)>,
) -> Result<Files, CatalogError> {
    let open = |(file, path): (ModelFile, PathBuf)| match File::open(&path) {
        Ok(_) => Ok(((model, file), path)),
        Err(source) => Err(CatalogError::Shared { path, source }),
    };
    files.into_iter().map(open).collect()
}
