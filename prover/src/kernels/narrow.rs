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

use super::{
    modulus::{InLanes, Modulus, NARROW_BITS, NARROW_LIMBS, split},
    pack::{Coordinates, Pack, TablePoint},
    quads::Quad,
};

pub(super) const BITS: i32 = NARROW_BITS.cast_signed();
const LIMBS: usize = NARROW_LIMBS;
/// Mask of a limb.
pub(super) const MASK: u64 = (1 << BITS) - 1;
/// Mask of limbs in both halves of a word.
const MASKS: u64 = MASK << 32 | MASK;
/// Half of a limb's range, in both halves of a word.
const MIDDLES: u64 = MIDDLE << 32 | MIDDLE;
const MIDDLE: u64 = 1 << (BITS - 1);
/// What makes a column positive, and its logical shift a signed one.
const BIAS: u64 = 1 << 63;
/// The bias after that shift.
const CARRIED: u64 = BIAS >> BITS;
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

/// `f` of every element of an array.
///
/// A loop, as `map` is not always inlined, and what is not inlined is not vectorized.
#[inline(always)]
fn map<T: Copy, L: Quad, const N: usize>(array: [T; N], f: impl Fn(T) -> L) -> [L; N] {
    let mut mapped = [L::splat(0); N];
    for i in 0..N {
        mapped[i] = f(array[i]);
    }
    mapped
}

/// `f` of the words of two elements.
#[inline(always)]
fn zip<L: Quad>(a: [L; 5], b: [L; 5], f: impl Fn(L, L) -> L) -> [L; 5] {
    let mut zipped = a;
    for i in 0..5 {
        zipped[i] = f(a[i], b[i]);
    }
    zipped
}

/// Limbs in words, which need not be signed.
#[inline(always)]
fn join<L: Quad>(t: [L; LIMBS]) -> [L; 5] {
    [
        t[0].interleave(t[4]),
        t[1].interleave(t[5]),
        t[2].interleave(t[6]),
        t[3].interleave(t[7]),
        t[8],
    ]
}

/// A constant in every lane, its limbs not signed.
#[inline(always)]
fn constant<L: Quad>(limbs: [u64; LIMBS]) -> [L; 5] {
    join(map(limbs, L::splat))
}

/// Limbs in the low halves, with anything above.
#[inline(always)]
fn limbs<L: Quad>(w: [L; 5]) -> [L; LIMBS] {
    let high = map(
        w,
        #[inline(always)]
        |word| word.shift_right::<32>(),
    );
    [w[0], w[1], w[2], w[3], high[0], high[1], high[2], high[3], w[4]]
}

/// Carries between the first eight of nine signed columns, rounding to the nearest if
/// `rounding` is [`MIDDLE`] and down if it is 0. What is left in a column is its low bits less
/// `rounding`. The last column has bias [`CARRIED`]; the first may have had `bias`.
#[inline(always)]
fn carry<L: Quad>(mut t: [L; LIMBS], rounding: u64, bias: u64) -> [L; LIMBS] {
    t[0] = t[0].add(L::splat((BIAS + rounding).wrapping_sub(bias)));
    for i in 0..LIMBS - 1 {
        t[i + 1] = t[i + 1].add(t[i].shift_right::<BITS>());
        if i + 1 < LIMBS - 1 {
            t[i + 1] = t[i + 1].add(L::splat(BIAS + rounding - CARRIED));
        }
    }
    t
}

/// The signed columns of an element in words.
#[inline(always)]
fn balance<L: Quad>(t: [L; LIMBS], bias: u64) -> [L; 5] {
    // The bias of the last column is a multiple of 2^32.
    let mut words = join(carry(t, MIDDLE, bias));
    for word in &mut words[..4] {
        *word = word.and(L::splat(MASKS)).sub_halves(L::splat(MIDDLES));
    }
    words
}

/// Montgomery's reduction of one column: adds a multiple of p that clears the low limb of the
/// first of the nine columns in `t`, which move by one.
///
/// The multiple is of `M = inverse·p`, which is -1 mod 2^29, so that a limb is the multiple itself.
#[inline(always)]
fn reduce_column<L: Quad>(t: &mut [L; LIMBS], friendly: &[L; LIMBS]) {
    let limb = t[0].and(L::splat(MASK));
    let carried = t[0].shift_right::<BITS>();
    for i in 0..LIMBS - 1 {
        t[i] = t[i + 1].add(limb.multiply(friendly[i]));
    }
    t[0] = t[0].add(carried);
    t[LIMBS - 1] = limb.multiply(friendly[LIMBS - 1]);
}

