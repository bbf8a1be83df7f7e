//! CUDA's driver, loaded when it is asked for: nothing of CUDA is needed to build or to start.

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    fmt, ptr,
    sync::Arc,
};

use libloading::Library;

use super::{
    accelerator::{Accelerator, DEVICE, Grid, Kernel, MemorySize},
    compiler::Kernels,
    library,
};
use crate::error::DeviceError;

type Code = c_int;
const SUCCESS: Code = 0;
const OUT_OF_MEMORY: Code = 2;
/// Attributes of a device.
const MAJOR: c_int = 75;
const MINOR: c_int = 76;

/// The functions of the driver that are used, with their types, and a table of them.
macro_rules! functions {
    ($($name:ident $symbol:literal ($($argument:ty),*);)*) => {
        struct Functions {
            $($name: unsafe extern "C" fn($($argument),*) -> Code,)*
            _library: Library,
        }

        impl Functions {
            #[expect(unsafe_code, reason = "functions of a shared library")]
            fn load(library: Library) -> Result<Self, libloading::Error> {
                // SAFETY: the types are those of the driver's interface, which never change under
                // a name: new ones get a new name, with a version.
                Ok(unsafe { Self { $($name: *library.get($symbol)?,)* _library: library } })
            }
        }
    };
}
functions! {
    init b"cuInit" (c_uint);
    driver_version b"cuDriverGetVersion" (*mut c_int);
    count b"cuDeviceGetCount" (*mut c_int);
    device b"cuDeviceGet" (*mut c_int, c_int);
    name b"cuDeviceGetName" (*mut c_char, c_int, c_int);
    attribute b"cuDeviceGetAttribute" (*mut c_int, c_int, c_int);
    total_memory b"cuDeviceTotalMem_v2" (*mut usize, c_int);
    retain b"cuDevicePrimaryCtxRetain" (*mut usize, c_int);
    drop_context b"cuDevicePrimaryCtxRelease_v2" (c_int);
    set_current b"cuCtxSetCurrent" (usize);
    memory b"cuMemGetInfo_v2" (*mut usize, *mut usize);
    allocate b"cuMemAlloc_v2" (*mut u64, usize);
    release b"cuMemFree_v2" (u64);
    clear b"cuMemsetD8_v2" (u64, u8, usize);
    write b"cuMemcpyHtoD_v2" (u64, *const c_void, usize);
    read b"cuMemcpyDtoH_v2" (*mut c_void, u64, usize);
    load_module b"cuModuleLoadData" (*mut usize, *const c_void);
    unload_module b"cuModuleUnload" (usize);
    function b"cuModuleGetFunction" (*mut usize, usize, *const c_char);
    launch b"cuLaunchKernel" (
        usize, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, usize,
        *const *const c_void, *const *const c_void
    );
    finish b"cuCtxSynchronize" ();
    error_name b"cuGetErrorName" (Code, *mut *const c_char);
}

/// The driver of this machine.
#[derive(Clone)]
pub(super) struct Driver(Arc<Functions>);

impl fmt::Debug for Driver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Driver")
    }
}

/// A GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gpu {
    /// Its number, as the driver counts.
    pub number: u32,
    /// What it is called.
    pub name: String,
    /// Bytes of its memory.
    pub memory: u64,
    /// Its compute capability: 9.0 is `(9, 0)`.
    pub capability: (u32, u32),
    /// The version of CUDA that the driver knows: 13.0 is `(13, 0)`.
    pub driver: (u32, u32),
}

/// The reason for which there is no device.
pub(super) fn unavailable(reason: String) -> DeviceError {
    DeviceError::Unavailable { device: DEVICE, reason }
}

fn failed(operation: &'static str, reason: String) -> DeviceError {
    DeviceError::Failed { device: DEVICE, operation, reason }
}

/// A number that the driver says is not negative.
fn count(number: c_int) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

