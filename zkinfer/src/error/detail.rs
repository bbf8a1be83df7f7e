//! What errors say besides their cause.

use std::fmt;

use thiserror::Error;
use zkinfer_models::Warning;
use zkinfer_verifier::{Digest, KeyFormat};

use crate::calibrate::trial::Trial;

/// In what a key that was found differs from the one that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyDifference {
    /// It is of another model.
    Model {
        /// Digest of that model's file.
        digest: Digest,
    },
    /// It has another label.
    Name {
        /// Its label.
        found: String,
        /// The label of the key that was made.
        made: String,
    },
    /// It is of another version of the key format.
    Format {
        /// Its version.
        found: KeyFormat,
        /// The version of the key that was made.
        made: KeyFormat,
    },
    /// It stands on another SRS.
    Srs {
        /// The name of its SRS.
        found: String,
        /// The name of the SRS of the key that was made.
        made: String,
    },
    /// It binds another accuracy report, and is the same otherwise.
    AccuracyReport,
    /// It was made with other settings.
    Settings,
}

impl fmt::Display for KeyDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model { digest } => write!(f, "it is of another model, of digest {digest}"),
            Self::Name { found, made } => write!(f, "its name is `{found}`, not `{made}`"),
            Self::Format { found, made } => {
                let (found, made) = (found.number(), made.number());
                write!(
                    f,
                    "it is of key format {found}, new keys are of {made}: keep it for its proofs"
                )
            }
            Self::Srs { found, made } => write!(f, "it is under the SRS {found}, not {made}"),
            Self::AccuracyReport => f.write_str("it binds another accuracy report"),
            Self::Settings => f.write_str("it was made with other settings"),
        }
    }
}

/// What settings say of the semantics they are for.
pub(super) fn of_semantics(version: Option<u16>) -> String {
    match version {
        Some(version) => format!("is for version {version} of the integer semantics"),
        None => "does not say for which version of the integer semantics it is".to_owned(),
    }
}

/// Why a report is not the one that settings name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnshownAccuracy {
    /// There is no file.
    Missing,
    /// It has another digest.
    Another,
    /// It was measured with other integers than the settings give.
    OfOtherIntegers,
}

impl fmt::Display for UnshownAccuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::Another => "is another report",
            Self::OfOtherIntegers => "was measured with another calibration or other options",
        })
    }
}

/// A demand that is not met.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum Unmet {
    /// A difference that was not to be.
    #[error("{0}")]
    Warning(Warning),
    /// No output names a class or a side, so none can be demanded.
    #[error("no output of this model names a class or a side of a threshold")]
    NoAnswer,
}

/// All demands that are not met.
pub(super) fn list(unmet: &[Unmet]) -> String {
    let texts: Vec<String> = unmet.iter().map(Unmet::to_string).collect();
    texts.join("; ")
}

/// The end of a sentence that tells what comes closest to a goal.
pub(super) struct Closest<'a>(pub(super) Option<&'a Trial>);

impl fmt::Display for Closest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Trial { choice, agreement, .. }) = self.0 else {
            return f.write_str(": with none of them the model has a circuit");
        };
        write!(
            f,
            "; closest come {} bits, with the float model's answer on {} of {} samples and an error \
             of at most {:.2} %",
            choice.bits,
            agreement.same_answer,
            agreement.samples,
            agreement.max_error * 100.0
        )
    }
}
