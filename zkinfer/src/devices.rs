//! The devices of this machine: which can be used, how fast they are, and the choice among them.

use std::{io, process::Command};

use zkinfer_engine::{
    CpuOptions, Device, DeviceError, EngineError,
    calibrate::{self, Pace},
    cuda::{self, CudaOptions},
    icicle::{self, IcicleOptions},
};

use crate::error::Error;

/// A device must take at most so much of the processor's time to be chosen instead: an estimate is
/// not a measurement.
const CLEARLY_FASTER: f64 = 0.8;

/// How devices are to be used, if they are.
#[expect(missing_debug_implementations, reason = "how a process is started is a function")]
pub struct Devices<'a> {
    /// The processor.
    pub cpu: CpuOptions,
    /// An NVIDIA GPU.
    pub cuda: CudaOptions,
    /// ICICLE's device.
    pub icicle: IcicleOptions,
    /// The process in which ICICLE's libraries are tried first, because they may end it: it prints
    /// [`icicle::report`] of the options.
    pub trial: &'a dyn Fn(&IcicleOptions) -> io::Result<Command>,
}

/// Which device is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The fastest that can be used.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
    /// ICICLE's device.
    Icicle,
}

/// A device of this machine, or why it is none.
#[derive(Clone, Debug)]
pub struct FoundDevice {
    /// The device.
    pub device: Device,
    /// What it is, or why it cannot be used.
    pub state: Result<DeviceFacts, DeviceError>,
}

/// What is known of a device that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFacts {
    /// Its name, and what it runs.
    pub description: String,
    /// Bytes of memory of its own, where it has some.
    pub memory_bytes: Option<u64>,
}

/// What a proof would take on a device.
#[derive(Clone, Debug)]
pub struct DeviceQuote {
    /// The device.
    pub device: Device,
    /// Seconds, or why the device cannot be used.
    pub prove_seconds: Result<f64, String>,
}

impl Devices<'_> {
    /// All devices, the processor first.
    #[must_use]
    pub fn find(&self) -> Vec<FoundDevice> {
        [
            Device::Cpu(self.cpu),
            Device::Cuda(self.cuda.clone()),
            Device::Icicle(self.icicle.clone()),
        ]
        .into_iter()
        .map(|device| FoundDevice { state: self.facts(&device), device })
        .collect()
    }

    /// What a device is.
    fn facts(&self, device: &Device) -> Result<DeviceFacts, DeviceError> {
        match device {
            Device::Cuda(options) => {
                let gpus = cuda::gpus()?;
                let gpu = gpus.into_iter().find(|gpu| gpu.number == options.number);
                let gpu = gpu.ok_or_else(|| DeviceError::Unavailable {
                    device: device.name(),
                    reason: format!("there is no GPU {}", options.number),
                })?;
                let ((major, minor), (cuda, update)) = (gpu.capability, gpu.driver);
                let description = format!(
                    "{}, compute capability {major}.{minor}, driver for CUDA {cuda}.{update}",
                    gpu.name
                );
                Ok(DeviceFacts { description, memory_bytes: Some(gpu.memory) })
            }
            Device::Icicle(options) => {
                let unavailable = |why: io::Error| DeviceError::Unavailable {
                    device: device.name(),
                    reason: format!("its self-test cannot be started: {why}"),
                };
                // Where there is no library, no process is needed to find that out.
                icicle::find(options)?;
                let mut command = (self.trial)(options).map_err(unavailable)?;
                let found = icicle::probe(&mut command)?;
                let description = format!("ICICLE on {}", options.kind);
                Ok(DeviceFacts { description, memory_bytes: Some(found.free_bytes) })
            }
            _ => Ok(DeviceFacts {
                description: format!("the processor, with {}", self.cpu.instructions.name()),
                memory_bytes: None,
            }),
        }
    }

    /// The device that is asked for, for a circuit of 2^k rows.
    ///
    /// # Errors
    /// If it is named and cannot be used. [`DeviceChoice::Auto`] always finds the processor.
    pub fn choose(&self, choice: DeviceChoice, k: u32) -> Result<Device, Error> {
        let device = match choice {
            DeviceChoice::Auto => return Ok(self.fastest(k)),
            DeviceChoice::Cpu => Device::Cpu(self.cpu),
            DeviceChoice::Cuda => Device::Cuda(self.cuda.clone()),
            DeviceChoice::Icicle => Device::Icicle(self.icicle.clone()),
        };
        self.facts(&device).map_err(|source| Error::Device { source })?;
        Ok(device)
    }

    /// The fastest device for a circuit of 2^k rows: the processor, unless another is clearly
    /// faster.
    fn fastest(&self, k: u32) -> Device {
        let mut best = Device::Cpu(self.cpu);
        let others = self.find().into_iter().filter(|found| found.state.is_ok()).skip(1);
        let others: Vec<Device> = others.map(|found| found.device).collect();
        if others.is_empty() {
            return best;
        }
        let Ok(cpu) = calibrate::pace(&best) else { return best };
        let mut least = CLEARLY_FASTER * cpu.seconds_at(k);
        for device in others {
            let seconds = calibrate::pace(&device).map(|pace| pace.seconds_at(k));
            if let Ok(seconds) = seconds
                && seconds < least
            {
                (best, least) = (device, seconds);
            }
        }
        best
    }

    /// What a proof of 2^k rows takes on every device, if it takes so many seconds on the processor.
    #[must_use]
    pub fn quote(&self, k: u32, cpu_seconds: f64) -> Vec<DeviceQuote> {
        let mut cpu: Option<Result<Pace, EngineError>> = None;
        let quote = |FoundDevice { device, state }| {
            let prove_seconds = match state {
                Err(why) => Err(reason(&why)),
                Ok(_) if matches!(device, Device::Cpu(_)) => Ok(cpu_seconds),
                Ok(_) => {
                    let cpu = cpu.get_or_insert_with(|| calibrate::pace(&Device::Cpu(self.cpu)));
                    match (cpu, calibrate::pace(&device)) {
                        (Ok(cpu), Ok(pace)) => {
                            Ok(cpu_seconds * pace.seconds_at(k) / cpu.seconds_at(k))
                        }
                        (Err(why), _) => Err(why.to_string()),
                        (_, Err(why)) => Err(why.to_string()),
                    }
                }
            };
            DeviceQuote { device, prove_seconds }
        };
        self.find().into_iter().map(quote).collect()
    }
}

/// Why a device cannot be used, without its name.
#[must_use]
pub fn reason(why: &DeviceError) -> String {
    match why {
        DeviceError::Unavailable { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}
