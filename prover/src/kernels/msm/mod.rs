//! Multi-scalar multiplication: many columns of scalars over one fixed list of points.
//!
//! A scalar is cut into signed digits. The table has the multiples of every point by powers of
//! two that digits stand for, so that digits of all positions meet in one set of *buckets*: bucket
//! `d` is the sum of the points whose digit is `d`, minus those whose digit is `-d`, and the column
//! is `Σ d·bucket(d)`. All of it is sums of groups of points ([`sums`]):
//! 1. [`digits`]: points sorted by (digit, sign);
//! 2. [`sums`]: one sum per (digit, sign), which are nearly all of the additions;
//! 3. [`reduce`]: buckets, then `Σ d·bucket(d)` through sums over rows, columns and bits.
//!
//! Every addition is right for every input, and so is the result: see [`pairs`] and [`sums`]. The time depends on
//! the scalars; the prover's machine is not shared with those who must not know them.

mod digits;
mod layout;
mod lists;
mod pairs;
mod reduce;
mod sums;
mod tables;
#[cfg(test)]
mod tests;

use std::{fmt, ops::Range};

use halo2_proofs::halo2curves::bn256::{Fr, G1, G1Affine};

use self::{
    digits::{Segment, Source},
    layout::Layout,
    reduce::Set,
    tables::Table,
};
use super::{arithmetic::Arithmetic, pack::Pack, parallel};

/// Entries that are sorted and summed at once; more columns wait, so that memory is bounded.
const WAVE_ENTRIES: usize = 1 << 22;
/// The most entries that one task sorts: with their groups they take 1 MiB.
const PART_ENTRIES: usize = 1 << 17;
/// Tasks are not made smaller than this to have more of them.
const MIN_PART_ENTRIES: usize = 1 << 13;

/// The points of an SRS, with the multiples that digits need.
pub(crate) struct Bases<A: Arithmetic> {
    arithmetic: A,
    table: Table,
}

impl<A: Arithmetic> fmt::Debug for Bases<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Bases");
        debug.field("len", &self.len()).field("windows", &self.table.windows());
        debug.field("table_bytes", &self.table_bytes()).finish_non_exhaustive()
    }
}

/// One column of scalars.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalars<'a, A: Arithmetic> {
    /// Integers for the first rows, field elements for the next; the other rows are zero.
    Integers {
        /// The first rows.
        values: &'a [i32],
        /// The rows after them (the blinding rows).
        tail: &'a [Fr],
    },
    /// Field elements, [`Pack::WIDTH`] rows in a pack; lanes beyond the last point are ignored.
    Field(&'a [A::Fr]),
}

impl<A: Arithmetic> Bases<A> {
    /// Precomputes for `points`; the table takes at most `table_bytes`, or, if that is less than
    /// 64 bytes per point (and padding), as much as that.
    pub(crate) fn new(arithmetic: A, points: &[G1Affine], table_bytes: usize) -> Self {
        Self { arithmetic, table: Table::new(arithmetic, points, table_bytes) }
    }

    /// The number of points.
    pub(crate) fn len(&self) -> usize {
        self.table.rows()
    }

    /// Bytes of the table.
    pub(crate) fn table_bytes(&self) -> usize {
        size_of_val(self.table.points())
    }

    /// `Σ scalar·point` of every column, in order.
    ///
    /// # Panics
    /// If a column has more rows than there are points.
    pub(crate) fn commit(&self, columns: &[Scalars<'_, A>]) -> Vec<G1Affine> {
        let mut sums = Vec::with_capacity(columns.len());
        let mut rest = columns;
        while !rest.is_empty() {
            let (wave, later) = rest.split_at(self.wave_len(rest));
            sums.extend(self.commit_wave(wave));
            rest = later;
        }
        reduce::normalize(&sums)
    }

    /// How many of the columns, at least one, have [`WAVE_ENTRIES`] entries at most.
    fn wave_len(&self, columns: &[Scalars<'_, A>]) -> usize {
        let mut entries = 0;
        let fits = |column: &&Scalars<'_, A>| {
            entries += match column {
                Scalars::Integers { values, .. } => 4 * values.len(),
                Scalars::Field(packs) => 32 * packs.len() * A::Fr::WIDTH,
            };
            entries <= WAVE_ENTRIES
        };
        columns.iter().take_while(fits).count().max(1)
    }

    /// The sums of the columns.
    fn commit_wave(&self, columns: &[Scalars<'_, A>]) -> Vec<G1> {
        let segments: Vec<Segment<'_>> =
            parallel::map(columns.len(), |i| self.segments(i, &columns[i]))
                .into_iter()
                .flatten()
                .collect();
        let lists = self.sort(&segments);
        let sums = sums::sum_groups(self.arithmetic, self.table.points(), &lists);
        drop(lists);
        let sets = Set::list(&segments);
        reduce::reduce(self.arithmetic, &sums, &sets, columns.len(), self.table.windows().spacing)
    }

    /// The runs of rows of a column that get a digit layout of their own.
    fn segments<'a>(&self, column: usize, scalars: &Scalars<'a, A>) -> Vec<Segment<'a>> {
        let windows = self.table.windows();
        let segment = |first_row: usize, source: Source<'a>| {
            let (bound, rows) = source.measure();
            let layout = Layout::choose(windows, &bound, rows);
            (rows > 0).then_some(Segment { column, first_row, source, layout })
        };
        match *scalars {
            Scalars::Integers { values, tail } => {
                assert!(values.len() + tail.len() <= self.len(), "more rows than points");
                let tail_source = Source::from_elements(tail);
                let values_segment = segment(0, Source::Integers(values));
                values_segment.into_iter().chain(segment(values.len(), tail_source)).collect()
            }
            Scalars::Field(packs) => {
                let rows = self.len().next_multiple_of(A::Fr::WIDTH);
                assert!(packs.len() * A::Fr::WIDTH <= rows, "more rows than points");
                let source = Source::from_packs(self.arithmetic, packs, self.len());
                segment(0, source).into_iter().collect()
            }
        }
    }

    /// The entries of the segments, sorted; each segment in parts that are sorted independently.
    fn sort(&self, segments: &[Segment<'_>]) -> Vec<Vec<lists::Lists>> {
        let entries = |segment: &Segment<'_>| segment.source.len() * segment.layout.digits().len();
        let total: usize = segments.iter().map(entries).sum();
        let fair = total.div_ceil(parallel::threads());
        let part_entries = fair.clamp(MIN_PART_ENTRIES, PART_ENTRIES);
        let parts: Vec<(usize, Range<usize>)> = segments
            .iter()
            .enumerate()
            .flat_map(|(index, segment)| {
                let rows = segment.source.len();
                let parts = entries(segment).div_ceil(part_entries).max(1);
                let len = rows.div_ceil(parts);
                (0..parts).map(move |i| (index, (i * len).min(rows)..((i + 1) * len).min(rows)))
            })
            .collect();
        let sorted = parallel::map(parts.len(), |part| {
            let (segment, rows) = &parts[part];
            segments[*segment].sort(rows.clone(), &self.table)
        });
        let mut by_segment: Vec<Vec<lists::Lists>> = segments.iter().map(|_| Vec::new()).collect();
        for ((segment, _), lists) in parts.iter().zip(sorted) {
            by_segment[*segment].push(lists);
        }
        by_segment
    }
}
