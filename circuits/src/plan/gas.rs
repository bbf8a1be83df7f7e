//! What the verifier contract takes for a proof, fitted to measured calls.

use std::collections::BTreeSet;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{ConstraintSystem, Expression},
};
use zkinfer_verifier::{Instruction, VerifyingKey, checks::Step};

use crate::algebra::MAX_DEGREE;

/// A set of prices of the EVM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EvmFork {
    /// Of December 2025.
    #[default]
    Osaka,
    /// The one after; its prices may still move.
    Amsterdam,
}

impl EvmFork {
    /// What the fork is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Osaka => "osaka",
            Self::Amsterdam => "amsterdam",
        }
    }
}

/// Of a call of the contract: what is there whatever the proof (the pairing most of all), for each
/// point of the proof and of the key (a multiplication and an addition), for each evaluation, for
/// each inverse (of a distance of `u` from a point, of `x` from a blinding row), for each operation
/// of the gates, and for each public value. Within 1 % of fourteen keys of 16 to 131 points.
const CALL: u64 = 132_250;
const POINT: u64 = 7_530;
const KEY_POINT: u64 = 6_490;
const EVALUATION: u64 = 359;
const INVERSE: u64 = 389;
const OPERATION: u64 = 26;
const VALUE: u64 = 589;
/// Calldata besides the proof: their gas, their bytes, and gas for each public value, most of which
/// have a byte or two.
const CALLDATA: u64 = 2_500;
const CALLDATA_BYTES: u64 = 370;
const CALLDATA_VALUE: u64 = 6;
/// A byte of calldata that is not zero, as nearly all of a proof are.
const BYTE: u64 = 16;
/// What a pairing's accounts and code cost more at Amsterdam.
const AMSTERDAM: u64 = 700;

/// Gas of the transaction that verifies a proof, by what it is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GasParts {
    /// Every transaction's own price.
    pub base: u64,
    /// Calldata.
    pub calldata: u64,
    /// The pairing, and what else is there whatever the proof.
    pub call: u64,
    /// Points of the proof: a multiplication and an addition each.
    pub points: u64,
    /// The same of points of the key.
    pub key_points: u64,
    /// Evaluations of the proof.
    pub evaluations: u64,
    /// Gates, and inverses.
    pub gates: u64,
    /// Public values.
    pub values: u64,
    /// What is missing to the least that the fork asks for calldata; 0 where the work is dearer.
    pub floor: u64,
}

impl GasParts {
    /// The gas of the transaction.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.base + self.paid() + self.floor
    }

    /// Calldata and execution.
    fn paid(&self) -> u64 {
        let Self { calldata, call, points, key_points, evaluations, gates, values, .. } = self;
        calldata + call + points + key_points + evaluations + gates + values
    }
}

/// What the contract's work depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Points of a proof.
    pub points: usize,
    /// Evaluations of a proof.
    pub evaluations: usize,
    /// Points of the key.
    pub key_points: usize,
    /// Points of openings and blinding rows.
    pub inverses: usize,
    /// Additions and multiplications of the gates.
    pub operations: usize,
    /// Public values.
    pub values: usize,
}

impl Verification {
    /// The work for a circuit of so many public values, whose proofs have so many points and evaluations.
    pub(super) fn of_system(
        cs: &ConstraintSystem<Fr>,
        (points, evaluations): (usize, usize),
        values: usize,
    ) -> Self {
        let advice = cs.advice_queries().iter();
        let advice = advice.map(|(_, rotation)| rotation.0);
        let fixed = cs.fixed_queries().iter();
        let fixed = fixed.map(|(_, rotation)| rotation.0);
        let mut rotations: BTreeSet<i32> = advice.chain(fixed).collect();
        let permuted = cs.permutation().get_columns().len();
        let products = permuted.div_ceil(MAX_DEGREE - 2);
        let behind = i32::try_from(cs.blinding_factors() + 1).unwrap_or(i32::MAX);
        rotations.insert(0);
        rotations.extend((products > 0).then_some(1));
        rotations.extend((products > 1).then_some(-behind));
        let polynomials = cs.gates().iter().flat_map(|gate| gate.polynomials());
        Self {
            points,
            evaluations,
            key_points: cs.num_fixed_columns() + permuted,
            inverses: rotations.len() + cs.blinding_factors(),
            operations: polynomials.map(operations).sum(),
            values,
        }
    }

