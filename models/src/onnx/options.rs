//! What a caller decides about a model before it is imported.

use std::collections::BTreeMap;

use super::error::ImportError;

/// Shapes and constants for a model's inputs, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportOptions {
    pub(super) shapes: BTreeMap<String, Vec<usize>>,
    pub(super) fixed: BTreeMap<String, Vec<f64>>,
}

impl ImportOptions {
    /// Gives an input its shape; dimensions that the file fixes must be the same.
    ///
    /// # Errors
    /// When the input has another shape already.
    pub fn shape(mut self, input: &str, shape: &[usize]) -> Result<Self, ImportError> {
        match self.shapes.insert(input.to_owned(), shape.to_vec()) {
            Some(before) if before != shape => Err(ImportError::GivenShape {
                input: input.to_owned(),
                given: dimensions(shape),
                what: format!("the shape {} was given before", dimensions(&before)),
            }),
            _ => Ok(self),
        }
    }

    /// Makes an input a constant, with this value in every element, or with these values in C
    /// order. It is no input of the proof any more; the model's digest says so.
    ///
    /// # Errors
    /// When there is no value, one is not finite, or the input is fixed already.
    pub fn fix(mut self, input: &str, values: &[f64]) -> Result<Self, ImportError> {
        let wrong =
            |what: &str| ImportError::Fixed { input: input.to_owned(), what: what.to_owned() };
        if values.is_empty() {
            return Err(wrong("a value is needed"));
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(wrong("the value must be a finite number"));
        }
        let same = values.iter().all(|value| value.to_bits() == values[0].to_bits());
        let values = if same { values[..1].to_vec() } else { values.to_vec() };
        match self.fixed.insert(input.to_owned(), values) {
            Some(_) => Err(wrong("it is fixed twice")),
            None => Ok(self),
        }
    }

    /// Reads `NAME=1x3x224x224` as a shape.
    ///
    /// # Errors
    /// When the text is not of this form, as in [`Self::shape`] otherwise.
    pub fn shape_from_text(self, text: &str) -> Result<Self, ImportError> {
        let (input, given) = text.rsplit_once('=').unwrap_or((text, ""));
        let sizes = given.split(['x', ',']).map(|size| size.trim().parse::<usize>());
        let sizes = match given.trim() {
            "scalar" => Ok(Vec::new()),
            _ => sizes.collect::<Result<Vec<_>, _>>(),
        };
        match sizes {
            Ok(sizes) if !sizes.contains(&0) => self.shape(input, &sizes),
            _ => Err(ImportError::GivenShape {
                input: input.to_owned(),
                given: given.to_owned(),
                what: "expected positive sizes, as in --shape image=1x3x224x224".to_owned(),
            }),
        }
    }

    /// Reads `NAME=VALUE` or `NAME=VALUE,VALUE,…` as a constant.
    ///
    /// # Errors
    /// When the text is not of this form, as in [`Self::fix`] otherwise.
    pub fn fix_from_text(self, text: &str) -> Result<Self, ImportError> {
        let (input, given) = text.rsplit_once('=').unwrap_or((text, ""));
        let values = given.split(',').map(|value| match value.trim() {
            "true" => Ok(1.0),
            "false" => Ok(0.0),
            number => number.parse::<f64>(),
        });
        let values = values.collect::<Result<Vec<_>, _>>().map_err(|_| ImportError::Fixed {
            input: input.to_owned(),
            what: format!("`{given}` is no number, expected as in --fix sr=16000"),
        })?;
        self.fix(input, &values)
    }

    /// The inputs that are constants, with their values.
    #[must_use]
    pub fn fixed(&self) -> &BTreeMap<String, Vec<f64>> {
        &self.fixed
    }

    /// The shapes that are given.
    #[must_use]
    pub fn shapes(&self) -> &BTreeMap<String, Vec<usize>> {
        &self.shapes
    }
}

/// A shape as the flag takes it.
pub(super) fn dimensions(shape: &[usize]) -> String {
    match shape {
        [] => "scalar".to_owned(),
        _ => shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x"),
    }
}
