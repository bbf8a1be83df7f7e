//! The multi-opening (BDFG21, eprint 2020/081, section 4), as halo2-axiom's `VerifierSHPLONK`.
//!
//! All openings become one equation `e(W', [τ]₂) = e(F, [1]₂)` with
//! `F = Σ_i v^i·Z_i·Σ_j y^j·(C_ij − r_ij(u)) − Z_0·W + u·W'`, where group `i` is opened at the
//! points `S_i`, `r_ij` interpolates its evaluations there, and `Z_i` is the product of `u − s`
//! over the points outside `S_i`, all divided by that of the first group.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "field arithmetic only: it wraps by definition and divides nowhere"
)]

use alloc::vec::Vec;

use ark_bn254::{Fr, G1Affine};
use ark_ff::{Field, One, Zero, batch_inversion};

use crate::{
    error::VerifyError,
    key::VerifyingKey,
    opening_plan::{Group, OpenedCommitment},
    proof::Messages,
};

/// The equation `e(left, [τ]₂) = e(right, [1]₂)`, with `right` a sum of known points.
pub(crate) struct PairingEquation {
    pub(crate) left: G1Affine,
    /// Points of the proof in `right`, with their scalars.
    pub(crate) terms: Vec<(G1Affine, Fr)>,
    /// Scalars in `right` of the key's fixed, then sigma commitments.
    pub(crate) key_scalars: Vec<Fr>,
    /// Scalar in `right` of the generator.
    pub(crate) generator: Fr,
}

impl PairingEquation {
    /// The equation of a proof whose quotient polynomial must be `quotient_evaluation` at `x`.
    pub(crate) fn new(
        key: &VerifyingKey,
        messages: &Messages,
        quotient_evaluation: Fr,
    ) -> Result<Self, VerifyError> {
        let challenges = &messages.challenges;
        let u = challenges.opening_u;
        let points = points(key, challenges.x)?;
        let groups = &key.checks().openings.groups;
        let first = groups.first().ok_or(VerifyError::MalformedKey)?;
        let first_vanishing = vanishing(select(&points, &first.at, true), u);
        let normalizer = vanishing(select(&points, &first.at, false), u);
        let normalizer = normalizer.inverse().ok_or(VerifyError::Challenge)?;

        let [opening, left] = messages.openings;
        let mut sum = Sum {
            messages,
            quotient_evaluation,
            quotient_step: key.domain().power(challenges.x),
            equation: Self {
                left,
                terms: alloc::vec![(opening, -first_vanishing), (left, u)],
                key_scalars: alloc::vec![Fr::zero(); key.commitments().count()],
                generator: Fr::zero(),
            },
        };
        let mut power_of_v = Fr::one();
        for group in groups {
            let outside = vanishing(select(&points, &group.at, false), u);
            let inside: Vec<Fr> = select(&points, &group.at, true).collect();
            let weight = power_of_v * outside * normalizer;
            sum.add_group(group, weight, &basis_at(&inside, u)).ok_or(VerifyError::MalformedKey)?;
            power_of_v *= challenges.opening_v;
        }
        Ok(sum.equation)
    }
}

struct Sum<'a> {
    messages: &'a Messages,
    quotient_evaluation: Fr,
    /// `x^n`: the quotient is the sum of its pieces times powers of this.
    quotient_step: Fr,
    equation: PairingEquation,
}

impl Sum<'_> {
    /// Adds `weight·Σ_j y^j·(C_j − r_j(u))`; `None` where plan and proof do not fit.
    fn add_group(&mut self, group: &Group, weight: Fr, basis: &[Fr]) -> Option<()> {
        let mut scalar = weight;
        for member in &group.members {
            let mut interpolated = Fr::zero();
            for (base, &index) in basis.iter().zip(&member.evaluations) {
                interpolated += *base * self.evaluation(index)?;
            }
            self.equation.generator -= scalar * interpolated;
            self.add_commitment(member.commitment, scalar)?;
            scalar *= self.messages.challenges.opening_y;
        }
        Some(())
    }

    fn evaluation(&self, index: usize) -> Option<Fr> {
        let evaluations = &self.messages.evaluations;
        match evaluations.get(index) {
            Some(&evaluation) => Some(evaluation),
            None => (index == evaluations.len()).then_some(self.quotient_evaluation),
        }
    }

    fn add_commitment(&mut self, commitment: OpenedCommitment, mut scalar: Fr) -> Option<()> {
        match commitment {
            OpenedCommitment::Proof(index) => {
                let point = *self.messages.commitments.get(index)?;
                self.equation.terms.push((point, scalar));
            }
            OpenedCommitment::Key(index) => *self.equation.key_scalars.get_mut(index)? += scalar,
            OpenedCommitment::Quotient => {
                for &piece in &self.messages.quotient {
                    self.equation.terms.push((piece, scalar));
                    scalar *= self.quotient_step;
                }
            }
        }
        Some(())
    }
}

/// The points at which something is opened: distinct, as long as `x` is not zero.
fn points(key: &VerifyingKey, x: Fr) -> Result<Vec<Fr>, VerifyError> {
    if x.is_zero() {
        return Err(VerifyError::Challenge);
    }
    let rotations = key.checks().openings.rotations.iter();
    Ok(rotations.map(|&rotation| key.domain().rotate(x, rotation)).collect())
}

fn select<'a>(points: &'a [Fr], at: &'a [bool], inside: bool) -> impl Iterator<Item = Fr> + 'a {
    points.iter().zip(at).filter(move |&(_, &is)| is == inside).map(|(&point, _)| point)
}

/// `Π (u − s)`.
fn vanishing(points: impl Iterator<Item = Fr>, u: Fr) -> Fr {
    points.fold(Fr::one(), |product, point| product * (u - point))
}

/// The Lagrange polynomials of `points`, which are distinct, at `u`.
fn basis_at(points: &[Fr], u: Fr) -> Vec<Fr> {
    let others = |own: Fr| points.iter().copied().filter(move |&point| point != own);
    let mut basis: Vec<Fr> = points.iter().map(|&point| vanishing(others(point), point)).collect();
    batch_inversion(&mut basis);
    for (value, &point) in basis.iter_mut().zip(points) {
        *value *= vanishing(others(point), u);
    }
    basis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_basis_interpolates() {
        let points: Vec<Fr> = [3, 5, 11].into_iter().map(Fr::from).collect();
        let quadratic = |x: Fr| x.square() + x * Fr::from(2) + Fr::from(9);
        let u = Fr::from(1_000_003);
        let basis = basis_at(&points, u);
        let value: Fr =
            points.iter().zip(basis).map(|(&point, base)| quadratic(point) * base).sum();
        assert_eq!(value, quadratic(u));
    }
}
