//! How well the integers of a model agree with its float form, in a report that a key binds.
//!
//! Everything in a report is an integer or a choice of the user. Counts and errors come from float
//! arithmetic, in which another processor may differ in the last of 53 bits (fused operations);
//! errors are therefore rounded to ten-thousandths and classes decided in single precision. Such a
//! difference then shows only where a value lies within about 10⁻¹³ of a boundary.

mod measure;
mod positions;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use measure::TestSet;

use crate::calibration::Calibration;
use crate::digest::{HexDigest, keccak256};
use crate::error::{QuantizeError, RunError};
use crate::quantizer::options::QuantizeOptions;

/// Separates the digest of a report from every other use of Keccak-256.
const DOMAIN: &[u8] = b"zkinfer.accuracy.v2";
/// The version of the format. A change that moves a byte or the meaning of one changes it.
const FORMAT: u32 = 2;

/// What `*.accuracy.json` holds: how a quantized model does on samples.
///
/// The class that an output names is its answer as [`crate::Reading`] has it, with the threshold
/// 1/2 for an output of one element that has none of its own. Where several elements share the
/// largest score there is no class. Where every position of the first output has a label, it names a
/// class at each position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccuracyReport {
    format: u32,
    /// Digest of the ONNX file.
    pub model_digest: HexDigest,
    /// How the model was quantized.
    pub options: QuantizeOptions,
    /// Digest of the calibration with which it was quantized; see [`Calibration::digest`]. Model,
    /// options and calibration fix the integers, so the report is of those integers only.
    pub calibration_digest: HexDigest,
    /// What it was measured on.
    pub samples: SampleSet,
    /// Integers against floats.
    pub float_model: FloatAgreement,
    /// Against the true classes, where the samples have labels.
    pub labels: Option<LabelAgreement>,
}

/// The samples of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleSet {
    /// Keccak-256 of the file.
    pub digest: HexDigest,
    /// How many samples it holds.
    pub count: u64,
}

/// How close the integer outputs are to those of the float model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FloatAgreement {
    /// Samples on which every output names the same class.
    pub same_class: u64,
    /// Samples on which the integers name none for some output, since several elements share the
    /// largest score, while the float model names one. They are not among `same_class`.
    pub ties: u64,
    /// The largest difference of an output element, in ten-thousandths.
    pub max_error_ten_thousandths: u64,
    /// The mean absolute difference of the output elements, in ten-thousandths.
    pub mean_error_ten_thousandths: u64,
}

/// How many labels the first output agrees with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelAgreement {
    /// By the integers.
    pub integer_correct: u64,
    /// By the float model.
    pub float_correct: u64,
    /// How many labels a sample has: 1, or one for each position at which the output has scores.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub per_sample: u64,
}

const fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives references")]
const fn is_one(count: &u64) -> bool {
    *count == 1
}

/// Why there is no report.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AccuracyError {
    /// The model does not run on a sample.
    #[error("sample {sample}: {source}")]
    Sample {
        /// Which one.
        sample: usize,
        /// Why.
        source: RunError,
    },
    /// The model cannot be quantized so.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// The float model gives infinity or no number.
    #[error("sample {sample}: an output of the float model is not finite")]
    NotFinite {
        /// Which one.
        sample: usize,
    },
    /// Not JSON of this layout.
    #[error("not an accuracy report: {0}")]
    Json(#[from] serde_json::Error),
    /// A later format.
    #[error("accuracy reports of format {got} are not supported")]
    Format {
        /// The format found.
        got: u32,
    },
    /// Another spelling: the digest is that of the bytes, so there is only one.
    #[error("the accuracy report is not spelled as zkinfer writes it")]
    NotCanonical,
    /// Numbers that cannot be.
    #[error("the accuracy report contradicts itself in {field}")]
    Contradiction {
        /// Which number.
        field: &'static str,
    },
}

impl AccuracyReport {
    /// Decodes a file: any byte string is refused or the encoding of exactly one report.
    ///
    /// # Errors
    /// [`AccuracyError`], the first check that fails.
    pub fn decode(bytes: &[u8]) -> Result<Self, AccuracyError> {
        let report: Self = serde_json::from_slice(bytes)?;
        if report.format != FORMAT {
            return Err(AccuracyError::Format { got: report.format });
        }
        report.check()?;
        if report.encode().as_bytes() == bytes {
            Ok(report)
        } else {
            Err(AccuracyError::NotCanonical)
        }
    }

    /// The text of the file.
    ///
    /// # Panics
    /// Never: integers and digests have a form in JSON.
    #[must_use]
    pub fn encode(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("integers and digests have a form in JSON") + "\n"
    }

    /// The digest that a key binds: Keccak-256 of `zkinfer.accuracy.v2` and the file's bytes.
    #[must_use]
    pub fn digest(&self) -> HexDigest {
        HexDigest(keccak256(&[DOMAIN, self.encode().as_bytes()]))
    }

    /// Whether the report was measured with the integers that this model becomes by this
    /// calibration and these options.
    #[must_use]
    pub fn is_of(
        &self,
        model_digest: [u8; 32],
        calibration: &Calibration,
        options: &QuantizeOptions,
    ) -> bool {
        self.model_digest.0 == model_digest
            && self.calibration_digest == calibration.digest()
            && self.options == *options
    }

    fn check(&self) -> Result<(), AccuracyError> {
        let (count, float) = (self.samples.count, &self.float_model);
        let of_labels = self.labels.is_some_and(|labels| {
            let most = count.saturating_mul(labels.per_sample);
            labels.per_sample == 0 || labels.integer_correct > most || labels.float_correct > most
        });
        let wrong = [
            ("samples.count", count == 0),
            ("float_model.same_class", float.same_class > count),
            ("float_model.ties", float.ties > count.saturating_sub(float.same_class)),
            (
                "float_model.mean_error_ten_thousandths",
                float.mean_error_ten_thousandths > float.max_error_ten_thousandths,
            ),
            ("labels", of_labels),
        ];
        match wrong.into_iter().find(|(_, wrong)| *wrong) {
            Some((field, _)) => Err(AccuracyError::Contradiction { field }),
            None => Ok(()),
        }
    }
}
