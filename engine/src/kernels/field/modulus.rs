//! The constants of the two primes.

use halo2_proofs::halo2curves::bn256::{Fq, Fr};

use super::{pack::Words, wide::lanes::LIMB_BITS};

/// Limbs of 52 bits of an element.
pub(super) const LIMBS: usize = 5;
/// Limbs of 29 bits.
pub(super) const NARROW_LIMBS: usize = 9;
/// Bits of such a limb.
pub(super) const NARROW_BITS: u32 = 29;

/// The constants of a prime in Montgomery form with radix `R = 2^(N·bits)`, in limbs.
pub(crate) struct Constants<const N: usize> {
    /// The prime.
    pub(super) modulus: [u64; N],
    /// `-1/p` modulo a limb's power of two.
    pub(super) inverse: u64,
    /// `(p·inverse + 1)/2^bits`: a multiple of p that is -1 modulo a limb, without its low limb.
    pub(super) friendly: [u64; N],
    /// R² mod p: turns an integer into Montgomery form.
    pub(super) radix_squared: [u64; N],
    /// `R²/2^256` mod p: from radix 2^256 to R.
    pub(super) from_words: [u64; N],
    /// 2^256 mod p: from radix R to 2^256.
    pub(super) to_words: [u64; N],
}

impl<const N: usize> Constants<N> {
    #[expect(clippy::cast_possible_truncation, reason = "a small number of limbs")]
    const fn new(words: [u64; 4], bits: u32) -> Self {
        let (modulus, radix) = (split(words, bits), N as u32 * bits);
        let inverse = negative_inverse(words[0]) & mask(bits);
        Self {
            modulus,
            inverse,
            friendly: friendly(modulus, inverse, bits),
            radix_squared: split(power_of_two(words, 2 * radix), bits),
            from_words: split(power_of_two(words, 2 * radix - 256), bits),
            to_words: split(power_of_two(words, 256), bits),
        }
    }
}

/// A constant in each of four lanes.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(crate) struct InLanes(pub(super) [u64; 4]);

impl InLanes {
    const fn splat<const N: usize>(values: [u64; N]) -> [Self; N] {
        let mut lanes = [Self([0; 4]); N];
        let mut i = 0;
        while i < N {
            lanes[i] = Self([values[i]; 4]);
            i += 1;
        }
        lanes
    }
}

/// The constants of a prime below 2^254.
pub(crate) trait Modulus: Words {
    /// The prime, low word first.
    const WORDS: [u64; 4];
    /// In limbs of 52 bits.
    const WIDE: Constants<LIMBS> = Constants::new(Self::WORDS, LIMB_BITS);
    /// In limbs of 29 bits.
    const NARROW: Constants<NARROW_LIMBS> = Constants::new(Self::WORDS, NARROW_BITS);
    /// Its friendly multiple, in memory as vector instructions read it.
    const NARROW_FRIENDLY: &'static [InLanes; NARROW_LIMBS] =
        &InLanes::splat(Self::NARROW.friendly);
    /// By top bits `i`, minus the multiple of p in `i·2^253`.
    const AFTER_ADD: [[u64; 8]; LIMBS] =
        multiples(Self::WIDE.modulus, [0, 0, -1, -1, -2, -3, -3, -4]);
    /// By top bits `i`, which mean `i - 8` from 4 on: the multiple of p that brings `[i, i + 1)`
    /// times 2^253, and a bit more on both sides, to `[0, 2p)`.
    const AFTER_SUB: [[u64; 8]; LIMBS] = multiples(Self::WIDE.modulus, [1, 0, -1, -1, 3, 2, 2, 1]);
    /// Minus 0 to 15 times p.
    const AFTER_LAZY: [[[u64; 8]; 2]; LIMBS] = {
        let low = multiples(Self::WIDE.modulus, [0, -1, -2, -3, -4, -5, -6, -7]);
        let high = multiples(Self::WIDE.modulus, [-8, -9, -10, -11, -12, -13, -14, -15]);
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

/// The low `bits` bits.
const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

/// Words to limbs, low first.
pub(super) const fn split<const N: usize>(words: [u64; 4], bits: u32) -> [u64; N] {
    let mut limbs = [0; N];
    let mut i = 0;
    while i < N {
        let first = i * bits as usize;
        let (word, shift) = (first / 64, first % 64);
        let mut limb = words[word] >> shift;
        if shift + bits as usize > 64 && word < 3 {
            limb |= words[word + 1] << (64 - shift);
        }
        limbs[i] = limb & mask(bits);
        i += 1;
    }
    limbs
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

/// By multiples of 2^255: `above` less the multiples of p in so many, times p.
pub(super) const fn multiples_below_units(p: [u64; LIMBS], above: u64) -> [[u64; 8]; LIMBS] {
    // Of both primes: 2^255 is 2.6459p.
    let mut times = [0, 2, 5, 7, 10, 13, 15, 18];
    let mut i = 0;
    while i < 8 {
        times[i] = above.cast_signed() - times[i];
        i += 1;
    }
    multiples(p, times)
}

/// Newton's iteration for minus the inverse of an odd number mod 2^64.
const fn negative_inverse(p: u64) -> u64 {
    let mut inverse = 1_u64;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(p.wrapping_mul(inverse)));
        step += 1;
    }
    inverse.wrapping_neg()
}

/// `(p·multiple + 1)/2^bits`, which is an integer.
#[expect(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
const fn friendly<const N: usize>(p: [u64; N], multiple: u64, bits: u32) -> [u64; N] {
    let mut limbs = [0; N];
    let mut carry = 1;
    let mut i = 0;
    while i <= N {
        let limb = if i < N { p[i] } else { 0 };
        let sum = carry + limb as u128 * multiple as u128;
        if i > 0 {
            limbs[i - 1] = sum as u64 & mask(bits);
        }
        carry = sum >> bits;
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
pub(in crate::kernels) const fn subtract(a: [u64; 4], b: [u64; 4]) -> ([u64; 4], bool) {
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
