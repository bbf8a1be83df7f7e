//! The integer format all rows of slots share: shift, clamp and limb widths.

use std::{collections::HashMap, ops::RangeInclusive, sync::Arc};

use zkinfer_models::{
    QuantizedGraph,
    quantized::{Affine, QuantizedNode, QuantizedOp, Requant},
};

use super::{
    columns::SlotShape,
    kind::{RequantKind, output, span},
    packing::Packing,
    windows::{Pooling, poolings},
};
use crate::{
    error::PlanError,
    integers::{bits, limb_widths},
};

/// Bits of the output of a wide layer.
pub(crate) const WIDE_BITS: u32 = 16;

/// Bits of a clamped value where no layer asks for any.
const DEFAULT_CLAMP_BITS: u32 = 8;

/// Bits of the index of the largest table.
const MAX_TABLE_BITS: u32 = 17;

/// Largest magnitude of an accumulator, in bits; everything derived from it stays below 2^120.
const ACCUMULATOR_BITS: u32 = 62;

/// Entries of the largest table that has one for every rounded accumulator of its layers.
const MOST_ENTRIES: i64 = 1 << 14;

/// One wide output to so many narrow ones is rare: wide outputs then have a row each.
const RARE_WIDE: usize = 256;

/// One in so many slots of a row holds wide outputs where they are not rare.
const WIDE_SHARE: usize = 4;

/// Sizes of a range that is no power of two: below, bits are as good, above, limbs are.
const EXACT_SIZES: RangeInclusive<u32> = 1 << 8..=1 << 14;

/// Shifts whose remainders are one limb beside such a range.
const EXACT_SHIFTS: RangeInclusive<u32> = 8..=14;

/// Slots to a row that a search allows.
const MOST_SLOTS: usize = 64;

/// What the requantizations of a graph have in common.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RowFormat {
    /// For each node with accumulators how they become outputs: as the graph has it, or in another
    /// way that comes to the same.
    requants: Vec<Option<Arc<Requant>>>,
    /// Whether each narrow layer has a table.
    is_tabled: bool,
    /// Whether their tables have an entry for every rounded accumulator: then none is beyond the clamp.
    is_covered: bool,
    /// Whether wide outputs have a row each.
    is_wide_rare: bool,
    pub(crate) shift: u32,
    pub(crate) clamp_bits: u32,
    /// For each kind of table its largest index.
    pub(crate) table_highs: Vec<i64>,
    pub(crate) wide: bool,
    pub(crate) overflow_bits: u32,
    /// Bits of the largest difference between an accumulator that a row of slots can state and
    /// one that a layer can have, of wide layers and of all others: bases of [`Packing`].
    wide_digit_bits: u32,
    digit_bits: u32,
    /// Max pools that layers take over; none where each pool has rows of its own.
    pub(crate) poolings: Vec<Pooling>,
    /// The most that an accumulator of such a layer can fall short of another by.
    short: i64,
    /// Positions side by side of which a row of narrow outputs has all, of one channel; 1 where a row
    /// has channels side by side, at one position.
    abreast: usize,
    /// Where overflow and shortfalls are as large as layers need them, and not as limbs of bits have
    /// them: what an overflow is below, and a shortfall without its lowest `shift` bits.
    exact: Option<u32>,
}

/// Whether a layer clamps to exactly the values of so many bits.
fn has_bits(requant: &Requant, bits: u32) -> bool {
    span(requant) == (1 << bits) - 1
}

/// Whether some accumulator is beyond the clamp.
fn escapes(requant: &Requant) -> bool {
    overflow(requant) > 0
}

/// By how much a rounded accumulator can be beyond the clamp; not positive if none is.
fn overflow(requant: &Requant) -> i64 {
    let below = i64::from(requant.lo) - requant.round(requant.acc_lo);
    below.max(requant.round(requant.acc_hi) - i64::from(requant.hi))
}

