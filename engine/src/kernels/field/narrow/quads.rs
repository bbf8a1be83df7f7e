//! Four 64-bit lanes, or eight halves of them: the few instructions that the arithmetic with narrow
//! limbs is written in.
//!
//! The arithmetic of [`super`] is generic over [`Quad`], so the same lines run on AVX2, and
//! lane by lane in tests on any machine.

use std::fmt;

use super::{
    super::modulus::{InLanes, NARROW_LIMBS},
    limbs,
};

/// Four `u64` side by side, with wrapping arithmetic; some operations see two `u32` in each.
pub(crate) trait Quad: Copy + fmt::Debug + Send + Sync + 'static {
    /// The same value in every lane.
    fn splat(value: u64) -> Self;
    /// One value per lane.
    fn from_array(values: [u64; 4]) -> Self;
    /// The value of every lane.
    fn to_array(self) -> [u64; 4];
    /// `self + rhs` mod 2^64.
    fn add(self, rhs: Self) -> Self;
    /// `self + rhs` mod 2^32 in both halves.
    fn add_halves(self, rhs: Self) -> Self;
    /// `self - rhs` mod 2^32 in both halves.
    fn sub_halves(self, rhs: Self) -> Self;
    /// The product of the low halves, as signed integers.
    fn multiply(self, rhs: Self) -> Self;
    /// Bitwise and.
    fn and(self, rhs: Self) -> Self;
    /// Bitwise or.
    fn or(self, rhs: Self) -> Self;
    /// Shift left, zeros enter.
    fn shift_left<const BITS: i32>(self) -> Self;
    /// Shift right, zeros enter.
    fn shift_right<const BITS: i32>(self) -> Self;
    /// Shift left in both halves, zeros enter.
    fn shift_halves_left<const BITS: i32>(self) -> Self;
    /// Shift right in both halves, zeros enter.
    fn shift_halves_right<const BITS: i32>(self) -> Self;
    /// Shift right in both halves, the sign enters.
    fn shift_halves_right_signed<const BITS: i32>(self) -> Self;
    /// The low half of `self`, and above it the low half of `high`.
    fn interleave(self, high: Self) -> Self;
    /// Per lane: `if_negative` where the top bit of `self` is set, else `otherwise`.
    fn select_negative(self, if_negative: Self, otherwise: Self) -> Self;
    /// Per lane: `if_set` where the bit of `mask` is set, else `self`.
    fn replace(self, mask: u8, if_set: Self) -> Self;
    /// Bit `i` is set where lane `i` is zero.
    fn zero_lanes(self) -> u8;
    /// Lanes `shift..shift + 4` of `self` and `next` in a row; `shift` is at most 4.
    fn aligned(self, next: Self, shift: usize) -> Self;
    /// Rows to columns.
    fn transpose(rows: [Self; 4]) -> [Self; 4];
    /// Says that these words will be loaded soon.
    fn prefetch(words: &[u64; 8]);
    /// Says that this will be loaded, but not at once: it is not to take the place of what is.
    fn prefetch_far<T>(value: &T);
    /// [`limbs::product`], which an implementation may schedule better than the compiler does.
    #[inline(always)]
    fn product(
        a: &[Self; NARROW_LIMBS],
        b: &[Self; NARROW_LIMBS],
        friendly: &'static [InLanes; NARROW_LIMBS],
    ) -> [Self; NARROW_LIMBS] {
        limbs::product(a, b, friendly)
    }
}

/// Lanes without vector instructions: what the others must equal, and the one that every machine
/// can test.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(crate) struct Emulated([u64; 4]);

#[cfg(test)]
impl Emulated {
    fn zip(self, rhs: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|lane| f(self.0[lane], rhs.0[lane])))
    }

    fn halves(value: u64) -> [u32; 2] {
        let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
        [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
    }

    fn map_halves(self, f: impl Fn(u32) -> u32) -> Self {
        Self(self.0.map(|value| {
            let [low, high] = Self::halves(value).map(&f);
            u64::from(low) | u64::from(high) << 32
        }))
    }

    fn zip_halves(self, rhs: Self, f: impl Fn(u32, u32) -> u32) -> Self {
        self.zip(rhs, |a, b| {
            let ([a, c], [b, d]) = (Self::halves(a), Self::halves(b));
            u64::from(f(a, b)) | u64::from(f(c, d)) << 32
        })
    }
}

#[cfg(test)]
impl Quad for Emulated {
    fn splat(value: u64) -> Self {
        Self([value; 4])
    }
    fn from_array(values: [u64; 4]) -> Self {
        Self(values)
    }
    fn to_array(self) -> [u64; 4] {
        self.0
    }
    fn add(self, rhs: Self) -> Self {
        self.zip(rhs, u64::wrapping_add)
    }
    fn add_halves(self, rhs: Self) -> Self {
        self.zip_halves(rhs, u32::wrapping_add)
    }
    fn sub_halves(self, rhs: Self) -> Self {
        self.zip_halves(rhs, u32::wrapping_sub)
    }
    fn multiply(self, rhs: Self) -> Self {
        let low = |value| i64::from(Self::halves(value)[0].cast_signed());
        self.zip(rhs, |a, b| (low(a) * low(b)).cast_unsigned())
    }
    fn and(self, rhs: Self) -> Self {
        self.zip(rhs, |a, b| a & b)
    }
    fn or(self, rhs: Self) -> Self {
        self.zip(rhs, |a, b| a | b)
    }
    fn shift_left<const BITS: i32>(self) -> Self {
        Self(self.0.map(|value| value << BITS))
    }
    fn shift_right<const BITS: i32>(self) -> Self {
        Self(self.0.map(|value| value >> BITS))
    }
    fn shift_halves_left<const BITS: i32>(self) -> Self {
        self.map_halves(|half| half << BITS)
    }
    fn shift_halves_right<const BITS: i32>(self) -> Self {
        self.map_halves(|half| half >> BITS)
    }
    fn shift_halves_right_signed<const BITS: i32>(self) -> Self {
        self.map_halves(|half| (half.cast_signed() >> BITS).cast_unsigned())
    }
    fn interleave(self, high: Self) -> Self {
        self.zip(high, |low, high| {
            u64::from(Self::halves(low)[0]) | u64::from(Self::halves(high)[0]) << 32
        })
    }
    fn select_negative(self, if_negative: Self, otherwise: Self) -> Self {
        let pick = |lane: usize| {
            if self.0[lane] >> 63 == 1 { if_negative.0[lane] } else { otherwise.0[lane] }
        };
        Self(std::array::from_fn(pick))
    }
    fn replace(self, mask: u8, if_set: Self) -> Self {
        let pick = |lane: usize| if mask >> lane & 1 == 1 { if_set.0[lane] } else { self.0[lane] };
        Self(std::array::from_fn(pick))
    }
    fn zero_lanes(self) -> u8 {
        (0..4).fold(0, |mask, lane| mask | u8::from(self.0[lane] == 0) << lane)
    }
    fn aligned(self, next: Self, shift: usize) -> Self {
        let both = [self.0, next.0].concat();
        Self(std::array::from_fn(|lane| both[lane + shift]))
    }
    fn transpose(rows: [Self; 4]) -> [Self; 4] {
        std::array::from_fn(|column| Self(std::array::from_fn(|row| rows[row].0[column])))
    }
    fn prefetch(_: &[u64; 8]) {}
    fn prefetch_far<T>(_: &T) {}
}
