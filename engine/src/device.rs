//! Where proofs are made, and what the engine needs from the machine that makes them.

use std::sync::atomic::{AtomicU64, Ordering};

use halo2_proofs::halo2curves::bn256::{Fr, G1Affine};

use crate::{
    assembly::CircuitData,
    column::Column,
    cpu::{self, CpuOptions},
    cuda::{self, CudaOptions},
    error::{DeviceError, EngineError},
    icicle::{self, IcicleOptions},
    key::Keyed,
    known::Known,
    program::{Program, Source},
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

/// What a key and its proofs asked of a device that is another machine than the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceUsage {
    /// Calls to the device.
    pub operations: u64,
    /// What it could not do and the host did.
    pub host_operations: u64,
    /// Bytes to the device.
    pub uploaded_bytes: u64,
    /// Bytes from the device.
    pub downloaded_bytes: u64,
}

/// Counts what goes to a device and back; see [`DeviceUsage`].
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    operations: AtomicU64,
    host_operations: AtomicU64,
    uploaded: AtomicU64,
    downloaded: AtomicU64,
}

impl Traffic {
    fn add(counter: &AtomicU64, more: usize) {
        counter.fetch_add(more as u64, Ordering::Relaxed);
    }

    /// A call to the device.
    pub(crate) fn operation(&self) {
        Self::add(&self.operations, 1);
    }

    /// Something that the host did for the device.
    pub(crate) fn by_host(&self) {
        Self::add(&self.host_operations, 1);
    }

    /// So many bytes to the device.
    pub(crate) fn uploaded(&self, bytes: usize) {
        Self::add(&self.uploaded, bytes);
    }

    /// So many bytes from the device.
    pub(crate) fn downloaded(&self, bytes: usize) {
        Self::add(&self.downloaded, bytes);
    }

    /// All so far.
    pub(crate) fn usage(&self) -> DeviceUsage {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DeviceUsage {
            operations: read(&self.operations),
            host_operations: read(&self.host_operations),
            uploaded_bytes: read(&self.uploaded),
            downloaded_bytes: read(&self.downloaded),
        }
    }
}

/// Operations on columns of `n = 2^k` values, which stay where the device keeps them.
///
/// A column is a polynomial of degree below `n` by its values on `H = <ω>`. Every step of a proof
/// is one of these operations over whole columns, so that a device with memory of its own moves
/// only commitments, evaluations and challenges. Whatever a device fails at is an error of the
/// operation; a processor never fails.
pub(crate) trait ColumnDevice: std::fmt::Debug + Send + Sync {
    /// A column on the device.
    type Column: Send + Sync + std::fmt::Debug;
    /// What a column is multiplied by to evaluate its polynomial at a point.
    type Weights: Send + Sync + std::fmt::Debug;
    /// A column's values on all cosets over which the quotient is computed.
    type Extended: Send + Sync + std::fmt::Debug;

    /// How many columns of the key may be kept on the cosets.
    fn extensions(&self) -> usize;

    /// What went to the device and back so far, where that is another machine than the host.
    fn usage(&self) -> Option<DeviceUsage> {
        None
    }

    /// Moves columns to the device.
    fn upload(&self, columns: Vec<Column>) -> Result<Vec<Self::Column>, DeviceError>;

    /// The values of a column, for the parts of the argument that sort or compare.
    fn download(&self, column: &Self::Column) -> Result<Vec<Fr>, DeviceError>;

    /// KZG commitments.
    fn commit(&self, columns: &[&Self::Column]) -> Result<Vec<G1Affine>, DeviceError>;

    /// The outputs of `program` in every row of H.
    fn evaluate_rows<'a>(
        &self,
        program: &Program,
        uniforms: &[Fr],
        column: &(dyn Fn(Source) -> &'a Self::Column + Sync),
    ) -> Result<Vec<Self::Column>, DeviceError>
    where
        Self: 'a;

    /// Running products of fractions.
    fn running_products(
        &self,
        fractions: Vec<Fractions<Self::Column>>,
    ) -> Result<Vec<Self::Column>, DeviceError>;

    /// Values on the cosets, for columns that many proofs use.
    fn extend(&self, columns: &[&Self::Column]) -> Result<Vec<Self::Extended>, DeviceError>;

    /// The pieces `h_i` of `h = Σ X^(n·i)·h_i`, where `h·(X^n - 1)` is the only output of
    /// `program`.
    fn quotient<'a>(
        &self,
        program: &Program,
        uniforms: &[Fr],
        column: &(dyn Fn(Source) -> Extension<'a, Self> + Sync),
    ) -> Result<Vec<Self::Column>, DeviceError>
    where
        Self: 'a + Sized;

    /// The values at `point` of the Lagrange polynomials of H.
    fn lagrange_at(&self, point: Fr) -> Result<Self::Weights, DeviceError>;

    /// Values of columns at `ω^rotation·point`, where `weights` is [`ColumnDevice::lagrange_at`]
    /// `point`.
    fn evaluate(
        &self,
        weights: &Self::Weights,
        queries: &[(&Self::Column, i32)],
    ) -> Result<Vec<Fr>, DeviceError>;

    /// `Σ scale·column`.
    fn combine(&self, terms: &[(&Self::Column, Fr)]) -> Result<Self::Column, DeviceError>;

    /// `Σ scale·(column - remainder(X))/Π(X - point)`; each division is exact.
    fn divide(&self, parts: &[Division<'_, Self::Column>]) -> Result<Self::Column, DeviceError>;
}

/// A column as [`ColumnDevice::quotient`] gets it.
#[derive(Debug)]
pub(crate) enum Extension<'a, D: ColumnDevice + ?Sized> {
    /// On the cosets already.
    Extended(&'a D::Extended),
    /// On H only.
    Column(&'a D::Column),
}

/// One running product: row `i + 1` is row `i` times the fraction of row `i`.
#[derive(Debug)]
pub(crate) struct Fractions<C> {
    /// The numerators.
    pub(crate) numerators: C,
    /// The denominators, of which none is zero but with negligible probability.
    pub(crate) denominators: C,
    /// Whether the first row continues the last proper row of the product before, or is one.
    pub(crate) continues: bool,
    /// The last rows, which the product does not reach.
    pub(crate) blinding: Vec<Fr>,
}

/// One term of [`ColumnDevice::divide`].
#[derive(Debug)]
pub(crate) struct Division<'a, C> {
    /// The dividend, before the remainder is taken off.
    pub(crate) column: &'a C,
    /// What the quotient is multiplied by.
    pub(crate) scale: Fr,
    /// Coefficients of the remainder, lowest first.
    pub(crate) remainder: Vec<Fr>,
    /// Roots of the divisor: not in H.
    pub(crate) points: Vec<Fr>,
}
