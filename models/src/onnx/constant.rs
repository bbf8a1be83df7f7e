//! Numbers that are known when the file is read.

use super::element::type_name;
use super::error::ImportError;
use super::limits::Budget;
use super::proto::{DataLocation, DataType, TensorProto};
use crate::view::View;

/// A constant tensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub(super) shape: Vec<usize>,
    pub(super) data: Data,
}

/// Elements in C order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    /// Of any floating-point type; none is NaN.
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

    /// The elements that a view chooses.
    pub(super) fn select(&self, view: &View) -> Self {
        match self {
            Self::Real(data) => Self::Real(view.of(data)),
            Self::Integer(data) => Self::Integer(view.of(data)),
        }
    }
}

impl Constant {
    /// A list of integers, as shapes are.
    pub(super) fn integers(data: Vec<i64>) -> Self {
        Self { shape: vec![data.len()], data: Data::Integer(data) }
    }

    /// Real numbers of this shape.
    pub(super) fn reals(shape: Vec<usize>, data: Vec<f64>) -> Self {
        Self { shape, data: Data::Real(data) }
    }

    /// Decodes an initializer or the value of a `Constant` node.
    pub(super) fn decode(
        proto: &TensorProto,
        name: &str,
        budget: &mut Budget,
    ) -> Result<Self, ImportError> {
        let constant = Self::decode_with_nan(proto, name, budget)?;
        constant.check_numbers(name)?;
        Ok(constant)
    }

    /// The same where NaN has a meaning of its own.
    pub(super) fn decode_with_nan(
        proto: &TensorProto,
        name: &str,
        budget: &mut Budget,
    ) -> Result<Self, ImportError> {
        let external = proto.data_location == DataLocation::External as i32;
        if external || !proto.external_data.is_empty() {
            return Err(ImportError::ExternalData {
                tensor: name.to_owned(),
                file: String::new(),
                what: "the file does not say so clearly; save the model again".to_owned(),
            });
        }
        let mut shape = Vec::new();
        for (axis, &size) in proto.dims.iter().enumerate() {
            shape.push(usize::try_from(size).map_err(|_| ImportError::Dimension {
                tensor: name.to_owned(),
                axis,
                got: size,
            })?);
        }
        let expected = budget.elements(name, &shape)?;
        let data = elements(proto, name)?;
        if data.len() != expected || proto.segment.is_some() {
            let tensor = name.to_owned();
            return Err(ImportError::DataLength { tensor, expected, got: data.len() });
        }
        Ok(Self { shape, data })
    }

    /// Refuses NaN.
    pub(super) fn check_numbers(&self, name: &str) -> Result<(), ImportError> {
        self.check(name, |value| !value.is_nan())
    }

    /// Refuses NaN and infinities, as weights must.
    pub(super) fn check_finite(&self, name: &str) -> Result<(), ImportError> {
        self.check(name, f64::is_finite)
    }

    fn check(&self, name: &str, is_good: fn(f64) -> bool) -> Result<(), ImportError> {
        let Data::Real(data) = &self.data else { return Ok(()) };
        match data.iter().position(|&value| !is_good(value)) {
            Some(index) => Err(ImportError::NotFinite { tensor: name.to_owned(), index }),
            None => Ok(()),
        }
    }

    /// The elements as real numbers.
    pub(super) fn to_reals(&self) -> Vec<f64> {
        match &self.data {
            Data::Real(data) => data.clone(),
            Data::Integer(data) => data.iter().map(|&value| real(value)).collect(),
        }
    }

    /// A function of each element, as a real number.
    pub(super) fn map(&self, function: impl Fn(f64) -> f64) -> Self {
        Self::reals(self.shape.clone(), self.to_reals().into_iter().map(function).collect())
    }

    /// The elements repeated to `shape`, which they broadcast to.
    pub(super) fn broadcast(&self, shape: &[usize]) -> Self {
        let data = self.data.select(&View::broadcast(&self.shape, shape));
        Self { shape: shape.to_vec(), data }
    }
}

/// An integer as a real number, rounded where it has more than 53 bits.
#[expect(clippy::cast_precision_loss, reason = "as a conversion to floating point does")]
pub(super) fn real(value: i64) -> f64 {
    value as f64
}

