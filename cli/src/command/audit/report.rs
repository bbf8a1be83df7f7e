//! Everything an audit found, for people and for scripts.

use std::fmt;

use serde::Serialize;
use zkinfer_verifier::{INSECURE_DEV, ProofFile, SrsId, TensorLayout, VerifyingKey};

use super::{accuracy::Accuracy, recompile::Recompiled, strength::Strength};
use crate::{command::verify::JobReport, model::tensors};

/// What no proof of this kind says.
const NOT_CLAIMED: [&str; 6] = [
    "that the model is good, fair, or the one you need",
    "that the input is authentic: somebody chose it",
    "that the quantized model agrees with the float model beyond what the accuracy report says",
    "that input or output are secret: both are public",
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
    recompiled: Option<Recompiled>,
    not_claimed: [&'static str; 6],
}

#[derive(Serialize)]
struct Claim {
    model: String,
    model_digest: String,
    key_digest: String,
    input: Vec<Tensor>,
    output: Vec<Tensor>,
    job: JobReport,
}

#[derive(Serialize)]
struct Tensor {
    name: String,
    shape: Vec<u32>,
    values: Vec<f64>,
}

#[derive(Serialize)]
struct Setup {
    srs: String,
    kind: SetupKind,
    digest: String,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum SetupKind {
    Ceremony,
    InsecureDevelopment,
    Unknown,
}

impl Report {
    pub(super) fn new(
        key: &VerifyingKey,
        file: &ProofFile,
        rejection: Option<String>,
        accuracy: Accuracy,
        recompiled: Option<Recompiled>,
    ) -> Self {
        let of_accuracy = accuracy.fault().map(str::to_owned);
        let of_model = recompiled.as_ref().and_then(Recompiled::fault);
        let reasons: Vec<String> =
            [rejection, of_accuracy, of_model].into_iter().flatten().collect();
        Self {
            accepted: reasons.is_empty(),
            reasons,
            claim: Claim::new(key, file),
            setup: Setup::new(&key.parts().srs),
            strength: Strength::new(key.parts()),
            accuracy,
            recompiled,
            not_claimed: NOT_CLAIMED,
        }
    }

    pub(super) fn accepted(&self) -> bool {
        self.accepted
    }
}

impl Claim {
    fn new(key: &VerifyingKey, file: &ProofFile) -> Self {
        let parts = key.parts();
        Self {
            model: parts.model_name.clone(),
            model_digest: parts.model_digest.to_string(),
            key_digest: key.digest().to_string(),
            input: named(&parts.layout.inputs, &file.claim.input),
            output: named(&parts.layout.outputs, &file.claim.output),
            job: (&file.claim.binding).into(),
        }
    }
}

fn named(layout: &[TensorLayout], integers: &[i64]) -> Vec<Tensor> {
    let values = tensors::real_values(layout, integers);
    let tensor = |(tensor, values): (&TensorLayout, Vec<f64>)| Tensor {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        values,
    };
    layout.iter().zip(values).map(tensor).collect()
}

impl Setup {
    fn new(srs: &SrsId) -> Self {
        let kind = match srs.ceremony() {
            Some(_) => SetupKind::Ceremony,
            None if srs.name == INSECURE_DEV => SetupKind::InsecureDevelopment,
            None => SetupKind::Unknown,
        };
        Self { srs: srs.name.clone(), kind, digest: srs.digest().to_string() }
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
        writeln!(f, "Strength: {}", self.strength)?;
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
        for Tensor { name, values, .. } in &self.input {
            writeln!(f, "  on the input {name}: {}", tensors::brief(values))?;
        }
        for Tensor { name, values, .. } in &self.output {
            writeln!(f, "  gives the output {name}: {}", tensors::brief(values))?;
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
