//! Sums of products with fewer products: common factors are taken out, and a sum is weighted as a
//! whole where that is cheaper than weighting its terms.

use std::collections::HashMap;

use super::{
    graph::{Graph, Linear, Node, NodeId},
    uniform::Uniform,
};

/// How often every node is read.
#[derive(Debug)]
pub(super) struct Uses(HashMap<NodeId, usize>);

impl Uses {
    /// Counts what the sums read, and what those nodes read in turn.
    pub(super) fn count(graph: &Graph, sums: &[Linear]) -> Self {
        let mut uses = HashMap::new();
        let mut open: Vec<NodeId> = sums.iter().flat_map(|sum| sum.terms.keys().copied()).collect();
        while let Some(node) = open.pop() {
            let count = uses.entry(node).or_insert(0);
            *count += 1;
            if *count == 1 {
                open.extend(graph.nodes[node.index()].children());
            }
        }
        Self(uses)
    }

    fn is_shared(&self, node: NodeId) -> bool {
        self.0.get(&node).is_some_and(|&count| count > 1)
    }
}

/// `scale · Π factors`.
#[derive(Clone, Debug)]
struct Term {
    scale: Uniform,
    factors: Vec<NodeId>,
}

/// Instructions of a product of packs and of the reduction of a sum of products, roughly.
const PRODUCT: usize = 135;
const REDUCTION: usize = 225;

impl Graph {
    /// The same value with common factors taken out of its products. Products that are also read
    /// elsewhere stay as they are.
    pub(super) fn factor(&mut self, sum: &Linear, uses: &Uses) -> Linear {
        let terms = sum.terms.iter();
        let terms = terms.map(|(&node, &scale)| Term { scale, factors: self.factors(node, uses) });
        let terms = terms.collect();
        let factored = self.factor_terms(terms);
        self.add(Linear::uniform(sum.constant), &factored)
    }

    fn factors(&self, node: NodeId, uses: &Uses) -> Vec<NodeId> {
        match self.nodes[node.index()] {
            Node::Product(a, b) if !uses.is_shared(node) => {
                [self.factors(a, uses), self.factors(b, uses)].concat()
            }
            _ => vec![node],
        }
    }

    fn factor_terms(&mut self, terms: Vec<Term>) -> Linear {
        let Some(common) = most_common_factor(&terms) else {
            let zero = Linear::uniform(Uniform::ZERO);
            return terms.into_iter().fold(zero, |sum, term| {
                let product = self.product(&term.factors);
                self.add_scaled(sum, &product, term.scale)
            });
        };
        let (mut with, without): (Vec<_>, Vec<_>) =
            terms.into_iter().partition(|term| term.factors.contains(&common));
        for term in &mut with {
            if let Some(place) = term.factors.iter().position(|&factor| factor == common) {
                term.factors.remove(place);
            }
        }
        let inner = self.factor_terms(with);
        let product = self.multiply(&Linear::of(common), &inner);
        let rest = self.factor_terms(without);
        self.add(product, &rest)
    }

    fn product(&mut self, factors: &[NodeId]) -> Linear {
        let one = Linear::uniform(Uniform::ONE);
        factors.iter().fold(one, |product, &factor| self.multiply(&product, &Linear::of(factor)))
    }

    /// `sum + weight · value`, where `value` becomes a node of its own if that is cheaper.
    pub(super) fn add_weighted(&mut self, sum: Linear, value: &Linear, weight: Uniform) -> Linear {
        if self.cost_of_terms(value) <= self.cost_as_node(value) {
            return self.add_scaled(sum, value, weight);
        }
        let node = self.node(value);
        self.add_scaled(sum, &Linear::of(node), weight)
    }

    /// What it costs to weigh every term of `value`.
    fn cost_of_terms(&self, value: &Linear) -> usize {
        let products = value.terms.keys().filter(|&&node| self.is_product(node)).count();
        value.terms.len() * PRODUCT + products * (PRODUCT + REDUCTION)
    }

    /// What it costs to add up `value` and to weigh the sum.
    fn cost_as_node(&self, value: &Linear) -> usize {
        let is_sign = |scale: Uniform| scale == Uniform::ONE || scale == Uniform::MINUS_ONE;
        let term =
            |(&node, &scale): (&NodeId, &Uniform)| match (self.is_product(node), is_sign(scale)) {
                (true, true) => PRODUCT,
                (true, false) => 2 * PRODUCT + REDUCTION,
                (false, true) => 0,
                (false, false) => PRODUCT,
            };
        let sum: usize = value.terms.iter().map(term).sum();
        PRODUCT + sum + if sum > 0 { REDUCTION } else { 0 }
    }

    fn is_product(&self, node: NodeId) -> bool {
        matches!(self.nodes[node.index()], Node::Product(..))
    }
}

/// The factor that most terms have, if it is in more than one.
fn most_common_factor(terms: &[Term]) -> Option<NodeId> {
    let count = |factor: NodeId| terms.iter().filter(|term| term.factors.contains(&factor)).count();
    let factors = terms.iter().flat_map(|term| &term.factors);
    let counts = factors.map(|&factor| (count(factor), std::cmp::Reverse(factor)));
    counts.max().filter(|(count, _)| *count > 1).map(|(_, std::cmp::Reverse(factor))| factor)
}

#[cfg(test)]
mod tests {
    use super::{super::Source, *};

    #[test]
    fn a_common_factor_is_multiplied_once() {
        let mut graph = Graph::new();
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| graph.query(Source::Advice(i), 0));
        let mut sum = Linear::uniform(Uniform::ONE);
        for other in [&b, &c, &d] {
            let product = graph.multiply(other, &a);
            sum = graph.subtract(sum, &product);
        }
        let uses = Uses::count(&graph, std::slice::from_ref(&sum));
        let factored = graph.factor(&sum, &uses);
        let others = [&b, &c, &d]
            .into_iter()
            .fold(Linear::uniform(Uniform::ZERO), |sum, other| graph.subtract(sum, other));
        let expected = graph.multiply(&a, &others);
        let expected = graph.add(expected, &Linear::uniform(Uniform::ONE));
        assert_eq!(factored, expected);
    }

    #[test]
    fn what_is_read_twice_stays_a_product() {
        let mut graph = Graph::new();
        let [a, b, c] = [0, 1, 2].map(|i| graph.query(Source::Advice(i), 0));
        let shared = graph.multiply(&a, &b);
        let other = graph.multiply(&shared, &c);
        let product = graph.multiply(&a, &c);
        let sum = graph.add(other, &product);
        let sums = [sum.clone(), shared];
        let uses = Uses::count(&graph, &sums);
        let inner = graph.add(sums[1].clone(), &a);
        let expected = graph.multiply(&c, &inner);
        assert_eq!(graph.factor(&sum, &uses), expected);
    }
}
