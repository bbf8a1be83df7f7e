//! Where every requantized value lies, and the walk of the slot weights over the lattice.

use std::sync::Arc;

use zkinfer_models::{
    QuantizedGraph,
    quantized::{ImageView, QuantizedNode, QuantizedOp, Requant, TensorId},
};

use super::{
    format::RowFormat,
    kind::{PADDING, RequantKind, lattice, span},
    packing::Packing,
    siblings,
    windows::{POSITIONS, Pooling, WINDOW},
};
use crate::{
    cells::{CellRef, Place},
    chain::{Monomial, Step, StepSet},
    folding::Folded,
    integers::{index, int},
    lookup::ValueTables,
};

/// A linear layer: a node with an accumulator.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) index: u32,
    /// Its challenge: layers that read the same have one.
    pub(crate) challenge: u32,
    /// Packs of layers before it that have the same challenge.
    pub(crate) first_pack: usize,
    pub(crate) node: usize,
    pub(crate) output: TensorId,
    pub(crate) kind: RequantKind,
    /// How its accumulators become outputs.
    pub(super) requant: Arc<Requant>,
    /// Smallest value after clamping.
    pub(super) low: i64,
    /// Largest value after clamping, counted from the smallest.
    pub(super) high: i64,
    /// Channels to a row of slots, from the first lane on.
    pub(crate) lanes: usize,
    /// Positions to a row of slots, where that has one channel.
    pub(crate) abreast: usize,
    /// The digits of its channels.
    pub(crate) packing: Packing,
    /// The pool that it takes over: its rows of slots are windows.
    pub(crate) pooling: Option<Pooling>,
    /// Which element of the output each accumulator of the lattice becomes.
    pub(crate) view: ImageView,
}

impl Layer {
    /// Rows and columns of accumulators that one row of slots states.
    fn window(&self) -> [usize; 2] {
        if self.pooling.is_some() { WINDOW } else { [1, 1] }
    }

    /// Whether another layer has the same challenge.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.challenge == other.challenge
    }

    /// The weight of a channel, but for the challenge and the position.
    fn weight(&self, channel: usize) -> Monomial {
        let (pack, digit) = self.packing.place(channel);
        let doublings = int(digit) * self.packing.digit_bits.cast_signed();
        Monomial { channel: int(self.first_pack + pack), doublings, ..Monomial::ONE }
    }

    /// The tensor whose elements its rows of slots state: its own, or the pool's.
    pub(crate) fn stated(&self) -> TensorId {
        self.pooling.as_ref().map_or(self.output, |pooling| pooling.output)
    }

    /// Packs of its channels, and of slots beside them that have none.
    fn packs(&self) -> usize {
        let blocks = self.view.channels.div_ceil(self.lanes);
        self.packing.place(blocks * self.lanes - 1).0 + 1
    }

    /// Rows of slots.
    pub(crate) fn row_count(&self) -> usize {
        let [height, width] = self.window();
        let columns = self.view.width.div_ceil(width * self.abreast);
        self.view.channels.div_ceil(self.lanes) * self.view.height.div_ceil(height) * columns
    }
}

/// One row of the slot unit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SlotRow {
    /// The layer whose values the row holds; `None` in the first row.
    pub(super) layer: Option<u32>,
    /// How the weight goes on to the next row.
    pub(super) step: Step,
    /// The layer whose challenge starts the weight of the next row.
    pub(super) starts: Option<u32>,
}

/// The slot unit of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlotLayout {
    pub(super) rows: Vec<SlotRow>,
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
    pub(super) fn elements(&self, row: usize, lane: usize) -> &[u32] {
        &self.elements[(row * self.lanes + lane) * self.positions..][..self.positions]
    }
}

