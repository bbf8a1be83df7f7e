//! The pool unit: in each lane a row says that `maximum` is the largest of four elements.
//!
//! | copied | own |
//! |---|---|
//! | `x_0 x_1 x_2 x_3` | `maximum`, and for each input the limbs of `maximum − x_i` where one limb is too narrow |
//!
//! `maximum − x_i ≥ 0` for each by a range lookup (directly, or through limbs where one limb is
//! too narrow), and `Π (maximum − x_i) = 0`, so it is one of them. The range has the bits of the
//! largest difference between two elements of the tensors that are pooled, so a negative difference
//! is never in range modulo the field. Shorter windows repeat an element; longer ones pass their
//! maximum on to another row or lane by a copy.

use halo2_proofs::plonk::{Advice, Column};
use zkinfer_models::quantized::{MaxPool, QuantizedOp, TensorId};

use super::{
    relation::{Proven, Relation, ResultCell},
    unit::Unit,
};
use crate::{
    algebra::Gates,
    cells::{Copies, FixedCells, IntegerCells, Run},
    frame::{Copied, Frame, Limbs},
    integers::{bits, index},
    lookup::{
        ValueTables,
        entry::{KeyTerm, Tag},
    },
};

/// Elements that one lane of a row takes the maximum of.
const WIDTH: usize = 4;

/// Lanes and limb widths of the pool unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolShape {
    /// Windows to a row.
    pub lanes: usize,
    /// Widths of the limbs of a difference.
    pub limbs: Vec<u32>,
}

/// What a lane of a row reads.
#[derive(Clone, Copy, Debug)]
enum Input {
    Element(TensorId, u32),
    /// The maximum so far, of a window before.
    Maximum(usize),
}

/// What each window reads, from lane to lane and then from row to row.
#[derive(Clone, Debug)]
pub(crate) struct PoolRows {
    lanes: usize,
    windows: Vec<[Input; WIDTH]>,
    results: Vec<ResultCell>,
    /// Bits of the largest difference.
    bits: u32,
}

/// Windows of up to four elements that the maximum of so many takes: the first has four elements,
/// the others the maximum so far and three more.
fn windows_of(elements: usize) -> usize {
    elements.saturating_sub(1).div_ceil(WIDTH - 1).max(1)
}

impl PoolRows {
    fn rows(&self) -> std::slice::Chunks<'_, [Input; WIDTH]> {
        self.windows.chunks(self.lanes)
    }

    /// Lane and row of a window.
    fn place(&self, window: usize) -> (usize, usize) {
        (window % self.lanes, window / self.lanes)
    }

    /// The last window of the maximum of some elements.
    fn window(&mut self, mut elements: impl ExactSizeIterator<Item = Input>) -> usize {
        let mut so_far = elements.next().expect("a window of a pool is never empty");
        loop {
            let mut inputs = [so_far; WIDTH];
            for (input, element) in inputs[1..].iter_mut().zip(elements.by_ref()) {
                *input = element;
            }
            let at = self.windows.len();
            self.windows.push(inputs);
            if elements.len() == 0 {
                return at;
            }
            so_far = Input::Maximum(at);
        }
    }
}

/// The columns of one lane.
#[derive(Clone, Debug)]
struct Lane {
    inputs: [Copied; WIDTH],
    maximum: Column<Advice>,
    /// Limbs of `maximum − input`, per input; empty where one limb is enough.
    differences: [Limbs; WIDTH],
}

/// The pool unit.
#[derive(Clone, Debug)]
pub(crate) struct PoolUnit {
    lanes: Vec<Lane>,
}

impl PoolUnit {
    /// The cell of a window's maximum.
    fn maximum(&self, rows: &PoolRows, window: usize) -> (Column<Advice>, usize) {
        let (lane, row) = rows.place(window);
        (self.lanes[lane].maximum, row)
    }
}

impl Lane {
    fn allocate(lane: u32, widths: &[u32], frame: &mut Frame) -> Self {
        let inputs = [(); WIDTH].map(|()| frame.copied("pool input"));
        let maximum = frame.result("pool maximum", lane);
        let differences = inputs.map(|input| {
            if let [bits] = *widths {
                let key = vec![KeyTerm::Plus(maximum), KeyTerm::Minus(input.column())];
                frame.lookup(key, Tag::Range(bits), None);
                return Limbs::default();
            }
            frame.limbs("pool difference", widths)
        });
        Self { inputs, maximum, differences }
    }

