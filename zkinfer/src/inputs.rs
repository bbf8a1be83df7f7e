//! Many inputs for one run of the prover.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ndarray::ArrayD;
use zkinfer_models::{InputFile, InputNote, read_inputs, read_samples};

use crate::{error::Error, model::Model};

/// One set of model inputs, under the name that its proof shall have.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedInput {
    /// The file's name without its suffix; where the file holds several, with their number.
    pub name: String,
    /// One array per input of the model.
    pub tensors: Vec<ArrayD<f32>>,
}

impl Model {
    /// Reads many inputs: every file of a folder, by name, each with one set of inputs; or one file
    /// with a leading axis, or one entry per input, as calibration samples are written.
    ///
    /// Hidden files and folders within the folder are passed over.
    ///
    /// # Errors
    /// If there is none, one does not fit the model, or two would have the same name.
    pub fn read_many_inputs(&self, path: &Path) -> Result<Vec<NamedInput>, Error> {
        if path.is_dir() { self.read_folder(path) } else { self.read_rows(path) }
    }

    fn read_rows(&self, path: &Path) -> Result<Vec<NamedInput>, Error> {
        let rows = read_samples(path, self.graph())
            .map_err(|source| Error::Input { path: path.to_owned(), source })?;
        let width = rows.len().saturating_sub(1).to_string().len();
        let stem = stem(path);
        let named =
            |(index, tensors)| NamedInput { name: format!("{stem}-{index:0width$}"), tensors };
        Ok(rows.into_iter().enumerate().map(named).collect())
    }

    fn read_folder(&self, folder: &Path) -> Result<Vec<NamedInput>, Error> {
        let mut inputs = Vec::<NamedInput>::new();
        for path in files_of(folder)? {
            let tensors = read_inputs(&path, self.graph())
                .map_err(|source| Error::Input { path: path.clone(), source })?;
            let name = stem(&path);
            if inputs.last().is_some_and(|before| before.name == name) {
                return Err(Error::SameName { path, name });
            }
            inputs.push(NamedInput { name, tensors });
        }
        if inputs.is_empty() {
            return Err(Error::NoInputs { path: folder.to_owned() });
        }
        Ok(inputs)
    }
}

/// What a reader of a file of inputs or samples should know beside its numbers: what is not used in
/// it, and what was decided in reading it. Nothing for a folder, or for what is not a regular file
/// and cannot be read twice.
///
/// # Errors
/// If it cannot be read.
pub fn notes_of_inputs(path: &Path) -> Result<Vec<InputNote>, Error> {
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let file = InputFile::read(path);
    let file = file.map_err(|source| Error::Input { path: path.to_owned(), source })?;
    Ok(file.notes())
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

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
