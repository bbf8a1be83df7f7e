//! The `.zkproof` file: one JSON object, spelled in one way only.

use alloc::{format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    claim::{ClaimedValues, InferenceClaim, JobBinding},
    commitment::{Commitment, big_endian, from_big_endian},
    digest::{Digest, KeyDigest, SrsDigest},
    error::VerifyError,
    expectation::{Expectation, Mismatch, Rejection},
    hex::{ONE_SPELLING, array, hex, unhex},
    joint::Leaf,
    key::VerifyingKey,
    proof::Proof,
    srs::SrsPolicy,
    verify::{Checked, VerifiedInference},
};

/// The versions of the file format: of a proof of one claim, and of one claim of several. A change
/// that moves a byte or the meaning of one makes a new one.
const ALONE: u32 = 1;
const LEAF: u32 = 2;
/// Larger files are refused unread.
const MAX_BYTES: usize = 1 << 26;

/// The content of a `.zkproof` file. Nothing in it is trusted because it is in the file: compare
/// [`claim`](Self::claim) with what you expect, or build your own, before [`verify`](crate::verify).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofFile {
    /// Name of the trusted setup.
    pub srs_name: String,
    /// Digest of the trusted setup's \[τ\]₂.
    pub srs: SrsDigest,
    /// What the proof claims; where it is about several claims, one of them.
    pub claim: InferenceClaim,
    /// The place of this claim, where the proof is about several.
    pub leaf: Option<Leaf>,
    /// The proof.
    pub proof: Proof,
}

impl ProofFile {
    /// A file for a claim proven under `key`.
    #[must_use]
    pub fn new(key: &VerifyingKey, claim: InferenceClaim, proof: Proof) -> Self {
        let srs = &key.parts().srs;
        Self { srs_name: srs.name.clone(), srs: srs.digest(), claim, leaf: None, proof }
    }

    /// Files for the claims of one proof, one for each, in their order; `None` where a claim shows
    /// its values.
    #[must_use]
    pub fn of_joint(
        key: &VerifyingKey,
        claims: Vec<InferenceClaim>,
        proof: &Proof,
    ) -> Option<Vec<Self>> {
        let leaves = Leaf::of_all(&claims)?;
        let file =
            |(claim, leaf)| Self { leaf: Some(leaf), ..Self::new(key, claim, proof.clone()) };
        Some(claims.into_iter().zip(leaves).map(file).collect())
    }

    /// Checks that the file's proof proves `expected` at the file's place: what the file claims is
    /// not looked at.
    ///
    /// # Errors
    /// The first check that fails, in the order of the variants of [`VerifyError`].
    pub fn proves(
        &self,
        key: &VerifyingKey,
        expected: &InferenceClaim,
        policy: SrsPolicy,
    ) -> Result<VerifiedInference, VerifyError> {
        let leaf = self.leaf.as_ref();
        Checked::alone_or_leaf(key, expected, leaf, &self.proof, policy)?.finish(key, expected)
    }

    /// Whether the file names `key` and its trusted setup.
    ///
    /// # Errors
    /// [`ProofFileError::Key`], [`ProofFileError::Srs`] or [`ProofFileError::SrsName`].
    pub fn check_key(&self, key: &VerifyingKey) -> Result<(), ProofFileError> {
        let (expected, got) = (key.digest(), self.claim.model);
        if expected != got {
            return Err(ProofFileError::Key { expected, got });
        }
        let (expected, got) = (key.srs_digest(), self.srs);
        if expected != got {
            return Err(ProofFileError::Srs { expected, got });
        }
        if key.parts().srs.name == self.srs_name { Ok(()) } else { Err(ProofFileError::SrsName) }
    }

    /// Everything in which the file is not what is expected, before any cryptography; empty where
    /// only the proof itself is left to check.
    #[must_use]
    pub fn check_claim(&self, expected: &Expectation<'_>) -> Vec<Mismatch> {
        let mut found = expected.check(&self.claim);
        let (srs, got) = (expected.key.srs_digest(), self.srs);
        if srs != got {
            found.push(Mismatch::Srs { expected: srs, got });
        } else if expected.key.parts().srs.name != self.srs_name {
            found.push(Mismatch::SrsName);
        }
        found
    }

