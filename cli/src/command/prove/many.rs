//! Many proofs under one key: one set-up, one progress bar, one summary.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use serde::Serialize;
use zkinfer::{
    InputSource, KeyFiles, Model, NamedInput, ProvenJointly, Quantized, Recipe, Reference, Run,
    Shapes, Survey, Tensors,
    verifier::{JobBinding, Openings, ProofFile},
    write_claim,
};

use super::{KeyReport, Places, Ready, ready};
use crate::{
    alarm::{Compared, reference},
    args,
    job::read_jobs,
    memory::peak_rss_bytes,
    output::{Outcome, Output},
    progress::counted,
    text::shell,
};

pub(super) fn run(args: &args::Prove, inputs: &Path, output: &Output) -> Result<Outcome> {
    let places = Places::of_many(args, inputs)?;
    let (source, recipe) = args::or_no_model(&args.model, || {
        Ok((InputSource::read(inputs)?, args.quantize.recipe()?))
    })?;
    let shapes: Vec<_> = [Shapes::Inputs(&source)].into_iter().chain(recipe.shapes()).collect();
    let model = args.import.open(&args.model, &shapes, output)?;
    let demands = args.alarm.demands();
    let inputs = model.many_inputs(&source)?;
    let tensors: Vec<_> = inputs.iter().map(|input| input.tensors.clone()).collect();
    let bindings = bindings(args, inputs.len())?;
    let quantized = quantized(args, &model, (&recipe, &places), &tensors)?;
    // All runs come first: what cannot be run is found before anything is proved.
    let tolerance = demands.tolerance();
    let run = |input: &NamedInput| model.run_with(&quantized, &input.tensors, &tolerance);
    let runs: Vec<_> = inputs.par_iter().map(run).collect();
    let runs = inputs
        .iter()
        .zip(runs)
        .map(|(input, run)| {
            let run = run.with_context(|| input.name.clone())?;
            demands.check(&run.comparison).with_context(|| input.name.clone())?;
            Ok(run)
        })
        .collect::<Result<Vec<Run>>>()?;
    let reference = reference(&args.alarm, &model, source.only_file(), &tensors)?;
    let mut survey = Survey::default();
    runs.iter().for_each(|run| survey.add(&run.comparison));
    source.files().for_each(|data| output.remark_file(data));
    output.remark_origin(&quantized);
    output.alarm_all(&survey);
    output.alarm_reference(reference.as_ref());
    let mut ready = ready(args, &model, quantized, &places, output)?;

    let start = Instant::now();
    let from = (args, &model, &places);
    let claims = inputs.iter().zip(&runs).zip(&bindings);
    let claims: Vec<Claim<'_>> =
        claims.map(|((input, run), &binding)| (input, run, binding)).collect();
    let proofs = counted(output, inputs.len(), |tick| {
        let each = claims.chunks(at_once(args)).map(|claims| {
            let proof =
                prove(&mut ready, from, claims, output).with_context(|| claims[0].0.name.clone());
            claims.iter().for_each(|_| tick());
            proof
        });
        each.collect::<Result<Vec<_>>>()
    })?;
    let proofs = proofs.into_iter().flatten().collect();
    output.report(&Report {
        key: KeyReport::new(&ready, &places, &model),
        folder: places.proof,
        proofs,
        survey,
        reference,
        seconds: start.elapsed().as_secs_f64(),
        peak_rss_bytes: peak_rss_bytes(),
    })?;
    Ok(Outcome::Accepted)
}

/// Proves some inputs, in one proof if so many are asked for, and writes their files.
fn prove(
    ready: &mut Ready,
    from: (&args::Prove, &Model, &Places),
    claims: &[Claim<'_>],
    output: &Output,
) -> Result<Vec<ProofReport>> {
    let (args, _, places) = from;
    let proven = if args.joint.is_some() {
        let runs: Vec<_> = claims.iter().map(|&(_, run, binding)| (run, binding)).collect();
        let ProvenJointly { claims, prove_seconds, .. } =
            ready.prove_jointly(from, &runs, output)?;
        claims.into_iter().map(|claim| (claim, prove_seconds / count(&runs))).collect()
    } else {
        let one = |&(_, run, binding): &Claim<'_>| {
            let proven = ready.prove(from, run, binding, output, &|_| ())?;
            Ok(((proven.file, proven.openings), proven.prove_seconds))
        };
        claims.iter().map(one).collect::<Result<Vec<_>>>()?
    };
    let report = |(&(input, run, _), (proven, seconds)): (&Claim<'_>, (Claimed, f64))| {
        let proof = places.proof.join(format!("{}.zkproof", input.name));
        let opening = proof.with_extension("zkopening");
        write_claim((&proven.0, &proven.1), &proof, &opening)?;
        Ok(ProofReport::new(input, run, (&proven, seconds), (proof, opening)))
    };
    claims.iter().zip(proven).map(report).collect()
}

/// What is proven of an input.
type Claim<'a> = (&'a NamedInput, &'a Run, JobBinding);

