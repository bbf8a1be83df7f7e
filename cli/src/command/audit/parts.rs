//! The audit of the proofs of all parts of a model.

use std::path::Path;

use anyhow::{Context, Result};
use zkinfer::{
    Error, PartFiles, Shapes,
    audit::{PartsAudit, RemakeParts},
    read,
    verifier::ProofFile,
};
use zkinfer_report::PartsAuditReport;

use super::{COMPILING, outcome, reads, refuse_options};
use crate::{
    args,
    output::{Outcome, Output},
    progress::watched,
};

pub(super) fn run(args: &args::Audit, manifest: &Path, output: &Output) -> Result<Outcome> {
    refuse_options(args, &[], "is not for parts, whose settings lie beside their keys")?;
    if args.model.is_none() {
        refuse_options(args, &COMPILING, "needs the ONNX file to recompile: pass --model")?;
    }
    let files = PartFiles { manifest: manifest.to_owned() };
    let manifest = files.read_manifest()?;
    let keys = files.read_keys(&manifest)?;
    let expectation = args.parts.expectation(&args.expect, (&manifest, &keys))?;
    let proofs: Vec<ProofFile> =
        args.proofs.iter().map(|path| read::proof(path)).collect::<Result<_, Error>>()?;
    let first = keys.first().context("the manifest names no parts")?;
    let shapes = [Shapes::Key(&first.parts().layout.inputs)];
    let open = |path: &std::path::PathBuf| args.import.open(path, &shapes, output);
    let model = args.model.as_ref().map(open).transpose()?;
    let remake = model.as_ref().map(|model| RemakeParts {
        model,
        files: &files,
        srs: args.srs.file.as_deref(),
    });
    let accuracy = args.accuracy.as_deref().map(read::accuracy_report).transpose()?;
    let audit = watched(output, |watch| {
        PartsAudit::new(&expectation, &proofs, accuracy, remake.as_ref(), watch)
    })?;
    let report = PartsAuditReport::new((&manifest, first), &proofs, &expectation, audit);
    output.page(args.html.as_deref(), &reads(args), || report.page())?;
    output.report(&report)?;
    Ok(outcome(report.verdict(), report.missing(), output))
}
