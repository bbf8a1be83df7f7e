//! Inputs without elements: a dimension of 0, as a file or a cache of no tokens has it.

use prost::Message;
use zkinfer_models::Graph;

use super::onnx::Builder;
use super::onnx::proto::{Dim, ModelProto};

/// Imports the model with each dimension of its inputs 0 in turn, alone and beside another input,
/// where the empty one is a constant: whatever comes of it, it is no panic.
pub(crate) fn end_in_a_graph_or_a_reason(model: &Builder) {
    let model = model.bytes();
    for beside in [false, true] {
        let mut place = 0;
        while let Some(bytes) = with_empty(&model, place, beside) {
            let _outcome = Graph::from_onnx_bytes(&bytes);
            place += 1;
        }
    }
}

/// The model whose dimension of this number is 0; `None` behind the last.
fn with_empty(model: &[u8], place: usize, beside: bool) -> Option<Vec<u8>> {
    let mut model = ModelProto::decode(model).unwrap();
    let inputs = &mut model.graph.as_mut().unwrap().input;
    if beside {
        let mut other = inputs.first()?.clone();
        other.name = "beside".to_owned();
        inputs.push(other);
    }
    let own = inputs.len() - usize::from(beside);
    let mut dims = inputs[..own].iter_mut().flat_map(|input| {
        let tensor = input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
        &mut tensor.shape.as_mut().unwrap().dim
    });
    dims.nth(place)?.value = Some(Dim::Value(0));
    Some(model.encode_to_vec())
}
