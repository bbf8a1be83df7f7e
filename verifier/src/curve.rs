//! The one accepted encoding of each scalar and point.
//!
//! Scalars: 32 bytes, little-endian, below the modulus. G1 points: 32 bytes, `x` little-endian,
//! bit 6 of the last byte the parity of `y`, bit 7 only for the point at infinity, all else zero.
//! G2 points: `x.c0, x.c1, y.c0, y.c1`, 32 bytes each, big-endian. Everything else is refused.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "field arithmetic only: it wraps by definition and divides nowhere"
)]

use ark_bn254::{Fq, Fq2, Fr, FrConfig, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, BigInteger, Field, MontConfig, One, PrimeField};

const INFINITY: u8 = 0x80;
const ODD_Y: u8 = 0x40;

/// The scalar that `bytes` (little-endian) encodes; `None` at or above the modulus.
#[must_use]
pub fn decode_scalar(bytes: &[u8; 32]) -> Option<Fr> {
    Fr::from_bigint(integer(bytes))
}

/// The 32 little-endian bytes of a scalar.
#[must_use]
pub fn encode_scalar(scalar: &Fr) -> [u8; 32] {
    integer_bytes(&scalar.into_bigint())
}

/// The scalar of an integer: what `Fr::from` gives, in a third of its time, as public values are
/// many.
///
/// A scalar `a` is kept as `a·R` modulo the order `r`. As `|value|` is at most `2⁶³`,
/// `q = ⌊|value|·⌊2⁶⁴·R/r⌋/2⁶⁴⌋` is at most the quotient of `|value|·R` by `r`, and less than 1.5
/// below it: `|value|·R − q·r` is not negative and below `1.5r`.
pub(crate) fn scalar_from_integer(value: i64) -> Fr {
    const R: BigInt<4> = FrConfig::R;
    /// `⌊2⁶⁴·R/r⌋`, with `R` reduced.
    const R_OVER_ORDER: u64 = 0x4a47_4626_23a0_4a7a;
    let magnitude = value.unsigned_abs();
    let product = u128::from(magnitude).wrapping_mul(u128::from(R_OVER_ORDER));
    let quotient = u64::try_from(product >> 64).unwrap_or(0);
    let mut kept = R.mul_low(&BigInt::from(magnitude));
    kept.sub_with_borrow(&Fr::MODULUS.mul_low(&BigInt::from(quotient)));
    if kept >= Fr::MODULUS {
        kept.sub_with_borrow(&Fr::MODULUS);
    }
    let scalar = Fr::new_unchecked(kept);
    if value < 0 { -scalar } else { scalar }
}

/// A digest, read as a big-endian integer and reduced modulo the group order.
#[must_use]
pub fn scalar_from_digest(digest: &[u8; 32]) -> Fr {
    Fr::from_be_bytes_mod_order(digest)
}

/// `low + 2²⁵⁶·high`, both little-endian, modulo the group order.
pub(crate) fn scalar_from_halves(low: &[u8; 32], high: &[u8; 32]) -> Fr {
    const SHIFT: Fr = Fr::new(FrConfig::R);
    reduced(low) + reduced(high) * SHIFT
}

fn reduced(bytes: &[u8; 32]) -> Fr {
    let mut integer = integer(bytes);
    // At most five times: 2²⁵⁶ is below six times the modulus.
    while integer >= Fr::MODULUS {
        integer.sub_with_borrow(&Fr::MODULUS);
    }
    Fr::new(integer)
}

/// The G1 point that `bytes` encodes, possibly at infinity; `None` unless canonical and on the
/// curve (whose order is prime, so that is the right group).
#[must_use]
pub fn decode_point(bytes: &[u8; 32]) -> Option<G1Affine> {
    let [.., flags] = *bytes;
    if flags & INFINITY != 0 {
        return (*bytes == encode_point(&G1Affine::identity())).then(G1Affine::identity);
    }
    let mut coordinate = *bytes;
    if let Some(top) = coordinate.last_mut() {
        *top &= !ODD_Y;
    }
    let x = Fq::from_bigint(integer(&coordinate))?;
    let root = square_root(x.square() * x + Fq::from(3))?;
    let odd = flags & ODD_Y != 0;
    let y = if root.into_bigint().is_odd() == odd { root } else { -root };
    Some(G1Affine::new_unchecked(x, y))
}

