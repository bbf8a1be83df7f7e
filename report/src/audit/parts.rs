//! What an audit found about the proofs of all parts of a model.

use std::{fmt, path::PathBuf};

use serde::Serialize;
use zkinfer::{
    PartsExpectation, Side,
    audit::{PartsAudit, Strength},
    models::Shown,
    verifier::{Manifest, ProofFile, VerifyingKey},
};

use super::{NOT_CLAIMED, NOT_COMPARED, Setup, Sides, Verdict, strength, write_model};
use crate::{JobReport, words};

/// What an audit of all parts found: `Display` is the text, `Serialize` the JSON.
#[derive(Clone, Debug, Serialize)]
pub struct PartsAuditReport {
    accepted: bool,
    /// Why not, one for each thing that failed.
    reasons: Vec<String>,
    /// The same in words that never change.
    reason_codes: Vec<&'static str>,
    claim: Claim,
    setup: Setup,
    /// Of the part in which a forgery is easiest.
    strength: Strength,
    recompiled: Option<Remade>,
    not_claimed: Vec<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
struct Claim {
    /// Whether the keys were made again from the ONNX file. Else its name and digest are only claims.
    is_of_the_model: bool,
    model: String,
    model_digest: String,
    manifest_root: String,
    #[serde(flatten)]
    sides: Sides,
    parts: Vec<Part>,
}

/// The proof of one part, as it says of itself.
#[derive(Clone, Debug, Serialize)]
struct Part {
    key_digest: String,
    job: JobReport,
}

/// Whether a model gives the keys.
#[derive(Clone, Debug, Serialize)]
struct Remade {
    model: PathBuf,
    same_keys: bool,
    /// Why not.
    difference: Option<String>,
}

impl PartsAuditReport {
    /// What `audit` found about `files`, of which `expectation` was expected. `key` is that of any
    /// part: all name the same model and setup, or the proofs are rejected.
    #[must_use]
    pub fn new(
        (manifest, key): (&Manifest, &VerifyingKey),
        files: &[ProofFile],
        expectation: &PartsExpectation<'_>,
        audit: PartsAudit,
    ) -> Self {
        let is_of_the_model = audit.is_of_the_model();
        let rejection = audit.rejection.as_ref();
        let mut reasons: Vec<_> = rejection.iter().map(ToString::to_string).collect();
        let mut reason_codes = rejection.map(|why| why.codes()).unwrap_or_default();
        if let Some((remade, fault)) = audit.remade.as_ref().zip(audit.fault()) {
            let model = remade.model.display();
            reasons.push(format!("{model} does not give these keys: {fault}"));
            reason_codes.push("recompiled-key");
        }
        let part = |file: &ProofFile| Part {
            key_digest: file.claim.model.to_string(),
            job: (&file.claim.binding).into(),
        };
        let not_claimed = (!is_of_the_model).then_some(NOT_COMPARED).into_iter();
        let parts = key.parts();
        Self {
            accepted: audit.is_accepted(),
            reasons,
            reason_codes,
            not_claimed: not_claimed.chain(NOT_CLAIMED).collect(),
            claim: Claim {
                is_of_the_model,
                model: words::model(parts.model_name.as_deref(), manifest.model),
                model_digest: manifest.model.to_string(),
                manifest_root: manifest.root().to_string(),
                sides: Sides::new([
                    (audit.input, expectation.compares(Side::Input)),
                    (audit.output, expectation.compares(Side::Output)),
                ]),
                parts: files.iter().map(part).collect(),
            },
            setup: Setup::new(&parts.srs, audit.setup),
            strength: audit.strength,
            recompiled: audit.remade.map(|remade| Remade {
                model: remade.model,
                same_keys: remade.fault.is_none(),
                difference: remade.fault.map(|fault| fault.to_string()),
            }),
        }
    }

    /// What is decided.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.accepted { Verdict::Accepted } else { Verdict::Rejected }
    }
}

impl fmt::Display for PartsAuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.accepted {
            writeln!(f, "ACCEPTED")?;
        }
        self.reasons.iter().try_for_each(|reason| writeln!(f, "REJECTED: {reason}"))?;
        writeln!(f, "{}", if self.accepted { "They show:" } else { "They claim:" })?;
        write!(f, "{}", self.claim)?;
        writeln!(f, "Setup: {}", self.setup)?;
        writeln!(f, "Strength of the weakest part: {}", strength::Words(&self.strength))?;
        match &self.recompiled {
            Some(Remade { model, same_keys: true, .. }) => {
                writeln!(f, "Model: {} gives these very keys", model.display())?;
            }
            Some(Remade { model, .. }) => {
                writeln!(f, "Model: {} does NOT give these keys", model.display())?;
            }
            None => writeln!(f, "Model: not compared; pass the ONNX file with --model")?,
        }
        write!(f, "They do not show:")?;
        self.not_claimed.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = ("circuits that CLAIM", self.is_of_the_model);
        write_model(f, what, (&self.model, &self.model_digest))?;
        let (count, root) = (self.parts.len(), &self.manifest_root);
        writeln!(f, "  in {count} parts as the manifest {} binds them", Shown(root))?;
        write!(f, "{}", self.sides)?;
        for (index, Part { key_digest, job }) in self.parts.iter().enumerate() {
            writeln!(f, "  part {index} under the key {key_digest}")?;
            writeln!(f, "  {job}")?;
        }
        Ok(())
    }
}
