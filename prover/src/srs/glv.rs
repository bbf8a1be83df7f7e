//! Multiplying many points of G1 by few scalars: each scalar is split once into two halves of
//! 128 bits (Gallant, Lambert, Vanstone, CRYPTO 2001), with `k = k1 − k2·ζ` and `ζ·P = φ(P)`.

use halo2_proofs::halo2curves::{
    CurveExt,
    bn256::{Fr, G1},
    ff::{PrimeField, WithSmallOrderMulGroup},
    group::Group,
};

/// Width of a digit: signed odd digits below `2^(WIDTH−1)`, so a table of 8 odd multiples.
const WIDTH: u32 = 5;
const TABLE: usize = 1 << (WIDTH - 2);

/// The short lattice basis of the endomorphism: `b1`, `b2`, and `round(2^256·b/r)` of each.
const B1: [u64; 4] = [0x89d3_2568_94d2_13e3, 0, 0, 0];
const B2: [u64; 4] = [0x0be4_e154_1221_250b, 0x6f4d_8248_eeb8_59fd, 0, 0];
const GAMMA1: [u64; 4] = [0xd91d_232e_c7e0_b3d7, 0x2, 0, 0];
const GAMMA2: [u64; 4] = [0x5398_fd03_00ff_6565, 0x4cce_f014_a773_d2d2, 0x02, 0];

/// A scalar, ready to multiply points.
#[derive(Clone)]
pub(super) struct SplitScalar {
    /// Digits for `P`, lowest first.
    low: Vec<i8>,
    /// Digits for `φ(P)`, lowest first.
    high: Vec<i8>,
}

impl SplitScalar {
    pub(super) fn new(scalar: &Fr) -> Self {
        let (k1, k2) = decompose(scalar);
        Self { low: digits(k1), high: digits(-k2) }
    }

    /// The scalar times `point`.
    pub(super) fn times(&self, point: &G1) -> G1 {
        let twice = point.double();
        let mut odd = [*point; TABLE];
        for index in 1..TABLE {
            odd[index] = odd[index - 1] + twice;
        }
        let endo = odd.map(|multiple| multiple.endo());
        let mut sum = G1::identity();
        for index in (0..self.low.len().max(self.high.len())).rev() {
            sum = sum.double();
            for (digits, table) in [(&self.low, &odd), (&self.high, &endo)] {
                match digits.get(index).copied().unwrap_or(0) {
                    0 => {}
                    digit if digit > 0 => sum += table[usize::from(digit.unsigned_abs() / 2)],
                    digit => sum -= table[usize::from(digit.unsigned_abs() / 2)],
                }
            }
        }
        sum
    }
}

/// `(k1, k2)` with `scalar = k1 − k2·ζ`, both within `±2^128`.
fn decompose(scalar: &Fr) -> (Fr, Fr) {
    let k = limbs(scalar);
    let q1 = Fr::from_raw(multiply_high(GAMMA2, k)) * Fr::from_raw(B1);
    let q2 = Fr::from_raw(multiply_high(GAMMA1, k)) * Fr::from_raw(B2);
    let k2 = q2 - q1;
    (*scalar + k2 * Fr::ZETA, k2)
}

/// The upper half of a 512-bit product.
fn multiply_high(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
    let mut product = [0u64; 8];
    for (i, x) in a.into_iter().enumerate() {
        let mut carry = 0u64;
        for (j, y) in b.into_iter().enumerate() {
            let sum =
                u128::from(x) * u128::from(y) + u128::from(product[i + j]) + u128::from(carry);
            (product[i + j], carry) = halves(sum);
        }
        product[i + 4] = carry;
    }
    [product[4], product[5], product[6], product[7]]
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are what is wanted")]
fn halves(value: u128) -> (u64, u64) {
    (value as u64, (value >> 64) as u64)
}

fn limbs(scalar: &Fr) -> [u64; 4] {
    let bytes = scalar.to_repr();
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *limb = u64::from_le_bytes(*chunk);
    }
    limbs
}

/// Width-5 non-adjacent form of a number within `±2^128`, lowest digit first.
fn digits(value: Fr) -> Vec<i8> {
    let (magnitude, negative) = match limbs(&value) {
        [a, b, c @ 0..2, 0] => ([a, b, c], false),
        _ => match limbs(&-value) {
            [a, b, c, _] => ([a, b, c], true),
        },
    };
    let mut low = u128::from(magnitude[0]) | u128::from(magnitude[1]) << 64;
    let mut high = magnitude[2];
    let mut digits = Vec::with_capacity(130);
    while low != 0 || high != 0 {
        let mut digit = 0i8;
        if low & 1 == 1 {
            let residue = i8::try_from(low & ((1 << WIDTH) - 1)).unwrap_or(0);
            digit = if residue >= 1 << (WIDTH - 1) { residue - (1 << WIDTH) } else { residue };
            let step = u128::from(digit.unsigned_abs());
            let (next, wrapped) =
                if digit > 0 { low.overflowing_sub(step) } else { low.overflowing_add(step) };
            debug_assert!(!(wrapped && digit > 0), "the digit is the low bits of the number");
            low = next;
            high += u64::from(wrapped);
        }
        digits.push(if negative { -digit } else { digit });
        low = low >> 1 | u128::from(high & 1) << 127;
        high >>= 1;
    }
    digits
}

#[cfg(test)]
mod tests {
    use halo2_proofs::halo2curves::ff::Field;
    use rand_core::OsRng;

    use super::*;

    #[test]
    fn agrees_with_double_and_add() {
        let edge = [Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::ZETA, Fr::ROOT_OF_UNITY, Fr::TWO_INV];
        let random = std::iter::repeat_with(|| Fr::random(OsRng)).take(200);
        for scalar in edge.into_iter().chain(random) {
            let point = G1::random(OsRng);
            assert_eq!(SplitScalar::new(&scalar).times(&point), point * scalar);
        }
    }

    #[test]
    fn halves_are_short() {
        for _ in 0..1000 {
            let split = SplitScalar::new(&Fr::random(OsRng));
            assert!(split.low.len() <= 130 && split.high.len() <= 130);
        }
    }
}
