//! Vectors against element-by-element arithmetic.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::{
    super::{arithmetic::Run, field::tests::on_all},
    *,
};

fn packed<P: Pack<Fr>>(elements: &[Fr]) -> Vec<P> {
    elements.chunks_exact(P::WIDTH).map(P::from_lanes).collect()
}

fn elements<P: Pack<Fr>>(packs: &[P]) -> Vec<Fr> {
    let mut elements = vec![Fr::ZERO; packs.len() * P::WIDTH];
    for (pack, lanes) in packs.iter().zip(elements.chunks_exact_mut(P::WIDTH)) {
        pack.to_lanes(lanes);
    }
    elements
}

fn random(n: usize, seed: u64) -> Vec<Fr> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    (0..n).map(|_| Fr::random(&mut rng)).collect()
}

fn random_integers(n: usize, seed: u64) -> Vec<i32> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut integers: Vec<_> = (0..n).map(|_| rng.next_u32().cast_signed()).collect();
    integers[..3].copy_from_slice(&[i32::MIN, i32::MAX, 0]);
    integers
}

fn element(integer: i32) -> Fr {
    let magnitude = Fr::from(u64::from(integer.unsigned_abs()));
    if integer < 0 { -magnitude } else { magnitude }
}

/// Lengths: one pack, some, and more than one task.
const LENGTHS: [usize; 5] = [8, 24, 72, 1 << 10, 8 * TASK + 40];

#[derive(Clone, Copy)]
struct Inverses;

impl Run for Inverses {
    type Output = ();
    fn run<A: Arithmetic>(self, arithmetic: A) {
        for n in LENGTHS {
            let mut values = random(n, 1);
            values[1] = Fr::ZERO;
            values[n - 1] = Fr::ZERO;
            values[n / 2] = -Fr::ONE;
            let mut packs = packed::<A::Fr>(&values);
            // Zero as p, too.
            packs[0] = packs[0].sub(A::Fr::zero());
            invert(arithmetic, &mut packs);
            let expected = values.iter().map(|value| value.invert().unwrap_or(Fr::ZERO));
            assert_eq!(elements(&packs), expected.collect::<Vec<_>>());
        }
        let mut zeros = vec![A::Fr::zero(); 9];
        invert(arithmetic, &mut zeros);
        assert!(elements(&zeros).iter().all(|element| *element == Fr::ZERO));
    }
}

#[derive(Clone, Copy)]
struct Powers;

impl Run for Powers {
    type Output = ();
    fn run<A: Arithmetic>(self, arithmetic: A) {
        for (n, base) in LENGTHS.into_iter().zip([5, 0, 1, 7, 9].map(Fr::from)) {
            let expected = std::iter::successors(Some(Fr::ONE), |power| Some(power * base));
            let powers = powers(arithmetic, base, n);
            assert_eq!(elements(&powers), expected.take(n).collect::<Vec<_>>());
        }
    }
}

#[derive(Clone, Copy)]
struct Dots;

impl Run for Dots {
    type Output = ();
    fn run<A: Arithmetic>(self, arithmetic: A) {
        for n in LENGTHS {
            let (weights, values) = (random(n, 2), random(n, 3));
            let packs = Weights::new(arithmetic, packed::<A::Fr>(&weights));
            let expected: Fr = weights.iter().zip(&values).map(|(w, v)| w * v).sum();
            assert_eq!(packs.dot(&packed::<A::Fr>(&values)), expected);
            let integers = random_integers(n, 4);
            for rotation in [0, 1, -1, 3, -7, 13] {
                let expected: Fr =
                    (0..n).map(|i| weights[i] * element(integers[rotate(i, rotation, n)])).sum();
                assert_eq!(packs.dot_integers(&integers, rotation), expected);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Combinations;

impl Run for Combinations {
    type Output = ();
    fn run<A: Arithmetic>(self, arithmetic: A) {
        for (n, count) in [(8, 0), (24, 1), (40, SUM_TERMS), (24, 2 * SUM_TERMS + 3)] {
            let (start, scalars) = (random(n, 5), random(count, 6));
            let columns: Vec<_> = (0..count).map(|j| random_integers(n, j as u64)).collect();
            let row = |i: usize| {
                let terms = columns.iter().zip(&scalars).map(|(c, s)| element(c[i]) * s);
                start[i] + terms.sum::<Fr>()
            };
            let expected: Vec<_> = (0..n).map(row).collect();
            let mut integers = packed::<A::Fr>(&start);
            let slices: Vec<_> = columns.iter().map(Vec::as_slice).collect();
            add_scaled_integers(arithmetic, &mut integers, &scalars, &slices);
            assert_eq!(elements(&integers), expected);
            let columns: Vec<Vec<A::Fr>> = columns
                .iter()
                .map(|column| packed(&column.iter().map(|&v| element(v)).collect::<Vec<_>>()))
                .collect();
            let slices: Vec<_> = columns.iter().map(Vec::as_slice).collect();
            let mut packs = packed::<A::Fr>(&start);
            add_scaled(arithmetic, &mut packs, &scalars, &slices);
            assert_eq!(elements(&packs), expected);
        }
    }
}

#[test]
fn inverses_multiply_to_one_and_zero_stays() {
    on_all(Inverses);
}

#[test]
fn powers_are_products() {
    on_all(Powers);
}

#[test]
fn inner_products_rotate() {
    on_all(Dots);
}

#[test]
fn combinations_add_all_columns() {
    on_all(Combinations);
}

#[derive(Clone, Copy)]
struct Pieces;

impl Run for Pieces {
    type Output = ();
    fn run<A: Arithmetic>(self, arithmetic: A) {
        for (width, count) in [(1, 1), (7, 3), (6, 3), (5, 9), (300, 300), (300, 131)] {
            for rows in [0, 1, 7, 8, 9, 601] {
                let (values, weights) = (random(width * rows, 5), random(count, 6));
                let piece =
                    |piece: &[Fr]| piece.iter().zip(&weights).map(|(a, b)| a * b).sum::<Fr>();
                let expected: Vec<Fr> =
                    values.chunks(width).flat_map(|row| row.chunks(count).map(piece)).collect();
                assert_eq!(combine_pieces(arithmetic, (&values, width), &weights), expected);
            }
        }
    }
}

#[test]
fn pieces_of_rows_are_combined() {
    on_all(Pieces);
}
