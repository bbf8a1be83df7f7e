//! `verify`: do these proofs prove what I expect?

mod parts;

use std::{collections::HashSet, fmt, path::PathBuf, time::Instant};

use anyhow::{Result, bail};
use serde::Serialize;
use zkinfer::{
    Error, Expectation, NamedTensor, Rejection, Shown, Side, models, read,
    verifier::{ProofFile, SrsTrust, VerifyingKey},
};
use zkinfer_report::{JobReport, LeafReport, rejection as in_words};

use crate::{
    args,
    output::{Outcome, Output},
    text::{Trust, brief, model},
};

pub(crate) fn run(args: &args::Verify, output: &Output) -> Result<Outcome> {
    let key = match (&args.parts.manifest, &args.key) {
        (Some(manifest), _) => return parts::run(args, manifest, output),
        (None, Some(key)) => read::key(key)?,
        (None, None) => bail!("give --key or --manifest"),
    };
    let expectation = args.expect.expectation(&key)?;
    let files: Vec<ProofFile> =
        args.proofs.iter().map(|path| read::proof(path)).collect::<Result<_, Error>>()?;
    let checked =
        if args.batch { check_batch(&expectation, &files) } else { check(&expectation, &files) };
    let reports = files
        .iter()
        .zip(checked)
        .map(|(file, checked)| Report::new(&key, file, &expectation, checked));
    let item = |(file, report): (&PathBuf, Report)| FileReport { file: file.clone(), report };
    let list = List {
        distinct: distinct(&files),
        files: args.proofs.iter().zip(reports).map(item).collect(),
    };
    match &list.files[..] {
        [only] => output.report(&only.report)?,
        _ => output.report(&list)?,
    }
    let accepted = list.files.iter().all(|item| item.report.accepted);
    Ok(if accepted { Outcome::Accepted } else { Outcome::Rejected })
}

/// Why a proof is rejected, if it is, and the seconds that took.
type Checked = (Option<Rejection>, f64);

/// One proof after the other.
fn check(expectation: &Expectation<'_>, files: &[ProofFile]) -> Vec<Checked> {
    let check = |file| {
        let start = Instant::now();
        let rejection = expectation.check(file).err();
        (rejection, start.elapsed().as_secs_f64())
    };
    files.iter().map(check).collect()
}

/// All proofs with one pairing; each is said to have taken its share of the time.
fn check_batch(expectation: &Expectation<'_>, files: &[ProofFile]) -> Vec<Checked> {
    let start = Instant::now();
    let results = expectation.check_batch(files);
    let share = start.elapsed().as_secs_f64() / count(files);
    let checked = |result: Result<SrsTrust, _>| (result.err(), share);
    results.into_iter().map(checked).collect()
}

fn count(files: &[ProofFile]) -> f64 {
    files.iter().map(|_| 1.0).sum()
}

/// How many of the proofs are different: a proof that is given twice is one proof.
fn distinct(files: &[ProofFile]) -> usize {
    files.iter().map(|file| file.proof.as_bytes()).collect::<HashSet<_>>().len()
}

/// Several proofs, a line each.
#[derive(Serialize)]
#[serde(transparent)]
struct List {
    files: Vec<FileReport>,
    #[serde(skip)]
    distinct: usize,
}

#[derive(Serialize)]
struct FileReport {
    file: PathBuf,
    #[serde(flatten)]
    report: Report,
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for FileReport { file, report } in &self.files {
            let (file, job) = (file.display(), &report.job);
            match &report.reason {
                Some(reason) => writeln!(f, "{file}: REJECTED: {reason}")?,
                None if job.is_none() => writeln!(f, "{file}: ACCEPTED: for no job, pays nobody")?,
                None => {
                    let expired = if job.expired { ", EXPIRED" } else { "" };
                    writeln!(f, "{file}: ACCEPTED: pays {}, job {}{expired}", job.payee, job.job)?;
                }
            }
        }
        let accepted = self.files.iter().filter(|item| item.report.accepted).count();
        write!(f, "{accepted} of {} proofs accepted", self.files.len())?;
        if self.distinct < self.files.len() {
            write!(f, " (only {} of them different)", self.distinct)?;
        }
        match self.files.iter().find(|item| item.report.accepted) {
            Some(item) => write!(f, ", {}", Trust(&item.report.srs)),
            None => Ok(()),
        }
    }
}

