//! Multi-scalar multiplication: many columns of scalars over one fixed list of points.
//!
//! A scalar is cut into signed digits. The table has the multiples of every point by powers of
//! two that digits stand for, so that digits of all positions meet in one set of *buckets*: bucket
//! `d` is the sum of the points whose digit is `d`, minus those whose digit is `-d`, and the column
//! is `Σ d·bucket(d)`. All of it is sums of groups of points ([`sums`]):
//! 1. [`digits`]: points sorted by digit, with its sign;
//! 2. [`sums`]: the buckets, which are nearly all of the additions;
//! 3. [`reduce`]: `Σ d·bucket(d)` through sums over rows, columns and bits.
//!
//! Every addition is right for every input, and so is the result: see [`pairs`] and [`sums`]. The time depends on
//! the scalars; the prover's machine is not shared with those who must not know them.

mod common;
mod digits;
mod kept;
mod layout;
mod lists;
mod pairs;
mod reduce;
mod sums;
mod table_sums;
mod tables;
#[cfg(test)]
mod tests;

use std::{fmt, iter, ops::Range};

use halo2_proofs::halo2curves::{
    bn256::{Fr, G1, G1Affine},
    group::prime::PrimeCurveAffine,
};

use self::{
    digits::{Segment, Source},
    layout::Layout,
    reduce::Set,
    table_sums::Gathered,
    tables::Table,
};
use super::{
    arithmetic::Arithmetic,
    pack::{Pack, TablePoint},
    parallel,
};
use crate::{column::Column, cpu::CpuOptions, known::Store};

/// Entries that are sorted and summed at once; more columns wait, so that memory is bounded.
const WAVE_ENTRIES: usize = 1 << 22;
/// The most entries that one task sorts. What is sorted in parts is put together group by group,
/// which costs more than a sort that does not fit the second cache.
const PART_ENTRIES: usize = 1 << 20;
/// Tasks are not made smaller than this to have more of them.
const MIN_PART_ENTRIES: usize = 1 << 13;

/// The points of an SRS, with the multiples that digits need.
pub(crate) struct Bases<A: Arithmetic> {
    arithmetic: A,
    table: Table,
    /// The sum of all points.
    all: G1Affine,
}

impl<A: Arithmetic> fmt::Debug for Bases<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Bases");
        debug.field("len", &self.len()).field("windows", &self.table.windows());
        debug.field("table_bytes", &self.table_bytes()).finish_non_exhaustive()
    }
}

/// One column of scalars, packed: [`Pack::WIDTH`] rows in a pack. Rows that it does not have are
/// zero; lanes beyond the last point are ignored.
type Scalars<A> = Column<Vec<<A as Arithmetic>::Fr>>;

/// Where one wave after the other has its sums of points: fresh memory costs as much as sums do.
#[derive(Default)]
struct Room {
    buckets: Vec<TablePoint>,
    /// Of the rows that have an entry.
    entries: Vec<TablePoint>,
}

/// What a column comes down to.
#[derive(Debug, Default)]
struct Parts<'a> {
    /// Runs of rows that get a digit layout of their own.
    segments: Vec<Segment<'a>>,
    /// Rows by the entry that they have.
    gathered: Option<Gathered>,
    /// What all rows have besides.
    common: Option<Fr>,
}

impl<A: Arithmetic> Bases<A> {
    /// Precomputes for `points`; the table takes at most `table_bytes`, or, if that is less than
    /// 64 bytes per point (and padding), as much as that.
    pub(crate) fn new(arithmetic: A, points: &[G1Affine], table_bytes: usize) -> Self {
        let table = Table::new(arithmetic, points, table_bytes);
        let mut bases = Self { arithmetic, table, all: G1Affine::identity() };
        let ones = vec![1; points.len()];
        let all = bases.commit(&[&Column::integers(ones)]);
        bases.all = all[0];
        bases
    }

