//! What the proofs of all parts of a model show together, and whether an ONNX file gives their keys.

use std::path::PathBuf;

use thiserror::Error;
use zkinfer_models::AccuracyReport;
use zkinfer_prover::Device;
use zkinfer_verifier::{ClaimedValues, ProofFile, Strength, VerifyingKey};

use super::{Missing, accuracy::BoundAccuracy};
use crate::{
    error::{Error, SplitError},
    model::Model,
    parts::{PartFiles, Parts, PartsExpectation, PartsRejection},
    progress::Watch,
    srs::SetupKind,
    tensors::Shown,
};

/// Everything that an audit of the proofs of all parts found.
#[derive(Debug)]
pub struct PartsAudit {
    /// Why they are not the expected ones, if they are not.
    pub rejection: Option<PartsRejection>,
    /// The input that the first part shows. Rejected proofs show nothing.
    pub input: Shown,
    /// The output that the last part shows.
    pub output: Shown,
    /// What is known of the secret of the setup, which all parts share.
    pub setup: SetupKind,
    /// How hard a forgery is in the part where it is easiest.
    pub strength: Strength,
    /// What the keys say about accuracy; a report is the keys' if every one of them binds it.
    pub accuracy: BoundAccuracy,
    /// The keys made again from the ONNX file, where one was given and nothing was missing.
    pub remade: Option<RemadeParts>,
    /// What must be given, too, to make the keys again. While it is missing, an audit with an ONNX
    /// file decides nothing.
    pub missing: Option<Missing>,
}

/// What an ONNX file, and the settings beside the keys, give instead of the parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemadeParts {
    /// The file.
    pub model: PathBuf,
    /// Why they are not those of the manifest; nothing where they are.
    pub fault: Option<PartsFault>,
}

/// Why an ONNX file does not give the keys of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PartsFault {
    /// The manifest is of another ONNX file.
    #[error("the manifest is of another ONNX file")]
    Model,
    /// The keys of some parts are others.
    #[error("it gives other keys for the parts {}", list(.parts))]
    Keys {
        /// The parts, counted from 0.
        parts: Vec<usize>,
    },
}

/// From what the keys of parts are made again.
#[derive(Clone, Debug)]
pub struct RemakeParts<'a> {
    /// The model.
    pub model: &'a Model,
    /// The manifest, and beside it keys and settings.
    pub files: &'a PartFiles,
    /// The file of the ceremony that the keys stand on; `None` for the development SRS.
    pub srs: Option<&'a std::path::Path>,
}

fn list(parts: &[usize]) -> String {
    parts.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

impl RemakeParts<'_> {
    fn run(&self, watch: Watch<'_>) -> Result<RemadeParts, Error> {
        let model = self.model.path().to_owned();
        let parts = match Parts::open(self.model, self.files) {
            Err(Error::Parts(SplitError::AnotherModel { .. })) => {
                return Ok(RemadeParts { model, fault: Some(PartsFault::Model) });
            }
            opened => opened?,
        };
        let made = parts.remade(self.model, self.srs, &Device::default(), watch)?;
        let pairs = made.iter().zip(&parts.manifest.parts).enumerate();
        let others = pairs.filter(|(_, (made, expected))| made != expected);
        let others: Vec<_> = others.map(|(part, _)| part).collect();
        let fault = (!others.is_empty()).then_some(PartsFault::Keys { parts: others });
        Ok(RemadeParts { model, fault })
    }
}

impl PartsAudit {
    /// Audits the proofs of all parts: against what is expected of them, the accuracy report that their
    /// keys should bind, and the ONNX file that should give the keys. Needs no network.
    ///
    /// # Errors
    /// If there are no parts, or keys cannot be made again. What does not match is no error.
    pub fn new(
        expectation: &PartsExpectation<'_>,
        files: &[ProofFile],
        report: Option<AccuracyReport>,
        remake: Option<&RemakeParts<'_>>,
        watch: Watch<'_>,
    ) -> Result<Self, Error> {
        let (first, last) = ends(expectation)?;
        let rejection = expectation.check(files).err();
        let claims = files.first().zip(files.last()).filter(|_| rejection.is_none());
        let shown = |layout, values: Option<&ClaimedValues>| {
            values.map_or_else(Shown::default, |values| Shown::new(layout, values, None))
        };
        let strengths = expectation.keys().map(|key| Strength::new(key.parts()));
        let weakest = strengths.min_by_key(|strength| strength.bits);
        let missing = remake.and_then(|remake| Missing::srs(first, remake.srs));
        let remake = remake.filter(|_| missing.is_none());
        Ok(Self {
            input: shown(&first.parts().layout.inputs, claims.map(|(first, _)| &first.claim.input)),
            output: shown(&last.parts().layout.outputs, claims.map(|(_, last)| &last.claim.output)),
            setup: SetupKind::of(&first.parts().srs),
            strength: weakest.unwrap_or_else(|| Strength::new(first.parts())),
            accuracy: BoundAccuracy::of_keys(
                report,
                expectation.keys().map(VerifyingKey::parts),
                None,
            ),
            remade: remake.map(|remake| remake.run(watch)).transpose()?,
            missing,
            rejection,
        })
    }

    /// Whether the proofs are the expected ones, and both a report and an ONNX file that were given are
    /// those of their keys.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.rejection.is_none()
            && self.accuracy.fault.is_none()
            && self.missing.is_none()
            && self.fault().is_none()
    }

    /// Why the ONNX file does not give the keys, if one was given and it does not.
    #[must_use]
    pub fn fault(&self) -> Option<&PartsFault> {
        self.remade.as_ref()?.fault.as_ref()
    }

    /// Whether the keys were made again from the ONNX file: only then is the model more than the word
    /// of whoever made them.
    #[must_use]
    pub fn is_of_the_model(&self) -> bool {
        self.remade.as_ref().is_some_and(|remade| remade.fault.is_none())
    }
}

/// The keys of the first part and of the last.
fn ends<'a>(
    expectation: &PartsExpectation<'a>,
) -> Result<(&'a VerifyingKey, &'a VerifyingKey), Error> {
    let ends = expectation.keys().next().zip(expectation.keys().next_back());
    ends.ok_or_else(|| SplitError::NoSuchPart { index: 0, count: 0 }.into())
}