/// The last column, cleared by a multiple of p itself, so that less than `p + M/2^29 < 1.5p` has
/// been added in all. Gives the columns above it in words.
#[inline(always)]
fn reduce_last<F: Modulus, L: Quad>(mut t: [L; LIMBS]) -> [L; 5] {
    let mask = L::splat(MASK);
    let limb = t[0].and(mask).multiply(L::splat(F::NARROW.inverse)).and(mask);
    for (column, p) in t.iter_mut().zip(F::NARROW.modulus) {
        *column = column.add(limb.multiply(L::splat(p)));
    }
    let mut above = [L::splat(0); LIMBS];
    above[..LIMBS - 1].copy_from_slice(&t[1..]);
    above[0] = above[0].add(t[0].shift_right::<BITS>());
    balance(above, CARRIED)
}

/// The biases of nine columns that will be carried from the first to the last.
#[inline(always)]
pub(super) fn biases<L: Quad>() -> [L; LIMBS] {
    let mut t = [L::splat(BIAS - CARRIED); LIMBS];
    t[0] = L::splat(BIAS);
    t
}

#[inline(always)]
fn in_registers<L: Quad>(constants: &'static [InLanes; LIMBS]) -> [L; LIMBS] {
    map(
        *constants,
        #[inline(always)]
        |lanes| L::from_array(lanes.0),
    )
}

/// A loop over limbs that is unrolled, which the compiler would not do: in a loop that stays one it no
/// longer sees that factors are 32 bits with a sign, and multiplies 64 bits.
macro_rules! unrolled {
    ($j:ident in [$($limb:literal)*] $body:block) => {
        $({
            const $j: usize = $limb;
            $body
        })*
    };
}

/// Adds the products of nine limbs by one to as many columns.
#[inline(always)]
fn add_row<L: Quad>(columns: &mut [L], a: &[L; LIMBS], b: L) {
    for (column, limb) in columns.iter_mut().zip(a) {
        *column = column.add(limb.multiply(b));
    }
}

/// The product of limbs, reduced but for its ninth column, which is the first of those that are left.
/// That one has bias [`BIAS`], the others have none.
#[inline(always)]
pub(super) fn product<L: Quad>(
    a: &[L; LIMBS],
    b: &[L; LIMBS],
    friendly: &'static [InLanes; LIMBS],
) -> [L; LIMBS] {
    let (mut t, friendly): ([L; LIMBS], _) = (biases(), in_registers(friendly));
    unrolled!(J in [0 1 2 3 4 5 6 7] {
        add_row(&mut t, a, b[J]);
        reduce_column(&mut t, &friendly);
    });
    add_row(&mut t, a, b[LIMBS - 1]);
    t
}

/// The product of a lazy and a relaxed element.
#[inline(always)]
fn multiply<F: Modulus, L: Quad>(a: [L; 5], b: [L; 5]) -> [L; 5] {
    reduce_last::<F, L>(L::product(&limbs(a), &limbs(b), F::NARROW_FRIENDLY))
}

/// The square of a relaxed element: a product of two limbs is taken once, with one of them doubled.
#[inline(always)]
fn square<F: Modulus, L: Quad>(a: [L; 5]) -> [L; 5] {
    let (doubled, a): ([L; LIMBS], _) = (limbs(zip(a, a, L::add_halves)), limbs(a));
    let (mut t, friendly): ([L; LIMBS], _) = (biases(), in_registers(F::NARROW_FRIENDLY));
    // Products with limb j are in columns 2j to j + 8, of which j are gone by then.
    unrolled!(J in [0 1 2 3 4 5 6 7] {
        t[J] = t[J].add(a[J].multiply(a[J]));
        for i in J + 1..LIMBS {
            t[i] = t[i].add(doubled[i].multiply(a[J]));
        }
        reduce_column(&mut t, &friendly);
    });
    t[LIMBS - 1] = t[LIMBS - 1].add(a[LIMBS - 1].multiply(a[LIMBS - 1]));
    reduce_last::<F, L>(t)
}

