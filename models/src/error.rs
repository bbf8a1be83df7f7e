//! One enum per boundary; each error says where, what was expected and what was found.

use thiserror::Error;

/// Why a model cannot run on these inputs.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// Another number of inputs than the model has.
    #[error("the model has {expected} inputs, got {got}")]
    InputCount {
        /// Inputs of the model.
        expected: usize,
        /// Inputs given.
        got: usize,
    },
    /// An input of another shape.
    #[error("input `{input}` has shape {got:?}, expected {expected:?}")]
    InputShape {
        /// The input.
        input: String,
        /// Its shape in the model.
        expected: Vec<usize>,
        /// The shape given.
        got: Vec<usize>,
    },
    /// An integer input of another length.
    #[error("input `{input}` has {got} elements, expected {expected}")]
    InputLength {
        /// The input.
        input: String,
        /// Elements in the model.
        expected: usize,
        /// Elements given.
        got: usize,
    },
    /// An input element that is NaN or infinite.
    #[error("input `{input}`: element {index} is not a finite number")]
    NotFinite {
        /// The input.
        input: String,
        /// The element, in C order.
        index: usize,
    },
    /// An integer input outside the range that the key fixes.
    #[error("input `{input}`: element {index} is {got}, outside {lo}..={hi}")]
    OutOfRange {
        /// The input.
        input: String,
        /// The element, in C order.
        index: usize,
        /// The element.
        got: i64,
        /// Smallest allowed.
        lo: i64,
        /// Largest allowed.
        hi: i64,
    },
}

/// Why a model cannot be calibrated or quantized.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum QuantizeError {
    /// Calibration without a sample.
    #[error("calibration needs at least one sample")]
    NoSamples,
    /// A sample does not fit the model.
    #[error("calibration sample {sample}: {source}")]
    Sample {
        /// Position of the sample.
        sample: usize,
        /// What does not fit.
        source: RunError,
    },
    /// The model's own arithmetic overflows on a sample.
    #[error("tensor `{tensor}` is not finite on the calibration samples")]
    NotFinite {
        /// The tensor.
        tensor: String,
    },
    /// The calibration was made for another model.
    #[error("the calibration has no valid range for tensor `{tensor}`: it is of another model")]
    MissingRange {
        /// The tensor.
        tensor: String,
    },
    /// A range from which no scale can be chosen.
    #[error(
        "the calibrated range of tensor `{tensor}` is {lo:e} to {hi:e}: expected an interval that \
         reaches between 2^-200 and 2^200, or is 0; calibrate again"
    )]
    Range {
        /// The tensor.
        tensor: String,
        /// Its smallest value.
        lo: f64,
        /// Its largest value.
        hi: f64,
    },
    /// A calibration with ranges of more or fewer columns than the input has.
    #[error(
        "the calibration has ranges of {got} columns for tensor `{tensor}`, which has {expected}: \
         calibrate again"
    )]
    Columns {
        /// The tensor.
        tensor: String,
        /// Its last dimension.
        expected: usize,
        /// Columns in the calibration.
        got: usize,
    },
    /// A calibration that goes beyond its samples by another factor than any makes.
    #[error("the calibration goes beyond its samples by the factor {got:e}, expected 1 to {max}")]
    Factor {
        /// The factor.
        got: f64,
        /// The largest allowed.
        max: f64,
    },
    /// A scale with which nothing can be computed.
    #[error(
        "layer `{layer}`: one integer unit would stand for {scale:e}, expected 2^-240 to 2^240; \
         its weights or inputs are too large or too small"
    )]
    Scale {
        /// The layer, or the input.
        layer: String,
        /// The scale.
        scale: f64,
    },
    /// An option out of range.
    #[error("{option} is {got}, expected {min} to {max}")]
    Option {
        /// The option.
        option: &'static str,
        /// The value given.
        got: u32,
        /// Smallest allowed.
        min: u32,
        /// Largest allowed.
        max: u32,
    },
    /// Inputs that were said to lie on a grid, and do not.
    #[error(
        "the samples of input `{input}` do not lie on a grid of {levels} steps from 0: leave out the \
         number of levels, or give the samples as the model gets them"
    )]
    NotOnGrid {
        /// The input.
        input: String,
        /// The number of steps.
        levels: u32,
    },
    /// Options for a layer that is not there.
    #[error("the options name a layer `{layer}`, which the model does not have")]
    UnknownLayer {
        /// The name.
        layer: String,
    },
    /// Integers that would wrap around for some input.
    #[error(
        "layer `{layer}`: integers from {} to {} are possible beyond what calibration saw, and outside \
         {} to {} they would wrap around; cast them to float first",
        got[0], got[1], bounds[0], bounds[1]
    )]
    WrapsAround {
        /// The layer.
        layer: String,
        /// The smallest and the largest result.
        got: [i64; 2],
        /// Those that the type holds, in 16 bits at most.
        bounds: [i64; 2],
    },
    /// Integers too large to be held as they are.
    #[error(
        "layer `{layer}`: integers of more than 24 bits are not held as they are; cast them to float \
         first"
    )]
    LargeIntegers {
        /// The layer.
        layer: String,
    },
    /// A quotient of integers that no line gives exactly.
    #[error(
        "a quotient of integers is not exact for such large ones; cast them to float first, or leave \
         the shift open"
    )]
    InexactQuotient,
    /// A layer whose sums could exceed 62 bits.
    #[error("layer `{layer}`: its sums need more than 62 bits; use fewer activation bits")]
    Overflow {
        /// The layer.
        layer: String,
    },
    /// A product of two tensors whose integers are so fine that its values do not fit.
    #[error(
        "layer `{layer}`: the product of its inputs is too fine for a shift of {shift} bits; use \
         fewer input or activation bits, or a larger shift"
    )]
    Product {
        /// The layer.
        layer: String,
        /// Bits that requantization drops.
        shift: u32,
    },
}
