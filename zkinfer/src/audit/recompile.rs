//! Making the key again from the ONNX file, and saying where it differs.

use std::{
    fmt,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use serde::Serialize;
use zkinfer_models::{HexDigest, ImportOptions};
use zkinfer_prover::Device;
use zkinfer_verifier::{Digest, G1Affine, INSECURE_DEV, KeyDigest, KeyParts, VerifyingKey};

use super::float::{self, FloatOutput};
use crate::{
    accuracy::measure_accuracy,
    error::Error,
    keys::Keys,
    model::{Model, Origin, Quantized},
    progress::Watch,
    recipe::Recipe,
    shapes::Shapes,
    tensors::Shown,
};

/// What a key is to be made again from.
#[derive(Clone, Debug)]
pub struct Recompile {
    /// The ONNX file.
    pub model: PathBuf,
    /// Shapes and constants of its inputs.
    pub import: ImportOptions,
    /// How it was quantized.
    pub recipe: Recipe,
    /// Where a settings file is looked for when the recipe names none.
    pub settings_beside: PathBuf,
    /// The input that it was calibrated with, where there were no samples.
    pub input: Option<PathBuf>,
    /// What its accuracy was measured on, if not on the samples.
    pub test_set: Option<PathBuf>,
    /// The file of its SRS; the development SRS needs none.
    pub srs: Option<PathBuf>,
}

/// A model and the key that it gives.
#[derive(Clone, Debug)]
pub struct Recompiled {
    /// The ONNX file.
    pub model: PathBuf,
    /// Whether it gives this very key.
    pub same_key: bool,
    /// The key's digest; `None` where the file's digest showed that it is another model.
    pub key_digest: Option<KeyDigest>,
    /// What it was calibrated with.
    pub calibration: Option<Origin>,
    /// Where its accuracy digest is from.
    pub accuracy: Option<AccuracySource>,
    /// Digest of the calibration, in the form that accuracy reports hold.
    pub calibration_digest: Option<HexDigest>,
    /// The outputs of the claim beside the float model's on the claim's input; empty where the input
    /// or output is hidden, or the model is another.
    pub float_outputs: Vec<FloatOutput>,
    /// The parts in which the keys differ.
    pub differences: Vec<Difference>,
}

/// What it takes to make a key again, besides the ONNX file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// The file of the ceremony on which the key stands.
    Srs {
        /// The ceremony's name.
        name: String,
    },
    /// What the key was calibrated with: its settings, samples or input.
    Calibration,
}

impl Missing {
    /// The ceremony's file, where the key stands on one and none was given.
    pub(super) fn srs(key: &VerifyingKey, given: Option<&Path>) -> Option<Self> {
        let name = &key.parts().srs.name;
        (given.is_none() && name != INSECURE_DEV).then(|| Self::Srs { name: name.clone() })
    }
}

/// Where a recompiled key has its accuracy digest from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccuracySource {
    /// Measured again.
    Measured,
    /// The report that was given.
    Report,
    /// The key itself, unchecked.
    Key,
}

/// A part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The digest of the ONNX file.
    ModelDigest,
    /// The trusted setup.
    Srs,
    /// The version of the integer semantics.
    Semantics,
    /// The digest of the graph.
    GraphDigest,
    /// The number of rows.
    Rows,
    /// Inputs and outputs.
    Layout,
    /// Columns, gates and copied columns.
    Circuit,
    /// The fixed columns.
    WeightsAndTables,
    /// The copy constraints.
    CopyConstraints,
    /// The digest with which halo2's transcript begins.
    TranscriptDigest,
    /// The accuracy report.
    AccuracyReport,
}

/// A part in which two keys differ, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The part.
    pub part: Part,
    /// How it differs, in words.
    pub detail: String,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ModelDigest => "model digest",
            Self::Srs => "SRS",
            Self::Semantics => "integer semantics",
            Self::GraphDigest => "graph digest",
            Self::Rows => "rows",
            Self::Layout => "layout",
            Self::Circuit => "circuit",
            Self::WeightsAndTables => "weights and tables",
            Self::CopyConstraints => "copy constraints",
            Self::TranscriptDigest => "halo2 digest",
            Self::AccuracyReport => "accuracy report",
        })
    }
}

impl Recompile {
    /// Everything else that must be given to make this key again.
    #[must_use]
    pub fn missing(&self, key: &VerifyingKey) -> Vec<Missing> {
        let mut missing = Vec::new();
        missing.extend(Missing::srs(key, self.srs.as_deref()));
        let Recipe { settings, samples, .. } = &self.recipe;
        let has_settings = settings.is_some()
            || !self.recipe.asks_for_new_settings() && self.settings_beside.exists();
        if !has_settings && samples.is_none() && self.input.is_none() {
            missing.push(Missing::Calibration);
        }
        missing
    }

