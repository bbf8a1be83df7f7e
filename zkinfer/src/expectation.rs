//! What a verifier expects of a proof, and how a proof fails to be that.

use std::{fmt, path::Path};

use thiserror::Error;
use zkinfer_verifier::{
    BatchItem, ClaimedValues, Commitment, Digest, InferenceClaim, JobBinding, Opening,
    OpeningError, Openings, ProofFile, ProofFileError, SrsPolicy, SrsTrust, TensorLayout,
    VerifyError, VerifyingKey, Visibility, verify, verify_batch,
};

use crate::{error::Error, settings::Side, tensors};

/// What is said about one side of a claim; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExpectedSide<'a> {
    /// A file with the real numbers.
    pub values: Option<&'a Path>,
    /// The commitment.
    pub commitment: Option<[u8; 32]>,
}

/// What is said about the job; the rest may be anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpectedJob {
    /// The chain on which the job is settled.
    pub chain_id: Option<u64>,
    /// The job.
    pub job_id: Option<[u8; 32]>,
    /// Who is paid.
    pub payee: Option<[u8; 20]>,
    /// When the proof expires, in seconds of Unix time.
    pub expiry: Option<u64>,
    /// Tells two proofs of one job apart.
    pub nonce: Option<u64>,
}

impl ExpectedJob {
    /// What a proof must be bound to: `claimed`, but for what is said.
    #[must_use]
    pub fn binding(&self, claimed: &JobBinding) -> JobBinding {
        JobBinding {
            chain_id: self.chain_id.unwrap_or(claimed.chain_id),
            job_id: self.job_id.unwrap_or(claimed.job_id),
            payee: self.payee.unwrap_or(claimed.payee),
            expiry: self.expiry.unwrap_or(claimed.expiry),
            nonce: self.nonce.unwrap_or(claimed.nonce),
        }
    }
}

/// What is expected of a proof under one key, as that key's integers.
#[derive(Clone, Debug)]
pub struct Expectation<'a> {
    key: &'a VerifyingKey,
    model: Option<Digest>,
    input: Option<ClaimedValues>,
    output: Option<ClaimedValues>,
    openings: Option<Openings>,
    job: ExpectedJob,
    valid_at: Option<u64>,
    policy: SrsPolicy,
}

impl<'a> Expectation<'a> {
    /// Expects nothing but a proof under `key`, and a trusted setup that `policy` allows.
    #[must_use]
    pub fn new(key: &'a VerifyingKey, policy: SrsPolicy) -> Self {
        Self {
            key,
            model: None,
            input: None,
            output: None,
            openings: None,
            job: ExpectedJob::default(),
            valid_at: None,
            policy,
        }
    }

    /// The key must name the ONNX file of this digest.
    #[must_use]
    pub fn model(mut self, digest: Option<Digest>) -> Self {
        self.model = digest;
        self
    }

    /// The proof must be made for this job.
    #[must_use]
    pub fn job(mut self, job: ExpectedJob) -> Self {
        self.job = job;
        self
    }

    /// The proof must not have expired at this time, in seconds of Unix time.
    #[must_use]
    pub fn valid_at(mut self, time: Option<u64>) -> Self {
        self.valid_at = time;
        self
    }

    /// The openings must open the claim's commitments. Set them before inputs and outputs.
    #[must_use]
    pub fn openings(mut self, openings: Option<Openings>) -> Self {
        self.openings = openings;
        self
    }

    /// The proof must be about this input.
    ///
    /// # Errors
    /// If it cannot be compared under this key, or a file does not hold the key's inputs.
    pub fn input(mut self, expected: ExpectedSide<'_>) -> Result<Self, Error> {
        let layout = &self.key.parts().layout;
        let values = expected.values.map(|path| tensors::read_input_integers(path, &layout.inputs));
        let opening = self.openings.as_ref().and_then(|openings| openings.input.as_ref());
        self.input = KeySide {
            side: Side::Input,
            visibility: layout.input_visibility,
            layout: &layout.inputs,
            opening,
        }
        .claimed(values.transpose()?, expected.commitment)?;
        Ok(self)
    }

    /// The proof must claim this output.
    ///
    /// # Errors
    /// If it cannot be compared under this key, or a file does not hold the key's outputs.
    pub fn output(mut self, expected: ExpectedSide<'_>) -> Result<Self, Error> {
        let layout = &self.key.parts().layout;
        let values =
            expected.values.map(|path| tensors::read_output_integers(path, &layout.outputs));
        let opening = self.openings.as_ref().and_then(|openings| openings.output.as_ref());
        self.output = KeySide {
            side: Side::Output,
            visibility: layout.output_visibility,
            layout: &layout.outputs,
            opening,
        }
        .claimed(values.transpose()?, expected.commitment)?;
        Ok(self)
    }

    /// What opens commitments, where something does.
    #[must_use]
    pub fn given_openings(&self) -> Option<&Openings> {
        self.openings.as_ref()
    }

