//! The rows of the linear unit: what is read, weighed and moved, layer by layer.

use std::collections::BTreeMap;

use halo2_proofs::halo2curves::bn256::Fr;
use zkinfer_models::{
    QuantizedGraph,
    quantized::{Affine, ConvTerm, Mul, QuantizedOp},
};

use super::{
    columns::{LinearShape, Reading},
    conv, dense,
    windows::Channel,
};
use crate::{
    cells::Source,
    chain::{Monomial, Step, StepSet, walk},
    integers::{index, int},
    units::slots::{Layer, RequantKind, SlotShape},
};

/// A move is frequent if one row in so many is saved by making it in one step.
const FREQUENT: usize = 100;
/// The longest such move, in rows or columns: a power of a challenge is a product in the key.
const LONGEST_DIRECT: i32 = 64;
/// Rows of reads that a line of an image may take for each to be read in its place: each place has a
/// selector of its own.
const MOST_PLACES: usize = 4;

/// One row of the linear unit. Weights and product are weighed by the row's own chain
/// value; reads, step and layer make the next one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LinearRow {
    pub(super) step: Step,
    /// The layer whose challenge scales what is read.
    pub(super) layer: Option<u32>,
    /// Whether what is read is taken away instead of added.
    pub(super) negative: bool,
    /// How the lanes lie and where: an index into [`LinearRows::readings`] plus one, or 0 for
    /// side by side from where the chain counts.
    pub(super) reading: usize,
    /// Whether 1 is read beside the lanes.
    pub(super) one: bool,
    /// Index of this row's block in [`LinearRows::reads`].
    pub(super) reads: Option<u32>,
    /// Index of this row's block in [`LinearRows::weights`].
    pub(super) weights: Option<u32>,
    /// Factor of the products of neighbouring lanes.
    pub(super) product: Option<i64>,
    /// Whether its lanes are inputs of a dense layer, each with its share of the weights.
    pub(super) dense: bool,
    /// Whether it reads the outputs that slots state in the very row, and no lanes.
    pub(super) in_place: bool,
}

/// The linear unit of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinearRows {
    pub(super) rows: Vec<LinearRow>,
    /// Blocks of a source for each lane.
    reads: Vec<Source>,
    /// Blocks of a pack of weights for each column.
    pub(super) weights: Vec<Fr>,
    pub(super) steps: StepSet,
    /// Rows, counted even when they are not kept.
    pub(crate) row_count: usize,
    /// Readings that have a selector of their own.
    readings: Vec<Reading>,
    has_product: bool,
    pub(super) has_windows: bool,
    /// Inputs of dense layers to a row, 0 without such layers.
    pub(super) dense_inputs: usize,
    /// Whether some terms of layers are read where slots state them.
    pub(super) is_in_place: bool,
    /// Whether nothing is copied of tensors that can be read so.
    pub(super) is_all_in_place: bool,
}

impl LinearRows {
    /// The packs of a row, of `columns` to a row.
    pub(super) fn weight_block(&self, block: u32, columns: usize) -> &[Fr] {
        &self.weights[block as usize * columns..][..columns]
    }

    /// What a row reads, of `lanes` to a row.
    pub(super) fn read_block(&self, block: u32, lanes: usize) -> &[Source] {
        &self.reads[block as usize * lanes..][..lanes]
    }
}

impl LinearRows {
    /// The rows of each of so many challenges: those from the first that it scales to the next one's.
    pub(crate) fn rows_by_challenge(&self, layers: usize) -> Vec<usize> {
        let (mut counts, mut layer) = (vec![0; layers], 0);
        for row in &self.rows {
            layer = row.layer.map_or(layer, |layer| layer as usize);
            if let Some(count) = counts.get_mut(layer) {
                *count += 1;
            }
        }
        counts
    }

    /// Adds to shapes what depends on the rows.
    pub(crate) fn describe(
        &self,
        layers: &[Layer],
        (slots, shape): (&mut SlotShape, &mut LinearShape),
    ) {
        slots.is_read_in_place = self.is_all_in_place;
        shape.in_place = if self.is_in_place { slots.lanes } else { 0 };
        let has_poolings = layers.iter().any(|layer| layer.pooling.is_some());
        let is_scaled = |siblings: &[Layer]| has_poolings && siblings[0].pooling.is_none();
        shape.is_scaled = layers.chunk_by(Layer::is_beside).map(is_scaled).collect();
        shape.steps = self.steps.clone();
        shape.product = self.has_product;
        shape.readings = self.readings.clone();
        shape.windows = self.has_windows;
        shape.dense_inputs = self.dense_inputs;
    }
}

/// How the linear unit is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinearWidths {
    /// Reads to a row.
    pub(crate) lanes: usize,
    /// Packs of weights to a row.
    pub(crate) columns: usize,
    pub(crate) ways: Ways,
}

/// What has selectors of its own, so that the chain takes fewer rows from one read to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ways {
    /// Moves of powers of two, and the places of lines that are read in one row.
    #[default]
    Few,
    /// Each frequent move, too.
    Moves,
    /// Each frequent move, and the places in lines that are read in several rows.
    MovesAndPlaces,
}

