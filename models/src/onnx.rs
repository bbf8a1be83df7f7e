//! ONNX files: from bytes to a [`Graph`].
//!
//! Shapes are inferred and constants folded here, node by node, so that every refusal names the
//! ONNX node it is about. What a file may hold is closed: an operation, attribute, element type or
//! form that is not known is refused, never skipped.

mod activations;
mod arithmetic;
mod check;
mod constant;
mod convolution;
mod importer;
mod input;
mod limits;
mod matrix;
mod movement;
mod node;
mod normalization;
mod operators;
mod padding;
mod pooling;
mod proto;
mod reduction;
mod reshaping;
mod shape_arithmetic;
mod wire;

use prost::Message as _;

use self::proto::ModelProto;

use crate::error::ImportError;
use crate::graph::Graph;

impl Graph {
    /// Reads an ONNX model: checks it, infers shapes, folds constants and fuses layers.
    ///
    /// # Errors
    /// When the bytes are not an ONNX model, or not one that can be proved. Unsupported
    /// operations are found before anything is computed.
    pub fn from_onnx_bytes(bytes: &[u8]) -> Result<Self, ImportError> {
        limits::check_file_size(bytes.len())?;
        wire::check_field_count(bytes)?;
        let model = ModelProto::decode(bytes)?;
        let opset = check::operator_set(&model)?;
        let graph = model.graph.ok_or(ImportError::NoGraph)?;
        check::nodes(&graph)?;
        let mut graph = importer::import(&graph, opset)?;
        graph.fuse();
        graph.legalize();
        Ok(graph)
    }
}
