//! Eight field elements side by side, in Montgomery form with radix 2^260.
//!
//! An element is five limbs of 52 bits; a vector holds limb `i` of its eight elements in word `i`.
//! The product of `a < 8p` and `b < 8p` is reduced to below `64p²/2^260 + p < 1.8p`, since
//! `p < 0.012·2^260`.

use std::marker::PhantomData;

use halo2_proofs::halo2curves::bn256::{Fq, Fr};

use super::{
    lanes::{LIMB_BITS, LIMB_MASK, Lanes},
    pack::{Coordinates, INTEGER_OFFSET, Pack, TablePoint, Words},
};

const LIMBS: usize = 5;

/// The constants of a prime below 2^254.
pub(crate) trait Modulus: Words {
    /// The prime, low word first.
    const WORDS: [u64; 4];
    /// The prime in limbs.
    const LIMBS: [u64; LIMBS] = split(Self::WORDS);
    /// `-1/p` mod 2^52.
    const INVERSE: u64 = negative_inverse(Self::WORDS[0]);
    /// 2^520 mod p: turns an integer into Montgomery form.
    const RADIX_SQUARED: [u64; LIMBS] = split(power_of_two(Self::WORDS, 520));
    /// 2^264 mod p: from radix 2^256 to 2^260.
    const FROM_WORDS: [u64; LIMBS] = split(power_of_two(Self::WORDS, 264));
    /// 2^256 mod p: from radix 2^260 to 2^256.
    const TO_WORDS: [u64; LIMBS] = split(power_of_two(Self::WORDS, 256));
    /// By top bits `i`, minus the multiple of p in `i·2^253`.
    const AFTER_ADD: [[u64; 8]; LIMBS] = multiples(Self::LIMBS, [0, 0, -1, -1, -2, -3, -3, -4]);
    /// By top bits `i`, which mean `i - 8` from 4 on: the multiple of p that brings `[i, i + 1)`
    /// times 2^253, and a bit more on both sides, to `[0, 2p)`.
    const AFTER_SUB: [[u64; 8]; LIMBS] = multiples(Self::LIMBS, [1, 0, -1, -1, 3, 2, 2, 1]);
    /// Minus 0 to 15 times p.
    const AFTER_LAZY: [[[u64; 8]; 2]; LIMBS] = {
        let low = multiples(Self::LIMBS, [0, -1, -2, -3, -4, -5, -6, -7]);
        let high = multiples(Self::LIMBS, [-8, -9, -10, -11, -12, -13, -14, -15]);
        let mut both = [[[0; 8]; 2]; LIMBS];
        let mut i = 0;
        while i < LIMBS {
            both[i] = [low[i], high[i]];
            i += 1;
        }
        both
    };
}

impl Modulus for Fr {
    const WORDS: [u64; 4] = [
        0x43e1_f593_f000_0001,
        0x2833_e848_79b9_7091,
        0xb850_45b6_8181_585d,
        0x3064_4e72_e131_a029,
    ];
}

impl Modulus for Fq {
    const WORDS: [u64; 4] = [
        0x3c20_8c16_d87c_fd47,
        0x9781_6a91_6871_ca8d,
        0xb850_45b6_8181_585d,
        0x3064_4e72_e131_a029,
    ];
}

const fn split(w: [u64; 4]) -> [u64; LIMBS] {
    [
        w[0] & LIMB_MASK,
        (w[0] >> 52 | w[1] << 12) & LIMB_MASK,
        (w[1] >> 40 | w[2] << 24) & LIMB_MASK,
        (w[2] >> 28 | w[3] << 36) & LIMB_MASK,
        w[3] >> 16,
    ]
}

/// Limb by limb, these multiples of p, mod 2^64 and without carries.
const fn multiples(p: [u64; LIMBS], times: [i64; 8]) -> [[u64; 8]; LIMBS] {
    let mut table = [[0; 8]; LIMBS];
    let mut i = 0;
    while i < LIMBS {
        let mut j = 0;
        while j < 8 {
            table[i][j] = p[i].wrapping_mul(times[j].cast_unsigned());
            j += 1;
        }
        i += 1;
    }
    table
}

/// Newton's iteration for the inverse of an odd number mod 2^64.
const fn negative_inverse(p: u64) -> u64 {
    let mut inverse = 1_u64;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(p.wrapping_mul(inverse)));
        step += 1;
    }
    inverse.wrapping_neg() & LIMB_MASK
}

/// 2^exponent mod p by doublings.
const fn power_of_two(p: [u64; 4], exponent: u32) -> [u64; 4] {
    let mut value = [1, 0, 0, 0];
    let mut step = 0;
    while step < exponent {
        // p < 2^254, so the double of a smaller value has no carry out of the words.
        let doubled = [
            value[0] << 1,
            value[1] << 1 | value[0] >> 63,
            value[2] << 1 | value[1] >> 63,
            value[3] << 1 | value[2] >> 63,
        ];
        value = subtract_if_not_less(doubled, p);
        step += 1;
    }
    value
}

