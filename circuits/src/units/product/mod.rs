//! The product unit: matrix products of two committed tensors.
//!
//! | copied | second phase | fixed |
//! |---|---|---|
//! | `x_0 … x_(n−1)` | `e`, `f`, `g` | which factor is read, steps of the three, factor of the product |
//!
//! An output at head `h`, position `i`, channel `j` is `Σ_d a[h, i, d] · b[h, d, j]`, and its weight in
//! the linear check `δ · σ^h · ρ^i · w(j)`, `δ` the layer's challenge and `w` that of its pack and
//! digit (the packing of slots). So
//!
//! ```text
//! Σ_outputs w·(y − bias) = factor · Σ_h Σ_d g · e · f
//! e = Σ_i ρ^i · a[h, i, d],   f = Σ_j w(j) · b[h, d, j],   g = δ · σ^h
//! ```
//!
//! No product of two elements is a cell. Both sides are polynomials in the challenges, with one
//! monomial for each pack of outputs at a position, and what they are about was committed before:
//! the factors are copies of tensors, the outputs slots. `e`, `f` and `g` are chains without any
//! freedom: each cell follows from the one before and from what its row reads, the first is 0.
//! They are equal as polynomials exactly when every output is the accumulator (the packing of slots;
//! of the layers that are wrong, the first has right factors).
//!
//! A row reads elements of one factor: those of neighbouring positions, weighed with powers of ρ, or
//! those of neighbouring digits, weighed with powers of the base. The chain of the other factor
//! stays meanwhile. The product is that of the row's own chain values, so it is taken where the
//! next pair begins to be read.

mod columns;
mod contraction;
mod evaluate;
mod gates;
mod rows;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression},
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
use contraction::{Contraction, contract};
use rows::{ProductRows, Reads};

pub use columns::ProductShape;
pub(crate) use columns::ProductUnit;

impl Unit for ProductUnit {
    type Shape = ProductShape;
    type Rows = ProductRows;

    fn row_count(rows: &ProductRows) -> usize {
        rows.rows.len()
    }

    fn allocate(shape: &ProductShape, frame: &mut Frame) -> Self {
        Self::new(shape, frame)
    }

    fn gates(&self, gates: &mut Gates<'_>) {
        gates::configure(self, gates);
    }

    fn fixed(&self, rows: &ProductRows, cells: &mut FixedCells) {
        for (row, product) in rows.rows.iter().enumerate() {
            self.positions.select(row, product.positions, None, cells);
            self.channels.select(row, product.channels, None, cells);
            self.heads.select(row, product.heads, None, cells);
            let selected = match product.reads {
                Reads::Nothing => None,
                Reads::Positions => Some(self.q_positions),
                Reads::Channels { base } => Some(self.q_channels[base].1),
            };
            let started = product.starts.map(|start| self.starts[start].1);
            for column in selected.into_iter().chain(started) {
                cells.set(column, row, 1);
            }
            if product.factor != 0 {
                cells.set(self.factor, row, product.factor);
            }
        }
    }

    fn assign(&self, rows: &ProductRows, run: Run<'_>, cells: &mut IntegerCells) {
        for (row, sources) in rows.read_rows(self.reads.len()) {
            for (&read, &source) in self.reads.iter().zip(sources) {
                cells.copy(read, row, run.value(source));
            }
        }
    }

    fn copies(&self, rows: &ProductRows, copies: &mut Copies<'_>) {
        for (row, sources) in rows.read_rows(self.reads.len()) {
            for (&read, &source) in self.reads.iter().zip(sources) {
                copies.copy(read, row, copies.element(source));
            }
        }
    }

    fn chains(&self) -> Vec<Column<Advice>> {
        [&self.positions, &self.channels, &self.heads].map(|chain| chain.weight).to_vec()
    }

    fn addend(&self, row: &mut Row<'_, '_>) -> Option<Expression<Fr>> {
        Some(-gates::product(self, row))
    }

    fn finish(&self, rows: &ProductRows, drawn: Drawn<'_>, cells: &mut FieldCells) -> Vec<Fr> {
        evaluate::finish(self, rows, drawn, cells)
    }
}

impl Relation for ProductUnit {
    const LANES: usize = 64;

    fn lattice(op: &QuantizedOp, _len: usize) -> Option<ImageView> {
        contract(op).map(|contract| Contraction::new(contract).lattice())
    }

    fn counts<'a>(proven: Proven<'a>) -> Box<dyn Fn(usize) -> usize + 'a> {
        Box::new(move |lanes| rows::row_count(proven, lanes))
    }

    fn rows(proven: Proven<'_>, lanes: usize, _: &mut ValueTables) -> Option<ProductRows> {
        ProductRows::new(proven, lanes)
    }

    fn shape(rows: &ProductRows) -> ProductShape {
        rows.shape.clone()
    }
}
