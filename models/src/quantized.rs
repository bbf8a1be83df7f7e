//! The quantized graph: the exact statement that a proof makes about a model.
//!
//! Every tensor holds integers with proven bounds, every operation has one right output, bit for
//! bit. [`crate::execute`] runs it and the circuits prove exactly it. `docs/semantics.md`
//! documents each operation.

mod repeat;
pub mod split;

use serde::{Deserialize, Serialize};

pub use crate::ops::QuantizedOp;
pub use crate::ops::affine::ConvTerm;
pub use crate::ops::contract::MatrixSizes;
pub use crate::ops::forest::{Branch, Next, Tree};
pub use crate::ops::integer::*;
pub use crate::ops::normalize::GroupStatistics;
pub use crate::requant::Requant;
pub use crate::tensor::{ImageView, QuantizedTensor, Rounding, TensorId};
pub use crate::view::{EmptyGroup, Groups, View};

/// A model in integers: a topologically sorted list of nodes over tensors of static shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizedGraph {
    /// Every tensor, inputs included; a node's output is defined by exactly one node.
    pub tensors: Vec<QuantizedTensor>,
    /// The model's inputs, in the order of the ONNX file.
    pub inputs: Vec<TensorId>,
    /// The model's outputs, in the order of the ONNX file.
    pub outputs: Vec<TensorId>,
    /// The operations, each after the ones it reads from.
    pub nodes: Vec<QuantizedNode>,
}

/// One operation and the tensor it defines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizedNode {
    /// The name of the ONNX node (the last one, where several were fused).
    pub name: String,
    /// What is computed.
    pub op: QuantizedOp,
    /// The tensor that receives the result.
    pub output: TensorId,
}
