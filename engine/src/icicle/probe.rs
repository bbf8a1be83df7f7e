//! Whether the device can be trusted, tried where it can do no harm.

use std::{
    ffi::{c_int, c_uint},
    io::Read,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{library::unavailable, open, options::IcicleOptions, self_test};
use crate::error::DeviceError;

/// The longest that a device may take to load its libraries and pass its self-test.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the process is looked at.
const PAUSE: Duration = Duration::from_millis(10);
/// What begins the answer of a device that passed.
const PASSED: &str = "icicle passed, free bytes: ";
/// What begins the answer of a device that did not.
const REFUSED: &str = "icicle refused: ";

/// A device that passed its self-test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Free bytes of its memory.
    pub free_bytes: u64,
}

/// Tries the device in this process, and says how it went in a line for [`probe`]. A library may
/// end the process.
#[must_use]
pub fn report(options: &IcicleOptions) -> String {
    let tried = open(options, 1).and_then(|machine| {
        self_test::run(&machine)?;
        machine.free_bytes()
    });
    match tried {
        Ok(free_bytes) => format!("{PASSED}{free_bytes}"),
        Err(DeviceError::Unavailable { reason, .. }) => format!("{REFUSED}{reason}"),
        Err(other) => format!("{REFUSED}{other}"),
    }
}

/// Tries the device in a process of its own: `command` must print what [`report`] gives for the
/// options.
///
/// # Errors
/// A device that cannot be used, one that ends its process, or one that does not answer in two
/// minutes.
pub fn probe(command: &mut Command) -> Result<Probe, DeviceError> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command
        .spawn()
        .map_err(|why| unavailable(format!("its self-test cannot be started: {why}")))?;
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if start.elapsed() < PATIENCE => thread::sleep(PAUSE),
            Ok(None) => {
                // It is waited for, so that none is left behind.
                let _ = child.kill().and_then(|()| child.wait());
                return Err(unavailable("its self-test did not end in two minutes"));
            }
            Err(why) => return Err(unavailable(format!("its self-test was lost: {why}"))),
        }
    };
    let mut answer = String::new();
    if let Some(output) = &mut child.stdout {
        // A line; what cannot be read is no answer.
        let _ = output.take(1 << 16).read_to_string(&mut answer);
    }
    let line = |start| answer.lines().find_map(|line| line.strip_prefix(start));
    if let Some(reason) = line(REFUSED) {
        return Err(unavailable(reason));
    }
    let free_bytes = line(PASSED).and_then(|bytes| bytes.parse().ok());
    let probe = free_bytes.map(|free_bytes| Probe { free_bytes });
    probe.filter(|_| status.success()).ok_or_else(|| {
        unavailable(format!("its library ended the process of the self-test ({status})"))
    })
}

/// Looks for an NVIDIA driver and a GPU: without them the backend ends the process that loads it.
pub(super) fn check_driver() -> Result<(), DeviceError> {
    const DRIVER: &str = "libcuda.so.1";
    let missing = |_| unavailable(format!("there is no NVIDIA driver: {DRIVER} is not installed"));
    let strange = |_| unavailable(format!("{DRIVER} is not NVIDIA's driver"));
    // SAFETY: the driver's library; it only registers itself.
    let driver = unsafe { libloading::Library::new(DRIVER) }.map_err(missing)?;
    type Init = unsafe extern "C" fn(c_uint) -> c_int;
    type Count = unsafe extern "C" fn(*mut c_int) -> c_int;
    // SAFETY: the signatures are those of the driver's interface.
    let init = unsafe { driver.get::<Init>(b"cuInit") }.map_err(strange)?;
    // SAFETY: as above.
    let count = unsafe { driver.get::<Count>(b"cuDeviceGetCount") }.map_err(strange)?;
    let mut gpus = 0;
    // SAFETY: `cuInit` takes no flags but zero; the count is written to an integer.
    let (code, counted) = unsafe { (init(0), count(&raw mut gpus)) };
    if code != 0 || counted != 0 {
        return Err(unavailable(format!("the NVIDIA driver does not start: error {code}")));
    }
    if gpus == 0 {
        return Err(unavailable("the NVIDIA driver shows no GPU"));
    }
    Ok(())
}
