//! The settings file: with the ONNX file it fixes the verifying key, so later inputs are proved
//! under the same key.

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    num::NonZeroU32,
    path::Path,
};

use ndarray::ArrayD;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use zkinfer_circuits::{Objective, PlanOptions};
use zkinfer_models::{Calibration, Graph, HexDigest, QuantizeError, QuantizeOptions, SEMANTICS};
use zkinfer_prover::files;
use zkinfer_verifier::{Digest, Side, Visibility};

use crate::error::Error;

/// A change of the layout or of what a field means changes it.
const FORMAT: u32 = 2;
const MAX_BYTES: u64 = 1 << 26;

/// What a circuit is planned for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// The fastest to prove, where a KiB of proof beyond 8 for each claim counts as 50 ms.
    #[default]
    Balanced,
    /// The fastest to prove.
    Time,
    /// The shortest proof.
    Proof,
    /// The cheapest to verify on an EVM chain.
    Gas,
    /// The least memory to prove.
    Memory,
}

impl From<Aim> for Objective {
    fn from(aim: Aim) -> Self {
        match aim {
            Aim::Balanced => Self::Balanced,
            Aim::Time => Self::Time,
            Aim::Proof => Self::Proof,
            Aim::Gas => Self::Gas,
            Aim::Memory => Self::Memory,
        }
    }
}

/// What a user may choose about a key besides what it is calibrated with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A label for the key; none by default. It is part of the key, and says nothing about the
    /// model.
    pub name: Option<String>,
    /// Bits of an activation, up to 16; by default the fewest, from 8 on, with which the integers
    /// are close to the float model.
    pub activation_bits: Option<u32>,
    /// Bits of an input, up to 16; 12 by default, and 8 where samples lie on a grid.
    pub input_bits: Option<u32>,
    /// Steps from 0 to the largest input where inputs lie on a grid, as the 255 of 8-bit images;
    /// by default what many samples agree on.
    pub input_levels: Option<u32>,
    /// The sides that claims commit to instead of showing them.
    pub committed: BTreeSet<Side>,
    /// What the circuit is planned for; balanced by default.
    pub optimize: Option<Aim>,
}

impl Options {
    /// A calibration on samples, with the inputs on the grid that the options name, if they do.
    pub(crate) fn on_grid(
        &self,
        graph: &Graph,
        calibration: Calibration,
        samples: &[Vec<ArrayD<f32>>],
    ) -> Result<Calibration, QuantizeError> {
        match self.input_levels {
            Some(levels) => calibration.with_input_levels(graph, levels, samples),
            None => Ok(calibration),
        }
    }
}

/// How a model was quantized and is to be proved: with the ONNX file and the SRS, all that a key
/// depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    format: u32,
    /// The version of the integer semantics that they were made for.
    semantics: u16,
    /// The label in the key; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    model_digest: String,
    /// How real numbers become integers.
    pub options: QuantizeOptions,
    /// The range of every input and layer.
    pub calibration: Calibration,
    /// What claims commit to instead of showing it, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    committed: Vec<Side>,
    /// What the circuit is planned for.
    #[serde(default, skip_serializing_if = "is_default")]
    optimize: Aim,
    /// How many claims a proof is about.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    joint: u32,
    /// The part of the model that they are of, where it is not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<PartPlace>,
    /// Digest of the accuracy report that the key binds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_digest: Option<HexDigest>,
}

/// Which part of a model it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartPlace {
    /// Its place, from 0.
    pub index: u32,
    /// How many parts there are.
    pub count: u32,
    /// The log2 of the row count, which all parts have.
    pub k: u32,
}

impl PartPlace {
    /// Whether a part before it gives its inputs, and a part behind it takes its outputs.
    fn boundaries(self) -> [bool; 2] {
        [self.index > 0, self.index.saturating_add(1) < self.count]
    }
}

/// What every format has.
#[derive(Deserialize)]
struct Header {
    format: u32,
    semantics: Option<u16>,
}

/// What EZKL's settings have.
#[derive(Deserialize)]
struct OfEzkl {
    #[serde(rename = "run_args")]
    _run_args: IgnoredAny,
}

