//! The development SRS: everybody knows its τ, so it is fast to make and worthless to trust.

use halo2_proofs::halo2curves::{
    bn256::{Fr, G2Affine},
    ff::{BatchInvert, Field, PrimeField},
    group::Curve,
};
use rayon::prelude::*;

use super::{
    MAX_K, Srs, SrsError, fixed_base::FixedBase, lagrange::root_of_unity, public_tau::public_tau,
};

/// Scalars per task: large enough to share one inversion, small enough to spread.
const CHUNK: usize = 1024;

impl Srs {
    /// The development SRS for `2^k` rows, the same on every machine. Anybody can forge proofs
    /// under it; [`Ceremony::InsecureDev`](super::Ceremony::InsecureDev) says so wherever it goes.
    ///
    /// # Errors
    /// [`SrsError::TooLarge`] if `k` is above [`MAX_K`].
    pub fn insecure_dev(k: u32) -> Result<Self, SrsError> {
        if k > MAX_K {
            return Err(SrsError::TooLarge { k });
        }
        let tau = public_tau();
        let base = FixedBase::new(k);
        let g = base.multiply(&monomials(tau, k));
        let g_lagrange = base.multiply(&lagrange_values(tau, k));
        let g2 = G2Affine::generator();
        Ok(Self::from_points(g, Some(g_lagrange), g2, (g2 * tau).to_affine()))
    }
}

/// `τ^0, …, τ^(n−1)`.
fn monomials(tau: Fr, k: u32) -> Vec<Fr> {
    chunked(k, |start, chunk| geometric(tau, start, chunk))
}

/// `L_i(τ) = (τ^n − 1)/n · ω^i/(τ − ω^i)` for every `i`.
fn lagrange_values(tau: Fr, k: u32) -> Vec<Fr> {
    let omega = root_of_unity(k);
    let vanishing = tau.pow_vartime([1u64 << k]) - Fr::ONE;
    let factor = vanishing * Fr::TWO_INV.pow_vartime([u64::from(k)]);
    chunked(k, |start, chunk| {
        geometric(omega, start, chunk);
        let mut denominators: Vec<Fr> = chunk.iter().map(|power| tau - power).collect();
        denominators.iter_mut().batch_invert();
        for (value, inverse) in chunk.iter_mut().zip(denominators) {
            *value *= factor * inverse;
        }
    })
}

/// Fills `chunk` with `base^start, base^(start+1), …`.
fn geometric(base: Fr, start: u64, chunk: &mut [Fr]) {
    let mut power = base.pow_vartime([start]);
    for value in chunk {
        *value = power;
        power *= base;
    }
}

/// `2^k` values, computed in parallel by chunks that are told their first index.
fn chunked(k: u32, fill: impl Fn(u64, &mut [Fr]) + Sync) -> Vec<Fr> {
    let mut values = vec![Fr::ZERO; 1 << k];
    let starts = (0u64..).step_by(CHUNK).take(values.len().div_ceil(CHUNK)).collect::<Vec<_>>();
    values.par_chunks_mut(CHUNK).zip(starts).for_each(|(chunk, start)| fill(start, chunk));
    values
}
