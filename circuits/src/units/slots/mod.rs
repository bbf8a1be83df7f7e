//! The slot unit: requantized values, several to a row.

mod columns;
mod evaluate;
mod format;
mod gates;
mod kind;
mod packing;
mod rows;
mod siblings;
mod windows;
mod witness;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression, Fixed},
};

use super::unit::{Drawn, Unit};
use crate::{
    algebra::{Gates, Row},
    cells::{Copies, FieldCells, FixedCells, IntegerCells, Run},
    chain::LayerStart,
    frame::Frame,
    integers::half,
};

pub use columns::SlotShape;
pub(crate) use columns::SlotUnit;
pub(crate) use format::RowFormat;
pub use kind::check_layers;
pub(crate) use kind::{RequantKind, layer_count};
pub(crate) use packing::Packing;
pub(crate) use rows::{Layer, SlotRows, challenge_count, layers, layout, row_count};
pub(crate) use windows::{POSITION_WEIGHTS, position_weights};

impl SlotUnit {
    /// The selector of layers with so large a table, where rows of tables have any.
    fn q_table(&self, high: i64) -> Option<Column<Fixed>> {
        let mut kinds = self.q_tables.iter().zip(&self.shape.table_highs);
        kinds.find(|(_, of)| **of == high).map(|(&column, _)| column)
    }
}

impl Unit for SlotUnit {
    type Shape = SlotShape;
    type Rows = SlotRows;

    fn row_count(rows: &SlotRows) -> usize {
        rows.row_count()
    }

    fn allocate(shape: &SlotShape, frame: &mut Frame) -> Self {
        Self::new(shape, frame)
    }

    fn gates(&self, gates: &mut Gates<'_>) {
        gates::configure(self, gates);
    }

    fn fixed(&self, rows: &SlotRows, cells: &mut FixedCells) {
        if let Some((tag, &range)) = self.tag.zip(self.shape.value_limbs.first()) {
            cells.fill(tag, cells.last + 1, range.into());
        }
        let half = half(self.shape.shift);
        for (row, slot) in rows.layout.rows.iter().enumerate() {
            let start = slot.starts.map(|layer| LayerStart { layer, sign: 1 });
            self.chain.select(row, slot.step, start, cells);
            let Some(layer) = rows.layer(row) else { continue };
            let index = layer.index as usize;
            let selector = match layer.kind {
                RequantKind::Clamp => self.q_clamp,
                RequantKind::Table => self.q_table(layer.high),
                RequantKind::Wide => self.q_wide,
            };
            let window = self.q_window.filter(|_| layer.pooling.is_some());
            for column in [selector, window].into_iter().flatten() {
                cells.set(column, row, 1);
            }
            match &rows.tables[index] {
                Some(table) => {
                    let tag = self.tag.expect("a circuit with tables has tags");
                    cells.set(tag, row, table.tag);
                }
                None => cells.set(self.low, row, layer.low),
            }
            for (place, lane) in self.lanes.iter().enumerate() {
                let element = rows.layout.elements(row, place)[0];
                let bias = rows.biases[index].get(element as usize).map_or(0, |&bias| bias);
                let offset = match lane.is_idle(layer.kind) {
                    true => half,
                    false => half + bias - (layer.low << self.shape.shift),
                };
                cells.set(lane.offset, row, offset);
            }
        }
    }

    fn assign(&self, rows: &SlotRows, run: Run<'_>, cells: &mut IntegerCells) {
        witness::assign(self, rows, run, cells);
    }

    fn copies(&self, _rows: &SlotRows, _copies: &mut Copies<'_>) {}

    fn chains(&self) -> Vec<Column<Advice>> {
        vec![self.chain.weight]
    }

    fn addend(&self, row: &mut Row<'_, '_>) -> Option<Expression<Fr>> {
        Some(row.cur(self.chain.weight) * gates::accumulators(self, row))
    }

    fn finish(&self, rows: &SlotRows, drawn: Drawn<'_>, cells: &mut FieldCells) -> Vec<Fr> {
        evaluate::finish(self, rows, drawn, cells)
    }
}
