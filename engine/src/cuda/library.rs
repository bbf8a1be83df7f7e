//! Shared libraries by their names.

use std::{error::Error, path::PathBuf};

use libloading::Library;

/// Opens the first of the libraries that is there: by its name, as the system looks for it, and in
/// the folders. Otherwise the system's reason for the first.
#[expect(unsafe_code, reason = "a shared library runs code when it is loaded")]
pub(super) fn open(names: &[&str], folders: &[PathBuf]) -> Result<Library, String> {
    let in_folders = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
    let candidates = names.iter().map(PathBuf::from).chain(in_folders);
    let mut reason = None;
    for path in candidates {
        // SAFETY: NVIDIA's libraries, or what the tests built; whoever can replace them under these
        // names runs code here without our help.
        match unsafe { Library::new(&path) } {
            Ok(library) => return Ok(library),
            Err(why) => {
                // The message without its source says only that loading failed.
                let said = why.source().map_or_else(|| why.to_string(), ToString::to_string);
                reason.get_or_insert(said);
            }
        }
    }
    Err(reason.unwrap_or_else(|| "no name".to_owned()))
}
