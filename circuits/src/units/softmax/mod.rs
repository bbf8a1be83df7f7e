//! The softmax unit: rows of a group, in each lane an element.
//!
//! | of the group, on each of its rows | running | of an element, in each lane |
//! |---|---|---|
//! | sum `S`, reciprocal `R`; where there are elements the largest one `m` | marks, sum of `E` | copied `x`; `E`, mark, output, limbs of the output and of `r` |
//!
//! `E = table[m − x]` by lookup, which proves `m ≥ x`; one element of the group is marked, and its
//! `x` is `m`. `S` is the sum of the group's `E`, at least 4096 because the marked one's is, and below
//! 2^40. With `K = bits + 16`,
//!
//! ```text
//! 2^K = R·S + ρ, 0 ≤ ρ < S        E·R + 2^15 = 2^16·output + r, 0 ≤ r < 2^16
//! ```
//!
//! A group begins with rows without elements, whose limbs hold `R`, `ρ` and `S − 1 − ρ`, a lane each.
//! A lane's limbs have at most 40 bits, so `R·S + ρ` is below 2^81 and equal to `2^K` as an integer:
//! `R` is the quotient and `ρ` the remainder. `E·R + 2^15` is below 2^33, so the output is the quotient
//! too. There is one witness.
//!
//! Lanes behind a group's last element repeat it and count for nothing: a selector of the lane is 0.

mod rows;
mod witness;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression, Fixed},
};
use zkinfer_models::{
    QuantizedGraph,
    quantized::{QuantizedOp, Softmax},
};

use self::rows::{OF_GROUP, OfGroup, SoftmaxRows, rows_of_group};
use super::{
    relation::{Proven, Relation, ResultCell},
    unit::Unit,
};
use crate::{
    algebra::{Gates, Row, integer, power_of_two, sum},
    cells::{Copies, FixedCells, IntegerCells, Run},
    error::PlanError,
    frame::{Copied, Frame, Limbs},
    integers::index,
    lookup::{
        ValueTables,
        entry::{KeyTerm, Tag},
    },
};

/// Lanes and limb widths of the softmax unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SoftmaxShape {
    /// Elements of a group to a row.
    pub lanes: usize,
    /// Fractional bits of the output.
    pub bits: u32,
    /// Widths of the limbs of an output.
    pub output_limbs: Vec<u32>,
    /// Widths of the limbs of an element's remainder.
    pub remainder_limbs: Vec<u32>,
}

/// The columns of one lane.
#[derive(Clone, Debug)]
struct Lane {
    /// 1 where the lane has an element of its own.
    q_element: Column<Fixed>,
    input: Copied,
    exponential: Column<Advice>,
    /// 1 for one element of the group that is the maximum.
    is_maximum: Column<Advice>,
    output: Column<Advice>,
    output_limbs: Limbs,
    remainder: Limbs,
}

/// The columns of the unit.
#[derive(Clone, Debug)]
pub(crate) struct SoftmaxUnit {
    /// Fractional bits of the output.
    bits: u32,
    q_first: Column<Fixed>,
    q_last: Column<Fixed>,
    /// Tag of the exponential table; elsewhere 0, that of the range of 0 bits.
    tag: Column<Fixed>,
    /// 1 in the rows before the elements, by their place.
    q_group: Vec<Column<Fixed>>,
    maximum: Column<Advice>,
    sum: Column<Advice>,
    reciprocal: Column<Advice>,
    /// Marks and exponentials of the rows of the group before this one.
    count_before: Column<Advice>,
    sum_before: Column<Advice>,
    lanes: Vec<Lane>,
}

impl Lane {
    fn allocate(
        shape: &SoftmaxShape,
        (lane, maximum, tag): (u32, Column<Advice>, Column<Fixed>),
        frame: &mut Frame,
    ) -> Self {
        let q_element = frame.fixed();
        let input = frame.copied("softmax input");
        let exponential = frame.advice("softmax exponential");
        let key = vec![KeyTerm::Plus(maximum), KeyTerm::Minus(input.column())];
        frame.lookup(key, Tag::Row(tag), Some(exponential));
        Self {
            q_element,
            input,
            exponential,
            is_maximum: frame.advice("softmax mark"),
            output: frame.result("softmax output", lane),
            output_limbs: frame.limbs("softmax output limb", &shape.output_limbs),
            remainder: frame.limbs("softmax remainder", &shape.remainder_limbs),
        }
    }
}

impl Unit for SoftmaxUnit {
    type Shape = SoftmaxShape;
    type Rows = SoftmaxRows;

    fn row_count(rows: &SoftmaxRows) -> usize {
        rows.rows.len()
    }

