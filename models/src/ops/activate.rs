//! An activation that no layer has absorbed; a finished graph has none.

use super::form::Reads;
use crate::activation::Activation;
use crate::tensor::TensorId;

/// `output[e] = function(input[e])`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Activate {
    /// The tensor that is read.
    pub(crate) input: TensorId,
    /// What is applied to each element.
    pub(crate) function: Activation,
}

impl Reads for Activate {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }

    fn inputs_mut(&mut self) -> Vec<&mut TensorId> {
        vec![&mut self.input]
    }
}
