//! ICICLE's libraries: where they are, what they say, and one call at a time.

use std::{
    collections::HashMap,
    env,
    error::Error,
    ffi::{CString, c_char, c_void},
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    abi::{Code, DeviceId, DomainConfig, Functions, Libraries},
    options::{DEVICE, IcicleOptions},
};
use crate::{cosets::root_of_unity, error::DeviceError};

/// The file names of the three libraries.
const DEVICE_LIBRARY: &str = "libicicle_device.so";
const FIELD_LIBRARY: &str = "libicicle_field_bn254.so";
const CURVE_LIBRARY: &str = "libicicle_curve_bn254.so";
/// The variable that ICICLE itself reads: the folder of backends.
const BACKENDS_VARIABLE: &str = "ICICLE_BACKEND_INSTALL_DIR";
/// Where its installers put the libraries.
const USUAL_FOLDERS: [&str; 3] = ["/opt/icicle/lib", "/usr/local/lib", "/usr/lib"];

/// Libraries that are loaded stay so: what a GPU's runtime keeps does not survive less.
static LOADED: Mutex<Option<HashMap<PathBuf, Arc<Library>>>> = Mutex::new(None);

/// The libraries of one folder.
pub(super) struct Library {
    functions: Functions,
    folder: PathBuf,
    /// Log2 of the order of the roots of unity that are made, zero for none. Who holds the lock
    /// makes the only call.
    domain: Mutex<u32>,
    /// Keeps the functions where they are.
    _libraries: Libraries,
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The device cannot be used.
pub(super) fn unavailable(reason: impl Into<String>) -> DeviceError {
    DeviceError::Unavailable { device: DEVICE, reason: reason.into() }
}

/// The folder of ICICLE's libraries, without loading them.
///
/// # Errors
/// If they are not there, where they were looked for.
pub fn find(options: &IcicleOptions) -> Result<PathBuf, DeviceError> {
    let has = |folder: &PathBuf| folder.join(DEVICE_LIBRARY).is_file();
    if let Some(given) = &options.folder {
        let folders = [given.clone(), given.join("lib")];
        return folders.into_iter().find(has).ok_or_else(|| {
            unavailable(format!("there is no {DEVICE_LIBRARY} in {}", given.display()))
        });
    }
    // The backends are in `lib/backend`.
    let of_variable = env::var_os(BACKENDS_VARIABLE).map(PathBuf::from);
    let of_variable = of_variable.and_then(|folder| folder.parent().map(Path::to_path_buf));
    let folders = of_variable.into_iter().chain(USUAL_FOLDERS.map(PathBuf::from));
    folders.into_iter().find(has).ok_or_else(|| {
        unavailable(format!(
            "there is no {DEVICE_LIBRARY} where {BACKENDS_VARIABLE} points, nor in {}; install \
             ICICLE 3 or 4, or name its folder with --icicle-dir",
            USUAL_FOLDERS.join(", ")
        ))
    })
}

impl Library {
    /// The libraries that the options name, loaded once in this process.
    pub(super) fn load(options: &IcicleOptions) -> Result<Arc<Self>, DeviceError> {
        let folder = find(options)?;
        let folder = folder.canonicalize().unwrap_or(folder);
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = loaded.get_or_insert_default();
        if let Some(library) = loaded.get(&folder) {
            return Ok(Arc::clone(library));
        }
        let libraries = Libraries {
            device: open(&folder.join(DEVICE_LIBRARY))?,
            field: open(&folder.join(FIELD_LIBRARY))?,
            curve: open(&folder.join(CURVE_LIBRARY))?,
        };
        let functions = Functions::find(&libraries).map_err(|missing| {
            unavailable(format!(
                "the libraries in {} have no function {missing}: zkinfer knows ICICLE 3 and 4",
                folder.display()
            ))
        })?;
        let library = Self {
            functions,
            folder: folder.clone(),
            domain: Mutex::new(0),
            _libraries: libraries,
        };
        let library = Arc::new(library);
        loaded.insert(folder, Arc::clone(&library));
        Ok(library)
    }

    /// Loads the backends that are installed.
    pub(super) fn load_backends(&self) -> Result<(), DeviceError> {
        let beside = self.folder.join("backend");
        let path = CString::new(beside.to_string_lossy().as_bytes());
        let path = path.map_err(|_| unavailable("the folder's name holds a zero byte"))?;
        let here = beside.is_dir();
        self.call(None, "loading the backend", |functions| {
            // SAFETY: the path ends with a zero byte and lives until the call returns.
            unsafe {
                match here {
                    true => (functions.load_backend)(path.as_ptr(), true),
                    false => (functions.load_default_backend)(),
                }
            }
        })
    }

