//! `srs gen`, `srs import`, `srs info`.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::Result;
use serde::Serialize;
use zkinfer::{
    Error, development_srs, import_ceremony, load_srs, prover::Srs, read, save_srs, srs_digest,
};

use crate::{
    args,
    output::{Outcome, Output, same_file},
    progress::timed,
    text::Ceremony,
};

pub(crate) fn run(command: args::Srs, output: &Output) -> Result<Outcome> {
    let report = match command {
        args::Srs::Gen(args) => generate(&args, output)?,
        args::Srs::Import(args) => import(&args, output)?,
        args::Srs::Info(args) => info(&args, output)?,
    };
    output.report(&report)?;
    Ok(Outcome::Accepted)
}

fn generate(args: &args::SrsGen, output: &Output) -> Result<Report> {
    let (srs, seconds) = timed(output, "making the development SRS", || development_srs(args.k));
    let srs = srs?;
    save_srs(&srs, &args.output)?;
    Report::new(&srs, &args.output, seconds)
}

fn import(args: &args::SrsImport, output: &Output) -> Result<Report> {
    let path = args.output.clone().unwrap_or_else(|| args.file.with_extension("srs"));
    if same_file(&path, &args.file) {
        return Err(Error::Overwritten { path }.into());
    }
    let (srs, seconds) =
        timed(output, "checking the powers of τ", || import_ceremony(&args.file, args.k));
    let srs = srs?;
    save_srs(&srs, &path)?;
    Report::new(&srs, &path, seconds)
}

fn info(args: &args::SrsInfo, output: &Output) -> Result<Report> {
    let (srs, seconds) = timed(output, "checking the SRS", || load_srs(&args.file));
    let mut report = Report::new(&srs?, &args.file, seconds)?;
    report.key = args.key.as_deref().map(read::key).transpose()?.map(|key| KeyNeeds {
        k: key.parts().k.into(),
        serves: u32::from(key.parts().k) <= report.k,
        is_its_own: key.srs_digest().to_string() == report.digest,
    });
    Ok(report)
}

/// What a key needs, and whether the file has it.
#[derive(Serialize)]
struct KeyNeeds {
    k: u32,
    serves: bool,
    /// Whether the key was made under this SRS.
    is_its_own: bool,
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    name: String,
    insecure: bool,
    k: u32,
    digest: String,
    bytes: u64,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyNeeds>,
}

impl Report {
    fn new(srs: &Srs, file: &Path, seconds: f64) -> Result<Self> {
        let name = srs.ceremony().to_string();
        Ok(Self {
            insecure: srs.ceremony().is_insecure(),
            k: srs.k(),
            digest: srs_digest(srs)?.to_string(),
            bytes: file.metadata()?.len(),
            file: file.to_owned(),
            name,
            seconds,
            key: None,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.file.display(), self.name)?;
        writeln!(f, "  serves circuits of up to 2^{} rows; {} bytes", self.k, self.bytes)?;
        writeln!(f, "  digest of [τ]₂: {}", self.digest)?;
        if self.insecure {
            writeln!(f, "  INSECURE: its secret is public, anybody can forge proofs under it")?;
        }
        match &self.key {
            Some(KeyNeeds { k, serves: false, .. }) => {
                writeln!(f, "  TOO SMALL for the model of this key, which needs {}", Ceremony(*k))?;
            }
            Some(KeyNeeds { k, is_its_own, .. }) => {
                let own = if *is_its_own { "; it is the key's" } else { "; the key has another" };
                writeln!(f, "  serves the model of this key, which needs 2^{k} rows{own}")?;
            }
            None => writeln!(f, "  for a larger model: {}", Ceremony(self.k + 1))?,
        }
        write!(f, "  checked in {:.1} s", self.seconds)
    }
}
