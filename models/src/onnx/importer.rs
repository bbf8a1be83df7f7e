//! Walks the nodes in dependency order and lowers each one.

mod folding;
mod inner;
mod texts;

use std::collections::{HashMap, HashSet};

use super::constant::{Constant, Data};
use super::element::{Codes, Element, Stored};
use super::error::{ImportError, Refusals};
use super::functions::FlatNode;
use super::input::Input;
use super::limits::Budget;
use super::node::{OnnxNode, Tensor, Value};
use super::operators::{Check, CodesIn, Recognize};
use super::order::dependency_order;
use super::proto::GraphProto;
use super::sets::OperatorSets;
use super::step::Step;
use crate::graph::{Activate, Draft, FixedInput, Node, Op, TensorSpec, alias};
use crate::quantized::TensorId;
use crate::view::View;

/// The graph as far as it is built.
#[derive(Debug)]
pub(super) struct Importer {
    pub(super) graph: Draft,
    pub(super) budget: Budget,
    /// What each name stands for; `None` where it could not be made, for a reason that is known.
    values: HashMap<String, Option<Value>>,
    /// Names of tensors of the graph, each with the last number tried for another of that name.
    names: HashMap<String, usize>,
    /// What the elements of constants of the file are.
    kinds: HashMap<String, Element>,
    /// How the file stores the elements of its inputs.
    stored: HashMap<String, Stored>,
    /// Names of the model's outputs.
    outputs: HashSet<String>,
    /// Tensors of integers that are computed exactly.
    pub(super) whole: HashSet<TensorId>,
    /// What is known of tensors of codes.
    pub(super) codes: HashMap<TensorId, Codes>,
    /// Lists of values, which are no tensors, by their names.
    pub(super) sequences: HashMap<String, Vec<Value>>,
    /// Lists of texts.
    texts: Vec<Vec<String>>,
    /// What the columns of values are about, by the names of these.
    columns: HashMap<String, Vec<String>>,
    /// What tensors are on the way to a normalization.
    pub(super) steps: HashMap<TensorId, Step>,
    reasons: Vec<ImportError>,
    sets: OperatorSets,
    check: Check,
    recognize: Recognize,
    /// Nodes of graphs inside nodes, so far.
    inner_nodes: usize,
}

