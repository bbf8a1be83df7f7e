//! `prove`: run a model in integers, prove it, verify the proof, and say how it went.

mod many;
mod one;
mod part;
mod places;
#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Result, bail, ensure};
use serde::Serialize;
use zkinfer::{
    Device, Error, Inference, Keys, Model, Proven, ProvenJointly, Quantized, Run, SetupKind,
    Stored, Watch,
    engine::DeviceUsage,
    models::AccuracyReport,
    plan, read_input_blinding,
    verifier::{JobBinding, VerifyingKey},
};

use crate::{
    alarm::bound_accuracy,
    args::{self, DeviceName},
    output::{Outcome, Output},
    progress::watched,
    text::{self, BoundReport},
};
use places::Places;

pub(crate) fn run(args: &args::Prove, output: &Output) -> Result<Outcome> {
    if let Some(part) = args.of_part.all() {
        return part::run(args, part, output);
    }
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
    accuracy: Option<AccuracyReport>,
    /// Why the processor took over from the device that was chosen, if it did.
    moved: Option<String>,
}

impl Ready {
    /// Proves a run.
    fn prove(
        &mut self,
        from: (&args::Prove, &Model, &Places),
        run: &Run,
        binding: JobBinding,
        output: &Output,
        watch: Watch<'_>,
    ) -> Result<Proven> {
        self.by_keys(from, output, watch, |keys| {
            keys.prove(inference(from.0, keys, run, binding)?, watch)
        })
    }

    /// Proves several runs in one proof.
    fn prove_jointly(
        &mut self,
        from: (&args::Prove, &Model, &Places),
        runs: &[(&Run, JobBinding)],
        output: &Output,
    ) -> Result<ProvenJointly> {
        let inferences = runs.iter().map(|&(run, binding)| Inference::new(&run.execution, binding));
        let inferences: Vec<_> = inferences.collect();
        self.by_keys(from, output, &|_| (), |keys| keys.prove_jointly(&inferences, &|_| ()))
    }

    /// Proves something. Where what was remembered of the keys was wrong, which the closing check
    /// finds, they are made anew, a remark says so, and it is proven with those. Where the device was a
    /// choice and fails in mid-proof, the processor proves, and a remark says so.
    fn by_keys<T>(
        &mut self,
        (args, model, places): (&args::Prove, &Model, &Places),
        output: &Output,
        watch: Watch<'_>,
        prove: impl Fn(&Keys) -> Result<T, Error>,
    ) -> Result<T> {
        let mut proven = prove(&self.keys);
        if let Err(why @ Error::WrongCache { .. }) = proven {
            let why = anyhow::Error::from(why);
            output.remark(format_args!("warning: {why:#}; the keys are made anew"));
            let stored = places.key.stored()?;
            (self.keys, self.moved) =
                make_keys(args, model, &self.quantized, stored.as_ref(), output)?;
            places.key.store(&self.keys, &self.quantized.settings, None)?;
            proven = prove(&self.keys);
        }
        match proven {
            Err(why) if may_move(args, self.keys.setup().circuit_key().device(), &why) => {
                let why = note_move(why, output);
                let key = self.keys.verifying_key();
                let (srs, quantized) = (args.srs.file.as_deref(), &self.quantized);
                let processor = processor(args)?;
                let keys = Keys::for_proofs(Some(key), model, quantized, srs, &processor, watch)?;
                ensure!(
                    keys.verifying_key() == key,
                    "the device made another key than the processor: please report it"
                );
                (self.keys, self.moved) = (keys, Some(why));
                Ok(prove(&self.keys)?)
            }
            proven => Ok(proven?),
        }
    }
}

/// What is proven, about the commitment that the arguments name.
fn inference<'a>(
    args: &args::Prove,
    keys: &Keys,
    run: &'a Run,
    binding: JobBinding,
) -> Result<Inference<'a>, Error> {
    let (opening, key) = (args.input_opening.as_deref(), keys.verifying_key());
    let blinding =
        opening.map(|path| read_input_blinding(path, key, &run.integers.concat())).transpose()?;
    Ok(Inference { input_blinding: blinding, ..Inference::new(&run.execution, binding) })
}

/// Makes the keys of a quantized model and stores them where they are not.
fn ready(
    args: &args::Prove,
    model: &Model,
    mut quantized: Quantized,
    places: &Places,
    output: &Output,
) -> Result<Ready> {
    let stored = places.key.stored()?;
    let test_set = args.test_set.test_set.as_deref();
    let accuracy = bound_accuracy(model, &mut quantized, test_set, stored.as_ref(), output)?;
    let (keys, moved) = make_keys(args, model, &quantized, stored.as_ref(), output)?;
    output.remark_srs(&keys.srs_event);
    let stored = places.key.store(&keys, &quantized.settings, accuracy.as_ref())?;
    if stored == Stored::New {
        output.remark(format_args!(
            "NEW KEY: there was none, so {} was made, calibrated with the {}. Verifiers need \
             this very file. (To make one from samples: zkinfer setup MODEL --calibrate FILE)",
            places.key.key.display(),
            text::origin(&quantized.origin)
        ));
    }
    Ok(Ready { quantized, keys, stored, accuracy, moved })
}

