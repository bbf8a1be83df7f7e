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

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, Expression, VirtualCells},
};
use zkinfer_verifier::poseidon::{Poseidon, WIDTH};

use super::{cur, fixed, integer, limbs, next, power_of_two, sum};
use crate::{
    config::{CommitmentUnit, Config, PackedColumn},
    shape::CommitmentShape,
    witness::from_verifier,
};

pub(super) fn configure(meta: &mut ConstraintSystem<Fr>, config: &Config) {
    let (Some(unit), Some(shape)) = (&config.commitment, &config.shape.commitment) else { return };
    input_is_its_limbs(meta, config, unit, shape);
    elements_are_packed(meta, config, unit, shape);
    meta.create_gate("commitment square", |meta| {
        let raises = [unit.q_rotate, unit.q_full, unit.q_partial];
        let raises = sum(raises.map(|column| fixed(meta, column)));
        let first = with_constant(meta, unit, 0);
        [("square = t²", raises * (cur(meta, unit.square) - first.clone() * first))]
    });
    hash_moves(meta, config, unit);
}

fn input_is_its_limbs(
    meta: &mut ConstraintSystem<Fr>,
    config: &Config,
    unit: &CommitmentUnit,
    shape: &CommitmentShape,
) {
    let (Some(input), Some(digits)) = (&unit.input, &shape.input) else { return };
    if input.limbs.is_empty() {
        return;
    }
    meta.create_gate("committed input limbs", |meta| {
        let value = limbs(meta, &input.limbs, &digits.limbs);
        let digit = cur(meta, input.packed.value) - fixed(meta, input.packed.low);
        [("x − low = limbs", fixed(meta, config.q_on) * (digit - value))]
    });
}

fn elements_are_packed(
    meta: &mut ConstraintSystem<Fr>,
    config: &Config,
    unit: &CommitmentUnit,
    shape: &CommitmentShape,
) {
    let input_bits = shape.input.as_ref().map(|input| input.digit_bits);
    let input = unit.input.as_ref().map(|input| input.packed).zip(input_bits);
    let sides = input.into_iter().chain(unit.output.zip(shape.output_digit_bits));
    for (PackedColumn { value, q_pack, low }, bits) in sides {
        meta.create_gate("commitment packing", |meta| {
            let so_far = fixed(meta, unit.q_more) * cur(meta, unit.packed) * power_of_two(bits);
            let digit = cur(meta, value) - fixed(meta, low);
            let following = next(meta, unit.packed);
            let pack = fixed(meta, q_pack) * fixed(meta, config.q_on);
            [("packed' = more·2^b·packed + x − low", pack * (following - so_far - digit))]
        });
    }
}

/// An element of the state with the row's constant.
fn with_constant(
    meta: &mut VirtualCells<'_, Fr>,
    unit: &CommitmentUnit,
    place: usize,
) -> Expression<Fr> {
    cur(meta, unit.state[place]) + fixed(meta, unit.constants[place])
}

fn hash_moves(meta: &mut ConstraintSystem<Fr>, config: &Config, unit: &CommitmentUnit) {
    let matrix = Poseidon::default().matrix.map(|row| row.map(from_verifier));
    for (place, row) in matrix.into_iter().enumerate() {
        meta.create_gate("commitment hash", |meta| {
            let t: [_; WIDTH] = std::array::from_fn(|place| with_constant(meta, unit, place));
            let square = cur(meta, unit.square);
            let fifth = square.clone() * square * t[0].clone();
            let rotated = [t[1].clone(), t[2].clone(), fifth.clone()];
            let raised = [fifth, t[1].clone(), t[2].clone()];
            let mixed = |state: &[Expression<Fr>; WIDTH]| {
                sum(state.iter().zip(row).map(|(element, entry)| element.clone() * entry))
            };
            let steps = [
                (unit.q_keep, t[place].clone()),
                (unit.q_full, mixed(&rotated)),
                (unit.q_partial, mixed(&raised)),
                (unit.q_rotate, rotated[place].clone()),
            ];
            let moved = sum(steps.map(|(column, state)| fixed(meta, column) * state));
            let absorbed = match place.checked_sub(1) {
                Some(place) => fixed(meta, unit.q_absorb[place]) * cur(meta, unit.packed),
                None => integer(0),
            };
            let following = next(meta, unit.state[place]);
            [("state' = step(state)", fixed(meta, config.q_on) * (following - moved - absorbed))]
        });
    }
}
