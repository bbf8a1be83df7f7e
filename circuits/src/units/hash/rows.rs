//! Where committed inputs and outputs are packed and hashed.
//!
//! One row of a track packs an element, one row is a step of the hash; all run side by side. A
//! sponge absorbs two packed elements at a time, and while a permutation runs, each track packs one
//! of the next two. Several lanes do the same for other claims, row by row. Where there are several
//! claims the leaves of their tree follow, and then, in the first lane, its nodes.

use std::ops::Range;

use halo2_proofs::halo2curves::bn256::Fr;
use zkinfer_models::{QuantizedGraph, quantized::TensorId};
use zkinfer_verifier::{
    Visibility,
    commitment::{digit_bits, digits_per_element},
};

use super::{
    columns::{HashShape, HashWidths, InputDigits},
    permutation::Step,
};
use crate::{
    cells::{CellRef, Place},
    error::PlanError,
    instance::BINDING_ROWS,
    integers::{self, index, limb_widths},
};

/// The tensors of one side of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Input,
    Output,
}

/// A track of a lane: what packs elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Track {
    A,
    B,
}

impl Track {
    pub(super) const ALL: [Self; 2] = [Self::A, Self::B];
}

/// From which track a packed element is added to which place of the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absorbs {
    /// Of the first track, to the first place.
    AFirst,
    /// Of the second track, to the first place.
    BFirst,
    /// Of the second track, to the second place.
    BSecond,
}

impl Absorbs {
    pub(super) const ALL: [Self; 3] = [Self::AFirst, Self::BFirst, Self::BSecond];

    pub(super) fn track(self) -> Track {
        match self {
            Self::AFirst => Track::A,
            Self::BFirst | Self::BSecond => Track::B,
        }
    }

    /// Index in the rate.
    pub(super) fn place(self) -> usize {
        match self {
            Self::AFirst | Self::BFirst => 0,
            Self::BSecond => 1,
        }
    }
}

/// An element that a row packs: flat index among those of a side of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digit {
    pub(super) side: Side,
    /// The claim is this times the lanes plus the lane.
    pub(super) block: u32,
    pub(super) element: u32,
    /// Whether it continues the packed element of the digit before.
    pub(super) more: bool,
}

/// The most elements that a track packs in a row.
pub(super) const MOST_DIGITS: usize = 2;

/// Where a row packs an element: by track, and among those of the row the last of the packed element
/// first.
#[derive(Clone, Copy, Debug)]
pub(super) struct DigitPlace {
    pub(super) row: usize,
    pub(super) track: Track,
    pub(super) at: usize,
}

/// A field element that a claim keeps to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secret {
    /// What hides a side.
    Blinding(Side),
    /// A half of the digest of its binding, the low one first.
    Binding(usize),
}

/// One row of every lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HashRow {
    pub(super) step: Step,
    /// Index into the constants.
    pub(super) constants: u32,
    /// Whether a lane adds its number to the first place of the rate.
    pub(super) numbered: bool,
    pub(super) absorbs: [bool; Absorbs::ALL.len()],
    /// For each track what it packs: the last of the packed element first.
    pub(super) packs: [[Option<Digit>; MOST_DIGITS]; Track::ALL.len()],
}

/// An element of the state of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct StateCell {
    pub(super) lane: usize,
    pub(super) element: usize,
    pub(super) row: usize,
}

/// A packed cell of the second track that is a copy of the state elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) lane: usize,
    pub(super) row: usize,
    pub(super) from: StateCell,
}

/// One side of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HiddenSide {
    pub(super) side: Side,
    /// Bits of a packed element.
    pub(super) digit_bits: u32,
    /// The tensors with their elements and bounds.
    tensors: Vec<(TensorId, usize, [i64; 2])>,
    /// The tensor, by its place in the list, and the element in it.
    pub(super) elements: Vec<(u32, u32)>,
    /// The public value that shows the commitment, where the instance shows it.
    pub(super) instance_row: usize,
}

impl HiddenSide {
    fn new(graph: &QuantizedGraph, side: Side, ids: &[TensorId], instance_row: usize) -> Self {
        let tensor = |&id: &TensorId| {
            let tensor = &graph.tensors[id.0];
            (id, tensor.len(), [tensor.lo, tensor.hi])
        };
        let tensors: Vec<_> = ids.iter().map(tensor).collect();
        let bounds = tensors.iter().map(|&(_, _, [lo, hi])| (lo, hi));
        let digit_bits = digit_bits(bounds);
        let places = |(place, &(_, len, _)): (usize, &(TensorId, usize, [i64; 2]))| {
            (0..len).map(move |element| (index(place), index(element)))
        };
        let elements = tensors.iter().enumerate().flat_map(places).collect();
        Self { side, digit_bits, tensors, elements, instance_row }
    }

    /// An element of a claim, as one of the tensor that holds those of all claims.
    pub(super) fn source(&self, claim: usize, element: u32) -> (TensorId, u32) {
        let (tensor, element) = self.elements[element as usize];
        let (id, len, _) = self.tensors[tensor as usize];
        (id, index(claim * len) + element)
    }

    /// Lower bound of an element.
    pub(super) fn low(&self, element: u32) -> i64 {
        let (tensor, _) = self.elements[element as usize];
        let (_, _, [lo, _]) = self.tensors[tensor as usize];
        lo
    }

    /// Bits of an element.
    pub(super) fn bits(&self, element: u32) -> u32 {
        let (tensor, _) = self.elements[element as usize];
        let (_, _, [lo, hi]) = self.tensors[tensor as usize];
        integers::bits(hi - lo)
    }

    /// The elements that are packed into each field element.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (chunk, count) = (digits_per_element(self.digit_bits), self.elements.len());
        (0..count).step_by(chunk).map(move |first| first..count.min(first + chunk))
    }
}

