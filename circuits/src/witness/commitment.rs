//! The commitment unit's witness: hidden values in the first phase, their packing and hash in the
//! second.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Fixed},
};
use zkinfer_verifier::poseidon::WIDTH;

use super::{IntegerColumns, field};
use crate::{
    config::{CommitmentUnit, Config, PackedColumn},
    plan::{
        CircuitPlan,
        commitment::{CommitmentPlan, HashStep, Side},
    },
};

/// What hides committed inputs and outputs; ignored for public ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blindings {
    /// Uniform element for the inputs.
    pub input: Fr,
    /// Uniform element for the outputs.
    pub output: Fr,
}

impl Blindings {
    fn of(&self, side: Side) -> Fr {
        match side {
            Side::Input => self.input,
            Side::Output => self.output,
        }
    }
}

/// Second-phase cells: a column, a row and its value.
pub(crate) type Cells = Vec<(Column<Advice>, usize, Fr)>;

impl CommitmentUnit {
    /// Where elements of a side are packed.
    pub(crate) fn packed_column(&self, side: Side) -> Option<&PackedColumn> {
        match side {
            Side::Input => self.input.as_ref().map(|input| &input.packed),
            Side::Output => self.output.as_ref(),
        }
    }
}

/// The field elements that rows add to the state; all else that is fixed are small integers.
pub(crate) fn constants(plan: &CircuitPlan, config: &Config) -> Vec<(Column<Fixed>, usize, Fr)> {
    let (Some(commitment), Some(unit)) = (&plan.commitment, &config.commitment) else {
        return Vec::new();
    };
    let rows = commitment.rows.iter().enumerate();
    let added = rows.filter_map(|(row, step)| Some((row, step.constants? as usize)));
    added
        .flat_map(|(row, index)| {
            let places = unit.constants.iter().zip(commitment.constants[index]);
            places.map(move |(&column, value)| (column, row, value))
        })
        .collect()
}

/// The packed elements and the states of the hash, computed from whatever the first phase holds.
pub(crate) fn hash(
    plan: &CircuitPlan,
    config: &Config,
    advice: &IntegerColumns,
    blindings: &Blindings,
) -> Cells {
    let (Some(commitment), Some(unit)) = (&plan.commitment, &config.commitment) else {
        return Vec::new();
    };
    let mut cells = Vec::new();
    let (mut packed, mut state) = (Fr::zero(), [Fr::zero(); WIDTH]);
    for (row, step) in commitment.rows.iter().enumerate() {
        if let Some(side) = commitment.blinding_side(row) {
            packed = blindings.of(side);
        }
        if commitment.binds_packed(row) {
            cells.push((unit.packed, row, packed));
        }
        if row > 0 {
            cells.extend(unit.state.iter().zip(state).map(|(&column, value)| (column, row, value)));
        }
        let square = square(commitment, row, &state);
        if commitment.raises(row) {
            cells.push((unit.square, row, square));
        }
        state = next_state(commitment, row, state, square, packed);
        let packs = step.packs.and_then(|(side, _)| unit.packed_column(side).zip(Some(side)));
        if let Some((column, side)) = packs {
            let bits = commitment.side_of(side).map_or(0, |side| side.digit_bits);
            let low = plan.low_of(side, row);
            let digit = field(advice[column.value.index()][row] - low);
            let so_far = if step.more { packed * Fr::from(1 << bits) } else { Fr::zero() };
            packed = so_far + digit;
        }
    }
    cells
}

/// The state's elements with the row's constants.
fn with_constants(plan: &CommitmentPlan, row: usize, state: &[Fr; WIDTH]) -> [Fr; WIDTH] {
    match plan.rows[row].constants {
        Some(index) => std::array::from_fn(|i| state[i] + plan.constants[index as usize][i]),
        None => *state,
    }
}

fn square(plan: &CommitmentPlan, row: usize, state: &[Fr; WIDTH]) -> Fr {
    let [first, ..] = with_constants(plan, row, state);
    first * first
}

fn next_state(
    plan: &CommitmentPlan,
    row: usize,
    state: [Fr; WIDTH],
    square: Fr,
    packed: Fr,
) -> [Fr; WIDTH] {
    let [first, second, third] = with_constants(plan, row, &state);
    let fifth = square * square * first;
    let mixed = |[a, b, c]: [Fr; WIDTH]| plan.matrix.map(|[x, y, z]| x * a + y * b + z * c);
    let mut state = match plan.rows[row].step {
        HashStep::Clear => [Fr::zero(); WIDTH],
        HashStep::Keep => [first, second, third],
        HashStep::Rotate => [second, third, fifth],
        HashStep::Full => mixed([second, third, fifth]),
        HashStep::Partial => mixed([fifth, second, third]),
    };
    if let Some(place) = plan.rows[row].absorbs {
        state[1 + usize::from(place)] += packed;
    }
    state
}
