//! Where the pool and softmax units put their elements, and which cell holds which element.

use zkinfer_models::{
    QuantizedGraph,
    quantized::{QuantizedOp, Softmax, TensorId},
};

use super::slots::{Layer, PADDING, SlotLayout};
use super::{
    CellRef, Place, RequantKind,
    commitment::{CommitmentPlan, CommittedSide, Side},
};
use crate::{instance::BINDING_ROWS, shape::POOL_WIDTH};

/// One row of the softmax unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoftmaxRow {
    pub(crate) node: u32,
    pub(crate) input: CellRef,
    pub(crate) first: bool,
    pub(crate) last: bool,
    /// Rows from this one to the last of its group.
    pub(crate) remaining: u32,
}

/// The cells of every tensor, with the rows of the units that follow from the graph alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells {
    pub(crate) tensors: Vec<Vec<CellRef>>,
    /// What each window of the pool unit reads, from lane to lane and then from row to row.
    pub(crate) pool: Vec<[CellRef; POOL_WIDTH]>,
    pool_lanes: usize,
    pub(crate) softmax: Vec<SoftmaxRow>,
    /// Row of the instance column where the outputs begin.
    pub(crate) instance_outputs: usize,
    pub(crate) instance_len: usize,
}

pub(crate) fn row(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl Cells {
    pub(crate) fn of(
        graph: &QuantizedGraph,
        layers: &[Layer],
        slots: &SlotLayout,
        (lanes, pool_lanes): (usize, usize),
        commitment: Option<&CommitmentPlan>,
    ) -> Self {
        let tensors = vec![Vec::new(); graph.tensors.len()];
        let mut cells = Self { tensors, pool_lanes, ..Self::default() };
        cells.inputs(graph, commitment.and_then(|commitment| commitment.side_of(Side::Input)));
        let shown = |tensors: &[TensorId], side| {
            let committed = commitment.and_then(|commitment| commitment.side_of(side));
            let elements = tensors.iter().map(|&TensorId(t)| graph.tensors[t].len()).sum();
            committed.map_or(elements, |_| 1)
        };
        cells.instance_outputs = BINDING_ROWS + shown(&graph.inputs, Side::Input);
        cells.instance_len = cells.instance_outputs + shown(&graph.outputs, Side::Output);
        cells.slots(graph, layers, slots, lanes);
        let in_slots = |node: usize| {
            layers.iter().filter_map(|layer| layer.pooling.as_ref()).any(|p| p.pool == node)
        };
        for (index, node) in graph.nodes.iter().enumerate() {
            if in_slots(index) {
                continue;
            }
            let found = match &node.op {
                QuantizedOp::Affine(_) | QuantizedOp::Mul(_) => continue,
                QuantizedOp::Alias(alias) => {
                    let source = &cells.tensors[alias.input.0];
                    alias.index.iter().map(|&i| source[i]).collect()
                }
                QuantizedOp::MaxPool(pool) => {
                    let source = cells.tensors[pool.input.0].clone();
                    pool.windows.iter().map(|window| cells.window(&source, window)).collect()
                }
                QuantizedOp::Softmax(softmax) => cells.softmax(row(index), softmax),
            };
            cells.tensors[node.output.0] = found;
        }
        cells
    }

    /// The windows of each row of the pool unit.
    pub(crate) fn pool_rows(&self) -> std::slice::Chunks<'_, [CellRef; POOL_WIDTH]> {
        self.pool.chunks(self.pool_lanes.max(1))
    }

    fn inputs(&mut self, graph: &QuantizedGraph, committed: Option<&CommittedSide>) {
        let place = |flat: usize| match committed {
            Some(side) => CellRef { place: Place::Committed, row: side.element_rows[flat] },
            None => CellRef { place: Place::Instance, row: row(BINDING_ROWS + flat) },
        };
        let mut next = 0;
        for &TensorId(input) in &graph.inputs {
            let len = graph.tensors[input].len();
            self.tensors[input] = (next..next + len).map(place).collect();
            next += len;
        }
    }

    fn slots(
        &mut self,
        graph: &QuantizedGraph,
        layers: &[Layer],
        slots: &SlotLayout,
        lanes: usize,
    ) {
        for layer in layers {
            let unset = CellRef { place: Place::Instance, row: u32::MAX };
            let TensorId(tensor) = layer.stated();
            self.tensors[tensor] = vec![unset; graph.tensors[tensor].len()];
        }
        for (index, slot) in slots.rows.iter().enumerate() {
            let Some(layer) = slot.layer.and_then(|l| layers.get(l as usize)) else { continue };
            for lane in 0..lanes {
                let first = slots.elements(index, lane)[0];
                let maxima = layer.pooling.as_ref().map(|pooling| &pooling.maxima);
                let element = match maxima {
                    Some(maxima) => maxima.get(first as usize).copied().unwrap_or(PADDING),
                    None => first,
                };
                if element == PADDING {
                    continue;
                }
                let place = match layer.kind {
                    RequantKind::Wide => Place::Wide,
                    RequantKind::Clamp | RequantKind::Table => Place::Slot(row(lane)),
                };
                let cell = CellRef { place, row: row(index) };
                self.tensors[layer.stated().0][element as usize] = cell;
            }
        }
    }

    /// The maximum of a window: of four elements, then of the maximum so far and three more.
    fn window(&mut self, source: &[CellRef], window: &[usize]) -> CellRef {
        let mut rest = window.iter().map(|&i| source[i]);
        let mut so_far = rest.next().unwrap_or(CellRef { place: Place::Instance, row: u32::MAX });
        loop {
            let taken: Vec<_> = rest.by_ref().take(POOL_WIDTH - 1).collect();
            let mut inputs = [so_far; POOL_WIDTH];
            inputs[1..].iter_mut().zip(&taken).for_each(|(cell, &element)| *cell = element);
            let (index, lanes) = (self.pool.len(), self.pool_lanes);
            so_far = CellRef { place: Place::Pool(row(index % lanes)), row: row(index / lanes) };
            self.pool.push(inputs);
            if rest.len() == 0 {
                return so_far;
            }
        }
    }

    fn softmax(&mut self, node: u32, softmax: &Softmax) -> Vec<CellRef> {
        let source = self.tensors[softmax.input.0].clone();
        let mut output = source.clone();
        for group in &softmax.groups {
            for (position, &element) in group.iter().enumerate() {
                output[element] = CellRef { place: Place::Softmax, row: row(self.softmax.len()) };
                self.softmax.push(SoftmaxRow {
                    node,
                    input: source[element],
                    first: position == 0,
                    last: position + 1 == group.len(),
                    remaining: row(group.len() - position),
                });
            }
        }
        output
    }
}
