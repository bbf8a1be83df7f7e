//! Every layer of one run beside its float form.

use serde::Serialize;

use super::runs::{Runs, max_error, real, real_count, share};
use crate::activation::Activation;
use crate::calibration::intervals::calibrated_values;
use crate::graph::{Node, Op};
use crate::quantize::roles::roles;
use crate::quantized::Requant;
use crate::quantizer::form::Role;

/// One layer of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerComparison {
    /// The name of its ONNX node.
    pub layer: String,
    /// The name of the tensor that it gives.
    pub tensor: String,
    /// Elements of that tensor.
    pub elements: usize,
    /// Elements that requantization clamped, be it as the activation does or for want of room.
    pub clamped: usize,
    /// Clamped elements that are further than one unit from what the activation gives.
    pub saturated: usize,
    /// The largest difference to the float layer, with all that earlier layers contribute.
    pub max_error: f64,
    /// That difference as a share of the largest value that calibration expects of the layer.
    pub error_share: f64,
}

impl LayerComparison {
    /// The share of the elements that saturated.
    #[must_use]
    pub fn saturated_share(&self) -> f64 {
        share(real_count(self.saturated), real_count(self.elements))
    }
}

pub(super) fn compare(runs: &Runs<'_>) -> Vec<LayerComparison> {
    let graph = runs.forms.graph;
    let spans = calibrated_values(graph, runs.forms.calibration);
    let roles = roles(graph);
    let computes = |(_, node): &(usize, &Node)| !matches!(node.op, Op::Alias(_));
    let layers = graph.nodes().iter().enumerate().filter(computes);
    layers
        .map(|(position, node)| {
            let id = node.output;
            let (clamped, saturated) = saturation(runs, position, node, roles[id.0]);
            let max_error = max_error(&runs.dequantized(id), &runs.trace.values[id.0]);
            LayerComparison {
                layer: node.name.clone(),
                tensor: graph.tensor(id).name.clone(),
                elements: graph.tensor(id).len(),
                clamped,
                saturated,
                max_error,
                error_share: share(max_error, spans[id.0].magnitude()),
            }
        })
        .collect()
}

/// How many elements the layer at `position` clamps, and how many of them that changes. The lower
/// end of an argument is where no probability is left, so nothing is lost there.
fn saturation(runs: &Runs<'_>, position: usize, node: &Node, role: Role) -> (usize, usize) {
    let is_argument = matches!(role, Role::Argument { .. });
    let requant = runs.forms.quantized.nodes[position].op.requant();
    let accumulators = runs.execution.accumulators[position].as_ref();
    let (Some(requant), Some(activation), Some(accumulators)) =
        (requant, node.op.form().activation(), accumulators)
    else {
        return (0, 0);
    };
    let unit = runs.forms.quantized.tensors[node.output.0].scale;
    let mut counts = (0, 0);
    for &accumulator in accumulators {
        let z = requant.round(accumulator);
        let kept = z.clamp(requant.lo.into(), requant.hi.into());
        if z != kept {
            counts.0 += 1;
            let is_lost =
                !(is_argument && z < kept) && is_lost(requant, activation, [z, kept], unit);
            counts.1 += usize::from(is_lost);
        }
    }
    counts
}

/// Whether clamping `z` to `kept` changes the layer's value by more than one unit of its output.
fn is_lost(requant: &Requant, activation: Activation, [z, kept]: [i64; 2], unit: f64) -> bool {
    let value = |z: i64| real(z - requant.zero) * requant.scale;
    let exact = activation.apply(value(z));
    let given = match &requant.table {
        Some(_) => activation.apply(value(kept)),
        None => value(kept),
    };
    let error = (exact - given).abs();
    // Not finite is lost, too.
    error.is_nan() || error > unit
}
