//! The permutation of the hash, in rows of as many rounds as the degree of the gates allows.
//!
//! A full round takes a row: the squares of its three elements have cells of their own. So do three
//! partial rounds: only the first element is raised, so what the second and the third of them raise
//! is a cell, and all else follows linearly.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use zkinfer_verifier::poseidon::{FULL_ROUNDS, PARTIAL_ROUNDS, Poseidon, ROUNDS, WIDTH};

use crate::integers::from_verifier;

/// Partial rounds to a row.
pub(super) const FUSED: usize = 3;
/// Constants of a row: one for each element of the state, and one for each further partial round.
pub(super) const CONSTANTS: usize = WIDTH + FUSED - 1;

const _: () = assert!(PARTIAL_ROUNDS.is_multiple_of(FUSED) && FULL_ROUNDS.is_multiple_of(2));

/// What a row does to the state of the hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Step {
    /// The next state is zero.
    #[default]
    Clear,
    /// The next state is the row's constants.
    Start,
    Keep,
    /// A full round.
    Full,
    /// As many partial rounds as are [`FUSED`].
    Partial,
}

/// The linear part of the rounds.
#[derive(Clone, Debug)]
pub(super) struct Permutation {
    round_constants: Vec<[Fr; WIDTH]>,
    matrix: [[Fr; WIDTH]; WIDTH],
}

impl Default for Permutation {
    fn default() -> Self {
        let poseidon = Poseidon::default();
        Self {
            round_constants: poseidon
                .round_constants
                .iter()
                .map(|c| c.map(from_verifier))
                .collect(),
            matrix: poseidon.matrix.map(|row| row.map(from_verifier)),
        }
    }
}

impl Permutation {
    /// The rows of one permutation.
    pub(super) fn steps() -> impl Iterator<Item = Step> {
        let mut round = 0;
        std::iter::from_fn(move || {
            (round < ROUNDS).then(|| {
                let is_full = Poseidon::is_full(round);
                round += if is_full { 1 } else { FUSED };
                if is_full { Step::Full } else { Step::Partial }
            })
        })
    }

    /// The constants of each row. What partial rounds add to the elements that they do not raise
    /// is added by the row after.
    pub(super) fn constants(&self) -> Vec<[Fr; CONSTANTS]> {
        let (mut round, mut carried) = (0, [Fr::ZERO; WIDTH]);
        let row = |step: Step| {
            let first = self.round_constants[round];
            let [a, b, c] = std::array::from_fn(|i| first[i] + std::mem::take(&mut carried[i]));
            if step == Step::Full {
                round += 1;
                return [a, b, c, Fr::ZERO, Fr::ZERO];
            }
            let mut further = [Fr::ZERO; FUSED - 1];
            // The rest of the state as far as it is constants.
            let mut rest = [Fr::ZERO; WIDTH];
            for (at, further) in further.iter_mut().enumerate() {
                let added = self.round_constants[round + 1 + at];
                let [first, second, third] = std::array::from_fn(|i| rest[i] + added[i]);
                *further = first;
                rest = self.mixed([Fr::ZERO, second, third]);
            }
            carried = rest;
            round += FUSED;
            let [d, e] = further;
            [a, b, c, d, e]
        };
        Self::steps().map(row).collect()
    }

    /// The matrix times a state.
    fn mixed(&self, state: [Fr; WIDTH]) -> [Fr; WIDTH] {
        self.matrix.map(|row| row.iter().zip(state).map(|(entry, x)| entry * x).sum())
    }

    /// What a full round makes of the powers of the state: the weight of each power in each element
    /// of the next state.
    pub(super) fn full(&self) -> [[Fr; WIDTH]; WIDTH] {
        self.matrix
    }

    /// What partial rounds raise and leave behind, without constants: weights of the powers of the
    /// rounds so far and of the second and third element of the state. First what the further rounds
    /// raise, then the next state.
    pub(super) fn partial(&self) -> [[Fr; FUSED + WIDTH - 1]; FUSED - 1 + WIDTH] {
        const TERMS: usize = FUSED + WIDTH - 1;
        let unit = |at: usize| std::array::from_fn(|i| Fr::from(u64::from(i == at)));
        // The second and third element, as sums of terms.
        let mut others: [[Fr; TERMS]; WIDTH - 1] = [unit(FUSED), unit(FUSED + 1)];
        let mut rows = [[Fr::ZERO; TERMS]; FUSED - 1 + WIDTH];
        for round in 0..FUSED {
            let terms = [unit(round), others[0], others[1]];
            let next = self.matrix.map(|row| {
                std::array::from_fn(|term| (0..WIDTH).map(|i| row[i] * terms[i][term]).sum())
            });
            if round + 1 < FUSED {
                rows[round] = next[0];
                others = [next[1], next[2]];
            } else {
                rows[FUSED - 1..].copy_from_slice(&next);
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fifth(x: Fr) -> Fr {
        x.square().square() * x
    }

    #[test]
    fn the_rows_are_the_permutation() {
        let permutation = Permutation::default();
        let (full, partial) = (permutation.full(), permutation.partial());
        let mut state = [0, 1, 2].map(Fr::from);
        for (step, constants) in Permutation::steps().zip(permutation.constants()) {
            let [a, b, c]: [Fr; WIDTH] = std::array::from_fn(|i| state[i] + constants[i]);
            state = if step == Step::Full {
                let powers = [a, b, c].map(fifth);
                full.map(|row| row.iter().zip(powers).map(|(w, p)| w * p).sum())
            } else {
                let mut terms = [fifth(a), Fr::ZERO, Fr::ZERO, b, c];
                let of = |weights: &[Fr; 5], terms: &[Fr; 5]| -> Fr {
                    weights.iter().zip(terms).map(|(w, t)| w * t).sum()
                };
                for round in 1..FUSED {
                    let raised = of(&partial[round - 1], &terms) + constants[WIDTH + round - 1];
                    terms[round] = fifth(raised);
                }
                std::array::from_fn(|i| of(&partial[FUSED - 1 + i], &terms))
            };
        }
        let inputs = [0u64, 1, 2].map(zkinfer_verifier::Fr::from);
        let expected = Poseidon::default().permute(inputs).map(from_verifier);
        assert_eq!(state, expected);
        assert_eq!(Permutation::steps().count(), 27);
    }
}
