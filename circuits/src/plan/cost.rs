//! What a circuit costs, before anything is proven.

use std::collections::BTreeMap;

use halo2_proofs::{halo2curves::bn256::Fr, plonk::ConstraintSystem};

use super::{
    gas::{EvmFork, Verification},
    parts::ProofParts,
};
use crate::{
    algebra::MAX_DEGREE,
    config::Config,
    integers::index,
    lookup::{Fraction, entry::Lookup, helper_count, helper_groups},
    units::{Shape, UnitRows},
};

/// Nanoseconds on two cores with AVX-512 but without IFMA, set by hand and compared with measured
/// proofs (`docs/performance.md`): per row and column that is transformed for every proof, per row and
/// column of the key, and per row and committed column.
const TRANSFORM_NANOS: f64 = 300.0;
const KEY_COLUMN_NANOS: f64 = 45.0;
const SMALL_COMMIT_NANOS: f64 = 90.0;
const FULL_COMMIT_NANOS: f64 = 1_500.0;
/// Per row and product of the permutation, besides: its fractions and their inverses.
const PRODUCT_NANOS: f64 = 900.0;
/// Per column, of the key or committed to, however few rows it has.
const COLUMN_NANOS: f64 = 170_000.0;
/// Per addition of points where the engine gathers lookups by entry of the table: one to a row and
/// lookup, and as many to an entry.
const ADDITION_NANOS: f64 = 65.0;
const ADDITIONS_TO_ENTRY: f64 = 47.0;

/// Bytes that the engine keeps per row and column: values, coefficients and one coset; columns of
/// the key on all cosets.
const BYTES_PER_ADVICE_CELL: u64 = 170;
const BYTES_PER_FIXED_CELL: u64 = 170;
/// What a process has without any circuit: code, parser, threads.
const BASE_BYTES: u64 = 20_000_000;

/// The quote for one proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// log2 of the number of rows.
    pub k: u32,
    /// Rows that hold data, of the `2^k`.
    pub usable_rows: usize,
    /// Rows used by each unit.
    pub rows: UnitRows,
    /// Advice columns.
    pub advice_columns: usize,
    /// Advice columns whose cells are small integers.
    pub small_columns: usize,
    /// Fixed columns.
    pub fixed_columns: usize,
    /// Columns in the permutation argument.
    pub permutation_columns: usize,
    /// Committed columns of full-width cells: advice of the later phases, the permutation's
    /// products, the quotient's pieces, the random polynomial and the two openings.
    pub full_width_columns: usize,
    /// Lookups to a row.
    pub lookups: usize,
    /// The largest degree of a constraint.
    pub degree: usize,
    /// Exact length of the proof.
    pub proof_bytes: usize,
    /// What these bytes are.
    pub proof_parts: ProofParts,
    /// Estimated time of the engine on two cores that transform an element in
    /// [`Cost::REFERENCE_TRANSFORM_NANOS`]. The same on all machines, since it decides what is planned.
    pub prove_seconds: f64,
    /// Estimated peak memory of the engine.
    pub memory_bytes: u64,
    /// What the verifier contract does for a proof.
    pub verification: Verification,
}

impl Cost {
    /// Nanoseconds an element, in a transform of 2^12 on one core, of the processor that
    /// [`Cost::prove_seconds`] is about.
    pub const REFERENCE_TRANSFORM_NANOS: f64 = 70.0;

    /// Estimated gas of the transaction that verifies a proof by the contract.
    #[must_use]
    pub fn gas(&self, fork: EvmFork) -> u64 {
        self.verification.gas(fork)
    }

    /// The cost of a circuit of this shape.
    pub(crate) fn of_shape(shape: &Shape, rows: UnitRows) -> Self {
        let mut cs = ConstraintSystem::<Fr>::default();
        let config = Config::configure(&mut cs, shape);
        Self::of_system((&cs, &config), shape, rows)
    }

    /// No more than [`Self::of_shape`], without the gates, which take most of its time: they query
    /// every column, some of them in more than one row.
    pub(crate) fn at_least(shape: &Shape, rows: UnitRows) -> Self {
        let mut cs = ConstraintSystem::<Fr>::default();
        let config = Config::allocate(&mut cs, shape);
        Self::of_system((&cs, &config), shape, rows)
    }

