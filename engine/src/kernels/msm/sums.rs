//! Sums of many groups of points.
//!
//! The points of a group are added in pairs, the sums again, until one is left. A task does that
//! for many groups at once, because [`add_pairs`] wants many pairs.
//!
//! # Why every sum is right
//! Callers pass finite points only; an infinite sum is taken out of its group before the next
//! round. So all points that are added are finite, which is all that [`add_pairs`] asks for.

use std::{any::Any, cell::Cell, sync::OnceLock};

use halo2_proofs::halo2curves::{bn256::G1, group::Curve};

use super::{
    super::{arithmetic::Arithmetic, pack::TablePoint, parallel},
    lists::{Lists, NEGATIVE, index},
    pairs::{Pair, Step, add_pairs, from_affine, negate, to_affine},
};

/// The most entries that a task sums. Rounds have fewer pairs each, and every one has an
/// inversion at least, so that small tasks are slow.
const TASK_ENTRIES: usize = 1 << 14;
/// Tasks are not made smaller than this to have more of them.
const MIN_TASK_ENTRIES: usize = 1 << 11;

/// Leaves the sum of every group in `sums`, infinity (all words zero) where it is empty or cancels.
///
/// Group `g` of a segment is the union of the groups `g` of its parts, which have equally many.
/// The sums of the segments follow each other. All points must be finite.
pub(super) fn sum_groups<A: Arithmetic>(
    arithmetic: A,
    points: &[TablePoint],
    segments: &[Vec<Lists>],
    sums: &mut Vec<TablePoint>,
) {
    let (tasks, groups) = split_tasks(segments);
    sums.clear();
    sums.resize(groups, TablePoint::default());
    let mut rest = &mut sums[..];
    let mut with_sums = Vec::with_capacity(tasks.len());
    for task in &tasks {
        let own;
        (own, rest) = rest.split_at_mut(task.groups);
        with_sums.push((task, own));
    }
    let continued: Vec<OnceLock<TablePoint>> = tasks.iter().map(|_| OnceLock::new()).collect();
    parallel::consume(with_sums, |index, (task, sums)| {
        Scratch::<A::Fq>::with(|scratch| {
            task.gather(segments, scratch);
            let skip = usize::from(task.skip > 0);
            sum_lists(arithmetic, points, scratch, |group, sum| {
                if group < skip {
                    // The part of a group that an earlier task started: one at most.
                    let _ = continued[index].set(sum);
                } else {
                    sums[group - skip] = sum;
                }
            });
        });
    });
    let continued: Vec<_> = continued.into_iter().map(OnceLock::into_inner).collect();
    add_continued(arithmetic, sums, &tasks, &continued);
}

/// A run of entries, counted over all groups of all segments.
#[derive(Clone, Copy, Debug)]
struct Task {
    /// Where the first entry is.
    segment: usize,
    group: usize,
    /// Entries of that group that the tasks before have.
    skip: usize,
    entries: usize,
    /// Groups that start in this task. A group that started before comes first, if `skip > 0`.
    groups: usize,
}

/// Cuts the entries into tasks of about the same size, a multiple of the number of threads.
fn split_tasks(segments: &[Vec<Lists>]) -> (Vec<Task>, usize) {
    let total: usize = segments.iter().flatten().map(|part| part.len()).sum();
    let threads = parallel::threads();
    let tasks = total.div_ceil(TASK_ENTRIES).next_multiple_of(threads).max(1);
    let size = total.div_ceil(tasks).max(MIN_TASK_ENTRIES);
    let first = Task { segment: 0, group: 0, skip: 0, entries: 0, groups: 0 };
    let (mut tasks, mut task, mut total_groups) = (Vec::new(), first, 0);
    for (segment, parts) in segments.iter().enumerate() {
        let groups = parts.first().map_or(0, Lists::groups);
        for group in 0..groups {
            let len: usize = parts.iter().map(|part| part.group(group).len()).sum();
            if task.entries == size {
                tasks.push(task);
                task = Task { segment, group, ..first };
            }
            task.groups += 1;
            task.entries += len;
            while task.entries > size {
                let skip = len - (task.entries - size);
                let entries = task.entries - size;
                tasks.push(Task { entries: size, ..task });
                task = Task { segment, group, skip, entries, groups: 0 };
            }
        }
        total_groups += groups;
    }
    tasks.push(task);
    (tasks, total_groups)
}

impl Task {
    /// Copies the entries, and counts those of each group.
    fn gather<P>(&self, segments: &[Vec<Lists>], scratch: &mut Scratch<P>) {
        let Scratch { entries, counts, .. } = scratch;
        entries.clear();
        counts.clear();
        let (mut segment, mut group, mut skip) = (self.segment, self.group, self.skip);
        let lists = self.groups + usize::from(skip > 0);
        while counts.len() < lists {
            let parts = &segments[segment];
            let groups = parts.first().map_or(0, Lists::groups);
            let groups = group..groups.min(group + lists - counts.len());
            if let [part] = &parts[..] {
                part.copy_groups(groups, skip, self.entries, entries, counts);
            } else {
                for group in groups {
                    let before = entries.len();
                    for part in parts {
                        let part = part.group(group);
                        let skipped = skip.min(part.len());
                        skip -= skipped;
                        let len = (part.len() - skipped).min(self.entries - entries.len());
                        entries.extend_from_slice(&part[skipped..skipped + len]);
                    }
                    counts.push(entries.len() - before);
                }
            }
            (segment, group, skip) = (segment + 1, 0, 0);
        }
    }
}

