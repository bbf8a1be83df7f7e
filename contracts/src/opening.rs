//! Openings of commitments, as `ZkinferOpening` reads them.

use zkinfer_verifier::{
    Opening, TensorLayout,
    commitment::{digit_bits, digits_per_element},
    poseidon::Poseidon,
};

use crate::{
    abi::{Member, scalar_word, tuple},
    artifact::opening_code,
    error::ContractError,
};

/// Bytes of an element that has as many values as fit.
const ELEMENT: usize = 31;

/// An opening as calldata: the number of values, bits of each, the blinding, and the values.
///
/// # Errors
/// [`ContractError::Claim`] for values that are not ones of these tensors.
pub fn opening_bytes(
    tensors: &[TensorLayout],
    opening: &Opening,
) -> Result<Vec<u8>, ContractError> {
    opening.commitment(tensors).map_err(|_| ContractError::Claim)?;
    let bits = digit_bits(tensors.iter().map(|tensor| (tensor.lo, tensor.hi)));
    let owners =
        tensors.iter().flat_map(|tensor| std::iter::repeat_n(tensor, tensor.element_count()));
    let digits: Vec<u64> = owners
        .zip(&opening.values)
        .map(|(tensor, value)| value.wrapping_sub(tensor.lo).cast_unsigned())
        .collect();
    let mut bytes = (digits.len() as u64).to_be_bytes().to_vec();
    bytes.extend(bits.to_be_bytes());
    bytes.extend(opening.blinding.to_bytes());
    for digits in digits.chunks(digits_per_element(bits)) {
        bytes.extend(element(digits, bits));
    }
    Ok(bytes)
}

/// Digits as one integer, the first the highest.
fn element(digits: &[u64], bits: u32) -> [u8; ELEMENT] {
    let mut element = [0; ELEMENT];
    let all = digits.iter().rev().flat_map(|digit| (0..bits).map(move |bit| digit >> bit & 1 == 1));
    for (place, _) in all.enumerate().filter(|(_, is_set)| *is_set) {
        element[ELEMENT - 1 - place / 8] |= 1 << (place % 8);
    }
    element
}

/// The constants that each round of the hash adds.
fn constants() -> Vec<u8> {
    let Poseidon { round_constants, matrix: _ } = Poseidon::default();
    round_constants.iter().flatten().flat_map(scalar_word).collect()
}

/// The creation code of the contract that opens commitments, in hexadecimal digits.
#[must_use]
pub fn opening_creation_code() -> String {
    let arguments = tuple(&[Member::Bytes(&constants())]);
    let arguments = arguments.iter().map(|byte| format!("{byte:02x}"));
    [opening_code().to_owned()].into_iter().chain(arguments).collect()
}
