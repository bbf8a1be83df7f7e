//! What a caller expects of a proof, and every way in which a proof is something else.

use alloc::{string::String, vec::Vec};
use core::fmt;

use thiserror::Error;

use crate::{
    claim::{ClaimedValues, InferenceClaim, JobBinding},
    commitment::Commitment,
    digest::{Digest, KeyDigest, SrsDigest},
    error::VerifyError,
    key::VerifyingKey,
    layout::TensorLayout,
    proof::Proof,
    side::{Side, Visibility},
    srs::SrsPolicy,
    time::UnixTime,
    verify::{VerifiedInference, verify},
};

/// What the caller knows about a proof that he wants to pay for. What is `None` is taken from the
/// proof as it claims it, so whoever pays leaves little open.
#[derive(Clone, Debug)]
pub struct Expectation<'a> {
    /// The key under which the proof must hold.
    pub key: &'a VerifyingKey,
    /// The digest that this key must have, where the key's file is not trusted itself.
    pub key_digest: Option<KeyDigest>,
    /// The digest of the ONNX file that the key must name. The name is the key maker's word.
    pub model: Option<Digest>,
    /// The digest of the graph that the key must name, whatever file it is in. Likewise.
    pub graph: Option<Digest>,
    /// The input, or the commitment to it.
    pub input: Option<ClaimedValues>,
    /// The output, or the commitment to it.
    pub output: Option<ClaimedValues>,
    /// The chain on which the job is settled.
    pub chain_id: Option<u64>,
    /// The job.
    pub job_id: Option<[u8; 32]>,
    /// Who is to be paid.
    pub payee: Option<[u8; 20]>,
    /// The proof's expiry in Unix seconds, exactly.
    pub expiry: Option<u64>,
    /// The nonce.
    pub nonce: Option<u64>,
    /// A time in Unix seconds at which the proof must not have expired.
    pub valid_at: Option<u64>,
}

impl<'a> Expectation<'a> {
    /// Expects a proof under `key`, about anything.
    #[must_use]
    pub fn new(key: &'a VerifyingKey) -> Self {
        Self {
            key,
            key_digest: None,
            model: None,
            graph: None,
            input: None,
            output: None,
            chain_id: None,
            job_id: None,
            payee: None,
            expiry: None,
            nonce: None,
            valid_at: None,
        }
    }

    /// The claim to verify: what is expected, and where nothing is, what `claimed` says.
    #[must_use]
    pub fn claim(&self, claimed: &InferenceClaim) -> InferenceClaim {
        let JobBinding { chain_id, job_id, payee, expiry, nonce } = claimed.binding;
        InferenceClaim {
            model: self.key.digest(),
            input: self.input.as_ref().unwrap_or(&claimed.input).clone(),
            output: self.output.as_ref().unwrap_or(&claimed.output).clone(),
            binding: JobBinding {
                chain_id: self.chain_id.unwrap_or(chain_id),
                job_id: self.job_id.unwrap_or(job_id),
                payee: self.payee.unwrap_or(payee),
                expiry: self.expiry.unwrap_or(expiry),
                nonce: self.nonce.unwrap_or(nonce),
            },
        }
    }

    /// Everything in which `claimed` is not what is expected, key first; empty for a claim that is
    /// as expected, which is then still to be proven. Costs no cryptography.
    #[must_use]
    pub fn check(&self, claimed: &InferenceClaim) -> Vec<Mismatch> {
        let mut found = Vec::new();
        let key = self.key;
        differs(self.key_digest, key.digest(), &mut found, |expected, got| Mismatch::ExpectedKey {
            expected,
            got,
        });
        differs(self.model, key.parts().model_digest, &mut found, |expected, got| {
            Mismatch::Model { expected, got }
        });
        differs(self.graph, key.parts().graph_digest, &mut found, |expected, got| {
            Mismatch::Graph { expected, got }
        });
        differs(Some(key.digest()), claimed.model, &mut found, |expected, got| Mismatch::Key {
            expected,
            got,
        });
        let layout = &key.parts().layout;
        found.extend(Side::Input.check(
            (layout.input_visibility, &layout.inputs),
            self.input.as_ref(),
            &claimed.input,
        ));
        found.extend(Side::Output.check(
            (layout.output_visibility, &layout.outputs),
            self.output.as_ref(),
            &claimed.output,
        ));
        self.check_job(&claimed.binding, &mut found);
        found
    }

    fn check_job(&self, claimed: &JobBinding, found: &mut Vec<Mismatch>) {
        let JobBinding { chain_id, job_id, payee, expiry, nonce } = *claimed;
        differs(self.chain_id, chain_id, found, |expected, got| Mismatch::ChainId {
            expected,
            got,
        });
        differs(self.job_id, job_id, found, |expected, got| Mismatch::JobId { expected, got });
        differs(self.payee, payee, found, |expected, got| Mismatch::Payee { expected, got });
        differs(self.expiry, expiry, found, |expected, got| Mismatch::Expiry { expected, got });
        differs(self.nonce, nonce, found, |expected, got| Mismatch::Nonce { expected, got });
        if let Some(now) = self.valid_at.filter(|&now| claimed.expired(now)) {
            found.push(Mismatch::Expired { expiry, now });
        }
    }

