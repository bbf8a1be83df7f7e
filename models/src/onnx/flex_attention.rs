//! `FlexAttention`: attention with graphs of the file on its scores and on its shares.

use super::compose::{Lowered, count};
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};

pub(super) const OPERATORS: &[Operator] = &[operator(
    "FlexAttention",
    &[1],
    &["prob_mod", "scale", "score_mod", "softmax_precision"],
    flex_attention,
)
.of_domain("ai.onnx.preview")];

fn flex_attention(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    // The precision of the runtime's softmax; here it is exact.
    node.has_no_effect(&["softmax_precision"]);
    let operands = [node.operand(0)?, node.operand(1)?, node.operand(2)?];
    let shapes = operands.map(|value| importer.shape_of(value));
    let [query, key, value] = shapes.each_ref().map(Vec::as_slice);
    let (&[batch, heads, _, size], &[_, key_heads, keys, key_size], &[.., value_keys, _]) =
        (query, key, value)
    else {
        return Err(node.wrong_shape("operands of four dimensions", &[query, key, value]));
    };
    let fits = value.len() == 4
        && (key[0], value[0], value[1]) == (batch, batch, key_heads)
        && (key_size, value_keys) == (size, keys)
        && key_heads > 0
        && heads % key_heads == 0;
    if !fits {
        return Err(node.wrong_shape("heads and lengths that fit", &[query, key, value]));
    }
    let [query, key, value] = operands;
    let shared = |importer: &mut Importer, value: &Value| match heads == key_heads {
        true => Ok(value.clone()),
        false => {
            let shape = importer.shape_of(value);
            let mut places: Vec<Vec<usize>> = shape.iter().map(|&n| (0..n).collect()).collect();
            places[1] = (0..heads).map(|head| head / (heads / key_heads)).collect();
            importer.picked(node, value, &places)
        }
    };
    let (key, value) = (shared(importer, key)?, shared(importer, value)?);
    let scale = node.float("scale")?.unwrap_or_else(|| 1.0 / count(size).sqrt());
    let scaled = importer.scaled(node, query, scale, 0.0)?;
    let turned = importer.transposed(node, &key, &[0, 1, 3, 2])?;
    let scores = importer.matrix_product(node, &scaled, &turned)?;
    let scores = modified(node, importer, "score_mod", scores)?;
    let shares = importer.softmax_of_rows(node, scores)?;
    let shares = modified(node, importer, "prob_mod", shares)?;
    Ok(vec![importer.matrix_product(node, &shares, &value)?])
}

/// What a graph of the file makes of a tensor, of the same shape; the tensor where there is none.
fn modified(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    name: &'static str,
    value: Value,
) -> Result<Value, ImportError> {
    let Some(graph) = node.graph(name)? else { return Ok(value) };
    let shape = importer.shape_of(&value);
    if graph.input.len() != 1 || graph.output.len() != 1 {
        return Err(node.wrong_attribute(name, "a graph with one input and one output"));
    }
    let mut results = importer.unrolled(node, graph, vec![value])?;
    match results.pop() {
        Some(result) if importer.shape_of(&result) == shape => Ok(result),
        _ => Err(node.wrong_attribute(name, "a graph that keeps the shape")),
    }
}
