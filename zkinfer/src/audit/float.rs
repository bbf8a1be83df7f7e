//! The float model's own answer to the input of a claim, beside what was proven.

use ndarray::{ArrayD, IxDyn};
use serde::Serialize;
use zkinfer_models::{Reading, Tolerance};

use crate::{
    error::Error,
    model::{Model, Quantized},
    tensors::NamedTensor,
};

/// An output of a claim beside the float model's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FloatOutput {
    /// Its name.
    pub name: String,
    /// What was proven, as real numbers.
    pub proven: Vec<f64>,
    /// What the float model gives.
    pub float: Vec<f64>,
    /// The largest difference of an element.
    pub max_error: f64,
    /// How the answer is another, if it is.
    pub other_answer: Option<OtherAnswer>,
}

/// Answers that are not the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OtherAnswer {
    /// Another class; `None` for several that share the largest score.
    Class {
        /// What was proven.
        proven: Option<usize>,
        /// What the float model says.
        float: usize,
    },
    /// The other side of a threshold.
    Side {
        /// The threshold.
        threshold: f64,
        /// What was proven.
        proven: f64,
        /// What the float model gives.
        float: f64,
    },
}

/// Runs the float model on the tensors of `input` and compares `proven` with what it gives.
pub(super) fn compare(
    model: &Model,
    quantized: &Quantized,
    input: &[NamedTensor],
    proven: &[NamedTensor],
) -> Result<Vec<FloatOutput>, Error> {
    let specs = model.graph().inputs();
    let arrays = specs.iter().zip(input).map(|(spec, tensor)| {
        let data = tensor.values.iter().copied().map(single).collect();
        ArrayD::from_shape_vec(IxDyn(&spec.shape), data)
    });
    // A key that is not this model's may have other shapes: then there is nothing to compare.
    let Ok(arrays) = arrays.collect::<Result<Vec<_>, _>>() else { return Ok(Vec::new()) };
    let comparison = model.compare(quantized, &arrays, &Tolerance::default())?;
    let outputs = comparison.outputs.into_iter().zip(proven);
    let outputs = outputs.filter(|(output, tensor)| output.float.len() == tensor.values.len());
    Ok(outputs
        .map(|(output, tensor)| {
            let float: Vec<f64> = output.float.iter().copied().map(f64::from).collect();
            let pairs = tensor.values.iter().zip(&float).filter(|(_, float)| float.is_finite());
            FloatOutput {
                name: tensor.name.clone(),
                max_error: pairs.map(|(proven, float)| (proven - float).abs()).fold(0.0, f64::max),
                other_answer: other_answer(output.reading, &tensor.values, &output.float),
                proven: tensor.values.clone(),
                float,
            }
        })
        .collect())
}

/// The first answer that is not the float model's.
fn other_answer(reading: Reading, proven: &[f64], float: &[f32]) -> Option<OtherAnswer> {
    let values: Vec<f32> = proven.iter().copied().map(single).collect();
    let answers = reading.answers(&values).into_iter().zip(reading.answers(float)).enumerate();
    let mut other = answers.filter(|(_, (proven, float))| float.is_some() && proven != float);
    let (row, (answer, expected)) = other.next()?;
    match reading {
        Reading::Class { .. } => Some(OtherAnswer::Class { proven: answer, float: expected? }),
        Reading::Side { threshold } => Some(OtherAnswer::Side {
            threshold,
            proven: *proven.get(row)?,
            float: f64::from(*float.get(row)?),
        }),
        Reading::Values => None,
    }
}

/// Back to the precision that inputs and outputs of models have.
#[expect(clippy::cast_possible_truncation, reason = "the nearest is what the model takes")]
fn single(value: f64) -> f32 {
    value as f32
}
