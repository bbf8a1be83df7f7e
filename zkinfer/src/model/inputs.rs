//! Arrays of a model, from files that were read.

use std::path::Path;

use super::Model;
use crate::{
    error::Error,
    inputs::{InputData, InputSource, NamedInput, Tensors, stem},
};

impl Model {
    /// The one set of inputs that a file holds.
    ///
    /// # Errors
    /// If it does not hold exactly the model's inputs.
    pub fn input(&self, data: &InputData) -> Result<Tensors, Error> {
        data.file()
            .inputs(self.graph())
            .map_err(|source| Error::Input { path: data.path().to_owned(), source })
    }

    /// The samples that a file holds, each one set of inputs.
    ///
    /// # Errors
    /// If it does not hold samples of the model's inputs.
    pub fn samples(&self, data: &InputData) -> Result<Vec<Tensors>, Error> {
        data.file()
            .samples(self.graph())
            .map_err(|source| Error::Samples { path: data.path().to_owned(), source })
    }

    /// The outputs that an exporter has computed and that a file holds beside its inputs, if it
    /// does.
    ///
    /// # Errors
    /// If what it holds are no outputs of the model.
    pub fn outputs_beside(&self, data: &InputData) -> Result<Option<Vec<Tensors>>, Error> {
        data.file()
            .outputs(self.graph())
            .map_err(|source| Error::Reference { path: data.path().to_owned(), source })
    }

    /// Reads one set of inputs from a file.
    ///
    /// # Errors
    /// If the file does not hold exactly the model's inputs.
    pub fn read_input(&self, path: &Path) -> Result<Tensors, Error> {
        self.input(&InputData::read(path)?)
    }

    /// Reads samples from a file, each one set of inputs.
    ///
    /// # Errors
    /// If the file does not hold samples of the model's inputs.
    pub fn read_samples(&self, path: &Path) -> Result<Vec<Tensors>, Error> {
        self.samples(&InputData::read_samples(path)?)
    }

    /// Many inputs: those of a file, by their numbers, or those of a folder's files, by their names.
    ///
    /// # Errors
    /// If one does not fit the model, or two would have the same name.
    pub fn many_inputs(&self, source: &InputSource) -> Result<Vec<NamedInput>, Error> {
        match source {
            InputSource::File(data) => self.rows(data),
            InputSource::Folder { files, .. } => self.of_files(files),
        }
    }

    fn rows(&self, data: &InputData) -> Result<Vec<NamedInput>, Error> {
        let path = data.path();
        let rows = data
            .file()
            .samples(self.graph())
            .map_err(|source| Error::Input { path: path.to_owned(), source })?;
        let width = rows.len().saturating_sub(1).to_string().len();
        let stem = stem(path);
        let named =
            |(index, tensors)| NamedInput { name: format!("{stem}-{index:0width$}"), tensors };
        Ok(rows.into_iter().enumerate().map(named).collect())
    }

    fn of_files(&self, files: &[InputData]) -> Result<Vec<NamedInput>, Error> {
        let mut inputs = Vec::<NamedInput>::new();
        for data in files {
            let (tensors, name) = (self.input(data)?, stem(data.path()));
            if inputs.last().is_some_and(|before| before.name == name) {
                return Err(Error::SameName { path: data.path().to_owned(), name });
            }
            inputs.push(NamedInput { name, tensors });
        }
        Ok(inputs)
    }
}
