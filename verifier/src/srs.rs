//! Which trusted setup a key stands on, and whether the caller trusts it.

use alloc::string::String;

use ark_bn254::G2Affine;
use ark_ec::AffineRepr;

use crate::{
    curve::encode_g2,
    digest::{Digest, SrsDigest, keccak256},
    error::KeyError,
    layout::check_name,
};

/// The name of a setup whose secret is known to whoever made it: for development only.
pub const INSECURE_DEV: &str = "insecure-dev";

/// The ceremonies known to this crate. \[τ\]₂ fixes τ, so it identifies a ceremony at every size and
/// in every file format.
const CEREMONIES: [(&str, [u8; 128]); 1] = [("hermez", HERMEZ_TAU)];

/// \[τ\]₂ of the Hermez ceremony (`powersOfTau28_hez_final`).
const HERMEZ_TAU: [u8; 128] = [
    0x30, 0x44, 0x1f, 0xd1, 0xb5, 0xd3, 0x37, 0x04, 0x82, 0xc4, 0x21, 0x52, 0xa8, 0x89, 0x90, 0x27,
    0x71, 0x69, 0x89, 0xa6, 0x99, 0x6c, 0x25, 0x35, 0xbc, 0x9f, 0x7f, 0xee, 0x8a, 0xae, 0xf7, 0x9e,
    0x26, 0x18, 0x6a, 0x2d, 0x65, 0xee, 0x4d, 0x2f, 0x9c, 0x9a, 0x5b, 0x91, 0xf8, 0x65, 0x97, 0xd3,
    0x5f, 0x19, 0x2c, 0xd1, 0x20, 0xca, 0xf7, 0xe9, 0x35, 0xd8, 0x44, 0x3d, 0x19, 0x38, 0xe2, 0x3d,
    0x05, 0x47, 0x93, 0x34, 0x8f, 0x12, 0xc0, 0xcf, 0x56, 0x22, 0xc3, 0x40, 0x57, 0x3c, 0xb2, 0x77,
    0x58, 0x63, 0x19, 0xde, 0x35, 0x9a, 0xb9, 0x38, 0x97, 0x78, 0xf6, 0x89, 0x78, 0x6b, 0x1e, 0x48,
    0x19, 0x70, 0xea, 0x81, 0xdd, 0x69, 0x92, 0xad, 0xfb, 0xc5, 0x71, 0xef, 0xfb, 0x03, 0x50, 0x3a,
    0xdb, 0xbb, 0x6a, 0x85, 0x7f, 0x57, 0x84, 0x03, 0xc6, 0xc4, 0x0e, 0x22, 0xd6, 0x5b, 0x3c, 0x02,
];

/// The structured reference string of a key: generators are the standard ones of BN254, so name
/// and \[τ\]₂ say everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrsId {
    /// A ceremony's name, [`INSECURE_DEV`], or what its maker called it. Names of known ceremonies
    /// are reserved for their \[τ\]₂, and the other way round.
    pub name: String,
    /// The group element \[τ\]₂.
    pub g2_tau: G2Affine,
}

impl SrsId {
    /// The identity of a setup: a known ceremony by its own name, else by `fallback`.
    #[must_use]
    pub fn label(g2_tau: G2Affine, fallback: &str) -> Self {
        let name = ceremony_of(&g2_tau).unwrap_or(fallback);
        Self { name: name.into(), g2_tau }
    }

    /// Digest of the encoded \[τ\]₂.
    #[must_use]
    pub fn digest(&self) -> SrsDigest {
        SrsDigest(Digest(keccak256(&[&encode_g2(&self.g2_tau)])))
    }

