//! Groups of entries.

use std::ops::Range;

/// The bit of an entry that says that the point is subtracted.
pub(super) const NEGATIVE: u32 = 1 << 31;

/// Groups of entries, which are indices of points, or those with [`NEGATIVE`].
#[derive(Clone, Debug)]
pub(super) struct Lists {
    /// Group after group.
    entries: Vec<u32>,
    /// Where the groups start, and the end of the last.
    starts: Vec<u32>,
}

impl Lists {
    /// No groups; [`Lists::push`] and [`Lists::end_group`] make them.
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), starts: vec![0] }
    }

    /// Adds an entry to the last group.
    pub(super) fn push(&mut self, entry: u32) {
        self.entries.push(entry);
    }

    /// Ends the last group: later entries are of the next one.
    pub(super) fn end_group(&mut self) {
        self.starts.push(index(self.entries.len()));
    }

    /// The number of entries of all groups.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The number of groups.
    pub(super) fn groups(&self) -> usize {
        self.starts.len() - 1
    }

    /// Copies groups at once, except the first `skip` entries, until there are `limit`.
    pub(super) fn copy_groups(
        &self,
        groups: Range<usize>,
        skip: usize,
        limit: usize,
        entries: &mut Vec<u32>,
        counts: &mut Vec<usize>,
    ) {
        let starts = &self.starts[groups.start..=groups.end];
        let start = self.starts[groups.start] as usize + skip;
        let end = (self.starts[groups.end] as usize).min(start + limit - entries.len());
        entries.extend_from_slice(&self.entries[start..end]);
        let ends = starts[1..].iter().map(|&group_end| (group_end as usize).min(end));
        counts.extend(ends.scan(start, |start, end| Some(end - std::mem::replace(start, end))));
    }

    /// The entries of a group.
    pub(super) fn group(&self, group: usize) -> &[u32] {
        &self.entries[self.starts[group] as usize..self.starts[group + 1] as usize]
    }
}

/// Makes [`Lists`] from entries in any order, when it is known how many each group has.
#[derive(Debug)]
pub(super) struct ListsBuilder {
    entries: Vec<u32>,
    /// Where the next entry of each group goes.
    next: Vec<u32>,
}

impl ListsBuilder {
    /// For groups with so many entries.
    pub(super) fn new(mut counts: Vec<u32>) -> Self {
        let mut start = 0_u32;
        for count in &mut counts {
            let end = start.wrapping_add(*count);
            *count = std::mem::replace(&mut start, end);
        }
        Self { entries: vec![0; start as usize], next: counts }
    }

    /// Adds an entry.
    #[inline]
    pub(super) fn push(&mut self, group: u32, entry: u32) {
        let next = &mut self.next[group as usize];
        self.entries[*next as usize] = entry;
        *next = next.wrapping_add(1);
    }

    /// The groups, all of which must be complete.
    pub(super) fn finish(self) -> Lists {
        let mut starts = self.next;
        // Where a group ends, the next one starts.
        starts.insert(0, 0);
        Lists { entries: self.entries, starts }
    }
}

/// An index as tables of entries have it.
pub(super) fn index(index: usize) -> u32 {
    let index = u32::try_from(index).ok().filter(|index| index & NEGATIVE == 0);
    index.expect("fewer than 2^31 entries")
}
