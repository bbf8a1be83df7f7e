//! The normalization unit: groups of elements over their deviation.
//!
//! A group takes rows that read its elements, then rows that check what it is normalized with.
//!
//! | row | copied | of the group, on each of its rows | running | own | second phase |
//! |---|---|---|---|---|---|
//! | reads | `x_0 … x_(l−1)` | reciprocal `R`, shift `M` | sums `s` of `x`, `t` of `x²` in the rows before | | `f` |
//! | checks | | `R`, `M` | `s`, `t` of all elements | variance `V`, limbs of what is checked | `f` |
//!
//! With `n` elements to a group, `N = gain·n` and `V = n·t − s² + epsilon ≥ 1` the checks are, each
//! in a row of its own, that these are made of limbs, so not negative and below `2^W`:
//!
//! | check | value |
//! |---|---|
//! | low | `N² − R²·V` |
//! | high | `(R + 1)²·V − 1 − N²` |
//! | root | `R` |
//! | mean | `M + 2^(W−1)` |
//! | rest | `R·s − n·M` |
//! | slack | `n − 1 − (R·s − n·M)` |
//!
//! As integers, `R²·V ≤ N² < (R + 1)²·V` and `R ≥ 0` have one solution, `⌊N/√V⌋`, and `0 ≤ R·s − n·M <
//! n` has one, `⌊R·s/n⌋`. They are integers: `R` and `M` are below `2^W ≤ 2^60` in magnitude, `V`
//! below `2^60` since elements are in range, so nothing reaches `2^184`. `V` is not negative, since `n·t ≥ s²`.
//!
//! The accumulators `y_i = bias + R·x_i − M` are checked with those of all layers. The weight of
//! element `i` of group `g` is `δ·w(i)·ρ^g`, `w` that of its pack and digit (the packing of slots), so
//! the sum over all elements is what the chain `f` evaluates: `den·(f' − Σ_lanes B^lane·(R·x − M)) =
//! num·f`. It visits the groups from the last to the first, their elements forth and back in turn, and
//! ends at element 0 of group 0, whose weight is `δ`. Its first cell is 0 and every row says what
//! the next one holds.

mod columns;
mod evaluate;
mod gates;
mod rows;
mod witness;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression, Fixed},
};

use zkinfer_models::quantized::{ImageView, QuantizedOp};

use super::{
    relation::{Proven, Relation},
    unit::{Drawn, Unit},
};
use crate::{
    algebra::{Gates, Row},
    cells::{Copies, FieldCells, FixedCells, IntegerCells, Run},
    frame::Frame,
    lookup::ValueTables,
};
use rows::{NormalizeRows, normalize};

pub use columns::NormalizeShape;
pub(crate) use columns::NormalizeUnit;

impl Unit for NormalizeUnit {
    type Shape = NormalizeShape;
    type Rows = NormalizeRows;

    fn row_count(rows: &NormalizeRows) -> usize {
        rows.rows.len()
    }

    fn allocate(shape: &NormalizeShape, frame: &mut Frame) -> Self {
        Self::new(shape, frame)
    }

    fn gates(&self, gates: &mut Gates<'_>) {
        gates::configure(self, gates);
    }

    fn fixed(&self, rows: &NormalizeRows, cells: &mut FixedCells) {
        for (row, line) in rows.rows.iter().enumerate() {
            self.chain.select(row, line.step, None, cells);
            let mut set = |column: Column<Fixed>, value| cells.set(column, row, value);
            if let Some(read) = line.read {
                set(self.q_reads[read.base].1, 1);
            }
            if line.is_first {
                set(self.q_first, 1);
            }
            if line.is_held {
                set(self.q_hold, 1);
            }
            if let Some(ended) = line.ends {
                set(self.ends[ended].1, 1);
            }
            let Some(op) = line.op.map(|op| &rows.ops[op].1) else { continue };
            if let Some(mean) = &self.mean {
                set(mean.is_centered, i64::from(op.is_centered));
            }
            if let Some(check) = line.check {
                set(self.q_check(check), 1);
                set(self.size, rows::size(op));
                set(self.epsilon, op.epsilon);
            }
        }
    }

    /// Squares of numerators, and what the shift is weighed with in a row.
    fn constants(&self, rows: &NormalizeRows, set: &mut dyn FnMut(Column<Fixed>, usize, Fr)) {
        for (row, line) in rows.rows.iter().enumerate() {
            if let Some((mean, read)) = self.mean.as_ref().zip(line.read) {
                set(mean.weight, row, read.weight(self.q_reads[read.base].0));
            }
            if let Some((_, op)) = line.check.and(line.op).map(|op| &rows.ops[op]) {
                set(self.square, row, rows::square(op));
            }
        }
    }

    fn assign(&self, rows: &NormalizeRows, run: Run<'_>, cells: &mut IntegerCells) {
        witness::assign(self, rows, run, cells);
    }

    fn copies(&self, rows: &NormalizeRows, copies: &mut Copies<'_>) {
        for (row, sources) in rows.read_rows() {
            for (&element, &source) in self.elements.iter().zip(sources) {
                copies.copy(element, row, copies.element(source));
            }
        }
    }

    fn chains(&self) -> Vec<Column<Advice>> {
        vec![self.chain.weight]
    }

    fn addend(&self, row: &mut Row<'_, '_>) -> Option<Expression<Fr>> {
        Some(-gates::ended(self, row))
    }

    fn finish(&self, rows: &NormalizeRows, drawn: Drawn<'_>, cells: &mut FieldCells) -> Vec<Fr> {
        evaluate::finish(self, rows, drawn, cells)
    }
}

impl Relation for NormalizeUnit {
    const LANES: usize = 64;

    /// Elements of a group are channels, groups columns.
    fn lattice(op: &QuantizedOp, len: usize) -> Option<ImageView> {
        let size = normalize(op)?.size;
        let strides = [1, 0, size];
        Some(ImageView { channels: size, height: 1, width: len / size, strides, offset: 0 })
    }

    fn counts<'a>(proven: Proven<'a>) -> Box<dyn Fn(usize) -> usize + 'a> {
        Box::new(move |lanes| rows::row_count(proven, lanes))
    }

    fn rows(proven: Proven<'_>, lanes: usize, _: &mut ValueTables) -> Option<NormalizeRows> {
        NormalizeRows::new(proven, lanes)
    }

    fn shape(rows: &NormalizeRows) -> NormalizeShape {
        rows.shape.clone()
    }

    fn limbs(shape: &mut NormalizeShape) -> Vec<&mut Vec<u32>> {
        vec![&mut shape.limbs]
    }
}
