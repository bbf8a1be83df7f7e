//! Tables of kernels: transforms, and sums of multiples of points.

use std::time::Instant;

use anyhow::{Result, ensure};
use halo2_proofs::halo2curves::{
    bn256::{Fr, G1, G1Affine},
    ff::Field,
    group::Curve,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rayon::prelude::*;
use zkinfer_engine::{
    Column, Instructions,
    cuda::measure::{CudaBases, CudaKernels},
    measure::{self, Kernel},
};

/// log2 of the smallest kernels of the tables.
const SMALLEST: u32 = 16;
/// Runs on the processor, of which the shortest counts.
const RUNS: usize = 3;
/// Bytes of tables of points on the processor, as in proofs, and on the GPU.
const CPU_TABLE: usize = 64 << 20;
const GPU_TABLE: usize = 32 << 30;
/// Columns that are committed to together.
const BATCH: usize = 8;
/// Nanoseconds to an element and bit of the size, with which runs are planned: inputs and four
/// transforms, points and their multiples, and the sums that are compared.
const TRANSFORM_NANOS: f64 = 20.0;
const POINTS_NANOS: f64 = 60.0;
const SUM_NANOS: f64 = 400.0;

/// Prints all tables, with sizes up to 2^largest; transforms four times as large. Each size asks
/// whether it may take so many seconds.
pub(super) fn tables(
    kernels: &CudaKernels,
    largest: u32,
    allows: &dyn Fn(&str, f64) -> bool,
) -> Result<()> {
    // Seconds of the processor, which take most of the time: 16 cores, with some to spare.
    let seconds = |k: u32, nanos: f64| f64::from(k) * nanos * 1e-9 * 2f64.powi(k.cast_signed());
    println!(
        "\n| transform of | GPU ms | and back | processor ms | times |\n|---|---|---|---|---|"
    );
    for k in (SMALLEST..=largest + 2).step_by(2) {
        if !allows(&format!("transforms of 2^{k}"), 1.0 + seconds(k, TRANSFORM_NANOS)) {
            break;
        }
        transform(kernels, k)?;
    }
    if !allows("sums", 1.0 + seconds(largest, POINTS_NANOS)) {
        return Ok(());
    }
    let points = multiples(1 << largest);
    println!("\n| sum of | scalars | GPU ms | each of {BATCH} | processor ms | times | each |");
    println!("|---|---|---|---|---|---|---|");
    for k in (SMALLEST..=largest).step_by(2) {
        if !allows(&format!("sums of 2^{k}"), 1.0 + seconds(k, SUM_NANOS)) {
            break;
        }
        sums(kernels, &points[..1 << k], k)?;
    }
    Ok(())
}

fn shortest<T>(kernel: &mut dyn Kernel<Output = T>) -> f64 {
    let time = |_| {
        let start = Instant::now();
        kernel.run();
        start.elapsed().as_secs_f64()
    };
    (0..RUNS).map(time).fold(f64::INFINITY, f64::min)
}

fn scalars(count: usize) -> Vec<Fr> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let some: Vec<Fr> = (0..1 << 12).map(|_| Fr::random(&mut rng)).collect();
    (0..count).into_par_iter().map(|i| some[i % some.len()] * Fr::from(i as u64 + 1)).collect()
}

fn transform(kernels: &CudaKernels, k: u32) -> Result<()> {
    let values = scalars(1 << k);
    let ([there, back], again) = kernels.transforms(&values)?;
    ensure!(again == values, "a transform of 2^{k} on the GPU is wrong");
    let cpu = shortest(&mut *measure::interpolate(Instructions::detect(), &values));
    println!(
        "| 2^{k} | {:.3} | {:.3} | {:.2} | {:.1} |",
        1e3 * there,
        1e3 * back,
        1e3 * cpu,
        cpu / there
    );
    Ok(())
}

/// i·G for i from one on.
fn multiples(count: usize) -> Vec<G1Affine> {
    const CHUNK: usize = 1 << 10;
    let mut points = vec![G1Affine::default(); count];
    points.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, points)| {
        let first = G1::generator() * Fr::from((chunk * CHUNK + 1) as u64);
        let next = |point: &G1| Some(point + G1::generator());
        let sums: Vec<G1> = std::iter::successors(Some(first), next).take(points.len()).collect();
        G1::batch_normalize(&sums, points);
    });
    points
}

/// Integers of 16 bits.
fn small(count: usize) -> Vec<i32> {
    let mix = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    (0..count as u64).map(|i| i32::try_from(mix(i)).unwrap_or(0) - (1 << 15)).collect()
}

fn sums(kernels: &CudaKernels, points: &[G1Affine], k: u32) -> Result<()> {
    let bases = kernels.bases(points, GPU_TABLE)?;
    let columns = [
        ("full width", Column::Field(scalars(points.len()))),
        ("16 bits", Column::integers(small(points.len()))),
    ];
    for (name, column) in columns {
        sum(&bases, points, k, (name, column))?;
    }
    Ok(())
}

fn sum(
    bases: &CudaBases,
    points: &[G1Affine],
    k: u32,
    (name, column): (&str, Column),
) -> Result<()> {
    let values = column.to_field();
    let weighted = values.iter().zip(1..).map(|(value, i)| value * Fr::from(i));
    let expected = (G1::generator() * weighted.sum::<Fr>()).to_affine();
    let (alone, sums) = bases.commit(std::slice::from_ref(&column))?;
    ensure!(sums[0] == expected, "a sum of 2^{k} on the GPU is wrong");
    let (batch, sums) = bases.commit(&vec![column.clone(); BATCH])?;
    ensure!(sums == [expected; BATCH], "a sum of 2^{k} in a batch on the GPU is wrong");
    let mut on_cpu = measure::commit(Instructions::detect(), points, CPU_TABLE, column);
    let cpu = shortest(&mut *on_cpu);
    ensure!(on_cpu.output() == expected, "a sum of 2^{k} on the processor is wrong");
    let each = batch / BATCH as f64;
    println!(
        "| 2^{k} | {name} | {:.3} | {:.3} | {:.2} | {:.1} | {:.1} |",
        1e3 * alone,
        1e3 * each,
        1e3 * cpu,
        cpu / alone,
        cpu / each
    );
    Ok(())
}
