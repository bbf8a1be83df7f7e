//! Everything an audit found, for people and for scripts.

mod page;
mod parts;
mod strength;

use std::{fmt, path::PathBuf};

use serde::Serialize;
use zkinfer::{
    Audit, Expectation, NamedTensor, SetupKind, Side,
    audit::{
        AccuracySource, AuditFault, BoundAccuracy, FloatOutput, Missing, OtherAnswer, Recompiled,
        Strength,
    },
    models::{AccuracyReport, Shown},
    verifier::{ProofFile, SrsId, VerifyingKey},
};

pub use parts::PartsAuditReport;

use crate::{
    job::JobReport,
    leaf::LeafReport,
    words::{self, AccuracyWords, brief, brief_classes},
};

/// What a key says of itself, as long as nobody has made it again.
const NOT_COMPARED: &str = "that this key was made from that ONNX file: name and digest are the word of \
                            the key's maker; pass the file with --model";
/// What a key says of its accuracy, as long as nobody has measured it again.
const NOT_MEASURED: &str =
    "that the accuracy is as the key's maker says: pass --model and --test-set to measure it";
/// What no proof of this kind says.
const NOT_CLAIMED: [&str; 6] = [
    "that the model is good, fair, or the one you need",
    "that the input is authentic: somebody chose it",
    "that the quantized model agrees with the float model beyond what the accuracy report says",
    "that public values are secret, or that committed ones are, beyond their openings",
    "that the weights stay secret: each proof reveals one evaluation of every fixed column",
    "that this software is free of errors: it has not been audited",
];