    /// The claim in the file, but for what is expected.
    fn claim(&self, file: &ProofFile) -> InferenceClaim {
        let claimed = &file.claim;
        InferenceClaim {
            model: self.key.digest(),
            input: self.input.as_ref().unwrap_or(&claimed.input).clone(),
            output: self.output.as_ref().unwrap_or(&claimed.output).clone(),
            binding: self.job.binding(&claimed.binding),
        }
    }

    /// Whether the proof is the expected one. What the file says is compared first, because that
    /// gives better reasons; what decides is the proof of the expected claim.
    ///
    /// # Errors
    /// Why the proof is rejected.
    pub fn check(&self, file: &ProofFile) -> Result<SrsTrust, Rejection> {
        let expected = self.claim(file);
        self.compare(file, &expected)?;
        let verified = verify(self.key, &expected, &file.proof, self.policy)?;
        Ok(verified.srs())
    }

    /// [`Self::check`] of many proofs with one pairing, and one by one only if that fails; in
    /// their order.
    #[must_use]
    pub fn check_batch(&self, files: &[ProofFile]) -> Vec<Result<SrsTrust, Rejection>> {
        let claims: Vec<InferenceClaim> = files.iter().map(|file| self.claim(file)).collect();
        let pairs = files.iter().zip(&claims);
        let compared: Vec<_> = pairs.map(|(file, claim)| self.compare(file, claim)).collect();
        let items: Vec<BatchItem<'_>> = files
            .iter()
            .zip(&claims)
            .zip(&compared)
            .filter(|(_, compared)| compared.is_ok())
            .map(|((file, expected), _)| BatchItem { key: self.key, expected, proof: &file.proof })
            .collect();
        let mut verified = verify_batch(&items, self.policy).into_iter();
        let result = |compared: Result<(), Rejection>| {
            compared?;
            let verified = verified.next().unwrap_or(Err(VerifyError::Pairing))?;
            Ok(verified.srs())
        };
        compared.into_iter().map(result).collect()
    }

    /// Compares what key and file say with what is expected; the proof is not looked at.
    fn compare(&self, file: &ProofFile, expected: &InferenceClaim) -> Result<(), Rejection> {
        let parts = self.key.parts();
        if let Some(expected) = self.model.filter(|model| *model != parts.model_digest) {
            return Err(Rejection::Model { expected, got: parts.model_digest });
        }
        file.check_key(self.key)?;
        let layout = &parts.layout;
        compare(Side::Input, &layout.inputs, &expected.input, &file.claim.input)?;
        compare(Side::Output, &layout.outputs, &expected.output, &file.claim.output)?;
        if let Some((field, expected, got)) = difference(&expected.binding, &file.claim.binding) {
            return Err(Rejection::Job { field, expected, got });
        }
        if let Some(openings) = &self.openings {
            openings.check(self.key, &file.claim)?;
        }
        let expiry = file.claim.binding.expiry;
        match self.valid_at {
            Some(time) if time > expiry => Err(Rejection::Expired { expiry, time }),
            _ => Ok(()),
        }
    }
}

/// Why a proof is not the expected one.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The key names another ONNX file.
    #[error("the key is of the model {got}, not of {expected}")]
    Model {
        /// The digest expected.
        expected: Digest,
        /// The digest in the key.
        got: Digest,
    },
    /// The file names another key or another trusted setup.
    #[error(transparent)]
    Key(#[from] ProofFileError),
    /// Another commitment.
    #[error("the {side} commitment is {got}, expected {expected}")]
    Commitment {
        /// The side.
        side: Side,
        /// The commitment expected.
        expected: Commitment,
        /// The one claimed.
        got: Commitment,
    },
    /// The claim shows a side that the key hides, or the other way round.
    #[error("the file's {side} is {got}, the key's {expected}")]
    Visibility {
        /// The side.
        side: Side,
        /// The key's.
        expected: Visibility,
        /// The file's.
        got: Visibility,
    },
    /// Another number of elements.
    #[error("{got} {side} elements, expected {expected}")]
    ElementCount {
        /// The side.
        side: Side,
        /// The number expected.
        expected: usize,
        /// The number claimed.
        got: usize,
    },
    /// Another element.
    #[error("{side} {tensor}: element {element} is {got} units, expected {expected}")]
    Element {
        /// The side.
        side: Side,
        /// The tensor.
        tensor: String,
        /// The element, in C order.
        element: usize,
        /// The integer expected.
        expected: i64,
        /// The integer claimed.
        got: i64,
    },
    /// Made for another job.
    #[error("it was made for {field} {got}, not for {field} {expected}")]
    Job {
        /// What differs.
        field: JobField,
        /// What was expected.
        expected: String,
        /// What it was made for.
        got: String,
    },
    /// Expired.
    #[error("it expired at {expiry}, before {time}")]
    Expired {
        /// When.
        expiry: u64,
        /// The time asked about.
        time: u64,
    },
    /// The openings do not open the claim's commitments.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// The proof does not prove the expected claim.
    #[error(transparent)]
    Proof(#[from] VerifyError),
}

/// A field of a job binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobField {
    /// The chain.
    Chain,
    /// The job's identifier.
    Job,
    /// Who is paid.
    Payee,
    /// When the proof expires.
    Expiry,
    /// Tells two proofs of one job apart.
    Nonce,
}

