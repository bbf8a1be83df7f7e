//! The instance column: binding, then inputs, then outputs.

use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField};

use crate::witness::field;

/// Rows of the instance column taken by the binding digest.
pub(crate) const BINDING_ROWS: usize = 2;

/// The instance column: the binding digest as two 128-bit halves (low, then high), then the
/// inputs and the outputs flat in graph order; negative integers as `p − |v|`.
///
/// The binding is tied to nothing inside the circuit: being part of the instance it enters the
/// transcript before any challenge, so a proof verifies under one binding only.
#[must_use]
pub fn instance_values(binding: [u128; 2], inputs: &[i64], outputs: &[i64]) -> Vec<Fr> {
    let binding = binding.into_iter().map(Fr::from_u128);
    binding.chain(inputs.iter().chain(outputs).map(|&v| field(v))).collect()
}
