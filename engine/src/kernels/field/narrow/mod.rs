//! Four field elements side by side, in Montgomery form with radix 2^261, for processors whose widest
//! multiplication is one of 32-bit halves.
//!
//! An element is nine signed limbs of 29 bits. Word `i` of a lane, for `i < 4`, has limb `i` in its
//! low half and limb `i + 4` in its high half; word 4 has limb 8 in its low half, and anything in the
//! high one. So elements are as short as with words of 64 bits, sums are five instructions, and
//! a limb is where a multiplication of halves wants it, or a shift away.
//!
//! # Bounds
//! *Relaxed* elements have limbs 0 to 7 in `[-2^28, 2^28)` and are between -1.75p and 1.75p. *Lazy*
//! ones are sums and differences of at most eight relaxed ones, with fewer than eight subtracted, so
//! that every limb is in `[-2^31, 2^31)`, and below 14p. The product of a lazy and a relaxed element
//! has columns below `9·2^31·2^28`, its reduction adds less than `9·2^58 + 2^35` to each, and
//! together that is below 2^63: biased by 2^63 they fit 64 bits, and a logical shift is a signed one.
//! It is between -14·1.75·p²/2^261 > -0.15p and 0.15p + 1.5p, as p < 0.006·2^261.

use std::marker::PhantomData;

use halo2_proofs::halo2curves::bn256::Fq;

use self::{
    limbs::{
        BIAS, BITS, CARRIED, LIMBS, MASK, ONE, add_row, balance, biases, canonical, constant,
        decode, encode, in_registers, join_words, map, multiply, pack, reduce_column, reduce_last,
        relax, split_words, square, unpack, unrolled, zip,
    },
    quads::Quad,
};
use super::{
    modulus::{Modulus, NARROW_BITS, split},
    pack::{Coordinates, Pack, TablePoint},
};

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vector instructions; see the module")]
pub(super) mod avx2;
mod limbs;
pub(super) mod quads;
#[cfg(test)]
mod tests;

/// Products that a sum holds before it is carried: eight have columns below 8·9·2^56.
const UNCARRIED: u32 = 8;

/// Four elements of `F` on the lanes `L`.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Narrow<F, L>([L; 5], PhantomData<F>);

impl<F, L: Copy> Clone for Narrow<F, L> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<F, L: Copy> Copy for Narrow<F, L> {}

/// Columns of a sum of products, and how many products were added since they were carried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns<L>([L; 2 * LIMBS], u32);

impl<L: Quad> Columns<L> {
    /// Carries between the first `count` signed columns, which are then limbs that are not negative,
    /// and to the next one.
    #[inline(always)]
    fn carry(&mut self, count: usize) {
        for i in 0..count {
            let column = self.0[i].add(L::splat(BIAS));
            let carried = column.shift_right::<BITS>().add(L::splat(CARRIED.wrapping_neg()));
            self.0[i] = column.and(L::splat(MASK));
            self.0[i + 1] = self.0[i + 1].add(carried);
        }
        self.1 = 0;
    }

    /// Makes room for one more product that fills `columns`.
    #[inline(always)]
    fn count(&mut self, columns: usize) {
        if self.1 == UNCARRIED {
            self.carry(columns);
        }
        self.1 += 1;
    }
}

impl<F: Modulus, L: Quad> Narrow<F, L> {
    #[inline(always)]
    fn new(words: [L; 5]) -> Self {
        Self(words, PhantomData)
    }

    /// The 64-bit words, one lane after the other, of the integer below p that the limbs of the
    /// product with a constant are.
    #[inline(always)]
    fn words_times(self, constant: [u64; LIMBS]) -> [L; 4] {
        let product = multiply::<F, L>(self.0, limbs::constant(constant));
        L::transpose(join_words(canonical::<F, L>(product)))
    }
}

/// One of the five words of eight packs.
#[inline(always)]
fn word_of<F: Modulus, L: Quad>(packs: &[Narrow<F, L>; 8], word: usize) -> [L; 8] {
    map(
        *packs,
        #[inline(always)]
        |pack| pack.0[word],
    )
}

impl<F: Modulus, L: Quad> Pack<F> for Narrow<F, L> {
    const WIDTH: usize = 4;
    const INTEGER_OFFSET: i64 = 0;
    type Sum = Columns<L>;
    type Uniform = Self;
    type Constant = Self;

