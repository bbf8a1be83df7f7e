//! What `verify` says of one proof as of the proofs of all parts of a model.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use zkinfer::{
    Shown, Side, models,
    verifier::{KeyParts, TensorLayout},
};

use crate::text::{Trust, brief, model, write_classes};

/// The part of a report that both kinds have.
#[derive(Serialize)]
pub(super) struct Verdict {
    pub(super) accepted: bool,
    /// Why not, in words.
    pub(super) reason: Option<String>,
    /// Why not, in words that never change: one for each reason.
    reason_codes: Vec<&'static str>,
    model: String,
    model_digest: String,
    pub(super) srs: String,
    /// What an accepted claim shows; a rejected one shows nothing.
    input: Option<Vec<Vec<f64>>>,
    input_names: Vec<String>,
    /// Whether the input was compared with an expected one.
    input_compared: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_commitment: Option<String>,
    output: Option<Vec<Vec<f64>>>,
    output_names: Vec<String>,
    /// The class of each element of the outputs whose classes the key names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    output_classes: BTreeMap<String, Vec<Option<String>>>,
    output_compared: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_commitment: Option<String>,
    proof_bytes: usize,
    verify_seconds: f64,
}

/// One side of what is proven.
pub(super) struct End<'a> {
    pub(super) layout: &'a [TensorLayout],
    pub(super) shown: Shown,
    pub(super) compared: bool,
}

/// Why something is rejected: in words, and in those that never change.
pub(super) type Reason = Option<(String, Vec<&'static str>)>;

impl Verdict {
    pub(super) fn new(
        reason: Reason,
        key: &KeyParts,
        [input, output]: [End<'_>; 2],
        (proof_bytes, verify_seconds): (usize, f64),
    ) -> Self {
        let accepted = reason.is_none();
        let (reason, reason_codes) = reason.unzip();
        let names = |end: &End<'_>| end.layout.iter().map(|tensor| tensor.name.clone()).collect();
        let values = |end: &mut End<'_>| -> Option<Vec<Vec<f64>>> {
            let tensors = end.shown.tensors.take().filter(|_| accepted)?;
            Some(tensors.into_iter().map(|tensor| tensor.values).collect())
        };
        let (mut input, mut output) = (input, output);
        let output_classes = if accepted { output.shown.classes() } else { BTreeMap::new() };
        Self {
            accepted,
            reason,
            reason_codes: reason_codes.unwrap_or_default(),
            model: model(key.model_name.as_deref(), key.model_digest),
            model_digest: key.model_digest.to_string(),
            srs: key.srs.name.clone(),
            input: values(&mut input),
            input_names: names(&input),
            input_compared: input.compared,
            input_commitment: input.shown.commitment,
            output: values(&mut output),
            output_names: names(&output),
            output_classes,
            output_compared: output.compared,
            output_commitment: output.shown.commitment,
            proof_bytes,
            verify_seconds,
        }
    }

    /// What is claimed, once it is said that it is accepted.
    pub(super) fn write_claim(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (model, digest) = (models::Shown(&self.model), &self.model_digest);
        writeln!(f, "  which claims to be the model {model}, an ONNX file of digest {digest}")?;
        side(
            f,
            (Side::Input, self.input_compared),
            self.input_commitment.as_ref(),
            (&self.input_names, self.input.as_ref()),
        )?;
        side(
            f,
            (Side::Output, self.output_compared),
            self.output_commitment.as_ref(),
            (&self.output_names, self.output.as_ref()),
        )?;
        write_classes(f, &self.output_classes)
    }

    /// What its worth depends on, and how long it took: the last lines.
    pub(super) fn write_trust(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {}", Trust(&self.srs))?;
        write!(f, "  verified in {:.1} ms", self.verify_seconds * 1e3)
    }
}

/// One side: what is shown of it, and whether anybody but the prover has said that it is right.
fn side(
    f: &mut fmt::Formatter<'_>,
    (side, compared): (Side, bool),
    commitment: Option<&String>,
    (names, values): (&[String], Option<&Vec<Vec<f64>>>),
) -> fmt::Result {
    let expected = if compared { "as expected" } else { "NOT compared" };
    if let Some(commitment) = commitment {
        writeln!(f, "  {side} commitment, {expected}: {commitment}")?;
    }
    for (name, values) in names.iter().zip(values.into_iter().flatten()) {
        let name = models::Shown(name);
        writeln!(f, "  {side} {name}, {expected}: {}", brief(values))?;
    }
    Ok(())
}