impl RowFormat {
    /// The format that serves every layer of a graph.
    ///
    /// # Errors
    /// [`PlanError::AccumulatorTooWide`] and [`PlanError::Requant`] for a layer that none serves.
    pub(crate) fn of(graph: &QuantizedGraph) -> Result<Self, PlanError> {
        let of_node = |node: &QuantizedNode| node.op.requant().cloned().map(Arc::new);
        let requants: Vec<_> = graph.nodes.iter().map(of_node).collect();
        let shift = requants.iter().flatten().next().map_or(0, |requant| requant.shift);
        for (node, requant) in requants.iter().enumerate() {
            requant.iter().try_for_each(|requant| admit(graph, node, requant, shift))?;
        }
        let mut format = Self::unwidened(requants, shift);
        format.widen();
        format.set_digit_bits();
        Ok(format)
    }

    /// The format of layers that nothing is beyond the clamp of.
    fn unwidened(requants: Vec<Option<Arc<Requant>>>, shift: u32) -> Self {
        let plain: Vec<_> = requants.iter().flatten().filter(|r| r.table.is_none()).collect();
        let widths = plain.iter().map(|requant| bits(span(requant)));
        let whole = widths.zip(&plain).filter(|(width, requant)| has_bits(requant, *width));
        let clamp_bits = whole.map(|(width, _)| width).filter(|&width| width != WIDE_BITS).min();
        // All layers have 16 bits: wide outputs only, unless one of them can leave its range.
        let is_wide = !plain.iter().any(|requant| escapes(requant));
        let without = if is_wide { DEFAULT_CLAMP_BITS } else { WIDE_BITS };
        Self {
            is_tabled: false,
            is_covered: false,
            is_wide_rare: false,
            shift,
            clamp_bits: clamp_bits.unwrap_or(without),
            table_highs: Vec::new(),
            wide: false,
            overflow_bits: 0,
            wide_digit_bits: 0,
            digit_bits: 0,
            poolings: Vec::new(),
            short: 0,
            abreast: 1,
            exact: None,
            requants,
        }
    }

    /// How the accumulators of a node become outputs, if it has any.
    pub(crate) fn requant(&self, node: usize) -> Option<&Arc<Requant>> {
        self.requants[node].as_ref()
    }

    /// The same with a table for each narrow layer, so that its outputs are nothing but looked up: with
    /// an entry for every accumulator, rounded, that the layer can have, where such tables are small.
    /// Then rows of slots state no overflow either. `None` without narrow layers.
    pub(crate) fn tabled(&self, graph: &QuantizedGraph) -> Option<Self> {
        let is_narrow = |requant: &Requant| self.kind(requant) != RequantKind::Wide;
        let covered = self.covered();
        let with_table = |requant: &Arc<Requant>| match &covered {
            _ if !is_narrow(requant) => Arc::clone(requant),
            Some(ends) => Arc::new(with_table(requant, ends[&function(requant)])),
            None => Arc::new(with_table(requant, [requant.lo, requant.hi].map(i64::from))),
        };
        let requants = self.requants.iter().map(|requant| requant.as_ref().map(with_table));
        let len = |(node, requant): (&QuantizedNode, &Option<Arc<Requant>>)| {
            let len = graph.tensors[node.output.0].len();
            requant
                .as_ref()
                .map_or([0; 2], |requant| [len, if is_narrow(requant) { 0 } else { len }])
        };
        let lens = graph.nodes.iter().zip(&self.requants).map(len);
        let [all, wide] = lens.fold([0; 2], |[all, wide], of| [all + of[0], wide + of[1]]);
        let mut format = Self {
            is_tabled: true,
            is_covered: covered.is_some(),
            is_wide_rare: wide * RARE_WIDE <= all,
            poolings: self.poolings.clone(),
            short: self.short,
            ..Self::unwidened(requants.collect(), self.shift)
        };
        format.widen();
        if format.is_covered {
            format.table_highs.clear();
        }
        format.set_digit_bits();
        (wide < all).then_some(format)
    }

