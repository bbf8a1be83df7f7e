//! Files of inputs and samples: read once, whatever is then asked of them.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use ndarray::ArrayD;
use zkinfer_models::{InputError, InputFile, InputNote, InputSets};

use crate::error::Error;

/// One set of inputs or outputs: an array for each, in the order of the model.
pub type Tensors = Vec<ArrayD<f32>>;

/// A file of inputs or samples, as it was read.
#[derive(Clone, Debug)]
pub struct InputData {
    path: PathBuf,
    file: Arc<InputFile>,
}

/// What a run over many inputs is given: one file that holds all of them, or a folder of files.
#[derive(Clone, Debug)]
pub enum InputSource {
    /// One file, with a leading axis or an entry for each set of inputs.
    File(InputData),
    /// A folder's files, in the order of their names, each with one set of inputs.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Its files. Hidden ones, and folders in it, are passed over.
        files: Vec<InputData>,
    },
}

/// One set of model inputs, under the name that its proof shall have.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedInput {
    /// The file's name without its suffix; where the file holds several, with their number.
    pub name: String,
    /// One array per input of the model.
    pub tensors: Vec<ArrayD<f32>>,
}

impl InputData {
    /// Reads a file, or standard input if the path is `-`.
    ///
    /// # Errors
    /// If it cannot be read, or is of no known format.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::open(path, |path, source| Error::Input { path, source })
    }

    /// [`Self::read`] of a file to calibrate with, for an error that says so.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_samples(path: &Path) -> Result<Self, Error> {
        Self::open(path, |path, source| Error::Samples { path, source })
    }

    fn open(path: &Path, failed: fn(PathBuf, InputError) -> Error) -> Result<Self, Error> {
        match InputFile::read(path) {
            Ok(file) => Ok(Self { path: path.to_owned(), file: Arc::new(file) }),
            Err(source) => Err(failed(path.to_owned(), source)),
        }
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's content.
    #[must_use]
    pub fn file(&self) -> &InputFile {
        &self.file
    }

    /// What a reader should know beside the numbers: what is not used of the file, and what was
    /// decided in reading it.
    #[must_use]
    pub fn notes(&self) -> Vec<InputNote> {
        self.file.notes()
    }
}

impl InputSource {
    /// Reads a file, or every file of a folder.
    ///
    /// # Errors
    /// If one cannot be read, or there is none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        if !path.is_dir() {
            return InputData::read(path).map(Self::File);
        }
        let files = files_of(path)?;
        if files.is_empty() {
            return Err(Error::NoInputs { path: path.to_owned() });
        }
        let files = files.iter().map(|path| InputData::read(path)).collect::<Result<_, _>>()?;
        Ok(Self::Folder { path: path.to_owned(), files })
    }

    /// A file that shows the shape of one set of inputs, and how many sets it should hold.
    pub(crate) fn shown(&self) -> Option<(&InputData, InputSets)> {
        match self {
            Self::File(data) => Some((data, InputSets::Many)),
            Self::Folder { files, .. } => files.first().map(|data| (data, InputSets::One)),
        }
    }

    /// The file, where it is one.
    #[must_use]
    pub fn only_file(&self) -> Option<&InputData> {
        match self {
            Self::File(data) => Some(data),
            Self::Folder { .. } => None,
        }
    }

    /// The files that were read.
    pub fn files(&self) -> impl Iterator<Item = &InputData> {
        match self {
            Self::File(data) => std::slice::from_ref(data),
            Self::Folder { files, .. } => files,
        }
        .iter()
    }
}

/// The files of a folder that are not hidden, sorted by their names without suffix.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    found.sort_by_cached_key(|path| (stem(path), path.clone()));
    Ok(found)
}

/// The name of a file without its suffix.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
