//! Public tensors: integers as a key describes them, and the real numbers they stand for.

use std::{collections::BTreeMap, path::Path};

use ndarray::ArrayD;
use serde::Serialize;
use zkinfer_models::{InputFile, TensorSpec};
use zkinfer_verifier::{ClaimedValues, Opening, Quantized, TensorLayout};

use crate::error::Error;

/// What a reader may see of one side of a claim: the real numbers of every tensor where they are
/// public or opened, and the commitment where there is one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Shown {
    /// The commitment, in hexadecimal digits.
    pub commitment: Option<String>,
    /// The tensors, in the order of the model.
    pub tensors: Option<Vec<NamedTensor>>,
}

/// One tensor of real numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NamedTensor {
    /// Its name in the model.
    pub name: String,
    /// Its shape.
    pub shape: Vec<u32>,
    /// Its elements, in C order.
    pub values: Vec<f64>,
    /// The class that each element names, or is about, where the key names classes of few elements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<Option<String>>>,
}

impl Shown {
    /// One side of a claim, with what opens its commitment.
    #[must_use]
    pub fn new(
        layout: &[TensorLayout],
        claimed: &ClaimedValues,
        opening: Option<&Opening>,
    ) -> Self {
        let (commitment, values) = match claimed {
            ClaimedValues::Public(values) => (None, Some(values)),
            ClaimedValues::Committed(commitment) => {
                (Some(commitment.to_string()), opening.map(|opening| &opening.values))
            }
        };
        Self { commitment, tensors: values.map(|values| named(layout, values)) }
    }

    /// The class of each element of the tensors whose key names classes, by their names.
    #[must_use]
    pub fn classes(&self) -> BTreeMap<String, Vec<Option<String>>> {
        let named = |tensor: &NamedTensor| Some((tensor.name.clone(), tensor.classes.clone()?));
        self.tensors.iter().flatten().filter_map(named).collect()
    }
}

fn named(layout: &[TensorLayout], integers: &[i64]) -> Vec<NamedTensor> {
    let values = real_values(layout, integers);
    let tensor = |(tensor, values): (&TensorLayout, Vec<f64>)| NamedTensor {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        classes: tensor.classes_of(&values).map(owned),
        values,
    };
    layout.iter().zip(values).map(tensor).collect()
}

fn owned(classes: Vec<Option<&str>>) -> Vec<Option<String>> {
    classes.into_iter().map(|class| class.map(str::to_owned)).collect()
}

/// Reads real numbers for the inputs of a key and gives the integers that the model runs on, all
/// tensors in one list.
pub(crate) fn read_input_integers(path: &Path, layout: &[TensorLayout]) -> Result<Vec<i64>, Error> {
    Ok(read(path, layout)?.into_iter().flat_map(|tensor| tensor.values).collect())
}

/// Reads real numbers for the outputs of a key and gives the integers that stand for them.
pub(crate) fn read_output_integers(
    path: &Path,
    layout: &[TensorLayout],
) -> Result<Vec<i64>, Error> {
    let tensors = read(path, layout)?;
    if tensors.iter().any(|tensor| tensor.clamped > 0) {
        return Err(Error::ImpossibleOutput { path: path.to_owned() });
    }
    Ok(tensors.into_iter().flat_map(|tensor| tensor.values).collect())
}

/// Reads real numbers for tensors of a key.
fn read(path: &Path, layout: &[TensorLayout]) -> Result<Vec<Quantized>, Error> {
    let specs: Vec<TensorSpec> = layout.iter().map(spec).collect();
    let values = InputFile::read(path)
        .and_then(|file| file.tensors(&specs.iter().collect::<Vec<_>>()))
        .map_err(|source| Error::Values { path: path.to_owned(), source })?;
    let quantized = |(tensor, values): (&TensorLayout, ArrayD<f32>)| {
        let reals: Vec<f64> = values.iter().copied().map(f64::from).collect();
        tensor.quantize(&reals).map_err(|source| Error::Integers { path: path.to_owned(), source })
    };
    layout.iter().zip(values).map(quantized).collect()
}

fn spec(layout: &TensorLayout) -> TensorSpec {
    // Where `usize` is narrower than a dimension, no file holds that many elements.
    let dimension = |&dimension: &u32| usize::try_from(dimension).unwrap_or(usize::MAX);
    TensorSpec { name: layout.name.clone(), shape: layout.shape.iter().map(dimension).collect() }
}

/// The real numbers that integers of a key's tensors stand for, one list per tensor.
#[must_use]
pub fn real_values(layout: &[TensorLayout], integers: &[i64]) -> Vec<Vec<f64>> {
    let mut rest = integers;
    let take = |tensor: &TensorLayout| {
        let (own, others) = rest.split_at(tensor.element_count().min(rest.len()));
        rest = others;
        tensor.dequantize(own)
    };
    layout.iter().map(take).collect()
}
