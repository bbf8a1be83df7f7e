//! From the graph to steps over registers.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use halo2_proofs::halo2curves::bn256::Fr;

use super::{
    graph::{Graph, Linear, Node, NodeId, Source},
    uniform::{Uniform, Uniforms},
};

/// Where a step finds a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    /// A register: the result of an earlier step.
    Register(usize),
    /// Entry `source` of [`Program::sources`], at a rotation.
    Source {
        /// Which source.
        source: usize,
        /// How many rows further.
        rotation: i32,
    },
    /// A uniform value.
    Uniform(Uniform),
}

/// A product that a step adds or subtracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    /// One factor.
    pub(crate) a: Operand,
    /// The other.
    pub(crate) b: Operand,
}

/// `register = Σ plus - Σ minus + Σ products - Σ minus_products`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Step {
    /// Where the result goes.
    pub(crate) register: usize,
    /// What is added.
    pub(crate) plus: Vec<Operand>,
    /// What is subtracted.
    pub(crate) minus: Vec<Operand>,
    /// Products that are added: reduced once, at the end.
    pub(crate) products: Vec<Term>,
    /// Products that are subtracted.
    pub(crate) minus_products: Vec<Term>,
}

/// A straight-line program.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The columns that it reads.
    pub(crate) sources: Vec<Source>,
    /// What it does, in order.
    pub(crate) steps: Vec<Step>,
    /// How many registers it uses.
    pub(crate) registers: usize,
    /// Where its results are.
    pub(crate) outputs: Vec<Operand>,
    /// Programs of one graph share them.
    uniforms: Arc<Uniforms>,
}

impl Program {
    /// The value of every uniform, given the parameters of the proof.
    pub(crate) fn uniforms(&self, parameters: &[Fr]) -> Vec<Fr> {
        self.uniforms.evaluate(parameters)
    }
}

/// The program that computes the roots.
pub(super) fn compile(graph: &Graph, roots: &[NodeId], uniforms: &Arc<Uniforms>) -> Program {
    let uses = count_uses(graph, roots);
    let mut compiler = Compiler {
        graph,
        remaining: uses.clone(),
        uses,
        places: HashMap::new(),
        sources: Vec::new(),
        steps: Vec::new(),
        free: Vec::new(),
        registers: 0,
    };
    let outputs = roots.iter().map(|&root| compiler.operand(root)).collect();
    let Compiler { sources, steps, registers, .. } = compiler;
    Program { sources, steps, registers, outputs, uniforms: Arc::clone(uniforms) }
}

/// The nodes that the roots need.
fn reachable(graph: &Graph, roots: &[NodeId]) -> BTreeSet<NodeId> {
    let mut found = BTreeSet::new();
    let mut open = roots.to_vec();
    while let Some(node) = open.pop() {
        if found.insert(node) {
            open.extend(graph.nodes[node.index()].children());
        }
    }
    found
}

/// How many steps will read each node.
fn count_uses(graph: &Graph, roots: &[NodeId]) -> HashMap<NodeId, usize> {
    let mut uses = HashMap::new();
    for node in reachable(graph, roots) {
        for child in graph.nodes[node.index()].children() {
            *uses.entry(child).or_insert(0) += 1;
        }
    }
    for &root in roots {
        *uses.entry(root).or_insert(0) += 1;
    }
    uses
}

/// Replaces, in every linear combination, many fixed columns by their combination, where they are
/// needed for nothing else: it is one column to transform instead of many. Fewer than
/// `combination_min` are not combined, and none twice, nor with all signs turned.
pub(super) fn combine_fixed(
    graph: &mut Graph,
    roots: &[NodeId],
    combination_min: usize,
) -> Vec<Vec<(Uniform, usize)>> {
    let nodes = reachable(graph, roots);
    let fixed = |graph: &Graph, node: NodeId| match graph.nodes[node.index()] {
        Node::Query(Source::Fixed(column), rotation) => Some((column, rotation)),
        _ => None,
    };
    let groups = |graph: &Graph, linear: &Linear| {
        let mut groups: BTreeMap<i32, Vec<(NodeId, usize, Uniform)>> = BTreeMap::new();
        for (&term, &coefficient) in &linear.terms {
            if let Some((column, rotation)) = fixed(graph, term) {
                groups.entry(rotation).or_default().push((term, column, coefficient));
            }
        }
        groups
    };
    let mut single = BTreeSet::new();
    for &node in &nodes {
        match &graph.nodes[node.index()] {
            Node::Query(..) => {}
            Node::Product(a, b) => {
                single.extend([*a, *b].into_iter().filter_map(|n| fixed(graph, n)).map(|f| f.0));
            }
            Node::Linear(linear) => {
                for group in groups(graph, linear).values().filter(|g| g.len() < combination_min) {
                    single.extend(group.iter().map(|&(_, column, _)| column));
                }
            }
        }
    }
    let mut combined = Vec::new();
    for node in nodes {
        let Node::Linear(linear) = &graph.nodes[node.index()] else { continue };
        let mut linear = linear.clone();
        for (rotation, mut group) in groups(graph, &linear) {
            group.retain(|(_, column, _)| !single.contains(column));
            if group.len() < combination_min {
                continue;
            }
            for (term, ..) in &group {
                linear.terms.remove(term);
            }
            let terms = group.into_iter().map(|(_, column, scale)| (scale, column)).collect();
            let (place, sign) = combination(graph, &mut combined, terms);
            let query = graph.query(Source::Combined(place), rotation);
            linear = graph.add_scaled(linear, &query, sign);
        }
        graph.nodes[node.index()] = match linear.as_multiple() {
            Some((query, Uniform::ONE)) => graph.nodes[query.index()].clone(),
            _ => Node::Linear(linear),
        };
    }
    combined
}

