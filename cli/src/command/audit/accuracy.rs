//! The accuracy report that a key binds.

use std::{fmt, path::Path};

use anyhow::Result;
use serde::Serialize;
use zkinfer_models::{AccuracyReport, HexDigest};
use zkinfer_verifier::{KeyParts, VerifyingKey};

use crate::accuracy_report::{self, Summary};

/// What the key binds, and the report that was given for it.
#[derive(Serialize)]
pub(super) struct Accuracy {
    /// The digest in the key.
    bound: Option<String>,
    report: Option<AccuracyReport>,
    /// Why the report is not the key's.
    fault: Option<String>,
}

impl Accuracy {
    pub(super) fn read(path: Option<&Path>, key: &VerifyingKey) -> Result<Self> {
        let report = path.map(accuracy_report::read).transpose()?;
        let fault = report.as_ref().and_then(|report| fault(report, key.parts()));
        Ok(Self { bound: key.accuracy_digest().map(|digest| digest.to_string()), report, fault })
    }

    /// Digest of the report that was given.
    pub(super) fn digest(&self) -> Option<HexDigest> {
        self.report.as_ref().map(AccuracyReport::digest)
    }

    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

fn fault(report: &AccuracyReport, key: &KeyParts) -> Option<String> {
    let (bound, got) = (key.accuracy_digest, report.digest());
    if bound == zkinfer_verifier::Digest::ZERO {
        return Some("the key binds no accuracy report".to_owned());
    }
    if bound.0 != got.0 {
        return Some(format!("the key binds the accuracy report {bound}, this one has {got}"));
    }
    let (model, about) = (key.model_digest, report.model_digest);
    (model.0 != about.0)
        .then(|| format!("the key is of the model {model}, its accuracy report of {about}"))
}

impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.bound, &self.report, &self.fault) {
            (_, _, Some(fault)) => write!(f, "NOT the key's: {fault}"),
            (Some(_), Some(report), None) => {
                let samples = report.samples.digest;
                write!(f, "bound by the key: {}\n  (samples {samples})", Summary(report))
            }
            (Some(digest), None, None) => {
                write!(f, "the key binds the report {digest}; pass it with --accuracy to read it")
            }
            (None, ..) => f.write_str("the key binds no report: nothing is known of its accuracy"),
        }
    }
}
