//! ICICLE's interface in C, as its versions 3 and 4 have it.
//!
//! Structures are passed by pointer; their sizes and offsets were read from the libraries' headers
//! and are checked below at compile time. Scalars are 32 bytes, canonical, low byte first; affine
//! points are `x` and `y`, with zeros for the point at infinity; a sum of points is homogeneous:
//! `x/z`, `y/z`.

use std::{
    ffi::{c_char, c_int, c_void},
    mem::{offset_of, size_of},
    ptr,
};

/// An error code; zero is none.
pub(super) type Code = c_int;

/// A device by its type and number.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct DeviceId {
    kind: [c_char; 64],
    number: c_int,
}

impl DeviceId {
    /// The first device of a type; `None` where the name is too long or not ASCII.
    pub(super) fn first(kind: &str) -> Option<Self> {
        let mut id = Self { kind: [0; 64], number: 0 };
        if kind.is_empty() || kind.len() >= id.kind.len() || !kind.is_ascii() {
            return None;
        }
        for (to, from) in id.kind.iter_mut().zip(kind.bytes()) {
            *to = c_char::try_from(from).ok()?;
        }
        Some(id)
    }
}

/// How scalars and points are given to a sum of points.
#[repr(C)]
pub(super) struct SumConfig {
    stream: *mut c_void,
    precompute_factor: c_int,
    window_bits: c_int,
    /// Bits of the scalars; zero for all.
    pub(super) scalar_bits: c_int,
    batch_size: c_int,
    are_points_shared: bool,
    are_scalars_on_device: bool,
    are_scalars_montgomery: bool,
    are_points_on_device: bool,
    are_points_montgomery: bool,
    are_results_on_device: bool,
    is_async: bool,
    extension: *mut c_void,
}

impl SumConfig {
    /// Scalars and points on the device, canonical; one sum, to the host.
    pub(super) fn new(scalar_bits: c_int) -> Self {
        Self {
            stream: ptr::null_mut(),
            precompute_factor: 1,
            window_bits: 0,
            scalar_bits,
            batch_size: 1,
            are_points_shared: true,
            are_scalars_on_device: true,
            are_scalars_montgomery: false,
            are_points_on_device: true,
            are_points_montgomery: false,
            are_results_on_device: false,
            is_async: false,
            extension: ptr::null_mut(),
        }
    }
}

/// How values are given to a transform.
#[repr(C)]
pub(super) struct TransformConfig {
    stream: *mut c_void,
    coset_generator: [u32; 8],
    batch_size: c_int,
    are_batches_columns: bool,
    ordering: c_int,
    is_input_on_device: bool,
    is_output_on_device: bool,
    is_async: bool,
    extension: *mut c_void,
}

impl Default for TransformConfig {
    /// One transform on the device, both sides in natural order, on the subgroup itself.
    fn default() -> Self {
        Self {
            stream: ptr::null_mut(),
            coset_generator: [1, 0, 0, 0, 0, 0, 0, 0],
            batch_size: 1,
            are_batches_columns: false,
            ordering: 0,
            is_input_on_device: true,
            is_output_on_device: true,
            is_async: false,
            extension: ptr::null_mut(),
        }
    }
}

/// How the roots of unity are made.
#[repr(C)]
pub(super) struct DomainConfig {
    stream: *mut c_void,
    is_async: bool,
    extension: *mut c_void,
}

impl Default for DomainConfig {
    fn default() -> Self {
        Self { stream: ptr::null_mut(), is_async: false, extension: ptr::null_mut() }
    }
}

/// How vectors are given to operations on them.
#[repr(C)]
pub(super) struct VectorConfig {
    stream: *mut c_void,
    is_a_on_device: bool,
    is_b_on_device: bool,
    is_result_on_device: bool,
    is_async: bool,
    batch_size: c_int,
    are_batches_columns: bool,
    extension: *mut c_void,
}

impl Default for VectorConfig {
    /// Everything on the device.
    fn default() -> Self {
        Self {
            stream: ptr::null_mut(),
            is_a_on_device: true,
            is_b_on_device: true,
            is_result_on_device: true,
            is_async: false,
            batch_size: 1,
            are_batches_columns: false,
            extension: ptr::null_mut(),
        }
    }
}

/// Coefficients to values, and back.
pub(super) const FORWARD: c_int = 0;
/// Values to coefficients.
pub(super) const INVERSE: c_int = 1;