const fn subtract_if_not_less(a: [u64; 4], p: [u64; 4]) -> [u64; 4] {
    let mut difference = [0; 4];
    let mut borrow = false;
    let mut i = 0;
    while i < 4 {
        let (d, b0) = a[i].overflowing_sub(p[i]);
        let (d, b1) = d.overflowing_sub(if borrow { 1 } else { 0 });
        difference[i] = d;
        borrow = b0 || b1;
        i += 1;
    }
    if borrow { a } else { difference }
}

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

/// Limbs of `times` times the modulus, in every lane.
#[inline(always)]
fn multiple<F: Modulus, L: Lanes>(times: u64) -> [L; LIMBS] {
    // No check of an overflow that cannot be: with one, the compiler calls this.
    constant(F::LIMBS.map(|limb| limb.wrapping_mul(times)))
}

#[inline(always)]
fn constant<L: Lanes>(limbs: [u64; LIMBS]) -> [L; LIMBS] {
    limbs.map(L::splat)
}

#[inline(always)]
fn zip<L: Lanes>(a: [L; LIMBS], b: [L; LIMBS], f: impl Fn(L, L) -> L) -> [L; LIMBS] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

/// Carries between limbs; the top limb keeps the sign.
#[inline(always)]
fn normalize<L: Lanes>(mut t: [L; LIMBS]) -> [L; LIMBS] {
    let mask = L::splat(LIMB_MASK);
    for i in 0..LIMBS - 1 {
        t[i + 1] = t[i + 1].add(t[i].carry());
        t[i] = t[i].and(mask);
    }
    t
}

/// Words to limbs, lane by lane.
#[inline(always)]
fn split_lanes<L: Lanes>(w: [L; 4]) -> [L; LIMBS] {
    let mask = L::splat(LIMB_MASK);
    [
        w[0].and(mask),
        w[0].shift_right::<52>().or(w[1].shift_left::<12>()).and(mask),
        w[1].shift_right::<40>().or(w[2].shift_left::<24>()).and(mask),
        w[2].shift_right::<28>().or(w[3].shift_left::<36>()).and(mask),
        w[3].shift_right::<16>(),
    ]
}

/// Limbs to words, lane by lane.
#[inline(always)]
fn join_lanes<L: Lanes>(t: [L; LIMBS]) -> [L; 4] {
    [
        t[0].or(t[1].shift_left::<52>()),
        t[1].shift_right::<12>().or(t[2].shift_left::<40>()),
        t[2].shift_right::<24>().or(t[3].shift_left::<28>()),
        t[3].shift_right::<36>().or(t[4].shift_left::<16>()),
    ]
}

/// How often each column of a product of two five-limb numbers gets a low half.
const LOW_TERMS: [u64; 10] = [1, 2, 3, 4, 5, 4, 3, 2, 1, 0];

/// Minus the biases of `products` five-limb products and, if `reduced`, of the reduction.
#[inline(always)]
const fn bias<L: Lanes>(column: usize, products: u64) -> u64 {
    let high = if column == 0 { 0 } else { LOW_TERMS[column - 1] };
    let low = LOW_TERMS[column].wrapping_mul(L::LOW_BIAS);
    low.wrapping_add(high.wrapping_mul(L::HIGH_BIAS)).wrapping_mul(products).wrapping_neg()
}

/// Adds `a · b` to ten columns.
#[inline(always)]
fn add_columns<L: Lanes>(t: &mut [L; 10], a: &[L::Factor; LIMBS], b: &[L::Factor; LIMBS]) {
    for j in 0..LIMBS {
        for i in 0..LIMBS {
            (t[i + j], t[i + j + 1]) = L::multiply_add(t[i + j], t[i + j + 1], a[i], b[j]);
        }
    }
}

/// Montgomery's reduction of ten columns, which must have had the bias of one product more than
/// they hold: `t/2^260`, below `t/2^260 + p`.
#[inline(always)]
fn reduce_columns<F: Modulus, L: Lanes>(mut t: [L; 10]) -> [L; LIMBS] {
    let p = constant::<L>(F::LIMBS).map(L::factor);
    let inverse = L::splat(F::INVERSE).factor();
    for i in 0..LIMBS {
        let m = L::multiply_low(t[i].low_factor(), inverse);
        for j in 0..LIMBS {
            (t[i + j], t[i + j + 1]) = L::multiply_add(t[i + j], t[i + j + 1], m, p[j]);
        }
        // Column i is now a multiple of 2^52, and complete: its biases have cancelled.
        t[i + 1] = t[i + 1].add(t[i].carry());
    }
    normalize([t[5], t[6], t[7], t[8], t[9]])
}

#[inline(always)]
fn multiply<F: Modulus, L: Lanes>(a: [L; LIMBS], b: [L; LIMBS]) -> [L; LIMBS] {
    let mut t: [L; 10] = std::array::from_fn(|column| L::splat(bias::<L>(column, 2)));
    add_columns(&mut t, &a.map(L::factor), &b.map(L::factor));
    reduce_columns::<F, L>(t)
}

