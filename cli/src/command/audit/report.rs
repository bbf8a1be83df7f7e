//! Everything an audit found, for people and for scripts.

use std::fmt;

use serde::Serialize;
use zkinfer_verifier::{INSECURE_DEV, Openings, ProofFile, SrsId, VerifyingKey};

use super::{accuracy::Accuracy, recompile::Recompiled, strength::Strength};
use crate::{
    command::verify::JobReport,
    model::tensors,
    shown::{Shown, Tensor},
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
    recompiled: Option<Recompiled>,
    not_claimed: [&'static str; 6],
}

#[derive(Serialize)]
struct Claim {
    model: String,
    model_digest: String,
    key_digest: String,
    input: Option<Vec<Tensor>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_commitment: Option<String>,
    output: Option<Vec<Tensor>>,
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
        openings: Option<&Openings>,
        rejection: Option<String>,
        accuracy: Accuracy,
        recompiled: Option<Recompiled>,
    ) -> Self {
        // An opening that does not open the claim is not shown as if it did.
        let opens = rejection.is_none();
        let of_accuracy = accuracy.fault().map(str::to_owned);
        let of_model = recompiled.as_ref().and_then(Recompiled::fault);
        let reasons: Vec<String> =
            [rejection, of_accuracy, of_model].into_iter().flatten().collect();
        Self {
            accepted: reasons.is_empty(),
            reasons,
            claim: Claim::new(key, file, openings.filter(|_| opens)),
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
    fn new(key: &VerifyingKey, file: &ProofFile, openings: Option<&Openings>) -> Self {
        let parts = key.parts();
        let of_input = openings.and_then(|openings| openings.input.as_ref());
        let of_output = openings.and_then(|openings| openings.output.as_ref());
        let input = Shown::new(&parts.layout.inputs, &file.claim.input, of_input);
        let output = Shown::new(&parts.layout.outputs, &file.claim.output, of_output);
        Self {
            model: parts.model_name.clone(),
            model_digest: parts.model_digest.to_string(),
            key_digest: key.digest().to_string(),
            input: input.tensors,
            input_commitment: input.commitment,
            output: output.tensors,
            output_commitment: output.commitment,
            job: (&file.claim.binding).into(),
        }
    }
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
        if let Some(commitment) = &self.input_commitment {
            writeln!(f, "  on an input committed to as {commitment}")?;
        }
        for Tensor { name, values, .. } in self.input.iter().flatten() {
            writeln!(f, "  on the input {name}: {}", tensors::brief(values))?;
        }
        if let Some(commitment) = &self.output_commitment {
            writeln!(f, "  gives an output committed to as {commitment}")?;
        }
        for Tensor { name, values, .. } in self.output.iter().flatten() {
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
