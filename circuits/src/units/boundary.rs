//! The boundaries of a part of a model: tensors alone in columns that a neighbour's proof has too.
//!
//! | taken from the part before | given to the part behind |
//! |---|---|
//! | elements that other units read | copies of elements that other units constrained |
//!
//! Element `i` of a boundary lies in its column `i mod c`, row `⌊i / c⌋`. There are no gates: the
//! part that gives them has ranges for the cells that these are copies of, and both proofs commit to
//! the same columns. `docs/chunks.md` says what that binds, and what it reveals.

use halo2_proofs::plonk::{Advice, Column};
use zkinfer_models::{QuantizedGraph, quantized::TensorId};

use super::unit::Unit;
use crate::{
    algebra::Gates,
    cells::{CellRef, Copies, FixedCells, IntegerCells, Place, Run},
    frame::{Copied, Frame, usable_rows},
    integers::index,
};

/// Proofs of each neighbour that one blinding of a boundary serves.
pub const PROOFS_A_SIDE: usize = 2;
/// Values that blind a column of a boundary, in its last rows: more than the linear relations that its
/// commitment, and the two openings of each of the proofs of both neighbours, make known of it.
pub const BOUNDARY_BLINDING: usize = 1 + 2 * (2 * PROOFS_A_SIDE) + 1;

/// Rows of a circuit of `2^k` that hold elements of a boundary.
pub(crate) fn boundary_rows(k: u32) -> usize {
    let unblinded = (1usize << k).saturating_sub(BOUNDARY_BLINDING);
    unblinded.min(usable_rows(k, 1).saturating_sub(1))
}

/// Columns of each boundary, none where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoundaryShape {
    /// Columns that the part before has too.
    pub taken: usize,
    /// Columns that the part behind has too.
    pub given: usize,
}

/// The columns of the boundaries.
#[derive(Clone, Debug)]
pub(crate) struct BoundaryUnit {
    pub(crate) taken: Vec<Column<Advice>>,
    pub(crate) given: Vec<Copied>,
}

/// Where the elements of a boundary lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Side {
    elements: Vec<(TensorId, u32)>,
    columns: usize,
}

impl Side {
    fn of(graph: &QuantizedGraph, tensors: &[TensorId], rows: usize) -> Self {
        let elements = tensors.iter().flat_map(|&id| {
            (0..graph.tensors[id.0].len()).map(move |element| (id, index(element)))
        });
        let elements: Vec<_> = elements.collect();
        let columns = elements.len().div_ceil(rows.max(1));
        Self { elements, columns }
    }

    /// Every element with its column and row.
    fn cells(&self) -> impl Iterator<Item = ((TensorId, u32), usize, usize)> + '_ {
        let columns = self.columns.max(1);
        let places = self.elements.iter().enumerate();
        places.map(move |(at, &element)| (element, at % columns, at / columns))
    }

    fn row_count(&self) -> usize {
        self.elements.len().div_ceil(self.columns.max(1))
    }
}

/// The rows of the boundaries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BoundaryRows {
    taken: Side,
    given: Side,
}

impl BoundaryRows {
    /// The boundaries of a part that takes its inputs, gives its outputs, or both, in as few columns
    /// as the rows of a circuit of `2^k` allow; `None` for a whole model.
    pub(crate) fn of(graph: &QuantizedGraph, [takes, gives]: [bool; 2], k: u32) -> Option<Self> {
        let rows = boundary_rows(k);
        let side = |is_there, tensors: &[TensorId]| match is_there {
            true => Side::of(graph, tensors, rows),
            false => Side::default(),
        };
        (takes || gives)
            .then(|| Self { taken: side(takes, &graph.inputs), given: side(gives, &graph.outputs) })
    }

    pub(crate) fn shape(&self) -> BoundaryShape {
        BoundaryShape { taken: self.taken.columns, given: self.given.columns }
    }

    /// The cells of the inputs by tensor, if they are taken.
    pub(crate) fn input_cells(
        &self,
        graph: &QuantizedGraph,
    ) -> Option<Vec<(TensorId, Vec<CellRef>)>> {
        if self.taken.elements.is_empty() {
            return None;
        }
        let mut cells = self.taken.cells().map(|(_, column, row)| CellRef {
            place: Place::Taken(index(column)),
            row: index(row),
        });
        let of = |&id: &TensorId| {
            let len = graph.tensors[id.0].len();
            (id, cells.by_ref().take(len).collect())
        };
        Some(graph.inputs.iter().map(of).collect())
    }
}

impl Unit for BoundaryUnit {
    type Shape = BoundaryShape;
    type Rows = BoundaryRows;

    fn row_count(rows: &BoundaryRows) -> usize {
        rows.taken.row_count().max(rows.given.row_count())
    }

    fn allocate(shape: &BoundaryShape, frame: &mut Frame) -> Self {
        let taken = (0..shape.taken)
            .map(|column| frame.source("taken element", Place::Taken(index(column))));
        let taken = taken.collect();
        let given = (0..shape.given).map(|_| frame.copied("given element")).collect();
        Self { taken, given }
    }

    fn gates(&self, _: &mut Gates<'_>) {}

    fn fixed(&self, _: &BoundaryRows, _: &mut FixedCells) {}

    fn assign(&self, rows: &BoundaryRows, run: Run<'_>, cells: &mut IntegerCells) {
        for (element, column, row) in rows.taken.cells() {
            cells.set(self.taken[column], row, run.value(Some(element)));
        }
        for (element, column, row) in rows.given.cells() {
            cells.copy(self.given[column], row, run.value(Some(element)));
        }
    }

    fn copies(&self, rows: &BoundaryRows, copies: &mut Copies<'_>) {
        for (element, column, row) in rows.given.cells() {
            copies.copy(self.given[column], row, copies.element(Some(element)));
        }
    }
}
