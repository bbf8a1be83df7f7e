//! Plans of keys that were made before: a search that need not be repeated.
//!
//! An entry holds the few sizes that the search chose. It is named by everything that they follow
//! from, and by the key that they gave. Nobody believes it: whoever uses one makes the key and
//! compares it with the one at hand, so a damaged or foreign entry costs time and changes nothing.

use std::{io::Write, path::PathBuf};

use zkinfer_circuits::PlanSizes;
use zkinfer_prover::files;
use zkinfer_verifier::{VerifyingKey, keccak256};

use crate::{model::Model, settings::Settings};

/// Separates the names of entries from every other use of Keccak-256.
const DOMAIN: &[u8] = b"zkinfer.plan.v1";
/// An entry is six numbers.
const MAX_BYTES: u64 = 256;

/// The place of one plan.
#[derive(Debug)]
pub(crate) struct PlanCache(Option<PathBuf>);

impl PlanCache {
    /// The entry for a model with these settings under this very key.
    pub(crate) fn entry(model: &Model, settings: &Settings, key: &VerifyingKey) -> Self {
        let settings = settings.encode();
        let digest =
            keccak256(&[DOMAIN, &key.digest().0.0, &model.digest().0, settings.as_bytes()]);
        let name = format!("{}.plan", crate::hex(&digest));
        Self(files::cache_dir().map(|folder| folder.join("plans").join(name)))
    }

    /// The sizes that are kept, if they can be read.
    pub(crate) fn read(&self) -> Option<PlanSizes> {
        let bytes = files::read_bounded(self.0.as_deref()?, MAX_BYTES).ok()?;
        let numbers = str::from_utf8(&bytes).ok()?.split_whitespace();
        let numbers: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
        PlanSizes::from_numbers(numbers.try_into().ok()?)
    }

    /// Keeps sizes. A cache that cannot be written costs the next run a search, and is no error.
    pub(crate) fn write(&self, sizes: PlanSizes) {
        let Some(path) = &self.0 else { return };
        let numbers = sizes.to_numbers().map(|number| number.to_string());
        let text = numbers.join(" ") + "\n";
        let _ = files::write_whole(path, |file| file.write_all(text.as_bytes()));
    }
}
