//! Small integers, their limbs, and the field elements they stand for.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, PrimeField},
};

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
    let element: Option<Fr> = Fr::from_bytes(&zkinfer_verifier::encode_scalar(&value)).into();
    element.expect("both write canonical integers below the same modulus")
}

/// `Σ_j sums[j] · 2^(64·j)`, of sums below 2^126 in magnitude.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the low 64 bits are the limb, the others the carry"
)]
pub(crate) fn from_limbs(sums: [i128; 4]) -> Fr {
    /// 2^256.
    const RADIX: Fr = Fr::from_raw([
        0xac96_341c_4fff_fffb,
        0x36fc_7695_9f60_cd29,
        0x666e_a36f_7879_462e,
        0x0e0a_77c1_9a07_df2f,
    ]);
    let mut carry = 0_i128;
    let low = sums.map(|sum| {
        let total = sum + carry;
        carry = total >> 64;
        total as u64
    });
    Fr::from_raw(low) + RADIX * field(carry as i64)
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

/// Half a unit of an accumulator that is rounded by so many bits.
pub(crate) fn half(shift: u32) -> i64 {
    if shift == 0 { 0 } else { 1 << (shift - 1) }
}

/// Bits of a value, 0 for those that are not positive.
pub(crate) fn bits(value: i64) -> u32 {
    i64::BITS - value.max(0).leading_zeros()
}

/// An index of a row, an element or a node, of which there are far fewer than 2^32.
pub(crate) fn index(value: usize) -> u32 {
    u32::try_from(value).expect("a plan has fewer than 2^32 rows, elements and nodes")
}

/// A distance on the lattice, far below 2^31.
pub(crate) fn int(value: usize) -> i32 {
    i32::try_from(value).expect("the lattice of a plan has fewer than 2^31 positions a side")
}

/// Splits `bits` into as few limbs of at most `limit` bits as possible: whole ones, which share a
/// range of the table, and one for the rest.
pub(crate) fn limb_widths(bits: u32, limit: u32) -> Vec<u32> {
    let limit = limit.max(1);
    let rest = bits % limit;
    let whole = (0..bits / limit).map(|_| limit);
    whole.chain((rest > 0).then_some(rest)).collect()
}

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

#[cfg(test)]
mod tests {
    use super::limb_widths;

    #[test]
    fn limbs_add_up_and_fit() {
        for bits in 0..40 {
            for limit in 4..13 {
                let widths = limb_widths(bits, limit);
                assert_eq!(widths.iter().sum::<u32>(), bits);
                assert!(widths.iter().all(|&w| w <= limit && w > 0));
            }
        }
    }
}
