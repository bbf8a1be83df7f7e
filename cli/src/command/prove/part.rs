//! The proof of one part of a model.

use std::{fmt, path::PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkinfer::{InputData, Links, Part, PartFiles, Shapes, read, write_proof};
use zkinfer_report::JobReport;

use crate::{
    args,
    output::{Outcome, Output, same_file},
    progress::watched,
    text,
};

pub(super) fn run(
    args: &args::Prove,
    (manifest, index, links): (&PathBuf, usize, &PathBuf),
    output: &Output,
) -> Result<Outcome> {
    let files = PartFiles { manifest: manifest.clone() };
    let proof = args.output.clone();
    let proof = proof.unwrap_or_else(|| files.key(index).key.with_extension("zkproof"));
    let opening = args.opening.clone().unwrap_or_else(|| proof.with_extension("zkopening"));
    let first = read::key(&files.key(0).key)?;
    let shapes = [Shapes::Key(&first.parts().layout.inputs)];
    let model = args.import.open(&args.model, &shapes, output)?;
    let data = args.input.input.as_deref().map(InputData::read).transpose()?;
    let input = data.as_ref().map(|data| model.input(data)).transpose()?;
    let links = Links::in_folder(links);
    let key = files.key(index);
    let of_links = [index.checked_sub(1), Some(index)].into_iter().flatten();
    let of_links: Vec<_> = of_links.map(|part| links.given_by(part)).collect();
    let read = [&args.model, manifest, &key.key, &key.settings].into_iter().chain(&of_links);
    let read = read.map(PathBuf::as_path).chain(args.input.input.as_deref());
    let read: Vec<_> = read.collect();
    for path in [&proof, &opening] {
        if read.iter().any(|other| same_file(path, other)) {
            return Err(zkinfer::Error::Overwritten { path: path.clone() }.into());
        }
    }
    let devices = args.icicle.devices(args.instructions)?;
    let device = devices.choose(args.device.into(), first.parts().k.into())?;
    let srs = args.srs.file.as_deref();
    let part = watched(output, |watch| Part::open(&model, &files, index, srs, &device, watch))?;
    let job = args.job.binding();
    let proven = watched(output, |watch| part.prove(input.as_deref(), &links, &job, watch))?;
    write_proof(&proven, &proof, &opening)?;
    let key = part.keys().verifying_key();
    output.report(&Report {
        model: text::model(key.parts().model_name.as_deref(), key.parts().model_digest),
        model_digest: key.parts().model_digest.to_string(),
        manifest: manifest.clone(),
        manifest_root: part.root().to_string(),
        part: index,
        parts: part.count(),
        key_digest: key.digest().to_string(),
        k: key.parts().k.into(),
        device: device.name(),
        setup_seconds: part.keys().seconds,
        prove_seconds: proven.prove_seconds,
        verify_seconds: proven.verify_seconds,
        proof_bytes: proven.file.proof.as_bytes().len(),
        job: (&proven.file.claim.binding).into(),
        opening: proven.hides().then_some(opening),
        proof,
    })?;
    Ok(Outcome::Accepted)
}

#[derive(Serialize)]
struct Report {
    model: String,
    model_digest: String,
    manifest: PathBuf,
    manifest_root: String,
    part: usize,
    parts: usize,
    key_digest: String,
    k: u32,
    device: &'static str,
    setup_seconds: f64,
    prove_seconds: f64,
    verify_seconds: f64,
    proof_bytes: usize,
    job: JobReport,
    proof: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    opening: Option<PathBuf>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, part, parts, .. } = self;
        writeln!(f, "Proved part {part} (counted from 0) of {parts} of the model {model}.")?;
        writeln!(f, "  It is worth something only with the proofs of all other parts.")?;
        writeln!(f, "  2^{} rows, device {}", self.k, self.device)?;
        writeln!(
            f,
            "  keys {:.2} s, proof {:.2} s, {} bytes, verified in {:.1} ms",
            self.setup_seconds,
            self.prove_seconds,
            self.proof_bytes,
            self.verify_seconds * 1e3
        )?;
        writeln!(f, "{}", self.job)?;
        write!(f, "  {}", self.proof.display())
    }
}
