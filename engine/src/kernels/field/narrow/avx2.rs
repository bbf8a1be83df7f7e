//! [`Quad`] on AVX2.
//!
//! # Safety
//! Every `unsafe` block here uses instructions of AVX2 and, but for the one in [`product`], only
//! works on values in registers. The type is private to the kernels and is used only under
//! [`crate::kernels::arithmetic::Arithmetic::vectorize`], which is called after the processor was asked for
//! this feature.

use std::arch::asm;
use std::arch::x86_64::{
    __m256i, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm256_add_epi32, _mm256_add_epi64,
    _mm256_alignr_epi8, _mm256_and_si256, _mm256_blend_epi32, _mm256_blendv_epi8, _mm256_blendv_pd,
    _mm256_castpd_si256, _mm256_castsi256_pd, _mm256_cmpeq_epi64, _mm256_movemask_pd,
    _mm256_mul_epi32, _mm256_or_si256, _mm256_permute2x128_si256, _mm256_set1_epi64x,
    _mm256_setzero_si256, _mm256_slli_epi32, _mm256_slli_epi64, _mm256_srai_epi32,
    _mm256_srli_epi32, _mm256_srli_epi64, _mm256_sub_epi32, _mm256_unpackhi_epi64,
    _mm256_unpacklo_epi64,
};

use super::{
    super::modulus::{InLanes, NARROW_LIMBS},
    limbs::{self, BITS, MASK},
    quads::Quad,
};

/// Lanes of AVX2.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Avx2(__m256i);

