//! One ONNX node with its operands resolved, and readers for its attributes.

use super::proto::AttributeType;
use super::proto::{AttributeProto, NodeProto, TensorProto};

use super::constant::{Constant, Data};
use crate::error::ImportError;
use crate::quantized::TensorId;

/// What a name in the file stands for.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A tensor computed from the inputs.
    Tensor(TensorId),
    /// Known when the file is read.
    Constant(std::rc::Rc<Constant>),
}

/// The name of a node in messages: its own, or that of its first output.
pub(super) fn node_name(proto: &NodeProto, position: usize) -> String {
    let output = proto.output.first().filter(|name| !name.is_empty());
    match (proto.name.as_str(), output) {
        ("", Some(output)) => output.clone(),
        ("", None) => format!("#{position}"),
        (name, _) => name.to_owned(),
    }
}

/// A node whose operands are known.
#[derive(Debug)]
pub(super) struct OnnxNode<'a> {
    pub(super) name: String,
    pub(super) opset: i64,
    proto: &'a NodeProto,
    operands: Vec<Option<Value>>,
}

impl<'a> OnnxNode<'a> {
    pub(super) fn new(
        name: String,
        opset: i64,
        proto: &'a NodeProto,
        operands: Vec<Option<Value>>,
    ) -> Self {
        Self { name, opset, proto, operands }
    }

    pub(super) fn op(&self) -> &'a str {
        &self.proto.op_type
    }

    pub(super) fn operand_count(&self) -> usize {
        self.operands.len()
    }

    /// Names of the outputs; an empty one is not wanted.
    pub(super) fn outputs(&self) -> &'a [String] {
        &self.proto.output
    }

    /// The operand at `index`, where the file gives one.
    pub(super) fn optional(&self, index: usize) -> Option<&Value> {
        self.operands.get(index)?.as_ref()
    }

    /// The operand at `index`.
    pub(super) fn operand(&self, index: usize) -> Result<&Value, ImportError> {
        self.optional(index).ok_or_else(|| ImportError::MissingOperand {
            node: self.name.clone(),
            op: self.op().to_owned(),
            index,
        })
    }

    /// The operand at `index`, which must depend on the model's inputs.
    pub(super) fn tensor(&self, index: usize) -> Result<TensorId, ImportError> {
        match self.operand(index)? {
            Value::Tensor(id) => Ok(*id),
            Value::Constant(_) => Err(self.wrong_operand(index, "computed from the input")),
        }
    }

    /// The operand at `index`, which must be constant.
    pub(super) fn constant(&self, index: usize) -> Result<&Constant, ImportError> {
        match self.operand(index)? {
            Value::Constant(constant) => Ok(constant),
            Value::Tensor(_) => Err(self.wrong_operand(index, "a constant")),
        }
    }

    /// The real numbers of the constant operand at `index`.
    pub(super) fn reals(&self, index: usize) -> Result<(&[usize], &[f64]), ImportError> {
        let constant = self.constant(index)?;
        match &constant.data {
            Data::Real(data) => Ok((&constant.shape, data)),
            Data::Integer(_) => Err(self.wrong_operand(index, "of a floating-point type")),
        }
    }

    /// The integers of the constant operand at `index`.
    pub(super) fn integers(&self, index: usize) -> Result<&[i64], ImportError> {
        match &self.constant(index)?.data {
            Data::Integer(data) => Ok(data),
            Data::Real(_) => Err(self.wrong_operand(index, "of an integer type")),
        }
    }

    /// Integers that older operator sets keep in an attribute and newer ones in an operand.
    pub(super) fn integers_either(
        &self,
        attribute: &'static str,
        index: usize,
        operand_since: i64,
    ) -> Result<Option<Vec<i64>>, ImportError> {
        if self.opset < operand_since {
            return Ok(self.ints(attribute)?.map(<[i64]>::to_vec));
        }
        self.forbid(attribute)?;
        match self.optional(index) {
            Some(_) => Ok(Some(self.integers(index)?.to_vec())),
            None => Ok(None),
        }
    }

    /// A real number that older operator sets keep in an attribute and newer ones in an operand.
    pub(super) fn real_either(
        &self,
        attribute: &'static str,
        index: usize,
        operand_since: i64,
    ) -> Result<Option<f64>, ImportError> {
        if self.opset < operand_since {
            return self.float(attribute);
        }
        self.forbid(attribute)?;
        if self.optional(index).is_none() {
            return Ok(None);
        }
        match self.reals(index)?.1 {
            [value] => Ok(Some(*value)),
            _ => Err(self.wrong_operand(index, "a single number")),
        }
    }

    fn forbid(&self, attribute: &'static str) -> Result<(), ImportError> {
        match self.attribute(attribute) {
            None => Ok(()),
            Some(_) => Err(ImportError::UnknownAttribute {
                node: self.name.clone(),
                op: self.op().to_owned(),
                attribute: attribute.to_owned(),
            }),
        }
    }
}

