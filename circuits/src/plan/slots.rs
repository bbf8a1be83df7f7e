//! Where every requantized value lies, and the walk of the slot weights over the lattice.

use zkinfer_models::{
    QuantizedGraph,
    quantized::{QuantizedOp, Requant, TensorId},
};

use super::{
    conv::{boustrophedon, int},
    format::{RequantKind, RowFormat},
    packing::Packing,
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
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
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
    /// For each row and lane the element of the layer's output tensor, or [`PADDING`].
    pub(crate) elements: Vec<u32>,
    pub(crate) steps: StepSet,
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
pub(crate) fn output_element(
    graph: &QuantizedGraph,
    node: usize,
    channel: usize,
    position: [i32; 2],
) -> u32 {
    let [row, column] = position.map(|p| usize::try_from(p).unwrap_or(0));
    let element = match &graph.nodes[node].op {
        QuantizedOp::Affine(affine) => affine.output.index(channel, row, column),
        _ => channel,
    };
    u32::try_from(element).unwrap_or(PADDING)
}

/// Rows that the slot unit needs, the first one included.
pub(crate) fn row_count(layers: &[Layer]) -> usize {
    let rows = |l: &Layer| l.channels.div_ceil(l.lanes) * l.height * l.width;
    1 + layers.iter().map(rows).sum::<usize>()
}

/// Lays the layers out: blocks of `lanes` channels, each a walk over the positions, forth and
/// back in turn.
pub(crate) fn layout(graph: &QuantizedGraph, layers: &[Layer], lanes: usize) -> SlotLayout {
    let mut layout = SlotLayout {
        rows: vec![SlotRow::default()],
        elements: vec![PADDING; lanes],
        steps: StepSet::default(),
    };
    for layer in layers {
        if let Some(row) = layout.rows.last_mut() {
            row.starts = Some(layer.index);
        }
        place(graph, layer, lanes, &mut layout);
    }
    layout
}

fn place(graph: &QuantizedGraph, layer: &Layer, lanes: usize, layout: &mut SlotLayout) {
    let blocks = layer.channels.div_ceil(layer.lanes);
    let mut path = boustrophedon((0..int(layer.height)).collect(), (0..int(layer.width)).collect());
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
            layout.elements.extend((0..lanes).map(|lane| {
                let channel = block * layer.lanes + lane;
                if lane < layer.lanes && channel < layer.channels {
                    output_element(graph, layer.node, channel, position)
                } else {
                    PADDING
                }
            }));
        }
        path.reverse();
    }
}
