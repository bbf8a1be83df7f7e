//! The softmax unit: one row per element of a group.
//!
//! | copied | own |
//! |---|---|
//! | `x` | `m`, `E`, mark, count of marks, `S`, running sum, output and its limbs, limbs of `r` and of `2S − 1 − r` |
//!
//! With `m` the group's largest element, `E = table[m − x]` by lookup, `S` the sum of the group's
//! `E`, the output is the quotient in `2^(bits+1)·E + S = 2·S·output + r`, `0 ≤ r < 2S`: both
//! `r` and `2S − 1 − r` are made of range-checked limbs, so the quotient is unique. The lookup
//! proves `m ≥ x`; exactly one row of the group, marked by `is_maximum`, has `m = x`. `S` is at
//! least 4096 because that row's `E` is, and below 2^40, so nothing wraps around the field.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression, Fixed},
};
use zkinfer_models::{
    QuantizedGraph,
    quantized::{QuantizedOp, Softmax, TensorId},
};

use super::unit::Unit;
use crate::{
    algebra::{Gates, Row, integer, power_of_two},
    cells::{CellRef, Copies, FixedCells, IntegerCells, Place, Run},
    error::PlanError,
    frame::{Copied, Frame, Limbs},
    integers::{bits, index, limb_widths},
    lookup::{
        ValueTables,
        entry::{KeyTerm, Tag},
    },
};

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

impl SoftmaxShape {
    /// Checks that one unit serves all softmax nodes of a graph.
    ///
    /// # Errors
    /// [`PlanError::SoftmaxBits`] for outputs of unlike precision.
    pub(crate) fn check(graph: &QuantizedGraph) -> Result<(), PlanError> {
        let softmax = graph.nodes.iter().filter_map(|node| match &node.op {
            QuantizedOp::Softmax(softmax) => Some((&node.name, softmax.bits)),
            _ => None,
        });
        let mut first = None;
        for (node, got) in softmax {
            let expected = *first.get_or_insert(got);
            if got != expected {
                return Err(PlanError::SoftmaxBits { node: node.clone(), expected, got });
            }
        }
        Ok(())
    }

    /// The unit for the softmax nodes of a graph, if it has any.
    pub(crate) fn of(graph: &QuantizedGraph, limit: u32) -> Option<Self> {
        let needs = |op: &QuantizedOp| match op {
            QuantizedOp::Softmax(softmax) => {
                let longest = softmax.groups.iter().map(Vec::len).max().unwrap_or(1);
                let largest = softmax.exp_table.iter().max().copied().unwrap_or(0);
                let sum = i64::from(index(longest)).saturating_mul(largest.into());
                Some((softmax.bits, bits(sum.saturating_mul(2))))
            }
            _ => None,
        };
        let needs: Vec<_> = graph.nodes.iter().filter_map(|node| needs(&node.op)).collect();
        let output = needs.iter().map(|need| need.0).max()?;
        let remainder = needs.iter().map(|need| need.1).max()?;
        Some(Self {
            bits: output,
            output_limbs: limb_widths(output + 1, limit),
            remainder_limbs: limb_widths(remainder, limit),
        })
    }
}

/// One element.
#[derive(Clone, Copy, Debug)]
struct SoftmaxRow {
    input: (TensorId, u32),
    /// The group's table.
    table: usize,
    first: bool,
    last: bool,
}

/// The groups, one after another.
#[derive(Clone, Debug, Default)]
pub(crate) struct SoftmaxRows {
    rows: Vec<SoftmaxRow>,
    /// Of every node its exponentials and their tag.
    tables: Vec<(Vec<i64>, i64)>,
}

