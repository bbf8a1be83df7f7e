//! Many multiples of the generator of G1, by a table of its multiples in each window of bits.

use halo2_proofs::halo2curves::{
    bn256::{Fr, G1, G1Affine},
    ff::PrimeField,
    group::{Curve, Group, prime::PrimeCurveAffine},
};
use rayon::prelude::*;

/// Points normalised together: one field inversion each.
const CHUNK: usize = 512;

/// `table[w][d − 1] = d · 2^(w·window_bits) · G`.
pub(super) struct FixedBase {
    window_bits: usize,
    table: Vec<Vec<G1Affine>>,
}

impl FixedBase {
    /// A table worth its making for about `2^k` multiplications.
    pub(super) fn new(k: u32) -> Self {
        let window_bits = match k {
            0..10 => 6,
            10..13 => 8,
            13..16 => 10,
            _ => 13,
        };
        let windows = usize::try_from(Fr::NUM_BITS).map_or(0, |bits| bits.div_ceil(window_bits));
        let mut bases = vec![G1::generator(); windows];
        for window in 1..windows {
            bases[window] = (0..window_bits).fold(bases[window - 1], |base, _| base.double());
        }
        let table = bases.par_iter().map(|base| multiples(base, (1 << window_bits) - 1)).collect();
        Self { window_bits, table }
    }

    /// Each scalar times the generator.
    pub(super) fn multiply(&self, scalars: &[Fr]) -> Vec<G1Affine> {
        let mut points = vec![G1Affine::identity(); scalars.len()];
        points.par_chunks_mut(CHUNK).zip(scalars.par_chunks(CHUNK)).for_each(|(out, scalars)| {
            let sums: Vec<G1> = scalars.iter().map(|scalar| self.multiple(scalar)).collect();
            G1::batch_normalize(&sums, out);
        });
        points
    }

    fn multiple(&self, scalar: &Fr) -> G1 {
        let bytes = scalar.to_repr();
        let mut sum = G1::identity();
        for (window, multiples) in self.table.iter().enumerate() {
            let digit = digit(&bytes, window * self.window_bits, self.window_bits);
            if digit != 0 {
                sum += multiples[digit - 1];
            }
        }
        sum
    }
}

/// `base, 2·base, …, count·base`.
fn multiples(base: &G1, count: usize) -> Vec<G1Affine> {
    let sums: Vec<G1> =
        std::iter::successors(Some(*base), |sum| Some(sum + base)).take(count).collect();
    let mut points = vec![G1Affine::identity(); count];
    G1::batch_normalize(&sums, &mut points);
    points
}

/// Bits `start .. start + width` of a little-endian number; `width` is at most 16.
fn digit(bytes: &[u8; 32], start: usize, width: usize) -> usize {
    let byte = |index: usize| usize::from(bytes.get(index).copied().unwrap_or(0));
    let first = start / 8;
    let word = byte(first) | byte(first + 1) << 8 | byte(first + 2) << 16;
    (word >> (start % 8)) & ((1 << width) - 1)
}

#[cfg(test)]
mod tests {
    use halo2_proofs::halo2curves::ff::Field;
    use rand_core::OsRng;

    use super::*;

    #[test]
    fn agrees_with_double_and_add() {
        for k in [3, 11, 13, 16] {
            let base = FixedBase::new(k);
            let mut scalars: Vec<Fr> = (0..20).map(|_| Fr::random(OsRng)).collect();
            scalars.extend([Fr::ZERO, Fr::ONE, -Fr::ONE]);
            let expected: Vec<G1Affine> =
                scalars.iter().map(|scalar| (G1::generator() * scalar).to_affine()).collect();
            assert_eq!(base.multiply(&scalars), expected);
        }
    }
}
