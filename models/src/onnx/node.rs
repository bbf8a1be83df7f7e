//! One ONNX node with its operands resolved, and readers for its attributes.

use std::cell::RefCell;
use std::rc::Rc;

use super::constant::{Constant, Data};
use super::element::Element;
use super::error::ImportError;
use super::functions::{Clamp, FlatNode};
use super::proto::{AttributeProto, AttributeType, GraphProto, TensorProto};
use crate::quantized::TensorId;

/// What a name in the file stands for.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A tensor computed from the inputs.
    Tensor(Tensor),
    /// Known when the file is read.
    Constant(Rc<Constant>),
}

/// A tensor of the graph, and what its elements are in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tensor {
    pub(super) id: TensorId,
    pub(super) element: Element,
}

impl From<Constant> for Value {
    fn from(constant: Constant) -> Self {
        Self::Constant(Rc::new(constant))
    }
}

impl Value {
    /// The same numbers as numbers of another kind.
    pub(super) fn with_element(self, element: Element) -> Self {
        match self {
            Self::Tensor(tensor) => Self::Tensor(Tensor { element, ..tensor }),
            constant @ Self::Constant(_) => constant,
        }
    }

    pub(super) fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }
}

/// A node whose operands are known.
#[derive(Debug)]
pub(super) struct OnnxNode<'a> {
    pub(super) name: String,
    pub(super) opset: i64,
    flat: &'a FlatNode<'a>,
    operands: Vec<Option<Value>>,
    /// The attributes that have been asked for, whether given or not.
    read: RefCell<Vec<&'static str>>,
}

impl<'a> OnnxNode<'a> {
    pub(super) fn new(flat: &'a FlatNode<'a>, operands: Vec<Option<Value>>) -> Self {
        let (name, opset) = (flat.name.clone(), flat.opset);
        Self { name, opset, flat, operands, read: RefCell::default() }
    }

    /// The same node with other operands.
    pub(super) fn with_operands(&self, operands: Vec<Option<Value>>) -> Self {
        let read = self.read.clone();
        Self { name: self.name.clone(), opset: self.opset, flat: self.flat, operands, read }
    }

    pub(super) fn op(&self) -> &'a str {
        self.flat.op
    }

    /// All operands, those left out included.
    pub(super) fn operands(&self) -> &[Option<Value>] {
        &self.operands
    }

    pub(super) fn operand_count(&self) -> usize {
        self.operands.len()
    }

    /// Names of the outputs; an empty one is not wanted.
    pub(super) fn outputs(&self) -> &'a [String] {
        &self.flat.output
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
            Value::Tensor(tensor) => Ok(tensor.id),
            Value::Constant(_) => Err(self.wrong_operand(index, "computed from the input")),
        }
    }

    /// The operand at `index`, which must be constant.
    pub(super) fn constant(&self, index: usize) -> Result<&Constant, ImportError> {
        match self.operand(index)? {
            Value::Constant(constant) => Ok(constant),
            Value::Tensor(_) => Err(self.computed_operand(index)),
        }
    }

    /// The name of the operand at `index`.
    pub(super) fn operand_name(&self, index: usize) -> &'a str {
        self.flat.input.get(index).map_or("", String::as_str)
    }

    /// What the codes that it gives are clamped to besides their own range.
    pub(super) fn clamps(&self) -> &'a [Clamp] {
        &self.flat.clamps
    }

    /// The name of the first constant operand, or the node's.
    pub(super) fn constant_name(&self) -> &str {
        let mut operands = self.operands.iter().zip(&self.flat.input);
        let constant = operands.find(|(value, _)| value.as_ref().is_some_and(Value::is_constant));
        constant.map_or(self.name.as_str(), |(_, name)| name.as_str())
    }

    /// The real numbers of the constant operand at `index`, all of them finite.
    pub(super) fn reals(&self, index: usize) -> Result<(&[usize], &[f64]), ImportError> {
        let constant = self.constant(index)?;
        constant.check_finite(&self.flat.input[index])?;
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
        if self.optional(index).is_none() {
            return Ok(None);
        }
        match self.constant(index)?.to_reals()[..] {
            [value] => Ok(Some(value)),
            _ => Err(self.wrong_operand(index, "a single number")),
        }
    }
}

/// Attributes.
impl<'a> OnnxNode<'a> {
    /// The attribute of that name; it counts as read.
    pub(super) fn attribute(&self, name: &'static str) -> Option<&'a AttributeProto> {
        self.read.borrow_mut().push(name);
        self.flat.attributes.iter().find(|(given, _)| *given == name).map(|(_, value)| *value)
    }

    /// Counts attributes as read that change nothing in inference.
    pub(super) fn has_no_effect(&self, names: &[&'static str]) {
        self.read.borrow_mut().extend(names);
    }

    /// Refuses an attribute that nothing has read: in this operator set, or beside these operands,
    /// it has no meaning that is known.
    pub(super) fn all_read(&self) -> Result<(), ImportError> {
        let read = self.read.borrow();
        match self.flat.attributes.iter().find(|(name, _)| !read.contains(name)) {
            None => Ok(()),
            Some((attribute, _)) => Err(ImportError::UnknownAttribute {
                node: self.name.clone(),
                op: self.op().to_owned(),
                attribute: (*attribute).to_owned(),
            }),
        }
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

    pub(super) fn texts(&self, name: &'static str) -> Result<Option<&'a [Vec<u8>]>, ImportError> {
        let found = self.typed(name, AttributeType::Strings, "a list of strings")?;
        Ok(found.map(|attribute| attribute.strings.as_slice()))
    }

    pub(super) fn graph(&self, name: &'static str) -> Result<Option<&'a GraphProto>, ImportError> {
        let found = self.typed(name, AttributeType::Graph, "a graph")?;
        Ok(found.and_then(|attribute| attribute.g.as_deref()))
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

    /// That the operand must be known when the file is read; the importer says which input it is.
    pub(super) fn computed_operand(&self, index: usize) -> ImportError {
        let (node, op) = (self.name.clone(), self.op().to_owned());
        ImportError::Computed { node, op, index, input: None }
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

    /// Refuses a tensor without elements, of which this operation computes nothing.
    pub(super) fn has_elements(&self, shape: &[usize]) -> Result<(), ImportError> {
        if shape.contains(&0) {
            return Err(self.wrong_shape("no dimension may be 0", &[shape]));
        }
        Ok(())
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
