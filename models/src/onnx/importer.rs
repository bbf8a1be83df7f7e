//! Walks the nodes in dependency order and lowers each one.

use std::collections::HashMap;
use std::rc::Rc;

use super::proto::{GraphProto, NodeProto};

use super::constant::Constant;
use super::input::graph_inputs;
use super::limits::Budget;
use super::node::{OnnxNode, Value, node_name};
use super::operators::operator;
use crate::error::ImportError;
use crate::graph::{Graph, Op, alias};
use crate::quantized::TensorId;

/// The graph as far as it is built.
#[derive(Debug)]
pub(super) struct Importer {
    pub(super) graph: Graph,
    pub(super) budget: Budget,
    values: HashMap<String, Value>,
}

/// Lowers a checked graph.
pub(super) fn import(proto: &GraphProto, opset: i64) -> Result<Graph, ImportError> {
    let mut importer =
        Importer { graph: Graph::empty(), budget: Budget::new(), values: HashMap::new() };
    importer.add_sources(proto)?;
    for position in dependency_order(&proto.node)? {
        importer.add_node(&proto.node[position], position, opset)?;
    }
    importer.add_outputs(proto)?;
    Ok(importer.graph)
}

impl Importer {
    /// The shape of a tensor.
    pub(super) fn shape(&self, id: TensorId) -> &[usize] {
        &self.graph.tensor(id).shape
    }

    /// Counts a tensor against the budget, before its elements are touched.
    pub(super) fn reserve(
        &mut self,
        node: &OnnxNode<'_>,
        shape: &[usize],
    ) -> Result<usize, ImportError> {
        let count = self.budget.elements(&node.name, shape)?;
        if count == 0 {
            return Err(node.wrong_shape("no dimension may be 0", &[shape]));
        }
        Ok(count)
    }

    /// Adds the node's operation, or a step of it.
    pub(super) fn emit(&mut self, node: &OnnxNode<'_>, shape: Vec<usize>, op: Op) -> Value {
        let output = node.outputs().iter().find(|name| !name.is_empty());
        let output = output.map_or(node.name.as_str(), String::as_str);
        Value::Tensor(self.graph.add_node(&node.name, output, shape, op))
    }

    fn define(&mut self, name: &str, value: Value) -> Result<(), ImportError> {
        match self.values.insert(name.to_owned(), value) {
            Some(_) => Err(ImportError::DuplicateValue { value: name.to_owned() }),
            None => Ok(()),
        }
    }

    fn add_sources(&mut self, proto: &GraphProto) -> Result<(), ImportError> {
        for initializer in &proto.initializer {
            let constant = Constant::decode(initializer, &initializer.name, &mut self.budget)?;
            self.define(&initializer.name, Value::Constant(Rc::new(constant)))?;
        }
        for (name, shape) in graph_inputs(proto)? {
            self.budget.elements(&name, &shape)?;
            let id = self.graph.add_tensor(&name, shape);
            self.graph.inputs.push(id);
            self.define(&name, Value::Tensor(id))?;
        }
        Ok(())
    }

    fn add_node(
        &mut self,
        proto: &NodeProto,
        position: usize,
        opset: i64,
    ) -> Result<(), ImportError> {
        let name = node_name(proto, position);
        let mut operands = Vec::new();
        for input in &proto.input {
            operands.push(if input.is_empty() { None } else { Some(self.resolve(input, &name)?) });
        }
        let node = OnnxNode::new(name, opset, proto, operands);
        let lower = operator(node.op())
            .map_err(|advice| ImportError::UnsupportedOp {
                node: node.name.clone(),
                op: node.op().to_owned(),
                advice,
            })?
            .lower;
        let results = lower(&node, self)?;
        for (index, output) in proto.output.iter().enumerate() {
            if output.is_empty() {
                continue;
            }
            let Some(value) = results.get(index) else {
                let (node, op) = (node.name.clone(), node.op().to_owned());
                return Err(ImportError::Output { node, op, index });
            };
            self.define(output, value.clone())?;
        }
        Ok(())
    }

    fn resolve(&self, value: &str, reader: &str) -> Result<Value, ImportError> {
        self.values.get(value).cloned().ok_or_else(|| ImportError::UndefinedValue {
            reader: reader.to_owned(),
            value: value.to_owned(),
        })
    }

    fn add_outputs(&mut self, proto: &GraphProto) -> Result<(), ImportError> {
        for output in &proto.output {
            match self.resolve(&output.name, &output.name)? {
                Value::Tensor(id) => {
                    let id = self.named(id, &output.name);
                    self.graph.outputs.push(id);
                }
                Value::Constant(_) => {
                    return Err(ImportError::ConstantOutput { output: output.name.clone() });
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
            let index = (0..shape.iter().product()).collect();
            return self.graph.add_node(name, name, shape, alias(id, index));
        }
        self.graph.rename_tensor(id, name);
        id
    }
}

/// Positions of the nodes, each after the ones it reads from.
fn dependency_order(nodes: &[NodeProto]) -> Result<Vec<usize>, ImportError> {
    let mut producer = HashMap::new();
    for (position, node) in nodes.iter().enumerate() {
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            if producer.insert(output.as_str(), position).is_some() {
                return Err(ImportError::DuplicateValue { value: output.clone() });
            }
        }
    }
    let sources = |position: usize| {
        nodes[position].input.iter().filter_map(|name| producer.get(name.as_str()).copied())
    };
    let mut waiting: Vec<usize> = (0..nodes.len()).map(|node| sources(node).count()).collect();
    let mut readers = vec![Vec::new(); nodes.len()];
    for position in 0..nodes.len() {
        for source in sources(position) {
            readers[source].push(position);
        }
    }
    let mut order: Vec<usize> = (0..nodes.len()).filter(|&node| waiting[node] == 0).collect();
    let mut done = 0;
    while done < order.len() {
        for &reader in &readers[order[done]] {
            waiting[reader] -= 1;
            if waiting[reader] == 0 {
                order.push(reader);
            }
        }
        done += 1;
    }
    let Some(mut stuck) = (0..nodes.len()).find(|&node| waiting[node] > 0) else {
        return Ok(order);
    };
    // A stuck node waits for a stuck node: after as many steps as nodes, we are on a cycle.
    for _ in 0..nodes.len() {
        stuck = sources(stuck).find(|&source| waiting[source] > 0).unwrap_or(stuck);
    }
    Err(ImportError::Cycle { node: node_name(&nodes[stuck], stuck) })
}