    /// [`Self::new`], from `store` where the table is kept there. What is kept is of these very points
    /// and for these instructions by the word of the store: nobody checks it here.
    pub(crate) fn kept(
        arithmetic: A,
        points: &[G1Affine],
        options: CpuOptions,
        store: &dyn Store,
    ) -> Self {
        let CpuOptions { instructions, table_bytes, .. } = options;
        let Some(layout) = kept::Layout::of::<A>(points.len(), table_bytes) else {
            return Self::new(arithmetic, points, table_bytes);
        };
        let name = layout.name(instructions);
        let found = store.read(&name).and_then(|mut kept| layout.read(&mut kept).ok());
        if let Some((table, all)) = found {
            return Self { arithmetic, table, all };
        }
        let bases = Self::new(arithmetic, points, table_bytes);
        if !bases.table.has_infinite() {
            store.write(&name, &mut |file| kept::write(&bases.table, &bases.all, file));
        }
        bases
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
    pub(crate) fn commit(&self, columns: &[&Scalars<A>]) -> Vec<G1Affine> {
        let mut sums = Vec::with_capacity(columns.len());
        let mut rest = columns;
        let mut room = Room::default();
        while !rest.is_empty() {
            let (wave, later) = rest.split_at(self.wave_len(rest));
            sums.extend(self.commit_wave(wave, &mut room));
            rest = later;
        }
        reduce::normalize(&sums)
    }

    /// How many of the columns, at least one, have [`WAVE_ENTRIES`] entries at most.
    fn wave_len(&self, columns: &[&Scalars<A>]) -> usize {
        let mut entries = 0;
        let fits = |column: &&&Scalars<A>| {
            entries += match column {
                Column::Integers { values, .. } => 4 * values.len(),
                Column::Field(packs) | Column::Sums { values: packs, .. } => {
                    32 * packs.len() * A::Fr::WIDTH
                }
            };
            entries <= WAVE_ENTRIES
        };
        columns.iter().take_while(fits).count().max(1)
    }

    /// The sums of the columns.
    fn commit_wave(&self, columns: &[&Scalars<A>], room: &mut Room) -> Vec<G1> {
        let mut parts = parallel::map(columns.len(), |i| self.parts(i, columns[i]));
        let segments: Vec<_> = parts.iter_mut().flat_map(|p| p.segments.drain(..)).collect();
        let mut sums = self.sum(&self.table, &segments, columns.len(), &mut room.buckets);
        drop(segments);
        let gathered = parts.iter_mut().enumerate();
        let gathered = gathered.filter_map(|(column, p)| Some((column, p.gathered.take()?)));
        self.add_gathered(gathered.collect(), &mut sums, room);
        let multiples =
            parallel::map(parts.len(), |i| parts[i].common.map(|element| self.all * element));
        for (sum, multiple) in sums.iter_mut().zip(multiples) {
            *sum += multiple.unwrap_or_default();
        }
        sums
    }

    /// The sums of segments over the points of a table, column by column.
    fn sum(
        &self,
        table: &Table,
        segments: &[Segment<'_>],
        columns: usize,
        buckets: &mut Vec<TablePoint>,
    ) -> Vec<G1> {
        let lists = self.sort(table, segments);
        sums::sum_groups(self.arithmetic, table.points(), &lists, buckets);
        drop(lists);
        let sets = Set::list(segments);
        reduce::reduce(self.arithmetic, buckets, &sets, columns, table.windows().spacing)
    }

    /// Adds to the sums of columns what was gathered of them.
    fn add_gathered(&self, gathered: Vec<(usize, Gathered)>, sums: &mut [G1], room: &mut Room) {
        if gathered.is_empty() {
            return;
        }
        let (of_column, (lists, scalars)): (Vec<_>, (Vec<_>, Vec<_>)) =
            gathered.into_iter().map(|(i, g)| (i, (vec![g.lists], g.scalars))).unzip();
        let mut entries = std::mem::take(&mut room.entries);
        sums::sum_groups(self.arithmetic, self.table.points(), &lists, &mut entries);
        drop(lists);
        let table = Table::of_sums(entries);
        let mut first_row = 0;
        let segments = scalars.into_iter().enumerate().filter_map(|(column, source)| {
            let start = first_row;
            first_row += source.len();
            segment(&table, column, start, source)
        });
        let segments: Vec<_> = segments.collect();
        let added = self.sum(&table, &segments, of_column.len(), &mut room.buckets);
        room.entries = table.into_points();
        for (column, added) in iter::zip(of_column, added) {
            sums[column] += added;
        }
    }

    /// What a column comes down to.
    ///
    /// # Panics
    /// If it has more rows than there are points.
    fn parts<'a>(&self, column: usize, scalars: &'a Scalars<A>) -> Parts<'a> {
        let segment = |first_row, source| segment(&self.table, column, first_row, source);
        match scalars {
            Column::Integers { values, tail } => {
                assert!(values.len() <= self.len(), "more rows than points");
                let values = &values[..values.len() - tail.len()];
                let tail_source = Source::from_elements(tail);
                let segments =
                    [segment(0, Source::Integers(values)), segment(values.len(), tail_source)];
                Parts { segments: segments.into_iter().flatten().collect(), ..Parts::default() }
            }
            Column::Sums { values, sums } => match table_sums::gather(sums, &self.table) {
                Some(gathered) => {
                    let rows = table_sums::rows(sums);
                    let tail = self.rows_from(values, rows);
                    let tail: Vec<Fr> = tail.iter().map(|v| v - gathered.common).collect();
                    let first = segment(0, Source::from_elements(&sums.first));
                    let tail = segment(rows, Source::from_elements(&tail));
                    Parts {
                        segments: first.into_iter().chain(tail).collect(),
                        common: Some(gathered.common),
                        gathered: Some(gathered),
                    }
                }
                None => self.field_parts(column, values),
            },
            Column::Field(packs) => self.field_parts(column, packs),
        }
    }

