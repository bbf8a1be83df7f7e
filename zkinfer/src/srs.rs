//! The structured reference string of a circuit.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use zkinfer_prover::{CacheEvent, CachedSrs, Ceremony, Srs, SrsCache, export_srs, files};
use zkinfer_verifier::{INSECURE_DEV, SrsDigest, SrsId, VerifyingKey};

use crate::error::Error;

/// Reads an SRS in zkinfer's format or from a `.ptau` file; its content tells which.
///
/// # Errors
/// If the file cannot be read or is refused.
pub fn load_srs(path: &Path) -> Result<Srs, Error> {
    let mut file = open(path)?;
    let mut magic = [0; 4];
    if file.read_exact(&mut magic).is_ok() && magic == *b"ptau" {
        let mut reader = BufReader::with_capacity(1 << 20, file);
        return Srs::import_ptau(&mut reader, None)
            .map_err(|source| Error::Ceremony { path: path.to_owned(), source });
    }
    Srs::load(path).map_err(|source| Error::Srs { path: path.to_owned(), source })
}

/// Imports the powers of a ceremony from a `.ptau` file, or from one that halo2 wrote (EZKL's
/// `kzg.srs`), checking every point; at most `2^k` of them.
///
/// # Errors
/// If the file cannot be read or is refused.
pub fn import_ceremony(path: &Path, k: Option<u32>) -> Result<Srs, Error> {
    let mut reader = BufReader::with_capacity(1 << 20, open(path)?);
    let imported = match Srs::is_halo2_file(&mut reader) {
        Ok(true) => Srs::import_halo2(&mut reader, k),
        Ok(false) => Srs::import_ptau(&mut reader, k),
        Err(error) => Err(error),
    };
    imported.map_err(|source| Error::Ceremony { path: path.to_owned(), source })
}

/// Makes the insecure development SRS for circuits of `2^k` rows.
///
/// # Errors
/// If `k` is too large.
pub fn development_srs(k: u32) -> Result<Srs, Error> {
    Srs::insecure_dev(k).map_err(|source| Error::DevelopmentSrs { source })
}

/// Writes an SRS in zkinfer's format.
///
/// # Errors
/// If the file cannot be written.
pub fn save_srs(srs: &Srs, path: &Path) -> Result<(), Error> {
    srs.save(path).map_err(|source| Error::Srs { path: path.to_owned(), source })
}

/// The digest of \[τ\]₂, which `--allow-srs` and keys name.
///
/// # Errors
/// If a point of the SRS has no encoding.
pub fn srs_digest(srs: &Srs) -> Result<SrsDigest, Error> {
    let exported = export_srs(srs.params(), &srs.ceremony().to_string());
    Ok(exported.map_err(|source| Error::DescribeSrs { source })?.digest())
}

/// The cache of SRS files.
pub(crate) fn cache() -> Option<SrsCache> {
    files::cache_dir().map(|folder| SrsCache::new(&folder))
}

/// The SRS of a key that was made before, without the checks that it has passed then; `None` where
/// it is not cached, or `file` is another one.
pub(crate) fn known_srs(file: Option<&Path>, key: &VerifyingKey, digest: &[u8; 32]) -> Option<Srs> {
    let ceremony = match file {
        None => Ceremony::InsecureDev,
        Some(path) => ceremony_of(path)?,
    };
    let srs = cache()?.known(ceremony, key.parts().k.into(), digest)?;
    (srs_digest(&srs).ok()? == key.srs_digest()).then_some(srs)
}

/// Who made the SRS of a file.
fn ceremony_of(path: &Path) -> Option<Ceremony> {
    let mut file = open(path).ok()?;
    let mut magic = [0; 4];
    file.read_exact(&mut magic).ok()?;
    match &magic {
        b"ptau" => Srs::ceremony_of_ptau(&mut BufReader::new(file)).ok(),
        _ => Srs::ceremony_of_file(path).ok(),
    }
}

/// The SRS for a circuit of `2^k` rows: from `file`, or the development one. Both are cached.
pub(crate) fn srs_for_circuit(file: Option<&Path>, k: u32) -> Result<CachedSrs, Error> {
    let cache = cache();
    let given = file.map(load_srs).transpose()?;
    let uncached = |srs| CachedSrs { srs, event: CacheEvent::Made };
    let chosen = match (&given, &cache) {
        (None, None) => Srs::insecure_dev(k).map(uncached),
        (None, Some(cache)) => cache.insecure_dev(k),
        (Some(srs), None) => srs.downsize(k).map(uncached),
        (Some(srs), Some(cache)) => cache.downsize(srs, k),
    };
    chosen.map_err(|source| match file {
        Some(path) => Error::SrsOfModel { path: path.to_owned(), source },
        None => Error::DevelopmentSrs { source },
    })
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// What is known of the secret of a trusted setup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SetupKind {
    /// Of a public ceremony that this version knows.
    Ceremony,
    /// It is public: for development.
    InsecureDevelopment,
    /// Nothing is known.
    Unknown,
}

impl SetupKind {
    /// The kind of an SRS that a key names.
    #[must_use]
    pub fn of(srs: &SrsId) -> Self {
        match srs.ceremony() {
            Some(_) => Self::Ceremony,
            None if srs.name == INSECURE_DEV => Self::InsecureDevelopment,
            None => Self::Unknown,
        }
    }
}
