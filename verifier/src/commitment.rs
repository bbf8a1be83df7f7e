//! Commitments to inputs and outputs that a claim does not show.
//!
//! A commitment is a Poseidon sponge over a random blinding element and the integers `x − lo`,
//! packed big-endian into elements of up to 248 bits: as many digits of [`digit_bits`] bits as fit,
//! the last element with what is left. The capacity begins with a domain tag, the number of
//! integers and the bits of a digit, so that lists of other lengths hash to other values. Binding
//! rests on the sponge's collision resistance (127 bits), hiding on the blinding being uniform
//! and secret. A commitment is relative to the key whose bounds it uses.

use alloc::vec::Vec;
use core::fmt;

use ark_bn254::Fr;
use ark_ff::{BigInteger, PrimeField};

use crate::{
    curve::decode_scalar,
    error::CommitmentError,
    layout::{TensorLayout, element_count, first_out_of_range, owners},
    poseidon::Poseidon,
};

/// Separates commitments from every other use of the hash; fills the capacity's upper bytes.
const DOMAIN: &[u8; 16] = b"zkinfer.values.1";
/// Bits of an element that are used: any such integer is below the modulus.
const ELEMENT_BITS: u32 = 248;
/// The narrowest digit, so that an element never takes more than 31 of them.
const MIN_DIGIT_BITS: u32 = 8;

/// A commitment to the integers of all inputs, or of all outputs, of a model.
///
/// Prints as 64 lowercase hexadecimal digits, big-endian, as contracts write field elements.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Commitment(Fr);

/// What hides the values of a commitment: whoever knows it can test guesses of the values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Blinding(Fr);

/// What opens a commitment: the values, and what hides them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The integers, as in [`ClaimedValues::Public`](crate::ClaimedValues::Public).
    pub values: Vec<i64>,
    /// The blinding.
    pub blinding: Blinding,
}

impl Opening {
    /// The commitment that this opens.
    ///
    /// # Errors
    /// See [`Commitment::new`].
    pub fn commitment(&self, tensors: &[TensorLayout]) -> Result<Commitment, CommitmentError> {
        Commitment::new(tensors, &self.values, &self.blinding)
    }
}

impl Commitment {
    /// Commits to `values`, the integers of `tensors` flat in C order, one tensor after the other.
    ///
    /// # Errors
    /// [`CommitmentError::Length`] or [`CommitmentError::Range`] when they are not values of these
    /// tensors.
    pub fn new(
        tensors: &[TensorLayout],
        values: &[i64],
        blinding: &Blinding,
    ) -> Result<Self, CommitmentError> {
        let (expected, got) = (element_count(tensors), values.len());
        if expected != got {
            return Err(CommitmentError::Length { expected, got });
        }
        if let Some((index, value, tensor)) = first_out_of_range(tensors, values) {
            return Err(CommitmentError::Range { index, value, lo: tensor.lo, hi: tensor.hi });
        }
        let bits = digit_bits(tensors.iter().map(|tensor| (tensor.lo, tensor.hi)));
        let digits: Vec<u64> = owners(tensors)
            .zip(values)
            .map(|(tensor, value)| value.wrapping_sub(tensor.lo).cast_unsigned())
            .collect();
        let packed = digits.chunks(digits_per_element(bits)).map(|chunk| pack(chunk, bits));
        let elements: Vec<Fr> = core::iter::once(blinding.0).chain(packed).collect();
        Ok(Self(Poseidon::with(|poseidon| poseidon.sponge(capacity(got, bits), &elements))))
    }

    /// The field element, which is the public value of a proof.
    #[must_use]
    pub fn to_scalar(self) -> Fr {
        self.0
    }

    /// The commitment that is this field element.
    #[must_use]
    pub fn from_scalar(scalar: Fr) -> Self {
        Self(scalar)
    }

    /// 32 bytes, big-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        big_endian(&self.0)
    }

    /// The commitment of 32 bytes, big-endian; `None` at or above the modulus.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        from_big_endian(bytes).map(Self)
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Blinding {
    /// The blinding that is this field element, which must have been drawn uniformly.
    #[must_use]
    pub fn from_scalar(scalar: Fr) -> Self {
        Self(scalar)
    }

    /// The field element.
    #[must_use]
    pub fn to_scalar(self) -> Fr {
        self.0
    }

    /// 32 bytes, big-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        big_endian(&self.0)
    }

    /// The blinding of 32 bytes, big-endian; `None` at or above the modulus.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        from_big_endian(bytes).map(Self)
    }
}

impl fmt::Debug for Blinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blinding(secret)")
    }
}

/// Bits of a digit: those of the largest `hi − lo` of these bounds `(lo, hi)`, but at least 8.
#[must_use]
pub fn digit_bits(bounds: impl IntoIterator<Item = (i64, i64)>) -> u32 {
    let bits = |(lo, hi): (i64, i64)| {
        let span = hi.wrapping_sub(lo).cast_unsigned();
        u64::BITS.saturating_sub(span.leading_zeros())
    };
    bounds.into_iter().map(bits).fold(MIN_DIGIT_BITS, u32::max)
}

