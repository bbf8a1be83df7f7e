//! The hash unit: hidden inputs and outputs, packed and hashed.
//!
//! `packed' = more·2^bits·packed + (x − low)` in rows of a track that pack an element: Horner's rule
//! over the digits `x − low`, which lie in `[0, 2^bits)`: committed inputs are looked up here,
//! outputs are copies of cells that are in range already. A packed element has at most 248 bits, so
//! nothing wraps and the digits can be read off it. A packed cell that follows a row that packs
//! nothing is free, or a copy of a digest: the blindings, and where several claims are joined the
//! binding of each, are free, and nothing else.
//!
//! The state of a Poseidon sponge moves by one step to a row. With `t` the state plus the row's
//! constants, the next state is
//!
//! | row | next state |
//! |---|---|
//! | none | 0 |
//! | start | the constants, and the lane's number where a leaf starts |
//! | keep | `t` |
//! | full | `M·(f₀, f₁, f₂)`, `f_i = squares_i²·t_i = t_i⁵` |
//! | partial | three partial rounds, linear in `f₀ = squares₀²·t₀`, `f_i = squares_i²·raised_i`, `t₁`, `t₂` |
//!
//! and `raised_i` is linear in the powers before it. Every square has a cell of its own to keep the
//! degree at five. A packed element is added to a place of the rate in rows that absorb. Every step
//! is a function of the state before, so a prover chooses what is free and nothing else. What the
//! instance shows is copied from the state: commitments, or the root of several claims.

use halo2_proofs::{halo2curves::bn256::Fr, plonk::Expression};
use zkinfer_verifier::poseidon::WIDTH;

use super::{
    columns::{HashUnit, Lane, TrackCells, TrackRows},
    permutation::{FUSED, Permutation},
    rows::{Absorbs, Side},
};
use crate::{
    algebra::{Gates, Row, integer, power_of_two, sum},
    integers::int,
};

pub(super) fn configure(unit: &HashUnit, gates: &mut Gates<'_>) {
    let permutation = Permutation::default();
    for (number, lane) in unit.lanes.iter().enumerate() {
        for (rows, cells) in unit.tracks.iter().zip(&lane.tracks) {
            input_is_its_limbs(rows, cells, gates);
            for side in [Side::Input, Side::Output] {
                elements_are_packed(rows, cells, side, gates);
            }
        }
        powers(unit, lane, &permutation, gates);
        hash_moves(unit, (number, lane), &permutation, gates);
    }
}

fn input_is_its_limbs(rows: &TrackRows, cells: &TrackCells, gates: &mut Gates<'_>) {
    let Some((packing, (value, limbs))) = rows.input.as_ref().zip(cells.input.as_ref()) else {
        return;
    };
    if limbs.is_empty() {
        return;
    }
    gates.create("committed input limbs", |row| {
        let sum = row.limbs(limbs);
        let digit = row.cur(*value) - row.fixed(packing.low);
        [("x − low = limbs", row.on() * (digit - sum))]
    });
}

fn elements_are_packed(rows: &TrackRows, cells: &TrackCells, side: Side, gates: &mut Gates<'_>) {
    let Some((packing, value)) = rows.packing(side).zip(cells.values(side)) else { return };
    gates.create("commitment packing", |row| {
        let so_far = row.fixed(rows.q_more) * row.cur(cells.packed);
        let so_far = so_far * power_of_two(packing.digit_bits);
        let digit = row.cur(value) - row.fixed(packing.low);
        let following = row.next(cells.packed);
        let pack = row.fixed(packing.q_pack) * row.on();
        [("packed' = more·2^b·packed + x − low", pack * (following - so_far - digit))]
    });
}

/// The state with the row's constants.
fn with_constants(unit: &HashUnit, lane: &Lane, row: &mut Row<'_, '_>) -> [Expression<Fr>; WIDTH] {
    std::array::from_fn(|place| row.cur(lane.state[place]) + row.fixed(unit.constants[place]))
}

/// Weights times terms.
fn weighted<const N: usize>(weights: &[Fr; N], terms: &[Expression<Fr>; N]) -> Expression<Fr> {
    sum(weights.iter().zip(terms).map(|(&weight, term)| term.clone() * weight))
}