/// `(q + 1)/4`, big-endian.
const ROOT_EXPONENT: [u8; 32] = [
    0x0c, 0x19, 0x13, 0x9c, 0xb8, 0x4c, 0x68, 0x0a, 0x6e, 0x14, 0x11, 0x6d, 0xa0, 0x60, 0x56, 0x17,
    0x65, 0xe0, 0x5a, 0xa4, 0x5a, 0x1c, 0x72, 0xa3, 0x4f, 0x08, 0x23, 0x05, 0xb6, 0x1f, 0x3f, 0x52,
];

/// A square root, if there is one: `a^((q + 1)/4)`, because `q` is 3 modulo 4. Four bits of the
/// exponent at a time, as decompression is most of what a proof in a batch costs.
fn square_root(a: Fq) -> Option<Fq> {
    let mut powers = [Fq::one(); 16];
    powers.iter_mut().fold(Fq::one(), |power, place| {
        *place = power;
        power * a
    });
    let mut root = Fq::one();
    let nibbles = ROOT_EXPONENT.iter().flat_map(|&byte| [byte >> 4, byte & 15]);
    for nibble in nibbles.map(usize::from).skip_while(|nibble| *nibble == 0) {
        (0..4).for_each(|_| {
            root.square_in_place();
        });
        if nibble != 0 {
            root *= powers.get(nibble)?;
        }
    }
    (root.square() == a).then_some(root)
}

/// The 32 bytes of a G1 point.
#[must_use]
pub fn encode_point(point: &G1Affine) -> [u8; 32] {
    let mut bytes = integer_bytes(&point.x.into_bigint());
    if let Some(top) = bytes.last_mut() {
        if point.is_zero() {
            *top |= INFINITY;
        } else if point.y.into_bigint().is_odd() {
            *top |= ODD_Y;
        }
    }
    bytes
}

/// The 64 bytes that a transcript absorbs for a point: `x` and `y`, both zero at infinity, each with
/// its lowest byte first.
#[must_use]
pub fn coordinates(point: &G1Affine) -> ([u8; 32], [u8; 32]) {
    (integer_bytes(&point.x.into_bigint()), integer_bytes(&point.y.into_bigint()))
}

/// The G2 point that `bytes` encodes; `None` unless canonical, on the curve, in the subgroup of
/// prime order and not at infinity.
#[must_use]
pub fn decode_g2(bytes: &[u8; 128]) -> Option<G2Affine> {
    let (chunks, _) = bytes.as_chunks::<32>();
    let mut coordinates = [Fq::default(); 4];
    for (coordinate, chunk) in coordinates.iter_mut().zip(chunks) {
        let mut little_endian = *chunk;
        little_endian.reverse();
        *coordinate = Fq::from_bigint(integer(&little_endian))?;
    }
    let [x0, x1, y0, y1] = coordinates;
    let point = G2Affine::new_unchecked(Fq2::new(x0, x1), Fq2::new(y0, y1));
    let good =
        !point.is_zero() && point.is_on_curve() && point.is_in_correct_subgroup_assuming_on_curve();
    good.then_some(point)
}

/// The 128 bytes of a G2 point.
#[must_use]
pub fn encode_g2(point: &G2Affine) -> [u8; 128] {
    let mut bytes = [0; 128];
    let (chunks, _) = bytes.as_chunks_mut::<32>();
    let coordinates = [point.x.c0, point.x.c1, point.y.c0, point.y.c1];
    for (chunk, coordinate) in chunks.iter_mut().zip(coordinates) {
        *chunk = integer_bytes(&coordinate.into_bigint());
        chunk.reverse();
    }
    bytes
}

fn integer(bytes: &[u8; 32]) -> BigInt<4> {
    let mut limbs = [0; 4];
    let (chunks, _) = bytes.as_chunks::<8>();
    for (limb, chunk) in limbs.iter_mut().zip(chunks) {
        *limb = u64::from_le_bytes(*chunk);
    }
    BigInt(limbs)
}