    /// For each function of narrow layers the smallest and the largest rounded accumulator that any of
    /// them can have; `None` where they are far apart.
    fn covered(&self) -> Option<HashMap<Function<'_>, [i64; 2]>> {
        let mut ends: HashMap<_, [i64; 2]> = HashMap::new();
        for requant in self.requants.iter().flatten() {
            if self.kind(requant) == RequantKind::Wide {
                continue;
            }
            // A slot without an element has the accumulator 0.
            let [low, high] = ends.entry(function(requant)).or_default();
            *low = requant.round(requant.acc_lo).min(requant.lo.into()).min(*low);
            *high = requant.round(requant.acc_hi).max(requant.hi.into()).max(*high);
        }
        let is_small = |[low, high]: &[i64; 2]| high - low < MOST_ENTRIES;
        ends.values().all(is_small).then_some(ends)
    }

    /// Widens the format so that it serves all layers.
    fn widen(&mut self) {
        for requant in self.requants.clone().iter().flatten() {
            self.widen_for(requant);
        }
        self.table_highs.sort_unstable();
        self.table_highs.dedup();
    }

    /// Widens the format so that it serves a layer.
    fn widen_for(&mut self, requant: &Requant) {
        let overflow_bits = match self.kind(requant) {
            RequantKind::Wide => {
                self.wide = true;
                WIDE_BITS - self.clamp_bits
            }
            RequantKind::Table => {
                self.table_highs.push(span(requant));
                bits(overflow(requant))
            }
            RequantKind::Clamp => bits(overflow(requant)),
        };
        self.overflow_bits = self.overflow_bits.max(overflow_bits);
    }

    /// The same with max pools taken over by the layers before them, if any can be.
    pub(crate) fn with_windows(&self, graph: &QuantizedGraph) -> Option<Self> {
        let kind = |node: usize| Some(self.kind(self.requant(node)?));
        let poolings = poolings(graph, kind);
        let requants = poolings.iter().filter_map(|p| self.requant(p.layer));
        let short = requants.map(|r| r.acc_hi.saturating_sub(r.acc_lo).max(1)).max()?;
        let mut format = Self { poolings, short, ..self.clone() };
        format.set_digit_bits();
        Some(format)
    }

    /// The same with overflow and shortfalls that are no larger than layers need, if that is tighter
    /// and their limbs are few. Limbs of bits hold up to twice as much, which digits of packs have to
    /// leave room for.
    pub(crate) fn with_exact_limbs(&self) -> Option<Self> {
        let requants = self.requants.iter().flatten();
        let narrow = requants.filter(|requant| self.kind(requant) != RequantKind::Wide);
        let overflow = narrow.map(|requant| overflow(requant)).max().unwrap_or(0);
        let wide = if self.wide { (1 << (WIDE_BITS - self.clamp_bits)) - 1 } else { 0 };
        let largest = overflow.max(wide).max(self.short >> self.shift);
        let size = u32::try_from(largest + 1).ok()?;
        let is_exact = !size.is_power_of_two() && EXACT_SIZES.contains(&size);
        let is_one_limb = EXACT_SHIFTS.contains(&self.shift);
        let mut format = Self { exact: Some(size), ..self.clone() };
        format.set_digit_bits();
        (is_exact && is_one_limb && self.overflow_bits > 0).then_some(format)
    }

    /// The same with rows of narrow outputs that hold one channel at all positions, where all layers
    /// have so many, side by side, and wide outputs have rows of their own.
    pub(crate) fn with_positions_abreast(
        &self,
        graph: &QuantizedGraph,
        positions: usize,
    ) -> Option<Self> {
        let is_line = |node: &QuantizedNode| match &node.op {
            QuantizedOp::Affine(Affine { output, .. }) => {
                [output.height, output.width] == [1, positions]
            }
            QuantizedOp::Alias(_) => true,
            _ => false,
        };
        let is_worth_it = (2..=MOST_SLOTS).contains(&positions) && self.poolings.is_empty();
        let fits = is_worth_it
            && (!self.wide || self.wide_lanes(positions) == 1)
            && graph.nodes.iter().all(is_line);
        fits.then(|| Self { abreast: positions, ..self.clone() })
    }

    /// The slots to a row that a plan can have.
    pub(crate) fn slots_to_row(&self) -> RangeInclusive<usize> {
        match self.abreast {
            1 => 1..=MOST_SLOTS,
            abreast => abreast..=abreast,
        }
    }

    /// Positions to a row of slots of a layer.
    pub(crate) fn abreast(&self, kind: RequantKind) -> usize {
        if kind == RequantKind::Wide { 1 } else { self.abreast }
    }

    /// Bits of what an accumulator of a window can fall short of another by.
    fn window_bits(&self) -> u32 {
        bits(self.short)
    }

    /// The largest overflow that a row can state.
    fn largest_overflow(&self) -> i128 {
        self.exact.map_or((1 << self.overflow_bits) - 1, |size| i128::from(size) - 1)
    }

    /// What a shortfall that a row can state is below.
    fn largest_short(&self) -> u128 {
        self.exact.map_or(1 << self.window_bits(), |size| u128::from(size) << self.shift)
    }

    fn set_digit_bits(&mut self) {
        (self.digit_bits, self.wide_digit_bits) = (0, 0);
        for (node, requant) in self.requants.clone().iter().enumerate() {
            let Some(requant) = requant else { continue };
            let kind = self.kind(requant);
            let short = if self.pooling(node).is_some() { self.largest_short() } else { 0 };
            let digit_bits = self.digit_bits(requant, kind, short);
            let largest = match kind {
                RequantKind::Wide => &mut self.wide_digit_bits,
                RequantKind::Clamp | RequantKind::Table => &mut self.digit_bits,
            };
            *largest = digit_bits.max(*largest);
        }
    }

    /// The pool that a layer takes over.
    pub(crate) fn pooling(&self, layer: usize) -> Option<&Pooling> {
        self.poolings.iter().find(|pooling| pooling.layer == layer)
    }

    /// Bits of what a layer's accumulator can be off by, where the layers before it are right:
    /// the largest that limbs within their ranges can state, `short` below it for windows, and the
    /// largest that its inputs give.
    fn digit_bits(&self, requant: &Requant, kind: RequantKind, short: u128) -> u32 {
        let is_clamped = kind == RequantKind::Wide || !self.is_covered;
        let overflow = if is_clamped { self.largest_overflow() } else { 0 };
        let (low, high) = (i128::from(requant.lo), i128::from(requant.hi));
        let (least, most) = match kind {
            RequantKind::Clamp | RequantKind::Table => (low - overflow, high + overflow),
            RequantKind::Wide => (low, low + ((overflow + 1) << self.clamp_bits)),
        };
        // Remainder and rounding change it by less than one unit.
        let stated = (least.unsigned_abs().max(most.unsigned_abs()) + 1) << self.shift;
        let given = requant.acc_lo.unsigned_abs().max(requant.acc_hi.unsigned_abs());
        u128::BITS - (stated + short + u128::from(given)).leading_zeros()
    }

    /// How the channels of a layer are packed, with `lanes` slots to a row.
    pub(crate) fn packing(&self, kind: RequantKind, lanes: usize) -> Packing {
        match kind {
            RequantKind::Wide => Packing::new(self.wide_digit_bits, self.wide_lanes(lanes)),
            RequantKind::Clamp | RequantKind::Table => {
                Packing::new(self.digit_bits, self.lanes(kind, lanes))
            }
        }
    }

    /// Channels of a layer to a row of slots, of which there are `lanes`.
    pub(crate) fn lanes(&self, kind: RequantKind, lanes: usize) -> usize {
        match kind {
            RequantKind::Wide => self.wide_lanes(lanes),
            RequantKind::Clamp | RequantKind::Table if self.abreast > 1 => 1,
            RequantKind::Clamp | RequantKind::Table => lanes,
        }
    }

    /// Slots of a row that hold wide outputs: all where outputs have columns of their own, as tables
    /// beside clamps need them.
    fn wide_lanes(&self, lanes: usize) -> usize {
        match (self.is_tabled, self.is_wide_rare) {
            (true, false) => lanes.div_ceil(WIDE_SHARE),
            (false, _) if !self.table_highs.is_empty() => lanes,
            _ => 1,
        }
    }

    /// The columns of such rows, `lanes` slots to a row and limbs of at most `limit` bits, but for
    /// what depends on the layout.
    pub(crate) fn shape(&self, lanes: usize, limit: u32) -> SlotShape {
        let (remainder, overflow, window) = match self.exact {
            Some(size) => {
                let highest = u32::BITS - (size - 1).leading_zeros();
                (vec![self.shift], vec![highest], vec![self.shift, highest])
            }
            None => (
                limb_widths(self.shift, limit),
                limb_widths(self.overflow_bits, limit),
                limb_widths(self.window_bits(), limit),
            ),
        };
        SlotShape {
            lanes,
            is_abreast: self.abreast > 1,
            shift: self.shift,
            remainder_limbs: remainder,
            clamp_bits: self.clamp_bits,
            value_limbs: self.value_limbs(limit),
            is_tabled: self.is_tabled,
            is_covered: self.is_covered,
            table_highs: self.table_highs.clone(),
            overflow_limbs: overflow,
            exact: self.exact,
            wide_lanes: if self.wide { self.wide_lanes(lanes) } else { 0 },
            packing: self.packing(RequantKind::Clamp, lanes),
            wide_packing: self.packing(RequantKind::Wide, lanes),
            window_limbs: (!self.poolings.is_empty()).then_some(window),
            ..SlotShape::default()
        }
    }

    /// Limbs of the clamped value; the lowest must hold the index of a table.
    fn value_limbs(&self, limit: u32) -> Vec<u32> {
        if self.is_tabled {
            return vec![self.clamp_bits];
        }
        if self.table_highs.is_empty() || self.clamp_bits <= limit {
            return limb_widths(self.clamp_bits, limit);
        }
        let mut widths = vec![limit];
        widths.extend(limb_widths(self.clamp_bits - limit, limit));
        widths
    }

    /// How a layer's accumulators become outputs.
    pub(crate) fn kind(&self, requant: &Requant) -> RequantKind {
        if requant.table.is_some() {
            return RequantKind::Table;
        }
        if has_bits(requant, self.clamp_bits) {
            return RequantKind::Clamp;
        }
        if has_bits(requant, WIDE_BITS) && !escapes(requant) {
            return RequantKind::Wide;
        }
        RequantKind::Table
    }
}

