//! Kernels of the proving engine: field arithmetic on whatever instructions the processor has,
//! transforms, batch inversion and multi-scalar multiplication.
//!
//! Everything is written once, over *packs* of field elements: one element with 64-bit words on any
//! processor, four with AVX2, eight with AVX-512. Results are identical. The only `unsafe` code is
//! the vector instructions themselves and the entry into functions that are compiled for them.

pub(crate) mod arithmetic;
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vector instructions; see the module")]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vector instructions; see the module")]
mod avx512;
pub(crate) mod batch;
#[cfg(test)]
mod fuzz_tests;
mod lanes;
pub mod measure;
mod modulus;
#[cfg(any(target_arch = "x86_64", test))]
mod montgomery;
pub(crate) mod msm;
#[cfg(any(target_arch = "x86_64", test))]
mod narrow;
pub(crate) mod ntt;
pub(crate) mod pack;
#[cfg(test)]
mod pack_tests;
pub(crate) mod parallel;
mod portable;
#[cfg(any(target_arch = "x86_64", test))]
mod quads;

pub use arithmetic::Instructions;
