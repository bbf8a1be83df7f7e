//! The Poseidon permutation over three elements of BN254's scalar field ([eprint 2019/458]).
//!
//! Exponent 5, 8 full and 57 partial rounds: the instance that circomlib and most contracts call
//! `Poseidon(2)`. Its constants are drawn from the paper's Grain LFSR instead of being listed.
//!
//! [eprint 2019/458]: https://eprint.iacr.org/2019/458

#![expect(
    clippy::arithmetic_side_effects,
    reason = "field arithmetic only: it wraps by definition; divisors are sums of random elements"
)]

use alloc::vec::Vec;

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, BigInt, Field, PrimeField};

/// Elements of the state.
pub const WIDTH: usize = 3;
/// Rounds that raise every element to the fifth power, half of them first, half of them last.
pub const FULL_ROUNDS: usize = 8;
/// Rounds that raise the first element only.
pub const PARTIAL_ROUNDS: usize = 57;
/// Rounds in all.
pub const ROUNDS: usize = FULL_ROUNDS + PARTIAL_ROUNDS;

/// The permutation's constants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poseidon {
    /// What each round adds to the state before anything else.
    pub round_constants: Vec<[Fr; WIDTH]>,
    /// The matrix that ends every round.
    pub matrix: [[Fr; WIDTH]; WIDTH],
}

impl Default for Poseidon {
    fn default() -> Self {
        let mut grain = Grain::new();
        let round_constants = (0..ROUNDS).map(|_| [(); WIDTH].map(|()| grain.element())).collect();
        let columns = [(); WIDTH].map(|()| grain.reduced_element());
        let rows = [(); WIDTH].map(|()| grain.reduced_element());
        // A Cauchy matrix; the draw of these parameters has no sum that is zero.
        let entry = |sum: Fr| sum.inverse().unwrap_or_default();
        Self { round_constants, matrix: columns.map(|x| rows.map(|y| entry(x + y))) }
    }
}

impl Poseidon {
    /// What `read` makes of the instance, whose constants are drawn once in a process; each time where
    /// there is no `std`.
    pub fn with<T>(read: impl FnOnce(&Self) -> T) -> T {
        #[cfg(feature = "std")]
        {
            static INSTANCE: std::sync::OnceLock<Poseidon> = std::sync::OnceLock::new();
            read(INSTANCE.get_or_init(Self::default))
        }
        #[cfg(not(feature = "std"))]
        read(&Self::default())
    }

    /// Whether a round raises every element to the fifth power, or the first only.
    #[must_use]
    pub fn is_full(round: usize) -> bool {
        let partial = FULL_ROUNDS / 2..FULL_ROUNDS / 2 + PARTIAL_ROUNDS;
        !partial.contains(&round)
    }

    /// The permutation of a state.
    #[must_use]
    pub fn permute(&self, state: [Fr; WIDTH]) -> [Fr; WIDTH] {
        self.round_constants.iter().enumerate().fold(state, |state, (round, constants)| {
            let [a, b, c] = sum(state, *constants);
            let full = Self::is_full(round);
            let raised = if full { [fifth(a), fifth(b), fifth(c)] } else { [fifth(a), b, c] };
            self.matrix.map(|row| {
                let [x, y, z] = raised;
                let [p, q, r] = row;
                p * x + q * y + r * z
            })
        })
    }

    /// The sponge of rate two over this permutation: `capacity` is what the capacity begins with, the
    /// digest is the first element of the rate. An odd last element is followed by a zero, so
    /// `capacity` must tell how many elements there are.
    #[must_use]
    pub fn sponge(&self, capacity: Fr, elements: &[Fr]) -> Fr {
        let (pairs, rest) = elements.as_chunks::<2>();
        let last = rest.first().map(|&element| [element, Fr::ZERO]);
        let blocks = pairs.iter().copied().chain(last);
        let [_, digest, _] = blocks.fold([capacity, Fr::ZERO, Fr::ZERO], |state, [a, b]| {
            self.permute(sum(state, [Fr::ZERO, a, b]))
        });
        digest
    }
}

