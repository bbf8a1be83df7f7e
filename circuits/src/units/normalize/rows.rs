//! The rows of the normalization unit: group by group what is read, then what is checked.

use std::ops::Range;

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use zkinfer_models::quantized::{Normalize, QuantizedOp};

use super::columns::{Check, NormalizeShape};
use crate::{
    cells::Source,
    chain::{Monomial, Step},
    integers::{field, index, power_of_two},
    units::{relation::Proven, slots::Layer},
};

/// What a row reads for the next one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    /// The place of the base that elements are digits to.
    pub(super) base: usize,
    /// Elements; the other lanes read 0.
    count: u32,
}

impl Read {
    /// `Σ_lanes B^lane`, with the base's log2.
    pub(super) fn weight(self, bits: u32) -> Fr {
        let base = power_of_two(bits);
        (0..self.count).fold(Fr::ZERO, |sum, _| sum * base + Fr::ONE)
    }
}

/// One row. What it reads and its step make the next evaluation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NormalizeRow {
    pub(super) step: Step,
    /// The operation whose group the row belongs to.
    pub(super) op: Option<usize>,
    pub(super) is_first: bool,
    pub(super) read: Option<Read>,
    pub(super) check: Option<Check>,
    /// Whether the next row is a check of the same group, and this one is.
    pub(super) is_held: bool,
    /// The operation whose evaluation the row's own is.
    pub(super) ends: Option<usize>,
}

/// A group: its operation and its first row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) op: usize,
    pub(super) row: usize,
    /// Rows that read.
    pub(super) reads: usize,
}

/// The normalization unit of a plan.
#[derive(Clone, Debug)]
pub(crate) struct NormalizeRows {
    pub(super) rows: Vec<NormalizeRow>,
    pub(super) groups: Vec<Group>,
    /// The operations, each with its layer.
    pub(super) ops: Vec<(u32, Normalize)>,
    /// For each row that reads a source for each lane.
    reads: Vec<Source>,
    pub(super) shape: NormalizeShape,
}

/// The normalization that an operation is, if it is one.
pub(super) fn normalize(op: &QuantizedOp) -> Option<&Normalize> {
    match op {
        QuantizedOp::Normalize(op) => Some(op),
        _ => None,
    }
}

/// `n`.
pub(super) fn size(op: &Normalize) -> i64 {
    index(op.size).into()
}

/// `N²`.
pub(super) fn square(op: &Normalize) -> Fr {
    field(op.numerator()).square()
}

fn is_centered(proven: Proven<'_>) -> bool {
    proven.layers(normalize).any(|(_, op)| op.is_centered)
}

/// Rows of the normalizations of a graph with so many reads to a row; 1 without any.
pub(super) fn row_count(proven: Proven<'_>, lanes: usize) -> usize {
    let checks = Check::all(is_centered(proven)).len();
    let of_op = |(layer, op): (&Layer, &Normalize)| {
        let reads = layer.packing.runs(op.size, lanes).len();
        let groups = proven.graph.tensors[op.input.0].len() / op.size;
        groups.saturating_mul(reads + checks)
    };
    1 + proven.layers(normalize).map(of_op).fold(0, usize::saturating_add)
}

impl NormalizeRows {
    /// The rows of the normalizations of a graph, if it has any.
    pub(super) fn new(proven: Proven<'_>, lanes: usize) -> Option<Self> {
        let shape = NormalizeShape {
            lanes,
            is_scaled: proven.layers.iter().any(|layer| layer.pooling.is_some()),
            is_centered: is_centered(proven),
            ..NormalizeShape::default()
        };
        let mut found = Self {
            rows: vec![NormalizeRow::default()],
            groups: Vec::new(),
            ops: Vec::new(),
            reads: Vec::new(),
            shape,
        };
        let mut check_bits = 0;
        for (layer, op) in proven.layers(normalize) {
            let tensor = &proven.graph.tensors[op.input.0];
            let magnitude = tensor.hi.max(tensor.lo.saturating_neg());
            check_bits = check_bits.max(op.slack_bits(magnitude));
            found.normalization(layer, op, tensor.len() / op.size);
        }
        found.shape.limbs = vec![check_bits];
        (found.rows.len() > 1).then_some(found)
    }

    /// The rows that read, each with what its lanes hold.
    pub(super) fn read_rows(&self) -> impl Iterator<Item = (usize, &[Source])> {
        let rows = self.rows.iter().enumerate();
        let reading = rows.filter(|(_, row)| row.read.is_some()).map(|(row, _)| row);
        reading.zip(self.reads.chunks(self.shape.lanes))
    }

    /// Completes the last row and starts the next one.
    fn push(&mut self, row: NormalizeRow) {
        if let Some(last) = self.rows.last_mut() {
            *last = NormalizeRow { ends: last.ends, ..row };
        }
        self.rows.push(NormalizeRow::default());
    }

    fn normalization(&mut self, layer: &Layer, op: &Normalize, groups: usize) {
        let place = self.ops.len();
        self.ops.push((layer.challenge, op.clone()));
        self.shape.layers.push(layer.challenge);
        let ascending = layer.packing.runs(op.size, self.shape.lanes);
        let descending: Vec<_> = ascending.iter().rev().cloned().collect();
        let mut at = None;
        for group in (0..groups).rev() {
            let runs = if group % 2 == 0 { &descending } else { &ascending };
            self.groups.push(Group { op: place, row: self.rows.len() - 1, reads: runs.len() });
            for (turn, run) in runs.iter().enumerate() {
                let step = match at.replace((group, run.start)) {
                    None => Step::default(),
                    Some((before, start)) => {
                        let channels = layer.packing.step(run.start, start);
                        let column = i32::from(before != group);
                        self.shape.steps.step(Monomial { column, ..channels })
                    }
                };
                self.read(layer, (place, op), group, run, (step, turn == 0));
            }
            let checks = Check::all(self.shape.is_centered);
            for (turn, &check) in checks.iter().enumerate() {
                let step = self.shape.steps.step(Monomial::ONE);
                let (op, check, is_held) = (Some(place), Some(check), turn + 1 < checks.len());
                self.push(NormalizeRow { step, op, check, is_held, ..NormalizeRow::default() });
            }
        }
        if let Some(last) = self.rows.last_mut() {
            last.ends = Some(place);
        }
    }

    fn read(
        &mut self,
        layer: &Layer,
        (place, op): (usize, &Normalize),
        group: usize,
        run: &Range<usize>,
        (step, is_first): (Step, bool),
    ) {
        let start = self.reads.len();
        let element = |channel: usize| Some((op.input, index(group * op.size + channel)));
        self.reads.extend(run.clone().map(element));
        self.reads.resize(start + self.shape.lanes, None);
        let base = self.base(layer.packing.digit_bits);
        let read = Some(Read { base, count: index(run.len()) });
        self.push(NormalizeRow {
            step,
            op: Some(place),
            is_first,
            read,
            ..NormalizeRow::default()
        });
    }

    /// The place of a base among those that there are.
    fn base(&mut self, digit_bits: u32) -> usize {
        let bases = &mut self.shape.bases;
        bases.iter().position(|&base| base == digit_bits).unwrap_or_else(|| {
            bases.push(digit_bits);
            bases.len() - 1
        })
    }
}
