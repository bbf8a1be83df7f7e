//! Where every requantized value lies, and the walk of the slot weights over the lattice.

use zkinfer_models::{
    QuantizedGraph,
    quantized::{QuantizedOp, Requant, TensorId},
};

use super::{
    conv::{boustrophedon, int},
    format::{RequantKind, RowFormat},
    packing::Packing,
    windows::{POSITIONS, Pooling, WINDOW},
};
use crate::chain::{Monomial, Step, StepSet};

/// No element: a padding channel whose accumulator is 0.
pub(crate) const PADDING: u32 = u32::MAX;

/// A linear layer: a node with an accumulator.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) index: u32,
    pub(crate) node: usize,
    pub(crate) output: TensorId,
    pub(crate) kind: RequantKind,
    /// Channels to a row of slots: in a wide layer one, in the first lane.
    pub(crate) lanes: usize,
    /// The digits of its channels.
    pub(crate) packing: Packing,
    /// The pool that it takes over: its rows of slots are windows.
    pub(crate) pooling: Option<Pooling>,
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Layer {
    /// Rows and columns of accumulators that one row of slots states.
    fn window(&self) -> [usize; 2] {
        if self.pooling.is_some() { WINDOW } else { [1, 1] }
    }

    /// The tensor whose elements its rows of slots state: its own, or the pool's.
    pub(crate) fn stated(&self) -> TensorId {
        self.pooling.as_ref().map_or(self.output, |pooling| pooling.output)
    }

    /// Rows of slots.
    fn row_count(&self) -> usize {
        let [height, width] = self.window();
        let positions = self.height.div_ceil(height) * self.width.div_ceil(width);
        self.channels.div_ceil(self.lanes) * positions
    }
}

/// One row of the slot unit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SlotRow {
    /// The layer whose values the row holds; `None` in the first row.
    pub(crate) layer: Option<u32>,
    /// How the weight goes on to the next row.
    pub(crate) step: Step,
    /// The layer whose challenge starts the weight of the next row.
    pub(crate) starts: Option<u32>,
}

/// The slot unit of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlotLayout {
    pub(crate) rows: Vec<SlotRow>,
    pub(crate) steps: StepSet,
    /// For each row, lane and position of a window.
    elements: Vec<u32>,
    lanes: usize,
    /// Positions to a lane: those of a window, if some layer has windows.
    positions: usize,
}

impl SlotLayout {
    /// The elements of the layer's output tensor whose accumulators a lane of a row states:
    /// [`PADDING`] beyond the layer's channels, beyond the image, and after the first where the
    /// layer has no windows.
    pub(crate) fn elements(&self, row: usize, lane: usize) -> &[u32] {
        &self.elements[(row * self.lanes + lane) * self.positions..][..self.positions]
    }
}

/// The linear layers of a graph, in order.
pub(crate) fn layers(graph: &QuantizedGraph, format: &RowFormat, lanes: usize) -> Vec<Layer> {
    let layer = |(node, n): (usize, &zkinfer_models::quantized::QuantizedNode)| {
        let (requant, [channels, height, width]) = accumulators(graph, node)?;
        let kind = format.kind(requant, n.output);
        let packing = format.packing(kind, lanes);
        Some(Layer {
            index: 0,
            node,
            output: n.output,
            kind,
            lanes: if kind == RequantKind::Wide { 1 } else { lanes },
            packing,
            pooling: format.pooling(node).cloned(),
            channels,
            height,
            width,
        })
    };
    let found = graph.nodes.iter().enumerate().filter_map(layer);
    (0..).zip(found).map(|(index, layer)| Layer { index, ..layer }).collect()
}

/// The requantization of a node and the shape of its accumulators, if it has any.
pub(crate) fn accumulators(graph: &QuantizedGraph, node: usize) -> Option<(&Requant, [usize; 3])> {
    match &graph.nodes[node].op {
        QuantizedOp::Affine(affine) => {
            let view = &affine.output;
            Some((&affine.requant, [view.channels, view.height, view.width]))
        }
        QuantizedOp::Mul(mul) => Some((&mul.requant, [mul.a_index.len(), 1, 1])),
        QuantizedOp::Alias(_) | QuantizedOp::MaxPool(_) | QuantizedOp::Softmax(_) => None,
    }
}

/// The element of a layer's output tensor at a lattice position.
fn output_element(
    graph: &QuantizedGraph,
    node: usize,
    channel: usize,
    [row, column]: [usize; 2],
) -> u32 {
    let element = match &graph.nodes[node].op {
        QuantizedOp::Affine(affine) => affine.output.index(channel, row, column),
        _ => channel,
    };
    u32::try_from(element).unwrap_or(PADDING)
}

/// Rows that the slot unit needs, the first one included.
pub(crate) fn row_count(layers: &[Layer]) -> usize {
    1 + layers.iter().map(Layer::row_count).sum::<usize>()
}

/// Lays the layers out: blocks of `lanes` channels, each a walk over the positions, or over the
/// windows, forth and back in turn.
pub(crate) fn layout(graph: &QuantizedGraph, layers: &[Layer], lanes: usize) -> SlotLayout {
    let positions = if layers.iter().any(|layer| layer.pooling.is_some()) { POSITIONS } else { 1 };
    let mut layout = SlotLayout {
        rows: vec![SlotRow::default()],
        steps: StepSet::default(),
        elements: vec![PADDING; lanes * positions],
        lanes,
        positions,
    };
    for layer in layers {
        if let Some(row) = layout.rows.last_mut() {
            row.starts = Some(layer.index);
        }
        place(graph, layer, &mut layout);
    }
    layout
}

fn place(graph: &QuantizedGraph, layer: &Layer, layout: &mut SlotLayout) {
    let blocks = layer.channels.div_ceil(layer.lanes);
    let [height, width] = layer.window();
    let steps = |len: usize, step| (0..int(len)).step_by(step).collect();
    let mut path = boustrophedon(steps(layer.height, height), steps(layer.width, width));
    let mut previous: Option<[i32; 2]> = None;
    for block in 0..blocks {
        for (turn, &position) in path.iter().enumerate() {
            if let (Some([p, q]), Some(row)) = (previous, layout.rows.last_mut()) {
                let channels = match turn {
                    0 => layer.packing.step((block - 1) * layer.lanes, block * layer.lanes),
                    _ => Monomial::ONE,
                };
                let (row_step, column) = (position[0] - p, position[1] - q);
                row.step = layout.steps.step(Monomial { row: row_step, column, ..channels });
            }
            previous = Some(position);
            layout.rows.push(SlotRow { layer: Some(layer.index), ..SlotRow::default() });
            push_elements(graph, layer, block, position, layout);
        }
        path.reverse();
    }
}

/// The elements of the row that is at `position` in a block of channels.
fn push_elements(
    graph: &QuantizedGraph,
    layer: &Layer,
    block: usize,
    position: [i32; 2],
    layout: &mut SlotLayout,
) {
    let [top, left] = position.map(|p| usize::try_from(p).unwrap_or(0));
    let [height, width] = layer.window();
    for lane in 0..layout.lanes {
        let channel = block * layer.lanes + lane;
        let is_used = lane < layer.lanes && channel < layer.channels;
        let element = |index: usize| {
            let [row, column] = [top + index / width, left + index % width];
            let is_inside = row < layer.height && column < layer.width && index < height * width;
            let position = (is_used && is_inside).then_some([row, column]);
            position.map_or(PADDING, |at| output_element(graph, layer.node, channel, at))
        };
        layout.elements.extend((0..layout.positions).map(element));
    }
}
