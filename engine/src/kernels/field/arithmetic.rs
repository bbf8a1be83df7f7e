//! Which arithmetic the kernels run on.

use std::fmt;

use halo2_proofs::halo2curves::bn256::{Fq, Fr};

#[cfg(any(target_arch = "x86_64", test))]
use super::{narrow::Narrow, wide::montgomery::Vector};
#[cfg(target_arch = "x86_64")]
use super::{narrow::avx2, wide::avx512};
use super::{
    pack::{Coordinates, Pack},
    portable::Single,
};

/// An arithmetic: the packs of both fields, and how to enter code that uses them.
pub(crate) trait Arithmetic: Copy + fmt::Debug + Send + Sync + 'static {
    /// Packs of the scalar field.
    type Fr: Pack<Fr>;
    /// Packs of the base field.
    type Fq: Coordinates;

    /// Runs `f`, compiled for the instructions of this arithmetic: whatever is inlined into `f`
    /// uses them.
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R;
}

/// One element at a time, with halo2's own arithmetic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

impl Arithmetic for Portable {
    type Fr = Single<Fr>;
    type Fq = Single<Fq>;

    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }
}

/// Eight elements at a time, without vector instructions: lets every machine test the vector code.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Emulated;

#[cfg(test)]
impl Arithmetic for Emulated {
    type Fr = Vector<Fr, super::wide::lanes::Emulated>;
    type Fq = Vector<Fq, super::wide::lanes::Emulated>;

    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }
}

/// Four elements at a time, with narrow limbs and without vector instructions.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct EmulatedNarrow;

#[cfg(test)]
impl Arithmetic for EmulatedNarrow {
    type Fr = Narrow<Fr, super::narrow::quads::Emulated>;
    type Fq = Narrow<Fq, super::narrow::quads::Emulated>;

    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }
}

/// An arithmetic whose value exists where the processor has all of the features, which are those
/// that its code is compiled for.
#[cfg(target_arch = "x86_64")]
macro_rules! detected {
    ($(#[$doc:meta])* $name:ident: $packs:ident of $lanes:ty, $($feature:tt)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name(());

        impl $name {
            fn detect() -> Option<Self> {
                let detected = $(is_x86_feature_detected!($feature))&&*;
                detected.then_some(Self(()))
            }
        }

        impl Arithmetic for $name {
            type Fr = $packs<Fr, $lanes>;
            type Fq = $packs<Fq, $lanes>;

            #[expect(unsafe_code, reason = "compiled for instructions that were found to be there")]
            #[inline(always)]
            fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
                $(#[target_feature(enable = $feature)])*
                fn enter<R>(f: impl FnOnce() -> R) -> R {
                    f()
                }
                // SAFETY: `self` was made after the processor said that it has these features.
                unsafe { enter(f) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
detected! {
    /// AVX-512 with the integer multiply-adds of IFMA.
    Ifma: Vector of avx512::Ifma,
    "avx512f" "avx512dq" "avx512vl" "avx512bw" "avx512ifma" "bmi2" "adx"
}
#[cfg(target_arch = "x86_64")]
detected! {
    /// AVX-512 without IFMA.
    Fma: Vector of avx512::Fma,
    "avx512f" "avx512dq" "avx512vl" "avx512bw" "bmi2" "adx"
}
#[cfg(target_arch = "x86_64")]
detected! {
    /// AVX2.
    Avx2: Narrow of avx2::Avx2,
    "avx2" "bmi2" "adx"
}

/// The instruction sets that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Instructions {
    /// AVX-512 with 52-bit integer multiply-adds: Intel since Ice Lake, AMD since Zen 4.
    Avx512Ifma,
    /// AVX-512 without them: products by floating-point multiply-adds. Intel since Skylake-SP.
    Avx512,
    /// AVX2: products of 32-bit halves. Intel since Haswell, AMD since Zen.
    Avx2,
    /// 64-bit words, on any processor.
    Portable,
    /// The code for AVX-512, lane by lane.
    #[cfg(test)]
    Emulated,
    /// The code for AVX2, lane by lane.
    #[cfg(test)]
    EmulatedNarrow,
}

impl Instructions {
    /// All of them, the fastest first.
    pub const ALL: [Self; 4] = [Self::Avx512Ifma, Self::Avx512, Self::Avx2, Self::Portable];

    /// Whether this processor has them.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Ifma => Ifma::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Fma::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512Ifma | Self::Avx512 | Self::Avx2 => false,
            Self::Portable => true,
            #[cfg(test)]
            Self::Emulated | Self::EmulatedNarrow => true,
        }
    }

    /// The fastest that this processor has.
    #[must_use]
    pub fn detect() -> Self {
        Self::ALL.into_iter().find(|set| set.is_available()).unwrap_or(Self::Portable)
    }

    /// The name in reports and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512Ifma => "avx512ifma",
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
            #[cfg(test)]
            Self::Emulated => "emulated",
            #[cfg(test)]
            Self::EmulatedNarrow => "emulated narrow",
        }
    }
}

/// Something to run on an arithmetic that is chosen at run time.
pub(crate) trait Run {
    /// What it gives.
    type Output;
    /// Runs on `arithmetic`.
    fn run<A: Arithmetic>(self, arithmetic: A) -> Self::Output;
}

impl Instructions {
    /// Runs `task` on this arithmetic, or on the portable one where this one is not available.
    pub(crate) fn run<T: Run>(self, task: T) -> T::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Ifma => {
                if let Some(arithmetic) = Ifma::detect() {
                    return task.run(arithmetic);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                if let Some(arithmetic) = Fma::detect() {
                    return task.run(arithmetic);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                if let Some(arithmetic) = Avx2::detect() {
                    return task.run(arithmetic);
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512Ifma | Self::Avx512 | Self::Avx2 => {}
            Self::Portable => {}
            #[cfg(test)]
            Self::Emulated => return task.run(Emulated),
            #[cfg(test)]
            Self::EmulatedNarrow => return task.run(EmulatedNarrow),
        }
        task.run(Portable)
    }
}