/// What is handed over of it.
type Claimed = (ProofFile, Openings);

/// How many inputs are proven at once.
fn at_once(args: &args::Prove) -> usize {
    args.joint.map_or(1, |claims| usize::try_from(claims.get()).unwrap_or(usize::MAX))
}

fn count<T>(list: &[T]) -> f64 {
    list.iter().map(|_| 1.0).sum()
}

/// The model in integers. Proofs of several claims are about the integers of the key of single ones,
/// where there is one and nothing else is asked for.
fn quantized(
    args: &args::Prove,
    model: &Model,
    (recipe, places): (&Recipe, &Places),
    inputs: &[Tensors],
) -> Result<Quantized> {
    let Some(claims) = args.joint else {
        return Ok(model.quantize(recipe, &places.key.settings, inputs)?);
    };
    let own = &places.key.settings;
    let single = KeyFiles::beside_model(&args.model).settings;
    let beside = if own.exists() { own } else { &single };
    Ok(model.quantize(recipe, beside, inputs)?.jointly(claims))
}

/// The bindings of the proofs, or of the claims of one. Those of one job are told apart by their
/// nonces, which count up; a proof for no job has none.
fn bindings(args: &args::Prove, count: usize) -> Result<Vec<JobBinding>> {
    let at_once = at_once(args);
    ensure!(
        count.is_multiple_of(at_once),
        "{count} inputs do not fill proofs of {at_once}: give a multiple, or another --joint"
    );
    if let Some(jobs) = &args.jobs {
        return read_jobs(jobs, count);
    }
    let binding = args.job.binding();
    if binding == JobBinding::NONE {
        return Ok(vec![binding; count]);
    }
    let nonces = (0..).map_while(|offset| binding.nonce.checked_add(offset)).take(count);
    let bindings: Vec<_> = nonces.map(|nonce| JobBinding { nonce, ..binding }).collect();
    ensure!(
        bindings.len() == count,
        "--nonce {} leaves no nonces for {count} proofs: they count up to {}",
        binding.nonce,
        u64::MAX
    );
    Ok(bindings)
}

#[derive(Serialize)]
struct ProofReport {
    input: String,
    proof: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    opening: Option<PathBuf>,
    /// Its place in the proof, where that is about several claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf: Option<u32>,
    nonce: u64,
    #[serde(flatten)]
    comparison: Compared,
    prove_seconds: f64,
    proof_bytes: usize,
}

impl ProofReport {
    fn new(
        input: &NamedInput,
        run: &Run,
        ((file, openings), prove_seconds): (&Claimed, f64),
        (proof, opening): (PathBuf, PathBuf),
    ) -> Self {
        let hides = openings.input.is_some() || openings.output.is_some();
        Self {
            input: input.name.clone(),
            proof,
            opening: hides.then_some(opening),
            leaf: file.leaf.as_ref().map(|leaf| leaf.index),
            nonce: file.claim.binding.nonce,
            comparison: Compared::of_many(&run.comparison),
            prove_seconds,
            proof_bytes: file.proof.as_bytes().len(),
        }
    }
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    key: KeyReport,
    folder: PathBuf,
    proofs: Vec<ProofReport>,
    survey: Survey,
    reference: Option<Reference>,
    /// Seconds of all proofs, without the set-up.
    seconds: f64,
    peak_rss_bytes: Option<u64>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KeyReport { model, key, setup_seconds, srs, .. } = &self.key;
        let count = self.proofs.len();
        writeln!(f, "Proved: the model {model} on {count} inputs.")?;
        let error =
            self.proofs.iter().map(|proof| proof.comparison.max_abs_error).fold(0.0, f64::max);
        let others = self.proofs.iter().filter(|proof| !proof.comparison.argmax_matches).count();
        writeln!(f, "  max abs error from the float model {error:.5}")?;
        if others > 0 {
            writeln!(f, "  ANOTHER ANSWER than the float model's in {others} of {count}")?;
        }
        if self.proofs.iter().any(|proof| proof.leaf.is_some()) {
            writeln!(
                f,
                "  several in one proof, each in a file that is checked without the others"
            )?;
        }
        writeln!(f, "  setup {setup_seconds:.3} s, then {:.3} s for all proofs", self.seconds)?;
        writeln!(f, "  proofs in {}", self.folder.display())?;
        if self.proofs.iter().any(|proof| proof.opening.is_some()) {
            writeln!(f, "  with each its opening (SECRET: shows what the proof hides)")?;
        }
        let age = if self.key.key_reused { "reused" } else { "new" };
        writeln!(f, "  key {} ({age})", key.display())?;
        writeln!(f, "Each was verified under the SRS {srs}.")?;
        if self.key.insecure_srs_allowed {
            writeln!(f, "It is the INSECURE development SRS: the proofs convince nobody else.")?;
        }
        let allow = &self.key.allow;
        let (folder, key) = (shell(&self.folder), shell(key));
        write!(f, "To check them: zkinfer verify {folder}/*.zkproof --key {key} --batch{allow}")
    }
}
