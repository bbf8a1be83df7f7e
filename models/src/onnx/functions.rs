//! Nodes as the importer reads them: each with its operator set, calls of the file's own functions
//! replaced by their bodies.

use std::collections::HashMap;

use super::error::ImportError;
use super::limits::{FIELDS, NODES, limit};
use super::proto::{AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto};
use super::sets::{OperatorSets, function_sets, standard};

/// A node of the graph, or of a function's body where it is called.
#[derive(Clone, Debug)]
pub(super) struct FlatNode<'a> {
    /// The name in messages.
    pub(super) name: String,
    pub(super) op: &'a str,
    pub(super) domain: &'a str,
    pub(super) input: Vec<String>,
    pub(super) output: Vec<String>,
    /// Names and values; a value may be another node's, under another name.
    pub(super) attributes: Vec<(&'a str, &'a AttributeProto)>,
    /// The version of the operator set of its domain.
    pub(super) opset: i64,
    /// Names of the graph around that its own graphs may read.
    pub(super) captured: Vec<&'a str>,
    /// What the codes that it gives are clamped to besides their own range.
    pub(super) clamps: Vec<Clamp>,
}

/// A function of real numbers that became one of codes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Clamp {
    /// Nothing below 0.
    Relu,
    /// Nothing outside the numbers that are these operands, where there are any.
    Between([Option<usize>; 2]),
}

impl FlatNode<'_> {
    /// Every name that the node may read.
    pub(super) fn reads(&self) -> impl Iterator<Item = &str> {
        self.input.iter().map(String::as_str).chain(self.captured.iter().copied())
    }
}

/// Most calls inside each other.
const DEPTH: usize = 16;

/// Whether an operation, of a domain, needs no function of the file.
pub(super) type IsKnown = fn(domain: &str, op: &str) -> bool;

/// The nodes of the model's graph.
pub(super) fn inline<'a>(
    model: &'a ModelProto,
    sets: &OperatorSets,
    is_known: IsKnown,
) -> Result<Vec<FlatNode<'a>>, ImportError> {
    let (functions, nodes) = (HashMap::new(), Vec::new());
    let mut inliner = Inliner { is_known, functions, nodes, calls: 0, fields: 0 };
    for function in &model.functions {
        let key = (&*function.domain, &*function.name, &*function.overload);
        if inliner.functions.insert(key, function).is_some() {
            return Err(refused(function, "it is defined twice"));
        }
    }
    let nodes = model.graph.iter().flat_map(|graph| &graph.node);
    for (position, node) in nodes.enumerate() {
        inliner.add(flat_node(node, position, sets), &node.overload, 0)?;
    }
    Ok(inliner.nodes)
}

/// The nodes of a graph inside a node, where functions are not called.
pub(super) fn flatten<'a>(graph: &'a GraphProto, sets: &OperatorSets) -> Vec<FlatNode<'a>> {
    let nodes = graph.node.iter().enumerate();
    nodes.map(|(position, node)| flat_node(node, position, sets)).collect()
}

fn flat_node<'a>(node: &'a NodeProto, position: usize, sets: &OperatorSets) -> FlatNode<'a> {
    let mut captured = Vec::new();
    for attribute in &node.attribute {
        attribute.g.iter().for_each(|graph| add_names(graph, &mut captured));
        attribute.graphs.iter().for_each(|graph| add_names(graph, &mut captured));
    }
    captured.sort_unstable();
    captured.dedup();
    FlatNode {
        name: node_name(node, position),
        op: &node.op_type,
        domain: standard(&node.domain),
        input: node.input.clone(),
        output: node.output.clone(),
        attributes: node.attribute.iter().map(|value| (value.name.as_str(), value)).collect(),
        opset: sets.version(&node.domain),
        captured,
        clamps: Vec::new(),
    }
}

/// Every name that the nodes and outputs of a graph read.
fn add_names<'a>(graph: &'a GraphProto, names: &mut Vec<&'a str>) {
    names.extend(graph.output.iter().map(|output| output.name.as_str()));
    for node in &graph.node {
        names.extend(node.input.iter().map(String::as_str));
        for attribute in &node.attribute {
            attribute.g.iter().for_each(|graph| add_names(graph, names));
            attribute.graphs.iter().for_each(|graph| add_names(graph, names));
        }
    }
}

/// The name of a node in messages: its own, or that of its first output.
fn node_name(proto: &NodeProto, position: usize) -> String {
    let output = proto.output.first().filter(|name| !name.is_empty());
    match (proto.name.as_str(), output) {
        ("", Some(output)) => output.clone(),
        ("", None) => format!("#{position}"),
        (name, _) => name.to_owned(),
    }
}

struct Inliner<'a> {
    is_known: IsKnown,
    functions: HashMap<(&'a str, &'a str, &'a str), &'a FunctionProto>,
    nodes: Vec<FlatNode<'a>>,
    calls: usize,
    fields: usize,
}

