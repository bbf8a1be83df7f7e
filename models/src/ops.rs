//! The operations, one file each: real form, integer form, both runs, bounds, quantization.
//!
//! [`Op`] is what a graph holds, [`QuantizedOp`] what a proof is about. Nothing outside this module
//! asks which operation it has before it, but for the rules that rewrite graphs and the circuits:
//! everything else goes through [`RealForm`] and [`IntegerForm`], and what is here besides them is
//! dispatch.

pub(crate) mod activate;
pub(crate) mod affine;
pub(crate) mod alias;
pub(crate) mod contract;
pub(crate) mod forest;
pub(crate) mod max_pool;
pub(crate) mod mul;
pub(crate) mod normalize;
pub(crate) mod softmax;

use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::graph::Node;
use crate::quantize::{Format, Quantizer, Role};
use crate::quantized::{QuantizedGraph, Requant, TensorId};
use activate::Activate;
use affine::{Affine, QuantizedAffine};
use alias::Alias;
use contract::{Contract, QuantizedContract};
use forest::Forest;
use max_pool::MaxPool;
use mul::{Mul, QuantizedMul};
use normalize::{Normalize, QuantizedNormalize};
use softmax::{QuantizedSoftmax, Softmax};

/// The closed set of real operations; each but the last has its integer counterpart in
/// [`QuantizedOp`].
///
/// `F` is the activation that no layer has absorbed yet. Only while a model is imported and fused
/// there is such a thing: a finished graph has `F = Infallible`, of which there is no value.
#[derive(Clone, Debug, PartialEq)]
pub enum Op<F = Infallible> {
    /// Every linear layer with fixed weights, then its activation.
    Affine(Affine),
    /// Elements taken from the input.
    Alias(Alias),
    /// The largest element of each window.
    MaxPool(MaxPool),
    /// Elementwise product of two tensors.
    Mul(Mul),
    /// Products of two stacks of matrices.
    Contract(Contract),
    /// Groups of elements over their deviation.
    Normalize(Normalize),
    /// Softmax over groups of elements.
    Softmax(Softmax),
    /// What the leaves of decision trees say.
    Forest(Forest<f64>),
    /// An activation on its own.
    Activate(F),
}

/// The closed set of integer operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum QuantizedOp {
    /// Every linear layer with fixed weights: dense, convolution, average pooling, batch
    /// normalisation, addition; then requantization and activation.
    Affine(QuantizedAffine),
    /// Elements taken from the input: reshape, transpose, slice. Costs nothing.
    Alias(Alias),
    /// The largest element of each window.
    MaxPool(MaxPool),
    /// Elementwise product of two tensors, requantized.
    Mul(QuantizedMul),
    /// Products of two stacks of matrices, requantized.
    Contract(QuantizedContract),
    /// Groups of elements over their deviation, requantized.
    Normalize(QuantizedNormalize),
    /// Softmax over groups of elements.
    Softmax(QuantizedSoftmax),
    /// What the leaves of decision trees say.
    Forest(Forest<i64>),
}

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

/// The tensors that an operation reads.
pub(crate) trait Reads {
    /// Each of them, repetitions included.
    fn inputs(&self) -> Vec<TensorId>;

    /// The same, to be renamed.
    fn inputs_mut(&mut self) -> Vec<&mut TensorId>;
}

/// An operation in real numbers, and its way to integers.
pub(crate) trait RealForm: Reads {
    /// What it asks of every tensor that it reads.
    fn requirement(&self) -> Requirement {
        Requirement::Nothing
    }

    /// What it applies to its accumulators; `None` where it has none.
    fn activation(&self) -> Option<Activation> {
        None
    }

    /// Its result, of `len` elements, from the values of all tensors before it.
    fn run(&self, values: &[Vec<f64>], len: usize) -> Computed<f64>;

    /// The range of its accumulators, or of its result where it has none, for inputs within the
    /// given ranges of all tensors before it.
    fn range(&self, inputs: &[Range]) -> Range;

    /// Its integer form and the format of the result.
    fn quantize(
        &self,
        quantizer: &Quantizer<'_>,
        node: &Node,
        role: Role,
    ) -> Result<(QuantizedOp, Format), QuantizeError>;
}

