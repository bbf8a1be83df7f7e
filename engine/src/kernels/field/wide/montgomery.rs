//! Eight field elements side by side, in Montgomery form with radix 2^260.
//!
//! An element is five limbs of 52 bits; a vector holds limb `i` of its eight elements in word `i`.
//! The product of `a < 8p` and `b < 8p`, or of a lazy `a < 20p` and a relaxed `b < 2p`, is reduced
//! to below `64p²/2^260 + 1.13p < 1.9p`, since `p < 0.012·2^260`.

use std::marker::PhantomData;

use halo2_proofs::halo2curves::bn256::Fq;

use super::{
    super::{
        modulus::{LIMBS, Modulus, multiples_below_units, split},
        pack::{Coordinates, Pack, TablePoint},
    },
    lanes::{LIMB_BITS, LIMB_MASK, Lanes},
    limbs::{
        PRODUCT_TERMS, REDUCTION_TERMS, add_columns, bias, constant, join_lanes, multiple,
        multiply, multiply_constant, normalize, reduce_columns, split_lanes, square, zip,
    },
};

/// Eight elements of `F` on the lanes `L`.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Vector<F, L>([L; LIMBS], PhantomData<F>);

impl<F, L: Copy> Clone for Vector<F, L> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<F, L: Copy> Copy for Vector<F, L> {}

/// What the top limb of a lazy element lacks in carries at most: the other limbs are within 2^62 of
/// zero. A product that is not carried has limbs below 19·2^52 + 2^6; the sums with the most of them,
/// 28, are those of transforms, which add multiples of p 14 times, of 18p at most. That is less than
/// 28·20 + 14·18 < 2^10 times 2^52.
const MAX_CARRY: u64 = 1 << 10;

/// Adds what the table says for the top bits of `t`, in units of 2^253 (0.66p).
#[inline(always)]
fn adjust<L: Lanes>(t: [L; LIMBS], table: &[[u64; 8]; LIMBS]) -> [L; LIMBS] {
    let index = t[4].shift_right::<{ 253 - 4 * LIMB_BITS }>();
    normalize(std::array::from_fn(|i| t[i].add(index.look_up(&table[i]))))
}

impl<F: Modulus, L: Lanes> Vector<F, L> {
    #[inline(always)]
    fn new(limbs: [L; LIMBS]) -> Self {
        Self(limbs, PhantomData)
    }
}

impl<F: Modulus, L: Lanes> Pack<F> for Vector<F, L> {
    const WIDTH: usize = 8;
    const INTEGER_OFFSET: i64 = 1 << 31;
    /// Columns, and how many terms they hold.
    type Sum = ([L; 10], u32);
    /// The limbs of one lane of a [`Pack::Constant`].
    type Uniform = [[u64; LIMBS]; 2];
    /// The factor times 2^-104, and itself: in the lanes `w·2^156` and `w·2^260`.
    type Constant = [Self; 2];

    #[inline(always)]
    fn zero() -> Self {
        Self::new(constant([0; LIMBS]))
    }

    #[inline(always)]
    fn splat(value: F) -> Self {
        let limbs = constant(split(value.words(), LIMB_BITS));
        Self::new(multiply::<F, L>(limbs, constant(F::WIDE.from_words)))
    }

    #[inline(always)]
    fn uniform(value: F) -> [[u64; LIMBS]; 2] {
        let packs = Self::splat(value).constant();
        packs.map(|pack| pack.0.map(|limb| limb.to_array()[0]))
    }

    #[inline(always)]
    fn broadcast([_, value]: &[[u64; LIMBS]; 2]) -> Self {
        Self::new(constant(*value))
    }

    #[inline(always)]
    fn mul_uniform(self, rhs: &[[u64; LIMBS]; 2]) -> Self {
        let factors = [constant(rhs[0]), constant(rhs[1])];
        Self::new(normalize(multiply_constant::<F, L>(normalize(self.0), factors)))
    }

    #[inline(always)]
    fn from_lanes(lanes: &[F]) -> Self {
        let words: [[u64; 4]; 8] = std::array::from_fn(|lane| lanes[lane].words());
        let column = |i: usize| L::from_array(std::array::from_fn(|lane| words[lane][i]));
        let limbs = split_lanes([column(0), column(1), column(2), column(3)]);
        Self::new(multiply::<F, L>(limbs, constant(F::WIDE.from_words)))
    }

    #[inline(always)]
    fn to_lanes(self, lanes: &mut [F]) {
        let limbs = multiply::<F, L>(self.0, constant(F::WIDE.to_words));
        let words = join_lanes(Self::new(limbs).canonical().0).map(L::to_array);
        for (lane, to) in lanes[..8].iter_mut().enumerate() {
            *to = F::from_words(std::array::from_fn(|i| words[i][lane]));
        }
    }

