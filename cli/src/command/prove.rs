//! `prove`: run a model in integers, prove it, verify the proof, and say how it went.

mod many;
mod one;
mod places;

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use serde::Serialize;
use zkinfer::{
    Device, Keys, Model, Quantized, Stored, measure_accuracy,
    models::AccuracyReport,
    prover::{CpuOptions, Instructions},
};

use crate::{
    args::{self, DeviceName, InstructionsName},
    output::{Outcome, Output},
    progress::watched,
    text::{self, BoundReport},
};
use places::Places;

pub(crate) fn run(args: &args::Prove, output: &Output) -> Result<Outcome> {
    match (&args.input.input, &args.input.inputs) {
        (Some(input), None) => one::run(args, input, output),
        (None, Some(inputs)) => many::run(args, inputs, output),
        _ => bail!("give --input or --inputs"),
    }
}

/// A model with its keys, which are stored.
struct Ready {
    quantized: Quantized,
    keys: Keys,
    stored: Stored,
    measured: Option<AccuracyReport>,
}

/// Makes the keys of a quantized model and stores them where they are not.
fn ready(
    args: &args::Prove,
    model: &Model,
    mut quantized: Quantized,
    places: &Places,
    output: &Output,
) -> Result<Ready> {
    let measured = measure_accuracy(model, &mut quantized, args.test_set.test_set.as_deref())?;
    let (srs, device) = (args.srs.file.as_deref(), device(args.device, args.instructions)?);
    let keys = watched(output, |watch| Keys::make(model, &quantized, srs, &device, watch))?;
    output.remark_srs(&keys.srs_event);
    let stored = places.key.store(&keys, &quantized.settings, measured.as_ref())?;
    if stored == Stored::New {
        output.remark(format_args!(
            "NEW KEY: there was none, so {} was made, calibrated with the {}. Verifiers need \
             this very file. (To make one from samples: zkinfer setup MODEL --calibrate FILE)",
            places.key.key.display(),
            text::origin(&quantized.origin)
        ));
    }
    Ok(Ready { quantized, keys, stored, measured })
}

/// The device that was asked for, with the instructions, if this processor has them.
fn device(device: DeviceName, name: Option<InstructionsName>) -> Result<Device> {
    let mut options = CpuOptions::default();
    if let Some(name) = name {
        options.instructions = match name {
            InstructionsName::Avx512Ifma => Instructions::Avx512Ifma,
            InstructionsName::Avx512 => Instructions::Avx512,
            InstructionsName::Avx2 => Instructions::Avx2,
            InstructionsName::Portable => Instructions::Portable,
        };
        let name = options.instructions.name();
        let fastest = Instructions::detect().name();
        ensure!(
            options.instructions.is_available(),
            "this processor does not have the instructions {name}; its fastest are {fastest}"
        );
    }
    Ok(match device {
        DeviceName::Cpu => Device::Cpu(options),
    })
}

/// What every report of `prove` says of model and keys.
#[derive(Serialize)]
struct KeyReport {
    model: String,
    model_digest: String,
    calibration: String,
    k: u32,
    advice_columns: usize,
    fixed_columns: usize,
    setup_seconds: f64,
    key_bytes: usize,
    device: &'static str,
    threads: usize,
    key: PathBuf,
    key_digest: String,
    key_reused: bool,
    settings: PathBuf,
    accuracy_report: Option<BoundReport>,
    srs: String,
    insecure_srs_allowed: bool,
}

impl KeyReport {
    fn new(ready: &Ready, places: &Places) -> Self {
        let (setup, key) = (ready.keys.setup(), ready.keys.verifying_key());
        let (cost, parts) = (setup.plan().cost(), key.parts());
        let bound =
            |report: &AccuracyReport| BoundReport::new(report.clone(), places.key.accuracy.clone());
        Self {
            model: text::model(&parts.model_name, parts.model_digest),
            model_digest: parts.model_digest.to_string(),
            calibration: text::origin(&ready.quantized.origin),
            k: cost.k,
            advice_columns: cost.advice_columns,
            fixed_columns: cost.fixed_columns,
            setup_seconds: ready.keys.seconds,
            key_bytes: key.encode().len(),
            device: setup.circuit_key().device().name(),
            threads: rayon::current_num_threads(),
            key: places.key.key.clone(),
            key_digest: key.digest().to_string(),
            key_reused: ready.stored == Stored::Found,
            settings: places.key.settings.clone(),
            accuracy_report: ready.measured.as_ref().map(bound),
            srs: parts.srs.name.clone(),
            insecure_srs_allowed: setup.srs().ceremony().is_insecure(),
        }
    }
}
