//! Commitments: see `kernels/sums.cuh`.

use halo2_proofs::halo2curves::{
    bn256::{Fr, G1, G1Affine},
    ff::Field,
    group::{Curve, Group},
};

use super::{
    accelerator::{DEVICE, Kernel},
    columns::{CudaColumn, Sums, Values},
    machine::{Buffer, Machine},
    plain,
};
use crate::error::DeviceError;

/// Bits that the digits of any scalar cover, a carry included.
const SCALAR_BITS: u32 = 254;
/// Bits of an integer, a carry included.
const INTEGER_BITS: u32 = 33;
/// Bytes of an affine point, and of one with denominators.
const AFFINE: usize = 64;
const POINT: usize = 128;
/// The most terms of a task over entries, and over sums.
const ENTRIES: usize = 32;
const SUMS: usize = 16;
/// Ranges of buckets that are put together at once, as a power of two.
const CHILDREN_BITS: u32 = 3;
/// Counters that a thread adds up.
const CHUNK: usize = 32;
/// Rows that are looked at to find an element of many rows, and how many must have it.
const SAMPLES: usize = 64;
const COMMON: usize = 16;
/// Bits of the widest digit.
const MAX_WIDTH: u32 = 16;

/// Points and their multiples.
#[derive(Debug)]
pub(super) struct Bases {
    machine: Machine,
    /// Window by window.
    table: Buffer,
    layout: Layout,
    /// The sum of all points, where it is known.
    sum: Option<G1>,
}

/// How scalars are cut into digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    rows: usize,
    /// Bits of a digit.
    width: u32,
    /// Digits of a scalar.
    digits: usize,
    /// Digits of a window of the table: each has buckets of its own.
    sets: usize,
}

impl Layout {
    /// For `rows` points, with multiples in at most `bytes`.
    pub(super) fn choose(rows: usize, bytes: usize) -> Self {
        let k = rows.next_power_of_two().trailing_zeros();
        let width = k.saturating_sub(1).clamp(4, MAX_WIDTH);
        let digits = SCALAR_BITS.div_ceil(width) as usize;
        let layout = |sets| Self { rows, width, digits, sets };
        // An entry is a place in the table and a sign.
        let fits = |layout: &Self| {
            layout.table_bytes() <= bytes && layout.windows() * rows < 1 << (u32::BITS - 1)
        };
        (1..=digits).map(layout).find(fits).unwrap_or(layout(digits))
    }

    fn windows(self) -> usize {
        self.digits.div_ceil(self.sets)
    }

    /// Bytes of the table.
    pub(super) fn table_bytes(self) -> usize {
        self.windows() * self.rows * AFFINE
    }

    fn buckets(self) -> usize {
        1 << (self.width - 1)
    }

    /// The most entries of a column.
    fn entries(self, column: &CudaColumn) -> usize {
        let of_integer = (INTEGER_BITS.div_ceil(self.width) as usize).min(self.digits);
        match &column.values {
            Values::Field(_) => self.rows * self.digits,
            Values::Integers { head, .. } => head * of_integer + (self.rows - head) * self.digits,
        }
    }

    /// The most bytes that the commitment to a column takes besides.
    pub(super) fn column_bytes(self, entries: usize) -> usize {
        let buckets = self.sets * self.buckets();
        let tasks = entries.div_ceil(ENTRIES) + buckets;
        4 * entries + POINT * (2 * tasks + 3 * buckets) + 40 * buckets
    }
}

/// Terms by bucket: where they start, and how many each bucket has.
struct Groups {
    starts: Buffer,
    counts: Buffer,
    /// How many buckets there are.
    buckets: usize,
    /// The most terms of all buckets and of one.
    total: usize,
    largest: usize,
}

impl Bases {
    /// The points, with multiples in at most `bytes`.
    pub(super) fn new(
        machine: &Machine,
        points: &[G1Affine],
        bytes: usize,
    ) -> Result<Self, DeviceError> {
        let layout = Layout::choose(points.len(), bytes);
        let table = machine.buffer(layout.table_bytes())?;
        let first = machine.upload(&plain::point_words(points))?;
        let window = (points.len() * AFFINE) as u64;
        let doublings = u64::from(layout.width) * layout.sets as u64;
        for number in 0..layout.windows() as u64 {
            let to = table.address() + number * window;
            let (from, doublings) =
                if number == 0 { (first.address(), 0) } else { (to - window, doublings) };
            let arguments = [from, to, points.len() as u64, doublings];
            machine.launch(Kernel::Multiples, points.len(), 1, &arguments)?;
        }
        let mut bases = Self { machine: machine.clone(), table, layout, sum: None };
        let ones = CudaColumn::integers(machine, &vec![1; points.len()], &[])?;
        bases.sum = Some(bases.commit(&[&ones])?[0].into());
        Ok(bases)
    }

