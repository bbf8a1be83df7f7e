//! `prove`: run a model in integers, prove it, verify the proof, and say how it went.

use std::{
    fmt,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use zkinfer::{
    Comparison, Device, Error, Inference, Keys, Model, Proven, Quantized, Run, Settings,
    accuracy_path_beside, measure_accuracy,
    models::AccuracyReport,
    prover::{CpuOptions, Instructions, Stage, files},
    read_input_blinding,
    verifier::ClaimedValues,
    write_accuracy, write_openings,
};

use crate::{
    args::{self, DeviceName, InstructionsName},
    job::JobReport,
    memory::peak_rss_bytes,
    output::{Outcome, Output},
    progress::watched,
    text::{self, BoundReport, Compared},
};

/// Where a proof and what belongs to it are written.
struct Places {
    proof: PathBuf,
    key: PathBuf,
    settings: PathBuf,
    accuracy: PathBuf,
    opening: PathBuf,
}

impl Places {
    fn new(args: &args::Prove) -> Result<Self> {
        let proof = args.output.clone().unwrap_or_else(|| args.model.with_extension("zkproof"));
        let key = args.key.clone().unwrap_or_else(|| proof.with_extension("zkvk"));
        let settings =
            args.quantize.settings.clone().unwrap_or_else(|| Settings::path_beside(&key));
        let accuracy = accuracy_path_beside(&key);
        let opening = args.opening.clone().unwrap_or_else(|| proof.with_extension("zkopening"));
        let written = [&proof, &key, &settings, &accuracy, &opening];
        for (index, path) in written.iter().enumerate() {
            if path.is_dir() {
                return Err(Error::Folder { path: path.to_path_buf() }.into());
            }
            let read = [&args.model, &args.input].into_iter().chain(&args.input_opening);
            if read.chain(written[..index].iter().copied()).any(|other| same_file(path, other)) {
                return Err(Error::Overwritten { path: path.to_path_buf() }.into());
            }
        }
        Ok(Self { proof, key, settings, accuracy, opening })
    }
}

/// Whether two paths name one file, as far as can be told before both exist.
fn same_file(a: &Path, b: &Path) -> bool {
    let resolved = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    a == b || resolved(a) == resolved(b)
}

pub(crate) fn run(args: &args::Prove, output: &Output) -> Result<Outcome> {
    let places = Places::new(args)?;
    let model = Model::open(&args.model)?;
    let input = model.read_input(&args.input)?;
    let mut quantized = model.quantize(&args.quantize.recipe(), &places.settings, Some(&input))?;
    let measured = measure_accuracy(&model, &mut quantized, args.test_set.test_set.as_deref())?;
    let run = model.run(&quantized, &input)?;
    output.remark_run(&quantized, &run);

    let (srs, device) = (args.srs.file.as_deref(), device(args.device, args.instructions)?);
    let made = watched(output, |watch| Keys::make(&model, &quantized, srs, &device, watch))?;
    output.remark_srs(&made.srs_event);
    let reused = made.is_stored(&places.key)?;
    let key = made.verifying_key();
    let blinding = args.input_opening.as_deref();
    let inference = Inference {
        input_blinding: blinding
            .map(|path| read_input_blinding(path, key, &run.integers.concat()))
            .transpose()?,
        ..Inference::new(&run.execution, args.job.binding())
    };
    let proven = watched(output, |watch| made.prove(inference, watch))?;
    write(&places, &made, &quantized, &proven, reused)?;
    if let Some(report) = &measured {
        write_accuracy(report, &places.accuracy)?;
    }
    let report = Report::new(Parts {
        places,
        made: &made,
        quantized: &quantized,
        proven: &proven,
        run,
        measured,
        key_reused: reused,
    });
    output.report(&report)?;
    Ok(Outcome::Accepted)
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

fn write(
    places: &Places,
    made: &Keys,
    quantized: &Quantized,
    proven: &Proven,
    reused: bool,
) -> Result<()> {
    if !reused {
        made.write(&places.key)?;
    }
    quantized.settings.write(&places.settings)?;
    // First, because a proof without it hides its values for good.
    if hides(proven) {
        write_openings(&proven.openings, &places.opening)?;
    }
    write_proof(&places.proof, &proven.file.encode())
}

/// Whether the claim commits to something.
fn hides(proven: &Proven) -> bool {
    proven.openings.input.is_some() || proven.openings.output.is_some()
}

fn write_proof(path: &Path, text: &str) -> Result<()> {
    files::write_whole(path, |file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// What a report is made from.
struct Parts<'a> {
    places: Places,
    made: &'a Keys,
    quantized: &'a Quantized,
    proven: &'a Proven,
    run: Run,
    measured: Option<AccuracyReport>,
    key_reused: bool,
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
    model: String,
    model_digest: String,
    calibration: String,
    k: u32,
    advice_columns: usize,
    fixed_columns: usize,
    setup_seconds: f64,
    execute_seconds: f64,
    witness_seconds: f64,
    prove_seconds: f64,
    /// What `prove_seconds` went into, in order.
    stages: Vec<StageReport>,
    verify_seconds: f64,
    proof_bytes: usize,
    key_bytes: usize,
    peak_rss_bytes: Option<u64>,
    #[serde(flatten)]
    comparison: Comparison,
    device: &'static str,
    threads: usize,
    job: JobReport,
    proof: PathBuf,
    key: PathBuf,
    key_digest: String,
    key_reused: bool,
    settings: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    opening: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_commitment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_commitment: Option<String>,
    accuracy_report: Option<BoundReport>,
    srs: String,
    insecure_srs_allowed: bool,
}

impl Report {
    fn new(parts: Parts<'_>) -> Self {
        let Parts { places, made, quantized, proven, .. } = parts;
        let (setup, key) = (made.setup(), made.verifying_key());
        let cost = setup.plan().cost();
        Self {
            model: key.parts().model_name.clone(),
            model_digest: key.parts().model_digest.to_string(),
            calibration: text::origin(&quantized.origin),
            k: cost.k,
            advice_columns: cost.advice_columns,
            fixed_columns: cost.fixed_columns,
            setup_seconds: made.seconds,
            execute_seconds: parts.run.seconds,
            witness_seconds: proven.witness_seconds,
            prove_seconds: proven.prove_seconds,
            stages: proven.stages.iter().map(StageReport::new).collect(),
            verify_seconds: proven.verify_seconds,
            proof_bytes: proven.file.proof.as_bytes().len(),
            key_bytes: key.encode().len(),
            peak_rss_bytes: peak_rss_bytes(),
            comparison: parts.run.comparison,
            device: setup.circuit_key().device().name(),
            threads: rayon::current_num_threads(),
            job: (&proven.file.claim.binding).into(),
            proof: places.proof,
            key: places.key,
            key_digest: key.digest().to_string(),
            key_reused: parts.key_reused,
            settings: places.settings,
            opening: hides(proven).then_some(places.opening),
            input_commitment: commitment(&proven.file.claim.input),
            output_commitment: commitment(&proven.file.claim.output),
            accuracy_report: parts.measured.map(|report| BoundReport::new(report, places.accuracy)),
            srs: key.parts().srs.name.clone(),
            insecure_srs_allowed: setup.srs().ceremony().is_insecure(),
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
        writeln!(f, "Proved: the model {} gives this output on this input.", self.model)?;
        writeln!(f, "{}", Compared(&self.comparison))?;
        writeln!(f, "  calibrated with the {}", self.calibration)?;
        for (side, commitment) in
            [("input", &self.input_commitment), ("output", &self.output_commitment)]
        {
            if let Some(commitment) = commitment {
                writeln!(f, "  {side} commitment: {commitment}")?;
            }
        }
        let (advice, fixed) = (self.advice_columns, self.fixed_columns);
        writeln!(f, "  circuit: 2^{} rows, {advice} advice and {fixed} fixed columns", self.k)?;
        writeln!(f, "Times on {} threads, device {}:", self.threads, self.device)?;
        writeln!(f, "  setup   {:>9.3} s", self.setup_seconds)?;
        writeln!(f, "  execute {:>9.3} s", self.execute_seconds)?;
        writeln!(f, "  witness {:>9.3} s", self.witness_seconds)?;
        writeln!(f, "  prove   {:>9.3} s", self.prove_seconds)?;
        writeln!(f, "  verify  {:>9.3} s", self.verify_seconds)?;
        if let Some(bytes) = self.peak_rss_bytes {
            writeln!(f, "  peak memory {} MB", bytes / 1_000_000)?;
        }
        writeln!(f, "Files:")?;
        writeln!(f, "  proof    {} ({} bytes of proof)", self.proof.display(), self.proof_bytes)?;
        let key = if self.key_reused { "reused" } else { "new" };
        writeln!(f, "  key      {} ({} bytes, {key})", self.key.display(), self.key_bytes)?;
        writeln!(f, "  settings {}", self.settings.display())?;
        if let Some(opening) = &self.opening {
            writeln!(f, "  opening  {} (SECRET: shows what the proof hides)", opening.display())?;
        }
        if let Some(bound) = &self.accuracy_report {
            writeln!(f, "  accuracy {bound}")?;
        }
        writeln!(f, "Verified under the SRS {}.", self.srs)?;
        if self.insecure_srs_allowed {
            write!(
                f,
                "The closing check allowed this INSECURE development SRS, whose secret is public: \
                 the proof convinces\nnobody else. For a real one: zkinfer srs import FILE.ptau, \
                 then prove with --srs FILE.srs\nTo check this proof: zkinfer verify {} --key {} \
                 --allow-insecure-srs",
                self.proof.display(),
                self.key.display()
            )?;
        }
        Ok(())
    }
}
