//! A library with ICICLE's interface in C, on the host's memory: what the tests of the ICICLE device
//! load. It is strict where the real one is not: addresses must be of its own allocations, configurations
//! are read by their offsets, and scalars must have as many bits as was said.
//!
//! `MOCK_ICICLE` lists faults, separated by commas: `NAME=CODE` makes a function return an error,
//! `NAME=wrong` gives a wrong result, `NAME=abort` ends the process; `memory=BYTES` is what there
//! is. [`mock_icicle_faults`] sets them in a process that runs already; where `MOCK_ICICLE_IF` names
//! a file, there are none while it does not exist.

#![expect(unsafe_code, reason = "an interface in C")]
#![expect(missing_docs, reason = "the functions are ICICLE's")]
#![expect(
    clippy::missing_safety_doc,
    reason = "the interface is ICICLE's: see `engine/src/icicle/abi.rs`"
)]

mod state;

use std::ffi::{CStr, c_char, c_int, c_void};

use halo2_proofs::halo2curves::{
    CurveAffine,
    bn256::{Fq, Fr, G1, G1Affine},
    ff::{Field, PrimeField},
    fft::best_fft,
    group::{Curve, prime::PrimeCurveAffine},
    msm::msm_best,
};

use state::{
    Config, INVALID_ARGUMENT, INVALID_DEVICE, INVALID_POINTER, OUT_OF_MEMORY, SCALAR, State, parse,
    run, state,
};

/// Sets the faults of this process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mock_icicle_faults(faults: *const c_char) {
    // SAFETY: a string that ends with a zero byte.
    let faults = unsafe { CStr::from_ptr(faults) };
    state().faults = parse(&faults.to_string_lossy());
}