    /// The sums of multiples, for every column.
    pub(super) fn commit(&self, columns: &[&CudaColumn]) -> Result<Vec<G1Affine>, DeviceError> {
        let by_entries: Vec<Option<&Sums>> =
            columns.iter().map(|column| column.sums.as_ref().filter(|s| self.takes(s))).collect();
        let by_digits = columns.iter().zip(&by_entries);
        let by_digits = by_digits.map(|(column, sums)| sums.map_or(*column, |sums| &*sums.rest));
        let mut commitments = self.commit_digits(&by_digits.collect::<Vec<_>>())?;
        for (commitment, sums) in commitments.iter_mut().zip(by_entries) {
            if let Some(sums) = sums {
                *commitment += self.commit_entries(sums)?;
            }
        }
        let mut affine = vec![G1Affine::default(); commitments.len()];
        G1::batch_normalize(&commitments, &mut affine);
        Ok(affine)
    }

    /// Whether half of the free memory takes a commitment by entries.
    fn takes(&self, sums: &Sums) -> bool {
        let (rows, count) = (sums.rows * sums.summands, sums.entry_count);
        let tasks = rows.div_ceil(ENTRIES) + count;
        let bytes = 4 * rows + POINT * (2 * tasks + count) + AFFINE * count + 20 * count;
        bytes <= self.machine.available() / 2
    }

    /// `Σ entry·(the points of its rows)`: the points are added up by entry, which takes an addition
    /// a row and summand, and the sums are multiplied with the entries.
    fn commit_entries(&self, sums: &Sums) -> Result<G1, DeviceError> {
        let (machine, count) = (&self.machine, sums.entry_count);
        let total = sums.rows * sums.summands;
        let counts = machine.zeros(4 * count)?;
        let entries = machine.buffer(4 * total)?;
        let mut arguments =
            [sums.positions.address(), sums.rows as u64, counts.address(), 0, entries.address()];
        machine.launch(Kernel::CountPositions, sums.rows, sums.summands, &arguments)?;
        let starts = self.running_sums(&counts, count)?;
        machine.clear(&counts)?;
        arguments[3] = starts.address();
        machine.launch(Kernel::PlacePositions, sums.rows, sums.summands, &arguments)?;
        let buckets = self.fill(
            &entries,
            Groups { starts, counts, buckets: count, total, largest: total },
            count,
        )?;
        let table = machine.buffer(count * AFFINE)?;
        let arguments = [buckets.address(), table.address(), count as u64];
        machine.launch(Kernel::Normalize, count, 1, &arguments)?;
        drop((entries, buckets));
        let layout = Layout::choose(count, 0);
        let by_entry = Self { machine: machine.clone(), table, layout, sum: None };
        Ok(by_entry.commit_digits(&[&*sums.entries])?[0])
    }

    /// [`Bases::commit`] by the digits of the values.
    fn commit_digits(&self, columns: &[&CudaColumn]) -> Result<Vec<G1>, DeviceError> {
        let mut commitments = Vec::with_capacity(columns.len());
        let mut left = columns;
        while !left.is_empty() {
            let count = self.batch(left)?;
            let (batch, rest) = left.split_at(count);
            commitments.extend(self.commit_batch(batch)?);
            left = rest;
        }
        Ok(commitments)
    }

    /// How many of the columns are done at once: as many as half of the free memory takes.
    fn batch(&self, columns: &[&CudaColumn]) -> Result<usize, DeviceError> {
        /// Entries and buckets are counted in 31 bits.
        const MOST: usize = 1 << 30;
        let available = self.machine.available() / 2;
        let (mut bytes, mut entries) = (0, 0);
        for (count, column) in columns.iter().enumerate() {
            let of_column = self.layout.entries(column);
            bytes += self.layout.column_bytes(of_column);
            entries += of_column.max(self.layout.sets * self.layout.buckets());
            let is_full = bytes > available || entries > MOST;
            if is_full && count > 0 {
                return Ok(count);
            }
            if is_full {
                break;
            }
            if count + 1 == columns.len() {
                return Ok(columns.len());
            }
        }
        let needed = self.layout.column_bytes(self.layout.entries(columns[0])) as u64;
        Err(DeviceError::OutOfMemory { device: DEVICE, needed, available: available as u64 })
    }

