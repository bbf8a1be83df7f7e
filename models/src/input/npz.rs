//! Zip archives of `.npy` files.

use std::collections::HashSet;
use std::io::{Cursor, Read as _};

use zip::ZipArchive;

use super::array::Array;
use super::error::{FileKind, InputError};
use super::kind::LIMIT;
use super::labels::LABELS;
use super::npy;
use super::samples::{Member, OUTPUT};

/// Most arrays of an archive.
const ARRAYS: usize = 1 << 16;

/// The arrays of an archive.
#[derive(Clone, Debug)]
pub(super) struct Archive {
    /// All arrays of numbers, by name; no name twice.
    pub(super) arrays: Vec<(String, Array)>,
    /// The array of labels, not decoded: it may be of any type, and most readers need none.
    pub(super) labels: Option<Vec<u8>>,
}

impl Archive {
    /// Whether there are outputs beside the inputs.
    pub(super) fn has_outputs(&self) -> bool {
        self.arrays.iter().any(|(name, _)| Member::of(name).is_some_and(|m| m.direction == OUTPUT))
    }
}

/// Decodes every array but the labels.
pub(super) fn decode(bytes: &[u8]) -> Result<Archive, InputError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    if archive.len() > ARRAYS {
        return Err(InputError::ManyArrays { got: archive.len(), limit: ARRAYS });
    }
    if archive.file_names().any(|name| name.ends_with("data.pkl")) {
        return Err(InputError::Kind(FileKind::Torch));
    }
    let mut names = HashSet::new();
    let mut arrays = Vec::new();
    let mut labels = None;
    let mut total = 0;
    for position in 0..archive.len() {
        let mut entry = archive.by_index(position)?;
        let name = entry.name().strip_suffix(".npy").unwrap_or(entry.name()).to_owned();
        if !names.insert(name.clone()) {
            return Err(InputError::Duplicate { name });
        }
        let mut bytes = Vec::new();
        entry.by_ref().take(LIMIT + 1 - total).read_to_end(&mut bytes)?;
        total += bytes.len() as u64;
        if total > LIMIT {
            return Err(InputError::FileSize { got: total, limit: LIMIT });
        }
        if name == LABELS {
            labels = Some(bytes);
        } else {
            let array = npy::decode(&bytes, &name)?;
            arrays.push((name, array));
        }
    }
    Ok(Archive { arrays, labels })
}
