//! The key of a circuit: the engine's, and halo2's where the reference prover needs it.

use std::sync::OnceLock;

use halo2_proofs::{
    halo2curves::bn256::G1Affine,
    plonk::{Error, ProvingKey, VerifyingKey, keygen_pk},
};

use crate::{
    Srs,
    engine::{EngineCircuit, EngineKey, EngineOptions},
};

/// What proofs of one circuit share.
#[derive(Debug)]
pub struct CircuitKey<C> {
    engine: EngineKey<C>,
    reference: OnceLock<ProvingKey<G1Affine>>,
}

impl<C: EngineCircuit> CircuitKey<C> {
    /// Lays `circuit` out on the rows of `srs` and commits to what is fixed in it.
    ///
    /// # Errors
    /// What the circuit itself refuses, or too few rows.
    pub fn new(srs: &Srs, circuit: &C, options: EngineOptions) -> Result<Self, Error> {
        let engine = EngineKey::new(circuit, srs.lagrange_points(), srs.first_powers(), options)?;
        Ok(Self { engine, reference: OnceLock::new() })
    }

    /// halo2's verifying key: the same that its own key generation makes.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey<G1Affine> {
        self.engine.verifying_key()
    }

    /// The engine's key.
    #[must_use]
    pub fn engine(&self) -> &EngineKey<C> {
        &self.engine
    }

    /// halo2's proving key, made at the first call: it takes longer than the engine's and several
    /// times the memory.
    ///
    /// # Errors
    /// What halo2's key generation refuses.
    pub fn reference(&self, srs: &Srs, circuit: &C) -> Result<&ProvingKey<G1Affine>, Error> {
        if let Some(key) = self.reference.get() {
            return Ok(key);
        }
        let verifying_key = self.verifying_key().clone();
        let key = keygen_pk(srs.params(), verifying_key, &circuit.without_witnesses())?;
        Ok(self.reference.get_or_init(|| key))
    }
}
