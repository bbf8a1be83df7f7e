//! Making the key again from the ONNX file, and saying where it differs.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use serde::Serialize;
use zkinfer_engine::Device;
use zkinfer_models::HexDigest;
use zkinfer_verifier::{G1Affine, INSECURE_DEV, KeyParts, VerifyingKey};

use crate::{
    accuracy_report, args, keys,
    model::{Model, Quantized},
    output::Output,
    settings::Settings,
};

/// A model and the key that it gives.
#[derive(Serialize)]
pub(super) struct Recompiled {
    model: PathBuf,
    /// Whether it is this very key.
    same_key: bool,
    /// The key's digest; `None` where the file's digest showed that it is another model.
    key_digest: Option<String>,
    calibration: Option<String>,
    accuracy: Option<AccuracySource>,
    differences: Vec<Difference>,
}

/// Where the recompiled key has its accuracy digest from.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum AccuracySource {
    /// Measured again.
    Measured,
    /// The report that was given.
    Report,
    /// The key itself, unchecked.
    Key,
}

/// A part in which two keys differ.
#[derive(Serialize)]
struct Difference {
    part: &'static str,
    detail: String,
}

impl Recompiled {
    /// Compiles the model with the options given, where there is one.
    pub(super) fn new(
        args: &args::Audit,
        key: &VerifyingKey,
        report: Option<HexDigest>,
        output: &Output,
    ) -> Result<Option<Self>> {
        let Some(path) = &args.model else {
            return refuse_options(args).map(|()| None);
        };
        let model = Model::read(path)?;
        if model.digest != key.parts().model_digest {
            return Ok(Some(Self::of_another_model(path, &model, key.parts())));
        }
        check_srs(args, key)?;
        let (quantized, accuracy) = quantize(args, &model, key, report)?;
        let device = Device::default();
        let made = keys::make(&model, &quantized, args.srs.file.as_deref(), &device, output)?;
        let ours = made.setup.verifying_key();
        Ok(Some(Self {
            model: path.clone(),
            same_key: ours.digest() == key.digest(),
            key_digest: Some(ours.digest().to_string()),
            calibration: Some(quantized.origin.to_string()),
            accuracy: Some(accuracy),
            differences: differences(key.parts(), ours.parts()),
        }))
    }

    fn of_another_model(path: &Path, model: &Model, key: &KeyParts) -> Self {
        let detail = format!("the file has {}, the key names {}", model.digest, key.model_digest);
        Self {
            model: path.to_owned(),
            same_key: false,
            key_digest: None,
            calibration: None,
            accuracy: None,
            differences: vec![Difference { part: "model digest", detail }],
        }
    }

    /// Why the model does not give the key.
    pub(super) fn fault(&self) -> Option<String> {
        (!self.same_key).then(|| {
            let parts: Vec<_> = self.differences.iter().map(|difference| difference.part).collect();
            format!("{} does not give this key: {} differ", self.model.display(), parts.join(", "))
        })
    }
}

