//! The columns of the hash unit.

use halo2_proofs::plonk::{Advice, Column, Fixed};
use zkinfer_verifier::poseidon::WIDTH;

use super::{
    permutation,
    rows::{Absorbs, MOST_DIGITS, Side, Track},
};
use crate::{
    cells::Place,
    frame::{Copied, Frame, Limbs, Order},
    integers::index,
    lookup::entry::{KeyTerm, Tag},
};

/// How wide a row of the hash unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashWidths {
    /// Claims side by side.
    pub lanes: usize,
    /// Partial rounds to a row.
    pub rounds: usize,
    /// Committed inputs that a track packs in a row.
    pub digits: usize,
}

/// The widths of a single claim, whose rows are few in any circuit: they decide nothing else.
impl Default for HashWidths {
    fn default() -> Self {
        Self { lanes: 1, rounds: 3, digits: 1 }
    }
}

impl HashWidths {
    /// The widths for several claims that a search may choose, with up to so many lanes that each
    /// have claims: those with the fewest full-width columns first, which cost most.
    pub(super) fn of_claims(claims: usize, most_lanes: usize) -> Vec<Self> {
        let lanes = (1..=most_lanes).filter(|&lanes| claims.is_multiple_of(lanes));
        let mut widths: Vec<_> = lanes
            .flat_map(|lanes| (1..=MOST_ROUNDS).map(move |rounds| (lanes, rounds)))
            .flat_map(|(lanes, rounds)| {
                (1..=MOST_DIGITS).map(move |digits| Self { lanes, rounds, digits })
            })
            .collect();
        widths.sort_by_key(|widths| widths.columns());
        widths
    }

    /// Columns of full-width cells, and of small ones.
    fn columns(self) -> [usize; 2] {
        let state = WIDTH + permutation::squares(self.rounds) + self.rounds - 1;
        let tracks = Track::ALL.len();
        [self.lanes * (state + tracks), self.lanes * tracks * self.digits]
    }

    /// The column in which a lane has the committed inputs of a track that a row packs at a place.
    pub(super) fn committed_place(self, lane: usize, track: Track, at: usize) -> Place {
        let track = lane * Track::ALL.len() + track as usize;
        Place::Committed(index(track * self.digits + at))
    }
}

/// The most partial rounds to a row: with more, a row has more columns than the rows that are saved
/// are worth.
const MOST_ROUNDS: usize = 6;

/// What the hash unit packs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HashShape {
    /// How wide a row is.
    pub widths: HashWidths,
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
    pub(super) widths: HashWidths,
    /// What the row adds to the state, and to what further partial rounds raise.
    pub(super) constants: Vec<Column<Fixed>>,
    pub(super) q_start: Column<Fixed>,
    pub(super) q_keep: Column<Fixed>,
    pub(super) q_full: Column<Fixed>,
    pub(super) q_partial: Column<Fixed>,
    /// 1 where a packed element is added to the rate, for each way from a track to a place.
    pub(super) q_absorb: [Column<Fixed>; Absorbs::ALL.len()],
    /// 1 where a lane adds its number to the first place of the rate, where there are several lanes.
    pub(super) q_number: Option<Column<Fixed>>,
    /// 1 in rows of partial rounds that are left, where there are any.
    pub(super) q_rest: Option<Column<Fixed>>,
}

/// What the rows of a track pack.
#[derive(Clone, Debug)]
pub(super) struct TrackRows {
    /// 1 where the packed element goes on in the next row.
    pub(super) q_more: Column<Fixed>,
    /// One for each input of a row, the last of the packed element first.
    pub(super) inputs: Vec<Packing>,
    /// For each of them the range that each limb is looked up in.
    pub(super) tags: Vec<Vec<Column<Fixed>>>,
    pub(super) output: Option<Packing>,
}

