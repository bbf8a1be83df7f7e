//! The embedding unit: rows of a fixed table, chosen by indices.
//!
//! A row reads nothing. It states elements of the row that an index chose, as digits of packs:
//!
//! | own | copied | second phase | fixed |
//! |---|---|---|---|
//! | elements, their limbs; multiplicities of rows of the table | index, where a row of the table is complete | evaluation `f`, fractions | packs `W_0 … W_(m−1)` of rows of the table, in each lane one; first index, step to the next lane; low end; which table |
//!
//! With `B = 2^bits` and digits `x − low` in `[0, B)` by limbs, the chain `f` evaluates a chosen row,
//! `F = Σ_k α^k Σ_i B^i·digit`: `den·(f' − Σ_lanes B^lane·digit) = num·f`, from the last digits to the
//! first. The table has a row for every index `v`, evaluated as `T_v = Σ_k α^k·W_k(v)`. That `F` is
//! the row of its index is one lookup by fractions of its own, with a tag for each table that no other
//! has: `Σ 1/(pole − index − θ·tag − θ²·F) = Σ m_v/(pole − v − θ·tag − θ²·T_v)`.
//!
//! * *Bound*: a pack is below `B^size ≤ 2^252`, so equal ones have equal digits, in the field too.
//! * *Uniqueness*: digits, indices and multiplicities are committed before α, θ and the pole are
//!   drawn. A stated row that is not the table's at its index has another polynomial in α, so a
//!   fraction that nothing on the other side cancels. There are fewer than 2^32 indices.
//! * *Soundness*: the degree in the challenges is below (indices + rows of the table) · (packs + 2),
//!   over 2^254.
//!
//! Where the width of a table does not fill the lanes of its last row, those behind are digits too,
//! which are 0 in the table.

mod evaluate;
mod gates;
mod rows;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression, Fixed},
};

use zkinfer_models::{
    QuantizedGraph,
    quantized::{Embed, QuantizedOp},
};

use self::rows::EmbeddingRows;
use super::{
    relation::{Proven, Relation, ResultCell},
    unit::{Drawn, Unit},
};
use crate::{
    algebra::{Gates, Row},
    cells::{Copies, FieldCells, FixedCells, IntegerCells, Run},
    chain::{ChainColumns, StepSet},
    error::PlanError,
    frame::{Copied, Frame, Limbs, Order},
    integers::index,
    lookup::{
        ValueTables,
        entry::{EMBEDDING_TAG, KeyTerm, Tag},
        helper_count,
    },
};

/// Lanes, packs and limb widths of the embedding unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbeddingShape {
    /// Elements to a row, and rows of the table.
    pub lanes: usize,
    /// Packs of a row of the table.
    pub packs: usize,
    /// Bits of a digit.
    pub bits: u32,
    /// Widths of the limbs of a digit.
    pub limbs: Vec<u32>,
    pub(crate) steps: StepSet,
}

/// The columns of one lane.
#[derive(Clone, Debug)]
struct Lane {
    element: Column<Advice>,
    /// Limbs of the digit; none where it is looked up itself.
    limbs: Limbs,
    /// The packs of a row of the table.
    packs: Vec<Column<Fixed>>,
    /// How often that row is chosen.
    multiplicity: Column<Advice>,
}

/// The columns of the unit.
#[derive(Clone, Debug)]
pub(crate) struct EmbeddingUnit {
    bits: u32,
    /// The smallest element of the table.
    low: Column<Fixed>,
    lanes: Vec<Lane>,
    /// `f`.
    chain: ChainColumns,
    /// 1 where `f` is a whole row of a table, and that table's tag.
    q_whole: Column<Fixed>,
    tag: Column<Fixed>,
    index: Copied,
    /// 1 in rows of tables, their tag, the index of the first lane and the step to the next one.
    q_table: Column<Fixed>,
    table_tag: Column<Fixed>,
    first: Column<Fixed>,
    step: Column<Fixed>,
    /// Sums of fractions.
    helpers: Vec<Column<Advice>>,
}

impl Lane {
    fn allocate(lane: u32, shape: &EmbeddingShape, low: Column<Fixed>, frame: &mut Frame) -> Self {
        let element = frame.result("embedded element", lane);
        let limbs = match shape.limbs[..] {
            [bits] => {
                let digit = vec![KeyTerm::Plus(element), KeyTerm::MinusFixed(low)];
                frame.lookup(digit, Tag::Range(bits), None);
                Limbs::default()
            }
            _ => frame.limbs("embedded digit", &shape.limbs),
        };
        Self {
            element,
            limbs,
            packs: frame.fixed_columns(shape.packs),
            multiplicity: frame.advice("embedding multiplicity"),
        }
    }
}

impl Unit for EmbeddingUnit {
    type Shape = EmbeddingShape;
    type Rows = EmbeddingRows;

    fn row_count(rows: &EmbeddingRows) -> usize {
        rows.row_count()
    }

    fn allocate(shape: &EmbeddingShape, frame: &mut Frame) -> Self {
        let [low, q_whole, tag, q_table, table_tag, first, step] = [(); 7].map(|()| frame.fixed());
        let index_column = frame.copied("embedding index");
        let lanes = 0..index(shape.lanes);
        let lanes: Vec<_> = lanes.map(|lane| Lane::allocate(lane, shape, low, frame)).collect();
        let helpers = helper_count(lanes.len(), 1);
        let helpers = (0..helpers).map(|_| frame.later("embedding fractions")).collect();
        frame.order(Order::Third);
        let chain = ChainColumns::allocate("embedding evaluation", (&shape.steps, false), 0, frame);
        frame.order(Order::First);
        Self {
            bits: shape.bits,
            low,
            lanes,
            chain,
            q_whole,
            tag,
            index: index_column,
            q_table,
            table_tag,
            first,
            step,
            helpers,
        }
    }

