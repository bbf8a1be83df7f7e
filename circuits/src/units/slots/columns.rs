//! The columns of the slot unit.

use halo2_proofs::plonk::{Advice, Column, Fixed};

use super::{kind::RequantKind, packing::Packing, windows::POSITIONS};
use crate::{
    cells::Place,
    chain::{ChainColumns, StepSet},
    frame::{Frame, Limbs, Order},
    integers::index,
    lookup::entry::{KeyTerm, Tag},
};

/// Slots to a row, limb widths and lattice steps of the slot unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotShape {
    /// Requantized values to a row.
    pub lanes: usize,
    /// Whether rows of narrow outputs hold one channel at several positions, and not several channels at
    /// one.
    pub is_abreast: bool,
    /// Whether no narrow output has a copy: linear layers read them where they lie, and nothing else
    /// does.
    pub is_read_in_place: bool,
    /// Whether all outputs but wide ones are looked up.
    pub is_tabled: bool,
    /// Whether their tables have an entry for every rounded accumulator, so that only wide ones have
    /// limbs beyond `clamp_bits`.
    pub is_covered: bool,
    /// Binary digits that requantization drops.
    pub shift: u32,
    /// Widths of the limbs of the remainder; they add up to `shift`.
    pub remainder_limbs: Vec<u32>,
    /// Bits of a clamped value.
    pub clamp_bits: u32,
    /// Widths of the limbs of the clamped value; they add up to `clamp_bits`.
    pub value_limbs: Vec<u32>,
    /// For each kind of layer whose outputs are looked up the largest clamped value, counted from
    /// the low end: one less than its table has entries.
    pub table_highs: Vec<i64>,
    /// Widths of the limbs of the overflow beyond the clamp.
    pub overflow_limbs: Vec<u32>,
    /// What the highest limbs of overflow and shortfalls are below, where that is not as many bits as
    /// they have.
    pub exact: Option<u32>,
    /// Slots of a row that can hold outputs wider than `clamp_bits`; 0 where no layer has any.
    pub wide_lanes: usize,
    /// How the channels of clamped and table layers are packed.
    pub(crate) packing: Packing,
    /// How those of wide layers are.
    pub(crate) wide_packing: Packing,
    /// Widths of the limbs of a difference from the largest accumulator of a window, if some
    /// layer's slots are maxima of windows.
    pub window_limbs: Option<Vec<u32>>,
    /// Linear layers, each of which has a challenge of its own.
    pub layers: usize,
    pub(crate) steps: StepSet,
}

impl SlotShape {
    /// Whether a lane's outputs have a column of their own beside the clamped value's limbs: where they
    /// are looked up, or of several limbs, or can be wider than the clamp.
    fn has_output_column(&self, lane: u32) -> bool {
        let is_plain = self.table_highs.is_empty() && self.value_limbs.len() <= 1;
        self.is_tabled || !is_plain || self.is_wide(lane)
    }

    /// Whether a lane can hold outputs wider than `clamp_bits`.
    fn is_wide(&self, lane: u32) -> bool {
        (lane as usize) < self.wide_lanes
    }

    /// Widths of the limbs of a lane's overflow.
    fn overflow_limbs(&self, lane: u32) -> &[u32] {
        if self.is_covered && !self.is_wide(lane) { &[] } else { &self.overflow_limbs }
    }
}

/// The columns of one lane.
#[derive(Clone, Debug)]
pub(crate) struct SlotLane {
    /// The output `q`; in a row of a wide layer `low + u + 2^clamp_bits · w`.
    pub(super) output: Column<Advice>,
    /// Limbs of `u`; empty when `u = q − low` needs none.
    pub(super) value: Limbs,
    /// What the activation table gives, 0 where there is none; the output itself where every layer of
    /// the lane has a table.
    pub(super) activation: Option<Column<Advice>>,
    pub(super) remainder: Limbs,
    pub(super) overflow: Limbs,
    /// What the accumulators of a window fall short of the largest by, if some layer has windows.
    pub(super) shortfalls: Option<Shortfalls>,
    /// `half + bias − low·2^shift`, a fixed integer per value.
    pub(super) offset: Column<Fixed>,
}

/// What all accumulators of a window but one fall short of the largest by.
///
/// Two bits say which position is left out: shortfall `j` is that of position `j`, or of position
/// `j + 1` where the one that is left out is not behind `j`.
#[derive(Clone, Debug)]
pub(super) struct Shortfalls {
    pub(super) limbs: [Limbs; POSITIONS - 1],
    /// 1 if the position that is left out is in the first row of the window.
    pub(super) is_above: Column<Advice>,
    /// 1 if it is the first of its row.
    pub(super) is_left: Column<Advice>,
}

