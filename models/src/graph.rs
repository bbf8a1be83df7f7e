//! The model in real numbers: a small closed set of operations over tensors of static shape.

mod alike;
mod build;
mod float;
mod fuse;
mod legalize;
mod rewrite;

pub use float::FloatTrace;

pub use crate::ops::Op;
pub use crate::ops::affine::{Term, Window};
pub use crate::ops::contract::MatrixSizes;
pub use crate::ops::forest::{Branch, Next, Tree};
pub use crate::ops::real::*;
pub use crate::tensor::TensorSpec;

pub(crate) use crate::ops::activate::Activate;
pub(crate) use build::{Channels, activate, alias, pointwise};

use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::tensor::TensorId;

/// A model while it is imported and fused: activations may stand on their own.
pub(crate) type Draft = Graph<Activate>;

/// A model in real numbers: nodes in topological order, constants folded, layers fused.
///
/// `F` is explained at [`Op`].
#[derive(Clone, Debug, PartialEq)]
pub struct Graph<F = Infallible> {
    pub(crate) tensors: Vec<TensorSpec>,
    pub(crate) inputs: Vec<TensorId>,
    pub(crate) outputs: Vec<TensorId>,
    pub(crate) nodes: Vec<Node<F>>,
    pub(crate) digest: [u8; 32],
    /// The inputs that hold whole numbers or booleans, each with the smallest and the largest.
    pub(crate) whole_inputs: BTreeMap<TensorId, [i64; 2]>,
    /// The inputs of the file that are constants.
    pub(crate) fixed_inputs: Vec<FixedInput>,
    /// What the file calls the classes of outputs, by the names of these.
    pub(crate) classes: BTreeMap<String, ClassNames>,
}

/// What the file calls the classes of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClassNames {
    /// Each element is the place of a class in the list.
    Values(Vec<String>),
    /// Each index of the last dimension is about the class at that place in the list.
    Columns(Vec<String>),
}

/// An input of the file that is a constant, since it was fixed or has no elements.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FixedInput {
    pub(crate) spec: TensorSpec,
    pub(crate) values: Vec<f64>,
    /// How many inputs that are none come before it in the file.
    pub(crate) position: usize,
}

/// One operation and the tensor it defines.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<F = Infallible> {
    /// The name of the ONNX node (the last one, where several were fused).
    pub name: String,
    /// What is computed.
    pub op: Op<F>,
    /// The tensor that receives the result.
    pub output: TensorId,
}

impl<F> Graph<F> {
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

    /// The inputs of the ONNX file in order, those included that are constants.
    pub(crate) fn declared_inputs(&self) -> Vec<&TensorSpec> {
        let mut declared = self.inputs();
        for fixed in self.fixed_inputs.iter().rev() {
            declared.insert(fixed.position, &fixed.spec);
        }
        declared
    }

    /// The tensors of [`Self::inputs`].
    #[must_use]
    pub fn input_ids(&self) -> &[TensorId] {
        &self.inputs
    }

    /// The smallest and the largest number that an input of whole numbers or booleans may hold;
    /// `None` for tensors of real numbers.
    #[must_use]
    pub fn whole_bounds(&self, id: TensorId) -> Option<[i64; 2]> {
        self.whole_inputs.get(&id).copied()
    }

    /// What the file calls the classes of outputs, by the names of these.
    #[must_use]
    pub fn classes(&self) -> &BTreeMap<String, ClassNames> {
        &self.classes
    }

    /// Digest of the ONNX graph: the same for every file that holds it, whoever wrote the file.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The operations after fusion, each after the ones it reads from.
    #[must_use]
    pub fn nodes(&self) -> &[Node<F>] {
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
