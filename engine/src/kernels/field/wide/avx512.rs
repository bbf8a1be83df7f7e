//! [`Lanes`] on AVX-512: with the integer multiply-adds of IFMA, or with the floating-point ones
//! that every AVX-512 processor has.
//!
//! # Safety
//! Every `unsafe` block here calls intrinsics that need AVX-512 F and DQ ([`Fma`]) or IFMA also
//! ([`Ifma`]), and only works on values in registers. The types are private to the kernels and
//! are used only under [`crate::kernels::arithmetic::Arithmetic::vectorize`], which is called after the
//! processor was asked for these features.

use std::arch::x86_64::{
    __m512d, __m512i, _MM_FROUND_NO_EXC, _MM_FROUND_TO_ZERO, _MM_HINT_T0, _MM_HINT_T1,
    _mm_prefetch, _mm512_add_epi64, _mm512_and_si512, _mm512_castpd_si512, _mm512_castsi512_pd,
    _mm512_cmpeq_epi64_mask, _mm512_cvtepu64_pd, _mm512_fmadd_round_pd, _mm512_madd52hi_epu64,
    _mm512_madd52lo_epu64, _mm512_mask_mov_epi64, _mm512_movepi64_mask, _mm512_or_si512,
    _mm512_permutex2var_epi64, _mm512_permutexvar_epi64, _mm512_set1_epi64, _mm512_set1_pd,
    _mm512_setzero_si512, _mm512_shuffle_i64x2, _mm512_slli_epi64, _mm512_srai_epi64,
    _mm512_srli_epi64, _mm512_sub_epi64, _mm512_sub_pd, _mm512_ternarylogic_epi64,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

use super::lanes::{LIMB_MASK, Lanes};

const TO_ZERO: i32 = _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC;
/// 2^52 and 2^104, whose last places are 1 and 2^52.
const TWO_52: f64 = 4_503_599_627_370_496.0;
const TWO_104: f64 = TWO_52 * TWO_52;

/// Lanes of AVX-512 IFMA: `vpmadd52luq` and `vpmadd52huq`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Ifma(__m512i);

/// Lanes of AVX-512 F and DQ: products of 52-bit limbs by fused multiply-adds of doubles.
///
/// Rounded toward zero, `a·b + 2^104` has the high half of the product as its mantissa, and
/// `a·b + (2^104 + 2^52 - that)` the low half (N. Emmart, "Faster modular exponentiation using
/// double precision floating point arithmetic", ARITH 2018). The exponents are the biases.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Fma(__m512i);

/// The operations that both kinds share.
macro_rules! common_operations {
    () => {
        #[inline(always)]
        fn splat(value: u64) -> Self {
            // SAFETY: see the module.
            Self(unsafe { _mm512_set1_epi64(value.cast_signed()) })
        }
        #[inline(always)]
        fn from_array(values: [u64; 8]) -> Self {
            // SAFETY: both are 64 bytes of plain integers.
            Self(unsafe { std::mem::transmute::<[u64; 8], __m512i>(values) })
        }
        #[inline(always)]
        fn to_array(self) -> [u64; 8] {
            // SAFETY: both are 64 bytes of plain integers.
            unsafe { std::mem::transmute::<__m512i, [u64; 8]>(self.0) }
        }
        #[inline(always)]
        fn add(self, rhs: Self) -> Self {
            // SAFETY: see the module.
            Self(unsafe { _mm512_add_epi64(self.0, rhs.0) })
        }
        #[inline(always)]
        fn sub(self, rhs: Self) -> Self {
            // SAFETY: see the module.
            Self(unsafe { _mm512_sub_epi64(self.0, rhs.0) })
        }
        #[inline(always)]
        fn and(self, rhs: Self) -> Self {
            // SAFETY: see the module.
            Self(unsafe { _mm512_and_si512(self.0, rhs.0) })
        }
        #[inline(always)]
        fn or(self, rhs: Self) -> Self {
            // SAFETY: see the module.
            Self(unsafe { _mm512_or_si512(self.0, rhs.0) })
        }
        #[inline(always)]
        fn shift_left<const BITS: u32>(self) -> Self {
            // SAFETY: see the module.
            Self(unsafe { _mm512_slli_epi64::<BITS>(self.0) })
        }
        #[inline(always)]
        fn shift_right<const BITS: u32>(self) -> Self {
            // SAFETY: see the module.
            Self(unsafe { _mm512_srli_epi64::<BITS>(self.0) })
        }
        #[inline(always)]
        fn carry(self) -> Self {
            // SAFETY: see the module.
            Self(unsafe { _mm512_srai_epi64::<52>(self.0) })
        }
        #[inline(always)]
        fn select_negative(self, if_negative: Self, otherwise: Self) -> Self {
            // SAFETY: see the module.
            Self(unsafe {
                let negative = _mm512_movepi64_mask(self.0);
                _mm512_mask_mov_epi64(otherwise.0, negative, if_negative.0)
            })
        }
        #[inline(always)]
        fn replace(self, mask: u8, if_set: Self) -> Self {
            // SAFETY: see the module.
            Self(unsafe { _mm512_mask_mov_epi64(self.0, mask, if_set.0) })
        }
        #[inline(always)]
        fn zero_lanes(self) -> u8 {
            // SAFETY: see the module.
            unsafe { _mm512_cmpeq_epi64_mask(self.0, _mm512_setzero_si512()) }
        }
        #[inline(always)]
        fn shuffle(self, other: Self, index: [u64; 8]) -> Self {
            let index = Self::from_array(index);
            // SAFETY: see the module.
            Self(unsafe { _mm512_permutex2var_epi64(self.0, index.0, other.0) })
        }
        #[inline(always)]
        fn look_up(self, table: &[u64; 8]) -> Self {
            let table = Self::from_array(*table);
            // SAFETY: see the module.
            Self(unsafe { _mm512_permutexvar_epi64(self.0, table.0) })
        }
        #[inline(always)]
        fn look_up_16(self, table: &[[u64; 8]; 2]) -> Self {
            let (low, high) = (Self::from_array(table[0]), Self::from_array(table[1]));
            // SAFETY: see the module.
            Self(unsafe { _mm512_permutex2var_epi64(low.0, self.0, high.0) })
        }
        #[inline(always)]
        fn prefetch(words: &[u64; 8]) {
            // SAFETY: every processor with AVX-512 has it, and any address will do.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(words.as_ptr().cast()) }
        }
        #[inline(always)]
        fn prefetch_far<T>(value: &T) {
            // SAFETY: every processor with AVX-512 has it, and any address will do.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(value).cast()) }
        }
        #[inline(always)]
        fn transpose(rows: [Self; 8]) -> [Self; 8] {
            // SAFETY: see the module.
            unsafe { transpose(rows.map(|row| row.0)) }.map(Self)
        }
    };
}

impl Lanes for Ifma {
    type Factor = __m512i;
    const LOW_BIAS: u64 = 0;
    const HIGH_BIAS: u64 = 0;
    common_operations!();

    #[inline(always)]
    fn factor(self) -> __m512i {
        self.0
    }
    #[inline(always)]
    fn low_factor(self) -> __m512i {
        // The instructions read the low 52 bits only.
        self.0
    }
    #[inline(always)]
    fn multiply_add(columns: &mut [Self], a: &[__m512i], b: __m512i) {
        // First all low halves: a column waits four cycles for the addition before, which is then
        // five instructions away and not the one before.
        for i in 0..a.len() {
            // SAFETY: see the module.
            columns[i].0 = unsafe { _mm512_madd52lo_epu64(columns[i].0, a[i], b) };
        }
        for i in 0..a.len() {
            // SAFETY: see the module.
            columns[i + 1].0 = unsafe { _mm512_madd52hi_epu64(columns[i + 1].0, a[i], b) };
        }
    }
    #[inline(always)]
    fn multiply_low(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: see the module.
        unsafe { _mm512_madd52lo_epu64(_mm512_setzero_si512(), a, b) }
    }
}

impl Lanes for Fma {
    type Factor = __m512d;
    const LOW_BIAS: u64 = TWO_52.to_bits();
    const HIGH_BIAS: u64 = TWO_104.to_bits();
    common_operations!();

    #[inline(always)]
    fn factor(self) -> __m512d {
        // SAFETY: see the module.
        unsafe { _mm512_cvtepu64_pd(self.0) }
    }
    #[inline(always)]
    fn low_factor(self) -> __m512d {
        // SAFETY: see the module. `(self & mask) | 2^52` is the double 2^52 + the low bits.
        unsafe {
            let mask = _mm512_set1_epi64(LIMB_MASK.cast_signed());
            let exponent = _mm512_set1_epi64(Self::LOW_BIAS.cast_signed());
            let bits = _mm512_ternarylogic_epi64::<0xf8>(exponent, self.0, mask);
            _mm512_sub_pd(_mm512_castsi512_pd(bits), _mm512_set1_pd(TWO_52))
        }
    }
    #[inline(always)]
    fn multiply_add(columns: &mut [Self], a: &[__m512d], b: __m512d) {
        for i in 0..a.len() {
            // SAFETY: see the module.
            let (low, high) = unsafe {
                let (low, high) = halves(a[i], b);
                (_mm512_castpd_si512(low), _mm512_castpd_si512(high))
            };
            columns[i] = columns[i].add(Self(low));
            columns[i + 1] = columns[i + 1].add(Self(high));
        }
    }
    #[inline(always)]
    fn multiply_low(a: __m512d, b: __m512d) -> __m512d {
        // SAFETY: see the module.
        unsafe { _mm512_sub_pd(halves(a, b).0, _mm512_set1_pd(TWO_52)) }
    }
}

/// `2^52 + low` and `2^104 + 2^52·high` of the products of integers below 2^52.
///
/// # Safety
/// AVX-512 F must be there.
#[inline(always)]
unsafe fn halves(a: __m512d, b: __m512d) -> (__m512d, __m512d) {
    // SAFETY: by the caller.
    unsafe {
        let high = _mm512_fmadd_round_pd::<TO_ZERO>(a, b, _mm512_set1_pd(TWO_104));
        let rest = _mm512_sub_pd(_mm512_set1_pd(TWO_104 + TWO_52), high);
        (_mm512_fmadd_round_pd::<TO_ZERO>(a, b, rest), high)
    }
}

/// Rows to columns: pairs of words, then pairs of 128-bit quarters, then halves.
///
/// # Safety
/// AVX-512 F must be there.
#[inline(always)]
unsafe fn transpose(r: [__m512i; 8]) -> [__m512i; 8] {
    // SAFETY: by the caller.
    unsafe {
        let [c0, c2, c4, c6] = quarters([
            _mm512_unpacklo_epi64(r[0], r[1]),
            _mm512_unpacklo_epi64(r[2], r[3]),
            _mm512_unpacklo_epi64(r[4], r[5]),
            _mm512_unpacklo_epi64(r[6], r[7]),
        ]);
        let [c1, c3, c5, c7] = quarters([
            _mm512_unpackhi_epi64(r[0], r[1]),
            _mm512_unpackhi_epi64(r[2], r[3]),
            _mm512_unpackhi_epi64(r[4], r[5]),
            _mm512_unpackhi_epi64(r[6], r[7]),
        ]);
        [c0, c1, c2, c3, c4, c5, c6, c7]
    }
}

/// Rows to columns of quarters.
///
/// # Safety
/// AVX-512 F must be there.
#[inline(always)]
unsafe fn quarters(r: [__m512i; 4]) -> [__m512i; 4] {
    // SAFETY: by the caller.
    unsafe {
        // Quarters 0 and 2, then 1 and 3, of rows 0 and 1 and of rows 2 and 3.
        let top = _mm512_shuffle_i64x2::<0x88>(r[0], r[1]);
        let top_odd = _mm512_shuffle_i64x2::<0xdd>(r[0], r[1]);
        let bottom = _mm512_shuffle_i64x2::<0x88>(r[2], r[3]);
        let bottom_odd = _mm512_shuffle_i64x2::<0xdd>(r[2], r[3]);
        [
            _mm512_shuffle_i64x2::<0x88>(top, bottom),
            _mm512_shuffle_i64x2::<0x88>(top_odd, bottom_odd),
            _mm512_shuffle_i64x2::<0xdd>(top, bottom),
            _mm512_shuffle_i64x2::<0xdd>(top_odd, bottom_odd),
        ]
    }
}
