//! Transforms against sums of powers and halo2's transform.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::{
    super::{arithmetic::Run, field::tests::on_all},
    *,
};

fn random(n: usize) -> Vec<Fr> {
    let mut rng = ChaCha20Rng::seed_from_u64(n as u64);
    (0..n).map(|_| Fr::random(&mut rng)).collect()
}

fn packed<A: Arithmetic>(domain: &Domain<A>, elements: &[Fr]) -> Vec<A::Fr> {
    let mut packs = vec![A::Fr::zero(); domain.packs()];
    domain.write_elements(elements, &mut packs);
    packs
}

/// The value at a point.
fn value(coefficients: &[Fr], point: Fr) -> Fr {
    coefficients.iter().rev().fold(Fr::ZERO, |value, coefficient| value * point + coefficient)
}

fn sizes<A: Arithmetic>() -> std::ops::RangeInclusive<u32> {
    <A::Fr as Pack<Fr>>::WIDTH.trailing_zeros()..=11
}

#[derive(Clone, Copy)]
struct InterpolationIsHalo2s;

impl Run for InterpolationIsHalo2s {
    type Output = ();
    fn run<A: Arithmetic>(self, arithmetic: A) {
        for k in sizes::<A>() {
            let domain = Domain::new(arithmetic, k);
            let values = random(domain.len());
            let mut packs = packed(&domain, &values);
            domain.interpolate(&mut packs);
            let mut expected = values;
            best_fft(&mut expected, domain.root().invert().unwrap(), k);
            let scale = Fr::from(domain.len() as u64).invert().unwrap();
            expected.iter_mut().for_each(|coefficient| *coefficient *= scale);
            assert_eq!(domain.coefficients(&packs), expected, "k = {k}");
        }
    }
}

#[derive(Clone, Copy)]
struct EvaluationsAreSums;

impl Run for EvaluationsAreSums {
    type Output = ();
    fn run<A: Arithmetic>(self, arithmetic: A) {
        for k in sizes::<A>() {
            let domain = Domain::new(arithmetic, k);
            let transformed = random(domain.len());
            let packs = packed(&domain, &transformed);
            let coefficients = domain.coefficients(&packs);
            for shift in [Fr::ONE, -Fr::ONE, Fr::from(7)] {
                let mut out = packed(&domain, &transformed);
                domain.evaluate(&packs, &domain.coset(shift), &mut out);
                let mut in_place = packs.clone();
                domain.evaluate_in_place(&mut in_place, &domain.coset(shift));
                let values = domain.elements(&out);
                assert_eq!(domain.elements(&in_place), values, "k = {k}");
                for i in [0, 1, 2, 3, 5, domain.len() / 2, domain.len() - 1] {
                    let i = i % domain.len();
                    let point = shift * domain.root().pow([i as u64]);
                    assert_eq!(values[i], value(&coefficients, point), "k = {k}, value {i}");
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct TheWayBackIsTheInverse;

impl Run for TheWayBackIsTheInverse {
    type Output = ();
    fn run<A: Arithmetic>(self, arithmetic: A) {
        // Up to a size that is shared among threads.
        for k in sizes::<A>().chain([14, 15]) {
            let domain = Domain::new(arithmetic, k);
            let mut values = random(domain.len());
            // Values at the edges, in blocks.
            values[..domain.len() / 4].fill(-Fr::ONE);
            values[domain.len() / 4..domain.len() / 2].fill(Fr::ZERO);
            for shift in [Fr::ONE, Fr::from(7), Fr::DELTA] {
                let coset = domain.coset(shift);
                let mut packs = packed(&domain, &values);
                let mut again = packs.clone();
                domain.interpolate_coset(std::slice::from_mut(&mut packs), &coset);
                domain.evaluate(&packs, &coset, &mut again);
                assert_eq!(domain.elements(&again), values, "k = {k}");
            }
            let mut packs = packed(&domain, &values);
            let mut again = packs.clone();
            domain.interpolate(&mut packs);
            domain.evaluate(&packs, &domain.coset(Fr::ONE), &mut again);
            assert_eq!(domain.elements(&again), values, "k = {k}");
        }
    }
}

/// Outputs are relaxed, not just right: zeros are found in them.
#[derive(Clone, Copy)]
struct ZerosAreFound;

impl Run for ZerosAreFound {
    type Output = ();
    fn run<A: Arithmetic>(self, arithmetic: A) {
        for k in 6..=10 {
            let domain = Domain::new(arithmetic, k);
            // The constant -1, and the values of X^(n-1) times a constant.
            let minus_one = vec![-Fr::ONE; domain.len()];
            let mut packs = packed(&domain, &minus_one);
            domain.interpolate(&mut packs);
            let zeros = |packs: &[A::Fr]| -> u32 {
                packs.iter().map(|pack| pack.zero_lanes().count_ones()).sum()
            };
            assert_eq!(zeros(&packs), (1 << k) - 1);
            // X^(n/2) - 1 is zero at every second point.
            let mut coefficients = vec![Fr::ZERO; domain.len()];
            coefficients[domain.position(0)] = -Fr::ONE;
            coefficients[domain.position(domain.len() / 2)] = Fr::ONE;
            let mut values = packs.clone();
            domain.evaluate(&packed(&domain, &coefficients), &domain.coset(Fr::ONE), &mut values);
            assert_eq!(zeros(&values), 1 << (k - 1));
        }
    }
}

#[test]
fn interpolation_is_halo2s() {
    on_all(InterpolationIsHalo2s);
}

#[test]
fn evaluations_are_sums_of_powers() {
    on_all(EvaluationsAreSums);
}

#[test]
fn the_way_back_is_the_inverse() {
    on_all(TheWayBackIsTheInverse);
}

#[test]
fn zeros_are_found_in_outputs() {
    on_all(ZerosAreFound);
}
