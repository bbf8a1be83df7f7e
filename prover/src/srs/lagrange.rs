//! The Lagrange basis from the monomial one, by a Fourier transform over the group.

use halo2_proofs::halo2curves::{
    bn256::{Fr, G1, G1Affine},
    ff::{Field, PrimeField},
    group::{Curve, prime::PrimeCurveAffine},
};
use rayon::prelude::*;

use super::glv::SplitScalar;

/// Points normalised together: one field inversion each.
const CHUNK: usize = 512;

/// The `2^k`-th root of unity that halo2's evaluation domain uses.
pub(super) fn root_of_unity(k: u32) -> Fr {
    (k..Fr::S).fold(Fr::ROOT_OF_UNITY, |root, _| root.square())
}

/// `[L_i(τ)]₁ = 1/n · Σ_j ω^(−ij) · [τ^j]₁`; the length of `monomial` is a power of two.
pub(super) fn lagrange_basis(monomial: &[G1Affine]) -> Vec<G1Affine> {
    let k = monomial.len().trailing_zeros();
    let shrink = SplitScalar::new(&Fr::TWO_INV.pow_vartime([u64::from(k)]));
    let mut points: Vec<G1> =
        monomial.par_iter().map(|point| shrink.times(&point.to_curve())).collect();
    transform(&mut points, &root_of_unity(k).invert().unwrap_or(Fr::ONE));
    let mut ordered = vec![G1::default(); points.len()];
    for (index, point) in points.into_iter().enumerate() {
        ordered[reverse_bits(index, k)] = point;
    }
    let mut basis = vec![G1Affine::identity(); ordered.len()];
    basis
        .par_chunks_mut(CHUNK)
        .zip(ordered.par_chunks(CHUNK))
        .for_each(|(out, points)| G1::batch_normalize(points, out));
    basis
}

/// Decimation in frequency: natural order in, bit-reversed order out.
fn transform(points: &mut [G1], root: &Fr) {
    let mut twiddles: Vec<SplitScalar> =
        std::iter::successors(Some(Fr::ONE), |power| Some(*power * root))
            .take(points.len() / 2)
            .map(|power| SplitScalar::new(&power))
            .collect();
    let mut size = points.len();
    while size > 1 {
        points.par_chunks_mut(size).for_each(|block| {
            let (left, right) = block.split_at_mut(size / 2);
            left.par_iter_mut().zip(right).zip(&twiddles).enumerate().for_each(
                |(index, ((a, b), twiddle))| {
                    let difference = *a - *b;
                    *a += *b;
                    *b = if index == 0 { difference } else { twiddle.times(&difference) };
                },
            );
        });
        let mut parity = false;
        twiddles.retain(|_| {
            parity = !parity;
            parity
        });
        size /= 2;
    }
}

fn reverse_bits(index: usize, k: u32) -> usize {
    index.reverse_bits().checked_shr(usize::BITS - k).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use halo2_proofs::poly::commitment::{Params, ParamsProver};

    use super::*;
    use crate::Srs;

    #[test]
    fn agrees_with_halo2() {
        for k in [1, 2, 5, 8] {
            let srs = Srs::insecure_dev(k).unwrap();
            let mut halo2 = Srs::insecure_dev(k + 1).unwrap().params().clone();
            halo2.downsize(k);
            let written = |params: &_| {
                let mut bytes = Vec::new();
                Params::write(params, &mut bytes).map(|()| bytes).unwrap()
            };
            assert_eq!(written(srs.params()), written(&halo2));
            let g = srs.params().get_g();
            let tail = written(srs.params()).split_off(4 + 64 * g.len());
            let ours: Vec<u8> = lagrange_basis(g)
                .iter()
                .flat_map(halo2_proofs::halo2curves::serde::SerdeObject::to_raw_bytes)
                .collect();
            assert_eq!(ours, tail[..ours.len()]);
        }
    }
}