/// Attributes.
impl<'a> OnnxNode<'a> {
    pub(super) fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.proto.attribute.iter().find(|attribute| attribute.name == name)
    }

    fn typed(
        &self,
        name: &'static str,
        kind: AttributeType,
        expected: &'static str,
    ) -> Result<Option<&'a AttributeProto>, ImportError> {
        match self.attribute(name) {
            Some(found) if found.r#type != kind as i32 => Err(self.wrong_attribute(name, expected)),
            found => Ok(found),
        }
    }

    pub(super) fn int(&self, name: &'static str) -> Result<Option<i64>, ImportError> {
        let found = self.typed(name, AttributeType::Int, "an integer")?;
        Ok(found.map(|attribute| attribute.i))
    }

    /// An attribute that is 0 or 1.
    pub(super) fn flag(&self, name: &'static str, default: bool) -> Result<bool, ImportError> {
        match self.int(name)? {
            None => Ok(default),
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(_) => Err(self.wrong_attribute(name, "0 or 1")),
        }
    }

    pub(super) fn float(&self, name: &'static str) -> Result<Option<f64>, ImportError> {
        let found = self.typed(name, AttributeType::Float, "a number")?;
        match found.map(|attribute| f64::from(attribute.f)) {
            Some(value) if !value.is_finite() => Err(self.wrong_attribute(name, "finite")),
            value => Ok(value),
        }
    }

    pub(super) fn ints(&self, name: &'static str) -> Result<Option<&'a [i64]>, ImportError> {
        let found = self.typed(name, AttributeType::Ints, "a list of integers")?;
        Ok(found.map(|attribute| attribute.ints.as_slice()))
    }

    pub(super) fn floats(&self, name: &'static str) -> Result<Option<&'a [f32]>, ImportError> {
        let found = self.typed(name, AttributeType::Floats, "a list of numbers")?;
        Ok(found.map(|attribute| attribute.floats.as_slice()))
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<&'a [u8]>, ImportError> {
        let found = self.typed(name, AttributeType::String, "a string")?;
        Ok(found.map(|attribute| attribute.s.as_slice()))
    }

    pub(super) fn tensor_attribute(
        &self,
        name: &'static str,
    ) -> Result<Option<&'a TensorProto>, ImportError> {
        let found = self.typed(name, AttributeType::Tensor, "a tensor")?;
        Ok(found.and_then(|attribute| attribute.t.as_deref()))
    }

    /// An axis of a tensor with `rank` dimensions, counted from the end where negative.
    pub(super) fn axis(&self, axis: i64, rank: usize) -> Result<usize, ImportError> {
        self.axis_up_to(axis, rank, rank)
    }

    /// As [`Self::axis`], with `end` the first value too large.
    pub(super) fn axis_up_to(
        &self,
        axis: i64,
        rank: usize,
        end: usize,
    ) -> Result<usize, ImportError> {
        let signed_rank = i64::try_from(rank).unwrap_or(i64::MAX);
        let counted = if axis < 0 { axis.checked_add(signed_rank) } else { Some(axis) };
        counted
            .and_then(|axis| usize::try_from(axis).ok())
            .filter(|&axis| axis < end)
            .ok_or_else(|| self.wrong_attribute("axis", "an axis of the tensor"))
    }
}

/// Refusals.
impl OnnxNode<'_> {
    pub(super) fn wrong_operand(&self, index: usize, expected: &'static str) -> ImportError {
        ImportError::Operand { node: self.name.clone(), op: self.op().to_owned(), index, expected }
    }

    pub(super) fn wrong_attribute(&self, attribute: &str, expected: &'static str) -> ImportError {
        ImportError::Attribute {
            node: self.name.clone(),
            attribute: attribute.to_owned(),
            expected,
        }
    }

    pub(super) fn unsupported(&self, what: &'static str) -> ImportError {
        ImportError::UnsupportedForm { node: self.name.clone(), op: self.op().to_owned(), what }
    }

    pub(super) fn wrong_shape(&self, expected: &'static str, got: &[&[usize]]) -> ImportError {
        ImportError::Shape {
            node: self.name.clone(),
            op: self.op().to_owned(),
            expected,
            got: got.iter().map(|shape| shape.to_vec()).collect(),
        }
    }
}
