//! An activation that no layer has absorbed; a finished graph has none.

use super::{Op, Reads};
use crate::activation::Activation;
use crate::quantized::TensorId;

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

/// An [`Op::Activate`].
pub(crate) fn activate(input: TensorId, function: Activation) -> Op<Activate> {
    Op::Activate(Activate { input, function })
}
