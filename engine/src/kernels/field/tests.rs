//! Every operation of packs against halo2's arithmetic, for all arithmetics and both fields.

use halo2_proofs::halo2curves::{
    bn256::{Fq, Fr},
    ff::{Field, PrimeField},
};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::{
    arithmetic::{Arithmetic, Emulated, EmulatedNarrow, Instructions, Portable, Run},
    pack::{Coordinates, Pack, SUM_TERMS, TablePoint},
};

/// Runs a test on every arithmetic that this machine can run.
pub(in crate::kernels) fn on_all(test: impl Run<Output = ()> + Copy) {
    test.run(Portable);
    test.run(Emulated);
    test.run(EmulatedNarrow);
    for instructions in Instructions::ALL {
        if instructions.is_available() {
            instructions.run(test);
        }
    }
}

/// Elements at the edges, and some in between.
fn elements<F: PrimeField>() -> Vec<F> {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let half = F::TWO_INV;
    // 2^253, where the top bits that `add` and `sub` look at change.
    let unit = F::from(2).pow([253]);
    let mut elements = vec![F::ZERO, F::ONE, -F::ONE, half, half - F::ONE, unit, unit - F::ONE];
    elements.extend([-unit, F::ONE - unit, F::from(u64::MAX), -F::from(u64::MAX)]);
    elements.extend((0..6).map(|_| F::random(&mut rng)));
    elements
}

/// Packs, and what is in their lanes: every element in every lane.
fn packs<F: PrimeField, P: Pack<F>>() -> Vec<(P, Vec<F>)> {
    let elements = elements::<F>();
    let lanes = |start| (0..8).map(|i| elements[(start + 5 * i) % elements.len()]).collect();
    let pack = |lanes: Vec<F>| (P::from_lanes(&lanes), lanes);
    (0..elements.len()).map(|start| pack(lanes(start))).collect()
}

/// Checks the value, and that it is relaxed: zero is found only below 2p.
#[track_caller]
fn assert_relaxed<F: PrimeField, P: Pack<F>>(pack: P, expected: impl Fn(usize) -> F) {
    assert_lanes_relaxed(pack, std::array::from_fn(expected));
}

/// The part of [`assert_relaxed`] that is compiled only once for each arithmetic.
#[inline(never)]
#[track_caller]
fn assert_lanes_relaxed<F: PrimeField, P: Pack<F>>(pack: P, expected: [F; 8]) {
    for pack in [pack, pack.canonical()] {
        let mut lanes = [F::ZERO; 8];
        pack.to_lanes(&mut lanes);
        assert_eq!(lanes[..P::WIDTH], expected[..P::WIDTH]);
    }
    let zeros = pack.sub(P::from_lanes(&expected)).zero_lanes();
    assert_eq!(u32::from(zeros), (1 << P::WIDTH) - 1, "the difference is zero");
}

fn arithmetic_agrees<F: PrimeField, P: Pack<F>>() {
    let packs = packs::<F, P>();
    for (a, a_lanes) in &packs {
        assert_relaxed(*a, |i| a_lanes[i]);
        assert_relaxed(P::splat(a_lanes[0]), |_| a_lanes[0]);
        let mut words = [[0; 4]; 8];
        a.to_words(&mut words);
        for (words, element) in words.iter().zip(a_lanes).take(P::WIDTH) {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            assert_eq!(bytes, element.to_repr().as_ref());
        }
        for (i, element) in a_lanes.iter().enumerate().take(P::WIDTH) {
            assert_eq!(a.zero_lanes() >> i & 1 == 1, *element == F::ZERO);
        }
        for (b, b_lanes) in &packs {
            assert_relaxed(a.add(*b), |i| a_lanes[i] + b_lanes[i]);
            assert_relaxed(a.sub(*b), |i| a_lanes[i] - b_lanes[i]);
            assert_relaxed(a.mul(*b), |i| a_lanes[i] * b_lanes[i]);
            assert_relaxed(a.sub(*b).square(), |i| (a_lanes[i] - b_lanes[i]).square());
            assert_relaxed(a.add(*b).sub(a.sub(*b)), |i| b_lanes[i].double());
            assert_relaxed(a.canonical().add(b.canonical()), |i| a_lanes[i] + b_lanes[i]);
            assert_relaxed(a.canonical().sub(b.canonical()), |i| a_lanes[i] - b_lanes[i]);
        }
    }
    assert_relaxed(P::zero(), |_| F::ZERO);
}

