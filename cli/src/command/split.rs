//! `split`: a model in parts, each with a key, for several provers.

use std::{fmt, path::PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkinfer::{Device, KeyFiles, Making, PartFiles, Parts};

use super::source::Source;
use crate::{
    args,
    output::{Outcome, Output},
    progress::watched,
    text,
};

pub(crate) fn run(args: &args::Split, output: &Output) -> Result<Outcome> {
    if args.output.exists() && !args.output.is_dir() {
        let what = "the manifest and the keys of the parts";
        return Err(zkinfer::Error::NoFolder { path: args.output.clone(), what }.into());
    }
    let files = PartFiles::in_folder(&args.output);
    let source = &args.source;
    let beside = KeyFiles::beside_model(&source.of.model);
    let Source { model, quantized, accuracy, .. } =
        Source::read(source, &beside.settings, None, output)?;
    let making = Making {
        count: args.parts,
        files: &files,
        srs: source.srs.file.as_deref(),
        device: &Device::default(),
        accuracy: accuracy.as_ref(),
    };
    let parts = watched(output, |watch| Parts::make(&model, &quantized, making, watch))?;
    let part = |(index, key): (usize, &zkinfer::verifier::VerifyingKey)| PartReport {
        key: files.key(index).key,
        key_digest: key.digest().to_string(),
        k: key.parts().k.into(),
        advice_columns: key.parts().constraint_system.advice_phases.len(),
        fixed_columns: key.parts().fixed_commitments.len(),
    };
    output.report(&Report {
        model: text::model(quantized.settings.label(), model.digest()),
        model_digest: model.digest().to_string(),
        calibration: text::origin(&quantized.origin),
        manifest: files.manifest.clone(),
        manifest_root: parts.manifest.root().to_string(),
        parts: parts.keys.iter().enumerate().map(part).collect(),
    })?;
    Ok(Outcome::Accepted)
}

#[derive(Serialize)]
struct PartReport {
    key: PathBuf,
    key_digest: String,
    k: u32,
    advice_columns: usize,
    fixed_columns: usize,
}

#[derive(Serialize)]
struct Report {
    model: String,
    model_digest: String,
    calibration: String,
    manifest: PathBuf,
    manifest_root: String,
    parts: Vec<PartReport>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, calibration, manifest, manifest_root, parts, .. } = self;
        writeln!(f, "{model} in {} parts: manifest {}", parts.len(), manifest.display())?;
        writeln!(f, "  root {manifest_root}")?;
        write!(f, "  calibrated with the {calibration}")?;
        for (index, PartReport { key, k, advice_columns, fixed_columns, .. }) in
            parts.iter().enumerate()
        {
            write!(
                f,
                "\n  part {index}: key {}, 2^{k} rows, {advice_columns} advice and {fixed_columns} \
                 fixed columns",
                key.display()
            )?;
        }
        Ok(())
    }
}
