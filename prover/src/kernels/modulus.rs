//! The constants of the two primes.

use halo2_proofs::halo2curves::bn256::{Fq, Fr};

use super::{
    lanes::{LIMB_BITS, LIMB_MASK},
    pack::Words,
};

/// Limbs of an element.
pub(super) const LIMBS: usize = 5;

/// The constants of a prime below 2^254.
pub(crate) trait Modulus: Words {
    /// The prime, low word first.
    const WORDS: [u64; 4];
    /// The prime in limbs.
    const LIMBS: [u64; LIMBS] = split(Self::WORDS);
    /// `-1/p` mod 2^52.
    const INVERSE: u64 = negative_inverse(Self::WORDS[0]);
    /// `(p·INVERSE + 1)/2^52`: a multiple of p that is -1 mod 2^52, without its low limb.
    const FRIENDLY: [u64; LIMBS] = friendly(Self::LIMBS, Self::INVERSE);
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

pub(super) const fn split(w: [u64; 4]) -> [u64; LIMBS] {
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

/// `(p·multiple + 1)/2^52`, which is an integer.
#[expect(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
const fn friendly(p: [u64; LIMBS], multiple: u64) -> [u64; LIMBS] {
    let mut limbs = [0; LIMBS];
    let mut carry = 1;
    let mut i = 0;
    while i <= LIMBS {
        let limb = if i < LIMBS { p[i] } else { 0 };
        let sum = carry + limb as u128 * multiple as u128;
        if i > 0 {
            limbs[i - 1] = sum as u64 & LIMB_MASK;
        }
        carry = sum >> LIMB_BITS;
        i += 1;
    }
    limbs
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
    let (difference, is_negative) = subtract(a, p);
    if is_negative { a } else { difference }
}

/// `a − b` modulo `2^256`, and whether it is negative.
#[inline]
pub(super) const fn subtract(a: [u64; 4], b: [u64; 4]) -> ([u64; 4], bool) {
    let mut difference = [0; 4];
    let mut borrow = false;
    let mut i = 0;
    while i < 4 {
        let (d, b0) = a[i].overflowing_sub(b[i]);
        let (d, b1) = d.overflowing_sub(if borrow { 1 } else { 0 });
        difference[i] = d;
        borrow = b0 || b1;
        i += 1;
    }
    (difference, borrow)
}
