//! Columns whose rows are sums of entries of a short table: helpers of the lookup argument.
//!
//! With `v_j(i)` the entry that summand `j` has in row `i`,
//! `Σ_i (Σ_j v_j(i))·P_i = Σ_v v·S_v`, where `S_v` is the sum of the points of all rows that have
//! the entry, once for each summand. That is one addition for each row and summand, and a sum over
//! the table, whatever the number of rows; a full-width scalar takes about twenty additions a row.
//!
//! Most rows of a summand may have one entry `b`, its *base*. With `v − b` in place of `v` they
//! cost nothing, and the column lacks `Σ_j b_j` in every row: a multiple of the sum of all points.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};

use super::{
    digits::Source,
    layout::{FULL_BOUND, Layout, Windows},
    lists::{Lists, ListsBuilder, index},
    tables::Table,
};
use crate::column::TableSums;

/// The points of a column by entry, and what each sum of points is multiplied with.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) lists: Lists,
    pub(super) scalars: Source<'static>,
    /// What all rows of the column have besides.
    pub(super) common: Fr,
}

/// A summand with its base.
struct Summand<'a> {
    positions: &'a [u32],
    base: Option<u32>,
    /// The first group of those that share the base: one for each entry.
    first_group: u32,
}

/// Rows that have positions.
pub(super) fn rows(sums: &TableSums) -> usize {
    sums.positions.first().map_or(0, |positions| positions.len())
}

/// The rows by entry, if that is possible and cheaper than full-width scalars.
pub(super) fn gather(sums: &TableSums, table: &Table) -> Option<Gathered> {
    if table.has_infinite() {
        return None;
    }
    let mut counts: Vec<u32> = Vec::new();
    let mut summands: Vec<Summand<'_>> = Vec::new();
    let mut busiest = 0;
    for positions in &sums.positions {
        let mut histogram = vec![0_u32; sums.entries.len()];
        positions.iter().for_each(|&position| histogram[position as usize] += 1);
        let base = base(&mut histogram, positions.len());
        busiest = busiest.max(histogram.iter().sum::<u32>());
        let known = summands.iter().find(|other| other.base == base);
        let first_group = known.map_or(counts.len(), |other| other.first_group as usize);
        if first_group == counts.len() {
            counts.resize(first_group + sums.entries.len(), 0);
        }
        counts[first_group..].iter_mut().zip(histogram).for_each(|(sum, count)| *sum += count);
        summands.push(Summand { positions, base, first_group: index(first_group) });
    }
    let entries = counts.iter().map(|&count| count as usize).sum();
    let used = counts.iter().filter(|&&count| count > 0).count();
    let direct = Layout::choose(table.windows(), &FULL_BOUND, busiest as usize).cost();
    (cost(entries, used) < direct).then(|| Gathered {
        lists: lists(&summands, counts, table),
        scalars: scalars(&sums.entries, &summands),
        common: summands.iter().map(|summand| base_entry(&sums.entries, summand)).sum(),
    })
}

fn base_entry(entries: &[Fr], summand: &Summand<'_>) -> Fr {
    summand.base.map_or(Fr::ZERO, |base| entries[base as usize])
}

/// The entries less the base, for the groups of each base.
fn scalars(entries: &[Fr], summands: &[Summand<'_>]) -> Source<'static> {
    let mut scalars = Vec::new();
    for summand in summands {
        if summand.first_group as usize == scalars.len() {
            let base = base_entry(entries, summand);
            scalars.extend(entries.iter().map(|entry| entry - base));
        }
    }
    Source::from_elements(&scalars)
}

/// The entry of most of the rows, if they are many, whose count becomes zero.
fn base(histogram: &mut [u32], rows: usize) -> Option<u32> {
    let (entry, count) = (0..).zip(histogram).max_by_key(|(_, count)| **count)?;
    let is_common = *count as usize > rows / 4;
    is_common.then(|| {
        *count = 0;
        entry
    })
}

/// Estimated cost of so many entries in so many groups, in sixteenths of an addition.
fn cost(entries: usize, groups: usize) -> usize {
    16 * entries + Layout::choose(Windows::SINGLE, &FULL_BOUND, groups).cost()
}

fn lists(summands: &[Summand<'_>], counts: Vec<u32>, table: &Table) -> Lists {
    let mut lists = ListsBuilder::new(counts);
    for summand in summands {
        for (row, &position) in summand.positions.iter().enumerate() {
            if Some(position) != summand.base {
                lists.push(summand.first_group + position, table.entry(row));
            }
        }
    }
    lists.finish()
}
