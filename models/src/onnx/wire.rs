//! A look at the raw protobuf before it is decoded: an empty message takes two bytes in the file
//! and hundreds in memory, so their number is bounded first.

use super::error::ImportError;
use super::limits::FIELDS;

/// Refuses files with more strings and messages than any model needs. Malformed bytes pass: the
/// decoder has the better message for them.
pub(super) fn check_field_count(bytes: &[u8]) -> Result<(), ImportError> {
    let (mut rest, mut count) = (bytes, 0);
    let _malformed = count_fields(Message::Model, &mut rest, &mut count, 0);
    if count > FIELDS {
        return Err(ImportError::Limit {
            place: "the file".to_owned(),
            what: "fields",
            got: count as u128,
            limit: FIELDS as u128,
        });
    }
    Ok(())
}

/// The messages of `onnx.proto` that hold repeated messages or strings.
#[derive(Clone, Copy)]
enum Message {
    Attribute,
    Function,
    Graph,
    Model,
    Node,
    Shape,
    SparseTensor,
    Tensor,
    TensorAnnotation,
    TensorType,
    Training,
    Type,
    ValueInfo,
}

impl Message {
    /// The message in field `number`, where it is one of these.
    fn child(self, number: u64) -> Option<Self> {
        let child = match (self, number) {
            (Self::Model, 7) | (Self::Training, 1 | 2) | (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Model, 20) => Self::Training,
            (Self::Model, 25) => Self::Function,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::SparseTensor, 1 | 2) => {
                Self::Tensor
            }
            (Self::Graph, 11..=13) => Self::ValueInfo,
            (Self::Graph, 14) => Self::TensorAnnotation,
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::SparseTensor,
            (Self::Node, 5) => Self::Attribute,
            (Self::Attribute, 15) | (Self::ValueInfo, 2) => Self::Type,
            (Self::Type, 1) => Self::TensorType,
            (Self::TensorType, 2) => Self::Shape,
            _ => return None,
        };
        Some(child)
    }
}

/// Deepest nesting that the decoder allows.
const DEPTH: usize = 100;

/// Counts strings and messages, up to the first malformed field.
fn count_fields(
    message: Message,
    bytes: &mut &[u8],
    count: &mut usize,
    depth: usize,
) -> Option<()> {
    while !bytes.is_empty() && *count <= FIELDS && depth <= DEPTH {
        let tag = varint(bytes)?;
        match tag & 7 {
            0 => _ = varint(bytes)?,
            1 => _ = take(bytes, 8)?,
            2 => {
                let len = usize::try_from(varint(bytes)?).ok()?;
                let mut field = take(bytes, len)?;
                *count += 1;
                if let Some(child) = message.child(tag >> 3) {
                    count_fields(child, &mut field, count, depth + 1)?;
                }
            }
            5 => _ = take(bytes, 4)?,
            _ => return None,
        }
    }
    Some(())
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (field, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(field)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
