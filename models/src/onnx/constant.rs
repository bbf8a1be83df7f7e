//! Numbers that are known when the file is read.

use super::proto::TensorProto;
use super::proto::{DataLocation, DataType};

use super::limits::Budget;
use crate::error::ImportError;

/// A constant tensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub(super) shape: Vec<usize>,
    pub(super) data: Data,
}

/// Elements in C order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    /// Of any floating-point type; all are finite.
    Real(Vec<f64>),
    /// Of any integer type or boolean.
    Integer(Vec<i64>),
}

impl Data {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Real(data) => data.len(),
            Self::Integer(data) => data.len(),
        }
    }

    /// The elements at `index`.
    pub(super) fn select(&self, index: &[usize]) -> Self {
        match self {
            Self::Real(data) => Self::Real(index.iter().map(|&i| data[i]).collect()),
            Self::Integer(data) => Self::Integer(index.iter().map(|&i| data[i]).collect()),
        }
    }
}

impl Constant {
    /// A list of integers, as shapes are.
    pub(super) fn integers(data: Vec<i64>) -> Self {
        Self { shape: vec![data.len()], data: Data::Integer(data) }
    }

    /// Decodes an initializer or the value of a `Constant` node.
    pub(super) fn decode(
        proto: &TensorProto,
        name: &str,
        budget: &mut Budget,
    ) -> Result<Self, ImportError> {
        let external = proto.data_location == DataLocation::External as i32;
        if external || !proto.external_data.is_empty() {
            return Err(ImportError::ExternalData { tensor: name.to_owned() });
        }
        let mut shape = Vec::new();
        for (axis, &size) in proto.dims.iter().enumerate() {
            let size = usize::try_from(size).map_err(|_| ImportError::Dimension {
                tensor: name.to_owned(),
                axis,
                got: size.to_string(),
            })?;
            shape.push(size);
        }
        let expected = budget.elements(name, &shape)?;
        let data = elements(proto, name)?;
        if data.len() != expected || proto.segment.is_some() {
            let tensor = name.to_owned();
            return Err(ImportError::DataLength { tensor, expected, got: data.len() });
        }
        let constant = Self { shape, data };
        constant.check_finite(name)?;
        Ok(constant)
    }

    /// Refuses NaN and infinities.
    pub(super) fn check_finite(&self, name: &str) -> Result<(), ImportError> {
        let Data::Real(data) = &self.data else { return Ok(()) };
        match data.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(ImportError::NotFinite { tensor: name.to_owned(), index }),
            None => Ok(()),
        }
    }
}

/// Whether a graph input of this type is a tensor of real numbers.
pub(super) fn is_real(data_type: i32) -> bool {
    [DataType::Float, DataType::Double, DataType::Float16, DataType::Bfloat16]
        .iter()
        .any(|&real| real as i32 == data_type)
}

/// The ONNX name of an element type.
pub(super) fn type_name(data_type: i32) -> String {
    DataType::try_from(data_type)
        .map_or_else(|_| format!("number {data_type}"), |known| format!("{known:?}").to_uppercase())
}

fn elements(proto: &TensorProto, name: &str) -> Result<Data, ImportError> {
    let raw = &proto.raw_data;
    let typed = !proto.float_data.is_empty()
        || !proto.double_data.is_empty()
        || !proto.int32_data.is_empty()
        || !proto.int64_data.is_empty();
    // Two spellings of the same data could disagree.
    if typed && !raw.is_empty() {
        let tensor = name.to_owned();
        return Err(ImportError::DataLength { tensor, expected: 0, got: raw.len() });
    }
    let words = &proto.int32_data;
    let half = |word: &i32| f64::from(half_to_f32(low_half(*word)));
    let brain = |word: &i32| f64::from(f32::from_bits(u32::from(low_half(*word)) << 16));
    let longs = || words.iter().map(|&word| i64::from(word)).collect();
    let data = match DataType::try_from(proto.data_type) {
        Ok(DataType::Float) if typed => {
            Data::Real(proto.float_data.iter().copied().map(f64::from).collect())
        }
        Ok(DataType::Float) => Data::Real(chunks(raw, name, |b| f64::from(f32::from_le_bytes(b)))?),
        Ok(DataType::Double) if typed => Data::Real(proto.double_data.clone()),
        Ok(DataType::Double) => Data::Real(chunks(raw, name, f64::from_le_bytes)?),
        Ok(DataType::Float16) if typed => Data::Real(words.iter().map(half).collect()),
        Ok(DataType::Float16) => {
            Data::Real(chunks(raw, name, |b| f64::from(half_to_f32(u16::from_le_bytes(b))))?)
        }
        Ok(DataType::Bfloat16) if typed => Data::Real(words.iter().map(brain).collect()),
        Ok(DataType::Bfloat16) => Data::Real(chunks(raw, name, |b| {
            f64::from(f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16))
        })?),
        Ok(DataType::Int64) if typed => Data::Integer(proto.int64_data.clone()),
        Ok(DataType::Int64) => Data::Integer(chunks(raw, name, i64::from_le_bytes)?),
        Ok(
            DataType::Int32 | DataType::Int16 | DataType::Int8 | DataType::Uint8 | DataType::Bool,
        ) if typed => Data::Integer(longs()),
        Ok(DataType::Int32) => {
            Data::Integer(chunks(raw, name, |b| i64::from(i32::from_le_bytes(b)))?)
        }
        Ok(DataType::Uint8 | DataType::Bool) => {
            Data::Integer(raw.iter().copied().map(i64::from).collect())
        }
        _ => {
            return Err(ImportError::ElementType {
                tensor: name.to_owned(),
                dtype: type_name(proto.data_type),
                expected: "a floating-point type, or int64, int32, uint8 or bool",
            });
        }
    };
    Ok(data)
}

fn chunks<const N: usize, T>(
    raw: &[u8],
    name: &str,
    decode: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, ImportError> {
    let (chunks, rest) = raw.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(ImportError::DataLength {
            tensor: name.to_owned(),
            expected: chunks.len() + 1,
            got: chunks.len(),
        });
    }
    Ok(chunks.iter().map(|&chunk| decode(chunk)).collect())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ONNX keeps 16-bit floats in the low half of a 32-bit word"
)]
fn low_half(word: i32) -> u16 {
    word as u16
}

/// IEEE 754 binary16.
fn half_to_f32(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f32::from(bits & 0x3ff) / 1024.0;
    match exponent {
        0 => sign * fraction * f32::powi(2.0, -14),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction) * f32::powi(2.0, exponent - 15),
    }
}
