//! The forest unit: which leaf each tree reaches, by the branches that are visited.
//!
//! A row ranks one element among all thresholds that the trees compare it with:
//!
//! | copied | own | fixed |
//! |---|---|---|
//! | `x` | rank `r` in limbs, `size − r` in limbs, bounds `lower`, `upper`, limbs of `x − lower − 1` and `upper − x`, how often it is compared | place of its thresholds, their number, its number `f` |
//!
//! A lane of a row is one step of a walk:
//!
//! | own | fixed |
//! |---|---|
//! | node, direction `d`, compared rank `c`, limbs of the distance, entry `W` | first node of a walk, tag of the table |
//!
//! Relations, with `F = 2^(rank bits + 1)` apart the numbers of elements and `S` value bits:
//!
//! * `lower` and `upper` are neighbours in the list of the element's thresholds, which is strictly
//!   increasing, by two lookups; `lower < x ≤ upper` by limbs. So `r` is how many thresholds are
//!   below `x`. `0 ≤ r ≤ size` keeps the lookups within the element's own list.
//! * `W = table[node]` by a lookup, and `W = c + distance − d·(2·distance + 1) + 2^S·(next − d)`,
//!   `d ∈ {0, 1}`. The table has `f·F + j + 2^S·child` for a branch that compares element `f` with
//!   its threshold `j`, and whose two ways lead to `child` and `child + 1`. All parts are far below
//!   the modulus, the low ones within less than `2^S` of each other, so both equations hold over
//!   the integers: `next = child + d`, and `f·F + j − c` is the distance where `d = 0`, or less its
//!   negative by one where `d = 1`.
//! * `c` is one of the `f·F + r_f` by fractions of its own: `Σ 1/(pole − c) = Σ m_f/(pole − f·F −
//!   r_f)`, with a tag that no table has. As the distance is below `F/2`, `c` is of the very
//!   element that the branch compares, and `d = 0` exactly where `r_f ≤ j`, that is `x ≤ t_j`.
//! * A leaf leads to itself, by a comparison that always holds. A walk has as many steps as the
//!   deepest tree beside it; then come the values of the leaf, looked up one to a row.
//!
//! Each value of a leaf is an element of the output. There is one witness.

mod gates;
mod rows;
mod witness;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression, Fixed},
};
use zkinfer_models::{
    QuantizedGraph,
    quantized::{QuantizedOp, Tree},
};

use self::rows::{ForestRows, LANES, Sizes};
use super::{
    relation::{Proven, Relation, ResultCell},
    unit::{Drawn, Unit},
};
use crate::{
    algebra::{Gates, Row},
    cells::{Copies, FieldCells, FixedCells, IntegerCells, Run},
    error::PlanError,
    frame::{Copied, Frame, Limbs},
    integers::{bits, index},
    lookup::{
        ValueTables,
        entry::{KeyTerm, Tag},
        helper_count,
    },
};

/// Bits that entries may have: they are small integers.
const ENTRY_BITS: u32 = 62;

/// Lanes and limb widths of the forest unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForestShape {
    /// Walks beside each other.
    pub lanes: usize,
    /// Bits of the low part of an entry.
    pub value_bits: u32,
    /// Widths of the limbs of a rank.
    pub rank_limbs: Vec<u32>,
    /// Widths of the limbs of a distance between an element and a threshold.
    pub element_limbs: Vec<u32>,
}

/// The columns that rank an element.
#[derive(Clone, Debug)]
struct Ranking {
    q_row: Column<Fixed>,
    /// Minus the place of the first bound of the element's list, and of the one after it.
    starts: [Column<Fixed>; 2],
    tag: Column<Fixed>,
    /// One less than the element's smallest value.
    low: Column<Fixed>,
    /// Thresholds of the element.
    size: Column<Fixed>,
    /// `f·F`.
    number: Column<Fixed>,
    element: Copied,
    rank: Column<Advice>,
    rank_limbs: Limbs,
    rest_limbs: Limbs,
    bounds: [Column<Advice>; 2],
    above_lower: Limbs,
    below_upper: Limbs,
    multiplicity: Column<Advice>,
}

/// The columns of one lane.
#[derive(Clone, Debug)]
struct Lane {
    node: Column<Advice>,
    direction: Column<Advice>,
    compared: Column<Advice>,
    distance: Limbs,
    entry: Column<Advice>,
}

/// The columns of the unit.
#[derive(Clone, Debug)]
pub(crate) struct ForestUnit {
    value_bits: u32,
    ranking: Ranking,
    /// Rows that are a step.
    q_step: Column<Fixed>,
    /// Rows whose node is also the next row's.
    q_hold: Column<Fixed>,
    /// First rows of walks, and the node where the walk of the first lane begins.
    q_start: Column<Fixed>,
    start: Column<Fixed>,
    /// The table that entries of the row are in.
    tag: Column<Fixed>,
    lanes: Vec<Lane>,
    /// Sums of fractions.
    helpers: Vec<Column<Advice>>,
}

