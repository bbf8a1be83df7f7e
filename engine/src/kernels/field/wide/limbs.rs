//! Arithmetic of numbers of five limbs of 52 bits, one number in each lane: carries, and products
//! reduced as Montgomery does. Elements of [`super::montgomery`] are made of them.

use super::{
    super::modulus::{LIMBS, Modulus},
    lanes::{LIMB_MASK, Lanes},
};

/// Limbs of `times` times the modulus, in every lane.
#[inline(always)]
pub(super) fn multiple<F: Modulus, L: Lanes>(times: u64) -> [L; LIMBS] {
    // No check of an overflow that cannot be: with one, the compiler calls this.
    constant(F::WIDE.modulus.map(|limb| limb.wrapping_mul(times)))
}

/// The same number in every lane.
#[inline(always)]
pub(super) fn constant<L: Lanes>(limbs: [u64; LIMBS]) -> [L; LIMBS] {
    limbs.map(L::splat)
}

/// What `f` makes of the numbers, limb by limb.
#[inline(always)]
pub(super) fn zip<L: Lanes>(a: [L; LIMBS], b: [L; LIMBS], f: impl Fn(L, L) -> L) -> [L; LIMBS] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

/// Carries between limbs; the top limb keeps the sign.
#[inline(always)]
pub(super) fn normalize<L: Lanes>(mut t: [L; LIMBS]) -> [L; LIMBS] {
    let mask = L::splat(LIMB_MASK);
    for i in 0..LIMBS - 1 {
        t[i + 1] = t[i + 1].add(t[i].carry());
        t[i] = t[i].and(mask);
    }
    t
}

