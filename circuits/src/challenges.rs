//! The challenges of a circuit, all drawn after its first phase.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Challenge, ConstraintSystem, FirstPhase},
};
use zkinfer_verifier::MAX_CHALLENGES;

use crate::chain::monomial::Lattice;

/// Challenges that are drawn whatever the layers are.
const SHARED: usize = 5;

/// Linear layers of a circuit, each of which has a challenge: as many as a key can describe.
pub(crate) const MAX_LAYERS: usize = MAX_CHALLENGES - SHARED;

/// The challenges, their values, or expressions of them.
#[derive(Clone, Debug)]
pub(crate) struct Challenges<T> {
    /// Weighs channels, rows and columns.
    pub(crate) lattice: Lattice<T>,
    /// Combines key, tag and value of a lookup.
    pub(crate) theta: T,
    /// The point at which the logarithmic derivative is taken.
    pub(crate) pole: T,
    /// One per linear layer.
    pub(crate) layers: Vec<T>,
}

impl Challenges<Challenge> {
    /// Those of a circuit with so many linear layers.
    pub(crate) fn allocate(meta: &mut ConstraintSystem<Fr>, layers: usize) -> Self {
        let mut draw = || meta.challenge_usable_after(FirstPhase);
        let [channel, theta, pole, row, column] = [(); SHARED].map(|()| draw());
        let layers = (0..layers).map(|_| draw()).collect();
        Self { lattice: Lattice { channel, row, column }, theta, pole, layers }
    }

    /// Every challenge as a value of type `T`.
    pub(crate) fn map<T>(&self, mut value: impl FnMut(Challenge) -> T) -> Challenges<T> {
        let Lattice { channel, row, column } = self.lattice;
        Challenges {
            lattice: Lattice { channel: value(channel), row: value(row), column: value(column) },
            theta: value(self.theta),
            pole: value(self.pole),
            layers: self.layers.iter().map(|&layer| value(layer)).collect(),
        }
    }
}
