//! One proof, and a report with every time and file.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    slice,
};

use anyhow::Result;
use serde::Serialize;
use zkinfer::{
    InputData, Model, Proven, Reference, Run, Shapes, Shown, prover::Stage,
    verifier::ClaimedValues, write_proof,
};
use zkinfer_report::JobReport;

use super::{KeyReport, Places, Ready, ready};
use crate::{
    alarm::{Compared, reference},
    args,
    memory::peak_rss_bytes,
    output::{Outcome, Output},
    progress::watched,
    text::{shell, write_classes},
};

pub(super) fn run(args: &args::Prove, input: &Path, output: &Output) -> Result<Outcome> {
    let places = Places::of_one(args, input)?;
    let (data, recipe) =
        args::or_no_model(&args.model, || Ok((InputData::read(input)?, args.quantize.recipe()?)))?;
    let shapes: Vec<_> = [Shapes::Input(&data)].into_iter().chain(recipe.shapes()).collect();
    let model = args.import.open(&args.model, &shapes, output)?;
    let input = model.input(&data)?;
    let quantized = model.quantize(&recipe, &places.key.settings, slice::from_ref(&input))?;
    let demands = args.alarm.demands();
    let run = model.run_with(&quantized, &input, &demands.tolerance())?;
    let reference = reference(&args.alarm, &model, Some(&data), slice::from_ref(&input))?;
    output.remark_file(&data);
    output.remark_origin(&quantized);
    output.alarm(&run);
    output.alarm_reference(reference.as_ref());
    // Before any key or proof is written.
    demands.check(&run.comparison)?;
    let mut ready = ready(args, &model, quantized, &places, output)?;
    let (from, binding) = ((args, &model, &places), args.job.binding());
    let proven = watched(output, |watch| ready.prove(from, &run, binding, output, watch))?;
    write_proof(&proven, &places.proof, &places.opening)?;
    output.report(&Report::new((&model, places), &ready, (run, reference), &proven))?;
    Ok(Outcome::Accepted)
}

#[derive(Serialize)]
struct StageReport {
    stage: &'static str,
    seconds: f64,
}

impl StageReport {
    fn new(&(stage, seconds): &(Stage, f64)) -> Self {
        Self { stage: stage.name(), seconds }
    }
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    key: KeyReport,
    execute_seconds: f64,
    witness_seconds: f64,
    prove_seconds: f64,
    /// What `prove_seconds` went into, in order.
    stages: Vec<StageReport>,
    verify_seconds: f64,
    proof_bytes: usize,
    peak_rss_bytes: Option<u64>,
    #[serde(flatten)]
    comparison: Compared,
    job: JobReport,
    proof: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    opening: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_commitment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_commitment: Option<String>,
    /// The class of each element of the outputs whose classes the key names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    output_classes: BTreeMap<String, Vec<Option<String>>>,
}

impl Report {
    fn new(
        (model, places): (&Model, Places),
        ready: &Ready,
        (run, reference): (Run, Option<Reference>),
        proven: &Proven,
    ) -> Self {
        let outputs = &ready.keys.verifying_key().parts().layout.outputs;
        let (claimed, opening) = (&proven.file.claim.output, proven.openings.output.as_ref());
        Self {
            output_classes: Shown::new(outputs, claimed, opening).classes(),
            key: KeyReport::new(ready, &places, model),
            execute_seconds: run.seconds,
            witness_seconds: proven.witness_seconds,
            prove_seconds: proven.prove_seconds,
            stages: proven.stages.iter().map(StageReport::new).collect(),
            verify_seconds: proven.verify_seconds,
            proof_bytes: proven.file.proof.as_bytes().len(),
            peak_rss_bytes: peak_rss_bytes(),
            comparison: Compared::new(&run.comparison, reference),
            job: (&proven.file.claim.binding).into(),
            proof: places.proof,
            opening: proven.hides().then_some(places.opening),
            input_commitment: commitment(&proven.file.claim.input),
            output_commitment: commitment(&proven.file.claim.output),
        }
    }
}

fn commitment(values: &ClaimedValues) -> Option<String> {
    match values {
        ClaimedValues::Public(_) => None,
        ClaimedValues::Committed(commitment) => Some(commitment.to_string()),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KeyReport { model, k, advice_columns, fixed_columns, .. } = &self.key;
        writeln!(f, "Proved: the model {model} gives this output on this input.")?;
        writeln!(f, "{}", self.comparison)?;
        write_classes(f, &self.output_classes)?;
        writeln!(f, "  calibrated with the {}", self.key.calibration)?;
        for (side, commitment) in
            [("input", &self.input_commitment), ("output", &self.output_commitment)]
        {
            if let Some(commitment) = commitment {
                writeln!(f, "  {side} commitment: {commitment}")?;
            }
        }
        writeln!(
            f,
            "  circuit: 2^{k} rows, {advice_columns} advice and {fixed_columns} fixed columns"
        )?;
        self.times(f)?;
        self.files(f)?;
        writeln!(f, "Verified under the SRS {}.", self.key.srs)?;
        if self.key.insecure_srs_allowed {
            writeln!(
                f,
                "The closing check allowed this INSECURE development SRS, whose secret is public: \
                 the proof convinces\nnobody else. For a real one: zkinfer srs import FILE.ptau, \
                 then prove with --srs FILE.srs"
            )?;
        }
        let allow = &self.key.allow;
        let (proof, key) = (shell(&self.proof), shell(&self.key.key));
        write!(f, "To check this proof: zkinfer verify {proof} --key {key}{allow}")
    }
}

impl Report {
    fn times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Times on {} threads, device {}:", self.key.threads, self.key.device)?;
        writeln!(f, "  setup   {:>9.3} s", self.key.setup_seconds)?;
        writeln!(f, "  execute {:>9.3} s", self.execute_seconds)?;
        writeln!(f, "  witness {:>9.3} s", self.witness_seconds)?;
        writeln!(f, "  prove   {:>9.3} s", self.prove_seconds)?;
        writeln!(f, "  verify  {:>9.3} s", self.verify_seconds)?;
        match self.peak_rss_bytes {
            Some(bytes) => writeln!(f, "  peak memory {} MB", bytes / 1_000_000),
            None => Ok(()),
        }
    }

    fn files(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KeyReport { key, key_bytes, key_reused, settings, accuracy_report, .. } = &self.key;
        writeln!(f, "Files:")?;
        writeln!(f, "  proof    {} ({} bytes of proof)", self.proof.display(), self.proof_bytes)?;
        let age = if *key_reused { "reused" } else { "new" };
        writeln!(f, "  key      {} ({key_bytes} bytes, {age})", key.display())?;
        writeln!(f, "  settings {}", settings.display())?;
        if let Some(opening) = &self.opening {
            writeln!(f, "  opening  {} (SECRET: shows what the proof hides)", opening.display())?;
        }
        match accuracy_report {
            Some(bound) => writeln!(f, "  accuracy {bound}"),
            None => Ok(()),
        }
    }
}
