//! From the sources of the kernels to what a GPU runs: NVRTC, and a cache of what it made.

use std::{
    env,
    ffi::{CString, c_char, c_int},
    fs, io,
    path::{Path, PathBuf},
    ptr,
};

use libloading::Library;
use sha3::{Digest, Sha3_256};

use super::{
    accelerator::SOURCES,
    driver::{Gpu, unavailable},
    library,
};
use crate::error::DeviceError;

/// The environment variable that names the folder of NVRTC's libraries.
pub const NVRTC_FOLDER: &str = "ZKINFER_NVRTC_DIR";
/// The environment variable that names the folder of compiled kernels.
pub const CACHE_FOLDER: &str = "ZKINFER_KERNEL_CACHE";

/// Bytes of a digest.
const DIGEST: usize = 32;

/// Compiled kernels of one kind of GPU.
#[derive(Debug)]
pub(super) struct Kernels {
    image: Vec<u8>,
}

impl Kernels {
    /// From the cache, or compiled and put there.
    pub(super) fn load(gpu: &Gpu, cache: Option<&Path>) -> Result<Self, DeviceError> {
        let architecture = architecture(gpu.capability);
        let path = cache.map(|folder| folder.join(file_name(&architecture)));
        if let Some(image) = path.as_deref().and_then(read_cached) {
            return Ok(Self { image });
        }
        let image = Compiler::load()?.compile(SOURCES, &architecture)?;
        if let Some(path) = path {
            write_cached(&path, &image)
                .map_err(|why| unavailable(format!("cannot write {}: {why}", path.display())))?;
        }
        Ok(Self { image })
    }

    /// What the driver loads.
    pub(super) fn image(&self) -> &[u8] {
        &self.image
    }
}

/// Compiles the kernels for a compute capability into a folder, which becomes the cache of another
/// machine that has no compiler; gives the path.
///
/// # Errors
/// No NVRTC, or a folder that cannot be written.
pub fn compile_kernels(capability: (u32, u32), folder: &Path) -> Result<PathBuf, DeviceError> {
    let architecture = architecture(capability);
    let path = folder.join(file_name(&architecture));
    let image = Compiler::load()?.compile(SOURCES, &architecture)?;
    write_cached(&path, &image)
        .map_err(|why| unavailable(format!("cannot write {}: {why}", path.display())))?;
    Ok(path)
}

/// The folder of compiled kernels: what the environment says, or the user's cache.
pub(super) fn cache_folder() -> Option<PathBuf> {
    let named = env::var_os(CACHE_FOLDER).map(PathBuf::from);
    let caches = || env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    named.or_else(|| caches().or_else(home).map(|caches| caches.join("zkinfer").join("kernels")))
}

fn architecture((major, minor): (u32, u32)) -> String {
    format!("sm_{major}{minor}")
}

fn options(architecture: &str) -> [String; 2] {
    [format!("--gpu-architecture={architecture}"), "--std=c++17".to_owned()]
}

