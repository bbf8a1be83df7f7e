//! Data movement: elements taken from a tensor.

use serde::{Deserialize, Serialize};

use super::form::{Computed, IntegerForm, Quantizes, Reads, RealForm, Runs};
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::quantizer::form::Role;
use crate::quantizer::{Format, Layer, Quantizer};
use crate::tensor::{QuantizedTensor, TensorId};
use crate::view::View;

/// `output[e] = input[elements[e]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The tensor that is read.
    pub input: TensorId,
    /// For each output element, the input element it is.
    pub elements: View,
}

impl Alias {
    fn take<T: Copy>(&self, values: &[Vec<T>]) -> Computed<T> {
        Computed::plain(self.elements.of(&values[self.input.0]))
    }
}

impl Reads for Alias {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }

    fn inputs_mut(&mut self) -> Vec<&mut TensorId> {
        vec![&mut self.input]
    }

    fn passes(&self) -> Option<TensorId> {
        Some(self.input)
    }
}

impl RealForm for Alias {
    fn run(&self, values: &[Vec<f64>], _: usize) -> Computed<f64> {
        self.take(values)
    }

    fn range(&self, inputs: &[Range]) -> Range {
        inputs[self.input.0]
    }
}

impl Quantizes for Alias {
    type Integer = Self;

    fn quantize(
        &self,
        quantizer: &Quantizer<'_>,
        _: Layer<'_>,
        _: Role,
    ) -> Result<(Self::Integer, Format), QuantizeError> {
        Ok((self.clone(), quantizer.format(self.input)))
    }
}

impl IntegerForm for Alias {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }

    fn run(&self, _: &[QuantizedTensor], values: &[Vec<i64>], _: TensorId) -> Computed<i64> {
        self.take(values)
    }

    fn repeat(&mut self, runs: Runs<'_>) {
        self.elements = self.elements.repeated(runs.count, runs.len(self.input));
    }
}
