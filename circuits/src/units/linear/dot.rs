//! Inner products of small integers with powers of a challenge.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, PrimeField},
};

use crate::integers::{field, from_limbs};

/// `base^0, base^1, …` as integers below the modulus, 64 bits a limb.
///
/// An integer of 32 bits times a limb is four machine instructions; a product in the field is
/// about ten times that. So the sums are kept limb by limb and reduced once.
#[derive(Debug)]
pub(crate) struct Powers(Vec<(Fr, [u64; 4])>);

impl Powers {
    pub(crate) fn new(base: Fr, count: usize) -> Self {
        let powers = std::iter::successors(Some(Fr::ONE), |power| Some(power * base)).take(count);
        Self(powers.map(|power| (power, limbs(&power))).collect())
    }

    /// `Σ_i base^i · values[i]`, of at most `count` values.
    ///
    /// Values are below 2^31 in magnitude, but for lies, so that a sum of limbs stays below
    /// 2^(31 + 64) times their number.
    pub(crate) fn dot(&self, values: impl Iterator<Item = i64>) -> Fr {
        let (mut sums, mut rest) = ([0_i128; 4], Fr::ZERO);
        for ((power, limbs), value) in self.0.iter().zip(values) {
            if let Ok(value) = i32::try_from(value) {
                for (sum, &limb) in sums.iter_mut().zip(limbs) {
                    *sum += i128::from(value) * i128::from(limb);
                }
            } else {
                rest += power * field(value);
            }
        }
        rest + from_limbs(sums)
    }
}

fn limbs(value: &Fr) -> [u64; 4] {
    let bytes = value.to_repr();
    let (words, _) = bytes.as_ref().as_chunks::<8>();
    std::array::from_fn(|i| u64::from_le_bytes(words[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_products_are_those_of_the_field() {
        let extremes = [i64::from(i32::MAX), i64::from(i32::MIN), -1, 0, 1, i64::MAX, i64::MIN];
        let base = -Fr::from(3).invert().unwrap();
        for len in 0..200 {
            let values: Vec<i64> = (0..len).map(|i| extremes[i * i % extremes.len()]).collect();
            let expected = values.iter().rev().fold(Fr::ZERO, |sum, &v| sum * base + field(v));
            assert_eq!(Powers::new(base, len).dot(values.into_iter()), expected);
        }
    }

    #[test]
    fn the_largest_sums_are_reduced() {
        let largest = Powers(vec![(-Fr::ONE, limbs(&-Fr::ONE)); 1 << 16]);
        for value in [i32::MAX, i32::MIN] {
            let value = i64::from(value);
            let sum = largest.dot(std::iter::repeat_n(value, 1 << 16));
            assert_eq!(sum, -field(value) * Fr::from(1 << 16));
        }
    }
}
