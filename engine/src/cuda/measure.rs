//! Kernels of a GPU by themselves, for benchmarks: prepared once, run many times.
//!
//! Times are the shortest of several runs, from launch to end, without copies to and from the host.

use std::time::Instant;

use halo2_proofs::halo2curves::bn256::{Fr, G1Affine};

use super::{
    CudaOptions, accelerator::Kernel, columns::CudaColumn, machine::Machine, open, sums::Bases,
    transform::Domain,
};
use crate::{column::Column, cosets::root_of_unity, error::DeviceError};

/// Runs of a kernel, of which the shortest counts; the first warms up.
const RUNS: usize = 6;

/// A GPU, which has passed the self-test.
#[derive(Debug)]
pub struct CudaKernels {
    machine: Machine,
}

/// Points on a GPU, with their multiples.
#[derive(Debug)]
pub struct CudaBases {
    machine: Machine,
    bases: Bases,
}

fn shortest(
    machine: &Machine,
    mut run: impl FnMut() -> Result<(), DeviceError>,
) -> Result<f64, DeviceError> {
    let mut shortest = f64::INFINITY;
    for _ in 0..RUNS {
        machine.finish()?;
        let start = Instant::now();
        run()?;
        machine.finish()?;
        shortest = shortest.min(start.elapsed().as_secs_f64());
    }
    Ok(shortest)
}

impl CudaKernels {
    /// Opens the GPU.
    ///
    /// # Errors
    /// A GPU that cannot be used or fails its self-test.
    pub fn open(options: &CudaOptions) -> Result<Self, DeviceError> {
        Ok(Self { machine: open(options)? })
    }

    /// Products of scalars a second, when all threads multiply.
    ///
    /// # Errors
    /// What the GPU fails at.
    pub fn products_per_second(&self) -> Result<f64, DeviceError> {
        const THREADS: u32 = 1 << 19;
        const ROUNDS: u32 = 256;
        let values = self.machine.upload_elements(&vec![-Fr::from(3); THREADS as usize])?;
        let arguments = [values.address(), u64::from(ROUNDS)];
        let seconds = shortest(&self.machine, || {
            self.machine.launch(Kernel::MeasureProducts, THREADS as usize, 1, &arguments)
        })?;
        Ok(f64::from(2 * ROUNDS) * f64::from(THREADS) / seconds)
    }

    /// The seconds of a transform of values on the subgroup of their number to coefficients, and of
    /// one back; and the values after both.
    ///
    /// # Errors
    /// What the GPU fails at.
    pub fn transforms(&self, values: &[Fr]) -> Result<([f64; 2], Vec<Fr>), DeviceError> {
        let k = values.len().trailing_zeros();
        let domain = Domain::new(&self.machine, k, root_of_unity(k))?;
        let column = self.machine.upload_elements(values)?;
        let other = self.machine.elements(values.len())?;
        let (at, to) = ([column.address()], [other.address()]);
        let there = shortest(&self.machine, || domain.interpolate(&at, &to, None))?;
        let back = shortest(&self.machine, || domain.evaluate(&to, &at, None))?;
        Ok(([there, back], self.machine.read_elements(&column, 0, values.len())?))
    }

    /// Points with multiples in at most `table_bytes`.
    ///
    /// # Errors
    /// What the GPU fails at.
    pub fn bases(&self, points: &[G1Affine], table_bytes: usize) -> Result<CudaBases, DeviceError> {
        let machine = self.machine.clone();
        let bases = Bases::new(&machine, points, table_bytes)?;
        Ok(CudaBases { machine, bases })
    }
}

impl CudaBases {
    /// The seconds of committing to all columns, and the commitments.
    ///
    /// # Errors
    /// What the GPU fails at.
    pub fn commit(&self, columns: &[Column]) -> Result<(f64, Vec<G1Affine>), DeviceError> {
        let columns = columns
            .iter()
            .map(|column| CudaColumn::upload(&self.machine, column))
            .collect::<Result<Vec<_>, _>>()?;
        let columns: Vec<&CudaColumn> = columns.iter().collect();
        let mut commitments = Vec::new();
        let seconds = shortest(&self.machine, || {
            commitments = self.bases.commit(&columns)?;
            Ok(())
        })?;
        Ok((seconds, commitments))
    }
}
