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
use zkinfer_models::{
    QuantizedGraph,
    quantized::{MaxPool, QuantizedOp, TensorId},
};

use super::unit::Unit;
use crate::{
    algebra::Gates,
    cells::{CellRef, Copies, FixedCells, IntegerCells, Place, Run},
    frame::{Copied, Frame, Limbs},
    integers::{bits, index, limb_widths},
    lookup::entry::{KeyTerm, Tag},
};

/// Elements that one lane of a row takes the maximum of.
const WIDTH: usize = 4;

/// Lanes and limb widths of the pool unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolShape {
    /// Windows to a row, 0 without the unit.
    pub lanes: usize,
    /// Widths of the limbs of a difference.
    pub limbs: Vec<u32>,
}

impl PoolShape {
    /// The unit for these pools, with `lanes` windows to a row.
    pub(crate) fn of(graph: &QuantizedGraph, pools: &[usize], lanes: usize, limit: u32) -> Self {
        let span = |&node: &usize| match &graph.nodes[node].op {
            QuantizedOp::MaxPool(pool) => {
                let tensor = &graph.tensors[pool.input.0];
                Some(bits(tensor.hi - tensor.lo).max(1))
            }
            _ => None,
        };
        let limbs = pools.iter().filter_map(span).max().map(|bits| limb_widths(bits, limit));
        Self { lanes, limbs: limbs.unwrap_or_default() }
    }
}

/// What a lane of a row reads.
#[derive(Clone, Copy, Debug)]
enum Input {
    Element(TensorId, u32),
    /// The maximum so far, of a lane before.
    Maximum(CellRef),
}

/// What each window reads, from lane to lane and then from row to row.
#[derive(Clone, Debug, Default)]
pub(crate) struct PoolRows {
    lanes: usize,
    windows: Vec<[Input; WIDTH]>,
}

impl PoolRows {
    /// No windows, `lanes` to a row.
    pub(crate) fn new(lanes: usize) -> Self {
        Self { lanes: lanes.max(1), windows: Vec::new() }
    }

    /// Windows of up to four elements.
    pub(crate) fn window_count(&self) -> usize {
        self.windows.len()
    }

    fn rows(&self) -> std::slice::Chunks<'_, [Input; WIDTH]> {
        self.windows.chunks(self.lanes)
    }

    pub(crate) fn row_count(&self) -> usize {
        self.rows().len()
    }

    /// Takes the maxima of a pool, and says where they are.
    pub(crate) fn pool(&mut self, pool: &MaxPool) -> Vec<CellRef> {
        let element = |element| Input::Element(pool.input, index(element));
        pool.windows.iter().map(|window| self.window(window.into_iter().map(element))).collect()
    }

    /// The maximum of a window: of four elements, then of the maximum so far and three more.
    fn window(&mut self, mut elements: impl ExactSizeIterator<Item = Input>) -> CellRef {
        let mut so_far = elements.next().expect("a window of a pool is never empty");
        loop {
            let mut inputs = [so_far; WIDTH];
            for (input, element) in inputs[1..].iter_mut().zip(elements.by_ref()) {
                *input = element;
            }
            let at = self.windows.len();
            let place = Place::Pool(index(at % self.lanes));
            let maximum = CellRef { place, row: index(at / self.lanes) };
            self.windows.push(inputs);
            if elements.len() == 0 {
                return maximum;
            }
            so_far = Input::Maximum(maximum);
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

impl Lane {
    fn allocate(lane: u32, widths: &[u32], frame: &mut Frame) -> Self {
        let inputs = [(); WIDTH].map(|()| frame.copied("pool input"));
        let maximum = frame.source("pool maximum", Place::Pool(lane));
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
                        Input::Maximum(cell) => cells.at(cell),
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
                    let source = match source {
                        Input::Element(tensor, element) => copies.element(Some((tensor, element))),
                        Input::Maximum(cell) => cell,
                    };
                    copies.copy(input, row, source);
                }
            }
        }
    }
}
