//! Fiat–Shamir with Keccak-256, byte for byte halo2-axiom's `Keccak256Read` with `Challenge255`.

use ark_bn254::{Fr, G1Affine};
use sha3::{Digest, Keccak256};

use crate::curve::{coordinates, encode_scalar, scalar_from_halves};

const START: &[u8] = b"Halo2-Transcript";
const CHALLENGE: u8 = 0;
const POINT: u8 = 1;
const SCALAR: u8 = 2;
/// The two halves of a challenge are separate hashes; these bytes do not enter the state.
const LOW_HALF: u8 = 10;
const HIGH_HALF: u8 = 11;

/// Absorbs what prover and verifier know, and draws challenges from it.
pub(crate) trait Transcript {
    fn absorb_point(&mut self, point: &G1Affine);
    fn absorb_scalar(&mut self, scalar: &Fr);
    fn challenge(&mut self) -> Fr;
}

/// The transcript of real proofs.
pub(crate) struct KeccakTranscript(Keccak256);

impl KeccakTranscript {
    pub(crate) fn new() -> Self {
        Self(Keccak256::new_with_prefix(START))
    }
}

impl Transcript for KeccakTranscript {
    fn absorb_point(&mut self, point: &G1Affine) {
        let (x, y) = coordinates(point);
        self.0.update([POINT]);
        self.0.update(x);
        self.0.update(y);
    }

    fn absorb_scalar(&mut self, scalar: &Fr) {
        let mut bytes = [SCALAR; 33];
        if let Some(value) = bytes.last_chunk_mut::<32>() {
            *value = encode_scalar(scalar);
        }
        self.0.update(bytes);
    }

    fn challenge(&mut self) -> Fr {
        self.0.update([CHALLENGE]);
        let [low, high] =
            [LOW_HALF, HIGH_HALF].map(|tag| self.0.clone().chain_update([tag]).finalize().into());
        scalar_from_halves(&low, &high)
    }
}
