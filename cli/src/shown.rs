//! What a reader sees of one side of a claim.

use serde::Serialize;
use zkinfer_verifier::{ClaimedValues, Opening, TensorLayout};

use crate::model::tensors;

/// The real numbers of every tensor where they are public or opened, and the commitment where there
/// is one.
pub(crate) struct Shown {
    pub(crate) commitment: Option<String>,
    pub(crate) tensors: Option<Vec<Tensor>>,
}

/// One tensor of real numbers.
#[derive(Serialize)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    shape: Vec<u32>,
    pub(crate) values: Vec<f64>,
}

impl Shown {
    pub(crate) fn new(
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
}

fn named(layout: &[TensorLayout], integers: &[i64]) -> Vec<Tensor> {
    let values = tensors::real_values(layout, integers);
    let tensor = |(tensor, values): (&TensorLayout, Vec<f64>)| Tensor {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        values,
    };
    layout.iter().zip(values).map(tensor).collect()
}
