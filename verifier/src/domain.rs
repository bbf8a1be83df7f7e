//! The evaluation domain: the `n = 2^k` powers of a root of unity ω.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "field arithmetic only: it wraps by definition and divides nowhere"
)]

use alloc::vec::Vec;

use ark_bn254::Fr;
use ark_ff::{BigInt, Field, One, Zero, batch_inversion};

/// The largest k: BN254's scalar field has 2²⁸-th roots of unity and no higher power of two.
pub(crate) const MAX_K: u8 = 28;

/// The 2²⁸-th root of unity of halo2's BN254 (its generator is 7).
const ROOT_OF_UNITY: Fr = Fr::new(BigInt::new([
    0xd34f_1ed9_60c3_7c9c,
    0x3215_cf6d_d393_29c8,
    0x9886_5ea9_3dd3_1f74,
    0x03dd_b9f5_166d_18b7,
]));

/// `7^(2^28)`: its powers keep the cosets of the permutation argument's columns apart.
pub(crate) const DELTA: Fr = Fr::new(BigInt::new([
    0x870e_56bb_e533_e9a2,
    0x5b5f_898e_5e96_3f25,
    0x64ec_26aa_d4c8_6e71,
    0x0922_6b6e_22c6_f0ca,
]));

#[derive(Clone, Debug)]
pub(crate) struct Domain {
    n: u64,
    omega: Fr,
    omega_inverse: Fr,
    n_inverse: Fr,
}

impl Domain {
    /// `None` above [`MAX_K`].
    pub(crate) fn new(k: u8) -> Option<Self> {
        let squarings = MAX_K.checked_sub(k)?;
        let n = 1u64.checked_shl(u32::from(k))?;
        let omega = (0..squarings).fold(ROOT_OF_UNITY, |root, _| root.square());
        let (omega_inverse, n_inverse) = (omega.inverse()?, Fr::from(n).inverse()?);
        Some(Self { n, omega, omega_inverse, n_inverse })
    }

    /// The generator.
    pub(crate) fn omega(&self) -> Fr {
        self.omega
    }

    pub(crate) fn row_count(&self) -> u64 {
        self.n
    }

    /// `point · ω^rotation`.
    pub(crate) fn rotate(&self, point: Fr, rotation: i32) -> Fr {
        let base = if rotation < 0 { self.omega_inverse } else { self.omega };
        point * base.pow([u64::from(rotation.unsigned_abs())])
    }

    /// `point^n`.
    pub(crate) fn power(&self, point: Fr) -> Fr {
        point.pow([self.n])
    }

    /// The Lagrange polynomials of `count` rows from `first_row` on (a negative row is counted from
    /// the end) at `point`, which must not be in the domain.
    pub(crate) fn lagrange(&self, point: Fr, first_row: i32, count: usize) -> Vec<Fr> {
        let start = self.rotate(point, first_row.saturating_neg());
        let mut values: Vec<Fr> =
            self.turning_back(start).take(count).map(|turned| turned - Fr::one()).collect();
        batch_inversion(&mut values);
        let scale = self.lagrange_scale(point);
        values.iter_mut().for_each(|value| *value *= scale);
        values
    }

    /// The polynomial that takes `values` on the first rows and zero on all others, at `point`, which
    /// must not be in the domain.
    pub(crate) fn interpolate(&self, point: Fr, values: &[Fr]) -> Fr {
        // `Σ value/(turned − 1)` as one fraction: a row costs four products, and nothing is kept.
        let (mut numerator, mut denominator) = (Fr::zero(), Fr::one());
        for (value, turned) in values.iter().zip(self.turning_back(point)) {
            // Rows with a zero add nothing, and images are full of them.
            if value.is_zero() {
                continue;
            }
            let divisor = turned - Fr::one();
            numerator = Fr::sum_of_products(&[numerator, *value], &[divisor, denominator]);
            denominator *= divisor;
        }
        let sum = numerator * denominator.inverse().unwrap_or_default();
        sum * self.lagrange_scale(point)
    }

    /// `(point^n − 1)/n`: row `i`'s Lagrange polynomial is this, divided by `point·ω^−i − 1`.
    fn lagrange_scale(&self, point: Fr) -> Fr {
        (self.power(point) - Fr::one()) * self.n_inverse
    }

    /// `point·ω^−i` for all `i` from zero on.
    fn turning_back(&self, point: Fr) -> impl Iterator<Item = Fr> {
        core::iter::successors(Some(point), |turned| Some(*turned * self.omega_inverse))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_has_the_stated_order() {
        let domain = Domain::new(MAX_K).unwrap();
        assert_eq!(domain.omega.pow([1 << 28]), Fr::one());
        assert_ne!(domain.omega.pow([1 << 27]), Fr::one());
        assert_eq!(DELTA, Fr::from(7).pow([1 << 28]));
        assert!(Domain::new(MAX_K + 1).is_none());
    }

    #[test]
    fn lagrange_sums_to_one_and_interpolates() {
        let domain = Domain::new(3).unwrap();
        let point = Fr::from(1234567);
        let sum: Fr = domain.lagrange(point, -3, 8).into_iter().sum();
        assert_eq!(sum, Fr::one());
        // X² on all eight rows.
        let values: Vec<Fr> = (0..8).map(|row| domain.rotate(Fr::one(), 2 * row)).collect();
        assert_eq!(domain.interpolate(point, &values), point.square());
    }
}