    #[inline(always)]
    fn from_integers(lanes: &[i32]) -> Self {
        let magnitude = L::from_array(std::array::from_fn(|i| lanes[i].unsigned_abs().into()));
        let sign = L::from_array(std::array::from_fn(|i| i64::from(lanes[i]).cast_unsigned()));
        let zero = L::splat(0);
        let limbs = [magnitude, zero, zero, zero, zero];
        let positive = multiply::<F, L>(limbs, constant(F::WIDE.radix_squared));
        let negative = normalize(zip(multiple::<F, L>(2), positive, L::sub));
        Self::new(zip(negative, positive, |negative, positive| {
            sign.select_negative(negative, positive)
        }))
    }

    #[inline(always)]
    fn to_words(self, lanes: &mut [[u64; 4]]) {
        let limbs = multiply::<F, L>(self.0, constant([1, 0, 0, 0, 0]));
        let words = join_lanes(Self::new(limbs).canonical().0).map(L::to_array);
        for (lane, to) in lanes[..8].iter_mut().enumerate() {
            *to = std::array::from_fn(|i| words[i][lane]);
        }
    }

    #[inline(always)]
    fn add(self, rhs: Self) -> Self {
        // Below 6.1 units: at least the multiple of p in that many units goes, so what stays is
        // below one unit and p. A carry into the top limb changes that by 2^-45 units.
        Self::new(adjust(zip(self.0, rhs.0, L::add), &F::AFTER_ADD))
    }

    #[inline(always)]
    fn sub(self, rhs: Self) -> Self {
        // Between -3.1 and 3.1 units.
        Self::new(adjust(zip(self.0, rhs.0, L::sub), &F::AFTER_SUB))
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
        let difference = normalize(zip(self.0, multiple::<F, L>(1), L::sub));
        let sign = difference[4];
        Self::new(zip(self.0, difference, |limb, less| sign.select_negative(limb, less)))
    }

    #[inline(always)]
    fn zero_lanes(self) -> u8 {
        // Zero has two representatives below 2p: 0 and p.
        let all_zero = |[a, b, c, d, e]: [L; LIMBS]| a.or(b).or(c).or(d).or(e).zero_lanes();
        all_zero(self.0) | all_zero(zip(self.0, multiple::<F, L>(1), L::sub))
    }

    #[inline(always)]
    fn add_lazy(self, rhs: Self) -> Self {
        Self::new(zip(self.0, rhs.0, L::add))
    }

    #[inline(always)]
    fn sub_lazy_by<const TIMES: u64>(self, rhs: Self) -> Self {
        Self::new(zip(zip(self.0, multiple::<F, L>(TIMES), L::add), rhs.0, L::sub))
    }

    #[inline(always)]
    fn mul_lazy(self, rhs: Self) -> Self {
        Self::new(multiply::<F, L>(normalize(self.0), rhs.0))
    }

    #[inline(always)]
    fn constant(self) -> [Self; 2] {
        [Self::new(multiply::<F, L>(self.0, constant([0, 0, 0, 1, 0]))), self]
    }

    #[inline(always)]
    fn mul_constant(self, [low, high]: &[Self; 2]) -> Self {
        Self::new(normalize(multiply_constant::<F, L>(normalize(self.0), [low.0, high.0])))
    }

    #[inline(always)]
    fn mul_uncarried(self, [low, high]: &[Self; 2]) -> Self {
        Self::new(multiply_constant::<F, L>(normalize(self.0), [low.0, high.0]))
    }

    #[inline(always)]
    fn add_multiple<const TIMES: u64>(self) -> Self {
        Self::new(zip(self.0, multiple::<F, L>(TIMES), L::add))
    }

    #[inline(always)]
    fn relax_above<const TIMES: u64>(self) -> Self {
        // By the units of 2^255 (2.65p) in the top limb, of which there are less than 8. Adding what
        // it may lack in carries makes the index right, or that of the next unit within 2^-37 units
        // of it: the multiples of p in the table are at least 0.2p below their units.
        let index = self.0[4].add(L::splat(MAX_CARRY)).shift_right::<{ 255 - 4 * LIMB_BITS }>();
        let table = const { multiples_below_units(F::WIDE.modulus, TIMES) };
        Self::new(std::array::from_fn(|i| self.0[i].add(index.look_up(&table[i]))))
    }

    #[inline(always)]
    fn relax(self) -> Self {
        // The top limb of p is 0.9924·2^50/21, so 21·top/2^50 is 0.9924 of the multiple of p in
        // there: at most 15, never too many, and what stays is below p + 0.0076·16p. Adding what the
        // top limb may lack in carries keeps it from being negative, and is too little to matter
        // where anything is subtracted.
        let top = self.0[4].add(L::splat(MAX_CARRY));
        let times_21 = top.add(top.shift_left::<2>()).add(top.shift_left::<4>());
        let index = times_21.shift_right::<50>();
        Self::new(normalize(std::array::from_fn(|i| {
            self.0[i].add(index.look_up_16(&F::AFTER_LAZY[i]))
        })))
    }

