//! The checks of a proof as data: what the verifier does under one key, in the words of the key.
//!
//! [`verify`](crate::verify) itself follows these lists, and so can a verifier in another language,
//! such as a contract: there is no second order written by hand. With the challenges and
//! evaluations that the [steps](Checks::steps) give, three checks are left.
//!
//! 1. **Constraints.** Every gate of the key is evaluated at `x` from the evaluations of its
//!    queries, those of instance columns being computed from the public values. The constraints of
//!    the permutation argument follow, over the [columns](Checks::permutation) in chunks of
//!    `degree − 2`, with `l_0`, `l_last` and `l_blind` the Lagrange polynomials at `x` of the first
//!    row, the last usable row and all rows behind it:
//!    `l_0·(1 − z_0)`; `l_last·(z² − z)` of the last product; `l_0·(z_i − z_{i−1}(ω^last·x))` for
//!    every further product; and for each product
//!    `(1 − l_last − l_blind)·(z(ωx)·Π(v + β·σ + γ) − z·Π(v + β·δ^j·x + γ))`, `j` counting all
//!    columns. Combined by Horner's rule in `y` and divided by `x^n − 1`, they give the evaluation
//!    of the quotient, whose commitment is the sum of its pieces times the powers of `x^n`.
//! 2. **Openings.** Group `i` of the [plan](Checks::openings) is opened at the points `S_i`; its
//!    member `j` is the commitment `C_ij`, and `r_ij` interpolates its evaluations there. With `Z_i`
//!    the product of `u − s` over all points outside `S_i`, divided by that of the first group, and
//!    `Z` the product of `u − s` over the points of the first group:
//!    `F = Σ_i v^i·Z_i·Σ_j y'^j·(C_ij − r_ij(u)·G) − Z·W + u·W'`.
//! 3. **Pairing.** `e(W', [τ]₂) = e(F, [1]₂)`.

use alloc::vec::Vec;

use ark_bn254::Fr;

use crate::{
    constraint_system::{ConstraintSystem, CurrentRow},
    domain::{DELTA, Domain},
    error::KeyError,
    opening_plan::{Evaluations, OpeningPlan},
};

/// One step of the transcript. A point is absorbed as the byte 1 and its coordinates, a scalar as
/// the byte 2 and its value, all in 32 bytes little-endian; a challenge is drawn as
/// [`Challenge`] says. The transcript begins with the 16 bytes `Halo2-Transcript`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Absorbs the digest of the key, as a big-endian integer reduced modulo the group order.
    KeyDigest,
    /// Absorbs halo2's own digest of the circuit, which the key holds.
    TranscriptRepr,
    /// Absorbs the values of this instance column, row by row.
    InstanceColumn(usize),
    /// Reads a point of the proof and absorbs it.
    Point(ProofPoint),
    /// Reads this many scalars of the proof, the evaluations, and absorbs each.
    Evaluations(usize),
    /// Draws a challenge.
    Challenge(Challenge),
}

/// A point of a proof. All but quotient pieces are refused at infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofPoint {
    /// The commitment to this advice column.
    Advice(usize),
    /// The commitment to this permutation product.
    Product(usize),
    /// The commitment to the random polynomial.
    Random,
    /// The commitment to this piece of the quotient, the lowest powers first.
    Quotient(usize),
    /// `W` of the multi-opening.
    Opening,
    /// `W'` of the multi-opening.
    OpeningAtU,
}

/// A challenge: the byte 0 is absorbed; the Keccak-256 digests of all bytes absorbed so far,
/// followed by the byte 10 and by the byte 11, are the low and the high half of a 512-bit
/// little-endian integer, which is reduced modulo the group order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// One of the circuit, by its index.
    Circuit(usize),
    /// For lookup arguments, of which there are none; drawn all the same.
    Theta,
    /// Of the permutation argument.
    Beta,
    /// Of the permutation argument.
    Gamma,
    /// Combines the constraints.
    Y,
    /// Where the polynomials are opened.
    X,
    /// Combines the commitments of a group: `y'`.
    OpeningY,
    /// Combines the groups.
    OpeningV,
    /// Where the multi-opening is checked.
    OpeningU,
    /// Depends on every byte; weighs this proof among others in a batch.
    Binder,
}

