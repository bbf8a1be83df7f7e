//! Names of the file, made printable before anything else reads them: a message, a report or a
//! key never holds a control character, an escape sequence or an invisible letter of a foreign
//! file.

use super::error::ImportError;
use super::proto::{AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto};
use crate::shown::is_hidden;

/// Longest name, in bytes.
const MAX_NAME: usize = 1 << 12;

/// Replaces what a terminal would not show as it is in every name of the model.
pub(super) fn make_printable(model: &mut ModelProto) -> Result<(), ImportError> {
    for set in &mut model.opset_import {
        name(&mut set.domain)?;
    }
    model.functions.iter_mut().try_for_each(function)?;
    model.graph.as_mut().map_or(Ok(()), graph)
}

fn graph(graph: &mut GraphProto) -> Result<(), ImportError> {
    name(&mut graph.name)?;
    graph.node.iter_mut().try_for_each(node)?;
    graph.initializer.iter_mut().try_for_each(tensor)?;
    for info in graph.input.iter_mut().chain(&mut graph.output) {
        name(&mut info.name)?;
    }
    Ok(())
}

fn function(function: &mut FunctionProto) -> Result<(), ImportError> {
    name(&mut function.name)?;
    name(&mut function.domain)?;
    names(&mut function.input)?;
    names(&mut function.output)?;
    function.node.iter_mut().try_for_each(node)?;
    function.attribute_proto.iter_mut().try_for_each(attribute)
}

fn node(node: &mut NodeProto) -> Result<(), ImportError> {
    for text in [&mut node.name, &mut node.op_type, &mut node.domain, &mut node.overload] {
        name(text)?;
    }
    names(&mut node.input)?;
    names(&mut node.output)?;
    node.attribute.iter_mut().try_for_each(attribute)
}

fn attribute(attribute: &mut AttributeProto) -> Result<(), ImportError> {
    name(&mut attribute.name)?;
    attribute.t.iter_mut().try_for_each(|value| tensor(value))?;
    attribute.g.iter_mut().try_for_each(|value| graph(value))?;
    attribute.graphs.iter_mut().try_for_each(graph)
}

fn tensor(tensor: &mut TensorProto) -> Result<(), ImportError> {
    name(&mut tensor.name)
}

fn names(list: &mut [String]) -> Result<(), ImportError> {
    list.iter_mut().try_for_each(name)
}

fn name(text: &mut String) -> Result<(), ImportError> {
    if text.len() > MAX_NAME {
        let start: String = text.chars().take(40).collect();
        return Err(ImportError::Limit {
            place: format!("the name `{}…`", printable(&start)),
            what: "bytes",
            got: text.len() as u128,
            limit: MAX_NAME as u128,
        });
    }
    if text.chars().any(is_hidden) {
        *text = printable(text);
    }
    Ok(())
}

/// The text with an escape in place of each character that a terminal obeys or hides.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}
