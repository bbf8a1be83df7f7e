//! The encoding of Solidity's application binary interface, as far as it is needed.

use ark_ec::AffineRepr;
use zkinfer_verifier::{Fr, G1Affine, encode_point, encode_scalar, keccak256};

/// The first four bytes of a call, or of an error, by its signature.
#[must_use]
pub fn selector(signature: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = keccak256(&[signature.as_bytes()]);
    [a, b, c, d]
}

/// A number in 32 bytes, big-endian.
pub(crate) fn word(value: usize) -> [u8; 32] {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&(value as u64).to_be_bytes());
    word
}

pub(crate) fn scalar_word(scalar: &Fr) -> [u8; 32] {
    let mut word = encode_scalar(scalar);
    word.reverse();
    word
}

/// Coordinates, big-endian; both zero at infinity.
pub(crate) fn point_words(point: &G1Affine) -> [u8; 64] {
    let mut words = [0; 64];
    let Some(y) = point.y() else { return words };
    // The encoding of x alone is that of the point without the flag of y.
    let mut x = encode_point(point);
    x[31] &= 0x3f;
    x.reverse();
    words[..32].copy_from_slice(&x);
    words[32..].copy_from_slice(&big_endian(&y));
    words
}

fn big_endian<F: ark_ff::PrimeField>(value: &F) -> [u8; 32] {
    use ark_ff::BigInteger;
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&value.into_bigint().to_bytes_be());
    bytes
}

/// A byte string: its length, and its bytes padded to words.
fn tail(bytes: &[u8]) -> Vec<u8> {
    let mut tail = word(bytes.len()).to_vec();
    tail.extend(bytes);
    tail.resize(tail.len().next_multiple_of(32), 0);
    tail
}

/// A tuple of which some members are byte strings.
pub(crate) enum Member<'a> {
    Word([u8; 32]),
    Bytes(&'a [u8]),
}

pub(crate) fn tuple(members: &[Member<'_>]) -> Vec<u8> {
    let (mut heads, mut tails) = (Vec::new(), Vec::new());
    for member in members {
        match member {
            Member::Word(word) => heads.extend(word),
            Member::Bytes(bytes) => {
                heads.extend(word(32 * members.len() + tails.len()));
                tails.extend(tail(bytes));
            }
        }
    }
    heads.extend(tails);
    heads
}

/// A list of tuples of no fixed size.
pub(crate) fn list(tuples: &[Vec<u8>]) -> Vec<u8> {
    let mut encoded = word(tuples.len()).to_vec();
    let mut offset = 32 * tuples.len();
    for tuple in tuples {
        encoded.extend(word(offset));
        offset += tuple.len();
    }
    encoded.extend(tuples.iter().flatten());
    encoded
}