/// Lowers a graph, nodes by the operations that `check` finds, what they are together by `recognize`;
/// `reasons` are those found before.
pub(super) fn import(
    proto: &GraphProto,
    nodes: &[FlatNode<'_>],
    inputs: &[Input],
    (sets, check, recognize): (OperatorSets, Check, Recognize),
    reasons: Vec<ImportError>,
) -> Result<Draft, Refusals> {
    let mut importer =
        Importer { reasons, sets, ..Importer::new(Budget::of(proto), check, recognize) };
    importer.outputs = proto.output.iter().map(|output| output.name.clone()).collect();
    importer.add_initializers(proto)?;
    for input in &proto.input {
        // Those that cannot be used have their reason already.
        importer.values.entry(input.name.clone()).or_insert(None);
    }
    inputs.iter().try_for_each(|input| importer.add_input(input))?;
    importer.take_all(nodes, proto)?;
    importer.add_outputs(proto)?;
    match Refusals::of(importer.reasons) {
        Some(refusals) => Err(refusals),
        None => Ok(importer.graph),
    }
}

/// Building the graph.
impl Importer {
    fn new(budget: Budget, check: Check, recognize: Recognize) -> Self {
        Self {
            graph: Draft::empty(),
            budget,
            values: HashMap::new(),
            names: HashMap::new(),
            kinds: HashMap::new(),
            stored: HashMap::new(),
            outputs: HashSet::new(),
            whole: HashSet::new(),
            codes: HashMap::new(),
            sequences: HashMap::new(),
            texts: Vec::new(),
            columns: HashMap::new(),
            steps: HashMap::new(),
            reasons: Vec::new(),
            sets: OperatorSets::default(),
            check,
            recognize,
            inner_nodes: 0,
        }
    }

    /// The shape of a tensor.
    pub(super) fn shape(&self, id: TensorId) -> &[usize] {
        &self.graph.tensor(id).shape
    }

    /// Whether the elements of a tensor are those of a model input, maybe in another order.
    pub(super) fn is_taken_from_input(&self, id: TensorId) -> bool {
        self.input_of(id).is_some()
    }

    /// The model input of which a tensor has elements and no others.
    fn input_of(&self, id: TensorId) -> Option<TensorId> {
        Some(self.root_of(id)).filter(|root| self.graph.inputs.contains(root))
    }

    /// The tensor of which a tensor has elements and no others, through any number of movements.
    pub(super) fn root_of(&self, id: TensorId) -> TensorId {
        let mut root = id;
        for node in self.graph.nodes.iter().rev() {
            match &node.op {
                Op::Alias(alias) if node.output == root => root = alias.input,
                _ => {}
            }
        }
        root
    }

    /// Counts a tensor against the budget, before its elements are touched.
    pub(super) fn reserve(
        &mut self,
        node: &OnnxNode<'_>,
        shape: &[usize],
    ) -> Result<usize, ImportError> {
        node.has_elements(shape)?;
        self.budget.elements(&node.name, shape)
    }

    /// Adds the node's operation, or a step of it.
    pub(super) fn emit(
        &mut self,
        node: &OnnxNode<'_>,
        shape: Vec<usize>,
        op: Op<Activate>,
    ) -> Result<Value, ImportError> {
        let output = node.outputs().iter().find(|name| !name.is_empty());
        let output = output.map_or(node.name.as_str(), String::as_str).to_owned();
        let id = self.add_node(node, &output, shape, op)?;
        Ok(Value::Tensor(Tensor { id, element: Element::Real }))
    }

    /// Adds a node that defines a new tensor.
    pub(super) fn add_node(
        &mut self,
        node: &OnnxNode<'_>,
        output: &str,
        shape: Vec<usize>,
        op: Op<Activate>,
    ) -> Result<TensorId, ImportError> {
        self.budget.tensor(&node.name)?;
        let output = self.add_tensor(output, shape);
        self.graph.nodes.push(Node { name: node.name.clone(), op, output });
        Ok(output)
    }

    /// Adds a tensor; a name already taken gets a number.
    fn add_tensor(&mut self, name: &str, shape: Vec<usize>) -> TensorId {
        let name = self.free_name(name);
        self.graph.tensors.push(TensorSpec { name, shape });
        TensorId(self.graph.tensors.len() - 1)
    }

    fn free_name(&mut self, name: &str) -> String {
        let Some(mut number) = self.names.get(name).copied() else {
            self.names.insert(name.to_owned(), 1);
            return name.to_owned();
        };
        let free = loop {
            number += 1;
            let candidate = format!("{name}#{number}");
            if !self.names.contains_key(&candidate) {
                break candidate;
            }
        };
        self.names.insert(name.to_owned(), number);
        self.names.insert(free.clone(), 1);
        free
    }

    /// Gives a tensor of a node the name that the file gives it; `first` is the node's first
    /// tensor. A step of the same node that has the name takes the tensor's.
    fn name_as_in_file(&mut self, id: TensorId, first: usize, name: &str) {
        if id.0 < first || self.graph.tensors[id.0].name == name {
            return;
        }
        let step = (first..self.graph.tensors.len()).find(|&i| self.graph.tensors[i].name == name);
        match step {
            Some(step) => {
                let before = std::mem::take(&mut self.graph.tensors[id.0].name);
                self.graph.tensors[id.0].name =
                    std::mem::replace(&mut self.graph.tensors[step].name, before);
            }
            None if !self.names.contains_key(name) => {
                self.names.insert(name.to_owned(), 1);
                name.clone_into(&mut self.graph.tensors[id.0].name);
            }
            None => {}
        }
    }
}

/// Reading the file.
impl Importer {
    fn define(&mut self, name: &str, value: Option<Value>) -> Result<(), ImportError> {
        match self.values.insert(name.to_owned(), value) {
            Some(_) => Err(ImportError::DuplicateValue { value: name.to_owned() }),
            None => Ok(()),
        }
    }

    fn add_initializers(&mut self, proto: &GraphProto) -> Result<(), ImportError> {
        for initializer in &proto.initializer {
            let name = &initializer.name;
            let constant = match self.text_constant(initializer) {
                Ok(Some((places, kind))) => {
                    self.kinds.insert(name.clone(), kind);
                    Ok(places)
                }
                Ok(None) => Constant::decode(initializer, name, &mut self.budget),
                Err(why) => Err(why),
            };
            let value = match constant {
                Ok(constant) => Some(constant.into()),
                Err(limit @ ImportError::Limit { .. }) => return Err(limit),
                Err(reason) => {
                    self.reasons.push(reason);
                    None
                }
            };
            self.kinds.extend(
                Element::of(initializer.data_type).map(|kind| (initializer.name.clone(), kind)),
            );
            self.define(&initializer.name, value)?;
        }
        Ok(())
    }

    /// What the elements of a constant of the file are.
    pub(super) fn kind_of(&self, name: &str) -> Option<Element> {
        self.kinds.get(name).copied()
    }

    /// Whether the first result of a node is an output of the model.
    pub(super) fn gives_output(&self, node: &OnnxNode<'_>) -> bool {
        node.outputs().first().is_some_and(|name| self.outputs.contains(name))
    }

    /// How the file stores the input of which an operand has elements.
    pub(super) fn stored(&self, node: &OnnxNode<'_>, index: usize) -> Stored {
        let name = match node.optional(index) {
            Some(Value::Tensor(tensor)) => {
                self.input_of(tensor.id).map(|id| self.graph.tensor(id).name.as_str())
            }
            _ => None,
        };
        let stored = self.stored.get(name.unwrap_or_else(|| node.operand_name(index)));
        stored.copied().unwrap_or(Stored::Plain)
    }

    /// Keeps what the elements of a constant are.
    pub(super) fn set_kind(&mut self, name: &str, kind: Element) {
        self.kinds.insert(name.to_owned(), kind);
    }

    fn add_input(&mut self, input: &Input) -> Result<(), ImportError> {
        let count = self.budget.elements(&input.name, &input.shape)?;
        self.stored.insert(input.name.clone(), input.stored);
        let value = match &input.fixed {
            None => {
                self.budget.tensor(&input.name)?;
                let id = self.add_tensor(&input.name, input.shape.clone());
                self.graph.inputs.push(id);
                if let Some((least, most)) = input.element.bounds() {
                    self.graph.whole_inputs.insert(id, [least, most]);
                }
                Value::Tensor(Tensor { id, element: input.element })
            }
            Some(values) => {
                let values =
                    if values.len() == 1 { vec![values[0]; count] } else { values.clone() };
                let data = match input.element {
                    Element::Real => Data::Real(values),
                    _ => Data::Integer(
                        values.into_iter().filter_map(super::compose::whole).collect(),
                    ),
                };
                self.kinds.insert(input.name.clone(), input.element);
                let constant = Constant { shape: input.shape.clone(), data };
                let (name, shape) = (input.name.clone(), input.shape.clone());
                self.graph.fixed_inputs.push(FixedInput {
                    spec: TensorSpec { name, shape },
                    values: constant.to_reals(),
                    position: self.graph.inputs.len(),
                });
                constant.into()
            }
        };
        match self.values.insert(input.name.clone(), Some(value)) {
            Some(Some(_)) => Err(ImportError::DuplicateValue { value: input.name.clone() }),
            _ => Ok(()),
        }
    }

    fn take_all(&mut self, nodes: &[FlatNode<'_>], proto: &GraphProto) -> Result<(), ImportError> {
        let outputs = proto.output.iter().map(|output| output.name.as_str());
        let read: HashSet<&str> = nodes.iter().flat_map(FlatNode::reads).chain(outputs).collect();
        for position in dependency_order(nodes)? {
            self.take(&nodes[position], &read)?;
        }
        Ok(())
    }

    /// Lowers a node, or keeps the reason why that is not possible.
    fn take(&mut self, flat: &FlatNode<'_>, read: &HashSet<&str>) -> Result<(), ImportError> {
        let first = self.graph.tensors.len();
        let values = match self.lower(flat, read) {
            Ok(values) => values,
            // Nothing of a file that asks for too much is looked at any further.
            Err(Some(limit @ ImportError::Limit { .. })) => return Err(limit),
            Err(reason) => {
                self.reasons.extend(reason);
                Vec::new()
            }
        };
        for (index, output) in flat.output.iter().enumerate() {
            if !output.is_empty() {
                let value = values.get(index).cloned();
                if let Some(Value::Tensor(tensor)) = value {
                    self.name_as_in_file(tensor.id, first, output);
                }
                self.define(output, value)?;
            }
        }
        Ok(())
    }

    /// The outputs of a node; an error without a reason has one already.
    fn lower(
        &mut self,
        flat: &FlatNode<'_>,
        read: &HashSet<&str>,
    ) -> Result<Vec<Value>, Option<ImportError>> {
        let mut operands = Vec::new();
        for input in &flat.input {
            operands.push(match (input.is_empty(), self.values.get(input)) {
                (true, _) => None,
                (false, Some(Some(value))) => Some(value.clone()),
                (false, Some(None)) if self.sequences.contains_key(input) => None,
                (false, Some(None)) => return Err(None),
                (false, None) => {
                    let (reader, value) = (flat.name.clone(), input.clone());
                    return Err(Some(ImportError::UndefinedValue { reader, value }));
                }
            });
        }
        // An unknown operation is among the reasons already.
        let operator = (self.check)(flat).map_err(|_| None)?;
        let mut node = OnnxNode::new(flat, operands);
        self.check_texts(&node, operator)?;
        self.check_sequences(&node, operator)?;
        if operator.codes == CodesIn::Whole {
            node = self.with_whole_codes(node)?;
        }
        let results = self.results(&node, operator);
        let mut results = results.map_err(|reason| self.naming_input(&node, reason))?;
        if operator.domain.is_empty() {
            (self.recognize)(&node, self, &mut results)?;
        }
        if operator.codes == CodesIn::Moved {
            self.move_codes(node.optional(0), &results);
        }
        for (value, name) in results.iter_mut().zip(&flat.output) {
            if self.outputs.contains(name) {
                *value = self.whole_codes(&node, value)?;
            }
        }
        for (index, output) in flat.output.iter().enumerate() {
            let is_made = results.get(index).is_some() || self.sequences.contains_key(output);
            if !is_made && read.contains(output.as_str()) {
                let (node, op) = (flat.name.clone(), flat.op.to_owned());
                return Err(Some(ImportError::Output { node, op, index }));
            }
        }
        Ok(results)
    }

    /// The same reason with the model's input that an operand is, where it is one.
    fn naming_input(&self, node: &OnnxNode<'_>, reason: ImportError) -> ImportError {
        let ImportError::Computed { node: name, op, index, input: None } = reason else {
            return reason;
        };
        let input = match node.optional(index) {
            Some(Value::Tensor(tensor)) => self.input_of(tensor.id),
            _ => None,
        };
        let input = input.map(|id| self.graph.tensor(id).name.clone());
        ImportError::Computed { node: name, op, index, input }
    }

    fn add_outputs(&mut self, proto: &GraphProto) -> Result<(), ImportError> {
        for output in &proto.output {
            let name = &output.name;
            match self.values.get(name) {
                Some(Some(value @ Value::Tensor(tensor))) => {
                    let (value, id) = (value.clone(), tensor.id);
                    let id = self.named(id, name);
                    self.name_classes(&value, name, id);
                    self.graph.outputs.push(id);
                }
                Some(Some(Value::Constant(_))) => {
                    self.reasons.push(ImportError::ConstantOutput { output: name.clone() });
                }
                Some(None) if self.sequences.contains_key(name) => {
                    self.reasons.push(ImportError::SequenceOutput { output: name.clone() });
                }
                Some(None) => {}
                None => {
                    let (reader, value) = (name.clone(), name.clone());
                    self.reasons.push(ImportError::UndefinedValue { reader, value });
                }
            }
        }
        Ok(())
    }

    /// The tensor under the name that the file gives an output; an input, or a tensor that is
    /// an output already, keeps its own and is copied.
    fn named(&mut self, id: TensorId, name: &str) -> TensorId {
        if self.graph.tensor(id).name == name {
            return id;
        }
        if self.graph.inputs.contains(&id) || self.graph.outputs.contains(&id) {
            let shape = self.shape(id).to_vec();
            let elements = View::in_order(shape.iter().product());
            return self.graph.add_node(name, name, shape, alias(id, elements));
        }
        self.graph.rename_tensor(id, name);
        id
    }
}
