//! Arrays in numpy's format, of numbers. Nothing is allocated before the length is checked.

use super::array::{Array, single};
use super::error::InputError;
use super::labels::{LABELS, Labels};
use crate::view::View;

/// Decodes a whole `.npy` file; `name` is for messages.
pub(super) fn decode(bytes: &[u8], name: &str) -> Result<Array, InputError> {
    let (header, data) = split(bytes, name)?;
    let (input, got) = (|| name.to_owned(), || header.descr.to_owned());
    let element = Element::of(header.descr)
        .ok_or_else(|| InputError::ElementType { input: input(), got: got() })?;
    header.check_len(data, element, name)?;
    let singles = element.values(data).map(Value::single).enumerate();
    let data = singles.map(|(index, value)| {
        value.ok_or_else(|| InputError::Inexact { input: input(), index, got: got() })
    });
    let data = data.collect::<Result<Vec<f32>, _>>()?;
    let data = if header.fortran_order { to_c_order(&data, &header.shape) } else { data };
    Ok(Array { shape: header.shape, data })
}

/// Decodes a whole `.npy` file of labels; `None` if they are no whole numbers below 2^63.
pub(super) fn decode_labels(bytes: &[u8]) -> Result<Option<Labels>, InputError> {
    let (header, data) = split(bytes, LABELS)?;
    let Some(element) = Element::of(header.descr) else { return Ok(None) };
    header.check_len(data, element, LABELS)?;
    let values: Option<Vec<i64>> = element.values(data).map(Value::whole).collect();
    Ok(values.map(|values| Labels::new(&header.shape, values)))
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

    /// Refuses data that are not as many elements as the shape says, and nothing more.
    fn check_len(&self, data: &[u8], element: Element, name: &str) -> Result<(), InputError> {
        let bytes = self.shape.iter().try_fold(element.width, |n, &size| n.checked_mul(size));
        if bytes == Some(data.len()) {
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

/// What an element is.
#[derive(Clone, Copy)]
enum Format {
    Bool,
    Signed,
    Unsigned,
    Float,
}

/// The type of the elements.
#[derive(Clone, Copy)]
struct Element {
    format: Format,
    width: usize,
    big_endian: bool,
}

/// One element.
#[derive(Clone, Copy)]
enum Value {
    Whole(i128),
    Real(f64),
}

impl Element {
    /// The type of numpy's name `descr`; `None` for what is no real number of at most 64 bits.
    fn of(descr: &str) -> Option<Self> {
        let (order, name) = descr.split_at_checked(1)?;
        let (format, width) = match name {
            "b1" => (Format::Bool, 1),
            "i1" => (Format::Signed, 1),
            "i2" => (Format::Signed, 2),
            "i4" => (Format::Signed, 4),
            "i8" => (Format::Signed, 8),
            "u1" => (Format::Unsigned, 1),
            "u2" => (Format::Unsigned, 2),
            "u4" => (Format::Unsigned, 4),
            "u8" => (Format::Unsigned, 8),
            "f2" => (Format::Float, 2),
            "f4" => (Format::Float, 4),
            "f8" => (Format::Float, 8),
            _ => return None,
        };
        let big_endian = match order {
            "<" | "|" => false,
            ">" => true,
            "=" => cfg!(target_endian = "big"),
            _ => return None,
        };
        Some(Self { format, width, big_endian })
    }

    /// The elements, of which there is a whole number.
    fn values(self, data: &[u8]) -> impl Iterator<Item = Value> {
        data.chunks_exact(self.width).map(move |bytes| self.value(bytes))
    }

    fn value(self, bytes: &[u8]) -> Value {
        let byte = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
        let bits = if self.big_endian {
            bytes.iter().fold(0, byte)
        } else {
            bytes.iter().rev().fold(0, byte)
        };
        match self.format {
            Format::Bool => Value::Whole(i128::from(bits != 0)),
            Format::Unsigned => Value::Whole(i128::from(bits)),
            Format::Signed => {
                let unused = 64 - 8 * self.width;
                Value::Whole(i128::from((bits << unused).cast_signed() >> unused))
            }
            Format::Float => Value::Real(float(bits, self.width)),
        }
    }
}

/// A float of 2, 4 or 8 bytes.
fn float(bits: u64, width: usize) -> f64 {
    match width {
        8 => f64::from_bits(bits),
        4 => u32::try_from(bits).map_or(f64::NAN, |bits| f64::from(f32::from_bits(bits))),
        _ => u16::try_from(bits).map_or(f64::NAN, half),
    }
}

/// A float of 16 bits: a sign, 5 bits of exponent, 10 bits of fraction.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}

impl Value {
    /// The element as a 32-bit float; `None` for a whole number that none is.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "whether the whole number comes back is what is checked"
    )]
    fn single(self) -> Option<f32> {
        match self {
            Self::Real(value) => Some(single(value)),
            Self::Whole(value) => {
                let single = value as f32;
                (single as i128 == value).then_some(single)
            }
        }
    }

    /// The element as a whole number, if it is one.
    #[expect(clippy::cast_possible_truncation, reason = "whole, and less than 2^53")]
    fn whole(self) -> Option<i64> {
        match self {
            Self::Whole(value) => i64::try_from(value).ok(),
            Self::Real(value) if value.fract() == 0.0 && value.abs() < 2f64.powi(53) => {
                Some(value as i64)
            }
            Self::Real(_) => None,
        }
    }
}

/// Elements that lie with the first axis fastest, now with the last one fastest.
fn to_c_order(data: &[f32], shape: &[usize]) -> Vec<f32> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for size in shape {
        strides.push(stride);
        stride *= size;
    }
    View::strided(shape, &strides, 0).of(data)
}
