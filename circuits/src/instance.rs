//! The instance column: binding, then inputs, then outputs.

use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField};

use crate::integers::field;

/// Rows of the instance column taken by the binding digest.
pub(crate) const BINDING_ROWS: usize = 2;

/// What one claim keeps to itself: what hides committed inputs and outputs, ignored for public ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blindings {
    /// Uniform element for the inputs.
    pub input: Fr,
    /// Uniform element for the outputs.
    pub output: Fr,
    /// The halves of the binding's digest, low then high, where the instance does not show them: in
    /// a proof of several claims.
    pub binding: [u128; 2],
}

/// What the instance column holds for all inputs, or all outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceValues<'a> {
    /// The integers, flat in graph order; negative ones as `p − |v|`.
    Public(&'a [i64]),
    /// The commitment to them.
    Committed(Fr),
}

impl InstanceValues<'_> {
    fn rows(self) -> Vec<Fr> {
        match self {
            Self::Public(values) => values.iter().map(|&value| field(value)).collect(),
            Self::Committed(commitment) => vec![commitment],
        }
    }
}

/// The instance column: the binding digest as two 128-bit halves (low, then high), then the
/// inputs and the outputs.
///
/// The binding is tied to nothing inside the circuit: being part of the instance it enters the
/// transcript before any challenge, so a proof verifies under one binding only.
#[must_use]
pub fn instance_values(
    binding: [u128; 2],
    inputs: InstanceValues<'_>,
    outputs: InstanceValues<'_>,
) -> Vec<Fr> {
    let binding = binding.into_iter().map(Fr::from_u128);
    binding.chain(inputs.rows()).chain(outputs.rows()).collect()
}
