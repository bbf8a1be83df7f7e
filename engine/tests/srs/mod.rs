//! An SRS of a known secret.

use halo2_proofs::{
    halo2curves::{
        bn256::{Bn256, Fr, G1Affine},
        ff::Field,
        group::Curve,
    },
    poly::{
        EvaluationDomain,
        commitment::{Blind, Params, ParamsProver},
        kzg::commitment::ParamsKZG,
    },
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Parameters of a known secret, and their Lagrange basis, which halo2 keeps to itself.
pub(crate) struct Srs {
    pub(crate) params: ParamsKZG<Bn256>,
    pub(crate) lagrange: Vec<G1Affine>,
}

impl Srs {
    pub(crate) fn new(k: u32) -> Self {
        let params = ParamsKZG::<Bn256>::setup(k, ChaCha20Rng::seed_from_u64(7));
        let domain = EvaluationDomain::<Fr>::new(1, k);
        let commit = |row| {
            let mut unit = domain.empty_lagrange();
            unit[row] = Fr::ONE;
            params.commit_lagrange(&unit, Blind::default()).to_affine()
        };
        let lagrange = (0..1 << k).map(commit).collect();
        Self { params, lagrange }
    }

    pub(crate) fn first_powers(&self) -> [G1Affine; 2] {
        let powers = self.params.get_g();
        [powers[0], powers[1]]
    }
}
