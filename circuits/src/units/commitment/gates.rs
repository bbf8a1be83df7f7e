//! The commitment unit: hidden inputs and outputs, packed and hashed.
//!
//! `packed' = more·2^bits·packed + (x − low)` in rows that pack an element: Horner's rule over the
//! digits `x − low`, which lie in `[0, 2^bits)`: committed inputs are looked up here, outputs are
//! copies of cells that are in range already. A packed element has at most 248 bits, so nothing
//! wraps and the digits can be read off it. A packed cell that follows a row that packs nothing is
//! free: the blinding of a commitment, and nothing else, is such a cell.
//!
//! The state of a Poseidon sponge moves by one step to a row. With `t` the state plus the row's
//! constants and `f = square²·t₀ = t₀⁵`, where `square = t₀²` has a cell of its own to keep the
//! degree at five, the next state is
//!
//! | row | next state |
//! |---|---|
//! | none | 0 |
//! | keep | `t` |
//! | rotate | `(t₁, t₂, f)` |
//! | full | `M·(t₁, t₂, f)` |
//! | partial | `M·(f, t₁, t₂)` |
//!
//! so rotate, rotate, full is a full round, and the packed element is added to a place of the rate
//! in rows that absorb. Every step is a function of the state before, so a prover chooses the
//! blinding and nothing else. The commitment is copied from the state to the instance.

use halo2_proofs::{halo2curves::bn256::Fr, plonk::Expression};
use zkinfer_verifier::poseidon::{Poseidon, WIDTH};

use super::columns::{CommitmentUnit, CommittedInputs, PackedColumn};
use crate::{
    algebra::{Gates, Row, integer, power_of_two, sum},
    integers::from_verifier,
};

pub(super) fn configure(unit: &CommitmentUnit, gates: &mut Gates<'_>) {
    if let Some(input) = &unit.input {
        input_is_its_limbs(input, gates);
    }
    let input = unit.input.as_ref().map(|input| input.packed);
    let packed = input.into_iter().chain(unit.output.map(|(_, packed)| packed));
    packed.for_each(|column| elements_are_packed(unit, column, gates));
    gates.create("commitment square", |row| {
        let raises = [unit.q_rotate, unit.q_full, unit.q_partial];
        let raises = sum(raises.map(|column| row.fixed(column)));
        let first = with_constant(unit, row, 0);
        [("square = t²", raises * (row.cur(unit.square) - first.clone() * first))]
    });
    hash_moves(unit, gates);
}

fn input_is_its_limbs(input: &CommittedInputs, gates: &mut Gates<'_>) {
    if input.limbs.is_empty() {
        return;
    }
    gates.create("committed input limbs", |row| {
        let value = row.limbs(&input.limbs);
        let digit = row.cur(input.packed.value) - row.fixed(input.packed.low);
        [("x − low = limbs", row.on() * (digit - value))]
    });
}

fn elements_are_packed(unit: &CommitmentUnit, column: PackedColumn, gates: &mut Gates<'_>) {
    let PackedColumn { value, q_pack, low, digit_bits } = column;
    gates.create("commitment packing", |row| {
        let so_far = row.fixed(unit.q_more) * row.cur(unit.packed) * power_of_two(digit_bits);
        let digit = row.cur(value) - row.fixed(low);
        let following = row.next(unit.packed);
        let pack = row.fixed(q_pack) * row.on();
        [("packed' = more·2^b·packed + x − low", pack * (following - so_far - digit))]
    });
}

/// An element of the state with the row's constant.
fn with_constant(unit: &CommitmentUnit, row: &mut Row<'_, '_>, place: usize) -> Expression<Fr> {
    row.cur(unit.state[place]) + row.fixed(unit.constants[place])
}

fn hash_moves(unit: &CommitmentUnit, gates: &mut Gates<'_>) {
    let matrix = Poseidon::default().matrix.map(|row| row.map(from_verifier));
    for (place, entries) in matrix.into_iter().enumerate() {
        gates.create("commitment hash", |row| {
            let t: [_; WIDTH] = std::array::from_fn(|place| with_constant(unit, row, place));
            let square = row.cur(unit.square);
            let fifth = square.clone() * square * t[0].clone();
            let rotated = [t[1].clone(), t[2].clone(), fifth.clone()];
            let raised = [fifth, t[1].clone(), t[2].clone()];
            let mixed = |state: &[Expression<Fr>; WIDTH]| {
                sum(state.iter().zip(entries).map(|(element, entry)| element.clone() * entry))
            };
            let steps = [
                (unit.q_keep, t[place].clone()),
                (unit.q_full, mixed(&rotated)),
                (unit.q_partial, mixed(&raised)),
                (unit.q_rotate, rotated[place].clone()),
            ];
            let moved = sum(steps.map(|(column, state)| row.fixed(column) * state));
            let absorbed = match place.checked_sub(1) {
                Some(place) => row.fixed(unit.q_absorb[place]) * row.cur(unit.packed),
                None => integer(0),
            };
            let following = row.next(unit.state[place]);
            [("state' = step(state)", row.on() * (following - moved - absorbed))]
        });
    }
}
