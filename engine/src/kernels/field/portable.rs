//! Packs of one element: halo2's own field arithmetic, on any machine.

use halo2_proofs::halo2curves::bn256::{Fq, Fr};

use super::pack::{Coordinates, Pack, TablePoint, Words};

/// A single element, always below the modulus.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Single<F>(F);

pub(crate) trait Integer: Words + From<u64> {
    fn integer(value: i64) -> Self {
        let magnitude = Self::from(value.unsigned_abs());
        if value < 0 { -magnitude } else { magnitude }
    }
}
impl Integer for Fr {}
impl Integer for Fq {}

impl<F: Integer> Pack<F> for Single<F> {
    const WIDTH: usize = 1;
    const INTEGER_OFFSET: i64 = 1 << 31;
    type Sum = Wide;
    type Uniform = Self;
    type Constant = Self;

    #[inline(always)]
    fn zero() -> Self {
        Self(F::ZERO)
    }
    #[inline(always)]
    fn splat(value: F) -> Self {
        Self(value)
    }
    #[inline(always)]
    fn uniform(value: F) -> Self {
        Self::splat(value)
    }

    #[inline(always)]
    fn broadcast(value: &Self) -> Self {
        *value
    }

    #[inline(always)]
    fn mul_uniform(self, rhs: &Self) -> Self {
        self.mul(*rhs)
    }

    #[inline(always)]
    fn from_lanes(lanes: &[F]) -> Self {
        Self(lanes[0])
    }
    #[inline(always)]
    fn to_lanes(self, lanes: &mut [F]) {
        lanes[0] = self.0;
    }
    #[inline(always)]
    fn from_integers(lanes: &[i32]) -> Self {
        Self(F::integer(lanes[0].into()))
    }
    #[inline(always)]
    fn to_words(self, lanes: &mut [[u64; 4]]) {
        let bytes = self.0.to_repr();
        let (words, _) = bytes.as_ref().as_chunks::<8>();
        lanes[0] = std::array::from_fn(|i| u64::from_le_bytes(words[i]));
    }
    #[inline(always)]
    fn add(self, rhs: Self) -> Self {
        Self(self.0 + rhs.0)
    }
    #[inline(always)]
    fn sub(self, rhs: Self) -> Self {
        Self(self.0 - rhs.0)
    }
    #[inline(always)]
    fn mul(self, rhs: Self) -> Self {
        Self(self.0 * rhs.0)
    }
    #[inline(always)]
    fn square(self) -> Self {
        Self(self.0.square())
    }
    #[inline(always)]
    fn canonical(self) -> Self {
        self
    }
    #[inline(always)]
    fn zero_lanes(self) -> u8 {
        u8::from(self.0 == F::ZERO)
    }
    #[inline(always)]
    fn add_lazy(self, rhs: Self) -> Self {
        self.add(rhs)
    }
    #[inline(always)]
    fn sub_lazy_by<const TIMES: u64>(self, rhs: Self) -> Self {
        self.sub(rhs)
    }
    #[inline(always)]
    fn constant(self) -> Self {
        self
    }
    #[inline(always)]
    fn mul_constant(self, rhs: &Self) -> Self {
        self.mul(*rhs)
    }
    #[inline(always)]
    fn mul_lazy(self, rhs: Self) -> Self {
        self.mul(rhs)
    }
    #[inline(always)]
    fn relax(self) -> Self {
        self
    }
    #[inline(always)]
    fn lanes_to_rows(_: &mut [Self; 8]) {}
    #[inline(always)]
    fn rows_to_lanes(_: &mut [Self; 8]) {}
    #[inline(always)]
    fn aligned(self, next: Self, shift: usize) -> Self {
        if shift == 0 { self } else { next }
    }
    #[inline(always)]
    fn prefetch_far(&self) {}
    #[inline(always)]
    fn empty_sum() -> Wide {
        Wide([0; 9])
    }
    #[inline(always)]
    fn add_product(Wide(sum): &mut Wide, a: Self, b: Self) {
        let (a, b) = (a.0.words(), b.0.words());
        let mut product = [0; 9];
        for (i, word) in b.into_iter().enumerate() {
            product[i + 4] = add_multiple(&mut product[i..i + 4], a, word);
        }
        let mut carry = false;
        for (sum, word) in sum.iter_mut().zip(product) {
            (*sum, carry) = sum.carrying_add(word, carry);
        }
    }
    #[inline(always)]
    fn add_integer_product(self, Wide(sum): &mut Wide, lanes: &[i32]) {
        let shifted = (i64::from(lanes[0]) + Self::INTEGER_OFFSET).cast_unsigned();
        let carry = add_multiple(&mut sum[..4], self.0.words(), shifted);
        // The sum is below 2^294.
        sum[4] = sum[4].wrapping_add(carry);
    }
    #[inline(always)]
    fn reduce_sum(sum: Wide) -> Self {
        // Words stand for their number over 2^256, and so does the product of two words: each
        // part is multiplied by the element whose words are its weight; those of 2^128 are 2^384.
        let [low, middle, high] = sum.parts::<F>();
        let weights =
            [F::from_words([1, 0, 0, 0]), F::from_words([0, 0, 0, 1]), two_64::<F>().square()];
        Self(low * weights[0] + middle * weights[1] + high * weights[2])
    }
    #[inline(always)]
    fn reduce_integer_sum(sum: Wide) -> Self {
        let [low, middle, _] = sum.parts::<F>();
        Self(low + middle * (two_64::<F>() * two_64::<F>().square()))
    }
}

/// A sum of products of words, low word first: [`super::pack::SUM_TERMS`] products of elements
/// are below 2^515.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wide([u64; 9]);

/// Adds `a·word` to four words and gives the fifth.
#[inline(always)]
fn add_multiple(to: &mut [u64], a: [u64; 4], word: u64) -> u64 {
    let mut carry = 0;
    for (to, a) in to.iter_mut().zip(a) {
        (*to, carry) = a.carrying_mul_add(word, *to, carry);
    }
    carry
}

/// 2^64. (`from_u128` would take 64 doublings.)
#[inline(always)]
fn two_64<F: From<u64> + Words>() -> F {
    F::from(1 << 63).double()
}

impl Wide {
    /// Elements with words 0 to 2, 3 to 5 and 6 to 8: three words are below p.
    #[inline(always)]
    fn parts<F: Words>(self) -> [F; 3] {
        let [a, b, c, d, e, f, g, h, i] = self.0;
        [[a, b, c], [d, e, f], [g, h, i]].map(|[a, b, c]| F::from_words([a, b, c, 0]))
    }
}

impl Coordinates for Single<Fq> {
    #[inline(always)]
    fn load_points<'a>(mut points: impl FnMut(usize) -> &'a TablePoint) -> (Self, Self) {
        let [a, b, c, d, e, f, g, h] = points(0).words;
        (Self(Fq::from_words([a, b, c, d])), Self(Fq::from_words([e, f, g, h])))
    }
    #[inline(always)]
    fn store_points(x: Self, y: Self, mut write: impl FnMut(usize, TablePoint)) {
        let ([a, b, c, d], [e, f, g, h]) = (x.0.words(), y.0.words());
        write(0, TablePoint { words: [a, b, c, d, e, f, g, h] });
    }
    #[inline(always)]
    fn prefetch(_: &TablePoint) {}
    #[inline(always)]
    fn prefetch_far_point(_: &TablePoint) {}
    #[inline(always)]
    fn replace(self, mask: u8, if_set: Self) -> Self {
        if mask & 1 == 1 { if_set } else { self }
    }
}
