//! The structured reference string: the powers of τ that KZG commits with.
//!
//! Four sources: [`Srs::insecure_dev`] (public τ, for development), [`Srs::import_ptau`] and
//! [`Srs::import_halo2`] (a ceremony's file, checked by pairings) and [`Srs::read`] (a file that
//! [`Srs::write`] made).
//! Which ceremony an SRS comes from is recognised from `[τ]₂`, never from what a file says.

mod cache;
mod ceremony;
mod checks;
mod dev;
mod dev_digests;
mod error;
mod file;
mod fixed_base;
mod glv;
mod halo2_file;
mod lagrange;
mod ptau;
mod public_tau;

use std::sync::Arc;

use halo2_proofs::{
    halo2curves::bn256::{Bn256, G1Affine, G2Affine},
    poly::{
        commitment::{Params, ParamsProver},
        kzg::commitment::ParamsKZG,
    },
};
use rand_core::OsRng;

pub use self::{
    cache::{CacheEvent, CachedSrs, SrsCache},
    ceremony::Ceremony,
    error::{PtauError, PtauPoint, SrsError},
};

/// The largest `k` that any SRS here may have: the 2-adicity of the scalar field.
pub const MAX_K: u32 = 28;

/// Powers of τ for circuits of exactly `2^k` rows, in monomial and Lagrange basis.
#[derive(Clone, Debug)]
pub struct Srs {
    params: ParamsKZG<Bn256>,
    /// The Lagrange basis of `params`, which keeps its own to itself.
    lagrange: Arc<[G1Affine]>,
    ceremony: Ceremony,
}

impl Srs {
    /// From points that have been checked; the Lagrange basis is computed where it is not given.
    fn from_points(
        g: Vec<G1Affine>,
        g_lagrange: Option<Vec<G1Affine>>,
        g2: G2Affine,
        tau_g2: G2Affine,
    ) -> Self {
        debug_assert!(g.len().is_power_of_two());
        let k = g.len().trailing_zeros();
        let g_lagrange = g_lagrange.unwrap_or_else(|| lagrange::lagrange_basis(&g));
        let lagrange = g_lagrange.clone().into();
        // `from_parts` wants an instance to be called on, of which it uses nothing.
        let template = ParamsKZG::<Bn256>::setup(1, OsRng);
        let params = template.from_parts(k, g, Some(g_lagrange), g2, tau_g2);
        Self { ceremony: Ceremony::recognise(&tau_g2), params, lagrange }
    }

    /// The parameters in the form that halo2's prover and verifier take.
    #[must_use]
    pub fn params(&self) -> &ParamsKZG<Bn256> {
        &self.params
    }

    /// Commitments to the Lagrange polynomials of the `2^k` roots of unity, in order.
    #[must_use]
    pub fn lagrange_points(&self) -> &[G1Affine] {
        &self.lagrange
    }

    /// `[1]₁` and `[τ]₁`.
    #[must_use]
    pub fn first_powers(&self) -> [G1Affine; 2] {
        let g = self.params.get_g();
        [g[0], g[1]]
    }

    /// Log2 of the row count.
    #[must_use]
    pub fn k(&self) -> u32 {
        self.params.k()
    }

    /// Who made the secret, as told by `[τ]₂`.
    #[must_use]
    pub fn ceremony(&self) -> Ceremony {
        self.ceremony
    }

    /// `[τ]₂`, which identifies the SRS at every `k`.
    #[must_use]
    pub fn tau_g2(&self) -> G2Affine {
        self.params.s_g2()
    }

    /// The same SRS for `2^k` rows.
    ///
    /// Takes time proportional to `k·2^k`: the Lagrange basis is different for each `k`.
    ///
    /// # Errors
    /// [`SrsError::TooFewPowers`] if this SRS is smaller than that.
    pub fn downsize(&self, k: u32) -> Result<Self, SrsError> {
        if k > self.k() {
            return Err(SrsError::TooFewPowers { requested_k: k, available_k: self.k() });
        }
        if k == self.k() {
            return Ok(self.clone());
        }
        let g = self.params.get_g().iter().copied().take(1 << k).collect();
        Ok(Self::from_points(g, None, self.params.g2(), self.params.s_g2()))
    }
}
