//! Accounts, amounts and identifiers, each a type of its own.

use std::fmt;

use zkinfer_verifier::{ClaimedValues, Digest, keccak256};

use crate::refusal::Refusal;

/// Separate the hashes of tensor values, and of commitments to them, from every other use of
/// Keccak-256.
const VALUES_DOMAIN: &[u8; 16] = b"zkinfer.val.v1\0\0";
const COMMITMENT_DOMAIN: &[u8; 16] = b"zkinfer.com.v1\0\0";

/// A number of the smallest units of the escrow's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub u128);

impl Amount {
    /// The sum.
    ///
    /// # Errors
    /// [`Refusal::Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, Refusal> {
        self.0.checked_add(other.0).map(Self).ok_or(Refusal::Overflow)
    }

    /// The difference, `None` below zero.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An account: the twenty bytes that a proof binds as its payee.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 20]);

impl Address {
    /// What a proof binds that names no payee: nobody can sign for it.
    pub const NOBODY: Self = Self([0; 20]);
}

/// A job, as a proof binds it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub [u8; 32]);

/// A payment into the escrow, as the outside world names it: the hash of its transaction, say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DepositId(pub [u8; 32]);

/// A payment out of the escrow, as the owner of the account names it: among those of one account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WithdrawalId(pub [u8; 32]);

/// Digest of what a claim says about all input or all output tensors: the integers, or a commitment to
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValuesDigest(pub Digest);

impl ValuesDigest {
    /// Keccak-256 of a domain tag of 16 bytes, the number of values in 64 bits, and the values in
    /// 64 bits each, two's complement; or of another domain tag and the commitment's 32 bytes. All
    /// big-endian.
    #[must_use]
    pub fn of(values: &ClaimedValues) -> Self {
        let digest = match values {
            ClaimedValues::Public(values) => {
                let count = u64::try_from(values.len()).unwrap_or(u64::MAX).to_be_bytes();
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
                keccak256(&[VALUES_DOMAIN, &count, &bytes])
            }
            ClaimedValues::Committed(commitment) => {
                keccak256(&[COMMITMENT_DOMAIN, &commitment.to_bytes()])
            }
        };
        Self(Digest(digest))
    }
}

impl fmt::Display for ValuesDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Prints as lowercase hexadecimal digits.
macro_rules! display_as_hex {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

display_as_hex!(Address, DepositId, JobId, WithdrawalId);

#[cfg(test)]
mod tests {
    use zkinfer_verifier::Commitment;

    use super::*;

    #[test]
    fn digests_separate_lengths_and_signs() {
        let public = [vec![], vec![0], vec![0, 0], vec![1], vec![-1], vec![1, 0]];
        let committed = [0, 1]
            .map(|byte| ClaimedValues::Committed(Commitment::from_bytes(&[byte; 32]).unwrap()));
        let lists: Vec<ClaimedValues> =
            public.into_iter().map(ClaimedValues::Public).chain(committed).collect();
        for (i, one) in lists.iter().enumerate() {
            for (j, other) in lists.iter().enumerate() {
                assert_eq!(ValuesDigest::of(one) == ValuesDigest::of(other), i == j);
            }
        }
    }

    #[test]
    fn the_digest_is_the_documented_one() {
        let mut bytes = b"zkinfer.val.v1\0\0".to_vec();
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 2]);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 5]);
        bytes.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd]);
        assert_eq!(ValuesDigest::of(&vec![5, -3].into()).0.0, keccak256(&[&bytes]));
    }

    #[test]
    fn amounts_neither_wrap_nor_go_below_zero() {
        let most = Amount(u128::MAX);
        assert_eq!(most.plus(Amount(1)), Err(Refusal::Overflow));
        assert_eq!(most.plus(Amount(0)), Ok(most));
        assert_eq!(Amount(1).minus(Amount(2)), None);
        assert_eq!(Amount(2).minus(Amount(2)), Some(Amount(0)));
    }
}