/// What is checked under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checks {
    /// The transcript, from its beginning to its end: the order of all bytes of a proof.
    pub steps: Vec<Step>,
    /// Where the evaluations of each kind are found.
    pub evaluations: Evaluations,
    /// Which commitment is opened where.
    pub openings: OpeningPlan,
    /// Where the value of each column under copy constraints is found, in the order of the sigmas.
    pub permutation: Vec<CurrentRow>,
    /// The generator ω of the domain, of order `n = 2^k`.
    pub omega: Fr,
    /// What keeps the cosets of the columns under copy constraints apart: δ.
    pub delta: Fr,
    /// Rows that hold blinding values at the end of each column; the row before is the last usable
    /// one.
    pub blinding_rows: usize,
}

impl Checks {
    /// The checks of a constraint system that has passed its own.
    pub(crate) fn new(
        system: &ConstraintSystem,
        fixed_columns: usize,
        instance_columns: usize,
        domain: &Domain,
    ) -> Result<Self, KeyError> {
        let column = |(position, &column)| {
            system.current_row(column).ok_or(KeyError::PermutationQuery { position })
        };
        let permutation = system.permutation.iter().enumerate().map(column);
        Ok(Self {
            steps: steps(system, instance_columns),
            evaluations: Evaluations::new(system),
            openings: OpeningPlan::new(system, fixed_columns, domain.row_count())?,
            permutation: permutation.collect::<Result<_, _>>()?,
            omega: domain.omega(),
            delta: DELTA,
            blinding_rows: system.blinding_factors(),
        })
    }

    /// How many 32-byte elements a proof has.
    #[must_use]
    pub fn element_count(&self) -> usize {
        let elements = self.steps.iter().map(|step| match *step {
            Step::Point(_) => 1,
            Step::Evaluations(count) => count,
            Step::KeyDigest
            | Step::TranscriptRepr
            | Step::InstanceColumn(_)
            | Step::Challenge(_) => 0,
        });
        elements.fold(0, usize::saturating_add)
    }
}

fn steps(system: &ConstraintSystem, instance_columns: usize) -> Vec<Step> {
    use self::Challenge as Draw;
    let mut steps = alloc::vec![Step::KeyDigest, Step::TranscriptRepr];
    steps.extend((0..instance_columns).map(Step::InstanceColumn));
    for phase in system.phases() {
        let points = positions(&system.advice_phases, phase).map(ProofPoint::Advice);
        steps.extend(points.map(Step::Point));
        let challenges = positions(&system.challenge_phases, phase).map(Draw::Circuit);
        steps.extend(challenges.map(Step::Challenge));
    }
    steps.extend([Draw::Theta, Draw::Beta, Draw::Gamma].map(Step::Challenge));
    let products = (0..system.permutation_product_count()).map(ProofPoint::Product);
    steps.extend(products.chain([ProofPoint::Random]).map(Step::Point));
    steps.push(Step::Challenge(Draw::Y));
    let pieces = (0..system.quotient_piece_count()).map(ProofPoint::Quotient);
    steps.extend(pieces.map(Step::Point));
    steps.push(Step::Challenge(Draw::X));
    steps.push(Step::Evaluations(Evaluations::new(system).quotient));
    steps.extend([
        Step::Challenge(Draw::OpeningY),
        Step::Challenge(Draw::OpeningV),
        Step::Point(ProofPoint::Opening),
        Step::Challenge(Draw::OpeningU),
        Step::Point(ProofPoint::OpeningAtU),
        Step::Challenge(Draw::Binder),
    ]);
    steps
}

fn positions(phases: &[u8], phase: u8) -> impl Iterator<Item = usize> {
    phases.iter().enumerate().filter_map(move |(index, &own)| (own == phase).then_some(index))
}
