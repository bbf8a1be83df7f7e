//! The accuracy report of a key: measured where samples are given, written beside the key.

use std::path::Path;

use zkinfer_models::{AccuracyReport, TestSet};

use crate::{
    error::Error,
    model::{Model, Origin, Quantized},
};

/// Measures the report that the key shall bind and notes its digest in the settings: on `test_set`,
/// else on the calibration samples. Without either, the settings keep the digest they had.
///
/// # Errors
/// If the file holds no test set, or the model does not run on it.
pub fn measure_accuracy(
    model: &Model,
    quantized: &mut Quantized,
    test_set: Option<&Path>,
) -> Result<Option<AccuracyReport>, Error> {
    let Some(path) = test_set.or(match &quantized.origin {
        Origin::Samples(path) => Some(path.as_path()),
        Origin::Settings(_) | Origin::Input | Origin::Inputs(_) => None,
    }) else {
        return Ok(None);
    };
    let set = TestSet::read(path, model.graph())
        .map_err(|source| Error::TestSet { path: path.to_owned(), source })?;
    let (options, calibration) = (&quantized.settings.options, &quantized.settings.calibration);
    let digest = model.digest().0;
    let report = AccuracyReport::measure(model.graph(), digest, calibration, options, &set)
        .map_err(|source| Error::Measure { path: path.to_owned(), source })?;
    quantized.settings.accuracy_digest = Some(report.digest());
    Ok(Some(report))
}
