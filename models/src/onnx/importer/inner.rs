//! Graphs inside nodes: branches that are taken, bodies that are repeated.

use std::collections::HashSet;

use super::super::error::ImportError;
use super::super::functions::flatten;
use super::super::limits::{NODES, limit};
use super::super::node::{OnnxNode, Value};
use super::super::proto::{GraphProto, ValueInfoProto};
use super::Importer;

impl Importer {
    /// The outputs of a graph inside a node, which may read what is defined around it.
    pub(in super::super) fn inlined(
        &mut self,
        node: &OnnxNode<'_>,
        graph: &GraphProto,
    ) -> Result<Vec<Value>, ImportError> {
        self.inner_nodes = self.inner_nodes.saturating_add(graph.node.len());
        limit("the graphs inside nodes", "nodes", self.inner_nodes, NODES)?;
        let nodes = flatten(graph, &self.sets);
        self.add_initializers(graph)?;
        for inner in &nodes {
            (self.check)(inner)?;
        }
        self.take_all(&nodes, graph)?;
        let output = |output: &ValueInfoProto| match self.values.get(&output.name) {
            Some(Some(value)) => Ok(value.clone()),
            // Told where it was found.
            Some(None) => Err(node.unsupported("its graph cannot be proved")),
            None => Err(ImportError::UndefinedValue {
                reader: node.name.clone(),
                value: output.name.clone(),
            }),
        };
        graph.output.iter().map(output).collect()
    }

    /// The outputs of a graph inside a node for these inputs; its names mean nothing afterwards.
    pub(in super::super) fn unrolled(
        &mut self,
        node: &OnnxNode<'_>,
        graph: &GraphProto,
        inputs: Vec<Value>,
    ) -> Result<Vec<Value>, ImportError> {
        let results = graph.node.iter().flat_map(|inner| &inner.output);
        let initializers = graph.initializer.iter().map(|initializer| &initializer.name);
        let parameters = graph.input.iter().map(|input| &input.name);
        let own: HashSet<&String> = results.chain(initializers).chain(parameters).collect();
        let own: Vec<&String> = own.into_iter().filter(|name| !name.is_empty()).collect();
        let around: Vec<_> = own.iter().map(|name| self.values.remove(*name)).collect();
        for (parameter, value) in graph.input.iter().zip(inputs) {
            self.define(&parameter.name, Some(value))?;
        }
        let outputs = self.inlined(node, graph)?;
        for (name, before) in own.into_iter().zip(around) {
            self.values.remove(name);
            self.values.extend(before.map(|before| (name.clone(), before)));
        }
        Ok(outputs)
    }
}
