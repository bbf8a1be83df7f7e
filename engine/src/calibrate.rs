//! How fast this machine and its devices are, for estimates of proving time and for choosing among
//! devices.

use std::time::Instant;

use halo2_proofs::{
    circuit::{Layouter, SimpleFloorPlanner},
    halo2curves::{
        bn256::{Fr, G1, G1Affine},
        ff::Field,
        group::{Curve, prime::PrimeCurveAffine},
    },
    plonk::{Advice, Circuit, Column as CircuitColumn, ConstraintSystem, Error, Fixed},
    poly::Rotation,
    transcript::TranscriptWriterBuffer,
};
use rand_core::OsRng;

use crate::{
    AdvicePhases, Column, Device, EngineCircuit, EngineError, EngineKey, ProofTranscript,
    kernels::{Instructions, measure},
};

/// Nanoseconds an element of a transform of 2^12 elements on one core of this machine, as it is
/// now: a few milliseconds of measuring.
#[must_use]
pub fn transform_nanos(set: Instructions) -> f64 {
    const ELEMENTS: u16 = 1 << 12;
    const RUNS: usize = 8;
    let values: Vec<Fr> = (0..ELEMENTS).map(|i| Fr::from(u64::from(i))).collect();
    let mut kernel = measure::interpolate(set, &values);
    let mut shortest = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        kernel.run();
        shortest = shortest.min(start.elapsed().as_secs_f64());
    }
    shortest * 1e9 / f64::from(ELEMENTS)
}

/// What proofs of a sample circuit take on a device, as it is now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Seconds that do not depend on the number of rows.
    pub seconds: f64,
    /// Seconds for every row.
    pub seconds_per_row: f64,
}

impl Pace {
    /// Seconds of the sample with `2^k` rows.
    #[must_use]
    pub fn seconds_at(&self, k: u32) -> f64 {
        self.seconds + self.seconds_per_row * f64::from(k).exp2()
    }

    /// The pace by two samples.
    fn of(small: (u32, f64), large: (u32, f64)) -> Self {
        let rows = |k: u32| f64::from(k).exp2();
        let per_row = (large.1 - small.1) / (rows(large.0) - rows(small.0));
        // Samples that take as long as each other are all overhead.
        let seconds_per_row = per_row.max(0.0);
        Self { seconds: (large.1 - seconds_per_row * rows(large.0)).max(0.0), seconds_per_row }
    }
}

/// Times proofs of a sample circuit of two sizes on `device`: about half a second on a processor.
/// How a circuit's time differs between devices is how the sample's does.
///
/// # Errors
/// Whatever keeps the device from proving.
pub fn pace(device: &Device) -> Result<Pace, EngineError> {
    const SIZES: [u32; 2] = [10, 13];
    let [small, large] = SIZES.map(|k| sample_seconds(device, k).map(|seconds| (k, seconds)));
    Ok(Pace::of(small?, large?))
}

/// Seconds of the shorter of two proofs.
fn sample_seconds(device: &Device, k: u32) -> Result<f64, EngineError> {
    const RUNS: usize = 2;
    let sample = Sample::new(k);
    let points = points(1 << k);
    let key = EngineKey::new(&sample, &points, [points[0], points[1]], device)?;
    let mut shortest = f64::INFINITY;
    for _ in 0..RUNS {
        let mut transcript = ProofTranscript::init(Vec::new());
        let start = Instant::now();
        key.prove(&sample, &[], &mut OsRng, &mut transcript, &|_| ())?;
        shortest = shortest.min(start.elapsed().as_secs_f64());
    }
    Ok(shortest)
}

/// Multiples of the generator: as many different points as an SRS has.
fn points(count: usize) -> Vec<G1Affine> {
    let generator = G1Affine::generator();
    let multiples = std::iter::successors(Some(G1::from(generator)), |sum| Some(sum + generator));
    let multiples: Vec<G1> = multiples.take(count).collect();
    let mut points = vec![G1Affine::identity(); count];
    G1::batch_normalize(&multiples, &mut points);
    points
}

/// A circuit with as much of everything as one of a small network: integers, elements, products,
/// a permutation argument. Its witness satisfies nothing, which takes as long.
struct Sample {
    integers: Vec<i32>,
    elements: Vec<Fr>,
}

/// Columns of integers, and of elements.
const COLUMNS: [usize; 2] = [6, 2];

impl Sample {
    fn new(k: u32) -> Self {
        let integers = (0..1_i32 << k).map(|row| row.wrapping_mul(40_503) >> 4 & 0xffff).collect();
        let next = |element: &Fr| Some(element.square() + Fr::ONE);
        let elements = std::iter::successors(Some(Fr::from(5)), next);
        Self { integers, elements: elements.take(1 << k).collect() }
    }
}

impl Circuit<Fr> for Sample {
    type Config = CircuitColumn<Fixed>;
    type FloorPlanner = SimpleFloorPlanner;
    type Params = ();

    fn without_witnesses(&self) -> Self {
        Self { integers: Vec::new(), elements: Vec::new() }
    }

    fn configure(meta: &mut ConstraintSystem<Fr>) -> Self::Config {
        let switch = meta.fixed_column();
        let columns: Vec<CircuitColumn<Advice>> =
            (0..COLUMNS.iter().sum()).map(|_| meta.advice_column()).collect();
        columns.iter().for_each(|&column| meta.enable_equality(column));
        for three in columns.windows(3) {
            meta.create_gate("product", |meta| {
                let switch = meta.query_fixed(switch, Rotation::cur());
                let [a, b, c] = [0, 1, 2].map(|i| meta.query_advice(three[i], Rotation::cur()));
                let next = meta.query_advice(three[0], Rotation::next());
                vec![switch * (a * b * c - next)]
            });
        }
        switch
    }

    fn synthesize(
        &self,
        switch: Self::Config,
        mut layouter: impl Layouter<Fr>,
    ) -> Result<(), Error> {
        layouter.assign_region(
            || "switch",
            |mut region| {
                region.assign_fixed(switch, 0, Fr::ONE);
                Ok(())
            },
        )
    }
}

impl EngineCircuit for Sample {
    fn advice(&self) -> Option<Box<dyn AdvicePhases + '_>> {
        Some(Box::new(self))
    }
}

impl AdvicePhases for &Sample {
    fn next_phase(&mut self, _challenges: &[Option<Fr>]) -> Vec<(usize, Column)> {
        let integers = (0..COLUMNS[0]).map(|_| Column::integers(self.integers.clone()));
        let elements = (0..COLUMNS[1]).map(|_| Column::Field(self.elements.clone()));
        integers.chain(elements).enumerate().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_goes_through_its_samples() {
        let pace = Pace::of((10, 0.5), (13, 4.0));
        assert!((pace.seconds_at(10) - 0.5).abs() < 1e-9);
        assert!((pace.seconds_at(13) - 4.0).abs() < 1e-9);
    }

    #[test]
    fn samples_that_take_as_long_are_all_overhead() {
        assert_eq!(Pace::of((10, 2.0), (13, 1.5)), Pace { seconds: 1.5, seconds_per_row: 0.0 });
    }

    #[test]
    fn the_processor_has_a_pace() {
        let pace = pace(&Device::default()).unwrap();
        assert!(pace.seconds_at(13) > 0.0 && pace.seconds_at(20) >= pace.seconds_at(13));
    }
}
