//! A fast prover for halo2-axiom circuits: halo2's keys and proofs (KZG over BN254, SHPLONK,
//! Keccak-256 transcript), on kernels of its own.
//!
//! The way through the crate: a [`Device`] says where the work is done; [`EngineKey::new`] lays a
//! circuit out and commits to what is fixed in it, once, on that device; [`EngineKey::prove`] writes
//! a proof to a transcript. Any `halo2_proofs::plonk::Circuit` over BN254 is proved as it is; one
//! that knows its advice by columns says so with [`EngineCircuit::advice`] and is not laid out
//! again for every proof.
//!
//! What it is not: it reads no files, trusts no SRS, and checks no proof. Whoever makes a proof
//! verifies it before it is handed on.

mod arena;
mod argument;
mod assembly;
pub mod calibrate;
mod column;
mod combine;
mod copies;
mod cosets;
mod cpu;
pub mod cuda;
mod device;
mod error;
pub mod icicle;
mod kernels;
mod key;
mod keyed;
mod known;
mod lookup;
mod opening;
mod operations;
mod program;
mod rounds;
mod traffic;
mod witness;

#[cfg(test)]
extern crate self as zkinfer_engine;

use std::marker::PhantomData;

use halo2_proofs::{
    halo2curves::bn256::{Fr, G1Affine},
    plonk,
};
use rand_core::RngCore;

use self::{assembly::lay_out, keyed::Keyed, rounds::Round};
pub use self::{
    column::{Column, TableSums},
    combine::combine_pieces,
    cpu::CpuOptions,
    device::Device,
    error::{DeviceError, EngineError},
    kernels::{Instructions, measure},
    known::{KeyCommitments, Known, Store},
    rounds::{ProofTranscript, Stage},
    traffic::DeviceUsage,
    witness::{AdvicePhases, EngineCircuit},
};

/// A circuit, laid out and committed to on one device: what proofs of it share.
#[derive(Debug)]
pub struct EngineKey<C> {
    key: Box<dyn Keyed>,
    device: Device,
    circuit: PhantomData<fn(&C)>,
}

impl<C: EngineCircuit> EngineKey<C> {
    /// Makes the key of `circuit` on `device`, for an SRS given by its Lagrange basis, one point a
    /// row, and its first two powers, `[1]₁` and `[τ]₁`.
    ///
    /// # Errors
    /// What the circuit itself refuses, too few rows, or a device that is not there.
    pub fn new(
        circuit: &C,
        lagrange: &[G1Affine],
        powers: [G1Affine; 2],
        device: &Device,
    ) -> Result<Self, EngineError> {
        Self::with(circuit, lagrange, powers, device, Known::default())
    }

    /// [`Self::new`] without computing what is known. Where that is wrong, proofs do not verify, and
    /// the verifying key may be none of the circuit.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(
        circuit: &C,
        lagrange: &[G1Affine],
        powers: [G1Affine; 2],
        device: &Device,
        known: Known<'_>,
    ) -> Result<Self, EngineError> {
        let data = lay_out(circuit, lagrange.len().trailing_zeros())?;
        let key = device.key(data, lagrange, powers, known)?;
        Ok(Self { key, device: device.clone(), circuit: PhantomData })
    }

    /// halo2's verifying key of the circuit: the same that its own key generation makes.
    #[must_use]
    pub fn verifying_key(&self) -> &plonk::VerifyingKey<G1Affine> {
        self.key.verifying_key()
    }

    /// Where the key is, and where its proofs are made.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What went to the device and back since the key was begun; `None` for the processor.
    #[must_use]
    pub fn usage(&self) -> Option<DeviceUsage> {
        self.key.usage()
    }

    /// Proves `circuit` with `instance`, writing to `transcript`; `rng` blinds the witness, so it
    /// must be unpredictable in production. `progress` is told what begins.
    ///
    /// # Errors
    /// If the circuit has no witness, or the device fails. An unsatisfied circuit may give a proof
    /// that does not verify: the caller checks it.
    pub fn prove(
        &self,
        circuit: &C,
        instance: &[&[Fr]],
        rng: &mut dyn RngCore,
        transcript: &mut ProofTranscript,
        progress: &dyn Fn(Stage),
    ) -> Result<(), EngineError> {
        self.key.prove(Round { witness: circuit, instance, rng, transcript, progress })
    }
}