    fn of_system(
        (cs, config): (&ConstraintSystem<Fr>, &Config),
        shape: &Shape,
        rows: UnitRows,
    ) -> Self {
        let advice_columns = cs.num_advice_columns();
        let small_columns = cs.advice_column_phase().iter().filter(|&&phase| phase == 0).count();
        let permutation_columns = cs.permutation().get_columns().len();
        let parts = ProofParts::of(cs, [config.owed.columns().len(), config.owed.fixed_columns]);
        let (products, points) = (parts.products, parts.points());
        let full_width_columns = points - small_columns;
        let transformed = advice_columns + products;
        let of_key = cs.num_fixed_columns() + permutation_columns;
        let row_count = row_count(shape);
        let lookups = config.lookup_count();
        // Interleaved, they are committed to as any other column.
        let gathers = shape.stride() == 1;
        let helpers = if gathers { helper_count(lookups, shape.table_lanes) } else { 0 };
        let nanos = count(transformed) * TRANSFORM_NANOS
            + count(of_key) * KEY_COLUMN_NANOS
            + count(small_columns) * SMALL_COMMIT_NANOS
            + count(full_width_columns - helpers) * FULL_COMMIT_NANOS
            + count(products) * PRODUCT_NANOS;
        let of_helpers = if gathers { of_helpers(config, shape, rows.table) } else { 0.0 };
        let of_columns = count(advice_columns + cs.num_fixed_columns()) * COLUMN_NANOS;
        let cells = |n: usize| u64::try_from(n).unwrap_or(u64::MAX) << shape.k;
        let proof_bytes = parts.bytes();
        let in_proof = (points, parts.evaluations());
        Self {
            k: shape.k,
            usable_rows: shape.usable_rows(),
            rows,
            advice_columns,
            small_columns,
            fixed_columns: cs.num_fixed_columns(),
            permutation_columns,
            full_width_columns,
            lookups,
            degree: degree(cs),
            proof_bytes,
            proof_parts: parts,
            prove_seconds: (row_count * nanos + of_helpers + of_columns) * 1e-9,
            memory_bytes: BASE_BYTES
                + cells(advice_columns + products) * BYTES_PER_ADVICE_CELL
                + cells(cs.num_fixed_columns() + 2 * permutation_columns) * BYTES_PER_FIXED_CELL,
            verification: Verification::of_system(cs, in_proof, rows.instance),
        }
    }
}

/// Rows of a circuit, as a factor of prices.
fn row_count(shape: &Shape) -> f64 {
    2f64.powi(i32::try_from(shape.k).unwrap_or(i32::MAX))
}

/// How many there are, as a factor of prices.
fn count(things: usize) -> f64 {
    f64::from(u32::try_from(things).unwrap_or(u32::MAX))
}

/// Nanoseconds of committing to the helpers, each by entries of the table or as any other column.
fn of_helpers(config: &Config, shape: &Shape, height: usize) -> f64 {
    let row_count = row_count(shape);
    let sizes: BTreeMap<i64, usize> = config.owed.ranges.sizes().collect();
    let of_group = |group: &Vec<Fraction<&Lookup>>| {
        let (mut entries, mut summands) = (BTreeMap::new(), 0);
        for fraction in group {
            match fraction {
                Fraction::Lookup(lookup) => {
                    let tag = lookup.tag.place().number();
                    let whole = height * shape.table_lanes;
                    entries.insert(tag, sizes.get(&tag).copied().unwrap_or(whole));
                    summands += 1;
                }
                Fraction::Table(lane) => {
                    entries.insert(-1 - i64::from(index(*lane)), height);
                }
            }
        }
        let of_entries = count(entries.values().sum()) * ADDITIONS_TO_ENTRY;
        let gathered = (count(summands) * row_count + of_entries) * ADDITION_NANOS;
        gathered.min(row_count * FULL_COMMIT_NANOS)
    };
    helper_groups(config.lookups.lookups(), shape.table_lanes).iter().map(of_group).sum()
}

/// halo2's own figure is capped by an environment variable; this one is not.
fn degree(cs: &ConstraintSystem<Fr>) -> usize {
    let gates = cs.gates().iter().flat_map(|gate| gate.polynomials().iter().map(|p| p.degree()));
    gates.max().unwrap_or(0).max(MAX_DEGREE)
}
