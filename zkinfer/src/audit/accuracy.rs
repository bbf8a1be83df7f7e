//! The accuracy report that a key binds.

use thiserror::Error;
use zkinfer_models::{AccuracyReport, HexDigest};
use zkinfer_verifier::{Digest, KeyParts};

/// What the key binds, and the report that was given for it.
#[derive(Clone, Debug)]
pub struct BoundAccuracy {
    /// The digest in the key.
    pub bound: Option<Digest>,
    /// The report that was given.
    pub report: Option<AccuracyReport>,
    /// Why the report is not the key's.
    pub fault: Option<AccuracyFault>,
}

/// Why a report is not the one that a key binds.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AccuracyFault {
    /// The key binds no report.
    #[error("the key binds no accuracy report")]
    Unbound,
    /// The key binds another report.
    #[error("the key binds the accuracy report {expected}, this one has {got}")]
    Digest {
        /// The digest in the key.
        expected: Digest,
        /// The report's.
        got: HexDigest,
    },
    /// The report was measured on the integers of another calibration than the key's.
    #[error("the report was measured with the calibration {got}, the key is made with {expected}")]
    Calibration {
        /// Of the key.
        expected: HexDigest,
        /// Of the report.
        got: HexDigest,
    },
    /// The report is about another model than the key.
    #[error("the key is of the model {expected}, its accuracy report of {got}")]
    Model {
        /// The model in the key.
        expected: Digest,
        /// The model in the report.
        got: HexDigest,
    },
}

impl BoundAccuracy {
    /// `calibration` is the digest of the key's, where the key was made again.
    pub(super) fn new(
        report: Option<AccuracyReport>,
        key: &KeyParts,
        calibration: Option<HexDigest>,
    ) -> Self {
        Self::of_keys(report, [key], calibration)
    }

    /// Of keys that should all bind the same report: what the first says, and what is wrong with the
    /// report under any of them.
    pub(super) fn of_keys<'a>(
        report: Option<AccuracyReport>,
        keys: impl IntoIterator<Item = &'a KeyParts>,
        calibration: Option<HexDigest>,
    ) -> Self {
        let (mut bound, mut found) = (None, None);
        for (place, key) in keys.into_iter().enumerate() {
            if place == 0 {
                bound = Some(key.accuracy_digest).filter(|digest| *digest != Digest::ZERO);
            }
            let of_key = || fault(report.as_ref()?, key, calibration);
            found = found.or_else(of_key);
        }
        Self { bound, report, fault: found }
    }
}

fn fault(
    report: &AccuracyReport,
    key: &KeyParts,
    calibration: Option<HexDigest>,
) -> Option<AccuracyFault> {
    let (expected, got) = (key.accuracy_digest, report.digest());
    if expected == Digest::ZERO {
        return Some(AccuracyFault::Unbound);
    }
    if expected.0 != got.0 {
        return Some(AccuracyFault::Digest { expected, got });
    }
    let (expected, got) = (key.model_digest, report.model_digest);
    if expected.0 != got.0 {
        return Some(AccuracyFault::Model { expected, got });
    }
    let got = report.calibration_digest;
    let other = calibration.filter(|expected| *expected != got);
    other.map(|expected| AccuracyFault::Calibration { expected, got })
}