/// Bytes that are allocated.
#[unsafe(no_mangle)]
pub extern "C" fn mock_icicle_used() -> usize {
    state().used()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn icicle_load_backend(_path: *const c_char, _recursive: bool) -> c_int {
    run("icicle_load_backend", |_, _| Ok(()))
}

#[unsafe(no_mangle)]
pub extern "C" fn icicle_load_backend_from_env_or_default() -> c_int {
    run("icicle_load_backend_from_env_or_default", |_, _| Ok(()))
}

/// Whether this is the device that there is.
fn check_device(device: *const u8) -> Result<(), c_int> {
    let device = Config(device);
    let is_right = (0..4).all(|i| device.byte(i) == b"CPU\0"[i]) && device.int(64) == 0;
    is_right.then_some(()).ok_or(INVALID_DEVICE)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn icicle_is_device_available(device: *const u8) -> c_int {
    run("icicle_is_device_available", |_, _| check_device(device))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn icicle_set_device(device: *const u8) -> c_int {
    run("icicle_set_device", |_, _| check_device(device))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn icicle_get_registered_devices(names: *mut c_char, len: usize) -> c_int {
    run("icicle_get_registered_devices", |_, _| {
        let list = c"CPU,MOCK".to_bytes_with_nul();
        if list.len() > len {
            return Err(INVALID_ARGUMENT);
        }
        // SAFETY: `len` bytes may be written.
        unsafe { names.cast::<u8>().copy_from(list.as_ptr(), list.len()) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn icicle_get_available_memory(all: *mut usize, free: *mut usize) -> c_int {
    run("icicle_get_available_memory", |state, _| {
        // SAFETY: two numbers that may be written.
        unsafe {
            all.write(state.total());
            free.write(state.total().saturating_sub(state.used()));
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn icicle_malloc(address: *mut *mut c_void, bytes: usize) -> c_int {
    run("icicle_malloc", |state, _| {
        if state.used() + bytes > state.total() {
            return Err(OUT_OF_MEMORY);
        }
        let mut words = vec![u64::MAX; bytes.div_ceil(8)].into_boxed_slice();
        let start = words.as_mut_ptr();
        state.memory.insert(start.expose_provenance(), words);
        // SAFETY: an address that may be written.
        unsafe { address.write(start.cast()) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn icicle_free(address: *mut c_void) -> c_int {
    run("icicle_free", |state, _| {
        state.memory.remove(&address.addr()).map(drop).ok_or(INVALID_POINTER)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn icicle_copy(to: *mut c_void, from: *const c_void, bytes: usize) -> c_int {
    run("icicle_copy", |state, _| {
        let (to, from) = (state.bytes(to, bytes)?, state.bytes(from, bytes)?);
        // SAFETY: both are of the device.
        unsafe { to.copy_from_nonoverlapping(from, bytes) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn icicle_copy_to_host(
    to: *mut c_void,
    from: *const c_void,
    bytes: usize,
) -> c_int {
    run("icicle_copy_to_host", |state, is_wrong| {
        let from = state.bytes(from, bytes)?;
        // SAFETY: the host has room for as many bytes.
        unsafe {
            to.cast::<u8>().copy_from_nonoverlapping(from, bytes);
            if is_wrong {
                to.cast::<u8>().add(bytes - 1).write(0xff);
            }
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn icicle_copy_to_device(
    to: *mut c_void,
    from: *const c_void,
    bytes: usize,
) -> c_int {
    run("icicle_copy_to_device", |state, _| {
        let to = state.bytes(to, bytes)?;
        // SAFETY: the host has as many bytes.
        unsafe { to.copy_from_nonoverlapping(from.cast(), bytes) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn bn254_ntt_init_domain(root: *const u8, config: *const u8) -> c_int {
    run("bn254_ntt_init_domain", |state, _| {
        let config = Config(config);
        config.expect(config.is_null(0) && config.byte(8) == 0 && config.is_null(16))?;
        // The first one stays.
        if state.root.is_some() {
            return Err(INVALID_ARGUMENT);
        }
        let root = std::array::from_fn(|i| Config(root).byte(i));
        state.root = Option::from(Fr::from_repr(root));
        state.root.map(drop).ok_or(INVALID_ARGUMENT)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn bn254_ntt_release_domain() -> c_int {
    run("bn254_ntt_release_domain", |state, _| {
        state.root = None;
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn bn254_ntt(
    from: *const c_void,
    size: c_int,
    direction: c_int,
    config: *const u8,
    to: *mut c_void,
) -> c_int {
    run("bn254_ntt", |state, is_wrong| {
        let config = Config(config);
        let is_plain = (0..SCALAR).all(|i| config.byte(8 + i) == u8::from(i == 0))
            && config.int(40) == 1
            && config.byte(44) == 0
            && config.int(48) == 0;
        let on_device = config.byte(52) == 1 && config.byte(53) == 1 && config.byte(54) == 0;
        config.expect(is_plain && on_device && config.is_null(0) && config.is_null(56))?;
        let size = usize::try_from(size).map_err(|_| INVALID_ARGUMENT)?;
        let mut root = state.root.ok_or(INVALID_ARGUMENT)?;
        let order = std::iter::successors(Some(root), |root| Some(root.square()));
        let order = order.take_while(|root| *root != Fr::ONE).count();
        let k = size.trailing_zeros() as usize;
        if !size.is_power_of_two() || k > order {
            return Err(INVALID_ARGUMENT);
        }
        (k..order).for_each(|_| root = root.square());
        let mut values = state.scalars(from, size)?;
        if direction == 1 {
            root = root.invert().unwrap_or(Fr::ONE);
        }
        best_fft(&mut values, root, size.trailing_zeros());
        if direction == 1 {
            let scale = Fr::from(size as u64).invert().unwrap_or(Fr::ZERO);
            values.iter_mut().for_each(|value| *value *= scale);
        }
        state.write(to, &values, is_wrong)
    })
}

fn pairwise(
    name: &str,
    [a, b, to]: [*const c_void; 3],
    count: u64,
    config: *const u8,
    operation: fn(Fr, Fr) -> Fr,
) -> c_int {
    run(name, |state, is_wrong| {
        Config(config).check_vectors()?;
        let count = usize::try_from(count).map_err(|_| INVALID_ARGUMENT)?;
        let (a, b) = (state.scalars(a, count)?, state.scalars(b, count)?);
        let result: Vec<Fr> = a.into_iter().zip(b).map(|(a, b)| operation(a, b)).collect();
        state.write(to, &result, is_wrong)
    })
}

macro_rules! pairwise {
    ($($name:ident: $operation:expr;)*) => {
        $(
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name(
                a: *const c_void,
                b: *const c_void,
                count: u64,
                config: *const u8,
                to: *mut c_void,
            ) -> c_int {
                pairwise(stringify!($name), [a, b, to], count, config, $operation)
            }
        )*
    };
}

pairwise! {
    bn254_vector_add: |a, b| a + b;
    bn254_vector_sub: |a, b| a - b;
    bn254_vector_mul: |a, b| a * b;
}

/// One vector, of which something is made.
fn single(
    name: &str,
    [a, to]: [*const c_void; 2],
    count: u64,
    config: *const u8,
    operation: impl FnOnce(&State, Vec<Fr>) -> Result<Vec<Fr>, c_int>,
) -> c_int {
    run(name, |state, is_wrong| {
        Config(config).check_vectors()?;
        let count = usize::try_from(count).map_err(|_| INVALID_ARGUMENT)?;
        let result = operation(state, state.scalars(a, count)?)?;
        state.write(to, &result, is_wrong)
    })
}

macro_rules! with_scalar {
    ($($name:ident: $operation:expr;)*) => {
        $(
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name(
                scalar: *const c_void,
                a: *const c_void,
                count: u64,
                config: *const u8,
                to: *mut c_void,
            ) -> c_int {
                single(stringify!($name), [a, to], count, config, |state, a| {
                    let scalar = state.scalars(scalar, 1)?[0];
                    let operation: fn(Fr, Fr) -> Fr = $operation;
                    Ok(a.into_iter().map(|a| operation(scalar, a)).collect())
                })
            }
        )*
    };
}

with_scalar! {
    bn254_scalar_add_vec: |scalar, a| scalar + a;
    bn254_scalar_mul_vec: |scalar, a| scalar * a;
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn bn254_vector_inv(
    a: *const c_void,
    count: u64,
    config: *const u8,
    to: *mut c_void,
) -> c_int {
    single("bn254_vector_inv", [a, to], count, config, |_, a| {
        Ok(a.into_iter().map(|a| a.invert().unwrap_or(Fr::ZERO)).collect())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn bn254_vector_sum(
    a: *const c_void,
    count: u64,
    config: *const u8,
    to: *mut c_void,
) -> c_int {
    single("bn254_vector_sum", [a, to], count, config, |_, a| Ok(vec![a.iter().sum()]))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn bn254_scalar_convert_montgomery(
    a: *const c_void,
    count: u64,
    into: bool,
    config: *const u8,
    to: *mut c_void,
) -> c_int {
    single("bn254_scalar_convert_montgomery", [a, to], count, config, |_, a| {
        let radix = Fr::from(2).pow_vartime([256]);
        let factor = if into { radix } else { radix.invert().unwrap_or(Fr::ZERO) };
        Ok(a.into_iter().map(|a| a * factor).collect())
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn bn254_msm(
    scalars: *const c_void,
    points: *const c_void,
    count: c_int,
    config: *const u8,
    to: *mut u8,
) -> c_int {
    run("bn254_msm", |state, is_wrong| {
        let config = Config(config);
        // Shared points, all on the device, canonical, the result on the host, in time.
        let flags = [1, 1, 0, 1, 0, 0, 0];
        let is_right = (0..7).all(|i| config.byte(24 + i) == flags[i]);
        let is_plain = config.int(8) == 1 && config.int(20) == 1;
        config.expect(is_right && is_plain && config.is_null(0) && config.is_null(32))?;
        let count = usize::try_from(count).map_err(|_| INVALID_ARGUMENT)?;
        let scalars = state.scalars(scalars, count)?;
        let bits = u64::try_from(config.int(16)).map_err(|_| INVALID_ARGUMENT)?;
        let bound = Fr::from(2).pow_vartime([bits]);
        if bits > 0 && scalars.iter().any(|scalar| *scalar >= bound) {
            return Err(INVALID_ARGUMENT);
        }
        let coordinates = state.bytes(points, 2 * SCALAR * count)?;
        // SAFETY: as many bytes are there.
        let bytes = unsafe { std::slice::from_raw_parts(coordinates, 2 * SCALAR * count) };
        let coordinate = |bytes: &[u8; SCALAR]| Option::<Fq>::from(Fq::from_repr(*bytes));
        let point = |pair: &[[u8; SCALAR]]| {
            let (x, y) = (coordinate(&pair[0])?, coordinate(&pair[1])?);
            if x == Fq::ZERO && y == Fq::ZERO {
                return Some(G1Affine::identity());
            }
            Option::from(G1Affine::from_xy(x, y))
        };
        let points = bytes.as_chunks::<SCALAR>().0.chunks_exact(2).map(point);
        let points: Vec<G1Affine> = points.collect::<Option<_>>().ok_or(INVALID_ARGUMENT)?;
        let mut sum: G1 = msm_best(&scalars, &points);
        if is_wrong {
            sum += G1::generator();
        }
        // Homogeneous, with a z that is not one.
        let sum = sum.to_affine();
        let z = Fq::from(7);
        let sum = match bool::from(sum.is_identity()) {
            true => [Fq::ZERO, Fq::ONE, Fq::ZERO],
            false => [sum.x * z, sum.y * z, z],
        };
        for (i, coordinate) in sum.iter().enumerate() {
            let bytes: [u8; SCALAR] = coordinate.to_repr();
            // SAFETY: the host has room for three coordinates.
            unsafe { to.add(SCALAR * i).copy_from(bytes.as_ptr(), SCALAR) };
        }
        Ok(())
    })
}