/// The place of a combination among those that are known, and the sign that it has there.
fn combination(
    graph: &mut Graph,
    known: &mut Vec<Vec<(Uniform, usize)>>,
    terms: Vec<(Uniform, usize)>,
) -> (usize, Uniform) {
    let mut turned = |terms: &[(Uniform, usize)]| -> Vec<_> {
        let sign = |&(scale, column)| (graph.uniforms.product(Uniform::MINUS_ONE, scale), column);
        terms.iter().map(sign).collect()
    };
    if let Some(place) = known.iter().position(|other| *other == terms) {
        return (place, Uniform::ONE);
    }
    let negative = turned(&terms);
    let place = known.iter().position(|other| *other == negative || turned(other) == terms);
    if let Some(place) = place {
        return (place, Uniform::MINUS_ONE);
    }
    known.push(terms);
    (known.len() - 1, Uniform::ONE)
}

struct Compiler<'a> {
    graph: &'a Graph,
    uses: HashMap<NodeId, usize>,
    places: HashMap<NodeId, usize>,
    sources: Vec<Source>,
    steps: Vec<Step>,
    remaining: HashMap<NodeId, usize>,
    free: Vec<usize>,
    registers: usize,
}

impl Compiler<'_> {
    /// Makes the value of `node` and says where it is.
    fn operand(&mut self, node: NodeId) -> Operand {
        match &self.graph.nodes[node.index()] {
            Node::Query(source, rotation) => {
                let known = self.sources.iter().position(|other| other == source);
                let source = known.unwrap_or_else(|| {
                    self.sources.push(*source);
                    self.sources.len() - 1
                });
                Operand::Source { source, rotation: *rotation }
            }
            Node::Product(a, b) => {
                if let Some(&register) = self.places.get(&node) {
                    return Operand::Register(register);
                }
                let term = Term { a: self.operand(*a), b: self.operand(*b) };
                self.release_all(&[*a, *b]);
                self.emit(node, Step { products: vec![term], ..Step::default() })
            }
            Node::Linear(linear) => {
                if let Some(&register) = self.places.get(&node) {
                    return Operand::Register(register);
                }
                let (step, read) = self.linear(linear);
                self.release_all(&read);
                self.emit(node, step)
            }
        }
    }

    /// The step of a linear combination, and the nodes that it reads.
    fn linear(&mut self, linear: &Linear) -> (Step, Vec<NodeId>) {
        let mut step = Step::default();
        let mut read = Vec::new();
        if linear.constant != Uniform::ZERO {
            step.plus.push(Operand::Uniform(linear.constant));
        }
        for (&term, &coefficient) in &linear.terms {
            let is_sign = coefficient == Uniform::ONE || coefficient == Uniform::MINUS_ONE;
            let fused = match self.graph.nodes[term.index()] {
                Node::Product(a, b) if is_sign && self.uses[&term] == 1 => Some((a, b)),
                _ => None,
            };
            let minus = coefficient == Uniform::MINUS_ONE;
            if let Some((a, b)) = fused {
                let product = Term { a: self.operand(a), b: self.operand(b) };
                read.extend([a, b]);
                let list = if minus { &mut step.minus_products } else { &mut step.products };
                list.push(product);
                continue;
            }
            let value = self.operand(term);
            read.push(term);
            match coefficient {
                Uniform::ONE => step.plus.push(value),
                Uniform::MINUS_ONE => step.minus.push(value),
                _ => step.products.push(Term { a: value, b: Operand::Uniform(coefficient) }),
            }
        }
        (step, read)
    }

    fn emit(&mut self, node: NodeId, mut step: Step) -> Operand {
        let register = self.free.pop().unwrap_or_else(|| {
            self.registers += 1;
            self.registers - 1
        });
        step.register = register;
        self.steps.push(step);
        self.places.insert(node, register);
        Operand::Register(register)
    }

    /// Frees the registers of nodes that no later step reads.
    fn release_all(&mut self, nodes: &[NodeId]) {
        for node in nodes {
            let Some(&register) = self.places.get(node) else { continue };
            let remaining = self.remaining.get_mut(node).expect("every child was counted");
            *remaining -= 1;
            if *remaining == 0 {
                self.places.remove(node);
                self.free.push(register);
            }
        }
    }
}
