//! Control flow that is decided when the file is read.

use super::compose::Lowered;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};

pub(super) const OPERATORS: &[Operator] = &[operator(
    "If",
    &[1, 11, 13, 16, 19, 21, 23, 24, 25],
    &["else_branch", "then_branch"],
    choose_branch,
)];

/// `If` with a constant condition: the nodes of its branch.
fn choose_branch(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let branches = [node.graph("else_branch")?, node.graph("then_branch")?];
    let condition = match node.operand(0)? {
        Value::Constant(constant) if constant.data.len() == 1 => constant.to_reals()[0] != 0.0,
        _ => {
            return Err(node.unsupported(
                "a condition that depends on the input; where an input decides it, make that a \
                 constant with --fix",
            ));
        }
    };
    let graph = branches[usize::from(condition)];
    let graph = graph.ok_or_else(|| node.wrong_attribute("then_branch", "a graph"))?;
    importer.inlined(node, graph)
}
