//! Everything an audit found, for people and for scripts.

use std::{fmt, path::PathBuf};

use serde::Serialize;
use zkinfer::{
    Audit, NamedTensor, SetupKind,
    audit::{AccuracySource, AuditFault, BoundAccuracy, Recompiled, Strength},
    models::AccuracyReport,
    verifier::{ProofFile, VerifyingKey},
};

use super::words;
use crate::{
    advice,
    job::JobReport,
    text::{self, brief},
};

/// What no proof of this kind says.
const NOT_CLAIMED: [&str; 6] = [
    "that the model is good, fair, or the one you need",
    "that the input is authentic: somebody chose it",
    "that the quantized model agrees with the float model beyond what the accuracy report says",
    "that public values are secret, or that committed ones are, beyond their openings",
    "that the weights stay secret: each proof reveals one evaluation of every fixed column",
    "that this software is free of errors: it has not been audited",
];

#[derive(Serialize)]
pub(super) struct Report {
    accepted: bool,
    /// Why not, one for each thing that failed.
    reasons: Vec<String>,
    claim: Claim,
    setup: Setup,
    strength: Strength,
    accuracy: Accuracy,
    recompiled: Option<Remade>,
    not_claimed: [&'static str; 6],
}

#[derive(Serialize)]
struct Claim {
    model: String,
    model_digest: String,
    key_digest: String,
    input: Option<Vec<NamedTensor>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_commitment: Option<String>,
    output: Option<Vec<NamedTensor>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_commitment: Option<String>,
    job: JobReport,
}

#[derive(Serialize)]
struct Setup {
    srs: String,
    kind: SetupKind,
    digest: String,
}

/// What the key binds, and the report that was given for it.
#[derive(Serialize)]
struct Accuracy {
    /// The digest in the key.
    bound: Option<String>,
    report: Option<AccuracyReport>,
    /// Why the report is not the key's.
    fault: Option<String>,
}

/// A model and the key that it gives.
#[derive(Serialize)]
struct Remade {
    model: PathBuf,
    /// Whether it is this very key.
    same_key: bool,
    /// The key's digest; `None` where the file's digest showed that it is another model.
    key_digest: Option<String>,
    calibration: Option<String>,
    accuracy: Option<AccuracySource>,
    differences: Vec<Difference>,
}

/// A part in which two keys differ.
#[derive(Serialize)]
struct Difference {
    part: String,
    detail: String,
}

impl Report {
    pub(super) fn new(key: &VerifyingKey, file: &ProofFile, audit: Audit) -> Self {
        let reasons: Vec<String> = audit.faults().iter().map(reason).collect();
        let parts = key.parts();
        Self {
            accepted: reasons.is_empty(),
            reasons,
            claim: Claim {
                model: text::model(&parts.model_name, parts.model_digest),
                model_digest: parts.model_digest.to_string(),
                key_digest: key.digest().to_string(),
                input: audit.input.tensors,
                input_commitment: audit.input.commitment,
                output: audit.output.tensors,
                output_commitment: audit.output.commitment,
                job: (&file.claim.binding).into(),
            },
            setup: Setup {
                srs: parts.srs.name.clone(),
                kind: audit.setup,
                digest: parts.srs.digest().to_string(),
            },
            strength: audit.strength,
            accuracy: audit.accuracy.into(),
            recompiled: audit.recompiled.map(Into::into),
            not_claimed: NOT_CLAIMED,
        }
    }