#[derive(Serialize)]
struct Report {
    accepted: bool,
    /// Why not, in words.
    reason: Option<String>,
    /// Why not, in words that never change: one for each reason.
    reason_codes: Vec<&'static str>,
    model: String,
    model_digest: String,
    key_digest: String,
    srs: String,
    /// What an accepted claim shows; a rejected one shows nothing.
    input: Option<Vec<Vec<f64>>>,
    input_names: Vec<String>,
    /// Whether the input was compared with an expected one.
    input_compared: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_commitment: Option<String>,
    output: Option<Vec<Vec<f64>>>,
    output_names: Vec<String>,
    output_compared: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_commitment: Option<String>,
    /// Its place, where the proof is about several claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf: Option<LeafReport>,
    job: JobReport,
    proof_bytes: usize,
    verify_seconds: f64,
}

impl Report {
    fn new(
        key: &VerifyingKey,
        file: &ProofFile,
        expectation: &Expectation<'_>,
        (rejection, seconds): Checked,
    ) -> Self {
        let parts = key.parts();
        // An opening that does not open the claim is not shown as if it did.
        let openings = expectation.given_openings().filter(|_| rejection.is_none());
        let of_input = openings.and_then(|openings| openings.input.as_ref());
        let of_output = openings.and_then(|openings| openings.output.as_ref());
        let input = Shown::new(&parts.layout.inputs, &file.claim.input, of_input);
        let output = Shown::new(&parts.layout.outputs, &file.claim.output, of_output);
        let values = |tensors: Vec<NamedTensor>| -> Vec<Vec<f64>> {
            tensors.into_iter().map(|tensor| tensor.values).collect()
        };
        let shown =
            |shown: Option<Vec<NamedTensor>>| shown.filter(|_| rejection.is_none()).map(values);
        let names = |tensors: &[zkinfer::verifier::TensorLayout]| {
            tensors.iter().map(|tensor| tensor.name.clone()).collect()
        };
        Self {
            accepted: rejection.is_none(),
            reason: rejection.as_ref().map(in_words),
            reason_codes: rejection.as_ref().map(Rejection::codes).unwrap_or_default(),
            model: model(parts.model_name.as_deref(), parts.model_digest),
            model_digest: parts.model_digest.to_string(),
            key_digest: key.digest().to_string(),
            srs: parts.srs.name.clone(),
            input: shown(input.tensors),
            input_names: names(&parts.layout.inputs),
            input_compared: expectation.compares(Side::Input),
            input_commitment: input.commitment,
            output: shown(output.tensors),
            output_names: names(&parts.layout.outputs),
            output_compared: expectation.compares(Side::Output),
            output_commitment: output.commitment,
            leaf: LeafReport::new(key, file),
            job: (&file.claim.binding).into(),
            proof_bytes: file.proof.as_bytes().len(),
            verify_seconds: seconds,
        }
    }
}

/// One side: what is shown of it, and whether anybody but the prover has said that it is right.
fn side(
    f: &mut fmt::Formatter<'_>,
    (side, compared): (Side, bool),
    commitment: Option<&String>,
    (names, values): (&[String], Option<&Vec<Vec<f64>>>),
) -> fmt::Result {
    let expected = if compared { "as expected" } else { "NOT compared" };
    if let Some(commitment) = commitment {
        writeln!(f, "  {side} commitment, {expected}: {commitment}")?;
    }
    for (name, values) in names.iter().zip(values.into_iter().flatten()) {
        let name = models::Shown(name);
        writeln!(f, "  {side} {name}, {expected}: {}", brief(values))?;
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.reason {
            return write!(f, "REJECTED: {reason}");
        }
        writeln!(f, "ACCEPTED under the key {}", self.key_digest)?;
        let (model, digest) = (models::Shown(&self.model), &self.model_digest);
        writeln!(f, "  which claims to be the model {model}, an ONNX file of digest {digest}")?;
        side(
            f,
            (Side::Input, self.input_compared),
            self.input_commitment.as_ref(),
            (&self.input_names, self.input.as_ref()),
        )?;
        side(
            f,
            (Side::Output, self.output_compared),
            self.output_commitment.as_ref(),
            (&self.output_names, self.output.as_ref()),
        )?;
        if let Some(leaf) = &self.leaf {
            writeln!(f, "  {leaf}")?;
        }
        writeln!(f, "{}", self.job)?;
        writeln!(f, "  {}", Trust(&self.srs))?;
        write!(f, "  verified in {:.1} ms", self.verify_seconds * 1e3)
    }
}
