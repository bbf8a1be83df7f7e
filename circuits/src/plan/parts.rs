//! What the bytes of a proof are.

use halo2_proofs::{halo2curves::bn256::Fr, plonk::ConstraintSystem};

use crate::algebra::MAX_DEGREE;

/// Bytes of a point, and of an evaluation.
const ELEMENT_BYTES: usize = 32;

/// The points and evaluations of a proof, by what they are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofParts {
    /// Commitments to columns that the prover fills.
    pub advice: usize,
    /// Commitments to the products of the permutation argument.
    pub products: usize,
    /// Commitments to the pieces of the quotient, and to the random polynomial that blinds it.
    pub quotient: usize,
    /// The two points that open all commitments.
    pub openings: usize,
    /// Evaluations of columns that the prover fills, one for each row distance at which a
    /// constraint reads one.
    pub advice_evaluations: usize,
    /// The same of columns that the key fixes.
    pub fixed_evaluations: usize,
    /// Evaluations of the permutation, its products, and the random polynomial.
    pub other_evaluations: usize,
}

impl ProofParts {
    /// The parts of a proof for a system over so many advice and fixed columns of the units; where its
    /// constraints are not made yet, no more than they will be.
    pub(super) fn of(cs: &ConstraintSystem<Fr>, [of_advice, of_fixed]: [usize; 2]) -> Self {
        let advice = cs.num_advice_columns();
        let permutation = cs.permutation().get_columns().len();
        let products = permutation.div_ceil(MAX_DEGREE - 2);
        Self {
            advice,
            products,
            quotient: (MAX_DEGREE - 1) + 1,
            openings: 2,
            advice_evaluations: cs.advice_queries().len().max(of_advice),
            fixed_evaluations: cs.fixed_queries().len().max(of_fixed),
            other_evaluations: 1 + permutation + (3 * products).saturating_sub(1),
        }
    }

    /// Every point of the proof.
    #[must_use]
    pub fn points(&self) -> usize {
        self.advice + self.products + self.quotient + self.openings
    }

    /// Every evaluation of the proof.
    #[must_use]
    pub fn evaluations(&self) -> usize {
        self.advice_evaluations + self.fixed_evaluations + self.other_evaluations
    }

    /// Bytes of so many points or evaluations.
    #[must_use]
    pub fn bytes_of(count: usize) -> usize {
        ELEMENT_BYTES * count
    }

    /// Exact length of the proof.
    #[must_use]
    pub fn bytes(&self) -> usize {
        Self::bytes_of(self.points() + self.evaluations())
    }
}
