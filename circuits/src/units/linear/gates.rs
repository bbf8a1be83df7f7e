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
//! layer's accumulator, since the errors of a pack are digits below `B` (the packing of slots;
//! by induction over the layers, or over the steps that are positions of one: the first wrong one has
//! right inputs). Schwartz–Zippel: they are
//! equal at the challenges otherwise with probability at most the degree, which is below the
//! number of outputs, over the field's 2^254. All integers are below 2^62.
//!
//! Where some layers' slots are maxima of windows, both sides of all other layers have a factor `μ`
//! (the gates of slots).
//!
//! The inputs of a dense layer, which have one position each, need no evaluation: their rows hold
//! several, each beside its share of the weights, and add `d·α^k·Σ_i x_i·V^i`. There `e` is the weight
//! `d·α^k` alone.
//!
//! The chain `e` reads and moves: `den·(e' − d·(R + one)) = num·e`, with `R = m·Σ ρ^lane·x` for
//! lanes side by side and `m·Σ σ^lane·x` for lanes below each other, `m` the monomial of the first
//! lane's place. From one tap to the next the window slides: what leaves is read with `−d`, what
//! enters with `d`.

use halo2_proofs::{halo2curves::bn256::Fr, plonk::Expression};

use super::columns::{Dense, LinearUnit, Places, Reading};
use crate::{
    algebra::{Gates, Row, horner, integer, power_of_two, sum},
    chain::Monomial,
    integers::int,
    units::slots::position_weights,
};

pub(super) fn configure(unit: &LinearUnit, gates: &mut Gates<'_>) {
    let chain = &unit.chain;
    gates.create("linear evaluations", |row| {
        // `μ = Σ_t μ_t` for layers without windows, in a circuit that has some: the slot unit has
        // this factor in all rows.
        let lattice = row.lattice();
        let whole = unit.is_scaled.contains(&true).then(|| sum(position_weights(&lattice)));
        let step = chain.step(row, |layer, challenge| match &whole {
            Some(whole) if unit.is_scaled[layer] => challenge * whole.clone(),
            _ => challenge,
        });
        let (current, following) = (row.cur(chain.weight), row.next(chain.weight));
        let read = in_place_or_copied(unit, row);
        let read = match unit.q_one {
            Some(q_one) => read + row.fixed(q_one),
            None => read,
        };
        let injected = step.layer * read;
        let identity = step.denominator * (following - injected) - step.numerator * current;
        [("den·(e' − layer·read) = num·e", identity)]
    });
}

/// What a row reads: `Σ ρ^lane · q` over the outputs of its slots in rows that say so, else its lanes.
fn in_place_or_copied(unit: &LinearUnit, row: &mut Row<'_, '_>) -> Expression<Fr> {
    let copied = reading(unit, row);
    let Some(Places { selector, outputs }) = &unit.places else { return copied };
    let outputs: Vec<_> = outputs.iter().map(|&output| row.cur(output)).collect();
    let here = horner(outputs, &row.lattice().column);
    copied.clone() + row.fixed(*selector) * (here - copied)
}

/// `m · Σ_lanes ρ^lane · x`, with σ instead of ρ in rows whose lanes lie below each other; `m` is 1
/// in rows that select no reading.
fn reading(unit: &LinearUnit, row: &mut Row<'_, '_>) -> Expression<Fr> {
    let lattice = row.lattice();
    let lanes: Vec<_> = unit.reads.iter().map(|read| row.cur(read.column())).collect();
    let beside = horner(lanes.clone(), &lattice.column);
    if unit.readings.is_empty() {
        return beside;
    }
    let below = horner(lanes, &lattice.row);
    let (mut of_beside, mut of_below) = (vec![integer(1)], Vec::new());
    for &(Reading { offset, vertical }, selector) in &unit.readings {
        let (selector, offset) = (row.fixed(selector), offset.expression(&lattice));
        if vertical {
            of_beside.push(-selector.clone());
            of_below.push(selector * offset);
        } else {
            of_beside.push(selector * (offset - integer(1)));
        }
    }
    let beside = beside * sum(of_beside);
    if of_below.is_empty() { beside } else { beside + below * sum(of_below) }
}

/// What `e` weighs in this row: fixed weights, inputs of a dense layer with theirs, or products of
/// neighbouring lanes, pack after pack: `Σ_packs α^pack · Σ_digits B^digit · a·b`.
pub(super) fn weighed(unit: &LinearUnit, row: &mut Row<'_, '_>) -> Expression<Fr> {
    let total = match unit.dense {
        Some(dense) => with_dense(unit, dense, row),
        None => {
            let weights = unit.weights.iter().map(|&column| row.fixed(column)).collect();
            horner(weights, &row.lattice().channel)
        }
    };
    let Some(q_product) = unit.q_product else { return total };
    let pairs = unit.reads.as_chunks::<2>().0;
    let products = pairs.iter().map(|&[a, b]| row.cur(a.column()) * row.cur(b.column()));
    let products: Vec<_> = products.collect();
    let base = power_of_two(unit.digit_bits);
    let packs = products.chunks(unit.pack_size).map(|pack| horner(pack.to_vec(), &base)).collect();
    total + row.fixed(q_product) * horner(packs, &row.lattice().channel)
}

/// `Σ_k α^k·V_k`, or in rows of dense layers `Σ_i x_i·V^i`: the columns of weights are dealt to the
/// inputs in equal shares, `V^i = Σ_k α^k·V_(i·share + k)`.
fn with_dense(unit: &LinearUnit, dense: Dense, row: &mut Row<'_, '_>) -> Expression<Fr> {
    let lattice = row.lattice();
    let share = unit.share(dense.inputs);
    let weights: Vec<_> = unit.weights.iter().map(|&column| row.fixed(column)).collect();
    let shares: Vec<_> =
        weights.chunks(share).map(|share| horner(share.to_vec(), &lattice.channel)).collect();
    let inputs = unit.reads[..dense.inputs].iter().zip(shares.clone());
    let of_inputs = sum(inputs.map(|(read, share)| row.cur(read.column()) * share));
    let Some(selector) = dense.selector else { return of_inputs };
    let step = Monomial::new(int(share), 0, 0).expression(&lattice);
    let whole = horner(shares, &step);
    whole.clone() + row.fixed(selector) * (of_inputs - whole)
}
