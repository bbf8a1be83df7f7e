//! Matrix products take over scaling before them, and scaling, shifts and masks after them.

use super::super::{Affine, Contract, Draft, Op};
use super::Context;
use super::affine::{channel_of_element, is_pointwise};
use crate::activation::Activation;
use crate::tensor::TensorId;

impl Draft {
    /// A product takes over the layer that only scales and shifts its elements: the division by the
    /// root of the size of a head, the mask of an attention.
    pub(super) fn scale_product(&mut self, position: usize, context: &Context<'_>) -> bool {
        let Op::Affine(layer) = &self.nodes[position].op else { return false };
        let Some((input, scale)) = uniform_scale(layer, is_masked) else { return false };
        let Some(before) = self.behind_identities(input, context) else { return false };
        let Op::Contract(product) = &self.nodes[before].op else { return false };
        if product.activation != Activation::Identity {
            return false;
        }
        let channels = channel_of_element(&layer.output);
        let biases = channels.into_iter().enumerate().map(|(element, channel)| {
            scale * product.bias.get(element).copied().unwrap_or(0.0) + layer.bias[channel]
        });
        let bias: Vec<f64> = biases.collect();
        let merged = Contract {
            scale: scale * product.scale,
            bias: if bias.iter().all(|&bias| bias == 0.0) { Vec::new() } else { bias },
            activation: layer.activation,
            ..product.clone()
        };
        self.nodes[position].op = Op::Contract(merged);
        self.nodes.remove(before);
        true
    }

    /// A product takes over the scaling of a factor.
    pub(super) fn scale_factor(&mut self, position: usize, context: &Context<'_>) -> bool {
        let Op::Contract(product) = &self.nodes[position].op else { return false };
        let factors = [product.a, product.b];
        if product.a == product.b {
            return false;
        }
        let found = factors.into_iter().find_map(|factor| {
            let mut producer = context.sole_producer(factor)?;
            let mut reader = position;
            if let Op::Alias(alias) = &self.nodes[producer].op {
                (reader, producer) = (producer, context.sole_producer(alias.input)?);
            }
            let Op::Affine(layer) = &self.nodes[producer].op else { return None };
            let is_scaling = layer.activation == Activation::Identity
                && layer.bias.iter().all(|&bias| bias == 0.0);
            let (input, scale) = uniform_scale(layer, |_, _| false).filter(|_| is_scaling)?;
            Some((reader, producer, input, scale))
        });
        let Some((reader, producer, input, scale)) = found else { return false };
        let scaled = self.nodes[producer].output;
        for read in self.nodes[reader].op.inputs_mut() {
            if *read == scaled {
                *read = input;
            }
        }
        if let Op::Contract(product) = &mut self.nodes[position].op {
            product.scale *= scale;
        }
        self.nodes.remove(producer);
        true
    }
}

/// A bias beside which single precision forgets what it is added to.
const MASK: f64 = -1e9;

/// Whether a channel is replaced by a mask: to add the mask to it comes to the same.
fn is_masked(weight: f64, bias: f64) -> bool {
    weight == 0.0 && bias <= MASK
}

/// What a layer multiplies every element of its one input with, where it is that and a shift; but
/// for the channels whose weight and bias are `excepted`.
fn uniform_scale(layer: &Affine, excepted: impl Fn(f64, f64) -> bool) -> Option<(TensorId, f64)> {
    let [term] = &layer.terms[..] else { return None };
    let scale = term.kernel.iter().copied().find(|&weight| weight != 0.0)?;
    let is_uniform = is_pointwise(term, &layer.output)
        && term
            .kernel
            .iter()
            .zip(&layer.bias)
            .all(|(&weight, &bias)| weight == scale || excepted(weight, bias));
    is_uniform.then_some((term.input, scale))
}