    /// Compiles the model; `report` is the digest of the accuracy report that was given, `claimed`
    /// what the claim shows of its input and output.
    pub(super) fn run(
        &self,
        key: &VerifyingKey,
        report: Option<HexDigest>,
        claimed: (&Shown, &Shown),
        watch: Watch<'_>,
    ) -> Result<Recompiled, Error> {
        let shapes = [Shapes::Key(&key.parts().layout.inputs)];
        let model = Model::open_for(&self.model, &self.import, &shapes)?;
        if model.digest() != key.parts().model_digest {
            return Ok(self.of_another_model(&model, key.parts()));
        }
        let (quantized, accuracy) = self.quantize(&model, key, report)?;
        let made = Keys::make(&model, &quantized, self.srs.as_deref(), &Device::default(), watch)?;
        // An older key is compared with what this model gives in its format.
        let ours = made.verifying_key().parts().clone().in_format(key.parts().format);
        let ours = VerifyingKey::new(ours).unwrap_or_else(|_| made.verifying_key().clone());
        let float_outputs = match (&claimed.0.tensors, &claimed.1.tensors) {
            (Some(input), Some(output)) => float::compare(&model, &quantized, input, output)?,
            _ => Vec::new(),
        };
        Ok(Recompiled {
            float_outputs,
            calibration_digest: Some(quantized.settings.calibration.digest()),
            model: self.model.clone(),
            same_key: ours.digest() == key.digest(),
            key_digest: Some(ours.digest()),
            calibration: Some(quantized.origin),
            accuracy: Some(accuracy),
            differences: differences(key.parts(), ours.parts()),
        })
    }

    fn of_another_model(&self, model: &Model, key: &KeyParts) -> Recompiled {
        let detail = if Digest(model.graph().digest()) == key.graph_digest {
            "the same graph in another file: recompile the file that the key names".to_owned()
        } else {
            format!("the file has {}, the key names {}", model.digest(), key.model_digest)
        };
        Recompiled {
            model: self.model.clone(),
            same_key: false,
            key_digest: None,
            calibration: None,
            accuracy: None,
            calibration_digest: None,
            float_outputs: Vec::new(),
            differences: vec![Difference { part: Part::ModelDigest, detail }],
        }
    }

    /// Quantizes as setup does. The model's name is a label of the key, so it is taken from there.
    fn quantize(
        &self,
        model: &Model,
        key: &VerifyingKey,
        report: Option<HexDigest>,
    ) -> Result<(Quantized, AccuracySource), Error> {
        let inputs: Vec<_> =
            self.input.iter().map(|path| model.read_input(path)).collect::<Result<_, _>>()?;
        let mut quantized = model.quantize(&self.recipe, &self.settings_beside, &inputs)?;
        // How many claims a proof is about, the key says itself.
        if let Some(claims) = NonZeroU32::new(key.parts().layout.claims).filter(|n| n.get() > 1) {
            quantized = quantized.jointly(claims);
        }
        quantized.settings.name = key.parts().model_name.clone().unwrap_or_default();
        if measure_accuracy(model, &mut quantized, self.test_set.as_deref())?.is_some() {
            return Ok((quantized, AccuracySource::Measured));
        }
        let bound = key.accuracy_digest().map(|digest| HexDigest(digest.0));
        quantized.settings.accuracy_digest = report.or(bound);
        let source = if report.is_some() { AccuracySource::Report } else { AccuracySource::Key };
        Ok((quantized, source))
    }
}

/// Every part that differs. Commitments under two setups are not comparable, nor is anything where
/// the integers mean something else.
fn differences(theirs: &KeyParts, ours: &KeyParts) -> Vec<Difference> {
    if theirs.semantics != ours.semantics {
        let detail = format!(
            "the key has version {}, this program compiles version {}: recompile it with the \
             program that made it",
            theirs.semantics, ours.semantics
        );
        return vec![Difference { part: Part::Semantics, detail }];
    }
    let same_srs = theirs.srs == ours.srs;
    let parts = [
        (
            Part::Srs,
            !same_srs,
            format!("the key has {}, recompiled {}", theirs.srs.digest(), ours.srs.digest()),
        ),
        (
            Part::GraphDigest,
            theirs.graph_digest != ours.graph_digest,
            format!("the key names {}, the file holds {}", theirs.graph_digest, ours.graph_digest),
        ),
        (
            Part::Rows,
            theirs.k != ours.k,
            format!(
                "the key has 2^{}, recompiled 2^{}: planned for something else?",
                theirs.k, ours.k
            ),
        ),
        (
            Part::Layout,
            theirs.layout != ours.layout,
            "names, shapes, scales, bounds or visibility of inputs and outputs: another \
             calibration, or other sides committed to?"
                .to_owned(),
        ),
        (
            Part::Circuit,
            theirs.constraint_system != ours.constraint_system,
            "columns, gates or copied columns: other options, or another version".to_owned(),
        ),
        commitments(Part::WeightsAndTables, theirs, ours, |key| &key.fixed_commitments),
        commitments(Part::CopyConstraints, theirs, ours, |key| &key.sigma_commitments),
        (
            Part::TranscriptDigest,
            same_srs && theirs.transcript_repr != ours.transcript_repr,
            "follows from the other parts".to_owned(),
        ),
        (
            Part::AccuracyReport,
            theirs.accuracy_digest != ours.accuracy_digest,
            format!("the key binds {}, this is {}", theirs.accuracy_digest, ours.accuracy_digest),
        ),
    ];
    let differing = parts.into_iter().filter(|(_, differs, _)| *differs);
    differing.map(|(part, _, detail)| Difference { part, detail }).collect()
}

fn commitments(
    part: Part,
    theirs: &KeyParts,
    ours: &KeyParts,
    of: fn(&KeyParts) -> &Vec<G1Affine>,
) -> (Part, bool, String) {
    let (theirs_list, ours_list) = (of(theirs), of(ours));
    let same = theirs_list.iter().zip(ours_list).filter(|(a, b)| a == b).count();
    let count = theirs_list.len().max(ours_list.len());
    let differ = theirs.srs == ours.srs && same < count;
    (part, differ, format!("{} of {count} columns", count - same))
}