impl Quad for Avx2 {
    #[inline(always)]
    fn splat(value: u64) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_set1_epi64x(value.cast_signed()) })
    }
    #[inline(always)]
    fn from_array(values: [u64; 4]) -> Self {
        // SAFETY: both are 32 bytes of plain integers.
        Self(unsafe { std::mem::transmute::<[u64; 4], __m256i>(values) })
    }
    #[inline(always)]
    fn to_array(self) -> [u64; 4] {
        // SAFETY: both are 32 bytes of plain integers.
        unsafe { std::mem::transmute::<__m256i, [u64; 4]>(self.0) }
    }
    #[inline(always)]
    fn add(self, rhs: Self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_add_epi64(self.0, rhs.0) })
    }
    #[inline(always)]
    fn add_halves(self, rhs: Self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_add_epi32(self.0, rhs.0) })
    }
    #[inline(always)]
    fn sub_halves(self, rhs: Self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_sub_epi32(self.0, rhs.0) })
    }
    #[inline(always)]
    fn multiply(self, rhs: Self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_mul_epi32(self.0, rhs.0) })
    }
    #[inline(always)]
    fn and(self, rhs: Self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_and_si256(self.0, rhs.0) })
    }
    #[inline(always)]
    fn or(self, rhs: Self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_or_si256(self.0, rhs.0) })
    }
    #[inline(always)]
    fn shift_left<const BITS: i32>(self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_slli_epi64::<BITS>(self.0) })
    }
    #[inline(always)]
    fn shift_right<const BITS: i32>(self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_srli_epi64::<BITS>(self.0) })
    }
    #[inline(always)]
    fn shift_halves_left<const BITS: i32>(self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_slli_epi32::<BITS>(self.0) })
    }
    #[inline(always)]
    fn shift_halves_right<const BITS: i32>(self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_srli_epi32::<BITS>(self.0) })
    }
    #[inline(always)]
    fn shift_halves_right_signed<const BITS: i32>(self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_srai_epi32::<BITS>(self.0) })
    }
    #[inline(always)]
    fn interleave(self, high: Self) -> Self {
        // SAFETY: see the module.
        Self(unsafe { _mm256_blend_epi32::<0xaa>(self.0, _mm256_slli_epi64::<32>(high.0)) })
    }
    #[inline(always)]
    fn select_negative(self, if_negative: Self, otherwise: Self) -> Self {
        // SAFETY: see the module. A blend of doubles goes by the top bit of each lane.
        Self(unsafe {
            _mm256_castpd_si256(_mm256_blendv_pd(
                _mm256_castsi256_pd(otherwise.0),
                _mm256_castsi256_pd(if_negative.0),
                _mm256_castsi256_pd(self.0),
            ))
        })
    }
    #[inline(always)]
    fn replace(self, mask: u8, if_set: Self) -> Self {
        let bits = Self::from_array([1, 2, 4, 8]);
        let masks = Self::splat(mask.into()).and(bits);
        // SAFETY: see the module.
        Self(unsafe { _mm256_blendv_epi8(self.0, if_set.0, _mm256_cmpeq_epi64(masks.0, bits.0)) })
    }
    #[inline(always)]
    fn zero_lanes(self) -> u8 {
        // SAFETY: see the module.
        let mask = unsafe {
            let zeros = _mm256_cmpeq_epi64(self.0, _mm256_setzero_si256());
            _mm256_movemask_pd(_mm256_castsi256_pd(zeros))
        };
        mask.to_le_bytes()[0]
    }
    #[inline(always)]
    fn aligned(self, next: Self, shift: usize) -> Self {
        // SAFETY: see the module. `middle` is lanes 2 and 3 of one, 0 and 1 of the other.
        Self(unsafe {
            let middle = _mm256_permute2x128_si256::<0x21>(self.0, next.0);
            match shift {
                0 => self.0,
                1 => _mm256_alignr_epi8::<8>(middle, self.0),
                2 => middle,
                3 => _mm256_alignr_epi8::<8>(next.0, middle),
                _ => next.0,
            }
        })
    }
    #[inline(always)]
    fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        // SAFETY: see the module. Pairs of words, then halves.
        unsafe {
            let (even, odd) = (_mm256_unpacklo_epi64(a.0, b.0), _mm256_unpackhi_epi64(a.0, b.0));
            let (even_low, odd_low) =
                (_mm256_unpacklo_epi64(c.0, d.0), _mm256_unpackhi_epi64(c.0, d.0));
            [
                Self(_mm256_permute2x128_si256::<0x20>(even, even_low)),
                Self(_mm256_permute2x128_si256::<0x20>(odd, odd_low)),
                Self(_mm256_permute2x128_si256::<0x31>(even, even_low)),
                Self(_mm256_permute2x128_si256::<0x31>(odd, odd_low)),
            ]
        }
    }
    #[inline(always)]
    fn product(
        a: &[Self; NARROW_LIMBS],
        b: &[Self; NARROW_LIMBS],
        friendly: &'static [InLanes; NARROW_LIMBS],
    ) -> [Self; NARROW_LIMBS] {
        // SAFETY: see the module.
        unsafe { product(a, b, friendly) }
    }
    #[inline(always)]
    fn prefetch(words: &[u64; 8]) {
        // SAFETY: every x86-64 processor has it, and any address will do.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(words.as_ptr().cast()) }
    }
    #[inline(always)]
    fn prefetch_far<T>(value: &T) {
        // SAFETY: every x86-64 processor has it, and any address will do.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(value).cast()) }
    }
}

/// The products of nine limbs in memory by the one in `{limb}`, added to the columns.
macro_rules! add_row {
    () => {
        concat!(
            "vpmuldq {x}, {limb}, ymmword ptr [{a}]\n vpaddq {t0}, {t0}, {x}\n",
            "vpmuldq {x}, {limb}, ymmword ptr [{a} + 32]\n vpaddq {t1}, {t1}, {x}\n",
            "vpmuldq {x}, {limb}, ymmword ptr [{a} + 64]\n vpaddq {t2}, {t2}, {x}\n",
            "vpmuldq {x}, {limb}, ymmword ptr [{a} + 96]\n vpaddq {t3}, {t3}, {x}\n",
            "vpmuldq {x}, {limb}, ymmword ptr [{a} + 128]\n vpaddq {t4}, {t4}, {x}\n",
            "vpmuldq {x}, {limb}, ymmword ptr [{a} + 160]\n vpaddq {t5}, {t5}, {x}\n",
            "vpmuldq {x}, {limb}, ymmword ptr [{a} + 192]\n vpaddq {t6}, {t6}, {x}\n",
            "vpmuldq {x}, {limb}, ymmword ptr [{a} + 224]\n vpaddq {t7}, {t7}, {x}\n",
            "vpmuldq {x}, {limb}, ymmword ptr [{a} + 256]\n vpaddq {t8}, {t8}, {x}",
        )
    };
}

