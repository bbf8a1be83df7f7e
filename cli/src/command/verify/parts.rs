//! The proofs of all parts of a model.

use std::{fmt, path::PathBuf, time::Instant};

use anyhow::Result;
use serde::Serialize;
use zkinfer::{
    Error, NamedTensor, PartFiles, PartsExpectation, PartsRejection, Shown, Side, models, read,
    verifier::{Digest, ProofFile, VerifyingKey},
};
use zkinfer_report::JobReport;

use super::side;
use crate::{
    args,
    job::{Hex20, Hex32},
    output::{Outcome, Output},
    text::{Trust, model},
};

pub(super) fn run(
    args: &args::Verify,
    manifest: &std::path::Path,
    output: &Output,
) -> Result<Outcome> {
    let files = PartFiles { manifest: manifest.to_owned() };
    let manifest = files.read_manifest()?;
    let keys = files.read_keys(&manifest)?;
    let expect = &args.expect;
    let job = expect.job.binding();
    let payees = args.parts.payees.iter().map(|Hex20(payee)| *payee).collect::<Vec<_>>();
    let expectation = PartsExpectation::new(&manifest, &keys, job.job_id, expect.policy())
        .manifest(args.parts.expect_manifest.map(|Hex32(root)| Digest(root)))
        .payees((!payees.is_empty()).then_some(payees))
        .each(|part| expect.set_common(part))
        .input(expect.input())?
        .output(expect.output())?;
    let proofs: Vec<ProofFile> =
        args.proofs.iter().map(|path| read::proof(path)).collect::<Result<_, Error>>()?;
    let start = Instant::now();
    let rejection = expectation.check(&proofs).err();
    let seconds = start.elapsed().as_secs_f64();
    let accepted = rejection.is_none();
    output.report(&Report::new((&expectation, &keys), (args, &proofs), rejection, seconds))?;
    Ok(if accepted { Outcome::Accepted } else { Outcome::Rejected })
}

#[derive(Serialize)]
struct PartReport {
    proof: PathBuf,
    key_digest: String,
    job: JobReport,
}

#[derive(Serialize)]
struct Report {
    accepted: bool,
    reason: Option<String>,
    reason_codes: Vec<&'static str>,
    model: String,
    model_digest: String,
    manifest_root: String,
    srs: String,
    input: Option<Vec<Vec<f64>>>,
    input_names: Vec<String>,
    input_compared: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_commitment: Option<String>,
    output: Option<Vec<Vec<f64>>>,
    output_names: Vec<String>,
    output_compared: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_commitment: Option<String>,
    parts: Vec<PartReport>,
    proof_bytes: usize,
    verify_seconds: f64,
}

impl Report {
    fn new(
        (expectation, keys): (&PartsExpectation<'_>, &[VerifyingKey]),
        (args, proofs): (&args::Verify, &[ProofFile]),
        rejection: Option<PartsRejection>,
        verify_seconds: f64,
    ) -> Self {
        let accepted = rejection.is_none();
        let first = keys.first().zip(proofs.first());
        let last = keys.last().zip(proofs.last());
        // What no proof shows is not shown as if one did.
        let of = |end: Option<(&VerifyingKey, &ProofFile)>, side: Side| {
            let (key, file) = end.filter(|_| accepted)?;
            let layout = &key.parts().layout;
            Some(match side {
                Side::Input => Shown::new(&layout.inputs, &file.claim.input, None),
                Side::Output => Shown::new(&layout.outputs, &file.claim.output, None),
            })
        };
        let (input, output) = (of(first, Side::Input), of(last, Side::Output));
        let names = |tensors: &[NamedTensor]| -> Vec<String> {
            tensors.iter().map(|tensor| tensor.name.clone()).collect()
        };
        let tensors = |shown: &Option<Shown>| shown.as_ref()?.tensors.clone();
        let values = |tensors: Vec<NamedTensor>| -> Vec<Vec<f64>> {
            tensors.into_iter().map(|tensor| tensor.values).collect()
        };
        let parts = args.proofs.iter().zip(proofs).map(|(path, file)| PartReport {
            proof: path.clone(),
            key_digest: file.claim.model.to_string(),
            job: (&file.claim.binding).into(),
        });
        let compared = |side| {
            expectation.ends().is_some_and(|[first, last]| match side {
                Side::Input => first.compares(side),
                Side::Output => last.compares(side),
            })
        };
        let key = keys.first().map(VerifyingKey::parts);
        Self {
            accepted,
            reason: rejection.as_ref().map(PartsRejection::to_string),
            reason_codes: rejection.as_ref().map(PartsRejection::codes).unwrap_or_default(),
            model: key
                .map_or_else(String::new, |key| model(key.model_name.as_deref(), key.model_digest)),
            model_digest: expectation.model().to_string(),
            manifest_root: expectation.root().to_string(),
            srs: key.map_or_else(String::new, |key| key.srs.name.clone()),
            input_names: names(&tensors(&input).unwrap_or_default()),
            input: tensors(&input).map(values),
            input_compared: compared(Side::Input),
            input_commitment: input.and_then(|shown| shown.commitment),
            output_names: names(&tensors(&output).unwrap_or_default()),
            output: tensors(&output).map(values),
            output_compared: compared(Side::Output),
            output_commitment: output.and_then(|shown| shown.commitment),
            parts: parts.collect(),
            proof_bytes: proofs.iter().map(|file| file.proof.as_bytes().len()).sum(),
            verify_seconds,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.reason {
            return write!(f, "REJECTED: {reason}");
        }
        let (parts, root) = (self.parts.len(), &self.manifest_root);
        writeln!(f, "ACCEPTED: all {parts} parts of the manifest {root}, linked, for one job")?;
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
        for (index, PartReport { job, .. }) in self.parts.iter().enumerate() {
            let expired = if job.expired { ", EXPIRED" } else { "" };
            if job.pays_nobody {
                writeln!(f, "  part {index} PAYS NOBODY{expired}")?;
            } else {
                writeln!(f, "  part {index} pays {}{expired}", job.payee)?;
            }
        }
        writeln!(f, "  {}", Trust(&self.srs))?;
        write!(f, "  verified in {:.1} ms", self.verify_seconds * 1e3)
    }
}
