//! The kernels on the host: their sources, compiled by the host's C++ compiler, over memory of the
//! process. What it shows is that the kernels compute the right thing; not that threads of a GPU
//! meet where they should.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    collections::HashMap,
    env, fs,
    path::PathBuf,
    process::Command,
    sync::{Mutex, OnceLock},
};

use libloading::Library;
use sha3::{Digest, Sha3_256};

use super::accelerator::{Accelerator, Grid, Kernel, MemorySize, SOURCES};
use crate::{error::DeviceError, kernels::parallel};

type Launcher = unsafe extern "C" fn(*const u64, u32, u32, u32, u64, u64);

/// Blocks that one task runs.
const TASK: u64 = 8;
const ALIGNMENT: usize = 64;

/// A machine that is this process.
#[derive(Debug)]
pub(super) struct Emulator {
    size: usize,
    allocations: Mutex<HashMap<u64, usize>>,
}

/// The compiled kernels; the compiler runs once for every version of the sources.
fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let digest: String =
            Sha3_256::digest(SOURCES)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = env::temp_dir().join(format!("zkinfer-kernels-{digest}"));
        let path = folder.join("kernels.so");
        if !path.exists() {
            compile(&folder, &path);
        }
        // SAFETY: it was just built from the sources of this crate.
        unsafe { Library::new(path) }.expect("what was just built can be loaded")
    })
}

fn compile(folder: &PathBuf, path: &PathBuf) {
    fs::create_dir_all(folder).unwrap();
    let process = std::process::id();
    let (source, partial) =
        (folder.join(format!("{process}.cpp")), folder.join(format!("{process}.so")));
    fs::write(&source, SOURCES).unwrap();
    let compiler = env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let output = Command::new(&compiler)
        .args(["-std=c++17", "-O2", "-fwrapv", "-fno-strict-aliasing", "-fPIC", "-shared", "-o"])
        .args([&partial, &source])
        .output()
        .unwrap_or_else(|why| panic!("tests of kernels need a C++ compiler, {compiler:?}: {why}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(partial, path).unwrap();
}

impl Emulator {
    /// With so much memory.
    pub(super) fn new(size: usize) -> Self {
        Self { size, allocations: Mutex::default() }
    }
}

impl Accelerator for Emulator {
    fn memory(&self) -> Result<MemorySize, DeviceError> {
        let used: usize = self.allocations.lock().unwrap().values().sum();
        let total = self.size as u64;
        Ok(MemorySize { free: total - used as u64, total })
    }

    fn allocate(&self, bytes: usize) -> Result<Option<u64>, DeviceError> {
        if (bytes as u64) > self.memory()?.free {
            return Ok(None);
        }
        let layout = Layout::from_size_align(bytes, ALIGNMENT).unwrap();
        // SAFETY: allocations are not empty.
        let address = unsafe { alloc_zeroed(layout) };
        // What nothing wrote must not look like zeros.
        unsafe { address.write_bytes(0xa5, bytes) };
        let address = address as u64;
        self.allocations.lock().unwrap().insert(address, bytes);
        Ok(Some(address))
    }

    fn release(&self, address: u64) {
        let bytes = self.allocations.lock().unwrap().remove(&address).unwrap();
        // SAFETY: it was allocated with this layout.
        unsafe {
            dealloc(address as *mut u8, Layout::from_size_align(bytes, ALIGNMENT).unwrap());
        }
    }

    fn clear(&self, address: u64, bytes: usize) -> Result<(), DeviceError> {
        // SAFETY: a machine's buffers have so many bytes.
        unsafe { (address as *mut u8).write_bytes(0, bytes) };
        Ok(())
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        // SAFETY: as above.
        unsafe { (address as *mut u8).copy_from(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), DeviceError> {
        // SAFETY: as above.
        unsafe { bytes.as_mut_ptr().copy_from(address as *const u8, bytes.len()) };
        Ok(())
    }

    fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[u64]) -> Result<(), DeviceError> {
        // SAFETY: every kernel has this launcher (`LAUNCHER` in the sources).
        let launcher: Launcher =
            unsafe { *library().get(kernel.name().as_bytes()).expect("a kernel of the sources") };
        let blocks = u64::from(grid.width) * u64::from(grid.height);
        parallel::each(usize::try_from(blocks.div_ceil(TASK)).unwrap(), &|task| {
            let first = task as u64 * TASK;
            let end = blocks.min(first + TASK);
            // SAFETY: the arguments are the words of the kernel's structure; blocks are independent.
            unsafe {
                launcher(arguments.as_ptr(), grid.width, grid.height, kernel.threads(), first, end);
            }
        });
        Ok(())
    }

    fn finish(&self) -> Result<(), DeviceError> {
        Ok(())
    }
}
