//! Verification and audits.

use std::path::PathBuf;

use pyo3::prelude::*;
use zkinfer::{
    Audit, Error, Expectation, ExpectedSide, Rejection, SrsPolicy, read,
    verifier::{Digest, KeyDigest, Openings, ProofFile, SrsDigest, SrsTrust, VerifyingKey},
};
use zkinfer_report::{AuditReport, Verdict, rejection};

use crate::{
    artifacts::{Key, Proof, json},
    error::Raised,
    options::{JobOptions, ModelOptions},
    watch::watched,
};

/// What is expected of a proof.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct ExpectOptions {
    key_digest: Option<[u8; 32]>,
    model_digest: Option<[u8; 32]>,
    input: Option<PathBuf>,
    input_commitment: Option<[u8; 32]>,
    output: Option<PathBuf>,
    output_commitment: Option<[u8; 32]>,
    opening: Option<PathBuf>,
    job: JobOptions,
    valid_at: Option<u64>,
    allow_insecure_srs: bool,
    allow_srs: Option<[u8; 32]>,
}

impl ExpectOptions {
    fn expectation<'a>(
        &self,
        key: &'a VerifyingKey,
        openings: Option<Openings>,
    ) -> Result<Expectation<'a>, Error> {
        let policy = match self.allow_srs {
            Some(digest) => SrsPolicy::AllowSrs(SrsDigest(Digest(digest))),
            None if self.allow_insecure_srs => SrsPolicy::AllowInsecureDev,
            None => SrsPolicy::CeremonyOnly,
        };
        let openings = match &self.opening {
            Some(path) => Some(read::openings(path)?),
            None => openings,
        };
        let mut expectation = Expectation::new(key, policy);
        expectation.claim.key_digest = self.key_digest.map(|digest| KeyDigest(Digest(digest)));
        expectation.claim.model = self.model_digest.map(Digest);
        expectation.claim.valid_at = self.valid_at;
        self.job.expect(&mut expectation.claim);
        expectation
            .openings(openings)
            .input(ExpectedSide {
                values: self.input.as_deref(),
                commitment: self.input_commitment,
            })?
            .output(ExpectedSide {
                values: self.output.as_deref(),
                commitment: self.output_commitment,
            })
    }
}

/// Whether a proof is accepted; if not, why, and the same in words that never change.
type Checked = (bool, Option<String>, Vec<&'static str>);

/// Checks proofs against one expectation, with one pairing where `batch` says so.
#[pyfunction]
pub(crate) fn verify(
    py: Python<'_>,
    key: &Key,
    proofs: Vec<Bound<'_, Proof>>,
    expect: ExpectOptions,
    batch: bool,
) -> PyResult<Vec<Checked>> {
    let files: Vec<ProofFile> = proofs.iter().map(|proof| proof.get().file.clone()).collect();
    let key = &key.0;
    let results = py.detach(|| {
        let expectation = expect.expectation(key, None)?;
        Ok(match batch {
            true => expectation.check_batch(&files),
            false => files.iter().map(|file| expectation.check(file)).collect(),
        })
    });
    Ok(results.raised(py)?.into_iter().map(checked).collect())
}

fn checked(result: Result<SrsTrust, Rejection>) -> Checked {
    match result {
        Ok(_) => (true, None, Vec::new()),
        Err(why) => (false, Some(rejection(&why)), why.codes()),
    }
}

/// Audits a proof: the verdict, and the report as text, JSON and a page.
#[pyfunction]
#[pyo3(signature = (key, proof, expect, recompile, accuracy, progress))]
pub(crate) fn audit(
    py: Python<'_>,
    key: &Key,
    proof: &Proof,
    expect: ExpectOptions,
    recompile: Option<ModelOptions>,
    accuracy: Option<PathBuf>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<(&'static str, String, String, String)> {
    let recompile = recompile.map(|options| options.recompile(py)).transpose()?;
    let (key, file, openings) = (key.0.clone(), proof.file.clone(), proof.openings.clone());
    let report = watched(py, progress, move |watch| {
        let expectation = expect.expectation(&key, openings)?;
        let accuracy = accuracy.as_deref().map(read::accuracy_report).transpose()?;
        let audit = Audit::new(&key, &file, &expectation, accuracy, recompile.as_ref(), watch)?;
        Ok(AuditReport::new(&key, &file, &expectation, audit))
    })?;
    let report = report.raised(py)?;
    let verdict = match report.verdict() {
        Verdict::Accepted => "accepted",
        Verdict::Rejected => "rejected",
        Verdict::Undecided => "undecided",
    };
    Ok((verdict, report.to_string(), json(py, &report)?, report.page()))
}