#[expect(unsafe_code, reason = "calls of the driver's C interface")]
impl Driver {
    /// Loads and starts the driver.
    pub(super) fn load() -> Result<Self, DeviceError> {
        let library = library::open(&["libcuda.so.1", "libcuda.so", "nvcuda.dll"], &[])
            .map_err(|why| unavailable(format!("there is no NVIDIA driver ({why})")))?;
        let functions = Functions::load(library)
            .map_err(|why| unavailable(format!("the NVIDIA driver is too old ({why:?})")))?;
        let driver = Self(Arc::new(functions));
        // SAFETY: no arguments but a number that must be zero.
        driver.check("cuInit", unsafe { (driver.0.init)(0) })?;
        Ok(driver)
    }

    /// The name of an error.
    fn error_name(&self, code: Code) -> String {
        let mut name = ptr::null();
        // SAFETY: the pointer is to be written; what it is set to is a constant of the driver.
        unsafe {
            if (self.0.error_name)(code, &raw mut name) == SUCCESS && !name.is_null() {
                return CStr::from_ptr(name).to_string_lossy().into_owned();
            }
        }
        format!("error {code}")
    }

    fn check(&self, operation: &'static str, code: Code) -> Result<(), DeviceError> {
        if code == SUCCESS { Ok(()) } else { Err(failed(operation, self.error_name(code))) }
    }

    /// All GPUs that the driver shows.
    pub(super) fn gpus(&self) -> Result<Vec<Gpu>, DeviceError> {
        let mut number = 0;
        // SAFETY: the pointer is to be written.
        self.check("cuDeviceGetCount", unsafe { (self.0.count)(&raw mut number) })?;
        (0..count(number)).map(|number| self.gpu(number)).collect()
    }

    fn handle(&self, number: u32) -> Result<c_int, DeviceError> {
        let mut handle = 0;
        let ordinal = c_int::try_from(number).unwrap_or(c_int::MAX);
        // SAFETY: the pointer is to be written.
        self.check("cuDeviceGet", unsafe { (self.0.device)(&raw mut handle, ordinal) })?;
        Ok(handle)
    }

    fn gpu(&self, number: u32) -> Result<Gpu, DeviceError> {
        let handle = self.handle(number)?;
        let mut name = [0; 256];
        let (mut bytes, mut major, mut minor, mut version) = (0, 0, 0, 0);
        // SAFETY: the pointers are to be written, the first for 256 bytes; the driver ends the name
        // with a zero.
        let name = unsafe {
            self.check("cuDeviceGetName", (self.0.name)(name.as_mut_ptr(), 256, handle))?;
            self.check("cuDeviceTotalMem", (self.0.total_memory)(&raw mut bytes, handle))?;
            let attribute = |to: *mut c_int, which| (self.0.attribute)(to, which, handle);
            self.check("cuDeviceGetAttribute", attribute(&raw mut major, MAJOR))?;
            self.check("cuDeviceGetAttribute", attribute(&raw mut minor, MINOR))?;
            self.check("cuDriverGetVersion", (self.0.driver_version)(&raw mut version))?;
            CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned()
        };
        let version = count(version);
        Ok(Gpu {
            number,
            name,
            memory: bytes as u64,
            capability: (count(major), count(minor)),
            driver: (version / 1000, version % 1000 / 10),
        })
    }
}

/// One GPU with the kernels on it.
pub(super) struct CudaAccelerator {
    driver: Driver,
    handle: c_int,
    context: usize,
    module: usize,
    functions: Vec<usize>,
}

impl fmt::Debug for CudaAccelerator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CudaAccelerator({})", self.handle)
    }
}

#[expect(unsafe_code, reason = "calls of the driver's C interface")]
impl CudaAccelerator {
    /// Takes the GPU and puts the kernels on it.
    pub(super) fn new(driver: &Driver, gpu: &Gpu, kernels: &Kernels) -> Result<Self, DeviceError> {
        let handle = driver.handle(gpu.number)?;
        let mut context = 0;
        // SAFETY: the pointer is to be written.
        let code = unsafe { (driver.0.retain)(&raw mut context, handle) };
        driver.check("cuDevicePrimaryCtxRetain", code)?;
        let mut accelerator =
            Self { driver: driver.clone(), handle, context, module: 0, functions: Vec::new() };
        let functions = accelerator.current()?;
        let image = kernels.image().as_ptr().cast();
        // SAFETY: the image is one that the compiler made, whole by its digest.
        let code = unsafe { (functions.load_module)(&raw mut accelerator.module, image) };
        driver.check("cuModuleLoadData", code)?;
        for kernel in Kernel::ALL {
            let name = [kernel.name().as_bytes(), &[0]].concat();
            let mut function = 0;
            // SAFETY: the pointer is to be written; the name ends with a zero.
            let code = unsafe {
                (functions.function)(&raw mut function, accelerator.module, name.as_ptr().cast())
            };
            driver.check("cuModuleGetFunction", code)?;
            accelerator.functions.push(function);
        }
        Ok(accelerator)
    }

