//! Constants, and the arithmetic on shapes that exporters write out as nodes.

use super::constant::{Constant, Data, is_real};
use super::importer::Importer;
use super::movement::{Lowered, operand_shape, sizes};
use super::node::{OnnxNode, Value};
use super::proto::DataType;

/// Attributes of `Constant`.
pub(super) const CONSTANT_ATTRIBUTES: &[&str] =
    &["value", "value_float", "value_floats", "value_int", "value_ints"];

/// `Constant`.
pub(super) fn constant(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let given = CONSTANT_ATTRIBUTES.iter().filter(|name| node.attribute(name).is_some()).count();
    if given != 1 {
        return Err(node.wrong_attribute("value", "given once"));
    }
    let reals = |shape: Vec<usize>, data: Vec<f64>| Constant { shape, data: Data::Real(data) };
    let constant = if let Some(proto) = node.tensor_attribute("value")? {
        Constant::decode(proto, &node.name, &mut importer.budget)?
    } else if let Some(value) = node.float("value_float")? {
        reals(vec![], vec![value])
    } else if let Some(values) = node.floats("value_floats")? {
        reals(vec![values.len()], values.iter().copied().map(f64::from).collect())
    } else if let Some(value) = node.int("value_int")? {
        Constant { shape: vec![], data: Data::Integer(vec![value]) }
    } else if let Some(values) = node.ints("value_ints")? {
        Constant::integers(values.to_vec())
    } else {
        return Err(node.wrong_attribute("value", "a tensor"));
    };
    constant.check_finite(&node.name)?;
    Ok(vec![Value::Constant(constant.into())])
}

/// `ConstantOfShape`.
pub(super) fn constant_of_shape(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let shape = sizes(node, 0)?;
    let count = importer.budget.elements(&node.name, &shape)?;
    let data = match node.tensor_attribute("value")? {
        None => Data::Real(vec![0.0; count]),
        Some(proto) => {
            let value = Constant::decode(proto, &node.name, &mut importer.budget)?;
            if value.data.len() != 1 {
                return Err(node.wrong_attribute("value", "a single number"));
            }
            value.data.select(&vec![0; count])
        }
    };
    Ok(vec![Value::Constant(Constant { shape, data }.into())])
}

/// `Shape`: known, since all shapes are.
pub(super) fn shape(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let shape = operand_shape(node, importer)?;
    let rank = i64::try_from(shape.len()).unwrap_or(i64::MAX);
    let position = |axis: i64| {
        let axis = if axis < 0 { axis.saturating_add(rank) } else { axis };
        usize::try_from(axis.clamp(0, rank)).unwrap_or(0)
    };
    let start = position(node.int("start")?.unwrap_or(0));
    let end = position(node.int("end")?.unwrap_or(rank)).max(start);
    let sizes = shape[start..end].iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX));
    Ok(vec![Value::Constant(Constant::integers(sizes.collect()).into())])
}

/// `Cast` between number types: real to real is exact in the graph's arithmetic, integers are
/// only cast where they are constant.
pub(super) fn cast(node: &OnnxNode<'_>, _: &mut Importer) -> Lowered {
    let to = node.int("to")?.and_then(|to| i32::try_from(to).ok());
    let to = to.ok_or_else(|| node.wrong_attribute("to", "an element type"))?;
    let to_integer = to == DataType::Int64 as i32 || to == DataType::Int32 as i32;
    let value = match node.operand(0)? {
        tensor @ Value::Tensor(_) if is_real(to) => tensor.clone(),
        Value::Constant(constant) => match &constant.data {
            Data::Real(_) if is_real(to) => Value::Constant(constant.clone()),
            Data::Integer(_) if to_integer => Value::Constant(constant.clone()),
            Data::Integer(data) if is_real(to) => {
                let shape = constant.shape.clone();
                let data = Data::Real(data.iter().map(|&value| real(value)).collect());
                Value::Constant(Constant { shape, data }.into())
            }
            _ => return Err(node.unsupported("a cast that loses digits")),
        },
        Value::Tensor(_) => return Err(node.unsupported("a cast that loses digits")),
    };
    Ok(vec![value])
}

#[expect(clippy::cast_precision_loss, reason = "Cast rounds to the nearest real by definition")]
fn real(value: i64) -> f64 {
    value as f64
}
