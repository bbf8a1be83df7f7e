//! What a user may choose.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::QuantizeError;

/// How a model is quantized; part of what the verifying key commits to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuantizeOptions {
    /// Bits of each value between layers, 2 to 16.
    pub activation_bits: u32,
    /// Bits of each model input, 2 to 16; `None` takes 8 for inputs that lie on a grid of at
    /// most 255 steps, as pixels do, and 12 for others.
    pub input_bits: Option<u32>,
    /// Binary digits that every requantization drops, 8 to 24: the precision of the weights; `None`
    /// takes the fewest, of 10 to 16, at which rounded weights do not show in the outputs.
    pub shift: Option<u32>,
    /// Bits of the argument of activations that need a table, 2 to 12; `None` takes 10, and 12
    /// where activations have more than 11 bits.
    pub table_bits: Option<u32>,
    /// Fractional bits of softmax outputs, 1 to 15.
    pub softmax_bits: u32,
    /// Layers with options of their own, by the name of the tensor that they give.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub layers: BTreeMap<String, LayerOptions>,
}

/// What a layer has of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerOptions {
    /// Bits of its values, 2 to 16, where other layers read them.
    pub activation_bits: u32,
}

impl Default for QuantizeOptions {
    fn default() -> Self {
        Self {
            activation_bits: 8,
            input_bits: None,
            shift: None,
            table_bits: None,
            softmax_bits: 12,
            layers: BTreeMap::new(),
        }
    }
}

impl QuantizeOptions {
    /// Refuses values out of range, and options of layers that the model does not have:
    /// `is_layer` knows the tensors that its layers give.
    pub(crate) fn check(&self, is_layer: impl Fn(&str) -> bool) -> Result<(), QuantizeError> {
        for (layer, options) in &self.layers {
            if !is_layer(layer) {
                return Err(QuantizeError::UnknownLayer { layer: layer.clone() });
            }
            within("activation_bits of a layer", options.activation_bits, 2, 16)?;
        }
        let most = self.layers.values().map(|layer| layer.activation_bits);
        let most = most.fold(self.activation_bits, u32::max);
        let largest_table = if most > 11 { 12 } else { 11 };
        within("activation_bits", self.activation_bits, 2, 16)?;
        within("input_bits", self.input_bits.unwrap_or(8), 2, 16)?;
        within("shift", self.shift.unwrap_or(16), 8, 24)?;
        within("table_bits", self.table_bits(most), 2, largest_table)?;
        within("softmax_bits", self.softmax_bits, 1, 15)
    }

    /// Bits of the values of the layer that gives the tensor of this name.
    #[must_use]
    pub fn bits_of(&self, layer: &str) -> u32 {
        self.layers.get(layer).map_or(self.activation_bits, |layer| layer.activation_bits)
    }

    /// Bits of a table's argument in a layer of so many bits.
    pub(super) fn table_bits(&self, bits: u32) -> u32 {
        self.table_bits.unwrap_or(if bits > 11 { 12 } else { 10 })
    }
}

fn within(option: &'static str, got: u32, min: u32, max: u32) -> Result<(), QuantizeError> {
    if (min..=max).contains(&got) {
        return Ok(());
    }
    Err(QuantizeError::Option { option, got, min, max })
}