    /// The functions, for the GPU, on this thread.
    fn current(&self) -> Result<Arc<Functions>, DeviceError> {
        // SAFETY: the context is held until this is dropped.
        let code = unsafe { (self.driver.0.set_current)(self.context) };
        self.driver.check("cuCtxSetCurrent", code)?;
        Ok(Arc::clone(&self.driver.0))
    }
}

#[expect(unsafe_code, reason = "calls of the driver's C interface")]
impl Drop for CudaAccelerator {
    fn drop(&mut self) {
        let Ok(functions) = self.current() else { return };
        // SAFETY: both were made in `new`, and nothing uses them any more. An error of the way out
        // has nobody to hear it.
        unsafe {
            if self.module != 0 {
                (functions.unload_module)(self.module);
            }
            (functions.drop_context)(self.handle);
        }
    }
}

#[expect(unsafe_code, reason = "calls of the driver's C interface")]
impl Accelerator for CudaAccelerator {
    fn memory(&self) -> Result<MemorySize, DeviceError> {
        let functions = self.current()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: the pointers are to be written.
        let code = unsafe { (functions.memory)(&raw mut free, &raw mut total) };
        self.driver.check("cuMemGetInfo", code)?;
        Ok(MemorySize { free: free as u64, total: total as u64 })
    }

    fn allocate(&self, bytes: usize) -> Result<Option<u64>, DeviceError> {
        let functions = self.current()?;
        let mut address = 0;
        // SAFETY: the pointer is to be written.
        let code = unsafe { (functions.allocate)(&raw mut address, bytes) };
        if code == OUT_OF_MEMORY {
            return Ok(None);
        }
        self.driver.check("cuMemAlloc", code)?;
        Ok(Some(address))
    }

    fn release(&self, address: u64) {
        let Ok(functions) = self.current() else { return };
        // SAFETY: the address is one that was allocated; the driver waits for what uses it. An
        // error will come back with the next call.
        unsafe { (functions.release)(address) };
    }

    fn clear(&self, address: u64, bytes: usize) -> Result<(), DeviceError> {
        let functions = self.current()?;
        // SAFETY: the driver checks addresses of the GPU.
        self.driver.check("cuMemsetD8", unsafe { (functions.clear)(address, 0, bytes) })
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        let functions = self.current()?;
        // SAFETY: as many bytes are read as there are; they are read before this returns.
        let code = unsafe { (functions.write)(address, bytes.as_ptr().cast(), bytes.len()) };
        self.driver.check("cuMemcpyHtoD", code)
    }

    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), DeviceError> {
        let functions = self.current()?;
        // SAFETY: as many bytes are written as there are, before this returns.
        let code = unsafe { (functions.read)(bytes.as_mut_ptr().cast(), address, bytes.len()) };
        self.driver.check("cuMemcpyDtoH", code)
    }

    fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[u64]) -> Result<(), DeviceError> {
        let functions = self.current()?;
        let parameters = [arguments.as_ptr().cast::<c_void>()];
        // SAFETY: a kernel has one parameter, a structure of as many words as its callers give; it
        // is copied before this returns.
        let code = unsafe {
            (functions.launch)(
                self.functions[kernel.index()],
                grid.width,
                grid.height,
                1,
                kernel.threads(),
                1,
                1,
                0,
                0,
                parameters.as_ptr(),
                ptr::null(),
            )
        };
        self.driver.check(kernel.name(), code)
    }

    fn finish(&self) -> Result<(), DeviceError> {
        let functions = self.current()?;
        // SAFETY: no arguments.
        self.driver.check("cuCtxSynchronize", unsafe { (functions.finish)() })
    }
}