/// The relaxed element, within 0.51p of zero, that equals a lazy one.
#[inline(always)]
fn relax<F: Modulus, L: Quad>(w: [L; 5]) -> [L; 5] {
    // 2^32/(p/2^232), negative. What it is too small or large, and what the limbs below add to the top
    // one, changes the multiple of p by less than 0.01.
    const SCALE: i64 = -1354;
    let half = L::splat(1 << 31);
    let times = w[4].multiply(L::splat(SCALE.cast_unsigned())).add(half).shift_right::<32>();
    let mut difference = limbs(w);
    for (limb, p) in difference.iter_mut().zip(F::NARROW.modulus) {
        *limb = limb.multiply(L::splat(1)).add(times.multiply(L::splat(p)));
    }
    balance(difference, 0)
}

/// The limbs, not negative, of the representative below p of a lazy element.
#[inline(always)]
fn canonical<F: Modulus, L: Quad>(w: [L; 5]) -> [L; LIMBS] {
    let mut x = limbs(relax::<F, L>(w));
    let mut more = x;
    for i in 0..LIMBS {
        x[i] = x[i].multiply(L::splat(1));
        more[i] = x[i].add(L::splat(F::NARROW.modulus[i]));
    }
    let (x, mut more) = (positive(x), positive(more));
    for i in 0..LIMBS {
        more[i] = x[LIMBS - 1].select_negative(more[i], x[i]);
    }
    more
}

/// Carries between signed columns: all limbs but the last are then not negative.
#[inline(always)]
fn positive<L: Quad>(t: [L; LIMBS]) -> [L; LIMBS] {
    let mut t = carry(t, 0, 0);
    for limb in &mut t[..LIMBS - 1] {
        *limb = limb.and(L::splat(MASK));
    }
    t[LIMBS - 1] = t[LIMBS - 1].add(L::splat(CARRIED.wrapping_neg()));
    t
}

/// 64-bit words to limbs.
#[inline(always)]
fn split_words<L: Quad>(w: [L; 4]) -> [L; LIMBS] {
    let limbs = [
        w[0],
        w[0].shift_right::<29>(),
        w[0].shift_right::<58>().or(w[1].shift_left::<6>()),
        w[1].shift_right::<23>(),
        w[1].shift_right::<52>().or(w[2].shift_left::<12>()),
        w[2].shift_right::<17>(),
        w[2].shift_right::<46>().or(w[3].shift_left::<18>()),
        w[3].shift_right::<11>(),
        w[3].shift_right::<40>(),
    ];
    map(
        limbs,
        #[inline(always)]
        |limb| limb.and(L::splat(MASK)),
    )
}

/// Limbs that are not negative to 64-bit words.
#[inline(always)]
fn join_words<L: Quad>(t: [L; LIMBS]) -> [L; 4] {
    [
        t[0].or(t[1].shift_left::<29>()).or(t[2].shift_left::<58>()),
        t[2].shift_right::<6>().or(t[3].shift_left::<23>()).or(t[4].shift_left::<52>()),
        t[4].shift_right::<12>().or(t[5].shift_left::<17>()).or(t[6].shift_left::<46>()),
        t[6].shift_right::<18>().or(t[7].shift_left::<11>()).or(t[8].shift_left::<40>()),
    ]
}

/// A relaxed element in four words: the 24 bits of its top limb lie, three at a time, above the other
/// limbs. 24 bits with a sign are more than 2.6p.
#[inline(always)]
fn encode<L: Quad>(w: [L; 5]) -> [L; 4] {
    let twelve = L::splat((1 << 12) - 1);
    let high = w[4].shift_right::<12>().and(twelve);
    let bits = w[4].and(twelve).interleave(high);
    let mut words = [
        bits,
        bits.shift_halves_right::<3>(),
        bits.shift_halves_right::<6>(),
        bits.shift_halves_right::<9>(),
    ];
    for i in 0..4 {
        words[i] = w[i].and(L::splat(MASKS)).or(words[i].shift_halves_left::<BITS>());
    }
    words
}