/// `count` times `pack` without reduction.
fn times<F, P: Pack<F>>(pack: P, count: usize) -> P {
    (0..count).fold(P::zero(), |sum, _| sum.add_lazy(pack))
}

fn lazy_operations_hold_at_their_bounds<F: PrimeField, P: Pack<F>>() {
    let packs = packs::<F, P>();
    // Half of what may be added: of canonical elements, 16 are below 16p, but signed limbs count terms.
    let (half, most) = if P::WIDTH == 4 { (4, 8) } else { (8, 20) };
    for (a, a_lanes) in &packs {
        for count in 0..=most {
            let sum = times(a.canonical(), count);
            let scaled = |i: usize| a_lanes[i] * F::from(count as u64);
            if count <= 2 * half {
                assert_relaxed(sum.relax(), scaled);
            }
            assert_relaxed(sum.relax_above::<0>().relax(), scaled);
            assert_relaxed(sum.relax_above::<6>().relax(), scaled);
            for (b, b_lanes) in &packs {
                assert_relaxed(sum.mul_lazy(*b), |i| scaled(i) * b_lanes[i]);
                let uniform = P::uniform(b_lanes[0]);
                assert_relaxed(P::broadcast(&uniform), |_| b_lanes[0]);
                assert_relaxed(sum.mul_uniform(&uniform), |i| scaled(i) * b_lanes[0]);
                let constant = b.constant();
                assert_relaxed(sum.mul_constant(&constant), |i| scaled(i) * b_lanes[i]);
                assert_relaxed(sum.mul_uncarried(&constant).relax(), |i| scaled(i) * b_lanes[i]);
            }
        }
        assert_relaxed(times(*a, 8).relax(), |i| a_lanes[i] * F::from(8));
        for (b, b_lanes) in &packs {
            let difference = |count: u64| move |i: usize| a_lanes[i] - b_lanes[i] * F::from(count);
            assert_relaxed(a.sub_lazy(*b).relax(), difference(1));
            assert_relaxed(a.sub_lazy_by::<2>(*b).relax(), difference(1));
            assert_relaxed(a.sub_lazy(times(b.canonical(), 4)).relax(), difference(4));
            let times_half = times(b.canonical(), half);
            assert_relaxed(a.sub_lazy_by::<8>(times_half).relax(), difference(half as u64));
            // Limbs below zero, then up to the bound.
            let large = times(a.canonical(), half - 1).sub_lazy_by::<8>(times_half);
            let value = |i: usize| {
                a_lanes[i] * F::from(half as u64 - 1) - b_lanes[i] * F::from(half as u64)
            };
            assert_relaxed(large.relax(), value);
            assert_relaxed(large.mul_lazy(*b), |i| value(i) * b_lanes[i]);
        }
    }
    // Exactly 15p, or 7p.
    let count = 2 * half - 1;
    let minus_one = P::splat(-F::ONE).canonical();
    let rest = P::splat(F::from(count as u64)).canonical();
    let multiple = times(minus_one, count).add_lazy(rest);
    assert_relaxed(multiple.relax(), |_| F::ZERO);
}

fn products_are_carried_when_their_sum_is_reduced<F: PrimeField, P: Pack<F>>() {
    let (large, value) = large::<F, P>();
    let minus_one = P::splat(-F::ONE).canonical();
    for (factor, element) in [(large, value), (minus_one, -F::ONE)] {
        let constant = factor.constant();
        let product = times(minus_one, 7).mul_uncarried(&constant);
        let expected = -element * F::from(7);
        // As transforms add products to an element: one for each stride.
        let (mut sum, mut difference) = (factor, factor);
        for count in 1..=28 {
            sum = sum.relax_above::<0>().add_lazy(product);
            difference = difference.relax_above::<2>().sub_lazy_by::<0>(product);
            let total = expected * F::from(count);
            assert_relaxed(sum.relax(), |_| element + total);
            assert_relaxed(difference.relax(), |_| element - total);
            let scaled = sum.mul_uncarried(&constant).relax();
            assert_relaxed(scaled, |_| (element + total) * element);
            assert_relaxed(difference.mul_lazy(factor), |_| (element - total) * element);
            let raised = difference.add_multiple::<8>().sub_lazy_by::<0>(product);
            assert_relaxed(raised.relax(), |_| element - total - expected);
        }
    }
}