/// Adds what tasks have of groups that started in an earlier task.
fn add_continued<A: Arithmetic>(
    arithmetic: A,
    sums: &mut [TablePoint],
    tasks: &[Task],
    continued: &[Option<TablePoint>],
) {
    let mut started = 0;
    let mut open: Option<(usize, G1)> = None;
    for (task, continued) in tasks.iter().zip(continued) {
        if let Some(point) = continued {
            let group = started - 1;
            let (_, sum) =
                open.get_or_insert_with(|| (group, to_affine(arithmetic, &sums[group]).into()));
            *sum += to_affine(arithmetic, point);
        }
        if task.groups > 0 {
            close(arithmetic, sums, open.take());
        }
        started += task.groups;
    }
    close(arithmetic, sums, open);
}

fn close<A: Arithmetic>(arithmetic: A, sums: &mut [TablePoint], open: Option<(usize, G1)>) {
    if let Some((group, sum)) = open {
        sums[group] = from_affine(arithmetic, &sum.to_affine());
    }
}

/// A group whose points are in a row; `start` and `len` are those of what is left of it.
#[derive(Clone, Copy, Debug)]
struct Group {
    group: usize,
    start: usize,
    len: usize,
}

/// What a thread keeps from task to task.
#[derive(Debug)]
pub(super) struct Scratch<P> {
    entries: Vec<u32>,
    counts: Vec<usize>,
    groups: Vec<Group>,
    sums: Vec<TablePoint>,
    pairs: Vec<Pair>,
    steps: Vec<Step<P>>,
    negative: Vec<u32>,
}

thread_local! {
    /// The [`Scratch`] of this thread: fresh memory for each task would be 15 % of a small column.
    static SCRATCH: Cell<Option<Box<dyn Any>>> = const { Cell::new(None) };
}

impl<P: 'static> Scratch<P> {
    /// Runs `f` with the scratch of this thread.
    pub(super) fn with<R>(f: impl FnOnce(&mut Self) -> R) -> R {
        let kept = SCRATCH.take().and_then(|kept| kept.downcast::<Self>().ok());
        let mut scratch = kept.unwrap_or_default();
        let result = f(&mut scratch);
        SCRATCH.set(Some(scratch));
        result
    }
}

impl<P> Default for Scratch<P> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            counts: Vec::new(),
            groups: Vec::new(),
            sums: Vec::new(),
            pairs: Vec::new(),
            steps: Vec::new(),
            negative: Vec::new(),
        }
    }
}

/// Sums the groups that were gathered; gives those that are not infinite.
fn sum_lists<A: Arithmetic>(
    arithmetic: A,
    points: &[TablePoint],
    scratch: &mut Scratch<A::Fq>,
    mut write: impl FnMut(usize, TablePoint),
) {
    let Scratch { entries, counts, groups, sums, pairs, steps, negative } = scratch;
    // Stale sums are left where they are: every one is written before it is read.
    let needed = counts.iter().map(|count| count.div_ceil(2)).sum();
    if sums.len() < needed {
        sums.resize(needed, TablePoint::default());
    }
    first_round(points, entries, counts, groups, sums, pairs, negative);
    negate(arithmetic, sums, negative);
    let mut has_infinite = add_pairs(arithmetic, Some(points), sums, pairs, steps);
    loop {
        if has_infinite {
            groups.iter_mut().for_each(|group| group.remove_infinite(sums));
        }
        next_round(groups, pairs);
        if pairs.is_empty() {
            break;
        }
        has_infinite = add_pairs(arithmetic, None, sums, pairs, steps);
    }
    for group in groups.iter().filter(|group| group.len == 1) {
        write(group.group, sums[group.start]);
    }
}

/// Pairs of neighbours; a point without one is copied, to be negated if it is in `negative`.
fn first_round(
    points: &[TablePoint],
    entries: &[u32],
    counts: &[usize],
    groups: &mut Vec<Group>,
    sums: &mut [TablePoint],
    pairs: &mut Vec<Pair>,
    negative: &mut Vec<u32>,
) {
    groups.clear();
    pairs.clear();
    negative.clear();
    let (mut entries, mut start) = (entries, 0);
    for (group, &count) in counts.iter().enumerate() {
        let of_group;
        (of_group, entries) = entries.split_at(count);
        let (couples, single) = of_group.as_chunks::<2>();
        pairs.extend((index(start)..).zip(couples).map(|(to, &[a, b])| Pair { a, b, to }));
        if let &[single] = single {
            let to = start + couples.len();
            sums[to] = points[(single & !NEGATIVE) as usize];
            if single >= NEGATIVE {
                negative.push(index(to));
            }
        }
        let len = count.div_ceil(2);
        groups.push(Group { group, start, len });
        start += len;
    }
}

/// Pairs of the first half of each group with the second half; the sums replace the first half,
/// and the middle one of an odd number stays where it is.
fn next_round(groups: &mut [Group], pairs: &mut Vec<Pair>) {
    pairs.clear();
    for group in groups.iter_mut().filter(|group| group.len > 1) {
        let half = group.len.div_ceil(2);
        let (start, second) = (index(group.start), index(group.start + half));
        let count = index(group.len / 2);
        pairs.extend((0..count).map(|i| Pair { a: start + i, b: second + i, to: start + i }));
        group.len = half;
    }
}

impl Group {
    fn remove_infinite(&mut self, sums: &mut [TablePoint]) {
        let sums = &mut sums[self.start..self.start + self.len];
        let mut kept = 0;
        for i in 0..sums.len() {
            if !sums[i].is_infinity() {
                sums[kept] = sums[i];
                kept += 1;
            }
        }
        self.len = kept;
    }
}
