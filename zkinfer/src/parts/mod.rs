//! A model in parts, each with a key and a proof of its own, linked by what goes from one to the
//! next. `docs/chunks.md` says how, and what the links reveal.

mod expectation;
mod links;
mod runs;

use std::{
    io::{self, Write},
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

use ndarray::ArrayD;
use zkinfer_circuits::{CircuitPlan, PlanOptions};
use zkinfer_models::{
    AccuracyReport, Execution, QuantizedGraph, execute, quantize_inputs,
    quantized::split::GraphPart,
};
use zkinfer_prover::{Device, Inference, PartBlinding, Proven, files};
use zkinfer_verifier::{Digest, JobBinding, KeyDigest, Manifest, VerifyingKey};

pub use self::{
    expectation::{PartsExpectation, PartsRejection},
    links::Links,
    runs::{BoundarySetup, PartRun},
};
use crate::{
    error::{Error, SplitError},
    key_files::KeyFiles,
    keys::Keys,
    model::{Model, Origin, Quantized},
    progress::{Step, Watch},
    read,
    settings::{PartPlace, Settings},
};

/// Where the files of a model's parts lie: the manifest, and beside it the files of every key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartFiles {
    /// The manifest, `.zkparts`.
    pub manifest: PathBuf,
}

impl PartFiles {
    /// The files in a folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { manifest: folder.join("model.zkparts") }
    }

    /// The files of the key of a part, counted from 0.
    #[must_use]
    pub fn key(&self, part: usize) -> KeyFiles {
        KeyFiles::of_key(&self.manifest.with_file_name(format!("part-{part}.zkvk")))
    }

    /// The manifest.
    ///
    /// # Errors
    /// If it cannot be read or is none.
    pub fn read_manifest(&self) -> Result<Manifest, Error> {
        read::manifest(&self.manifest)
    }

    /// The keys of all parts, which must be those of the manifest.
    ///
    /// # Errors
    /// If one cannot be read, or is another.
    pub fn read_keys(&self, manifest: &Manifest) -> Result<Vec<VerifyingKey>, Error> {
        let read = |(part, &expected)| {
            let path = self.key(part).key;
            let key = read::key(&path)?;
            let got = key.digest();
            if expected == got {
                Ok(key)
            } else {
                Err(SplitError::Key { path, expected, got }.into())
            }
        };
        manifest.parts.iter().enumerate().map(read).collect()
    }

    /// Whether no other manifest is there.
    fn check_manifest(&self, manifest: &Manifest) -> Result<(), Error> {
        let path = &self.manifest;
        if path.exists() && read::manifest(path)? != *manifest {
            return Err(SplitError::AnotherManifest { path: path.clone() }.into());
        }
        Ok(())
    }

    /// Writes the manifest where none is: last, so that all that it names is there.
    fn write_manifest(&self, manifest: &Manifest) -> Result<(), Error> {
        let text = manifest.encode();
        match files::write_new(&self.manifest, |file| file.write_all(text.as_bytes())) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.check_manifest(manifest)
            }
            written => {
                let path = || self.manifest.clone();
                written.map_err(|source| Error::Write { path: path(), source })
            }
        }
    }
}

/// A model that was split.
#[derive(Debug)]
pub struct Parts {
    /// What binds the parts and their order.
    pub manifest: Manifest,
    /// The key of each.
    pub keys: Vec<VerifyingKey>,
    /// What each computes, and the settings that fix its key.
    pub quantized: Vec<Quantized>,
    /// What they compute together.
    pub whole: Quantized,
}

/// The graphs of the parts.
fn graphs(graph: &QuantizedGraph, count: u32) -> Result<Vec<GraphPart>, Error> {
    let cuts = usize::try_from(count).ok().and_then(|count| graph.balanced_cuts(count));
    let parts = cuts.and_then(|cuts| graph.split(&cuts));
    parts.ok_or_else(|| SplitError::TooMany { count }.into())
}

/// Parts of these graphs under settings of the whole.
fn of_graphs(graphs: Vec<GraphPart>, whole: &Quantized, (count, k): (u32, u32)) -> Vec<Quantized> {
    let part = |(index, part): (u32, GraphPart)| Quantized {
        graph: part.graph,
        settings: whole.settings.of_part(PartPlace { index, count, k }),
        origin: whole.origin.clone(),
    };
    (0..).zip(graphs).map(part).collect()
}

