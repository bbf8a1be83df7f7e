//! Recognising who made an SRS.

use std::fmt;

use halo2_proofs::halo2curves::{bn256::G2Affine, ff::PrimeField, group::Curve};
use sha3::{Digest, Keccak256};
use zkinfer_verifier::{INSECURE_DEV, SrsId};

use super::public_tau::public_tau;

/// The origin of an SRS, recognised by its `[τ]₂`: one point fixes τ, at every size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ceremony {
    /// τ is public: anybody can forge proofs. For development only.
    InsecureDev,
    /// A ceremony that `zkinfer-verifier` knows, by its name.
    Known(&'static str),
    /// None that is known here; holds the first bytes of the keccak256 of `[τ]₂`.
    Unknown([u8; 8]),
}

impl Ceremony {
    /// The ceremony whose `[τ]₂` this is.
    #[must_use]
    pub fn recognise(tau_g2: &G2Affine) -> Self {
        let encoded = encode_g2(tau_g2);
        let decoded = zkinfer_verifier::decode_g2(&encoded);
        let known = decoded.and_then(|g2_tau| SrsId::label(g2_tau, "").ceremony());
        if let Some(name) = known {
            return Self::Known(name);
        }
        let dev_tau_g2 = (G2Affine::generator() * public_tau()).to_affine();
        if *tau_g2 == dev_tau_g2 {
            return Self::InsecureDev;
        }
        let digest = Keccak256::digest(encoded);
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&digest[..8]);
        Self::Unknown(prefix)
    }

    /// Whether somebody is known to know τ.
    #[must_use]
    pub fn is_insecure(self) -> bool {
        self == Self::InsecureDev
    }
}

impl fmt::Display for Ceremony {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InsecureDev => f.write_str(INSECURE_DEV),
            Self::Known(name) => f.write_str(name),
            Self::Unknown(prefix) => write!(f, "unknown ceremony {}", hex(prefix)),
        }
    }
}

/// x.c0, x.c1, y.c0, y.c1, each 32 bytes big-endian.
fn encode_g2(point: &G2Affine) -> [u8; 128] {
    let mut bytes = [0; 128];
    let coordinates = [point.x.c0, point.x.c1, point.y.c0, point.y.c1];
    for (chunk, coordinate) in bytes.as_chunks_mut::<32>().0.iter_mut().zip(coordinates) {
        *chunk = coordinate.to_repr();
        chunk.reverse();
    }
    bytes
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
