//! The proofs of all parts of a model.

use std::{fmt, path::PathBuf, time::Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use zkinfer::{
    Error, PartFiles, PartsExpectation, PartsRejection, Shown, Side, read,
    verifier::{ClaimedValues, KeyParts, ProofFile, VerifyingKey},
};
use zkinfer_report::{JobReport, parts_rejection};

use super::verdict::{End, Verdict};
use crate::{
    args,
    output::{Outcome, Output},
};

pub(super) fn run(
    args: &args::Verify,
    manifest: &std::path::Path,
    output: &Output,
) -> Result<Outcome> {
    let files = PartFiles { manifest: manifest.to_owned() };
    let manifest = files.read_manifest()?;
    let keys = files.read_keys(&manifest)?;
    let expectation = args.parts.expectation(&args.expect, (&manifest, &keys))?;
    let proofs: Vec<ProofFile> =
        args.proofs.iter().map(|path| read::proof(path)).collect::<Result<_, Error>>()?;
    let start = Instant::now();
    let rejection = expectation.check(&proofs).err();
    let seconds = start.elapsed().as_secs_f64();
    let accepted = rejection.is_none();
    let ends = keys.first().zip(keys.last()).context("the manifest names no parts")?;
    let ends = [ends.0, ends.1].map(VerifyingKey::parts);
    output.report(&Report::new(&expectation, (args, &proofs), ends, (rejection, seconds)))?;
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
    #[serde(flatten)]
    verdict: Verdict,
    manifest_root: String,
    parts: Vec<PartReport>,
}

impl Report {
    fn new(
        expectation: &PartsExpectation<'_>,
        (args, proofs): (&args::Verify, &[ProofFile]),
        [first, last]: [&KeyParts; 2],
        (rejection, seconds): (Option<PartsRejection>, f64),
    ) -> Self {
        // What no proof shows is not shown as if one did.
        let accepted = rejection.is_none();
        let claims = proofs.first().zip(proofs.last()).filter(|_| accepted);
        let claims = claims.map(|(first, last)| (&first.claim.input, &last.claim.output));
        let shown = |layout, values: Option<&ClaimedValues>| {
            values.map_or_else(Shown::default, |values| Shown::new(layout, values, None))
        };
        let (inputs, outputs) = (&first.layout.inputs, &last.layout.outputs);
        let ends = [
            End {
                layout: inputs,
                shown: shown(inputs, claims.map(|(input, _)| input)),
                compared: expectation.compares(Side::Input),
            },
            End {
                layout: outputs,
                shown: shown(outputs, claims.map(|(_, output)| output)),
                compared: expectation.compares(Side::Output),
            },
        ];
        let reason = rejection.map(|rejection| (parts_rejection(&rejection), rejection.codes()));
        let bytes = proofs.iter().map(|file| file.proof.as_bytes().len()).sum();
        let parts = args.proofs.iter().zip(proofs).map(|(path, file)| PartReport {
            proof: path.clone(),
            key_digest: file.claim.model.to_string(),
            job: (&file.claim.binding).into(),
        });
        Self {
            verdict: Verdict::new(reason, first, ends, (bytes, seconds)),
            manifest_root: expectation.root().to_string(),
            parts: parts.collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.verdict.reason {
            return write!(f, "REJECTED: {reason}");
        }
        let (parts, root) = (self.parts.len(), &self.manifest_root);
        writeln!(f, "ACCEPTED: all {parts} parts of the manifest {root}, linked, for one job")?;
        self.verdict.write_claim(f)?;
        for (index, PartReport { job, .. }) in self.parts.iter().enumerate() {
            let expired = if job.expired { ", EXPIRED" } else { "" };
            if job.pays_nobody {
                writeln!(f, "  part {index} PAYS NOBODY{expired}")?;
            } else {
                writeln!(f, "  part {index} pays {}{expired}", job.payee)?;
            }
        }
        self.verdict.write_trust(f)
    }
}