    /// The known ceremony that this is.
    #[must_use]
    pub fn ceremony(&self) -> Option<&'static str> {
        ceremony_of(&self.g2_tau)
    }

    /// τ = 0 and τ = 1 are no secrets, and names must not lie.
    pub(crate) fn check(&self) -> Result<(), KeyError> {
        check_name(&self.name)?;
        if self.g2_tau.is_zero() || self.g2_tau == G2Affine::generator() {
            return Err(KeyError::Tau);
        }
        let named = CEREMONIES.iter().map(|(name, _)| *name).find(|name| *name == self.name);
        if named == self.ceremony() { Ok(()) } else { Err(KeyError::SrsName) }
    }
}

fn ceremony_of(g2_tau: &G2Affine) -> Option<&'static str> {
    let encoded = encode_g2(g2_tau);
    CEREMONIES.iter().find(|(_, tau)| *tau == encoded).map(|(name, _)| *name)
}

/// Which setups the caller accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrsPolicy {
    /// Only ceremonies known to this crate.
    CeremonyOnly,
    /// Also the setup named [`INSECURE_DEV`], under which anybody may be able to forge proofs.
    AllowInsecureDev,
    /// Also the setup with this digest, which the caller has reasons to trust.
    AllowSrs(SrsDigest),
}

/// Why a setup was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrsTrust {
    /// A ceremony known to this crate, by its name.
    Ceremony(&'static str),
    /// The caller allowed the development setup: the proof proves nothing to others.
    InsecureDev,
    /// The caller named this setup's digest.
    ByDigest(SrsDigest),
}

impl SrsPolicy {
    /// Whether and why `srs` is accepted.
    #[must_use]
    pub fn accepts(self, srs: &SrsId) -> Option<SrsTrust> {
        if let Some(name) = srs.ceremony() {
            return Some(SrsTrust::Ceremony(name));
        }
        match self {
            Self::CeremonyOnly => None,
            Self::AllowInsecureDev => (srs.name == INSECURE_DEV).then_some(SrsTrust::InsecureDev),
            Self::AllowSrs(digest) => {
                (srs.digest() == digest).then_some(SrsTrust::ByDigest(digest))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::curve::decode_g2;

    #[test]
    fn the_hermez_fingerprint_is_a_good_point_and_keeps_its_name() {
        let g2_tau = decode_g2(&HERMEZ_TAU).unwrap();
        let hermez = SrsId::label(g2_tau, INSECURE_DEV);
        assert_eq!(hermez.name, "hermez");
        assert_eq!(hermez.check(), Ok(()));
        assert_eq!(SrsPolicy::CeremonyOnly.accepts(&hermez), Some(SrsTrust::Ceremony("hermez")));
        let renamed = SrsId { name: INSECURE_DEV.to_string(), g2_tau };
        assert_eq!(renamed.check(), Err(KeyError::SrsName));
    }

    #[test]
    fn a_setup_cannot_borrow_a_ceremony_name() {
        let liar = SrsId { name: "hermez".to_string(), g2_tau: -G2Affine::generator() };
        assert_eq!(liar.check(), Err(KeyError::SrsName));
        assert_eq!(SrsPolicy::CeremonyOnly.accepts(&liar), None);
        let trivial = SrsId { name: INSECURE_DEV.to_string(), g2_tau: G2Affine::generator() };
        assert_eq!(trivial.check(), Err(KeyError::Tau));
    }

    #[test]
    fn a_policy_allows_what_it_names_and_no_more() {
        let dev = SrsId::label(-G2Affine::generator(), INSECURE_DEV);
        let other = SrsId::label(-G2Affine::generator(), "somebody's");
        assert_eq!(SrsPolicy::CeremonyOnly.accepts(&dev), None);
        assert_eq!(SrsPolicy::AllowInsecureDev.accepts(&dev), Some(SrsTrust::InsecureDev));
        assert_eq!(SrsPolicy::AllowInsecureDev.accepts(&other), None);
        let digest = other.digest();
        let by_digest = SrsPolicy::AllowSrs(digest);
        assert_eq!(by_digest.accepts(&other), Some(SrsTrust::ByDigest(digest)));
        assert_eq!(SrsPolicy::AllowSrs(SrsDigest(Digest([0; 32]))).accepts(&other), None);
    }
}
