//! What a unit is asked.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression, Fixed},
};

use crate::{
    algebra::{Gates, Row},
    cells::{Copies, FieldCells, FixedCells, IntegerCells, Run},
    challenges::Challenges,
    frame::Frame,
    instance::Blindings,
};

/// What the second phase is computed from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawn<'a> {
    pub(crate) cells: &'a IntegerCells,
    pub(crate) fixed: &'a FixedCells,
    pub(crate) challenges: &'a Challenges<Fr>,
    /// Of every claim.
    pub(crate) blindings: &'a [Blindings],
    /// Rows that hold data, the last one left out.
    pub(crate) last: usize,
}

/// A part of the circuit: columns side by side with those of the other units, rows of its own.
///
/// A unit sees its own columns and rows, the frame and the challenges; what it takes from another
/// unit it reads in cells that are copies, or in the row where the other has it.
pub(crate) trait Unit: Sized {
    /// Column counts and limb widths: all that its gates depend on.
    type Shape;
    /// What its rows hold.
    type Rows;

    /// How many rows it uses.
    fn row_count(rows: &Self::Rows) -> usize;

    /// Its columns, each from the frame with what it owes.
    fn allocate(shape: &Self::Shape, frame: &mut Frame) -> Self;

    /// Its gates.
    fn gates(&self, gates: &mut Gates<'_>);

    /// Its fixed cells, as far as they are small integers.
    fn fixed(&self, rows: &Self::Rows, cells: &mut FixedCells);

    /// Its other fixed cells.
    fn constants(&self, _rows: &Self::Rows, _set: &mut dyn FnMut(Column<Fixed>, usize, Fr)) {}

    /// Its cells of the first phase, of a run of the model.
    fn assign(&self, rows: &Self::Rows, run: Run<'_>, cells: &mut IntegerCells);

    /// What its copied cells are copies of.
    fn copies(&self, _rows: &Self::Rows, _copies: &mut Copies<'_>) {}

    /// The columns of the second phase whose first cell is 0.
    fn chains(&self) -> Vec<Column<Advice>> {
        Vec::new()
    }

    /// What a row adds to the total that must vanish.
    fn addend(&self, _row: &mut Row<'_, '_>) -> Option<Expression<Fr>> {
        None
    }

    /// Its cells of the second phase, computed from whatever the first one holds; what each of the
    /// first rows adds to the total.
    fn finish(&self, _rows: &Self::Rows, _drawn: Drawn<'_>, _cells: &mut FieldCells) -> Vec<Fr> {
        Vec::new()
    }
}

/// A unit that not every circuit has.
impl<U: Unit> Unit for Option<U> {
    type Shape = Option<U::Shape>;
    type Rows = Option<U::Rows>;

    fn row_count(rows: &Self::Rows) -> usize {
        rows.as_ref().map_or(0, U::row_count)
    }

    fn allocate(shape: &Self::Shape, frame: &mut Frame) -> Self {
        shape.as_ref().map(|shape| U::allocate(shape, frame))
    }

    fn gates(&self, gates: &mut Gates<'_>) {
        if let Some(unit) = self {
            unit.gates(gates);
        }
    }

    fn fixed(&self, rows: &Self::Rows, cells: &mut FixedCells) {
        if let Some((unit, rows)) = self.as_ref().zip(rows.as_ref()) {
            unit.fixed(rows, cells);
        }
    }

    fn constants(&self, rows: &Self::Rows, set: &mut dyn FnMut(Column<Fixed>, usize, Fr)) {
        if let Some((unit, rows)) = self.as_ref().zip(rows.as_ref()) {
            unit.constants(rows, set);
        }
    }

    fn assign(&self, rows: &Self::Rows, run: Run<'_>, cells: &mut IntegerCells) {
        if let Some((unit, rows)) = self.as_ref().zip(rows.as_ref()) {
            unit.assign(rows, run, cells);
        }
    }

    fn copies(&self, rows: &Self::Rows, copies: &mut Copies<'_>) {
        if let Some((unit, rows)) = self.as_ref().zip(rows.as_ref()) {
            unit.copies(rows, copies);
        }
    }

    fn chains(&self) -> Vec<Column<Advice>> {
        self.as_ref().map_or_else(Vec::new, Unit::chains)
    }

    fn addend(&self, row: &mut Row<'_, '_>) -> Option<Expression<Fr>> {
        self.as_ref().and_then(|unit| unit.addend(row))
    }

    fn finish(&self, rows: &Self::Rows, drawn: Drawn<'_>, cells: &mut FieldCells) -> Vec<Fr> {
        let unit = self.as_ref().zip(rows.as_ref());
        unit.map_or_else(Vec::new, |(unit, rows)| unit.finish(rows, drawn, cells))
    }
}
