//! Which device, and how it is named.

use std::path::PathBuf;

/// The name in errors.
pub(super) const DEVICE: &str = "icicle";
/// The type of ICICLE's devices on NVIDIA GPUs.
pub(super) const CUDA: &str = "CUDA";
/// The type of ICICLE's device on the processor, which needs no backend.
pub(super) const CPU: &str = "CPU";

/// Which of ICICLE's devices, and where its libraries are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcicleOptions {
    /// The folder of `libicicle_device.so`; without one, `ICICLE_BACKEND_INSTALL_DIR` and the usual
    /// folders.
    pub folder: Option<PathBuf>,
    /// ICICLE's name of the device: `CUDA`, or another backend's.
    pub kind: String,
}

impl Default for IcicleOptions {
    fn default() -> Self {
        Self { folder: None, kind: CUDA.to_owned() }
    }
}