/// What a requantization makes of rounded accumulators: clamp and table.
type Function<'a> = (i32, i32, Option<&'a [i32]>);

fn function(requant: &Requant) -> Function<'_> {
    (requant.lo, requant.hi, requant.table.as_deref())
}

/// The same requantization, with a table that has an entry for each integer from `low` to `high`.
fn with_table(requant: &Requant, [low, high]: [i64; 2]) -> Requant {
    let end = |end: i64| i32::try_from(end).expect("0 is among so few entries");
    let table =
        Some((end(low)..=end(high)).map(|rounded| output(requant, rounded.into())).collect());
    Requant { lo: end(low), hi: end(high), table, ..requant.clone() }
}

/// Checks that rows of slots can state a layer at all.
fn admit(
    graph: &QuantizedGraph,
    node: usize,
    requant: &Requant,
    shift: u32,
) -> Result<(), PlanError> {
    let name = || graph.nodes[node].name.clone();
    let reach = bits(requant.acc_hi.max(requant.acc_lo.saturating_neg()));
    if reach > ACCUMULATOR_BITS {
        let limit = ACCUMULATOR_BITS;
        return Err(PlanError::AccumulatorTooWide { node: name(), bits: reach, limit });
    }
    // `σ` has two values only where the clamp has: it cannot tell the sides of a single one apart.
    let has_sides = span(requant) > 0 || requant.round(requant.acc_hi) <= requant.hi.into();
    let entries = requant.table.as_ref().map(Vec::len);
    let has_its_table = entries.is_none_or(|len| i64::try_from(len) == Ok(span(requant) + 1));
    if !(0..1 << MAX_TABLE_BITS).contains(&span(requant))
        || requant.shift != shift
        || !has_its_table
        || !has_sides
    {
        let (lo, hi) = (requant.lo, requant.hi);
        return Err(PlanError::Requant {
            node: name(),
            expected: format!("at most {MAX_TABLE_BITS} bits after a shift of {shift}"),
            got: format!("[{lo}, {hi}] after a shift of {}", requant.shift),
        });
    }
    Ok(())
}
