//! The accuracy report of a key: measured where samples are given, written beside the key.

use std::{
    fmt,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Serialize;
use zkinfer_models::{AccuracyReport, TestSet};
use zkinfer_prover::files;

use crate::model::{Model, Origin, Quantized};

/// A report is far smaller.
const MAX_BYTES: u64 = 1 << 20;

/// Measures the report that the key shall bind and notes its digest in the settings: on `test_set`,
/// else on the calibration samples. Without either, the settings keep the digest they had.
pub(crate) fn measure(
    model: &Model,
    quantized: &mut Quantized,
    test_set: Option<&Path>,
) -> Result<Option<AccuracyReport>> {
    let Some(path) = test_set.or(match &quantized.origin {
        Origin::Samples(path) => Some(path.as_path()),
        Origin::Settings(_) | Origin::Input => None,
    }) else {
        return Ok(None);
    };
    let place = || format!("cannot measure accuracy on {}", path.display());
    let set = TestSet::read(path, &model.graph).with_context(place)?;
    let (options, calibration) = (&quantized.settings.options, &quantized.settings.calibration);
    let report = AccuracyReport::measure(&model.graph, model.digest.0, calibration, options, &set)
        .with_context(place)?;
    quantized.settings.accuracy_digest = Some(report.digest());
    Ok(Some(report))
}

/// Reads a report.
pub(crate) fn read(path: &Path) -> Result<AccuracyReport> {
    let place = || format!("cannot use {} as an accuracy report", path.display());
    let bytes = files::read_bounded(path, MAX_BYTES).with_context(place)?;
    AccuracyReport::decode(&bytes).with_context(place)
}

/// Where the report of a key lies.
pub(crate) fn path_beside(key: &Path) -> PathBuf {
    key.with_extension("accuracy.json")
}

/// A report that a key binds, and its file.
#[derive(Debug, Serialize)]
pub(crate) struct Bound {
    file: PathBuf,
    digest: String,
    report: AccuracyReport,
}

impl Bound {
    /// Writes a report to `path`.
    pub(crate) fn write(report: AccuracyReport, path: &Path) -> Result<Self> {
        files::write_whole(path, |file| file.write_all(report.encode().as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file: path.to_owned(), digest: report.digest().to_string(), report })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), Summary(&self.report))
    }
}

/// A report in words.
pub(crate) struct Summary<'a>(pub(crate) &'a AccuracyReport);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AccuracyReport { samples, float_model, labels, .. } = self.0;
        let count = samples.count;
        write!(f, "the float model's class on {} of {count} samples", float_model.same_class)?;
        if let Some(labels) = labels {
            let (integer, float) = (labels.integer_correct, labels.float_correct);
            write!(f, ", the right class on {integer} (float model {float})")?;
        }
        let max = Decimal(float_model.max_error_ten_thousandths);
        let mean = Decimal(float_model.mean_error_ten_thousandths);
        write!(f, "; largest difference of a score {max}, mean {mean}")
    }
}

/// So many ten-thousandths.
struct Decimal(u64);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}", self.0 / 10_000, self.0 % 10_000)
    }
}
