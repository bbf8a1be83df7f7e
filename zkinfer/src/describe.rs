//! What a verifying key says, by itself.

use std::collections::BTreeMap;

use serde::Serialize;
use zkinfer_verifier::{KeyParts, Side, TensorLayout, VerifyingKey, Visibility};

use crate::{audit::Strength, srs::SetupKind};

/// Everything that a key says. Names and the digest of the model are the word of whoever made it.
#[derive(Clone, Debug, Serialize)]
pub struct KeyDescription {
    /// The key's own digest: what `--expect-key` takes.
    pub key_digest: String,
    /// The label that its maker gave it; empty where there is none.
    pub name: String,
    /// The digest of the ONNX file that it claims to be made from.
    pub model_digest: String,
    /// The inputs.
    pub inputs: Vec<KeyTensor>,
    /// Whether claims show the inputs, or commit to them.
    pub inputs_committed: bool,
    /// The outputs.
    pub outputs: Vec<KeyTensor>,
    /// Whether claims show the outputs, or commit to them.
    pub outputs_committed: bool,
    /// How many claims a proof is about.
    pub claims: u32,
    /// Whether it is of a part of a model that takes what a part before it gives: claims say nothing of
    /// that.
    pub takes_boundary: bool,
    /// Whether it is of a part of a model whose outputs go to the part behind it.
    pub gives_boundary: bool,
    /// The version of the key format.
    pub format: u16,
    /// The version of the integer semantics.
    pub semantics: u16,
    /// The digest of the graph that it claims, the same in every file that holds it.
    pub graph_digest: Option<String>,
    /// The name of its trusted setup.
    pub srs: String,
    /// The digest of that setup's \[τ\]₂.
    pub srs_digest: String,
    /// What is known of its secret.
    pub setup: SetupKind,
    /// What it calls the classes of inputs and outputs, by the names of these.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, Vec<String>>,
    /// The digest of the accuracy report that it binds.
    pub accuracy_digest: Option<String>,
    /// log2 of the circuit's rows.
    pub k: u8,
    /// Columns that a prover fills.
    pub advice_columns: usize,
    /// Columns that hold weights, tables and selectors.
    pub fixed_columns: usize,
    /// Bytes of every proof under it.
    pub proof_bytes: usize,
    /// How hard a forgery is.
    pub strength: Strength,
}

/// A tensor as a key describes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyTensor {
    /// Its name in the model.
    pub name: String,
    /// Its shape.
    pub shape: Vec<u32>,
    /// The real number that one step of its integers is; the largest, where columns differ.
    pub step: f64,
    /// Smallest and largest real number that its integers hold, in that column.
    pub range: (f64, f64),
}

impl KeyDescription {
    /// The description of a key.
    #[must_use]
    pub fn new(key: &VerifyingKey) -> Self {
        let parts = key.parts();
        let KeyParts { layout, constraint_system, srs, .. } = parts;
        let has_boundary = |side| parts.boundaries.iter().any(|boundary| boundary.side == side);
        let tensors = |tensors: &[TensorLayout]| tensors.iter().map(KeyTensor::new).collect();
        Self {
            key_digest: key.digest().to_string(),
            format: parts.format.number(),
            semantics: parts.semantics,
            graph_digest: key.graph_digest().map(|digest| digest.to_string()),
            name: parts.model_name.clone().unwrap_or_default(),
            model_digest: parts.model_digest.to_string(),
            inputs: tensors(&layout.inputs),
            inputs_committed: layout.input_visibility == Visibility::Committed,
            outputs: tensors(&layout.outputs),
            outputs_committed: layout.output_visibility == Visibility::Committed,
            claims: layout.claims,
            takes_boundary: has_boundary(Side::Input),
            gives_boundary: has_boundary(Side::Output),
            srs: srs.name.clone(),
            srs_digest: srs.digest().to_string(),
            setup: SetupKind::of(srs),
            classes: layout
                .inputs
                .iter()
                .chain(&layout.outputs)
                .filter_map(named_classes)
                .collect(),
            accuracy_digest: key.accuracy_digest().map(|digest| digest.to_string()),
            k: parts.k,
            advice_columns: constraint_system.advice_phases.len(),
            fixed_columns: parts.fixed_commitments.len(),
            proof_bytes: key.proof_len(),
            strength: Strength::new(parts),
        }
    }
}

impl KeyTensor {
    fn new(tensor: &TensorLayout) -> Self {
        let steps = tensor.scales.iter().copied().enumerate();
        let largest = steps.max_by(|(_, one), (_, other)| one.total_cmp(other));
        let (column, step) = largest.unwrap_or_default();
        Self {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            step,
            range: (tensor.real(column, tensor.lo), tensor.real(column, tensor.hi)),
        }
    }
}

/// The names of a tensor's classes, where it has some.
fn named_classes(tensor: &TensorLayout) -> Option<(String, Vec<String>)> {
    Some((tensor.name.clone(), tensor.classes.as_ref()?.names().to_vec()))
}
