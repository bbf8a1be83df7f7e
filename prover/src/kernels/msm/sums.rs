//! Sums of groups of points.
//!
//! The points of a group are added in pairs, the sums again, until one is left. Pairs of many
//! groups are added together: an addition `a + b = c` of affine points is
//! `λ = (y_b - y_a)/(x_b - x_a)`, `x_c = λ² - x_a - x_b`, `y_c = λ(x_a - x_c) - y_a`, and the
//! divisors of a batch are inverted together (Montgomery's trick): 6 multiplications per addition.
//!
//! # Why every sum is right
//! The formulas hold for finite points with different x. Operands are always finite: callers pass
//! no infinite ones, and an infinite sum is taken out of its group before the next round. Points
//! with the same x (equal or opposite ones) make the product of all divisors of their lane zero,
//! as a field has no zero divisors, and that is tested for each batch. Such a batch is walked
//! again: the divisors that are zero are found one by one, replaced by one, and their pairs are
//! added by halo2's complete formulas. Whether a sum is infinite is known from these, as a sum of
//! points with different x is finite.

use std::{any::Any, cell::Cell, ops::Range};

use halo2_proofs::halo2curves::{
    bn256::{Fq, G1, G1Affine},
    ff::Field,
    group::Curve,
};
use rayon::prelude::*;

use super::super::{
    arithmetic::Arithmetic,
    pack::{Coordinates, Pack, TablePoint},
};

/// Lanes of the widest pack.
pub(super) const MAX_WIDTH: usize = 8;
/// Pairs that share an inversion: what is kept for each takes 240 bytes of the cache.
const BATCH: usize = 1024;
/// The most entries that a task sums. Rounds have fewer pairs each, and every one has an
/// inversion at least, so that small tasks are slow.
const TASK_ENTRIES: usize = 1 << 14;
/// Tasks are not made smaller than this to have more of them.
const MIN_TASK_ENTRIES: usize = 1 << 11;

