//! The quantized graph: the exact statement that a proof makes about a model.
//!
//! Every tensor holds integers with proven bounds, every operation has one right output, bit for
//! bit. [`crate::execute`] runs it and the circuits prove exactly it. `docs/semantics.md`
//! documents each operation.

use serde::{Deserialize, Serialize};

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
    /// Smallest value an element can take on any input in range.
    pub lo: i64,
    /// Largest value an element can take on any input in range.
    pub hi: i64,
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

/// The closed set of integer operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum QuantizedOp {
    /// Every linear layer with fixed weights: dense, convolution, average pooling, batch
    /// normalisation, addition; then requantization and activation.
    Affine(Affine),
    /// Elements taken from the input: reshape, transpose, slice. Costs nothing.
    Alias(Alias),
    /// The largest element of each window.
    MaxPool(MaxPool),
    /// Elementwise product of two tensors, requantized.
    Mul(Mul),
    /// Softmax over groups of elements.
    Softmax(Softmax),
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

/// `acc[o, p, q] = bias[o] + Σ_terms Σ_{c, u, v} kernel[o, c, u, v] · input[g(o) + c, p·s + u·d − pad, …]`
/// with out-of-range pixels 0, then [`Requant`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    /// The inputs, each with its own kernel; their contributions are added.
    pub terms: Vec<ConvTerm>,
    /// One integer per output channel, in accumulator units.
    pub bias: Vec<i64>,
    /// Where `(o, p, q)` lies in the output tensor; a bijection onto its elements.
    pub output: ImageView,
    /// From accumulator to output.
    pub requant: Requant,
}

/// One input of an [`Affine`] with its convolution kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvTerm {
    /// The tensor that is read.
    pub input: TensorId,
    /// How it is read.
    pub view: ImageView,
    /// Flat `[out_channels, in_channels / groups, kernel_height, kernel_width]`.
    pub kernel: Vec<i32>,
    /// `[kernel_height, kernel_width]`.
    pub kernel_size: [usize; 2],
    /// Channel groups; divides both channel counts.
    pub groups: usize,
    /// `[vertical, horizontal]` step of the window.
    pub stride: [usize; 2],
    /// `[vertical, horizontal]` distance between kernel elements.
    pub dilation: [usize; 2],
    /// `[top, left]` padding with zeros (bottom and right follow from the output size).
    pub padding: [usize; 2],
}

/// From an accumulator `y` to an output: `z = floor((y + 2^(shift−1)) / 2^shift)` (`z = y` when
/// `shift` is 0), clamped to `[lo, hi]`, then `table[z − lo]` where there is a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requant {
    /// The real number that one unit of `z` stands for; as a tensor's scale, it plays no part in
    /// the computation.
    pub scale: f64,
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
}

/// `output[e] = input[index[e]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The tensor that is read.
    pub input: TensorId,
    /// For each output element, the input element it is.
    pub index: Vec<usize>,
}

/// `output[e] = max of input[i] for i in windows[e]`; padding is left out of the windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaxPool {
    /// The tensor that is read.
    pub input: TensorId,
    /// For each output element, the input elements it is the largest of; never empty.
    pub windows: Vec<Vec<usize>>,
}

/// `acc[e] = factor · a[a_index[e]] · b[b_index[e]]`, then [`Requant`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mul {
    /// The first factor.
    pub a: TensorId,
    /// The second factor.
    pub b: TensorId,
    /// For each output element, the element of `a` (broadcasting resolved).
    pub a_index: Vec<usize>,
    /// For each output element, the element of `b` (broadcasting resolved).
    pub b_index: Vec<usize>,
    /// Integer that brings the product to the common shift: `round(2^shift · s_a · s_b / s_out)`.
    pub factor: i64,
    /// From accumulator to output.
    pub requant: Requant,
}

/// For each group, with `m` its largest element: `e_i = exp_table[min(m − x_i, last)]`,
/// `s = Σ e_i`, `output_i = floor((2^(bits+1)·e_i + s) / (2·s))`: the probability in units of
/// `2^−bits`, rounded half up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Softmax {
    /// The tensor that is read; the output has the same shape.
    pub input: TensorId,
    /// The element indices of each group; every element is in exactly one.
    pub groups: Vec<Vec<usize>>,
    /// `round(2^12 · exp(−scale · d))` for `d = 0 … hi − lo` of the input, so no difference is
    /// outside it. Entry 0 is 4096.
    pub exp_table: Vec<i32>,
    /// Fractional bits of the output, 1 to 15.
    pub bits: u32,
}