/// The linear layers of a graph, in order. `of_relation` says how the accumulators of relations lie.
pub(crate) fn layers(
    folded: &Folded,
    format: &RowFormat,
    lanes: usize,
    of_relation: impl Fn(&QuantizedOp, usize) -> Option<ImageView>,
) -> Vec<Layer> {
    let graph = folded.graph();
    let layer = |(node, n): (usize, &QuantizedNode)| {
        let requant = format.requant(node)?;
        let kind = format.kind(requant);
        let packing = format.packing(kind, lanes);
        Some(Layer {
            index: 0,
            challenge: 0,
            first_pack: 0,
            node,
            output: n.output,
            kind,
            requant: Arc::clone(requant),
            low: requant.lo.into(),
            high: span(requant),
            lanes: format.lanes(kind, lanes),
            abreast: format.abreast(kind),
            packing,
            pooling: format.pooling(node).cloned(),
            view: lattice(graph, (n, folded.steps(node)), &of_relation),
        })
    };
    let mut groups: Vec<Vec<Layer>> = Vec::new();
    for layer in graph.nodes.iter().enumerate().filter_map(layer) {
        let is_sibling =
            |group: &&mut Vec<Layer>| siblings::read_the_same(graph, &group[0], &layer);
        match groups.iter_mut().find(is_sibling) {
            Some(group) => group.push(layer),
            None => groups.push(vec![layer]),
        }
    }
    for (challenge, group) in (0..).zip(&mut groups) {
        let mut first_pack = 0;
        for layer in group {
            (layer.challenge, layer.first_pack) = (challenge, first_pack);
            first_pack += layer.packs();
        }
    }
    let layers = groups.into_iter().flatten();
    (0..).zip(layers).map(|(index, layer)| Layer { index, ..layer }).collect()
}

/// How many challenges layers have.
pub(crate) fn challenge_count(layers: &[Layer]) -> usize {
    layers.chunk_by(Layer::is_beside).count()
}

/// Rows that the slot unit needs, the first one included.
pub(crate) fn row_count(layers: &[Layer]) -> usize {
    1 + layers.iter().map(Layer::row_count).sum::<usize>()
}

/// Lays the layers out: blocks of `lanes` channels, each a walk over the positions, or over the
/// windows, forth and back in turn. Where positions lie abreast a block is a channel, and its walk has
/// as few steps as rows.
pub(crate) fn layout(layers: &[Layer], lanes: usize) -> SlotLayout {
    let positions = if layers.iter().any(|layer| layer.pooling.is_some()) { POSITIONS } else { 1 };
    let mut layout = SlotLayout {
        rows: vec![SlotRow::default()],
        steps: StepSet::default(),
        elements: vec![PADDING; lanes * positions],
        lanes,
        positions,
    };
    for siblings in layers.chunk_by(Layer::is_beside) {
        if let Some(row) = layout.rows.last_mut() {
            row.starts = Some(siblings[0].challenge);
        }
        place(siblings, &mut layout);
    }
    layout
}

/// Lays out layers that have one challenge: the blocks of one after those of the other.
fn place(siblings: &[Layer], layout: &mut SlotLayout) {
    let [height, width] = siblings[0].window();
    let steps = |len: usize, step| (0..int(len)).step_by(step).collect();
    let view = &siblings[0].view;
    let across = width * siblings[0].abreast;
    let mut path = boustrophedon(steps(view.height, height), steps(view.width, across));
    let mut previous: Option<(Monomial, [i32; 2])> = None;
    let blocks = |layer: &Layer| 0..layer.view.channels.div_ceil(layer.lanes);
    let blocks = siblings.iter().flat_map(|layer| blocks(layer).map(move |block| (layer, block)));
    for (layer, block) in blocks {
        let weight = layer.weight(block * layer.lanes);
        for &position in &path {
            if let (Some((before, [p, q])), Some(row)) = (previous, layout.rows.last_mut()) {
                let (row_step, column) = (position[0] - p, position[1] - q);
                let channel = weight.channel - before.channel;
                let doublings = weight.doublings - before.doublings;
                let step = Monomial { channel, doublings, ..Monomial::new(0, row_step, column) };
                row.step = layout.steps.step(step);
            }
            previous = Some((weight, position));
            layout.rows.push(SlotRow { layer: Some(layer.index), ..SlotRow::default() });
            push_elements(layer, block, position, layout);
        }
        path.reverse();
    }
}

/// The elements of the row that is at `position` in a block of channels.
fn push_elements(layer: &Layer, block: usize, position: [i32; 2], layout: &mut SlotLayout) {
    let view = &layer.view;
    let [top, left] = position.map(|p| usize::try_from(p).expect("positions are not negative"));
    let [height, width] = layer.window();
    for lane in 0..layout.lanes {
        let (channel, aside) = match layer.abreast {
            1 => (block * layer.lanes + lane, 0),
            _ => (block, lane),
        };
        let is_used = lane < layer.lanes.max(layer.abreast) && channel < view.channels;
        let element = |at: usize| {
            let [row, column] = [top + at / width, left + aside + at % width];
            let is_inside = row < view.height && column < view.width && at < height * width;
            if is_used && is_inside { index(view.index(channel, row, column)) } else { PADDING }
        };
        layout.elements.extend((0..layout.positions).map(element));
    }
}

