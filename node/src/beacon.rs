//! Lots that nobody chooses: rounds of quicknet, a network of drand.
//!
//! A round comes every three seconds, at a moment that is known beforehand, and nobody knows its
//! signature before. Anybody can check one with the network's key alone.
//!
//! | what | value |
//! |---|---|
//! | first round | 1, at Unix second 1,692,803,367 |
//! | signed | SHA-256 of the round's number, 8 bytes big-endian, hashed to G1 of BLS12-381 (RFC 9380) |
//! | signature | 48 bytes, compressed; the randomness is its SHA-256 |
//! | the round of an answer | [`REVEAL_ROUNDS`] before the one at its last moment to reveal |

use ark_bls12_381::{Bls12_381, G1Affine, G1Projective, G2Affine, g1};
use ark_ec::{
    AffineRepr,
    hashing::{HashToCurve, curve_maps::wb::WBMap, map_to_curve_hasher::MapToCurveBasedHasher},
    pairing::{Pairing, PairingOutput},
};
use ark_ff::{Zero, field_hashers::DefaultFieldHasher};
use ark_serialize::CanonicalDeserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{answer::Answer, encoding::Hex};

/// The name of the network: the hash of its parameters, as relays have it in their paths.
pub const NETWORK: &str = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971";
/// Rounds that are left between that of an answer and its last moment to reveal.
pub const REVEAL_ROUNDS: u64 = 5;
/// Seconds from the last moment of an answer to that of its lot, at least: the round must come after
/// the answer, and be handed in.
pub(crate) const MIN_REVEAL_SECONDS: u64 = (REVEAL_ROUNDS + 2) * PERIOD;

const GENESIS: u64 = 1_692_803_367;
const PERIOD: u64 = 3;
const DOMAIN: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";
/// The network's key, a compressed point of G2.
const KEY: [u8; 96] = hex(
    b"83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451\
      0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
);

/// Why a signature is not that of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BeaconError {
    /// No point of the right group.
    #[error("round: it is no compressed point of G1")]
    Point,
    /// Another round's, or nobody's.
    #[error("round: it is not the network's signature of round {round}")]
    Signature {
        /// Which round it should be.
        round: u64,
    },
}

/// The bytes of digits.
const fn hex<const N: usize>(digits: &[u8]) -> [u8; N] {
    const fn value(digit: u8) -> u8 {
        if digit <= b'9' { digit - b'0' } else { digit - b'a' + 10 }
    }
    assert!(digits.len() == 2 * N, "two digits a byte");
    let (mut bytes, mut at) = ([0; N], 0);
    while at < N {
        bytes[at] = value(digits[2 * at]) * 16 + value(digits[2 * at + 1]);
        at += 1;
    }
    bytes
}

/// The last round that has come at a moment, in Unix seconds; 0 before the first.
#[must_use]
pub fn round_at(moment: u64) -> u64 {
    moment.checked_sub(GENESIS).map_or(0, |since| since / PERIOD + 1)
}

/// When a round comes, in Unix seconds.
#[must_use]
pub fn time_of(round: u64) -> u64 {
    round.saturating_sub(1).saturating_mul(PERIOD).saturating_add(GENESIS)
}

/// The round that draws the lot of an answer.
#[must_use]
pub fn round_of(answer: &Answer) -> u64 {
    round_at(answer.reveal_by).saturating_sub(REVEAL_ROUNDS)
}

/// Whether this is the network's signature of a round.
///
/// # Errors
/// If it is not.
pub fn check_round(round: u64, signature: &Hex<48>) -> Result<(), BeaconError> {
    type Hasher =
        MapToCurveBasedHasher<G1Projective, DefaultFieldHasher<Sha256, 128>, WBMap<g1::Config>>;
    let refused = BeaconError::Signature { round };
    let point =
        G1Affine::deserialize_compressed(&signature.0[..]).map_err(|_| BeaconError::Point)?;
    let key = G2Affine::deserialize_compressed(&KEY[..]).map_err(|_| refused)?;
    let hasher = Hasher::new(DOMAIN).map_err(|_| refused)?;
    let message = hasher.hash(&Sha256::digest(round.to_be_bytes())).map_err(|_| refused)?;
    let sum: PairingOutput<Bls12_381> =
        Bls12_381::multi_pairing([point, -message], [G2Affine::generator(), key]);
    if sum.is_zero() { Ok(()) } else { Err(refused) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::Lot;

    const ROUND: u64 = 657_413;

    /// As the network has published it.
    fn signature() -> Hex<48> {
        "b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b"
            .parse()
            .unwrap()
    }

    #[test]
    fn a_published_round_is_the_networks_and_no_other() {
        assert_eq!(check_round(ROUND, &signature()), Ok(()));
        let lot = Lot::Round { number: ROUND, signature: signature() };
        let published = "fc1873a13f3545aeade8401532ef5519920652eee6b0d2b19ca12643b87b3587";
        assert_eq!(lot.secret().to_string(), published);
        let other = BeaconError::Signature { round: ROUND + 1 };
        assert_eq!(check_round(ROUND + 1, &signature()), Err(other));
        let mut changed = signature();
        changed.0[47] ^= 1;
        assert!(check_round(ROUND, &changed).is_err());
        // The point at infinity would be every message's, were it let through.
        let mut infinity = Hex([0; 48]);
        infinity.0[0] = 0xc0;
        let refused = BeaconError::Signature { round: ROUND };
        assert_eq!(check_round(ROUND, &infinity), Err(refused));
        // The same point, negated: another signature.
        let mut negated = signature();
        negated.0[0] ^= 0x20;
        assert_eq!(check_round(ROUND, &negated), Err(refused));
        assert_eq!(check_round(ROUND, &Hex([0xff; 48])), Err(BeaconError::Point));
    }

    #[test]
    fn rounds_come_every_three_seconds() {
        assert_eq!((round_at(0), round_at(GENESIS - 1), round_at(GENESIS)), (0, 0, 1));
        assert_eq!((round_at(GENESIS + 2), round_at(GENESIS + 3)), (1, 2));
        for round in [1, 2, ROUND] {
            assert_eq!(round_at(time_of(round)), round);
            assert_eq!(round_at(time_of(round) - 1), round - 1);
        }
    }
}
