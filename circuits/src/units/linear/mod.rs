//! The linear unit: elements being read, fixed weights, the check of every linear layer.

mod columns;
mod conv;
mod dense;
mod dot;
mod evaluate;
mod gates;
mod in_place;
mod rows;
mod windows;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression, Fixed},
};
use rayon::prelude::*;

use super::unit::{Drawn, Unit};
use crate::{
    algebra::{Gates, Row},
    cells::{Copies, FieldCells, FixedCells, IntegerCells, Run},
    chain::LayerStart,
    frame::Frame,
};

pub use columns::LinearShape;
pub(crate) use columns::LinearUnit;
pub(crate) use rows::{LinearRows, LinearWidths, Ways, dry_run, layout};

impl Unit for LinearUnit {
    type Shape = LinearShape;
    type Rows = LinearRows;

    fn row_count(rows: &LinearRows) -> usize {
        rows.row_count
    }

    fn allocate(shape: &LinearShape, frame: &mut Frame) -> Self {
        Self::new(shape, frame)
    }

    fn gates(&self, gates: &mut Gates<'_>) {
        gates::configure(self, gates);
    }

    fn fixed(&self, rows: &LinearRows, cells: &mut FixedCells) {
        for (row, linear) in rows.rows.iter().enumerate() {
            let sign = if linear.negative { -1 } else { 1 };
            let start = linear.layer.map(|layer| LayerStart { layer, sign });
            self.chain.select(row, linear.step, start, cells);
            let flags = [(self.q_one, linear.one.then_some(1)), (self.q_product, linear.product)];
            for (column, value) in flags {
                if let Some(value) = value {
                    cells.set(column.expect("a row's flag has its column"), row, value);
                }
            }
            if let Some(places) = self.places.as_ref().filter(|_| linear.in_place) {
                cells.set(places.selector, row, 1);
            }
            if let Some(reading) = linear.reading.checked_sub(1) {
                cells.set(self.readings[reading].1, row, 1);
            }
            let selector = self.dense.filter(|_| linear.dense).and_then(|dense| dense.selector);
            if let Some(column) = selector {
                cells.set(column, row, 1);
            }
        }
    }

    /// The packed weights.
    fn constants(&self, rows: &LinearRows, set: &mut dyn FnMut(Column<Fixed>, usize, Fr)) {
        for (row, linear) in rows.rows.iter().enumerate() {
            let Some(block) = linear.weights else { continue };
            let packs = rows.weight_block(block, self.weights.len());
            for (&column, &pack) in self.weights.iter().zip(packs) {
                set(column, row, pack);
            }
        }
    }

    fn assign(&self, rows: &LinearRows, run: Run<'_>, cells: &mut IntegerCells) {
        let Some(first) = self.reads.first() else { return };
        let lanes: Vec<_> =
            cells.groups(first.column(), self.reads.iter().map(|_| 1)).zip(&self.reads).collect();
        lanes.into_par_iter().enumerate().for_each(|(lane, (mut cells, read))| {
            for (row, linear) in rows.rows.iter().enumerate() {
                let Some(block) = linear.reads else { continue };
                let source = rows.read_block(block, self.reads.len())[lane];
                cells.set(read.column(), row, run.value(source));
            }
        });
    }

    fn copies(&self, rows: &LinearRows, copies: &mut Copies<'_>) {
        for (row, linear) in rows.rows.iter().enumerate() {
            let Some(block) = linear.reads else { continue };
            let sources = rows.read_block(block, self.reads.len());
            for (&read, &source) in self.reads.iter().zip(sources) {
                copies.copy(read, row, copies.element(source));
            }
        }
    }

    fn chains(&self) -> Vec<Column<Advice>> {
        vec![self.chain.weight]
    }

    fn addend(&self, row: &mut Row<'_, '_>) -> Option<Expression<Fr>> {
        Some(-(row.cur(self.chain.weight) * gates::weighed(self, row)))
    }

    fn finish(&self, rows: &LinearRows, drawn: Drawn<'_>, cells: &mut FieldCells) -> Vec<Fr> {
        evaluate::finish(self, rows, drawn, cells)
    }
}