impl SoftmaxRows {
    /// Rows.
    pub(crate) fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// Adds a node, whose tensors have so many elements, and says where its outputs are.
    pub(crate) fn softmax(
        &mut self,
        softmax: &Softmax,
        elements: usize,
        tables: &mut ValueTables,
    ) -> Vec<CellRef> {
        let exponentials: Vec<_> = softmax.exp_table.iter().map(|&v| i64::from(v)).collect();
        let tag = tables.tag(exponentials.clone());
        let table = self.tables.len();
        self.tables.push((exponentials, tag));
        let mut output = vec![None; elements];
        for group in &softmax.groups {
            for (position, &element) in group.iter().enumerate() {
                let row = index(self.rows.len());
                output[element] = Some(CellRef { place: Place::Softmax, row });
                self.rows.push(SoftmaxRow {
                    input: (softmax.input, index(element)),
                    table,
                    first: position == 0,
                    last: position + 1 == group.len(),
                });
            }
        }
        let output: Option<Vec<_>> = output.into_iter().collect();
        output.expect("every element is in a group")
    }
}

/// The columns of the unit.
#[derive(Clone, Debug)]
pub(crate) struct SoftmaxUnit {
    /// Fractional bits of the output.
    bits: u32,
    q_row: Column<Fixed>,
    q_first: Column<Fixed>,
    q_last: Column<Fixed>,
    /// Tag of the exponential table in live rows, of a range elsewhere.
    tag: Column<Fixed>,
    input: Copied,
    maximum: Column<Advice>,
    exponential: Column<Advice>,
    /// 1 on one row of the group whose input is the maximum.
    is_maximum: Column<Advice>,
    maximum_count: Column<Advice>,
    sum: Column<Advice>,
    partial_sum: Column<Advice>,
    output: Column<Advice>,
    output_limbs: Limbs,
    remainder: Limbs,
    slack: Limbs,
}

impl Unit for SoftmaxUnit {
    type Shape = SoftmaxShape;
    type Rows = SoftmaxRows;

    fn allocate(shape: &SoftmaxShape, frame: &mut Frame) -> Self {
        let [q_row, q_first, q_last, tag] = [(); 4].map(|()| frame.fixed());
        let input = frame.copied("softmax input");
        let maximum = frame.advice("softmax maximum");
        let exponential = frame.advice("softmax exponential");
        let key = vec![KeyTerm::Plus(maximum), KeyTerm::Minus(input.column())];
        frame.lookup(key, Tag::Row(tag), Some(exponential));
        Self {
            bits: shape.bits,
            q_row,
            q_first,
            q_last,
            tag,
            input,
            maximum,
            exponential,
            is_maximum: frame.advice("softmax mark"),
            maximum_count: frame.advice("softmax count"),
            sum: frame.advice("softmax sum"),
            partial_sum: frame.advice("softmax running sum"),
            output: frame.source("softmax output", Place::Softmax),
            output_limbs: frame.limbs("softmax output limb", &shape.output_limbs),
            remainder: frame.limbs("softmax remainder", &shape.remainder_limbs),
            slack: frame.limbs("softmax slack", &shape.remainder_limbs),
        }
    }

    fn gates(&self, gates: &mut Gates<'_>) {
        self.group_totals(gates);
        gates.create("softmax quotient", |row| {
            let q = row.fixed(self.q_row);
            let twice = row.cur(self.sum) * integer(2);
            let exponential = row.cur(self.exponential);
            let numerator = exponential * power_of_two(self.bits + 1) + row.cur(self.sum);
            let output = row.cur(self.output);
            let (remainder, slack) = (row.limbs(&self.remainder), row.limbs(&self.slack));
            let output_limbs = row.limbs(&self.output_limbs);
            let division = numerator - twice.clone() * output.clone() - remainder.clone();
            [
                ("2^(bits+1)·E + S = 2·S·output + r", q.clone() * division),
                ("r + slack = 2S − 1", q.clone() * (remainder + slack + integer(1) - twice)),
                ("output = limbs", q * (output - output_limbs)),
            ]
        });
    }

    fn fixed(&self, rows: &SoftmaxRows, cells: &mut FixedCells) {
        cells.fill(self.tag, cells.last, cells.idle_range.into());
        for (row, softmax) in rows.rows.iter().enumerate() {
            cells.set(self.q_row, row, 1);
            cells.set(self.q_first, row, softmax.first.into());
            cells.set(self.q_last, row, softmax.last.into());
            cells.set(self.tag, row, rows.tables[softmax.table].1);
        }
    }