/// What a circuit commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hidden {
    pub(super) sides: Vec<HiddenSide>,
    /// How many claims there are; the instance shows the root of several.
    pub(super) claims: usize,
}

impl Hidden {
    /// What `claims` runs of `graph` commit to of inputs and outputs; `None` where everything is
    /// public. The commitment to the outputs is the public value `outputs_row`.
    ///
    /// # Errors
    /// [`PlanError::InputBounds`] for a committed input whose bounds are no range of bits,
    /// [`PlanError::ShownClaims`] for several claims that show something.
    pub(crate) fn of(
        graph: &QuantizedGraph,
        claims: usize,
        [input, output]: [Visibility; 2],
        outputs_row: usize,
    ) -> Result<Option<Self>, PlanError> {
        if claims > 1 && [input, output].contains(&Visibility::Public) {
            return Err(PlanError::ShownClaims { claims });
        }
        let mut sides = Vec::new();
        if input == Visibility::Committed {
            graph.inputs.iter().try_for_each(|&id| check_range(graph, id))?;
            sides.push(HiddenSide::new(graph, Side::Input, &graph.inputs, BINDING_ROWS));
        }
        if output == Visibility::Committed {
            sides.push(HiddenSide::new(graph, Side::Output, &graph.outputs, outputs_row));
        }
        Ok((!sides.is_empty()).then_some(Self { sides, claims }))
    }

    pub(super) fn side(&self, side: Side) -> Option<&HiddenSide> {
        self.sides.iter().find(|hidden| hidden.side == side)
    }
}

/// The rows of the unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HashRows {
    pub(super) hidden: Hidden,
    pub(super) widths: HashWidths,
    pub(super) rows: Vec<HashRow>,
    /// Constants that rows add, the first of which are zeros.
    pub(super) constants: Vec<Vec<Fr>>,
    /// The packed cells that are free: row, track, block of claims, and what it is.
    pub(super) secrets: Vec<(usize, Track, usize, Secret)>,
    pub(super) links: Vec<Link>,
    /// The public values that are a cell of the state.
    pub(super) shown: Vec<(usize, StateCell)>,
}

impl HashRows {
    /// Rows.
    pub(crate) fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// How wide a row is.
    pub(crate) fn widths(&self) -> HashWidths {
        self.widths
    }

    /// The claim of a lane in a block.
    pub(super) fn claim(&self, block: usize, lane: usize) -> usize {
        block * self.widths.lanes + lane
    }

    /// Everything that is packed: where, and the element.
    pub(super) fn digits(&self) -> impl Iterator<Item = (DigitPlace, Digit)> + '_ {
        self.rows.iter().enumerate().flat_map(|(row, of)| {
            Track::ALL.into_iter().zip(of.packs).flat_map(move |(track, digits)| {
                let digits = digits.into_iter().enumerate();
                digits.filter_map(move |(at, digit)| Some((DigitPlace { row, track, at }, digit?)))
            })
        })
    }

    pub(super) fn side(&self, digit: Digit) -> &HiddenSide {
        self.hidden.side(digit.side).expect("what is packed is committed to")
    }

    /// The cells of the committed inputs by tensor, those of all claims, if inputs are committed to.
    pub(crate) fn input_cells(&self) -> Option<Vec<(TensorId, Vec<CellRef>)>> {
        let side = self.hidden.side(Side::Input)?;
        let nowhere = CellRef { place: Place::Instance, row: 0 };
        let empty =
            |&(id, len, _): &(TensorId, usize, _)| (id, vec![nowhere; len * self.hidden.claims]);
        let mut cells: Vec<_> = side.tensors.iter().map(empty).collect();
        for (DigitPlace { row, track, at }, digit) in self.digits() {
            if digit.side != Side::Input {
                continue;
            }
            for lane in 0..self.widths.lanes {
                let claim = self.claim(digit.block as usize, lane);
                let (tensor, element) = side.elements[digit.element as usize];
                let (_, len, _) = side.tensors[tensor as usize];
                let place = self.widths.committed_place(lane, track, at);
                let element = claim * len + element as usize;
                cells[tensor as usize].1[element] = CellRef { place, row: index(row) };
            }
        }
        Some(cells)
    }

    /// Column counts and limb widths, limbs of at most `limb_limit` bits.
    pub(crate) fn shape(&self, limb_limit: u32) -> HashShape {
        let input = |side: &HiddenSide| {
            let bits = side.tensors.iter().map(|(_, _, [lo, hi])| integers::bits(hi - lo));
            let tensor_bits: Vec<_> = bits.collect();
            // One limb at least, even where an element has a single value.
            let widest = tensor_bits.iter().max().map_or(1, |&bits| bits.max(1));
            let limbs = limb_widths(widest, limb_limit);
            let tracks = side.chunks().count().min(Track::ALL.len());
            InputDigits { digit_bits: side.digit_bits, tensor_bits, limbs, tracks }
        };
        HashShape {
            widths: self.widths,
            joins: self.hidden.claims > 1,
            input: self.hidden.side(Side::Input).map(input),
            output_digit_bits: self.hidden.side(Side::Output).map(|side| side.digit_bits),
        }
    }
}

/// Refuses a committed input whose bounds are no range of bits.
fn check_range(graph: &QuantizedGraph, id: TensorId) -> Result<(), PlanError> {
    let tensor = &graph.tensors[id.0];
    let (lo, hi) = (tensor.lo, tensor.hi);
    if hi - lo == (1 << integers::bits(hi - lo)) - 1 {
        return Ok(());
    }
    Err(PlanError::InputBounds { tensor: tensor.name.clone(), lo, hi })
}