fn elements(proto: &TensorProto, name: &str) -> Result<Data, ImportError> {
    let typed = !proto.float_data.is_empty()
        || !proto.double_data.is_empty()
        || !proto.int32_data.is_empty()
        || !proto.int64_data.is_empty()
        || !proto.uint64_data.is_empty();
    // Two spellings of the same data could disagree.
    if typed && !proto.raw_data.is_empty() {
        let (tensor, got) = (name.to_owned(), proto.raw_data.len());
        return Err(ImportError::DataLength { tensor, expected: 0, got });
    }
    let kind = DataType::try_from(proto.data_type).unwrap_or(DataType::Undefined);
    let data = match kind {
        DataType::Float | DataType::Double | DataType::Float16 | DataType::Bfloat16 => {
            reals(proto, kind, typed, name)?.map(Data::Real)
        }
        _ => integers(proto, kind, typed, name)?.map(Data::Integer),
    };
    data.ok_or_else(|| ImportError::ElementType {
        tensor: name.to_owned(),
        dtype: type_name(proto.data_type),
        expected: "float16, bfloat16, float, double, an integer of 8 to 64 bits or bool",
    })
}

fn reals(
    proto: &TensorProto,
    kind: DataType,
    typed: bool,
    name: &str,
) -> Result<Option<Vec<f64>>, ImportError> {
    let (raw, words) = (&proto.raw_data, &proto.int32_data);
    let half = |bits: u16| f64::from(half_to_f32(bits));
    let brain = |bits: u16| f64::from(f32::from_bits(u32::from(bits) << 16));
    let data = match (kind, typed) {
        (DataType::Float, true) => proto.float_data.iter().copied().map(f64::from).collect(),
        (DataType::Float, false) => chunks(raw, name, |b| f64::from(f32::from_le_bytes(b)))?,
        (DataType::Double, true) => proto.double_data.clone(),
        (DataType::Double, false) => chunks(raw, name, f64::from_le_bytes)?,
        (DataType::Float16, true) => words.iter().map(|&word| half(low_half(word))).collect(),
        (DataType::Float16, false) => chunks(raw, name, |b| half(u16::from_le_bytes(b)))?,
        (DataType::Bfloat16, true) => words.iter().map(|&word| brain(low_half(word))).collect(),
        (DataType::Bfloat16, false) => chunks(raw, name, |b| brain(u16::from_le_bytes(b)))?,
        _ => return Ok(None),
    };
    Ok(Some(data))
}

fn integers(
    proto: &TensorProto,
    kind: DataType,
    typed: bool,
    name: &str,
) -> Result<Option<Vec<i64>>, ImportError> {
    let raw = &proto.raw_data;
    let unsigned = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let data = match (kind, typed) {
        (DataType::Int64, true) => proto.int64_data.clone(),
        (DataType::Int64, false) => chunks(raw, name, i64::from_le_bytes)?,
        (DataType::Uint64 | DataType::Uint32, true) => {
            proto.uint64_data.iter().copied().map(unsigned).collect()
        }
        (DataType::Uint64, false) => chunks(raw, name, |b| unsigned(u64::from_le_bytes(b)))?,
        (DataType::Uint32, false) => chunks(raw, name, |b| i64::from(u32::from_le_bytes(b)))?,
        (
            DataType::Int32
            | DataType::Int16
            | DataType::Int8
            | DataType::Uint16
            | DataType::Uint8
            | DataType::Bool,
            true,
        ) => proto.int32_data.iter().map(|&word| i64::from(word)).collect(),
        (DataType::Int32, false) => chunks(raw, name, |b| i64::from(i32::from_le_bytes(b)))?,
        (DataType::Int16, false) => chunks(raw, name, |b| i64::from(i16::from_le_bytes(b)))?,
        (DataType::Uint16, false) => chunks(raw, name, |b| i64::from(u16::from_le_bytes(b)))?,
        (DataType::Int8, false) => chunks(raw, name, |b| i64::from(i8::from_le_bytes(b)))?,
        (DataType::Uint8, false) => chunks(raw, name, |[b]| i64::from(b))?,
        (DataType::Bool, false) => chunks(raw, name, |[b]| i64::from(b != 0))?,
        _ => return Ok(None),
    };
    Ok(Some(data))
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
