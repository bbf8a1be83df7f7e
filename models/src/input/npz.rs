//! Zip archives of `.npy` files.

use std::fs::File;
use std::io::Read as _;

use zip::ZipArchive;

use super::{Array, LIMIT, npy};
use crate::error::InputError;

/// Most arrays of an archive.
const ARRAYS: usize = 1 << 16;

/// Decodes every array of real numbers; arrays of labels may be of any type and are skipped.
pub(super) fn decode(file: File) -> Result<Vec<(String, Array)>, InputError> {
    let mut archive = ZipArchive::new(file)?;
    if archive.len() > ARRAYS {
        let (got, limit) = (archive.len() as u64, ARRAYS as u64);
        return Err(InputError::FileSize { got, limit });
    }
    let mut arrays: Vec<(String, Array)> = Vec::new();
    let mut total = 0;
    for position in 0..archive.len() {
        let mut entry = archive.by_index(position)?;
        let name = entry.name().strip_suffix(".npy").unwrap_or(entry.name()).to_owned();
        if name == "labels" {
            continue;
        }
        let mut bytes = Vec::new();
        entry.by_ref().take(LIMIT + 1 - total).read_to_end(&mut bytes)?;
        total += bytes.len() as u64;
        if total > LIMIT {
            return Err(InputError::FileSize { got: total, limit: LIMIT });
        }
        if arrays.iter().any(|(other, _)| *other == name) {
            return Err(InputError::Duplicate { name });
        }
        let array = npy::decode(&bytes, &name)?;
        arrays.push((name, array));
    }
    Ok(arrays)
}
