//! Arrays in numpy's format, of real numbers. Nothing is allocated before the length is checked.

use super::Array;
use crate::error::InputError;

/// Decodes a whole `.npy` file; `name` is for messages.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Array, InputError> {
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
    let decoded = Header::parse(header).ok_or_else(|| invalid("its header is malformed"))?;
    let (data, rest) = decoded.element.read(data).ok_or_else(|| InputError::ElementType {
        input: name.to_owned(),
        got: decoded.descr.to_owned(),
    })?;
    let count = decoded.shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
    if count != Some(data.len()) || rest != 0 {
        return Err(invalid("its data must be as long as its shape says"));
    }
    let data = if decoded.fortran_order { to_c_order(&data, &decoded.shape) } else { data };
    Ok(Array { shape: decoded.shape, data })
}

struct Header<'a> {
    descr: &'a str,
    element: Element,
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
        Some(Self { descr, element: Element::of(descr), fortran_order, shape })
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
