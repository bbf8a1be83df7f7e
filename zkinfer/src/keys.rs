//! Making keys, and keeping to the ones that are there.

use std::{path::Path, sync::Arc, time::Instant};

use zkinfer_circuits::{CircuitPlan, PlanSizes};
use zkinfer_models::{ClassNames, Shown};
use zkinfer_prover::{
    CacheEvent, Device, Inference, ModelIdentity, PartBlinding, ProveError, Proven, ProvenJointly,
    Setup, Stage,
};
use zkinfer_verifier::{Classes, KeyParts, VerifyingKey};

use crate::{
    error::{Error, KeyDifference},
    key_cache::KeyCache,
    model::{Model, Quantized},
    progress::{Step, Watch},
    srs::{known_srs, srs_for_circuit},
};

/// The keys of a model, with which its runs are proved.
#[derive(Debug)]
pub struct Keys {
    setup: Setup,
    /// What was remembered of them, where they were not made but taken from the key at hand.
    remembered: Option<KeyCache>,
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
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/example.rs")); }
    /// # use example::*;
    /// # let files = files();
    /// use zkinfer::{
    ///     Device, Inference, InputData, KeyFiles, Keys, Model, Recipe, Stored,
    ///     verifier::JobBinding, write_proof,
    /// };
    ///
    /// let model = Model::open(&files.model)?;
    /// let place = KeyFiles::beside_model(&files.model);
    /// let samples = InputData::read_samples(&files.samples)?;
    /// let recipe = Recipe { samples: Some(samples.clone()), ..Recipe::default() };
    /// let quantized = model.quantize(&recipe, &place.settings, &[])?;
    /// let keys = Keys::make(&model, &quantized, None, &Device::default(), &|_| ())?;
    /// // Key and settings are one set, which is never written over another.
    /// assert_eq!(place.store(&keys, &quantized.settings, None)?, Stored::New);
    ///
    /// // One set of keys proves many inputs.
    /// for (index, input) in model.samples(&samples)?.iter().take(2).enumerate() {
    ///     let run = model.run(&quantized, input)?;
    ///     let proven = keys.prove(Inference::new(&run.execution, JobBinding::NONE), &|_| ())?;
    ///     let proof = files.proof.with_file_name(format!("{index}.zkproof"));
    ///     write_proof(&proven, &proof, &proof.with_extension("zkopening"))?;
    /// }
    /// # Ok::<_, zkinfer::Error>(())
    /// ```
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
    /// search for a layout is left out if it is known what it gave for `stored`, the key that is
    /// there.
    ///
    /// # Errors
    /// As [`Self::make`]. It is no error that another key is there, or none.
    pub fn make_again(
        stored: Option<&VerifyingKey>,
        model: &Model,
        quantized: &Quantized,
        srs: Option<&Path>,
        device: &Device,
        watch: Watch<'_>,
    ) -> Result<Self, Error> {
        let start = Instant::now();
        let what = (model, quantized, srs, device);
        let entry = |key| KeyCache::of(model, &quantized.settings, key);
        let known = stored.and_then(|key| entry(key).read());
        if let Some(plan) = known.and_then(|known| plan_with(quantized, known.sizes)) {
            let keys = Self::with_plan(plan, start, what, watch)?;
            if stored == Some(keys.verifying_key()) {
                return Ok(keys);
            }
        }
        watch(Step::Planning);
        let keys = Self::with_plan(plan(model, quantized)?, start, what, watch)?;
        entry(keys.verifying_key()).write(keys.setup.plan().sizes(), keys.setup.srs());
        Ok(keys)
    }

    /// The keys of `stored`, the key that is there, for proofs under it: where it is remembered that
    /// this model and these settings gave it, nothing is committed to again, and no ceremony's file is
    /// checked again. Else [`Self::make_again`].
    ///
    /// Nobody believes what is remembered: every proof is verified under `stored`. Where one does
    /// not verify, [`Self::prove`] says so, and what was remembered is removed.
    ///
    /// # Errors
    /// As [`Self::make`]. It is no error that another key is there, or none.
    pub fn for_proofs(
        stored: Option<&VerifyingKey>,
        model: &Model,
        quantized: &Quantized,
        srs: Option<&Path>,
        device: &Device,
        watch: Watch<'_>,
    ) -> Result<Self, Error> {
        let remembered =
            stored.and_then(|key| Self::remembered(key, model, quantized, srs, device));
        match remembered {
            Some(keys) => Ok(keys),
            None => Self::make_again(stored, model, quantized, srs, device, watch),
        }
    }

    /// What gives no keys in this way is found again, and told, in the other.
    fn remembered(
        key: &VerifyingKey,
        model: &Model,
        quantized: &Quantized,
        srs: Option<&Path>,
        device: &Device,
    ) -> Option<Self> {
        let start = Instant::now();
        let entry = KeyCache::of(model, &quantized.settings, key);
        let known = entry.read()?;
        let plan = plan_with(quantized, known.sizes)?;
        let srs = known_srs(srs, key, &known.srs.0)?;
        let identity = identity(model, quantized);
        let setup = Setup::of_key(key, Arc::new(plan), srs, identity, device, &entry).ok()??;
        let (srs_event, seconds) = (CacheEvent::Read, start.elapsed().as_secs_f64());
        Some(Self { setup, remembered: Some(entry), srs_event, seconds })
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
        let setup = Setup::on_device(Arc::new(plan), srs.srs, identity(model, quantized), device)
            .map_err(|source| Error::Setup { source })?;
        let seconds = start.elapsed().as_secs_f64();
        Ok(Self { setup, remembered: None, srs_event: srs.event, seconds })
    }

