//! Rounds of a `Scan` that know nothing of each other, all at once: exporters write the distances to
//! the samples of a training set so.

use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::proto::{AttributeProto, GraphProto, NodeProto};

/// Operations that do the same at every place of a dimension after those that they know of.
const BY_ELEMENT: &[&str] = &["Abs", "Add", "Identity", "Mul", "Sqrt", "Sub"];
/// The same, of operations along dimensions counted from the first one.
const BY_AXES: &[&str] = &["ReduceL1", "ReduceL2", "ReduceMax", "ReduceSum", "ReduceSumSquare"];

/// Whether each round of a body leaves the states as they are, and does with each element what it
/// does with it alone, or along dimensions that are told from the first one.
pub(super) fn are_apart(graph: &GraphProto, states: usize) -> bool {
    let is_kept = |index: usize| {
        let (input, mut name) = (&graph.input[index].name, &graph.output[index].name);
        // Each step is another node, the last of which reads the state.
        for _ in 0..=graph.node.len() {
            if name == input {
                return true;
            }
            let by = graph.node.iter().find(|node| node.output.contains(name));
            match by.filter(|node| node.op_type == "Identity").and_then(|node| node.input.first()) {
                Some(before) => name = before,
                None => return false,
            }
        }
        false
    };
    let is_by_element = |node: &NodeProto| match node.op_type.as_str() {
        op if BY_ELEMENT.contains(&op) => {
            node.input.iter().all(|name| !graph.initializer.iter().any(|own| own.name == *name))
        }
        op if BY_AXES.contains(&op) => axes(node, graph)
            .is_some_and(|axes| !axes.is_empty() && axes.iter().all(|axis| *axis >= 0)),
        _ => false,
    };
    (0..states).all(is_kept) && graph.node.iter().all(is_by_element)
}

/// The dimensions of a reduction, where the body says them.
fn axes(node: &NodeProto, graph: &GraphProto) -> Option<Vec<i64>> {
    let is_axes = |attribute: &&AttributeProto| attribute.name == "axes";
    if let Some(attribute) = node.attribute.iter().find(is_axes) {
        return Some(attribute.ints.clone());
    }
    let name = node.input.get(1)?;
    let tensor = graph.initializer.iter().find(|tensor| tensor.name == *name)?;
    let bytes = tensor.raw_data.chunks_exact(8);
    let raw = bytes.map(|bytes| bytes.try_into().map(i64::from_le_bytes).unwrap_or(-1));
    Some(if tensor.int64_data.is_empty() { raw.collect() } else { tensor.int64_data.clone() })
}

/// The results of all rounds: the body once, with a last dimension for the rounds. `None` where
/// operands do not fit.
pub(super) fn at_once(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    (graph, states): (&GraphProto, &[Value]),
    operands: &[Value],
) -> Result<Option<Vec<Value>>, ImportError> {
    let shapes: Vec<Vec<usize>> = operands.iter().map(|value| importer.shape_of(value)).collect();
    let Some(&rounds) = shapes.first().and_then(|shape| shape.first()) else { return Ok(None) };
    if rounds < 2 || shapes.iter().any(|shape| shape.first() != Some(&rounds)) {
        return Ok(None);
    }
    let mut inputs = Vec::new();
    let mut kept = Vec::new();
    for state in states {
        let shape = [&importer.shape_of(state)[..], &[1]].concat();
        inputs.push(importer.reshaped(node, state, shape)?);
        kept.push(state.clone());
    }
    for (operand, shape) in operands.iter().zip(&shapes) {
        let order: Vec<usize> = (1..shape.len()).chain([0]).collect();
        inputs.push(importer.transposed(node, operand, &order)?);
    }
    if inputs.iter().any(|value| Importer::element_of(value) != Element::Real) {
        return Ok(None);
    }
    let results = importer.unrolled(node, graph, inputs)?;
    for result in results.into_iter().skip(states.len()) {
        let shape = importer.shape_of(&result);
        if shape.last() != Some(&rounds) {
            return Ok(None);
        }
        let last = shape.len() - 1;
        let order: Vec<usize> = std::iter::once(last).chain(0..last).collect();
        kept.push(importer.transposed(node, &result, &order)?);
    }
    Ok(Some(kept))
}
