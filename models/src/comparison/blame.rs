//! The layer to blame: the first after which even an exact continuation goes wrong.

use serde::Serialize;

use super::inputs::InputComparison;
use super::layers::LayerComparison;
use super::runs::{Runs, real_count, share};
use crate::quantized::TensorId;

/// Where an error comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Blame {
    /// The ONNX node of the layer; `None` for the inputs.
    pub layer: Option<String>,
    /// What goes wrong there.
    pub cause: Cause,
}

/// What goes wrong in a layer, or in the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// Inputs lie beyond what the key's integers hold.
    InputsClamped {
        /// The share of all input elements.
        share: f64,
    },
    /// Inputs are not on the grid that calibration found.
    InputsMoved {
        /// The share of all input elements.
        share: f64,
    },
    /// The inputs' integers are too coarse.
    InputsCoarse,
    /// Values are beyond what calibration saw, and cut off.
    Saturated {
        /// The share of the layer's elements.
        share: f64,
    },
    /// The layer's integers are too coarse.
    Coarse,
}

impl Cause {
    /// What a user can do about it.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::InputsClamped { .. } | Self::Saturated { .. } => {
                "make the key from samples that cover inputs like this one"
            }
            Self::InputsMoved { .. } => "make the key from real samples in place of this grid",
            Self::InputsCoarse => "take more input bits, or features of like size",
            Self::Coarse => "take more activation bits, or more and better samples",
        }
    }
}

impl std::fmt::Display for Blame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = |share: f64| format!("{:.3} %", 100.0 * share);
        match &self.layer {
            Some(layer) => write!(f, "it begins in layer `{layer}`, ")?,
            None => write!(f, "it begins with the inputs, ")?,
        }
        match self.cause {
            Cause::InputsClamped { share } => {
                write!(f, "of which {} are beyond the range of the key", percent(share))
            }
            Cause::InputsMoved { share } => {
                write!(f, "of which {} are off the grid of the calibration", percent(share))
            }
            Cause::InputsCoarse | Cause::Coarse => write!(f, "whose integers are too coarse"),
            Cause::Saturated { share } => {
                write!(f, "where {} of the values are beyond what calibration saw", percent(share))
            }
        }
    }
}

/// The blame for what `is_wrong` says of an output's values.
///
/// Integers up to some node, real numbers from there on: with no integers all is well, with all of
/// them it is not, so it turns somewhere. A binary search finds a node at which it does.
pub(super) fn find(
    runs: &Runs<'_>,
    inputs: &[InputComparison],
    layers: &[LayerComparison],
    output: TensorId,
    is_wrong: impl Fn(&[f64]) -> bool,
) -> Blame {
    let goes_wrong = |integer_nodes: usize| is_wrong(&hybrid(runs, integer_nodes, output));
    if goes_wrong(0) {
        return Blame { layer: None, cause: input_cause(inputs) };
    }
    let (mut well, mut wrong) = (0, runs.forms.graph.nodes.len());
    while wrong - well > 1 {
        let middle = usize::midpoint(well, wrong);
        if goes_wrong(middle) {
            wrong = middle;
        } else {
            well = middle;
        }
    }
    let node = &runs.forms.graph.nodes[wrong - 1];
    let tensor = &runs.forms.graph.tensor(node.output).name;
    let layer = layers.iter().find(|layer| layer.tensor == *tensor);
    let saturated = layer.map_or(0.0, LayerComparison::saturated_share);
    let cause = if saturated > 0.0 { Cause::Saturated { share: saturated } } else { Cause::Coarse };
    Blame { layer: Some(node.name.clone()), cause }
}

/// The values of `output` where the first `integer_nodes` nodes are run in integers.
fn hybrid(runs: &Runs<'_>, integer_nodes: usize, output: TensorId) -> Vec<f64> {
    let graph = runs.forms.graph;
    let mut values = vec![Vec::new(); graph.tensors.len()];
    let done = graph.nodes[..integer_nodes].iter().map(|node| node.output);
    for id in graph.inputs.iter().copied().chain(done) {
        values[id.0] = runs.dequantized(id);
    }
    graph.run_from(integer_nodes, &mut values);
    values.swap_remove(output.0)
}

fn input_cause(inputs: &[InputComparison]) -> Cause {
    let sum = |of: fn(&InputComparison) -> usize| real_count(inputs.iter().map(of).sum());
    let elements = sum(|input| input.elements);
    let clamped = share(sum(|input| input.clamped), elements);
    let moved = share(sum(|input| input.moved), elements);
    if clamped > 0.0 {
        Cause::InputsClamped { share: clamped }
    } else if moved > 0.0 {
        Cause::InputsMoved { share: moved }
    } else {
        Cause::InputsCoarse
    }
}
