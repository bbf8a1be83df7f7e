//! The proving engine: halo2's proofs, on our own kernels.

mod arena;
mod argument;
mod assembly;
mod column;
mod copies;
mod cpu;
pub(crate) mod device;
mod key;
mod lookup;
mod opening;
mod program;
mod rounds;
mod witness;

use halo2_proofs::{
    halo2curves::{
        bn256::{Fr, G1Affine},
        ff::Field,
    },
    plonk::{self, Error},
};
use rand_core::RngCore;

use self::{cpu::CpuDevice, device::Device, key::Key};
pub use self::{
    rounds::ProofTranscript,
    witness::{AdvicePhases, EngineCircuit},
};
use crate::kernels::arithmetic::{Arithmetic, Instructions, Run};

/// A part of a proof, as progress and profiles name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The circuit computes its witness.
    Witness,
    /// Commitments to advice columns.
    Advice,
    /// Permuted columns of halo2's lookup argument.
    Lookups,
    /// Running products of the permutation argument and of lookups.
    Products,
    /// The quotient and the commitments to its pieces.
    Quotient,
    /// The values of all polynomials.
    Evaluations,
    /// The opening.
    Opening,
    /// All of a proof by halo2's own prover.
    Reference,
}

impl Stage {
    /// For progress bars and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Witness => "witness",
            Self::Advice => "advice commitments",
            Self::Lookups => "lookups",
            Self::Products => "permutation products",
            Self::Quotient => "quotient",
            Self::Evaluations => "evaluations",
            Self::Opening => "opening",
            Self::Reference => "halo2's prover",
        }
    }
}

/// The key of a circuit on one device, whichever it is.
trait Proves<C>: std::fmt::Debug + Send + Sync {
    fn prove(
        &self,
        circuit: &C,
        instance: &[&[Fr]],
        rng: &mut dyn RngCore,
        transcript: &mut ProofTranscript,
        progress: &dyn Fn(Stage),
    ) -> Result<(), Error>;
    fn verifying_key(&self) -> &plonk::VerifyingKey<G1Affine>;
}

impl<D: Device, C: EngineCircuit> Proves<C> for Key<D> {
    fn prove(
        &self,
        circuit: &C,
        instance: &[&[Fr]],
        rng: &mut dyn RngCore,
        transcript: &mut ProofTranscript,
        progress: &dyn Fn(Stage),
    ) -> Result<(), Error> {
        rounds::prove(self, circuit, instance, rng, transcript, progress)
    }

    fn verifying_key(&self) -> &plonk::VerifyingKey<G1Affine> {
        &self.verifying_key
    }
}

/// The smallest circuits that vector arithmetic is used for, log2 of rows.
const MIN_VECTOR_K: u32 = 5;

/// What the engine may use.
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// The instructions that the kernels run on.
    pub instructions: Instructions,
    /// Bytes for tables of multiples of the SRS.
    pub table_bytes: usize,
    /// Bytes for columns of the key on the cosets of the quotient.
    pub extension_bytes: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            instructions: Instructions::detect(),
            table_bytes: 64 << 20,
            extension_bytes: 512 << 20,
        }
    }
}

/// A circuit, laid out and committed to: what proofs of it share.
#[derive(Debug)]
pub struct EngineKey<C>(Box<dyn Proves<C>>);

impl<C: EngineCircuit> EngineKey<C> {
    /// Makes the key of `circuit` for an SRS given by its Lagrange basis and its first two powers.
    ///
    /// # Errors
    /// What the circuit itself refuses, or too few rows.
    pub fn new(
        circuit: &C,
        lagrange: &[G1Affine],
        powers: [G1Affine; 2],
        options: EngineOptions,
    ) -> Result<Self, Error> {
        // Eight lanes need a few packs; circuits this small are only in tests.
        let small = lagrange.len() < 1 << MIN_VECTOR_K;
        let instructions = if small { Instructions::Portable } else { options.instructions };
        instructions.run(MakeKey { circuit, lagrange, powers, options })
    }

    /// halo2's verifying key of the circuit.
    #[must_use]
    pub fn verifying_key(&self) -> &plonk::VerifyingKey<G1Affine> {
        self.0.verifying_key()
    }

    /// Proves `circuit` with `instance`, writing to `transcript`.
    ///
    /// # Errors
    /// If the circuit has no witness. An unsatisfied circuit may give a proof that does not verify.
    pub fn prove(
        &self,
        circuit: &C,
        instance: &[&[Fr]],
        rng: &mut dyn RngCore,
        transcript: &mut ProofTranscript,
        progress: &dyn Fn(Stage),
    ) -> Result<(), Error> {
        self.0.prove(circuit, instance, rng, transcript, progress)
    }
}

struct MakeKey<'a, C> {
    circuit: &'a C,
    lagrange: &'a [G1Affine],
    powers: [G1Affine; 2],
    options: EngineOptions,
}

impl<C: EngineCircuit> Run for MakeKey<'_, C> {
    type Output = Result<EngineKey<C>, Error>;

    fn run<A: Arithmetic>(self, arithmetic: A) -> Self::Output {
        let k = self.lagrange.len().trailing_zeros();
        let mut constraints = plonk::ConstraintSystem::default();
        C::configure_with_params(&mut constraints, self.circuit.params());
        let degree = constraints.degree();
        let device = CpuDevice::new(arithmetic, k, degree, self.lagrange, self.options.table_bytes);
        let extensions = self.options.extension_bytes / device.extension_bytes();
        let key = Key::new(device, self.circuit, k, self.powers, extensions)?;
        Ok(EngineKey(Box::new(key)))
    }
}

/// `base^0, base^1, …`.
fn powers_of(base: Fr, count: usize) -> Vec<Fr> {
    std::iter::successors(Some(Fr::ONE), |power| Some(power * base)).take(count).collect()
}
