//! BN254's endomorphism `φ(x, y) = (ζ·x, y) = λ·(x, y)`, which splits a scalar into two of half
//! the length (Gallant, Lambert, Vanstone, CRYPTO 2001).

use ark_bn254::{Fr, G1Affine, g1};
use ark_ec::scalar_mul::glv::GLVConfig;
use ark_ff::{BigInt, BigInteger, PrimeField};

/// The short vectors `(A, −B)` and `(B, C)` span all `(a, b)` with `a + λ·b = 0`; `A·C + B² = r`.
const A: u128 = 0x6f4d_8248_eeb8_59fc_8211_bbeb_7d4f_1128;
const B: u128 = 0x89d3_2568_94d2_13e3;
const C: u128 = 0x6f4d_8248_eeb8_59fd_0be4_e154_1221_250b;
/// `⌊2²⁵⁶·C/r⌋` and `⌊2²⁵⁶·B/r⌋`.
const C_OVER_R: BigInt<4> = BigInt([0x5398_fd03_00ff_6565, 0x4cce_f014_a773_d2d2, 2, 0]);
const B_OVER_R: BigInt<4> = BigInt([0xd91d_232e_c7e0_b3d7, 2, 0, 0]);

/// `scalar·point` as two products of a point and an integer below 2¹²⁷.
///
/// With `c1 = k·C/r` and `c2 = k·B/r`, each rounded with an error below 0.7, the halves
/// `k − c1·A − c2·B` and `c1·B − c2·C` are below `0.7·(C + B) < 2¹²⁷` in magnitude, so that
/// arithmetic modulo 2¹²⁸ finds them.
pub(crate) fn split(point: G1Affine, scalar: &Fr) -> [(G1Affine, u128); 2] {
    let k = scalar.into_bigint();
    let (c1, c2) = (scaled(&k, &C_OVER_R), scaled(&k, &B_OVER_R));
    let low = low_half(&k);
    let first = low.wrapping_sub(c1.wrapping_mul(A)).wrapping_sub(c2.wrapping_mul(B));
    let second = c1.wrapping_mul(B).wrapping_sub(c2.wrapping_mul(C));
    let image = g1::Config::endomorphism_affine(&point);
    [positive(point, first.cast_signed()), positive(image, second.cast_signed())]
}

/// `k·factor / 2²⁵⁶`, rounded.
fn scaled(k: &BigInt<4>, factor: &BigInt<4>) -> u128 {
    let (BigInt([_, _, _, below]), above) = k.mul(factor);
    low_half(&above).wrapping_add(u128::from(below >> 63))
}

fn low_half(integer: &BigInt<4>) -> u128 {
    let BigInt([low, high, _, _]) = *integer;
    u128::from(high) << 64 | u128::from(low)
}

fn positive(point: G1Affine, factor: i128) -> (G1Affine, u128) {
    use core::ops::Neg;
    let point = if factor.is_negative() { point.neg() } else { point };
    (point, factor.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use ark_ec::{AffineRepr, CurveGroup};
    use ark_ff::{Field, One, Zero};

    use super::*;

    #[test]
    fn the_halves_are_short_and_make_up_the_scalar() {
        let point = (G1Affine::generator() * Fr::from(77)).into_affine();
        let lambda = <g1::Config as GLVConfig>::LAMBDA;
        let edges = [Fr::zero(), Fr::one(), -Fr::one(), lambda, -lambda, lambda.square()];
        let multiples = [A, B, C].map(Fr::from);
        let powers = (0..300).map(|i| Fr::from(3).pow([i]));
        for scalar in edges.into_iter().chain(multiples).chain(powers) {
            let halves = split(point, &scalar);
            assert!(halves.iter().all(|(_, factor)| *factor < 1 << 127), "{scalar}");
            let [(p, a), (q, b)] = halves;
            assert_eq!(p * Fr::from(a) + q * Fr::from(b), point * scalar, "{scalar}");
        }
    }
}
