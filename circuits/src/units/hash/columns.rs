//! The columns of the hash unit.

use halo2_proofs::plonk::{Advice, Column, Fixed};
use zkinfer_verifier::poseidon::WIDTH;

use super::{
    permutation::{CONSTANTS, FUSED},
    rows::{Absorbs, Side, Track, committed_place},
};
use crate::{
    frame::{Copied, Frame, Limbs, Order},
    lookup::entry::{KeyTerm, Tag},
};

/// What the hash unit packs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HashShape {
    /// Claims side by side.
    pub lanes: usize,
    /// Whether the commitments of several claims are hashed into one root.
    pub joins: bool,
    /// Committed inputs, if they are.
    pub input: Option<InputDigits>,
    /// Bits of a packed output, if outputs are committed to.
    pub output_digit_bits: Option<u32>,
}

/// Committed inputs, which are range-checked besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputDigits {
    /// Bits of a packed input.
    pub digit_bits: u32,
    /// Bits that each input tensor's `hi − lo` takes, all of them ones.
    pub tensor_bits: Vec<u32>,
    /// Widths of the limbs of the widest tensor's elements, at least one.
    pub limbs: Vec<u32>,
    /// Tracks that pack inputs: two, or one where all fit one element.
    pub tracks: usize,
}

impl InputDigits {
    /// Widths of the limbs of an element of `bits` bits: 0 where its limb is always 0.
    pub(super) fn limbs_of(&self, bits: u32) -> impl Iterator<Item = u32> + '_ {
        let mut rest = bits;
        self.limbs.iter().map(move |&limb| {
            let width = limb.min(rest);
            rest -= width;
            width
        })
    }
}

/// Columns of the hash unit; its gates say what they are.
#[derive(Clone, Debug)]
pub(crate) struct HashUnit {
    /// For each track what its rows pack, the same in all lanes.
    pub(super) tracks: [TrackRows; Track::ALL.len()],
    pub(super) lanes: Vec<Lane>,
    pub(super) digits: Option<InputDigits>,
    /// What the row adds to the state, and to what further partial rounds raise.
    pub(super) constants: [Column<Fixed>; CONSTANTS],
    pub(super) q_start: Column<Fixed>,
    pub(super) q_keep: Column<Fixed>,
    pub(super) q_full: Column<Fixed>,
    pub(super) q_partial: Column<Fixed>,
    /// 1 where a packed element is added to the rate, for each way from a track to a place.
    pub(super) q_absorb: [Column<Fixed>; Absorbs::ALL.len()],
    /// 1 where a lane adds its number to the first place of the rate, where there are several lanes.
    pub(super) q_number: Option<Column<Fixed>>,
}

/// What the rows of a track pack.
#[derive(Clone, Debug)]
pub(super) struct TrackRows {
    /// 1 where the packed element goes on in the next row.
    pub(super) q_more: Column<Fixed>,
    pub(super) input: Option<Packing>,
    /// The range that each limb of an input is looked up in.
    pub(super) tags: Vec<Column<Fixed>>,
    pub(super) output: Option<Packing>,
}

impl TrackRows {
    pub(super) fn packing(&self, side: Side) -> Option<&Packing> {
        match side {
            Side::Input => self.input.as_ref(),
            Side::Output => self.output.as_ref(),
        }
    }
}

/// 1 in the rows where an element is packed, and its lower bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packing {
    pub(super) q_pack: Column<Fixed>,
    pub(super) low: Column<Fixed>,
    /// Bits of a digit.
    pub(super) digit_bits: u32,
}

impl Packing {
    fn new(digit_bits: u32, frame: &mut Frame) -> Self {
        Self { q_pack: frame.fixed(), low: frame.fixed(), digit_bits }
    }
}

/// The columns of one claim at a time.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) tracks: [TrackCells; Track::ALL.len()],
    pub(super) state: [Column<Advice>; WIDTH],
    /// Squares of what the rounds of the row raise.
    pub(super) squares: [Column<Advice>; FUSED],
    /// What partial rounds after the first raise.
    pub(super) raised: [Column<Advice>; FUSED - 1],
}

/// What a track of a lane packs.
#[derive(Clone, Debug)]
pub(super) struct TrackCells {
    /// Committed inputs, and limbs of `value − low`; none where one limb is enough.
    pub(super) input: Option<(Column<Advice>, Limbs)>,
    /// Committed outputs, which are copies.
    pub(super) output: Option<Copied>,
    /// The packed element so far.
    pub(super) packed: Column<Advice>,
}