    fn allocate(shape: &SoftmaxShape, frame: &mut Frame) -> Self {
        let [q_first, q_last, tag] = [(); 3].map(|()| frame.fixed());
        // Rows without an element look up 0 in the range of 0 bits, whose tag is 0.
        frame.range(0);
        let maximum = frame.advice("softmax maximum");
        let lanes = (0..index(shape.lanes))
            .map(|lane| Lane::allocate(shape, (lane, maximum, tag), frame))
            .collect();
        Self {
            bits: shape.bits,
            q_first,
            q_last,
            tag,
            q_group: frame.fixed_columns(OF_GROUP.len().div_ceil(shape.lanes.max(1))),
            maximum,
            sum: frame.advice("softmax sum"),
            reciprocal: frame.advice("softmax reciprocal"),
            count_before: frame.advice("softmax count"),
            sum_before: frame.advice("softmax running sum"),
            lanes,
        }
    }

    fn gates(&self, gates: &mut Gates<'_>) {
        self.group_totals(gates);
        self.quotients(gates);
    }

    fn fixed(&self, rows: &SoftmaxRows, cells: &mut FixedCells) {
        for (row, softmax) in rows.rows.iter().enumerate() {
            for (lane, _) in self.lanes.iter().zip(&softmax.elements) {
                cells.set(lane.q_element, row, 1);
            }
            if let Some(&column) = self.q_group.get(softmax.place) {
                cells.set(column, row, 1);
            } else {
                cells.set(self.tag, row, rows.tables[softmax.table].1);
            }
            cells.set(self.q_first, row, softmax.first.into());
            cells.set(self.q_last, row, softmax.last.into());
        }
    }

    fn assign(&self, rows: &SoftmaxRows, run: Run<'_>, cells: &mut IntegerCells) {
        let mut start = 0;
        for group in rows.rows.chunk_by(|row, _| !row.last) {
            self.assign_group((group, start), &rows.tables[group[0].table].0, run, cells);
            start += group.len();
        }
    }

    fn copies(&self, rows: &SoftmaxRows, copies: &mut Copies<'_>) {
        let rows = rows.rows.iter().enumerate();
        for (row, softmax) in rows.filter(|(_, softmax)| !softmax.elements.is_empty()) {
            for (place, lane) in self.lanes.iter().enumerate() {
                copies.copy(lane.input, row, copies.element(softmax.input(place)));
            }
        }
    }
}

impl SoftmaxUnit {
    /// 1 in every row of a group that has elements: its first lane has one.
    fn with_elements(&self, row: &mut Row<'_, '_>) -> Expression<Fr> {
        sum(self.lanes.first().map(|lane| row.fixed(lane.q_element)))
    }

    /// The sum over the elements of a row.
    fn over_elements(
        &self,
        row: &mut Row<'_, '_>,
        column: impl Fn(&Lane) -> Column<Advice>,
    ) -> Expression<Fr> {
        sum(self.lanes.iter().map(|lane| row.fixed(lane.q_element) * row.cur(column(lane))))
    }

    /// Maximum and sum are the same on every row of a group, and what its elements add up to.
    fn group_totals(&self, gates: &mut Gates<'_>) {
        for lane in &self.lanes {
            gates.create("softmax maximum", |row| {
                let q = row.fixed(lane.q_element);
                let mark = row.cur(lane.is_maximum);
                let difference = row.cur(self.maximum) - row.cur(lane.input.column());
                [
                    ("mark is 0 or 1", q.clone() * mark.clone() * (mark.clone() - integer(1))),
                    ("the marked element is the maximum", q * mark * difference),
                ]
            });
        }
        gates.create("softmax running totals", |row| {
            let (first, last) = (row.fixed(self.q_first), row.fixed(self.q_last));
            let between = self.with_elements(row) - last.clone();
            let inner = between.clone() + sum(self.q_group.iter().map(|&column| row.fixed(column)));
            let same = |row: &mut Row<'_, '_>, column| -> Expression<Fr> {
                row.next(column) - row.cur(column)
            };
            let (count, sum_before) = (self.count_before, self.sum_before);
            let marks = self.over_elements(row, |lane| lane.is_maximum);
            let exponentials = self.over_elements(row, |lane| lane.exponential);
            let counted = row.cur(count) + marks.clone();
            let summed = row.cur(sum_before) + exponentials.clone();
            [
                ("one maximum", between * same(row, self.maximum)),
                ("one sum", inner.clone() * same(row, self.sum)),
                ("one reciprocal", inner.clone() * same(row, self.reciprocal)),
                ("count starts", first.clone() * row.cur(count)),
                ("count runs", inner.clone() * (same(row, count) - marks)),
                ("one element is marked", last.clone() * (counted - integer(1))),
                ("sum starts", first * row.cur(sum_before)),
                ("sum runs", inner * (same(row, sum_before) - exponentials)),
                ("sum ends", last * (summed - row.cur(self.sum))),
            ]
        });
    }

