//! How hard it is to forge a proof under a key.

use alloc::vec::Vec;

use crate::{key::KeyParts, side::Visibility, srs::INSECURE_DEV};

/// Bits of security of discrete logarithms and pairings on BN254, by the estimate of Barbulescu
/// and Duquesne, "Updating key size estimations for pairings", J. Cryptology 32 (2019). It was
/// thought to be 128 before the number field sieve of Kim and Barbulescu, eprint 2015/1027.
const CURVE_BITS: u32 = 100;
/// Keccak-256 against collisions.
const HASH_BITS: u32 = 128;
/// The sponge of commitments against collisions: half of its capacity, one element.
const COMMITMENT_BITS: u32 = 126;
/// The scalar field has more than 2^253 elements.
const FIELD_BITS: u32 = 253;

/// Estimates, in bits: who spends less than about 2^bits operations does not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub struct Strength {
    /// The weakest of those below; 0 where the secret of the setup is public.
    pub bits: u32,
    /// Discrete logarithms and pairings on BN254.
    pub curve_bits: u32,
    /// Keccak-256 against collisions.
    pub hash_bits: u32,
    /// Where inputs or outputs are hidden.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub commitment_bits: Option<u32>,
    /// −log2 of the chance that a false statement passes all random points of one transcript.
    pub random_points_bits: u32,
    /// Rows of the circuit.
    pub rows: u64,
    /// The degree of its gates.
    pub degree: u8,
    /// Public values of a claim.
    pub public_values: usize,
    /// Queries of a proof.
    pub queries: usize,
}

impl Strength {
    /// The strength of proofs under a key.
    #[must_use]
    pub fn new(key: &KeyParts) -> Self {
        let system = &key.constraint_system;
        let queries = [&system.advice_queries, &system.fixed_queries, &system.instance_queries];
        let queries = queries.map(Vec::len).into_iter().fold(0, usize::saturating_add);
        let random_points_bits = FIELD_BITS.saturating_sub(roots_log2(key, queries));
        let insecure = key.srs.name == INSECURE_DEV;
        let layout = &key.layout;
        let hides =
            [layout.input_visibility, layout.output_visibility].contains(&Visibility::Committed);
        let weakest = CURVE_BITS.min(HASH_BITS).min(COMMITMENT_BITS).min(random_points_bits);
        Self {
            bits: if insecure { 0 } else { weakest },
            curve_bits: CURVE_BITS,
            hash_bits: HASH_BITS,
            commitment_bits: hides.then_some(COMMITMENT_BITS),
            random_points_bits,
            rows: 1_u64.checked_shl(key.k.into()).unwrap_or(u64::MAX),
            degree: system.degree,
            public_values: key.layout.instance_len(),
            queries,
        }
    }
}

/// log2, rounded up, of how many challenges can be bad for a prover's best lie, summed over all
/// challenges (Schwartz and Zippel): `degree·n` at the point of the quotient, `2·n` for each copied
/// column, one for each gate and query that is folded, and `8·n` for each column, which is more
/// than the degrees of the linear layers' and the lookups' identities together
/// (docs/arithmetization.md).
fn roots_log2(key: &KeyParts, queries: usize) -> u32 {
    let system = &key.constraint_system;
    let number = |count: usize| u128::try_from(count).unwrap_or(u128::MAX);
    let columns =
        number(system.advice_phases.len()).saturating_add(number(key.fixed_commitments.len()));
    let copied = number(system.permutation.len());
    let per_row = u128::from(system.degree)
        .saturating_add(copied.saturating_mul(2))
        .saturating_add(columns.saturating_mul(8));
    let folded = number(queries).saturating_add(number(system.gates.len())).saturating_add(copied);
    let rows = 1_u128.checked_shl(key.k.into()).unwrap_or(u128::MAX);
    let roots = per_row.saturating_mul(rows).saturating_add(folded);
    // Rounded up: the bits of the number below.
    u128::BITS.saturating_sub(roots.saturating_sub(1).leading_zeros())
}
