//! The values of every cell: fixed data from the plan, advice from an execution, phase by phase.

pub(crate) mod commitment;
mod dot;
mod evaluate;
pub(crate) mod fixed;
mod lookups;
mod phases;
mod tensors;

pub use commitment::Blindings;
pub(crate) use dot::from_limbs;
use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, PrimeField},
};
pub(crate) use phases::Phases;
pub use phases::Witness;

/// The field element of an integer; `p − |v|` when it is negative.
pub(crate) fn field(value: i64) -> Fr {
    let magnitude = Fr::from(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}

/// `2^bits`.
pub(crate) fn power_of_two(bits: u32) -> Fr {
    Fr::from(2).pow_vartime([u64::from(bits)])
}

/// A field element of the verifier's, in halo2's form.
pub(crate) fn from_verifier(value: zkinfer_verifier::Fr) -> Fr {
    // Both write canonical integers below the same modulus.
    Fr::from_bytes(&zkinfer_verifier::encode_scalar(&value)).unwrap_or(Fr::zero())
}

/// Half a unit of an accumulator that is rounded by so many bits.
fn half(shift: u32) -> i64 {
    if shift == 0 { 0 } else { 1 << (shift - 1) }
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

/// The value that limbs stand for, lowest first.
pub(crate) fn join(limbs: impl Iterator<Item = i64>, widths: &[u32]) -> i64 {
    let mut shift = 0;
    limbs.zip(widths).fold(0, |total, (limb, &width)| {
        let shifted = limb << shift;
        shift += width;
        total + shifted
    })
}

/// A field element as a small signed integer, 0 when it is neither.
pub(crate) fn small(value: Fr) -> i64 {
    let low = |value: Fr| {
        let bytes = value.to_repr();
        let (head, tail) = bytes.as_ref().split_at(8);
        let fits = tail.iter().all(|&byte| byte == 0);
        let head: Option<[u8; 8]> = head.try_into().ok();
        head.filter(|_| fits).and_then(|head| i64::try_from(u64::from_le_bytes(head)).ok())
    };
    low(value).or_else(|| low(-value).map(|v| -v)).unwrap_or(0)
}
