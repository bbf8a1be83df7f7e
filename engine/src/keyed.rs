//! A key on whichever device it is.

use halo2_proofs::{halo2curves::bn256::G1Affine, plonk};

use crate::{
    error::EngineError,
    key::Key,
    operations::ColumnDevice,
    rounds::{self, Round},
    traffic::DeviceUsage,
};

/// The key of a circuit on one device, whichever it is.
pub(crate) trait Keyed: std::fmt::Debug + Send + Sync {
    /// Makes a proof.
    fn prove(&self, round: Round<'_>) -> Result<(), EngineError>;
    /// What the device was asked for.
    fn usage(&self) -> Option<DeviceUsage>;
    /// halo2's key.
    fn verifying_key(&self) -> &plonk::VerifyingKey<G1Affine>;
}

impl<D: ColumnDevice> Keyed for Key<D> {
    fn prove(&self, round: Round<'_>) -> Result<(), EngineError> {
        rounds::prove(self, round)
    }

    fn usage(&self) -> Option<DeviceUsage> {
        self.device.usage()
    }

    fn verifying_key(&self) -> &plonk::VerifyingKey<G1Affine> {
        &self.verifying_key
    }
}
