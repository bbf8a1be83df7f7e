//! Why there is no key or no proof.

use std::io;

use halo2_proofs::plonk;
use thiserror::Error;

/// Why a key or a proof was not made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The circuit, its witness or its instance.
    #[error("{0}")]
    Circuit(plonk::Error),
    /// The blinding that a circuit chose is of no advice column of it, twice of one, or of fewer rows
    /// than halo2 blinds, or of more than there are.
    #[error("the chosen blinding does not fit the columns and the blinded rows of the circuit")]
    Blinding,
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl From<plonk::Error> for EngineError {
    fn from(source: plonk::Error) -> Self {
        Self::Circuit(source)
    }
}

/// The transcript could not be written.
impl From<io::Error> for EngineError {
    fn from(source: io::Error) -> Self {
        Self::Circuit(source.into())
    }
}

/// Why a device did not do what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The processor lacks the instructions that were chosen.
    #[error("this processor does not have the instructions {wanted}; its fastest are {fastest}")]
    Instructions {
        /// What was chosen.
        wanted: &'static str,
        /// What could be.
        fastest: &'static str,
    },
    /// The device cannot be used on this machine.
    #[error("the device {device} cannot be used: {reason}")]
    Unavailable {
        /// Its name.
        device: &'static str,
        /// Why, and what would help.
        reason: String,
    },
    /// The circuit does not fit the memory of the device.
    #[error(
        "the device {device} has {available} bytes of memory free, {needed} are needed; \
         prove on the processor with --device cpu"
    )]
    OutOfMemory {
        /// Its name.
        device: &'static str,
        /// Bytes.
        needed: u64,
        /// Bytes.
        available: u64,
    },
    /// The device failed at its work.
    #[error("the device {device} failed ({operation}): {reason}")]
    Failed {
        /// Its name.
        device: &'static str,
        /// What it was doing.
        operation: &'static str,
        /// What it said.
        reason: String,
    },
}
