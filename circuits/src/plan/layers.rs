//! What each layer of a plan takes.

use zkinfer_models::quantized::TensorId;

use super::CircuitPlan;

/// The rows of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRows {
    /// The name of its ONNX node.
    pub layer: String,
    /// The tensor that it gives, whose name no other layer shares.
    pub tensor: String,
    /// Rows of requantized values.
    pub slots: usize,
    /// Rows of reads and weights; the first of layers that read the same has those of all.
    pub linear: usize,
}

impl CircuitPlan {
    /// The rows of every layer with weights or products, in order. Relations have units of their own,
    /// see [`crate::UnitRows`].
    #[must_use]
    pub fn layer_rows(&self) -> Vec<LayerRows> {
        let slots = self.rows.slots.rows_by_layer();
        let mut linear = self.rows.linear.rows_by_challenge(slots.len());
        let rows = |(node, challenge, slots): (usize, u32, usize)| {
            let linear = std::mem::take(&mut linear[challenge as usize]);
            let node = &self.folded.graph().nodes[node];
            let TensorId(output) = node.output;
            let tensor = self.folded.graph().tensors[output].name.clone();
            LayerRows { layer: node.name.clone(), tensor, slots, linear }
        };
        slots.into_iter().map(rows).collect()
    }
}
