//! Zip archives of `.npy` files.

use std::io::{Cursor, Read as _};

use zip::ZipArchive;

use super::{Array, LABELS, LIMIT, npy};
use crate::error::InputError;

/// Most arrays of an archive.
const ARRAYS: usize = 1 << 16;

/// The arrays of an archive.
#[derive(Clone, Debug)]
pub(super) struct Archive {
    /// All arrays of real numbers, by name.
    pub(super) arrays: Vec<(String, Array)>,
    /// The array of labels, not decoded: it may be of any type, and most readers need none.
    pub(super) labels: Option<Vec<u8>>,
}

/// Decodes every array but the labels.
pub(super) fn decode(bytes: &[u8]) -> Result<Archive, InputError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    if archive.len() > ARRAYS {
        let (got, limit) = (archive.len() as u64, ARRAYS as u64);
        return Err(InputError::FileSize { got, limit });
    }
    let mut arrays: Vec<(String, Array)> = Vec::new();
    let mut labels = None;
    let mut total = 0;
    for position in 0..archive.len() {
        let mut entry = archive.by_index(position)?;
        let name = entry.name().strip_suffix(".npy").unwrap_or(entry.name()).to_owned();
        let mut bytes = Vec::new();
        entry.by_ref().take(LIMIT + 1 - total).read_to_end(&mut bytes)?;
        total += bytes.len() as u64;
        if total > LIMIT {
            return Err(InputError::FileSize { got: total, limit: LIMIT });
        }
        if name == LABELS && labels.is_none() {
            labels = Some(bytes);
            continue;
        }
        if name == LABELS || arrays.iter().any(|(other, _)| *other == name) {
            return Err(InputError::Duplicate { name });
        }
        let array = npy::decode(&bytes, &name)?;
        arrays.push((name, array));
    }
    Ok(Archive { arrays, labels })
}
