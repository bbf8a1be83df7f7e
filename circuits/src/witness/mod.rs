//! The values of every cell: fixed data from the plan, advice from an execution, phase by phase.

pub(crate) mod commitment;
pub(crate) mod evaluate;
pub(crate) mod fixed;
pub(crate) mod lookups;
pub(crate) mod tensors;

pub use commitment::Blindings;
use halo2_proofs::halo2curves::bn256::Fr;

/// The field element of an integer; `p − |v|` when it is negative.
pub(crate) fn field(value: i64) -> Fr {
    let magnitude = Fr::from(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}

/// A field element of the verifier's, in halo2's form.
pub(crate) fn from_verifier(value: zkinfer_verifier::Fr) -> Fr {
    // Both write canonical integers below the same modulus.
    Fr::from_bytes(&zkinfer_verifier::encode_scalar(&value)).unwrap_or(Fr::zero())
}

/// Small integer columns, indexed by the column's own index.
pub(crate) type IntegerColumns = Vec<Vec<i64>>;

/// Splits a value ≥ 0 into limbs, lowest first.
pub(crate) fn split(value: i64, widths: &[u32]) -> impl Iterator<Item = i64> + '_ {
    let mut rest = value;
    widths.iter().map(move |&width| {
        let limb = rest & ((1 << width) - 1);
        rest >>= width;
        limb
    })
}
