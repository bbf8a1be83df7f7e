//! The hash unit: hidden inputs and outputs, packed and hashed.
//!
//! `packed' = more·2^bits·packed + (x − low)` in rows of a track that pack an element: Horner's rule
//! over the digits `x − low`, which lie in `[0, 2^bits)`: committed inputs are looked up here,
//! outputs are copies of cells that are in range already. A row that packs `d` elements has `2^(d·bits)`
//! there, and digit `j` from the last with `2^(j·bits)`; where a row goes on it has all `d`. A packed element has at most 248 bits, so
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
//! | partial, rest | partial rounds, linear in `f₀ = squares₀²·t₀`, `f_i = squares_i²·raised_i`, `t₁`, `t₂` |
//!
//! and `raised_i` is linear in the powers before it. Every square has a cell of its own to keep the
//! degree at five. A packed element is added to a place of the rate in rows that absorb. Every step
//! is a function of the state before, so a prover chooses what is free and nothing else. What the
//! instance shows is copied from the state: commitments, or the root of several claims.

use std::iter;

use halo2_proofs::{halo2curves::bn256::Fr, plonk::Expression};
use zkinfer_verifier::poseidon::WIDTH;

use super::{
    columns::{HashUnit, Lane, TrackCells, TrackRows},
    permutation::{self, Permutation, Rounds},
    rows::{Absorbs, Side},
};
use crate::{
    algebra::{Gates, Row, integer, power_of_two, sum},
    integers::{index, int},
};

pub(super) fn configure(unit: &HashUnit, gates: &mut Gates<'_>) {
    let permutation = Permutation::new(unit.widths.rounds);
    for (number, lane) in unit.lanes.iter().enumerate() {
        for (rows, cells) in unit.tracks.iter().zip(&lane.tracks) {
            inputs_are_their_limbs(rows, cells, gates);
            for side in [Side::Input, Side::Output] {
                elements_are_packed(rows, cells, side, gates);
            }
        }
        powers(unit, lane, &permutation, gates);
        hash_moves(unit, (number, lane), &permutation, gates);
    }
}

fn inputs_are_their_limbs(rows: &TrackRows, cells: &TrackCells, gates: &mut Gates<'_>) {
    for (packing, (value, limbs)) in rows.inputs.iter().zip(&cells.inputs) {
        if limbs.is_empty() {
            continue;
        }
        gates.create("committed input limbs", |row| {
            let sum = row.limbs(limbs);
            let digit = row.cur(*value) - row.fixed(packing.low);
            [("x − low = limbs", row.on() * (digit - sum))]
        });
    }
}