/// [`limbs::product`] row by row, with the columns in registers and everything else in memory. The
/// compiler makes it column by column, and a fifth of its instructions move registers to memory and back.
///
/// # Safety
/// AVX2 must be there.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn product(
    a: &[Avx2; NARROW_LIMBS],
    b: &[Avx2; NARROW_LIMBS],
    friendly: &'static [InLanes; NARROW_LIMBS],
) -> [Avx2; NARROW_LIMBS] {
    let [mut t0, mut t1, mut t2, mut t3, mut t4, mut t5, mut t6, mut t7, mut t8] =
        limbs::biases::<Avx2>().map(|column| column.0);
    let rows = b.as_ptr_range();
    // SAFETY: reads the 288 bytes of each of the three arrays, `b` from its first row to its
    // last, and nothing else; writes registers only.
    unsafe {
        asm!(
            "2:",
            "vmovdqa {limb}, ymmword ptr [{b}]",
            add_row!(),
            "add {b}, 32",
            "cmp {b}, {end}",
            "je 3f",
            // `limbs::reduce_column`.
            "vpand {limb}, {t0}, {mask}",
            "vpsrlq {carried}, {t0}, {bits}",
            "vpmuldq {x}, {limb}, ymmword ptr [{friendly}]\n vpaddq {t0}, {t1}, {x}",
            "vpmuldq {x}, {limb}, ymmword ptr [{friendly} + 32]\n vpaddq {t1}, {t2}, {x}",
            "vpmuldq {x}, {limb}, ymmword ptr [{friendly} + 64]\n vpaddq {t2}, {t3}, {x}",
            "vpmuldq {x}, {limb}, ymmword ptr [{friendly} + 96]\n vpaddq {t3}, {t4}, {x}",
            "vpmuldq {x}, {limb}, ymmword ptr [{friendly} + 128]\n vpaddq {t4}, {t5}, {x}",
            "vpmuldq {x}, {limb}, ymmword ptr [{friendly} + 160]\n vpaddq {t5}, {t6}, {x}",
            "vpmuldq {x}, {limb}, ymmword ptr [{friendly} + 192]\n vpaddq {t6}, {t7}, {x}",
            "vpmuldq {x}, {limb}, ymmword ptr [{friendly} + 224]\n vpaddq {t7}, {t8}, {x}",
            "vpmuldq {t8}, {limb}, ymmword ptr [{friendly} + 256]",
            "vpaddq {t0}, {t0}, {carried}",
            "jmp 2b",
            "3:",
            a = in(reg) a.as_ptr(),
            b = inout(reg) rows.start => _,
            end = in(reg) rows.end,
            friendly = in(reg) friendly.as_ptr(),
            bits = const BITS,
            mask = in(ymm_reg) Avx2::splat(MASK).0,
            limb = out(ymm_reg) _,
            carried = out(ymm_reg) _,
            x = out(ymm_reg) _,
            t0 = inout(ymm_reg) t0,
            t1 = inout(ymm_reg) t1,
            t2 = inout(ymm_reg) t2,
            t3 = inout(ymm_reg) t3,
            t4 = inout(ymm_reg) t4,
            t5 = inout(ymm_reg) t5,
            t6 = inout(ymm_reg) t6,
            t7 = inout(ymm_reg) t7,
            t8 = inout(ymm_reg) t8,
            options(pure, readonly, nostack),
        );
    }
    [t0, t1, t2, t3, t4, t5, t6, t7, t8].map(Avx2)
}
