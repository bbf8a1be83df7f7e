//! Neural networks in integers: the statement that a zkinfer proof makes.
//!
//! This crate reads an ONNX model, quantizes it and runs it in integers, bit for bit as the
//! circuits prove it. It makes no proofs itself.
//!
//! ```
//! use zkinfer_models::{
//!     Calibration, Graph, QuantizeOptions, execute, quantize, quantize_inputs, read_inputs,
//! };
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let zoo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("zoo/digits_mlp");
//! let graph = Graph::from_onnx_bytes(&std::fs::read(zoo.join("model.onnx"))?)?;
//! let inputs = read_inputs(&zoo.join("input.json"), &graph)?;
//!
//! let calibration = Calibration::from_input(&graph, &inputs)?;
//! let quantized = quantize(&graph, &calibration, &QuantizeOptions::default())?;
//! let execution = execute(&quantized, &quantize_inputs(&quantized, &inputs)?)?;
//!
//! let (integer, float) = (&quantized.dequantize(&execution)[0], &graph.run_float(&inputs)?[0]);
//! assert!(integer.iter().zip(float).all(|(a, b)| (a - b).abs() < 0.1));
//! # Ok(())
//! # }
//! ```
//!
//! [`quantized`] defines the integer operations; `docs/semantics.md` says what each computes and
//! `docs/adding-an-operator.md` how to add one.

#![forbid(unsafe_code)]

mod accuracy;
mod activation;
mod calibration;
mod comparison;
mod dequantize;
mod digest;
mod error;
mod execute;
mod function;
pub mod graph;
mod input;
mod numbers;
mod onnx;
mod ops;
mod quantize;
pub mod quantized;
mod quantizer;
mod reading;
mod requant;
mod shown;
mod tensor;
mod view;

pub use accuracy::{
    AccuracyError, AccuracyReport, FloatAgreement, LabelAgreement, SampleSet, TestSet,
};
pub use activation::Activation;
pub use calibration::clipping::Clipping;
pub use calibration::{Calibration, CalibrationSource, InputRange, Range};
pub use comparison::{
    Agreement, Blame, Cause, CodeComparison, Comparison, FloatOutputs, Forms, InputComparison,
    LayerComparison, OutputComparison, Tolerance, Warning,
};
pub use dequantize::{clamped_inputs, quantize_inputs};
pub use digest::{HexDigest, model_digest};
pub use error::{QuantizeError, RunError};
pub use execute::{Execution, execute};
pub use function::Function;
pub use graph::{ClassNames, Graph, TensorSpec};
pub use input::{
    FileKind, InputError, InputFile, InputNote, InputSets, LabelFault, Labels, TableFault,
    read_inputs, read_samples,
};
pub use onnx::{
    DeclaredInput, Dimension, Element, ImportError, ImportOptions, OnnxFile, Part, Refusals,
    Resolver,
};
pub use quantize::quantize;
pub use quantized::QuantizedGraph;
pub use quantizer::options::{LayerOptions, QuantizeOptions};
pub use reading::Reading;
pub use shown::Shown;

/// The version of the integer semantics of `docs/semantics.md`, which keys name. A change that gives
/// other integers for some model, samples and input makes a new one.
pub const SEMANTICS: u16 = 2;
