//! The linear unit: every linear layer as one identity between evaluations.
//!
//! With `w(o, p, q) = d · B^digit(o) · α^pack(o) · σ^p · ρ^q` the weight of an output (`d` the
//! layer's challenge, `B` a constant),
//!
//! ```text
//! Σ_outputs w·(y − bias) = Σ_channels Σ_taps E · V
//! ```
//!
//! where `E` is the window of an input channel that a tap of the kernel sees, evaluated at
//! (σ, ρ), and `V = Σ_k α^k · Σ_digits B^digit · weight` one row of fixed cells, each the weights
//! of a pack of channels. Both sides are polynomials in the challenges, which are drawn after
//! every tensor is committed; they are equal as polynomials exactly when every output is the
//! layer's accumulator, since the errors of a pack are digits below `B` ([`crate::plan::Packing`];
//! by induction over the layers: the first wrong one has right inputs). Schwartz–Zippel: they are
//! equal at the challenges otherwise with probability at most the degree, which is below the
//! number of outputs, over the field's 2^254. All integers are below 2^62.
//!
//! Where some layers' slots are maxima of windows, both sides of all other layers have a factor `μ`
//! ([`slots::accumulators`]).
//!
//! The chain `e` reads and moves: `den·(e' − d·(R + one)) = num·e`, with `R = Σ ρ^lane·x` for
//! lanes side by side and `Σ σ^lane·x` for lanes below each other. From one tap to the next the
//! window slides: what leaves is read with `−d`, what enters with `d`.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, Expression, VirtualCells},
};

use super::{chain_move, cur, fixed, horner, next, position_weights, power_of_two, slots, sum};
use crate::config::Config;

pub(super) fn configure(meta: &mut ConstraintSystem<Fr>, config: &Config) {
    let (linear, chain) = (&config.linear, &config.linear.chain);
    meta.create_gate("linear evaluations", |meta| {
        let on = fixed(meta, config.q_on);
        let scales = layer_scales(meta, config);
        let step = chain_move(meta, config, (chain, &config.shape.linear_steps), &scales);
        let (current, following) = (cur(meta, chain.weight), next(meta, chain.weight));
        let read = match linear.q_one {
            Some(q_one) => reading(meta, config) + fixed(meta, q_one),
            None => reading(meta, config),
        };
        let injected = step.layer * read;
        let identity = step.denominator * (following - injected) - step.numerator * current;
        [("den·(e' − layer·read) = num·e", on * identity)]
    });
}

/// `μ = Σ_t μ_t` for layers without windows, in a circuit that has some: the slot unit has this
/// factor in all rows.
fn layer_scales(meta: &mut VirtualCells<'_, Fr>, config: &Config) -> Vec<Option<Expression<Fr>>> {
    let whole = config.slots.q_window.map(|_| sum(position_weights(meta, config)));
    let windowed = config.shape.windowed.iter();
    windowed.map(|&windowed| if windowed { None } else { whole.clone() }).collect()
}

/// What a row adds to the left side of the identity less what it adds to the right.
pub(super) fn difference(meta: &mut VirtualCells<'_, Fr>, config: &Config) -> Expression<Fr> {
    let outputs = cur(meta, config.slots.chain.weight) * slots::accumulators(meta, config);
    let inputs = cur(meta, config.linear.chain.weight) * weighed(meta, config);
    outputs - inputs
}

/// `Σ_lanes ρ^lane · x`, with σ instead of ρ in rows whose lanes lie below each other.
fn reading(meta: &mut VirtualCells<'_, Fr>, config: &Config) -> Expression<Fr> {
    let [row, column] = config.position.map(|challenge| meta.query_challenge(challenge));
    let lanes: Vec<_> = config.linear.reads.iter().map(|&column| cur(meta, column)).collect();
    let horizontal = horner(lanes.clone(), &column);
    match config.linear.q_vertical {
        Some(q_vertical) => {
            let vertical = horner(lanes, &row);
            horizontal.clone() + fixed(meta, q_vertical) * (vertical - horizontal)
        }
        None => horizontal,
    }
}

/// What `e` weighs in this row: fixed weights and products of neighbouring lanes.
fn weighed(meta: &mut VirtualCells<'_, Fr>, config: &Config) -> Expression<Fr> {
    let linear = &config.linear;
    let alpha = meta.query_challenge(config.challenges.channel);
    let weights = linear.weights.iter().map(|&column| fixed(meta, column)).collect();
    let total = horner(weights, &alpha);
    let Some(q_product) = linear.q_product else { return total };
    let pairs = linear.reads.as_chunks::<2>().0;
    let products = pairs.iter().map(|&[a, b]| cur(meta, a) * cur(meta, b)).collect();
    let base = power_of_two(config.shape.packing.digit_bits);
    total + fixed(meta, q_product) * horner(products, &base)
}
