//! Making keys, and keeping to the ones that are there.

use std::{path::Path, sync::Arc, time::Instant};

use zkinfer_circuits::{CircuitPlan, PlanSizes};
use zkinfer_prover::{CacheEvent, Device, Inference, ModelIdentity, Proven, Setup};
use zkinfer_verifier::{KeyParts, VerifyingKey};

use crate::{
    error::{Error, KeyDifference},
    key_files::KeyFiles,
    model::{Model, Quantized},
    plan_cache::PlanCache,
    progress::{Step, Watch},
    read,
    srs::srs_for_circuit,
};

/// The keys of a model, with which its runs are proved.
#[derive(Debug)]
pub struct Keys {
    setup: Setup,
    /// What happened at the cache of SRS files.
    pub srs_event: CacheEvent,
    /// Seconds of planning, SRS and key generation.
    pub seconds: f64,
}

/// Plans the circuit of a quantized model.
///
/// # Errors
/// If there is none.
pub fn plan(model: &Model, quantized: &Quantized) -> Result<CircuitPlan, Error> {
    CircuitPlan::new(&quantized.graph, quantized.settings.plan_options())
        .map_err(|source| Error::Plan { path: model.path().to_owned(), source })
}

/// The plan with sizes from the cache, if the model fits them.
fn plan_with(quantized: &Quantized, sizes: PlanSizes) -> Option<CircuitPlan> {
    let options = quantized.settings.plan_options();
    CircuitPlan::with_sizes(&quantized.graph, options, sizes).ok().flatten()
}

impl Keys {
    /// Makes the keys of a quantized model on a device, under the SRS of a file or the development
    /// one.
    ///
    /// # Errors
    /// If the model has no circuit, or the SRS does not serve it.
    pub fn make(
        model: &Model,
        quantized: &Quantized,
        srs: Option<&Path>,
        device: &Device,
        watch: Watch<'_>,
    ) -> Result<Self, Error> {
        let start = Instant::now();
        watch(Step::Planning);
        let plan = plan(model, quantized)?;
        Self::with_plan(plan, start, (model, quantized, srs, device), watch)
    }

    /// [`Self::make`] where these keys may have been made before, and then take less time: the
    /// search for a layout is left out if it is known what it gave for the key in `files`.
    ///
    /// # Errors
    /// As [`Self::make`]. It is no error that another key is there, or none.
    pub fn make_again(
        files: &KeyFiles,
        model: &Model,
        quantized: &Quantized,
        srs: Option<&Path>,
        device: &Device,
        watch: Watch<'_>,
    ) -> Result<Self, Error> {
        let start = Instant::now();
        let what = (model, quantized, srs, device);
        let stored = if files.key.exists() { read::key(&files.key).ok() } else { None };
        let entry = |key| PlanCache::entry(model, &quantized.settings, key);
        let known = stored.as_ref().and_then(|key| entry(key).read());
        if let Some(plan) = known.and_then(|sizes| plan_with(quantized, sizes)) {
            let keys = Self::with_plan(plan, start, what, watch)?;
            if stored.as_ref() == Some(keys.verifying_key()) {
                return Ok(keys);
            }
        }
        watch(Step::Planning);
        let keys = Self::with_plan(plan(model, quantized)?, start, what, watch)?;
        entry(keys.verifying_key()).write(keys.setup.plan().sizes());
        Ok(keys)
    }

    fn with_plan(
        plan: CircuitPlan,
        start: Instant,
        (model, quantized, srs, device): (&Model, &Quantized, Option<&Path>, &Device),
        watch: Watch<'_>,
    ) -> Result<Self, Error> {
        watch(Step::LoadingSrs);
        let srs = srs_for_circuit(srs, plan.k())?;
        watch(Step::MakingKeys);
        let identity = ModelIdentity {
            name: quantized.settings.label().map(str::to_owned),
            digest: model.digest().0,
            graph_digest: Some(model.graph().digest()),
            accuracy_digest: quantized.settings.accuracy_digest.map(|digest| digest.0),
        };
        let setup = Setup::on_device(Arc::new(plan), srs.srs, identity, device)
            .map_err(|source| Error::Setup { source })?;
        Ok(Self { setup, srs_event: srs.event, seconds: start.elapsed().as_secs_f64() })
    }

    /// Circuit, SRS and keys.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The key that verifiers hold.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.setup.verifying_key()
    }

    /// Proves a run, and verifies the proof.
    ///
    /// # Errors
    /// If the run is of another model, or the device fails.
    pub fn prove(&self, inference: Inference<'_>, watch: Watch<'_>) -> Result<Proven, Error> {
        let expected_seconds = self.setup.plan().cost().prove_seconds;
        let progress = |stage| watch(Step::Proving { stage, expected_seconds });
        self.setup
            .prove_with_progress(inference, &progress)
            .map_err(|source| Error::Prove { source })
    }
}

/// The most telling difference of two keys.
pub(crate) fn difference(found: &VerifyingKey, made: &VerifyingKey) -> Option<KeyDifference> {
    let (theirs, ours) = (found.parts(), made.parts());
    if found == made {
        None
    } else if theirs.model_digest != ours.model_digest {
        Some(KeyDifference::Model { digest: theirs.model_digest })
    } else if theirs.format != ours.format {
        Some(KeyDifference::Format { found: theirs.format, made: ours.format })
    } else if found.srs_digest() != made.srs_digest() {
        let (found, made) = (theirs.srs.name.clone(), ours.srs.name.clone());
        Some(KeyDifference::Srs { found, made })
    } else if labelled(theirs, ours) == *ours {
        let name = |key: &KeyParts| key.model_name.clone().unwrap_or_default();
        let (found, made) = (name(theirs), name(ours));
        Some(KeyDifference::Name { found, made })
    } else if (KeyParts { accuracy_digest: ours.accuracy_digest, ..labelled(theirs, ours) })
        == *ours
    {
        Some(KeyDifference::AccuracyReport)
    } else {
        Some(KeyDifference::Settings)
    }
}

/// The key with the label of another.
fn labelled(key: &KeyParts, other: &KeyParts) -> KeyParts {
    KeyParts { model_name: other.model_name.clone(), ..key.clone() }
}
