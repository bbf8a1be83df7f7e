//! The permutation of the hash, in rows of as many rounds as the columns allow.
//!
//! A full round takes a row: the squares of its three elements have cells of their own. So do some
//! partial rounds, which a row has one after another: only the first element is raised, so what each
//! further round raises is a cell, and all else follows linearly.

use std::iter;

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use zkinfer_verifier::poseidon::{FULL_ROUNDS, PARTIAL_ROUNDS, Poseidon, WIDTH};

use crate::integers::from_verifier;

const _: () = assert!(FULL_ROUNDS.is_multiple_of(2));

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
    /// As many partial rounds as a row has.
    Partial,
    /// The partial rounds that are left, fewer than a row has.
    Rest,
}

/// The linear part of the rounds.
#[derive(Clone, Debug)]
pub(super) struct Permutation {
    /// Partial rounds to a row.
    fused: usize,
    round_constants: Vec<[Fr; WIDTH]>,
    matrix: [[Fr; WIDTH]; WIDTH],
}

/// What partial rounds of one row raise and leave behind, without constants: weights of the powers
/// of its rounds, and then of the second and third element of the state.
#[derive(Clone, Debug)]
pub(super) struct Rounds {
    /// What each round after the first raises.
    pub(super) raised: Vec<Vec<Fr>>,
    /// The next state.
    pub(super) next: [Vec<Fr>; WIDTH],
}

/// Squares to a row: of the three elements of a full round, or of what its partial rounds raise.
pub(super) fn squares(fused: usize) -> usize {
    fused.max(WIDTH)
}

/// Constants to a row: one for each element of the state, and one for each further partial round.
pub(super) fn constants(fused: usize) -> usize {
    WIDTH + fused - 1
}

/// The partial rounds that are left where a row has so many.
pub(super) fn rest(fused: usize) -> usize {
    PARTIAL_ROUNDS % fused
}

/// The rows of one permutation, of which each has so many partial rounds.
pub(super) fn steps(fused: usize) -> impl Iterator<Item = Step> {
    let full = || iter::repeat_n(Step::Full, FULL_ROUNDS / 2);
    let left = (rest(fused) > 0).then_some(Step::Rest);
    full().chain(iter::repeat_n(Step::Partial, PARTIAL_ROUNDS / fused)).chain(left).chain(full())
}

impl Permutation {
    /// The permutation with so many partial rounds to a row.
    pub(super) fn new(fused: usize) -> Self {
        Poseidon::with(|poseidon| Self {
            fused,
            round_constants: poseidon
                .round_constants
                .iter()
                .map(|c| c.map(from_verifier))
                .collect(),
            matrix: poseidon.matrix.map(|row| row.map(from_verifier)),
        })
    }

    /// The constants of each row. What partial rounds add to the elements that they do not raise
    /// is added by the row after.
    pub(super) fn constants(&self) -> Vec<Vec<Fr>> {
        let (mut round, mut carried) = (0, [Fr::ZERO; WIDTH]);
        let row = |step: Step| {
            let first = self.round_constants[round];
            let state =
                std::array::from_fn::<_, WIDTH, _>(|i| first[i] + std::mem::take(&mut carried[i]));
            let mut constants = state.to_vec();
            // The rest of the state as far as it is constants.
            let mut rest = [Fr::ZERO; WIDTH];
            let rounds = self.rounds_of(step);
            for added in &self.round_constants[round + 1..round + rounds] {
                let [first, second, third] = std::array::from_fn(|i| rest[i] + added[i]);
                constants.push(first);
                rest = self.mixed([Fr::ZERO, second, third]);
            }
            carried = rest;
            round += rounds;
            constants.resize(self::constants(self.fused), Fr::ZERO);
            constants
        };
        steps(self.fused).map(row).collect()
    }

