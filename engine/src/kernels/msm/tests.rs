use std::{iter::repeat_n, sync::Arc};

use halo2_proofs::halo2curves::{
    bn256::{Fr, G1, G1Affine},
    ff::Field,
    group::{Curve, Group, prime::PrimeCurveAffine},
    msm::msm_best,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::{
    super::{
        arithmetic::{Arithmetic, Emulated, EmulatedNarrow, Instructions, Portable, Run},
        pack::Pack,
    },
    table_sums::gather,
    *,
};
use crate::column::TableSums;

/// Runs a test on every arithmetic that can run here.
fn on_all<T: Run<Output = ()> + Copy>(test: T) {
    test.run(Portable);
    test.run(Emulated);
    test.run(EmulatedNarrow);
    Instructions::detect().run(test);
}

fn random_points(rng: &mut ChaCha20Rng, len: usize) -> Vec<G1Affine> {
    let points: Vec<G1> = (0..len).map(|_| G1::random(&mut *rng)).collect();
    let mut affine = vec![G1Affine::identity(); len];
    G1::batch_normalize(&points, &mut affine);
    affine
}

fn random_integers(rng: &mut ChaCha20Rng, len: usize, bits: u32) -> Vec<i32> {
    (0..len).map(|_| rng.next_u32().cast_signed() >> (32 - bits)).collect()
}

/// Elements in packs.
fn packs<A: Arithmetic>(elements: &[Fr]) -> Vec<A::Fr> {
    let width = A::Fr::WIDTH;
    let missing = elements.len().next_multiple_of(width) - elements.len();
    // Lanes beyond the points must be ignored, so they are not zero.
    let padded: Vec<Fr> = elements.iter().copied().chain(repeat_n(Fr::from(7), missing)).collect();
    padded.chunks_exact(width).map(A::Fr::from_lanes).collect()
}

fn packed<A: Arithmetic>(column: &Column) -> Scalars<A> {
    column.clone().map(|elements| packs::<A>(&elements))
}

/// Integers in the first rows, elements in the last.
fn mixed(mut values: Vec<i32>, tail: &[Fr]) -> Column {
    values.resize(values.len() + tail.len(), 0);
    Column::Integers { values, tail: tail.to_vec() }
}

/// Columns of all kinds for this many rows.
fn columns(rng: &mut ChaCha20Rng, len: usize) -> Vec<Column> {
    let full: Vec<Fr> = (0..len).map(|_| Fr::random(&mut *rng)).collect();
    let mut sparse = vec![Fr::ZERO; len];
    sparse[len / 2] = -Fr::from(3);
    let tail = len.min(5);
    let tails: Vec<Fr> = full[..tail].to_vec();
    let integers = |values: Vec<i32>| mixed(values, &tails);
    vec![
        Column::Field(vec![Fr::ZERO; len]),
        Column::Field(vec![Fr::ONE; len]),
        Column::Field(vec![-Fr::ONE; len]),
        Column::Field(vec![-Fr::from(2).invert().unwrap(); len]),
        Column::Field(vec![Fr::from(2).invert().unwrap(); len]),
        Column::Field(full.iter().map(|_| full[0]).collect()),
        Column::Field(full.clone()),
        Column::Field((0..len).map(|row| full[if row % 5 < 3 { 0 } else { row }]).collect()),
        Column::Field(sparse),
        Column::Field(
            full[..len / 2].iter().copied().chain(repeat_n(Fr::ZERO, len - len / 2)).collect(),
        ),
        integers(random_integers(rng, len - tail, 8)),
        integers(random_integers(rng, len - tail, 16)),
        integers(random_integers(rng, len - tail, 32)),
        integers(random_integers(rng, len - tail, 17).iter().map(|value| value.abs()).collect()),
        integers(vec![65535; len - tail]),
        integers(vec![i32::MIN; len - tail]),
        integers(vec![0; len - tail]),
        Column::integers(vec![1; len]),
        Column::integers(random_integers(rng, len, 1)),
        Column::integers(random_integers(rng, len / 2, 9)),
        Column::integers(Vec::new()),
    ]
}

fn check<A: Arithmetic>(bases: &Bases<A>, points: &[G1Affine], columns: &[Column]) {
    let scalars: Vec<Scalars<A>> = columns.iter().map(packed::<A>).collect();
    let sums = bases.commit(&scalars.iter().collect::<Vec<_>>());
    assert_eq!(sums.len(), columns.len());
    for (i, (column, sum)) in columns.iter().zip(sums).enumerate() {
        let elements = column.to_field();
        let expected = msm_best(&elements, &points[..elements.len()]).to_affine();
        assert_eq!(sum, expected, "column {i} of {} points, {bases:?}", points.len());
    }
}

#[test]
fn all_lengths_and_columns() {
    #[derive(Clone, Copy)]
    struct Test;
    impl Run for Test {
        type Output = ();
        fn run<A: Arithmetic>(self, arithmetic: A) {
            let mut rng = ChaCha20Rng::seed_from_u64(1);
            for len in [1, 2, 7, 8, 9, 31, 64, 65] {
                let points = random_points(&mut rng, len);
                let bases = Bases::new(arithmetic, &points, 1 << 20);
                assert_eq!(bases.len(), len);
                assert!(bases.table_bytes() <= 1 << 20);
                check(&bases, &points, &columns(&mut rng, len));
            }
        }
    }
    on_all(Test);
}

#[test]
fn many_tasks_and_blocks() {
    #[derive(Clone, Copy)]
    struct Test;
    impl Run for Test {
        type Output = ();
        fn run<A: Arithmetic>(self, arithmetic: A) {
            let mut rng = ChaCha20Rng::seed_from_u64(2);
            let points = random_points(&mut rng, 1030);
            let bases = Bases::new(arithmetic, &points, usize::MAX);
            let columns = columns(&mut rng, 1030);
            check(&bases, &points, &columns[6..15]);
            // Large groups that several tasks share.
            check(&bases, &points, &[&columns[1..2], &columns[5..6], &columns[15..19]].concat());
        }
    }
    Instructions::detect().run(Test);
}

#[test]
fn restricted_tables() {
    #[derive(Clone, Copy)]
    struct Test;
    impl Run for Test {
        type Output = ();
        fn run<A: Arithmetic>(self, arithmetic: A) {
            let mut rng = ChaCha20Rng::seed_from_u64(3);
            let points = random_points(&mut rng, 24);
            let columns = columns(&mut rng, 24);
            for windows in [0, 1, 2, 3, 4, 5, 7, 9, 12, 16, 20, 30] {
                let table_bytes = windows * 24 * 64;
                let bases = Bases::new(arithmetic, &points, table_bytes);
                assert!(bases.table_bytes() <= table_bytes.max(24 * 64));
                check(&bases, &points, &columns);
            }
        }
    }
    on_all(Test);
}

#[test]
fn points_that_meet() {
    #[derive(Clone, Copy)]
    struct Test;
    impl Run for Test {
        type Output = ();
        fn run<A: Arithmetic>(self, arithmetic: A) {
            let mut rng = ChaCha20Rng::seed_from_u64(4);
            let len = 40;
            let random = random_points(&mut rng, len);
            let alternate = |a: G1Affine, b: G1Affine| {
                (0..len).map(|i| if i % 2 == 0 { a } else { b }).collect::<Vec<_>>()
            };
            let mut some_infinite = random.clone();
            for i in [0, 1, 9, 17, len - 1] {
                some_infinite[i] = G1Affine::identity();
            }
            let multiples: Vec<G1> = (1..=len).map(|i| random[0] * Fr::from(i as u64)).collect();
            let powers: Vec<G1> = (0..len).map(|i| random[0] * Fr::from(1 << i)).collect();
            let mut in_progression = vec![G1Affine::identity(); len];
            G1::batch_normalize(&multiples, &mut in_progression);
            let mut doubles = vec![G1Affine::identity(); len];
            G1::batch_normalize(&powers, &mut doubles);
            let cases = [
                vec![random[0]; len],
                alternate(random[0], -random[0]),
                alternate(random[0], G1Affine::identity()),
                vec![G1Affine::identity(); len],
                some_infinite,
                in_progression,
                doubles,
            ];
            for points in cases {
                for table_bytes in [0, 1 << 20] {
                    let bases = Bases::new(arithmetic, &points, table_bytes);
                    check(&bases, &points, &columns(&mut rng, len));
                }
            }
        }
    }
    on_all(Test);
}

#[test]
fn no_points_and_no_columns() {
    let bases = Bases::new(Portable, &[], 0);
    assert!(bases.commit(&[]).is_empty());
    let empty = Column::integers(Vec::new());
    assert_eq!(bases.commit(&[&empty]), [G1Affine::identity()]);
}

/// A column of sums.
#[derive(Debug)]
struct Sums {
    sums: TableSums,
    tail: Vec<Fr>,
}

impl Sums {
    /// Random ones: the first summand has nearly always entry 3, the second too, the third entry 0.
    fn random(rng: &mut ChaCha20Rng, len: usize) -> Self {
        let mut random =
            |count: usize| -> Vec<Fr> { (0..count).map(|_| Fr::random(&mut *rng)).collect() };
        let (mut entries, first, tail) = (random(9), random(len / 60), random(len.min(7)));
        (entries[5], entries[6]) = (entries[4], Fr::ZERO);
        let mut summand = |base: u32, others: u32| -> Vec<u32> {
            let mut position = || match rng.next_u32() % 100 {
                roll if roll < others => rng.next_u32() % 9,
                _ => base,
            };
            (0..len - tail.len()).map(|_| position()).collect()
        };
        let positions = [summand(3, 10), summand(3, 40), summand(0, 5), summand(8, 100)];
        let positions = positions.map(Arc::from).to_vec();
        Self { sums: TableSums { entries: entries.into(), positions, first }, tail }
    }

    fn values(&self) -> Vec<Fr> {
        let TableSums { entries, positions, first } = &self.sums;
        let rows = positions[0].len();
        let sum = |row: usize| -> Fr {
            let entries = positions.iter().map(|summand| entries[summand[row] as usize]);
            entries.chain(first.get(row).copied()).sum()
        };
        (0..rows).map(sum).chain(self.tail.iter().copied()).collect()
    }

    fn column<A: Arithmetic>(&self) -> Scalars<A> {
        Column::Sums { values: packs::<A>(&self.values()), sums: self.sums.clone() }
    }
}

#[test]
fn sums_of_entries_are_gathered() {
    #[derive(Clone, Copy)]
    struct Test;
    impl Run for Test {
        type Output = ();
        fn run<A: Arithmetic>(self, arithmetic: A) {
            let mut rng = ChaCha20Rng::seed_from_u64(5);
            let len = 620;
            let random = random_points(&mut rng, len);
            let mut some_infinite = random.clone();
            some_infinite[9] = G1Affine::identity();
            let alternate: Vec<_> =
                (0..len).map(|row| if row % 2 == 0 { random[0] } else { -random[0] }).collect();
            let equal = vec![random[1]; len];
            for points in [random, alternate, equal, some_infinite] {
                let bases = Bases::new(arithmetic, &points, 1 << 20);
                let mut all_columns: Vec<_> = (0..3).map(|_| Sums::random(&mut rng, len)).collect();
                // Nothing but bases.
                all_columns[1].sums.positions =
                    vec![vec![2; len - 7].into(), vec![6; len - 7].into()];
                let values: Vec<_> = all_columns.iter().map(Sums::values).collect();
                let mut scalars: Vec<_> = all_columns.iter().map(Sums::column::<A>).collect();
                scalars.insert(1, Column::Field(packs::<A>(&values[0])));
                let scalars: Vec<_> = scalars.iter().collect();
                let is_gathered = |column: &Sums| gather(&column.sums, &bases.table).is_some();
                let has_infinite = points.contains(&G1Affine::identity());
                assert!([0, 2].iter().all(|&i| is_gathered(&all_columns[i]) != has_infinite));
                let expected: Vec<_> =
                    values.iter().map(|values| msm_best(values, &points).to_affine()).collect();
                let [a, b, c] = expected[..] else { panic!("three columns") };
                assert_eq!(bases.commit(&scalars), [a, a, b, c], "{bases:?}");
            }
        }
    }
    on_all(Test);
}

#[test]
fn few_rows_are_not_gathered() {
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    let points = random_points(&mut rng, 32);
    let bases = Bases::new(Portable, &points, 1 << 20);
    let sums = Sums::random(&mut rng, 32);
    assert!(gather(&sums.sums, &bases.table).is_none());
    assert_eq!(
        bases.commit(&[&sums.column::<Portable>()]),
        [msm_best(&sums.values(), &points).to_affine()]
    );
}
