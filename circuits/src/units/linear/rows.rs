//! The rows of the linear unit: what is read, weighed and moved, layer by layer.

use std::{
    collections::BTreeMap,
    ops::{Range, RangeInclusive},
};

use halo2_proofs::halo2curves::bn256::Fr;
use zkinfer_models::{
    QuantizedGraph,
    quantized::{Affine, ConvTerm, Mul, QuantizedOp},
};

use super::{
    columns::LinearShape,
    conv::{self, Span, SubImage, Tap},
    dense,
};
use crate::{
    cells::Source,
    chain::{Monomial, Step, StepSet, walk},
    integers::{index, int},
    units::slots::{Layer, RequantKind},
};

/// A move is frequent if one row in so many is saved by making it in one step.
const FREQUENT: usize = 100;
/// The longest such move, in rows or columns: a power of a challenge is a product in the key.
const LONGEST_DIRECT: i32 = 64;

/// One row of the linear unit. Weights and product are weighed by the row's own chain
/// value; reads, step and layer make the next one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LinearRow {
    pub(super) step: Step,
    /// The layer whose challenge scales what is read.
    pub(super) layer: Option<u32>,
    /// Whether what is read is taken away instead of added.
    pub(super) negative: bool,
    /// Whether the lanes lie below each other in the image instead of side by side.
    pub(super) vertical: bool,
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
}

/// The linear unit of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinearRows {
    pub(super) rows: Vec<LinearRow>,
    /// Blocks of a source for each lane.
    reads: Vec<Source>,
    /// Blocks of a pack of weights for each column.
    pub(super) weights: Vec<Fr>,
    steps: StepSet,
    /// Rows, counted even when they are not kept.
    pub(crate) row_count: usize,
    has_product: bool,
    has_vertical: bool,
    has_windows: bool,
    /// Inputs of dense layers to a row, 0 without such layers.
    pub(super) dense_inputs: usize,
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
    /// The rows of each of so many layers: those from the first that its challenge scales to the
    /// next layer's.
    pub(crate) fn rows_by_layer(&self, layers: usize) -> Vec<usize> {
        let (mut counts, mut layer) = (vec![0; layers], 0);
        for row in &self.rows {
            layer = row.layer.map_or(layer, |layer| layer as usize);
            if let Some(count) = counts.get_mut(layer) {
                *count += 1;
            }
        }
        counts
    }

    /// Adds to a shape what depends on the rows.
    pub(crate) fn describe(&self, layers: &[Layer], shape: &mut LinearShape) {
        let has_poolings = layers.iter().any(|layer| layer.pooling.is_some());
        let is_scaled = |layer: &Layer| has_poolings && layer.pooling.is_none();
        shape.is_scaled = layers.iter().map(is_scaled).collect();
        shape.steps = self.steps.clone();
        shape.product = self.has_product;
        shape.vertical = self.has_vertical;
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
    /// Whether frequent moves are one step, each with a selector of its own.
    pub(crate) direct: bool,
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
    let LinearWidths { lanes, columns, direct } = widths;
    let direct = if direct { frequent_moves(graph, layers, widths) } else { Vec::new() };
    run(graph, layers, Builder { lanes, columns, keep, direct, ..Builder::default() }).layout
}

