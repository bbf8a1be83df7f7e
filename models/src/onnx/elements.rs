//! Changes of the element type.

use super::activations::truncated;
use super::compose::Lowered;
use super::constants::cast_constant;
use super::element::{Element, Stored};
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Tensor, Value};
use super::operators::{Operator, TextsIn, operator};
use super::proto::DataType;
use crate::activation::Activation;
use crate::function::Function;

pub(super) const OPERATORS: &[Operator] = &[
    operator("Cast", &[6, 9, 13, 19, 21, 23, 24, 25, 28], &["round_mode", "saturate", "to"], cast)
        .taking_texts(TextsIn::Computed),
    operator("CastLike", &[15, 19, 21, 23, 24, 25], &["round_mode", "saturate"], cast_like),
];

/// `Cast`: between floating-point types nothing changes, as the graph's numbers are real.
fn cast(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let to = node.int("to")?.and_then(|to| i32::try_from(to).ok());
    let value = node.operand(0)?;
    if let (Element::Text { .. }, Some(to)) = (Importer::element_of(value), to) {
        node.has_no_effect(&["saturate", "round_mode"]);
        return match to == DataType::String as i32 {
            true => Ok(vec![value.clone()]),
            false => Err(node.unsupported("a cast of texts to numbers; use a LabelEncoder")),
        };
    }
    let to = to.and_then(Element::of);
    let to = to.ok_or_else(|| node.wrong_attribute("to", "a type of numbers of 8 bits or more"))?;
    Ok(vec![converted(node, importer, to)?])
}

/// `CastLike`: the type is that of the second operand.
fn cast_like(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let to = Importer::element_of(node.operand(1)?);
    if importer.stored(node, 1) == Stored::Rounded {
        return Err(node.wrong_operand(1, "of a type of numbers of 8 bits or more, not FLOAT8"));
    }
    Ok(vec![converted(node, importer, to)?])
}

fn converted(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    to: Element,
) -> Result<Value, ImportError> {
    // Both are about types of 8 bits that are not read.
    node.has_no_effect(&["saturate", "round_mode"]);
    let value = node.operand(0)?;
    match value {
        Value::Constant(constant) => cast_constant(node, constant, to),
        Value::Tensor(tensor) => tensor_converted(node, importer, *tensor, to),
    }
}

fn tensor_converted(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    tensor: Tensor,
    to: Element,
) -> Result<Value, ImportError> {
    let value = Value::Tensor(tensor);
    match (tensor.element, to) {
        (_, Element::Real) => Ok(value.with_element(to)),
        (from, to) if from == to => Ok(value),
        (_, Element::Boolean) => {
            let zero = importer.apply(node, &value, Activation::Function(Function::IsZero))?;
            let zero = zero.with_element(Element::Real);
            Ok(importer.scaled(node, &zero, -1.0, 1.0)?.with_element(to))
        }
        (Element::Real, Element::Integer { bits: 32.., .. }) => {
            truncated(node, importer, &value, to)
        }
        (from, to) => match (from.bounds(), to.bounds()) {
            (Some((lo, hi)), Some((to_lo, to_hi))) if to_lo <= lo && hi <= to_hi => {
                Ok(value.with_element(to))
            }
            _ if is_wide(from) && to == WORD => {
                importer.narrow_input(tensor);
                Ok(value.with_element(to))
            }
            _ => Err(node.unsupported(
                "a cast to a smaller integer type, which wraps around; cast to float, int64 or int32",
            )),
        },
    }
}

/// Integers of 32 bits, whose arithmetic is that of whole numbers here.
const WORD: Element = Element::Integer { bits: 32, signed: true };

fn is_wide(element: Element) -> bool {
    matches!(element, Element::Integer { bits: 32.., .. })
}

/// Integers of so many bits are exact in single precision.
const HELD: i64 = 1 << 24;

impl Importer {
    /// What is computed does not reach beyond 32 bits, but an input could: it holds no such number.
    fn narrow_input(&mut self, tensor: Tensor) {
        let root = self.root_of(tensor.id);
        if let Some(held) = self.graph.whole_inputs.get_mut(&root) {
            *held = [held[0].max(-HELD), held[1].min(HELD)];
        }
    }
}
