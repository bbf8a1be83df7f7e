//! Where proofs are made.

use std::{env, io, path::PathBuf, process};

use clap::ValueEnum;
use zkinfer::{
    DeviceChoice, Devices,
    engine::{CpuOptions, Instructions, cuda::CudaOptions, icicle::IcicleOptions},
};

/// The instruction sets that can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InstructionsName {
    /// AVX-512 with IFMA.
    #[value(name = "avx512ifma")]
    Avx512Ifma,
    /// AVX-512 without IFMA.
    Avx512,
    /// AVX2.
    Avx2,
    /// 64-bit words, on any processor.
    Portable,
}

impl From<InstructionsName> for Instructions {
    fn from(name: InstructionsName) -> Self {
        match name {
            InstructionsName::Avx512Ifma => Self::Avx512Ifma,
            InstructionsName::Avx512 => Self::Avx512,
            InstructionsName::Avx2 => Self::Avx2,
            InstructionsName::Portable => Self::Portable,
        }
    }
}

/// The devices that can be chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeviceName {
    /// The fastest that can be used.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
    /// What ICICLE has a backend for, where it is installed.
    Icicle,
}

impl From<DeviceName> for DeviceChoice {
    fn from(name: DeviceName) -> Self {
        match name {
            DeviceName::Auto => Self::Auto,
            DeviceName::Cpu => Self::Cpu,
            DeviceName::Cuda => Self::Cuda,
            DeviceName::Icicle => Self::Icicle,
        }
    }
}

/// Where ICICLE is, and which of its devices.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Icicle {
    /// The folder of libicicle_device.so; by default where ICICLE_BACKEND_INSTALL_DIR and its
    /// installers put it.
    #[arg(long, value_name = "FOLDER")]
    icicle_dir: Option<PathBuf>,
    /// ICICLE's name of the device.
    #[arg(long, value_name = "NAME", default_value = "CUDA")]
    icicle_device: String,
}

impl Icicle {
    /// ICICLE's device as it was asked for.
    pub(crate) fn options(&self) -> IcicleOptions {
        IcicleOptions { folder: self.icicle_dir.clone(), kind: self.icicle_device.clone() }
    }

    /// All devices, with these instructions of the processor or its fastest.
    pub(crate) fn devices(
        &self,
        instructions: Option<InstructionsName>,
    ) -> anyhow::Result<Devices<'static>> {
        let mut cpu = CpuOptions::default();
        if let Some(name) = instructions {
            cpu.instructions = name.into();
            let (name, fastest) = (cpu.instructions.name(), Instructions::detect().name());
            anyhow::ensure!(
                cpu.instructions.is_available(),
                "this processor does not have the instructions {name}; its fastest are {fastest}"
            );
        }
        let (cuda, icicle) = (CudaOptions::default(), self.options());
        Ok(Devices { cpu, cuda, icicle, trial: &trial })
    }
}

/// This very program, as a process in which ICICLE's libraries may do what they like.
fn trial(options: &IcicleOptions) -> io::Result<process::Command> {
    let mut command = process::Command::new(env::current_exe()?);
    command.args(["try-icicle", "--icicle-device", &options.kind]);
    if let Some(folder) = &options.folder {
        command.arg("--icicle-dir").arg(folder);
    }
    Ok(command)
}

/// What `devices` looks for.
#[derive(Debug, clap::Args)]
pub(crate) struct FindDevices {
    #[command(flatten)]
    pub(crate) icicle: Icicle,
}