/// `t - times·p` where that is not negative, else `t`; `t` is normalized.
#[inline(always)]
fn subtract_multiple<F: Modulus, L: Lanes>(t: [L; LIMBS], times: u64) -> [L; LIMBS] {
    let difference = normalize(zip(t, multiple::<F, L>(times), L::sub));
    let sign = difference[4];
    zip(t, difference, |t, difference| sign.select_negative(t, difference))
}

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
    /// Columns, and how many terms they hold.
    type Sum = ([L; 10], u32);

    #[inline(always)]
    fn zero() -> Self {
        Self::new(constant([0; LIMBS]))
    }

    #[inline(always)]
    fn splat(value: F) -> Self {
        let limbs = constant(split(value.words()));
        Self::new(multiply::<F, L>(limbs, constant(F::FROM_WORDS)))
    }

    #[inline(always)]
    fn from_lanes(lanes: &[F]) -> Self {
        let words: [[u64; 4]; 8] = std::array::from_fn(|lane| lanes[lane].words());
        let column = |i: usize| L::from_array(std::array::from_fn(|lane| words[lane][i]));
        let limbs = split_lanes([column(0), column(1), column(2), column(3)]);
        Self::new(multiply::<F, L>(limbs, constant(F::FROM_WORDS)))
    }

    #[inline(always)]
    fn to_lanes(self, lanes: &mut [F]) {
        let limbs = multiply::<F, L>(self.0, constant(F::TO_WORDS));
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
        let positive = multiply::<F, L>(limbs, constant(F::RADIX_SQUARED));
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
    fn canonical(self) -> Self {
        Self::new(subtract_multiple::<F, L>(subtract_multiple::<F, L>(self.0, 2), 1))
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
    fn relax(self) -> Self {
        // The top limb of p is 0.9924·2^50/21, so 21·top/2^50 is 0.9924 of the multiple of p in
        // there: at most 15, never too many, and what stays is below p + 0.0076·16p. The top limb
        // lacks the carries, below 2^10, of the others; adding 2^10 keeps it from being negative,
        // and is too little to matter where anything is subtracted.
        let top = self.0[4].add(L::splat(1 << 10));
        let times_21 = top.add(top.shift_left::<2>()).add(top.shift_left::<4>());
        let index = times_21.shift_right::<50>();
        Self::new(normalize(std::array::from_fn(|i| {
            self.0[i].add(index.look_up_16(&F::AFTER_LAZY[i]))
        })))
    }

    #[inline(always)]
    fn transpose(packs: [Self; 8]) -> [Self; 8] {
        let mut transposed = packs;
        for limb in 0..LIMBS {
            let columns = L::transpose(std::array::from_fn(
                #[inline(always)]
                |pack| packs[pack].0[limb],
            ));
            for (to, column) in transposed.iter_mut().zip(columns) {
                to.0[limb] = column;
            }
        }
        transposed
    }

    #[inline(always)]
    fn window(self, next: Self, shift: usize) -> Self {
        let index = std::array::from_fn(|lane| (lane + shift) as u64);
        Self::new(zip(self.0, next.0, |limb, next| limb.shuffle(next, index)))
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
        let shifted = |i| (i64::from(lanes[i]) + INTEGER_OFFSET).cast_unsigned();
        let shifted = std::array::from_fn(shifted);
        let factor = L::from_array(shifted).factor();
        for i in 0..LIMBS {
            (t[i], t[i + 1]) = L::multiply_add(t[i], t[i + 1], self.0[i].factor(), factor);
        }
        *terms += 1;
    }

    #[inline(always)]
    fn reduce_sum((t, terms): Self::Sum) -> Self {
        let terms = u64::from(terms);
        let mut t: [L; 10] = std::array::from_fn(|i| t[i].add(L::splat(bias::<L>(i, terms))));
        // Carry, so that the columns are as small as those of one product.
        let mask = L::splat(LIMB_MASK);
        for i in 0..9 {
            t[i + 1] = t[i + 1].add(t[i].carry());
            t[i] = t[i].and(mask);
        }
        let t = std::array::from_fn(|i| t[i].add(L::splat(bias::<L>(i, 1))));
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
        Self::new(multiply::<F, L>(normalize(sum), constant(F::RADIX_SQUARED)))
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
        let [a, b, c, d] = join_lanes(x.canonical().0);
        let [e, f, g, h] = join_lanes(y.canonical().0);
        let rows = L::transpose([a, b, c, d, e, f, g, h]);
        for (lane, row) in rows.into_iter().enumerate() {
            write(lane, TablePoint { words: row.to_array() });
        }
    }

    #[inline(always)]
    fn replace(self, mask: u8, if_set: Self) -> Self {
        let sign = std::array::from_fn(|lane| u64::from(mask >> lane & 1) << 63);
        let sign = L::from_array(sign);
        Self::new(zip(self.0, if_set.0, |limb, set| sign.select_negative(set, limb)))
    }
}