/// Groups of entries, which are indices of points.
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

    fn groups(&self) -> usize {
        self.starts.len() - 1
    }

    /// Copies groups at once, except the first `skip` entries, until there are `limit`.
    fn copy_groups(
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

    fn group(&self, group: usize) -> &[u32] {
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

fn index(index: usize) -> u32 {
    u32::try_from(index).expect("fewer than 2^32 entries")
}

/// The sum of every group, infinity (all words zero) where it is empty or cancels.
///
/// Group `g` of a segment is the union of the groups `g` of its parts, which have equally many.
/// The sums of the segments follow each other. All points must be finite.
pub(super) fn sum_groups<A: Arithmetic>(
    arithmetic: A,
    points: &[TablePoint],
    segments: &[Vec<Lists>],
) -> Vec<TablePoint> {
    let (tasks, groups) = split_tasks(segments);
    let mut sums = vec![TablePoint::default(); groups];
    let mut rest = &mut sums[..];
    let mut with_sums = Vec::with_capacity(tasks.len());
    for task in &tasks {
        let own;
        (own, rest) = rest.split_at_mut(task.groups);
        with_sums.push((task, own));
    }
    let continued: Vec<Option<TablePoint>> = with_sums
        .into_par_iter()
        .map(|(task, sums)| {
            Scratch::<A::Fq>::with(|scratch| {
                task.gather(segments, scratch);
                let mut continued = None;
                let skip = usize::from(task.skip > 0);
                sum_lists(arithmetic, points, scratch, |group, sum| {
                    if group < skip {
                        continued = Some(sum);
                    } else {
                        sums[group - skip] = sum;
                    }
                });
                continued
            })
        })
        .collect();
    add_continued(arithmetic, &mut sums, &tasks, &continued);
    sums
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
    let total: usize = segments.iter().flatten().map(|part| part.entries.len()).sum();
    let threads = rayon::current_num_threads();
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
struct Remainder {
    group: usize,
    start: usize,
    len: usize,
}

/// Two points to add, and where the sum goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    /// Index of the first point.
    pub(super) a: u32,
    /// Index of the second point.
    pub(super) b: u32,
    /// Index of the sum.
    pub(super) to: u32,
}

/// What a thread keeps from task to task.
#[derive(Debug)]
pub(super) struct Scratch<P> {
    entries: Vec<u32>,
    counts: Vec<usize>,
    groups: Vec<Remainder>,
    sums: Vec<TablePoint>,
    pairs: Vec<Pair>,
    steps: Vec<Step<P>>,
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

    /// Lists for [`add_pairs`].
    pub(super) fn pairs(&mut self) -> (&mut Vec<Pair>, &mut Vec<Step<P>>) {
        (&mut self.pairs, &mut self.steps)
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
    let Scratch { entries, counts, groups, sums, pairs, steps } = scratch;
    // Stale sums are left where they are: every one is written before it is read.
    let needed = counts.iter().map(|count| count.div_ceil(2)).sum();
    if sums.len() < needed {
        sums.resize(needed, TablePoint::default());
    }
    first_round(points, entries, counts, groups, sums, pairs);
    let mut has_infinite = add_pairs::<A, false>(arithmetic, Some(points), sums, pairs, steps);
    loop {
        if has_infinite {
            groups.iter_mut().for_each(|group| group.remove_infinite(sums));
        }
        next_round(groups, pairs);
        if pairs.is_empty() {
            break;
        }
        has_infinite = add_pairs::<A, false>(arithmetic, None, sums, pairs, steps);
    }
    for group in groups.iter().filter(|group| group.len == 1) {
        write(group.group, sums[group.start]);
    }
}

/// Pairs of neighbours; a point without one is copied.
fn first_round(
    points: &[TablePoint],
    entries: &[u32],
    counts: &[usize],
    groups: &mut Vec<Remainder>,
    sums: &mut [TablePoint],
    pairs: &mut Vec<Pair>,
) {
    groups.clear();
    pairs.clear();
    let (mut entries, mut start) = (entries, 0);
    for (group, &count) in counts.iter().enumerate() {
        let of_group;
        (of_group, entries) = entries.split_at(count);
        let (couples, single) = of_group.as_chunks::<2>();
        pairs.extend((index(start)..).zip(couples).map(|(to, &[a, b])| Pair { a, b, to }));
        if let &[single] = single {
            sums[start + couples.len()] = points[single as usize];
        }
        let len = count.div_ceil(2);
        groups.push(Remainder { group, start, len });
        start += len;
    }
}

/// Pairs of the first half of each group with the second half; the sums replace the first half,
/// and the middle one of an odd number stays where it is.
fn next_round(groups: &mut [Remainder], pairs: &mut Vec<Pair>) {
    pairs.clear();
    for group in groups.iter_mut().filter(|group| group.len > 1) {
        let half = group.len.div_ceil(2);
        let (start, second) = (index(group.start), index(group.start + half));
        let count = index(group.len / 2);
        pairs.extend((0..count).map(|i| Pair { a: start + i, b: second + i, to: start + i }));
        group.len = half;
    }
}

impl Remainder {
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

/// What the way back needs to know of the pairs in a pack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<P> {
    /// Product of the divisors before.
    prefix: P,
    /// The divisors, `x_b - x_a`.
    dx: P,
    /// `y_b - y_a`, lazy.
    dy: P,
    /// `x_a + x_b`.
    sum_x: P,
    xa: P,
    ya: P,
}

/// Adds pairs (or subtracts `b`, if `SUBTRACT`) of finite points of `points`, or of `sums` itself
/// if there are none, into `sums`; says whether any sum is infinite.
///
/// A sum may replace a point of its own pair or of an earlier one. Repeats pairs to fill a pack.
pub(super) fn add_pairs<A: Arithmetic, const SUBTRACT: bool>(
    arithmetic: A,
    points: Option<&[TablePoint]>,
    sums: &mut [TablePoint],
    pairs: &mut Vec<Pair>,
    steps: &mut Vec<Step<A::Fq>>,
) -> bool {
    let Some(&last) = pairs.last() else { return false };
    pairs.resize(pairs.len().next_multiple_of(A::Fq::WIDTH), last);
    let mut has_infinite = false;
    for batch in pairs.chunks(BATCH) {
        arithmetic.vectorize(
            #[inline(always)]
            || {
                let from = points.unwrap_or(&*sums);
                let product = forward::<_, SUBTRACT>(from, batch, steps);
                if let Some(inverse) = invert(product) {
                    backward(steps, batch, sums, inverse);
                } else {
                    let exceptions = find_exceptions::<A, SUBTRACT>(arithmetic, from, batch, steps);
                    let product = forward_again(steps);
                    let inverse = invert(product).expect("no divisor is zero");
                    backward(steps, batch, sums, inverse);
                    for (to, sum) in exceptions {
                        has_infinite |= sum.is_infinity();
                        sums[to as usize] = sum;
                    }
                }
            },
        );
    }
    has_infinite
}

/// Loads the points and multiplies the divisors.
#[inline(always)]
fn forward<P: Coordinates, const SUBTRACT: bool>(
    from: &[TablePoint],
    pairs: &[Pair],
    steps: &mut Vec<Step<P>>,
) -> P {
    steps.clear();
    let mut product = P::splat(Fq::ONE);
    for pack in pairs.chunks_exact(P::WIDTH) {
        let (xa, ya) = P::load_points(
            #[inline(always)]
            |lane| &from[pack[lane].a as usize],
        );
        let (xb, yb) = P::load_points(
            #[inline(always)]
            |lane| &from[pack[lane].b as usize],
        );
        let dx = xb.sub(xa);
        let yb = if SUBTRACT { P::zero().sub(yb) } else { yb };
        // Below 6p.
        let dy = yb.sub_lazy(ya);
        steps.push(Step { prefix: product, dx, dy, sum_x: xa.add(xb), xa, ya });
        product = product.mul(dx);
    }
    product
}

/// Finds the pairs whose divisor is zero, adds them and replaces their divisor by one.
#[cold]
#[inline(never)]
fn find_exceptions<A: Arithmetic, const SUBTRACT: bool>(
    arithmetic: A,
    from: &[TablePoint],
    pairs: &[Pair],
    steps: &mut [Step<A::Fq>],
) -> Vec<(u32, TablePoint)> {
    let width = A::Fq::WIDTH;
    let mut exceptions = Vec::new();
    for (step, pack) in steps.iter_mut().zip(pairs.chunks_exact(width)) {
        let zeros = arithmetic.vectorize(
            #[inline(always)]
            || {
                let zeros = step.dx.zero_lanes();
                step.dx = step.dx.replace(zeros, A::Fq::splat(Fq::ONE));
                zeros
            },
        );
        for (_, pair) in pack.iter().enumerate().filter(|(lane, _)| zeros >> lane & 1 == 1) {
            let a = to_affine(arithmetic, &from[pair.a as usize]);
            let b = to_affine(arithmetic, &from[pair.b as usize]);
            let sum = if SUBTRACT { a - b } else { a + b };
            exceptions.push((pair.to, from_affine(arithmetic, &sum.to_affine())));
        }
    }
    exceptions
}

/// Multiplies the divisors again, after some were replaced.
#[inline(always)]
fn forward_again<P: Coordinates>(steps: &mut [Step<P>]) -> P {
    let mut product = P::splat(Fq::ONE);
    for step in steps {
        step.prefix = product;
        product = product.mul(step.dx);
    }
    product
}

/// Divides, last pair first, and stores the sums.
#[inline(always)]
fn backward<P: Coordinates>(
    steps: &[Step<P>],
    pairs: &[Pair],
    sums: &mut [TablePoint],
    mut inverse: P,
) {
    for (step, pack) in steps.iter().zip(pairs.chunks_exact(P::WIDTH)).rev() {
        let slope = step.dy.mul_lazy(inverse.mul(step.prefix));
        inverse = inverse.mul(step.dx);
        let x = slope.mul(slope).sub(step.sum_x);
        let y = step.xa.sub_lazy(x).mul_lazy(slope).sub(step.ya);
        P::store_points(
            x,
            y,
            #[inline(always)]
            |lane, point| sums[pack[lane].to as usize] = point,
        );
    }
}

/// The inverse of every lane, or nothing if any is zero.
#[inline(always)]
pub(super) fn invert<P: Coordinates>(pack: P) -> Option<P> {
    let mut lanes = [Fq::ONE; MAX_WIDTH];
    pack.to_lanes(&mut lanes[..P::WIDTH]);
    let mut prefixes = [Fq::ONE; MAX_WIDTH];
    for i in 1..P::WIDTH {
        prefixes[i] = prefixes[i - 1] * lanes[i - 1];
    }
    let product = prefixes[P::WIDTH - 1] * lanes[P::WIDTH - 1];
    let mut inverse: Fq = Option::from(product.invert())?;
    for i in (0..P::WIDTH).rev() {
        let lane = lanes[i];
        lanes[i] = inverse * prefixes[i];
        inverse *= lane;
    }
    Some(P::from_lanes(&lanes[..P::WIDTH]))
}

/// The point as halo2's library has it.
pub(super) fn to_affine<A: Arithmetic>(arithmetic: A, point: &TablePoint) -> G1Affine {
    let mut lanes = [[Fq::ZERO; MAX_WIDTH]; 2];
    arithmetic.vectorize(
        #[inline(always)]
        || {
            let (x, y) = A::Fq::load_points(
                #[inline(always)]
                |_| point,
            );
            x.to_lanes(&mut lanes[0]);
            y.to_lanes(&mut lanes[1]);
        },
    );
    // Both have (0, 0) for the point at infinity.
    G1Affine { x: lanes[0][0], y: lanes[1][0] }
}

/// The point as tables have it.
pub(super) fn from_affine<A: Arithmetic>(arithmetic: A, point: &G1Affine) -> TablePoint {
    let mut points = [TablePoint::default(); MAX_WIDTH];
    arithmetic.vectorize(
        #[inline(always)]
        || {
            let x = A::Fq::from_lanes(&[point.x; MAX_WIDTH]);
            let y = A::Fq::from_lanes(&[point.y; MAX_WIDTH]);
            A::Fq::store_points(
                x,
                y,
                #[inline(always)]
                |lane, point| points[lane] = point,
            );
        },
    );
    points[0]
}