/// What partial rounds are linear in: their powers, then the elements that they do not raise.
fn partial_terms(
    lane: &Lane,
    [first, second, third]: [Expression<Fr>; WIDTH],
    row: &mut Row<'_, '_>,
) -> [Expression<Fr>; FUSED + WIDTH - 1] {
    let square = lane.squares.map(|column| row.cur(column));
    let raised = lane.raised.map(|column| row.cur(column));
    let [a, b] = raised;
    let [p, q, r] = square;
    [p.clone() * p * first, q.clone() * q * a, r.clone() * r * b, second, third]
}

/// Squares, and what partial rounds after the first raise.
fn powers(unit: &HashUnit, lane: &Lane, permutation: &Permutation, gates: &mut Gates<'_>) {
    let partial = permutation.partial();
    gates.create("commitment square", |row| {
        let state = with_constants(unit, lane, row);
        let (q_full, q_partial) = (row.fixed(unit.q_full), row.fixed(unit.q_partial));
        let square = lane.squares.map(|column| row.cur(column));
        let [a, b, c] = state;
        let [d, e] = lane.raised.map(|column| row.cur(column));
        let is = |square: &Expression<Fr>, of: Expression<Fr>| square.clone() - of.clone() * of;
        let raises = q_full.clone() + q_partial.clone();
        let of_two = |square: &Expression<Fr>, full, partial| {
            q_full.clone() * is(square, full) + q_partial.clone() * is(square, partial)
        };
        [
            ("first square", raises * is(&square[0], a)),
            ("second square", of_two(&square[1], b, d)),
            ("third square", of_two(&square[2], c, e)),
        ]
    });
    gates.create("commitment partial rounds", |row| {
        let state = with_constants(unit, lane, row);
        let terms = partial_terms(lane, state, row);
        let q_partial = row.fixed(unit.q_partial);
        let raised = |(at, name): (usize, &'static str)| {
            let constant = row.fixed(unit.constants[WIDTH + at]);
            let raised = row.cur(lane.raised[at]);
            (name, q_partial.clone() * (raised - weighted(&partial[at], &terms) - constant))
        };
        [(0, "second round"), (1, "third round")].map(raised)
    });
}

fn hash_moves(
    unit: &HashUnit,
    (number, lane): (usize, &Lane),
    permutation: &Permutation,
    gates: &mut Gates<'_>,
) {
    let (full, partial) = (permutation.full(), permutation.partial());
    for place in 0..WIDTH {
        gates.create("commitment hash", |row| {
            let t = with_constants(unit, lane, row);
            let square = lane.squares.map(|column| row.cur(column));
            let powers: [_; WIDTH] =
                std::array::from_fn(|i| square[i].clone() * square[i].clone() * t[i].clone());
            let terms = partial_terms(lane, t.clone(), row);
            let steps = [
                (unit.q_start, row.fixed(unit.constants[place])),
                (unit.q_keep, t[place].clone()),
                (unit.q_full, weighted(&full[place], &powers)),
                (unit.q_partial, weighted(&partial[FUSED - 1 + place], &terms)),
            ];
            let moved = sum(steps.map(|(column, state)| row.fixed(column) * state));
            let added = added(unit, (number, lane), place, row);
            let following = row.next(lane.state[place]);
            [("state' = step(state)", row.on() * (following - moved - added))]
        });
    }
}

/// What is added to a place of the state besides its step.
fn added(
    unit: &HashUnit,
    (number, lane): (usize, &Lane),
    place: usize,
    row: &mut Row<'_, '_>,
) -> Expression<Fr> {
    let Some(place) = place.checked_sub(1) else { return integer(0) };
    let ways = Absorbs::ALL.into_iter().filter(|absorbs| absorbs.place() == place);
    let absorbed = ways.map(|absorbs| {
        let packed = lane.tracks[absorbs.track() as usize].packed;
        row.fixed(unit.q_absorb[absorbs as usize]) * row.cur(packed)
    });
    let absorbed = sum(absorbed.collect::<Vec<_>>());
    match unit.q_number {
        Some(column) if place == 0 && number > 0 => {
            absorbed + row.fixed(column) * integer(int(number).into())
        }
        _ => absorbed,
    }
}
