//! Which commitment is opened at which points, known from the key alone.
//!
//! Follows halo2-axiom's `construct_intermediate_sets`: commitments in the order of their first
//! query, grouped by the set of points at which they are opened, groups in the order of their
//! first member.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    constraint_system::{ConstraintSystem, Query, wrapped},
    error::KeyError,
};

/// Most points at which a circuit is opened: every group of commitments costs time and memory for
/// each, so without a limit a small key could ask for much of both.
const MAX_ROTATIONS: usize = 256;

/// A commitment that is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpenedCommitment {
    /// One of the proof: advice columns, permutation products, random polynomial, in this order.
    Proof(usize),
    /// One of the key: fixed columns, sigmas, in this order.
    Key(usize),
    /// The quotient pieces, combined with the powers of `x^n`.
    Quotient,
}

/// A commitment and where its evaluations are found, one per point of its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The commitment.
    pub commitment: OpenedCommitment,
    /// Indexes into the evaluations of the proof, the quotient's coming after the last; in the order
    /// of the group's points.
    pub evaluations: Vec<usize>,
}

/// Commitments opened at the same points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// For every rotation of the plan, whether the group is opened there.
    pub at: Vec<bool>,
    /// The commitments, in the order of the powers of the challenge that combines them.
    pub members: Vec<Opened>,
}

/// All openings of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningPlan {
    /// The points, as rotations in `0..row_count`, in ascending order.
    pub rotations: Vec<i32>,
    /// The groups, in the order of the powers of the challenge that combines them.
    pub groups: Vec<Group>,
}

/// Rotation → index of the evaluation, for one commitment.
type Openings = BTreeMap<i32, usize>;

impl OpeningPlan {
    /// The plan of a checked constraint system over `fixed_columns` fixed columns.
    pub(crate) fn new(
        system: &ConstraintSystem,
        fixed_columns: usize,
        row_count: u64,
    ) -> Result<Self, KeyError> {
        use OpenedCommitment::{Key, Proof};
        let mut builder = Builder { row_count, ..Builder::default() };
        let first_product = system.advice_phases.len();
        let random = first_product.saturating_add(system.permutation_product_count());
        let evaluations = Evaluations::new(system);
        let Evaluations { advice, fixed, random: random_evaluation, sigmas, .. } = evaluations;

        builder.columns("advice queries", &system.advice_queries, Proof, advice)?;
        builder.products(system, first_product, &evaluations)?;
        builder.columns("fixed queries", &system.fixed_queries, Key, fixed)?;
        for index in 0..system.permutation.len() {
            let commitment = Key(fixed_columns.saturating_add(index));
            builder.open("sigmas", commitment, 0, sigmas.saturating_add(index))?;
        }
        builder.open("quotient", OpenedCommitment::Quotient, 0, evaluations.quotient)?;
        builder.open("random", Proof(random), 0, random_evaluation)?;
        builder.finish()
    }
}

/// Where the evaluations of a proof begin, kind by kind, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluations {
    /// One an advice query.
    pub advice: usize,
    /// One a fixed query.
    pub fixed: usize,
    /// That of the random polynomial.
    pub random: usize,
    /// One a column under copy constraints.
    pub sigmas: usize,
    /// Of each permutation product at the current row, the next row and, but for the last product,
    /// at the last usable row.
    pub products: usize,
    /// How many a proof has; the index of the quotient's, which no proof has.
    pub quotient: usize,
}

impl Evaluations {
    pub(crate) fn new(system: &ConstraintSystem) -> Self {
        let fixed = system.advice_queries.len();
        let random = fixed.saturating_add(system.fixed_queries.len());
        let sigmas = random.saturating_add(1);
        let products = sigmas.saturating_add(system.permutation.len());
        let of_products = system.permutation_product_count().saturating_mul(3).saturating_sub(1);
        let quotient = products.saturating_add(of_products);
        Self { advice: 0, fixed, random, sigmas, products, quotient }
    }

    /// Where the three evaluations of a permutation product begin.
    #[must_use]
    pub fn product(&self, index: usize) -> usize {
        self.products.saturating_add(index.saturating_mul(3))
    }
}

#[derive(Default)]
struct Builder {
    row_count: u64,
    /// In the order of the first query of each.
    commitments: Vec<(OpenedCommitment, Openings)>,
    positions: BTreeMap<OpenedCommitment, usize>,
}

impl Builder {
    fn columns(
        &mut self,
        list: &'static str,
        queries: &[Query],
        commitment: impl Fn(usize) -> OpenedCommitment,
        first: usize,
    ) -> Result<(), KeyError> {
        for (index, query) in queries.iter().enumerate() {
            let commitment = commitment(usize::from(query.column));
            self.open(list, commitment, query.rotation, first.saturating_add(index))?;
        }
        Ok(())
    }

    /// Each permutation product at the current and the next row, and all but the last at the last
    /// usable row, where the following product takes over.
    fn products(
        &mut self,
        system: &ConstraintSystem,
        first_product: usize,
        evaluations: &Evaluations,
    ) -> Result<(), KeyError> {
        let count = system.permutation_product_count();
        let blinding = i32::try_from(system.blinding_factors()).unwrap_or(i32::MAX);
        let last_row = blinding.saturating_neg().saturating_sub(1);
        let (list, product) = ("permutation products", |index: usize| {
            OpenedCommitment::Proof(first_product.saturating_add(index))
        });
        for index in 0..count {
            let first = evaluations.product(index);
            self.open(list, product(index), 0, first)?;
            self.open(list, product(index), 1, first.saturating_add(1))?;
        }
        for index in (0..count).rev().skip(1) {
            let last = evaluations.product(index).saturating_add(2);
            self.open(list, product(index), last_row, last)?;
        }
        Ok(())
    }

    fn open(
        &mut self,
        list: &'static str,
        commitment: OpenedCommitment,
        rotation: i32,
        evaluation: usize,
    ) -> Result<(), KeyError> {
        let refused = KeyError::DuplicateQuery { list, index: evaluation };
        let rotation = wrapped(rotation, self.row_count).ok_or(refused)?;
        let next = self.commitments.len();
        let position = *self.positions.entry(commitment).or_insert(next);
        if position == next {
            self.commitments.push((commitment, Openings::new()));
        }
        let (_, openings) = self.commitments.get_mut(position).ok_or(refused)?;
        match openings.insert(rotation, evaluation) {
            None => Ok(()),
            Some(_) => Err(refused),
        }
    }

    fn finish(self) -> Result<OpeningPlan, KeyError> {
        let rotations: BTreeSet<i32> =
            self.commitments.iter().flat_map(|(_, openings)| openings.keys().copied()).collect();
        let got = rotations.len();
        if got > MAX_ROTATIONS {
            return Err(KeyError::Limit { list: "rotations", limit: MAX_ROTATIONS, got });
        }
        let mut groups: Vec<Group> = Vec::new();
        let mut positions: BTreeMap<Vec<i32>, usize> = BTreeMap::new();
        for (commitment, openings) in self.commitments {
            let points = openings.keys().copied().collect();
            let position = *positions.entry(points).or_insert(groups.len());
            if position == groups.len() {
                let at = rotations.iter().map(|rotation| openings.contains_key(rotation));
                groups.push(Group { at: at.collect(), members: Vec::new() });
            }
            let evaluations = openings.into_values().collect();
            if let Some(group) = groups.get_mut(position) {
                group.members.push(Opened { commitment, evaluations });
            }
        }
        Ok(OpeningPlan { rotations: rotations.into_iter().collect(), groups })
    }
}