    fn commit_batch(&self, columns: &[&CudaColumn]) -> Result<Vec<G1>, DeviceError> {
        let machine = &self.machine;
        let descriptions = CudaColumn::descriptions(machine, columns.iter().map(|c| (*c, 0)))?;
        let common = self.common(columns, &descriptions)?;
        let (groups, entries) = self.sort(columns, &descriptions, &common)?;
        let sets = columns.len() * self.layout.sets;
        let buckets = self.fill(&entries, groups, sets * self.layout.buckets())?;
        drop(entries);
        let weighted = self.weigh(buckets, sets)?;
        let words = machine.read(weighted.address(), sets * POINT / 8)?;
        let (words, _) = words.as_chunks::<16>();
        let of_columns = words.chunks_exact(self.layout.sets);
        let totals = of_columns.zip(common).map(|(sets, common)| {
            let width = self.layout.width;
            let total = sets.iter().rev().fold(G1::identity(), |total, set| {
                (0..width).fold(total, |total, _| total.double()) + finite(set)
            });
            match self.sum {
                Some(sum) if !bool::from(common.is_zero()) => total + sum * common,
                _ => total,
            }
        });
        Ok(totals.collect())
    }

    /// The sum of the points of each of `all` buckets.
    fn fill(&self, entries: &Buffer, groups: Groups, all: usize) -> Result<Buffer, DeviceError> {
        let machine = &self.machine;
        let mut terms = [self.table.address(), entries.address(), 0];
        let (mut groups, mut points) = self.add_up(Kernel::SumEntries, terms, &groups, ENTRIES)?;
        while groups.largest > 1 {
            terms = [0, 0, points.address()];
            let (next, sums) = self.add_up(Kernel::SumPoints, terms, &groups, SUMS)?;
            (groups, points) = (next, sums);
        }
        let buckets = machine.buffer(all * POINT)?;
        let [starts, counts] = [&groups.starts, &groups.counts].map(Buffer::address);
        let arguments = [points.address(), starts, counts, all as u64, buckets.address()];
        machine.launch(Kernel::Gather, all, 1, &arguments)?;
        Ok(buckets)
    }

    /// For each column, the element that many rows have, or zero.
    fn common(
        &self,
        columns: &[&CudaColumn],
        descriptions: &Buffer,
    ) -> Result<Vec<Fr>, DeviceError> {
        let rows = self.layout.rows;
        let is_field = |column: &&&CudaColumn| matches!(column.values, Values::Field(_));
        let is_useful = self.sum.is_some() && rows >= SAMPLES;
        if !is_useful || !columns.iter().any(|column| is_field(&column)) {
            return Ok(vec![Fr::ZERO; columns.len()]);
        }
        let sampled = self.machine.elements(columns.len() * SAMPLES)?;
        let arguments = [descriptions.address(), sampled.address(), rows as u64, SAMPLES as u64];
        self.machine.launch(Kernel::Sample, SAMPLES, columns.len(), &arguments)?;
        let samples = self.machine.read_elements(&sampled, 0, columns.len() * SAMPLES)?;
        let of_columns = samples.chunks_exact(SAMPLES).zip(columns);
        Ok(of_columns
            .map(|(samples, column)| {
                let mut samples = samples.to_vec();
                samples.sort_unstable();
                let runs = samples.chunk_by(|a, b| a == b).filter(|run| run.len() >= COMMON);
                let most = runs.max_by_key(|run| run.len()).filter(|_| is_field(&column));
                most.map_or(Fr::ZERO, |run| run[0])
            })
            .collect())
    }

