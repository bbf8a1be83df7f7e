//! Element types: what the numbers of a tensor may be.

use super::proto::DataType;

/// The kind of numbers that a tensor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Element {
    /// Real numbers, of any floating-point type.
    Real,
    /// Whole numbers of so many bits.
    Integer {
        /// Bits of a number, its sign included.
        bits: u8,
        /// Whether numbers may be negative.
        signed: bool,
    },
    /// 0 or 1.
    Boolean,
    /// Places of texts in a list of the model.
    Text {
        /// Which list.
        list: usize,
    },
}

impl Element {
    /// The kind of an ONNX element type, where it is one of numbers that are read.
    pub(super) fn of(data_type: i32) -> Option<Self> {
        let integer = |bits, signed| Some(Self::Integer { bits, signed });
        match DataType::try_from(data_type).ok()? {
            DataType::Float | DataType::Double | DataType::Float16 | DataType::Bfloat16 => {
                Some(Self::Real)
            }
            DataType::Bool => Some(Self::Boolean),
            DataType::Uint8 => integer(8, false),
            DataType::Int8 => integer(8, true),
            DataType::Uint16 => integer(16, false),
            DataType::Int16 => integer(16, true),
            DataType::Uint32 => integer(32, false),
            DataType::Int32 => integer(32, true),
            DataType::Uint64 => integer(64, false),
            DataType::Int64 => integer(64, true),
            _ => None,
        }
    }

    /// The kind of an element type whose numbers an input may hold, though nothing is converted to
    /// it: real numbers of 8 bits and fewer are rounded to, and integers of fewer than 8 wrap around.
    pub(super) fn of_input(data_type: i32) -> Option<Self> {
        let integer = |bits, signed| Some(Self::Integer { bits, signed });
        match DataType::try_from(data_type).ok()? {
            DataType::Float8e4m3fn
            | DataType::Float8e4m3fnuz
            | DataType::Float8e5m2
            | DataType::Float8e5m2fnuz
            | DataType::Float4e2m1
            | DataType::Float8e8m0 => Some(Self::Real),
            DataType::Uint4 => integer(4, false),
            DataType::Int4 => integer(4, true),
            DataType::Uint2 => integer(2, false),
            DataType::Int2 => integer(2, true),
            _ => Self::of(data_type),
        }
    }

    /// Whether sums and products of such numbers are those of real numbers as long as they are
    /// exact: small integers wrap around instead.
    pub(super) fn is_wide(self) -> bool {
        match self {
            Self::Real => true,
            Self::Integer { bits, .. } => bits >= 32,
            Self::Boolean | Self::Text { .. } => false,
        }
    }

    /// The smallest and largest number; of integers, those that are told apart here.
    pub(super) fn bounds(self) -> Option<(i64, i64)> {
        match self {
            Self::Real | Self::Text { .. } => None,
            Self::Boolean => Some((0, 1)),
            Self::Integer { bits: 64, signed: false } => Some((0, i64::MAX)),
            Self::Integer { bits, signed: false } => Some((0, (1 << bits) - 1)),
            Self::Integer { bits: 64, signed: true } => Some((i64::MIN, i64::MAX)),
            Self::Integer { bits, signed: true } => Some((-1 << (bits - 1), (1 << (bits - 1)) - 1)),
        }
    }
}

/// How the file stores the numbers of an input, where that is not how they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// As they are read, or in fewer bits that nothing is compared with.
    Plain,
    /// In double precision, of which single precision is read.
    Double,
    /// In a type that nothing is converted to.
    Rounded,
}

impl Stored {
    /// Of an ONNX element type.
    pub(super) fn of(data_type: i32) -> Self {
        match DataType::try_from(data_type) {
            Ok(DataType::Double) => Self::Double,
            _ if Element::of(data_type).is_none() => Self::Rounded,
            _ => Self::Plain,
        }
    }
}

/// What is known of a tensor of codes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Codes {
    /// The zero point, which its numbers do not have in them.
    Centred(i64),
    /// The real numbers themselves, with a scale of 1: codes whose scale depends on them.
    Dynamic,
}

/// The ONNX name of an element type.
pub(super) fn type_name(data_type: i32) -> String {
    DataType::try_from(data_type)
        .map_or_else(|_| format!("number {data_type}"), |known| format!("{known:?}").to_uppercase())
}