/// Packs with large representatives: `x - 0` is `x + p` for `x < 2^253`.
fn large<F: PrimeField, P: Pack<F>>() -> (P, F) {
    let value = F::from(2).pow([253]) - F::ONE;
    (P::splat(value).canonical().sub(P::zero()), value)
}

fn sums_take_their_terms<F: PrimeField, P: Pack<F>>() {
    let all = packs::<F, P>();
    let (large, value) = large::<F, P>();
    let minus_one = P::splat(-F::ONE).canonical();
    for terms in [0, 1, 2, SUM_TERMS - 1, SUM_TERMS] {
        let count = F::from(terms as u64);
        for (pack, element) in [(large, value), (minus_one, -F::ONE)] {
            let mut sum = P::empty_sum();
            (0..terms).for_each(|_| P::add_product(&mut sum, pack, pack));
            assert_relaxed(P::reduce_sum(sum), |_| element.square() * count);
            for integer in [i32::MIN, -1, 0, 1, i32::MAX] {
                let mut sum = P::empty_sum();
                (0..terms).for_each(|_| pack.add_integer_product(&mut sum, &[integer; 8]));
                let shifted = i64::from(integer) + P::INTEGER_OFFSET;
                let magnitude = element * F::from(shifted.unsigned_abs());
                let product = if shifted < 0 { -magnitude } else { magnitude };
                assert_relaxed(P::reduce_integer_sum(sum), |_| product * count);
            }
        }
        let term = |i: usize| (&all[i % all.len()], &all[i / 3 % all.len()]);
        let mut sum = P::empty_sum();
        (0..terms).for_each(|i| P::add_product(&mut sum, term(i).0.0, term(i).1.0));
        assert_relaxed(P::reduce_sum(sum), |lane| {
            (0..terms).map(|i| term(i).0.1[lane] * term(i).1.1[lane]).sum()
        });
    }
}

fn integers_keep_their_sign<F: PrimeField, P: Pack<F>>() {
    let integers = [i32::MIN, i32::MAX, 0, -1, 1, 1 << 20, i32::MIN + 1, -77];
    let element = |integer: i32| {
        let magnitude = F::from(integer.unsigned_abs().into());
        if integer < 0 { -magnitude } else { magnitude }
    };
    let (large, value) = large::<F, P>();
    for start in 0..8 {
        let lanes: [i32; 8] = std::array::from_fn(|i| integers[(start + i) % 8]);
        assert_relaxed(P::from_integers(&lanes), |i| element(lanes[i]));
        let mut sum = P::empty_sum();
        large.add_integer_product(&mut sum, &lanes);
        let shifted = |i: usize| element(lanes[i]) + F::from(P::INTEGER_OFFSET.unsigned_abs());
        assert_relaxed(P::reduce_integer_sum(sum), |i| value * shifted(i));
    }
}

fn lanes_move<F: PrimeField, P: Pack<F>>() {
    let packs = packs::<F, P>();
    let ((a, a_lanes), (b, b_lanes)) = (&packs[3], &packs[9]);
    for shift in 0..=P::WIDTH {
        let row: Vec<_> = [&a_lanes[..P::WIDTH], &b_lanes[..P::WIDTH]].concat();
        assert_relaxed(
            a.aligned(*b, shift),
            |i| {
                if i < P::WIDTH { row[i + shift] } else { F::ZERO }
            },
        );
    }
    let eight: [P; 8] = std::array::from_fn(|i| packs[i].0);
    let mut rows = eight;
    P::lanes_to_rows(&mut rows);
    for (i, pack) in rows.into_iter().enumerate() {
        // Element j of row l is lane l of pack j.
        let from = |lane: usize| (i * P::WIDTH + lane) % 8;
        assert_relaxed(pack, |lane| packs[from(lane)].1[(i * P::WIDTH + lane) / 8]);
    }
    P::rows_to_lanes(&mut rows);
    for (pack, (_, lanes)) in rows.into_iter().zip(&packs) {
        assert_relaxed(pack, |lane| lanes[lane]);
    }
}