fn sum([a, b, c]: [Fr; WIDTH], [x, y, z]: [Fr; WIDTH]) -> [Fr; WIDTH] {
    [a + x, b + y, c + z]
}

fn fifth(x: Fr) -> Fr {
    x.square().square() * x
}

/// The paper's self-shrinking Grain LFSR: 80 bits, the oldest in front.
struct Grain(u128);

impl Grain {
    /// Field of odd characteristic (1) with 254 bits, power S-box (0), width, rounds, 30 ones.
    fn new() -> Self {
        let fields = [(1, 2), (0, 4), (254, 12), (3, 12), (8, 10), (57, 10), ((1 << 30) - 1, 30)];
        let mut grain = Self(fields.iter().fold(0, |bits, &(value, width)| bits << width | value));
        (0..160).for_each(|_| {
            grain.step();
        });
        grain
    }

    fn step(&mut self) -> bool {
        let taps = [62, 51, 38, 23, 13, 0].map(|tap: u32| self.0 >> 79u32.saturating_sub(tap));
        let bit = taps.iter().fold(0, |sum, tap| sum ^ tap) & 1;
        self.0 = (self.0 << 1 | bit) & ((1 << 80) - 1);
        bit == 1
    }

    /// Bits come in pairs; the second is used where the first is 1.
    fn bit(&mut self) -> bool {
        while !self.step() {
            self.step();
        }
        self.step()
    }

    /// 254 bits, the highest first.
    fn integer(&mut self) -> BigInt<4> {
        let mut limb = |bits: u32| (0..bits).fold(0, |limb, _| limb << 1 | u64::from(self.bit()));
        let [highest, third, second, lowest] = [limb(62), limb(64), limb(64), limb(64)];
        BigInt([lowest, second, third, highest])
    }

    fn element(&mut self) -> Fr {
        loop {
            if let Some(element) = Fr::from_bigint(self.integer()) {
                return element;
            }
        }
    }

    /// One draw, reduced: it is below twice the modulus.
    fn reduced_element(&mut self) -> Fr {
        let BigInt(limbs) = self.integer();
        let two_to_64 = Fr::from(1u128 << 64);
        limbs.iter().rev().fold(Fr::ZERO, |sum, &limb| sum * two_to_64 + Fr::from(limb))
    }
}

#[cfg(test)]
mod tests {
    use ark_ff::MontFp;

    use super::*;

    /// circomlib's `Poseidon(2)`: the first element after one permutation of `[0, a, b]`.
    fn hash(a: u64, b: u64) -> Fr {
        Poseidon::default().permute([Fr::ZERO, Fr::from(a), Fr::from(b)])[0]
    }

    #[test]
    fn the_permutation_is_circomlibs() {
        let one_two =
            MontFp!("7853200120776062878684798364095072458815029376092732009249414926327459813530");
        let zeros = MontFp!(
            "14744269619966411208579211824598458697587494354926760081771325075741142829156"
        );
        assert_eq!(hash(1, 2), one_two);
        assert_eq!(hash(0, 0), zeros);
    }

    #[test]
    fn a_sponge_tells_every_element_and_the_capacity() {
        let poseidon = Poseidon::default();
        let sponge = |capacity: u64, elements: &[u64]| {
            let elements: Vec<_> = elements.iter().map(|&e| Fr::from(e)).collect();
            poseidon.sponge(Fr::from(capacity), &elements)
        };
        let all = [
            sponge(3, &[1, 2, 3]),
            sponge(4, &[1, 2, 3]),
            sponge(3, &[2, 1, 3]),
            sponge(3, &[1, 2, 4]),
            sponge(3, &[1, 2]),
        ];
        for (index, digest) in all.iter().enumerate() {
            assert_eq!(all.iter().position(|other| other == digest), Some(index));
        }
        // The caller's duty: the capacity must tell the number of elements.
        assert_eq!(sponge(3, &[1, 2, 3]), sponge(3, &[1, 2, 3, 0]));
    }
}
