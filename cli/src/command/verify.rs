//! `verify`: do these proofs prove what I expect?

use std::{fmt, path::PathBuf, time::Instant};

use anyhow::Result;
use serde::Serialize;
use zkinfer::{
    Error, Expectation, NamedTensor, Shown, read,
    verifier::{Openings, ProofFile, VerifyingKey},
};

use crate::{
    advice, args,
    job::JobReport,
    output::{Outcome, Output},
    text::{Trust, brief, model},
};

pub(crate) fn run(args: &args::Verify, output: &Output) -> Result<Outcome> {
    let key = read::key(&args.key)?;
    let expectation = args.expect.expectation(&key)?;
    let files: Vec<ProofFile> =
        args.proofs.iter().map(|path| read::proof(path)).collect::<Result<_, Error>>()?;
    let checked =
        if args.batch { check_batch(&expectation, &files) } else { check(&expectation, &files) };
    let reports = files
        .iter()
        .zip(checked)
        .map(|(file, checked)| Report::new(&key, file, expectation.given_openings(), checked));
    let item = |(file, report): (&PathBuf, Report)| FileReport { file: file.clone(), report };
    let list = List(args.proofs.iter().zip(reports).map(item).collect());
    match &list.0[..] {
        [only] => output.report(&only.report)?,
        _ => output.report(&list)?,
    }
    let accepted = list.0.iter().all(|item| item.report.accepted);
    Ok(if accepted { Outcome::Accepted } else { Outcome::Rejected })
}

/// Why a proof is rejected, if it is, and the seconds that took.
type Checked = (Option<String>, f64);

/// One proof after the other.
fn check(expectation: &Expectation<'_>, files: &[ProofFile]) -> Vec<Checked> {
    let check = |file| {
        let start = Instant::now();
        let rejection = expectation.check(file).err();
        (rejection.as_ref().map(advice::rejection), start.elapsed().as_secs_f64())
    };
    files.iter().map(check).collect()
}

/// All proofs with one pairing; each is said to have taken its share of the time.
fn check_batch(expectation: &Expectation<'_>, files: &[ProofFile]) -> Vec<Checked> {
    let start = Instant::now();
    let results = expectation.check_batch(files);
    let share = start.elapsed().as_secs_f64() / count(files);
    let checked = |result: Result<_, _>| (result.err().as_ref().map(advice::rejection), share);
    results.into_iter().map(checked).collect()
}

fn count(files: &[ProofFile]) -> f64 {
    files.iter().map(|_| 1.0).sum()
}

/// Several proofs, a line each.
#[derive(Serialize)]
struct List(Vec<FileReport>);

#[derive(Serialize)]
struct FileReport {
    file: PathBuf,
    #[serde(flatten)]
    report: Report,
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for FileReport { file, report } in &self.0 {
            let file = file.display();
            match &report.reason {
                Some(reason) => writeln!(f, "{file}: REJECTED: {reason}")?,
                None => writeln!(
                    f,
                    "{file}: ACCEPTED: pays {}, job {}",
                    report.job.payee, report.job.job
                )?,
            }
        }
        let accepted = self.0.iter().filter(|item| item.report.accepted).count();
        write!(f, "{accepted} of {} proofs accepted", self.0.len())?;
        match self.0.iter().find(|item| item.report.accepted) {
            Some(item) => write!(f, ", {}", Trust(&item.report.srs)),
            None => Ok(()),
        }
    }
}

#[derive(Serialize)]
struct Report {
    accepted: bool,
    reason: Option<String>,
    model: String,
    model_digest: String,
    key_digest: String,
    srs: String,
    input: Option<Vec<Vec<f64>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_commitment: Option<String>,
    output: Option<Vec<Vec<f64>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_commitment: Option<String>,
    job: JobReport,
    proof_bytes: usize,
    verify_seconds: f64,
}

impl Report {
    fn new(
        key: &VerifyingKey,
        file: &ProofFile,
        openings: Option<&Openings>,
        (reason, seconds): Checked,
    ) -> Self {
        let parts = key.parts();
        // An opening that does not open the claim is not shown as if it did.
        let openings = openings.filter(|_| reason.is_none());
        let of_input = openings.and_then(|openings| openings.input.as_ref());
        let of_output = openings.and_then(|openings| openings.output.as_ref());
        let input = Shown::new(&parts.layout.inputs, &file.claim.input, of_input);
        let output = Shown::new(&parts.layout.outputs, &file.claim.output, of_output);
        let values =
            |tensors: Vec<NamedTensor>| tensors.into_iter().map(|tensor| tensor.values).collect();
        Self {
            accepted: reason.is_none(),
            reason,
            model: model(&parts.model_name, parts.model_digest),
            model_digest: parts.model_digest.to_string(),
            key_digest: key.digest().to_string(),
            srs: parts.srs.name.clone(),
            input: input.tensors.map(values),
            input_commitment: input.commitment,
            output: output.tensors.map(values),
            output_commitment: output.commitment,
            job: (&file.claim.binding).into(),
            proof_bytes: file.proof.as_bytes().len(),
            verify_seconds: seconds,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => return write!(f, "REJECTED: {reason}"),
            None => writeln!(f, "ACCEPTED: {} (key {})", self.model, self.key_digest)?,
        }
        if let Some(commitment) = &self.input_commitment {
            writeln!(f, "  input commitment: {commitment}")?;
        }
        if let Some(commitment) = &self.output_commitment {
            writeln!(f, "  output commitment: {commitment}")?;
        }
        for output in self.output.iter().flatten() {
            writeln!(f, "  output: {}", brief(output))?;
        }
        let JobReport { chain, job, payee, expiry, nonce } = &self.job;
        writeln!(f, "  job {job} on chain {chain}, nonce {nonce}, expires {expiry}")?;
        writeln!(f, "  pays {payee}")?;
        writeln!(f, "  {}", Trust(&self.srs))?;
        write!(f, "  verified in {:.1} ms", self.verify_seconds * 1e3)
    }
}