/// Rows in the given order, columns forth in the first row, back in the second, and so on: every
/// position is next to the one before.
fn boustrophedon(rows: Vec<i32>, columns: Vec<i32>) -> Vec<[i32; 2]> {
    rows.into_iter()
        .enumerate()
        .flat_map(|(turn, row)| {
            let forth = columns.iter().copied();
            let line: Vec<_> = if turn % 2 == 0 { forth.collect() } else { forth.rev().collect() };
            line.into_iter().map(move |column| [row, column])
        })
        .collect()
}

/// The slot unit of a plan, with the graph whose values its rows hold.
#[derive(Clone, Debug)]
pub(crate) struct SlotRows {
    pub(super) graph: Arc<QuantizedGraph>,
    pub(super) layers: Vec<Layer>,
    pub(super) layout: SlotLayout,
    /// Per layer the bias of every element of its output tensor.
    pub(super) biases: Vec<Vec<i64>>,
    /// Per layer the table that its outputs are looked up in.
    pub(super) tables: Vec<Option<LayerTable>>,
}

/// The table of a layer, which begins at its lower bound.
#[derive(Clone, Debug)]
pub(super) struct LayerTable {
    pub(super) values: Vec<i64>,
    pub(super) tag: i64,
}

impl SlotRows {
    pub(crate) fn new(
        graph: &Arc<QuantizedGraph>,
        layers: &[Layer],
        lanes: usize,
        tables: &mut ValueTables,
    ) -> Self {
        Self {
            graph: graph.clone(),
            layers: layers.to_vec(),
            layout: layout(layers, lanes),
            biases: layers.iter().map(|layer| biases(graph, layer)).collect(),
            tables: layers.iter().map(|layer| layer_table(layer, tables)).collect(),
        }
    }

    pub(super) fn layer(&self, row: usize) -> Option<&Layer> {
        self.layout.rows[row].layer.map(|layer| &self.layers[layer as usize])
    }

    /// Rows.
    pub(crate) fn row_count(&self) -> usize {
        self.layout.rows.len()
    }

    /// The node of every layer, its challenge, and its rows; the first row is no layer's.
    pub(crate) fn rows_by_layer(&self) -> Vec<(usize, u32, usize)> {
        let of_layer = |layer: &Layer| (layer.node, layer.challenge, layer.row_count());
        self.layers.iter().map(of_layer).collect()
    }

    /// The lattice steps of the weights.
    pub(crate) fn steps(&self) -> &StepSet {
        &self.layout.steps
    }

    /// The tensors that the rows state, with the cell of each element.
    pub(crate) fn cells(&self) -> Vec<(TensorId, Vec<CellRef>)> {
        let stated = |layer: &Layer| {
            let TensorId(tensor) = layer.stated();
            vec![None; self.graph.tensors[tensor].len()]
        };
        let mut cells: Vec<_> = self.layers.iter().map(stated).collect();
        for (row, slot) in self.layout.rows.iter().enumerate() {
            let Some(of) = slot.layer else { continue };
            let layer = &self.layers[of as usize];
            for lane in 0..self.layout.lanes {
                let first = self.layout.elements(row, lane)[0];
                let maxima = layer.pooling.as_ref().map(|pooling| &pooling.maxima);
                let element = match maxima {
                    Some(maxima) if first != PADDING => maxima[first as usize],
                    _ => first,
                };
                if element == PADDING {
                    continue;
                }
                let place = Place::Slot(index(lane));
                cells[of as usize][element as usize] = Some(CellRef { place, row: index(row) });
            }
        }
        let whole = |(layer, cells): (&Layer, Vec<Option<CellRef>>)| {
            let cells: Option<Vec<_>> = cells.into_iter().collect();
            (layer.stated(), cells.expect("every element has a slot"))
        };
        self.layers.iter().zip(cells).map(whole).collect()
    }
}

/// `bias` of every element of a layer's output tensor.
fn biases(graph: &QuantizedGraph, layer: &Layer) -> Vec<i64> {
    graph.nodes[layer.node].op.biases(graph.tensors[layer.output.0].len())
}

/// The table of a layer of that kind: the activation, or the identity.
fn layer_table(layer: &Layer, tables: &mut ValueTables) -> Option<LayerTable> {
    if layer.kind != RequantKind::Table {
        return None;
    }
    let Requant { lo, hi, table, .. } = &*layer.requant;
    let values: Vec<_> = match table {
        Some(table) => table.iter().map(|&v| i64::from(v)).collect(),
        None => (*lo..=*hi).map(i64::from).collect(),
    };
    let tag = tables.tag(values.clone());
    Some(LayerTable { values, tag })
}