/// Named by everything that the image depends on.
fn file_name(architecture: &str) -> String {
    let mut hasher = Sha3_256::new();
    for part in [SOURCES.to_owned()].into_iter().chain(options(architecture)) {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let digest: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{architecture}-{digest}.kernels")
}

/// A file is the digest of the image and the image. One that is not whole counts as none: it is
/// compiled again and replaced.
fn read_cached(path: &Path) -> Option<Vec<u8>> {
    let mut file = fs::read(path).ok()?;
    let image = file.split_off(DIGEST.min(file.len()));
    (Sha3_256::digest(&image)[..] == file[..]).then_some(image)
}

fn write_cached(path: &Path, image: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    fs::write(&partial, [&Sha3_256::digest(image)[..], image].concat())?;
    fs::rename(&partial, path)
}

type Code = c_int;
const SUCCESS: Code = 0;
type Handle = *mut std::ffi::c_void;

/// NVRTC.
struct Compiler {
    create: unsafe extern "C" fn(
        *mut Handle,
        *const c_char,
        *const c_char,
        c_int,
        *const *const c_char,
        *const *const c_char,
    ) -> Code,
    compile: unsafe extern "C" fn(Handle, c_int, *const *const c_char) -> Code,
    image_size: unsafe extern "C" fn(Handle, *mut usize) -> Code,
    image: unsafe extern "C" fn(Handle, *mut c_char) -> Code,
    log_size: unsafe extern "C" fn(Handle, *mut usize) -> Code,
    log: unsafe extern "C" fn(Handle, *mut c_char) -> Code,
    destroy: unsafe extern "C" fn(*mut Handle) -> Code,
    _library: Library,
}

#[expect(unsafe_code, reason = "calls of NVRTC's C interface")]
impl Compiler {
    fn load() -> Result<Self, DeviceError> {
        let names = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", "nvrtc64_130_0.dll"];
        let named = env::var_os(NVRTC_FOLDER).map(PathBuf::from);
        let usual = ["/usr/local/cuda/lib64", "/opt/cuda/lib64"].map(PathBuf::from);
        let folders: Vec<PathBuf> = named.into_iter().chain(usual).collect();
        let missing = |why: String| {
            unavailable(format!(
                "its kernels are not compiled yet and NVRTC, which compiles them, is not there \
                 ({why}); install CUDA's nvrtc library, or name its folder in {NVRTC_FOLDER}"
            ))
        };
        let library = library::open(&names, &folders).map_err(missing)?;
        // SAFETY: the types are those of NVRTC's interface since its version 11.2.
        let loaded = unsafe {
            (|| {
                Ok::<_, libloading::Error>(Self {
                    create: *library.get(b"nvrtcCreateProgram")?,
                    compile: *library.get(b"nvrtcCompileProgram")?,
                    image_size: *library.get(b"nvrtcGetCUBINSize")?,
                    image: *library.get(b"nvrtcGetCUBIN")?,
                    log_size: *library.get(b"nvrtcGetProgramLogSize")?,
                    log: *library.get(b"nvrtcGetProgramLog")?,
                    destroy: *library.get(b"nvrtcDestroyProgram")?,
                    _library: library,
                })
            })()
        };
        loaded.map_err(|why| missing(format!("{why:?}")))
    }

    fn compile(&self, source: &str, architecture: &str) -> Result<Vec<u8>, DeviceError> {
        let text = |text: &str| CString::new(text).map_err(|why| unavailable(why.to_string()));
        let source = text(source)?;
        let options = options(architecture);
        let options = options.iter().map(|option| text(option)).collect::<Result<Vec<_>, _>>()?;
        let options: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
        let count = c_int::try_from(options.len()).unwrap_or(0);
        let mut program: Handle = ptr::null_mut();
        // SAFETY: strings end with zeros and live to the end; a program is made, used and destroyed
        // here; buffers have the sizes that NVRTC said.
        unsafe {
            let none = ptr::null();
            let code =
                (self.create)(&raw mut program, source.as_ptr(), none, 0, ptr::null(), ptr::null());
            if code != SUCCESS {
                return Err(unavailable(format!("NVRTC takes no program (error {code})")));
            }
            let code = (self.compile)(program, count, options.as_ptr());
            let image = if code == SUCCESS {
                text_of(program, self.image_size, self.image)
            } else {
                let log = text_of(program, self.log_size, self.log).unwrap_or_default();
                let log = String::from_utf8_lossy(&log).into_owned();
                Err(format!("NVRTC cannot compile for {architecture} (error {code}): {log}"))
            };
            (self.destroy)(&raw mut program);
            image.map_err(unavailable)
        }
    }
}

/// A buffer that NVRTC fills.
#[expect(unsafe_code, reason = "calls of NVRTC's C interface")]
unsafe fn text_of(
    program: Handle,
    size: unsafe extern "C" fn(Handle, *mut usize) -> Code,
    fill: unsafe extern "C" fn(Handle, *mut c_char) -> Code,
) -> Result<Vec<u8>, String> {
    let mut bytes = 0;
    // SAFETY: the caller's program is one that NVRTC made; the buffer has the size it said.
    unsafe {
        let mut code = size(program, &raw mut bytes);
        let mut buffer = vec![0_u8; bytes];
        if code == SUCCESS {
            code = fill(program, buffer.as_mut_ptr().cast());
        }
        if code == SUCCESS { Ok(buffer) } else { Err(format!("NVRTC failed (error {code})")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_cache_counts_as_none() {
        let folder = env::temp_dir().join(format!("zkinfer-cache-{}", std::process::id()));
        let path = folder.join("deeper").join("some.kernels");
        assert_eq!(read_cached(&path), None);
        write_cached(&path, b"image").unwrap();
        assert_eq!(read_cached(&path).as_deref(), Some(&b"image"[..]));
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(read_cached(&path), None, "{length} bytes");
        }
        for byte in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[byte] ^= 1;
            fs::write(&path, damaged).unwrap();
            assert_eq!(read_cached(&path), None, "byte {byte}");
        }
        write_cached(&path, b"again").unwrap();
        assert_eq!(read_cached(&path).as_deref(), Some(&b"again"[..]));
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing but the file is left");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn files_are_named_by_what_they_depend_on() {
        assert_ne!(file_name("sm_80"), file_name("sm_90"));
        assert!(file_name("sm_90").starts_with("sm_90-"));
        assert_eq!(architecture((9, 0)), "sm_90");
        assert_eq!(architecture((12, 1)), "sm_121");
    }
}
