//! What every operation answers, in real numbers and in integers.

use std::convert::Infallible;

use crate::activation::Activation;
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::quantizer::form::Role;
use crate::quantizer::{Format, Layer, Quantizer};
use crate::requant::Requant;
use crate::tensor::{QuantizedTensor, TensorId};

/// What an operation computes: its result and, where it has any, the values before requantization
/// or activation, in the element order of the result.
pub(crate) struct Computed<T> {
    pub(crate) accumulators: Option<Vec<T>>,
    pub(crate) values: Vec<T>,
}

impl<T> Computed<T> {
    /// A result without accumulators.
    pub(crate) const fn plain(values: Vec<T>) -> Self {
        Self { accumulators: None, values }
    }
}

/// Many runs of one graph: run `n` of a tensor of `len` elements lies at `n·len`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs<'a> {
    /// How many.
    pub(crate) count: usize,
    /// The tensors of one run.
    pub(crate) tensors: &'a [QuantizedTensor],
}

impl Runs<'_> {
    /// Elements of one run's tensor.
    pub(crate) fn len(&self, id: TensorId) -> usize {
        self.tensors[id.0].len()
    }
}

/// What an operation asks of the integers of a tensor that it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// Any integers with any scale.
    Nothing,
    /// The argument of a table: a layer of its own, which nothing else reads, in the format of
    /// [`Role::Argument`].
    Argument,
    /// As many bits as a model output has.
    Precision,
    /// The few bits of a tensor between layers, which model outputs do not have.
    Hidden,
}

/// What an operation reads, and what it does last.
pub(crate) trait Reads {
    /// The tensors that it reads, repetitions included.
    fn inputs(&self) -> Vec<TensorId>;

    /// The same, to be renamed.
    fn inputs_mut(&mut self) -> Vec<&mut TensorId>;

    /// The tensor of which every element of the result is an element.
    fn passes(&self) -> Option<TensorId> {
        None
    }

    /// What it applies to its accumulators; `None` where it has none.
    fn activation(&self) -> Option<Activation> {
        None
    }

    /// The same, to be replaced.
    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// An operation in real numbers.
pub(crate) trait RealForm: Reads {
    /// What it asks of every tensor that it reads.
    fn requirement(&self) -> Requirement {
        Requirement::Nothing
    }

    /// Its result, of `len` elements, from the values of all tensors before it.
    fn run(&self, values: &[Vec<f64>], len: usize) -> Computed<f64>;

    /// The range of its accumulators, or of its result where it has none, for inputs within the
    /// given ranges of all tensors before it.
    fn range(&self, inputs: &[Range]) -> Range;
}

/// An operation's way from real numbers to integers.
pub(crate) trait Quantizes: RealForm {
    /// Its integer form, where it is not a choice of several.
    type Integer;

    /// Its integer form and the format of the result.
    fn quantize(
        &self,
        quantizer: &Quantizer<'_>,
        layer: Layer<'_>,
        role: Role,
    ) -> Result<(Self::Integer, Format), QuantizeError>;
}

/// An operation in integers.
pub(crate) trait IntegerForm {
    /// The tensors that it reads, repetitions included.
    fn inputs(&self) -> Vec<TensorId>;

    /// Its accumulators and result, bit for bit, from the values of all tensors before it.
    fn run(
        &self,
        tensors: &[QuantizedTensor],
        values: &[Vec<i64>],
        output: TensorId,
    ) -> Computed<i64>;

    /// How its accumulators become outputs; `None` where it has none.
    fn requant(&self) -> Option<&Requant> {
        None
    }

    /// What the accumulator of each of the `len` elements of its result is besides what it
    /// computes from its inputs.
    fn biases(&self, len: usize) -> Vec<i64> {
        vec![0; len]
    }

    /// Becomes `runs` of itself, one after another.
    fn repeat(&mut self, runs: Runs<'_>);

    /// The least shift at which what it rounds besides its result shows less than that; 0 where it
    /// rounds nothing else.
    fn shift(&self, _tensors: &[QuantizedTensor]) -> f64 {
        0.0
    }
}

impl Requant {
    /// What an operation with these accumulators computes.
    pub(crate) fn computed(&self, accumulators: Vec<i64>) -> Computed<i64> {
        let values = accumulators.iter().map(|&acc| self.apply(acc)).collect();
        Computed { accumulators: Some(accumulators), values }
    }
}

impl Reads for Infallible {
    fn inputs(&self) -> Vec<TensorId> {
        match *self {}
    }

    fn inputs_mut(&mut self) -> Vec<&mut TensorId> {
        match *self {}
    }
}
