//! The rows of every group: those of its division, then those of its elements.

use zkinfer_models::quantized::{Softmax, TensorId};

use crate::{
    cells::Source,
    integers::{bits, index},
    lookup::ValueTables,
    units::relation::ResultCell,
};

/// What the rows before a group's elements hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfGroup {
    Reciprocal,
    /// What the reciprocal leaves of the power of two.
    Rest,
    /// What the rest falls short of the sum by, less one.
    Slack,
}

/// In this order, from lane to lane and row to row.
pub(super) const OF_GROUP: [OfGroup; 3] = [OfGroup::Reciprocal, OfGroup::Rest, OfGroup::Slack];

/// Rows of a group of so many elements.
pub(super) fn rows_of_group(elements: usize, lanes: usize) -> usize {
    OF_GROUP.len().div_ceil(lanes) + elements.div_ceil(lanes)
}

/// A row of a group.
#[derive(Clone, Debug)]
pub(super) struct SoftmaxRow {
    pub(super) tensor: TensorId,
    /// The place of the row among those of the group.
    pub(super) place: usize,
    /// At most one for each lane; none in the rows before the elements.
    pub(super) elements: Vec<u32>,
    /// The group's table.
    pub(super) table: usize,
    pub(super) first: bool,
    pub(super) last: bool,
}

impl SoftmaxRow {
    /// What a lane reads: behind the last element that one again.
    pub(super) fn input(&self, lane: usize) -> Source {
        let element = self.elements.get(lane).or(self.elements.last());
        element.map(|&element| (self.tensor, element))
    }
}

/// The groups, one after another.
#[derive(Clone, Debug)]
pub(crate) struct SoftmaxRows {
    pub(super) lanes: usize,
    pub(super) rows: Vec<SoftmaxRow>,
    /// Of every node its exponentials and their tag.
    pub(super) tables: Vec<(Vec<i64>, i64)>,
    pub(super) results: Vec<ResultCell>,
    /// Fractional bits of the outputs.
    pub(super) bits: u32,
    /// Bits of the largest number that the limbs of a lane hold together.
    pub(super) limb_bits: u32,
}

/// Bits of a rounded share, of a group's sum and of its reciprocal.
fn limb_bits(softmax: &Softmax) -> u32 {
    let entries = || softmax.exp_table.iter().map(|&entry| i64::from(entry));
    // The largest element of a group has the first entry, which is also the largest.
    let largest = entries().fold(1, i64::max);
    let elements = i64::from(index(softmax.groups.largest()));
    let sum = bits(elements.saturating_mul(largest));
    let reciprocal = bits((1 << softmax.reciprocal_bits()) / largest);
    (softmax.bits + 1 + Softmax::ROUNDING_BITS).max(sum).max(reciprocal)
}

impl SoftmaxRows {
    /// No rows, `lanes` elements to each.
    pub(super) fn new(lanes: usize) -> Self {
        Self {
            lanes,
            rows: Vec::new(),
            tables: Vec::new(),
            results: Vec::new(),
            bits: 0,
            limb_bits: Softmax::ROUNDING_BITS,
        }
    }

    /// Adds a node, and where the elements of its output are.
    pub(super) fn softmax(
        &mut self,
        softmax: &Softmax,
        output: TensorId,
        tables: &mut ValueTables,
    ) {
        let exponentials: Vec<_> = softmax.exp_table.iter().map(|&v| i64::from(v)).collect();
        let tag = tables.tag(exponentials.clone());
        let table = self.tables.len();
        self.tables.push((exponentials, tag));
        self.bits = softmax.bits;
        self.limb_bits = self.limb_bits.max(limb_bits(softmax));
        for group in softmax.groups.iter() {
            let without = std::iter::repeat_n(&[][..], OF_GROUP.len().div_ceil(self.lanes));
            let rows = without.chain(group.chunks(self.lanes)).enumerate();
            for (place, elements) in rows {
                let row = index(self.rows.len());
                let elements: Vec<u32> = elements.iter().map(|&element| index(element)).collect();
                self.results.extend((0..).zip(&elements).map(|(lane, &element)| ResultCell {
                    tensor: output,
                    element,
                    lane,
                    row,
                }));
                self.rows.push(SoftmaxRow {
                    tensor: softmax.input,
                    place,
                    elements,
                    table,
                    first: place == 0,
                    last: place + 1 == rows_of_group(group.len(), self.lanes),
                });
            }
        }
    }
}