/// Words to limbs, lane by lane.
#[inline(always)]
pub(super) fn split_lanes<L: Lanes>(w: [L; 4]) -> [L; LIMBS] {
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
pub(super) fn join_lanes<L: Lanes>(t: [L; LIMBS]) -> [L; 4] {
    [
        t[0].or(t[1].shift_left::<52>()),
        t[1].shift_right::<12>().or(t[2].shift_left::<40>()),
        t[2].shift_right::<24>().or(t[3].shift_left::<28>()),
        t[3].shift_right::<36>().or(t[4].shift_left::<16>()),
    ]
}

/// How often each column of a product of two five-limb numbers gets a low half. The next column
/// gets as many high halves.
pub(super) const PRODUCT_TERMS: [u64; 10] = [1, 2, 3, 4, 5, 4, 3, 2, 1, 0];
/// The same of a reduction.
pub(super) const REDUCTION_TERMS: [u64; 10] = [0, 1, 2, 3, 5, 5, 4, 3, 2, 0];
/// The same of a product and its reduction.
const ALL_TERMS: [u64; 10] = [1, 3, 5, 7, 10, 9, 7, 5, 3, 0];
/// The same of a product in [`multiply_constant`] and its reduction by three limbs.
const CONSTANT_TERMS: [u64; 8] = [2, 5, 8, 8, 8, 6, 3, 0];

/// Minus the biases of a column of these terms, each `times` as often.
#[inline(always)]
pub(super) const fn bias<L: Lanes>(terms: &[u64], column: usize, times: u64) -> u64 {
    let high = if column == 0 { 0 } else { terms[column - 1] };
    let low = terms[column].wrapping_mul(L::LOW_BIAS);
    low.wrapping_add(high.wrapping_mul(L::HIGH_BIAS)).wrapping_mul(times).wrapping_neg()
}

/// Adds `a · b` to ten columns.
#[inline(always)]
pub(super) fn add_columns<L: Lanes>(
    t: &mut [L; 10],
    a: &[L::Factor; LIMBS],
    b: &[L::Factor; LIMBS],
) {
    for j in 0..LIMBS {
        L::multiply_add(&mut t[j..=j + LIMBS], a, b[j]);
    }
}

/// Montgomery's reduction of ten columns, which must have had the biases of one more than they
/// hold: `t/2^260`, below `t/2^260 + 1.13p`. Its limbs are not carried.
///
/// The first four limbs are cleared by multiples of `M = F::WIDE.inverse·p`, which is -1 mod 2^52: a
/// limb is the multiple itself, with no product to find it (M is *Montgomery-friendly*), so that
/// the next limb need not wait for that. What is added is less than `M·2^208`; clearing the fifth
/// limb by multiples of p leaves less than `t/2^260 + M/2^52 + p`, and `M/2^52` is 0.12p or 0.13p.
#[inline(always)]
pub(super) fn reduce_columns<F: Modulus, L: Lanes>(mut t: [L; 10]) -> [L; LIMBS] {
    let friendly = constant::<L>(F::WIDE.friendly).map(L::factor);
    for i in 0..LIMBS - 1 {
        let limb = t[i].low_factor();
        t[i + 1] = t[i + 1].add(t[i].carry());
        L::multiply_add(&mut t[i + 1..=i + 1 + LIMBS], &friendly, limb);
    }
    let p = constant::<L>(F::WIDE.modulus).map(L::factor);
    let multiple = L::multiply_low(t[4].low_factor(), L::splat(F::WIDE.inverse).factor());
    L::multiply_add(&mut t[LIMBS - 1..], &p, multiple);
    // Column 4 is now a multiple of 2^52, and complete: its biases have cancelled.
    [t[5].add(t[4].carry()), t[6], t[7], t[8], t[9]]
}

/// `a·b`, reduced and carried.
#[inline(always)]
pub(super) fn multiply<F: Modulus, L: Lanes>(a: [L; LIMBS], b: [L; LIMBS]) -> [L; LIMBS] {
    let mut t: [L; 10] = std::array::from_fn(|column| L::splat(bias::<L>(&ALL_TERMS, column, 1)));
    add_columns(&mut t, &a.map(L::factor), &b.map(L::factor));
    normalize(reduce_columns::<F, L>(t))
}

/// `a·w`, below `40p²/2^260 + 1.13p < 1.7p` for `a < 20p`; its limbs are not carried. The constant is
/// `w·2^156` and `w·2^260`, both below 2p.
///
/// The low two limbs of `a` are multiplied by `w·2^156`, and the upper three, which count 2^104
/// times, by `w·2^260`: that is `a·w·2^156` in eight columns, of which three limbs are to be cleared,
/// instead of ten and five. It takes 81 multiply-adds instead of 101.
#[inline(always)]
pub(super) fn multiply_constant<F: Modulus, L: Lanes>(
    a: [L; LIMBS],
    [low, high]: [[L; LIMBS]; 2],
) -> [L; LIMBS] {
    let mut t: [L; 8] = std::array::from_fn(|i| L::splat(bias::<L>(&CONSTANT_TERMS, i, 1)));
    let (a, low, high) = (a.map(L::factor), low.map(L::factor), high.map(L::factor));
    for i in 0..2 {
        L::multiply_add(&mut t[i..=i + LIMBS], &low, a[i]);
    }
    for i in 0..3 {
        L::multiply_add(&mut t[i..=i + LIMBS], &high, a[i + 2]);
    }
    let friendly = constant::<L>(F::WIDE.friendly).map(L::factor);
    for i in 0..2 {
        let limb = t[i].low_factor();
        t[i + 1] = t[i + 1].add(t[i].carry());
        L::multiply_add(&mut t[i + 1..=i + 1 + LIMBS], &friendly, limb);
    }
    let p = constant::<L>(F::WIDE.modulus).map(L::factor);
    let multiple = L::multiply_low(t[2].low_factor(), L::splat(F::WIDE.inverse).factor());
    L::multiply_add(&mut t[2..], &p, multiple);
    [t[3].add(t[2].carry()), t[4], t[5], t[6], t[7]]
}

/// `a²`: a product `a_i·a_j` of two limbs is taken once and doubled.
#[inline(always)]
pub(super) fn square<F: Modulus, L: Lanes>(a: [L; LIMBS]) -> [L; LIMBS] {
    // Columns 1 to 8 are doubled with half of their biases, which are even.
    let start = |column: usize| {
        let bias = bias::<L>(&ALL_TERMS, column, 1);
        if matches!(column, 1..=8) { bias >> 1 } else { bias }
    };
    let mut t: [L; 10] = std::array::from_fn(|column| L::splat(start(column)));
    let a = a.map(L::factor);
    for j in 1..LIMBS {
        L::multiply_add(&mut t[j..=2 * j], &a[..j], a[j]);
    }
    for column in &mut t[1..=8] {
        *column = column.add(*column);
    }
    for i in 0..LIMBS {
        L::multiply_add(&mut t[2 * i..2 * i + 2], &a[i..=i], a[i]);
    }
    normalize(reduce_columns::<F, L>(t))
}