/// Makes the keys on the device that was asked for, as [`keys_on`] does.
fn make_keys(
    args: &args::Prove,
    model: &Model,
    quantized: &Quantized,
    stored: Option<&VerifyingKey>,
    output: &Output,
) -> Result<(Keys, Option<String>)> {
    let devices = args.icicle.devices(args.instructions)?;
    // Only a choice depends on the size of the circuit, which a key that is there tells.
    let k = match (args.device == DeviceName::Auto, stored) {
        (false, _) => 0,
        (true, Some(key)) => key.parts().k.into(),
        (true, None) => plan(model, quantized)?.k(),
    };
    let device = devices.choose(args.device.into(), k)?;
    keys_on(&device, args, (model, quantized, stored), output)
}

/// Makes the keys on a device. Where that was a choice, and it fails or has too little memory, the
/// processor does the work, a remark says so, and the reason is given.
fn keys_on(
    device: &Device,
    args: &args::Prove,
    (model, quantized, stored): (&Model, &Quantized, Option<&VerifyingKey>),
    output: &Output,
) -> Result<(Keys, Option<String>)> {
    let srs = args.srs.file.as_deref();
    let make = |device: &Device| {
        watched(output, |watch| Keys::for_proofs(stored, model, quantized, srs, device, watch))
    };
    match make(device) {
        Err(why) if may_move(args, device, &why) => {
            let why = note_move(why, output);
            Ok((make(&processor(args)?)?, Some(why)))
        }
        made => Ok((made?, None)),
    }
}

/// The processor, as it was asked for.
fn processor(args: &args::Prove) -> Result<Device> {
    Ok(Device::Cpu(args.icicle.devices(args.instructions)?.cpu))
}

/// Whether the processor may take over from a device that failed: only where nobody named it.
fn may_move(args: &args::Prove, device: &Device, why: &Error) -> bool {
    args.device == DeviceName::Auto && why.is_of_device() && !matches!(device, Device::Cpu(_))
}

/// Says that the processor takes over, and gives the reason.
fn note_move(why: Error, output: &Output) -> String {
    let why = format!("{:#}", anyhow::Error::from(why));
    output.remark(format_args!("note: proving on the processor instead: {why}"));
    why
}

/// What went to a device and back.
#[derive(Serialize)]
struct UsageReport {
    operations: u64,
    /// What the device could not do.
    host_operations: u64,
    uploaded_bytes: u64,
    downloaded_bytes: u64,
}

impl UsageReport {
    fn new(usage: DeviceUsage) -> Self {
        let DeviceUsage { operations, host_operations, uploaded_bytes, downloaded_bytes } = usage;
        Self { operations, host_operations, uploaded_bytes, downloaded_bytes }
    }
}

/// What every report of `prove` says of model and keys.
#[derive(Serialize)]
struct KeyReport {
    model: String,
    model_digest: String,
    /// The inputs of the file that are constants of the model.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    constant_inputs: BTreeMap<String, Vec<f64>>,
    calibration: String,
    k: u32,
    advice_columns: usize,
    fixed_columns: usize,
    setup_seconds: f64,
    key_bytes: usize,
    device: &'static str,
    /// Why the processor took over from another device.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_note: Option<String>,
    /// What another machine than the processor was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_usage: Option<UsageReport>,
    threads: usize,
    key: PathBuf,
    key_digest: String,
    key_reused: bool,
    settings: PathBuf,
    accuracy_report: Option<BoundReport>,
    srs: String,
    insecure_srs_allowed: bool,
    /// What `verify` must be told to accept the setup.
    #[serde(skip)]
    allow: String,
}

impl KeyReport {
    fn new(ready: &Ready, places: &Places, from: &Model) -> Self {
        let (setup, key) = (ready.keys.setup(), ready.keys.verifying_key());
        let (cost, parts) = (setup.plan().cost(), key.parts());
        let bound =
            |report: &AccuracyReport| BoundReport::new(report.clone(), places.key.accuracy.clone());
        Self {
            model: text::model(parts.model_name.as_deref(), parts.model_digest),
            model_digest: parts.model_digest.to_string(),
            constant_inputs: from.constant_inputs().clone(),
            calibration: text::origin(&ready.quantized.origin),
            k: cost.k,
            advice_columns: cost.advice_columns,
            fixed_columns: cost.fixed_columns,
            setup_seconds: ready.keys.seconds,
            key_bytes: key.encode().len(),
            device: setup.circuit_key().device().name(),
            device_note: ready.moved.clone(),
            device_usage: setup.circuit_key().usage().map(UsageReport::new),
            threads: rayon::current_num_threads(),
            key: places.key.key.clone(),
            key_digest: key.digest().to_string(),
            key_reused: ready.stored == Stored::Found,
            settings: places.key.settings.clone(),
            accuracy_report: ready.accuracy.as_ref().map(bound),
            srs: parts.srs.name.clone(),
            insecure_srs_allowed: setup.srs().ceremony().is_insecure(),
            allow: match SetupKind::of(&parts.srs) {
                SetupKind::Ceremony => String::new(),
                SetupKind::InsecureDevelopment => " --allow-insecure-srs".to_owned(),
                SetupKind::Unknown => format!(" --allow-srs {}", key.srs_digest()),
            },
        }
    }
}
