//! What the engine needs from the machine that makes proofs.

use halo2_proofs::halo2curves::bn256::{Fr, G1Affine};

use crate::{
    column::Column,
    error::DeviceError,
    program::{Program, Quotient, Source},
    traffic::DeviceUsage,
};

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
    /// A column's values on the first of the cosets over which the quotient is computed.
    type Extended: Send + Sync + std::fmt::Debug;

    /// How many columns of the key may be kept on cosets, each on as many as count.
    fn extensions(&self) -> usize;

    /// How many columns may be on a coset at once, besides those that are kept there: as many as a
    /// quotient reads, unless the device says otherwise.
    fn working_columns(&self) -> usize {
        usize::MAX
    }

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

    /// Values on the first cosets, so many for each column, for columns that many proofs use.
    fn extend(
        &self,
        columns: &[(&Self::Column, usize)],
    ) -> Result<Vec<Self::Extended>, DeviceError>;

    /// The pieces `h_i` of `h = Σ X^(n·i)·h_i`, where `h·(X^n - 1)` is the sum of the parts.
    fn quotient<'a>(
        &self,
        quotient: &Quotient,
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
