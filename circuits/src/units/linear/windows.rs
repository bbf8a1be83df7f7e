//! The rows of layers that weigh windows: what is read of each input channel, tap by tap.
//!
//! A line of an image that takes few rows is read in its place: its lanes have a monomial of their
//! own, so the chain need not be moved to where the line begins and back.

use std::ops::{Range, RangeInclusive};

use halo2_proofs::halo2curves::bn256::Fr;
use zkinfer_models::quantized::ConvTerm;

use super::{
    columns::Reading,
    conv::{Span, SubImage, Tap},
    rows::{Builder, LinearRow, shift},
};
use crate::{
    cells::Source,
    chain::{Monomial, Step},
    integers::{index, int},
    units::slots::Layer,
};

impl Builder {
    /// Visits the kernel's taps forth and back; at each the chain holds the evaluation of the
    /// tap's window, counted from the window's corner, and weighs the tap's weights.
    pub(super) fn channel(&mut self, channel: &Channel<'_>) {
        let mut seen: Option<Seen> = None;
        for [vertical, horizontal] in channel.taps() {
            let window = Window {
                rows: channel.image.vertical.window(vertical),
                columns: channel.image.horizontal.window(horizontal),
            };
            let corner = [vertical.offset, horizontal.offset];
            let tap = Seen { window, corner };
            self.see(channel, seen.as_ref(), &tap);
            seen = Some(tap);
            for block in channel.blocks(self.columns) {
                self.move_to(Monomial::new(int(block * self.columns), corner[0], corner[1]));
                self.weigh(channel, [vertical.index, horizontal.index], block);
            }
        }
        self.at = None;
    }

    /// Brings the chain to a window: from the window before by reading what enters and taking
    /// away what leaves, or afresh, whichever takes fewer rows.
    fn see(&mut self, channel: &Channel<'_>, before: Option<&Seen>, tap: &Seen) {
        let rows = |strip: &Strip| strip.along.len().div_ceil(self.lanes);
        let fresh = tap.window.rows.len() * tap.window.columns.len().div_ceil(self.lanes);
        let slide = before.map(|before| (before, before.window.slide_to(&tap.window)));
        // A strip that is not read in its place takes a move besides.
        let slide = slide.filter(|(_, Slide { leaving, entering })| {
            let strips = || leaving.iter().chain(entering);
            let besides = |strip: &Strip| usize::from(!self.is_in_place(channel, strip.vertical));
            strips().map(|strip| rows(strip) + besides(strip)).sum::<usize>() < fresh
        });
        match slide {
            Some((before, slide)) => {
                // Reads are weighed at channel 0, so the chain must be there.
                self.move_to(Monomial { channel: 0, ..self.at.unwrap_or_default() });
                self.slide(channel, &slide, [before.corner, tap.corner]);
            }
            None => self.read_afresh(channel, tap),
        }
        self.move_to(Monomial::new(0, tap.corner[0], tap.corner[1]));
    }

    /// Whether the strips of a channel in one direction are read in their place.
    fn is_in_place(&self, channel: &Channel<'_>, vertical: bool) -> bool {
        self.reads_in_place(channel.line(vertical))
    }

    /// Takes away what leaves, counted from the corner before, and reads what enters, counted from
    /// the corner to come.
    fn slide(&mut self, channel: &Channel<'_>, slide: &Slide, [before, next]: [[i32; 2]; 2]) {
        for strip in &slide.leaving {
            match self.is_in_place(channel, strip.vertical) {
                true => self.read_in_place(channel, strip, before),
                false => self.strip(channel, strip),
            }
        }
        for strip in &slide.entering {
            match self.is_in_place(channel, strip.vertical) {
                true => self.read_in_place(channel, strip, next),
                false => self.strip(channel, strip),
            }
        }
    }

    /// Reads the whole window of a tap, line by line from the last to the first.
    fn read_afresh(&mut self, channel: &Channel<'_>, Seen { window, corner }: &Seen) {
        self.at = None;
        for (turn, row) in (window.rows.first..=window.rows.last).rev().enumerate() {
            let forth = (window.rows.len() - 1 - turn) % 2 == 1;
            let strip =
                Strip { vertical: false, across: row, along: window.columns, negative: false };
            match self.is_in_place(channel, false) {
                true => self.read_in_place(channel, &strip, [row, corner[1]]),
                false => self.strip_towards(channel, &strip, forth),
            }
        }
    }

    /// Reads a strip where it lies, seen from `corner`, which the chain counts from after that. The
    /// lanes begin in line with the corner: those beyond the image are 0.
    fn read_in_place(&mut self, channel: &Channel<'_>, strip: &Strip, corner: [i32; 2]) {
        let [start, across] = match strip.vertical {
            true => [corner[0], strip.across - corner[1]],
            false => [corner[1], strip.across - corner[0]],
        };
        let line = int(channel.line(strip.vertical));
        for first in (0..line).step_by(self.lanes) {
            let lanes = first..line.min(first + int(self.lanes));
            if !lanes.clone().any(|lane| strip.along.contains(start + lane)) {
                continue;
            }
            let source = |lane| {
                let pixel = Some(start + lane).filter(|&pixel| strip.along.contains(pixel))?;
                channel.source(strip.position(pixel))
            };
            let reads = self.block(lanes.map(source));
            let offset = match strip.vertical {
                true => Monomial::new(0, first, across),
                false => Monomial::new(0, across, first),
            };
            let reading = self.reading(Reading { offset, vertical: strip.vertical });
            let target = Monomial::new(0, corner[0], corner[1]);
            // The chain goes to the corner with the first row that is read.
            let step = match self.at.replace(target) {
                Some(at) => self.layout.steps.step(shift(at, target)),
                None => Step::default(),
            };
            self.read(channel, strip, (step, reading, reads));
        }
    }

