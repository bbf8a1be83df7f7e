//! Columns and limbs of 29 bits: see [`super`] for how elements are laid out, and for the bounds.

use super::{
    super::modulus::{InLanes, Modulus, NARROW_BITS, NARROW_LIMBS},
    quads::Quad,
};

/// Bits of a limb, as shifts want them.
pub(in super::super) const BITS: i32 = NARROW_BITS.cast_signed();
/// Limbs of an element.
pub(super) const LIMBS: usize = NARROW_LIMBS;
/// The integer one.
pub(super) const ONE: [u64; LIMBS] = [1, 0, 0, 0, 0, 0, 0, 0, 0];
/// Mask of a limb.
pub(in super::super) const MASK: u64 = (1 << BITS) - 1;
/// Mask of limbs in both halves of a word.
pub(super) const MASKS: u64 = MASK << 32 | MASK;
/// Half of a limb's range.
pub(super) const MIDDLE: u64 = 1 << (BITS - 1);
/// The same in both halves of a word.
pub(super) const MIDDLES: u64 = MIDDLE << 32 | MIDDLE;
/// What makes a column positive, and its logical shift a signed one.
pub(super) const BIAS: u64 = 1 << 63;
/// The bias after that shift.
pub(super) const CARRIED: u64 = BIAS >> BITS;

/// `f` of every element of an array.
///
/// A loop, as `map` is not always inlined, and what is not inlined is not vectorized.
#[inline(always)]
pub(super) fn map<T: Copy, L: Quad, const N: usize>(array: [T; N], f: impl Fn(T) -> L) -> [L; N] {
    let mut mapped = [L::splat(0); N];
    for i in 0..N {
        mapped[i] = f(array[i]);
    }
    mapped
}

/// `f` of the words of two elements.
#[inline(always)]
pub(super) fn zip<L: Quad>(a: [L; 5], b: [L; 5], f: impl Fn(L, L) -> L) -> [L; 5] {
    let mut zipped = a;
    for i in 0..5 {
        zipped[i] = f(a[i], b[i]);
    }
    zipped
}

/// Limbs in words, which need not be signed.
#[inline(always)]
pub(super) fn pack<L: Quad>(t: [L; LIMBS]) -> [L; 5] {
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
pub(super) fn constant<L: Quad>(limbs: [u64; LIMBS]) -> [L; 5] {
    pack(map(limbs, L::splat))
}

/// Limbs in the low halves, with anything above.
#[inline(always)]
pub(super) fn unpack<L: Quad>(w: [L; 5]) -> [L; LIMBS] {
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
pub(super) fn carry<L: Quad>(mut t: [L; LIMBS], rounding: u64, bias: u64) -> [L; LIMBS] {
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
pub(super) fn balance<L: Quad>(t: [L; LIMBS], bias: u64) -> [L; 5] {
    // The bias of the last column is a multiple of 2^32.
    let mut words = pack(carry(t, MIDDLE, bias));
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
pub(super) fn reduce_column<L: Quad>(t: &mut [L; LIMBS], friendly: &[L; LIMBS]) {
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
pub(super) fn reduce_last<F: Modulus, L: Quad>(mut t: [L; LIMBS]) -> [L; 5] {
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
pub(in super::super) fn biases<L: Quad>() -> [L; LIMBS] {
    let mut t = [L::splat(BIAS - CARRIED); LIMBS];
    t[0] = L::splat(BIAS);
    t
}

/// Constants from memory.
#[inline(always)]
pub(super) fn in_registers<L: Quad>(constants: &'static [InLanes; LIMBS]) -> [L; LIMBS] {
    map(
        *constants,
        #[inline(always)]
        |lanes| L::from_array(lanes.0),
    )
}

/// A loop over limbs that is unrolled, which the compiler would not do: in a loop that stays one
/// it no longer sees that factors are 32 bits with a sign, and multiplies 64 bits.
macro_rules! unrolled {
    ($j:ident in [$($limb:literal)*] $body:block) => {
        $({
            const $j: usize = $limb;
            $body
        })*
    };
}
pub(super) use unrolled;

/// Adds the products of nine limbs by one to as many columns.
#[inline(always)]
pub(super) fn add_row<L: Quad>(columns: &mut [L], a: &[L; LIMBS], b: L) {
    for (column, limb) in columns.iter_mut().zip(a) {
        *column = column.add(limb.multiply(b));
    }
}

/// The product of limbs, reduced but for its ninth column, which is the first of those that are left.
/// That one has bias [`BIAS`], the others have none.
#[inline(always)]
pub(in super::super) fn product<L: Quad>(
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
pub(super) fn multiply<F: Modulus, L: Quad>(a: [L; 5], b: [L; 5]) -> [L; 5] {
    reduce_last::<F, L>(L::product(&unpack(a), &unpack(b), F::NARROW_FRIENDLY))
}

/// The square of a relaxed element: a product of two limbs is taken once, with one of them doubled.
#[inline(always)]
pub(super) fn square<F: Modulus, L: Quad>(a: [L; 5]) -> [L; 5] {
    let (doubled, a): ([L; LIMBS], _) = (unpack(zip(a, a, L::add_halves)), unpack(a));
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
pub(super) fn relax<F: Modulus, L: Quad>(w: [L; 5]) -> [L; 5] {
    // 2^32/(p/2^232), negative. What it is too small or large, and what the limbs below add to the top
    // one, changes the multiple of p by less than 0.01.
    const SCALE: i64 = -1354;
    let half = L::splat(1 << 31);
    let times = w[4].multiply(L::splat(SCALE.cast_unsigned())).add(half).shift_right::<32>();
    let mut difference = unpack(w);
    for (limb, p) in difference.iter_mut().zip(F::NARROW.modulus) {
        *limb = limb.multiply(L::splat(1)).add(times.multiply(L::splat(p)));
    }
    balance(difference, 0)
}

/// The limbs, not negative, of the representative below p of a lazy element.
#[inline(always)]
pub(super) fn canonical<F: Modulus, L: Quad>(w: [L; 5]) -> [L; LIMBS] {
    let mut x = unpack(relax::<F, L>(w));
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
pub(super) fn positive<L: Quad>(t: [L; LIMBS]) -> [L; LIMBS] {
    let mut t = carry(t, 0, 0);
    for limb in &mut t[..LIMBS - 1] {
        *limb = limb.and(L::splat(MASK));
    }
    t[LIMBS - 1] = t[LIMBS - 1].add(L::splat(CARRIED.wrapping_neg()));
    t
}

/// 64-bit words to limbs.
#[inline(always)]
pub(super) fn split_words<L: Quad>(w: [L; 4]) -> [L; LIMBS] {
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
pub(super) fn join_words<L: Quad>(t: [L; LIMBS]) -> [L; 4] {
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
pub(super) fn encode<L: Quad>(w: [L; 5]) -> [L; 4] {
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
pub(super) fn decode<L: Quad>(w: [L; 4]) -> [L; 5] {
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
