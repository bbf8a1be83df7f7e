//! Constraints as a graph of linear combinations and products, no node twice.

use std::collections::{BTreeMap, HashMap};

use super::uniform::{Uniform, Uniforms};

/// A column of the argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A fixed column of the circuit.
    Fixed(usize),
    /// An advice column.
    Advice(usize),
    /// An instance column.
    Instance(usize),
    /// σ of a column of the permutation argument, divided by δ^column.
    Permutation(usize),
    /// The running product of a set of columns of the permutation argument.
    PermutationProduct(usize),
    /// The permuted input of a lookup.
    LookupInput(usize),
    /// The permuted table of a lookup.
    LookupTable(usize),
    /// The running product of a lookup.
    LookupProduct(usize),
    /// One in the first row.
    First,
    /// One in the last usable row's successor, the first that is not usable.
    Last,
    /// One in the usable rows.
    Active,
    /// The identity: ω^row on the domain, the point itself on a coset.
    Point,
    /// A linear combination of fixed columns that is made anew for every proof.
    Combined(usize),
}

impl Source {
    /// Whether a constraint is usually switched by it: it multiplies everything else.
    fn is_switch(self) -> bool {
        matches!(self, Self::Fixed(_) | Self::First | Self::Last | Self::Active)
    }

    /// Whether it is part of the key.
    pub(crate) fn is_keyed(self) -> bool {
        self.is_switch() || matches!(self, Self::Permutation(_) | Self::Point)
    }
}

/// A node by its place in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(super) u32);

impl NodeId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Something with a value in every row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Node {
    /// A source at a rotation.
    Query(Source, i32),
    /// A product.
    Product(NodeId, NodeId),
    /// A linear combination of other nodes.
    Linear(Linear),
}

/// `constant + Σ coefficient · node`, with nonzero coefficients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Linear {
    pub(super) constant: Uniform,
    pub(super) terms: BTreeMap<NodeId, Uniform>,
}

impl Node {
    /// What it is computed from.
    pub(super) fn children(&self) -> Vec<NodeId> {
        match self {
            Self::Query(..) => Vec::new(),
            Self::Product(a, b) => vec![*a, *b],
            Self::Linear(linear) => linear.terms.keys().copied().collect(),
        }
    }
}

impl Linear {
    /// The value of a node.
    pub(super) fn of(node: NodeId) -> Self {
        Self { constant: Uniform::ZERO, terms: BTreeMap::from([(node, Uniform::ONE)]) }
    }

    /// A multiple of one node: the node and the scale.
    pub(super) fn as_multiple(&self) -> Option<(NodeId, Uniform)> {
        let mut terms = self.terms.iter();
        match (self.constant, terms.next(), terms.next()) {
            (Uniform::ZERO, Some((&node, &scale)), None) => Some((node, scale)),
            _ => None,
        }
    }

    /// The same value in every row.
    pub(crate) fn uniform(constant: Uniform) -> Self {
        Self { constant, terms: BTreeMap::new() }
    }
}

/// The graph, and the uniform values that it uses.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub(super) nodes: Vec<Node>,
    places: HashMap<Node, NodeId>,
    pub(super) uniforms: Uniforms,
}

impl Graph {
    pub(crate) fn new() -> Self {
        Self { nodes: Vec::new(), places: HashMap::new(), uniforms: Uniforms::new() }
    }

    fn intern(&mut self, node: Node) -> NodeId {
        let Self { nodes, places, .. } = self;
        if let Some(&place) = places.get(&node) {
            return place;
        }
        let place = NodeId(u32::try_from(nodes.len()).expect("fewer than 2^32 nodes"));
        nodes.push(node.clone());
        places.insert(node, place);
        place
    }

    /// The node of a linear combination, which is itself where it is a single node.
    pub(super) fn node(&mut self, linear: &Linear) -> NodeId {
        match linear.as_multiple() {
            Some((node, Uniform::ONE)) => node,
            _ => self.intern(Node::Linear(linear.clone())),
        }
    }

    pub(crate) fn query(&mut self, source: Source, rotation: i32) -> Linear {
        self.single(Node::Query(source, rotation))
    }

    fn single(&mut self, node: Node) -> Linear {
        Linear::of(self.intern(node))
    }

    /// `a + scale · b`.
    pub(crate) fn add_scaled(&mut self, mut a: Linear, b: &Linear, scale: Uniform) -> Linear {
        let constant = self.uniforms.product(scale, b.constant);
        a.constant = self.uniforms.sum(a.constant, constant);
        for (&node, &coefficient) in &b.terms {
            let scaled = self.uniforms.product(scale, coefficient);
            let sum = a.terms.get(&node).map_or(scaled, |&old| self.uniforms.sum(old, scaled));
            if sum == Uniform::ZERO {
                a.terms.remove(&node);
            } else {
                a.terms.insert(node, sum);
            }
        }
        a
    }

    pub(crate) fn add(&mut self, a: Linear, b: &Linear) -> Linear {
        self.add_scaled(a, b, Uniform::ONE)
    }

    pub(crate) fn subtract(&mut self, a: Linear, b: &Linear) -> Linear {
        self.add_scaled(a, b, Uniform::MINUS_ONE)
    }

    pub(crate) fn scale(&mut self, a: &Linear, scale: Uniform) -> Linear {
        self.add_scaled(Linear::uniform(Uniform::ZERO), a, scale)
    }

    pub(crate) fn multiply(&mut self, a: &Linear, b: &Linear) -> Linear {
        if a.terms.is_empty() {
            return self.scale(b, a.constant);
        }
        if b.terms.is_empty() {
            return self.scale(a, b.constant);
        }
        // Uniform factors come out: they meet the weight of the constraint there.
        let (a, of_a) = self.split_multiple(a);
        let (b, of_b) = self.split_multiple(b);
        let product = self.single(Node::Product(a.min(b), a.max(b)));
        let scale = self.uniforms.product(of_a, of_b);
        self.scale(&product, scale)
    }

    /// A node and the scale that make a linear combination.
    fn split_multiple(&mut self, linear: &Linear) -> (NodeId, Uniform) {
        linear.as_multiple().unwrap_or_else(|| (self.node(linear), Uniform::ONE))
    }

    /// Splits a product with a switch into the switch and the rest.
    pub(super) fn switched(&self, node: NodeId) -> Option<(NodeId, NodeId)> {
        let Node::Product(a, b) = self.nodes[node.index()] else { return None };
        let is_switch = |node: NodeId| matches!(self.nodes[node.index()], Node::Query(source, _) if source.is_switch());
        [(a, b), (b, a)].into_iter().find(|&(switch, _)| is_switch(switch))
    }

    /// The linear combination that a node is.
    pub(super) fn linear(&self, node: NodeId) -> Linear {
        match &self.nodes[node.index()] {
            Node::Linear(linear) => linear.clone(),
            _ => Linear::of(node),
        }
    }
}
