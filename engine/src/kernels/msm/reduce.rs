//! From buckets to sums of columns.
//!
//! A column is the sum of `2^offset · Σ d·bucket(d)` over its bucket sets. With `d = h·2^b + l`
//! that is a sum over rows `h` and one over columns `l`, of points that are sums of buckets; these
//! are then summed by the bits of `h` and of `l`, so that a column of scalars comes down to one
//! point for each bit of a window, and as many doublings and additions by halo2's arithmetic.

use halo2_proofs::halo2curves::{
    bn256::{G1, G1Affine},
    group::{Curve, Group, prime::PrimeCurveAffine},
};

use super::{
    super::{arithmetic::Arithmetic, pack::TablePoint, parallel},
    digits::Segment,
    lists::{Lists, ListsBuilder},
    pairs::to_affine,
    sums::sum_groups,
};

/// Up to so many bits, buckets are summed by bits at once.
const FEW_BITS: u32 = 3;

/// A bucket set of a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Set {
    /// Which column.
    column: usize,
    /// The set counts `2^offset` times.
    offset: u32,
    /// The largest digit, which is the number of buckets.
    largest: u32,
    /// Index of the bucket of digit 1.
    first: usize,
}

impl Set {
    /// The sets of all segments, with buckets one after the other.
    pub(super) fn list(segments: &[Segment<'_>]) -> Vec<Self> {
        let mut first = 0;
        let with_columns = |segment: &Segment<'_>| {
            let column = segment.column;
            segment.layout.sets().to_vec().into_iter().map(move |set| (column, set))
        };
        let sets = segments.iter().flat_map(with_columns);
        sets.map(|(column, set)| {
            let of_column = Self { column, offset: set.offset, largest: set.largest, first };
            first += set.largest as usize;
            of_column
        })
        .collect()
    }

    /// Bits of a digit.
    fn bits(&self) -> u32 {
        self.largest.checked_ilog2().map_or(0, |top| top + 1)
    }

    /// The `b` of `d = h·2^b + l`.
    fn low_bits(&self) -> u32 {
        if self.bits() <= FEW_BITS { 0 } else { self.bits() / 2 }
    }

    /// How many values `h` has besides zero.
    fn high_values(&self) -> u32 {
        self.largest >> self.low_bits()
    }

    /// How many values `l` has besides zero.
    fn low_values(&self) -> u32 {
        (1 << self.low_bits()) - 1
    }

    /// One group for each `h`, then one for each `l`.
    fn halves(&self, buckets: &[TablePoint]) -> Lists {
        let mut lists = Lists::new();
        let low_bits = self.low_bits();
        let push = |lists: &mut Lists, digit: u32| {
            let bucket = self.first + digit as usize - 1;
            if !buckets[bucket].is_infinity() {
                lists.push(u32::try_from(bucket).expect("fewer than 2^32 buckets"));
            }
        };
        for high in 1..=self.high_values() {
            let end = ((high + 1) << low_bits).min(self.largest + 1);
            (high << low_bits..end).for_each(|digit| push(&mut lists, digit));
            lists.end_group();
        }
        for low in 1..=self.low_values() {
            let digits = (low..=self.largest).step_by(1 << low_bits);
            digits.for_each(|digit| push(&mut lists, digit));
            lists.end_group();
        }
        lists
    }
}

/// The sums of the columns from the buckets of all sets. Windows are `spacing` bits.
pub(super) fn reduce<A: Arithmetic>(
    arithmetic: A,
    buckets: &[TablePoint],
    sets: &[Set],
    columns: usize,
    spacing: u32,
) -> Vec<G1> {
    let lists = parallel::map(sets.len(), |set| vec![sets[set].halves(buckets)]);
    let (mut halves, mut bits) = (Vec::new(), Vec::new());
    sum_groups(arithmetic, buckets, &lists, &mut halves);
    let lists: Vec<_> = by_bits(sets, &halves, columns, spacing);
    sum_groups(arithmetic, &halves, &lists, &mut bits);
    let spacing = spacing as usize;
    let add_bits = |column: usize| {
        let bits = &bits[column * spacing..][..spacing];
        let double_and_add = |sum: G1, bit: &TablePoint| {
            let doubled = if bool::from(sum.is_identity()) { sum } else { sum.double() };
            if bit.is_infinity() { doubled } else { doubled + to_affine(arithmetic, bit) }
        };
        bits.iter().rev().fold(G1::identity(), double_and_add)
    };
    parallel::map(columns, add_bits)
}

/// Affine points of these.
pub(super) fn normalize(points: &[G1]) -> Vec<G1Affine> {
    let mut affine = vec![G1Affine::identity(); points.len()];
    G1::batch_normalize(points, &mut affine);
    affine
}

/// For each column one group for each bit of a window: the points that count `2^bit` times.
fn by_bits(sets: &[Set], halves: &[TablePoint], columns: usize, spacing: u32) -> Vec<Vec<Lists>> {
    let mut found: Vec<Vec<(u32, u32)>> = vec![Vec::new(); columns];
    let mut points = (0_u32..).zip(halves);
    for set in sets {
        let high = (1..=set.high_values()).map(|high| (high, set.low_bits()));
        let low = (1..=set.low_values()).map(|low| (low, 0));
        for ((value, offset), (index, point)) in high.chain(low).zip(&mut points) {
            if !point.is_infinity() {
                let bits = (0..u32::BITS).filter(|bit| value >> bit & 1 == 1);
                found[set.column].extend(bits.map(|bit| (set.offset + offset + bit, index)));
            }
        }
    }
    let sort = |found: &Vec<(u32, u32)>| {
        let mut counts = vec![0; spacing as usize];
        found.iter().for_each(|&(bit, _)| counts[bit as usize] += 1);
        let mut lists = ListsBuilder::new(counts);
        found.iter().for_each(|&(bit, index)| lists.push(bit, index));
        vec![lists.finish()]
    };
    found.iter().map(sort).collect()
}
