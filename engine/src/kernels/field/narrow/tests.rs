//! The arithmetic with limbs at their bounds.

use halo2_proofs::halo2curves::bn256::Fr;

use super::{super::pack::SUM_TERMS, quads::Emulated, *};

type Element<F> = Narrow<F, Emulated>;

/// Relaxed limbs at their bounds, in all combinations of the low ones, the high ones and the top.
fn extremes() -> Vec<[i64; LIMBS]> {
    let ends = [-(1 << 28), -1, 0, 1, (1 << 28) - 1];
    // 1.7p is below (p/2^232)·1.75.
    let tops = [-5_391_390, -1, 0, 1, 5_391_390];
    let mut all = Vec::new();
    for low in ends {
        for high in ends {
            for top in tops {
                all.push(std::array::from_fn(|i| [low, high, top][i / 4]));
            }
        }
    }
    all
}

fn element<F: Modulus>(limbs: [i64; LIMBS]) -> Element<F> {
    let limbs = limbs.map(|limb| Emulated::splat(limb.cast_unsigned()));
    Element::new(pack(limbs))
}

/// What the limbs stand for: their sum over the radix.
fn value<F: Modulus>(limbs: [i64; LIMBS]) -> F {
    let step = F::from(1 << BITS);
    let sum = limbs.iter().rev().fold(F::ZERO, |sum, limb| {
        let magnitude = F::from(limb.unsigned_abs());
        sum * step + if *limb < 0 { -magnitude } else { magnitude }
    });
    sum * F::from(2).pow([261]).invert().unwrap()
}

/// The one lane, after a check that the result is relaxed.
#[track_caller]
fn first<F: Modulus>(result: Element<F>) -> F {
    let (words, mut lanes) = (result.0.map(Quad::to_array), [F::ZERO; 4]);
    for word in &words[..4] {
        for limb in [word[0] & 0xffff_ffff, word[0] >> 32] {
            let limb = i32::from_le_bytes(limb.to_le_bytes()[..4].try_into().unwrap());
            assert!((-(1 << 28)..1 << 28).contains(&limb), "limb {limb}");
        }
    }
    let top = i32::from_le_bytes(words[4][0].to_le_bytes()[..4].try_into().unwrap());
    assert!(top.abs() <= 5_549_959, "the top limb of 1.75p is less than {top}");
    result.to_lanes(&mut lanes);
    lanes[0]
}

fn lazy_elements_hold_at_the_bounds_of_limbs<F: Modulus>() {
    let all = extremes();
    for (index, &a) in all.iter().enumerate() {
        let b = all[(index * 7 + 3) % all.len()];
        let (wide_a, wide_b) = (element::<F>(a), element::<F>(b));
        let (value_a, value_b) = (value::<F>(a), value::<F>(b));
        for minus in 0..8_u64 {
            let plus = 8 - minus;
            let sum = (0..plus).fold(Element::zero(), |sum, _| sum.add_lazy(wide_a));
            let sum = (0..minus).fold(sum, |sum, _| sum.sub_lazy(wide_b));
            let expected = value_a * F::from(plus) - value_b * F::from(minus);
            assert_eq!(first(sum.relax()), expected);
            assert_eq!(first(sum.mul_lazy(wide_b)), expected * value_b);
            assert_eq!(first(sum.mul_lazy(wide_a)), expected * value_a);
        }
        assert_eq!(first(wide_a.mul(wide_b)), value_a * value_b);
        assert_eq!(first(wide_a.square()), value_a.square());
        assert_eq!(first(wide_a.canonical()), value_a);
        assert_eq!(wide_a.zero_lanes(), if value_a == F::ZERO { 15 } else { 0 });
        let mut sum = Element::<F>::empty_sum();
        (0..SUM_TERMS).for_each(|_| Element::add_product(&mut sum, wide_a, wide_b));
        assert_eq!(first(Element::<F>::reduce_sum(sum)), value_a * value_b * F::from(128));
    }
}

#[test]
fn lazy_elements_hold_at_the_bounds_of_limbs_in_both_fields() {
    lazy_elements_hold_at_the_bounds_of_limbs::<Fr>();
    lazy_elements_hold_at_the_bounds_of_limbs::<Fq>();
}

#[test]
fn encoded_limbs_come_back() {
    for limbs in extremes() {
        let words = element::<Fq>(limbs).0;
        let again = decode(encode(words));
        for (word, expected) in again.iter().zip(words).take(4) {
            assert_eq!(word.to_array(), expected.to_array());
        }
        let low = |word: Emulated| word.shift_left::<32>().to_array();
        assert_eq!(low(again[4]), low(words[4]));
    }
}

#[test]
fn the_bounds_of_a_reduction_are_those_of_the_primes() {
    for (inverse, top) in
        [(Fr::NARROW.inverse, Fr::NARROW.modulus[8]), (Fq::NARROW.inverse, Fq::NARROW.modulus[8])]
    {
        assert!(inverse <= 1 << 28, "M/2^29 is at most p/2");
        assert_eq!(top, 3_171_406, "1.75 times it is 5549960, and 2^32 over it 1354.3");
    }
}