impl Ways {
    /// All of them, the one with the fewest selectors first.
    pub(crate) const ALL: [Self; 3] = [Self::Few, Self::Moves, Self::MovesAndPlaces];

    /// Rows of reads that a line of an image may take for each to be read in its place.
    fn places(self) -> usize {
        match self {
            Self::Few | Self::Moves => 1,
            Self::MovesAndPlaces => MOST_PLACES,
        }
    }
}

/// Lays out the checks of all layers.
pub(crate) fn layout(graph: &QuantizedGraph, layers: &[Layer], widths: LinearWidths) -> LinearRows {
    build(graph, layers, widths, true)
}

/// As [`layout`], but only counts: rows, reads and weights are left out.
pub(crate) fn dry_run(
    graph: &QuantizedGraph,
    layers: &[Layer],
    widths: LinearWidths,
) -> LinearRows {
    build(graph, layers, widths, false)
}

fn build(graph: &QuantizedGraph, layers: &[Layer], widths: LinearWidths, keep: bool) -> LinearRows {
    let LinearWidths { lanes, columns, ways } = widths;
    let (places, has_moves) = (ways.places(), ways != Ways::Few);
    let direct = if has_moves { frequent_moves(graph, layers, widths) } else { Vec::new() };
    run(graph, layers, Builder { lanes, columns, keep, direct, places, ..Builder::default() })
        .layout
}

/// The moves that would save a hundredth of the rows or more as one step.
fn frequent_moves(
    graph: &QuantizedGraph,
    layers: &[Layer],
    LinearWidths { lanes, columns, ways }: LinearWidths,
) -> Vec<Monomial> {
    let places = ways.places();
    let found = run(graph, layers, Builder { lanes, columns, places, ..Builder::default() });
    let enough = found.layout.row_count.div_ceil(FREQUENT);
    let is_short = |m: &Monomial| m.row.abs().max(m.column.abs()) <= LONGEST_DIRECT;
    let moves = found.detours.into_iter().filter(|(m, rows)| *rows >= enough && is_short(m));
    moves.map(|(monomial, _)| monomial).collect()
}

fn run(graph: &QuantizedGraph, layers: &[Layer], mut builder: Builder) -> Builder {
    builder.repeat = 1;
    builder.layout.dense_inputs =
        dense::inputs_to_row(graph, layers, builder.lanes, builder.columns);
    builder.push(LinearRow::default());
    builder.place_stated(graph, layers);
    for siblings in layers.chunk_by(Layer::is_beside) {
        match &graph.nodes[siblings[0].node].op {
            QuantizedOp::Affine(affine) => builder.affine(graph, siblings, affine),
            QuantizedOp::Mul(mul) => builder.product(&siblings[0], mul),
            // A relation states its accumulators itself.
            _ => {}
        }
    }
    builder
}

#[derive(Default)]
pub(super) struct Builder {
    pub(super) lanes: usize,
    pub(super) columns: usize,
    /// Whether rows are kept or only counted.
    pub(super) keep: bool,
    /// Where the chain's evaluation is counted from, if it holds one.
    pub(super) at: Option<Monomial>,
    pub(super) layout: LinearRows,
    /// How often the rows that are counted occur.
    pub(super) repeat: usize,
    /// Moves that are one step.
    direct: Vec<Monomial>,
    /// Rows of reads that a line may take for each to be read in its place.
    places: usize,
    /// Rows that each other move takes beyond one.
    detours: BTreeMap<Monomial, usize>,
    /// The terms that are laid out already: the first layer of those that read it, and the term.
    pub(super) in_place: Vec<(u32, usize)>,
}

impl Builder {
    pub(super) fn push(&mut self, row: LinearRow) {
        self.layout.row_count += self.repeat;
        if self.keep {
            self.layout.rows.push(row);
        }
    }

    /// Sets how the last row goes on, then starts the next.
    pub(super) fn advance(&mut self, edit: impl FnOnce(&mut LinearRow), next: LinearRow) {
        if let Some(row) = self.layout.rows.last_mut() {
            edit(row);
        }
        self.push(next);
    }

    /// Whether lines of so many pixels are read in their place, whatever the chain counts from.
    pub(super) fn reads_in_place(&self, pixels: usize) -> bool {
        pixels.div_ceil(self.lanes) <= self.places && int(pixels) <= LONGEST_DIRECT
    }

    /// Number of a reading, which gets a selector of its own unless its lanes are side by side from
    /// where the chain counts.
    pub(super) fn reading(&mut self, reading: Reading) -> usize {
        if reading == Reading::default() {
            return 0;
        }
        let readings = &mut self.layout.readings;
        let found = readings.iter().position(|known| *known == reading);
        let place = found.unwrap_or(readings.len());
        if found.is_none() {
            readings.push(reading);
        }
        place + 1
    }

    pub(super) fn step(&mut self, monomial: Monomial) {
        let step = self.layout.steps.step(monomial);
        self.advance(|row| row.step = step, LinearRow::default());
    }

