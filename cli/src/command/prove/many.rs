//! Many proofs under one key: one set-up, one progress bar, one summary.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};
use serde::Serialize;
use zkinfer::{
    InputSource, NamedInput, Proven, Reference, Run, Shapes, Survey, verifier::JobBinding,
    write_proof,
};

use super::{KeyReport, Places, ready};
use crate::{
    alarm::{Compared, reference},
    args,
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
    let quantized = model.quantize(&recipe, &places.key.settings, &tensors)?;
    // All runs come first: what cannot be run is found before anything is proved.
    let runs = inputs
        .iter()
        .map(|input| {
            let run = model.run_with(&quantized, &input.tensors, &demands.tolerance());
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
    let mut prove = |index: usize, input: &NamedInput, run: &Run| -> Result<ProofReport> {
        let proven = ready.prove(from, run, binding(args, index), output, &|_| ())?;
        let proof = places.proof.join(format!("{}.zkproof", input.name));
        let opening = proof.with_extension("zkopening");
        write_proof(&proven, &proof, &opening)?;
        Ok(ProofReport::new(input, run, &proven, (proof, opening)))
    };
    let proofs = counted(output, inputs.len(), |tick| {
        let pairs = inputs.iter().zip(&runs).enumerate();
        let each = pairs.map(|(index, (input, run))| {
            let proof = prove(index, input, run).with_context(|| input.name.clone());
            tick();
            proof
        });
        each.collect::<Result<Vec<_>>>()
    })?;
    output.report(&Report {
        key: KeyReport::new(&ready, &places),
        folder: places.proof,
        proofs,
        survey,
        reference,
        seconds: start.elapsed().as_secs_f64(),
        peak_rss_bytes: peak_rss_bytes(),
    })?;
    Ok(Outcome::Accepted)
}

/// The binding of one of the proofs. Those of one job are told apart by their nonces, which count
/// up; a proof for no job has none.
fn binding(args: &args::Prove, index: usize) -> JobBinding {
    let binding = args.job.binding();
    let offset = u64::try_from(index).unwrap_or(u64::MAX);
    match binding == JobBinding::NONE {
        true => binding,
        false => JobBinding { nonce: binding.nonce.saturating_add(offset), ..binding },
    }
}

#[derive(Serialize)]
struct ProofReport {
    input: String,
    proof: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    opening: Option<PathBuf>,
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
        proven: &Proven,
        (proof, opening): (PathBuf, PathBuf),
    ) -> Self {
        Self {
            input: input.name.clone(),
            proof,
            opening: proven.hides().then_some(opening),
            nonce: proven.file.claim.binding.nonce,
            comparison: Compared::of_many(&run.comparison),
            prove_seconds: proven.prove_seconds,
            proof_bytes: proven.file.proof.as_bytes().len(),
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
