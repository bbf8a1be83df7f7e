//! What each tensor of a graph is for.

use crate::graph::Graph;
use crate::ops::form::Requirement;
use crate::quantizer::form::Role;

/// The role of each tensor.
pub(crate) fn roles(graph: &Graph) -> Vec<Role> {
    let producers = graph.producers();
    let mut roles = vec![Role::Hidden; graph.tensors.len()];
    for node in graph.nodes.iter().filter(|n| n.op.form().requirement() == Requirement::Precision) {
        for input in node.op.inputs() {
            roles[graph.alias_root(input, &producers).0] = Role::Output;
        }
    }
    for node in &graph.nodes {
        if node.op.form().requirement() == Requirement::Argument {
            for input in node.op.inputs() {
                roles[graph.alias_root(input, &producers).0] = Role::Argument { of: node.output };
            }
        }
    }
    for &output in &graph.outputs {
        roles[graph.alias_root(output, &producers).0] = Role::Output;
    }
    roles
}