/// The slot unit.
#[derive(Clone, Debug)]
pub(crate) struct SlotUnit {
    pub(super) shape: SlotShape,
    pub(super) lanes: Vec<SlotLane>,
    pub(super) low: Column<Fixed>,
    /// 1 where a value is clamped, if some values that have no table are beyond the clamp.
    pub(super) q_clamp: Option<Column<Fixed>>,
    /// 1 where an output is looked up, by [`SlotShape::table_highs`].
    pub(super) q_tables: Vec<Column<Fixed>>,
    pub(super) q_wide: Option<Column<Fixed>>,
    /// 1 where a slot is the maximum of a window.
    pub(super) q_window: Option<Column<Fixed>>,
    pub(super) tag: Option<Column<Fixed>>,
    pub(super) chain: ChainColumns,
}

impl SlotLane {
    fn allocate(
        shape: &SlotShape,
        (lane, low, tag): (u32, Column<Fixed>, Option<Column<Fixed>>),
        frame: &mut Frame,
    ) -> Self {
        let is_copied = !shape.is_read_in_place || shape.is_wide(lane);
        let output = frame.place("slot output", Place::Slot(lane), is_copied);
        let (value, activation) = if shape.has_output_column(lane) {
            let range = shape.value_limbs.first().map_or(0, |&bits| bits);
            let tag_of_row = tag.map_or(Tag::Range(range), Tag::Row);
            let activation = tag.map(|_| match shape.is_tabled && !shape.is_wide(lane) {
                true => output,
                false => frame.advice("slot activation"),
            });
            frame.range(range);
            let limbs =
                frame.tabled_limbs("slot value", &shape.value_limbs, tag_of_row, activation);
            (limbs, activation)
        } else {
            let key = vec![KeyTerm::Plus(output), KeyTerm::MinusFixed(low)];
            frame.lookup(key, Tag::Range(shape.clamp_bits), None);
            (Limbs::default(), None)
        };
        let remainder = frame.limbs("slot remainder", &shape.remainder_limbs);
        let bounded = |frame: &mut Frame, name, widths: &[u32]| match shape.exact {
            Some(size) => frame.limbs_below(name, widths, size),
            None => frame.limbs(name, widths),
        };
        let overflow = bounded(frame, "slot overflow", shape.overflow_limbs(lane));
        let shortfalls = shape.window_limbs.as_ref().map(|widths| Shortfalls {
            limbs: [(); POSITIONS - 1].map(|()| bounded(frame, "slot shortfall", widths)),
            is_above: frame.advice("slot largest is above"),
            is_left: frame.advice("slot largest is left"),
        });
        let offset = frame.fixed();
        Self { output, value, activation, remainder, overflow, shortfalls, offset }
    }

    /// Whether outputs are nothing but looked up.
    pub(super) fn is_looked_up(&self) -> bool {
        self.activation == Some(self.output)
    }

    /// Whether it holds nothing in rows of a kind: wide outputs are not looked up.
    pub(super) fn is_idle(&self, kind: RequantKind) -> bool {
        kind == RequantKind::Wide && self.is_looked_up()
    }

    /// How many columns of integers there are.
    pub(super) fn width(&self) -> usize {
        let limbs = [&self.value, &self.remainder, &self.overflow].map(|l| l.columns().len());
        let of_shortfalls = self.shortfalls.iter().flat_map(|shortfalls| &shortfalls.limbs);
        let bits = 2 * self.shortfalls.iter().count();
        let shortfalls = of_shortfalls.map(|limbs| limbs.columns().len()).sum::<usize>() + bits;
        let activation = usize::from(self.activation.is_some() && !self.is_looked_up());
        1 + activation + limbs.iter().sum::<usize>() + shortfalls
    }
}

impl SlotUnit {
    pub(super) fn new(shape: &SlotShape, frame: &mut Frame) -> Self {
        frame.order(Order::Third);
        let low = frame.fixed();
        let has_clamps = !shape.overflow_limbs.is_empty() && !shape.is_tabled;
        let q_clamp = has_clamps.then(|| frame.fixed());
        let q_tables = frame.fixed_columns(shape.table_highs.len());
        let q_wide = (shape.wide_lanes > 0).then(|| frame.fixed());
        let q_window = shape.window_limbs.as_ref().map(|_| frame.fixed());
        let tag = (!q_tables.is_empty() || shape.is_tabled).then(|| frame.fixed());
        frame.order(Order::First);
        let lanes = 0..index(shape.lanes);
        let lanes = lanes.map(|lane| SlotLane::allocate(shape, (lane, low, tag), frame)).collect();
        frame.order(Order::Third);
        let steps = (&shape.steps, false);
        let chain = ChainColumns::allocate("slot weight", steps, shape.layers, frame);
        frame.order(Order::First);
        Self { shape: shape.clone(), lanes, low, q_clamp, q_tables, q_wide, q_window, tag, chain }
    }
}
