//! The largest element of each window.

use serde::{Deserialize, Serialize};

use super::form::{Computed, IntegerForm, Quantizes, Reads, RealForm, Runs};
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::quantizer::form::Role;
use crate::quantizer::{Format, Layer, Quantizer};
use crate::tensor::{QuantizedTensor, TensorId};
use crate::view::Groups;

/// `output[e] = max of input[i] for i in windows[e]`; padding is left out of the windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaxPool {
    /// The tensor that is read.
    pub input: TensorId,
    /// For each output element, the input elements it is the largest of.
    pub windows: Groups,
}

impl MaxPool {
    fn largest<T: Copy>(&self, values: &[Vec<T>], least: T, max: fn(T, T) -> T) -> Computed<T> {
        let input = &values[self.input.0];
        let mut elements = self.windows.elements().map(|source| input[source]);
        let largest = |size| elements.by_ref().take(size).fold(least, max);
        Computed::plain(self.windows.sizes().map(largest).collect())
    }
}

impl Reads for MaxPool {
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

impl RealForm for MaxPool {
    fn run(&self, values: &[Vec<f64>], _: usize) -> Computed<f64> {
        self.largest(values, f64::NEG_INFINITY, f64::max)
    }

    fn range(&self, inputs: &[Range]) -> Range {
        inputs[self.input.0]
    }
}

impl Quantizes for MaxPool {
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

impl IntegerForm for MaxPool {
    fn inputs(&self) -> Vec<TensorId> {
        vec![self.input]
    }

    fn run(&self, _: &[QuantizedTensor], values: &[Vec<i64>], _: TensorId) -> Computed<i64> {
        self.largest(values, i64::MIN, i64::max)
    }

    fn repeat(&mut self, runs: Runs<'_>) {
        self.windows = self.windows.repeated(runs.count, runs.len(self.input));
    }
}
