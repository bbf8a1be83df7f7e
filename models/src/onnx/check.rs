//! What can be refused without computing anything.

use std::collections::HashSet;

use super::error::{ImportError, Part};
use super::functions::FlatNode;
use super::operators::Operator;
use super::proto::GraphProto;
use super::refused::advice;
use super::sets::not_imported;
use super::table;

/// Most bytes of the name of an input or output: keys hold them.
const NAME_BYTES: usize = 256;
/// Most inputs, and most outputs, that a key holds.
const TENSORS: usize = 64;

/// Reasons to refuse the graph that show without looking at operands.
pub(super) fn graph(graph: &GraphProto, nodes: &[FlatNode<'_>]) -> Vec<ImportError> {
    let mut reasons = Vec::new();
    if graph.output.is_empty() {
        reasons.push(ImportError::Empty(Part::Outputs));
    }
    if let Some(sparse) = graph.sparse_initializer.first() {
        let name = sparse.values.as_ref().map(|values| values.name.clone());
        reasons.push(ImportError::ElementType {
            tensor: super::names::printable(&name.unwrap_or_default()),
            dtype: "sparse".to_owned(),
            expected: "a dense initializer; export the model without sparsity",
        });
    }
    for (what, infos) in [("inputs", &graph.input), ("outputs", &graph.output)] {
        let initialized: HashSet<&str> = graph.initializer.iter().map(|t| &*t.name).collect();
        let named = infos.iter().filter(|info| !initialized.contains(&*info.name));
        let count = named.clone().count();
        reasons.extend(super::limits::limit("the graph", what, count, TENSORS).err());
        reasons.extend(named.filter_map(|info| {
            let place = || format!("the name `{}` of the model's {what}", info.name);
            let got = info.name.len();
            super::limits::limit_at(place, "bytes", got, NAME_BYTES).err()
        }));
    }
    reasons.extend(nodes.iter().filter_map(|node| check_node(node).err()));
    reasons
}

/// The operator of a node, whose attributes are known.
pub(super) fn check_node(node: &FlatNode<'_>) -> Result<&'static Operator, ImportError> {
    let full_name = match node.domain {
        "" => node.op.to_owned(),
        domain => format!("{domain}.{}", node.op),
    };
    let unsupported = |advice| ImportError::UnsupportedOp {
        node: node.name.clone(),
        op: full_name.clone(),
        advice,
    };
    let operator = table::find(node.domain, node.op)
        .ok_or_else(|| unsupported(advice(node.domain, node.op)))?;
    if node.opset == 0 && node.domain.is_empty() {
        return Err(not_imported());
    }
    let first = operator.sets.first().copied().unwrap_or(1);
    if node.opset < first {
        return Err(unsupported(
            "the operator set that the file imports does not have it; export again with a newer one",
        ));
    }
    let mut seen: Vec<&str> = Vec::new();
    for &(name, value) in &node.attributes {
        let known = operator.attributes.contains(&name);
        // Outside a function no attribute can refer to a caller's.
        if !known || seen.contains(&name) || !value.ref_attr_name.is_empty() {
            return Err(ImportError::UnknownAttribute {
                node: node.name.clone(),
                op: full_name,
                attribute: name.to_owned(),
            });
        }
        seen.push(name);
    }
    Ok(operator)
}