const _: () = {
    assert!(size_of::<DeviceId>() == 68 && offset_of!(DeviceId, number) == 64);
    assert!(size_of::<SumConfig>() == 40 && offset_of!(SumConfig, scalar_bits) == 16);
    assert!(offset_of!(SumConfig, is_async) == 30 && offset_of!(SumConfig, extension) == 32);
    assert!(size_of::<TransformConfig>() == 64 && offset_of!(TransformConfig, batch_size) == 40);
    assert!(offset_of!(TransformConfig, ordering) == 48);
    assert!(offset_of!(TransformConfig, is_async) == 54);
    assert!(size_of::<DomainConfig>() == 24 && offset_of!(DomainConfig, extension) == 16);
    assert!(size_of::<VectorConfig>() == 32 && offset_of!(VectorConfig, batch_size) == 12);
    assert!(offset_of!(VectorConfig, extension) == 24);
};

/// Declares the functions that are looked up, with the library that each is in.
macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident: $symbol:literal in $place:ident ($($argument:ty),*);)*) => {
        /// The functions, all of which return a [`Code`].
        #[derive(Clone, Copy)]
        pub(super) struct Functions {
            $($(#[$doc])* pub(super) $name: unsafe extern "C" fn($($argument),*) -> Code,)*
        }

        impl Functions {
            /// Looks all of them up; the name of the first that is missing otherwise.
            pub(super) fn find(libraries: &Libraries) -> Result<Self, &'static str> {
                Ok(Self {
                    $($name: {
                        type Function = unsafe extern "C" fn($($argument),*) -> Code;
                        // SAFETY: the signature is that of the function of this name.
                        let found = unsafe { libraries.$place.get::<Function>($symbol.as_bytes()) };
                        *found.map_err(|_| $symbol)?
                    },)*
                })
            }
        }
    };
}

/// The three shared libraries.
pub(super) struct Libraries {
    pub(super) device: libloading::Library,
    pub(super) field: libloading::Library,
    pub(super) curve: libloading::Library,
}

type Elements = *mut c_void;
type Given = *const c_void;

functions! {
    /// Loads the backends in a folder; whether it looks into folders in it.
    load_backend: "icicle_load_backend" in device (*const c_char, bool);
    /// Loads the backends where the environment says.
    load_default_backend: "icicle_load_backend_from_env_or_default" in device ();
    /// Zero if the device is there.
    is_available: "icicle_is_device_available" in device (*const DeviceId);
    /// The device of this thread.
    set_device: "icicle_set_device" in device (*const DeviceId);
    /// Names of the types of devices, separated by commas.
    registered: "icicle_get_registered_devices" in device (*mut c_char, usize);
    /// Bytes of the device: all, free.
    memory: "icicle_get_available_memory" in device (*mut usize, *mut usize);
    /// Allocates bytes.
    malloc: "icicle_malloc" in device (*mut *mut c_void, usize);
    /// Frees them.
    free: "icicle_free" in device (*mut c_void);
    /// Copies bytes on the device: to, from, count.
    copy: "icicle_copy" in device (Elements, Given, usize);
    /// Copies bytes to the host.
    to_host: "icicle_copy_to_host" in device (Elements, Given, usize);
    /// Copies bytes to the device.
    to_device: "icicle_copy_to_device" in device (Elements, Given, usize);
    /// Makes the roots of unity, from a primitive one.
    init_domain: "bn254_ntt_init_domain" in field (Given, *const DomainConfig);
    /// Forgets them.
    release_domain: "bn254_ntt_release_domain" in field ();
    /// Values, how many, direction, result.
    transform: "bn254_ntt" in field (Given, c_int, c_int, *const TransformConfig, Elements);
    /// `a + b`, element by element.
    add: "bn254_vector_add" in field (Given, Given, u64, *const VectorConfig, Elements);
    /// `a - b`.
    subtract: "bn254_vector_sub" in field (Given, Given, u64, *const VectorConfig, Elements);
    /// `a · b`.
    multiply: "bn254_vector_mul" in field (Given, Given, u64, *const VectorConfig, Elements);
    /// `1/a`.
    invert: "bn254_vector_inv" in field (Given, u64, *const VectorConfig, Elements);
    /// The sum of all elements.
    sum: "bn254_vector_sum" in field (Given, u64, *const VectorConfig, Elements);
    /// A scalar, added to every element.
    add_scalar: "bn254_scalar_add_vec" in field (Given, Given, u64, *const VectorConfig, Elements);
    /// A scalar, times every element.
    scale: "bn254_scalar_mul_vec" in field (Given, Given, u64, *const VectorConfig, Elements);
    /// To the Montgomery form with radix 2^256, or from it.
    convert: "bn254_scalar_convert_montgomery" in field
        (Given, u64, bool, *const VectorConfig, Elements);
    /// Scalars, points, how many, result.
    sum_points: "bn254_msm" in curve (Given, Given, c_int, *const SumConfig, Elements);
}
