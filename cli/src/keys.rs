//! Making keys, and keeping to the ones that are there.

use std::{io::Write, path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use zkinfer_circuits::CircuitPlan;
use zkinfer_engine::Device;
use zkinfer_prover::{ModelIdentity, Setup, files};
use zkinfer_verifier::{Digest, KeyParts, VerifyingKey};

use crate::{
    command::{srs, verify::read_key},
    model::{Model, Quantized},
    output::Output,
    progress::timed,
};

/// Keys and how long they took.
pub(crate) struct Keys {
    pub(crate) setup: Setup,
    /// Planning, SRS and key generation.
    pub(crate) seconds: f64,
}

/// Makes the keys of a quantized model.
pub(crate) fn make(
    model: &Model,
    quantized: &Quantized,
    srs_file: Option<&Path>,
    device: &Device,
    output: &Output,
) -> Result<Keys> {
    let (plan, plan_seconds) = timed(output, "planning", None, || {
        CircuitPlan::new(&quantized.graph, quantized.settings.plan_options())
    });
    let plan = plan.with_context(|| format!("{} has no circuit", model.path.display()))?;
    let (srs, srs_seconds) =
        timed(output, "loading the SRS", None, || srs::for_circuit(srs_file, plan.k(), output));
    let identity = ModelIdentity {
        name: quantized.settings.model.clone(),
        digest: model.digest.0,
        accuracy_digest: quantized.settings.accuracy_digest.map(|digest| digest.0),
    };
    let srs = srs?;
    let (setup, key_seconds) = timed(output, "making the keys", None, || {
        Setup::on_device(Arc::new(plan), srs, identity, device)
    });
    Ok(Keys { setup: setup?, seconds: plan_seconds + srs_seconds + key_seconds })
}

/// Whether the key file is there; one that is not this very key is refused.
pub(crate) fn exists(key: &VerifyingKey, path: &Path) -> Result<bool> {
    if !path.exists() {
        return Ok(false);
    }
    let found = read_key(path)?;
    if found == *key {
        return Ok(true);
    }
    let (ours, theirs) = (key.parts(), found.parts());
    let why = if theirs.model_digest != ours.model_digest {
        format!("it is of another model, {}", theirs.model_name)
    } else if found.srs_digest() != key.srs_digest() {
        format!(
            "it is under the SRS {}, not {}; choose it with --srs",
            theirs.srs.name, ours.srs.name
        )
    } else if circuit_of(theirs) == circuit_of(ours) {
        "it binds another accuracy report; leave out --test-set, or pass the one it was made with"
            .to_owned()
    } else {
        "it was made with other settings; pass them with --settings, or leave out \
         --calibrate, --activation-bits, --commit and --optimize"
            .to_owned()
    };
    bail!("{} is another key: {why}; or remove it, or choose another place", path.display())
}

/// The key without its accuracy report.
fn circuit_of(key: &KeyParts) -> KeyParts {
    KeyParts { accuracy_digest: Digest::ZERO, ..key.clone() }
}

pub(crate) fn write(key: &VerifyingKey, path: &Path) -> Result<()> {
    files::write_whole(path, |file| file.write_all(&key.encode()))
        .with_context(|| format!("cannot write {}", path.display()))
}