impl Quantized {
    /// The model in so many parts of balanced cost: together they compute the very integers of the
    /// whole. All have circuits of as many rows, as many as the one that wants most of them.
    ///
    /// # Errors
    /// If the model has fewer layers, proofs are about several claims, or a part has no circuit.
    pub fn split(&self, model: &Model, count: NonZeroU32) -> Result<Vec<Self>, Error> {
        let count = count.get();
        if self.settings.claims() > 1 {
            return Err(SplitError::Joint.into());
        }
        let graphs = graphs(&self.graph, count)?;
        let mut parts = of_graphs(graphs, self, (count, 0));
        let wanted = parts.iter().map(|part| {
            let options = PlanOptions { k: None, ..part.settings.plan_options() };
            let plan = CircuitPlan::new(&part.graph, options);
            plan.map_err(|source| Error::Plan { path: model.path().to_owned(), source })
        });
        let mut largest = 0;
        for plan in wanted {
            largest = largest.max(plan?.k());
        }
        for part in &mut parts {
            part.settings = part.settings.with_rows(largest);
        }
        Ok(parts)
    }
}

/// What is done to a model's parts, and where their files lie.
#[derive(Clone, Copy, Debug)]
pub struct Making<'a> {
    /// How many parts.
    pub count: NonZeroU32,
    /// Where the files are written.
    pub files: &'a PartFiles,
    /// The SRS; `None` for the development one.
    pub srs: Option<&'a Path>,
    /// Where keys are made.
    pub device: &'a Device,
    /// The accuracy report that the keys bind.
    pub accuracy: Option<&'a AccuracyReport>,
}

impl Parts {
    /// Splits a model, makes the key of every part, and writes keys, settings and manifest. The same
    /// model and settings give the same files, so whoever has both checks a manifest by making it.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/example.rs")); }
    /// # use example::*;
    /// # let example = files();
    /// # let folder = tempfile::tempdir().unwrap();
    /// use std::num::NonZeroU32;
    ///
    /// use zkinfer::{
    ///     Device, InputData, Links, Making, Model, Part, PartFiles, Parts, PartsExpectation, Recipe,
    ///     SrsPolicy, verifier::JobBinding,
    /// };
    ///
    /// let model = Model::open(&example.model)?;
    /// let recipe = Recipe {
    ///     samples: Some(InputData::read_samples(&example.samples)?),
    ///     ..Recipe::default()
    /// };
    /// let quantized = model.quantize(&recipe, std::path::Path::new("none"), &[])?;
    /// let files = PartFiles::in_folder(folder.path());
    /// let (count, device) = (NonZeroU32::new(2).unwrap(), Device::default());
    /// let making = Making { count, files: &files, srs: None, device: &device, accuracy: None };
    /// let parts = Parts::make(&model, &quantized, making, &|_| ())?;
    ///
    /// // Whoever has the input runs the model, and hands out what goes from part to part. It is secret.
    /// let input = model.read_input(&example.input)?;
    /// let run = model.run(&quantized, &input)?;
    /// let links = Links::in_folder(&folder.path().join("links"));
    /// let outputs = parts.link(&run.integers, &links)?;
    /// assert_eq!(outputs, run.execution.outputs(&quantized.graph));
    ///
    /// // Each part is proven by its own prover, in any order.
    /// let job = JobBinding { chain_id: 1, job_id: [7; 32], payee: [0; 20], expiry: 0, nonce: 1 };
    /// let prove = |index: usize, payee: u8| {
    ///     let part = Part::open(&model, &files, index, None, &device, &|_| ())?;
    ///     let input = (index == 0).then_some(&input[..]);
    ///     part.prove(input, &links, &JobBinding { payee: [payee; 20], ..job }, &|_| ())
    /// };
    /// let proofs = [prove(1, 11)?.file, prove(0, 10)?.file];
    ///
    /// // Only all of them, in their order and for one job, are a proof of the model.
    /// let [second, first] = proofs;
    /// let keys = files.read_keys(&parts.manifest)?;
    /// let policy = SrsPolicy::AllowInsecureDev;
    /// let expected = PartsExpectation::new(&parts.manifest, &keys, job.job_id, policy);
    /// let verified = expected.check(&[first.clone(), second.clone()]).unwrap();
    /// assert_eq!(verified.output().unwrap().public(), Some(&outputs[0][..]));
    /// assert_eq!(expected.check(&[second, first]).unwrap_err().codes(), ["parts-order"]);
    /// # Ok::<_, zkinfer::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Quantized::split`] and [`Keys::make`], and if other files are there.
    pub fn make(
        model: &Model,
        quantized: &Quantized,
        making: Making<'_>,
        watch: Watch<'_>,
    ) -> Result<Self, Error> {
        let Making { count, files, srs, device, accuracy } = making;
        watch(Step::Planning);
        let parts = quantized.split(model, count)?;
        let make = |(index, part)| {
            let stored = files.key(index).stored()?;
            let made = Keys::make_again(stored.as_ref(), model, part, srs, device, watch)?;
            Ok(made.verifying_key().clone())
        };
        let keys: Vec<_> = parts.iter().enumerate().map(make).collect::<Result<_, Error>>()?;
        let of_parts = keys.iter().map(VerifyingKey::digest).collect();
        let manifest = Manifest { model: model.digest(), parts: of_parts };
        // Other splits can share a key, but not its settings: nothing of another one is touched.
        files.check_manifest(&manifest)?;
        for (index, (part, key)) in parts.iter().zip(&keys).enumerate() {
            files.key(index).store_key(key, &part.settings, accuracy)?;
        }
        files.write_manifest(&manifest)?;
        Ok(Self { manifest, keys, quantized: parts, whole: quantized.clone() })
    }

