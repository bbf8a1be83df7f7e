//! The τ of the development SRS.

use halo2_proofs::halo2curves::{bn256::Fr, ff::FromUniformBytes};
use sha3::{Digest, Keccak512};

/// The public phrase that τ is the hash of.
const PHRASE: &str = "zkinfer insecure development SRS 1: whoever reads this can forge proofs";

/// The secret that is none.
pub(super) fn public_tau() -> Fr {
    Fr::from_uniform_bytes(&Keccak512::digest(PHRASE).into())
}
