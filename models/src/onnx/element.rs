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

    /// Whether sums and products of such numbers are those of real numbers as long as they are
    /// exact: small integers wrap around instead.
    pub(super) fn is_wide(self) -> bool {
        match self {
            Self::Real => true,
            Self::Integer { bits, .. } => bits >= 32,
            Self::Boolean => false,
        }
    }

    /// The smallest and largest number; of integers, those that are told apart here.
    pub(super) fn bounds(self) -> Option<(i64, i64)> {
        match self {
            Self::Real => None,
            Self::Boolean => Some((0, 1)),
            Self::Integer { bits: 64, signed: false } => Some((0, i64::MAX)),
            Self::Integer { bits, signed: false } => Some((0, (1 << bits) - 1)),
            Self::Integer { bits: 64, signed: true } => Some((i64::MIN, i64::MAX)),
            Self::Integer { bits, signed: true } => Some((-1 << (bits - 1), (1 << (bits - 1)) - 1)),
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
