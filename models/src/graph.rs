//! The model in real numbers: a small closed set of operations over tensors of static shape.

mod build;
mod float;
mod fuse;
mod legalize;
mod rewrite;

pub use float::FloatTrace;

pub(crate) use float::narrow;

pub(crate) use build::{
    Channels, activate, alias, broadcast_index, pointwise, row_major_strides, strided_index,
};

use crate::activation::Activation;
use crate::quantized::{Alias, ImageView, MaxPool, TensorId};

/// A model in real numbers: nodes in topological order, constants folded, layers fused.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    pub(crate) tensors: Vec<TensorSpec>,
    pub(crate) inputs: Vec<TensorId>,
    pub(crate) outputs: Vec<TensorId>,
    pub(crate) nodes: Vec<Node>,
}

/// Name and shape of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// The ONNX name, or a derived one.
    pub name: String,
    /// Dimensions; the batch dimension is 1 where the file leaves it open.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the tensor has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One operation and the tensor it defines.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The name of the ONNX node (the last one, where several were fused).
    pub name: String,
    /// What is computed.
    pub op: Op,
    /// The tensor that receives the result.
    pub output: TensorId,
}

/// The closed set of real operations; each has its integer counterpart in
/// [`crate::quantized::QuantizedOp`].
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Every linear layer with fixed weights, then its activation.
    Affine(Affine),
    /// Elements taken from the input.
    Alias(Alias),
    /// The largest element of each window.
    MaxPool(MaxPool),
    /// Elementwise product of two tensors.
    Mul(Mul),
    /// An activation that no layer has absorbed; none is left after fusion.
    Activate(Activate),
    /// Softmax over groups of elements.
    Softmax(Softmax),
}

impl Op {
    /// The tensors that the operation reads, repetitions included.
    pub(crate) fn inputs(&self) -> Vec<TensorId> {
        match self {
            Self::Affine(affine) => affine.terms.iter().map(|term| term.input).collect(),
            Self::Alias(alias) => vec![alias.input],
            Self::MaxPool(pool) => vec![pool.input],
            Self::Mul(mul) => vec![mul.a, mul.b],
            Self::Activate(activate) => vec![activate.input],
            Self::Softmax(softmax) => vec![softmax.input],
        }
    }

    /// The tensors that the operation reads, to be renamed.
    pub(crate) fn inputs_mut(&mut self) -> Vec<&mut TensorId> {
        match self {
            Self::Affine(affine) => affine.terms.iter_mut().map(|term| &mut term.input).collect(),
            Self::Alias(alias) => vec![&mut alias.input],
            Self::MaxPool(pool) => vec![&mut pool.input],
            Self::Mul(mul) => vec![&mut mul.a, &mut mul.b],
            Self::Activate(activate) => vec![&mut activate.input],
            Self::Softmax(softmax) => vec![&mut softmax.input],
        }
    }
}

/// The real counterpart of [`crate::quantized::Affine`].
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// The inputs, each with its own kernel; their contributions are added.
    pub terms: Vec<Term>,
    /// One number per output channel.
    pub bias: Vec<f64>,
    /// Where `(o, p, q)` lies in the output tensor; a bijection onto its elements.
    pub output: ImageView,
    /// Applied to each sum.
    pub activation: Activation,
}

/// One input of an [`Affine`] with its convolution kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The tensor that is read.
    pub input: TensorId,
    /// How it is read.
    pub view: ImageView,
    /// How the kernel moves over it.
    pub window: Window,
    /// Flat `[out_channels, in_channels / groups, kernel_height, kernel_width]`.
    pub kernel: Vec<f64>,
}

/// How a convolution kernel moves over an image; see [`crate::quantized::ConvTerm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// `[kernel_height, kernel_width]`.
    pub kernel_size: [usize; 2],
    /// Channel groups.
    pub groups: usize,
    /// `[vertical, horizontal]` step.
    pub stride: [usize; 2],
    /// `[vertical, horizontal]` distance between kernel elements.
    pub dilation: [usize; 2],
    /// `[top, left]` padding with zeros.
    pub padding: [usize; 2],
}

impl Window {
    /// One pixel, every channel to every channel within `groups` groups.
    pub(crate) const fn pixel(groups: usize) -> Self {
        Self { kernel_size: [1, 1], groups, stride: [1, 1], dilation: [1, 1], padding: [0, 0] }
    }
}

/// `output[e] = activation(a[a_index[e]] · b[b_index[e]])`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mul {
    /// The first factor.
    pub a: TensorId,
    /// The second factor.
    pub b: TensorId,
    /// For each output element, the element of `a`.
    pub a_index: Vec<usize>,
    /// For each output element, the element of `b`.
    pub b_index: Vec<usize>,
    /// Applied to each product.
    pub activation: Activation,
}

/// `output[e] = function(input[e])`.
#[derive(Clone, Debug, PartialEq)]
pub struct Activate {
    /// The tensor that is read.
    pub input: TensorId,
    /// What is applied to each element.
    pub function: Activation,
}

/// `output_i = exp(x_i) / Σ exp(x_j)` over the group of `i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Softmax {
    /// The tensor that is read; the output has the same shape.
    pub input: TensorId,
    /// The element indices of each group; every element is in exactly one.
    pub groups: Vec<Vec<usize>>,
}

impl Graph {
    /// The model's inputs, in the order of the ONNX file.
    #[must_use]
    pub fn inputs(&self) -> Vec<&TensorSpec> {
        self.inputs.iter().map(|id| &self.tensors[id.0]).collect()
    }

    /// The model's outputs, in the order of the ONNX file.
    #[must_use]
    pub fn outputs(&self) -> Vec<&TensorSpec> {
        self.outputs.iter().map(|id| &self.tensors[id.0]).collect()
    }

    /// The operations after fusion, each after the ones it reads from.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The tensor that `id` names.
    ///
    /// # Panics
    /// When `id` is of another graph and out of range.
    #[must_use]
    pub fn tensor(&self, id: TensorId) -> &TensorSpec {
        &self.tensors[id.0]
    }
}
