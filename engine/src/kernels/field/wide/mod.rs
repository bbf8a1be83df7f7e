//! Eight elements to a pack, in limbs of 52 bits: what AVX-512 multiplies.

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vector instructions; see the module")]
pub(super) mod avx512;
pub(super) mod lanes;
#[cfg(any(target_arch = "x86_64", test))]
mod limbs;
#[cfg(any(target_arch = "x86_64", test))]
pub(super) mod montgomery;
