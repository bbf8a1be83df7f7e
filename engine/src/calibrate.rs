//! How fast this machine is, for estimates of proving time.

use std::time::Instant;

use halo2_proofs::halo2curves::bn256::Fr;

use crate::kernels::{Instructions, measure};

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
