//! The accuracy report of a key: measured where samples are given, written beside the key.

use std::path::Path;

use zkinfer_models::{AccuracyReport, HexDigest, InputNote, TestSet};
use zkinfer_verifier::{Digest, VerifyingKey};

use crate::{
    error::{Error, UnshownAccuracy},
    key_files::KeyFiles,
    model::{Model, Origin, Quantized},
    read,
};

/// The accuracy report that a key binds, and how it was come by.
#[derive(Clone, Debug)]
pub struct KeyAccuracy {
    /// The report.
    pub report: AccuracyReport,
    /// Whether it was measured now, or lay beside the settings that name it.
    pub is_measured: bool,
    /// What is not used of the samples it was measured on.
    pub notes: Vec<InputNote>,
}

/// Measures the report that the key shall bind and notes its digest in the settings: on `test_set`,
/// else on the calibration samples. Without either, the settings keep the digest they had.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/example.rs")); }
/// # use example::*;
/// # let files = files();
/// # use zkinfer::{InputData, Model, Recipe, measure_accuracy};
/// # let model = Model::open(&files.model)?;
/// # let samples = Some(InputData::read_samples(&files.samples)?);
/// # let recipe = Recipe { samples, ..Recipe::default() };
/// # let mut quantized = model.quantize(&recipe, std::path::Path::new("none"), &[])?;
/// let measured = measure_accuracy(&model, &mut quantized, None)?.expect("there are samples");
/// let (same, of) = (measured.report.float_model.same_class, measured.report.samples.count);
/// assert_eq!((same, of), (20, 20));
/// // The settings bind it, and with them the key.
/// assert_eq!(quantized.settings.accuracy_digest, Some(measured.report.digest()));
/// # Ok::<_, zkinfer::Error>(())
/// ```
///
/// # Errors
/// If the file holds no test set, or the model does not run on it.
pub fn measure_accuracy(
    model: &Model,
    quantized: &mut Quantized,
    test_set: Option<&Path>,
) -> Result<Option<KeyAccuracy>, Error> {
    let (path, set) = match (test_set, &quantized.origin) {
        (Some(path), _) => (path, TestSet::read(path, model.graph())),
        (None, Origin::Samples(data)) => (data.path(), TestSet::new(data.file(), model.graph())),
        (None, Origin::Settings(_) | Origin::Input | Origin::Inputs(_)) => return Ok(None),
    };
    let set = set.map_err(|source| Error::TestSet { path: path.to_owned(), source })?;
    let (options, calibration) = (&quantized.settings.options, &quantized.settings.calibration);
    let digest = model.digest().0;
    let report = AccuracyReport::measure(model.graph(), digest, calibration, options, &set)
        .map_err(|source| Error::Measure { path: path.to_owned(), source })?;
    quantized.settings.accuracy_digest = Some(report.digest());
    Ok(Some(KeyAccuracy { report, is_measured: true, notes: set.notes().to_vec() }))
}

/// The report that the key shall bind: [measured](measure_accuracy), else the one that the settings
/// name, which must lie beside them and be of the integers that they give. None where `stored`, the
/// key that is there, binds it already: then nothing new is said.
///
/// # Errors
/// As [`measure_accuracy`], and if the settings name a report that is not shown.
pub fn accuracy_to_bind(
    model: &Model,
    quantized: &mut Quantized,
    test_set: Option<&Path>,
    stored: Option<&VerifyingKey>,
) -> Result<Option<KeyAccuracy>, Error> {
    if let Some(measured) = measure_accuracy(model, quantized, test_set)? {
        return Ok(Some(measured));
    }
    let (Origin::Settings(path), Some(named)) =
        (&quantized.origin, quantized.settings.accuracy_digest)
    else {
        return Ok(None);
    };
    let binds = |key: &VerifyingKey| {
        key.parts().model_digest == model.digest() && key.accuracy_digest() == Some(Digest(named.0))
    };
    if stored.is_some_and(binds) {
        return Ok(None);
    }
    let report = beside_settings(path, named, model, quantized)?;
    Ok(Some(KeyAccuracy { report, is_measured: false, notes: Vec::new() }))
}

fn beside_settings(
    settings: &Path,
    named: HexDigest,
    model: &Model,
    quantized: &Quantized,
) -> Result<AccuracyReport, Error> {
    let path = KeyFiles::of_settings(settings).accuracy;
    let unshown = |fault| {
        let (settings, report) = (settings.to_owned(), path.clone());
        Error::UnshownAccuracy { settings, report, fault }
    };
    if !path.exists() {
        return Err(unshown(UnshownAccuracy::Missing));
    }
    let report = read::accuracy_report(&path)?;
    if report.digest() != named {
        return Err(unshown(UnshownAccuracy::Another));
    }
    let (calibration, options) = (&quantized.settings.calibration, &quantized.settings.options);
    match report.is_of(model.digest().0, calibration, options) {
        true => Ok(report),
        false => Err(unshown(UnshownAccuracy::OfOtherIntegers)),
    }
}
