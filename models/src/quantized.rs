//! The quantized graph: the exact statement that a proof makes about a model.
//!
//! Every tensor holds integers with proven bounds, every operation has one right output, bit for
//! bit. [`crate::execute`] runs it and the circuits prove exactly it. `docs/semantics.md`
//! documents each operation.

mod repeat;

use serde::{Deserialize, Serialize};

pub use crate::ops::QuantizedOp;
pub use crate::ops::affine::ConvTerm;
pub use crate::ops::contract::MatrixSizes;
pub use crate::ops::forest::{Branch, Next, Tree};
pub use crate::ops::integer::*;
pub use crate::ops::normalize::GroupStatistics;
pub use crate::view::{EmptyGroup, Groups, View};

use crate::ops::Computed;

/// Index of a tensor in [`QuantizedGraph::tensors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TensorId(pub usize);

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

/// Name, shape, scale and proven bounds of an integer tensor (stored flat, in C order).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizedTensor {
    /// The ONNX name, or a derived one for an intermediate tensor.
    pub name: String,
    /// Dimensions; the product is the element count.
    pub shape: Vec<usize>,
    /// The real number that one integer unit stands for: `real = scale · integer`.
    pub scale: f64,
    /// The same for each index of the last dimension, where an input's columns differ in size;
    /// empty where all elements have `scale`, which otherwise is the largest of them.
    pub column_scales: Vec<f64>,
    /// How a model input is rounded; it plays no part in the computation.
    pub rounding: Rounding,
    /// Smallest value an element can take on any input in range.
    pub lo: i64,
    /// Largest value an element can take on any input in range.
    pub hi: i64,
}

/// How a real input becomes an integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rounding {
    /// `floor(x / scale + 1/2)` in double precision.
    #[default]
    HalfUp,
    /// The integer nearest to `x / scale`, a quotient in single precision, ties to even: what
    /// `QuantizeLinear` does.
    SinglePrecision,
}

impl QuantizedTensor {
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

    /// The scale of an element, by its flat index.
    #[must_use]
    pub fn scale_of(&self, element: usize) -> f64 {
        let column = element.checked_rem(self.column_scales.len());
        column.map_or(self.scale, |column| self.column_scales[column])
    }

    /// The integer that a real element becomes, before it is clamped.
    #[must_use]
    pub fn rounded(&self, element: usize, x: f32) -> f64 {
        let scale = self.scale_of(element);
        match self.rounding {
            Rounding::HalfUp => (f64::from(x) / scale + 0.5).floor(),
            Rounding::SinglePrecision => {
                f64::from((x / crate::graph::narrow(scale)).round_ties_even())
            }
        }
    }

    /// The one scale, or one for each index of the last dimension.
    #[must_use]
    pub fn scales(&self) -> Vec<f64> {
        if self.column_scales.is_empty() { vec![self.scale] } else { self.column_scales.clone() }
    }
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

/// A flat tensor read as channels × height × width.
///
/// Element `(c, i, j)` is at `offset + c·strides[0] + i·strides[1] + j·strides[2]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageView {
    /// Number of channels.
    pub channels: usize,
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// Distance between neighbours along channel, row and column; 0 repeats an element.
    pub strides: [usize; 3],
    /// Index of element `(0, 0, 0)`.
    pub offset: usize,
}

impl ImageView {
    /// The flat index of `(channel, row, column)`.
    #[must_use]
    pub fn index(&self, channel: usize, row: usize, column: usize) -> usize {
        self.offset + channel * self.strides[0] + row * self.strides[1] + column * self.strides[2]
    }
}

/// From an accumulator `y` to an output: `z = floor((y + 2^(shift−1)) / 2^shift)` (`z = y` when
/// `shift` is 0), clamped to `[lo, hi]`, then `table[z − lo]` where there is a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requant {
    /// The real number that one unit of `z` stands for; as a tensor's scale, it plays no part in
    /// the computation.
    pub scale: f64,
    /// The `z` that stands for the real number 0: the bias has it.
    pub zero: i64,
    /// Binary digits dropped, rounding half up. The same for every layer of a graph.
    pub shift: u32,
    /// Smallest `z` after clamping.
    pub lo: i32,
    /// Largest `z` after clamping.
    pub hi: i32,
    /// Smallest accumulator that any input in range can give.
    pub acc_lo: i64,
    /// Largest accumulator that any input in range can give.
    pub acc_hi: i64,
    /// The activation, `hi − lo + 1` entries; `None` is the identity.
    pub table: Option<Vec<i32>>,
}

impl Requant {
    /// The rounded accumulator before clamping.
    #[must_use]
    pub fn round(&self, acc: i64) -> i64 {
        if self.shift == 0 { acc } else { (acc + (1 << (self.shift - 1))) >> self.shift }
    }

    /// The output for an accumulator.
    #[must_use]
    pub fn apply(&self, acc: i64) -> i64 {
        let z = self.round(acc).clamp(self.lo.into(), self.hi.into());
        match &self.table {
            None => z,
            Some(table) => {
                let position =
                    usize::try_from(z - i64::from(self.lo)).expect("z is clamped to at least lo");
                table[position].into()
            }
        }
    }

    /// What an operation with these accumulators computes.
    pub(crate) fn computed(&self, accumulators: Vec<i64>) -> Computed<i64> {
        let values = accumulators.iter().map(|&acc| self.apply(acc)).collect();
        Computed { accumulators: Some(accumulators), values }
    }
}
