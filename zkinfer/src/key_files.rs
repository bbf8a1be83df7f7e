//! The files of a key: it, its settings and its accuracy report, which are one set.
//!
//! A set that is new is made exclusively: of two runs that make one in the same place, one wins,
//! and the other either would have made the same set or is refused. The settings come first,
//! because with the model they fix the key; a run that is stopped halfway leaves settings from
//! which the next run makes the same key.

use std::{
    io::{self, Write},
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use zkinfer_models::AccuracyReport;
use zkinfer_prover::files;
use zkinfer_verifier::VerifyingKey;

use crate::{
    error::Error,
    keys::{Keys, difference},
    read,
    settings::Settings,
};

/// Where the files of a key lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFiles {
    /// The verifying key, `.zkvk`.
    pub key: PathBuf,
    /// The settings, `.zkinfer.json`.
    pub settings: PathBuf,
    /// The accuracy report, `.accuracy.json`.
    pub accuracy: PathBuf,
}

/// What was found where a key is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// No key; it was written.
    New,
    /// This very key.
    Found,
}

impl KeyFiles {
    /// The files beside a model: where a key is looked for, and made, when no place is named.
    #[must_use]
    pub fn beside_model(model: &Path) -> Self {
        Self::of_key(&model.with_extension("zkvk"))
    }

    /// The files beside a model of a key for proofs of so many claims: it is a key of its own, and
    /// may lie beside that of single proofs.
    #[must_use]
    pub fn beside_model_jointly(model: &Path, claims: NonZeroU32) -> Self {
        Self::of_key(&model.with_extension(format!("joint-{claims}.zkvk")))
    }

    /// The files that belong to a key at this place.
    #[must_use]
    pub fn of_key(key: &Path) -> Self {
        Self {
            key: key.to_owned(),
            settings: key.with_extension("zkinfer.json"),
            accuracy: key.with_extension("accuracy.json"),
        }
    }

    /// The files that belong to settings at this place.
    #[must_use]
    pub fn of_settings(settings: &Path) -> Self {
        let name = settings.file_name().and_then(|name| name.to_str());
        let stem = name.and_then(|name| name.strip_suffix(".zkinfer.json"));
        let key = match stem {
            Some(stem) => settings.with_file_name(format!("{stem}.zkvk")),
            None => settings.with_extension("zkvk"),
        };
        Self { settings: settings.to_owned(), ..Self::of_key(&key) }
    }

    /// The key that is there, if one is.
    ///
    /// # Errors
    /// If the file cannot be read or is no key.
    pub fn stored(&self) -> Result<Option<VerifyingKey>, Error> {
        if self.key.exists() { read::key(&self.key).map(Some) } else { Ok(None) }
    }

    /// Whether this very key is there; another one there is an error, none is not.
    ///
    /// # Errors
    /// If the file holds another key, or no key.
    pub fn hold(&self, keys: &Keys) -> Result<bool, Error> {
        self.hold_key(keys.verifying_key())
    }

    fn hold_key(&self, key: &VerifyingKey) -> Result<bool, Error> {
        let Some(found) = self.stored()? else { return Ok(false) };
        match difference(&found, key) {
            None => Ok(true),
            Some(difference) => Err(Error::AnotherKey { path: self.key.clone(), difference }),
        }
    }

    /// Writes what is missing of a set, and nothing over another set.
    ///
    /// # Errors
    /// If another key or other settings are there, or a file cannot be written.
    pub fn store(
        &self,
        keys: &Keys,
        settings: &Settings,
        report: Option<&AccuracyReport>,
    ) -> Result<Stored, Error> {
        // Such keys were taken from the one that is there, with these settings.
        if !keys.are_made() {
            return Ok(Stored::Found);
        }
        self.store_key(keys.verifying_key(), settings, report)
    }

    /// [`Self::store`] of a key alone.
    pub(crate) fn store_key(
        &self,
        key: &VerifyingKey,
        settings: &Settings,
        report: Option<&AccuracyReport>,
    ) -> Result<Stored, Error> {
        let stored = if self.hold_key(key)? { Stored::Found } else { Stored::New };
        match stored {
            Stored::New => settings.write_new(&self.settings)?,
            // Whatever settings are there: these ones give the key that is.
            Stored::Found => self.store_settings(settings)?,
        }
        if let Some(report) = report {
            write(&self.accuracy, report.encode().as_bytes())?;
        }
        if stored == Stored::New && !write_new(&self.key, &key.encode())? {
            // Somebody was faster with the same settings, but perhaps under another SRS.
            self.hold_key(key)?;
        }
        Ok(stored)
    }

    fn store_settings(&self, settings: &Settings) -> Result<(), Error> {
        let same = |found: Settings| found == *settings;
        if self.settings.exists() && Settings::read_any(&self.settings).is_ok_and(same) {
            return Ok(());
        }
        write(&self.settings, settings.encode().as_bytes())
    }
}

/// Writes a file that is there already, or not.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    files::write_whole(path, |file| file.write_all(bytes))
        .map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Writes a file that is not there; `false` where it is.
fn write_new(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    match files::write_new(path, |file| file.write_all(bytes)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(Error::Write { path: path.to_owned(), source }),
    }
}