fn integer_bytes(integer: &BigInt<4>) -> [u8; 32] {
    let mut bytes = [0; 32];
    let (chunks, _) = bytes.as_chunks_mut::<8>();
    for (chunk, limb) in chunks.iter_mut().zip(integer.0) {
        *chunk = limb.to_le_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_and_infinity_round_trip() {
        for point in [G1Affine::generator(), -G1Affine::generator(), G1Affine::identity()] {
            assert_eq!(decode_point(&encode_point(&point)), Some(point));
        }
        let g2 = G2Affine::generator();
        assert_eq!(decode_g2(&encode_g2(&g2)), Some(g2));
    }

    #[test]
    fn square_roots_are_those_of_the_field() {
        let mut roots = 0;
        for i in 0..200u64 {
            let a = Fq::from(i).pow([3 * i + 1]);
            let root = square_root(a);
            assert_eq!(root.map(|root| root.square()), a.sqrt().map(|_| a), "{i}");
            roots += usize::from(root.is_some());
        }
        assert!((50..200).contains(&roots), "{roots}");
        assert_eq!(square_root(Fq::from(0)), Some(Fq::from(0)));
        // y = 0 is on no curve point; −1 is no square.
        assert_eq!(square_root(-Fq::one()), None);
    }

    #[test]
    fn other_spellings_of_a_point_are_refused() {
        let mut infinity_flag = encode_point(&G1Affine::generator());
        infinity_flag[31] |= INFINITY;
        assert_eq!(decode_point(&infinity_flag), None);
        let mut signed_infinity = encode_point(&G1Affine::identity());
        signed_infinity[31] |= ODD_Y;
        assert_eq!(decode_point(&signed_infinity), None);
        assert_eq!(decode_point(&[0; 32]), None, "x = 0 is on no curve point");
        // x = 1 + q, the generator's coordinate in another spelling; fits below bit 254.
        let mut sum = Fq::MODULUS;
        assert!(!sum.add_with_carry(&BigInt::from(1u64)));
        assert_eq!(decode_point(&integer_bytes(&sum)), None);
    }

    #[test]
    fn scalars_at_or_above_the_modulus_are_refused() {
        let mut largest = Fr::MODULUS;
        assert!(!largest.sub_with_borrow(&BigInt::from(1u64)));
        assert_eq!(decode_scalar(&integer_bytes(&largest)), Some(-Fr::from(1)));
        assert_eq!(decode_scalar(&integer_bytes(&Fr::MODULUS)), None);
        assert_eq!(decode_scalar(&[0xff; 32]), None);
    }

    #[test]
    fn scalars_of_integers_are_those_of_the_field() {
        let powers = (0..63).flat_map(|bits| [(1i64 << bits) - 1, 1 << bits, -1 << bits]);
        let spread = (0..1000i64).map(|i| i.wrapping_mul(0x1234_5678_9abc_def1).wrapping_add(i));
        for value in powers.chain(spread).chain([i64::MAX, i64::MIN, i64::MIN + 1]) {
            assert_eq!(scalar_from_integer(value), Fr::from(value), "{value}");
        }
    }

    #[test]
    fn wide_integers_are_reduced() {
        for (low, high) in [(0, 0), (1, 0), (0, 1), (0xff, 0xff), (0x5a, 0xc3), (0x30, 0x64)] {
            let (low, high) = ([low; 32], [high; 32]);
            let expected = Fr::from_le_bytes_mod_order(&[low, high].concat());
            assert_eq!(scalar_from_halves(&low, &high), expected);
        }
    }

    #[test]
    fn a_g2_point_outside_the_subgroup_is_refused() {
        let candidates = (1u64..).map(|i| Fq2::new(Fq::from(i), Fq::from(7u64)));
        let stray = candidates
            .filter_map(|x| Some(G2Affine::get_ys_from_x_unchecked(x)?.0).map(|y| (x, y)))
            .map(|(x, y)| G2Affine::new_unchecked(x, y))
            .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
            .unwrap();
        assert!(stray.is_on_curve());
        assert_eq!(decode_g2(&encode_g2(&stray)), None);
        assert_eq!(decode_g2(&[0; 128]), None, "infinity");
        let mut off_curve = encode_g2(&G2Affine::generator());
        off_curve[127] ^= 1;
        assert_eq!(decode_g2(&off_curve), None);
    }
}