/// Options that only a model gives a meaning to.
fn refuse_options(args: &args::Audit) -> Result<()> {
    let given = [
        ("--calibrate", args.quantize.calibrate.is_some()),
        ("--activation-bits", args.quantize.activation_bits.is_some()),
        ("--commit", !args.quantize.commit.is_empty()),
        ("--optimize", args.quantize.optimize.is_some()),
        ("--settings", args.quantize.settings.is_some()),
        ("--test-set", args.test_set.test_set.is_some()),
        ("--srs", args.srs.file.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => bail!("{option} needs the ONNX file to recompile: pass --model"),
        None => Ok(()),
    }
}

fn check_srs(args: &args::Audit, key: &VerifyingKey) -> Result<()> {
    let name = &key.parts().srs.name;
    if args.srs.file.is_none() && name != INSECURE_DEV {
        bail!("the key stands on the SRS {name}; to recompile, pass its file: --srs FILE");
    }
    Ok(())
}

/// Quantizes as `setup` does. The model's name is a label of the key, so it is taken from there.
fn quantize(
    args: &args::Audit,
    model: &Model,
    key: &VerifyingKey,
    report: Option<HexDigest>,
) -> Result<(Quantized, AccuracySource)> {
    let input = args.input.as_deref().map(|path| model.read_input(path)).transpose()?;
    let beside = Settings::path_beside(&args.key);
    let mut quantized = model.quantize(&args.quantize, &beside, input.as_deref())?;
    quantized.settings.model.clone_from(&key.parts().model_name);
    let test_set = args.test_set.test_set.as_deref();
    if accuracy_report::measure(model, &mut quantized, test_set)?.is_some() {
        return Ok((quantized, AccuracySource::Measured));
    }
    let bound = key.accuracy_digest().map(|digest| HexDigest(digest.0));
    quantized.settings.accuracy_digest = report.or(bound);
    let source = if report.is_some() { AccuracySource::Report } else { AccuracySource::Key };
    Ok((quantized, source))
}

/// Every part that differs. Commitments under two setups are not comparable.
fn differences(theirs: &KeyParts, ours: &KeyParts) -> Vec<Difference> {
    let same_srs = theirs.srs == ours.srs;
    let parts = [
        (
            "SRS",
            !same_srs,
            format!("the key has {}, recompiled {}", theirs.srs.digest(), ours.srs.digest()),
        ),
        (
            "rows",
            theirs.k != ours.k,
            format!("the key has 2^{}, recompiled 2^{}: another --optimize?", theirs.k, ours.k),
        ),
        (
            "layout",
            theirs.layout != ours.layout,
            "names, shapes, scales, bounds or visibility of inputs and outputs: another \
             calibration, or other --commit?"
                .to_owned(),
        ),
        (
            "circuit",
            theirs.constraint_system != ours.constraint_system,
            "columns, gates or copied columns: other options, or another version".to_owned(),
        ),
        commitments("weights and tables", theirs, ours, |key| &key.fixed_commitments),
        commitments("copy constraints", theirs, ours, |key| &key.sigma_commitments),
        (
            "halo2 digest",
            same_srs && theirs.transcript_repr != ours.transcript_repr,
            "follows from the other parts".to_owned(),
        ),
        (
            "accuracy report",
            theirs.accuracy_digest != ours.accuracy_digest,
            format!("the key binds {}, this is {}", theirs.accuracy_digest, ours.accuracy_digest),
        ),
    ];
    let differing = parts.into_iter().filter(|(_, differs, _)| *differs);
    differing.map(|(part, _, detail)| Difference { part, detail }).collect()
}

fn commitments(
    part: &'static str,
    theirs: &KeyParts,
    ours: &KeyParts,
    of: fn(&KeyParts) -> &Vec<G1Affine>,
) -> (&'static str, bool, String) {
    let (theirs_list, ours_list) = (of(theirs), of(ours));
    let same = theirs_list.iter().zip(ours_list).filter(|(a, b)| a == b).count();
    let count = theirs_list.len().max(ours_list.len());
    let differ = theirs.srs == ours.srs && same < count;
    (part, differ, format!("{} of {count} columns", count - same))
}

impl fmt::Display for Recompiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = self.model.display();
        if self.same_key {
            write!(f, "{model} gives this very key")?;
        } else {
            write!(f, "{model} does NOT give this key")?;
        }
        if let Some(calibration) = &self.calibration {
            write!(f, " (calibrated with the {calibration})")?;
        }
        match self.accuracy {
            Some(AccuracySource::Measured) => write!(f, "\n  accuracy was measured again")?,
            Some(AccuracySource::Report) => write!(f, "\n  accuracy is that of the report given")?,
            Some(AccuracySource::Key) => write!(f, "\n  accuracy was taken from the key")?,
            None => {}
        }
        for Difference { part, detail } in &self.differences {
            write!(f, "\n  {part} differ: {detail}")?;
        }
        Ok(())
    }
}