    /// The parts of a model whose files are there.
    ///
    /// # Errors
    /// If a file cannot be read, or is not of this model and manifest.
    pub fn open(model: &Model, files: &PartFiles) -> Result<Self, Error> {
        let manifest = files.read_manifest()?;
        let keys = files.read_keys(&manifest)?;
        let settings = files.key(0).settings;
        let (PartPlace { count, k, .. }, whole) = read_settings(model, &settings, (0, &manifest))?;
        let quantized = of_graphs(graphs(&whole.graph, count)?, &whole, (count, k));
        Ok(Self { manifest, keys, quantized, whole })
    }

    /// The digests of the keys that the model gives for the parts, made again under the settings that
    /// were read; nothing is written.
    ///
    /// # Errors
    /// As [`Keys::make`].
    pub fn remade(
        &self,
        model: &Model,
        srs: Option<&Path>,
        device: &Device,
        watch: Watch<'_>,
    ) -> Result<Vec<KeyDigest>, Error> {
        let make = |part| Ok(Keys::make(model, part, srs, device, watch)?.verifying_key().digest());
        self.quantized.iter().map(make).collect()
    }

    /// Runs the parts on the integers of an input, one list for each, and writes a link for everything
    /// that goes from one part to the next; with the outputs.
    ///
    /// # Errors
    /// If the input does not fit, or links are there already.
    pub fn link(&self, inputs: &[Vec<i64>], links: &Links) -> Result<Vec<Vec<i64>>, Error> {
        let mut taken = inputs.to_vec();
        for (index, (part, key)) in self.quantized.iter().zip(&self.keys).enumerate() {
            let run = execute(&part.graph, &taken).map_err(|source| Error::Run { source })?;
            taken = outputs(&part.graph, &run);
            if index + 1 < self.quantized.len() {
                links.write(self.manifest.root(), index, key, taken.concat())?;
            }
        }
        Ok(taken)
    }
}

fn outputs(graph: &QuantizedGraph, run: &Execution) -> Vec<Vec<i64>> {
    run.outputs(graph).into_iter().map(<[i64]>::to_vec).collect()
}

/// The place that the settings of a part of a manifest say, and the whole model under them.
fn read_settings(
    model: &Model,
    path: &Path,
    (index, manifest): (usize, &Manifest),
) -> Result<(PartPlace, Quantized), Error> {
    let (expected, got) = (manifest.model, model.digest());
    if expected != got {
        return Err(SplitError::AnotherModel { expected, got }.into());
    }
    let settings = Settings::read(path, model.digest())?;
    let whole = || SplitError::SettingsOfWhole { path: path.to_owned() };
    let place = settings.part().ok_or_else(whole)?;
    let count = u32::try_from(manifest.parts.len()).ok();
    if u32::try_from(index) != Ok(place.index) || count != Some(place.count) {
        let PartPlace { index, count, k: _ } = place;
        return Err(
            SplitError::SettingsOfAnotherPart { path: path.to_owned(), index, count }.into()
        );
    }
    let origin = Origin::Settings(path.to_owned());
    Ok((place, model.quantize_with(settings.of_whole(), origin)?))
}