/// The element that was encoded.
#[inline(always)]
fn decode<L: Quad>(w: [L; 4]) -> [L; 5] {
    let [a, b, c, d] = map(
        w,
        #[inline(always)]
        |word| word.shift_halves_right::<BITS>(),
    );
    let low = a.or(b.shift_halves_left::<3>());
    let bits = low.or(c.shift_halves_left::<6>()).or(d.shift_halves_left::<9>());
    let top = bits.or(bits.shift_right::<20>()).shift_halves_left::<8>();
    let [a, b, c, d] = map(
        w,
        #[inline(always)]
        |word| word.shift_halves_left::<3>().shift_halves_right_signed::<3>(),
    );
    [a, b, c, d, top.shift_halves_right_signed::<8>()]
}

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
}

impl<F: Modulus, L: Quad> Pack<F> for Narrow<F, L> {
    const WIDTH: usize = 4;
    const INTEGER_OFFSET: i64 = 0;
    type Sum = Columns<L>;

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
    fn from_lanes(lanes: &[F]) -> Self {
        let words = [lanes[0].words(), lanes[1].words(), lanes[2].words(), lanes[3].words()];
        let limbs = join(split_words(L::transpose(map(words, L::from_array))));
        Self::new(multiply::<F, L>(limbs, constant(F::NARROW.from_words)))
    }

