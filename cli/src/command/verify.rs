//! `verify`: does this proof prove what I expect?

use std::{fmt, path::Path, time::Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use zkinfer_prover::files;
use zkinfer_verifier::{
    Digest, InferenceClaim, ProofFile, SrsDigest, SrsPolicy, SrsTrust, TensorLayout, VerifyingKey,
    verify,
};

use crate::{
    args,
    job::{Hex32, difference, hex},
    model::tensors,
    output::{Outcome, Output},
};

/// Larger files are neither keys nor proofs.
const MAX_BYTES: u64 = 1 << 28;

pub(crate) fn run(args: &args::Verify, output: &Output) -> Result<Outcome> {
    let start = Instant::now();
    let key = read_key(&args.key)?;
    let file = read_proof(&args.proof)?;
    let expected = expected_claim(args, &key, &file)?;
    let rejection = check(args, &key, &file, &expected).err();
    let report = Report::new(&key, &file, rejection, start.elapsed().as_secs_f64());
    output.report(&report)?;
    Ok(if report.accepted { Outcome::Accepted } else { Outcome::Rejected })
}

/// Reads a `.zkvk`.
pub(crate) fn read_key(path: &Path) -> Result<VerifyingKey> {
    let place = || format!("cannot use {} as a verifying key", path.display());
    let bytes = files::read_bounded(path, MAX_BYTES).with_context(place)?;
    VerifyingKey::decode(&bytes).with_context(place)
}

fn read_proof(path: &Path) -> Result<ProofFile> {
    let place = || format!("cannot use {} as a proof", path.display());
    let bytes = files::read_bounded(path, MAX_BYTES).with_context(place)?;
    ProofFile::decode(&bytes).with_context(place)
}

/// The claim in the file, but for what the caller says.
fn expected_claim(
    args: &args::Verify,
    key: &VerifyingKey,
    file: &ProofFile,
) -> Result<InferenceClaim> {
    let layout = &key.parts().layout;
    let input = match &args.expect_input {
        Some(path) => tensors::read_input_integers(path, &layout.inputs)?,
        None => file.claim.input.clone(),
    };
    let output = match &args.expect_output {
        Some(path) => tensors::read_output_integers(path, &layout.outputs)?,
        None => file.claim.output.clone(),
    };
    Ok(InferenceClaim {
        model: key.digest(),
        input,
        output,
        binding: args.job.expected(&file.claim.binding),
    })
}

/// `Err` is why the proof is rejected. What the file says is compared first, because that gives
/// better reasons; what decides is the proof of the expected claim.
fn check(
    args: &args::Verify,
    key: &VerifyingKey,
    file: &ProofFile,
    expected: &InferenceClaim,
) -> Result<SrsTrust, String> {
    file.check_key(key).map_err(|error| error.to_string())?;
    let layout = &key.parts().layout;
    compare("input", &layout.inputs, &expected.input, &file.claim.input)?;
    compare("output", &layout.outputs, &expected.output, &file.claim.output)?;
    if let Some(why) = difference(&expected.binding, &file.claim.binding) {
        return Err(why);
    }
    let policy = match args.allow_srs {
        Some(Hex32(digest)) => SrsPolicy::AllowSrs(SrsDigest(Digest(digest))),
        None if args.allow_insecure_srs => SrsPolicy::AllowInsecureDev,
        None => SrsPolicy::CeremonyOnly,
    };
    match verify(key, expected, &file.proof, policy) {
        Ok(verified) => Ok(verified.srs()),
        Err(error) => Err(with_advice(error)),
    }
}

fn compare(
    what: &str,
    layout: &[TensorLayout],
    expected: &[i64],
    claimed: &[i64],
) -> Result<(), String> {
    if expected.len() != claimed.len() {
        return Err(format!("{} {what} elements, expected {}", claimed.len(), expected.len()));
    }
    let owners = layout
        .iter()
        .flat_map(|tensor| (0..tensor.element_count()).map(move |element| (&tensor.name, element)));
    let mut pairs = owners.zip(expected.iter().zip(claimed));
    match pairs.find(|(_, (expected, claimed))| expected != claimed) {
        Some(((name, element), (expected, claimed))) => {
            Err(format!("{what} {name}: element {element} is {claimed} units, expected {expected}"))
        }
        None => Ok(()),
    }
}

fn with_advice(error: zkinfer_verifier::VerifyError) -> String {
    use zkinfer_verifier::VerifyError::{InsecureDevSrs, UntrustedSrs};
    let advice = match error {
        InsecureDevSrs => "; pass --allow-insecure-srs to accept it in development",
        UntrustedSrs { .. } => "; pass --allow-srs with this digest if you trust it",
        _ => "",
    };
    format!("{error}{advice}")
}

#[derive(Serialize)]
struct Report {
    accepted: bool,
    reason: Option<String>,
    model: String,
    model_digest: String,
    key_digest: String,
    srs: String,
    input: Vec<Vec<f64>>,
    output: Vec<Vec<f64>>,
    job: JobReport,
    proof_bytes: usize,
    verify_seconds: f64,
}

#[derive(Serialize)]
pub(crate) struct JobReport {
    chain: u64,
    job: String,
    payee: String,
    expiry: u64,
    nonce: u64,
}

impl From<&zkinfer_verifier::JobBinding> for JobReport {
    fn from(binding: &zkinfer_verifier::JobBinding) -> Self {
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
    fn new(key: &VerifyingKey, file: &ProofFile, reason: Option<String>, seconds: f64) -> Self {
        let parts = key.parts();
        Self {
            accepted: reason.is_none(),
            reason,
            model: parts.model_name.clone(),
            model_digest: parts.model_digest.to_string(),
            key_digest: key.digest().to_string(),
            srs: parts.srs.name.clone(),
            input: tensors::real_values(&parts.layout.inputs, &file.claim.input),
            output: tensors::real_values(&parts.layout.outputs, &file.claim.output),
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
        for output in &self.output {
            writeln!(f, "  output: {}", tensors::brief(output))?;
        }
        let JobReport { chain, job, payee, expiry, nonce } = &self.job;
        writeln!(f, "  job {job} on chain {chain}, nonce {nonce}, expires {expiry}")?;
        writeln!(f, "  pays {payee}")?;
        if self.srs == zkinfer_verifier::INSECURE_DEV {
            writeln!(f, "  under the INSECURE development SRS, which you allowed: no evidence")?;
        } else {
            writeln!(f, "  under the trusted setup {}", self.srs)?;
        }
        write!(f, "  verified in {:.1} ms", self.verify_seconds * 1e3)
    }
}