impl TrackRows {
    pub(super) fn packings(&self, side: Side) -> &[Packing] {
        match side {
            Side::Input => &self.inputs,
            Side::Output => self.output.as_slice(),
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
    pub(super) squares: Vec<Column<Advice>>,
    /// What partial rounds after the first raise.
    pub(super) raised: Vec<Column<Advice>>,
}

/// What a track of a lane packs.
#[derive(Clone, Debug)]
pub(super) struct TrackCells {
    /// Committed inputs of a row, each with the limbs of `value − low`; none where one limb is enough.
    pub(super) inputs: Vec<(Column<Advice>, Limbs)>,
    /// Committed outputs, which are copies.
    pub(super) output: Option<Copied>,
    /// The packed element so far.
    pub(super) packed: Column<Advice>,
}

impl TrackCells {
    /// The elements of a side that a row packs, the last of the packed element first.
    pub(super) fn values(&self, side: Side) -> Vec<Column<Advice>> {
        match side {
            Side::Input => self.inputs.iter().map(|(value, _)| *value).collect(),
            Side::Output => self.output.map(Copied::column).into_iter().collect(),
        }
    }
}

impl HashUnit {
    pub(super) fn new(shape: &HashShape, frame: &mut Frame) -> Self {
        let tracks = Track::ALL.map(|track| track_rows(shape, track, frame));
        let widths = shape.widths;
        let lanes = (0..widths.lanes).map(|lane| allocate(shape, &tracks, lane, frame));
        let lanes: Vec<_> = lanes.collect();
        frame.order(Order::Third);
        let unit = Self {
            tracks,
            lanes,
            digits: shape.input.clone(),
            widths,
            constants: frame.fixed_columns(permutation::constants(widths.rounds)),
            q_start: frame.fixed(),
            q_keep: frame.fixed(),
            q_full: frame.fixed(),
            q_partial: frame.fixed(),
            q_absorb: Absorbs::ALL.map(|_| frame.fixed()),
            q_number: (widths.lanes > 1).then(|| frame.fixed()),
            q_rest: (permutation::rest(widths.rounds) > 0).then(|| frame.fixed()),
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
    let mut packings = |side, count: usize| -> Vec<_> {
        let Some(bits) = is_packed(shape, track, side) else { return Vec::new() };
        (0..count).map(|_| Packing::new(bits, frame)).collect()
    };
    let inputs = packings(Side::Input, shape.widths.digits);
    let output = packings(Side::Output, 1).pop();
    let limbs = shape.input.as_ref().map_or(0, |digits| digits.limbs.len());
    let tags = inputs.iter().map(|_| frame.fixed_columns(limbs)).collect();
    frame.order(Order::First);
    TrackRows { q_more, inputs, tags, output }
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
        let packings = rows.inputs.iter().zip(&rows.tags).enumerate();
        let inputs = packings.filter_map(|(at, (packing, tags))| {
            let place = shape.widths.committed_place(lane, track, at);
            let value = frame.source("committed input", place);
            Some((value, ranges(shape.input.as_ref()?, (value, packing), tags, frame)))
        });
        let inputs = inputs.collect();
        frame.order(Order::First);
        let output = rows.output.map(|_| frame.copied("committed output"));
        frame.order(Order::Third);
        // Commitments of several claims are copied to their leaves, and leaves to their nodes.
        let joins = shape.joins && track == Track::B;
        let name = "packed element";
        let packed = if joins { frame.shown(name) } else { frame.later(name) };
        TrackCells { inputs, output, packed }
    });
    let root = shape.joins && lane == 0;
    Lane {
        tracks: cells,
        state: [
            if root { frame.shown("hash capacity") } else { frame.later("hash capacity") },
            frame.shown("hash digest"),
            frame.later("hash rate"),
        ],
        squares: later(permutation::squares(shape.widths.rounds), "hash square", frame),
        raised: later(shape.widths.rounds - 1, "hash raised", frame),
    }
}

fn later(count: usize, name: &'static str, frame: &mut Frame) -> Vec<Column<Advice>> {
    (0..count).map(|_| frame.later(name)).collect()
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
