//! The commitment unit's witness: hidden values in the first phase, their packing and hash in the
//! second.

use halo2_proofs::halo2curves::bn256::Fr;
use zkinfer_verifier::poseidon::WIDTH;

use super::{
    columns::CommitmentUnit,
    rows::{CommitmentRows, HashStep, Side},
};
use crate::{
    cells::{FieldCells, IntegerCells, Run},
    instance::Blindings,
    integers::field,
};

fn blinding(blindings: &Blindings, side: Side) -> Fr {
    match side {
        Side::Input => blindings.input,
        Side::Output => blindings.output,
    }
}

/// Hidden inputs with their limbs, and copies of hidden outputs.
pub(super) fn assign(
    unit: &CommitmentUnit,
    rows: &CommitmentRows,
    run: Run<'_>,
    cells: &mut IntegerCells,
) {
    for side in &rows.sides {
        let elements = side.element_rows.iter().zip(&side.elements).zip(&side.lows);
        for ((&row, &source), low) in elements {
            let (row, value) = (row as usize, run.value(Some(source)));
            match (side.side, &unit.input, &unit.output) {
                (Side::Input, Some(input), _) => {
                    cells.set(input.packed.value, row, value);
                    cells.set_limbs(&input.limbs, row, value - low);
                }
                (Side::Output, _, Some((copied, _))) => {
                    cells.copy(*copied, row, value);
                }
                _ => unreachable!("a side that is committed to has its columns"),
            }
        }
    }
}

/// The packed elements and the states of the hash, computed from whatever the first phase holds.
pub(super) fn hash(
    unit: &CommitmentUnit,
    rows: &CommitmentRows,
    (advice, blindings): (&IntegerCells, &Blindings),
    cells: &mut FieldCells,
) {
    let (mut packed, mut state) = (Fr::zero(), [Fr::zero(); WIDTH]);
    for (row, step) in rows.rows.iter().enumerate() {
        if let Some(side) = rows.blinding_side(row) {
            packed = blinding(blindings, side);
        }
        if rows.binds_packed(row) {
            cells.set(unit.packed, row, packed);
        }
        if row > 0 {
            for (&column, value) in unit.state.iter().zip(state) {
                cells.set(column, row, value);
            }
        }
        let square = square(rows, row, &state);
        if rows.raises(row) {
            cells.set(unit.square, row, square);
        }
        state = next_state(rows, row, state, square, packed);
        if let Some((side, element)) = step.packs {
            let column = unit.packed_column(side).expect("what is packed has its column");
            let low = rows.low_of(side, element);
            let digit = field(advice.get(column.value, row) - low);
            let base = Fr::from(1 << column.digit_bits);
            let so_far = if step.more { packed * base } else { Fr::zero() };
            packed = so_far + digit;
        }
    }
}

/// The state's elements with the row's constants.
fn with_constants(rows: &CommitmentRows, row: usize, state: &[Fr; WIDTH]) -> [Fr; WIDTH] {
    match rows.rows[row].constants {
        Some(index) => std::array::from_fn(|i| state[i] + rows.constants[index as usize][i]),
        None => *state,
    }
}

fn square(rows: &CommitmentRows, row: usize, state: &[Fr; WIDTH]) -> Fr {
    let [first, ..] = with_constants(rows, row, state);
    first * first
}

fn next_state(
    rows: &CommitmentRows,
    row: usize,
    state: [Fr; WIDTH],
    square: Fr,
    packed: Fr,
) -> [Fr; WIDTH] {
    let [first, second, third] = with_constants(rows, row, &state);
    let fifth = square * square * first;
    let mixed = |[a, b, c]: [Fr; WIDTH]| rows.matrix.map(|[x, y, z]| x * a + y * b + z * c);
    let mut state = match rows.rows[row].step {
        HashStep::Clear => [Fr::zero(); WIDTH],
        HashStep::Keep => [first, second, third],
        HashStep::Rotate => [second, third, fifth],
        HashStep::Full => mixed([second, third, fifth]),
        HashStep::Partial => mixed([fifth, second, third]),
    };
    if let Some(place) = rows.rows[row].absorbs {
        state[1 + usize::from(place)] += packed;
    }
    state
}
