//! From scalars to sorted entries.

use std::ops::Range;

use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField};

use super::{
    super::{
        arithmetic::Arithmetic,
        field::modulus::{Modulus, subtract},
        pack::Pack,
        parallel,
    },
    common,
    layout::{Digit, Layout},
    lists::{Lists, ListsBuilder, NEGATIVE},
    tables::Table,
};

/// Packs that one task turns into integers.
const TASK_PACKS: usize = 1 << 10;
/// The bit of the top word that says that a scalar is negative.
const SIGN: u64 = 1 << 63;

/// Scalars of consecutive rows.
#[derive(Clone, Debug)]
pub(super) enum Source<'a> {
    /// Small ones.
    Integers(&'a [i32]),
    /// Magnitudes below 2^253, with [`SIGN`] in the top word.
    Words(Vec<[u64; 4]>),
}

/// Consecutive rows of a column that share a layout of digits.
#[derive(Clone, Debug)]
pub(super) struct Segment<'a> {
    /// Which column.
    pub(super) column: usize,
    /// The row of the first scalar.
    pub(super) first_row: usize,
    /// The scalars.
    pub(super) source: Source<'a>,
    /// Their digits.
    pub(super) layout: Layout,
}

impl<'a> Source<'a> {
    /// The given elements.
    pub(super) fn from_elements(elements: &[Fr]) -> Self {
        let words = |element: &Fr| {
            let repr = element.to_repr();
            let (chunks, _) = repr.as_ref().as_chunks::<8>();
            signed(std::array::from_fn(|i| u64::from_le_bytes(chunks[i])))
        };
        Self::Words(elements.iter().map(words).collect())
    }

    /// The first `rows` elements of the packs; if there are as many, less one that many of them are.
    pub(super) fn from_packs<A: Arithmetic>(
        arithmetic: A,
        packs: &[A::Fr],
        rows: usize,
    ) -> (Self, Option<Fr>) {
        let width = A::Fr::WIDTH;
        let mut words = vec![[0; 4]; packs.len() * width];
        parallel::chunks(&mut words, TASK_PACKS * width, |task, words| {
            let packs = &packs[task * TASK_PACKS..];
            arithmetic.vectorize(
                #[inline(always)]
                || {
                    for (words, pack) in words.chunks_exact_mut(width).zip(packs) {
                        pack.to_words(words);
                    }
                },
            );
        });
        words.truncate(rows);
        let common = if words.len() == rows { common::element(&words) } else { None };
        let less = common.unwrap_or_default();
        parallel::chunks(&mut words, TASK_PACKS * width, |_, words| {
            for words in words {
                *words = signed(common::difference(*words, less, Fr::WORDS));
            }
        });
        (Self::Words(words), common.map(Fr::from_raw))
    }

    /// The number of scalars.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::Words(words) => words.len(),
        }
    }

    /// A bound of the magnitudes, and how many are not zero.
    pub(super) fn measure(&self) -> ([u64; 4], usize) {
        match self {
            Self::Integers(values) => {
                let magnitudes = values.iter().map(|value| value.unsigned_abs());
                let (largest, rows) = magnitudes.fold((0, 0_usize), |(largest, rows), value| {
                    (value.max(largest), rows.wrapping_add(usize::from(value != 0)))
                });
                ([u64::from(largest), 0, 0, 0], rows)
            }
            Self::Words(words) => {
                let mut all = [0; 4];
                let mut rows = 0_usize;
                for words in words {
                    let [a, b, c, d] = *words;
                    rows = rows.wrapping_add(usize::from(a | b | c | d != 0));
                    all = [all[0] | a, all[1] | b, all[2] | c, all[3] | d];
                }
                all[3] &= !SIGN;
                (fill_below(all), rows)
            }
        }
    }
}

/// The value below `r` or its negative, whichever is smaller, with the sign.
#[inline]
fn signed(value: [u64; 4]) -> [u64; 4] {
    let (mut negative, _) = subtract(Fr::WORDS, value);
    // The two are never equal, r being odd.
    let mut is_smaller = false;
    for (a, b) in negative.iter().zip(&value) {
        is_smaller = a < b || (a == b && is_smaller);
    }
    negative[3] |= SIGN;
    if is_smaller { negative } else { value }
}