    fn rounds_of(&self, step: Step) -> usize {
        match step {
            Step::Partial => self.fused,
            Step::Rest => rest(self.fused),
            Step::Clear | Step::Start | Step::Keep | Step::Full => 1,
        }
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

    /// The partial rounds of a whole row.
    pub(super) fn partial(&self) -> Rounds {
        self.rounds(self.fused)
    }

    /// The partial rounds that are left, if there are any.
    pub(super) fn rest(&self) -> Option<Rounds> {
        let rounds = rest(self.fused);
        (rounds > 0).then(|| self.rounds(rounds))
    }

    fn rounds(&self, rounds: usize) -> Rounds {
        let count = rounds + WIDTH - 1;
        let unit =
            |at: usize| -> Vec<Fr> { (0..count).map(|i| Fr::from(u64::from(i == at))).collect() };
        // The second and third element, as sums of terms.
        let mut others = [unit(rounds), unit(rounds + 1)];
        let mut raised = Vec::new();
        let mut next = [(); WIDTH].map(|()| Vec::new());
        for round in 0..rounds {
            let [second, third] = others;
            let terms = [unit(round), second, third];
            next = self.matrix.map(|row| {
                let weight = |term: usize| (0..WIDTH).map(|i| row[i] * terms[i][term]).sum();
                (0..count).map(weight).collect()
            });
            if round + 1 < rounds {
                raised.push(next[0].clone());
            }
            others = [next[1].clone(), next[2].clone()];
        }
        Rounds { raised, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fifth(x: Fr) -> Fr {
        x.square().square() * x
    }

    fn dot(weights: &[Fr], terms: &[Fr]) -> Fr {
        weights.iter().zip(terms).map(|(w, t)| w * t).sum()
    }

    /// The state after a row of partial rounds.
    fn after(rounds: &Rounds, [a, b, c]: [Fr; WIDTH], constants: &[Fr]) -> [Fr; WIDTH] {
        let mut powers = vec![fifth(a)];
        powers.resize(rounds.raised.len() + 1, Fr::ZERO);
        let mut terms = [powers, vec![b, c]].concat();
        for (at, weights) in rounds.raised.iter().enumerate() {
            terms[at + 1] = fifth(dot(weights, &terms) + constants[WIDTH + at]);
        }
        [0, 1, 2].map(|place| dot(&rounds.next[place], &terms))
    }

    #[test]
    fn the_rows_are_the_permutation() {
        let inputs = [0u64, 1, 2].map(zkinfer_verifier::Fr::from);
        let expected = Poseidon::default().permute(inputs).map(from_verifier);
        for (fused, rows) in [(1, 65), (2, 37), (3, 27), (4, 23), (5, 20), (6, 18)] {
            let permutation = Permutation::new(fused);
            let mut state = [0, 1, 2].map(Fr::from);
            for (step, constants) in steps(fused).zip(permutation.constants()) {
                let t: [Fr; WIDTH] = std::array::from_fn(|i| state[i] + constants[i]);
                state = match step {
                    Step::Full => permutation.full().map(|row| dot(&row, &t.map(fifth))),
                    Step::Partial => after(&permutation.partial(), t, &constants),
                    _ => after(&permutation.rest().unwrap(), t, &constants),
                };
            }
            assert_eq!(state, expected, "{fused} to a row");
            assert_eq!(steps(fused).count(), rows);
        }
    }

    /// So one selector more is enough for the rounds that are left: what they raise is what the first
    /// rounds of a whole row raise.
    #[test]
    fn rounds_that_are_left_begin_as_all_do() {
        for fused in 2..=6 {
            let permutation = Permutation::new(fused);
            let whole = permutation.partial();
            let left = permutation.rest().map_or_else(Vec::new, |rounds| rounds.raised);
            for (weights, of_whole) in left.iter().zip(&whole.raised) {
                let (powers, others) = weights.split_at(weights.len() + 1 - WIDTH);
                let (of_powers, of_others) = of_whole.split_at(fused);
                assert_eq!((powers, others), (&of_powers[..powers.len()], of_others));
                assert!(of_powers[powers.len()..].iter().all(|weight| *weight == Fr::ZERO));
            }
        }
    }
}