    pub(super) fn block(&mut self, sources: impl Iterator<Item = Source>) -> Option<u32> {
        if !self.keep {
            return None;
        }
        let start = self.layout.reads.len();
        self.layout.reads.extend(sources.take(self.lanes));
        self.layout.reads.resize(start + self.lanes, None);
        Some(index(start / self.lanes))
    }

    /// Lays out layers that read what `affine`, the first of them, reads.
    fn affine(&mut self, graph: &QuantizedGraph, siblings: &[Layer], affine: &Affine) {
        let layer = &siblings[0];
        for image in &conv::sub_images(affine) {
            let term = &affine.terms[image.term];
            let is_laid_out = self.in_place.contains(&(layer.index, image.term));
            if is_laid_out || dense::is_dense(affine, term) {
                continue;
            }
            self.layout.has_windows = true;
            let of_term = |layer| weighed(graph, layer, image.term);
            let weights: Vec<_> = siblings.iter().filter_map(of_term).collect();
            let channel = |index| Channel { weights: &weights, term, image, index };
            let channels: Vec<_> = (0..term.view.channels).map(channel).collect();
            let (keep, columns) = (self.keep, self.columns);
            let alike =
                |a: &Channel<'_>, b: &Channel<'_>| !keep && a.blocks(columns) == b.blocks(columns);
            // Channels that weigh the same blocks take the same rows: only kept ones are laid out.
            for channels in channels.chunk_by(alike) {
                self.repeat = channels.len();
                self.channel(&channels[0]);
            }
        }
        self.repeat = 1;
        for term in affine.terms.iter().filter(|term| dense::is_dense(affine, term)) {
            self.dense(layer, term);
        }
    }

    /// Moves the chain until one more step reaches `target`, and returns that step: none and a
    /// dropped value when the chain holds nothing yet.
    pub(super) fn approach(&mut self, target: Monomial) -> Step {
        let Some(at) = self.at.replace(target) else { return Step::default() };
        let delta = shift(at, target);
        let mut steps = if self.direct.contains(&delta) {
            vec![delta]
        } else {
            walk(delta, int(self.columns), int(self.lanes))
        };
        *self.detours.entry(delta).or_default() += self.repeat * steps.len().saturating_sub(1);
        let last = steps.pop().unwrap_or(Monomial::ONE);
        steps.into_iter().for_each(|step| self.step(step));
        self.layout.steps.step(last)
    }

    pub(super) fn move_to(&mut self, target: Monomial) {
        if self.at != Some(target) {
            let step = self.approach(target);
            self.advance(|row| row.step = step, LinearRow::default());
        }
    }

    /// Starts a chain at the layer's own weight, without reading an element.
    pub(super) fn start_weight(&mut self, layer: u32) {
        let reads = self.block(std::iter::empty());
        let edit = |last: &mut LinearRow| {
            last.layer = Some(layer);
            last.one = true;
            last.reads = reads;
        };
        self.advance(edit, LinearRow::default());
    }

    /// Weighs products block by block, under each all positions, forth and back in turn.
    fn product(&mut self, layer: &Layer, mul: &Mul) {
        self.layout.has_product = true;
        self.start_weight(layer.challenge);
        let (packing, view) = (layer.packing, &layer.view);
        // A row weighs its products as a row of slots its lanes.
        let most = if layer.kind == RequantKind::Wide { 1 } else { self.lanes / 2 };
        let mut positions: Vec<usize> = (0..view.width).collect();
        let mut before = None;
        for channels in packing.blocks(view.channels, most) {
            for &position in &positions {
                if let Some((channel, at)) = before.replace((channels.start, position)) {
                    let step = packing.step(channel, channels.start);
                    self.step(Monomial { column: int(position) - int(at), ..step });
                }
                let source = |tensor, element: usize| Some((tensor, index(element)));
                let elements = channels.clone().map(|channel| view.index(channel, 0, position));
                let factors = elements.map(|e| [mul.a_elements.get(e), mul.b_elements.get(e)]);
                let reads =
                    self.block(factors.flat_map(|[a, b]| [source(mul.a, a), source(mul.b, b)]));
                if let Some(last) = self.layout.rows.last_mut() {
                    last.reads = reads;
                    last.product = Some(mul.factor);
                }
            }
            positions.reverse();
        }
        // The next layer must not read on a row whose lanes are taken.
        self.push(LinearRow::default());
    }
}

/// A layer with one of its terms.
pub(super) fn weighed<'a>(
    graph: &'a QuantizedGraph,
    layer: &'a Layer,
    term: usize,
) -> Option<(&'a Layer, &'a ConvTerm)> {
    let QuantizedOp::Affine(affine) = &graph.nodes[layer.node].op else { return None };
    Some((layer, affine.terms.get(term)?))
}

/// The move that turns an evaluation counted from `at` into one counted from `target`: positions
/// count down, channels up.
pub(super) fn shift(at: Monomial, target: Monomial) -> Monomial {
    Monomial::new(target.channel - at.channel, at.row - target.row, at.column - target.column)
}