fn points_survive_a_table<P: Coordinates>() {
    let packs = packs::<Fq, P>();
    for ((x, x_lanes), (y, y_lanes)) in packs.iter().zip(packs.iter().rev()) {
        let mut table = [TablePoint::default(); 8];
        P::store_points(*x, *y, |i, point| table[i] = point);
        for (i, point) in table.iter().enumerate().take(P::WIDTH) {
            let infinity = x_lanes[i] == Fq::ZERO && y_lanes[i] == Fq::ZERO;
            assert_eq!(point.is_infinity(), infinity);
        }
        let (x_again, y_again) = P::load_points(|i| &table[i]);
        assert_relaxed(x_again, |i| x_lanes[i]);
        assert_relaxed(y_again, |i| y_lanes[i]);
        for mask in [0, 1, 0x80, 0xa5, 0xff] {
            let lanes = [x_lanes, y_lanes];
            let picked = |i: usize| lanes[usize::from(mask >> i & 1)][i];
            assert_relaxed(x.replace(mask, *y), picked);
        }
    }
    // Representatives above p, one of them of zero.
    let (large, value) = large::<Fq, P>();
    let mut table = [TablePoint::default(); 8];
    P::store_points(large.sub(large), large, |i, point| table[i] = point);
    let (x, y) = P::load_points(|i| &table[i]);
    assert_relaxed(x, |_| Fq::ZERO);
    assert_relaxed(y, |_| value);
}

/// Runs a test for both fields.
macro_rules! for_both_fields {
    ($($test:ident)*) => {
        mod on {
            use super::*;
            $(
                #[test]
                fn $test() {
                    #[derive(Clone, Copy)]
                    struct Test;
                    impl Run for Test {
                        type Output = ();
                        fn run<A: Arithmetic>(self, _: A) {
                            super::$test::<Fr, A::Fr>();
                            super::$test::<Fq, A::Fq>();
                        }
                    }
                    on_all(Test);
                }
            )*
        }
    };
}
for_both_fields! {
    arithmetic_agrees
    lazy_operations_hold_at_their_bounds
    products_are_carried_when_their_sum_is_reduced
    sums_take_their_terms
    integers_keep_their_sign
    lanes_move
    random_operations_agree
}

#[test]
fn points_survive_a_table_on_every_arithmetic() {
    #[derive(Clone, Copy)]
    struct Test;
    impl Run for Test {
        type Output = ();
        fn run<A: Arithmetic>(self, _: A) {
            points_survive_a_table::<A::Fq>();
        }
    }
    on_all(Test);
}

/// A long chain of random operations on relaxed packs, whose representatives wander.
fn random_operations_agree<F: PrimeField, P: Pack<F>>() {
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let mut pool = packs::<F, P>();
    for _ in 0..5_000 {
        let mut pick = || rng.next_u32() as usize % pool.len();
        let (a, b, to) = (pick(), pick(), pick());
        let ((pack_a, lanes_a), (pack_b, lanes_b)) = (&pool[a], &pool[b]);
        let both = lanes_a.iter().zip(lanes_b);
        pool[to] = match rng.next_u32() % 4 {
            0 => (pack_a.add(*pack_b), both.map(|(a, b)| *a + *b).collect()),
            1 => (pack_a.sub(*pack_b), both.map(|(a, b)| *a - *b).collect()),
            2 => (pack_a.mul(*pack_b), both.map(|(a, b)| *a * *b).collect()),
            _ => {
                let lazy = pack_a.add_lazy(*pack_b).sub_lazy_by::<2>(*pack_b);
                (lazy.relax(), lanes_a.clone())
            }
        };
        let (pack, lanes) = &pool[to];
        assert_relaxed(*pack, |i| lanes[i]);
    }
}