    /// The work for a proof under a key.
    #[must_use]
    pub fn of_key(key: &VerifyingKey) -> Self {
        let (parts, checks) = (key.parts(), key.checks());
        let points = checks.steps.iter().filter(|step| matches!(step, Step::Point(_)));
        let is_operation = |instruction: &&Instruction| {
            matches!(instruction, Instruction::Add | Instruction::Multiply | Instruction::Scale(_))
        };
        let gates = parts.constraint_system.gates.iter().flat_map(|gate| gate.instructions());
        Self {
            points: points.count(),
            evaluations: checks.evaluations.quotient,
            key_points: parts.fixed_commitments.len() + parts.sigma_commitments.len(),
            inverses: checks.openings.rotations.len() + checks.blinding_rows,
            operations: gates.filter(is_operation).count(),
            values: parts.layout.placement.column_lengths().iter().sum(),
        }
    }

    /// Gas of the transaction: base, calldata and execution, or the floor for its calldata.
    #[must_use]
    pub fn gas(self, fork: EvmFork) -> u64 {
        self.gas_parts(fork).total()
    }

    /// The same by what it is for.
    #[must_use]
    pub fn gas_parts(self, fork: EvmFork) -> GasParts {
        let of = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let (points, evaluations, values) =
            (of(self.points), of(self.evaluations), of(self.values));
        let proof_bytes = 64 * points + 32 * evaluations;
        let calldata = BYTE * proof_bytes + CALLDATA + CALLDATA_VALUE * values;
        let (base, more, least) = match fork {
            // A quarter of its price is a token of calldata, and ten for each are the least.
            EvmFork::Osaka => (21_000, 0, calldata / 4 * 10),
            EvmFork::Amsterdam => (15_000, AMSTERDAM, 64 * (proof_bytes + CALLDATA_BYTES + values)),
        };
        let parts = GasParts {
            base,
            calldata,
            call: CALL + more,
            points: POINT * points,
            // The generator is a point of every key.
            key_points: KEY_POINT * (of(self.key_points) + 1),
            evaluations: EVALUATION * evaluations,
            gates: INVERSE * of(self.inverses) + OPERATION * of(self.operations),
            values: VALUE * values,
            floor: 0,
        };
        GasParts { floor: least.saturating_sub(parts.paid()), ..parts }
    }
}

/// Additions and multiplications of an expression.
fn operations(expression: &Expression<Fr>) -> usize {
    expression.evaluate(
        &|_| 0,
        &|_| 0,
        &|_| 0,
        &|_| 0,
        &|_| 0,
        &|_| 0,
        &|of| of,
        &|a, b| a + b + 1,
        &|a, b| a + b + 1,
        &|of, _| of + 1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_gas_and_the_floor_is_the_least() {
        let work =
            Verification { points: 40, evaluations: 80, key_points: 30, ..Default::default() };
        let osaka = work.gas_parts(EvmFork::Osaka);
        assert_eq!(osaka.total(), work.gas(EvmFork::Osaka));
        assert_eq!((osaka.base, osaka.floor), (21_000, 0));
        // So many public values cost more as calldata than as work.
        let wide = Verification { values: 1_000_000, ..work };
        let amsterdam =
            Verification { evaluations: 1_000_000, ..wide }.gas_parts(EvmFork::Amsterdam);
        let bytes: u64 = 64 * 40 + 32 * 1_000_000 + 370 + 1_000_000;
        assert_eq!(amsterdam.total(), 15_000 + 64 * bytes);
        assert!(amsterdam.floor > 0);
    }
}
