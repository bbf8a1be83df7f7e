//! Field programs of one instruction: `a·b + c`.

use std::collections::HashMap;

use ark_ff::{One, Zero};
use zkinfer_verifier::{Fr, encode_scalar};

/// A value of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id(usize);

/// A value that the contract computes in another way than by instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Input {
    /// An evaluation of the proof.
    Evaluation(usize),
    /// A challenge, by the order in which they are drawn.
    Challenge(usize),
    /// The inverse of a denominator.
    Inverse(usize),
    /// The evaluation of an instance query.
    Instance(usize),
}

/// How a value comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Constant(Fr),
    Input(Input),
    MultiplyAdd(Id, Id, Id),
}

/// Values in the order in which they can be computed, each of them once.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    nodes: Vec<Node>,
    constants: HashMap<[u8; 32], Id>,
    inputs: HashMap<Input, Id>,
    made: HashMap<(Id, Id, Id), Id>,
}

impl Builder {
    pub(crate) fn node(&self, id: Id) -> Node {
        self.nodes[id.0]
    }

    pub(crate) fn constant(&mut self, value: Fr) -> Id {
        let next = Id(self.nodes.len());
        let id = *self.constants.entry(encode_scalar(&value)).or_insert(next);
        if id == next {
            self.nodes.push(Node::Constant(value));
        }
        id
    }

    pub(crate) fn input(&mut self, input: Input) -> Id {
        let next = Id(self.nodes.len());
        let id = *self.inputs.entry(input).or_insert(next);
        if id == next {
            self.nodes.push(Node::Input(input));
        }
        id
    }

    pub(crate) fn zero(&mut self) -> Id {
        self.constant(Fr::zero())
    }

    pub(crate) fn one(&mut self) -> Id {
        self.constant(Fr::one())
    }

    fn known(&self, id: Id) -> Option<Fr> {
        match self.node(id) {
            Node::Constant(value) => Some(value),
            Node::Input(_) | Node::MultiplyAdd(..) => None,
        }
    }

    /// `a·b + c`, folded where that takes no instruction.
    pub(crate) fn multiply_add(&mut self, a: Id, b: Id, c: Id) -> Id {
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        let known = (self.known(a), self.known(b), self.known(c));
        if let (Some(a), Some(b), Some(c)) = known {
            return self.constant(a * b + c);
        }
        let vanishes = |value: Option<Fr>| value.is_some_and(|value| value.is_zero());
        if vanishes(known.0) || vanishes(known.1) {
            return c;
        }
        if vanishes(known.2) {
            let is_one = |value: Option<Fr>| value.is_some_and(|value| value.is_one());
            if is_one(known.0) {
                return b;
            }
            if is_one(known.1) {
                return a;
            }
        }
        let next = Id(self.nodes.len());
        let id = *self.made.entry((a, b, c)).or_insert(next);
        if id == next {
            self.nodes.push(Node::MultiplyAdd(a, b, c));
        }
        id
    }

    pub(crate) fn multiply(&mut self, a: Id, b: Id) -> Id {
        let zero = self.zero();
        self.multiply_add(a, b, zero)
    }

    /// The factors, where the value is a product and nothing is added.
    fn product(&mut self, id: Id) -> Option<(Id, Id)> {
        let zero = self.zero();
        match self.node(id) {
            Node::MultiplyAdd(a, b, c) if c == zero => Some((a, b)),
            Node::MultiplyAdd(..) | Node::Constant(_) | Node::Input(_) => None,
        }
    }

    pub(crate) fn add(&mut self, a: Id, b: Id) -> Id {
        if let Some((x, y)) = self.product(a) {
            return self.multiply_add(x, y, b);
        }
        if let Some((x, y)) = self.product(b) {
            return self.multiply_add(x, y, a);
        }
        let one = self.one();
        self.multiply_add(a, one, b)
    }

    pub(crate) fn negate(&mut self, a: Id) -> Id {
        let minus_one = self.constant(-Fr::one());
        self.multiply(a, minus_one)
    }

    /// `a − b`.
    pub(crate) fn subtract(&mut self, a: Id, b: Id) -> Id {
        let minus_b = self.negate(b);
        self.add(a, minus_b)
    }

    pub(crate) fn square(&mut self, a: Id) -> Id {
        self.multiply(a, a)
    }

    /// The instructions that `results` need, in order, but for those in `before`.
    pub(crate) fn instructions(&self, results: &[Id], before: &[Id]) -> Vec<Id> {
        let mut needed = vec![false; self.nodes.len()];
        results.iter().for_each(|id| needed[id.0] = true);
        for index in (0..self.nodes.len()).rev().filter(|&index| index < self.nodes.len()) {
            if let (true, Node::MultiplyAdd(a, b, c)) = (needed[index], self.nodes[index]) {
                [a, b, c].iter().for_each(|id| needed[id.0] = true);
            }
        }
        before.iter().for_each(|id| needed[id.0] = false);
        let computed = |&id: &Id| matches!(self.node(id), Node::MultiplyAdd(..));
        (0..self.nodes.len()).map(Id).filter(|id| needed[id.0]).filter(computed).collect()
    }
}

impl Builder {
    /// All values.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Id, Node)> {
        self.nodes.iter().enumerate().map(|(index, &node)| (Id(index), node))
    }
}