    /// The next row reads a part of a strip after this step.
    fn read(
        &mut self,
        channel: &Channel<'_>,
        strip: &Strip,
        (step, reading, reads): (Step, usize, Option<u32>),
    ) {
        let edit = |last: &mut LinearRow| {
            last.step = step;
            last.layer = Some(channel.weights[0].0.challenge);
            last.negative = strip.negative;
            last.reading = reading;
            last.reads = reads;
        };
        self.advance(edit, LinearRow::default());
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
            let [row, column] = strip.position(start);
            let step = self.approach(Monomial::new(0, row, column));
            let reading = Reading { vertical: strip.vertical, ..Reading::default() };
            let reading = self.reading(reading);
            self.read(channel, strip, (step, reading, reads));
        }
    }

    /// Puts the weights of one tap and one block of channels on the last row.
    fn weigh(&mut self, channel: &Channel<'_>, tap: [usize; 2], block: usize) {
        if !self.keep {
            return;
        }
        let weights = self.weights_of(channel, tap, block);
        if let Some(row) = self.layout.rows.last_mut() {
            row.weights = Some(weights);
        }
    }

    /// The weights of one tap and one block of channels, by their index.
    pub(super) fn weights_of(
        &mut self,
        channel: &Channel<'_>,
        tap: [usize; 2],
        block: usize,
    ) -> u32 {
        let start = self.layout.weights.len();
        let packs = block * self.columns..(block + 1) * self.columns;
        self.layout.weights.extend(packs.map(|pack| channel.pack(tap, pack)));
        index(start / self.columns)
    }
}

/// One input channel of a sub-image.
pub(super) struct Channel<'a> {
    /// The layers that weigh it, by their packs, each with the term that has the weights.
    pub(super) weights: &'a [(&'a Layer, &'a ConvTerm)],
    /// The term of the first one.
    pub(super) term: &'a ConvTerm,
    pub(super) image: &'a SubImage,
    pub(super) index: usize,
}

impl Channel<'_> {
    /// The output channels of a layer that it contributes to.
    fn outputs(&self, layer: &Layer) -> Range<usize> {
        let (inputs, outputs) =
            (self.term.view.channels / self.term.groups, layer.view.channels / self.term.groups);
        let group = self.index / inputs;
        group * outputs..(group + 1) * outputs
    }

    /// The blocks of so many packs that hold its weights.
    pub(super) fn blocks(&self, columns: usize) -> RangeInclusive<usize> {
        let pack = |layer: &Layer, output| layer.first_pack + layer.packing.place(output).0;
        let packs = self.weights.iter().map(|(layer, _)| {
            let outputs = self.outputs(layer);
            [pack(layer, outputs.start), pack(layer, outputs.end - 1)]
        });
        let first = packs.clone().map(|[first, _]| first).min().unwrap_or(0);
        let last = packs.map(|[_, last]| last).max().unwrap_or(0);
        first / columns..=last / columns
    }

    /// What a pack of all layers weighs it with under a tap of the kernel.
    fn pack(&self, tap: [usize; 2], pack: usize) -> Fr {
        let of_layer = self.weights.iter().rfind(|(layer, _)| layer.first_pack <= pack);
        let Some(&(layer, term)) = of_layer else { return Fr::zero() };
        let (packing, outputs) = (layer.packing, self.outputs(layer));
        let per_group = term.view.channels / term.groups;
        let [height, width] = term.kernel_size;
        let weight = |output: usize| {
            let plane = output * per_group + self.index % per_group;
            if outputs.contains(&output) {
                term.kernel[(plane * height + tap[0]) * width + tap[1]]
            } else {
                0
            }
        };
        let channel = |digit| packing.channel(pack - layer.first_pack, digit);
        let channels = (0..packing.size()).map(channel);
        packing.pack(channels.map(|channel| channel.map_or(0, weight)))
    }

    /// Pixels of a line of a window within the lattice of the outputs.
    fn line(&self, vertical: bool) -> usize {
        let axis = if vertical { &self.image.vertical } else { &self.image.horizontal };
        axis.outputs()
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
    fn slide_to(&self, other: &Self) -> Slide {
        let vertical = self.rows == other.rows;
        let (before, after, along) = if vertical {
            (self.columns, other.columns, self.rows)
        } else {
            (self.rows, other.rows, self.columns)
        };
        let strips = |lines: Vec<i32>, negative| {
            let strip = |across| Strip { vertical, across, along, negative };
            lines.into_iter().map(strip).collect()
        };
        Slide {
            leaving: strips(before.without(after), true),
            entering: strips(after.without(before), false),
        }
    }
}

/// The window of a tap, and where its evaluation counts from.
struct Seen {
    window: Window,
    corner: [i32; 2],
}

/// The way from one window to the next.
struct Slide {
    leaving: Vec<Strip>,
    entering: Vec<Strip>,
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
