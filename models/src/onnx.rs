//! ONNX files: from bytes to a [`Graph`].
//!
//! Shapes are inferred and constants folded here, node by node, so that every refusal names the
//! ONNX node it is about. What a file may hold is closed: an operation, attribute, element type or
//! form that is not known is refused, never skipped.

mod activations;
mod arithmetic;
mod attention;
mod bitwise;
mod blocks;
mod check;
mod codes;
mod compose;
mod concat;
mod constant;
mod constants;
mod control;
mod convolution;
mod deformed;
mod element;
mod elements;
mod error;
mod external;
mod file;
mod flex_attention;
mod foreign;
mod functions;
mod fused;
mod graph_digest;
mod importer;
mod input;
mod integers;
mod labels;
mod limits;
mod linear_attention;
mod logic;
mod lookup;
mod losses;
mod machine_learning;
mod matrix;
mod movement;
mod n_grams;
mod names;
mod node;
mod normalization;
mod operators;
mod options;
mod order;
mod padding;
mod pooling;
mod products;
mod proto;
mod qdq;
mod qlinear;
mod quantization;
mod recognized;
mod recurrent;
mod reduction;
mod refusal;
mod refused;
mod reshaping;
mod resize;
mod rounds;
mod sampling;
mod scatter;
mod selection;
mod sequences;
mod sets;
mod spatial;
mod step;
mod svm;
mod table;
mod texts;
mod top_k;
mod transforms;
mod transposed_convolution;
mod trees;
mod unique;
mod unpooling;
mod wire;

pub use element::Element;
pub use error::{ImportError, Part, Refusals};
pub use external::Resolver;
pub use file::OnnxFile;
pub use input::{DeclaredInput, Dimension};
pub use options::ImportOptions;

use crate::graph::Graph;

impl Graph {
    /// Reads an ONNX model that is all in these bytes: checks it, infers shapes, folds constants
    /// and fuses layers.
    ///
    /// # Errors
    /// With the first reason why the bytes are not an ONNX model that can be proved;
    /// [`OnnxFile::import`] gives all of them.
    pub fn from_onnx_bytes(bytes: &[u8]) -> Result<Self, ImportError> {
        Ok(OnnxFile::from_single(bytes)?.import(&ImportOptions::default())?)
    }
}
