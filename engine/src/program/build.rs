//! From halo2's expressions to the graph of a whole argument.

use std::{collections::BTreeMap, sync::Arc};

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Any, Column, Expression},
};

use super::{
    graph::{Graph, Linear, NodeId, Source},
    plan::{self, Program},
    uniform::Uniform,
};

/// Collects the constraints of an argument, in the order in which the verifier folds them.
#[derive(Debug)]
pub(crate) struct ProgramBuilder {
    pub(super) graph: Graph,
    pub(super) constraints: Vec<Linear>,
}

impl ProgramBuilder {
    pub(crate) fn new() -> Self {
        Self { graph: Graph::new(), constraints: Vec::new() }
    }

    /// The value that proof parameter `number` has in every row.
    pub(crate) fn parameter(&mut self, number: usize) -> Linear {
        Linear::uniform(self.graph.uniforms.parameter(number))
    }

    pub(crate) fn constant(&mut self, value: Fr) -> Linear {
        Linear::uniform(self.graph.uniforms.constant(value))
    }

    pub(crate) fn query(&mut self, source: Source, rotation: i32) -> Linear {
        self.graph.query(source, rotation)
    }

    /// A column of the circuit in the current row.
    pub(crate) fn column(&mut self, column: Column<Any>) -> Linear {
        let index = column.index();
        let source = match column.column_type() {
            Any::Advice(_) => Source::Advice(index),
            Any::Fixed => Source::Fixed(index),
            Any::Instance => Source::Instance(index),
        };
        self.query(source, 0)
    }

    /// The same value, which is computed once for all that it becomes a term of.
    pub(crate) fn shared(&mut self, value: &Linear) -> Linear {
        Linear::of(self.graph.node(value))
    }

    pub(crate) fn add(&mut self, a: &Linear, b: &Linear) -> Linear {
        self.graph.add(a.clone(), b)
    }

    pub(crate) fn subtract(&mut self, a: &Linear, b: &Linear) -> Linear {
        self.graph.subtract(a.clone(), b)
    }

    pub(crate) fn multiply(&mut self, a: &Linear, b: &Linear) -> Linear {
        self.graph.multiply(a, b)
    }

    /// A polynomial of a gate; challenge `i` of the circuit is parameter `i`.
    pub(crate) fn expression(&mut self, expression: &Expression<Fr>) -> Linear {
        match expression {
            Expression::Constant(value) => self.constant(*value),
            Expression::Selector(_) => unreachable!("selectors were replaced by fixed columns"),
            Expression::Fixed(query) => {
                self.query(Source::Fixed(query.column_index()), query.rotation().0)
            }
            Expression::Advice(query) => {
                self.query(Source::Advice(query.column_index()), query.rotation().0)
            }
            Expression::Instance(query) => {
                self.query(Source::Instance(query.column_index()), query.rotation().0)
            }
            Expression::Challenge(challenge) => self.parameter(challenge.index()),
            Expression::Negated(inner) => {
                let inner = self.expression(inner);
                self.graph.scale(&inner, Uniform::MINUS_ONE)
            }
            Expression::Sum(a, b) => {
                let (a, b) = (self.expression(a), self.expression(b));
                self.graph.add(a, &b)
            }
            Expression::Product(a, b) => {
                let (a, b) = (self.expression(a), self.expression(b));
                self.graph.multiply(&a, &b)
            }
            Expression::Scaled(inner, scale) => {
                let inner = self.expression(inner);
                let scale = self.graph.uniforms.constant(*scale);
                self.graph.scale(&inner, scale)
            }
        }
    }

    /// One more constraint.
    pub(crate) fn constrain(&mut self, constraint: Linear) {
        self.constraints.push(constraint);
    }

    /// The parts of a constraint that are multiplied by the same switch.
    pub(super) fn by_switch(&mut self, constraint: &Linear) -> BTreeMap<Option<NodeId>, Linear> {
        let mut parts = BTreeMap::from([(None, Linear::uniform(constraint.constant))]);
        for (&node, &scale) in &constraint.terms {
            let (switch, rest) = match self.graph.switched(node) {
                Some((switch, rest)) => (Some(switch), self.graph.linear(rest)),
                None => (None, Linear::of(node)),
            };
            let part = parts.remove(&switch).unwrap_or(Linear::uniform(Uniform::ZERO));
            let part = self.graph.add_scaled(part, &rest, scale);
            parts.insert(switch, part);
        }
        parts
    }

    /// The values themselves, one output each.
    pub(crate) fn outputs(mut self, outputs: &[Linear]) -> Program {
        let roots: Vec<NodeId> = outputs.iter().map(|output| self.graph.node(output)).collect();
        plan::compile(&self.graph, &roots, &Arc::new(self.graph.uniforms.clone()))
    }
}