    /// What a column of arbitrary elements comes down to.
    ///
    /// # Panics
    /// If it has more rows than there are points.
    fn field_parts(&self, column: usize, packs: &[A::Fr]) -> Parts<'static> {
        let rows = self.len().next_multiple_of(A::Fr::WIDTH);
        assert!(packs.len() * A::Fr::WIDTH <= rows, "more rows than points");
        let (source, common) = Source::from_packs(self.arithmetic, packs, self.len());
        let segments = segment(&self.table, column, 0, source).into_iter().collect();
        Parts { segments, common, gathered: None }
    }

    /// The elements of the rows from `first` on, as many as there are points.
    fn rows_from(&self, packs: &[A::Fr], first: usize) -> Vec<Fr> {
        let width = A::Fr::WIDTH;
        let skipped = first / width;
        let mut elements = vec![Fr::zero(); (packs.len() - skipped) * width];
        self.arithmetic.vectorize(
            #[inline(always)]
            || {
                for (lanes, pack) in elements.chunks_exact_mut(width).zip(&packs[skipped..]) {
                    pack.to_lanes(lanes);
                }
            },
        );
        elements.truncate(self.len() - skipped * width);
        elements.split_off(first - skipped * width)
    }

    /// The entries of the segments, sorted; each segment in parts that are sorted independently.
    fn sort(&self, table: &Table, segments: &[Segment<'_>]) -> Vec<Vec<lists::Lists>> {
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
            segments[*segment].sort(rows.clone(), table)
        });
        let mut by_segment: Vec<Vec<lists::Lists>> = segments.iter().map(|_| Vec::new()).collect();
        for ((segment, _), lists) in parts.iter().zip(sorted) {
            by_segment[*segment].push(lists);
        }
        by_segment
    }
}

/// Scalars of consecutive rows with the cheapest layout under `table`, if any is not zero.
fn segment<'a>(
    table: &Table,
    column: usize,
    first_row: usize,
    source: Source<'a>,
) -> Option<Segment<'a>> {
    let (bound, rows) = source.measure();
    let layout = Layout::choose(table.windows(), &bound, rows);
    (rows > 0).then_some(Segment { column, first_row, source, layout })
}