    /// What the limbs of a lane hold that has no element: `r + 2^16·output`.
    fn limbs_of_group(lane: &Lane, row: &mut Row<'_, '_>) -> Expression<Fr> {
        row.limbs(&lane.remainder)
            + row.limbs(&lane.output_limbs) * power_of_two(Softmax::ROUNDING_BITS)
    }

    /// The reciprocal of the group, and each element's share.
    fn quotients(&self, gates: &mut Gates<'_>) {
        for (place, of_group) in OF_GROUP.into_iter().enumerate() {
            let lane = &self.lanes[place % self.lanes.len()];
            let selector = self.q_group[place / self.lanes.len()];
            gates.create("softmax reciprocal", |row| {
                let limbs = Self::limbs_of_group(lane, row);
                let (reciprocal, sum) = (row.cur(self.reciprocal), row.cur(self.sum));
                let whole = power_of_two(self.bits + Softmax::ROUNDING_BITS);
                let rest = whole - reciprocal.clone() * sum.clone();
                let (name, value) = match of_group {
                    OfGroup::Reciprocal => ("R = limbs", reciprocal),
                    OfGroup::Rest => ("2^K − R·S = limbs", rest),
                    OfGroup::Slack => ("S − 1 − (2^K − R·S) = limbs", sum - integer(1) - rest),
                };
                [(name, row.fixed(selector) * (value - limbs))]
            });
        }
        for lane in &self.lanes {
            gates.create("softmax quotient", |row| {
                let q = row.fixed(lane.q_element);
                let share = row.cur(lane.exponential) * row.cur(self.reciprocal);
                let output = row.cur(lane.output);
                let shifted = output.clone() * power_of_two(Softmax::ROUNDING_BITS);
                let rounded = share + power_of_two(Softmax::ROUNDING_BITS - 1);
                let remainder = row.limbs(&lane.remainder);
                let output_limbs = row.limbs(&lane.output_limbs);
                [
                    ("E·R + 2^15 = 2^16·output + r", q.clone() * (rounded - shifted - remainder)),
                    ("output = limbs", q * (output - output_limbs)),
                ]
            });
        }
    }
}

impl Relation for SoftmaxUnit {
    const LANES: usize = 16;

    /// One unit has one precision. A group's sum is no divisor where its largest element weighs
    /// nothing, and has no bound where another weighs more.
    fn check(graph: &QuantizedGraph) -> Result<(), PlanError> {
        let mut first = None;
        for node in &graph.nodes {
            let Some(softmax) = softmax(&node.op) else { continue };
            let (name, got) = (node.name.clone(), softmax.bits);
            let expected = *first.get_or_insert(got);
            if got != expected {
                return Err(PlanError::SoftmaxBits { node: name, expected, got });
            }
            let tensor = &graph.tensors[softmax.input.0];
            let entries = i64::try_from(softmax.exp_table.len());
            let covers_all = entries.is_ok_and(|entries| entries > tensor.hi - tensor.lo);
            let largest = softmax.exp_table.first().copied().filter(|&entry| entry > 0);
            let is_bounded =
                |largest| softmax.exp_table.iter().all(|entry| (0..=largest).contains(entry));
            if !covers_all || !largest.is_some_and(is_bounded) {
                return Err(PlanError::SoftmaxTable { node: name });
            }
        }
        Ok(())
    }

    fn counts<'a>(proven: Proven<'a>) -> Box<dyn Fn(usize) -> usize + 'a> {
        Box::new(move |lanes| {
            let groups = proven.operations(softmax).flat_map(|(_, softmax)| softmax.groups.sizes());
            groups.map(|elements| rows_of_group(elements, lanes)).sum()
        })
    }

    fn rows(proven: Proven<'_>, lanes: usize, tables: &mut ValueTables) -> Option<SoftmaxRows> {
        let mut rows = SoftmaxRows::new(lanes);
        for (node, softmax) in proven.operations(softmax) {
            rows.softmax(softmax, node.output, tables);
        }
        (!rows.rows.is_empty()).then_some(rows)
    }

    fn shape(rows: &SoftmaxRows) -> SoftmaxShape {
        SoftmaxShape {
            lanes: rows.lanes,
            bits: rows.bits,
            output_limbs: vec![rows.limb_bits - Softmax::ROUNDING_BITS],
            remainder_limbs: vec![Softmax::ROUNDING_BITS],
        }
    }

    fn limbs(shape: &mut SoftmaxShape) -> Vec<&mut Vec<u32>> {
        vec![&mut shape.output_limbs, &mut shape.remainder_limbs]
    }

    fn results(rows: &SoftmaxRows) -> Vec<ResultCell> {
        rows.results.clone()
    }
}

fn softmax(op: &QuantizedOp) -> Option<&Softmax> {
    match op {
        QuantizedOp::Softmax(softmax) => Some(softmax),
        _ => None,
    }
}
