//! Texts of the model: kept as places in lists, whose names the key of the model has.

use super::super::constant::{Constant, Data};
use super::super::element::Element;
use super::super::error::ImportError;
use super::super::node::{OnnxNode, Value};
use super::super::operators::{Operator, TextsIn};
use super::super::proto::{DataType, TensorProto};
use super::super::texts::{TextList, texts};
use super::Importer;
use crate::graph::ClassNames;
use crate::quantized::TensorId;

impl Importer {
    /// The kind of elements that are places in this list.
    pub(in super::super) fn text_kind(&mut self, list: TextList) -> Element {
        self.texts.push(list.into_texts());
        Element::Text { list: self.texts.len() - 1 }
    }

    /// The list that elements of this kind are places in.
    pub(in super::super) fn text_list(&self, kind: Element) -> Option<&[String]> {
        match kind {
            Element::Text { list } => self.texts.get(list).map(Vec::as_slice),
            _ => None,
        }
    }

    /// Names the classes that the columns of a node's output are about.
    pub(in super::super) fn name_columns(
        &mut self,
        node: &OnnxNode<'_>,
        index: usize,
        names: Vec<String>,
    ) {
        if let Some(output) = node.outputs().get(index) {
            self.columns.insert(output.clone(), names);
        }
    }

    /// A tensor of texts as their places; `None` for one of numbers.
    pub(super) fn text_constant(
        &mut self,
        proto: &TensorProto,
    ) -> Result<Option<(Constant, Element)>, ImportError> {
        if proto.data_type != DataType::String as i32 {
            return Ok(None);
        }
        let sizes = proto.dims.iter().map(|&size| usize::try_from(size));
        let shape = sizes.collect::<Result<Vec<_>, _>>().unwrap_or_default();
        let (expected, got) = (self.budget.elements(&proto.name, &shape)?, proto.string_data.len());
        let tensor = || proto.name.clone();
        let Some(read) = texts(&proto.string_data).filter(|_| expected == got) else {
            return Err(ImportError::DataLength { tensor: tensor(), expected, got });
        };
        let mut list = TextList::default();
        let places = read.into_iter().map(|text| i64::try_from(list.place(text)));
        let places = places.collect::<Result<Vec<_>, _>>();
        let data = Data::Integer(places.unwrap_or_default());
        Ok(Some((Constant { shape, data }, self.text_kind(list))))
    }

    /// Refuses texts where an operation knows numbers only.
    pub(super) fn check_texts(
        &self,
        node: &OnnxNode<'_>,
        operator: &Operator,
    ) -> Result<(), ImportError> {
        let is_text = |(index, value): (usize, &Option<Value>)| {
            let kind = match value {
                Some(Value::Tensor(tensor)) => Some(tensor.element),
                Some(Value::Constant(_)) => self.kind_of(node.operand_name(index)),
                None => None,
            };
            let is_taken = match (operator.texts, value) {
                (TextsIn::All, _) | (TextsIn::Computed, Some(Value::Tensor(_))) => true,
                (TextsIn::None | TextsIn::Computed, _) => false,
            };
            matches!(kind, Some(Element::Text { .. })) && !is_taken
        };
        match node.operands().iter().enumerate().any(is_text) {
            true => Err(node.unsupported(
                "texts, of which only places in a list are known here; encode them with a \
                 LabelEncoder first",
            )),
            false => Ok(()),
        }
    }

    /// Keeps what the file calls the classes of an output, which is called `name` there.
    pub(super) fn name_classes(&mut self, value: &Value, name: &str, id: TensorId) {
        let columns = self.columns.get(name);
        let shape = self.shape(id);
        let classes = match (self.text_list(Self::element_of(value)), columns) {
            (Some(texts), _) => ClassNames::Values(texts.to_vec()),
            (None, Some(names)) if shape.last() == Some(&names.len()) => {
                ClassNames::Columns(names.clone())
            }
            _ => return,
        };
        let output = self.graph.tensor(id).name.clone();
        self.graph.classes.insert(output, classes);
    }
}