    fn gates(&self, gates: &mut Gates<'_>) {
        gates.create("pool maximum", |row| {
            let differences =
                self.inputs.map(|input| row.cur(self.maximum) - row.cur(input.column()));
            let product = differences.into_iter().reduce(|a, b| a * b);
            product.map(|product| ("Π (maximum − x) = 0", row.on() * product))
        });
        for (input, limbs) in self.inputs.iter().zip(&self.differences) {
            if limbs.is_empty() {
                continue;
            }
            gates.create("pool difference", |row| {
                let difference = row.cur(self.maximum) - row.cur(input.column());
                [("maximum − x = limbs", row.on() * (difference - row.limbs(limbs)))]
            });
        }
    }
}

impl Unit for PoolUnit {
    type Shape = PoolShape;
    type Rows = PoolRows;

    fn row_count(rows: &PoolRows) -> usize {
        rows.rows().len()
    }

    fn allocate(shape: &PoolShape, frame: &mut Frame) -> Self {
        let lanes = 0..index(shape.lanes);
        Self { lanes: lanes.map(|lane| Lane::allocate(lane, &shape.limbs, frame)).collect() }
    }

    fn gates(&self, gates: &mut Gates<'_>) {
        self.lanes.iter().for_each(|lane| lane.gates(gates));
    }

    fn fixed(&self, _rows: &PoolRows, _cells: &mut FixedCells) {}

    fn assign(&self, rows: &PoolRows, run: Run<'_>, cells: &mut IntegerCells) {
        for (row, windows) in rows.rows().enumerate() {
            for (lane, sources) in self.lanes.iter().zip(windows) {
                let mut inputs = [0; WIDTH];
                for ((value, &input), &source) in inputs.iter_mut().zip(&lane.inputs).zip(sources) {
                    let honest = match source {
                        Input::Element(tensor, element) => run.value(Some((tensor, element))),
                        Input::Maximum(window) => {
                            let (column, row) = self.maximum(rows, window);
                            cells.get(column, row)
                        }
                    };
                    *value = cells.copy(input, row, honest);
                }
                let maximum = inputs.into_iter().fold(i64::MIN, i64::max);
                cells.set(lane.maximum, row, maximum);
                for (limbs, input) in lane.differences.iter().zip(inputs) {
                    cells.set_limbs(limbs, row, maximum - input);
                }
            }
        }
    }

    fn copies(&self, rows: &PoolRows, copies: &mut Copies<'_>) {
        for (row, windows) in rows.rows().enumerate() {
            for (lane, sources) in self.lanes.iter().zip(windows) {
                for (&input, &source) in lane.inputs.iter().zip(sources) {
                    match source {
                        Input::Element(tensor, element) => {
                            copies.copy(input, row, copies.element(Some((tensor, element))));
                        }
                        Input::Maximum(window) => {
                            copies.copy_own(input, row, self.maximum(rows, window));
                        }
                    }
                }
            }
        }
    }
}

impl Relation for PoolUnit {
    const LANES: usize = 16;

    fn counts<'a>(proven: Proven<'a>) -> Box<dyn Fn(usize) -> usize + 'a> {
        let pools = proven.operations(max_pool);
        let windows: usize = pools.flat_map(|(_, pool)| pool.windows.sizes().map(windows_of)).sum();
        Box::new(move |lanes| windows.div_ceil(lanes))
    }

    fn rows(proven: Proven<'_>, lanes: usize, _: &mut ValueTables) -> Option<PoolRows> {
        let mut rows = PoolRows { lanes, windows: Vec::new(), results: Vec::new(), bits: 1 };
        for (node, pool) in proven.operations(max_pool) {
            let input = &proven.graph.tensors[pool.input.0];
            rows.bits = rows.bits.max(bits(input.hi - input.lo));
            let element = |element| Input::Element(pool.input, index(element));
            for (result, window) in pool.windows.iter().enumerate() {
                let maximum = rows.window(window.into_iter().map(element));
                let (lane, row) = rows.place(maximum);
                let [element, lane, row] = [result, lane, row].map(index);
                rows.results.push(ResultCell { tensor: node.output, element, lane, row });
            }
        }
        (!rows.windows.is_empty()).then_some(rows)
    }

    fn shape(rows: &PoolRows) -> PoolShape {
        PoolShape { lanes: rows.lanes, limbs: vec![rows.bits] }
    }

    fn limbs(shape: &mut PoolShape) -> Vec<&mut Vec<u32>> {
        vec![&mut shape.limbs]
    }

    fn results(rows: &PoolRows) -> Vec<ResultCell> {
        rows.results.clone()
    }
}

fn max_pool(op: &QuantizedOp) -> Option<&MaxPool> {
    match op {
        QuantizedOp::MaxPool(pool) => Some(pool),
        _ => None,
    }
}
