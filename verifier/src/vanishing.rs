//! The quotient argument: what the quotient polynomial must be at `x`, given the evaluations.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "field arithmetic only: it wraps by definition and divides nowhere"
)]

use alloc::vec::Vec;

use ark_bn254::Fr;
use ark_ff::{Field, One, Zero};

use crate::{
    constraint_system::Query,
    error::VerifyError,
    gates::Evaluations,
    key::VerifyingKey,
    permutation::{self, CopiedColumn, Product, Randomness},
    proof::Messages,
};

/// The Lagrange polynomials of special rows at `x`.
pub(crate) struct Rows {
    /// Row 0.
    pub(crate) first: Fr,
    /// The last usable row.
    pub(crate) last: Fr,
    /// The sum over the blinding rows, which follow it.
    pub(crate) blinding: Fr,
}

impl Rows {
    fn new(key: &VerifyingKey, x: Fr) -> Option<Self> {
        let blinding_rows = key.checks().blinding_rows;
        // Rows −(blinding + 1), …, −1, 0.
        let count = blinding_rows.checked_add(2)?;
        let first_row = i32::try_from(blinding_rows).ok()?.checked_neg()?.checked_sub(1)?;
        let basis = key.domain().lagrange(x, first_row, count);
        let (&last, rest) = basis.split_first()?;
        let (&first, blinding) = rest.split_last()?;
        Some(Self { first, last, blinding: blinding.iter().sum() })
    }
}

/// The value at `x` of the quotient: all constraints combined by powers of `y`, divided by
/// `x^n − 1`. `instance` are the instance columns.
pub(crate) fn quotient_evaluation(
    key: &VerifyingKey,
    messages: &Messages,
    instance: &[Vec<Fr>],
) -> Result<Fr, VerifyError> {
    let x = messages.challenges.x;
    let vanishing = key.domain().power(x) - Fr::one();
    let inverse = vanishing.inverse().ok_or(VerifyError::Challenge)?;
    let constraints = constraints(key, messages, instance).ok_or(VerifyError::MalformedKey)?;
    let y = messages.challenges.y;
    let combined = constraints.into_iter().fold(Fr::zero(), |sum, value| sum * y + value);
    Ok(combined * inverse)
}

fn constraints(key: &VerifyingKey, messages: &Messages, instance: &[Vec<Fr>]) -> Option<Vec<Fr>> {
    let system = &key.parts().constraint_system;
    let challenges = &messages.challenges;
    let instance_evaluation = |query: &Query| {
        let point = key.domain().rotate(challenges.x, query.rotation);
        Some(key.domain().interpolate(point, instance.get(usize::from(query.column))?))
    };
    let instance = system.instance_queries.iter().map(instance_evaluation);
    let instance = instance.collect::<Option<Vec<Fr>>>()?;

    let at = key.checks().evaluations;
    let values = messages.evaluations.as_slice();
    let (advice, fixed) = (values.get(at.advice..at.fixed)?, values.get(at.fixed..at.random)?);
    let sigmas = values.get(at.sigmas..at.products)?;
    let products = values.get(at.products..at.quotient)?;
    let evaluations =
        Evaluations { advice, fixed, instance: &instance, challenges: &challenges.circuit };

    let mut stack = Vec::new();
    let gates = system.gates.iter().map(|gate| evaluations.evaluate(gate, &mut stack));
    let mut constraints = gates.collect::<Option<Vec<Fr>>>()?;

    let columns = key.checks().permutation.iter().zip(sigmas).map(|(&column, &sigma)| {
        evaluations.current_row(column).map(|value| CopiedColumn { value, sigma })
    });
    let columns = columns.collect::<Option<Vec<_>>>()?;
    let products = products.chunks(3).map(|evaluations| match *evaluations {
        [current, next] => Some(Product { current, next, last: None }),
        [current, next, last] => Some(Product { current, next, last: Some(last) }),
        _ => None,
    });
    let products = products.collect::<Option<Vec<_>>>()?;
    let randomness = Randomness { beta: challenges.beta, gamma: challenges.gamma, x: challenges.x };
    let rows = Rows::new(key, challenges.x)?;
    let chunk_len = system.permutation_chunk_len();
    constraints.extend(permutation::constraints(
        &columns,
        chunk_len,
        &products,
        &rows,
        &randomness,
    )?);
    Some(constraints)
}