    /// The entries of all digits, by bucket.
    fn sort(
        &self,
        columns: &[&CudaColumn],
        descriptions: &Buffer,
        common: &[Fr],
    ) -> Result<(Groups, Buffer), DeviceError> {
        let (machine, layout) = (&self.machine, self.layout);
        let common = machine.upload_elements(common)?;
        let all = columns.len() * layout.sets * layout.buckets();
        let total: usize = columns.iter().map(|column| layout.entries(column)).sum();
        let counts = machine.zeros(4 * all)?;
        let entries = machine.buffer(4 * total)?;
        let mut arguments = [
            descriptions.address(),
            common.address(),
            layout.rows as u64,
            u64::from(layout.width),
            layout.digits as u64,
            layout.sets as u64,
            layout.buckets() as u64,
            counts.address(),
            0,
            entries.address(),
        ];
        machine.launch(Kernel::CountDigits, layout.rows, columns.len(), &arguments)?;
        let starts = self.running_sums(&counts, all)?;
        machine.clear(&counts)?;
        arguments[8] = starts.address();
        machine.launch(Kernel::PlaceDigits, layout.rows, columns.len(), &arguments)?;
        let largest = layout.rows * layout.windows();
        Ok((Groups { starts, counts, buckets: all, total, largest }, entries))
    }

    /// Sums of at most `length` terms each: the new terms, and their values.
    fn add_up(
        &self,
        kernel: Kernel,
        terms: [u64; 3],
        groups: &Groups,
        length: usize,
    ) -> Result<(Groups, Buffer), DeviceError> {
        let machine = &self.machine;
        let all = groups.buckets;
        let counts = machine.buffer(4 * all)?;
        let arguments = [groups.counts.address(), counts.address(), all as u64, length as u64];
        machine.launch(Kernel::CountTasks, all, 1, &arguments)?;
        let starts = self.running_sums(&counts, all)?;
        let total = (groups.total.div_ceil(length) + all).min(groups.total);
        let sums = machine.buffer(total * POINT)?;
        let [table, entries, points] = terms;
        let arguments = [
            table,
            entries,
            points,
            groups.starts.address(),
            groups.counts.address(),
            starts.address(),
            all as u64,
            sums.address(),
        ];
        machine.launch(kernel, total, 1, &arguments)?;
        let largest = groups.largest.div_ceil(length);
        Ok((Groups { starts, counts, buckets: all, total, largest }, sums))
    }

    /// Sums of all counters before each, and of all in the end.
    fn running_sums(&self, counters: &Buffer, count: usize) -> Result<Buffer, DeviceError> {
        let machine = &self.machine;
        let sums = machine.buffer(4 * (count + 1))?;
        let chunks = count.div_ceil(CHUNK);
        let starts = if chunks > 1 {
            let of_chunks = machine.buffer(4 * chunks)?;
            let arguments = [counters.address(), of_chunks.address(), count as u64, CHUNK as u64];
            machine.launch(Kernel::ChunkSums, chunks, 1, &arguments)?;
            Some(self.running_sums(&of_chunks, chunks)?)
        } else {
            None
        };
        let starts = starts.as_ref().map_or(0, Buffer::address);
        let arguments = [counters.address(), starts, sums.address(), count as u64, CHUNK as u64];
        machine.launch(Kernel::RunningSums, chunks, 1, &arguments)?;
        Ok(sums)
    }

    /// `Σ d·bucket(d)` of every set of buckets.
    fn weigh(&self, buckets: Buffer, sets: usize) -> Result<Buffer, DeviceError> {
        let mut sums = buckets;
        let mut weighted = None;
        let mut done = 0;
        while done < self.layout.width - 1 {
            let bits = CHILDREN_BITS.min(self.layout.width - 1 - done);
            let count = sets << (self.layout.width - 1 - done - bits);
            let next = [self.machine.buffer(count * POINT)?, self.machine.buffer(count * POINT)?];
            let arguments = [
                sums.address(),
                weighted.as_ref().map_or(sums.address(), Buffer::address),
                1 << bits,
                u64::from(done),
                next[0].address(),
                next[1].address(),
                count as u64,
            ];
            self.machine.launch(Kernel::Weigh, count, 1, &arguments)?;
            let [next_sums, next_weighted] = next;
            (sums, weighted) = (next_sums, Some(next_weighted));
            done += bits;
        }
        // A digit has at least four bits, so that there was a step.
        Ok(weighted.unwrap_or(sums))
    }
}

/// A point with denominators, x = X/ZZ and y = Y/ZZZ.
fn finite(words: &[u64; 16]) -> G1Affine {
    let [x, y, zz, zzz] = plain::coordinates(words);
    match (zz.invert().into_option(), zzz.invert().into_option()) {
        (Some(zz), Some(zzz)) => G1Affine { x: x * zz, y: y * zzz },
        _ => G1Affine::default(),
    }
}
