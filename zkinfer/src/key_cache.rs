//! What is remembered of keys that were made before, so that the next process need not make it again.
//!
//! An entry holds the sizes that the search for a layout chose, and the digest of the SRS that was
//! checked. It is named by everything that they follow from, and by the key that they gave. Beside
//! it lie tables of multiples of the SRS. Nobody believes any of it: whoever makes a key compares it
//! with the one at hand, and whoever makes a proof verifies it under that key. A damaged or foreign
//! entry costs time and changes nothing.

use std::{
    fs,
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use zkinfer_circuits::PlanSizes;
use zkinfer_engine::Store;
use zkinfer_models::{HexDigest, SEMANTICS};
use zkinfer_prover::{Srs, files};
use zkinfer_verifier::{VerifyingKey, keccak256};

use crate::{expectation::hex, model::Model, settings::Settings};

/// Separates the names of entries from every other use of Keccak-256.
const DOMAIN: &[u8] = b"zkinfer.key.v2";
/// An entry is seven numbers.
const MAX_BYTES: u64 = 512;
/// Most bytes of all entries, and of all tables; the oldest are removed.
const MOST_BYTES: [(&str, u64); 2] = [(ENTRIES, 1 << 22), (TABLES, 1 << 28)];
const ENTRIES: &str = "keys";
const TABLES: &str = "multiples";

/// What is remembered of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// The sizes of its layout.
    pub(crate) sizes: PlanSizes,
    /// The digest of the file of its SRS.
    pub(crate) srs: HexDigest,
}

/// The place of what is remembered of one key.
#[derive(Clone, Debug)]
pub(crate) struct KeyCache {
    /// The cache's folder; `None` where there is none.
    folder: Option<PathBuf>,
    entry: String,
    /// Of the SRS: tables are of one and of nothing else.
    tables: String,
}

impl KeyCache {
    /// The place for a model with these settings under this very key.
    pub(crate) fn of(model: &Model, settings: &Settings, key: &VerifyingKey) -> Self {
        let settings = settings.encode();
        let digest = keccak256(&[
            DOMAIN,
            &SEMANTICS.to_le_bytes(),
            &key.digest().0.0,
            &model.digest().0,
            &model.graph().digest(),
            settings.as_bytes(),
        ]);
        let srs = key.srs_digest().0.0;
        Self {
            folder: files::cache_dir(),
            entry: format!("{}.key", hex(&digest)),
            tables: format!("{}-{}", hex(&srs[..16]), key.parts().k),
        }
    }

    /// What is remembered, if it can be read.
    pub(crate) fn read(&self) -> Option<Remembered> {
        let bytes = files::read_bounded(&self.entry_path()?, MAX_BYTES).ok()?;
        let mut words = str::from_utf8(&bytes).ok()?.split_whitespace();
        let srs = serde_json::from_value(words.next()?.into()).ok()?;
        let numbers: Vec<u64> = words.map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(Remembered { sizes: PlanSizes::from_numbers(numbers.try_into().ok()?)?, srs })
    }

    /// Remembers the layout and the SRS of a key. A cache that cannot be written costs the next run
    /// time, and is no error.
    pub(crate) fn write(&self, sizes: PlanSizes, srs: &Srs) {
        let kept = crate::srs::cache().map(|cache| cache.keep(srs));
        let (Some(path), Some(Ok(digest))) = (self.entry_path(), kept) else { return };
        let numbers = sizes.to_numbers().map(|number| number.to_string()).join(" ");
        let text = format!("{} {numbers}\n", HexDigest(digest));
        let written: io::Result<()> =
            files::write_whole(&path, |file| file.write_all(text.as_bytes()));
        if written.is_ok() {
            self.bound();
        }
    }

    /// Forgets the key and the tables of its SRS.
    pub(crate) fn forget(&self) {
        if let Some(entry) = self.entry_path() {
            // What is not there need not be removed.
            let _ = fs::remove_file(entry);
        }
        for (path, _) in self.files_in(TABLES) {
            if name_of(&path).starts_with(&self.tables) {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// The folder, for messages.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.clone().unwrap_or_default()
    }

    fn entry_path(&self) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(ENTRIES).join(&self.entry))
    }

    fn table_path(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(TABLES).join(format!("{}-{name}", self.tables)))
    }

    fn files_in(&self, part: &str) -> Vec<(PathBuf, fs::Metadata)> {
        let folder = self.folder.as_ref().map(|folder| folder.join(part));
        let entries = folder.and_then(|folder| fs::read_dir(folder).ok());
        let entries = entries.into_iter().flatten().flatten();
        entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?))).collect()
    }

    /// Removes the oldest files of parts that have grown too large.
    fn bound(&self) {
        for (part, most) in MOST_BYTES {
            let mut files = self.files_in(part);
            let mut bytes: u64 = files.iter().map(|(_, file)| file.len()).sum();
            files.sort_by_key(|(_, file)| file.modified().unwrap_or(SystemTime::UNIX_EPOCH));
            for (path, file) in files {
                if bytes <= most {
                    break;
                }
                bytes = bytes.saturating_sub(file.len());
                let _ = fs::remove_file(path);
            }
        }
    }
}

impl Store for KeyCache {
    fn read(&self, name: &str) -> Option<Box<dyn Read + '_>> {
        let file = fs::File::open(self.table_path(name)?).ok()?;
        Some(Box::new(BufReader::with_capacity(1 << 16, file)))
    }

    fn write(&self, name: &str, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) {
        let Some(path) = self.table_path(name) else { return };
        let written: io::Result<()> = files::write_whole(&path, |file| {
            let mut writer = io::BufWriter::with_capacity(1 << 16, file);
            write(&mut writer)?;
            writer.flush()
        });
        if written.is_ok() {
            self.bound();
        }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
