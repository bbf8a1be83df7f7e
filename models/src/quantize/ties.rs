//! Which results have one format: those of a recurrent cell in each of its steps.

use std::collections::{BTreeMap, HashMap};

use crate::activation::Activation;
use crate::graph::{Graph, Node, Op};
use crate::quantizer::form::Role;
use crate::tensor::TensorId;

/// The classes of a graph. Layers of one name with the same weights read and give tensors of one
/// class each; of operations that do the same, those whose results are of one class read tensors
/// of one class each, and those that read such give results of one class.
pub(super) fn classes(graph: &Graph, roles: &[Role]) -> Vec<Vec<TensorId>> {
    let alike = graph.alike();
    let mut united = United::new(graph.tensors.len());
    for (node, &first) in graph.nodes.iter().zip(&alike) {
        if has_weights(&node.op) {
            united.unite(&graph.nodes[first], node);
        }
    }
    while united.spread(graph, &alike) {}
    united.classes(graph, roles)
}

/// Whether a layer has weights that tell it from others, as copies and sums have not.
fn has_weights(op: &Op) -> bool {
    let Op::Affine(affine) = op else { return false };
    let mut weights = affine.terms.iter().flat_map(|term| &term.kernel).filter(|w| **w != 0.0);
    let first = weights.next();
    weights.any(|weight| Some(weight) != first)
}

/// Tensors that are being united: of each another one of its class, or itself.
struct United(Vec<usize>);

impl United {
    fn new(tensors: usize) -> Self {
        Self((0..tensors).collect())
    }

    fn root(&mut self, TensorId(tensor): TensorId) -> usize {
        let mut root = tensor;
        while self.0[root] != root {
            self.0[root] = self.0[self.0[root]];
            root = self.0[root];
        }
        root
    }

    /// Whether the classes were two.
    fn join(&mut self, a: TensorId, b: TensorId) -> bool {
        let [a, b] = [a, b].map(|id| self.root(id));
        self.0[a.max(b)] = a.min(b);
        a != b
    }

    /// What two nodes read, one after another.
    fn unite_inputs(&mut self, a: &Node, b: &Node) -> bool {
        let pairs = a.op.inputs().into_iter().zip(b.op.inputs());
        pairs.fold(false, |changed, (a, b)| self.join(a, b) || changed)
    }

    fn unite(&mut self, a: &Node, b: &Node) {
        self.join(a.output, b.output);
        self.unite_inputs(a, b);
    }

    /// Goes on from results to what they are made of, and back; whether that united anything.
    fn spread(&mut self, graph: &Graph, alike: &[usize]) -> bool {
        let (mut by_result, mut by_inputs) = (HashMap::new(), HashMap::new());
        let mut changed = false;
        for (node, &first) in graph.nodes.iter().zip(alike).rev() {
            // Whatever moves elements leaves them as they are.
            let kind = match &node.op {
                Op::Affine(_) | Op::Mul(_) => Some(first),
                Op::Alias(_) => None,
                _ => continue,
            };
            let same = by_result.entry((self.root(node.output), kind)).or_insert(node);
            changed |= self.unite_inputs(same, node);
            let inputs = node.op.inputs();
            let roots: Vec<_> = inputs.iter().map(|id| self.root(*id)).collect();
            let same = by_inputs.entry((roots, kind)).or_insert(node);
            // Steps do not read the very same tensors.
            if kind.is_some() && same.op.inputs() != inputs {
                changed |= self.join(same.output, node.output);
            }
        }
        changed
    }

    /// The classes, of results between layers, each with one activation.
    fn classes(mut self, graph: &Graph, roles: &[Role]) -> Vec<Vec<TensorId>> {
        let mut found: BTreeMap<usize, Vec<(Activation, Vec<TensorId>)>> = BTreeMap::new();
        for Node { op, output, .. } in &graph.nodes {
            let activation = match op {
                Op::Affine(affine) => affine.activation,
                Op::Mul(mul) => mul.activation,
                _ => continue,
            };
            if roles[output.0] != Role::Hidden {
                continue;
            }
            let of_root = found.entry(self.root(*output)).or_default();
            match of_root.iter_mut().find(|(of, _)| *of == activation) {
                Some((_, members)) => members.push(*output),
                None => of_root.push((activation, vec![*output])),
            }
        }
        let members = found.into_values().flatten().map(|(_, members)| members);
        members.filter(|members| members.len() > 1).collect()
    }
}
