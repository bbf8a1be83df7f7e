//! The commitment unit: hidden inputs and outputs, packed and hashed.

mod columns;
mod gates;
mod rows;
mod witness;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Column, Fixed},
};

use super::unit::{Drawn, Unit};
use crate::{
    algebra::Gates,
    cells::{Copies, FieldCells, FixedCells, IntegerCells, Run},
    frame::Frame,
};
use rows::HashStep;

pub(crate) use columns::CommitmentUnit;
pub use columns::{CommitmentShape, InputDigits};
pub(crate) use rows::{CommitmentRows, Side};

impl Unit for CommitmentUnit {
    type Shape = CommitmentShape;
    type Rows = CommitmentRows;

    fn row_count(rows: &CommitmentRows) -> usize {
        rows.row_count()
    }

    fn allocate(shape: &CommitmentShape, frame: &mut Frame) -> Self {
        Self::new(shape, frame)
    }

    fn gates(&self, gates: &mut Gates<'_>) {
        gates::configure(self, gates);
    }

    fn fixed(&self, rows: &CommitmentRows, cells: &mut FixedCells) {
        for (row, step) in rows.rows.iter().enumerate() {
            let selector = match step.step {
                HashStep::Clear => None,
                HashStep::Keep => Some(self.q_keep),
                HashStep::Rotate => Some(self.q_rotate),
                HashStep::Full => Some(self.q_full),
                HashStep::Partial => Some(self.q_partial),
            };
            let absorbs = step.absorbs.map(|place| self.q_absorb[usize::from(place)]);
            let more = step.more.then_some(self.q_more);
            for column in [selector, absorbs, more].into_iter().flatten() {
                cells.set(column, row, 1);
            }
            let Some((side, element)) = step.packs else { continue };
            let packed = self.packed_column(side).expect("what is packed has its column");
            cells.set(packed.q_pack, row, 1);
            cells.set(packed.low, row, rows.low_of(side, element));
        }
        let Some(input) = &self.input else { return };
        for (&tag, &width) in input.tags.iter().zip(&input.digits.limbs) {
            cells.fill(tag, cells.last, width.into());
        }
        let side = rows.side_of(Side::Input).expect("inputs that are committed to have rows");
        for (&row, &bits) in side.element_rows.iter().zip(&rows.input_bits) {
            for (&tag, width) in input.tags.iter().zip(input.digits.limbs_of(bits)) {
                cells.set(tag, row as usize, width.into());
            }
        }
    }

    /// The field elements that rows add to the state.
    fn constants(&self, rows: &CommitmentRows, set: &mut dyn FnMut(Column<Fixed>, usize, Fr)) {
        for (row, step) in rows.rows.iter().enumerate() {
            let Some(index) = step.constants else { continue };
            for (&column, value) in self.constants.iter().zip(rows.constants[index as usize]) {
                set(column, row, value);
            }
        }
    }

    fn assign(&self, rows: &CommitmentRows, run: Run<'_>, cells: &mut IntegerCells) {
        witness::assign(self, rows, run, cells);
    }

    fn copies(&self, rows: &CommitmentRows, copies: &mut Copies<'_>) {
        if let Some((copied, _)) = self.output {
            let side = rows.side_of(Side::Output).expect("outputs committed to have rows");
            for (&row, &element) in side.element_rows.iter().zip(&side.elements) {
                copies.copy(copied, row as usize, copies.element(Some(element)));
            }
        }
        for side in &rows.sides {
            copies.show_cell(side.instance_row, self.digest(), side.digest_row as usize);
        }
    }

    fn finish(&self, rows: &CommitmentRows, drawn: Drawn<'_>, cells: &mut FieldCells) -> Vec<Fr> {
        witness::hash(self, rows, (drawn.cells, drawn.blindings), cells);
        Vec::new()
    }
}