fn is_default(aim: &Aim) -> bool {
    *aim == Aim::default()
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_one(count: &u32) -> bool {
    *count == 1
}

impl Settings {
    /// The label that keys get, where there is one.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        Some(self.name.as_str()).filter(|name| !name.is_empty())
    }

    /// The settings of a model with this digest, so calibrated and with these options.
    #[must_use]
    pub fn new(digest: Digest, calibration: Calibration, options: &Options) -> Self {
        let defaults = QuantizeOptions::default();
        let activation_bits = options.activation_bits.unwrap_or(defaults.activation_bits);
        Self {
            format: FORMAT,
            semantics: SEMANTICS,
            name: options.name.clone().unwrap_or_default(),
            model_digest: digest.to_string(),
            options: QuantizeOptions {
                activation_bits,
                input_bits: options.input_bits,
                ..defaults
            },
            calibration,
            committed: options.committed.iter().copied().collect(),
            optimize: options.optimize.unwrap_or_default(),
            joint: 1,
            part: None,
            accuracy_digest: None,
        }
    }

    /// The settings of a part of the model.
    #[must_use]
    pub(crate) fn of_part(&self, place: PartPlace) -> Self {
        Self { part: Some(place), ..self.clone() }
    }

    /// The same with so many rows, log2, of every part.
    #[must_use]
    pub(crate) fn with_rows(&self, k: u32) -> Self {
        Self { part: self.part.map(|place| PartPlace { k, ..place }), ..self.clone() }
    }

    /// The settings of the model that they are of a part of.
    #[must_use]
    pub(crate) fn of_whole(&self) -> Self {
        Self { part: None, ..self.clone() }
    }

    /// The part of the model that they are of; `None` for the whole.
    #[must_use]
    pub fn part(&self) -> Option<PartPlace> {
        self.part
    }

    /// The same integers, for proofs of so many claims, all of which commit to inputs and outputs.
    #[must_use]
    pub fn jointly(mut self, claims: NonZeroU32) -> Self {
        self.joint = claims.get();
        if self.joint > 1 {
            self.committed = vec![Side::Input, Side::Output];
        }
        self
    }

    /// How many claims a proof is about.
    #[must_use]
    pub fn claims(&self) -> u32 {
        self.joint
    }

    /// How circuits of this model are planned.
    #[must_use]
    pub fn plan_options(&self) -> PlanOptions {
        let visibility = |side| match self.committed.contains(&side) {
            true => Visibility::Committed,
            false => Visibility::Public,
        };
        PlanOptions {
            input_visibility: visibility(Side::Input),
            output_visibility: visibility(Side::Output),
            objective: self.optimize.into(),
            claims: self.joint,
            boundaries: self.part.map_or([false; 2], PartPlace::boundaries),
            k: self.part.map(|place| place.k),
            ..PlanOptions::default()
        }
    }

    /// Reads settings that must be of the model with this digest.
    ///
    /// # Errors
    /// If the file cannot be read, is no settings file, or one of another model.
    pub fn read(path: &Path, model: Digest) -> Result<Self, Error> {
        let settings = Self::read_any(path)?;
        if settings.model_digest != model.to_string() {
            let (path, got) = (path.to_owned(), settings.model_digest);
            return Err(Error::SettingsOfAnotherModel { path, expected: model, got });
        }
        Ok(settings)
    }

    /// Reads settings, of whichever model.
    pub(crate) fn read_any(path: &Path) -> Result<Self, Error> {
        let bytes = files::read_bounded(path, MAX_BYTES)
            .map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let refused = |source| Error::Settings { path: path.to_owned(), source };
        let header = serde_json::from_slice(&bytes);
        let path = path.to_owned();
        if header.is_err() && serde_json::from_slice::<OfEzkl>(&bytes).is_ok() {
            return Err(Error::SettingsOfEzkl { path });
        }
        let Header { format, semantics } = header.map_err(refused)?;
        if format != FORMAT {
            return Err(Error::SettingsFormat { path, expected: FORMAT, got: format });
        }
        if semantics != Some(SEMANTICS) {
            return Err(Error::SettingsSemantics { path, expected: SEMANTICS, got: semantics });
        }
        let refused = |source| Error::Settings { path, source };
        serde_json::from_slice(&bytes).map_err(refused)
    }

    /// Writes the file where none is, whole.
    ///
    /// # Errors
    /// If other settings are there, or it cannot be written.
    pub fn write_new(&self, path: &Path) -> Result<(), Error> {
        let written = files::write_new(path, |file| file.write_all(self.encode().as_bytes()));
        match written {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match Self::read_any(path)? == *self {
                    true => Ok(()),
                    false => Err(Error::AnotherSettings { path: path.to_owned() }),
                }
            }
            written => written.map_err(|source| Error::Write { path: path.to_owned(), source }),
        }
    }

    /// The text of the file.
    ///
    /// # Panics
    /// Never: its parts have a form in JSON.
    #[must_use]
    pub fn encode(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("strings and numbers have a form in JSON") + "\n"
    }
}