    fn assign(&self, rows: &SoftmaxRows, run: Run<'_>, cells: &mut IntegerCells) {
        let mut start = 0;
        for group in rows.rows.chunk_by(|row, _| !row.last) {
            let (exponentials, _) = &rows.tables[group[0].table];
            let inputs = group.iter().map(|row| run.value(Some(row.input)));
            self.assign_group(inputs, exponentials, start, cells);
            start += group.len();
        }
    }

    fn copies(&self, rows: &SoftmaxRows, copies: &mut Copies<'_>) {
        for (row, softmax) in rows.rows.iter().enumerate() {
            copies.copy(self.input, row, copies.element(Some(softmax.input)));
        }
    }
}

impl SoftmaxUnit {
    /// Maximum and sum are the same on every row of a group, and what its rows add up to.
    fn group_totals(&self, gates: &mut Gates<'_>) {
        gates.create("softmax maximum", |row| {
            let q = row.fixed(self.q_row);
            let mark = row.cur(self.is_maximum);
            let difference = row.cur(self.maximum) - row.cur(self.input.column());
            let last = row.fixed(self.q_last);
            [
                ("mark is 0 or 1", q.clone() * mark.clone() * (mark.clone() - integer(1))),
                ("the marked element is the maximum", q * mark * difference),
                ("one element is marked", last * (row.cur(self.maximum_count) - integer(1))),
            ]
        });
        gates.create("softmax running totals", |row| {
            let (first, last) = (row.fixed(self.q_first), row.fixed(self.q_last));
            let inner = row.fixed(self.q_row) - last.clone();
            let same = |row: &mut Row<'_, '_>, column| -> Expression<Fr> {
                row.next(column) - row.cur(column)
            };
            let (count, mark) = (self.maximum_count, self.is_maximum);
            let (partial, exponential) = (self.partial_sum, self.exponential);
            [
                ("one maximum", inner.clone() * same(row, self.maximum)),
                ("one sum", inner.clone() * same(row, self.sum)),
                ("count starts", first.clone() * (row.cur(count) - row.cur(mark))),
                ("count runs", inner.clone() * (same(row, count) - row.next(mark))),
                ("sum starts", first * (row.cur(partial) - row.cur(exponential))),
                ("sum runs", inner * (same(row, partial) - row.next(exponential))),
                ("sum ends", last * (row.cur(partial) - row.cur(self.sum))),
            ]
        });
    }

    /// The rows of one group, from `start` on.
    fn assign_group(
        &self,
        inputs: impl Iterator<Item = i64>,
        exponentials: &[i64],
        start: usize,
        cells: &mut IntegerCells,
    ) {
        let inputs: Vec<_> =
            (start..).zip(inputs).map(|(row, x)| cells.copy(self.input, row, x)).collect();
        let maximum = inputs.iter().copied().fold(i64::MIN, i64::max);
        let marked = inputs.iter().position(|&x| x == maximum);
        // Inputs in range have an entry; what a lie has instead is in no table.
        let exponential = |x: i64| {
            let entry = usize::try_from(maximum - x).ok().and_then(|d| exponentials.get(d));
            entry.copied().unwrap_or(0)
        };
        let sum: i64 = inputs.iter().map(|&x| exponential(x)).sum();
        let mut partial = 0;
        for (index, (row, &input)) in (start..).zip(&inputs).enumerate() {
            let entry = exponential(input);
            partial += entry;
            let numerator = (entry << (self.bits + 1)) + sum;
            let (output, remainder) = (numerator / (2 * sum), numerator % (2 * sum));
            let reached = marked.is_some_and(|m| m <= index);
            cells.set(self.maximum, row, maximum);
            cells.set(self.exponential, row, entry);
            cells.set(self.is_maximum, row, i64::from(marked == Some(index)));
            cells.set(self.maximum_count, row, i64::from(reached));
            cells.set(self.sum, row, sum);
            cells.set(self.partial_sum, row, partial);
            cells.set(self.output, row, output);
            cells.set_limbs(&self.output_limbs, row, output);
            cells.set_limbs(&self.remainder, row, remainder);
            cells.set_limbs(&self.slack, row, 2 * sum - 1 - remainder);
        }
    }
}
