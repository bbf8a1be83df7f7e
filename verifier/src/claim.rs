//! What a proof claims, and the public values that bind it.

use alloc::vec::Vec;

use ark_bn254::Fr;

use crate::{
    commitment::Commitment,
    curve::scalar_from_integer,
    digest::{KeyDigest, keccak256},
    side::Visibility,
};

/// Separates the hash of a binding from every other use of Keccak-256.
const BINDING_DOMAIN: &[u8; 16] = b"zkinfer.job.v1\0\0";

/// The job that a proof was made for; the proof serves no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobBinding {
    /// The chain on which the job is settled.
    pub chain_id: u64,
    /// The job on that chain.
    pub job_id: [u8; 32],
    /// Who is paid, whoever submits the proof.
    pub payee: [u8; 20],
    /// Unix time in seconds after which the proof is worth nothing;
    /// [`NO_EXPIRY`](Self::NO_EXPIRY), zero, for a proof that does not expire.
    pub expiry: u64,
    /// Tells two proofs of the same job apart.
    pub nonce: u64,
}

impl JobBinding {
    /// The expiry of a proof that does not expire.
    pub const NO_EXPIRY: u64 = 0;

    /// The binding of a proof for no job: it pays nobody and does not expire.
    pub const NONE: Self =
        Self { chain_id: 0, job_id: [0; 32], payee: [0; 20], expiry: Self::NO_EXPIRY, nonce: 0 };

    /// Whether the proof is worth nothing at `now`, in Unix seconds. The expiry itself is the last
    /// second at which it is worth something; a proof without one never expires.
    #[must_use]
    pub fn expired(&self, now: u64) -> bool {
        self.expiry != Self::NO_EXPIRY && now > self.expiry
    }

    /// Whether nobody can be paid for the proof: its payee is twenty zero bytes.
    #[must_use]
    pub fn pays_nobody(&self) -> bool {
        self.payee == Self::NONE.payee
    }

    /// The canonical encoding: a domain tag of 16 bytes, then the fields in order, big-endian.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { chain_id, job_id, payee, expiry, nonce } = self;
        let mut bytes = Vec::with_capacity(92);
        bytes.extend_from_slice(BINDING_DOMAIN);
        bytes.extend_from_slice(&chain_id.to_be_bytes());
        bytes.extend_from_slice(job_id);
        bytes.extend_from_slice(payee);
        bytes.extend_from_slice(&expiry.to_be_bytes());
        bytes.extend_from_slice(&nonce.to_be_bytes());
        bytes
    }

    /// Keccak-256 of the encoding.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        keccak256(&[&self.encode()])
    }

    /// The digest as two public values `[lo, hi]`: its last and its first 16 bytes, big-endian.
    #[must_use]
    pub fn limbs(&self) -> [u128; 2] {
        let digest = self.digest();
        let (halves, _) = digest.as_chunks::<16>();
        let mut limbs = [0; 2];
        for (limb, half) in limbs.iter_mut().zip(halves.iter().rev()) {
            *limb = u128::from_be_bytes(*half);
        }
        limbs
    }
}

/// The integers of all inputs, or of all outputs, of a claim: shown, or hidden in a commitment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClaimedValues {
    /// The integers of every tensor, flat in C order, one tensor after the other.
    Public(Vec<i64>),
    /// A commitment to them.
    Committed(Commitment),
}

impl ClaimedValues {
    /// The integers, where they are shown.
    #[must_use]
    pub fn public(&self) -> Option<&[i64]> {
        match self {
            Self::Public(values) => Some(values),
            Self::Committed(_) => None,
        }
    }

    /// Whether they are shown.
    #[must_use]
    pub fn visibility(&self) -> Visibility {
        match self {
            Self::Public(_) => Visibility::Public,
            Self::Committed(_) => Visibility::Committed,
        }
    }

    /// The public values: a negative integer `v` as `p − |v|`, a commitment as it is.
    fn append_to(&self, instance: &mut Vec<Fr>) {
        match self {
            Self::Public(values) => {
                instance.extend(values.iter().map(|&value| scalar_from_integer(value)))
            }
            Self::Committed(commitment) => instance.push(commitment.to_scalar()),
        }
    }
}

impl From<Vec<i64>> for ClaimedValues {
    fn from(values: Vec<i64>) -> Self {
        Self::Public(values)
    }
}

/// "The model `model`, run on `input`, gives `output`; made for the job of `binding`."
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InferenceClaim {
    /// Digest of the verifying key.
    pub model: KeyDigest,
    /// The input tensors.
    pub input: ClaimedValues,
    /// The output tensors.
    pub output: ClaimedValues,
    /// The job.
    pub binding: JobBinding,
}

impl InferenceClaim {
    /// The public values, in order: `[binding lo, binding hi, input…, output…]`. The key says where in
    /// the instance columns they lie.
    #[must_use]
    pub fn instance(&self) -> Vec<Fr> {
        let mut instance: Vec<Fr> = self.binding.limbs().into_iter().map(Fr::from).collect();
        self.input.append_to(&mut instance);
        self.output.append_to(&mut instance);
        instance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_expires_after_its_last_second_and_without_one_never() {
        let at = |expiry| JobBinding { expiry, ..JobBinding::NONE };
        assert!(!at(100).expired(100) && at(100).expired(101));
        assert!(!at(1).expired(0) && !at(u64::MAX).expired(u64::MAX));
        assert!(!at(0).expired(0) && !at(0).expired(u64::MAX));
        assert!(at(0).pays_nobody());
        assert!(!JobBinding { payee: [1; 20], ..JobBinding::NONE }.pays_nobody());
    }

    #[test]
    fn limbs_are_the_halves_of_the_digest() {
        let binding =
            JobBinding { chain_id: 1, job_id: [2; 32], payee: [3; 20], expiry: 4, nonce: 5 };
        assert_eq!(binding.encode().len(), 92);
        let [lo, hi] = binding.limbs();
        let digest = binding.digest();
        assert_eq!(digest[..16], hi.to_be_bytes());
        assert_eq!(digest[16..], lo.to_be_bytes());
    }
}
