//! Arrays in numpy's format, of real numbers. Nothing is allocated before the length is checked.

use super::{Array, LABELS};
use crate::error::InputError;

/// Decodes a whole `.npy` file; `name` is for messages.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Array, InputError> {
    let (header, data) = split(bytes, name)?;
    let (data, rest) = Element::of(header.descr).read(data).ok_or_else(|| {
        InputError::ElementType { input: name.to_owned(), got: header.descr.to_owned() }
    })?;
    header.check_len(data.len(), rest, name)?;
    let data = if header.fortran_order { to_c_order(&data, &header.shape) } else { data };
    Ok(Array { shape: header.shape, data })
}

/// Decodes a whole `.npy` file of whole numbers.
pub(super) fn decode_labels(bytes: &[u8]) -> Result<Vec<i64>, InputError> {
    let (header, data) = split(bytes, LABELS)?;
    let (labels, rest) = integers(header.descr, data)
        .ok_or_else(|| InputError::LabelType { got: header.descr.to_owned() })?;
    header.check_len(labels.len(), rest, LABELS)?;
    Ok(labels)
}

/// Header and data of a file.
fn split<'a>(bytes: &'a [u8], name: &str) -> Result<(Header<'a>, &'a [u8]), InputError> {
    let invalid = |expected| InputError::Npy { array: name.to_owned(), expected };
    let (version, rest) = bytes
        .strip_prefix(b"\x93NUMPY")
        .and_then(|rest| rest.split_first_chunk::<2>())
        .ok_or_else(|| invalid("it must start with the format's magic number"))?;
    let cut = || invalid("its header is cut short");
    let (header_len, rest) = if version[0] == 1 {
        let (len, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
        (usize::from(u16::from_le_bytes(*len)), rest)
    } else {
        let (len, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        (usize::try_from(u32::from_le_bytes(*len)).map_err(|_| cut())?, rest)
    };
    let (header, data) = rest.split_at_checked(header_len).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| invalid("its header must be text"))?;
    let header = Header::parse(header).ok_or_else(|| invalid("its header is malformed"))?;
    Ok((header, data))
}

struct Header<'a> {
    descr: &'a str,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl<'a> Header<'a> {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (1, 64), }`.
    fn parse(header: &'a str) -> Option<Self> {
        let quoted = field(header, "descr")?;
        let descr = match quoted.strip_prefix(['\'', '"']) {
            Some(text) => text.split(['\'', '"']).next()?,
            None => "a structure",
        };
        let fortran_order = match field(header, "fortran_order")? {
            text if text.starts_with("True") => true,
            text if text.starts_with("False") => false,
            _ => return None,
        };
        let (shape, _) = field(header, "shape")?.strip_prefix('(')?.split_once(')')?;
        let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
        let shape = sizes.map(|size| size.parse().ok()).collect::<Option<_>>()?;
        Some(Self { descr, fortran_order, shape })
    }

    /// Refuses data that are not `len` elements and nothing more.
    fn check_len(&self, len: usize, rest: usize, name: &str) -> Result<(), InputError> {
        let count = self.shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
        if count == Some(len) && rest == 0 {
            return Ok(());
        }
        let expected = "its data must be as long as its shape says";
        Err(InputError::Npy { array: name.to_owned(), expected })
    }
}

/// The text after `'name':`.
fn field<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = header.split_once(&format!("'{name}'"))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

/// The element types that are read.
#[derive(Clone, Copy)]
enum Element {
    Single { big_endian: bool },
    Double { big_endian: bool },
    Other,
}

impl Element {
    /// The type of that name.
    fn of(descr: &str) -> Self {
        match descr {
            "<f4" => Self::Single { big_endian: false },
            ">f4" => Self::Single { big_endian: true },
            "<f8" => Self::Double { big_endian: false },
            ">f8" => Self::Double { big_endian: true },
            _ => Self::Other,
        }
    }

    /// All elements, and the number of bytes left over; `None` for other types.
    fn read(self, data: &[u8]) -> Option<(Vec<f64>, usize)> {
        match self {
            Self::Single { big_endian } => Some(read(data, |bytes: [u8; 4]| {
                let decode = if big_endian { f32::from_be_bytes } else { f32::from_le_bytes };
                f64::from(decode(bytes))
            })),
            Self::Double { big_endian } => {
                Some(read(data, if big_endian { f64::from_be_bytes } else { f64::from_le_bytes }))
            }
            Self::Other => None,
        }
    }
}

fn read<const N: usize>(data: &[u8], decode: impl Fn([u8; N]) -> f64) -> (Vec<f64>, usize) {
    let (chunks, rest) = data.as_chunks::<N>();
    (chunks.iter().map(|&chunk| decode(chunk)).collect(), rest.len())
}

/// Whole numbers and the number of bytes left over; `None` for other types and too large values.
fn integers(descr: &str, data: &[u8]) -> Option<(Vec<i64>, usize)> {
    let (order, kind) = descr.split_at_checked(1)?;
    let width = match kind {
        "i1" | "u1" => 1,
        "i2" | "u2" => 2,
        "i4" | "u4" => 4,
        "i8" | "u8" => 8,
        _ => return None,
    };
    let integer = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        if order == ">" {
            bytes.reverse();
        }
        let high_bit = bytes.last().is_some_and(|byte| byte >> 7 == 1);
        let signed = kind.starts_with('i');
        bytes.resize(8, if signed && high_bit { 0xff } else { 0 });
        let value = i64::from_le_bytes(bytes.try_into().ok()?);
        (signed || value >= 0).then_some(value)
    };
    let chunks = data.chunks_exact(width);
    let rest = chunks.remainder().len();
    Some((chunks.map(integer).collect::<Option<_>>()?, rest))
}

/// Elements that lie with the first axis fastest, now with the last one fastest.
fn to_c_order(data: &[f64], shape: &[usize]) -> Vec<f64> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for size in shape {
        strides.push(stride);
        stride *= size;
    }
    crate::graph::strided_index(shape, &strides, 0).into_iter().map(|i| data[i]).collect()
}