impl fmt::Display for JobField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain => "chain",
            Self::Job => "job",
            Self::Payee => "payee",
            Self::Expiry => "expiry",
            Self::Nonce => "nonce",
        })
    }
}

/// One side of the claims of a key.
struct KeySide<'a> {
    side: Side,
    visibility: Visibility,
    layout: &'a [TensorLayout],
    opening: Option<&'a Opening>,
}

impl KeySide<'_> {
    /// What the claim must hold, given what is expected.
    fn claimed(
        self,
        values: Option<Vec<i64>>,
        commitment: Option<[u8; 32]>,
    ) -> Result<Option<ClaimedValues>, Error> {
        let Self { side, visibility, layout, opening } = self;
        match (visibility, values, commitment) {
            (_, None, None) => Ok(None),
            (Visibility::Public, Some(values), None) => Ok(Some(ClaimedValues::Public(values))),
            (Visibility::Public, _, Some(_)) => Err(Error::Shown { side }),
            (Visibility::Committed, None, Some(bytes)) => {
                let commitment = Commitment::from_bytes(&bytes);
                let commitment = commitment.ok_or(Error::NoFieldElement { side })?;
                Ok(Some(ClaimedValues::Committed(commitment)))
            }
            (Visibility::Committed, Some(values), _) => {
                let opening = opening.ok_or(Error::Hidden { side })?;
                let commitment = Commitment::new(layout, &values, &opening.blinding)
                    .map_err(|source| Error::Commitment { side, source })?;
                Ok(Some(ClaimedValues::Committed(commitment)))
            }
        }
    }
}

fn compare(
    side: Side,
    layout: &[TensorLayout],
    expected: &ClaimedValues,
    claimed: &ClaimedValues,
) -> Result<(), Rejection> {
    let (expected, claimed) = match (expected, claimed) {
        (ClaimedValues::Public(expected), ClaimedValues::Public(claimed)) => (expected, claimed),
        (&ClaimedValues::Committed(expected), &ClaimedValues::Committed(got)) => {
            let same = expected == got;
            return if same { Ok(()) } else { Err(Rejection::Commitment { side, expected, got }) };
        }
        (expected, claimed) => {
            let (expected, got) = (expected.visibility(), claimed.visibility());
            return Err(Rejection::Visibility { side, expected, got });
        }
    };
    if expected.len() != claimed.len() {
        let (expected, got) = (expected.len(), claimed.len());
        return Err(Rejection::ElementCount { side, expected, got });
    }
    let owners = layout
        .iter()
        .flat_map(|tensor| (0..tensor.element_count()).map(move |element| (&tensor.name, element)));
    let mut pairs = owners.zip(expected.iter().zip(claimed));
    match pairs.find(|(_, (expected, claimed))| expected != claimed) {
        Some(((tensor, element), (&expected, &got))) => {
            Err(Rejection::Element { side, tensor: tensor.clone(), element, expected, got })
        }
        None => Ok(()),
    }
}

/// The first field of `claimed` that is not the expected one, with both values in words.
fn difference(expected: &JobBinding, claimed: &JobBinding) -> Option<(JobField, String, String)> {
    let fields = [
        (JobField::Chain, expected.chain_id.to_string(), claimed.chain_id.to_string()),
        (JobField::Job, hex(&expected.job_id), hex(&claimed.job_id)),
        (JobField::Payee, hex(&expected.payee), hex(&claimed.payee)),
        (JobField::Expiry, expected.expiry.to_string(), claimed.expiry.to_string()),
        (JobField::Nonce, expected.nonce.to_string(), claimed.nonce.to_string()),
    ];
    fields.into_iter().find(|(_, expected, claimed)| expected != claimed)
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_binding_is_compared() {
        let base = JobBinding { chain_id: 1, job_id: [2; 32], payee: [3; 20], expiry: 4, nonce: 5 };
        assert_eq!(difference(&base, &base), None);
        let others = [
            (JobField::Chain, JobBinding { chain_id: 9, ..base }),
            (JobField::Job, JobBinding { job_id: [9; 32], ..base }),
            (JobField::Payee, JobBinding { payee: [9; 20], ..base }),
            (JobField::Expiry, JobBinding { expiry: 9, ..base }),
            (JobField::Nonce, JobBinding { nonce: 9, ..base }),
        ];
        for (field, other) in others {
            assert_eq!(difference(&base, &other).map(|(field, ..)| field), Some(field));
        }
    }
}
