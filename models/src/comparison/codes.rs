//! Models that are quantized already: whether the program's codes are those of their runtime.

use serde::Serialize;

use crate::graph::{Graph, Op};
use crate::quantized::TensorId;

/// How many codes of a run are those that onnxruntime computes, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CodeComparison {
    /// Codes of all layers that give any.
    pub codes: usize,
    /// Those that are another one.
    pub differing: usize,
}

/// The codes of a run of the program and of one of the model; nothing where there are none.
pub(super) fn compare(
    graph: &Graph,
    program: impl Fn(TensorId) -> Vec<f64>,
    model: &[Vec<f64>],
) -> Option<CodeComparison> {
    let mut comparison = CodeComparison { codes: 0, differing: 0 };
    for node in graph.nodes.iter().filter(|node| matches!(node.op, Op::Coded(_))) {
        let (program, model) = (program(node.output), &model[node.output.0]);
        comparison.codes += model.len();
        comparison.differing += program.iter().zip(model).filter(|(a, b)| a != b).count();
    }
    (comparison.codes > 0).then_some(comparison)
}
