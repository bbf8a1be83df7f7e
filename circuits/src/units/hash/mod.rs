//! The hash unit: hidden inputs and outputs, packed and hashed.

mod columns;
mod gates;
mod layout;
mod permutation;
mod rows;
mod witness;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Fixed},
};

use super::unit::{Drawn, Unit};
use crate::{
    algebra::Gates,
    cells::{Copies, FieldCells, FixedCells, IntegerCells, Run},
    frame::Frame,
};
use permutation::Step;
use rows::{Absorbs, DigitPlace, Side, Track};

pub(crate) use columns::HashUnit;
pub use columns::{HashShape, HashWidths, InputDigits};
pub(crate) use rows::{HashRows, Hidden};

impl Unit for HashUnit {
    type Shape = HashShape;
    type Rows = HashRows;

    fn row_count(rows: &HashRows) -> usize {
        rows.row_count()
    }

    fn allocate(shape: &HashShape, frame: &mut Frame) -> Self {
        Self::new(shape, frame)
    }

    fn gates(&self, gates: &mut Gates<'_>) {
        gates::configure(self, gates);
    }

    fn fixed(&self, rows: &HashRows, cells: &mut FixedCells) {
        for (row, of) in rows.rows.iter().enumerate() {
            let selector = match of.step {
                Step::Clear => None,
                Step::Start => Some(self.q_start),
                Step::Keep => Some(self.q_keep),
                Step::Full => Some(self.q_full),
                Step::Partial => Some(self.q_partial),
                Step::Rest => self.q_rest,
            };
            let numbered = self.q_number.filter(|_| of.numbered);
            let absorbs = Absorbs::ALL.iter().filter(|&&absorbs| of.absorbs[absorbs as usize]);
            let absorbs = absorbs.map(|&absorbs| self.q_absorb[absorbs as usize]);
            for column in [selector, numbered].into_iter().flatten().chain(absorbs) {
                cells.set(column, row, 1);
            }
        }
        self.fix_packing(rows, cells);
    }

    /// The field elements that rows add to the state.
    fn constants(&self, rows: &HashRows, set: &mut dyn FnMut(Column<Fixed>, usize, Fr)) {
        for (row, of) in rows.rows.iter().enumerate() {
            let constants = &rows.constants[of.constants as usize];
            for (&column, &value) in self.constants.iter().zip(constants) {
                set(column, row, value);
            }
        }
    }

    fn assign(&self, rows: &HashRows, run: Run<'_>, cells: &mut IntegerCells) {
        witness::assign(self, rows, run, cells);
    }

    fn copies(&self, rows: &HashRows, copies: &mut Copies<'_>) {
        let outputs = rows.digits().filter(|(_, digit)| digit.side == Side::Output);
        for (DigitPlace { row, track, .. }, digit) in outputs {
            for (number, lane) in self.lanes.iter().enumerate() {
                let claim = rows.claim(digit.block as usize, number);
                let source = rows.side(digit).source(claim, digit.element);
                let copied = lane.tracks[track as usize].output;
                let copied = copied.expect("outputs committed to have their column");
                copies.copy(copied, row, copies.element(Some(source)));
            }
        }
        for link in &rows.links {
            let packed = self.lanes[link.lane].tracks[Track::B as usize].packed;
            copies.link((packed, link.row), self.state_cell(link.from));
        }
        for &(public, cell) in &rows.shown {
            let (column, row) = self.state_cell(cell);
            copies.show_cell(public, column, row);
        }
    }

    fn finish(&self, rows: &HashRows, drawn: Drawn<'_>, cells: &mut FieldCells) -> Vec<Fr> {
        witness::hash(self, rows, (drawn.cells, drawn.blindings), cells);
        Vec::new()
    }
}

impl HashUnit {
    /// What rows pack, and the ranges that inputs are looked up in.
    fn fix_packing(&self, rows: &HashRows, cells: &mut FixedCells) {
        if let Some(digits) = &self.digits {
            for track in &self.tracks {
                let tags = track.tags.iter().flat_map(|tags| tags.iter().zip(&digits.limbs));
                for (&tag, &width) in tags {
                    cells.fill(tag, cells.last, width.into());
                }
            }
        }
        for (DigitPlace { row, track, at }, digit) in rows.digits() {
            let packed_before = rows.rows[row].packs[track as usize].get(at + 1).copied().flatten();
            let (track, side) = (&self.tracks[track as usize], rows.side(digit));
            let packing = &track.packings(digit.side)[at];
            cells.set(packing.q_pack, row, 1);
            cells.set(packing.low, row, side.low(digit.element));
            // The first digit of a row goes on with the row before.
            if digit.more && packed_before.is_none() {
                cells.set(track.q_more, row, 1);
            }
            if let (Side::Input, Some(digits)) = (digit.side, &self.digits) {
                let widths = digits.limbs_of(side.bits(digit.element));
                for (&tag, width) in track.tags[at].iter().zip(widths) {
                    cells.set(tag, row, width.into());
                }
            }
        }
    }

    fn state_cell(&self, cell: rows::StateCell) -> (Column<Advice>, usize) {
        (self.lanes[cell.lane].state[cell.element], cell.row)
    }
}