    /// Checks that `claimed` is as expected, and that `proof` proves it.
    ///
    /// # Errors
    /// [`Rejection::Mismatches`] before any cryptography, else [`Rejection::Proof`].
    pub fn verify(
        &self,
        claimed: &InferenceClaim,
        proof: &Proof,
        policy: SrsPolicy,
    ) -> Result<VerifiedInference, Rejection> {
        let mismatches = self.check(claimed);
        if !mismatches.is_empty() {
            return Err(Rejection::Mismatches(mismatches));
        }
        verify(self.key, &self.claim(claimed), proof, policy).map_err(Rejection::Proof)
    }
}

fn differs<T: PartialEq + Copy>(
    expected: Option<T>,
    got: T,
    found: &mut Vec<Mismatch>,
    mismatch: impl FnOnce(T, T) -> Mismatch,
) {
    if let Some(expected) = expected.filter(|&expected| expected != got) {
        found.push(mismatch(expected, got));
    }
}

/// Why a proof is not accepted as what was expected.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It claims something else, in at least one place.
    #[error("{}", Listed(.0))]
    Mismatches(Vec<Mismatch>),
    /// It claims what was expected and does not prove it.
    #[error(transparent)]
    Proof(VerifyError),
}

impl Rejection {
    /// The stable code of the first reason, for programs: see [`Mismatch::code`] and
    /// [`VerifyError::code`].
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Mismatches(mismatches) => mismatches.first().map_or("mismatch", Mismatch::code),
            Self::Proof(error) => error.code(),
        }
    }
}

/// Mismatches, one after the other.
struct Listed<'a>(&'a [Mismatch]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mismatch) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{mismatch}")?;
        }
        Ok(())
    }
}

impl Side {
    /// What is wrong with this side of a claim: how it is shown, or else what it is.
    fn check(
        self,
        (visibility, tensors): (Visibility, &[TensorLayout]),
        expected: Option<&ClaimedValues>,
        claimed: &ClaimedValues,
    ) -> Option<Mismatch> {
        let shown = |values: &ClaimedValues| {
            let got = values.visibility();
            let other = Mismatch::Visibility { side: self, expected: visibility, got };
            (got != visibility).then_some(other)
        };
        if let Some(mismatch) = shown(claimed).or_else(|| expected.and_then(shown)) {
            return Some(mismatch);
        }
        match (expected?, claimed) {
            (ClaimedValues::Public(expected), ClaimedValues::Public(claimed)) => {
                self.check_values(tensors, expected, claimed)
            }
            (&ClaimedValues::Committed(expected), &ClaimedValues::Committed(got)) => {
                (expected != got).then_some(Mismatch::Commitment { side: self, expected, got })
            }
            // Both are shown as the key says, so in the same way.
            (ClaimedValues::Public(_), ClaimedValues::Committed(_))
            | (ClaimedValues::Committed(_), ClaimedValues::Public(_)) => None,
        }
    }

    fn check_values(
        self,
        tensors: &[TensorLayout],
        expected: &[i64],
        claimed: &[i64],
    ) -> Option<Mismatch> {
        let (len, got) = (expected.len(), claimed.len());
        if len != got {
            return Some(Mismatch::Length { side: self, expected: len, got });
        }
        let differing = expected.iter().zip(claimed).filter(|(one, other)| one != other).count();
        let elements = tensors
            .iter()
            .flat_map(|tensor| (0..tensor.element_count()).map(move |element| (tensor, element)));
        let mut pairs = elements.zip(expected.iter().zip(claimed));
        let found = pairs.find(|(_, (expected, got))| expected != got);
        found.map(|((tensor, element), (&expected, &got))| Mismatch::Value {
            side: self,
            tensor: tensor.name.clone(),
            element,
            expected: tensor.real(element, expected),
            got: tensor.real(element, got),
            differing,
            of: len,
        })
    }
}