    /// The types of devices that the backends have registered.
    pub(super) fn device_types(&self) -> Result<Vec<String>, DeviceError> {
        let mut names = [0_u8; 256];
        self.call(None, "listing devices", |functions| {
            // SAFETY: so many bytes may be written there.
            unsafe { (functions.registered)(names.as_mut_ptr().cast::<c_char>(), names.len()) }
        })?;
        let end = names.iter().position(|byte| *byte == 0).unwrap_or(names.len());
        let names = String::from_utf8_lossy(&names[..end]);
        let names = names.split(',').map(|name| name.trim().to_owned());
        Ok(names.filter(|name| !name.is_empty()).collect())
    }

    /// Calls a function, alone, on a device, and names its error.
    pub(super) fn call(
        &self,
        device: Option<&DeviceId>,
        operation: &'static str,
        function: impl FnOnce(&Functions) -> Code,
    ) -> Result<(), DeviceError> {
        self.call_with(&self.lock(), device, operation, function)
    }

    fn lock(&self) -> MutexGuard<'_, u32> {
        // The number is set after the call that it is about.
        self.domain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call_with(
        &self,
        _alone: &MutexGuard<'_, u32>,
        device: Option<&DeviceId>,
        operation: &'static str,
        function: impl FnOnce(&Functions) -> Code,
    ) -> Result<(), DeviceError> {
        if let Some(device) = device {
            // SAFETY: the device lives until the call returns. It is that of this thread.
            check("choosing the device", unsafe { (self.functions.set_device)(device) })?;
        }
        check(operation, function(&self.functions))
    }

    /// Makes the roots of unity for transforms of `2^k` elements and less, if there are fewer.
    pub(super) fn need_domain(&self, device: &DeviceId, k: u32) -> Result<(), DeviceError> {
        let mut domain = self.lock();
        if *domain >= k {
            return Ok(());
        }
        if *domain > 0 {
            // SAFETY: nobody is in a transform, which would hold the lock.
            let release = |functions: &Functions| unsafe { (functions.release_domain)() };
            self.call_with(&domain, Some(device), "releasing the roots of unity", release)?;
            *domain = 0;
        }
        let (root, config) = (super::memory::canonical(&root_of_unity(k)), DomainConfig::default());
        self.call_with(&domain, Some(device), "making the roots of unity", |functions| {
            // SAFETY: a scalar of 32 bytes on the host, as the function takes it.
            unsafe { (functions.init_domain)(root.as_ptr().cast::<c_void>(), &raw const config) }
        })?;
        *domain = k;
        Ok(())
    }
}

/// Opens a library for all that follow it: the backends look for its symbols.
fn open(path: &Path) -> Result<libloading::Library, DeviceError> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: ICICLE's library, or what a test built; whoever can replace it there runs code here
    // without our help.
    match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => Ok(library.into()),
        Err(why) => {
            // The message without its source says only that loading failed.
            let said = why.source().map_or_else(|| why.to_string(), ToString::to_string);
            Err(unavailable(format!("{} cannot be loaded: {said}", path.display())))
        }
    }
}

/// The error that a code stands for, in the order of ICICLE's `eIcicleError`.
fn check(operation: &'static str, code: Code) -> Result<(), DeviceError> {
    let reason = match code {
        0 => return Ok(()),
        1 => "the device is not there",
        2 => "out of memory on the device",
        3 => "a pointer is not one of the device's",
        4 => "memory could not be allocated",
        5 => "memory could not be freed",
        6 => "copying failed",
        7 => "the device did not finish",
        8 => "a stream could not be made",
        9 => "a stream could not be ended",
        10 => "this backend cannot do it",
        11 => "an argument was refused",
        12 => return Err(unavailable(format!("its backend could not be loaded ({operation})"))),
        13 => {
            return Err(unavailable(format!(
                "its licence was refused ({operation}): set ICICLE_LICENSE, or use the open backend"
            )));
        }
        _ => return Err(failed(operation, format!("error {code}"))),
    };
    Err(failed(operation, reason))
}

/// The device failed at an operation.
pub(super) fn failed(operation: &'static str, reason: impl Into<String>) -> DeviceError {
    DeviceError::Failed { device: DEVICE, operation, reason: reason.into() }
}
