//! The columns of the commitment unit.

use halo2_proofs::plonk::{Advice, Column, Fixed};
use zkinfer_verifier::poseidon::WIDTH;

use super::rows::Side;
use crate::{
    cells::Place,
    frame::{Copied, Frame, Limbs, Order},
    lookup::entry::{KeyTerm, Tag},
};

/// What the commitment unit packs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitmentShape {
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

/// Columns of the commitment unit; its gates say what they are.
#[derive(Clone, Debug)]
pub(crate) struct CommitmentUnit {
    /// Committed inputs.
    pub(super) input: Option<CommittedInputs>,
    /// Committed outputs, which are copies.
    pub(super) output: Option<(Copied, PackedColumn)>,
    /// 1 where the packed element goes on in the next row.
    pub(super) q_more: Column<Fixed>,
    /// The packed element so far.
    pub(super) packed: Column<Advice>,
    pub(super) state: [Column<Advice>; WIDTH],
    /// Square of the state's first element with its constant.
    pub(super) square: Column<Advice>,
    /// What the row adds to the state.
    pub(super) constants: [Column<Fixed>; WIDTH],
    pub(super) q_keep: Column<Fixed>,
    pub(super) q_rotate: Column<Fixed>,
    pub(super) q_full: Column<Fixed>,
    pub(super) q_partial: Column<Fixed>,
    /// 1 where the packed element is added to the first, or second, element of the rate.
    pub(super) q_absorb: [Column<Fixed>; 2],
}

/// Elements to be packed, with 1 in the rows where one is, and its lower bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct PackedColumn {
    pub(super) value: Column<Advice>,
    pub(super) q_pack: Column<Fixed>,
    pub(super) low: Column<Fixed>,
    /// Bits of a digit.
    pub(super) digit_bits: u32,
}

impl PackedColumn {
    fn new(value: Column<Advice>, digit_bits: u32, frame: &mut Frame) -> Self {
        Self { value, q_pack: frame.fixed(), low: frame.fixed(), digit_bits }
    }
}

/// Committed inputs with what bounds them.
#[derive(Clone, Debug)]
pub(super) struct CommittedInputs {
    pub(super) packed: PackedColumn,
    /// Limbs of `value − low`; empty where one limb is enough.
    pub(super) limbs: Limbs,
    /// The range that each limb is looked up in.
    pub(super) tags: Vec<Column<Fixed>>,
    pub(super) digits: InputDigits,
}

impl CommittedInputs {
    /// The verifier cannot look: each element is in the range of its tensor by lookups.
    fn allocate(digits: &InputDigits, frame: &mut Frame) -> Self {
        let value = frame.source("committed input", Place::Committed);
        let packed = PackedColumn::new(value, digits.digit_bits, frame);
        let tags = frame.fixed_columns(digits.limbs.len());
        let limbs = if let [tag] = tags[..] {
            let key = vec![KeyTerm::Plus(value), KeyTerm::MinusFixed(packed.low)];
            frame.lookup(key, Tag::Row(tag), None);
            Limbs::default()
        } else {
            frame.tagged_limbs("committed input limb", &digits.limbs, &tags)
        };
        // Rows of a tensor ask for its own ranges, all others for the widest.
        let of_tensors = digits.tensor_bits.iter().flat_map(|&bits| digits.limbs_of(bits));
        of_tensors.chain(digits.limbs.iter().copied()).for_each(|bits| frame.range(bits));
        Self { packed, limbs, tags, digits: digits.clone() }
    }
}

impl CommitmentUnit {
    pub(super) fn new(shape: &CommitmentShape, frame: &mut Frame) -> Self {
        frame.order(Order::Second);
        let input = shape.input.as_ref().map(|digits| CommittedInputs::allocate(digits, frame));
        frame.order(Order::First);
        let output = shape.output_digit_bits.map(|bits| {
            let copied = frame.copied("committed output");
            (copied, PackedColumn::new(copied.column(), bits, frame))
        });
        frame.order(Order::Third);
        let unit = Self {
            input,
            output,
            q_more: frame.fixed(),
            packed: frame.later("packed element"),
            state: [
                frame.later("hash capacity"),
                frame.shown("hash digest"),
                frame.later("hash rate"),
            ],
            square: frame.later("hash square"),
            constants: [(); WIDTH].map(|()| frame.fixed()),
            q_keep: frame.fixed(),
            q_rotate: frame.fixed(),
            q_full: frame.fixed(),
            q_partial: frame.fixed(),
            q_absorb: [(); 2].map(|()| frame.fixed()),
        };
        frame.order(Order::First);
        unit
    }

    /// Where elements of a side are packed.
    pub(super) fn packed_column(&self, side: Side) -> Option<&PackedColumn> {
        match side {
            Side::Input => self.input.as_ref().map(|input| &input.packed),
            Side::Output => self.output.as_ref().map(|(_, packed)| packed),
        }
    }

    /// The element of the state that is the commitment.
    pub(super) fn digest(&self) -> Column<Advice> {
        let [_, digest, _] = self.state;
        digest
    }
}
