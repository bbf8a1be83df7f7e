//! The one lookup table: ranges, activation tables, exponentials.

use std::{collections::BTreeSet, ops::Range};

use crate::gates::logup::FIRST_TABLE_TAG;

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: i64,
    pub(crate) tag: i64,
    pub(crate) value: i64,
}

/// Sub-tables one after another; within each the key counts up from 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
    /// The rows of each tag, which are few and small.
    of_tag: Vec<Range<usize>>,
}

impl Table {
    /// The ranges of the given widths, then the value tables, with tags in order.
    pub(crate) fn new(widths: &BTreeSet<u32>, values: &[Vec<i64>]) -> Self {
        let mut table = Self::default();
        for &bits in widths {
            table.push(i64::from(bits), std::iter::repeat_n(0, 1 << bits));
        }
        for (tag, list) in (FIRST_TABLE_TAG..).zip(values) {
            table.push(tag, list.iter().copied());
        }
        table
    }

    fn push(&mut self, tag: i64, values: impl Iterator<Item = i64>) {
        let start = self.entries.len();
        self.entries.extend((0..).zip(values).map(|(key, value)| Entry { key, tag, value }));
        let tag = usize::try_from(tag).expect("tags count up from zero");
        if self.of_tag.len() <= tag {
            self.of_tag.resize(tag + 1, 0..0);
        }
        self.of_tag[tag] = start..self.entries.len();
    }

    /// The row that holds a lookup, if any does.
    pub(crate) fn position(&self, entry: Entry) -> Option<usize> {
        let rows = self.of_tag.get(usize::try_from(entry.tag).ok()?)?;
        let offset = usize::try_from(entry.key).ok().filter(|&key| key < rows.len())?;
        let row = rows.start + offset;
        (self.entries[row].value == entry.value).then_some(row)
    }
}