/// An operation in integers.
pub(crate) trait IntegerForm {
    /// Its accumulators and result, bit for bit, from the values of all tensors before it.
    fn run(&self, graph: &QuantizedGraph, values: &[Vec<i64>], output: TensorId) -> Computed<i64>;

    /// How its accumulators become outputs; `None` where it has none.
    fn requant(&self) -> Option<&Requant> {
        None
    }

    /// The least shift at which what it rounds besides its result shows less than that; 0 where it
    /// rounds nothing else.
    fn shift(&self, _graph: &QuantizedGraph) -> f64 {
        0.0
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

#[expect(private_bounds, reason = "the trait serves this crate, and so do these methods")]
impl<F: Reads> Op<F> {
    fn reads(&self) -> &dyn Reads {
        match self {
            Self::Affine(op) => op,
            Self::Alias(op) => op,
            Self::MaxPool(op) => op,
            Self::Mul(op) => op,
            Self::Contract(op) => op,
            Self::Normalize(op) => op,
            Self::Softmax(op) => op,
            Self::Forest(op) => op,
            Self::Activate(op) => op,
        }
    }

    fn reads_mut(&mut self) -> &mut dyn Reads {
        match self {
            Self::Affine(op) => op,
            Self::Alias(op) => op,
            Self::MaxPool(op) => op,
            Self::Mul(op) => op,
            Self::Contract(op) => op,
            Self::Normalize(op) => op,
            Self::Softmax(op) => op,
            Self::Forest(op) => op,
            Self::Activate(op) => op,
        }
    }

    /// The tensors that the operation reads, repetitions included.
    #[must_use]
    pub fn inputs(&self) -> Vec<TensorId> {
        self.reads().inputs()
    }

    /// The tensors that the operation reads, to be renamed.
    pub(crate) fn inputs_mut(&mut self) -> Vec<&mut TensorId> {
        self.reads_mut().inputs_mut()
    }

    /// The place for an activation, where the operation has one and it is free.
    pub(crate) fn free_activation_mut(&mut self) -> Option<&mut Activation> {
        let activation = match self {
            Self::Affine(affine) => &mut affine.activation,
            Self::Mul(mul) => &mut mul.activation,
            Self::Contract(contract) => &mut contract.activation,
            Self::Normalize(normalize) => &mut normalize.activation,
            Self::Alias(_)
            | Self::MaxPool(_)
            | Self::Softmax(_)
            | Self::Forest(_)
            | Self::Activate(_) => return None,
        };
        (*activation == Activation::Identity).then_some(activation)
    }
}

impl Op<Activate> {
    /// The same in a finished graph; `layer` makes a layer of an activation on its own.
    pub(crate) fn finished(self, layer: impl FnOnce(Activate) -> Affine) -> Op {
        match self {
            Self::Affine(op) => Op::Affine(op),
            Self::Alias(op) => Op::Alias(op),
            Self::MaxPool(op) => Op::MaxPool(op),
            Self::Mul(op) => Op::Mul(op),
            Self::Contract(op) => Op::Contract(op),
            Self::Normalize(op) => Op::Normalize(op),
            Self::Softmax(op) => Op::Softmax(op),
            Self::Forest(op) => Op::Forest(op),
            Self::Activate(op) => Op::Affine(layer(op)),
        }
    }
}

impl Op {
    /// The operation as what it computes.
    pub(crate) fn form(&self) -> &dyn RealForm {
        match self {
            Self::Affine(op) => op,
            Self::Alias(op) => op,
            Self::MaxPool(op) => op,
            Self::Mul(op) => op,
            Self::Contract(op) => op,
            Self::Normalize(op) => op,
            Self::Softmax(op) => op,
            Self::Forest(op) => op,
            Self::Activate(never) => match *never {},
        }
    }
}

impl QuantizedOp {
    /// The operation as what it computes.
    pub(crate) fn form(&self) -> &dyn IntegerForm {
        match self {
            Self::Affine(op) => op,
            Self::Alias(op) => op,
            Self::MaxPool(op) => op,
            Self::Mul(op) => op,
            Self::Contract(op) => op,
            Self::Normalize(op) => op,
            Self::Softmax(op) => op,
            Self::Forest(op) => op,
        }
    }

    /// How the operation's accumulators become outputs; `None` where it has none.
    #[must_use]
    pub fn requant(&self) -> Option<&Requant> {
        self.form().requant()
    }
}