/// The largest number with as many bits.
fn fill_below(words: [u64; 4]) -> [u64; 4] {
    let top = words.iter().rposition(|&word| word != 0);
    std::array::from_fn(|i| match top {
        Some(top) if i < top => u64::MAX,
        Some(top) if i == top => u64::MAX >> words[i].leading_zeros(),
        _ => 0,
    })
}

impl Segment<'_> {
    /// The entries of some of the scalars (counted from the first of the segment), sorted by
    /// group: one for each digit that is not zero, at a row whose point is finite.
    pub(super) fn sort(&self, scalars: Range<usize>, table: &Table) -> Lists {
        let digits = self.layout.digits();
        let mut found = Found {
            groups: Vec::with_capacity(scalars.len() * digits.len()),
            entries: Vec::with_capacity(scalars.len()),
        };
        let rows = self.first_row + scalars.start..;
        match &self.source {
            Source::Integers(values) => {
                for (row, &value) in rows.zip(&values[scalars]) {
                    if value != 0 && !table.is_infinite(row) {
                        let magnitude = u64::from(value.unsigned_abs());
                        let bits = |digit: &Digit| magnitude >> digit.offset;
                        found.recode(digits, value < 0, bits, table.entry(row));
                    }
                }
            }
            Source::Words(words) => {
                for (row, words) in rows.zip(&words[scalars]) {
                    let [a, b, c, d] = *words;
                    if a | b | c | d != 0 && !table.is_infinite(row) {
                        let padded = [a, b, c, d & !SIGN, 0];
                        let bits = |digit: &Digit| {
                            let (word, shift) = ((digit.offset / 64) as usize, digit.offset % 64);
                            padded[word] >> shift | (padded[word + 1] << 1) << (63 - shift)
                        };
                        found.recode(digits, d & SIGN != 0, bits, table.entry(row));
                    }
                }
            }
        }
        found.sort(digits, self.layout.groups(), table.window_stride())
    }
}

/// What the scalars of a sort have, before it is sorted.
struct Found {
    /// For each scalar that counts, the group of each digit, with [`NEGATIVE`].
    groups: Vec<u32>,
    /// The entry of window 0 of each.
    entries: Vec<u32>,
}

/// The group of a digit that is zero.
const NO_GROUP: u32 = u32::MAX;

impl Found {
    /// Appends the digits of a scalar; `bits` gives what is above the offset of a digit.
    #[inline]
    fn recode(
        &mut self,
        digits: &[Digit],
        is_negative: bool,
        bits: impl Fn(&Digit) -> u64,
        entry: u32,
    ) {
        self.entries.push(entry);
        let mut carry = 0_u32;
        self.groups.extend(digits.iter().map(|digit| {
            let size = 1_u32 << digit.width;
            // Without branches: half of the digits are negative, at random. Digits have 20 bits.
            let low = (bits(digit) & 0xffff_ffff) as u32 & size.wrapping_sub(1);
            let raw = low.wrapping_add(carry);
            carry = u32::from(raw > size / 2);
            let signed = raw.wrapping_sub(carry << digit.width).cast_signed();
            let sign = carry ^ u32::from(is_negative);
            let group = digit.first_group.wrapping_add(signed.unsigned_abs().wrapping_sub(1));
            if signed == 0 { NO_GROUP } else { group | (sign * NEGATIVE) }
        }));
        debug_assert_eq!(carry, 0, "the last digit takes the carry");
    }

    /// Sorts by counting.
    fn sort(self, digits: &[Digit], groups: usize, window_stride: u32) -> Lists {
        let mut counts = vec![0_u32; groups];
        for &group in &self.groups {
            if group != NO_GROUP {
                let count = &mut counts[(group & !NEGATIVE) as usize];
                *count = count.wrapping_add(1);
            }
        }
        let mut lists = ListsBuilder::new(counts);
        let strides: Vec<u32> = digits.iter().map(|digit| digit.window * window_stride).collect();
        let of_scalars = self.groups.chunks_exact(digits.len());
        for (groups, &entry) in of_scalars.zip(&self.entries) {
            for (&group, stride) in groups.iter().zip(&strides) {
                if group != NO_GROUP {
                    let sign = group & NEGATIVE;
                    lists.push(group ^ sign, entry.wrapping_add(*stride) | sign);
                }
            }
        }
        lists.finish()
    }
}
