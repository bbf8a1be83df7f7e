//! How many columns of each kind a circuit has, and of which widths: all that its gates depend on.

use crate::{chain::StepSet, plan::Packing};

/// Rows at the end of every column that halo2 fills with blinding values, plus the last row of
/// its permutation argument. Every advice column here is queried at two rotations at most.
pub(crate) const RESERVED_ROWS: usize = 6;

/// Elements that one row of the pool unit takes the maximum of.
pub(crate) const POOL_WIDTH: usize = 4;

/// Column counts, limb widths and lattice steps: all that the gates depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// log2 of the number of rows.
    pub k: u32,
    /// Requantized values to a row.
    pub slot_lanes: usize,
    /// Binary digits that requantization drops.
    pub shift: u32,
    /// Widths of the limbs of the remainder; they add up to `shift`.
    pub remainder_limbs: Vec<u32>,
    /// Bits of a clamped value.
    pub clamp_bits: u32,
    /// Widths of the limbs of the clamped value; they add up to `clamp_bits`.
    pub value_limbs: Vec<u32>,
    /// Bits of the input of an activation table, if a layer has one.
    pub table_bits: Option<u32>,
    /// Entries of the lookup table to a row.
    pub table_lanes: usize,
    /// Widths of the limbs of the overflow beyond the clamp.
    pub overflow_limbs: Vec<u32>,
    /// Whether some layer has outputs wider than `clamp_bits`.
    pub wide: bool,
    /// Elements read to a row.
    pub read_lanes: usize,
    /// Packs of fixed weights to a row.
    pub weight_columns: usize,
    /// Of all but wide layers.
    pub(crate) packing: Packing,
    /// Widths of the limbs of a difference from the largest accumulator of a window, if some
    /// layer's slots are maxima of windows.
    pub window_limbs: Option<Vec<u32>>,
    /// Widths of the limbs of a difference in the pool unit, if there is one.
    pub pool_limbs: Option<Vec<u32>>,
    /// Windows of the pool unit to a row.
    pub pool_lanes: usize,
    /// The softmax unit, if there is one.
    pub softmax: Option<SoftmaxShape>,
    /// Whether some lanes are read downwards.
    pub vertical: bool,
    /// Whether two committed tensors are multiplied.
    pub product: bool,
    /// Per linear layer, each of which has a challenge of its own: whether its slots are maxima of
    /// windows.
    pub windowed: Vec<bool>,
    /// The commitment unit, if inputs or outputs are committed to.
    pub commitment: Option<CommitmentShape>,
    pub(crate) slot_steps: StepSet,
    pub(crate) linear_steps: StepSet,
}

/// Limb widths of the softmax unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SoftmaxShape {
    /// Fractional bits of the output.
    pub bits: u32,
    /// Widths of the limbs of an output, `bits + 1` bits in all.
    pub output_limbs: Vec<u32>,
    /// Widths of the limbs of a remainder below twice the sum of exponentials.
    pub remainder_limbs: Vec<u32>,
}

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
    /// Widths of the limbs of the widest tensor's elements.
    pub limbs: Vec<u32>,
}

impl InputDigits {
    /// Widths of the limbs of an element of `bits` bits: 0 where its limb is always 0.
    pub(crate) fn limbs_of(&self, bits: u32) -> impl Iterator<Item = u32> + '_ {
        let mut rest = bits;
        self.limbs.iter().map(move |&limb| {
            let width = limb.min(rest);
            rest -= width;
            width
        })
    }

    /// Every width that some limb of some tensor has.
    pub(crate) fn widths(&self) -> impl Iterator<Item = u32> + '_ {
        self.tensor_bits.iter().flat_map(|&bits| self.limbs_of(bits))
    }
}

impl Shape {
    /// Rows that hold data; the last one only ends the running sums.
    #[must_use]
    pub fn usable_rows(&self) -> usize {
        (1usize << self.k).saturating_sub(RESERVED_ROWS)
    }

    /// Whether outputs have a column of their own beside the clamped value's limbs.
    pub(crate) fn has_output_column(&self) -> bool {
        self.table_bits.is_some() || self.value_limbs.len() > 1
    }
}
