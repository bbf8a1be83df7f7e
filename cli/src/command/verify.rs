//! `verify`: do these proofs prove what I expect?

mod parts;
mod verdict;

use std::{collections::HashSet, fmt, path::PathBuf, time::Instant};

use anyhow::{Result, bail};
use serde::Serialize;
use zkinfer::{
    Error, Expectation, Rejection, Shown, Side, read,
    verifier::{ProofFile, SrsTrust, VerifyingKey},
};
use zkinfer_report::{JobReport, LeafReport, rejection as in_words};

use self::verdict::{End, Verdict};
use crate::{
    args,
    output::{Outcome, Output},
    text::Trust,
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
    let accepted = list.files.iter().all(|item| item.report.verdict.accepted);
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

/// How many of the proofs are different: a proof that is given twice is one proof, but for another of
/// its claims.
fn distinct(files: &[ProofFile]) -> usize {
    let claims = files.iter().map(|file| file.leaf.as_ref().map(|leaf| leaf.index));
    let proofs = files.iter().map(|file| file.proof.as_bytes());
    proofs.zip(claims).collect::<HashSet<_>>().len()
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
            match &report.verdict.reason {
                Some(reason) => writeln!(f, "{file}: REJECTED: {reason}")?,
                None if job.is_none() => writeln!(f, "{file}: ACCEPTED: for no job, pays nobody")?,
                None => {
                    let expired = if job.expired { ", EXPIRED" } else { "" };
                    writeln!(f, "{file}: ACCEPTED: pays {}, job {}{expired}", job.payee, job.job)?;
                }
            }
        }
        let accepted = self.files.iter().filter(|item| item.report.verdict.accepted).count();
        write!(f, "{accepted} of {} proofs accepted", self.files.len())?;
        if self.distinct < self.files.len() {
            write!(f, " (only {} of them different)", self.distinct)?;
        }
        match self.files.iter().find(|item| item.report.verdict.accepted) {
            Some(item) => write!(f, ", {}", Trust(&item.report.verdict.srs)),
            None => Ok(()),
        }
    }
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    verdict: Verdict,
    key_digest: String,
    /// Its place, where the proof is about several claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf: Option<LeafReport>,
    job: JobReport,
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
        let (inputs, outputs) = (&parts.layout.inputs, &parts.layout.outputs);
        let ends = [
            End {
                layout: inputs,
                shown: Shown::new(inputs, &file.claim.input, of_input),
                compared: expectation.compares(Side::Input),
            },
            End {
                layout: outputs,
                shown: Shown::new(outputs, &file.claim.output, of_output),
                compared: expectation.compares(Side::Output),
            },
        ];
        let reason = rejection.map(|rejection| (in_words(&rejection), rejection.codes()));
        let measured = (file.proof.as_bytes().len(), seconds);
        Self {
            verdict: Verdict::new(reason, parts, ends, measured),
            key_digest: key.digest().to_string(),
            leaf: LeafReport::new(key, file),
            job: (&file.claim.binding).into(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.verdict.reason {
            return write!(f, "REJECTED: {reason}");
        }
        writeln!(f, "ACCEPTED under the key {}", self.key_digest)?;
        self.verdict.write_claim(f)?;
        if let Some(leaf) = &self.leaf {
            writeln!(f, "  {leaf}")?;
        }
        writeln!(f, "{}", self.job)?;
        self.verdict.write_trust(f)
    }
}
