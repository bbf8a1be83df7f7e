//! Where proofs are made.

use halo2_proofs::halo2curves::bn256::G1Affine;

use crate::{
    assembly::CircuitData,
    cpu::{self, CpuOptions},
    cuda::{self, CudaOptions},
    error::EngineError,
    icicle::{self, IcicleOptions},
    keyed::Keyed,
    known::Known,
};

/// Where proofs of a circuit are made: chosen once, when its key is made.
///
/// Keys and proofs are the same bytes on every device.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Device {
    /// The processor.
    Cpu(CpuOptions),
    /// An NVIDIA GPU.
    Cuda(CudaOptions),
    /// Whatever ICICLE has a backend for.
    Icicle(IcicleOptions),
}

impl Default for Device {
    fn default() -> Self {
        Self::Cpu(CpuOptions::default())
    }
}

impl Device {
    /// The name in reports and on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cpu(_) => "cpu",
            Self::Cuda(_) => "cuda",
            Self::Icicle(_) => "icicle",
        }
    }

    /// The key of a circuit on this device.
    pub(crate) fn key(
        &self,
        data: CircuitData,
        lagrange: &[G1Affine],
        powers: [G1Affine; 2],
        known: Known<'_>,
    ) -> Result<Box<dyn Keyed>, EngineError> {
        match self {
            Self::Cpu(options) => cpu::key(*options, data, lagrange, powers, known),
            Self::Cuda(options) => cuda::key(options, data, lagrange, powers),
            Self::Icicle(options) => icicle::key(options, data, lagrange, powers),
        }
    }
}