/// What an audit found: `Display` is the text, `Serialize` the JSON, [`Self::page`] the page.
#[derive(Clone, Debug, Serialize)]
pub struct AuditReport {
    accepted: bool,
    /// Why not, one for each thing that failed.
    reasons: Vec<String>,
    /// The same in words that never change.
    reason_codes: Vec<&'static str>,
    /// What was not given, without which nothing is decided about the ONNX file.
    missing: Vec<String>,
    /// The outputs in which the float model answers otherwise than what was proven.
    other_answers: Vec<String>,
    claim: Claim,
    setup: Setup,
    strength: Strength,
    accuracy: Accuracy,
    recompiled: Option<Remade>,
    not_claimed: Vec<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
struct Claim {
    #[serde(flatten)]
    of: ClaimedModel,
    key_digest: String,
    #[serde(flatten)]
    sides: Sides,
    /// Its place, where the proof is about several claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf: Option<LeafReport>,
    job: JobReport,
}

/// The model that a claim is about.
#[derive(Clone, Debug, Serialize)]
struct ClaimedModel {
    /// Whether the keys were made again from the ONNX file. Else its name and digest are only claims.
    is_of_the_model: bool,
    model: String,
    model_digest: String,
}

/// What is shown of both sides.
#[derive(Clone, Debug, Serialize)]
struct Sides {
    input: Option<Vec<NamedTensor>>,
    /// Whether the input was compared with an expected one.
    input_compared: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_commitment: Option<String>,
    output: Option<Vec<NamedTensor>>,
    output_compared: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_commitment: Option<String>,
}

impl Sides {
    /// Both sides, each with whether it was compared with an expected one.
    fn new(
        [(input, input_compared), (output, output_compared)]: [(zkinfer::Shown, bool); 2],
    ) -> Self {
        Self {
            input: input.tensors,
            input_compared,
            input_commitment: input.commitment,
            output: output.tensors,
            output_compared,
            output_commitment: output.commitment,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct Setup {
    srs: String,
    kind: SetupKind,
    digest: String,
}

/// What the key binds, and the report that was given for it.
#[derive(Clone, Debug, Serialize)]
struct Accuracy {
    /// The digest in the key.
    bound: Option<String>,
    /// Whether it was measured here. Else it is a claim of the key's maker.
    measured: bool,
    report: Option<AccuracyReport>,
    /// Why the report is not the key's.
    fault: Option<String>,
}

/// An ONNX file, and whether it gives the very keys that were audited.
#[derive(Clone, Debug, Serialize)]
struct Given {
    model: PathBuf,
    #[serde(skip)]
    is_same: bool,
}

/// A model and the key that it gives.
#[derive(Clone, Debug, Serialize)]
struct Remade {
    #[serde(flatten)]
    given: Given,
    /// Whether it is this very key.
    same_key: bool,
    /// The key's digest; `None` where the file's digest showed that it is another model.
    key_digest: Option<String>,
    calibration: Option<String>,
    accuracy: Option<AccuracySource>,
    /// The claim's outputs beside the float model's, on the claim's input.
    float_outputs: Vec<FloatOutput>,
    differences: Vec<Difference>,
}

/// A part in which two keys differ.
#[derive(Clone, Debug, Serialize)]
struct Difference {
    part: String,
    detail: String,
}

impl AuditReport {
    /// What `audit` found about `file`, of which `expectation` was expected.
    #[must_use]
    pub fn new(
        key: &VerifyingKey,
        file: &ProofFile,
        expectation: &Expectation<'_>,
        audit: Audit,
    ) -> Self {
        let faults = audit.faults();
        let missing: Vec<String> = audit.missing.iter().map(missing).collect();
        let parts = key.parts();
        let (is_of_the_model, measured) = (audit.is_of_the_model(), audit.has_measured_accuracy());
        let claims_accuracy = audit.accuracy.bound.is_some();
        let not_claimed = (!is_of_the_model).then_some(NOT_COMPARED).into_iter();
        let not_claimed = not_claimed.chain((claims_accuracy && !measured).then_some(NOT_MEASURED));
        Self {
            accepted: faults.is_empty() && missing.is_empty(),
            reasons: faults.iter().map(reason).collect(),
            reason_codes: faults.iter().flat_map(AuditFault::codes).collect(),
            missing,
            other_answers: audit.other_answers().map(other_answer).collect(),
            not_claimed: not_claimed.chain(NOT_CLAIMED).collect(),
            claim: Claim {
                of: ClaimedModel {
                    is_of_the_model,
                    model: words::model(parts.model_name.as_deref(), parts.model_digest),
                    model_digest: parts.model_digest.to_string(),
                },
                sides: Sides::new([
                    (audit.input, expectation.compares(Side::Input)),
                    (audit.output, expectation.compares(Side::Output)),
                ]),
                key_digest: key.digest().to_string(),
                leaf: LeafReport::new(key, file),
                job: (&file.claim.binding).into(),
            },
            setup: Setup::new(&parts.srs, audit.setup),
            strength: audit.strength,
            accuracy: Accuracy::new(audit.accuracy, measured),
            recompiled: audit.recompiled.map(Into::into),
        }
    }

    /// What must be given for the ONNX file to be compared.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        (!self.missing.is_empty()).then(|| self.missing.join(", and "))
    }

    /// What is decided.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        Verdict::new(self.accepted, &self.reasons)
    }
}

/// What an audit decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The proof is what was expected.
    Accepted,
    /// It is not.
    Rejected,
    /// Something is missing without which nothing is decided about the ONNX file.
    Undecided,
}

impl Verdict {
    /// What follows of an audit that accepted or did not, for these reasons.
    fn new(accepted: bool, reasons: &[String]) -> Self {
        match (accepted, reasons) {
            (true, _) => Self::Accepted,
            (false, [_, ..]) => Self::Rejected,
            (false, []) => Self::Undecided,
        }
    }
}

/// That nothing was decided, and without what.
fn undecided(missing: &str) -> String {
    format!("NOT DECIDED: to make the key again from the ONNX file, give also {missing}")
}

fn missing(missing: &Missing) -> String {
    match missing {
        Missing::Srs { name } => {
            format!("the file of the ceremony {} on which the key stands (--srs FILE)", Shown(name))
        }
        Missing::Calibration => {
            "what the key was calibrated with (--settings FILE, --calibrate FILE \
                                 or --input FILE)"
                .to_owned()
        }
        _ => "something else".to_owned(),
    }
}

fn other_answer((output, answer): (&FloatOutput, OtherAnswer)) -> String {
    let name = Shown(&output.name);
    match answer {
        OtherAnswer::Class { proven: Some(proven), float } => {
            format!("output {name}: proven class {proven}, the float model says class {float}")
        }
        OtherAnswer::Class { proven: None, float } => {
            format!("output {name}: proven a tie, the float model says class {float}")
        }
        OtherAnswer::Side { threshold, proven, float } => format!(
            "output {name}: proven {proven:.4}, the float model says {float:.4}, on the other side \
             of {threshold}"
        ),
    }
}

fn reason(fault: &AuditFault) -> String {
    match fault {
        AuditFault::Proof(rejection) => words::rejection(rejection),
        fault => fault.to_string(),
    }
}

impl Accuracy {
    fn new(accuracy: BoundAccuracy, measured: bool) -> Self {
        Self {
            measured,
            bound: accuracy.bound.map(|digest| digest.to_string()),
            report: accuracy.report,
            fault: accuracy.fault.map(|fault| fault.to_string()),
        }
    }
}

impl Given {
    /// That the file gives what it should, by one name, or does not, by the other.
    fn words(&self, [same, other]: [&str; 2]) -> String {
        let model = self.model.display();
        match self.is_same {
            true => format!("{model} gives {same}"),
            false => format!("{model} does NOT give {other}"),
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
            given: Given { model: recompiled.model, is_same: recompiled.same_key },
            same_key: recompiled.same_key,
            key_digest: recompiled.key_digest.map(|digest| digest.to_string()),
            calibration: recompiled.calibration.as_ref().map(words::origin),
            accuracy: recompiled.accuracy,
            float_outputs: recompiled.float_outputs,
            differences: recompiled.differences.into_iter().map(difference).collect(),
        }
    }
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let other = match self.other_answers.is_empty() {
            true => String::new(),
            false => {
                format!(" BUT THE FLOAT MODEL ANSWERS OTHERWISE: {}", self.other_answers.join("; "))
            }
        };
        match (&self.reasons[..], &self.missing[..]) {
            ([], []) => writeln!(f, "ACCEPTED{other}")?,
            ([], missing) => writeln!(f, "{}", undecided(&missing.join(", and ")))?,
            ([first, reasons @ ..], _) => {
                writeln!(f, "REJECTED: {first}{other}")?;
                reasons.iter().try_for_each(|reason| writeln!(f, "REJECTED: {reason}"))?;
            }
        }
        // A rejected proof claims just as much; it only does not show it.
        writeln!(f, "{}", if self.accepted { "It shows:" } else { "It claims:" })?;
        writeln!(f, "{}", self.claim)?;
        writeln!(f, "Setup: {}", self.setup)?;
        writeln!(f, "Strength: {}", strength::Words(&self.strength))?;
        writeln!(f, "Accuracy: {}", self.accuracy)?;
        match &self.recompiled {
            Some(recompiled) => writeln!(f, "Model: {recompiled}")?,
            None if self.missing.is_empty() => {
                writeln!(f, "Model: not compared; pass the ONNX file with --model")?;
            }
            None => writeln!(f, "Model: NOT compared, see above")?,
        }
        write!(f, "It does not show:")?;
        self.not_claimed.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl Setup {
    fn new(srs: &SrsId, kind: SetupKind) -> Self {
        Self { srs: srs.name.clone(), kind, digest: srs.digest().to_string() }
    }
}

impl ClaimedModel {
    /// Which model `what` is, and whether that is more than the word of the key's maker.
    fn write(&self, f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
        let (model, digest) = (Shown(&self.model), &self.model_digest);
        if self.is_of_the_model {
            return writeln!(f, "  the model {model}, the ONNX file of digest {digest}");
        }
        writeln!(f, "  {what} to be the model {model}, an ONNX file of digest")?;
        writeln!(f, "    {digest} (not compared)")
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of.write(f, "a circuit that CLAIMS")?;
        writeln!(f, "  quantized as the key {} fixes it", self.key_digest)?;
        write!(f, "{}", self.sides)?;
        if let Some(leaf) = &self.leaf {
            writeln!(f, "  as {leaf}")?;
        }
        write!(f, "{}", self.job)
    }
}

impl fmt::Display for Sides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = |compared| if compared { ", as expected" } else { "" };
        let (of_input, of_output) = (expected(self.input_compared), expected(self.output_compared));
        if let Some(commitment) = &self.input_commitment {
            writeln!(f, "  on an input committed to{of_input} as {commitment}")?;
        }
        for NamedTensor { name, values, .. } in self.input.iter().flatten() {
            writeln!(f, "  on the input {}{of_input}: {}", Shown(name), brief(values))?;
        }
        if let Some(commitment) = &self.output_commitment {
            writeln!(f, "  gives an output committed to{of_output} as {commitment}")?;
        }
        for NamedTensor { name, values, classes, .. } in self.output.iter().flatten() {
            writeln!(f, "  gives the output {}{of_output}: {}", Shown(name), brief(values))?;
            if let Some(classes) = classes {
                writeln!(
                    f,
                    "    of the classes {}, as the key names them",
                    brief_classes(classes)
                )?;
            }
        }
        Ok(())
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
                let (words, samples) = (AccuracyWords(report), report.samples.digest);
                let who = match self.measured {
                    true => "measured here",
                    false => "CLAIMED by the key's maker, not measured here",
                };
                write!(f, "{who}: {words}\n  (samples {samples})")
            }
            (Some(digest), None, None) if self.measured => {
                write!(f, "measured here; it is that of the report {digest}, which the key binds")
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
        write!(f, "{}", self.given.words(["this very key", "this key"]))?;
        if let Some(calibration) = &self.calibration {
            write!(f, " (calibrated with the {calibration})")?;
        }
        match self.accuracy {
            Some(AccuracySource::Measured) => write!(f, "\n  accuracy was measured again")?,
            Some(AccuracySource::Report | AccuracySource::Key) => {
                write!(
                    f,
                    "\n  its accuracy was NOT measured here: pass --test-set or --calibrate"
                )?;
            }
            None => {}
        }
        for FloatOutput { name, proven, float, max_error, .. } in &self.float_outputs {
            let name = Shown(name);
            write!(f, "\n  on this input, output {name} as proven: {}", brief(proven))?;
            write!(f, "\n    of the float model: {} (max abs error {max_error:.5})", brief(float))?;
        }
        for Difference { part, detail } in &self.differences {
            write!(f, "\n  other {part}: {detail}")?;
        }
        Ok(())
    }
}
