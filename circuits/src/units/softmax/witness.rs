//! The cells of a group, all from its inputs.

use zkinfer_models::quantized::Softmax;

use super::{
    Lane, SoftmaxUnit,
    rows::{OF_GROUP, OfGroup, SoftmaxRow},
};
use crate::cells::{IntegerCells, Run};

/// What a group's elements have in common.
struct Group {
    maximum: i64,
    /// Row and lane of the element that is marked.
    marked: Option<(usize, usize)>,
    sum: i64,
    reciprocal: i64,
    rest: i64,
}

impl Group {
    /// Of elements with their places, and the exponential of each.
    fn of(
        elements: &[((usize, usize), i64)],
        exponential: impl Fn(i64, i64) -> i64,
        reciprocal_bits: u32,
    ) -> Self {
        let maximum = elements.iter().map(|(_, input)| *input).fold(i64::MIN, i64::max);
        let marked = elements.iter().find(|(_, input)| *input == maximum).map(|(place, _)| *place);
        let sum: i64 = elements.iter().map(|(_, input)| exponential(maximum, *input)).sum();
        // A lie may have left nothing to divide by.
        let (whole, divisor) = (1i64 << reciprocal_bits, sum.max(1));
        Self { maximum, marked, sum, reciprocal: whole / divisor, rest: whole % divisor }
    }

    fn number(&self, of_group: OfGroup) -> i64 {
        match of_group {
            OfGroup::Reciprocal => self.reciprocal,
            OfGroup::Rest => self.rest,
            OfGroup::Slack => self.sum - 1 - self.rest,
        }
    }
}

impl SoftmaxUnit {
    /// The rows of one group, from `start` on.
    pub(super) fn assign_group(
        &self,
        (rows, start): (&[SoftmaxRow], usize),
        exponentials: &[i64],
        run: Run<'_>,
        cells: &mut IntegerCells,
    ) {
        let mut inputs = Vec::with_capacity(rows.len());
        for (row, softmax) in (start..).zip(rows) {
            let lanes = if softmax.elements.is_empty() { &[] } else { &self.lanes[..] };
            let read = lanes
                .iter()
                .enumerate()
                .map(|(place, lane)| cells.copy(lane.input, row, run.value(softmax.input(place))));
            inputs.push(read.collect::<Vec<_>>());
        }
        // Inputs in range have an entry; what a lie has instead is in no table.
        let exponential = |maximum: i64, x: i64| {
            let entry = usize::try_from(maximum - x).ok().and_then(|d| exponentials.get(d));
            entry.copied().unwrap_or(0)
        };
        let own = inputs.iter().zip(rows).enumerate().flat_map(|(row, (inputs, softmax))| {
            let own = inputs.iter().take(softmax.elements.len()).enumerate();
            own.map(move |(lane, &input)| ((row, lane), input))
        });
        let own: Vec<_> = own.collect();
        let group = Group::of(&own, exponential, self.bits + Softmax::ROUNDING_BITS);
        self.assign_division(&group, start, cells);
        let (mut count_before, mut sum_before) = (0, 0);
        for (place, (row, softmax)) in (start..).zip(rows).enumerate() {
            cells.set(self.sum, row, group.sum);
            cells.set(self.reciprocal, row, group.reciprocal);
            cells.set(self.count_before, row, count_before);
            cells.set(self.sum_before, row, sum_before);
            if !softmax.elements.is_empty() {
                cells.set(self.maximum, row, group.maximum);
            }
            for (index, (lane, &input)) in self.lanes.iter().zip(&inputs[place]).enumerate() {
                let entry = exponential(group.maximum, input);
                cells.set(lane.exponential, row, entry);
                if index < softmax.elements.len() {
                    let mark = i64::from(group.marked == Some((place, index)));
                    cells.set(lane.is_maximum, row, mark);
                    lane.assign_share(entry * group.reciprocal, row, cells);
                    count_before += mark;
                    sum_before += entry;
                }
            }
        }
    }

    /// The numbers of the division, in the limbs of the first lanes.
    fn assign_division(&self, group: &Group, start: usize, cells: &mut IntegerCells) {
        for (place, of_group) in OF_GROUP.into_iter().enumerate() {
            let (row, lane) = (start + place / self.lanes.len(), place % self.lanes.len());
            let (value, lane) = (group.number(of_group), &self.lanes[lane]);
            cells.set_limbs(&lane.remainder, row, value & ((1 << Softmax::ROUNDING_BITS) - 1));
            cells.set_limbs(&lane.output_limbs, row, value >> Softmax::ROUNDING_BITS);
        }
    }
}

impl Lane {
    /// The output of an element with that share, and what is rounded off.
    fn assign_share(&self, share: i64, row: usize, cells: &mut IntegerCells) {
        let rounded = share + (1 << (Softmax::ROUNDING_BITS - 1));
        let output = rounded >> Softmax::ROUNDING_BITS;
        cells.set(self.output, row, output);
        cells.set_limbs(&self.output_limbs, row, output);
        cells.set_limbs(&self.remainder, row, rounded - (output << Softmax::ROUNDING_BITS));
    }
}