/// The moves that would save a hundredth of the rows or more as one step.
fn frequent_moves(
    graph: &QuantizedGraph,
    layers: &[Layer],
    LinearWidths { lanes, columns, .. }: LinearWidths,
) -> Vec<Monomial> {
    let found = run(graph, layers, Builder { lanes, columns, ..Builder::default() });
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
    for layer in layers {
        match &graph.nodes[layer.node].op {
            QuantizedOp::Affine(affine) => builder.affine(layer, affine),
            QuantizedOp::Mul(mul) => builder.product(layer, mul),
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
    at: Option<Monomial>,
    pub(super) layout: LinearRows,
    /// How often the rows that are counted occur.
    repeat: usize,
    /// Moves that are one step.
    direct: Vec<Monomial>,
    /// Rows that each other move takes beyond one.
    detours: BTreeMap<Monomial, usize>,
}

impl Builder {
    pub(super) fn push(&mut self, row: LinearRow) {
        self.layout.row_count += self.repeat;
        if self.keep {
            self.layout.rows.push(row);
        }
    }

    /// Sets how the last row goes on, then starts the next.
    fn advance(&mut self, edit: impl FnOnce(&mut LinearRow), next: LinearRow) {
        if let Some(row) = self.layout.rows.last_mut() {
            edit(row);
        }
        self.push(next);
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

    fn affine(&mut self, layer: &Layer, affine: &Affine) {
        for image in &conv::sub_images(affine) {
            let term = &affine.terms[image.term];
            if dense::is_dense(affine, term) {
                continue;
            }
            self.layout.has_windows = true;
            let channels =
                (0..term.view.channels).map(|index| Channel { layer, term, image, index });
            let channels: Vec<_> = channels.collect();
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

    /// Visits the kernel's taps forth and back; at each the chain holds the evaluation of the
    /// tap's window, counted from the window's corner, and weighs the tap's weights.
    fn channel(&mut self, channel: &Channel<'_>) {
        let mut seen: Option<Window> = None;
        for [vertical, horizontal] in channel.taps() {
            let window = Window {
                rows: channel.image.vertical.window(vertical),
                columns: channel.image.horizontal.window(horizontal),
            };
            let corner = [vertical.offset, horizontal.offset];
            self.see(channel, seen.as_ref(), &window, corner);
            seen = Some(window);
            for block in channel.blocks(self.columns) {
                self.move_to(Monomial::new(int(block * self.columns), corner[0], corner[1]));
                self.weigh(channel, [vertical.index, horizontal.index], block);
            }
        }
        self.at = None;
    }

    /// Brings the chain to a window: from the window before by reading what enters and taking
    /// away what leaves, or afresh, whichever reads fewer rows.
    fn see(
        &mut self,
        channel: &Channel<'_>,
        before: Option<&Window>,
        window: &Window,
        corner: [i32; 2],
    ) {
        let fresh = window.rows.len() * window.columns.len().div_ceil(self.lanes);
        let strips = before.map(|before| before.strips_to(window));
        let reads = strips.as_ref().map(|strips| {
            strips.iter().map(|strip| strip.along.len().div_ceil(self.lanes) + 1).sum::<usize>()
        });
        match strips {
            Some(strips) if reads.is_some_and(|reads| reads < fresh) => {
                // Reads are weighed at channel 0, so the chain must be there.
                self.move_to(Monomial { channel: 0, ..self.at.unwrap_or_default() });
                strips.iter().for_each(|strip| self.strip(channel, strip));
            }
            _ => {
                self.at = None;
                for (turn, row) in (window.rows.first..=window.rows.last).rev().enumerate() {
                    let forth = (window.rows.len() - 1 - turn) % 2 == 1;
                    let strip = Strip {
                        vertical: false,
                        across: row,
                        along: window.columns,
                        negative: false,
                    };
                    self.strip_towards(channel, &strip, forth);
                }
            }
        }
        self.move_to(Monomial::new(0, corner[0], corner[1]));
    }

    /// Reads a strip from the end that is nearer.
    fn strip(&mut self, channel: &Channel<'_>, strip: &Strip) {
        let at =
            self.at.map_or(strip.along.first, |at| if strip.vertical { at.row } else { at.column });
        let forth = (at - strip.along.first).abs() <= (at - strip.along.last).abs();
        self.strip_towards(channel, strip, forth);
    }

    fn strip_towards(&mut self, channel: &Channel<'_>, strip: &Strip, forth: bool) {
        let mut starts: Vec<i32> =
            (strip.along.first..=strip.along.last).step_by(self.lanes).collect();
        if !forth {
            starts.reverse();
        }
        for start in starts {
            let end = (start + int(self.lanes) - 1).min(strip.along.last);
            let reads = self.block((start..=end).map(|i| channel.source(strip.position(i))));
            self.layout.has_vertical |= strip.vertical;
            let [row, column] = strip.position(start);
            let step = self.approach(Monomial::new(0, row, column));
            let edit = |last: &mut LinearRow| {
                last.step = step;
                last.layer = Some(channel.layer.index);
                last.negative = strip.negative;
                last.vertical = strip.vertical;
                last.reads = reads;
            };
            self.advance(edit, LinearRow::default());
        }
    }

    /// Moves the chain until one more step reaches `target`, and returns that step: none and a
    /// dropped value when the chain holds nothing yet.
    fn approach(&mut self, target: Monomial) -> Step {
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

    fn move_to(&mut self, target: Monomial) {
        if self.at != Some(target) {
            let step = self.approach(target);
            self.advance(|row| row.step = step, LinearRow::default());
        }
    }

    /// Puts the weights of one tap and one block of channels on the last row.
    fn weigh(&mut self, channel: &Channel<'_>, tap: [usize; 2], block: usize) {
        if !self.keep {
            return;
        }
        let (term, packing, outputs) = (channel.term, channel.layer.packing, channel.outputs());
        let start = self.layout.weights.len();
        let per_group = term.view.channels / term.groups;
        let [height, width] = term.kernel_size;
        let weight = |output: usize| {
            let plane = output * per_group + channel.index % per_group;
            if outputs.contains(&output) {
                term.kernel[(plane * height + tap[0]) * width + tap[1]]
            } else {
                0
            }
        };
        let packed = |pack| {
            let channels = (0..packing.size()).map(|digit| packing.channel(pack, digit));
            packing.pack(channels.map(|channel| channel.map_or(0, weight)))
        };
        let packs = block * self.columns..(block + 1) * self.columns;
        self.layout.weights.extend(packs.map(packed));
        if let Some(row) = self.layout.rows.last_mut() {
            row.weights = Some(index(start / self.columns));
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

    fn product(&mut self, layer: &Layer, mul: &Mul) {
        self.layout.has_product = true;
        self.start_weight(layer.index);
        let (packing, count) = (layer.packing, mul.a_elements.len());
        let mut before = None;
        let mut start = 0;
        while start < count {
            if let Some(before) = before.replace(start) {
                self.step(packing.step(before, start));
            }
            // A row weighs its products as a row of slots its lanes.
            let wide = layer.kind == RequantKind::Wide;
            let neighbours = if wide { 1 } else { packing.neighbours(start) };
            let end = count.min(start + neighbours.min(self.lanes / 2));
            let source = |tensor, element: usize| Some((tensor, index(element)));
            let factors = (start..end).map(|e| [mul.a_elements.get(e), mul.b_elements.get(e)]);
            let reads = self.block(factors.flat_map(|[a, b]| [source(mul.a, a), source(mul.b, b)]));
            start = end;
            if let Some(last) = self.layout.rows.last_mut() {
                last.reads = reads;
                last.product = Some(mul.factor);
            }
        }
        // The next layer must not read on a row whose lanes are taken.
        self.push(LinearRow::default());
    }
}

/// The move that turns an evaluation counted from `at` into one counted from `target`: positions
/// count down, channels up.
fn shift(at: Monomial, target: Monomial) -> Monomial {
    Monomial::new(target.channel - at.channel, at.row - target.row, at.column - target.column)
}

/// One input channel of a sub-image.
struct Channel<'a> {
    layer: &'a Layer,
    term: &'a ConvTerm,
    image: &'a SubImage,
    index: usize,
}

impl Channel<'_> {
    /// The output channels that it contributes to.
    fn outputs(&self) -> Range<usize> {
        let (inputs, outputs) = (
            self.term.view.channels / self.term.groups,
            self.layer.view.channels / self.term.groups,
        );
        let group = self.index / inputs;
        group * outputs..(group + 1) * outputs
    }

    /// The blocks of so many packs that hold its weights.
    fn blocks(&self, columns: usize) -> RangeInclusive<usize> {
        let outputs = self.outputs();
        let [first, last] = [outputs.start, outputs.end - 1]
            .map(|output| self.layer.packing.place(output).0 / columns);
        first..=last
    }

    /// The kernel's taps, forth and back, so that two in a row differ in one dimension.
    fn taps(&self) -> Vec<[Tap; 2]> {
        let (rows, columns) = (&self.image.vertical.taps, &self.image.horizontal.taps);
        let line = |(turn, &row): (usize, &Tap)| {
            let mut line: Vec<_> = columns.iter().map(|&column| [row, column]).collect();
            if turn % 2 == 1 {
                line.reverse();
            }
            line
        };
        rows.iter().enumerate().flat_map(line).collect()
    }

    fn source(&self, [row, column]: [i32; 2]) -> Source {
        let (row, column) = (self.image.vertical.pixel(row), self.image.horizontal.pixel(column));
        let element = self.term.view.index(self.index, row, column);
        Some((self.term.input, index(element)))
    }
}

/// The part of a sub-image that a tap sees.
struct Window {
    rows: Span,
    columns: Span,
}

impl Window {
    /// What leaves and what enters on the way to `other`, which differs in one dimension.
    fn strips_to(&self, other: &Self) -> Vec<Strip> {
        let vertical = self.rows == other.rows;
        let (before, after, along) = if vertical {
            (self.columns, other.columns, self.rows)
        } else {
            (self.rows, other.rows, self.columns)
        };
        let strip = |across, negative| Strip { vertical, across, along, negative };
        let leaving = before.without(after).into_iter().map(|i| strip(i, true));
        leaving.chain(after.without(before).into_iter().map(|i| strip(i, false))).collect()
    }
}

/// A line of pixels to read.
struct Strip {
    vertical: bool,
    /// The column of a vertical strip, the row of a horizontal one.
    across: i32,
    along: Span,
    negative: bool,
}

impl Strip {
    fn position(&self, index: i32) -> [i32; 2] {
        if self.vertical { [index, self.across] } else { [self.across, index] }
    }
}