    pub(super) fn accepted(&self) -> bool {
        self.accepted
    }
}

fn reason(fault: &AuditFault) -> String {
    match fault {
        AuditFault::Proof(rejection) => advice::rejection(rejection),
        fault => fault.to_string(),
    }
}

impl From<BoundAccuracy> for Accuracy {
    fn from(accuracy: BoundAccuracy) -> Self {
        Self {
            bound: accuracy.bound.map(|digest| digest.to_string()),
            report: accuracy.report,
            fault: accuracy.fault.map(|fault| fault.to_string()),
        }
    }
}

impl From<Recompiled> for Remade {
    fn from(recompiled: Recompiled) -> Self {
        let difference = |difference: zkinfer::audit::Difference| Difference {
            part: difference.part.to_string(),
            detail: difference.detail,
        };
        Self {
            model: recompiled.model,
            same_key: recompiled.same_key,
            key_digest: recompiled.key_digest.map(|digest| digest.to_string()),
            calibration: recompiled.calibration.as_ref().map(text::origin),
            accuracy: recompiled.accuracy,
            differences: recompiled.differences.into_iter().map(difference).collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reasons[..] {
            [] => writeln!(f, "ACCEPTED")?,
            reasons => reasons.iter().try_for_each(|reason| writeln!(f, "REJECTED: {reason}"))?,
        }
        // A rejected proof claims just as much; it only does not show it.
        writeln!(f, "{}", if self.accepted { "It shows:" } else { "It claims:" })?;
        writeln!(f, "{}", self.claim)?;
        writeln!(f, "Setup: {}", self.setup)?;
        writeln!(f, "Strength: {}", words::Strength(&self.strength))?;
        writeln!(f, "Accuracy: {}", self.accuracy)?;
        match &self.recompiled {
            Some(recompiled) => writeln!(f, "Model: {recompiled}")?,
            None => writeln!(f, "Model: not compared; pass the ONNX file with --model")?,
        }
        write!(f, "It does not show:")?;
        self.not_claimed.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  the model {}, an ONNX file of digest {}", self.model, self.model_digest)?;
        writeln!(f, "  quantized as the key {} fixes it", self.key_digest)?;
        if let Some(commitment) = &self.input_commitment {
            writeln!(f, "  on an input committed to as {commitment}")?;
        }
        for NamedTensor { name, values, .. } in self.input.iter().flatten() {
            writeln!(f, "  on the input {name}: {}", brief(values))?;
        }
        if let Some(commitment) = &self.output_commitment {
            writeln!(f, "  gives an output committed to as {commitment}")?;
        }
        for NamedTensor { name, values, .. } in self.output.iter().flatten() {
            writeln!(f, "  gives the output {name}: {}", brief(values))?;
        }
        if self.job.is_none() {
            return write!(f, "  for no job: it pays nobody");
        }
        let JobReport { chain, job, payee, expiry, nonce } = &self.job;
        writeln!(f, "  for job {job} on chain {chain}, nonce {nonce}")?;
        write!(f, "  pays {payee}, expires at {expiry} (Unix time)")
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { srs, kind, digest } = self;
        match kind {
            SetupKind::Ceremony => write!(f, "the ceremony {srs}")?,
            SetupKind::InsecureDevelopment => write!(f, "{srs}: INSECURE, anybody can forge")?,
            SetupKind::Unknown => write!(f, "{srs}, which this version does not know")?,
        }
        write!(f, "; digest of [τ]₂ {digest}")
    }
}

impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.bound, &self.report, &self.fault) {
            (_, _, Some(fault)) => write!(f, "NOT the key's: {fault}"),
            (Some(_), Some(report), None) => {
                let (words, samples) = (text::Accuracy(report), report.samples.digest);
                write!(f, "bound by the key: {words}\n  (samples {samples})")
            }
            (Some(digest), None, None) => {
                write!(f, "the key binds the report {digest}; pass it with --accuracy to read it")
            }
            (None, ..) => f.write_str("the key binds no report: nothing is known of its accuracy"),
        }
    }
}

impl fmt::Display for Remade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = self.model.display();
        if self.same_key {
            write!(f, "{model} gives this very key")?;
        } else {
            write!(f, "{model} does NOT give this key")?;
        }
        if let Some(calibration) = &self.calibration {
            write!(f, " (calibrated with the {calibration})")?;
        }
        match self.accuracy {
            Some(AccuracySource::Measured) => write!(f, "\n  accuracy was measured again")?,
            Some(AccuracySource::Report) => write!(f, "\n  accuracy is that of the report given")?,
            Some(AccuracySource::Key) => write!(f, "\n  accuracy was taken from the key")?,
            None => {}
        }
        for Difference { part, detail } in &self.differences {
            write!(f, "\n  {part} differ: {detail}")?;
        }
        Ok(())
    }
}