    #[inline(always)]
    fn to_lanes(self, lanes: &mut [F]) {
        let words = multiply::<F, L>(self.0, constant(F::NARROW.to_words));
        let words = L::transpose(join_words(canonical::<F, L>(words)));
        for (to, words) in lanes[..4].iter_mut().zip(words) {
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
        let mut one = [0; LIMBS];
        one[0] = 1;
        let words = multiply::<F, L>(self.0, constant(one));
        let words = L::transpose(join_words(canonical::<F, L>(words)));
        for (to, words) in lanes[..4].iter_mut().zip(words) {
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
    fn relax(self) -> Self {
        Self::new(relax::<F, L>(self.0))
    }

    #[inline(always)]
    fn lanes_to_rows(packs: &mut [Self; 8]) {
        for word in 0..5 {
            let [a, b, c, d, e, f, g, h] = map(
                *packs,
                #[inline(always)]
                |pack| pack.0[word],
            );
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
            let [a, b, c, d, e, f, g, h] = map(
                *packs,
                #[inline(always)]
                |pack| pack.0[word],
            );
            let (low, high) = (L::transpose([a, c, e, g]), L::transpose([b, d, f, h]));
            for (place, column) in low.into_iter().chain(high).enumerate() {
                packs[place].0[word] = column;
            }
        }
    }

    #[inline(always)]
    fn window(self, next: Self, shift: usize) -> Self {
        Self::new(zip(
            self.0,
            next.0,
            #[inline(always)]
            |word, next| word.window(next, shift),
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
        let (a, b) = (limbs(a.0), limbs(b.0));
        unrolled!(J in [0 1 2 3 4 5 6 7 8] {
            add_row(&mut sum.0[J..J + LIMBS], &a, b[J]);
        });
    }

    #[inline(always)]
    fn add_integer_product(self, sum: &mut Columns<L>, lanes: &[i32]) {
        // Eight have columns below 8·2^28·2^31.
        sum.count(LIMBS);
        let factor = L::from_array(std::array::from_fn(|i| u64::from(lanes[i].cast_unsigned())));
        for (column, limb) in sum.0.iter_mut().zip(limbs(self.0)) {
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
        let mut one = [0; LIMBS];
        one[0] = 1;
        let low = multiply::<F, L>(join(low), constant(one));
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
    fn replace(self, mask: u8, if_set: Self) -> Self {
        Self::new(zip(
            self.0,
            if_set.0,
            #[inline(always)]
            |word, set| word.replace(mask, set),
        ))
    }
}

#[cfg(test)]
mod tests {
    use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField};

    use super::{super::quads::Emulated, *};

    type Element<F> = Narrow<F, Emulated>;

    /// Relaxed limbs at their bounds, in all combinations of the low ones, the high ones and the top.
    fn extremes() -> Vec<[i64; LIMBS]> {
        let ends = [-(1 << 28), -1, 0, 1, (1 << 28) - 1];
        // 1.7p is below (p/2^232)·1.75.
        let tops = [-5_391_390, -1, 0, 1, 5_391_390];
        let mut all = Vec::new();
        for low in ends {
            for high in ends {
                for top in tops {
                    all.push(std::array::from_fn(|i| [low, high, top][i / 4]));
                }
            }
        }
        all
    }

    fn element<F: Modulus>(limbs: [i64; LIMBS]) -> Element<F> {
        let limbs = limbs.map(|limb| Emulated::splat(limb.cast_unsigned()));
        Element::new(join(limbs))
    }

    /// What the limbs stand for: their sum over the radix.
    fn value<F: Modulus>(limbs: [i64; LIMBS]) -> F {
        let step = F::from(1 << BITS);
        let sum = limbs.iter().rev().fold(F::ZERO, |sum, limb| {
            let magnitude = F::from(limb.unsigned_abs());
            sum * step + if *limb < 0 { -magnitude } else { magnitude }
        });
        sum * F::from(2).pow([261]).invert().unwrap()
    }

    /// The one lane, after a check that the result is relaxed.
    #[track_caller]
    fn first<F: Modulus>(result: Element<F>) -> F {
        let (words, mut lanes) = (result.0.map(Quad::to_array), [F::ZERO; 4]);
        for word in &words[..4] {
            for limb in [word[0] & 0xffff_ffff, word[0] >> 32] {
                let limb = i32::from_le_bytes(limb.to_le_bytes()[..4].try_into().unwrap());
                assert!((-(1 << 28)..1 << 28).contains(&limb), "limb {limb}");
            }
        }
        let top = i32::from_le_bytes(words[4][0].to_le_bytes()[..4].try_into().unwrap());
        assert!(top.abs() <= 5_549_959, "the top limb of 1.75p is less than {top}");
        result.to_lanes(&mut lanes);
        lanes[0]
    }

    fn lazy_elements_hold_at_the_bounds_of_limbs<F: Modulus>() {
        let all = extremes();
        for (index, &a) in all.iter().enumerate() {
            let b = all[(index * 7 + 3) % all.len()];
            let (wide_a, wide_b) = (element::<F>(a), element::<F>(b));
            let (value_a, value_b) = (value::<F>(a), value::<F>(b));
            for minus in 0..8_u64 {
                let plus = 8 - minus;
                let sum = (0..plus).fold(Element::zero(), |sum, _| sum.add_lazy(wide_a));
                let sum = (0..minus).fold(sum, |sum, _| sum.sub_lazy(wide_b));
                let expected = value_a * F::from(plus) - value_b * F::from(minus);
                assert_eq!(first(sum.relax()), expected);
                assert_eq!(first(sum.mul_lazy(wide_b)), expected * value_b);
                assert_eq!(first(sum.mul_lazy(wide_a)), expected * value_a);
            }
            assert_eq!(first(wide_a.mul(wide_b)), value_a * value_b);
            assert_eq!(first(wide_a.square()), value_a.square());
            assert_eq!(first(wide_a.canonical()), value_a);
            assert_eq!(wide_a.zero_lanes(), if value_a == F::ZERO { 15 } else { 0 });
            let mut sum = Element::<F>::empty_sum();
            (0..super::super::pack::SUM_TERMS)
                .for_each(|_| Element::add_product(&mut sum, wide_a, wide_b));
            assert_eq!(first(Element::<F>::reduce_sum(sum)), value_a * value_b * F::from(128));
        }
    }

    #[test]
    fn lazy_elements_hold_at_the_bounds_of_limbs_in_both_fields() {
        lazy_elements_hold_at_the_bounds_of_limbs::<Fr>();
        lazy_elements_hold_at_the_bounds_of_limbs::<Fq>();
    }

    #[test]
    fn encoded_limbs_come_back() {
        for limbs in extremes() {
            let words = element::<Fq>(limbs).0;
            let again = decode(encode(words));
            for (word, expected) in again.iter().zip(words).take(4) {
                assert_eq!(word.to_array(), expected.to_array());
            }
            assert_eq!(again[4].to_array()[0] as u32, words[4].to_array()[0] as u32);
        }
    }

    #[test]
    fn the_bounds_of_a_reduction_are_those_of_the_primes() {
        for (inverse, top) in [
            (Fr::NARROW.inverse, Fr::NARROW.modulus[8]),
            (Fq::NARROW.inverse, Fq::NARROW.modulus[8]),
        ] {
            assert!(inverse <= 1 << 28, "M/2^29 is at most p/2");
            assert_eq!(top, 3_171_406, "1.75 times it is 5549960, and 2^32 over it 1354.3");
        }
        assert!(Fr::NUM_BITS == 254 && Fq::NUM_BITS == 254);
    }
}
