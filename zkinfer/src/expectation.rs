//! What a verifier expects of a proof: from files and options to the verifier's own words.

use std::path::Path;

use thiserror::Error;
use zkinfer_verifier::{
    self as verifier, BatchItem, ClaimedValues, Commitment, InferenceClaim, Mismatch, Opening,
    OpeningError, Openings, ProofFile, Side, SrsPolicy, SrsTrust, TensorLayout, VerifyError,
    VerifyingKey, Visibility, verify_batch,
};

use crate::{error::Error, tensors};

/// What is said about one side of a claim; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExpectedSide<'a> {
    /// A file with the real numbers.
    pub values: Option<&'a Path>,
    /// The commitment.
    pub commitment: Option<[u8; 32]>,
}

/// What is expected of a proof under one key, as that key's integers.
///
/// ```
/// use zkinfer::{Expectation, ExpectedSide, SrsPolicy};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/example.rs")); }
/// # use example::*;
/// # let work = proven()?;
/// let (key, proof) = (zkinfer::read::key(&work.key)?, zkinfer::read::proof(&work.proof)?);
///
/// // The verifier knows who is to be paid, and which input was ordered.
/// let mut expected = Expectation::new(&key, SrsPolicy::AllowInsecureDev);
/// expected.claim.payee = Some([9; 20]);
/// let expected = expected.input(ExpectedSide { values: Some(&work.input), commitment: None })?;
/// assert!(expected.check(&proof).is_ok());
///
/// let mut other = expected.clone();
/// other.claim.payee = Some([8; 20]);
/// assert_eq!(other.check(&proof).unwrap_err().codes(), ["payee"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Expectation<'a> {
    /// What the claim must say: job, payee, model, and so on. Inputs and outputs are set from files
    /// by [`Self::input`] and [`Self::output`].
    pub claim: verifier::Expectation<'a>,
    openings: Option<Openings>,
    policy: SrsPolicy,
}

impl<'a> Expectation<'a> {
    /// Expects nothing but a proof under `key`, and a trusted setup that `policy` allows.
    #[must_use]
    pub fn new(key: &'a VerifyingKey, policy: SrsPolicy) -> Self {
        Self { claim: verifier::Expectation::new(key), openings: None, policy }
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
        let layout = &self.claim.key.parts().layout;
        let values = expected.values.map(|path| tensors::read_input_integers(path, &layout.inputs));
        let opening = self.openings.as_ref().and_then(|openings| openings.input.as_ref());
        self.claim.input = KeySide {
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
        let layout = &self.claim.key.parts().layout;
        let values =
            expected.values.map(|path| tensors::read_output_integers(path, &layout.outputs));
        let opening = self.openings.as_ref().and_then(|openings| openings.output.as_ref());
        self.claim.output = KeySide {
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

    /// Whether something is said of this side of the claim. What is not said is taken from the
    /// proof: a reader has to look at it.
    #[must_use]
    pub fn compares(&self, side: Side) -> bool {
        match side {
            Side::Input => self.claim.input.is_some(),
            Side::Output => self.claim.output.is_some(),
        }
    }

    /// Whether the proof is the expected one. What the file says is compared first, because that
    /// gives better reasons; what decides is the proof of the expected claim.
    ///
    /// # Errors
    /// Why the proof is rejected.
    pub fn check(&self, file: &ProofFile) -> Result<SrsTrust, Rejection> {
        self.compare(file)?;
        let expected = self.claim.claim(&file.claim);
        let verified = file.proves(self.claim.key, &expected, self.policy)?;
        Ok(verified.srs())
    }

    /// [`Self::check`] of many proofs with one pairing, and one by one only if that fails; in
    /// their order.
    #[must_use]
    pub fn check_batch(&self, files: &[ProofFile]) -> Vec<Result<SrsTrust, Rejection>> {
        let key = self.claim.key;
        let claims: Vec<InferenceClaim> =
            files.iter().map(|file| self.claim.claim(&file.claim)).collect();
        let compared: Vec<_> = files.iter().map(|file| self.compare(file)).collect();
        let items: Vec<BatchItem<'_>> = files
            .iter()
            .zip(&claims)
            .zip(&compared)
            .filter(|(_, compared)| compared.is_ok())
            .map(|((file, expected), _)| BatchItem {
                key,
                expected,
                proof: &file.proof,
                leaf: file.leaf.as_ref(),
            })
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
    fn compare(&self, file: &ProofFile) -> Result<(), Rejection> {
        let mismatches = file.check_claim(&self.claim);
        if !mismatches.is_empty() {
            return Err(Rejection::Mismatches(mismatches));
        }
        if let Some(openings) = &self.openings {
            openings.check(self.claim.key, &file.claim)?;
        }
        Ok(())
    }
}

/// Why a proof is not the expected one.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It claims something else, in at least one place.
    #[error("{}", list(.0))]
    Mismatches(Vec<Mismatch>),
    /// The openings do not open the claim's commitments.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// The proof does not prove the expected claim.
    #[error(transparent)]
    Proof(#[from] VerifyError),
}

impl Rejection {
    /// Words for programs, one for each reason; they never change their meaning, while texts may.
    #[must_use]
    pub fn codes(&self) -> Vec<&'static str> {
        match self {
            Self::Mismatches(mismatches) => mismatches.iter().map(Mismatch::code).collect(),
            Self::Opening(_) => vec!["opening"],
            Self::Proof(error) => vec![error.code()],
        }
    }
}

fn list(mismatches: &[Mismatch]) -> String {
    let texts: Vec<String> = mismatches.iter().map(Mismatch::to_string).collect();
    texts.join("; ")
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

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
