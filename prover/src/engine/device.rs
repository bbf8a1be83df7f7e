//! What the engine needs from the machine that does the work.

use halo2_proofs::halo2curves::bn256::{Fr, G1Affine};

use super::{
    column::Column,
    program::{Program, Source},
};

/// Operations on columns of `n = 2^k` values, which stay where the device keeps them.
///
/// A column is a polynomial of degree below `n` by its values on `H = <ω>`. Every step of a proof
/// is one of these operations over whole columns, so that a device with memory of its own moves
/// only commitments, evaluations and challenges.
pub(crate) trait Device: std::fmt::Debug + Send + Sync {
    /// A column on the device.
    type Column: Send + Sync + std::fmt::Debug;
    /// What a column is multiplied by to evaluate its polynomial at a point.
    type Weights: Send + Sync + std::fmt::Debug;
    /// A column's values on all cosets over which the quotient is computed.
    type Extended: Send + Sync + std::fmt::Debug;

    /// Moves a column to the device.
    fn upload(&self, column: Column) -> Self::Column;

    /// The values of a column, for the parts of the argument that sort or compare.
    fn download(&self, column: &Self::Column) -> Vec<Fr>;

    /// KZG commitments.
    fn commit(&self, columns: &[&Self::Column]) -> Vec<G1Affine>;

    /// The outputs of `program` in every row of H.
    fn evaluate_rows<'a>(
        &self,
        program: &Program,
        uniforms: &[Fr],
        column: &(dyn Fn(Source) -> &'a Self::Column + Sync),
    ) -> Vec<Self::Column>
    where
        Self: 'a;

    /// Running products of fractions.
    fn running_products(&self, fractions: Vec<Fractions<Self::Column>>) -> Vec<Self::Column>;

    /// Values on the cosets, for columns that many proofs use.
    fn extend(&self, column: &Self::Column) -> Self::Extended;

    /// The pieces `h_i` of `h = Σ X^(n·i)·h_i`, where `h·(X^n - 1)` is the only output of
    /// `program`.
    fn quotient<'a>(
        &self,
        program: &Program,
        uniforms: &[Fr],
        column: &(dyn Fn(Source) -> Extension<'a, Self> + Sync),
    ) -> Vec<Self::Column>
    where
        Self: 'a + Sized;

    /// The values at `point` of the Lagrange polynomials of H.
    fn lagrange_at(&self, point: Fr) -> Self::Weights;

    /// Values of columns at `ω^rotation·point`, where `weights` is [`Device::lagrange_at`] `point`.
    fn evaluate(&self, weights: &Self::Weights, queries: &[(&Self::Column, i32)]) -> Vec<Fr>;

    /// `Σ scale·column`.
    fn combine(&self, terms: &[(&Self::Column, Fr)]) -> Self::Column;

    /// `Σ scale·(column - remainder(X))/Π(X - point)`; each division is exact.
    fn divide(&self, parts: &[Division<'_, Self::Column>]) -> Self::Column;
}

/// A column as [`Device::quotient`] gets it.
#[derive(Debug)]
pub(crate) enum Extension<'a, D: Device + ?Sized> {
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

/// One term of [`Device::divide`].
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
