//! SRS files that are kept because making them takes time.

use std::path::{Path, PathBuf};

use super::{Ceremony, Srs, SrsError};

/// The largest `k` of an SRS that is kept as it was given: 32 MiB.
const LARGEST_KEPT: u32 = 18;

/// A folder of SRS files, each named by its ceremony and `k` and checked when it is read.
#[derive(Clone, Debug)]
pub struct SrsCache {
    folder: PathBuf,
}

/// An SRS and how the cache came by it.
#[derive(Debug)]
pub struct CachedSrs {
    /// The SRS.
    pub srs: Srs,
    /// Where it came from.
    pub event: CacheEvent,
}

/// What happened at the cache.
#[derive(Debug)]
#[non_exhaustive]
pub enum CacheEvent {
    /// The file was there and right.
    Read,
    /// There was none; it was made and stored.
    Made,
    /// The file was not what its name says; it was made anew and replaced.
    Replaced {
        /// The file.
        path: PathBuf,
        /// What was wrong with it.
        fault: SrsError,
    },
    /// It was made and could not be stored, so the next run makes it again.
    NotStored {
        /// The file.
        path: PathBuf,
        /// Why not.
        fault: SrsError,
    },
}

impl SrsCache {
    /// A cache in `folder`, which is made when it is needed.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.join("srs") }
    }

    /// [`Srs::insecure_dev`], from the cache where it is there.
    ///
    /// # Errors
    /// If `k` is too large. A cache that cannot be read or written is no error.
    pub fn insecure_dev(&self, k: u32) -> Result<CachedSrs, SrsError> {
        self.entry(Ceremony::InsecureDev, k, || Srs::insecure_dev(k))
    }

    /// [`Srs::downsize`], from the cache where it is there.
    ///
    /// # Errors
    /// If `srs` is too small. A cache that cannot be read or written is no error.
    pub fn downsize(&self, srs: &Srs, k: u32) -> Result<CachedSrs, SrsError> {
        if k == srs.k() {
            return Ok(CachedSrs { srs: srs.clone(), event: CacheEvent::Read });
        }
        self.entry(srs.ceremony(), k, || srs.downsize(k))
    }

    /// The SRS of a ceremony as it was cached before, with this digest: its powers are not checked
    /// again, see [`Srs::load_known`]. `None` where it is not there.
    #[must_use]
    pub fn known(&self, ceremony: Ceremony, k: u32, digest: &[u8; 32]) -> Option<Srs> {
        let srs = Srs::load_known(&self.path(ceremony, k), digest).ok()?;
        (srs.ceremony() == ceremony && srs.k() == k).then_some(srs)
    }

    /// Keeps an SRS that was checked, if it is not too large, and gives its digest.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, srs: &Srs) -> Result<[u8; 32], SrsError> {
        let (path, digest) = (self.path(srs.ceremony(), srs.k()), srs.digest()?);
        if srs.k() <= LARGEST_KEPT && !Srs::is_file_of(&path, &digest) {
            srs.save(&path)?;
        }
        Ok(digest)
    }

    fn path(&self, ceremony: Ceremony, k: u32) -> PathBuf {
        let name = ceremony.to_string().replace(' ', "-");
        self.folder.join(format!("{name}-{k}.srs"))
    }

    fn entry(
        &self,
        ceremony: Ceremony,
        k: u32,
        make: impl FnOnce() -> Result<Srs, SrsError>,
    ) -> Result<CachedSrs, SrsError> {
        let path = self.path(ceremony, k);
        let fault = match read(&path, ceremony, k) {
            Ok(srs) => return Ok(CachedSrs { srs, event: CacheEvent::Read }),
            Err(SrsError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(fault) => Some(fault),
        };
        let srs = make()?;
        let event = match (srs.save(&path), fault) {
            (Ok(()), None) => CacheEvent::Made,
            (Ok(()), Some(fault)) => CacheEvent::Replaced { path, fault },
            (Err(fault), _) => CacheEvent::NotStored { path, fault },
        };
        Ok(CachedSrs { srs, event })
    }
}

fn read(path: &Path, expected: Ceremony, expected_k: u32) -> Result<Srs, SrsError> {
    let srs = Srs::load(path)?;
    let (found, found_k) = (srs.ceremony(), srs.k());
    if (found, found_k) != (expected, expected_k) {
        return Err(SrsError::Other { expected, expected_k, found, found_k });
    }
    Ok(srs)
}