    #[inline(always)]
    fn lanes_to_rows(packs: &mut [Self; 8]) {
        for limb in 0..LIMBS {
            let columns = L::transpose(std::array::from_fn(
                #[inline(always)]
                |pack| packs[pack].0[limb],
            ));
            for (to, column) in packs.iter_mut().zip(columns) {
                to.0[limb] = column;
            }
        }
    }

    #[inline(always)]
    fn rows_to_lanes(packs: &mut [Self; 8]) {
        Self::lanes_to_rows(packs);
    }

    #[inline(always)]
    fn aligned(self, next: Self, shift: usize) -> Self {
        let index = std::array::from_fn(|lane| (lane + shift) as u64);
        Self::new(zip(self.0, next.0, |limb, next| limb.shuffle(next, index)))
    }

    #[inline(always)]
    fn prefetch_far(&self) {
        self.0.iter().for_each(L::prefetch_far);
    }

    #[inline(always)]
    fn empty_sum() -> Self::Sum {
        ([L::splat(0); 10], 0)
    }

    #[inline(always)]
    fn add_product((t, terms): &mut Self::Sum, a: Self, b: Self) {
        add_columns(t, &a.0.map(L::factor), &b.0.map(L::factor));
        *terms += 1;
    }

    #[inline(always)]
    fn add_integer_product(self, (t, terms): &mut Self::Sum, lanes: &[i32]) {
        let shifted = |i| (i64::from(lanes[i]) + Self::INTEGER_OFFSET).cast_unsigned();
        let shifted = std::array::from_fn(shifted);
        let factor = L::from_array(shifted).factor();
        L::multiply_add(&mut t[..=LIMBS], &self.0.map(L::factor), factor);
        *terms += 1;
    }

    #[inline(always)]
    fn reduce_sum((t, terms): Self::Sum) -> Self {
        let terms = u64::from(terms);
        let mut t: [L; 10] =
            std::array::from_fn(|i| t[i].add(L::splat(bias::<L>(&PRODUCT_TERMS, i, terms))));
        // Carry, so that the columns are as small as those of one product.
        let mask = L::splat(LIMB_MASK);
        for i in 0..9 {
            t[i + 1] = t[i + 1].add(t[i].carry());
            t[i] = t[i].and(mask);
        }
        let reduction = |i| L::splat(bias::<L>(&REDUCTION_TERMS, i, 1));
        let t = std::array::from_fn(|i| t[i].add(reduction(i)));
        // 128 products below (2p)² are below 512·0.012·p·2^260 < 6.2p·2^260.
        Self::new(reduce_columns::<F, L>(t)).relax()
    }

    #[inline(always)]
    fn reduce_integer_sum((t, terms): Self::Sum) -> Self {
        let terms = u64::from(terms);
        let unbiased = |i: usize| {
            let low = if i < 5 { L::LOW_BIAS } else { 0 };
            let high = if i > 0 { L::HIGH_BIAS } else { 0 };
            t[i].sub(L::splat(low.wrapping_add(high).wrapping_mul(terms)))
        };
        // Below 2^7·2^32·2p < 2^294: six limbs.
        let mut limbs: [L; 6] = std::array::from_fn(unbiased);
        let mask = L::splat(LIMB_MASK);
        for i in 0..5 {
            limbs[i + 1] = limbs[i + 1].add(limbs[i].carry());
            limbs[i] = limbs[i].and(mask);
        }
        // The low five limbs are below 2^260 and the high one below 2^56: limb by limb,
        // value = low + 2^260·high, and the radix turns the high one into itself.
        let [a, b, c, d, e, f] = limbs;
        let low = multiply::<F, L>([a, b, c, d, e], constant([1, 0, 0, 0, 0]));
        let zero = L::splat(0);
        let high = [f, zero, zero, zero, zero];
        // low/2^260 + high, times 2^260.
        let sum = zip(low, high, L::add);
        Self::new(multiply::<F, L>(normalize(sum), constant(F::WIDE.radix_squared)))
    }
}

impl<L: Lanes> Coordinates for Vector<Fq, L> {
    #[inline(always)]
    fn load_points<'a>(mut points: impl FnMut(usize) -> &'a TablePoint) -> (Self, Self) {
        let rows: [L; 8] = std::array::from_fn(|lane| L::from_array(points(lane).words));
        let [a, b, c, d, e, f, g, h] = L::transpose(rows);
        (Self::new(split_lanes([a, b, c, d])), Self::new(split_lanes([e, f, g, h])))
    }

    #[inline(always)]
    fn store_points(x: Self, y: Self, mut write: impl FnMut(usize, TablePoint)) {
        let [a, b, c, d] = join_lanes(x.0);
        let [e, f, g, h] = join_lanes(y.0);
        let rows = L::transpose([a, b, c, d, e, f, g, h]);
        for (lane, row) in rows.into_iter().enumerate() {
            write(lane, TablePoint { words: row.to_array() });
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
        Self::new(zip(self.0, if_set.0, |limb, set| limb.replace(mask, set)))
    }
}
