//! Packs: as many field elements as one instruction stream works on at once.

use std::fmt;

use halo2_proofs::halo2curves::{
    bn256::{Fq, Fr},
    ff::PrimeField,
    serde::SerdeObject,
};

/// The raw Montgomery words of a field of halo2's curve library: `a·2^256 mod p`, low word first.
pub(crate) trait Words: PrimeField {
    /// The words of `self`.
    fn words(&self) -> [u64; 4];
    /// The element with these words, which must be below the modulus.
    fn from_words(words: [u64; 4]) -> Self;
}

macro_rules! words {
    ($field:ty) => {
        impl Words for $field {
            #[inline]
            fn words(&self) -> [u64; 4] {
                let mut bytes = [0; 32];
                self.write_raw(&mut &mut bytes[..]).expect("32 bytes take a field element");
                let (words, _) = bytes.as_chunks::<8>();
                std::array::from_fn(|i| u64::from_le_bytes(words[i]))
            }
            #[inline]
            fn from_words(words: [u64; 4]) -> Self {
                let mut bytes = [0; 32];
                for (chunk, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
                    *chunk = word.to_le_bytes();
                }
                Self::from_raw_bytes_unchecked(&bytes)
            }
        }
    };
}
words!(Fr);
words!(Fq);

/// How many products a [`Pack::Sum`] holds before it must be reduced.
pub(crate) const SUM_TERMS: usize = 128;