impl<'a> Inliner<'a> {
    /// Adds a node, or the body of the function that it calls.
    fn add(&mut self, node: FlatNode<'a>, overload: &str, depth: usize) -> Result<(), ImportError> {
        self.fields += 1 + node.input.len() + node.output.len() + node.attributes.len();
        limit("the graph with its functions", "fields", self.fields, FIELDS)?;
        let domain = node.domain;
        let function = [domain, if domain.is_empty() { "ai.onnx" } else { domain }]
            .iter()
            .find_map(|domain| self.functions.get(&(*domain, node.op, overload)).copied());
        match function {
            Some(function) if !(self.is_known)(domain, node.op) => {
                if depth == DEPTH {
                    return Err(refused(
                        function,
                        "calls inside calls go too deep, or in a circle",
                    ));
                }
                self.call(&node, function, depth)
            }
            _ => {
                self.nodes.push(node);
                limit("the graph with its functions", "nodes", self.nodes.len(), NODES)
            }
        }
    }

    fn call(
        &mut self,
        node: &FlatNode<'a>,
        function: &'a FunctionProto,
        depth: usize,
    ) -> Result<(), ImportError> {
        if node.input.len() > function.input.len() || node.output.len() > function.output.len() {
            return Err(refused(
                function,
                "it is called with more operands or results than it has",
            ));
        }
        let known = |name: &str| {
            function.attribute.iter().any(|known| known == name)
                || function.attribute_proto.iter().any(|known| known.name == name)
        };
        if let Some((attribute, _)) = node.attributes.iter().find(|(name, _)| !known(name)) {
            return Err(ImportError::UnknownAttribute {
                node: node.name.clone(),
                op: node.op.to_owned(),
                attribute: (*attribute).to_owned(),
            });
        }
        self.calls += 1;
        let prefix = format!("{}#{}", node.name, self.calls);
        let mut names: HashMap<&str, String> = HashMap::new();
        for (position, name) in function.input.iter().enumerate() {
            names.insert(name, node.input.get(position).cloned().unwrap_or_default());
        }
        let sets = function_sets(function)?;
        let mut copies = Vec::new();
        for (name, wanted) in function.output.iter().zip(&node.output) {
            if names.contains_key(name.as_str()) {
                copies.push((name, wanted));
            } else if !wanted.is_empty() {
                names.insert(name, wanted.clone());
            }
        }
        let rename = |name: &String| match names.get(name.as_str()) {
            _ if name.is_empty() => String::new(),
            Some(name) => name.clone(),
            None => format!("{prefix}/{name}"),
        };
        for (position, inner) in function.node.iter().enumerate() {
            let flat = FlatNode {
                name: format!("{}/{}", node.name, node_name(inner, position)),
                op: &inner.op_type,
                domain: standard(&inner.domain),
                input: inner.input.iter().map(rename).collect(),
                output: inner.output.iter().map(rename).collect(),
                attributes: bound_attributes(inner, node, function)?,
                opset: sets.version(&inner.domain),
                captured: Vec::new(),
                clamps: Vec::new(),
            };
            self.add(flat, &inner.overload, depth + 1)?;
        }
        for (name, wanted) in copies {
            let copy = identity(prefix.clone(), [rename(name), wanted.clone()], sets.version(""));
            self.add(copy, "", depth + 1)?;
        }
        Ok(())
    }
}

/// A node that copies a tensor.
fn identity<'a>(name: String, [input, output]: [String; 2], opset: i64) -> FlatNode<'a> {
    FlatNode {
        name,
        op: "Identity",
        domain: "",
        input: vec![input],
        output: vec![output],
        attributes: Vec::new(),
        opset,
        captured: Vec::new(),
        clamps: Vec::new(),
    }
}

/// The attributes of a node in a function's body, with the caller's values and the defaults.
fn bound_attributes<'a>(
    inner: &'a NodeProto,
    caller: &FlatNode<'a>,
    function: &'a FunctionProto,
) -> Result<Vec<(&'a str, &'a AttributeProto)>, ImportError> {
    let mut bound = Vec::new();
    for attribute in &inner.attribute {
        if attribute.g.is_some() || !attribute.graphs.is_empty() {
            return Err(refused(function, "control flow inside a function is not supported"));
        }
        let name = attribute.name.as_str();
        if attribute.ref_attr_name.is_empty() {
            bound.push((name, attribute));
            continue;
        }
        let meant = attribute.ref_attr_name.as_str();
        let given = caller.attributes.iter().find(|(name, _)| *name == meant).map(|(_, v)| *v);
        let default = function.attribute_proto.iter().find(|value| value.name == meant);
        bound.extend(given.or(default).map(|value| (name, value)));
    }
    Ok(bound)
}

fn refused(function: &FunctionProto, what: &'static str) -> ImportError {
    ImportError::Function { function: format!("{}.{}", function.domain, function.name), what }
}