    fn gates(&self, gates: &mut Gates<'_>) {
        self.create_gates(gates);
    }

    fn fixed(&self, rows: &EmbeddingRows, cells: &mut FixedCells) {
        for (row, line) in rows.lines.iter().enumerate() {
            self.chain.select(row, line.step, None, cells);
            if let Some(node) = line.of {
                cells.set(self.low, row, rows.tables[node].low);
            }
            if let Some((node, _)) = line.whole {
                cells.set(self.q_whole, row, 1);
                cells.set(self.tag, row, tag(node));
            }
        }
        for (row, words) in rows.words().enumerate() {
            cells.set(self.q_table, row, 1);
            cells.set(self.table_tag, row, tag(words.table));
            cells.set(self.first, row, rows.tables[words.table].first + words.place);
            cells.set(self.step, row, words.step);
        }
    }

    fn constants(&self, rows: &EmbeddingRows, set: &mut dyn FnMut(Column<Fixed>, usize, Fr)) {
        for (row, words) in rows.words().enumerate() {
            for (number, lane) in self.lanes.iter().enumerate() {
                let packs = rows.packs(words, number);
                for (&column, pack) in lane.packs.iter().zip(packs) {
                    set(column, row, pack);
                }
            }
        }
    }

    fn assign(&self, rows: &EmbeddingRows, run: Run<'_>, cells: &mut IntegerCells) {
        let mut counts = vec![vec![0; rows.word_rows()]; self.lanes.len()];
        for (row, line) in rows.lines.iter().enumerate() {
            if let Some((node, source)) = line.whole {
                let chosen = cells.copy(self.index, row, run.value(source));
                if let Some((lane, row)) = rows.place_of(node, chosen) {
                    counts[lane][row] += 1;
                }
            }
            let Some(node) = line.of else { continue };
            let low = rows.tables[node].low;
            let sources = rows.elements(row).iter();
            for (lane, &source) in self.lanes.iter().zip(sources) {
                let element = if source.is_some() { run.value(source) } else { low };
                cells.set(lane.element, row, element);
                cells.set_limbs(&lane.limbs, row, element - low);
            }
        }
        for (lane, counts) in self.lanes.iter().zip(counts) {
            cells.fill(lane.multiplicity, &counts);
        }
    }

    fn copies(&self, rows: &EmbeddingRows, copies: &mut Copies<'_>) {
        for (row, line) in rows.lines.iter().enumerate() {
            if let Some((_, source)) = line.whole {
                copies.copy(self.index, row, copies.element(source));
            }
        }
    }

    fn chains(&self) -> Vec<Column<Advice>> {
        vec![self.chain.weight]
    }

    fn addend(&self, row: &mut Row<'_, '_>) -> Option<Expression<Fr>> {
        self.helpers.iter().map(|&helper| row.cur(helper)).reduce(|a, b| a + b)
    }

    fn finish(&self, rows: &EmbeddingRows, drawn: Drawn<'_>, cells: &mut FieldCells) -> Vec<Fr> {
        self.evaluate(rows, drawn, cells)
    }
}

/// The operation, if it is one.
fn embed(op: &QuantizedOp) -> Option<&Embed> {
    match op {
        QuantizedOp::Embed(embed) => Some(embed),
        _ => None,
    }
}

impl Relation for EmbeddingUnit {
    const LANES: usize = 16;

    /// A table has a row for every index that there can be, with elements in the range of digits.
    fn check(graph: &QuantizedGraph) -> Result<(), PlanError> {
        for node in &graph.nodes {
            let Some(embed) = embed(&node.op) else { continue };
            let (input, output) = (&graph.tensors[embed.input.0], &graph.tensors[node.output.0]);
            let rows = i64::try_from(embed.rows()).unwrap_or(i64::MAX);
            let covers_all = (input.lo, input.hi) == (embed.first, embed.first + rows - 1);
            let is_bounded = |&element: &i32| (output.lo..=output.hi).contains(&element.into());
            if !covers_all || !embed.table.iter().all(is_bounded) {
                return Err(PlanError::EmbeddingTable { node: node.name.clone() });
            }
        }
        Ok(())
    }

    fn counts<'a>(proven: Proven<'a>) -> Box<dyn Fn(usize) -> usize + 'a> {
        Box::new(move |lanes| rows::count(proven, lanes))
    }

    fn rows(proven: Proven<'_>, lanes: usize, _: &mut ValueTables) -> Option<EmbeddingRows> {
        EmbeddingRows::new(proven, lanes)
    }

    fn shape(rows: &EmbeddingRows) -> EmbeddingShape {
        rows.shape()
    }

    fn limbs(shape: &mut EmbeddingShape) -> Vec<&mut Vec<u32>> {
        vec![&mut shape.limbs]
    }

    fn results(rows: &EmbeddingRows) -> Vec<ResultCell> {
        rows.results()
    }
}

/// The tag of a table, by its place.
fn tag(table: usize) -> i64 {
    EMBEDDING_TAG - i64::from(index(table))
}