impl TrackCells {
    /// The elements of a side.
    pub(super) fn values(&self, side: Side) -> Option<Column<Advice>> {
        match side {
            Side::Input => self.input.as_ref().map(|(value, _)| *value),
            Side::Output => self.output.map(Copied::column),
        }
    }
}

impl HashUnit {
    pub(super) fn new(shape: &HashShape, frame: &mut Frame) -> Self {
        let tracks = Track::ALL.map(|track| track_rows(shape, track, frame));
        let lanes = (0..shape.lanes.max(1)).map(|lane| allocate(shape, &tracks, lane, frame));
        let lanes: Vec<_> = lanes.collect();
        frame.order(Order::Third);
        let unit = Self {
            tracks,
            lanes,
            digits: shape.input.clone(),
            constants: [(); CONSTANTS].map(|()| frame.fixed()),
            q_start: frame.fixed(),
            q_keep: frame.fixed(),
            q_full: frame.fixed(),
            q_partial: frame.fixed(),
            q_absorb: Absorbs::ALL.map(|_| frame.fixed()),
            q_number: (shape.lanes > 1).then(|| frame.fixed()),
        };
        frame.order(Order::First);
        unit
    }
}

/// Whether a track packs elements of a side: outputs in the second only, inputs there first.
fn is_packed(shape: &HashShape, track: Track, side: Side) -> Option<u32> {
    let inputs = shape.input.as_ref().map(|digits| (digits.digit_bits, digits.tracks));
    match (side, track) {
        (Side::Input, Track::A) => inputs.filter(|(_, tracks)| *tracks > 1).map(|(bits, _)| bits),
        (Side::Input, Track::B) => inputs.map(|(bits, _)| bits),
        (Side::Output, Track::A) => None,
        (Side::Output, Track::B) => shape.output_digit_bits,
    }
}

fn track_rows(shape: &HashShape, track: Track, frame: &mut Frame) -> TrackRows {
    frame.order(Order::Third);
    let q_more = frame.fixed();
    let mut packing = |side| is_packed(shape, track, side).map(|bits| Packing::new(bits, frame));
    let (input, output) = (packing(Side::Input), packing(Side::Output));
    let digits = shape.input.as_ref().filter(|_| input.is_some());
    let tags = digits.map_or_else(Vec::new, |digits| frame.fixed_columns(digits.limbs.len()));
    frame.order(Order::First);
    TrackRows { q_more, input, tags, output }
}

fn allocate(
    shape: &HashShape,
    tracks: &[TrackRows; Track::ALL.len()],
    lane: usize,
    frame: &mut Frame,
) -> Lane {
    let cells = Track::ALL.map(|track| {
        let rows = &tracks[track as usize];
        frame.order(Order::Second);
        let packing = shape.input.as_ref().zip(rows.input.as_ref());
        let input = packing.map(|(digits, packing)| {
            let value = frame.source("committed input", committed_place(lane, track));
            (value, ranges(digits, (value, packing), &rows.tags, frame))
        });
        frame.order(Order::First);
        let output = rows.output.map(|_| frame.copied("committed output"));
        frame.order(Order::Third);
        // Commitments of several claims are copied to their leaves, and leaves to their nodes.
        let joins = shape.joins && track == Track::B;
        let name = "packed element";
        let packed = if joins { frame.shown(name) } else { frame.later(name) };
        TrackCells { input, output, packed }
    });
    let root = shape.joins && lane == 0;
    Lane {
        tracks: cells,
        state: [
            if root { frame.shown("hash capacity") } else { frame.later("hash capacity") },
            frame.shown("hash digest"),
            frame.later("hash rate"),
        ],
        squares: [(); FUSED].map(|()| frame.later("hash square")),
        raised: [(); FUSED - 1].map(|()| frame.later("hash raised")),
    }
}

/// The verifier cannot look: each element is in the range of its tensor by lookups.
fn ranges(
    digits: &InputDigits,
    (value, packing): (Column<Advice>, &Packing),
    tags: &[Column<Fixed>],
    frame: &mut Frame,
) -> Limbs {
    let limbs = if let [tag] = tags {
        let key = vec![KeyTerm::Plus(value), KeyTerm::MinusFixed(packing.low)];
        frame.lookup(key, Tag::Row(*tag), None);
        Limbs::default()
    } else {
        frame.tagged_limbs("committed input limb", &digits.limbs, tags)
    };
    // Rows of a tensor ask for its own ranges, all others for the widest.
    let of_tensors = digits.tensor_bits.iter().flat_map(|&bits| digits.limbs_of(bits));
    of_tensors.chain(digits.limbs.iter().copied()).for_each(|bits| frame.range(bits));
    limbs
}
