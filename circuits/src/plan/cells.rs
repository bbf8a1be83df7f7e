//! Which cell holds which element: the walk over the graph that gives pool and softmax their rows.

use zkinfer_models::{
    QuantizedGraph,
    quantized::{QuantizedOp, TensorId},
};

use crate::{
    cells::{CellRef, Place},
    instance::BINDING_ROWS,
    integers::index,
    lookup::ValueTables,
    units::{
        commitment::CommitmentRows, forest::ForestRows, pool::PoolRows, slots::SlotRows,
        softmax::SoftmaxRows,
    },
};

/// Lanes of the units whose rows follow from the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnitLanes {
    /// Windows to a row of the pool unit.
    pub(crate) pool: usize,
    /// Elements to a row of the softmax unit.
    pub(crate) softmax: usize,
    /// Walks to a row of the forest unit.
    pub(crate) forest: usize,
    /// Reads to a row of the product unit.
    pub(crate) product: usize,
    /// Reads to a row of the normalization unit.
    pub(crate) normalize: usize,
}

/// The cells of every tensor, with the rows of the units that follow from the graph alone.
#[derive(Clone, Debug)]
pub(crate) struct Cells {
    pub(crate) tensors: Vec<Vec<CellRef>>,
    pub(crate) pool: PoolRows,
    pub(crate) softmax: Option<SoftmaxRows>,
    pub(crate) forest: Option<ForestRows>,
}

impl Cells {
    /// Walks the nodes in order. `pooled` are max pools that the layers before them state.
    pub(crate) fn of(
        graph: &QuantizedGraph,
        slots: &SlotRows,
        pooled: &[usize],
        lanes: UnitLanes,
        commitment: Option<&CommitmentRows>,
        tables: &mut ValueTables,
    ) -> Self {
        let mut tensors = vec![Vec::new(); graph.tensors.len()];
        for (id, cells) in inputs(graph, commitment).into_iter().chain(slots.cells()) {
            tensors[id.0] = cells;
        }
        let mut pool = PoolRows::new(lanes.pool);
        let mut softmax: Option<SoftmaxRows> = None;
        let forest = ForestRows::of(graph, lanes.forest, tables);
        for (node_index, node) in graph.nodes.iter().enumerate() {
            let found = match &node.op {
                QuantizedOp::Affine(_)
                | QuantizedOp::Mul(_)
                | QuantizedOp::Contract(_)
                | QuantizedOp::Normalize(_) => continue,
                QuantizedOp::MaxPool(_) if pooled.contains(&node_index) => continue,
                QuantizedOp::Alias(alias) => alias.elements.of(&tensors[alias.input.0]),
                QuantizedOp::MaxPool(op) => pool.pool(op),
                QuantizedOp::Forest(op) => {
                    let cells = forest.as_ref().map(|rows| rows.cells(node_index, op.width()));
                    cells.unwrap_or_default()
                }
                QuantizedOp::Softmax(op) => {
                    let rows = softmax.get_or_insert_with(|| SoftmaxRows::new(lanes.softmax));
                    rows.softmax(op, tensors[op.input.0].len(), tables)
                }
            };
            tensors[node.output.0] = found;
        }
        Self { tensors, pool, softmax, forest }
    }
}

/// The cells of the inputs: in the instance, or where they are packed for their commitment.
fn inputs(
    graph: &QuantizedGraph,
    commitment: Option<&CommitmentRows>,
) -> Vec<(TensorId, Vec<CellRef>)> {
    let count = graph.inputs.iter().map(|id| graph.tensors[id.0].len()).sum();
    let shown = |flat| CellRef { place: Place::Instance, row: index(BINDING_ROWS + flat) };
    let committed = commitment.and_then(CommitmentRows::input_cells);
    let mut cells = committed.unwrap_or_else(|| (0..count).map(shown).collect()).into_iter();
    let of_tensor = |&id: &TensorId| {
        let len = graph.tensors[id.0].len();
        (id, cells.by_ref().take(len).collect())
    };
    graph.inputs.iter().map(of_tensor).collect()
}
