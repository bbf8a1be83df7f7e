//! `srs gen`, `srs import`, `srs info`.

use std::{
    fmt,
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Serialize;
use zkinfer_prover::{CacheEvent, CachedSrs, Srs, SrsCache, export_srs, files};

use crate::{
    args,
    output::{Outcome, Output},
    progress::timed,
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
    let (srs, seconds) =
        timed(output, "making the development SRS", None, || Srs::insecure_dev(args.k));
    let srs = srs?;
    save(&srs, &args.output)?;
    Report::new(&srs, &args.output, seconds)
}

fn import(args: &args::SrsImport, output: &Output) -> Result<Report> {
    let path = args.output.clone().unwrap_or_else(|| args.file.with_extension("srs"));
    let file =
        File::open(&args.file).with_context(|| format!("cannot open {}", args.file.display()))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (srs, seconds) =
        timed(output, "checking the powers of τ", None, || Srs::import_ptau(&mut reader, args.k));
    let srs = srs.with_context(|| format!("{} is refused", args.file.display()))?;
    save(&srs, &path)?;
    Report::new(&srs, &path, seconds)
}

fn info(args: &args::SrsInfo, output: &Output) -> Result<Report> {
    let (srs, seconds) = timed(output, "checking the SRS", None, || load(&args.file));
    Report::new(&srs?, &args.file, seconds)
}

fn save(srs: &Srs, path: &Path) -> Result<()> {
    srs.save(path).with_context(|| format!("cannot write {}", path.display()))
}

/// Reads an SRS in zkinfer's format or from a `.ptau` file.
fn load(path: &Path) -> Result<Srs> {
    let place = || format!("cannot use {} as an SRS", path.display());
    let mut file = File::open(path).with_context(place)?;
    let mut magic = [0; 4];
    if file.read_exact(&mut magic).is_ok() && magic == *b"ptau" {
        let mut reader = BufReader::with_capacity(1 << 20, file);
        return Srs::import_ptau(&mut reader, None).with_context(place);
    }
    Srs::load(path).with_context(place)
}

/// The SRS for a circuit of `2^k` rows: from `file`, or the development one.
pub(crate) fn for_circuit(file: Option<&Path>, k: u32, output: &Output) -> Result<Srs> {
    let cache = files::cache_dir().map(|folder| SrsCache::new(&folder));
    let given = file.map(load).transpose()?;
    let cached = match (&given, &cache) {
        (None, None) => return Ok(Srs::insecure_dev(k)?),
        (None, Some(cache)) => cache.insecure_dev(k),
        (Some(srs), None) => return Ok(srs.downsize(k)?),
        (Some(srs), Some(cache)) => cache.downsize(srs, k),
    };
    let CachedSrs { srs, event } = cached.with_context(|| match file {
        Some(path) => format!("{} does not serve this model", path.display()),
        None => "no development SRS".to_owned(),
    })?;
    match event {
        CacheEvent::Replaced { path, fault } => output.remark(format_args!(
            "warning: the cached {} was not what it should be and has been replaced: {fault}",
            path.display()
        )),
        CacheEvent::NotStored { path, fault } => output.remark(format_args!(
            "warning: the SRS could not be cached as {}: {fault}",
            path.display()
        )),
        _ => {}
    }
    Ok(srs)
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
}

impl Report {
    fn new(srs: &Srs, file: &Path, seconds: f64) -> Result<Self> {
        let name = srs.ceremony().to_string();
        Ok(Self {
            insecure: srs.ceremony().is_insecure(),
            k: srs.k(),
            digest: export_srs(srs.params(), &name)?.digest().to_string(),
            bytes: file.metadata()?.len(),
            file: file.to_owned(),
            name,
            seconds,
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
        write!(f, "  checked in {:.1} s", self.seconds)
    }
}