    /// Checks that the file is what is expected, and that its proof holds.
    ///
    /// # Errors
    /// [`Rejection::Mismatches`] before any cryptography, else [`Rejection::Proof`].
    pub fn verify(
        &self,
        expected: &Expectation<'_>,
        policy: SrsPolicy,
    ) -> Result<VerifiedInference, Rejection> {
        let mismatches = self.check_claim(expected);
        if !mismatches.is_empty() {
            return Err(Rejection::Mismatches(mismatches));
        }
        let claim = expected.claim(&self.claim);
        self.proves(expected.key, &claim, policy).map_err(Rejection::Proof)
    }

    /// Decodes a file. Any byte string is either refused or the encoding of exactly one content.
    ///
    /// # Errors
    /// [`ProofFileError`], the first check that fails.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofFileError> {
        let got = bytes.len();
        if got > MAX_BYTES {
            return Err(ProofFileError::TooLarge { limit: MAX_BYTES, got });
        }
        let wire: Wire = serde_json::from_slice(bytes)
            .map_err(|error| ProofFileError::Json { line: error.line(), column: error.column() })?;
        if ![ALONE, LEAF].contains(&wire.format) {
            return Err(ProofFileError::Version { got: wire.format });
        }
        let file = wire.try_into_file()?;
        if file.encode().as_bytes() == bytes { Ok(file) } else { Err(ProofFileError::NotCanonical) }
    }

    /// The text of the file: one line of JSON without spaces, and a newline.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { srs_name, srs, claim, leaf, proof } = self;
        let InferenceClaim { model, input, output, binding } = claim;
        let JobBinding { chain_id, job_id, payee, expiry, nonce } = binding;
        let wire = Wire {
            format: if leaf.is_some() { LEAF } else { ALONE },
            key: format!("{model}"),
            srs: WireSrs { name: srs_name.clone(), digest: format!("{srs}") },
            claim: WireClaim {
                input: input.public().map(<[i64]>::to_vec),
                input_commitment: commitment_text(input),
                output: output.public().map(<[i64]>::to_vec),
                output_commitment: commitment_text(output),
                binding: WireBinding {
                    chain_id: *chain_id,
                    job_id: hex(job_id),
                    payee: hex(payee),
                    expiry: *expiry,
                    nonce: *nonce,
                },
            },
            leaf: leaf.as_ref().map(|Leaf { index, path }| WireLeaf {
                index: *index,
                path: path.iter().map(|sibling| hex(&big_endian(sibling))).collect(),
            }),
            proof: hex(proof.as_bytes()),
        };
        // Serializing strings and integers into memory cannot fail; an empty line is no proof file.
        let mut text = serde_json::to_string(&wire).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Why a `.zkproof` file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProofFileError {
    /// The file is larger than any proof file.
    #[error("{got} bytes, at most {limit} allowed")]
    TooLarge {
        /// The limit.
        limit: usize,
        /// The size.
        got: usize,
    },
    /// Not JSON, or not the JSON of a proof file: a missing, unknown or repeated field, a value of
    /// another type, a number that is no integer of its width.
    #[error("line {line}, column {column}: not a proof file")]
    Json {
        /// Where, counted from 1.
        line: usize,
        /// Where, counted from 1.
        column: usize,
    },
    /// A version that this crate does not read.
    #[error("unsupported proof file version {got}")]
    Version {
        /// The version of the file.
        got: u32,
    },
    /// A field that is not the right number of lowercase hexadecimal digits.
    #[error("field {field} is not hexadecimal of the right length")]
    Hex {
        /// Which field.
        field: &'static str,
    },
    /// Both or neither of values and a commitment to them.
    #[error("the claim needs either {field} or {field}_commitment")]
    Values {
        /// `"input"` or `"output"`.
        field: &'static str,
    },
    /// The same content has another, canonical spelling.
    #[error("the proof file was reformatted: {}", ONE_SPELLING)]
    NotCanonical,
    /// The file was made under another key.
    #[error("made under key {got}, not {expected}")]
    Key {
        /// The key at hand.
        expected: KeyDigest,
        /// The key that the file names.
        got: KeyDigest,
    },
    /// The file names another SRS than its key.
    #[error("names the SRS {got}, the key uses {expected}")]
    Srs {
        /// The key's SRS.
        expected: SrsDigest,
        /// The SRS that the file names.
        got: SrsDigest,
    },
    /// The file calls the SRS of its key by another name.
    #[error("calls the SRS by another name than the key does")]
    SrsName,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: u32,
    key: String,
    srs: WireSrs,
    claim: WireClaim,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leaf: Option<WireLeaf>,
    proof: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireLeaf {
    index: u32,
    path: Vec<String>,
}

impl WireLeaf {
    fn try_into_leaf(self) -> Result<Leaf, ProofFileError> {
        let refused = ProofFileError::Hex { field: "leaf.path" };
        let sibling =
            |text: &String| array(text).and_then(|bytes| from_big_endian(&bytes)).ok_or(refused);
        let path = self.path.iter().map(sibling).collect::<Result<_, _>>()?;
        Ok(Leaf { index: self.index, path })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSrs {
    name: String,
    digest: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireClaim {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<Vec<i64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input_commitment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<Vec<i64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output_commitment: Option<String>,
    binding: WireBinding,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireBinding {
    chain_id: u64,
    job_id: String,
    payee: String,
    expiry: u64,
    nonce: u64,
}

impl Wire {
    fn try_into_file(self) -> Result<ProofFile, ProofFileError> {
        let Self { format: _, key, srs, claim, leaf, proof } = self;
        let WireSrs { name, digest } = srs;
        let WireClaim { input, input_commitment, output, output_commitment, binding } = claim;
        let WireBinding { chain_id, job_id, payee, expiry, nonce } = binding;
        Ok(ProofFile {
            srs_name: name,
            srs: SrsDigest(Digest(array_of("srs.digest", &digest)?)),
            claim: InferenceClaim {
                model: KeyDigest(Digest(array_of("key", &key)?)),
                input: values("input", "claim.input_commitment", input, input_commitment)?,
                output: values("output", "claim.output_commitment", output, output_commitment)?,
                binding: JobBinding {
                    chain_id,
                    job_id: array_of("claim.binding.job_id", &job_id)?,
                    payee: array_of("claim.binding.payee", &payee)?,
                    expiry,
                    nonce,
                },
            },
            leaf: leaf.map(WireLeaf::try_into_leaf).transpose()?,
            proof: Proof::new(unhex(&proof).ok_or(ProofFileError::Hex { field: "proof" })?),
        })
    }
}

/// Values or a commitment, whichever is there.
fn values(
    field: &'static str,
    commitment_field: &'static str,
    shown: Option<Vec<i64>>,
    commitment: Option<String>,
) -> Result<ClaimedValues, ProofFileError> {
    match (shown, commitment) {
        (Some(values), None) => Ok(ClaimedValues::Public(values)),
        (None, Some(text)) => Commitment::from_bytes(&array_of(commitment_field, &text)?)
            .map(ClaimedValues::Committed)
            .ok_or(ProofFileError::Hex { field: commitment_field }),
        (Some(_), Some(_)) | (None, None) => Err(ProofFileError::Values { field }),
    }
}

fn commitment_text(values: &ClaimedValues) -> Option<String> {
    match values {
        ClaimedValues::Public(_) => None,
        ClaimedValues::Committed(commitment) => Some(format!("{commitment}")),
    }
}

fn array_of<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], ProofFileError> {
    array(text).ok_or(ProofFileError::Hex { field })
}
