//! Convolutions after convolutions: a layer that mixes the channels of each pixel, over one that it
//! alone reads and that has no activation, is one convolution. Separable convolutions are so written.

use super::super::{Affine, Draft, Op, Term, Window};
use super::Context;

/// Most weights that one layer may have more than the two, for each result that is left out: a result
/// has a slot with a requantization, a weight is read once.
const MOST_WEIGHTS: usize = 16;
/// How many times as many products one layer may have as the two.
const MOST_PRODUCTS: usize = 16;

impl Draft {
    /// A layer of single pixels takes over the convolution under it.
    pub(super) fn compose_convolutions(&mut self, position: usize, context: &Context<'_>) -> bool {
        let Op::Affine(outer) = &self.nodes[position].op else { return false };
        let found = (0..outer.terms.len()).find_map(|term| {
            let layer = self.layer_behind(outer.terms[term].input, context)?;
            let Op::Affine(inner) = &self.nodes[layer].op else { return None };
            Some((layer, composed(outer, term, inner)?))
        });
        let Some((layer, composed)) = found else { return false };
        self.nodes[position].op = Op::Affine(composed);
        self.nodes.remove(layer);
        true
    }
}

/// `outer` with its term at `index`, which mixes the channels of `inner`, over what `inner` reads;
/// `None` where it is another term, or would have too many weights.
fn composed(outer: &Affine, index: usize, inner: &Affine) -> Option<Affine> {
    let (mixing, [read]) = (&outer.terms[index], &inner.terms[..]) else { return None };
    if mixing.window != Window::pixel(1) || mixing.view != inner.output {
        return None;
    }
    let [height, width] = read.window.kernel_size;
    let area = height * width;
    let (outputs, between, inputs) =
        (outer.output.channels, inner.output.channels, read.view.channels);
    let groups = read.window.groups;
    let (of_group, to_group) = (inputs / groups, between / groups);
    let (weights, before) = (outputs * inputs * area, mixing.kernel.len() + read.kernel.len());
    let left_out = between * inner.output.height * inner.output.width;
    let is_worth_it = weights <= before + MOST_WEIGHTS * left_out;
    if !is_worth_it || weights > MOST_PRODUCTS * before {
        return None;
    }
    let mut kernel = vec![0.0; weights];
    let mut layer = outer.clone();
    for output in 0..outputs {
        for middle in 0..between {
            let share = mixing.kernel[output * between + middle];
            layer.bias[output] += share * inner.bias[middle];
            let from = middle * of_group * area;
            let to = (output * inputs + middle / to_group * of_group) * area;
            let taps = &read.kernel[from..from + of_group * area];
            for (sum, weight) in kernel[to..].iter_mut().zip(taps) {
                *sum += share * weight;
            }
        }
    }
    let window = Window { groups: 1, ..read.window };
    layer.terms[index] = Term { input: read.input, view: read.view.clone(), window, kernel };
    Some(layer)
}