    #[inline(always)]
    fn zero() -> Self {
        Self::new([L::splat(0); 5])
    }

    #[inline(always)]
    fn splat(value: F) -> Self {
        let limbs = constant(split(value.words(), NARROW_BITS));
        Self::new(multiply::<F, L>(limbs, constant(F::NARROW.from_words)))
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
        let words = [lanes[0].words(), lanes[1].words(), lanes[2].words(), lanes[3].words()];
        let limbs = pack(split_words(L::transpose(map(words, L::from_array))));
        Self::new(multiply::<F, L>(limbs, constant(F::NARROW.from_words)))
    }

    #[inline(always)]
    fn to_lanes(self, lanes: &mut [F]) {
        for (to, words) in lanes[..4].iter_mut().zip(self.words_times(F::NARROW.to_words)) {
            *to = F::from_words(words.to_array());
        }
    }

    #[inline(always)]
    fn from_integers(lanes: &[i32]) -> Self {
        let zero = L::splat(0);
        let limb = L::from_array(std::array::from_fn(|i| u64::from(lanes[i].cast_unsigned())));
        let integer = [limb, zero, zero, zero, zero];
        Self::new(multiply::<F, L>(integer, constant(F::NARROW.radix_squared)))
    }

    #[inline(always)]
    fn to_words(self, lanes: &mut [[u64; 4]]) {
        for (to, words) in lanes[..4].iter_mut().zip(self.words_times(ONE)) {
            *to = words.to_array();
        }
    }

    #[inline(always)]
    fn add(self, rhs: Self) -> Self {
        self.add_lazy(rhs).relax()
    }

    #[inline(always)]
    fn sub(self, rhs: Self) -> Self {
        self.sub_lazy(rhs).relax()
    }

    #[inline(always)]
    fn mul(self, rhs: Self) -> Self {
        Self::new(multiply::<F, L>(self.0, rhs.0))
    }

    #[inline(always)]
    fn square(self) -> Self {
        Self::new(square::<F, L>(self.0))
    }

    #[inline(always)]
    fn canonical(self) -> Self {
        Self::new(balance(canonical::<F, L>(self.0), 0))
    }

    #[inline(always)]
    fn zero_lanes(self) -> u8 {
        // Within 0.51p of zero, zero is the only multiple of p, and has zero limbs only.
        let [a, b, c, d, top] = relax::<F, L>(self.0);
        a.or(b).or(c).or(d).or(top.shift_left::<32>()).zero_lanes()
    }

    #[inline(always)]
    fn add_lazy(self, rhs: Self) -> Self {
        Self::new(zip(self.0, rhs.0, L::add_halves))
    }

    #[inline(always)]
    fn sub_lazy_by<const TIMES: u64>(self, rhs: Self) -> Self {
        // Elements may be negative: there is no need for a multiple of p.
        Self::new(zip(self.0, rhs.0, L::sub_halves))
    }

