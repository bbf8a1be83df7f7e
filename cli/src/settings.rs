//! The settings file: with the ONNX file it fixes the verifying key, so later inputs are proved
//! under the same key.

use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use zkinfer_circuits::PlanOptions;
use zkinfer_models::{Calibration, HexDigest, QuantizeOptions};
use zkinfer_prover::files;
use zkinfer_verifier::{Digest, Visibility};

use crate::args::{self, Aim, Side};

const FORMAT: u32 = 1;
const MAX_BYTES: u64 = 1 << 26;

/// How a model was quantized, and under which name it has its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    format: u32,
    /// The name in the key.
    pub(crate) model: String,
    model_digest: String,
    pub(crate) options: QuantizeOptions,
    pub(crate) calibration: Calibration,
    /// What claims commit to instead of showing it, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    committed: Vec<Side>,
    /// What the circuit is planned for.
    #[serde(default, skip_serializing_if = "is_default")]
    optimize: Aim,
    /// Digest of the accuracy report that the key binds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accuracy_digest: Option<HexDigest>,
}

fn is_default(aim: &Aim) -> bool {
    *aim == Aim::default()
}

impl Settings {
    /// The settings that `args` ask for.
    pub(crate) fn new(
        model: String,
        digest: Digest,
        calibration: Calibration,
        args: &args::Quantize,
    ) -> Self {
        let defaults = QuantizeOptions::default();
        let activation_bits = args.activation_bits.unwrap_or(defaults.activation_bits);
        Self {
            format: FORMAT,
            model,
            model_digest: digest.to_string(),
            options: QuantizeOptions { activation_bits, ..defaults },
            calibration,
            committed: BTreeSet::from_iter(args.commit.iter().copied()).into_iter().collect(),
            optimize: args.optimize.unwrap_or_default(),
            accuracy_digest: None,
        }
    }

    /// How circuits of this model are planned.
    pub(crate) fn plan_options(&self) -> PlanOptions {
        let visibility = |side| match self.committed.contains(&side) {
            true => Visibility::Committed,
            false => Visibility::Public,
        };
        PlanOptions {
            input_visibility: visibility(Side::Input),
            output_visibility: visibility(Side::Output),
            objective: self.optimize.into(),
            ..PlanOptions::default()
        }
    }

    /// Reads settings that must be of the model with this digest.
    pub(crate) fn read(path: &Path, model: Digest) -> Result<Self> {
        let place = || format!("cannot use {} as settings", path.display());
        let bytes = files::read_bounded(path, MAX_BYTES).with_context(place)?;
        let settings: Self = serde_json::from_slice(&bytes).with_context(place)?;
        if settings.format != FORMAT {
            bail!("{}: format {} is not supported", path.display(), settings.format);
        }
        if settings.model_digest != model.to_string() {
            bail!(
                "{} holds the settings of another model (digest {}, this one has {model}); \
                 remove it or name another with --settings",
                path.display(),
                settings.model_digest
            );
        }
        Ok(settings)
    }

    /// Writes the settings of a key that has been written or found.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        files::write_whole(path, |file| file.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Where the settings of a key lie when nothing else is said.
    pub(crate) fn path_beside(key: &Path) -> PathBuf {
        key.with_extension("zkinfer.json")
    }
}