fn elements_are_packed(rows: &TrackRows, cells: &TrackCells, side: Side, gates: &mut Gates<'_>) {
    let values = cells.values(side);
    let Some((packings, last)) = rows.packings(side).split_first().zip(values.first()) else {
        return;
    };
    let (packing, before) = packings;
    gates.create("commitment packing", |row| {
        let bits = |digits: usize| power_of_two(packing.digit_bits * index(digits));
        let so_far = row.fixed(rows.q_more) * row.cur(cells.packed);
        let so_far = so_far * bits(values.len());
        let digit = row.cur(*last) - row.fixed(packing.low);
        let before = before.iter().zip(&values[1..]).enumerate();
        let digit = before.fold(digit, |digits, (at, (packing, &value))| {
            let digit = row.cur(value) - row.fixed(packing.low);
            digits + row.fixed(packing.q_pack) * digit * bits(at + 1)
        });
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
fn weighted(weights: &[Fr], terms: &[Expression<Fr>]) -> Expression<Fr> {
    sum(weights.iter().zip(terms).map(|(&weight, term)| term.clone() * weight))
}

/// What so many partial rounds are linear in: their powers, then the elements that they do not raise.
fn partial_terms(
    lane: &Lane,
    rounds: usize,
    [first, second, third]: [Expression<Fr>; WIDTH],
    row: &mut Row<'_, '_>,
) -> Vec<Expression<Fr>> {
    let raised: Vec<_> = lane.raised.iter().take(rounds - 1).map(|&c| row.cur(c)).collect();
    let squares = lane.squares.iter().take(rounds).map(|&column| row.cur(column));
    let powers = squares.zip(iter::once(first).chain(raised)).map(|(s, x)| s.clone() * s * x);
    powers.chain([second, third]).collect()
}

/// The selectors of rows with more than so many partial rounds.
fn partial_rows(unit: &HashUnit, rounds: usize, row: &mut Row<'_, '_>) -> Expression<Fr> {
    let q_partial = row.fixed(unit.q_partial);
    let q_rest = unit.q_rest.filter(|_| permutation::rest(unit.widths.rounds) > rounds);
    match q_rest {
        Some(q_rest) => q_partial + row.fixed(q_rest),
        None => q_partial,
    }
}

/// Names of what is about each square of a row.
const SQUARES: [&str; 6] = [
    "first square",
    "second square",
    "third square",
    "fourth square",
    "fifth square",
    "sixth square",
];
/// Names of what is about each partial round after the first.
const ROUNDS: [&str; 5] =
    ["second round", "third round", "fourth round", "fifth round", "sixth round"];

/// Squares, and what partial rounds after the first raise.
fn powers(unit: &HashUnit, lane: &Lane, permutation: &Permutation, gates: &mut Gates<'_>) {
    let Rounds { raised: partial, .. } = permutation.partial();
    gates.create("commitment square", |row| {
        let state = with_constants(unit, lane, row);
        let q_full = row.fixed(unit.q_full);
        let rounds: Vec<_> =
            (0..unit.widths.rounds).map(|at| partial_rows(unit, at, row)).collect();
        let squares: Vec<_> = lane.squares.iter().map(|&column| row.cur(column)).collect();
        let raised: Vec<_> = lane.raised.iter().map(|&column| row.cur(column)).collect();
        let is =
            |square: &Expression<Fr>, of: &Expression<Fr>| square.clone() - of.clone() * of.clone();
        // The first round of a row raises the first element of the state, whatever its rounds.
        let raises = q_full.clone() + rounds[0].clone();
        let first = raises * is(&squares[0], &state[0]);
        let further = squares.iter().enumerate().skip(1).map(|(at, square)| {
            let of_full = state.get(at).map(|of| q_full.clone() * is(square, of));
            let raised = rounds.get(at).zip(raised.get(at - 1));
            let of_partial = raised.map(|(rows, of)| rows.clone() * is(square, of));
            sum(of_full.into_iter().chain(of_partial))
        });
        let all = iter::once(first).chain(further);
        SQUARES.into_iter().zip(all).collect::<Vec<_>>()
    });
    if lane.raised.is_empty() {
        return;
    }
    gates.create("commitment partial rounds", |row| {
        let state = with_constants(unit, lane, row);
        let terms = partial_terms(lane, unit.widths.rounds, state, row);
        let raised = ROUNDS.into_iter().zip(&lane.raised).enumerate();
        let raised = raised.map(|(at, (name, &column))| {
            let rows = partial_rows(unit, at + 1, row);
            let constant = row.fixed(unit.constants[WIDTH + at]);
            let raised = row.cur(column);
            (name, rows * (raised - weighted(&partial[at], &terms) - constant))
        });
        raised.collect::<Vec<_>>()
    });
}

fn hash_moves(
    unit: &HashUnit,
    (number, lane): (usize, &Lane),
    permutation: &Permutation,
    gates: &mut Gates<'_>,
) {
    let (full, partial) = (permutation.full(), permutation.partial());
    let rest = unit.q_rest.zip(permutation.rest());
    for place in 0..WIDTH {
        gates.create("commitment hash", |row| {
            let t = with_constants(unit, lane, row);
            let squares: Vec<_> = lane.squares.iter().map(|&column| row.cur(column)).collect();
            let powers: [_; WIDTH] =
                std::array::from_fn(|i| squares[i].clone() * squares[i].clone() * t[i].clone());
            let after = |Rounds { next, raised }: &Rounds, row: &mut Row<'_, '_>| {
                let terms = partial_terms(lane, raised.len() + 1, t.clone(), row);
                weighted(&next[place], &terms)
            };
            let steps = [
                (unit.q_start, row.fixed(unit.constants[place])),
                (unit.q_keep, t[place].clone()),
                (unit.q_full, weighted(&full[place], &powers)),
                (unit.q_partial, after(&partial, row)),
            ];
            let rest = rest.as_ref().map(|(column, rounds)| (*column, after(rounds, row)));
            let steps = steps.into_iter().chain(rest);
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
