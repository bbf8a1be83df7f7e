//! The engine's device by ICICLE, where its libraries are installed.
//!
//! The libraries are loaded by their interface in C when the device is asked for; nothing of them is
//! needed to build or to run anything else. Columns stay on the device: what has no function of its
//! own there is made of the functions that there are, products of vectors above all (a running
//! product is log2 n of them), so that commitments, evaluations and challenges are all that comes
//! back, but for halo2's lookup argument, whose columns the host sorts.
//!
//! A library that throws an exception, or a backend without its driver, ends the process that
//! called it. So [`probe`] tries the device in a process of its own before it is trusted.

#![expect(unsafe_code, reason = "functions of a shared library, and addresses on a device")]

mod abi;
mod columns;
mod device;
mod library;
mod memory;
mod options;
mod probe;
mod programs;
mod self_test;
mod sums;

use std::sync::Arc;

use halo2_proofs::halo2curves::bn256::G1Affine;

use self::{
    abi::DeviceId,
    device::IcicleDevice,
    library::{Library, unavailable},
    memory::{Machine, SCALAR},
    options::{CPU, CUDA, DEVICE},
};
pub use self::{
    library::find,
    options::IcicleOptions,
    probe::{Probe, probe, report},
};
use crate::{
    assembly::CircuitData,
    error::{DeviceError, EngineError},
    key::Key,
    keyed::Keyed,
};

/// A device with columns of `rows` elements, whose library answers.
fn open(options: &IcicleOptions, rows: usize) -> Result<Arc<Machine>, DeviceError> {
    let id = DeviceId::first(&options.kind)
        .ok_or_else(|| unavailable(format!("{:?} is no name of a device", options.kind)))?;
    if options.kind == CUDA {
        probe::check_driver()?;
    }
    let library = Library::load(options)?;
    if options.kind != CPU {
        library.load_backends()?;
    }
    // A folder without backends is loaded without an error.
    let kinds = library.device_types()?;
    if !kinds.contains(&options.kind) {
        return Err(unavailable(format!(
            "no backend for {}: its libraries know {}",
            options.kind,
            if kinds.is_empty() { "no device".to_owned() } else { kinds.join(", ") }
        )));
    }
    // SAFETY: the device lives until the call returns.
    let there = |functions: &abi::Functions| unsafe { (functions.is_available)(&raw const id) };
    library.call(None, "looking for the device", there)?;
    Ok(Machine::new(library, id, rows))
}

/// The key of a circuit on the device.
///
/// # Errors
/// A device that cannot be used, or not enough memory on it.
pub(crate) fn key(
    options: &IcicleOptions,
    data: CircuitData,
    lagrange: &[G1Affine],
    powers: [G1Affine; 2],
) -> Result<Box<dyn Keyed>, EngineError> {
    let machine = open(options, lagrange.len())?;
    self_test::run(&machine)?;
    let extensions = plan(&machine, &data)?;
    let device = IcicleDevice::new(&machine, data.constraints.degree(), lagrange, extensions)?;
    Ok(Box::new(Key::new(device, data, powers)?))
}

/// How many columns of the key fit on a coset, beside what a key and its proofs cannot do
/// without.
fn plan(machine: &Machine, data: &CircuitData) -> Result<usize, DeviceError> {
    let constraints = &data.constraints;
    let degree = constraints.degree();
    let permuted = constraints.permutation().get_columns().len();
    let key = constraints.num_fixed_columns() + 2 * permuted + KEY_COLUMNS;
    let proof = constraints.num_advice_columns()
        + constraints.num_instance_columns()
        + permuted.div_ceil(degree - 2)
        + LOOKUP_COLUMNS * constraints.lookups().len();
    // Everything on H, and all of it by its coefficients and on a coset for the quotient; the powers
    // of the shifts and the parts of the constraint on their cosets; the SRS, which has two
    // coordinates.
    let columns = 3 * (key + proof) + degree * degree + 2 * degree + 2 + SPARE_COLUMNS;
    let bytes_of_one = (machine.rows() * SCALAR) as u64;
    let (needed, available) = (columns as u64 * bytes_of_one, machine.free_bytes()?);
    let Some(rest) = available.checked_sub(needed) else {
        return Err(DeviceError::OutOfMemory { device: DEVICE, needed, available });
    };
    let extensions = rest / 2 / bytes_of_one;
    Ok(usize::try_from(extensions).unwrap_or(usize::MAX))
}

/// Indicators of rows, and the points of H.
const KEY_COLUMNS: usize = 8;
/// Permuted input and table, both before, and a running product.
const LOOKUP_COLUMNS: usize = 5;
/// Registers of the constraints' program and what an operation works on.
const SPARE_COLUMNS: usize = 64;
