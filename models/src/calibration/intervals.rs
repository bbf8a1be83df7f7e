//! The range of every tensor as calibration has it.

use super::{Calibration, Range};
use crate::activation::Activation;
use crate::graph::Graph;

/// The range of every tensor on the samples: of a layer, the image of its range before the
/// activation; of what calibration did not measure, what follows from its inputs.
pub(crate) fn calibrated_values(graph: &Graph, calibration: &Calibration) -> Vec<Range> {
    let mut values = vec![Range { lo: 0.0, hi: 0.0 }; graph.tensors.len()];
    for &id in &graph.inputs {
        if let Some(input) = calibration.inputs.get(&graph.tensor(id).name) {
            values[id.0] = input.range;
        }
    }
    for node in &graph.nodes {
        let form = node.op.form();
        values[node.output.0] = match form.activation() {
            None => form.range(&values),
            Some(activation) => {
                let seen = calibration.layers.get(&graph.tensor(node.output).name);
                image(activation, seen.copied().unwrap_or_else(|| form.range(&values)))
            }
        };
    }
    values
}

fn image(activation: Activation, range: Range) -> Range {
    let (lo, hi) = activation.image(range.lo, range.hi);
    Range { lo, hi }
}