/// A part of a model with its keys, ready to be proven.
#[derive(Debug)]
pub struct Part {
    manifest: Manifest,
    index: usize,
    quantized: Quantized,
    keys: Keys,
}

impl Part {
    /// A part whose files are there, counted from 0, with its keys for proofs.
    ///
    /// # Errors
    /// If a file cannot be read or is not of this model and manifest, or as [`Keys::make`].
    pub fn open(
        model: &Model,
        files: &PartFiles,
        index: usize,
        srs: Option<&Path>,
        device: &Device,
        watch: Watch<'_>,
    ) -> Result<Self, Error> {
        let manifest = files.read_manifest()?;
        let count = manifest.parts.len();
        let Some(&expected) = manifest.parts.get(index) else {
            return Err(SplitError::NoSuchPart { index, count }.into());
        };
        let key_files = files.key(index);
        let stored = key_files.stored()?;
        let (place, whole) = read_settings(model, &key_files.settings, (index, &manifest))?;
        let PartPlace { count, k, .. } = place;
        let quantized =
            of_graphs(graphs(&whole.graph, count)?, &whole, (count, k)).swap_remove(index);
        let keys = Keys::for_proofs(stored.as_ref(), model, &quantized, srs, device, watch)?;
        let made = keys.verifying_key().digest();
        if expected != made {
            let got = stored.map_or(made, |key| key.digest());
            if expected == got {
                // The key is the manifest's: what it was made with is not at hand, as the setup.
                key_files.hold(&keys)?;
            }
            return Err(SplitError::Key { path: key_files.key, expected, got }.into());
        }
        Ok(Self { manifest, index, quantized, keys })
    }

    /// Its keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How many parts there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.manifest.parts.len()
    }

    /// The digest that its proofs are bound to, with its place and the job.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.manifest.root()
    }

    /// Proves the part, on the model's input if it is the first, else on what `links` hold, and
    /// verifies the proof. `job` is that of the whole model, with who is paid for this part.
    ///
    /// The proofs that a link has blinded are counted beside it, before they are made.
    ///
    /// # Errors
    /// If an input is missing, or given to another part than the first; if links are not of this
    /// manifest and run, or used up; else as [`Keys::prove`].
    pub fn prove(
        &self,
        input: Option<&[ArrayD<f32>]>,
        links: &Links,
        job: &JobBinding,
        watch: Watch<'_>,
    ) -> Result<Proven, Error> {
        let (root, graph) = (self.manifest.root(), &self.quantized.graph);
        let columns = self.keys.setup().boundary_columns();
        let before = self.index.checked_sub(1);
        let taken = before.map(|at| links.read(root, at, columns[0])).transpose()?;
        let is_last = self.index + 1 == self.manifest.parts.len();
        let given = (!is_last).then(|| links.read(root, self.index, columns[1])).transpose()?;
        let inputs = match (&taken, input) {
            (None, Some(input)) => {
                quantize_inputs(graph, input).map_err(|source| Error::Run { source })?
            }
            (Some(link), None) => link.tensors(graph)?,
            (taken, _) => {
                let (index, wanted) = (self.index, taken.is_none());
                return Err(SplitError::Input { index, wanted }.into());
            }
        };
        let run = execute(graph, &inputs).map_err(|source| Error::Run { source })?;
        if let Some(link) = &given {
            link.check_values(&outputs(graph, &run).concat())?;
        }
        let spend = |link: links::Link| link.spend(self.index);
        let blinding = PartBlinding {
            taken: taken.map(spend).transpose()?,
            given: given.map(spend).transpose()?,
        };
        let binding = self.manifest.binding(self.index, job, job.payee);
        let run = Arc::new(run);
        self.keys.prove_part(Inference::new(&run, binding), blinding, watch)
    }
}
