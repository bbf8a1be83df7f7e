//! Kernels of the proving engine: field arithmetic on whatever instructions the processor has,
//! transforms, batch inversion and multi-scalar multiplication.
//!
//! Everything is written once, over *packs* of field elements: one element with 64-bit words on any
//! processor, four with AVX2, eight with AVX-512. Results are identical. The only `unsafe` code is
//! the vector instructions themselves and the entry into functions that are compiled for them.

pub(crate) mod batch;
mod field;
#[cfg(test)]
mod fuzz_tests;
pub mod measure;
pub(crate) mod msm;
pub(crate) mod ntt;
pub(crate) mod parallel;

pub use field::arithmetic::Instructions;
pub(crate) use field::{arithmetic, pack};
