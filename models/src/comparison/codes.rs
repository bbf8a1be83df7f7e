//! Models that are quantized already: whether the program's codes are those of their runtime.

use serde::Serialize;

use super::Runs;
use crate::graph::Op;

/// How many codes of a run are those that onnxruntime computes, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CodeComparison {
    /// Codes of all layers that give any.
    pub codes: usize,
    /// Those that are another one.
    pub differing: usize,
}

/// The codes of a run; nothing where the model has none.
pub(super) fn compare(runs: &Runs<'_>) -> Option<CodeComparison> {
    let mut comparison = CodeComparison { codes: 0, differing: 0 };
    for node in &runs.forms.graph.nodes {
        if matches!(node.op, Op::Coded(_)) {
            let (program, model) =
                (runs.dequantized(node.output), &runs.trace.values[node.output.0]);
            comparison.codes += model.len();
            comparison.differing += program.iter().zip(model).filter(|(a, b)| a != b).count();
        }
    }
    (comparison.codes > 0).then_some(comparison)
}
