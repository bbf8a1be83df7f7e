//! Telling formats apart by content.

use std::borrow::Cow;

use super::error::{FileKind, InputError};

/// Most bytes of a file, unpacked.
pub(super) const LIMIT: u64 = 1 << 28;

/// A format that is read, with its text where it has one.
pub(super) enum Kind<'a> {
    Npy,
    Npz,
    Json(Cow<'a, str>),
    Table(Cow<'a, str>),
}

/// How files begin that people give by mistake and that are no text.
const FOREIGN: [(&[u8], FileKind); 9] = [
    (b"\x89PNG", FileKind::Image),
    (b"\xff\xd8\xff", FileKind::Image),
    (b"GIF8", FileKind::Image),
    (b"BM", FileKind::Image),
    (b"\x89HDF", FileKind::Hdf5),
    (b"PAR1", FileKind::Parquet),
    (b"ARROW1", FileKind::Parquet),
    (b"\x80", FileKind::Pickle),
    (b"\x1f\x8b", FileKind::Gzip),
];
/// How git-lfs marks what stands for a file that was not fetched.
const LFS_POINTER: &str = "version https://git-lfs";

/// The kind of a file.
pub(super) fn of(bytes: &[u8]) -> Result<Kind<'_>, InputError> {
    if bytes.starts_with(b"\x93NUMPY") {
        return Ok(Kind::Npy);
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return Ok(Kind::Npz);
    }
    let Some(text) = text(bytes).filter(|text| !text.contains('\0')) else {
        let known = FOREIGN.iter().find(|(magic, _)| bytes.starts_with(magic));
        return Err(InputError::Kind(known.map_or(FileKind::Other, |(_, kind)| *kind)));
    };
    match text.trim_ascii_start().bytes().next() {
        None => Err(InputError::Empty),
        Some(b'{' | b'[') => Ok(Kind::Json(text)),
        Some(b'<') => Err(InputError::Kind(FileKind::Markup)),
        Some(_) if text.starts_with(LFS_POINTER) => Err(InputError::Kind(FileKind::LfsPointer)),
        Some(_) => Ok(Kind::Table(text)),
    }
}

/// The text of a file in UTF-8, or in UTF-16 with a byte-order mark; without that mark.
fn text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let (decode, rest): (fn([u8; 2]) -> u16, _) = match bytes {
        [0xff, 0xfe, rest @ ..] => (u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => (u16::from_be_bytes, rest),
        _ => {
            let text = std::str::from_utf8(bytes).ok()?;
            return Some(Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text)));
        }
    };
    let (units, []) = rest.as_chunks::<2>() else { return None };
    let characters = char::decode_utf16(units.iter().map(|unit| decode(*unit)));
    characters.collect::<Result<String, _>>().ok().map(Cow::Owned)
}
