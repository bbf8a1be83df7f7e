//! Files that are written whole or not at all, and where cached ones lie.

use std::{
    env,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// Writes a file beside its place, flushes it to the disk, then moves it there: whoever looks sees
/// the old file or the whole new one. Missing folders are made. A link to a file is followed.
///
/// # Errors
/// If the place is a folder, a device or a pipe, or whatever `write` and the operating system report.
pub fn write_whole<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    write_then(path, write, make_shareable, replace)
}

/// [`write_whole`] for a file that must not be there yet: of all who write it at once, one succeeds.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if it is there, else as [`write_whole`].
pub fn write_new<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    write_then(path, write, make_shareable, keep_other)
}

/// [`write_whole`] for a file that holds secrets: only its owner can read it.
///
/// # Errors
/// As [`write_whole`].
pub fn write_whole_private<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    write_then(path, write, |_| Ok(()), replace)
}

/// [`write_new`] for a file that holds secrets: only its owner can read it.
///
/// # Errors
/// As [`write_new`].
pub fn write_new_private<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    write_then(path, write, |_| Ok(()), keep_other)
}

fn write_then<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), E>,
    set_access: fn(&File) -> io::Result<()>,
    persist: fn(NamedTempFile, &Path) -> io::Result<File>,
) -> Result<(), E> {
    let path = &place(path)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    write(file.as_file_mut())?;
    set_access(file.as_file())?;
    file.as_file().sync_all()?;
    persist(file, path)?;
    sync_folder(folder)?;
    Ok(())
}

/// Where a file can be moved to, for a path that may be a link to it. What is moved to a device's name
/// takes its place: `/dev/null` would be a file from then on.
fn place(path: &Path) -> io::Result<PathBuf> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
        Ok(found) if !found.is_file() => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a device or a pipe, no file"))
        }
        Ok(_) => path.canonicalize(),
        Err(_) => Ok(path.to_owned()),
    }
}

fn replace(file: NamedTempFile, path: &Path) -> io::Result<File> {
    file.persist(path).map_err(|error| error.error)
}

fn keep_other(file: NamedTempFile, path: &Path) -> io::Result<File> {
    file.persist_noclobber(path).map_err(|error| error.error)
}

/// Temporary files are private; most made here are ordinary.
#[cfg(unix)]
fn make_shareable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_shareable(_: &File) -> io::Result<()> {
    Ok(())
}

/// A rename lasts once its folder is on the disk.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Reads a file of at most `limit` bytes; a larger one is refused before it is read.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`], or whatever the operating system reports.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= limit => Ok(bytes),
        _ => Err(io::Error::from(io::ErrorKind::FileTooLarge)),
    }
}

/// The folder for files that can be made again: `$ZKINFER_CACHE_DIR`, else
/// `$XDG_CACHE_HOME/zkinfer`, else `~/.cache/zkinfer`. `None` where there is no home either.
///
/// The environment chooses where files lie, never what they must contain.
#[must_use]
pub fn cache_dir() -> Option<PathBuf> {
    let folder =
        |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("ZKINFER_CACHE_DIR")
        .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("zkinfer")))
        .or_else(|| folder("HOME").map(|home| home.join(".cache").join("zkinfer")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("file");
        write_whole(&path, |file| io::Write::write_all(file, b"old")).unwrap();
        let failed = write_whole(&path, |file| {
            io::Write::write_all(file, b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn of_many_writers_of_a_new_file_one_succeeds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let write = |byte: u8| {
            write_new(&path, |file| io::Write::write_all(file, &[byte; 64]))
                .map_err(|error: io::Error| error.kind())
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|byte| scope.spawn(move || write(byte))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let won: Vec<_> = (0_u8..).zip(&results).filter(|(_, result)| result.is_ok()).collect();
        assert_eq!(won.len(), 1);
        assert_eq!(fs::read(&path).unwrap(), [won[0].0; 64]);
        let lost = results.iter().filter(|result| **result == Err(io::ErrorKind::AlreadyExists));
        assert_eq!(lost.count(), 7);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_folder_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let refused = write_whole(folder.path(), |_| Ok::<_, io::Error>(()));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }

    #[test]
    fn a_larger_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, [7; 10]).unwrap();
        assert_eq!(read_bounded(&path, 10).unwrap(), [7; 10]);
        assert_eq!(read_bounded(&path, 9).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