impl Ranking {
    fn allocate(shape: &ForestShape, frame: &mut Frame) -> Self {
        let [q_row, first, second, tag, low, size, number] = [(); 7].map(|()| frame.fixed());
        let element = frame.copied("forest element");
        let rank = frame.advice("forest rank");
        let bounds = ["forest lower bound", "forest upper bound"].map(|name| frame.advice(name));
        for (start, bound) in [first, second].into_iter().zip(bounds) {
            let key = vec![KeyTerm::Plus(rank), KeyTerm::MinusFixed(start)];
            frame.lookup(key, Tag::Row(tag), Some(bound));
        }
        Self {
            q_row,
            starts: [first, second],
            tag,
            low,
            size,
            number,
            element,
            rank,
            rank_limbs: frame.limbs("forest rank limb", &shape.rank_limbs),
            rest_limbs: frame.limbs("forest rest limb", &shape.rank_limbs),
            bounds,
            above_lower: frame.limbs("forest distance to lower bound", &shape.element_limbs),
            below_upper: frame.limbs("forest distance to upper bound", &shape.element_limbs),
            multiplicity: frame.advice("forest multiplicity"),
        }
    }
}

impl Lane {
    fn allocate(lane: u32, shape: &ForestShape, tag: Column<Fixed>, frame: &mut Frame) -> Self {
        let node = frame.advice("forest node");
        let direction = frame.advice("forest direction");
        let compared = frame.advice("forest compared rank");
        let distance = frame.limbs("forest distance", &shape.rank_limbs);
        let entry = frame.result("forest entry", lane);
        frame.lookup(vec![KeyTerm::Plus(node)], Tag::Row(tag), Some(entry));
        Self { node, direction, compared, distance, entry }
    }
}

impl Unit for ForestUnit {
    type Shape = ForestShape;
    type Rows = ForestRows;

    fn row_count(rows: &ForestRows) -> usize {
        rows.row_count()
    }

    fn allocate(shape: &ForestShape, frame: &mut Frame) -> Self {
        let [q_step, q_hold, q_start, start, tag] = [(); 5].map(|()| frame.fixed());
        // Rows without an element or a step look up 0 in the range of 0 bits, whose tag is 0.
        frame.range(0);
        let ranking = Ranking::allocate(shape, frame);
        let lanes = (0..index(shape.lanes)).map(|lane| Lane::allocate(lane, shape, tag, frame));
        let lanes: Vec<_> = lanes.collect();
        let helpers = helper_count(lanes.len(), 1);
        let helpers = (0..helpers).map(|_| frame.later("forest fractions")).collect();
        let value_bits = shape.value_bits;
        Self { value_bits, ranking, q_step, q_hold, q_start, start, tag, lanes, helpers }
    }

    fn gates(&self, gates: &mut Gates<'_>) {
        self.create_gates(gates);
    }

    fn fixed(&self, rows: &ForestRows, cells: &mut FixedCells) {
        rows.fixed(self, cells);
    }

    fn assign(&self, rows: &ForestRows, run: Run<'_>, cells: &mut IntegerCells) {
        self.assign_rows(rows, run, cells);
    }

    fn copies(&self, rows: &ForestRows, copies: &mut Copies<'_>) {
        for (row, element) in rows.elements().enumerate() {
            copies.copy(self.ranking.element, row, copies.element(Some(element)));
        }
    }

    fn addend(&self, row: &mut Row<'_, '_>) -> Option<Expression<Fr>> {
        self.helpers.iter().map(|&helper| row.cur(helper)).reduce(|a, b| a + b)
    }

    fn finish(&self, rows: &ForestRows, drawn: Drawn<'_>, cells: &mut FieldCells) -> Vec<Fr> {
        self.fractions(rows, drawn, cells)
    }
}

impl Relation for ForestUnit {
    const LANES: usize = LANES;

    /// Entries are small integers, and every leaf has a value for each element of its tree.
    fn check(graph: &QuantizedGraph) -> Result<(), PlanError> {
        for node in &graph.nodes {
            let QuantizedOp::Forest(forest) = &node.op else { continue };
            let has_all = |tree: &Tree<i64>| {
                !tree.leaves.is_empty() && tree.leaves.iter().all(|leaf| leaf.len() == tree.width())
            };
            let is_whole = forest.width() == graph.tensors[node.output.0].len();
            if !is_whole || !forest.trees.iter().all(has_all) {
                return Err(PlanError::ForestLeaves { node: node.name.clone() });
            }
        }
        let Some(sizes) = Sizes::of(graph) else { return Ok(()) };
        let got = sizes.value_bits() + bits(sizes.node_count());
        if got > ENTRY_BITS {
            return Err(PlanError::Forest { bits: got, limit: ENTRY_BITS });
        }
        Ok(())
    }

    fn counts<'a>(proven: Proven<'a>) -> Box<dyn Fn(usize) -> usize + 'a> {
        Box::new(rows::counts(proven.graph))
    }

    fn rows(proven: Proven<'_>, lanes: usize, tables: &mut ValueTables) -> Option<ForestRows> {
        ForestRows::of(proven.graph, lanes, tables)
    }

    fn shape(rows: &ForestRows) -> ForestShape {
        rows.shape()
    }

    fn limbs(shape: &mut ForestShape) -> Vec<&mut Vec<u32>> {
        vec![&mut shape.rank_limbs, &mut shape.element_limbs]
    }

    fn results(rows: &ForestRows) -> Vec<ResultCell> {
        rows.results()
    }
}
