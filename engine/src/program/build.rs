//! From halo2's expressions to the graph of a whole argument.

use std::collections::BTreeMap;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Any, Column, Expression},
};

use super::{
    factor::Uses,
    graph::{Graph, Linear, NodeId, Source},
    plan::{self, Program},
    uniform::Uniform,
};

/// Collects the constraints of an argument, in the order in which the verifier folds them.
#[derive(Debug)]
pub(crate) struct ProgramBuilder {
    graph: Graph,
    constraints: Vec<Linear>,
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

    /// `Σ y^(count - 1 - i) · constraint_i`, where `y` is parameter `number`.
    ///
    /// Constraints that are multiplied by the same switch are added up first.
    pub(crate) fn fold(mut self, number: usize, combination_min: usize) -> Program {
        let y = self.graph.uniforms.parameter(number);
        let uses = Uses::count(&self.graph, &self.constraints);
        let mut weight = Uniform::ONE;
        let mut switched: BTreeMap<Option<NodeId>, Linear> = BTreeMap::new();
        for constraint in std::mem::take(&mut self.constraints).into_iter().rev() {
            for (switch, part) in self.by_switch(&constraint) {
                let part = self.graph.factor(&part, &uses);
                let sum = switched.remove(&switch).unwrap_or(Linear::uniform(Uniform::ZERO));
                let sum = self.graph.add_weighted(sum, &part, weight);
                switched.insert(switch, sum);
            }
            weight = self.graph.uniforms.product(weight, y);
        }
        let mut total = Linear::uniform(Uniform::ZERO);
        for (switch, sum) in switched {
            let term = match switch {
                Some(switch) => self.graph.multiply(&Linear::of(switch), &sum),
                None => sum,
            };
            total = self.graph.add(total, &term);
        }
        plan::compile(self.graph, &[total], combination_min)
    }

    /// The parts of a constraint that are multiplied by the same switch.
    fn by_switch(&mut self, constraint: &Linear) -> BTreeMap<Option<NodeId>, Linear> {
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
    pub(crate) fn outputs(self, outputs: &[Linear]) -> Program {
        plan::compile(self.graph, outputs, usize::MAX)
    }
}
