//! Eight 64-bit lanes: the few instructions that the vector arithmetic is written in.
//!
//! The arithmetic of [`super::montgomery`] is generic over [`Lanes`], so the same lines run on
//! AVX-512 IFMA, on AVX-512 without it, and lane by lane in tests on any machine.

use std::fmt;

/// Mask of a 52-bit limb.
pub(in super::super) const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;
/// Bits of a limb: what one multiply-add instruction of IFMA multiplies.
pub(in super::super) const LIMB_BITS: u32 = 52;

/// Eight `u64` side by side, with wrapping arithmetic.
///
/// Products are taken of *factors*: limbs below 2^52 in whatever form the multiplier wants. An
/// implementation may add a constant with each half of a product, if it is a multiple of 2^52:
/// sums start at minus the constants that will come.
pub(crate) trait Lanes: Copy + fmt::Debug + Send + Sync + 'static {
    /// A limb, ready to be multiplied.
    type Factor: Copy;
    /// What [`Lanes::multiply_add`] adds with every low half.
    const LOW_BIAS: u64;
    /// What it adds with every high half.
    const HIGH_BIAS: u64;

    /// The same value in every lane.
    fn splat(value: u64) -> Self;
    /// One value per lane.
    fn from_array(values: [u64; 8]) -> Self;
    /// The value of every lane.
    fn to_array(self) -> [u64; 8];
    /// `self + rhs` mod 2^64.
    fn add(self, rhs: Self) -> Self;
    /// `self - rhs` mod 2^64.
    fn sub(self, rhs: Self) -> Self;
    /// Bitwise and.
    fn and(self, rhs: Self) -> Self;
    /// Bitwise or.
    fn or(self, rhs: Self) -> Self;
    /// Shift left, zeros enter.
    fn shift_left<const BITS: u32>(self) -> Self;
    /// Shift right, zeros enter.
    fn shift_right<const BITS: u32>(self) -> Self;
    /// Shift right by a limb, the sign enters.
    fn carry(self) -> Self;
    /// Per lane: `if_negative` where the top bit of `self` is set, else `otherwise`.
    fn select_negative(self, if_negative: Self, otherwise: Self) -> Self;
    /// Per lane: `if_set` where the bit of `mask` is set, else `self`.
    fn replace(self, mask: u8, if_set: Self) -> Self;
    /// Bit `i` is set where lane `i` is zero.
    fn zero_lanes(self) -> u8;
    /// Lane `i` is lane `index[i]` of `self`, or of `other` where `index[i]` is 8 or more.
    fn shuffle(self, other: Self, index: [u64; 8]) -> Self;
    /// Lane `i` is entry `self[i] mod 8` of the table.
    fn look_up(self, table: &[u64; 8]) -> Self;
    /// Lane `i` is entry `self[i] mod 16` of the two halves of the table.
    fn look_up_16(self, table: &[[u64; 8]; 2]) -> Self;
    /// Says that these words will be loaded soon.
    fn prefetch(words: &[u64; 8]);
    /// Says that this will be loaded, but not at once: it is not to take the place of what is.
    fn prefetch_far<T>(value: &T);
    /// Rows to columns.
    fn transpose(rows: [Self; 8]) -> [Self; 8];

    /// A limb below 2^52 as a factor.
    fn factor(self) -> Self::Factor;
    /// The low 52 bits of every lane as a factor.
    fn low_factor(self) -> Self::Factor;
    /// Adds `a[i] · b` to the columns: its low 52 bits to column `i`, its high ones to column
    /// `i + 1`, and the biases.
    fn multiply_add(columns: &mut [Self], a: &[Self::Factor], b: Self::Factor);
    /// The low 52 bits of `a · b`.
    fn multiply_low(a: Self::Factor, b: Self::Factor) -> Self::Factor;
}

/// Lanes without vector instructions: what the others must equal, and the one that every machine
/// can test.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Emulated([u64; 8]);

#[cfg(test)]
impl Emulated {
    fn zip(self, rhs: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|lane| f(self.0[lane], rhs.0[lane])))
    }
}

#[cfg(test)]
impl Lanes for Emulated {
    type Factor = Self;
    const LOW_BIAS: u64 = 3 << 52;
    const HIGH_BIAS: u64 = 5 << 52;

    fn splat(value: u64) -> Self {
        Self([value; 8])
    }
    fn from_array(values: [u64; 8]) -> Self {
        Self(values)
    }
    fn to_array(self) -> [u64; 8] {
        self.0
    }
    fn add(self, rhs: Self) -> Self {
        self.zip(rhs, u64::wrapping_add)
    }
    fn sub(self, rhs: Self) -> Self {
        self.zip(rhs, u64::wrapping_sub)
    }
    fn and(self, rhs: Self) -> Self {
        self.zip(rhs, |a, b| a & b)
    }
    fn or(self, rhs: Self) -> Self {
        self.zip(rhs, |a, b| a | b)
    }
    fn shift_left<const BITS: u32>(self) -> Self {
        Self(self.0.map(|value| value << BITS))
    }
    fn shift_right<const BITS: u32>(self) -> Self {
        Self(self.0.map(|value| value >> BITS))
    }
    fn carry(self) -> Self {
        Self(self.0.map(|value| (value.cast_signed() >> LIMB_BITS).cast_unsigned()))
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
        (0..8).fold(0, |mask, lane| mask | u8::from(self.0[lane] == 0) << lane)
    }
    fn shuffle(self, other: Self, index: [u64; 8]) -> Self {
        let both = [self.0, other.0].concat();
        Self(index.map(|from| both[usize::try_from(from).expect("an index below 16")]))
    }
    fn look_up(self, table: &[u64; 8]) -> Self {
        Self(self.0.map(|index| table[usize::try_from(index % 8).expect("below 8")]))
    }
    fn look_up_16(self, table: &[[u64; 8]; 2]) -> Self {
        Self(
            self.0
                .map(|index| table.as_flattened()[usize::try_from(index % 16).expect("below 16")]),
        )
    }
    fn prefetch(_: &[u64; 8]) {}
    fn prefetch_far<T>(_: &T) {}
    fn transpose(rows: [Self; 8]) -> [Self; 8] {
        std::array::from_fn(|column| Self(std::array::from_fn(|row| rows[row].0[column])))
    }
    fn factor(self) -> Self {
        assert!(self.0.iter().all(|&limb| limb <= LIMB_MASK), "a factor must be a limb");
        self
    }
    fn low_factor(self) -> Self {
        self.and(Self::splat(LIMB_MASK))
    }
    fn multiply_add(columns: &mut [Self], a: &[Self], b: Self) {
        let product = |a: u64, b: u64| u128::from(a) * u128::from(b);
        let low = |a, b| u64::try_from(product(a, b) & u128::from(LIMB_MASK)).expect("52 bits");
        let high = |a, b| u64::try_from(product(a, b) >> LIMB_BITS).expect("52 bits");
        for (i, a) in a.iter().enumerate() {
            columns[i] = columns[i].add(a.zip(b, low)).add(Self::splat(Self::LOW_BIAS));
            columns[i + 1] = columns[i + 1].add(a.zip(b, high)).add(Self::splat(Self::HIGH_BIAS));
        }
    }
    fn multiply_low(a: Self, b: Self) -> Self {
        a.zip(b, u64::wrapping_mul).low_factor()
    }
}
