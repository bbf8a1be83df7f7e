//! Tensors, of real numbers and of integers, and how their elements are read.

use serde::{Deserialize, Serialize};

use crate::numbers::narrow;

/// Index of a tensor among those of its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TensorId(pub usize);

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
            Rounding::SinglePrecision => f64::from((x / narrow(scale)).round_ties_even()),
        }
    }

    /// The one scale, or one for each index of the last dimension.
    #[must_use]
    pub fn scales(&self) -> Vec<f64> {
        if self.column_scales.is_empty() { vec![self.scale] } else { self.column_scales.clone() }
    }
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
