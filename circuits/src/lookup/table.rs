//! The one lookup table: ranges, activation tables, exponentials.

use std::ops::Range;

use super::entry::{Entry, FIRST_TABLE_TAG, Ranges};
use crate::integers::index;

/// The value tables of a graph, equal ones once.
#[derive(Clone, Debug, Default)]
pub(crate) struct ValueTables {
    pub(crate) values: Vec<Vec<i64>>,
}

impl ValueTables {
    /// The tag of a table, which is added if there is none like it.
    pub(crate) fn tag(&mut self, values: Vec<i64>) -> i64 {
        let place = self.values.iter().position(|v| *v == values).unwrap_or_else(|| {
            self.values.push(values);
            self.values.len() - 1
        });
        FIRST_TABLE_TAG + i64::from(index(place))
    }
}

/// Sub-tables one after another, whose keys count up from 0, several entries to a row.
///
/// The entries of a row have one tag, and keys that follow on each other; those of a sub-table
/// with fewer entries than there are lanes are alike. So nothing is in a row but entries of its
/// sub-table, some of them more than once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// Every entry of the first lane, then of the next ones.
    pub(crate) entries: Vec<Entry>,
    /// For each row how much larger the key is in the next lane.
    pub(crate) steps: Vec<i64>,
    lanes: usize,
    /// The sub-table of each tag.
    of_tag: Vec<SubTable>,
}

#[derive(Clone, Debug, Default)]
struct SubTable {
    rows: Range<usize>,
    entries: usize,
}

/// Rows of a sub-table.
pub(crate) fn rows_of(entries: usize, lanes: usize) -> usize {
    if entries < lanes { entries } else { entries.div_ceil(lanes) }
}

/// Key of the first lane in a row of a sub-table, and the step to the next lane.
pub(crate) fn keys(entries: usize, lanes: usize, row: usize) -> (usize, usize) {
    if entries < lanes { (row, 0) } else { ((row * lanes).min(entries - lanes), 1) }
}

impl Table {
    /// The ranges, then the value tables, with tags in order.
    pub(crate) fn new(ranges: &Ranges, values: &[Vec<i64>], lanes: usize) -> Self {
        let mut table = Self { lanes, ..Self::default() };
        let mut columns = vec![Vec::new(); lanes];
        for (tag, size) in ranges.sizes() {
            table.push(tag, &vec![0; size], &mut columns);
        }
        for (tag, list) in (FIRST_TABLE_TAG..).zip(values) {
            table.push(tag, list, &mut columns);
        }
        table.entries = columns.concat();
        table
    }

    /// Rows of such a table.
    pub(crate) fn height_of(ranges: &Ranges, values: &[Vec<i64>], lanes: usize) -> usize {
        let ranges = ranges.sizes().map(|(_, size)| rows_of(size, lanes));
        ranges.chain(values.iter().map(|list| rows_of(list.len(), lanes))).sum()
    }

    /// Rows.
    pub(crate) fn height(&self) -> usize {
        self.steps.len()
    }

    /// What lies side by side in the rows.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = &[Entry]> {
        self.entries.chunks(self.height())
    }

    fn push(&mut self, tag: i64, values: &[i64], columns: &mut [Vec<Entry>]) {
        let start = self.height();
        for row in 0..rows_of(values.len(), self.lanes) {
            let (first, step) = keys(values.len(), self.lanes, row);
            for (lane, column) in columns.iter_mut().enumerate() {
                let key = first + lane * step;
                column.push(Entry { key: integer(key), tag, value: values[key] });
            }
            self.steps.push(integer(step));
        }
        let tag = usize::try_from(tag).expect("tags count up from zero");
        if self.of_tag.len() <= tag {
            self.of_tag.resize(tag + 1, SubTable::default());
        }
        self.of_tag[tag] = SubTable { rows: start..self.height(), entries: values.len() };
    }

    /// Which entry a lookup is, if any.
    pub(crate) fn position(&self, entry: Entry) -> Option<usize> {
        let table = self.of_tag.get(usize::try_from(entry.tag).ok()?)?;
        let key = usize::try_from(entry.key).ok().filter(|&key| key < table.entries)?;
        let row = if table.entries < self.lanes { key } else { key / self.lanes };
        let (first, _) = keys(table.entries, self.lanes, row);
        let position = (key - first) * self.height() + table.rows.start + row;
        (self.entries[position].value == entry.value).then_some(position)
    }
}

fn integer(value: usize) -> i64 {
    i64::try_from(value).expect("keys are far below 2^63")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the lanes, the rows hold what the sub-tables are made of and nothing else.
    #[test]
    fn every_entry_is_in_the_table_and_no_other() {
        let ranges = Ranges { bits: [0, 1, 3, 5].into(), exact: Some(11) };
        let values = [(0..37).map(|v| v * v).collect(), vec![7, 5, 3]];
        let of_ranges = ranges.sizes().map(|(tag, size)| (tag, vec![0; size]));
        let tables: Vec<(i64, Vec<i64>)> =
            of_ranges.chain((FIRST_TABLE_TAG..).zip(values.clone())).collect();
        for lanes in 1..=20 {
            let table = Table::new(&ranges, &values, lanes);
            assert_eq!(table.height(), Table::height_of(&ranges, &values, lanes));
            for (lane, entries) in table.lanes().enumerate() {
                for ((entry, first), &step) in entries.iter().zip(&table.entries).zip(&table.steps)
                {
                    let key = first.key + step * i64::try_from(lane).unwrap();
                    assert_eq!((entry.key, entry.tag), (key, first.tag));
                    let of_tag = &tables.iter().find(|(tag, _)| *tag == entry.tag).unwrap().1;
                    assert_eq!(of_tag.get(usize::try_from(key).unwrap()), Some(&entry.value));
                }
            }
            for (tag, list) in &tables {
                for (key, &value) in (0..).zip(list) {
                    let entry = Entry { key, tag: *tag, value };
                    assert_eq!(table.entries[table.position(entry).unwrap()], entry);
                    assert_eq!(table.position(Entry { value: value + 1, ..entry }), None);
                }
                let beyond = [-1, i64::try_from(list.len()).unwrap()];
                assert!(
                    beyond.iter().all(|&key| {
                        table.position(Entry { key, tag: *tag, value: 0 }).is_none()
                    })
                );
            }
        }
    }
}
