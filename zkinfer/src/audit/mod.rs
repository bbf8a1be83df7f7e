//! What a proof shows, how strongly, and whether an ONNX file gives its key. Needs no network.

mod accuracy;
mod float;
mod parts;
mod recompile;

use std::path::PathBuf;

use thiserror::Error;
use zkinfer_models::AccuracyReport;
pub use zkinfer_verifier::Strength;
use zkinfer_verifier::{ProofFile, VerifyingKey};

pub use self::{
    accuracy::{AccuracyFault, BoundAccuracy},
    float::{FloatOutput, OtherAnswer},
    parts::{PartsAudit, PartsFault, RemadeParts, RemakeParts},
    recompile::{AccuracySource, Difference, Missing, Part, Recompile, Recompiled},
};

use crate::{
    error::Error,
    expectation::{Expectation, Rejection},
    progress::Watch,
    srs::SetupKind,
    tensors::Shown,
};

/// Everything that an audit found.
#[derive(Debug)]
pub struct Audit {
    /// Why the proof is not the expected one, if it is not.
    pub rejection: Option<Rejection>,
    /// The input that the claim shows. Openings of a rejected proof show nothing.
    pub input: Shown,
    /// The output that the claim shows.
    pub output: Shown,
    /// What is known of the secret of the setup.
    pub setup: SetupKind,
    /// How hard a forgery is.
    pub strength: Strength,
    /// What the key says about accuracy.
    pub accuracy: BoundAccuracy,
    /// The key made again from the ONNX file, where one was given and nothing was missing.
    pub recompiled: Option<Recompiled>,
    /// What else it takes to make the key again from the ONNX file that was given. While something
    /// is missing, an audit with an ONNX file decides nothing.
    pub missing: Vec<Missing>,
}

/// A reason for which an audit does not accept.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum AuditFault {
    /// The proof is not the expected one.
    #[error(transparent)]
    Proof(Rejection),
    /// The accuracy report is not the key's.
    #[error(transparent)]
    Accuracy(AccuracyFault),
    /// The ONNX file gives another key.
    #[error(
        "{} does not give this key: {} {}",
        .model.display(),
        list(.parts),
        if parts.len() == 1 { "differs" } else { "differ" }
    )]
    Model {
        /// The file.
        model: PathBuf,
        /// The parts that differ.
        parts: Vec<Part>,
    },
}

impl AuditFault {
    /// Words for programs, one for each reason; they never change their meaning.
    #[must_use]
    pub fn codes(&self) -> Vec<&'static str> {
        match self {
            Self::Proof(rejection) => rejection.codes(),
            Self::Accuracy(_) => vec!["accuracy-report"],
            Self::Model { .. } => vec!["recompiled-key"],
        }
    }
}

fn list(parts: &[Part]) -> String {
    let names: Vec<String> = parts.iter().map(Part::to_string).collect();
    names.join(", ")
}

impl Audit {
    /// Audits a proof: against what is expected of it, the accuracy report it should bind, and the
    /// ONNX file that should give its key.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/example.rs")); }
    /// # use example::*;
    /// # let work = proven()?;
    /// use zkinfer::{
    ///     Audit, Expectation, InputData, KeyFiles, Recipe, SrsPolicy, audit::Recompile,
    ///     models::ImportOptions, read,
    /// };
    ///
    /// let (key, proof) = (read::key(&work.key)?, read::proof(&work.proof)?);
    /// let expected = Expectation::new(&key, SrsPolicy::AllowInsecureDev);
    /// let samples = Some(InputData::read_samples(&work.samples)?);
    /// let recompile = Recompile {
    ///     model: work.model.clone(),
    ///     import: ImportOptions::default(),
    ///     recipe: Recipe { samples, ..Recipe::default() },
    ///     settings_beside: KeyFiles::of_key(&work.key).settings,
    ///     input: None,
    ///     test_set: None,
    ///     srs: None,
    /// };
    /// let audit = Audit::new(&key, &proof, &expected, None, Some(&recompile), &|_| ())?;
    /// assert!(audit.faults().is_empty());
    /// // Only now are the key's model and its accuracy more than the word of its maker.
    /// assert!(audit.is_of_the_model() && audit.has_measured_accuracy());
    /// # Ok::<_, zkinfer::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the key cannot be made again. What does not match is no error.
    pub fn new(
        key: &VerifyingKey,
        file: &ProofFile,
        expectation: &Expectation<'_>,
        report: Option<AccuracyReport>,
        recompile: Option<&Recompile>,
        watch: Watch<'_>,
    ) -> Result<Self, Error> {
        let rejection = expectation.check(file).err();
        // An opening that does not open the claim is not shown as if it did.
        let openings = expectation.given_openings().filter(|_| rejection.is_none());
        let of_input = openings.and_then(|openings| openings.input.as_ref());
        let of_output = openings.and_then(|openings| openings.output.as_ref());
        let parts = key.parts();
        let input = Shown::new(&parts.layout.inputs, &file.claim.input, of_input);
        let output = Shown::new(&parts.layout.outputs, &file.claim.output, of_output);
        let digest = report.as_ref().map(AccuracyReport::digest);
        let missing = recompile.map_or(Vec::new(), |request| request.missing(key));
        let recompiled = recompile
            .filter(|_| missing.is_empty())
            .map(|request| request.run(key, digest, (&input, &output), watch))
            .transpose()?;
        let calibration = recompiled.as_ref().and_then(|made| made.calibration_digest);
        Ok(Self {
            setup: SetupKind::of(&parts.srs),
            strength: Strength::new(parts),
            accuracy: BoundAccuracy::new(report, parts, calibration),
            input,
            output,
            rejection,
            recompiled,
            missing,
        })
    }

    /// Why the proof is not accepted, one for each thing that failed.
    #[must_use]
    pub fn faults(&self) -> Vec<AuditFault> {
        let proof = self.rejection.clone().map(AuditFault::Proof);
        let accuracy = self.accuracy.fault.clone().map(AuditFault::Accuracy);
        let model = self.recompiled.as_ref().filter(|recompiled| !recompiled.same_key);
        let model = model.map(|recompiled| AuditFault::Model {
            model: recompiled.model.clone(),
            parts: recompiled.differences.iter().map(|difference| difference.part).collect(),
        });
        [proof, accuracy, model].into_iter().flatten().collect()
    }

    /// Whether the key was made again from the ONNX file: only then are its name and the digest of
    /// its model more than the word of its maker.
    #[must_use]
    pub fn is_of_the_model(&self) -> bool {
        self.recompiled.as_ref().is_some_and(|recompiled| recompiled.same_key)
    }

    /// Whether what the key says about accuracy was measured here. Else it is a claim of the key's
    /// maker, and no part of the verdict.
    #[must_use]
    pub fn has_measured_accuracy(&self) -> bool {
        let measured = Some(AccuracySource::Measured);
        self.is_of_the_model()
            && self.recompiled.as_ref().is_some_and(|recompiled| recompiled.accuracy == measured)
    }

    /// The outputs in which the float model answers otherwise than what was proven.
    pub fn other_answers(&self) -> impl Iterator<Item = (&FloatOutput, OtherAnswer)> {
        let outputs = self.recompiled.iter().flat_map(|recompiled| &recompiled.float_outputs);
        outputs.filter_map(|output| output.other_answer.map(|answer| (output, answer)))
    }
}
