//! Pairing checks on powers of τ.

use halo2_proofs::{
    arithmetic::best_multiexp,
    halo2curves::{
        bn256::{Bn256, Fr, G1, G1Affine, G2Affine, G2Prepared},
        ff::PrimeField,
        group::{Curve, Group},
        pairing::{MillerLoopResult, MultiMillerLoop},
    },
    poly::EvaluationDomain,
};
use rand_core::{OsRng, RngCore};

/// Whether every point is τ times the one before it, for the τ of `tau_g2`.
///
/// The neighbours are combined with random 128-bit factors that are drawn after the points are
/// known, so a list that is not such a sequence passes with probability 2^−128.
pub(super) fn are_successive_powers(points: &[G1Affine], tau_g2: &G2Affine) -> bool {
    let [earlier @ .., _] = points else { return true };
    let [_, later @ ..] = points else { return true };
    let factors: Vec<Fr> = earlier.iter().map(|_| random_factor()).collect();
    same_ratio(&best_multiexp(&factors, earlier), &best_multiexp(&factors, later), tau_g2)
}

/// Whether τ is 1, as it is in a ceremony to which nobody has contributed: everybody knows it.
pub(super) fn is_without_contribution(tau_g2: &G2Affine) -> bool {
    *tau_g2 == G2Affine::generator()
}

/// Whether `lagrange` is the Lagrange basis of the powers in `monomial`: a random polynomial has
/// the same commitment in both.
pub(super) fn is_lagrange_basis(lagrange: &[G1Affine], monomial: &[G1Affine]) -> bool {
    let values: Vec<Fr> = lagrange.iter().map(|_| random_factor()).collect();
    let domain = EvaluationDomain::new(1, monomial.len().trailing_zeros());
    let coefficients = domain.lagrange_to_coeff(domain.lagrange_from_vec(values.clone()));
    best_multiexp(&values, lagrange) == best_multiexp(&coefficients, monomial)
}

/// Whether `e(a, [τ]₂) = e(b, [1]₂)`.
fn same_ratio(a: &G1, b: &G1, tau_g2: &G2Affine) -> bool {
    let (a, b) = (a.to_affine(), (-b).to_affine());
    let (tau, one) = (G2Prepared::from(*tau_g2), G2Prepared::from(G2Affine::generator()));
    let product = Bn256::multi_miller_loop(&[(&a, &tau), (&b, &one)]).final_exponentiation();
    product.is_identity().into()
}

fn random_factor() -> Fr {
    let mut bytes = [0; 16];
    OsRng.fill_bytes(&mut bytes);
    Fr::from_u128(u128::from_le_bytes(bytes))
}
