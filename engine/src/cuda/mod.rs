//! The engine's device on an NVIDIA GPU.
//!
//! The kernels in `kernels/` are sources in CUDA's C++, compiled at run time by NVRTC, once for a
//! kind of GPU, and kept in a cache. The driver is loaded when it is asked for: nothing of CUDA is
//! needed to build or to run anything else. Every kernel also compiles for the host, where tests
//! run whole proofs on it (`emulator`).
//!
//! Columns stay on the GPU from the upload of the witness to the end of the proof: commitments,
//! evaluations and challenges are all that comes back. Where a column is summed over or compared
//! by the host (halo2's lookup argument sorts), it is downloaded.
//!
//! The layers: an `accelerator::Accelerator` runs kernels on memory by addresses; a
//! `machine::Machine` owns that memory; `transform`, `sums`, `columns` and `rows` say what the
//! kernels compute; `device::CudaDevice` is the engine's device.

mod accelerator;
mod columns;
mod compiler;
mod device;
mod driver;
#[cfg(test)]
#[expect(unsafe_code, reason = "memory by its addresses, and functions of a shared library")]
mod emulator;
mod library;
mod machine;
pub mod measure;
mod plain;
mod rows;
mod selftest;
mod sums;
#[cfg(test)]
mod tests;
mod transform;

use std::path::PathBuf;

use halo2_proofs::halo2curves::bn256::G1Affine;

use self::{
    accelerator::{Accelerator, DEVICE},
    compiler::Kernels,
    device::{CudaDevice, Shares},
    driver::{CudaAccelerator, Driver},
    machine::Machine,
    plain::ELEMENT,
};
pub use self::{
    compiler::{CACHE_FOLDER, NVRTC_FOLDER, compile_kernels},
    driver::Gpu,
};
use crate::{
    assembly::CircuitData,
    error::{DeviceError, EngineError},
    key::Key,
    keyed::Keyed,
};

/// What the engine may use of a GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CudaOptions {
    /// Which GPU, as the driver counts.
    pub number: u32,
    /// The most bytes of its memory; all that is free, if there is no limit.
    pub memory_bytes: Option<u64>,
    /// The folder of compiled kernels; without one, they are compiled every time.
    pub cache: Option<PathBuf>,
}

impl Default for CudaOptions {
    fn default() -> Self {
        Self { number: 0, memory_bytes: None, cache: compiler::cache_folder() }
    }
}

/// The GPUs of this machine.
///
/// # Errors
/// No driver, or one that does not answer.
pub fn gpus() -> Result<Vec<Gpu>, DeviceError> {
    Driver::load()?.gpus()
}

/// A GPU with the kernels on it, which have passed their self-test.
fn open(options: &CudaOptions) -> Result<Machine, DeviceError> {
    let driver = Driver::load()?;
    let gpus = driver.gpus()?;
    let known = gpus.len();
    let gpu = gpus.into_iter().find(|gpu| gpu.number == options.number).ok_or_else(|| {
        driver::unavailable(format!("there is no GPU {}: the driver shows {known}", options.number))
    })?;
    let kernels = Kernels::load(&gpu, options.cache.as_deref())?;
    let accelerator = CudaAccelerator::new(&driver, &gpu, &kernels)?;
    let free = accelerator.memory()?.free;
    // Some is left to the driver, for launches.
    let usable = free - free / 32;
    let limit = options.memory_bytes.map_or(usable, |limit| limit.min(usable));
    let machine = Machine::new(Box::new(accelerator), usize::try_from(limit).unwrap_or(usize::MAX));
    selftest::run(&machine)?;
    Ok(machine)
}

/// The key of a circuit on a GPU.
///
/// # Errors
/// A GPU that cannot be used, or not enough memory on it.
pub(crate) fn key(
    options: &CudaOptions,
    data: CircuitData,
    lagrange: &[G1Affine],
    powers: [G1Affine; 2],
) -> Result<Box<dyn Keyed>, EngineError> {
    Ok(key_on(&open(options)?, data, lagrange, powers)?)
}

fn key_on(
    machine: &Machine,
    data: CircuitData,
    lagrange: &[G1Affine],
    powers: [G1Affine; 2],
) -> Result<Box<dyn Keyed>, DeviceError> {
    let shares = share(machine, &data, lagrange.len())?;
    let device = CudaDevice::new(machine, data.constraints.degree(), lagrange, &shares)?;
    Ok(Box::new(Key::new(device, data, powers)?))
}

/// Plans the memory of a key and its proofs: what they cannot do without, and of the rest a part
/// for multiples of the SRS and a part for columns of the key on the cosets.
fn share(machine: &Machine, data: &CircuitData, rows: usize) -> Result<Shares, DeviceError> {
    let constraints = &data.constraints;
    let degree = constraints.degree();
    let permuted = constraints.permutation().get_columns().len();
    let products = permuted.div_ceil(degree - 2);
    let lookups = constraints.lookups().len();
    let key = constraints.num_fixed_columns() + permuted;
    let advice = constraints.num_advice_columns();
    let proof = advice + constraints.num_instance_columns() + products + 3 * lookups;
    // Key and proof on H; for the quotient, coefficients and values of the proof, the parts of the
    // constraint on their cosets, and what the indicators and a few steps take.
    // A column of sums also has positions and a table, which take no more than another column.
    let columns = key + 3 * proof + advice + degree * degree + 16;
    let needed = columns * rows * ELEMENT;
    let available = machine.available();
    let Some(rest) = available.checked_sub(needed) else {
        let (needed, available) = (needed as u64, available as u64);
        return Err(DeviceError::OutOfMemory { device: DEVICE, needed, available });
    };
    Ok(Shares { table_bytes: rest / 3, extension_bytes: rest / 3 })
}
