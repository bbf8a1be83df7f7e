//! Interval arithmetic in real numbers: what no input in range can exceed.

use std::collections::BTreeMap;

use super::{Calibration, Range};
use crate::activation::Activation;
use crate::graph::{Graph, Node};

/// The proven range before its activation of each layer, by the name of its output tensor.
pub(super) fn interval_bounds(graph: &Graph, calibration: &Calibration) -> BTreeMap<String, Range> {
    let mut layers = BTreeMap::new();
    ranges(graph, calibration, |node, proven| {
        layers.insert(graph.tensor(node.output).name.clone(), proven);
        proven
    });
    layers
}

/// The range of every tensor as calibration has it: of a layer, the image of its range before the
/// activation.
pub(crate) fn calibrated_values(graph: &Graph, calibration: &Calibration) -> Vec<Range> {
    ranges(graph, calibration, |node, proven| {
        let calibrated = calibration.layers.get(&graph.tensor(node.output).name);
        calibrated.copied().unwrap_or(proven)
    })
}

/// The range of every tensor, where `layer` decides on that of a layer before its activation from
/// what follows from its inputs.
fn ranges(
    graph: &Graph,
    calibration: &Calibration,
    mut layer: impl FnMut(&Node, Range) -> Range,
) -> Vec<Range> {
    let mut values = vec![Range { lo: 0.0, hi: 0.0 }; graph.tensors.len()];
    for &id in &graph.inputs {
        if let Some(input) = calibration.inputs.get(&graph.tensor(id).name) {
            values[id.0] = input.range;
        }
    }
    for node in &graph.nodes {
        let form = node.op.form();
        let range = form.range(&values);
        values[node.output.0] = match form.activation() {
            Some(activation) => image(activation, layer(node, range)),
            None => range,
        };
    }
    values
}

fn image(activation: Activation, range: Range) -> Range {
    let (lo, hi) = activation.image(range.lo, range.hi);
    Range { lo, hi }
}
