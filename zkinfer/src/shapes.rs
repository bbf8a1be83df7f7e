//! The shapes of inputs that an ONNX file leaves open.

use zkinfer_models::{ImportOptions, InputSets, OnnxFile, Refusals};
use zkinfer_verifier::TensorLayout;

use crate::{
    error::Error,
    inputs::{InputData, InputSource},
};

/// What shows the shapes of a model's inputs where the ONNX file leaves them open.
#[derive(Clone, Copy, Debug)]
pub enum Shapes<'a> {
    /// A file with one set of inputs.
    Input(&'a InputData),
    /// A file with samples.
    Samples(&'a InputData),
    /// Many inputs, each of which is run.
    Inputs(&'a InputSource),
    /// The inputs of a key.
    Key(&'a [TensorLayout]),
}

impl Shapes<'_> {
    /// The options with the shapes that this shows and they leave open.
    pub(crate) fn complete(
        self,
        file: &OnnxFile,
        options: ImportOptions,
    ) -> Result<ImportOptions, Error> {
        Ok(match self {
            Self::Input(data) => file.shapes_of(&options, data.file(), InputSets::One),
            Self::Samples(data) => file.shapes_of(&options, data.file(), InputSets::Many),
            Self::Inputs(source) => match source.shown() {
                Some((data, sets)) => file.shapes_of(&options, data.file(), sets),
                None => options,
            },
            Self::Key(layout) => {
                let mut shaped = options.clone();
                for input in file.open_inputs(&options) {
                    let tensor = layout.iter().find(|tensor| tensor.name == input.name);
                    let sizes = tensor.map(|tensor| tensor.shape.iter().copied().map(size));
                    if let Some(shape) = sizes.map(Iterator::collect::<Vec<_>>) {
                        shaped = shaped
                            .shape(&input.name, &shape)
                            .map_err(|source| Error::Options { source })?;
                    }
                }
                shaped
            }
        })
    }
}

impl Shapes<'_> {
    /// The options with the inputs fixed that the model has as constants by these reasons, where
    /// this shows their values.
    pub(crate) fn fix(
        self,
        file: &OnnxFile,
        options: &ImportOptions,
        refusals: &Refusals,
    ) -> Option<ImportOptions> {
        let (data, sets) = match self {
            Self::Input(data) => (data, InputSets::One),
            Self::Samples(data) => (data, InputSets::Many),
            Self::Inputs(source) => source.shown()?,
            Self::Key(_) => return None,
        };
        file.fixes_of(options, refusals, data.file(), sets)
    }
}

/// A dimension; where `usize` is narrower, no model has so large a one.
fn size(dimension: u32) -> usize {
    usize::try_from(dimension).unwrap_or(usize::MAX)
}
