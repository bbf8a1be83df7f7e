//! What can be refused without computing anything.

use super::proto::{AttributeProto, GraphProto, ModelProto, NodeProto};

use super::limits;
use super::node::node_name;
use super::operators::operator;
use crate::error::{ImportError, Part};

/// The version of the standard operator set.
pub(super) fn operator_set(model: &ModelProto) -> Result<i64, ImportError> {
    let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let mut versions =
        model.opset_import.iter().filter(|set| standard(&set.domain)).map(|set| set.version);
    let got = versions.next();
    match (got, versions.next()) {
        (Some(version), None) if (7..=21).contains(&version) => Ok(version),
        _ => Err(ImportError::OperatorSet { got }),
    }
}

/// Every operation and attribute is known.
pub(super) fn nodes(graph: &GraphProto) -> Result<(), ImportError> {
    if graph.node.len() > limits::NODES {
        return Err(ImportError::Limit {
            place: graph.name.clone(),
            what: "nodes",
            got: graph.node.len() as u128,
            limit: limits::NODES as u128,
        });
    }
    for (position, node) in graph.node.iter().enumerate() {
        check_node(node, position)?;
    }
    if graph.output.is_empty() {
        return Err(ImportError::Empty(Part::Outputs));
    }
    if let Some(sparse) = graph.sparse_initializer.first() {
        let name = sparse.values.as_ref().map(|values| values.name.clone());
        return Err(ImportError::ElementType {
            tensor: name.unwrap_or_default(),
            dtype: "sparse".to_owned(),
            expected: "a dense initializer",
        });
    }
    Ok(())
}

fn check_node(node: &NodeProto, position: usize) -> Result<(), ImportError> {
    let unsupported = |op: String, advice| ImportError::UnsupportedOp {
        node: node_name(node, position),
        op,
        advice,
    };
    if !node.domain.is_empty() && node.domain != "ai.onnx" {
        return Err(unsupported(
            format!("{}.{}", node.domain, node.op_type),
            "export with the standard operator set only",
        ));
    }
    let operator =
        operator(&node.op_type).map_err(|advice| unsupported(node.op_type.clone(), advice))?;
    let mut seen: Vec<&str> = Vec::new();
    for attribute in &node.attribute {
        let known = operator.attributes.contains(&attribute.name.as_str());
        if !known || seen.contains(&attribute.name.as_str()) || is_reference(attribute) {
            return Err(ImportError::UnknownAttribute {
                node: node_name(node, position),
                op: node.op_type.clone(),
                attribute: attribute.name.clone(),
            });
        }
        seen.push(&attribute.name);
    }
    Ok(())
}

/// Whether the value is that of an enclosing function's attribute, which a model cannot have.
fn is_reference(attribute: &AttributeProto) -> bool {
    !attribute.ref_attr_name.is_empty()
}