/// Digits of this many bits that fit an element.
#[must_use]
pub fn digits_per_element(bits: u32) -> usize {
    let digits = ELEMENT_BITS.checked_div(bits).unwrap_or(1).max(1);
    usize::try_from(digits).unwrap_or(usize::MAX)
}

/// What the sponge's capacity begins with: domain tag, count and digit width, big-endian.
#[must_use]
pub fn capacity(count: usize, bits: u32) -> Fr {
    let count = u64::try_from(count).unwrap_or(u64::MAX).to_be_bytes();
    let parts = [&DOMAIN[..], &count, &bits.to_be_bytes()];
    Fr::from_be_bytes_mod_order(&parts.concat())
}

#[expect(clippy::arithmetic_side_effects, reason = "field arithmetic wraps by definition")]
fn pack(digits: &[u64], bits: u32) -> Fr {
    let base = Fr::from(1u128.checked_shl(bits).unwrap_or_default());
    digits.iter().fold(Fr::from(0u64), |element, &digit| element * base + Fr::from(digit))
}

pub(crate) fn big_endian(scalar: &Fr) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(scalar.into_bigint().to_bytes_be()) {
        *to = from;
    }
    bytes
}

pub(crate) fn from_big_endian(bytes: &[u8; 32]) -> Option<Fr> {
    let mut little_endian = *bytes;
    little_endian.reverse();
    decode_scalar(&little_endian)
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use super::*;

    fn tensor(len: u32, lo: i64, hi: i64) -> TensorLayout {
        let (name, scales) = ("x".into(), vec![1.0]);
        TensorLayout { name, shape: vec![len], scales, lo, hi, classes: None }
    }

    fn blinding(seed: u64) -> Blinding {
        Blinding::from_scalar(Fr::from(seed))
    }

    fn commit(tensors: &[TensorLayout], values: &[i64], seed: u64) -> Commitment {
        Commitment::new(tensors, values, &blinding(seed)).unwrap()
    }

    #[test]
    fn a_commitment_is_the_documented_sponge() {
        let values: Vec<i64> = (-128..-88).collect();
        let tensors = [tensor(40, -128, 127)];
        let pack = |digits: core::ops::Range<u64>| {
            digits.fold(Fr::from(0), |sum, digit| sum * Fr::from(256) + Fr::from(digit))
        };
        let mut tag = b"zkinfer.values.1".to_vec();
        tag.extend([0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 8]);
        let elements = [Fr::from(7), pack(0..31), pack(31..40)];
        let expected = Poseidon::default().sponge(Fr::from_be_bytes_mod_order(&tag), &elements);
        assert_eq!(commit(&tensors, &values, 7).to_scalar(), expected);
    }

    #[test]
    fn commitments_tell_values_lengths_widths_and_blindings_apart() {
        let (one, two, wide) = ([tensor(1, 0, 255)], [tensor(2, 0, 255)], [tensor(2, 0, 256)]);
        let all = [
            commit(&one, &[0], 1),
            commit(&one, &[1], 1),
            commit(&one, &[0], 2),
            commit(&two, &[0, 0], 1),
            commit(&two, &[0, 1], 1),
            commit(&two, &[1, 0], 1),
            commit(&wide, &[0, 0], 1),
        ];
        for (index, commitment) in all.iter().enumerate() {
            assert_eq!(all.iter().position(|other| other == commitment), Some(index));
        }
    }

    #[test]
    fn values_of_other_tensors_are_refused() {
        let tensors = [tensor(2, 0, 255), tensor(1, -3, 3)];
        let refused = |values: &[i64]| Commitment::new(&tensors, values, &blinding(1)).unwrap_err();
        assert_eq!(refused(&[1, 2]), CommitmentError::Length { expected: 3, got: 2 });
        let range = CommitmentError::Range { index: 2, value: 4, lo: -3, hi: 3 };
        assert_eq!(refused(&[0, 255, 4]), range);
    }

    #[test]
    fn digits_are_as_wide_as_the_widest_tensor() {
        assert_eq!(digit_bits([(0, 1)]), 8);
        assert_eq!(digit_bits([(-128, 127), (0, 256)]), 9);
        assert_eq!(digit_bits([(i64::MIN, i64::MAX)]), 64);
        assert_eq!([8, 9, 64].map(digits_per_element), [31, 27, 3]);
    }

    #[test]
    fn bytes_are_canonical_and_secrets_stay_out_of_logs() {
        let commitment = commit(&[tensor(1, 0, 1)], &[1], 5);
        assert_eq!(Commitment::from_bytes(&commitment.to_bytes()), Some(commitment));
        assert_eq!(Commitment::from_bytes(&[0xff; 32]), None);
        assert_eq!(Blinding::from_bytes(&blinding(5).to_bytes()), Some(blinding(5)));
        assert_eq!(format!("{:?}", blinding(5)), "Blinding(secret)");
        assert_eq!(format!("{commitment}").len(), 64);
    }
}