/// [`Pack::WIDTH`] elements of the field `F` side by side.
///
/// Elements between operations are *relaxed*: some representative below `2p`. The operations named
/// `lazy` take and give larger ones, within the bounds they state; all others take and give
/// relaxed ones. [`Pack::canonical`] gives the representative below `p`.
///
/// The bounds are those of representatives that are not negative. Arithmetic with signed ones counts
/// terms instead: `2p` in a bound is a relaxed element that was added or subtracted, and of the
/// eight in the largest, `16p`, not all are subtracted.
pub(crate) trait Pack<F>: Copy + fmt::Debug + Send + Sync + 'static {
    /// Elements of a pack.
    const WIDTH: usize;
    /// What [`Pack::add_integer_product`] adds to every integer.
    const INTEGER_OFFSET: i64;
    /// A sum of products that is reduced once, at the end.
    type Sum: Copy;
    /// An element that is the same in every lane, as it is kept in memory.
    type Uniform: Copy + fmt::Debug + Send + Sync + 'static;
    /// A factor of many products, prepared for them.
    type Constant: Copy + fmt::Debug + Send + Sync + 'static;

    /// Zero in every lane.
    fn zero() -> Self;
    /// The same element in every lane.
    fn splat(value: F) -> Self;
    /// An element to be kept.
    fn uniform(value: F) -> Self::Uniform;
    /// An element that was kept, in every lane.
    fn broadcast(value: &Self::Uniform) -> Self;
    /// `self · rhs` for a lazy `self` below `20p`.
    fn mul_uniform(self, rhs: &Self::Uniform) -> Self;
    /// One element per lane; takes the first [`Pack::WIDTH`].
    fn from_lanes(lanes: &[F]) -> Self;
    /// Writes the first [`Pack::WIDTH`] of `lanes`.
    fn to_lanes(self, lanes: &mut [F]);
    /// One integer per lane; takes the first [`Pack::WIDTH`].
    fn from_integers(lanes: &[i32]) -> Self;
    /// Writes the integers below `p` that the lanes stand for, low word first, to the first
    /// [`Pack::WIDTH`] of `lanes`.
    fn to_words(self, lanes: &mut [[u64; 4]]);

    /// `self + rhs`.
    fn add(self, rhs: Self) -> Self;
    /// `self - rhs`.
    fn sub(self, rhs: Self) -> Self;
    /// `self · rhs`.
    fn mul(self, rhs: Self) -> Self;
    /// `self²`.
    fn square(self) -> Self;
    /// The representatives below `p`.
    fn canonical(self) -> Self;
    /// Bit `i` is set where lane `i` is zero in the field.
    fn zero_lanes(self) -> u8;

    /// `self + rhs` without reduction.
    fn add_lazy(self, rhs: Self) -> Self;
    /// `self - rhs + 4p` without reduction; `rhs` below `4p`.
    #[inline(always)]
    fn sub_lazy(self, rhs: Self) -> Self {
        self.sub_lazy_by::<4>(rhs)
    }
    /// `self - rhs + TIMES·p` without reduction, where that is not negative.
    fn sub_lazy_by<const TIMES: u64>(self, rhs: Self) -> Self;
    /// `self + TIMES·p`, which later differences need to be positive.
    #[inline(always)]
    fn add_multiple<const TIMES: u64>(self) -> Self {
        self
    }
    /// `self · rhs` for a lazy `self` below `20p` and a relaxed `rhs`.
    fn mul_lazy(self, rhs: Self) -> Self;
    /// Prepares a relaxed element as a factor, at the cost of a product.
    fn constant(self) -> Self::Constant;
    /// `self · rhs` for a lazy `self` below `20p`.
    fn mul_constant(self, rhs: &Self::Constant) -> Self;
    /// [`Pack::mul_constant`] with a product that is lazy, though below `2p`: carries between its
    /// limbs are left to what it is an operand of, which is a sum of at most 28 of them.
    #[inline(always)]
    fn mul_uncarried(self, rhs: &Self::Constant) -> Self {
        self.mul_constant(rhs)
    }
    /// The relaxed representative of a lazy element below `16p`.
    fn relax(self) -> Self;
    /// A lazy representative in `[TIMES·p, (TIMES + 4)·p)` of a lazy element below `20p`, whose
    /// limbs are not carried.
    #[inline(always)]
    fn relax_above<const TIMES: u64>(self) -> Self {
        self.relax()
    }

    /// Lane `i` of pack `j` becomes element `j` of row `i`, where a row is eight elements in
    /// consecutive packs; packs of one element stay as they are.
    fn lanes_to_rows(packs: &mut [Self; 8]);
    /// The way back of [`Pack::lanes_to_rows`].
    fn rows_to_lanes(packs: &mut [Self; 8]);
    /// Lanes `shift..shift + WIDTH` of `self` and `next` in a row.
    fn aligned(self, next: Self, shift: usize) -> Self;
    /// Says that this pack will be read, but not at once.
    fn prefetch_far(&self);

    /// The empty sum.
    fn empty_sum() -> Self::Sum;
    /// Adds `a · b`; a sum takes at most [`SUM_TERMS`] terms, all of the same kind.
    fn add_product(sum: &mut Self::Sum, a: Self, b: Self);
    /// Adds `self · (lanes + INTEGER_OFFSET)`: the integers may be shifted so that none is negative.
    fn add_integer_product(self, sum: &mut Self::Sum, lanes: &[i32]);
    /// The sum of products.
    fn reduce_sum(sum: Self::Sum) -> Self;
    /// The sum of integer products.
    fn reduce_integer_sum(sum: Self::Sum) -> Self;
}

/// A point of the curve as a table keeps it: 64 bytes, one cache line.
///
/// The coordinates are in the Montgomery form of the arithmetic that made it, relaxed; the point at
/// infinity has zeros only, as the default has. (0, 0) is not on the curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct TablePoint {
    /// Words of x, then of y, low word first.
    pub(crate) words: [u64; 8],
}

impl TablePoint {
    /// Whether this is the point at infinity.
    pub(crate) fn is_infinity(&self) -> bool {
        self.words.iter().fold(0, |all, word| all | word) == 0
    }
}

/// Packs of the base field, which points have as coordinates.
pub(crate) trait Coordinates: Pack<Fq> {
    /// x and y of as many points.
    fn load_points<'a>(points: impl FnMut(usize) -> &'a TablePoint) -> (Self, Self);
    /// Points with these coordinates.
    fn store_points(x: Self, y: Self, write: impl FnMut(usize, TablePoint));
    /// Says that a point will be loaded soon.
    fn prefetch(point: &TablePoint);
    /// Says that a point will be loaded, but not at once.
    fn prefetch_far_point(point: &TablePoint);
    /// Lanes of `if_set` where the bit of `mask` is set, else of `self`.
    fn replace(self, mask: u8, if_set: Self) -> Self;
}