/// Bytes as lowercase hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One thing in which a proof is not the expected one.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The key at hand is not the expected one.
    #[error("the key is {got}, not the expected {expected}")]
    ExpectedKey {
        /// The digest that was asked for.
        expected: KeyDigest,
        /// The digest of the key at hand.
        got: KeyDigest,
    },
    /// The key names another ONNX file.
    #[error("the key names the model {got}, not the expected {expected}")]
    Model {
        /// Digest of the expected ONNX file.
        expected: Digest,
        /// Digest in the key.
        got: Digest,
    },
    /// The key names another graph, or none.
    #[error("the key names the graph {got}, not the expected {expected}")]
    Graph {
        /// Digest of the expected graph.
        expected: Digest,
        /// Digest in the key; zeros for none.
        got: Digest,
    },
    /// The proof was made under another key than the one at hand.
    #[error("the proof was made under the key {got}, not under {expected}")]
    Key {
        /// The key at hand.
        expected: KeyDigest,
        /// The key of the claim.
        got: KeyDigest,
    },
    /// The file names another trusted setup than its key.
    #[error("the proof names the trusted setup {got}, the key uses {expected}")]
    Srs {
        /// The key's setup.
        expected: SrsDigest,
        /// The setup that the file names.
        got: SrsDigest,
    },
    /// The file calls the key's trusted setup by another name.
    #[error("the proof calls the trusted setup by another name than the key does")]
    SrsName,
    /// One of claim and expectation shows what the key commits to, or the other way round.
    #[error("the {side} is {got}, under this key it is {expected}")]
    Visibility {
        /// Which side.
        side: Side,
        /// What the key prescribes.
        expected: Visibility,
        /// What is there instead.
        got: Visibility,
    },
    /// Another number of elements.
    #[error("the {side} has {got} elements, expected {expected}")]
    Length {
        /// Which side.
        side: Side,
        /// Elements expected.
        expected: usize,
        /// Elements claimed.
        got: usize,
    },
    /// Other values; the first that differs is told.
    #[error(
        "the {side} {tensor:?} differs: element {element} is {got:?}, expected {expected:?} \
         ({differing} of {of} elements differ)"
    )]
    Value {
        /// Which side.
        side: Side,
        /// The tensor's name.
        tensor: String,
        /// Flat index in the tensor.
        element: usize,
        /// The real number expected.
        expected: f64,
        /// The real number claimed.
        got: f64,
        /// How many elements of this side differ.
        differing: usize,
        /// How many elements it has.
        of: usize,
    },
    /// Another commitment.
    #[error("the {side} commitment is {got}, expected {expected}")]
    Commitment {
        /// Which side.
        side: Side,
        /// The commitment expected.
        expected: Commitment,
        /// The commitment claimed.
        got: Commitment,
    },
    /// Made for a job on another chain.
    #[error("the proof was made for chain {got}, expected {expected}")]
    ChainId {
        /// The chain expected.
        expected: u64,
        /// The chain claimed.
        got: u64,
    },
    /// Made for another job.
    #[error("the proof was made for job {}, expected {}", Hex(.got), Hex(.expected))]
    JobId {
        /// The job expected.
        expected: [u8; 32],
        /// The job claimed.
        got: [u8; 32],
    },
    /// Pays somebody else.
    #[error("the proof pays {}, expected {}", Hex(.got), Hex(.expected))]
    Payee {
        /// Who is to be paid.
        expected: [u8; 20],
        /// Whom the proof pays.
        got: [u8; 20],
    },
    /// Expires at another time.
    #[error("the proof expires {}, expected {}", Expiry(*.got), Expiry(*.expected))]
    Expiry {
        /// Unix seconds expected.
        expected: u64,
        /// Unix seconds claimed.
        got: u64,
    },
    /// Bears another nonce.
    #[error("the proof bears the nonce {got}, expected {expected}")]
    Nonce {
        /// The nonce expected.
        expected: u64,
        /// The nonce claimed.
        got: u64,
    },
    /// Has expired at the time asked about.
    #[error("the proof expired at {}, before {}", UnixTime(*.expiry), UnixTime(*.now))]
    Expired {
        /// Unix seconds of the proof's last moment.
        expiry: u64,
        /// Unix seconds asked about.
        now: u64,
    },
}

impl Mismatch {
    /// A word for programs; it never changes its meaning, while texts may.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::ExpectedKey { .. } => "expected-key",
            Self::Model { .. } => "model",
            Self::Graph { .. } => "graph",
            Self::Key { .. } => "key",
            Self::Srs { .. } => "srs",
            Self::SrsName => "srs-name",
            Self::Visibility { side: Side::Input, .. } => "input-visibility",
            Self::Visibility { side: Side::Output, .. } => "output-visibility",
            Self::Length { side: Side::Input, .. } => "input-length",
            Self::Length { side: Side::Output, .. } => "output-length",
            Self::Value { side: Side::Input, .. } => "input",
            Self::Value { side: Side::Output, .. } => "output",
            Self::Commitment { side: Side::Input, .. } => "input-commitment",
            Self::Commitment { side: Side::Output, .. } => "output-commitment",
            Self::ChainId { .. } => "chain",
            Self::JobId { .. } => "job",
            Self::Payee { .. } => "payee",
            Self::Expiry { .. } => "expiry",
            Self::Nonce { .. } => "nonce",
            Self::Expired { .. } => "expired",
        }
    }
}

/// A proof's expiry in words.
struct Expiry(u64);

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == JobBinding::NO_EXPIRY {
            f.write_str("never")
        } else {
            write!(f, "at {}", UnixTime(self.0))
        }
    }
}