    /// Whether the key was made, and not taken from the one that is there.
    #[must_use]
    pub fn are_made(&self) -> bool {
        self.remembered.is_none()
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
    /// If the run is of another model, or the device fails; [`Error::WrongCache`] if these are keys
    /// [for proofs](Self::for_proofs) and what was remembered of them was wrong.
    pub fn prove(&self, inference: Inference<'_>, watch: Watch<'_>) -> Result<Proven, Error> {
        let proven = self.setup.prove_with_progress(inference, &self.progress(watch));
        proven.map_err(|source| self.not_proven(source))
    }

    /// Proves as many runs as the keys are for in one proof, each for its own job, and verifies it.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/example.rs")); }
    /// # use example::*;
    /// # let files = files();
    /// use std::num::NonZeroU32;
    ///
    /// use zkinfer::{
    ///     Device, Expectation, Inference, InputData, Keys, Model, Recipe, SrsPolicy,
    ///     verifier::JobBinding,
    /// };
    ///
    /// let model = Model::open(&files.model)?;
    /// let samples = InputData::read_samples(&files.samples)?;
    /// let recipe = Recipe { samples: Some(samples.clone()), ..Recipe::default() };
    /// let quantized = model.quantize(&recipe, std::path::Path::new("none"), &[])?;
    /// // Keys for proofs of two runs, of the very integers that single proofs are about.
    /// let quantized = quantized.jointly(NonZeroU32::new(2).unwrap());
    /// let keys = Keys::make(&model, &quantized, None, &Device::default(), &|_| ())?;
    ///
    /// let inputs = model.samples(&samples)?;
    /// let runs = [&inputs[0], &inputs[1]].map(|input| model.run(&quantized, input).unwrap());
    /// let job = |payee| JobBinding { chain_id: 1, job_id: [7; 32], payee, expiry: 0, nonce: 1 };
    /// let payees = [[8; 20], [9; 20]];
    /// let inferences = [0, 1].map(|i| Inference::new(&runs[i].execution, job(payees[i])));
    /// let proven = keys.prove_jointly(&inferences, &|_| ())?;
    ///
    /// // Each file is a claim of its own, and is checked without the others.
    /// let (second, _) = &proven.claims[1];
    /// let mut expected = Expectation::new(keys.verifying_key(), SrsPolicy::AllowInsecureDev);
    /// expected.claim.payee = Some([9; 20]);
    /// assert!(expected.check(second).is_ok());
    /// # Ok::<_, zkinfer::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::prove`], and if there are more or fewer runs.
    pub fn prove_jointly(
        &self,
        inferences: &[Inference<'_>],
        watch: Watch<'_>,
    ) -> Result<ProvenJointly, Error> {
        let proven = self.setup.prove_jointly(inferences, &self.progress(watch));
        proven.map_err(|source| self.not_proven(source))
    }

    /// Proves a run of a part for the job of its place, and verifies the proof.
    ///
    /// # Errors
    /// As [`Self::prove`], and if the blinding is not of the boundaries that the part has.
    pub fn prove_part(
        &self,
        inference: Inference<'_>,
        blinding: PartBlinding,
        watch: Watch<'_>,
    ) -> Result<Proven, Error> {
        let proven = self.setup.prove_part(inference, blinding, &self.progress(watch));
        proven.map_err(|source| self.not_proven(source))
    }

    fn progress<'a>(&self, watch: Watch<'a>) -> impl Fn(Stage) + 'a {
        let expected_seconds = self.setup.plan().cost().prove_seconds;
        move |stage| watch(Step::Proving { stage, expected_seconds })
    }

    fn not_proven(&self, why: ProveError) -> Error {
        match (&self.remembered, why) {
            (Some(entry), ProveError::SelfCheck { source, .. }) => {
                entry.forget();
                Error::WrongCache { folder: entry.folder(), source }
            }
            (_, source) => Error::Prove { source },
        }
    }
}

/// What a key says of a model.
fn identity(model: &Model, quantized: &Quantized) -> ModelIdentity {
    ModelIdentity {
        name: quantized.settings.label().map(str::to_owned),
        digest: model.digest().0,
        graph_digest: Some(model.graph().digest()),
        accuracy_digest: quantized.settings.accuracy_digest.map(|digest| digest.0),
        classes: model.graph().classes().iter().map(named_classes).collect(),
    }
}

/// Names of classes as a key has them: without hidden characters.
fn named_classes((output, classes): (&String, &ClassNames)) -> (String, Classes) {
    let shown = |names: &Vec<String>| names.iter().map(|name| Shown(name).to_string()).collect();
    let classes = match classes {
        ClassNames::Values(names) => Classes::Values(shown(names)),
        ClassNames::Columns(names) => Classes::Columns(shown(names)),
    };
    (output.clone(), classes)
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