    #[inline(always)]
    fn mul_lazy(self, rhs: Self) -> Self {
        self.mul(rhs)
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
    fn relax(self) -> Self {
        Self::new(relax::<F, L>(self.0))
    }

    #[inline(always)]
    fn lanes_to_rows(packs: &mut [Self; 8]) {
        for word in 0..5 {
            let [a, b, c, d, e, f, g, h] = word_of(packs, word);
            let (low, high) = (L::transpose([a, b, c, d]), L::transpose([e, f, g, h]));
            for (lane, (low, high)) in low.into_iter().zip(high).enumerate() {
                packs[2 * lane].0[word] = low;
                packs[2 * lane + 1].0[word] = high;
            }
        }
    }

    #[inline(always)]
    fn rows_to_lanes(packs: &mut [Self; 8]) {
        for word in 0..5 {
            let [a, b, c, d, e, f, g, h] = word_of(packs, word);
            let (low, high) = (L::transpose([a, c, e, g]), L::transpose([b, d, f, h]));
            for (place, column) in low.into_iter().chain(high).enumerate() {
                packs[place].0[word] = column;
            }
        }
    }

    #[inline(always)]
    fn aligned(self, next: Self, shift: usize) -> Self {
        Self::new(zip(
            self.0,
            next.0,
            #[inline(always)]
            |word, next| word.aligned(next, shift),
        ))
    }

    #[inline(always)]
    fn prefetch_far(&self) {
        // Two words are a cache line.
        self.0.iter().step_by(2).for_each(L::prefetch_far);
    }

    #[inline(always)]
    fn empty_sum() -> Columns<L> {
        Columns([L::splat(0); 2 * LIMBS], 0)
    }

    #[inline(always)]
    fn add_product(sum: &mut Columns<L>, a: Self, b: Self) {
        sum.count(2 * LIMBS - 1);
        let (a, b) = (unpack(a.0), unpack(b.0));
        unrolled!(J in [0 1 2 3 4 5 6 7 8] {
            add_row(&mut sum.0[J..J + LIMBS], &a, b[J]);
        });
    }

    #[inline(always)]
    fn add_integer_product(self, sum: &mut Columns<L>, lanes: &[i32]) {
        // Eight have columns below 8·2^28·2^31.
        sum.count(LIMBS);
        let factor = L::from_array(std::array::from_fn(|i| u64::from(lanes[i].cast_unsigned())));
        for (column, limb) in sum.0.iter_mut().zip(unpack(self.0)) {
            *column = column.add(limb.multiply(factor));
        }
    }

    #[inline(always)]
    fn reduce_sum(mut sum: Columns<L>) -> Self {
        sum.carry(2 * LIMBS - 1);
        let (mut t, friendly): ([L; LIMBS], _) = (biases(), in_registers(F::NARROW_FRIENDLY));
        for (to, column) in t.iter_mut().zip(sum.0) {
            *to = to.add(column);
        }
        for column in &sum.0[LIMBS..2 * LIMBS - 1] {
            reduce_column(&mut t, &friendly);
            t[LIMBS - 1] = t[LIMBS - 1].add(*column);
        }
        // The last column of all is above those that are left; it counts in the top limb.
        let [a, b, c, d, top] = reduce_last::<F, L>(t);
        let sum = [a, b, c, d, top.add_halves(sum.0[2 * LIMBS - 1])];
        // 128 products below (1.75p)² are below 392·0.006·p·2^261 < 2.4p·2^261.
        Self::new(relax::<F, L>(sum))
    }

    #[inline(always)]
    fn reduce_integer_sum(mut sum: Columns<L>) -> Self {
        sum.carry(LIMBS);
        let mut low = [L::splat(0); LIMBS];
        low.copy_from_slice(&sum.0[..LIMBS]);
        // Limb by limb, value = low + 2^261·high, and the radix turns the high one into itself.
        let low = multiply::<F, L>(pack(low), constant(ONE));
        let mut high = [L::splat(0); LIMBS];
        high[0] = sum.0[LIMBS];
        let sum = zip(low, balance(high, 0), L::add_halves);
        Self::new(multiply::<F, L>(sum, constant(F::NARROW.radix_squared)))
    }
}

impl<L: Quad> Coordinates for Narrow<Fq, L> {
    #[inline(always)]
    fn load_points<'a>(mut points: impl FnMut(usize) -> &'a TablePoint) -> (Self, Self) {
        let (mut x, mut y) = ([L::splat(0); 4], [L::splat(0); 4]);
        for lane in 0..4 {
            let [a, b, c, d, e, f, g, h] = points(lane).words;
            x[lane] = L::from_array([a, b, c, d]);
            y[lane] = L::from_array([e, f, g, h]);
        }
        (Self::new(decode(L::transpose(x))), Self::new(decode(L::transpose(y))))
    }

    #[inline(always)]
    fn store_points(x: Self, y: Self, mut write: impl FnMut(usize, TablePoint)) {
        let (x, y) = (L::transpose(encode(x.0)), L::transpose(encode(y.0)));
        for lane in 0..4 {
            let ([a, b, c, d], [e, f, g, h]) = (x[lane].to_array(), y[lane].to_array());
            write(lane, TablePoint { words: [a, b, c, d, e, f, g, h] });
        }
    }

    #[inline(always)]
    fn prefetch(point: &TablePoint) {
        L::prefetch(&point.words);
    }

    #[inline(always)]
    fn prefetch_far_point(point: &TablePoint) {
        L::prefetch_far(&point.words);
    }

    #[inline(always)]
    fn replace(self, mask: u8, if_set: Self) -> Self {
        Self::new(zip(
            self.0,
            if_set.0,
            #[inline(always)]
            |word, set| word.replace(mask, set),
        ))
    }
}
