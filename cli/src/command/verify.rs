//! `verify`: do these proofs prove what I expect?

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};
use serde::Serialize;
use zkinfer_prover::files;
use zkinfer_verifier::{
    BatchItem, INSECURE_DEV, InferenceClaim, JobBinding, Openings, ProofFile, VerifyingKey,
    verify_batch,
};

use crate::{
    args,
    expectation::{Expectation, with_advice},
    job::hex,
    model::tensors,
    output::{Outcome, Output},
    shown::{Shown, Tensor},
};

/// Larger files are neither keys nor proofs.
const MAX_BYTES: u64 = 1 << 28;

pub(crate) fn run(args: &args::Verify, output: &Output) -> Result<Outcome> {
    let key = read_key(&args.key)?;
    let expectation = Expectation::read(&args.expect, &key)?;
    let files = args.proofs.iter().map(|path| read_proof(path)).collect::<Result<Vec<_>>>()?;
    let checked = if args.batch {
        check_batch(&expectation, &files, &key)
    } else {
        check(&expectation, &files)
    };
    let reports = files
        .iter()
        .zip(checked)
        .map(|(file, checked)| Report::new(&key, file, expectation.openings(), checked));
    let item = |(file, report): (&PathBuf, Report)| FileReport { file: file.clone(), report };
    let list = List(args.proofs.iter().zip(reports).map(item).collect());
    match &list.0[..] {
        [only] => output.report(&only.report)?,
        _ => output.report(&list)?,
    }
    let accepted = list.0.iter().all(|item| item.report.accepted);
    Ok(if accepted { Outcome::Accepted } else { Outcome::Rejected })
}

/// Reads a `.zkvk`.
pub(crate) fn read_key(path: &Path) -> Result<VerifyingKey> {
    let place = || format!("cannot use {} as a verifying key", path.display());
    let bytes = files::read_bounded(path, MAX_BYTES).with_context(place)?;
    VerifyingKey::decode(&bytes).with_context(place)
}

/// Reads a `.zkproof`.
pub(crate) fn read_proof(path: &Path) -> Result<ProofFile> {
    let place = || format!("cannot use {} as a proof", path.display());
    let bytes = files::read_bounded(path, MAX_BYTES).with_context(place)?;
    ProofFile::decode(&bytes).with_context(place)
}

/// Why a proof is rejected, if it is, and the seconds that took.
type Checked = (Option<String>, f64);

/// One proof after the other.
fn check(expectation: &Expectation<'_>, files: &[ProofFile]) -> Vec<Checked> {
    let check = |file| {
        let start = Instant::now();
        (expectation.check(file).err(), start.elapsed().as_secs_f64())
    };
    files.iter().map(check).collect()
}

/// All proofs with one pairing; each is said to have taken its share of the time.
fn check_batch(
    expectation: &Expectation<'_>,
    files: &[ProofFile],
    key: &VerifyingKey,
) -> Vec<Checked> {
    let start = Instant::now();
    let claims: Vec<InferenceClaim> = files.iter().map(|file| expectation.claim(file)).collect();
    let compared =
        files.iter().zip(&claims).map(|(file, claim)| expectation.compare(file, claim).err());
    let mut rejections: Vec<Option<String>> = compared.collect();
    let as_expected: Vec<usize> =
        (0..files.len()).filter(|&index| rejections[index].is_none()).collect();
    let item =
        |&index: &usize| BatchItem { key, expected: &claims[index], proof: &files[index].proof };
    let items: Vec<_> = as_expected.iter().map(item).collect();
    for (&index, result) in as_expected.iter().zip(verify_batch(&items, expectation.policy())) {
        rejections[index] = result.err().map(with_advice);
    }
    let share = start.elapsed().as_secs_f64() / count(files);
    rejections.into_iter().map(|rejection| (rejection, share)).collect()
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

/// What an accepted proof stands on.
struct Trust<'a>(&'a str);

impl fmt::Display for Trust<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == INSECURE_DEV {
            f.write_str("under the INSECURE development SRS, which you allowed: no evidence")
        } else {
            write!(f, "under the trusted setup {}", self.0)
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

#[derive(Serialize)]
pub(crate) struct JobReport {
    pub(crate) chain: u64,
    pub(crate) job: String,
    pub(crate) payee: String,
    pub(crate) expiry: u64,
    pub(crate) nonce: u64,
}

impl JobReport {
    /// Whether nothing was said about the job when it was proved.
    pub(crate) fn is_none(&self) -> bool {
        let Self { chain, job, payee, expiry, nonce } = self;
        let zeros = |hex: &str| hex.bytes().all(|digit| digit == b'0');
        [*chain, *expiry, *nonce] == [0; 3] && zeros(job) && zeros(payee)
    }
}

impl From<&JobBinding> for JobReport {
    fn from(binding: &JobBinding) -> Self {
        Self {
            chain: binding.chain_id,
            job: hex(&binding.job_id),
            payee: hex(&binding.payee),
            expiry: binding.expiry,
            nonce: binding.nonce,
        }
    }
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
            |tensors: Vec<Tensor>| tensors.into_iter().map(|tensor| tensor.values).collect();
        Self {
            accepted: reason.is_none(),
            reason,
            model: parts.model_name.clone(),
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
            writeln!(f, "  output: {}", tensors::brief(output))?;
        }
        let JobReport { chain, job, payee, expiry, nonce } = &self.job;
        writeln!(f, "  job {job} on chain {chain}, nonce {nonce}, expires {expiry}")?;
        writeln!(f, "  pays {payee}")?;
        writeln!(f, "  {}", Trust(&self.srs))?;
        write!(f, "  verified in {:.1} ms", self.verify_seconds * 1e3)
    }
}
